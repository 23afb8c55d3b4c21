//! Tests by the names that chapters and lists give them: `keys::a_test` is a function of the binary `keys`,
//! `lib::a_test` one of the crate itself, and `row::a_row` a row of the tables of requests.
#![allow(dead_code)] // Not every test needs all of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use serde_json::Value;

use crate::source;
use crate::words::{Word, words};

/// All tests there are.
pub(crate) struct Tests {
    /// Binary and function, and whether it is ignored.
    functions: BTreeMap<(String, String), bool>,
    /// Rows, and the lines of the standards list they say they test.
    rows: BTreeMap<String, BTreeSet<String>>,
}

impl Tests {
    /// The tree, read once.
    pub(crate) fn all() -> &'static Tests {
        static TESTS: LazyLock<Tests> = LazyLock::new(Tests::read);
        &TESTS
    }

    fn read() -> Tests {
        let mut functions = BTreeMap::new();
        let mut note = |binary: &str, text: &str| {
            for (name, ignored) in tests_in(text) {
                // One name may stand in several files: one that runs is enough.
                let known = functions
                    .entry((binary.to_owned(), name))
                    .or_insert(ignored);
                *known &= ignored;
            }
        };
        for file in source::files() {
            note("lib", &file.text);
        }
        let folder = source::root().join("tests");
        let mut paths = Vec::new();
        source::walk(&folder, &|_| true, &mut paths);
        for path in paths.iter().filter(|path| has_ending(path, "rs")) {
            let below = source::relative(path, &folder);
            let binary = match below.split_once('/') {
                None => below.strip_suffix(".rs").unwrap_or(&below),
                // What has no `main.rs` is no binary, but a part of others: nobody can run it by that name.
                Some((name, _)) if folder.join(name).join("main.rs").is_file() => name,
                Some(_) => continue,
            };
            note(binary, &fs::read_to_string(path).unwrap());
        }
        let mut rows = BTreeMap::new();
        for path in paths.iter().filter(|path| has_ending(path, "json")) {
            if path
                .parent()
                .is_some_and(|folder| folder.ends_with("requests"))
            {
                read_rows(path, &mut rows);
            }
        }
        Tests { functions, rows }
    }

    /// Says what is wrong with `name`, such as `keys::a_test`.
    pub(crate) fn fault_of(&self, name: &str) -> Option<String> {
        let (binary, test) = name.split_once("::")?;
        if binary == "row" {
            return (!self.rows.contains_key(test)).then(|| format!("there is no {name}"));
        }
        match self.functions.get(&(binary.to_owned(), test.to_owned())) {
            None => Some(format!("there is no {name}")),
            Some(true) => Some(format!("{name} is ignored")),
            Some(false) => None,
        }
    }

    /// The functions whose names begin like this, as `binary::test`.
    pub(crate) fn beginning_with(&self, start: &str) -> impl Iterator<Item = String> {
        let names = self.functions.keys();
        let fitting = names.filter(move |(_, test)| test.starts_with(start));
        fitting.map(|(binary, test)| format!("{binary}::{test}"))
    }

    /// The lines that a row says it tests.
    pub(crate) fn lines_of(&self, row: &str) -> Option<&BTreeSet<String>> {
        self.rows.get(row)
    }

    /// Each row with the lines it says it tests.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (&String, &BTreeSet<String>)> {
        self.rows.iter()
    }
}

fn has_ending(path: &std::path::Path, ending: &str) -> bool {
    path.extension().is_some_and(|found| found == ending)
}

fn read_rows(path: &PathBuf, rows: &mut BTreeMap<String, BTreeSet<String>>) {
    let table: Vec<Value> = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    for row in table {
        let lines = match &row["line"] {
            Value::Array(lines) => lines.clone(),
            line => vec![line.clone()],
        };
        let lines = lines.iter().map(|line| line.as_str().unwrap().to_owned());
        rows.insert(row["name"].as_str().unwrap().to_owned(), lines.collect());
    }
}

/// The functions of a Rust text that are marked as tests, and whether they are ignored.
fn tests_in(text: &str) -> Vec<(String, bool)> {
    let words = words(text);
    let is = |at: usize, text: &str| {
        words
            .get(at)
            .is_some_and(|word: &Word<'_>| word.text == text)
    };
    let (mut tests, mut at) = (Vec::new(), 0);
    let (mut is_test, mut is_ignored) = (false, false);
    while at < words.len() {
        if is(at, "#") && is(at + 1, "[") {
            let end = (at..words.len())
                .find(|end| is(*end, "]"))
                .unwrap_or(at + 1);
            let attribute = &words[at + 2..end];
            let path = attribute.iter().map(|word| word.text);
            let path: String = path.take_while(|word| *word != "(").collect();
            is_test |= path == "test" || path == "tokio::test";
            // `cfg_attr(miri, ignore)` leaves it a test everywhere else.
            is_ignored |= attribute.first().is_some_and(|word| word.text == "ignore");
            at = end;
        } else if is(at, "fn") {
            if let Some(name) = words.get(at + 1).filter(|_| is_test) {
                tests.push((name.text.to_owned(), is_ignored));
            }
            (is_test, is_ignored) = (false, false);
        }
        at += 1;
    }
    tests
}

/// Modules of the crate, and of others, that are written like a test and are none.
const MODULES: [&str; 2] = ["danger", "testing"];

/// The names in backticks that look like `binary::test`.
pub(crate) fn named_in(text: &str) -> Vec<&str> {
    let quoted = text.split('`').skip(1).step_by(2);
    let is_name = |name: &&str| {
        let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        name.split_once("::").is_some_and(|(binary, test)| {
            !MODULES.contains(&binary)
                && [binary, test]
                    .iter()
                    .all(|name| !name.is_empty() && name.chars().all(word))
        })
    };
    quoted.filter(is_name).collect()
}

/// The cells of each row of each table, without heads and rules.
pub(crate) fn table_rows(text: &str) -> Vec<Vec<&str>> {
    fn cells(line: &str) -> Option<Vec<&str>> {
        let line = line.strip_prefix("| ")?.strip_suffix('|')?;
        Some(line.split('|').map(str::trim).collect())
    }
    let lines: Vec<&str> = text.lines().collect();
    let is_head = |at: usize| {
        lines
            .get(at + 1)
            .is_some_and(|next| next.starts_with("|---"))
    };
    let body = lines.iter().enumerate().filter(|(at, _)| !is_head(*at));
    body.filter_map(|(_, line)| cells(line)).collect()
}

/// A chapter of the crate's documentation, without its comment marks.
pub(crate) fn chapter(path: &str) -> String {
    let text = fs::read_to_string(source::root().join("src").join(path)).unwrap();
    let lines = text.lines().filter_map(|line| line.strip_prefix("//!"));
    lines.map(|line| format!("{}\n", line.trim())).collect()
}

#[test]
fn the_reader_finds_tests_and_nothing_else() {
    let text = r##"
        /// #[test]
        fn commented() {}
        #[test]
        fn plain() { let it = "#[test] fn quoted() {}"; }
        fn mere() {}
        #[test]
        #[cfg_attr(miri, ignore)]
        fn slow_there() {}
        #[tokio::test(start_paused = true)]
        async fn later() {}
        #[test]
        #[ignore = "slow"]
        pub(crate) fn put_off() {}
        #[cfg(test)]
        mod tests { #[test] #[should_panic] fn inner() {} }
        proptest! { #[test] fn any(x in 0..1) {} }
    "##;
    let found = tests_in(text);
    let found: Vec<_> = found
        .iter()
        .map(|(name, ignored)| (&**name, *ignored))
        .collect();
    assert_eq!(
        found,
        [
            ("plain", false),
            ("slow_there", false),
            ("later", false),
            ("put_off", true),
            ("inner", false),
            ("any", false)
        ]
    );
    assert_eq!(
        named_in("`keys::a_test`, [`x`](crate::A::b), `danger::userinfo`, `a: b`, `row::kid`"),
        ["keys::a_test", "row::kid"]
    );
    let tests = Tests::all();
    assert_eq!(tests.fault_of("row::bearer"), None);
    assert!(tests.fault_of("row::no_such_row").is_some());
    assert!(tests.fault_of("soak::soak").unwrap().contains("ignored"));
    assert!(tests.fault_of("keys::settle").is_some(), "a mere function");
    let inner = "source::the_reader_finds_tests_and_nothing_else";
    assert!(tests.fault_of(inner).is_some(), "a part of other binaries");
}
