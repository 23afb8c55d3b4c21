//! What is said about a token, loosely spelled, to claims in one spelling.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::error::Error;

use serde_json::{Map, Value, json};

use super::{AUTHENTICATING, CONTEXT, DISPUTED, PRINCIPAL_ID, PRINCIPAL_IDNS, is_pseudo_scope};
use crate::{AnswerError, ClaimSet, LookupAnswer, Scopes, Unavailable};

/// Reads what a look-up answered, in the words of a token endpoint: names in camelCase or
/// snake_case, `expires_at` as a date, `scope` or `scopes`. `None` if it says that the token's time
/// is over or that it is not `active`.
///
/// `context:…` and `refresh_token` are no scopes; the former names the context institution.
///
/// # Errors
///
/// [`Unavailable`] if the answer cannot be read, or has no `expires_at`. An institution is a text or
/// a whole number.
///
/// # Examples
///
/// ```
/// use portcullis::profile::oclc::{self, Institutions};
///
/// let answer = r#"{"expires_at":"2026-11-24 15:20:00Z","principalID":"","principalIDNS":"",
///     "token_type":"bearer","expires_in":"3599","scopes":"WMS_NCIP context:128807"}"#;
/// let claims = oclc::claims(answer)?.expect("it is active");
/// assert_eq!(claims.scopes().to_string(), "WMS_NCIP");
/// assert_eq!(claims.read::<Institutions>()?.context, "128807");
/// assert_eq!(claims.subject(), None);
/// # Ok::<(), portcullis::Unavailable>(())
/// ```
pub fn claims(answer: &str) -> Result<Option<ClaimSet>, Unavailable> {
    let answer = LookupAnswer::parse(answer)?;
    let is_over = answer.integer("expires_in")?.is_some_and(|left| left <= 0);
    if is_over || answer.boolean("active")? == Some(false) {
        return Ok(None);
    }
    let expires = answer.demand("expires_at", LookupAnswer::time)?;
    let mut claims = facts(&answer)?;
    claims.insert("exp".to_owned(), json!(expires.as_secs()));
    if let Some(user) = claims.get(PRINCIPAL_ID).cloned() {
        claims.insert("sub".to_owned(), user);
    }
    Ok(Some(ClaimSet::from_serialize(&claims)?))
}

/// The claims of a JWT, with the facts in the place of what they were read from.
pub(super) fn reword(claims: &ClaimSet) -> Result<ClaimSet, Box<dyn Error>> {
    let facts = facts(&LookupAnswer::parse(claims.as_json())?)?;
    let mut reworded: Map<String, Value> = claims.read()?;
    for name in [
        "scopes",
        DISPUTED,
        CONTEXT,
        AUTHENTICATING,
        PRINCIPAL_ID,
        PRINCIPAL_IDNS,
    ] {
        reworded.remove(name);
    }
    reworded.extend(facts);
    Ok(ClaimSet::from_serialize(&reworded)?)
}

/// Scopes, institutions and user, each in one spelling. What contradicts itself becomes an array, for
/// `kinds` to refuse.
fn facts(answer: &LookupAnswer) -> Result<Map<String, Value>, AnswerError> {
    let lists = scope_lists(answer)?;
    let words: BTreeSet<&str> = lists.iter().flat_map(Scopes::iter).collect();
    let holds = |list: &Scopes, word: &str| list.iter().any(|held| held == word);
    let (agreed, disputed): (Vec<&str>, Vec<&str>) =
        (words.iter()).partition(|word| lists.iter().all(|list| holds(list, word)));
    let scopes = agreed.into_iter().filter(|word| !is_pseudo_scope(word));
    let scope: Vec<&str> = scopes.collect();

    let mut facts = Map::new();
    facts.insert("scope".to_owned(), json!(scope));
    if !disputed.is_empty() {
        facts.insert(DISPUTED.to_owned(), json!(disputed));
    }
    let named = words
        .iter()
        .filter_map(|word| word.strip_prefix("context:"));
    let contexts = ids(answer, "context_institution_id")?;
    let contexts = contexts.into_iter().chain(named.map(str::to_owned));
    facts.extend(one_of(CONTEXT, contexts));
    let authenticating = ids(answer, "authenticating_institution_id")?;
    facts.extend(one_of(AUTHENTICATING, authenticating));
    // An id is nobody without its namespace. Both have been empty since 2019, mostly.
    let (id, namespace) = (answer.text("principal_id")?, answer.text("principal_idns")?);
    if let (Some(id), Some(namespace)) = (id, namespace) {
        facts.insert(PRINCIPAL_ID.to_owned(), json!(id));
        facts.insert(PRINCIPAL_IDNS.to_owned(), json!(namespace));
    }
    Ok(facts)
}

/// What `scope` says and what `scopes` says, as far as they are there.
fn scope_lists(answer: &LookupAnswer) -> Result<Vec<Scopes>, AnswerError> {
    let mut lists = Vec::new();
    for name in ["scope", "scopes"] {
        match answer.words(name)? {
            Some(words) => lists.push(words),
            // A list without a word grants nothing; one that is not there says nothing.
            None if answer.each(name).any(|value| value == "") => lists.push(Scopes::default()),
            None => {}
        }
    }
    Ok(lists)
}

/// Every id the answer gives for a field, as text.
fn ids(answer: &LookupAnswer, field: &str) -> Result<Vec<String>, AnswerError> {
    let mut ids = Vec::new();
    for value in answer.each(field) {
        // Each for itself: two that differ can be read, and are for `kinds` to refuse.
        let alone = LookupAnswer::from_serialize(&json!({ field: value }))?;
        ids.extend(alone.id(field)?.map(Cow::into_owned));
    }
    Ok(ids)
}

fn one_of(name: &str, ids: impl IntoIterator<Item = String>) -> Option<(String, Value)> {
    let ids: BTreeSet<String> = ids.into_iter().filter(|id| !id.is_empty()).collect();
    let value = match ids.len() {
        0 => return None,
        1 => json!(ids.first()),
        _ => json!(ids),
    };
    Some((name.to_owned(), value))
}
