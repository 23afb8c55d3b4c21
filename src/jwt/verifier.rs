//! Proves JWT access tokens: the order of the checks, cheap ones first.

use std::fmt;
use std::time::Duration;

use super::builder::JwtVerifierBuilder;
use super::typ::{Typ, TypRules};
use crate::algorithm::Algorithm;
use crate::claims::{Alleged, ClaimError};
use crate::clock::UnixTime;
use crate::credential::Credential;
use crate::error::{Error, Reason};
use crate::jws::{Compact, Header, Headers, Room, Signed, Source, Unproven};
use crate::lease::Lease;
use crate::rules::ClaimRules;
use crate::status::Status;
use crate::text::{quote, withhold};
use crate::verified::Verified;
use crate::verify::{ErasedVerifier, Moment, Provenance, VerdictLifetime, Verifier};

/// Proves the JWT access tokens of one issuer (RFC 9068).
///
/// With a key at hand nothing is awaited; only a token whose key is unknown waits for the issuer.
///
/// # Examples
///
/// ```no_run
/// # #[cfg(feature = "reqwest")] {
/// use portcullis::JwtVerifier;
///
/// // Finds the keys through the issuer's metadata, when the first token comes.
/// let verifier = JwtVerifier::builder("https://as.example", "https://api.example.com/").build()?;
/// # }
/// # Ok::<(), portcullis::ConfigError>(())
/// ```
pub struct JwtVerifier {
    pub(super) rules: ClaimRules,
    pub(super) typ: TypRules,
    pub(super) algorithms: Vec<Algorithm>,
    pub(crate) keys: Source,
    pub(super) headers: Headers,
    pub(super) lifetime: VerdictLifetime,
    /// Who is asked whether a token still stands.
    pub(super) confirmed_by: Option<Box<dyn ErasedVerifier>>,
}

impl JwtVerifier {
    /// Begins a verifier for tokens whose `iss` is `issuer`, byte for byte, and whose `aud` names
    /// `audience`.
    pub fn builder(issuer: &str, audience: &str) -> JwtVerifierBuilder {
        JwtVerifierBuilder::new(issuer, audience)
    }

    pub(super) fn issuers(&self) -> &[Box<str>] {
        &self.rules.issuers
    }

    /// Takes the token apart, as far as that needs no key.
    fn open<'a>(
        &self,
        compact: Compact<'a>,
        header: Header<'a>,
        room: &'a mut Room,
    ) -> Result<Opened<'a>, Error> {
        let typ = self.typ.judge(header.typ.as_deref())?;
        let signed = Signed::new(compact, header, room)?;
        Ok(Opened { signed, typ })
    }

    /// Reads the claims, unless that was done, and refuses a token that is over before its signature is
    /// looked at: no refusal is as common, and so none may cost much. What else is wrong with claims
    /// is told once they are proven.
    ///
    /// That tells nobody anything. What is refused so would be refused in any case; that it has
    /// expired says of a forged token what its sender has put there, and of our clock what
    /// everybody knows.
    fn peek(
        &self,
        compact: &Compact<'_>,
        read: Option<Alleged>,
        now: UnixTime,
    ) -> Result<Result<Alleged, Error>, Error> {
        let alleged = read.map_or_else(|| alleged(compact), Ok);
        if let Ok(alleged) = &alleged
            && let Some(exp) = alleged.expires_at()
        {
            self.rules.judge_end(exp, now)?;
        }
        Ok(alleged)
    }

    /// What is left once the signature is proven.
    fn close(
        &self,
        opened: &Opened<'_>,
        alleged: Result<Alleged, Error>,
        lease: Option<Lease>,
        now: UnixTime,
    ) -> Result<Verified, Error> {
        let claims = alleged?.into_claims().map_err(malformed)?;
        self.rules.judge(&claims, now)?;
        opened.typ.judge(&claims)?;
        let mut verified = Verified::new(claims).with_leeway(self.rules.leeway);
        if let Some(typ) = &opened.signed.header.typ {
            verified = verified.with_typ(typ);
        }
        Ok(match lease {
            Some(lease) => verified.leased(lease),
            None => verified,
        })
    }

    /// Proves a token whose claims may have been read already. `None` if a key must be waited for.
    pub(super) fn prove_now(
        &self,
        compact: Compact<'_>,
        read: Option<Alleged>,
        moment: &Moment<'_>,
    ) -> Option<Result<Verified, Error>> {
        let (mut header, mut signature) = (Room::new(), Room::new());
        let known = self.headers.known();
        let prove = || -> Result<Verified, Unproven> {
            let (header, is_new) = match known.find(compact.header) {
                Some(header) => (header, false),
                None => (Header::of(&compact, &mut header, &self.algorithms)?, true),
            };
            let opened = self.open(compact, header, &mut signature)?;
            let signed = &opened.signed;
            let held = self.keys.held(moment);
            let found = held.find(&signed.header, &self.algorithms, moment);
            if let Err(Unproven::Refused(error)) = found {
                return Err(error.into());
            }
            // Nobody is asked for keys, either, for the sake of a token that is over.
            let alleged = self.peek(&compact, read, moment.now())?;
            let found = found?;
            found.proves(signed)?;
            if is_new {
                self.headers.remember(compact.header, &signed.header);
            }
            Ok(self.close(&opened, alleged, found.lease(), moment.now())?)
        };
        match prove() {
            Ok(verified) => Some(Ok(verified)),
            Err(Unproven::Refused(error)) => Some(Err(error)),
            Err(Unproven::Wait) => None,
        }
    }

    /// As [`prove_now`](Self::prove_now), and waits for the key.
    pub(super) async fn prove(
        &self,
        compact: Compact<'_>,
        read: Option<Alleged>,
        moment: &Moment<'_>,
    ) -> Result<Verified, Error> {
        let (mut header, mut signature) = (Room::new(), Room::new());
        let header = Header::of(&compact, &mut header, &self.algorithms)?;
        let opened = self.open(compact, header, &mut signature)?;
        let alleged = self.peek(&compact, read, moment.now())?;
        let proof = self.keys.prove(&opened.signed, &self.algorithms, moment);
        let lease = proof.await?;
        // The keys may have taken seconds.
        self.close(&opened, alleged, lease, moment.clock().now())
    }

    /// Whether an answer is about this very token, as far as it says whose it is.
    fn is_about(&self, answer: &Verified, token: &Verified) -> Result<(), Error> {
        let claims = token.claims();
        if let Some(issuer) = answer.issuer()
            && Some(issuer) != claims.issuer()
            // A former name is one of the same issuer.
            && !self.rules.issuers.iter().any(|name| **name == *issuer)
        {
            let why = about_another("iss", issuer, claims.issuer());
            return Err(Error::new(Reason::Issuer, why));
        }
        match answer.claims().subject() {
            Some(subject) if Some(subject) != claims.subject() => {
                let why = about_another("sub", subject, claims.subject());
                Err(Error::new(Reason::Subject, why))
            }
            _ => Ok(()),
        }
    }
}

fn about_another(claim: &str, found: &str, wanted: Option<&str>) -> String {
    format!(
        "whoever confirms the token says that its {claim} is {}, wanted {} as in the token",
        quote(found),
        wanted.map_or_else(|| "none".to_owned(), quote)
    )
}

/// What was read before a key was needed.
struct Opened<'a> {
    signed: Signed<'a>,
    typ: Typ,
}

/// Reads the claims of a token that nobody has proven.
pub(super) fn alleged(compact: &Compact<'_>) -> Result<Alleged, Error> {
    Alleged::read(compact.payload()?).map_err(malformed)
}

fn malformed(error: ClaimError) -> Error {
    Error::saying(Reason::MalformedClaims, format_args!("{error}"))
}

impl Verifier for JwtVerifier {
    async fn verify(
        &self,
        credential: &Credential<'_>,
        moment: &Moment<'_>,
    ) -> Result<Verified, Error> {
        let compact = Compact::split(credential.token())?;
        self.prove(compact, None, moment).await
    }

    fn verify_now(
        &self,
        credential: &Credential<'_>,
        moment: &Moment<'_>,
    ) -> Option<Result<Verified, Error>> {
        match Compact::split(credential.token()) {
            Ok(compact) => self.prove_now(compact, None, moment),
            Err(error) => Some(Err(error)),
        }
    }

    fn sees_revocation(&self) -> bool {
        self.confirmed_by.is_some()
    }

    async fn confirm(
        &self,
        credential: &Credential<'_>,
        moment: &Moment<'_>,
    ) -> Result<Verified, Error> {
        // First the signature: nobody is asked about what is no token of this issuer.
        let verified = Verifier::verify(self, credential, moment).await?;
        let Some(confirmed_by) = &self.confirmed_by else {
            // Our fault, not the token's. `ResourceServer::fresh` sees that it does not come to this.
            let why = "there is nobody to ask whether the token was revoked";
            return Err(Error::unavailable(Duration::from_secs(5), why));
        };
        let answer = confirmed_by.confirm(credential, moment).await?;
        // The answer may repeat what was sent.
        let is_about = self.is_about(&answer, &verified);
        let unsaid = |told| withhold(told, [credential.token()]);
        is_about.map_err(|error| error.reworded(unsaid))?;
        Ok(verified.confirmed_at(moment.now()))
    }

    fn lifetime(&self) -> VerdictLifetime {
        self.lifetime
    }

    fn provenance(&self) -> Option<Provenance> {
        Some(Provenance {
            issuers: self.rules.issuers.clone(),
            secret: match &self.keys {
                Source::Secret(_, _, mark) => Some(*mark),
                _ => None,
            },
        })
    }

    fn status(&self, moment: &Moment<'_>) -> Status {
        let confirmed_by = self.confirmed_by.as_ref();
        let mut status = confirmed_by.map_or_else(Status::default, |by| by.status(moment));
        self.keys.report(moment, &mut status);
        status
    }

    async fn ready(&self, moment: &Moment<'_>) -> Result<(), Error> {
        self.keys.ready(moment).await?;
        match &self.confirmed_by {
            Some(confirmed_by) => confirmed_by.ready(moment).await,
            None => Ok(()),
        }
    }
}

impl fmt::Debug for JwtVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtVerifier")
            .field("rules", &self.rules)
            .field("algorithms", &self.algorithms)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use aws_lc_rs::hmac;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;
    use crate::clock::{Clock, SystemClock};

    #[test]
    fn the_header_of_a_token_that_proves_nothing_is_not_remembered() {
        let secret = [7; 32];
        let jwt = JwtVerifier::builder("https://as.example", "https://api.example");
        let jwt = jwt.hmac_secret(Algorithm::HS256, secret).build().unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"at+jwt","kid":"7"}"#);
        let end = clock.now().as_secs() + 60;
        let show = |secret: &[u8], exp: i64| {
            let claims = format!(
                r#"{{"iss":"https://as.example","aud":"https://api.example","sub":"a","exp":{exp}}}"#
            );
            let message = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims));
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
            let tag = URL_SAFE_NO_PAD.encode(hmac::sign(&key, message.as_bytes()));
            let token = format!("{message}.{tag}");
            let compact = Compact::split(&token).unwrap();
            let outcome = jwt.prove_now(compact, None, &Moment::of(&clock)).unwrap();
            let is_remembered = jwt.headers.known().find(&header).is_some();
            (
                outcome.map(drop).map_err(|error| error.reason()),
                is_remembered,
            )
        };
        // Else anybody could take the places of those that serve.
        assert_eq!(show(&[8; 32], end), (Err(Reason::Signature), false));
        assert_eq!(show(&secret, end - 3_600), (Err(Reason::Expired), false));
        assert_eq!(show(&secret, end), (Ok(()), true));
    }
}
