//! Reads the crate's own source as text: what the tests of the house look at.
#![allow(dead_code)] // Not every test needs all of it.

use std::fs;
use std::path::{Path, PathBuf};

/// One file of `src/`.
pub(crate) struct File {
    /// Its path below `src/`, with slashes.
    pub(crate) path: String,
    /// Its text as it stands.
    pub(crate) text: String,
}

impl File {
    /// The file or folder of the crate's root it belongs to: `jwt` for `jwt/header.rs`.
    pub(crate) fn room(&self) -> &str {
        let room = self.path.split('/').next().unwrap_or_default();
        room.strip_suffix(".rs").unwrap_or(room)
    }
}

/// The folder of `Cargo.toml`.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files of `src/`, by path.
pub(crate) fn files() -> Vec<File> {
    let source = root().join("src");
    let mut paths = Vec::new();
    walk(&source, &|_| true, &mut paths);
    let mut files: Vec<File> = paths
        .into_iter()
        .filter(|path| path.extension().is_some_and(|ending| ending == "rs"))
        .map(|path| File {
            text: fs::read_to_string(&path).unwrap(),
            path: relative(&path, &source),
        })
        .collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(
        files.len() > 20,
        "found {} files in {source:?}",
        files.len()
    );
    files
}

/// All files below `folder` whose paths `enter` lets through; folders are asked for, too.
pub(crate) fn walk(folder: &Path, enter: &dyn Fn(&Path) -> bool, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if !enter(&path) {
            continue;
        }
        if path.is_dir() {
            walk(&path, enter, found);
        } else {
            found.push(path);
        }
    }
}

/// `path` below `base`, with slashes.
pub(crate) fn relative(path: &Path, base: &Path) -> String {
    let below = path.strip_prefix(base).unwrap();
    let names: Vec<_> = below.iter().map(|name| name.to_string_lossy()).collect();
    names.join("/")
}
