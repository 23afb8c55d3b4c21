//! What went wrong in other verifiers, and what is wrong with the list of who plays it again.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::named::Tests;

/// How many lessons there are.
pub(crate) const LESSONS: usize = 13;

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lesson {
    pub(crate) lesson: usize,
    pub(crate) says: String,
    pub(crate) cases: Vec<Case>,
}

/// What happened to somebody.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    pub(crate) case: String,
    #[serde(rename = "in")]
    pub(crate) software: String,
    pub(crate) what: String,
    pub(crate) by: Vec<String>,
}

/// The list.
pub(crate) fn lessons() -> Vec<Lesson> {
    serde_json::from_str(include_str!("../data/lessons.json")).unwrap()
}

/// What is wrong with the lessons.
pub(crate) fn faults_of_lessons(lessons: &[Lesson], tests: &Tests) -> Vec<String> {
    let mut faults = Vec::new();
    let numbers: Vec<usize> = lessons.iter().map(|lesson| lesson.lesson).collect();
    if numbers != (1..=LESSONS).collect::<Vec<_>>() {
        faults.push(format!("the lessons are {numbers:?}"));
    }
    let mut cases = BTreeSet::new();
    for lesson in lessons {
        let tag = format!("lesson_{:02}_", lesson.lesson);
        let named: BTreeSet<&String> = lesson.cases.iter().flat_map(|case| &case.by).collect();
        let own: Vec<String> = tests.beginning_with(&tag).collect();
        if lesson.says.is_empty() || lesson.cases.is_empty() || own.is_empty() {
            faults.push(format!(
                "{tag} says nothing, or no case or no test is named so"
            ));
        }
        let orphans = own.iter().filter(|name| !named.contains(name));
        faults.extend(orphans.map(|name| format!("no case of {tag} names {name}")));
        for case in &lesson.cases {
            if !cases.insert(&case.case) {
                faults.push(format!("{} is there twice", case.case));
            }
            if case.what.is_empty() || case.software.is_empty() || case.by.is_empty() {
                faults.push(format!("{}: nothing plays it again", case.case));
            }
            let missing = case.by.iter().filter_map(|name| tests.fault_of(name));
            faults.extend(missing.map(|why| format!("{}: {why}", case.case)));
        }
    }
    for name in tests.beginning_with("lesson_") {
        let known = |n: usize| name.contains(&format!("::lesson_{n:02}_"));
        if !(1..=LESSONS).any(known) {
            faults.push(format!("{name} is of no lesson"));
        }
    }
    faults
}
