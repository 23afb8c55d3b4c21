//! What holds for every token, every key set, every setting and every moment: laws of the gate, each
//! tried on what chance brings, or on everything there is.
// A test says what must be there by taking it.
#![allow(clippy::unwrap_used)]

#[path = "../doors/challenge.rs"]
mod challenge;
mod one_byte;
mod order_of_keys;
mod scope_sets;
mod time;
#[path = "../watched/mod.rs"]
mod watched;
mod words;

use std::sync::Arc;

use http::HeaderValue;
use portcullis::testing::ManualClock;
use portcullis::{
    AccessToken, Carrier, Clock, Credential, Error, Moment, Reason, ResourceServer, UnixTime,
    Verifier,
};

const AUDIENCE: &str = "https://api.example.com/";

fn clock() -> ManualClock {
    ManualClock::at(UnixTime::from_secs(1_795_262_400))
}

/// What a server says to a Bearer token at once. `None` if no header can hold the token.
fn show(server: &ResourceServer, token: &[u8]) -> Option<Result<AccessToken, Error>> {
    let header = HeaderValue::from_bytes(&[b"Bearer ", token].concat()).ok()?;
    let request = http::Request::get("/").header("authorization", header);
    let (mut parts, ()) = request.body(()).unwrap().into_parts();
    // Nobody is waited for: the keys are at hand, the stores answer at once.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let outcome = runtime.block_on(server.authenticate(&mut parts));
    Some(outcome.map(|token| token.unwrap()))
}

/// What a verifier says to a Bearer token at once: all that is proven, or why not.
fn judge(verifier: &impl Verifier, token: &str) -> Result<String, Reason> {
    let clock: Arc<dyn Clock> = Arc::new(clock());
    let bearer = Carrier::bearer();
    let answer = verifier.verify_now(&Credential::new(token, &bearer), &Moment::of(&clock));
    match answer.unwrap() {
        Ok(verified) => Ok(format!("{verified:?}")),
        Err(error) => Err(error.reason()),
    }
}
