//! What the public signatures promise: whose types stand in them, and what may cross threads.
//!
//! The source is parsed, not the compiler asked, so that this works on stable and without a
//! network. Its limits: every `pub` item counts as public, even in a private module; a foreign
//! type that another crate re-exports counts as that crate's; and what hides behind `impl Trait`
//! is not seen, which is what `impl Trait` is for.
#![allow(clippy::unwrap_used)] // A test says what must be there by taking it.

mod source;
mod watched;

use std::collections::{BTreeMap, BTreeSet};

use syn::visit::{self, Visit};
use syn::{Item, Type, UseTree, Visibility};

/// The crates whose types may stand in public signatures: the first three floors of any HTTP
/// service, and serde for claims. A new major version of one of them is a new one of ours.
const WELCOME: [&str; 9] = [
    "alloc",
    "axum_core",
    "core",
    "http",
    "serde",
    "serde_json",
    "std",
    "tower_layer",
    "tower_service",
];

/// Names that a file took from elsewhere, and the crate each comes from.
type Taken = BTreeMap<String, String>;

/// Collects the `use` lines of a file, those inside functions included.
#[derive(Default)]
struct Uses {
    taken: Taken,
    globs: BTreeSet<String>,
}

impl Uses {
    fn add(&mut self, tree: &UseTree, root: Option<&str>) {
        match tree {
            UseTree::Path(path) => {
                let first = path.ident.to_string();
                self.add(&path.tree, Some(root.unwrap_or(&first)));
            }
            UseTree::Name(name) => self.take(&name.ident, root, &name.ident),
            UseTree::Rename(name) => self.take(&name.rename, root, &name.ident),
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.add(tree, root);
                }
            }
            UseTree::Glob(_) => {
                self.globs.insert(root.unwrap_or_default().to_owned());
            }
        }
    }

    fn take(&mut self, name: &syn::Ident, root: Option<&str>, whole: &syn::Ident) {
        let root = root.map_or_else(|| whole.to_string(), str::to_owned);
        // `use crate::x::{self}` takes nothing foreign under the name `self`.
        if !["self", "crate", "super"].contains(&root.as_str()) {
            self.taken.insert(name.to_string(), root);
        }
    }
}

impl<'a> Visit<'a> for Uses {
    fn visit_item_use(&mut self, item: &'a syn::ItemUse) {
        self.add(&item.tree, None);
    }
}

/// Collects the crates that paths lead to.
struct Paths<'a> {
    taken: &'a Taken,
    dependencies: &'a BTreeSet<String>,
    found: BTreeSet<String>,
}

impl Paths<'_> {
    fn note(&mut self, path: &syn::Path) {
        let Some(first) = path.segments.first() else {
            return;
        };
        let first = first.ident.to_string();
        let name = path
            .segments
            .iter()
            .map(|segment| segment.ident.to_string())
            .collect::<Vec<_>>()
            .join("::");
        let root = match self.taken.get(&first) {
            Some(root) => root,
            None if path.segments.len() > 1 && self.dependencies.contains(&first) => &first,
            None => return,
        };
        if !WELCOME.contains(&root.as_str()) {
            self.found.insert(format!("{name} of {root}"));
        }
    }
}

impl<'a> Visit<'a> for Paths<'_> {
    fn visit_path(&mut self, path: &'a syn::Path) {
        self.note(path);
        visit::visit_path(self, path);
    }

    // Attributes (`#[derive]`, `#[doc]`) and bodies are nobody's signature.
    fn visit_attribute(&mut self, _: &'a syn::Attribute) {}

    fn visit_block(&mut self, _: &'a syn::Block) {}
}

/// One parsed file.
struct Parsed {
    path: String,
    items: Vec<Item>,
    uses: Uses,
}

fn parse() -> Vec<Parsed> {
    let parse = |file: source::File| {
        let syntax = syn::parse_file(&file.text).unwrap();
        let mut uses = Uses::default();
        uses.visit_file(&syntax);
        Parsed {
            path: file.path,
            items: flat(syntax.items),
            uses,
        }
    };
    source::files().into_iter().map(parse).collect()
}

/// Opens inline modules and the macros that wrap whole items, such as `pin_project!`. Tests of the
/// crate itself are left out.
fn flat(items: Vec<Item>) -> Vec<Item> {
    let mut all = Vec::new();
    for item in items {
        match item {
            Item::Mod(syn::ItemMod {
                content: Some((_, inner)),
                ident,
                ..
            }) => {
                if ident != "tests" {
                    all.extend(flat(inner));
                }
            }
            Item::Macro(call) => match call.mac.parse_body::<syn::File>() {
                Ok(file) if call.ident.is_none() => all.extend(flat(file.items)),
                _ => all.push(Item::Macro(call)),
            },
            other => all.push(other),
        }
    }
    all
}

/// The crates of `Cargo.toml`, as Rust names them.
fn dependencies() -> BTreeSet<String> {
    let manifest = std::fs::read_to_string(source::root().join("Cargo.toml")).unwrap();
    let (_, table) = manifest.split_once("\n[dependencies]\n").unwrap();
    let table = table.split("\n[").next().unwrap();
    let names: BTreeSet<String> = table
        .lines()
        .filter_map(|line| Some(line.split_once(" = ")?.0.replace('-', "_")))
        .collect();
    assert!(names.contains("http"), "found {names:?}");
    names
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

/// The name of every public type and trait, and of every private alias: an alias is only another
/// name for what it stands for.
fn public_names(files: &[Parsed]) -> BTreeSet<String> {
    let items = files.iter().flat_map(|file| &file.items);
    items
        .filter_map(|item| match item {
            Item::Struct(item) if is_public(&item.vis) => Some(item.ident.to_string()),
            Item::Enum(item) if is_public(&item.vis) => Some(item.ident.to_string()),
            Item::Trait(item) if is_public(&item.vis) => Some(item.ident.to_string()),
            Item::Union(item) if is_public(&item.vis) => Some(item.ident.to_string()),
            _ => None,
        })
        .collect()
}

/// Whether an implementation concerns a public type.
fn concerns(target: &Type, public: &BTreeSet<String>) -> bool {
    match target {
        Type::Path(path) => path
            .path
            .segments
            .last()
            .is_none_or(|last| public.contains(&last.ident.to_string())),
        _ => true,
    }
}

/// Looks at what others see of `item`: signatures, public fields, implementations.
fn look(item: &Item, public: &BTreeSet<String>, paths: &mut Paths<'_>) -> String {
    match item {
        Item::Fn(item) if is_public(&item.vis) => {
            paths.visit_signature(&item.sig);
            item.sig.ident.to_string()
        }
        Item::Struct(item) if is_public(&item.vis) => {
            paths.visit_generics(&item.generics);
            for field in item.fields.iter().filter(|field| is_public(&field.vis)) {
                paths.visit_type(&field.ty);
            }
            item.ident.to_string()
        }
        Item::Enum(item) if is_public(&item.vis) => {
            paths.visit_item_enum(item);
            item.ident.to_string()
        }
        Item::Trait(item) if is_public(&item.vis) => {
            paths.visit_item_trait(item);
            item.ident.to_string()
        }
        // Whoever may use an alias, it names what it stands for.
        Item::Type(item) => {
            if is_public(&item.vis) {
                paths.visit_item_type(item);
            }
            item.ident.to_string()
        }
        Item::Const(item) if is_public(&item.vis) => {
            paths.visit_type(&item.ty);
            item.ident.to_string()
        }
        Item::Static(item) if is_public(&item.vis) => {
            paths.visit_type(&item.ty);
            item.ident.to_string()
        }
        Item::Use(item) if is_public(&item.vis) => {
            let mut uses = Uses::default();
            uses.add(&item.tree, None);
            for root in uses.taken.into_values().chain(uses.globs) {
                let foreign = paths.dependencies.contains(&root);
                if foreign && !WELCOME.contains(&root.as_str()) {
                    paths.found.insert(format!("a re-export of {root}"));
                }
            }
            "pub use".to_owned()
        }
        Item::Impl(item) if concerns(&item.self_ty, public) => {
            paths.visit_generics(&item.generics);
            if let Some((_, path, _)) = &item.trait_ {
                paths.visit_path(path);
            }
            for member in &item.items {
                let of_trait = item.trait_.is_some();
                match member {
                    syn::ImplItem::Fn(member) if of_trait || is_public(&member.vis) => {
                        paths.visit_signature(&member.sig);
                    }
                    syn::ImplItem::Const(member) if of_trait || is_public(&member.vis) => {
                        paths.visit_type(&member.ty);
                    }
                    syn::ImplItem::Type(member) => paths.visit_type(&member.ty),
                    _ => {}
                }
            }
            "impl".to_owned()
        }
        // A macro whose insides are no items: every name in it counts.
        Item::Macro(item) => {
            let inside = item.mac.tokens.to_string();
            for name in inside.split(|c: char| !c.is_alphanumeric() && c != '_') {
                let root = paths.taken.get(name).map_or(name, String::as_str);
                if paths.dependencies.contains(root) && !WELCOME.contains(&root) {
                    paths.found.insert(format!("{name} of {root}"));
                }
            }
            "macro".to_owned()
        }
        _ => String::new(),
    }
}

#[test]
fn no_foreign_type_stands_in_a_public_signature() {
    let files = parse();
    let public = public_names(&files);
    for known in ["ResourceServer", "ResponseFuture", "JwtVerifier"] {
        assert!(public.contains(known), "{known} is not in {public:?}");
    }
    let faults = faults(&files, &public);
    assert!(
        faults.is_empty(),
        "types of other crates stand in public signatures:\n{}\nGive them a type of our own, or \
         welcome their crate in tests/public_api.rs with a word in DESIGN.md.",
        faults.join("\n")
    );
}

fn faults(files: &[Parsed], public: &BTreeSet<String>) -> Vec<String> {
    let dependencies = dependencies();
    let mut faults = Vec::new();
    // Private aliases of foreign types, under which they could slip through.
    let mut aliases = Taken::new();
    for file in files {
        for item in &file.items {
            if let Item::Type(alias) = item {
                let mut paths = Paths {
                    taken: &file.uses.taken,
                    dependencies: &dependencies,
                    found: BTreeSet::new(),
                };
                paths.visit_type(&alias.ty);
                if let Some(found) = paths.found.pop_first() {
                    aliases.insert(alias.ident.to_string(), found);
                }
            }
        }
    }
    for file in files {
        let foreign =
            |root: &&String| dependencies.contains(*root) && !WELCOME.contains(&root.as_str());
        for root in file.uses.globs.iter().filter(foreign) {
            faults.push(format!("src/{}: `use {root}::*` hides names", file.path));
        }
        let mut taken = aliases.clone();
        taken.extend(file.uses.taken.clone());
        for item in &file.items {
            let mut paths = Paths {
                taken: &taken,
                dependencies: &dependencies,
                found: BTreeSet::new(),
            };
            let name = look(item, public, &mut paths);
            for found in paths.found {
                faults.push(format!("src/{}: `{name}` names {found}", file.path));
            }
        }
    }
    faults
}

#[test]
fn the_reader_finds_what_it_seeks() {
    let read = |text: &str| {
        let syntax = syn::parse_file(text).unwrap();
        let mut uses = Uses::default();
        uses.visit_file(&syntax);
        let file = Parsed {
            path: "x.rs".to_owned(),
            items: flat(syntax.items),
            uses,
        };
        let files = [file];
        faults(&files, &public_names(&files)).len()
    };
    for bad in [
        "pub fn f() -> reqwest::Client { todo!() }",
        "use reqwest::Client; pub fn f(_: &[Option<Client>]) {}",
        "use reqwest::{self as web}; pub fn f(_: web::Client) {}",
        "use moka::sync::Cache as Map; pub struct S { pub map: Map<u8, u8> }",
        "pub struct S(pub aws_lc_rs::hmac::Key);",
        "pub enum E { A(jsonwebtoken::errors::Error) }",
        "pub trait T { fn f(&self) -> hyper::Error; }",
        "pub trait T: arc_swap::RefCnt {}",
        "pub struct S; impl From<reqwest::Error> for S { fn from(_: reqwest::Error) -> S { S } }",
        "pub struct S; impl S { pub fn f<T: Into<tokio::time::Instant>>(_: T) {} }",
        "pub struct S; impl Iterator for S { type Item = base64::DecodeError; }",
        "pub use jsonwebtoken::Algorithm;",
        "pub use moka::sync::*;",
        "type Map = moka::sync::Cache<u8, u8>; pub fn f() -> Map { todo!() }",
        "pin_project! { pub struct F { #[pin] pub f: tokio::time::Sleep } }",
        "table! { A => tokio::time::Sleep; }",
        "mod inner { pub fn f(_: rustls_pki_types::UnixTime) {} }",
    ] {
        assert!(read(bad) > 0, "{bad}");
    }
    for good in [
        "pub fn f() { let _ = reqwest::Client::new(); }",
        "use reqwest::Client; pub struct S { client: Client } pub(crate) fn f() -> Client {}",
        "struct P; impl From<moka::Error> for P { fn from(_: moka::Error) -> P { P } }",
        "pub struct S; impl S { pub(super) fn f(_: aws_lc_rs::hmac::Key) {} }",
        "use http::Uri; pub fn f(_: Uri, _: std::sync::Arc<str>, _: http::Extensions) {}",
        "mod tests { pub fn f(_: hyper::Error) {} }",
        "use crate::json::{self, Json}; pub fn f(_: json::X, _: Json) {}",
    ] {
        assert_eq!(read(good), 0, "{good}");
    }
}

mod bounds {
    //! Static assertions: they hold or this file does not compile.

    use std::future::Future;

    use axum::body::Body;
    use http::Request;
    use portcullis::testing::*;
    use portcullis::*;
    use tower_layer::Layer;
    use tower_service::Service;

    fn shared<T: Send + Sync + Unpin + 'static>() {}
    fn handle<T: Clone + Send + Sync + Unpin + 'static>() {}
    fn value<T: Clone + PartialEq + Send + Sync + Unpin + 'static>() {}
    fn error<T: std::error::Error + Send + Sync + Unpin + 'static>() {}
    fn sends<F: Future + Send>(_: F) {}

    scopes! { Read = "read"; }

    struct One;
    impl TokenKind for One {
        const NAME: &'static str = "one";
    }

    #[test]
    fn types_cross_threads() {
        handle::<ResourceServer>();
        handle::<AuthenticateLayer>();
        handle::<Authenticate<axum::Router>>();
        handle::<RequireScopeLayer<Read>>();
        handle::<Guarded<axum::Router, RequireScopeLayer<Read>>>();
        handle::<ResourceGuard>();
        handle::<ResourceGuardLayer>();
        handle::<Guarded<axum::Router, ResourceGuardLayer>>();
        handle::<FreshGuard>();
        handle::<FreshLayer>();
        handle::<Guarded<axum::Router, FreshLayer>>();
        handle::<AccessToken>();
        handle::<ClaimSet>();
        handle::<LookupAnswer>();
        handle::<RemoteJwks>();
        handle::<StaticJwks>();
        handle::<Error>();
        handle::<Kind>();
        handle::<Kinds>();
        handle::<When>();
        handle::<SystemClock>();
        handle::<Claims<String>>();
        handle::<RequireScope<Read>>();
        handle::<RequireScope<AnyOf<(Read, Read)>>>();
        handle::<Token<One>>();
        handle::<Authenticated>();
        handle::<Permitted<AccessToken, String>>();
        handle::<AuthorizationServer>();
        handle::<TokenBuilder>();
        handle::<OpaqueBuilder>();
        handle::<ManualClock>();

        shared::<ResourceServerBuilder>();
        shared::<ResourceGuardBuilder>();
        shared::<JwtVerifier>();
        shared::<JwtVerifierBuilder>();
        shared::<Keys>();
        shared::<RemoteJwksBuilder>();
        shared::<ClientAuth>();
        shared::<IntrospectionVerifier>();
        shared::<IntrospectionVerifierBuilder>();
        shared::<LookupVerifier>();
        shared::<LookupVerifierBuilder>();
        shared::<Unavailable>();
        shared::<Verified>();
        shared::<AnyOf<(Read, Read)>>();
        shared::<Grant<'static>>();
        shared::<Audience<'static>>();
        shared::<Credential<'static>>();
        shared::<Moment<'static>>();
        shared::<PermittedRejection<String>>();
        shared::<AuthorizationServerBuilder>();
        shared::<Desk<'static>>();

        value::<Scope>();
        value::<Scopes>();
        value::<RoleTree>();
        value::<Carrier>();
        value::<UnixTime>();
        value::<Algorithm>();
        value::<ErrorKind>();
        value::<Reason>();
        value::<Principal<'static>>();
        value::<VerdictLifetime>();
        value::<Freshness>();
        value::<Endpoint>();
        value::<Place>();
        value::<Trouble>();

        error::<Error>();
        error::<ConfigError>();
        error::<ScopeError>();
        error::<ClaimError>();
        error::<AnswerError>();
        error::<CarrierError>();
        error::<KindError>();
        error::<AlgorithmError>();
        error::<FetchError>();
        error::<Rejection>();
    }

    #[test]
    fn requirements_need_not_cross_threads() {
        // A marker is never made, so a handler may name one that could not travel.
        struct Local(#[allow(dead_code)] std::rc::Rc<()>);
        impl Requirement for Local {
            fn met_by(_: &Grant<'_>) -> bool {
                true
            }
        }
        impl TokenKind for Local {
            const NAME: &'static str = "local";
        }
        handle::<RequireScope<Local>>();
        handle::<RequireScopeLayer<Local>>();
        handle::<Token<Local>>();
    }

    #[tokio::test]
    async fn futures_can_be_sent() {
        let issuer = crate::watched::issuer();
        let verifier = issuer.jwt_verifier("https://api.example.com/").build();
        let server = issuer.resource_server().verifier(verifier.unwrap());
        let server = server.build().unwrap();

        let (mut parts, body) = Request::new(Body::empty()).into_parts();
        sends(server.authenticate(&mut parts));
        sends(server.ready());
        let static_tokens = issuer.resource_server().verifier(StaticTokens::new());
        let static_tokens = static_tokens.build().unwrap();
        let fresh = static_tokens.fresh(Freshness::within(std::time::Duration::ZERO));
        let fresh = fresh.unwrap();
        sends(fresh.confirm(&mut parts));

        let app = axum::Router::<()>::new();
        let mut service = server.layer().layer(app.clone());
        sends(service.call(Request::from_parts(parts, body)));
        let mut service = RequireScopeLayer::<Read>::new().layer(app.clone());
        sends(service.call(Request::new(Body::empty())));
        let guard = ResourceGuard::anywhere()
            .claim_is("/tenant", "acme")
            .build();
        let mut service = guard.unwrap().layer().layer(app.clone());
        sends(service.call(Request::new(Body::empty())));
        let mut service = fresh.layer().layer(app);
        sends(service.call(Request::new(Body::empty())));
    }

    /// Generic code must be able to say so, too.
    #[test]
    fn futures_can_be_sent_whatever_is_inside() {
        fn gate<S, B>(service: &mut Authenticate<S>, request: Request<B>)
        where
            S: Service<Request<B>, Response = http::Response<Body>> + Clone + Send,
            S::Future: Send,
            B: Send,
        {
            sends(service.call(request));
        }
        fn guard<S, B>(service: &mut Guarded<S, FreshLayer>, request: Request<B>)
        where
            S: Service<Request<B>, Response = http::Response<Body>> + Clone + Send,
            S::Future: Send,
            B: Send,
        {
            sends(service.call(request));
        }
        fn verifies<V: Verifier>(verifier: &V, credential: &Credential<'_>, moment: &Moment<'_>) {
            sends(verifier.verify(credential, moment));
            sends(verifier.confirm(credential, moment));
            sends(verifier.ready(moment));
        }
        let _ = gate::<axum::Router, Body>;
        let _ = guard::<axum::Router, Body>;
        let _ = verifies::<JwtVerifier>;
        let _ = verifies::<IntrospectionVerifier>;
        let _ = verifies::<LookupVerifier>;
    }
}
