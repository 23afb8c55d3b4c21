//! What went wrong and whose fault it is.

mod config;
mod reason;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::UnixTime;
use crate::credential::{Carrier, CredentialError};
use crate::kind::Breach;
use crate::scope::Scope;

pub use self::config::ConfigError;
pub use self::reason::{ErrorKind, Reason};

/// A refusal: one sentence for a tired person, a kind for programs.
///
/// Its text says what was found and what was wanted. It never holds a token or a secret, but it
/// may quote claims (issuer, audience, key id): log it, do not send it to clients. Clients get the
/// fixed words of the challenge. Cloning is cheap.
///
/// # Examples
///
/// ```
/// use portcullis::{Error, ErrorKind};
/// use std::time::Duration;
///
/// let error = Error::unavailable(Duration::from_secs(3), "session store does not answer");
/// assert_eq!(error.kind(), ErrorKind::Unavailable);
/// assert_eq!(error.to_string(), "session store does not answer");
/// assert_eq!(error.retry_after(), Some(Duration::from_secs(3)));
/// ```
#[derive(Clone)]
pub struct Error(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    reason: Reason,
    sentence: Sentence,
    scopes: Vec<Scope>,
    retry_after: Option<Duration>,
    carrier: Option<Named>,
    /// Whether the log has been told already of what is behind it.
    is_told: bool,
    /// Whether it says nothing about whoever was to be asked: we are crowded, or the question was odd.
    is_ours: bool,
}

/// What is said.
#[derive(Clone, Debug)]
enum Sentence {
    Words(Cow<'static, str>),
    /// The commonest of all refusals is put into words only if somebody reads it.
    #[cfg_attr(not(any(feature = "jwt", feature = "introspection")), allow(dead_code))]
    Expired {
        at: UnixTime,
        now: UnixTime,
    },
}

impl fmt::Display for Sentence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Sentence::Words(words) => f.write_str(words),
            Sentence::Expired { at, now } => write!(f, "token expired at {at}, it is {now}"),
        }
    }
}

/// Where the credential sits: the carrier itself, which is shared, or its name.
#[derive(Clone)]
pub(crate) enum Named {
    Carrier(Carrier),
    Name(Box<str>),
}

impl From<&Carrier> for Named {
    fn from(carrier: &Carrier) -> Named {
        Named::Carrier(carrier.clone())
    }
}

impl From<&str> for Named {
    fn from(name: &str) -> Named {
        Named::Name(name.into())
    }
}

impl Error {
    pub(crate) fn new(reason: Reason, sentence: impl Into<Cow<'static, str>>) -> Error {
        Error::with(reason, Sentence::Words(sentence.into()))
    }

    /// Refuses what was good until `at`.
    #[cfg_attr(not(any(feature = "jwt", feature = "introspection")), allow(dead_code))]
    pub(crate) fn expired(at: UnixTime, now: UnixTime) -> Error {
        Error::with(Reason::Expired, Sentence::Expired { at, now })
    }

    fn with(reason: Reason, sentence: Sentence) -> Error {
        Error(Arc::new(Inner {
            reason,
            sentence,
            scopes: Vec::new(),
            retry_after: None,
            carrier: None,
            is_told: false,
            is_ours: false,
        }))
    }

    /// As [`new`](Self::new), with a sentence that is written here: into one allocation.
    pub(crate) fn saying(reason: Reason, words: fmt::Arguments<'_>) -> Error {
        Error::new(reason, crate::text::sentence(words))
    }

    /// Says that a token is needed and none was sent: 401 with a bare challenge. For callers of
    /// [`ResourceServer::authenticate`](crate::ResourceServer::authenticate) that serve no
    /// strangers.
    pub fn missing_credential() -> Error {
        Error::new(Reason::NoCredential, "request carries no credential")
    }

    /// As [`missing_credential`](Self::missing_credential), and names where it should sit.
    pub(crate) fn missing_in(carrier: &str) -> Error {
        Error::saying(
            Reason::NoCredential,
            format_args!("request carries no credential in {carrier}"),
        )
        .about(carrier)
    }

    /// Refuses a credential: 401 `invalid_token`. For verifiers of your own.
    pub fn invalid_token(sentence: impl Into<Cow<'static, str>>) -> Error {
        Error::new(Reason::Refused, sentence)
    }

    /// Refuses a good token at this resource: 403. For policies of your own.
    pub fn forbidden(sentence: impl Into<Cow<'static, str>>) -> Error {
        Error::new(Reason::Denied, sentence)
    }

    /// As [`forbidden`](Self::forbidden), but with the 404 of a resource that does not exist. Answer
    /// with it for both, and nobody can tell the two apart.
    pub fn not_found(sentence: impl Into<Cow<'static, str>>) -> Error {
        Error::new(Reason::Hidden, sentence)
    }

    /// Refuses a request whose parameters do not say which resource is meant: 400
    /// `invalid_request`. For policies of your own.
    pub fn invalid_request(sentence: impl Into<Cow<'static, str>>) -> Error {
        Error::new(Reason::Parameter, sentence)
    }

    /// Says that something the verification depends on is down: 503, to be tried again after
    /// `retry_after`. For verifiers of your own.
    pub fn unavailable(retry_after: Duration, sentence: impl Into<Cow<'static, str>>) -> Error {
        Error::new(Reason::LookupUnavailable, sentence).with_retry_after(retry_after)
    }

    pub(crate) fn insufficient_scope(scopes: Vec<Scope>) -> Error {
        let wanted = crate::text::quote_list(scopes.iter().map(Scope::as_str));
        let mut error = Error::new(
            Reason::Scope,
            format!("token lacks a scope, wanted {wanted}"),
        );
        Arc::make_mut(&mut error.0).scopes = scopes;
        error
    }

    /// A layer outside has its own demands; a client that steps up must ask for those, too.
    pub(crate) fn with_more_scopes(mut self, more: &[Scope]) -> Error {
        if self.kind() == ErrorKind::InsufficientScope && !more.is_empty() {
            let scopes = &mut Arc::make_mut(&mut self.0).scopes;
            for scope in more {
                if !scopes.contains(scope) {
                    scopes.push(scope.clone());
                }
            }
        }
        self
    }

    /// Notes where the credential sits, or should sit, unless that is known already.
    pub(crate) fn about(mut self, carrier: impl Into<Named>) -> Error {
        let inner = Arc::make_mut(&mut self.0);
        inner.carrier.get_or_insert_with(|| carrier.into());
        self
    }

    pub(crate) fn with_retry_after(mut self, retry_after: Duration) -> Error {
        Arc::make_mut(&mut self.0).retry_after = Some(retry_after);
        self
    }

    /// Notes that the log has been told already of the outage behind it: once is enough for all whom it
    /// hits.
    #[cfg_attr(not(feature = "introspection"), allow(dead_code))]
    pub(crate) fn told(mut self) -> Error {
        Arc::make_mut(&mut self.0).is_told = true;
        self
    }

    pub(crate) fn is_told(&self) -> bool {
        self.0.is_told
    }

    /// Notes that whoever was to be asked may be well: what was accepted before does not serve for it.
    #[cfg_attr(
        not(any(feature = "introspection", feature = "cache")),
        allow(dead_code)
    )]
    pub(crate) fn ours(mut self) -> Error {
        Arc::make_mut(&mut self.0).is_ours = true;
        self
    }

    #[cfg_attr(not(feature = "cache"), allow(dead_code))]
    pub(crate) fn is_outage(&self) -> bool {
        self.kind() == ErrorKind::Unavailable && !self.0.is_ours
    }

    /// With other words, unless they are our own: a sentence may quote claims, and whoever wrote those may
    /// have put a secret there.
    #[cfg_attr(not(any(feature = "introspection", feature = "jwt")), allow(dead_code))]
    pub(crate) fn reworded(mut self, reword: impl FnOnce(String) -> String) -> Error {
        let Sentence::Words(Cow::Owned(sentence)) = self.0.sentence.clone() else {
            return self;
        };
        let sentence = reword(sentence);
        Arc::make_mut(&mut self.0).sentence = Sentence::Words(sentence.into());
        self
    }

    pub(crate) fn missing_layer(wanted: &str) -> Error {
        Error::new(
            Reason::MissingLayer,
            format!(
                "{wanted} found no verified request, wanted ResourceServer::layer outside of it"
            ),
        )
    }

    /// Whose fault it is.
    pub fn kind(&self) -> ErrorKind {
        self.0.reason.kind()
    }

    /// Why, one level finer.
    pub fn reason(&self) -> Reason {
        self.0.reason
    }

    /// The scopes the operation needs, if that is what is missing.
    pub fn scopes(&self) -> &[Scope] {
        &self.0.scopes
    }

    /// The [name](crate::Carrier::name) of the carrier the refused credential sits in, or a missing
    /// one should sit in. `None` if it is about no credential in particular.
    pub fn carrier(&self) -> Option<&str> {
        self.0.carrier.as_ref().map(|carrier| match carrier {
            Named::Carrier(carrier) => carrier.name(),
            Named::Name(name) => name,
        })
    }

    /// When to try again, if something we depend on is down.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }
}

impl From<CredentialError> for Error {
    fn from(error: CredentialError) -> Error {
        match error {
            CredentialError::Two(why) => Error::new(Reason::SeveralCredentials, why),
            CredentialError::Malformed(why) => Error::new(Reason::MalformedCredential, why),
            CredentialError::TooLong(why) => Error::new(Reason::CredentialTooLong, why),
        }
    }
}

impl From<Breach> for Error {
    fn from(breach: Breach) -> Error {
        match breach {
            Breach::Missing(why) => Error::new(Reason::MissingClaim, why),
            Breach::Malformed(why) => Error::new(Reason::MalformedClaims, why),
            Breach::NotYetValid(why) => Error::new(Reason::NotYetValid, why),
            Breach::Expired(why) => Error::new(Reason::Expired, why),
            Breach::Check(why) => Error::new(Reason::Refused, why),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.sentence.fmt(f)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("reason", &self.0.reason)
            .field(
                "sentence",
                &format_args!("{:?}", self.0.sentence.to_string()),
            )
            .finish_non_exhaustive()
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_unique_and_plain() {
        let mut labels: Vec<&str> = Reason::ALL.iter().map(|reason| reason.label()).collect();
        labels.sort_unstable();
        labels.dedup();
        assert_eq!(labels.len(), Reason::ALL.len());
        assert!(
            labels
                .iter()
                .all(|l| l.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
        );
    }

    #[test]
    fn outer_scopes_join_an_insufficient_scope_only() {
        let outer = [Scope::from_static("a"), Scope::from_static("b")];
        let error = Error::insufficient_scope(vec![Scope::from_static("b")]);
        assert_eq!(error.to_string(), "token lacks a scope, wanted [\"b\"]");
        let scopes = error.with_more_scopes(&outer);
        assert_eq!(
            scopes.scopes(),
            [Scope::from_static("b"), Scope::from_static("a")]
        );
        assert!(
            Error::forbidden("no")
                .with_more_scopes(&outer)
                .scopes()
                .is_empty()
        );
    }
}
