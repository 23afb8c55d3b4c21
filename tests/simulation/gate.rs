//! The gate that is simulated: servers that share their keys, as somebody would set them up.

use std::time::Duration;

use portcullis::{AccessToken, Error, JwtVerifier, RemoteJwks, ResourceServer};

use crate::clocks::Clocks;
use crate::file::KeyFile;
use crate::network::Network;
use crate::schedule::Settings;

/// Starts a gate of so many servers.
pub(crate) fn servers(
    settings: &Settings,
    number: usize,
    network: &Network,
    clocks: &Clocks,
    file: Option<&KeyFile>,
) -> Vec<ResourceServer> {
    let time = Duration::from_millis;
    let keys = match settings.metadata {
        None => RemoteJwks::at("https://as.example/jwks/0"),
        Some(lifetime) => {
            RemoteJwks::discover("https://as.example").metadata_lifetime(time(lifetime))
        }
    };
    let keys = match file {
        Some(file) => keys.last_known_good(file.path()),
        None => keys,
    };
    let keys = keys
        .fetch(network.clone())
        .lifetime(time(settings.lifetime))
        .refresh_interval(time(settings.interval))
        .wait_at_most(time(settings.wait))
        .trust_stale_for(time(settings.stale))
        .deadline(time(settings.deadline))
        .jitter_seed(settings.jitter)
        .build()
        .unwrap();
    let server = |_| {
        let jwt = JwtVerifier::builder("https://as.example", "https://api.example.com/");
        let jwt = jwt.keys(keys.clone()).build().unwrap();
        let server = ResourceServer::builder().clock(clocks.clone());
        let server = server.verifier(jwt).verdict_capacity(100);
        server.build().unwrap()
    };
    (0..number).map(server).collect()
}

/// Shows a token.
pub(crate) async fn show(server: &ResourceServer, token: &str) -> Result<AccessToken, Error> {
    let request = http::Request::get("/").header("authorization", format!("Bearer {token}"));
    let (mut parts, ()) = request.body(()).unwrap().into_parts();
    let shown = server.authenticate(&mut parts).await?;
    Ok(shown.expect("a credential was sent"))
}
