//! Whether a JWT says it is an access token (RFC 9068 §4), or belongs to an issuer that predates
//! saying so.

use crate::claims::ClaimSet;
use crate::error::{Error, Reason};
use crate::kind::media_type;
use crate::text::{QuotedList, quoted};

/// The `typ` of an access token (RFC 9068 §2.1).
const AT_JWT: &str = "at+jwt";

/// Which `typ` one issuer's access tokens have.
#[derive(Default)]
pub(super) struct TypRules {
    pub(super) legacy: Vec<Box<str>>,
    pub(super) admit_missing: bool,
}

/// What the header's `typ` settles.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Typ {
    AccessToken,
    /// Admitted by name; the claims must not say that it is something else.
    Legacy,
}

impl TypRules {
    /// Judges the header's `typ`. RFC 7515 §4.1.9: case does not matter, `application/` may be
    /// left out.
    pub(super) fn judge(&self, typ: Option<&str>) -> Result<Typ, Error> {
        let is = |found: &str, name: &str| media_type(found).eq_ignore_ascii_case(media_type(name));
        match typ {
            None if self.admit_missing => return Ok(Typ::Legacy),
            Some(found) if is(found, AT_JWT) => return Ok(Typ::AccessToken),
            Some(found) if self.legacy.iter().any(|name| is(found, name)) => {
                return Ok(Typ::Legacy);
            }
            _ => {}
        }
        let names = self.legacy.iter().map(|name| &**name);
        let wanted = QuotedList([AT_JWT].into_iter().chain(names));
        Err(match typ {
            Some(found) => Error::saying(
                Reason::Type,
                format_args!("typ is {}, wanted one of {wanted}", quoted(found)),
            ),
            None => Error::saying(
                Reason::Type,
                format_args!("typ is absent, wanted one of {wanted}"),
            ),
        })
    }
}

impl Typ {
    /// RFC 8725 §3.12: what else an issuer signs must not pass as an access token. `typ` says so;
    /// where an old issuer's `typ` says nothing, the claims do.
    pub(super) fn judge(self, claims: &ClaimSet) -> Result<(), Error> {
        let marks = claims.marks();
        let other = marks.id_token.or(marks.events.then_some("events"));
        match (self, other) {
            (Typ::Legacy, Some(name)) => Err(Error::new(
                Reason::OtherToken,
                format!("token has {name}, wanted an access token"),
            )),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typ_is_at_jwt_or_admitted_by_name() {
        let strict = TypRules::default();
        for good in [
            "at+jwt",
            "AT+JWT",
            "application/at+jwt",
            "Application/At+Jwt",
        ] {
            assert_eq!(
                strict.judge(Some(good)).unwrap(),
                Typ::AccessToken,
                "{good}"
            );
        }
        assert_eq!(
            strict.judge(Some("JWT")).unwrap_err().to_string(),
            r#"typ is "JWT", wanted one of ["at+jwt"]"#
        );
        assert_eq!(
            strict.judge(None).unwrap_err().to_string(),
            r#"typ is absent, wanted one of ["at+jwt"]"#
        );
        let lax = TypRules {
            legacy: vec!["JWT".into()],
            admit_missing: true,
        };
        assert_eq!(lax.judge(Some("jwt")).unwrap(), Typ::Legacy);
        assert_eq!(lax.judge(None).unwrap(), Typ::Legacy);
        assert_eq!(lax.judge(Some("at+jwt")).unwrap(), Typ::AccessToken);
        assert!(lax.judge(Some("logout+jwt")).is_err());
    }

    #[test]
    fn where_typ_says_nothing_the_claims_must_not_say_id_token() {
        for mark in ["nonce", "at_hash", "c_hash", "s_hash", "events"] {
            let claims = ClaimSet::parse(format!(r#"{{"{mark}":"x"}}"#)).unwrap();
            let error = Typ::Legacy.judge(&claims).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("token has {mark}, wanted an access token")
            );
            assert!(Typ::AccessToken.judge(&claims).is_ok());
        }
    }
}
