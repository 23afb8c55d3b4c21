//! What is shipped: manifest, licences, README, and the manners of the files.
#![allow(clippy::unwrap_used)] // A test says what must be there by taking it.

mod source;

use std::fs;
use std::path::Path;

/// The longest a file of `src/` should be, its own tests not counted.
const LINES: usize = 400;

/// Files that are longer, how long they may be, and why.
const LONG: [(&str, usize, &str); 0] = [];

fn manifest() -> String {
    // A published package keeps what we wrote under another name.
    let original = source::root().join("Cargo.toml.orig");
    let path = if original.exists() {
        original
    } else {
        source::root().join("Cargo.toml")
    };
    fs::read_to_string(path).unwrap()
}

#[test]
fn the_manifest_keeps_its_promises() {
    let manifest = manifest();
    for line in [
        "edition = \"2024\"",
        "rust-version = \"1.88\"",
        "license = \"MIT OR Apache-2.0\"",
        "all-features = true",
        "unsafe_code = \"forbid\"",
        "missing_docs = \"warn\"",
        "default = [\"axum\", \"jwt\", \"introspection\", \"cache\", \"reqwest\"]",
    ] {
        assert!(
            manifest.lines().any(|found| found == line),
            "Cargo.toml has no line {line}"
        );
    }
    // Edition 2024 implies resolver 3, which heeds `rust-version`; only another one must not be
    // asked for.
    for line in manifest.lines().filter(|line| line.contains("resolver")) {
        assert_eq!(line, "resolver = \"3\"");
    }
}

#[test]
fn each_feature_has_its_paragraph() {
    let manifest = manifest();
    let (_, features) = manifest.split_once("\n[features]\n").unwrap();
    let features = features.split("\n[").next().unwrap();
    let lines: Vec<&str> = features.lines().collect();
    let mut explained = 0;
    for (at, line) in lines.iter().enumerate() {
        let name = line.split_once(" = [").map(|(name, _)| name);
        if let Some(name) = name.filter(|name| *name != "default") {
            let before = at.checked_sub(1).map_or("", |before| lines[before]);
            assert!(
                before.starts_with("# "),
                "feature {name} has no word about who wants it"
            );
            explained += 1;
        }
    }
    assert!(explained >= 6, "found {explained} features");
}

#[test]
fn both_licences_are_whole() {
    let read = |name: &str| fs::read_to_string(source::root().join(name)).unwrap();
    let (mit, apache) = (read("LICENSE-MIT"), read("LICENSE-APACHE"));
    assert!(mit.contains("Permission is hereby granted, free of charge"));
    assert!(apache.contains("TERMS AND CONDITIONS FOR USE, REPRODUCTION, AND DISTRIBUTION"));
    assert!(apache.contains("END OF TERMS AND CONDITIONS"));
    for licence in [mit, apache] {
        assert!(licence.contains("the portcullis developers"));
    }
}

#[test]
fn the_lockfile_stays_out() {
    let ignored = fs::read_to_string(source::root().join(".gitignore"));
    // A published package has none.
    let Ok(ignored) = ignored else { return };
    for line in ["/Cargo.lock", "/target"] {
        assert!(
            ignored.lines().any(|found| found == line),
            "{line} is not ignored"
        );
    }
}

/// Where the package is published is nobody's business but cargo's.
#[test]
fn no_registry_is_named() {
    let names = [
        concat!("crates", ".io"),
        concat!("docs", ".rs"),
        concat!("lib", ".rs/crates"),
        concat!("crates", "-io"),
        concat!("shields", ".io"),
    ];
    // What git does not keep; `.git` itself may be a file.
    let skipped = [
        ".git",
        "target",
        "Cargo.lock",
        ".cargo-ok",
        ".cargo_vcs_info.json",
    ];
    let enter = |path: &Path| {
        let name = path.file_name().unwrap_or_default();
        !skipped.iter().any(|skipped| name == *skipped)
    };
    let mut paths = Vec::new();
    source::walk(source::root(), &enter, &mut paths);
    assert!(paths.len() > 50, "found {} files", paths.len());
    for path in paths {
        let text = fs::read(&path).unwrap();
        let text = String::from_utf8_lossy(&text);
        for name in names {
            for (line, text) in text.lines().enumerate() {
                // The table whose name is given.
                let given = text == concat!("[package.metadata.", "docs", ".rs]");
                assert!(
                    given || !text.contains(name),
                    "{}:{} names a registry: {text}",
                    path.display(),
                    line + 1
                );
            }
        }
    }
}

#[test]
fn the_readme_is_short_and_compiled() {
    let readme = fs::read_to_string(source::root().join("README.md")).unwrap();
    let lib = fs::read_to_string(source::root().join("src/lib.rs")).unwrap();
    assert!(
        lib.contains("#[doc = include_str!(\"../README.md\")]"),
        "src/lib.rs does not bring the README's examples to `cargo test`"
    );
    for command in ["cargo test", "cargo run --example calendar"] {
        assert!(readme.contains(command), "the README has no `{command}`");
    }
    let (_, example) = readme.split_once("\n```rust").unwrap();
    let (fence, example) = example.split_once('\n').unwrap();
    assert!(
        !fence.contains("ignore"),
        "the README's example is not compiled"
    );
    let (example, _) = example.split_once("\n```").unwrap();
    let shown = example
        .lines()
        .filter(|line| *line != "#" && !line.starts_with("# "))
        .count();
    assert!(shown <= 15, "hello world has {shown} lines, wanted 15");
}

#[test]
fn the_guide_describes_a_system_in_sixty_lines() {
    let guide = fs::read_to_string(source::root().join("src/guide.rs")).unwrap();
    let (_, example) = guide.split_once("//! ```\n").unwrap();
    let (example, _) = example.split_once("//! ```\n").unwrap();
    let hidden = |line: &&str| line.starts_with("//! # ") || *line == "//! #";
    let shown = example.lines().filter(|line| !hidden(line)).count();
    assert!((30..60).contains(&shown), "it has {shown} lines");
}

#[test]
fn files_say_why_they_exist() {
    for file in source::files() {
        let first = file.text.lines().next().unwrap_or_default();
        assert!(
            first.starts_with("//! ") && first.len() > 20,
            "src/{} begins with {first:?}, wanted a line that says why it exists",
            file.path
        );
    }
}

#[test]
fn files_are_short() {
    for file in source::files() {
        let lines = file
            .text
            .lines()
            .take_while(|line| *line != "#[cfg(test)]")
            .count();
        match LONG.iter().find(|(path, ..)| *path == file.path) {
            Some((path, most, _)) => {
                assert!(
                    lines <= *most,
                    "src/{path} has {lines} lines, wanted {most}"
                );
                assert!(
                    lines > LINES,
                    "src/{path} has only {lines} lines: please take it off LONG in \
                     tests/package.rs"
                );
            }
            None => assert!(
                lines <= LINES,
                "src/{} has {lines} lines, wanted at most {LINES}: which noun is missing?",
                file.path
            ),
        }
    }
    for (path, ..) in LONG {
        assert!(source::root().join("src").join(path).exists(), "{path}");
    }
}
