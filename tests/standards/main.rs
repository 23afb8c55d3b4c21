//! For each line that the standards ask of a resource server, and for each lesson of other verifiers'
//! vulnerabilities: which test proves it. What is not done stands in `SECURITY.md`, with a reason.
//!
//! `cargo test --test standards -- --nocapture` prints the table.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // A test says what must be there by taking it.

mod lessons;
mod lines;
#[path = "../source/named.rs"]
mod named;
#[path = "../source/mod.rs"]
mod source;
#[path = "../source/words.rs"]
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use lessons::{LESSONS, faults_of_lessons, lessons};
use lines::{Done, Line, coverage, faults_of_lines, lines};
use named::{Tests, chapter, named_in, table_rows};

fn security() -> String {
    fs::read_to_string(source::root().join("SECURITY.md")).unwrap()
}

/// A section of `SECURITY.md`.
fn section<'a>(text: &'a str, title: &str) -> &'a str {
    let begin = format!("\n## {title}\n");
    let (_, section) = text.split_once(&begin).expect("the section is there");
    section.split("\n## ").next().unwrap()
}

/// The lines that `SECURITY.md` excepts: how much of each is done, and why not all.
fn exceptions(text: &str) -> BTreeMap<usize, (Done, String)> {
    let rows = table_rows(section(text, "Deliberate exceptions"));
    let exceptions = rows.iter().map(|cells| {
        let [line, asked, instead, why] = cells[..] else {
            panic!("wanted line, what is asked, what is done, why: {cells:?}");
        };
        assert!(!asked.is_empty() && !instead.is_empty(), "line {line}");
        let (line, done) = match line.strip_suffix(", in part") {
            Some(line) => (line, Done::InPart),
            None => (line, Done::Not),
        };
        (line.parse().unwrap(), (done, why.to_owned()))
    });
    exceptions.collect()
}

#[test]
fn every_line_has_a_test_or_a_reason() {
    let (lines, tests) = (lines(), Tests::all());
    println!("line     level  done     asks  tests  rows  from");
    for line in &lines {
        let named: BTreeSet<&String> = line.asks.iter().flat_map(|ask| &ask.by).collect();
        let rows = tests.rows().filter(|(_, tags)| tags.contains(&line.tag()));
        println!(
            "{}  {:5}  {:7}  {:4}  {:5}  {:4}  {}",
            line.tag(),
            line.level,
            format!("{:?}", line.done()),
            line.asks.len(),
            named.len(),
            rows.count(),
            line.from
        );
        for ask in line.asks.iter().filter(|ask| ask.excepted) {
            println!("         not done: {}", ask.that);
        }
    }
    println!("{}", coverage(&lines));
    let faults = faults_of_lines(&lines, &exceptions(&security()), tests);
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn every_lesson_is_played_again() {
    let lessons = lessons();
    for lesson in &lessons {
        println!("lesson {:2}  {}", lesson.lesson, lesson.says);
        for case in &lesson.cases {
            println!(
                "           {} ({}): {} tests",
                case.case,
                case.software,
                case.by.len()
            );
        }
    }
    let faults = faults_of_lessons(&lessons, Tests::all());
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn security_md_says_what_is_so() {
    let (text, tests) = (security(), Tests::all());
    let missing: Vec<_> = named_in(&text)
        .into_iter()
        .filter_map(|name| tests.fault_of(name))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
    let model = table_rows(section(&text, "Threat model"));
    assert!(model.len() >= 20, "{} attackers", model.len());
    for cells in model {
        let [attacker, controls, stopped_by, proven_by] = cells[..] else {
            panic!("wanted attacker, what they control, what stops them, test: {cells:?}");
        };
        assert!(
            !named_in(proven_by).is_empty(),
            "{attacker}: {controls}: {stopped_by}"
        );
    }
    let coverage = coverage(&lines());
    assert!(text.contains(&coverage), "SECURITY.md lacks {coverage:?}");
    let cases: usize = lessons().iter().map(|lesson| lesson.cases.len()).sum();
    let played = format!("{LESSONS} lessons with {cases} cases");
    assert!(text.contains(&played), "SECURITY.md lacks {played:?}");
    let rows = format!("| {} rows, each at four doors", tests.rows().count());
    assert!(text.contains(&rows), "SECURITY.md lacks {rows:?}");
}

#[test]
fn the_chapter_tells_every_attack() {
    let (chapter, tests) = (chapter("guide/attacks.rs"), Tests::all());
    let missing: Vec<_> = named_in(&chapter)
        .into_iter()
        .filter_map(|name| tests.fault_of(name))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
    let told = chapter.split_whitespace().collect::<Vec<_>>().join(" ");
    for case in lessons().iter().flat_map(|lesson| &lesson.cases) {
        assert!(told.contains(&case.case), "the chapter lacks {}", case.case);
    }
    // A paragraph each, which begins with its name in bold.
    let paragraphs: Vec<&str> = chapter.split("\n\n").collect();
    let attacks = paragraphs.iter().filter(|text| text.starts_with("**"));
    let attacks: Vec<_> = attacks.collect();
    assert!(attacks.len() >= 40, "{} attacks are told", attacks.len());
    for attack in attacks {
        assert!(
            attack.contains("RFC ") || attack.contains("OpenID"),
            "no source: {attack}"
        );
        assert!(!named_in(attack).is_empty(), "no test: {attack}");
    }
}

/// The judge itself: what is wrong with a list is noticed.
#[test]
fn a_wrong_list_is_noticed() {
    let (lines, tests) = (lines(), Tests::all());
    let exceptions = exceptions(&security());
    type Change = fn(&mut Vec<Line>);
    let changes: [(Change, &str); 9] = [
        (|lines| drop(lines.pop()), "the lines are"),
        (|lines| lines[0].asks.clear(), "std_001 asks nothing"),
        (|lines| lines[0].asks[0].by.clear(), "nothing proves it"),
        (
            |lines| lines[0].asks[0].excepted = true,
            "is excepted, and proves it",
        ),
        (
            |lines| lines[0].asks[0].by.push("keys::no_such_test".to_owned()),
            "there is no keys::no_such_test",
        ),
        (
            |lines| lines[0].asks[0].by.push("soak::soak".to_owned()),
            "soak::soak is ignored",
        ),
        (
            |lines| lines[0].asks[0].by.push("row::kid_is_a_path".to_owned()),
            "row::kid_is_a_path does not name this line",
        ),
        (
            |lines| lines[21].asks[0].by.clear(),
            "no line names lessons::std_022",
        ),
        (
            |lines| lines[52].asks[0].excepted = false,
            "std_053 is done Whole, SECURITY.md says",
        ),
    ];
    for (change, wanted) in changes {
        let mut changed = lines.clone();
        change(&mut changed);
        let faults = faults_of_lines(&changed, &exceptions, tests).join("\n");
        assert!(faults.contains(wanted), "{wanted}: {faults}");
    }
    let mut none = exceptions.clone();
    none.remove(&53);
    let faults = faults_of_lines(&lines, &none, tests);
    assert_eq!(faults.len(), 1, "{faults:?}");

    let mut lessons = lessons();
    lessons[0].cases[0].by.clear();
    let faults = faults_of_lessons(&lessons, tests).join("\n");
    assert!(
        faults.contains("CVE-2022-29217: nothing plays it again"),
        "{faults}"
    );
    lessons[12].cases[0]
        .by
        .push("keys::no_such_test".to_owned());
    let faults = faults_of_lessons(&lessons, tests).join("\n");
    assert!(
        faults.contains("there is no keys::no_such_test"),
        "{faults}"
    );
}
