//! `srv`: which interview and which party a token is bound to.

use std::fmt;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::error::Error;

macro_rules! identifiers {
    ($($(#[doc = $doc:literal])+ $name:ident;)+) => { $(
        $(#[doc = $doc])+
        #[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
        pub struct $name(String);

        impl $name {
            /// The identifier as text. It compares byte for byte.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(id: &str) -> $name {
                $name(id.to_owned())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )+ };
}

identifiers! {
    /// Names an interview. As `Path<InterviewId>` it is read from a path with one parameter.
    InterviewId;
    /// Names a party: the universal party identifier.
    Upid;
}

/// The members of `srv` that have held a UPID, the newest name first.
pub const UPID_NAMES: &[&str] = &["upid", "partnerEndUserId", "owner"];

/// The claims of a token that is bound to something: scoped, or service.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct BoundClaims {
    /// What it is bound to.
    pub srv: Srv,
    /// The client that exchanged a service token for this one.
    #[serde(rename = "rl_api_client_id")]
    pub client_id: Option<String>,
}

/// What a service token was made for; each scoped token made of it says the same.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
#[serde(rename_all = "camelCase")]
pub struct Srv {
    /// Which API it is for; routes demand it with [`For`](super::For).
    pub purpose: Option<String>,
    /// The only interview it is good for, if it is bound to one.
    pub interview_id: Option<InterviewId>,
    /// When it ends, in seconds since 1970. The gate has looked.
    pub expiration_time: Option<i64>,
    /// The partner whose data it is about.
    pub partner_id: Option<String>,
    /// The tenant in whose name it was made.
    pub original_tenant_id: Option<String>,
    /// The brand under which it was made.
    pub brand_id: Option<String>,
    /// The client that asked for the service token.
    pub original_client_id: Option<String>,
    /// What else whoever asked for the service token wrote there, the UPID for one.
    #[serde(flatten)]
    pub properties: Map<String, Value>,
}

impl Srv {
    /// The party it is bound to, if it is bound to one, under any of [`UPID_NAMES`].
    ///
    /// # Errors
    ///
    /// As [`upid_named`](Self::upid_named).
    pub fn upid(&self) -> Result<Option<Upid>, Error> {
        self.upid_named(UPID_NAMES)
    }

    /// The party it is bound to: the first of the [`properties`](Self::properties) with one of these
    /// names. `null` reads as absent.
    ///
    /// # Errors
    ///
    /// [`Reason::Denied`](crate::Reason::Denied) (403) if two of them differ, or one is no text or
    /// empty.
    pub fn upid_named(&self, names: &[&str]) -> Result<Option<Upid>, Error> {
        let mut found: Option<(&str, &str)> = None;
        for name in names {
            let value = match self.properties.get(*name) {
                None | Some(Value::Null) => continue,
                Some(value) => value.as_str().filter(|text| !text.is_empty()),
            };
            match (value, found) {
                (None, _) => {
                    return Err(Error::forbidden(format!(
                        "srv.{name} is no text, wanted a UPID"
                    )));
                }
                (Some(upid), None) => found = Some((name, upid)),
                (Some(upid), Some((first, other))) if upid != other => {
                    return Err(Error::forbidden(format!(
                        "srv.{first} and srv.{name} differ, wanted one UPID"
                    )));
                }
                _ => {}
            }
        }
        Ok(found.map(|(_, upid)| upid.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upid(srv: &str) -> Result<String, String> {
        let srv: Srv = serde_json::from_str(srv).unwrap();
        let upid = srv.upid().map_err(|error| error.to_string())?;
        Ok(upid.map_or("none".to_owned(), |upid| upid.to_string()))
    }

    #[test]
    fn a_upid_has_one_value_under_all_its_names() {
        for (srv, wanted) in [
            ("{}", Ok("none")),
            (r#"{"upid":null,"originalClientId":"x"}"#, Ok("none")),
            (r#"{"owner":"a"}"#, Ok("a")),
            (r#"{"owner":"a","upid":"a"}"#, Ok("a")),
            (
                r#"{"owner":"a","upid":"b"}"#,
                Err("srv.upid and srv.owner differ, wanted one UPID"),
            ),
            (
                r#"{"upid":"a","partnerEndUserId":""}"#,
                Err("srv.partnerEndUserId is no text, wanted a UPID"),
            ),
            (r#"{"upid":7}"#, Err("srv.upid is no text, wanted a UPID")),
        ] {
            let wanted = wanted.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(upid(srv), wanted, "{srv}");
        }
    }
}
