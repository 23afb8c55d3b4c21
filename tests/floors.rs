//! The house stands: no file imports from a floor above its own.
//!
//! What is read are the words `crate::…` and `super::…` of every file in `src/`, in `use` lines,
//! in paths and inside macro calls; comments and strings do not count.
#![allow(clippy::unwrap_used)] // A test says what must be there by taking it.

mod source;
#[path = "source/words.rs"]
mod words;

use std::collections::{BTreeMap, BTreeSet};

use source::File;
use words::{Word, words};

/// Floor by floor from the ground up: the files and folders of `src/`.
///
/// A room may import from the floors below its own. Rooms of one floor do not see each other,
/// except on the ground floor, where words are made of words: there a room may import from those
/// that stand before it.
const FLOORS: [&[&str]; 16] = [
    &[
        "sync",
        "text",
        "secret",
        "pem",
        "percent",
        "typed",
        "json",
        "clock",
        "lease",
        "freshness",
        "status",
        "jitter",
        "places",
        "hints",
        "algorithm",
        "scope",
        "role_tree",
        "credential",
        "claims",
        "hierarchy",
        "principal",
        "answer",
    ],
    &["kind", "route"],
    &["error", "requirement", "verified"],
    &["token", "rules", "challenge"],
    &["guard"],
    &["verify", "fetch", "signing"],
    &["fetch_reqwest", "verdict"],
    &["fetch_default"],
    &["jwks"],
    &["jws"],
    &["introspection"],
    &["jwt"],
    &["server"],
    &["middleware", "extract"],
    // The list of weakenings sees whatever it weakens; the embedded issuer is wired to the gate.
    &["danger", "testing"],
    // One token system each: data and types, from whatever stands below; and how to write one.
    &["profile", "guide", "operation", "performance", "vectors"],
];

/// Imports the floors forbid and we allow, each with its reason.
const EXCEPTIONS: [(&str, &str, &str); 0] = [];

/// Imports the floors would allow and we forbid all the same.
const NEVER: [(&str, &str, &str); 5] = [
    (
        "middleware",
        "extract",
        "layers and extractors meet in token::Presence",
    ),
    (
        "extract",
        "middleware",
        "layers and extractors meet in token::Presence",
    ),
    ("server", "jwt", "the server knows `Verifier`, not tokens"),
    ("server", "jwks", "the server knows `Verifier`, not keys"),
    (
        "server",
        "introspection",
        "the server knows `Verifier`, not endpoints",
    ),
];

/// Crates that few files may name, so that their next major version stays our patch release.
const FOREIGN: [(&str, usize); 3] = [("jsonwebtoken", 3), ("reqwest", 1), ("moka", 1)];

/// Companies whose token systems we know. They belong into `profile/`.
const VENDORS: [&str; 5] = ["rocketlawyer", "auth0", "respoke", "oclc", "embloy"];

/// Whether `room` may import from `other`.
fn allowed(room: &str, other: &str) -> bool {
    let (Some((floor, place)), Some((below, before))) = (place(room), place(other)) else {
        return false;
    };
    if NEVER.iter().any(|rule| (rule.0, rule.1) == (room, other)) {
        return false;
    }
    below < floor || (floor == 0 && below == 0 && before < place)
}

fn place(room: &str) -> Option<(usize, usize)> {
    FLOORS.iter().enumerate().find_map(|(floor, rooms)| {
        let place = rooms.iter().position(|name| *name == room)?;
        Some((floor, place))
    })
}

/// An import, and the line it stands in.
struct Import {
    room: String,
    line: usize,
}

/// The rooms a file names. `exports` says in which room a name of the crate's root lives.
fn imports(file: &File, exports: &BTreeMap<String, String>) -> Vec<Import> {
    let words = words(&file.text);
    let mut imports = Vec::new();
    for at in 0..words.len() {
        let path = &words[at..];
        let names = match (path[0].text, at.checked_sub(1).map(|b| words[b].text)) {
            // `pub(crate)`, and `x::crate`, which is no Rust, are not followed by `::`.
            ("crate", _) => named_after(path),
            // Only `super` that leaves the room leads to another one.
            ("super", before) => {
                let mut names = named_after(path);
                let leaves = !file.path.contains('/') || before == Some("::");
                names.retain(|word| leaves && place(word.text).is_some());
                names
            }
            _ => Vec::new(),
        };
        for word in names {
            // A macro of ours, such as `crate::scopes!`, is at home where it is written.
            let room = exports
                .get(word.text)
                .map_or(word.text, |room| room.as_str());
            if room != file.room() && room != "super" {
                let (room, line) = (room.to_owned(), word.line);
                imports.push(Import { room, line });
            }
        }
    }
    imports
}

/// The first names after `crate::`: one, or several if a brace follows.
fn named_after<'a, 'b>(path: &'b [Word<'a>]) -> Vec<&'b Word<'a>> {
    match path {
        [_, colons, open, inside @ ..] if colons.text == "::" && open.text == "{" => {
            let (mut depth, mut first, mut names) = (1_usize, true, Vec::new());
            for word in inside {
                match word.text {
                    "{" => depth += 1,
                    "}" => depth -= 1,
                    "," if depth == 1 => {
                        first = true;
                        continue;
                    }
                    _ if first && depth == 1 => names.push(word),
                    _ => {}
                }
                first = false;
                if depth == 0 {
                    break;
                }
            }
            names
        }
        [_, colons, name, ..] if colons.text == "::" => vec![name],
        _ => Vec::new(),
    }
}

/// The names `lib.rs` hands out, and the macros, each with the room it comes from.
fn exports(files: &[File]) -> BTreeMap<String, String> {
    let mut exports = BTreeMap::new();
    for file in files {
        let words = words(&file.text);
        for at in 0..words.len() {
            let text: Vec<&str> = words[at..].iter().take(6).map(|word| word.text).collect();
            match &text[..] {
                ["pub", "use", room, "::", "{", _] if file.path == "lib.rs" => {
                    let inside = words[at + 5..].iter().take_while(|word| word.text != "}");
                    for word in inside.filter(|word| word.text != ",") {
                        exports.insert(word.text.to_owned(), (*room).to_owned());
                    }
                }
                ["pub", "use", room, "::", name, ";"] if file.path == "lib.rs" => {
                    exports.insert((*name).to_owned(), (*room).to_owned());
                }
                ["macro_rules", "!", name, ..] => {
                    exports.insert((*name).to_owned(), file.room().to_owned());
                }
                _ => {}
            }
        }
    }
    exports
}

#[test]
fn every_room_is_on_a_floor() {
    let files = source::files();
    let rooms: BTreeSet<&str> = files.iter().map(File::room).collect();
    for room in rooms.iter().filter(|room| **room != "lib") {
        assert!(
            place(room).is_some(),
            "`{room}` is new here, welcome: please write it into FLOORS in tests/floors.rs, on the \
             lowest floor that has all it imports below it"
        );
    }
    for room in FLOORS.iter().flat_map(|floor| floor.iter()) {
        assert!(
            rooms.contains(room),
            "`{room}` has moved out: please take it off FLOORS in tests/floors.rs"
        );
    }
}

#[test]
fn nobody_imports_upwards() {
    let files = source::files();
    let exports = exports(&files);
    let mut faults = Vec::new();
    let mut used = BTreeSet::new();
    for file in files.iter().filter(|file| file.path != "lib.rs") {
        for import in imports(file, &exports) {
            let (room, other) = (file.room(), import.room.as_str());
            if allowed(room, other) {
                continue;
            }
            if let Some(exception) = EXCEPTIONS.iter().position(|e| (e.0, e.1) == (room, other)) {
                used.insert(exception);
                continue;
            }
            let never = NEVER.iter().find(|rule| (rule.0, rule.1) == (room, other));
            let why = never.map_or("it is not on a lower floor", |rule| rule.2);
            let place = format!("src/{}:{}", file.path, import.line);
            faults.push(format!("{place}: `{room}` imports from `{other}`: {why}"));
        }
    }
    assert!(
        faults.is_empty(),
        "the house leans:\n{}\nWhen two rooms want to talk, a word is missing on a lower floor.",
        faults.join("\n")
    );
    for (place, (room, other, _)) in EXCEPTIONS.iter().enumerate() {
        assert!(
            used.contains(&place),
            "`{room}` no longer imports from `{other}`: please take it off EXCEPTIONS in \
             tests/floors.rs"
        );
    }
}

#[test]
fn lib_holds_no_code() {
    let files = source::files();
    let lib = files.iter().find(|file| file.path == "lib.rs").unwrap();
    let words = words(&lib.text);
    for (at, word) in words.iter().enumerate() {
        // What brings the README's examples to `cargo test`.
        if word.text == "struct" && words[at + 1].text == "Readme" {
            continue;
        }
        assert!(
            !["fn", "struct", "enum", "impl", "trait", "const", "static"].contains(&word.text),
            "src/lib.rs:{} has `{}`: code belongs into a room",
            word.line,
            word.text
        );
    }
}

#[test]
fn foreign_crates_stay_where_they_are() {
    let files = source::files();
    for (name, most) in FOREIGN {
        let naming: Vec<&str> = files
            .iter()
            .filter(|file| {
                words(&file.text)
                    .windows(2)
                    .any(|pair| pair[0].text == name && pair[1].text == "::")
            })
            .map(|file| &*file.path)
            .collect();
        assert!(
            (1..=most).contains(&naming.len()),
            "{name} is named in {naming:?}, wanted at most {most} files"
        );
    }
}

#[test]
fn vendors_live_in_profiles() {
    for file in source::files() {
        if file.room() == "profile" {
            continue;
        }
        for (line, text) in file.text.lines().enumerate() {
            let text = text.to_lowercase().replace([' ', '-', '_'], "");
            for vendor in VENDORS {
                // "oauth2" is no vendor; "oauth0" would be none either.
                let named = text.replace("oauth", "").contains(vendor);
                assert!(
                    !named,
                    "src/{}:{} names {vendor}: what only one company does belongs into profile/",
                    file.path,
                    line + 1
                );
            }
        }
    }
}

#[test]
fn the_reader_reads() {
    let text = r####"
        use crate::a::{b, c};
        use crate::{d, e::{f, g}, h};
        // use crate::comment;
        /* crate::block /* crate::nested */ crate::block */
        const S: &str = "crate::string \" crate::string";
        const R: &str = r#"crate::raw " "#;
        const C: [char; 3] = ['"', '\'', 'x'];
        fn i<'a>(x: &'a str) { format!("{}", crate::j::k(b"crate::bytes")) }
        pub(crate) fn l() { $crate::Exported }
        use super::text;
        use super::super::json;
    "####;
    let file = |path: &str| File {
        path: path.to_owned(),
        text: text.to_owned(),
    };
    let exports = BTreeMap::from([("Exported".to_owned(), "m".to_owned())]);
    let names = |path| {
        let imports = imports(&file(path), &exports);
        let names: Vec<String> = imports.into_iter().map(|import| import.room).collect();
        names.join(" ")
    };
    assert_eq!(names("folder/x.rs"), "a d e h j m json");
    assert_eq!(names("x.rs"), "a d e h j m text json");
    let line = imports(&file("x.rs"), &exports)[4].line;
    assert_eq!(line, 9);
}

#[test]
fn the_table_says_what_it_means() {
    assert!(allowed("server", "verdict"));
    assert!(allowed("claims", "scope"));
    assert!(!allowed("scope", "claims"));
    assert!(!allowed("token", "verify"));
    assert!(!allowed("jwks", "introspection"));
    assert!(!allowed("server", "jwt"));
    assert!(!allowed("extract", "middleware"));
    assert!(!allowed("server", "nowhere"));
}
