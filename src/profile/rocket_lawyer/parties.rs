//! Who is party to what, and with which role: what the application knows, and the rule over it.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;

use serde::{Deserialize, Serialize};

use super::srv::{BoundClaims, InterviewId, Srv, UPID_NAMES, Upid};
use super::{General, TokenKind};
use crate::error::Error;
use crate::token::{AccessToken, Policy};

/// Which of a party's roles an endpoint admits.
pub trait PartyRule: 'static {
    /// Whether this is enough; `None` is a frontend that is bound to an interview and to no party.
    fn admits(role: Option<PartyRole>) -> bool;
}

/// Any party, and whoever holds a token for this very interview.
#[derive(Clone, Copy, Debug)]
pub struct AnyParty;

impl PartyRule for AnyParty {
    fn admits(_: Option<PartyRole>) -> bool {
        true
    }
}

macro_rules! party_roles {
    ($($(#[doc = $doc:literal])+ $role:ident;)+) => {
        /// The role of a party in a binder or an interview.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
        #[non_exhaustive]
        #[serde(rename_all = "UPPERCASE")]
        pub enum PartyRole {
            $($(#[doc = $doc])+ $role,)+
        }
        $(
            /// Demands the [`PartyRole`] of the same name.
            #[derive(Clone, Copy, Debug)]
            pub struct $role;

            impl PartyRule for $role {
                fn admits(role: Option<PartyRole>) -> bool {
                    role == Some(PartyRole::$role)
                }
            }
        )+
    };
}

party_roles! {
    /// Owns it.
    Owner;
    /// Signs it.
    Signer;
    /// Looks on.
    Viewer;
    /// Pays.
    Payer;
    /// Is paid.
    Payee;
}

/// A binder, an interview or a part of one, as the application keeps it.
pub trait Record: Send {
    /// The role of a party, or `None` if it is no party to this.
    fn role_of(&self, upid: &Upid) -> Option<PartyRole>;

    /// The interview that this is, or is a part of. Default: none, so that no token bound to an
    /// interview opens it.
    fn interview(&self) -> Option<&InterviewId> {
        None
    }

    /// Whether this belongs to the tenant that `srv` names by `partnerId` or `originalTenantId`.
    /// Default: tenants are not looked at.
    fn is_of_tenant(&self, srv: &Srv) -> bool {
        let _ = srv;
        true
    }
}

/// Where the application keeps its records, by what requests name: `InterviewId`, a binder's id.
pub trait Records<Key: ?Sized>: Send + Sync {
    /// What is kept.
    type Record: Record;

    /// Whether frontends get a 404 for what they may not touch, as for what does not exist.
    /// Default: they get a 403 for both.
    const HIDES: bool = false;

    /// The members of `srv` that may hold a UPID. Default: [`UPID_NAMES`].
    const UPID_NAMES: &'static [&'static str] = UPID_NAMES;

    /// Finds a record, `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`Error::unavailable`] if it cannot be found out now.
    fn find(&self, key: &Key) -> impl Future<Output = Result<Option<Self::Record>, Error>> + Send;
}

/// The policy of records `S` that have parties: `PermittedBy<Parties<Store, Owner>, Path<BinderId>>`.
///
/// A general token opens every record. Any other opens only what is of the interview it names *and*
/// has the party it names, with a role that `R` admits; if it names neither, it opens nothing.
// Not `Clone`: axum hands out a state of this very type to whoever wants a `Clone` one.
pub struct Parties<S, R = AnyParty>(S, PhantomData<fn() -> R>);

impl<S, R> Parties<S, R> {
    /// Makes the policy, for [`AccessToken::permitted_by`]; axum makes it of the router's state.
    pub fn of(records: S) -> Parties<S, R> {
        Parties(records, PhantomData)
    }
}

/// What [`Parties`] hands out.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Access<T> {
    /// The record.
    pub record: T,
    /// The party that asks. `None`: a backend, or a frontend that is bound to an interview alone.
    pub party: Option<Party>,
}

/// A party to a record.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Party {
    /// Who it is.
    pub upid: Upid,
    /// What it may do.
    pub role: PartyRole,
}

impl<Key, S, R> Policy<Key> for Parties<S, R>
where
    Key: Sync + ?Sized,
    S: Records<Key>,
    R: PartyRule,
{
    type Holder = AccessToken;
    type Answer = Access<S::Record>;

    const HIDES: bool = S::HIDES;

    async fn decide(
        &self,
        token: &AccessToken,
        key: &Key,
    ) -> Result<Option<Access<S::Record>>, Error> {
        if token.kind() == General::NAME {
            let record = self.0.find(key).await?;
            let record = record.ok_or_else(|| Error::not_found("there is no such record"))?;
            return Ok(Some(Access {
                record,
                party: None,
            }));
        }
        let srv = &token.claims_as::<BoundClaims>()?.srv;
        let upid = srv.upid_named(S::UPID_NAMES)?;
        if upid.is_none() && srv.interview_id.is_none() {
            return Err(Error::forbidden(
                "srv names neither an interview nor a party",
            ));
        }
        let record = self.0.find(key).await?;
        let judged = record
            .ok_or_else(|| "there is no such record".to_owned())
            .and_then(|record| {
                let party = judge::<R>(srv, upid, &record)?;
                Ok(Access { record, party })
            });
        judged.map(Some).map_err(|sentence| match S::HIDES {
            true => Error::not_found(sentence),
            false => Error::forbidden(sentence),
        })
    }
}

/// The party that asks for a record, or why the token does not open it.
fn judge<R: PartyRule>(
    srv: &Srv,
    upid: Option<Upid>,
    record: &impl Record,
) -> Result<Option<Party>, String> {
    if srv.interview_id.is_some() && srv.interview_id.as_ref() != record.interview() {
        return Err("the record is not of the interview that srv names".to_owned());
    }
    let party = match upid {
        None => None,
        Some(upid) => match record.role_of(&upid) {
            Some(role) => Some(Party { upid, role }),
            None => return Err("srv names nobody who is party to the record".to_owned()),
        },
    };
    let role = party.as_ref().map(|party| party.role);
    if !R::admits(role) {
        let wanted = std::any::type_name::<R>().rsplit("::").next();
        let wanted = wanted.unwrap_or_default();
        return Err(match role {
            Some(role) => format!("party is {role:?}, wanted {wanted}"),
            None => format!("srv names no party, wanted {wanted}"),
        });
    }
    match record.is_of_tenant(srv) {
        true => Ok(party),
        false => Err("the record is not of the tenant that srv names".to_owned()),
    }
}

impl<S: fmt::Debug, R> fmt::Debug for Parties<S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Parties").field(&self.0).finish()
    }
}

#[cfg(feature = "axum")]
impl<State, S, R> axum_core::extract::FromRef<State> for Parties<S, R>
where
    S: axum_core::extract::FromRef<State>,
{
    fn from_ref(state: &State) -> Parties<S, R> {
        Parties::of(S::from_ref(state))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Interview;

    impl Record for Interview {
        fn role_of(&self, upid: &Upid) -> Option<PartyRole> {
            (upid.as_str() == "bob").then_some(PartyRole::Signer)
        }

        fn is_of_tenant(&self, srv: &Srv) -> bool {
            srv.partner_id.as_deref() != Some("evil")
        }
    }

    fn judged<R: PartyRule>(srv: &str) -> Result<Option<PartyRole>, String> {
        let srv: Srv = serde_json::from_str(srv).unwrap();
        let party = judge::<R>(&srv, srv.upid().unwrap(), &Interview)?;
        Ok(party.map(|party| party.role))
    }

    #[test]
    fn a_refusal_says_what_does_not_fit() {
        let bob = r#"{"upid":"bob"}"#;
        assert_eq!(judged::<AnyParty>(bob), Ok(Some(PartyRole::Signer)));
        assert_eq!(judged::<Signer>(bob), Ok(Some(PartyRole::Signer)));
        for (refusal, wanted) in [
            (judged::<Owner>(bob), "party is Signer, wanted Owner"),
            (judged::<Owner>("{}"), "srv names no party, wanted Owner"),
            (
                judged::<AnyParty>(r#"{"upid":"eve"}"#),
                "srv names nobody who is party to the record",
            ),
            (
                judged::<AnyParty>(r#"{"upid":"bob","interviewId":"i"}"#),
                "the record is not of the interview that srv names",
            ),
            (
                judged::<AnyParty>(r#"{"upid":"bob","partnerId":"evil"}"#),
                "the record is not of the tenant that srv names",
            ),
        ] {
            assert_eq!(refusal.unwrap_err(), wanted);
        }
    }

    #[test]
    fn roles_are_spelled_as_the_system_does() {
        let role: PartyRole = serde_json::from_str("\"OWNER\"").unwrap();
        assert_eq!(role, PartyRole::Owner);
    }
}
