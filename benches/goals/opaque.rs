//! Tokens that somebody must be asked about.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use portcullis::{ClaimSet, Lookup, LookupVerifier, Unavailable};

use crate::Run;
use crate::stage::paired::compare;
use crate::stage::{gate, route, tokens};
use crate::table::Goal::AtMost;
use crate::table::Unit::{Count, Ratio};
use crate::table::{Figure, figure};

/// A store that takes a moment, and counts who asks.
struct Store(Arc<AtomicU64>);

impl Lookup for Store {
    async fn look_up(&self, _: &str) -> Result<Option<ClaimSet>, Unavailable> {
        self.0.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(20)).await;
        let payload = tokens::payload(1, tokens::ISSUER, tokens::SCOPE, 86_400);
        Ok(Some(ClaimSet::parse(payload)?))
    }
}

/// How many requests show the token at once.
const CROWD: usize = 64;

pub fn opaque(run: &Run) -> Vec<Figure> {
    let asked = Arc::new(AtomicU64::new(0));
    let verifier = LookupVerifier::builder(Store(Arc::clone(&asked)))
        .remember_accepted(Duration::from_secs(3_600))
        .build()
        .unwrap();
    let server = gate::gate_for(verifier, gate::CAPACITY);
    let key = tokens::signing_key("HS256");
    let jwt = tokens::token(&key, 1);
    // As long as the JWT: it is the way that is compared.
    let header = gate::bearer(&"o".repeat(jwt.len()));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let crowd: Vec<_> = (0..CROWD)
            .map(|_| {
                let (server, mut head) = (server.clone(), gate::head(&header));
                tokio::spawn(async move { server.authenticate(&mut head).await })
            })
            .collect();
        for request in crowd {
            request.await.unwrap().unwrap().unwrap();
        }
    });
    let calls = asked.load(Ordering::Relaxed) as f64;
    gate::acquaint(&server, &header);
    let jwt_server = gate::gate(&key);
    let jwt_header = gate::bearer(&jwt);
    gate::acquaint(&jwt_server, &jwt_header);
    let jwt_route = route::extractor(&jwt_server);
    let opaque_route = route::extractor(&server);
    let later = compare(
        run.rounds,
        || route::visit(&jwt_route, &jwt_header),
        || route::visit(&opaque_route, &header),
    );
    vec![
        figure(
            format!("calls for {CROWD} concurrent first uses of one opaque token"),
            Count,
            AtMost(1.0),
            Some(calls),
        )
        .floor("1"),
        figure(
            "later uses of an opaque token against a hit on a JWT",
            Ratio,
            AtMost(1.05),
            Some(later.ratio),
        )
        .floor("1.00")
        .quartiles(later.quartiles),
    ]
}
