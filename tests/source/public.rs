//! The crate's public types that print themselves, as its source says.
//!
//! The lint `unreachable_pub` sees to it that whatever is `pub` can be named by others. Types that a macro
//! of ours writes are not seen: all of those are markers without a field.

use std::collections::BTreeSet;

use syn::{Fields, Item, Type, Visibility};

use crate::source::{self, File};

/// A type that is public, implements `Debug` or `Display`, and holds something that could be printed.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Printable {
    /// As `std::any::type_name` has it, without parameters: `portcullis::jwks::fixed::StaticJwks`.
    pub(crate) name: String,
    /// Where it stands below `src/`.
    pub(crate) file: String,
}

/// All of them, by name.
pub(crate) fn printables() -> BTreeSet<Printable> {
    of(&source::files())
}

fn of(files: &[File]) -> BTreeSet<Printable> {
    let parsed: Vec<(&File, Vec<Item>)> = files
        .iter()
        .map(|file| (file, flat(syn::parse_file(&file.text).unwrap().items)))
        .collect();
    let printing: BTreeSet<String> = parsed
        .iter()
        .flat_map(|(file, items)| items.iter().filter_map(|item| prints(item, file)))
        .collect();
    let mut all = BTreeSet::new();
    for (file, items) in &parsed {
        for item in items {
            let (name, holds) = match item {
                Item::Struct(item) if is_public(&item.vis) => {
                    (item.ident.to_string(), holds(&item.fields))
                }
                Item::Enum(item) if is_public(&item.vis) => {
                    let holds = item.variants.iter().any(|variant| holds(&variant.fields));
                    (item.ident.to_string(), holds)
                }
                _ => continue,
            };
            if holds && printing.contains(&of_room(file, &name)) {
                all.insert(Printable {
                    name: format!("portcullis::{}{name}", module(&file.path)),
                    file: file.path.clone(),
                });
            }
        }
    }
    all
}

/// The type that an item lets print, by room and name: an implementation may stand in another file.
fn prints(item: &Item, file: &File) -> Option<String> {
    let derives = |attributes: &[syn::Attribute]| {
        attributes.iter().any(|attribute| {
            let list = attribute
                .path()
                .is_ident("derive")
                .then_some(&attribute.meta);
            let list = list.and_then(|meta| meta.require_list().ok());
            list.is_some_and(|list| {
                let words = list.tokens.to_string();
                words.split(", ").any(|word| word.trim() == "Debug")
            })
        })
    };
    let name = match item {
        Item::Struct(item) if derives(&item.attrs) => item.ident.to_string(),
        Item::Enum(item) if derives(&item.attrs) => item.ident.to_string(),
        Item::Impl(item) => {
            let (_, of, _) = item.trait_.as_ref()?;
            let of = of.segments.last()?.ident.to_string();
            let Type::Path(target) = &*item.self_ty else {
                return None;
            };
            ["Debug", "Display"].contains(&of.as_str()).then_some(())?;
            target.path.segments.last()?.ident.to_string()
        }
        _ => return None,
    };
    Some(of_room(file, &name))
}

fn of_room(file: &File, name: &str) -> String {
    let folder = file
        .path
        .rsplit_once('/')
        .map_or(file.room(), |(folder, _)| folder);
    format!("{folder} {name}")
}

/// Whether there is a field that is more than a mark for the compiler.
fn holds(fields: &Fields) -> bool {
    let is_mark = |ty: &Type| match ty {
        Type::Path(path) => path
            .path
            .segments
            .last()
            .is_some_and(|last| last.ident == "PhantomData"),
        _ => false,
    };
    fields.iter().any(|field| !is_mark(&field.ty))
}

/// Opens inline modules and the macros that wrap whole items; tests are left out.
fn flat(items: Vec<Item>) -> Vec<Item> {
    let mut all = Vec::new();
    for item in items {
        match item {
            Item::Mod(module) if module.ident != "tests" => {
                all.extend(flat(
                    module.content.map(|(_, inner)| inner).unwrap_or_default(),
                ));
            }
            Item::Macro(call) if call.ident.is_none() => {
                let inside = call.mac.parse_body::<syn::File>();
                all.extend(flat(inside.map(|file| file.items).unwrap_or_default()));
            }
            other => all.push(other),
        }
    }
    all
}

/// The module of a file, with `::` behind it.
fn module(path: &str) -> String {
    let path = path.strip_suffix(".rs").unwrap();
    let path = path.strip_suffix("/mod").unwrap_or(path);
    format!("{}::", path.replace('/', "::"))
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

#[test]
fn the_reader_finds_what_prints() {
    let files = [
        (
            "a.rs",
            "#[derive(Clone, Debug)] pub struct A(u8); #[derive(Debug)] pub struct Unit;",
        ),
        (
            "b/mod.rs",
            "pub struct B { c: u8 } pub struct Silent(u8); #[derive(Debug)] struct P(u8);",
        ),
        (
            "b/print.rs",
            "impl fmt::Debug for B {} #[derive(Debug)] pub struct M(PhantomData<u8>);",
        ),
        (
            "c/d.rs",
            "#[derive(Debug)] pub enum E { One, Two(u8) } #[derive(Debug)] pub enum F { G }",
        ),
        (
            "e.rs",
            "pin_project! { pub struct Future<F> { #[pin] f: F } impl<F> Debug for Future<F> {} }",
        ),
        (
            "f.rs",
            "mod tests { #[derive(Debug)] pub struct T(u8); } impl Display for super::A {}",
        ),
    ];
    let files = files.map(|(path, text)| File {
        path: path.to_owned(),
        text: text.to_owned(),
    });
    let found = of(&files);
    let names: Vec<&str> = found.iter().map(|found| &*found.name).collect();
    let wanted = ["a::A", "b::B", "c::d::E", "e::Future"].map(|name| format!("portcullis::{name}"));
    assert_eq!(names, wanted);
}
