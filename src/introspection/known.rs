//! Static secrets: a handful of credentials that are known from the start.

use std::fmt;
use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};

use crate::claims::ClaimSet;
use crate::clock::UnixTime;
use crate::credential::Credential;
use crate::error::{ConfigError, Error, Reason};
use crate::rules::{ClaimRules, MayLack};
use crate::secret::Secret;
use crate::verified::Verified;
use crate::verify::{Moment, VerdictLifetime, Verifier};

/// Proves static secrets, such as an app's or an administrator's: each stands for the claims given
/// with it.
///
/// What a request shows is compared with every secret, in a time that depends neither on where they
/// differ nor on which fits. The secrets themselves are not kept, only what SHA-256 makes of them, and
/// that is wiped from memory when this is dropped.
/// `exp` and `nbf` of the claims are judged if they are there, without leeway.
///
/// # Examples
///
/// ```
/// use portcullis::{Carrier, ClaimSet, Kind, ResourceServer, StaticTokens};
///
/// let secret = "28B061B9-A0D4-4E52-A0ED-EB6EA125F82A"; // from the environment, rather
/// let apps = StaticTokens::new().token(secret, ClaimSet::parse(r#"{"sub":"app-1"}"#)?)?;
/// let server = ResourceServer::builder()
///     .carrier(Carrier::header("App-Secret")?)
///     .kind(Kind::named("app"), apps)
///     .build()?;
/// # Ok::<(), portcullis::ConfigError>(())
/// ```
#[derive(Default)]
#[must_use]
pub struct StaticTokens(Vec<(Digest, ClaimSet)>);

/// Of a secret. Boxed, since a list that grows leaves behind what it held itself.
type Digest = Secret<Box<[u8]>>;

/// A secret of fewer characters can be guessed.
const SHORTEST: usize = 16;

impl StaticTokens {
    /// Begins without any secret: then every credential is refused.
    pub fn new() -> StaticTokens {
        StaticTokens::default()
    }

    /// Adds a secret and what it stands for.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the secret has fewer than 16 bytes or was added before.
    pub fn token(mut self, secret: &str, claims: ClaimSet) -> Result<StaticTokens, ConfigError> {
        if secret.len() < SHORTEST {
            return Err(ConfigError::new(format!(
                "static secret has {} bytes, wanted at least {SHORTEST}",
                secret.len()
            )));
        }
        let digest = sha256(secret);
        let is_it = |known: &Digest| verify_slices_are_equal(&known[..], &digest[..]).is_ok();
        if self.0.iter().any(|(known, _)| is_it(known)) {
            return Err(ConfigError::new(
                "static secret is there twice, wanted it once",
            ));
        }
        self.0.push((digest, claims));
        Ok(self)
    }

    fn prove(&self, token: &str, now: UnixTime) -> Result<Verified, Error> {
        let shown = sha256(token);
        let mut claims = None;
        // No early end: how long it takes must not tell which secret was nearly hit.
        for (known, theirs) in &self.0 {
            if verify_slices_are_equal(&known[..], &shown[..]).is_ok() {
                claims = Some(theirs);
            }
        }
        let Some(claims) = claims else {
            return Err(Error::new(
                Reason::Inactive,
                "credential is none of the static secrets",
            ));
        };
        let mut rules = ClaimRules::new(None, None, MayLack::ALL);
        rules.leeway = Duration::ZERO;
        rules.judge(claims, now)?;
        Ok(Verified::new(claims.clone()).confirmed_at(now))
    }
}

fn sha256(text: &str) -> Digest {
    Secret::new(digest(&SHA256, text.as_bytes()).as_ref().into())
}

impl Verifier for StaticTokens {
    async fn verify(
        &self,
        credential: &Credential<'_>,
        moment: &Moment<'_>,
    ) -> Result<Verified, Error> {
        self.prove(credential.token(), moment.now())
    }

    fn verify_now(
        &self,
        credential: &Credential<'_>,
        moment: &Moment<'_>,
    ) -> Option<Result<Verified, Error>> {
        Some(self.prove(credential.token(), moment.now()))
    }

    /// A secret is taken away by setting the gate up anew.
    fn sees_revocation(&self) -> bool {
        true
    }

    fn lifetime(&self) -> VerdictLifetime {
        VerdictLifetime::accepted(Duration::from_secs(300))
    }
}

impl fmt::Debug for StaticTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaticTokens")
            .field("secrets", &self.0.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(sub: &str) -> ClaimSet {
        ClaimSet::parse(format!(r#"{{"sub":"{sub}"}}"#)).unwrap()
    }

    #[test]
    fn each_secret_stands_for_its_claims() {
        let tokens = StaticTokens::new()
            .token("a secret of one app", claims("one"))
            .and_then(|tokens| tokens.token("a secret of another", claims("other")))
            .unwrap();
        let of = |token: &str| {
            tokens
                .prove(token, UnixTime::EPOCH)
                .map(|v| v.claims().subject().map(str::to_owned))
        };
        assert_eq!(of("a secret of one app").unwrap().as_deref(), Some("one"));
        assert_eq!(of("a secret of another").unwrap().as_deref(), Some("other"));
        for bad in ["", "a secret of one ap", "A secret of one app", "x"] {
            let error = of(bad).unwrap_err();
            assert_eq!(
                error.to_string(),
                "credential is none of the static secrets"
            );
        }
    }

    #[test]
    fn short_and_repeated_secrets_are_refused() {
        let short = StaticTokens::new().token("fifteen bytes..", claims("a"));
        assert_eq!(
            short.unwrap_err().to_string(),
            "static secret has 15 bytes, wanted at least 16"
        );
        let one = StaticTokens::new()
            .token("sixteen bytes...", claims("a"))
            .unwrap();
        assert_eq!(
            one.token("sixteen bytes...", claims("b"))
                .unwrap_err()
                .to_string(),
            "static secret is there twice, wanted it once"
        );
    }
}
