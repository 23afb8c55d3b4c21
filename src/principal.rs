//! Who acts: a user, a machine, or nobody in particular.

use std::fmt;

use crate::claims::ClaimSet;

/// The one who acts: a subject, or a client on its own behalf.
///
/// The two are different even if their identifiers are equal (RFC 9068 §5, RFC 9700 §4.15): a
/// client named `alice` is not the user `alice`. Compare principals, not texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Principal<'a> {
    /// Somebody the issuer names in `sub`.
    Subject(&'a str),
    /// A client without a user: there is no `sub`, or it equals the `client_id`.
    Client(&'a str),
    /// Somebody the issuer has given a name, but does not know.
    Anonymous(&'a str),
    /// The issuer names nobody.
    Nobody,
}

impl fmt::Display for Principal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Principal::Subject(id) | Principal::Client(id) | Principal::Anonymous(id) => {
                f.write_str(id)
            }
            Principal::Nobody => f.write_str("nobody"),
        }
    }
}

/// What kind of principal acts: the question that [`ByUser`](crate::ByUser),
/// [`ByMachine`](crate::ByMachine) and [`ByAnonymous`](crate::ByAnonymous) ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PrincipalType {
    /// A person the issuer knows: there is a `sub`, and it is not the client.
    User,
    /// A client on its own behalf: there is no `sub`, or it equals the `client_id`.
    Machine,
    /// Somebody the issuer does not know, or nobody at all.
    Anonymous,
}

impl PrincipalType {
    /// What the standard claims say (RFC 9068 §2.2). Issuers that say it otherwise are told apart by
    /// [`ResourceServerBuilder::principals`](crate::ResourceServerBuilder::principals).
    pub fn of(claims: &ClaimSet) -> PrincipalType {
        match (claims.subject(), claims.client_id()) {
            (Some(subject), client) if client != Some(subject) => PrincipalType::User,
            (_, Some(_)) => PrincipalType::Machine,
            _ => PrincipalType::Anonymous,
        }
    }

    /// The principal of these claims, taken to be of this type.
    pub(crate) fn principal(self, claims: &ClaimSet) -> Principal<'_> {
        let (subject, client) = (claims.subject(), claims.client_id());
        match self {
            PrincipalType::User => subject.map(Principal::Subject),
            PrincipalType::Machine => client.or(subject).map(Principal::Client),
            PrincipalType::Anonymous => subject.map(Principal::Anonymous),
        }
        .unwrap_or(Principal::Nobody)
    }
}
