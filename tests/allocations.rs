//! What a request costs in allocations: exact counts, so a regression shows without a clock.
#![allow(clippy::unwrap_used, unreachable_pub)] // A test says what must be there by taking it.

#[path = "../benches/stage/allocations.rs"]
mod allocations;
#[path = "../benches/stage/mod.rs"]
mod stage;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use portcullis::{
    ClaimSet, Credential, Error, JwtVerifier, Lookup, LookupVerifier, Moment, ResourceServer,
    Unavailable, VerdictLifetime, Verified, Verifier, When,
};

use stage::gate::{self, ask, bearer, head};
use stage::tokens;

/// Holds a row to its goal.
fn holds(name: &str) {
    let row = allocations::ROWS.into_iter().find(|row| row.name == name);
    let row = row.expect("the row is in the table");
    let count = (row.count)();
    assert!(
        count <= row.goal,
        "{name}: {count} allocations, wanted at most {}",
        row.goal
    );
}

#[test]
fn a_token_seen_before_costs_none_in_the_extractor() {
    holds("extractor");
}

#[test]
fn a_scope_and_claims_cost_none_in_the_extractor() {
    holds("extractor with scope and claims");
}

#[test]
fn a_layer_around_the_router_costs_what_the_extensions_do() {
    holds("layer around the router");
}

#[test]
fn a_layer_of_the_router_costs_what_any_layer_does() {
    holds("Router::layer");
}

#[test]
fn a_scope_and_claims_cost_none_behind_a_layer() {
    holds("scope and claims behind a layer");
}

#[test]
fn a_token_never_seen_costs_little_more_than_its_claims() {
    holds("a token never seen");
}

#[test]
fn rubbish_costs_little() {
    holds("refused: rubbish");
}

#[test]
fn what_has_not_three_parts_costs_little() {
    holds("refused: two parts");
}

#[test]
fn an_unknown_key_costs_little() {
    holds("refused: unknown kid");
}

#[test]
fn a_wrong_algorithm_costs_little() {
    holds("refused: wrong algorithm");
}

#[test]
fn no_algorithm_costs_little() {
    holds("refused: no algorithm");
}

#[test]
fn an_expired_token_costs_little() {
    holds("refused: expired");
}

/// The tests above are worth nothing if the stage's tokens are not what the goals speak of.
#[test]
fn the_tokens_are_as_long_as_the_goals_say() {
    for (alg, length) in [
        ("RS256", 1_086),
        ("ES256", 830),
        ("EdDSA", 830),
        ("HS256", 830),
    ] {
        let token = tokens::token(&tokens::signing_key(alg), 7);
        assert_eq!(token.len(), length, "{alg}");
    }
    let payload = tokens::payload(7, tokens::ISSUER, tokens::SCOPE, 60);
    assert_eq!(payload.len(), 499);
    let claims = ClaimSet::parse(payload).unwrap();
    claims.read::<gate::Party>().unwrap();
}

/// Counts what a verifier is asked.
struct Counted(JwtVerifier, Arc<AtomicU64>);

impl Verifier for Counted {
    async fn verify(
        &self,
        credential: &Credential<'_>,
        moment: &Moment<'_>,
    ) -> Result<Verified, Error> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.verify(credential, moment).await
    }

    fn verify_now(
        &self,
        credential: &Credential<'_>,
        moment: &Moment<'_>,
    ) -> Option<Result<Verified, Error>> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.verify_now(credential, moment)
    }

    fn lifetime(&self) -> VerdictLifetime {
        self.0.lifetime()
    }
}

/// A store that knows nobody.
struct Empty;

impl Lookup for Empty {
    async fn look_up(&self, _: &str) -> Result<Option<ClaimSet>, Unavailable> {
        Ok(None)
    }
}

/// How many bad tokens come. Unoptimised code takes its time.
const FLOOD: u64 = if cfg!(debug_assertions) {
    5_000
} else {
    100_000
};

#[tokio::test]
async fn bad_tokens_evict_no_good_verdict() {
    let key = tokens::signing_key("ES256");
    let asked = Arc::new(AtomicU64::new(0));
    let server = ResourceServer::builder()
        .route(
            When::jwt(),
            Counted(gate::verifier(&key), Arc::clone(&asked)),
        )
        .route(
            When::opaque(),
            LookupVerifier::builder(Empty).build().unwrap(),
        )
        // Room for the good ones, and for few others.
        .verdict_capacity(256)
        .build()
        .unwrap();
    let good: Vec<_> = (0..64).map(|n| bearer(&tokens::token(&key, n))).collect();
    for header in &good {
        gate::acquaint(&server, header);
    }
    let pattern = tokens::token(&key, u64::MAX);
    let signature = pattern.rsplit_once('.').unwrap().1;
    for n in 0..FLOOD {
        let kid = format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":"made up {n}"}}"#);
        let algorithm = format!(r#"{{"alg":"HS256","typ":"at+jwt","kid":"{n}"}}"#);
        let token = match n % 5 {
            0 => format!("made-up-{n}"),
            1 => format!("{n}.{n}"),
            2 => tokens::under_header(&pattern, &kid),
            3 => tokens::under_header(&pattern, &algorithm),
            // The signature of another one: the only refusal that is dear.
            _ if n % 100 == 4 => {
                let token = tokens::token(&key, n);
                format!("{}.{signature}", token.rsplit_once('.').unwrap().0)
            }
            _ => format!("{n}.made.up"),
        };
        let refused = server.authenticate(&mut head(&bearer(&token))).await;
        assert!(refused.is_err(), "{token}");
    }
    let before = asked.load(Ordering::Relaxed);
    for header in &good {
        ask(&server, &mut head(header)).unwrap().unwrap();
    }
    let proven_anew = asked.load(Ordering::Relaxed) - before;
    assert_eq!(proven_anew, 0, "of {} good tokens", good.len());
}
