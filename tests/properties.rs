//! Properties of the grammars and parsers: no input makes the gate panic, leak or waver.
// A test says what must be there by taking it.
#![allow(clippy::unwrap_used)]

mod watched;

use std::sync::LazyLock;

use portcullis::testing::{AuthorizationServer, Endpoint, ManualClock, Trouble};
use portcullis::{
    AccessToken, Carrier, ClaimSet, ClientAuth, Error, ErrorKind, IntrospectionVerifier,
    LookupAnswer, ResourceServer, RoleTree, Scope, Scopes, StaticJwks, UnixTime,
};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

const AUDIENCE: &str = "https://api.example.com/";

struct World {
    issuer: AuthorizationServer,
    server: ResourceServer,
    token: String,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let clock = ManualClock::at(UnixTime::from_secs(1_795_262_400));
    let issuer = watched::builder().clock(clock).build();
    let token = issuer.token().subject("alice").scope("read:events").mint();
    let keys = StaticJwks::from_json(&issuer.jwks().to_string()).unwrap();
    let jwt = portcullis::JwtVerifier::builder(issuer.issuer(), AUDIENCE).keys(keys);
    let server = issuer
        .resource_server()
        .carrier(Carrier::bearer())
        .carrier(Carrier::header("App-Token").unwrap())
        .verifier(jwt.build().unwrap())
        .build()
        .unwrap();
    World {
        issuer,
        server,
        token,
    }
});

fn authenticate(
    server: &ResourceServer,
    name: &str,
    value: &[u8],
) -> Option<Result<Option<AccessToken>, Error>> {
    let value = http::HeaderValue::from_bytes(value).ok()?;
    let request = http::Request::get("/")
        .header(name, value)
        .body(())
        .unwrap();
    let (mut parts, ()) = request.into_parts();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    Some(runtime.block_on(server.authenticate(&mut parts)))
}

/// `b64token` of RFC 6750 §2.1, written down a second time.
fn is_b64token(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    !body.is_empty()
        && body
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-._~+/".contains(c))
}

/// The rule of `tree` that decides about `name`, found the slow way.
fn rule_for<'a>(tree: &'a Map<String, Value>, reserved: &[&str], name: &str) -> Option<&'a str> {
    let rules = || {
        tree.keys()
            .filter(|rule| !reserved.contains(&rule.as_str()))
    };
    let prefix = |rule: &'a String| {
        rule.strip_suffix('*')
            .filter(|prefix| !prefix.contains('*'))
    };
    let exact = rules().find(|rule| *rule == name && prefix(rule).is_none());
    let matching = rules().filter(|rule| prefix(rule).is_some_and(|p| name.starts_with(p)));
    exact
        .or_else(|| matching.max_by_key(|rule| rule.len()))
        .map(String::as_str)
}

/// A role as a hostile or careless administrator writes it.
fn role() -> impl Strategy<Value = Map<String, Value>> {
    let permitted = prop_oneof![
        4 => Just(json!(true)),
        2 => Just(json!(false)),
        1 => Just(json!("true")),
        1 => Just(json!(null)),
    ];
    let actions = proptest::collection::hash_map("[xyz]", permitted, 0..3);
    let rule = prop_oneof![
        6 => actions.prop_map(|actions| json!(actions)),
        1 => Just(json!(true)),
        1 => Just(json!(["x"])),
    ];
    proptest::collection::hash_map("[ab]{0,4}\\*?|[ab*\u{e9}]{0,4}", rule, 0..12)
        .prop_map(|rules| rules.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_header_value_gets_an_answer_without_the_credential(
        value in proptest::collection::vec(any::<u8>(), 0..200),
        bearer in any::<bool>(),
    ) {
        let mut header = if bearer { b"Bearer ".to_vec() } else { Vec::new() };
        header.extend(&value);
        for name in ["authorization", "app-token"] {
            let Some(outcome) = authenticate(&WORLD.server, name, &header) else { continue };
            let error = match outcome {
                Ok(proven) => { prop_assert!(proven.is_none()); continue }
                Err(error) => error,
            };
            prop_assert!(matches!(error.kind(), ErrorKind::InvalidRequest | ErrorKind::InvalidToken));
            let answer = WORLD.server.answer(&error);
            prop_assert!(matches!(answer.status().as_u16(), 400 | 401));
            if let Ok(text) = std::str::from_utf8(&value) && text.trim().len() > 8 {
                let told = format!("{error} {error:?} {answer:?}");
                prop_assert!(!told.contains(text.trim()), "{told}");
            }
        }
    }

    #[test]
    fn bearer_takes_exactly_the_b64tokens(text in "[ -~]{1,40}") {
        let header = format!("Bearer {text}");
        let Some(outcome) = authenticate(&WORLD.server, "authorization", header.as_bytes()) else {
            return Ok(());
        };
        // Further blanks belong to the separator.
        let taken = is_b64token(text.trim_start_matches(' '));
        let kind = outcome.map(|_| ()).map_err(|error| error.kind());
        let wanted = if taken { ErrorKind::InvalidToken } else { ErrorKind::InvalidRequest };
        prop_assert_eq!(kind, Err(wanted));
    }

    #[test]
    fn one_changed_character_is_refused_or_changes_nothing(
        place in 0usize..1_000,
        character in "[A-Za-z0-9_.~=/+-]",
    ) {
        let mut token = WORLD.token.clone();
        let place = place % token.len();
        token.replace_range(place..=place, &character);
        let header = format!("Bearer {token}");
        let outcome = authenticate(&WORLD.server, "authorization", header.as_bytes()).unwrap();
        match outcome {
            Ok(proven) => {
                prop_assert_eq!(&token, &WORLD.token);
                let proven = proven.unwrap();
                prop_assert_eq!(proven.subject(), Some("alice"));
            }
            Err(_) => prop_assert_ne!(&token, &WORLD.token),
        }
    }

    #[test]
    fn any_header_and_payload_that_the_issuer_signs_gets_an_answer(
        header in r#"\{("[a-z]{1,4}":("[ -~]{0,6}"|[0-9]{1,3}|null|true|\[\]),?){0,4}\}"#,
        payload in r#"\{("(iss|sub|aud|exp|nbf|iat|cnf|scope|x)":("[ !#-~]{0,6}"|-?[0-9]{1,12}|null|true|\[\]|\{\}),?){0,6}\}"#,
    ) {
        for token in [
            WORLD.issuer.token().raw_header(&header).mint(),
            WORLD.issuer.token().raw_payload(&payload).mint(),
        ] {
            let header = format!("Bearer {token}");
            let outcome = authenticate(&WORLD.server, "authorization", header.as_bytes()).unwrap();
            let error = outcome.map(|_| ()).unwrap_err();
            prop_assert_eq!(error.kind(), ErrorKind::InvalidToken);
            prop_assert!(!error.to_string().contains(&token));
        }
    }

    #[test]
    fn claims_read_as_serde_json_reads_them(
        names in proptest::collection::vec("[a-z]{1,3}", 0..6),
        text in "[ -~\u{e0}-\u{f0}]{0,12}",
    ) {
        let members: Vec<String> = names.iter()
            .map(|name| format!("{:?}:{}", name, serde_json::to_string(&text).unwrap()))
            .collect();
        let json = format!("{{{}}}", members.join(","));
        let mut distinct = names.clone();
        distinct.sort();
        distinct.dedup();
        match ClaimSet::parse(json.as_str()) {
            Ok(claims) => {
                prop_assert_eq!(distinct.len(), names.len());
                for name in &names {
                    prop_assert_eq!(claims.get(name).and_then(|v| v.as_str()), Some(&*text));
                }
                if names.iter().any(|name| name == "sub") {
                    prop_assert_eq!(claims.subject(), Some(&*text));
                }
            }
            Err(_) => prop_assert!(distinct.len() < names.len() || names.contains(&"exp".into())
                || names.contains(&"nbf".into()) || names.contains(&"iat".into())),
        }
    }

    #[test]
    fn no_document_makes_a_parser_panic(text in "[\\[\\]{}\":,a-z0-9. \\\\-]{0,200}") {
        let _ = ClaimSet::parse(text.as_str());
        let _ = StaticJwks::from_json(&text);
        let _ = StaticJwks::from_pem(&text, portcullis::Algorithm::RS256);
        let _ = LookupAnswer::parse(&text);
    }

    #[test]
    fn any_introspection_answer_is_a_token_a_refusal_or_an_outage(
        body in r#"\{("(active|iss|sub|aud|exp|token_type|scope)":("[ !#-~]{0,6}"|-?[0-9]{1,12}|null|true|false|\[\]),?){0,5}\}"#,
    ) {
        let issuer = watched::issuer();
        issuer.trouble(Endpoint::Introspection, Trouble::Body(body));
        let verifier = IntrospectionVerifier::builder(
            &issuer.introspection_endpoint(),
            ClientAuth::post("gate", "secret"),
            AUDIENCE,
        );
        let verifier = verifier.fetch(issuer.fetcher()).build().unwrap();
        let server = ResourceServer::builder().verifier(verifier).build().unwrap();
        let outcome = authenticate(&server, "authorization", b"Bearer opaque").unwrap();
        let kind = outcome.map(|_| ()).unwrap_err().kind();
        prop_assert!(matches!(kind, ErrorKind::InvalidToken | ErrorKind::Unavailable));
    }

    #[test]
    fn scopes_behave_as_a_set_of_exact_words(
        held in proptest::collection::vec("[!#-\\[\\]-~]{1,6}", 0..8),
        asked in "[!#-\\[\\]-~]{1,6}",
    ) {
        let scopes: Scopes = held.join(" ").parse().unwrap();
        let scope = Scope::new(asked.clone()).unwrap();
        prop_assert_eq!(scopes.contains(&scope), held.contains(&asked));
        for word in &held {
            prop_assert!(scopes.contains(&Scope::new(word.clone()).unwrap()));
        }
    }

    #[test]
    fn in_any_role_the_longest_match_alone_decides(
        role in role(),
        names in proptest::collection::vec("[ab]{0,5}|[ab*\u{e9}]{0,5}", 1..6),
        reserved in "[ab]{0,2}\\*?",
    ) {
        let tree = RoleTree::read(&Value::Object(role.clone()), &[&reserved]);
        for action in ["x", "y", "z", ""] {
            let mut all = true;
            for name in &names {
                let rule = rule_for(&role, &[&reserved], name);
                prop_assert_eq!(tree.rule_for(name), rule, "{} in {:?}", name, tree);
                let wanted = rule.is_some_and(|rule| role[rule].get(action) == Some(&json!(true)));
                prop_assert_eq!(tree.permits(name, action), wanted, "{} in {:?}", name, tree);
                all &= wanted;
            }
            prop_assert_eq!(tree.permits_all(&names, action), all);
        }
    }

    #[test]
    fn a_field_is_found_in_any_spelling(
        words in proptest::collection::vec("[a-z][a-z0-9]{0,4}", 1..4),
        upper in any::<bool>(),
        value in "[ -~]{1,8}",
    ) {
        let snake = words.join("_");
        let mut camel = words[0].clone();
        for word in &words[1..] {
            let first = if upper { word.len() } else { 1 };
            camel.push_str(&word[..first].to_uppercase());
            camel.push_str(&word[first..]);
        }
        for spelling in [&snake, &camel] {
            let answer = LookupAnswer::from_serialize(&json!({ spelling: &value })).unwrap();
            prop_assert_eq!(answer.text(&snake).unwrap(), Some(&*value));
        }
        let both = format!("{{{snake:?}:1,{camel:?}:2}}");
        let answer = LookupAnswer::parse(&both);
        // One word has one spelling, and is repeated.
        prop_assert_eq!(answer.is_err(), words.len() == 1);
        prop_assert!(answer.is_err() || answer.unwrap().value(&snake).is_err());
    }

    #[test]
    fn a_moment_reads_the_same_in_every_form(
        seconds in -62_167_219_200_i64..=100_000_000_000,
        millis in 0_i64..1_000,
    ) {
        let moment = UnixTime::from_secs(seconds);
        let finer = UnixTime::from_millis(seconds * 1_000 + millis);
        let date = jiff::Timestamp::from_second(seconds).unwrap().to_string();
        let (whole, _) = date.split_once('Z').unwrap();
        for (form, wanted) in [
            (json!(seconds), moment),
            (json!(seconds.to_string()), moment),
            (json!(date), moment),
            (json!(date.replace('T', " ")), moment),
            (json!(format!("{whole}.{millis:03}Z")), finer),
            (json!(format!("{whole}.{millis:03}999Z")), finer),
        ] {
            let answer = LookupAnswer::from_serialize(&json!({ "at": form })).unwrap();
            prop_assert_eq!(answer.time("at").unwrap(), Some(wanted), "{}", form);
        }
    }

    #[test]
    fn a_date_that_reads_is_one_that_others_read_alike(
        date in "[0-9]{2}[0-9]{2}-[01][0-9]-[0-3][0-9][T ][0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{1,9})?Z|[0-9TZ:. +-]{0,24}",
    ) {
        let answer = LookupAnswer::from_serialize(&json!({ "at": date })).unwrap();
        let read = answer.time("at").ok().flatten();
        let other: Option<jiff::Timestamp> = date.parse().ok();
        let leap = date.contains(":60");
        if date.len() >= 20 && date.ends_with('Z') && !leap {
            let moment = other.map(|moment| moment.as_nanosecond().div_euclid(1_000_000));
            prop_assert_eq!(read.map(|moment| i128::from(moment.as_millis())), moment);
        } else if leap {
            prop_assert_eq!(read, None);
        }
    }

    #[test]
    fn no_answer_makes_a_field_panic_or_tell(
        value in r#"(-?[0-9]{1,25}(\.[0-9]{1,3})?(e[0-9]{1,2})?|"[ !#-\[\]-~]{8,20}"|\[("[a-z]{8}",?)?\]|\{\}|true)"#,
    ) {
        let Ok(answer) = LookupAnswer::parse(&format!("{{\"at\":{value}}}")) else {
            return Ok(());
        };
        let errors = [
            answer.text("at").map(drop).err(),
            answer.id("at").map(drop).err(),
            answer.integer("at").map(drop).err(),
            answer.boolean("at").map(drop).err(),
            answer.time("at").map(drop).err(),
            answer.words("at").map(drop).err(),
        ];
        // Each value is of some types and not of the others.
        prop_assert!(errors.iter().flatten().count() >= 2);
        let told = format!("{errors:?} {answer:?}");
        let inside = value.trim_matches(['"', '[', ']', '{', '}']);
        prop_assert!(inside.len() < 8 || !told.contains(inside), "{told}");
    }
}
