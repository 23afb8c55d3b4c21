//! What the gate must make of claims, said a second time and in the plainest way.

use super::stage::{AUDIENCE, ISSUER, NOW};
use super::tree::Tree;

/// How far clocks may differ, in milliseconds: the default of every verifier.
const LEEWAY: i64 = 30_000;

/// What is demanded of claims.
pub struct Demands {
    /// `iss`, `exp` and `sub` must be there.
    pub all: bool,
    /// A `sub` may be a number.
    pub numbers: bool,
    /// An `iss` that is there must be ours.
    pub issuer: bool,
    /// A `null` is absent.
    pub nulls: bool,
}

/// A date in milliseconds, as far as it is one.
pub fn millis(date: Option<&Tree>) -> Option<i64> {
    match date? {
        // `as` saturates.
        Tree::Number(number) => number.as_f64().map(|seconds| (seconds * 1000.0) as i64),
        _ => None,
    }
}

/// Whether each claim that the gate judges has a type that it may have. With `nulls`, a `null` is absent.
pub fn are_well_typed(claims: &Tree, nulls: bool) -> bool {
    let get = |name: &str| match nulls {
        true => claims.some(name),
        false => claims.get(name),
    };
    let is = |name: &str, is: fn(&Tree) -> bool| get(name).is_none_or(is);
    let is_text = |value: &Tree| value.text().is_some();
    let is_texts = |value: &Tree| value.texts().is_some();
    let is_date = |value: &Tree| matches!(value, Tree::Number(_));
    is("iss", is_text)
        && is("sub", |sub| match sub {
            Tree::Text(_) => true,
            Tree::Number(number) => number.is_u64() || number.is_i64(),
            _ => false,
        })
        && is("aud", |aud| aud.text().is_some() || aud.texts().is_some())
        && ["exp", "nbf", "iat"].iter().all(|name| is(name, is_date))
        && ["scope", "scp"].iter().all(|name| {
            let words = claims.some(name);
            words.is_none_or(|words| is_text(words) || is_texts(words))
        })
        && claims.some("permissions").is_none_or(is_texts)
}

/// Whether well-typed claims are those of a token that is good here and now.
pub fn are_good(claims: &Tree, demands: &Demands) -> bool {
    let text = |name: &str| claims.some(name).and_then(Tree::text);
    let now = NOW * 1000;
    let issuer = match text("iss") {
        Some(issuer) => issuer == ISSUER || !demands.issuer,
        None => !demands.all,
    };
    let audience = match claims.get("aud") {
        Some(Tree::Text(one)) => one == AUDIENCE,
        Some(several) => several
            .texts()
            .is_some_and(|names| names.contains(&AUDIENCE)),
        None => false,
    };
    let exp = match millis(claims.some("exp")) {
        Some(exp) => exp.saturating_add(LEEWAY) > now,
        None => !demands.all,
    };
    let begun = ["nbf", "iat"].iter().all(|name| {
        let begins = millis(claims.some(name));
        begins.is_none_or(|begins| begins <= now + LEEWAY)
    });
    let subject = match claims.some("sub") {
        None => !demands.all,
        Some(Tree::Text(subject)) => !subject.is_empty(),
        Some(Tree::Number(number)) => {
            let counts = number.as_u64().is_some_and(|number| number > 0);
            demands.numbers && counts
        }
        Some(_) => false,
    };
    // Bound to a key, whatever it says: nobody checks that here.
    let bound = match demands.nulls {
        true => claims.some("cnf").is_some(),
        false => claims.get("cnf").is_some(),
    };
    issuer && audience && exp && begun && subject && !bound
}

/// The words of a list, sorted and each once.
pub fn words(list: Option<&Tree>) -> Vec<&str> {
    let mut words: Vec<&str> = match list {
        Some(Tree::Text(list)) => list.split(' ').collect(),
        Some(list) => list.texts().unwrap_or_default(),
        None => Vec::new(),
    };
    words.retain(|word| !word.is_empty());
    words.sort_unstable();
    words.dedup();
    words
}
