//! The gates of the table, one for each name a row may give as its `server`.

use std::time::Duration;

use portcullis::{
    Algorithm, Carrier, ClaimSet, ClientAuth, IntrospectionVerifier, IntrospectionVerifierBuilder,
    JwtVerifier, JwtVerifierBuilder, Kind, Kinds, LookupVerifier, RemoteJwks, ResourceServer,
    ResourceServerBuilder, StaticJwks, Unavailable, When, danger, scope,
};

use crate::row::Setup;
use crate::world::{AUDIENCE, CLIENT, SECRET, SIGNER, World};

/// A new gate that knows nothing yet.
pub(crate) fn server(setup: Setup, world: &World) -> ResourceServer {
    let gate = || world.issuer.resource_server();
    let builder: ResourceServerBuilder = match setup {
        Setup::Strict | Setup::Optional => gate().verifier(built(jwt(world))),
        Setup::FixedKeys => {
            let keys = StaticJwks::from_json(&world.issuer.jwks().to_string()).unwrap();
            gate().verifier(built(jwt(world).keys(keys)))
        }
        Setup::JwksUri => {
            let keys = RemoteJwks::at(&world.issuer.jwks_uri()).fetch(world.fetcher());
            gate().verifier(built(jwt(world).keys(keys.build().unwrap())))
        }
        Setup::TwoAudiences => {
            gate().verifier(built(jwt(world).audience("https://second.example.com/")))
        }
        Setup::LegacyJwt => gate().verifier(built(jwt(world).legacy_typ("JWT"))),
        Setup::LegacyMissing => gate().verifier(built(jwt(world).legacy_missing_typ())),
        Setup::Hmac => {
            let jwt = JwtVerifier::builder(world.issuer.issuer(), AUDIENCE);
            gate()
                .carrier(Carrier::bearer())
                .carrier(app_token())
                .verifier(built(jwt.hmac_secret(Algorithm::HS256, SECRET)))
        }
        Setup::AppToken => gate()
            .carrier(Carrier::bearer())
            .carrier(app_token())
            .route(When::header("App-Token"), asks(introspection(world)))
            .verifier(built(jwt(world))),
        Setup::Aliases => {
            let carrier = Carrier::header("client_token").unwrap();
            gate()
                .carrier(carrier.alias("Client-Token").unwrap())
                .verifier(built(jwt(world)))
        }
        Setup::JwtRoute => gate().route(When::jwt(), built(jwt(world))),
        Setup::ShortLimit => gate().credential_limit(64).verifier(built(jwt(world))),
        Setup::Realm => gate()
            .realm(r#"the "inner" \ court, west"#)
            .challenge_scopes([scope!("read:events"), scope!("write:events")])
            .verifier(built(jwt(world))),
        Setup::Websocket => gate()
            .carrier(Carrier::bearer())
            .carrier(danger::websocket_query("access_token"))
            .verifier(built(jwt(world))),
        Setup::NumericSubject => gate().verifier(built(jwt(world).numeric_subject())),
        Setup::RequireClaims => gate().verifier(built(jwt(world).require_claims([
            "client_id",
            "iat",
            "jti",
        ]))),
        Setup::NoLeeway => gate().verifier(built(jwt(world).leeway(Duration::ZERO))),
        Setup::OnlyEs256 => gate().verifier(built(jwt(world).algorithms([Algorithm::ES256]))),
        Setup::OnlyPs256 => gate().verifier(built(jwt(world).algorithms([Algorithm::PS256]))),
        Setup::OnlyEd25519 => gate().verifier(built(jwt(world).algorithms([Algorithm::Ed25519]))),
        Setup::Kinds => gate()
            .kinds(kinds([
                Kind::named("user").without_claim("srv"),
                Kind::named("applicant").with_claim("srv"),
            ]))
            .verifier(built(jwt(world))),
        Setup::KindsByAudience => gate()
            .kinds(kinds([
                Kind::named("first").audience(AUDIENCE),
                Kind::named("second").audience("https://second.example.com/"),
            ]))
            .verifier(built(jwt(world))),
        Setup::Both => gate()
            .route(When::jwt(), built(jwt(world)))
            .route(When::opaque(), asks(introspection(world))),
        Setup::Introspection => gate().verifier(asks(introspection(world))),
        Setup::IntrospectionPost => gate().verifier(asks(introspection_with(
            world,
            ClientAuth::post(CLIENT.0, CLIENT.1),
        ))),
        Setup::IntrospectionAssertion => {
            let auth = ClientAuth::private_key_jwt(SIGNER, &world.signer, Algorithm::ES256);
            gate().verifier(asks(introspection_with(world, auth.unwrap())))
        }
        Setup::IntrospectionIssuer => {
            gate().verifier(asks(introspection(world).issuer(world.issuer.issuer())))
        }
        Setup::IntrospectionNoLeeway => {
            gate().verifier(asks(introspection(world).leeway(Duration::ZERO)))
        }
        Setup::IntrospectionWrongSecret => gate().verifier(asks(introspection_with(
            world,
            ClientAuth::basic(CLIENT.0, "wrong"),
        ))),
        Setup::MissingAudience => {
            gate().verifier(asks(danger::accept_missing_audience(introspection(world))))
        }
        Setup::Lookup => gate().verifier(LookupVerifier::from_fn(look_up).build().unwrap()),
    };
    builder.build().unwrap()
}

/// The headers a set-up reads credentials from: they must come out marked.
pub(crate) fn carriers(setup: Setup) -> &'static [&'static str] {
    match setup {
        Setup::Hmac | Setup::AppToken => &["authorization", "app-token"],
        Setup::Aliases => &["client_token", "client-token"],
        _ => &["authorization"],
    }
}

fn jwt(world: &World) -> JwtVerifierBuilder {
    let keys = RemoteJwks::discover(world.issuer.issuer()).fetch(world.fetcher());
    JwtVerifier::builder(world.issuer.issuer(), AUDIENCE).keys(keys.build().unwrap())
}

fn built(builder: JwtVerifierBuilder) -> JwtVerifier {
    builder.build().unwrap()
}

fn introspection(world: &World) -> IntrospectionVerifierBuilder {
    introspection_with(world, ClientAuth::basic(CLIENT.0, CLIENT.1))
}

fn introspection_with(world: &World, auth: ClientAuth) -> IntrospectionVerifierBuilder {
    let endpoint = world.issuer.introspection_endpoint();
    IntrospectionVerifier::builder(&endpoint, auth, AUDIENCE).fetch(world.fetcher())
}

fn asks(builder: IntrospectionVerifierBuilder) -> IntrospectionVerifier {
    builder.build().unwrap()
}

fn app_token() -> Carrier {
    Carrier::header("App-Token").unwrap()
}

fn kinds(kinds: [Kind; 2]) -> Kinds {
    Kinds::new(kinds).unwrap()
}

/// A store that knows one session, has forgotten another, and is down for a third.
async fn look_up(token: &str) -> Result<Option<ClaimSet>, Unavailable> {
    match token {
        "session-of-the-endpoint-1" => Ok(Some(ClaimSet::parse(
            r#"{"sub":"endpoint-1","scope":"read:events","exp":1795262500}"#,
        )?)),
        "session-that-expired-0001" => Ok(Some(ClaimSet::parse(
            r#"{"sub":"endpoint-1","exp":1795262300}"#,
        )?)),
        "session-with-the-store-down" => Err(Unavailable::new(format!(
            "no route to the shard of {token}"
        ))),
        _ => Ok(None),
    }
}
