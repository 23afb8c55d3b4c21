//! What a token may bring about that nobody has proven: it chooses its key, and it ends. Nothing more.
// A test says what must be there by taking it.
#![allow(clippy::unwrap_used)]

mod watched;

use std::sync::{Arc, LazyLock};

use portcullis::testing::{AuthorizationServer, Endpoint, ManualClock, TokenBuilder};
use portcullis::{
    Algorithm, ByIssuer, Carrier, Clock, Credential, Error, JwtVerifier, JwtVerifierBuilder,
    Moment, Reason, StaticJwks, UnixTime, Verified, Verifier,
};
use proptest::prelude::*;

const AUDIENCE: &str = "https://api.example.com/";

static CLOCK: LazyLock<ManualClock> =
    LazyLock::new(|| ManualClock::at(UnixTime::from_secs(1_795_262_400)));

static ISSUER: LazyLock<AuthorizationServer> =
    LazyLock::new(|| watched::builder().clock(CLOCK.clone()).build());

static FORGER: LazyLock<AuthorizationServer> =
    LazyLock::new(|| watched::builder().clock(CLOCK.clone()).build());

fn good() -> TokenBuilder {
    ISSUER
        .token()
        .audience(AUDIENCE)
        .subject("alice")
        .algorithm(Algorithm::ES256)
}

fn builder() -> JwtVerifierBuilder {
    // Both keys are there before their set is taken.
    good().mint();
    good().algorithm(Algorithm::EdDSA).mint();
    let keys = StaticJwks::from_json(&ISSUER.jwks().to_string()).unwrap();
    JwtVerifier::builder(ISSUER.issuer(), AUDIENCE)
        .legacy_typ("JWT")
        .keys(keys)
}

fn show(verifier: &impl Verifier, token: &str) -> Result<Verified, Error> {
    let clock: Arc<dyn Clock> = Arc::new(CLOCK.clone());
    let bearer = Carrier::bearer();
    let answer = verifier.verify_now(&Credential::new(token, &bearer), &Moment::of(&clock));
    answer.unwrap()
}

/// The reason, and all that is told of it.
fn answer(verifier: &impl Verifier, token: &str) -> Result<String, (Reason, String)> {
    show(verifier, token)
        .map(|verified| format!("{verified:?}"))
        .map_err(|error| (error.reason(), error.to_string()))
}

#[test]
fn a_token_that_is_over_is_refused_whoever_signed_it() {
    let over = good().expires_in(-60);
    for token in [
        over.mint(),
        over.clone().signed_by(&FORGER).mint(),
        over.clone().signature("").mint(),
        over.clone().audience("https://other.example").mint(),
    ] {
        let error = show(&builder().build().unwrap(), &token).err().unwrap();
        assert_eq!(error.reason(), Reason::Expired);
        let words = "token expired at 1795262340, it is 1795262400";
        assert_eq!(error.to_string(), words);
        assert!(format!("{error:?}").contains(words));
        let several = ByIssuer::new([builder().build().unwrap()]).unwrap();
        assert_eq!(
            show(&several, &token).err().unwrap().reason(),
            Reason::Expired
        );
    }
}

#[test]
fn nothing_else_is_told_of_claims_that_nobody_has_proven() {
    let end = 1_795_263_000;
    let odd = format!(r#"{{"iss":"{}","exp":{end},"sub":["a"]}}"#, ISSUER.issuer());
    let over_and_odd = format!(r#"{{"iss":"{}","exp":7,"sub":["a"]}}"#, ISSUER.issuer());
    let twice = r#"{"exp":7,"exp":7}"#;
    for (token, proven) in [
        (good().audience("https://other.example"), Reason::Audience),
        (good().claim("iss", "https://other.example"), Reason::Issuer),
        (good().claim("nbf", end), Reason::NotYetValid),
        (good().without("sub"), Reason::MissingClaim),
        (good().without("exp"), Reason::MissingClaim),
        (good().raw_payload(odd), Reason::MalformedClaims),
        (good().raw_payload(over_and_odd), Reason::MalformedClaims),
        (good().raw_payload(twice), Reason::MalformedClaims),
        (good().raw_payload([0xff]), Reason::MalformedToken),
    ] {
        let verifier = builder().build().unwrap();
        let reason = |token: &str| show(&verifier, token).err().unwrap().reason();
        assert_eq!(
            reason(&token.clone().signed_by(&FORGER).mint()),
            Reason::Signature
        );
        assert_eq!(reason(&token.mint()), proven);
    }
}

#[tokio::test]
async fn no_issuer_is_asked_for_keys_for_the_sake_of_a_token_that_is_over() {
    let issuer = watched::builder().clock(CLOCK.clone()).build();
    let jwt = issuer.jwt_verifier(AUDIENCE).build().unwrap();
    let clock: Arc<dyn Clock> = Arc::new(CLOCK.clone());
    let bearer = Carrier::bearer();
    let token = issuer.token().audience(AUDIENCE).expires_in(-60).mint();
    let credential = Credential::new(&token, &bearer);
    let answer = jwt.verify_now(&credential, &Moment::of(&clock)).unwrap();
    assert_eq!(answer.err().unwrap().reason(), Reason::Expired);
    let answer = jwt.verify(&credential, &Moment::of(&clock)).await;
    assert_eq!(answer.err().unwrap().reason(), Reason::Expired);
    assert_eq!(issuer.asked(Endpoint::Jwks), 0);
}

/// Headers that an issuer or a forger may write.
fn header() -> impl Strategy<Value = String> {
    let algorithms = vec!["ES256", "EdDSA", "HS256", "none", "RS256"];
    let kids = vec!["es256-1", "eddsa-1", "other", ""];
    let typs = vec!["at+jwt", "JWT", "AT+JWT", "logout+jwt"];
    let more = vec![
        "",
        "",
        r#","crit":["exp"]"#,
        r#","jku":"https://evil.example""#,
        r#","alg":"x""#,
    ];
    (
        prop::sample::select(algorithms),
        prop::option::weighted(0.9, prop::sample::select(kids)),
        prop::option::weighted(0.9, prop::sample::select(typs)),
        prop::sample::select(more),
    )
        .prop_map(|(algorithm, kid, typ, more)| {
            let kid = kid.map_or_else(String::new, |kid| format!(r#","kid":"{kid}""#));
            let typ = typ.map_or_else(String::new, |typ| format!(r#","typ":"{typ}""#));
            format!(r#"{{"alg":"{algorithm}"{kid}{typ}{more}}}"#)
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// One verifier sees all of the tokens, the other is new each time.
    #[test]
    fn a_header_that_is_known_changes_no_answer(
        tokens in prop::collection::vec(
            (header(), any::<bool>(), any::<bool>(), -60_i64..600), 1..30,
        ),
    ) {
        let experienced = builder().build().unwrap();
        for (header, is_eddsa, is_forged, end) in tokens {
            let mut token = good().raw_header(header).expires_in(end);
            if is_eddsa {
                token = token.algorithm(Algorithm::EdDSA);
            }
            if is_forged {
                token = token.signed_by(&FORGER);
            }
            let token = token.mint();
            for _ in 0..2 {
                let fresh = builder().build().unwrap();
                prop_assert_eq!(answer(&experienced, &token), answer(&fresh, &token));
            }
        }
    }
}

/// Lists some of whose strings have escapes are read once more: of claims that are proven, not of anybody's.
#[test]
fn escapes_in_lists_cost_a_forger_as_much_as_us() {
    let verifier = builder().build().unwrap();
    let filler = vec![r#"{"":0}"#; 1_550].join(",");
    let counts = [r#"["a"]"#, r#"["\u0061"]"#].map(|list| {
        let json = format!(
            r#"{{"iss":"{}","exp":4102444800,"aud":{list},"scope":{list},"scp":{list},"permissions":{list},"x":[{filler}]}}"#,
            ISSUER.issuer()
        );
        let token = good().raw_payload(json).signed_by(&FORGER).mint();
        let refuse = || show(&verifier, &token).unwrap_err();
        assert_eq!(refuse().reason(), Reason::Signature);
        allocation_counter::measure(|| drop(refuse())).count_total
    });
    assert!(counts[1] <= counts[0] + 20, "{counts:?}");
}
