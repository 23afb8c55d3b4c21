//! Time ends what it ends: a token that was refused as expired is refused at every later moment, whether it
//! is remembered or not.

use std::time::Duration;

use portcullis::{
    ClaimSet, Clock as _, JwtVerifier, Lookup, LookupVerifier, Reason, ResourceServer, StaticJwks,
    Unavailable, When,
};
use proptest::prelude::*;
use serde_json::json;

use super::{AUDIENCE, clock, show};

use crate::watched;

/// A store whose tokens say themselves when they end.
struct Store;

impl Lookup for Store {
    async fn look_up(&self, token: &str) -> Result<Option<ClaimSet>, Unavailable> {
        let end: u64 = token.trim_start_matches("until-").parse().unwrap_or(0);
        let claims = json!({"sub": "robot", "exp": end});
        Ok(Some(ClaimSet::from_serialize(&claims)?))
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn once_expired_always_refused(
        ends in proptest::collection::vec((-40_i64..400, any::<bool>()), 1..6),
        begins in -20_i64..60,
        leeway in 0_u64..60,
        steps in proptest::collection::vec(0_u64..90, 1..30),
    ) {
        let clock = clock();
        let issuer = watched::builder().clock(clock.clone()).build();
        let now = clock.now().as_secs();
        let tokens: Vec<(String, i64)> = ends.iter().map(|(end, is_jwt)| {
            let token = if *is_jwt {
                issuer.token().audience(AUDIENCE).expires_in(*end).claim("nbf", now + begins).mint()
            } else {
                format!("until-{}", now + end)
            };
            (token, now + end)
        }).collect();
        let keys = StaticJwks::from_json(&issuer.jwks().to_string()).unwrap();
        let jwt = JwtVerifier::builder(issuer.issuer(), AUDIENCE)
            .leeway(Duration::from_secs(leeway))
            .keys(keys);
        let server = ResourceServer::builder()
            .clock(clock.clone())
            .route(When::jwt(), jwt.build().unwrap())
            .route(When::opaque(), LookupVerifier::builder(Store).build().unwrap())
            .build()
            .unwrap();
        let mut expired = vec![false; tokens.len()];
        for step in steps {
            clock.advance(Duration::from_secs(step));
            for (place, (token, end)) in tokens.iter().enumerate() {
                let outcome = show(&server, token.as_bytes()).unwrap();
                if expired[place] {
                    prop_assert!(outcome.is_err(), "{token} lives again");
                }
                expired[place] |= matches!(&outcome, Err(error) if error.reason() == Reason::Expired);
                // The longest leeway there may be is half a minute for those who are asked about.
                let over = clock.now().as_secs() - end;
                prop_assert!(outcome.is_err() || over < i64::try_from(leeway.max(30)).unwrap());
                if over > 60 {
                    prop_assert!(expired[place]);
                }
            }
        }
    }
}
