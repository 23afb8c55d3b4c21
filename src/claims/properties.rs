//! Whatever a JSON text spells, and however, reads here as serde reads it.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::ClaimSet;

/// Writes a string as JSON, each character as it is or by its code, as `escaped` says.
fn write_string(text: &str, escaped: u64, json: &mut String) {
    json.push('"');
    for (place, character) in text.chars().enumerate() {
        let must = matches!(character, '"' | '\\' | '\0'..='\x1f');
        if must || escaped.rotate_right(place as u32) & 1 == 1 {
            for unit in character.encode_utf16(&mut [0; 2]) {
                json.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            json.push(character);
        }
    }
    json.push('"');
}

fn write(value: &Value, escaped: u64, json: &mut String) {
    match value {
        Value::String(text) => write_string(text, escaped, json),
        Value::Array(items) => {
            json.push_str("[ ");
            for (place, item) in items.iter().enumerate() {
                json.push_str(if place == 0 { "" } else { " , " });
                write(item, escaped.rotate_right(7 * place as u32), json);
            }
            json.push(']');
        }
        other => json.push_str(&other.to_string()),
    }
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z\"\\\\, :/]{0,6}",
        "\\PC{0,4}",
        Just("é\u{1f600}\n".to_owned())
    ]
}

fn texts() -> impl Strategy<Value = Value> {
    prop_oneof![
        text().prop_map(Value::from),
        prop::collection::vec(text(), 0..4).prop_map(Value::from),
    ]
}

fn date() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i64>().prop_map(Value::from),
        (-1_i64..1 << 34).prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1e12..1e12).prop_map(Value::from),
    ]
}

prop_compose! {
    fn claims()(
        strings in prop::collection::vec(prop::option::of(text()), 6),
        aud in prop::option::of(texts()),
        scope in prop::option::of(texts()),
        scp in prop::option::of(texts()),
        permissions in prop::option::of(prop::collection::vec(text(), 0..4)),
        dates in prop::collection::vec(prop::option::of(date()), 3),
        number in prop::option::of(any::<i64>()),
    ) -> Vec<(&'static str, Value)> {
        let names = ["iss", "jti", "client_id", "azp", "other", "sub"];
        let mut members: Vec<(&str, Option<Value>)> = Vec::new();
        members.extend(names.into_iter().zip(strings.into_iter().map(|text| text.map(Value::from))));
        if number.is_some() {
            members.retain(|(name, _)| *name != "sub");
            members.push(("sub", number.map(Value::from)));
        }
        members.extend([("aud", aud), ("scope", scope), ("scp", scp)]);
        members.push(("permissions", permissions.map(Value::from)));
        members.extend(["exp", "nbf", "iat"].into_iter().zip(dates));
        members.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

/// The words of a list, sorted and each once.
fn words(list: Option<&Value>) -> Vec<String> {
    let mut words: Vec<String> = match list {
        Some(Value::String(list)) => list.split(' ').map(str::to_owned).collect(),
        Some(list) => serde_json::from_value(list.clone()).unwrap(),
        None => Vec::new(),
    };
    words.retain(|word| !word.is_empty());
    words.sort_unstable();
    words.dedup();
    words
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn every_claim_reads_as_serde_reads_it(members in claims(), escaped: u64, blank in " {0,2}") {
        let mut json = format!("{blank}{{");
        for (place, (name, value)) in members.iter().enumerate() {
            json.push_str(if place == 0 { "" } else { "," });
            write_string(name, escaped >> place & 0x11, &mut json);
            json.push(':');
            json.push_str(&blank);
            write(value, escaped, &mut json);
        }
        json.push('}');
        let tree: Value = serde_json::from_str(&json).unwrap();
        let claims = ClaimSet::parse(json.as_str()).unwrap();
        for claims in [&claims, &claims.clone()] {
            let string = |name: &str| tree.get(name).and_then(Value::as_str);
            prop_assert_eq!(claims.as_json(), &json);
            prop_assert_eq!(claims.issuer(), string("iss"));
            prop_assert_eq!(claims.token_id(), string("jti"));
            prop_assert_eq!(claims.client_id(), string("client_id").or(string("azp")));
            let digits = tree.get("sub").filter(|sub| sub.is_number()).map(Value::to_string);
            prop_assert_eq!(claims.subject_is_number(), digits.is_some());
            prop_assert_eq!(claims.subject(), digits.as_deref().or(string("sub")));
            let aud: Vec<&str> = match tree.get("aud") {
                Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
                one => one.and_then(Value::as_str).into_iter().collect(),
            };
            prop_assert_eq!(claims.audience().iter().collect::<Vec<_>>(), aud);
            prop_assert_eq!(claims.audience().is_absent(), tree.get("aud").is_none());
            let scopes = words(tree.get("scope").or(tree.get("scp")));
            let held = claims.scopes();
            prop_assert_eq!(held.iter().collect::<Vec<_>>(), scopes);
            let permissions = words(tree.get("permissions"));
            let held = claims.permissions();
            prop_assert_eq!(held.iter().collect::<Vec<_>>(), permissions);
            let dates = [claims.expires_at(), claims.not_before(), claims.issued_at()];
            for (name, date) in ["exp", "nbf", "iat"].into_iter().zip(dates) {
                let seconds = tree.get(name).and_then(Value::as_f64);
                prop_assert_eq!(
                    date.map(|date| date.as_millis()),
                    seconds.map(|seconds| (seconds * 1000.0) as i64)
                );
            }
            for (name, _) in &members {
                prop_assert_eq!(claims.get(name), tree.get(name));
                prop_assert!(claims.holds(name));
            }
            prop_assert!(!claims.holds("absent"));
        }
    }
}

#[test]
fn a_text_beyond_64_kib_is_read_to_its_end() {
    let long = "x".repeat(70_000);
    let json = json!({"aaa": long, "aud": ["a", "b"], "sub": "s", "jti": "\u{e9}\n"}).to_string();
    let claims = ClaimSet::parse(json).unwrap();
    assert_eq!(claims.subject(), Some("s"));
    assert_eq!(claims.token_id(), Some("\u{e9}\n"));
    assert_eq!(claims.audience().iter().collect::<Vec<_>>(), ["a", "b"]);
}
