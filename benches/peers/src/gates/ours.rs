//! portcullis, in the three places where it can stand, and without its memory.

use axum::Router;
use axum::extract::FromRef;
use axum::routing::get;
use portcullis::{Authenticated, Claims, JwtVerifier, ResourceServer, StaticJwks};
use tower::Layer;

use super::{Member, REMEMBERED};
use crate::gate::{ANSWER, Axum, Entry, Gate, PATH};
use crate::stage::Source;
use crate::tokens::AUDIENCE;

const OURS: Entry = Entry {
    package: Some("portcullis"),
    crypto: "aws-lc-rs",
    remembers: true,
    ..Entry::PLAIN
};

pub const EXTRACTOR: Entry = Entry {
    name: "portcullis, extractor",
    note: "`Authenticated<Claims<T>>` in the handler, no layer",
    build: |source| Box::pin(async { with_extractor(source, REMEMBERED) }),
    ..OURS
};

pub const AROUND: Entry = Entry {
    name: "portcullis, around the Router",
    note: "`server.layer().layer(router)`, `Claims<T>` in the handler",
    build: |source| {
        Box::pin(async {
            let router = Router::new().route(PATH, get(events));
            let service = server(source, REMEMBERED)?.layer().layer(router);
            Ok(Box::new(Axum(service)) as Box<dyn Gate>)
        })
    },
    ..OURS
};

pub const LAYER: Entry = Entry {
    name: "portcullis, Router::layer",
    note: "`router.layer(server.layer())`, `Claims<T>` in the handler",
    build: |source| {
        Box::pin(async {
            let layer = server(source, REMEMBERED)?.layer();
            let router = Router::new().route(PATH, get(events)).layer(layer);
            Ok(Box::new(Axum(router)) as Box<dyn Gate>)
        })
    },
    ..OURS
};

pub const FORGETFUL: Entry = Entry {
    name: "portcullis, remembering nothing",
    note: "the extractor with `verdict_capacity(0)`: each request is checked anew",
    remembers: false,
    build: |source| Box::pin(async { with_extractor(source, 0) }),
    ..OURS
};

#[derive(Clone, FromRef)]
struct App {
    server: ResourceServer,
}

fn with_extractor(source: Source, remembered: u64) -> Result<Box<dyn Gate>, String> {
    async fn events(_: Authenticated<Claims<Member>>) -> &'static str {
        ANSWER
    }
    let server = server(source, remembered)?;
    let router = Router::new().route(PATH, get(events));
    Ok(Box::new(Axum(router.with_state(App { server }))))
}

async fn events(_: Claims<Member>) -> &'static str {
    ANSWER
}

fn server(source: Source, remembered: u64) -> Result<ResourceServer, String> {
    let build = || {
        let jwt = JwtVerifier::builder(&source.issuer, AUDIENCE)
            .keys(StaticJwks::from_json(&source.jwks)?)
            .build()?;
        ResourceServer::builder()
            .verifier(jwt)
            .verdict_capacity(remembered)
            .build()
    };
    build().map_err(|error: portcullis::ConfigError| error.to_string())
}
