//! Shows a token to a gate, for tests that need nothing else of a request.

use portcullis::{AccessToken, Error, Reason, ResourceServer};

use crate::watched;

pub(crate) async fn show(server: &ResourceServer, token: &str) -> Result<AccessToken, Error> {
    watched::begin();
    let request = http::Request::get("/").header("authorization", format!("Bearer {token}"));
    let (mut parts, ()) = request.body(()).unwrap().into_parts();
    Ok(server
        .authenticate(&mut parts)
        .await?
        .expect("a credential was sent"))
}

pub(crate) fn reason(outcome: &Result<AccessToken, Error>) -> Option<Reason> {
    outcome.as_ref().err().map(Error::reason)
}
