//! An issuer for trying out: who its clients are, and what its tokens say. The calendar may embed one
//! (`demo.rs`); `examples/issuer.rs` is one in a process of its own.

use std::io;
use std::ops::Deref;

use portcullis::testing::{
    AuthorizationServer, AuthorizationServerBuilder, OpaqueBuilder, TokenBuilder,
};

/// Who the calendar is at the introspection endpoint, and its secret there.
pub const CALENDAR: (&str, &str) = ("calendar", "calendar-secret");

/// Who may fetch tokens at the token endpoint.
const CURL: (&str, &str) = ("curl", "curl-secret");

/// What a token for everything says.
pub const BOTH: &str = "read:calendar write:calendar";

/// How long the printed tokens live, in seconds.
pub const LIFETIME: i64 = 3600;

/// Never for production: its tokens are for whoever asks.
pub struct Issuer {
    server: AuthorizationServer,
    audience: String,
}

impl Issuer {
    /// Starts it on a port of 127.0.0.1. Its tokens are for `audience`.
    pub async fn start(builder: AuthorizationServerBuilder, audience: &str) -> io::Result<Issuer> {
        let server = builder.start().await?;
        for (id, secret) in [CALENDAR, CURL] {
            server.client(id, secret);
        }
        let audience = audience.to_owned();
        Ok(Issuer { server, audience })
    }

    /// A JWT of alice.
    pub fn jwt(&self) -> TokenBuilder {
        let jwt = self.server.token().audience(&self.audience);
        jwt.subject("alice").expires_in(LIFETIME)
    }

    /// An opaque token of alice.
    pub fn opaque(&self) -> OpaqueBuilder {
        let opaque = self.server.opaque().audience(&self.audience);
        opaque.subject("alice").expires_in(LIFETIME)
    }

    /// A curl line that fetches a fresh token.
    pub fn fresh_token(&self) -> String {
        let (id, secret) = CURL;
        format!(
            "curl -i {endpoint} -d grant_type=client_credentials -d client_id={id} \
             -d client_secret={secret} -d scope={scopes} \
             --data-urlencode \"resource={audience}\"",
            endpoint = self.server.token_endpoint(),
            scopes = BOTH.replace(' ', "+"),
            audience = self.audience,
        )
    }
}

impl Deref for Issuer {
    type Target = AuthorizationServer;

    fn deref(&self) -> &AuthorizationServer {
        &self.server
    }
}
