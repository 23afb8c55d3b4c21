//! Revocation as a number: the guard of routes that state how old the knowledge of their tokens may be.

use std::fmt;

use http::request::Parts;

use super::ResourceServer;
use super::proving::{Proven, Side};
use crate::error::{ConfigError, Error, ErrorKind, Reason};
use crate::freshness::{Freshness, Need};
use crate::route::When;
use crate::token::Presence;
use crate::verify::Blind;

/// Demands that every credential of a request is known to stand, as of a moment ago; made by
/// [`ResourceServer::fresh`]. Cloning is cheap.
#[derive(Clone)]
pub struct FreshGuard {
    server: ResourceServer,
    freshness: Freshness,
}

impl ResourceServer {
    /// A guard for routes on which a revoked token must not pass for longer than `freshness` says: a
    /// payment, a change of the password. What is remembered is enough if it is younger; else whoever
    /// may revoke the token is asked, by [`Verifier::confirm`](crate::Verifier::confirm), once for all
    /// who ask the same at the same time. What they answer is remembered for all routes, a refusal,
    /// too.
    ///
    /// Opaque tokens are asked about anyway. A JWT is proven by its signature, which nobody takes
    /// back: its verifier needs somebody to ask, with `JwtVerifierBuilder::confirmed_by`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if a verifier of this server, in whichever slot, cannot find out whether a token
    /// was revoked.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(all(feature = "axum", feature = "jwt", feature = "introspection", feature = "reqwest"))] {
    /// use axum::{Router, routing::post};
    /// use portcullis::{ClientAuth, Freshness, IntrospectionVerifier, JwtVerifier, ResourceServer};
    /// use std::time::Duration;
    ///
    /// # async fn transfer() {}
    /// let audience = "https://api.example.com/";
    /// let introspection = IntrospectionVerifier::builder(
    ///     "https://as.example/introspect",
    ///     ClientAuth::basic("calendar", "s3cret"),
    ///     audience,
    /// );
    /// let jwt = JwtVerifier::builder("https://as.example", audience)
    ///     .confirmed_by(introspection.build()?)
    ///     .build()?;
    /// let server = ResourceServer::builder().verifier(jwt).build()?;
    ///
    /// let fresh = server.fresh(Freshness::within(Duration::from_secs(5)))?;
    /// let app: Router = Router::new()
    ///     .route("/transfer", post(transfer))
    ///     .route_layer(fresh.layer()) // inside of the gate
    ///     .layer(server.layer());
    /// # }
    /// # Ok::<(), portcullis::ConfigError>(())
    /// ```
    pub fn fresh(&self, freshness: Freshness) -> Result<FreshGuard, ConfigError> {
        for (when, verifier) in self.0.slots().flat_map(|slot| &slot.routes) {
            if let Some(blind) = verifier.blind() {
                return Err(cannot_see(when, blind));
            }
        }
        Ok(FreshGuard {
            server: self.clone(),
            freshness,
        })
    }
}

fn cannot_see(when: &When, Blind { whose, wanted }: Blind) -> ConfigError {
    let which = match whose {
        Some(whose) => format!("the verifier of {whose}"),
        None if when.is_always() => "the verifier for every credential".to_owned(),
        None => format!("the verifier of {when:?}"),
    };
    ConfigError::new(format!(
        "{which} cannot find out whether a token was revoked, wanted {wanted}"
    ))
}

impl FreshGuard {
    /// Makes sure that every credential of a request that this guard's server has let in is known to
    /// stand, and asks if that is not known. The tokens in the request's extensions are then those
    /// that were confirmed, with the claims of now; the server's tie and checks are asked about them
    /// anew. What is waited for is bounded as in
    /// [`authenticate`](ResourceServer::authenticate).
    ///
    /// # Errors
    ///
    /// [`Error`] of kind `MissingCredential` if the request carries no token; `InvalidToken` if it
    /// stands no more, which is then forgotten for all routes; `Unavailable` if that cannot be found
    /// out, while other routes go on with what is remembered; what the tie and the checks say;
    /// `MissingLayer` if the nearest gate outside is not that of this server, or somebody has taken
    /// the credential out of the request. After all of them but `Unavailable` the request holds no
    /// token.
    ///
    /// # Examples
    ///
    /// ```
    /// # async fn transfer(
    /// #     server: portcullis::ResourceServer,
    /// #     fresh: portcullis::FreshGuard,
    /// #     mut parts: http::request::Parts,
    /// # ) -> Result<(), portcullis::Error> {
    /// server.authenticate(&mut parts).await?;
    /// fresh.confirm(&mut parts).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn confirm(&self, parts: &mut Parts) -> Result<(), Error> {
        match self.knows(parts)? {
            true => Ok(()),
            false => self.ask(parts).await,
        }
    }

    /// Whether everything is known that must be, without waiting.
    pub(crate) fn knows(&self, parts: &Parts) -> Result<bool, Error> {
        let presence = Presence::expect(&parts.extensions, "FreshGuard")?;
        if !presence.is_of(self.server.0.id) {
            // Its tokens are proven by other verifiers, under other policies.
            return Err(Error::new(
                Reason::MissingLayer,
                "FreshGuard found a request that another server verified last, wanted the layer of \
                 its own next outside of it",
            ));
        }
        let mut tokens = presence.tokens().peekable();
        if tokens.peek().is_none() {
            return Err(Error::missing_credential());
        }
        let (need, now) = (self.need(), self.server.0.clock.now());
        Ok(presence.is_made_up() || tokens.all(|token| need.met_by(token.confirmed_at(), now)))
    }

    /// Asks about the tokens of which too little is known.
    pub(crate) async fn ask(&self, parts: &mut Parts) -> Result<(), Error> {
        match self.confirmed(parts).await {
            Ok(Proven { first, second }) => {
                if let Some(presence) = parts.extensions.get_mut::<Presence>() {
                    presence.replace(first, second);
                }
                Ok(())
            }
            Err(error) => {
                if error.kind() != ErrorKind::Unavailable {
                    parts.extensions.remove::<Presence>();
                }
                Err(error)
            }
        }
    }

    /// One slot after the other, as the gate does.
    async fn confirmed(&self, parts: &Parts) -> Result<Proven, Error> {
        let (server, need) = (&self.server.0, self.need());
        let presence = Presence::expect(&parts.extensions, "FreshGuard")?;
        let mut proven = Proven {
            first: presence.token.clone(),
            second: presence.second().cloned(),
        };
        let mut asked = Vec::new();
        for side in [Side::First, Side::Second] {
            let token = proven.at(side);
            let confirmed = token.as_ref().map(|token| token.confirmed_at());
            if confirmed.is_none_or(|at| need.met_by(at, server.clock.now())) {
                continue;
            }
            let credential = server.slot(side).find(parts, server.limit)?.ok_or_else(|| {
                Error::new(
                    Reason::MissingLayer,
                    "FreshGuard found no credential in a request that had one, wanted what takes it \
                     out further inside",
                )
            })?;
            let confirmed = server.ask_verifier(side, &credential, need).await?;
            *token = Some(confirmed.clone());
            asked.push(confirmed);
        }
        server.tied(&proven)?;
        for token in &asked {
            server.checked(token, parts).await?;
        }
        Ok(proven)
    }

    fn need(&self) -> Need {
        Need::Standing(self.freshness)
    }
}

impl fmt::Debug for FreshGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FreshGuard")
            .field("freshness", &self.freshness)
            .field("server", &self.server)
            .finish()
    }
}
