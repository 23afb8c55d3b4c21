//! What the gate demands of claims, whoever proved them (RFC 7519 §4.1, RFC 9068 §4): pure, one
//! sentence each.

use std::fmt;
use std::time::Duration;

use crate::claims::ClaimSet;
use crate::clock::UnixTime;
use crate::error::{ConfigError, Error, Reason};
use crate::text::{quote_list, quoted};

/// The longest leeway. More would only hide a broken clock.
const MOST_LEEWAY: Duration = Duration::from_secs(300);

/// The demands of one verifier.
#[derive(Clone, Debug)]
pub(crate) struct ClaimRules {
    /// Empty: any issuer.
    pub(crate) issuers: Vec<Box<str>>,
    /// Empty: the token must name nobody, unless `any_audience` says that nobody looks.
    pub(crate) audiences: Vec<Box<str>>,
    pub(crate) any_audience: bool,
    pub(crate) leeway: Duration,
    pub(crate) numeric_subject: bool,
    pub(crate) may_lack: MayLack,
    /// Claims that must be there besides those the rules name.
    pub(crate) required: Vec<Box<str>>,
}

/// Claims that are judged only if they are there. A present claim is always judged.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct MayLack {
    pub(crate) iss: bool,
    pub(crate) aud: bool,
    pub(crate) exp: bool,
    pub(crate) sub: bool,
}

impl MayLack {
    /// Nothing has to be there.
    #[cfg_attr(not(feature = "introspection"), allow(dead_code))]
    pub(crate) const ALL: MayLack = MayLack {
        iss: true,
        aud: true,
        exp: true,
        sub: true,
    };
}

impl ClaimRules {
    /// 30 seconds of leeway make up for clocks that NTP keeps, with a margin.
    pub(crate) fn new(
        issuer: Option<&str>,
        audience: Option<&str>,
        may_lack: MayLack,
    ) -> ClaimRules {
        ClaimRules {
            issuers: issuer.map(Into::into).into_iter().collect(),
            audiences: audience.map(Into::into).into_iter().collect(),
            any_audience: audience.is_none(),
            leeway: Duration::from_secs(30),
            numeric_subject: false,
            may_lack,
            required: Vec::new(),
        }
    }

    /// Checks the rules themselves, when a verifier is built.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        if self.issuers.iter().any(|issuer| issuer.is_empty()) {
            return Err(ConfigError::new(
                "issuer is empty, wanted the `iss` of the tokens",
            ));
        }
        if self.audiences.iter().any(|audience| audience.is_empty()) {
            return Err(ConfigError::new(
                "audience is empty, wanted the `aud` of the tokens",
            ));
        }
        if self.leeway > MOST_LEEWAY {
            return Err(ConfigError::new(format!(
                "leeway is {} s, wanted at most {} s",
                self.leeway.as_secs(),
                MOST_LEEWAY.as_secs()
            )));
        }
        Ok(())
    }

    /// Judges the claims at the moment `now`.
    pub(crate) fn judge(&self, claims: &ClaimSet, now: UnixTime) -> Result<(), Error> {
        self.judge_issuer(claims)?;
        self.judge_audience(claims)?;
        self.judge_times(claims, now)?;
        self.judge_subject(claims)?;
        // RFC 7800 §3.1: ignoring a binding we cannot check would turn a token that is useless to
        // a thief into a bearer token.
        if claims.marks().bound {
            return Err(Error::new(
                Reason::Bound,
                "token is bound to a key (cnf), wanted a bearer token",
            ));
        }
        match self.required.iter().find(|name| !claims.holds(name)) {
            Some(name) => Err(missing(name)),
            None => Ok(()),
        }
    }

    /// RFC 9068 §4: identical, byte for byte; no prefix, no normalisation.
    fn judge_issuer(&self, claims: &ClaimSet) -> Result<(), Error> {
        if self.issuers.is_empty() {
            return Ok(());
        }
        match claims.issuer() {
            Some(found) if self.issuers.iter().any(|issuer| **issuer == *found) => Ok(()),
            Some(found) => Err(other_issuer(found, &self.issuers)),
            None => demand(self.may_lack.iss, "iss"),
        }
    }

    /// The issuer, or the first of several.
    #[cfg_attr(not(feature = "introspection"), allow(dead_code))]
    pub(crate) fn issuer(&self) -> Option<&str> {
        self.issuers.first().map(|issuer| &**issuer)
    }

    /// RFC 9068 §4: one of the audiences is us.
    fn judge_audience(&self, claims: &ClaimSet) -> Result<(), Error> {
        let audience = claims.audience();
        let ours = self.audiences.iter().any(|own| audience.contains(own));
        if ours || (self.audiences.is_empty() && self.any_audience) {
            return Ok(());
        }
        if audience.is_absent() {
            return demand(self.may_lack.aud, "aud");
        }
        // RFC 7519 §4.1.3: who does not find itself in an `aud` that is there must refuse.
        let (found, wanted) = (quote_list(audience.iter()), Either(&self.audiences));
        Err(Error::saying(
            Reason::Audience,
            format_args!("audience is {found}, wanted {wanted}"),
        ))
    }

    /// Judges an `exp`, be it proven or not: who may have made up the token may have made up its end.
    pub(crate) fn judge_end(&self, exp: UnixTime, now: UnixTime) -> Result<(), Error> {
        // RFC 7519 §4.1.4: "on or after" is too late, so a token dies at its exp.
        match now >= exp + self.leeway {
            true => Err(Error::expired(exp, now)),
            false => Ok(()),
        }
    }

    fn judge_times(&self, claims: &ClaimSet, now: UnixTime) -> Result<(), Error> {
        match claims.expires_at() {
            Some(exp) => self.judge_end(exp, now)?,
            None => demand(self.may_lack.exp, "exp")?,
        }
        for (name, time) in [("nbf", claims.not_before()), ("iat", claims.issued_at())] {
            if let Some(time) = time.filter(|time| *time > now + self.leeway) {
                return Err(Error::new(
                    Reason::NotYetValid,
                    format!("{name} is {time}, it is {now}"),
                ));
            }
        }
        Ok(())
    }

    fn judge_subject(&self, claims: &ClaimSet) -> Result<(), Error> {
        match claims.subject() {
            None => demand(self.may_lack.sub, "sub"),
            Some("") => Err(Error::new(
                Reason::Subject,
                "sub is empty, wanted a subject",
            )),
            Some(_) if claims.subject_is_number() && !self.numeric_subject => Err(Error::new(
                Reason::Subject,
                "sub is a number, wanted a string",
            )),
            // Systems that number their users count from one; the rest stands for nobody.
            Some(digits) if claims.subject_is_number() && is_nobody(digits) => Err(Error::new(
                Reason::Subject,
                format!("sub is {digits}, wanted a positive number"),
            )),
            Some(_) => Ok(()),
        }
    }
}

/// The refusal of a token whose `iss` is none of `wanted`.
pub(crate) fn other_issuer(found: &str, wanted: &[Box<str>]) -> Error {
    let (found, wanted) = (quoted(found), Either(wanted));
    Error::saying(
        Reason::Issuer,
        format_args!("issuer is {found}, wanted {wanted}"),
    )
}

/// Lists what would have been right, the first of many.
struct Either<'a>(&'a [Box<str>]);

impl fmt::Display for Either<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LISTED: usize = 8;
        if self.0.is_empty() {
            return f.write_str("none");
        }
        for (place, own) in self.0.iter().take(LISTED).enumerate() {
            let or = if place == 0 { "" } else { " or " };
            write!(f, "{or}{}", quoted(own))?;
        }
        match self.0.len() {
            0..=LISTED => Ok(()),
            _ => f.write_str(" or ..."),
        }
    }
}

fn is_nobody(digits: &str) -> bool {
    digits == "0" || digits.starts_with('-')
}

fn demand(may_lack: bool, name: &str) -> Result<(), Error> {
    if may_lack { Ok(()) } else { Err(missing(name)) }
}

fn missing(name: &str) -> Error {
    Error::new(
        Reason::MissingClaim,
        format!("{name} is absent, wanted it in the token"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::from_secs(1_000);

    fn rules() -> ClaimRules {
        ClaimRules::new(
            Some("https://as.example"),
            Some("https://calendar.example"),
            MayLack::default(),
        )
    }

    /// Judges good claims after `change`; a `null` there removes the claim.
    fn judge(rules: &ClaimRules, change: &str) -> Result<(), String> {
        let mut claims: serde_json::Map<String, serde_json::Value> = serde_json::from_str(
            r#"{"iss":"https://as.example","aud":"https://calendar.example","exp":1100,"sub":"a"}"#,
        )
        .unwrap();
        let change: serde_json::Map<_, _> = serde_json::from_str(change).unwrap();
        for (name, value) in change {
            match value.is_null() {
                true => claims.remove(&name),
                false => claims.insert(name, value),
            };
        }
        let claims = ClaimSet::from_serialize(&claims).unwrap();
        rules
            .judge(&claims, NOW)
            .map_err(|error| format!("{}: {error}", error.reason().label()))
    }

    #[test]
    fn each_refusal_names_what_was_found_and_wanted() {
        let rules = rules();
        assert_eq!(judge(&rules, "{}"), Ok(()));
        for (change, sentence) in [
            (
                r#"{"iss":null}"#,
                "missing_claim: iss is absent, wanted it in the token",
            ),
            (
                r#"{"iss":"https://as.example/"}"#,
                r#"issuer: issuer is "https://as.example/", wanted "https://as.example""#,
            ),
            (
                r#"{"aud":null}"#,
                "missing_claim: aud is absent, wanted it in the token",
            ),
            (
                r#"{"aud":["https://billing.example"]}"#,
                r#"audience: audience is ["https://billing.example"], wanted "https://calendar.example""#,
            ),
            (
                r#"{"aud":[]}"#,
                r#"audience: audience is [], wanted "https://calendar.example""#,
            ),
            (
                r#"{"exp":null}"#,
                "missing_claim: exp is absent, wanted it in the token",
            ),
            (
                r#"{"exp":970}"#,
                "expired: token expired at 970, it is 1000",
            ),
            (
                r#"{"nbf":1030.001}"#,
                "not_yet_valid: nbf is 1030.001, it is 1000",
            ),
            (r#"{"iat":1031}"#, "not_yet_valid: iat is 1031, it is 1000"),
            (r#"{"sub":""}"#, "subject: sub is empty, wanted a subject"),
            (r#"{"sub":7}"#, "subject: sub is a number, wanted a string"),
            (
                r#"{"sub":null}"#,
                "missing_claim: sub is absent, wanted it in the token",
            ),
            (
                r#"{"cnf":{"jkt":"x"}}"#,
                "bound: token is bound to a key (cnf), wanted a bearer token",
            ),
        ] {
            assert_eq!(judge(&rules, change), Err(sentence.to_owned()), "{change}");
        }
        for change in [
            r#"{"exp":970.001}"#,
            r#"{"nbf":1030}"#,
            r#"{"aud":["x","https://calendar.example"]}"#,
        ] {
            assert_eq!(judge(&rules, change), Ok(()), "{change}");
        }
    }

    #[test]
    fn what_may_be_lacking_is_judged_when_it_is_there() {
        let lenient = ClaimRules {
            may_lack: MayLack::ALL,
            ..rules()
        };
        assert_eq!(
            judge(&lenient, r#"{"iss":null,"aud":null,"exp":null,"sub":null}"#),
            Ok(())
        );
        for change in [
            r#"{"iss":"x"}"#,
            r#"{"aud":"x"}"#,
            r#"{"exp":1}"#,
            r#"{"sub":""}"#,
        ] {
            assert!(judge(&lenient, change).is_err(), "{change}");
        }
    }

    #[test]
    fn what_may_be_told_otherwise() {
        let rules = ClaimRules {
            numeric_subject: true,
            required: vec!["jti".into()],
            ..rules()
        };
        assert_eq!(judge(&rules, r#"{"sub":7,"jti":"x"}"#), Ok(()));
        for nobody in [0, -1] {
            assert_eq!(
                judge(&rules, &format!(r#"{{"sub":{nobody},"jti":"x"}}"#)),
                Err(format!(
                    "subject: sub is {nobody}, wanted a positive number"
                ))
            );
        }
        assert_eq!(
            judge(&rules, "{}"),
            Err("missing_claim: jti is absent, wanted it in the token".to_owned())
        );
        // None of it makes a bearer token of one that is bound.
        assert_eq!(
            judge(&rules, r#"{"sub":7,"jti":"x","cnf":{"jkt":"x"}}"#),
            Err("bound: token is bound to a key (cnf), wanted a bearer token".to_owned())
        );
    }

    #[test]
    fn a_token_for_somebody_is_not_for_a_server_without_a_name() {
        let nameless = ClaimRules {
            audiences: Vec::new(),
            may_lack: MayLack {
                aud: true,
                ..MayLack::default()
            },
            ..rules()
        };
        assert_eq!(judge(&nameless, r#"{"aud":null}"#), Ok(()));
        assert_eq!(
            judge(&nameless, "{}"),
            Err(r#"audience: audience is ["https://calendar.example"], wanted none"#.to_owned())
        );
    }

    #[test]
    fn several_issuers_are_named_in_the_refusal() {
        let two = ClaimRules {
            issuers: vec!["a".into(), "https://as.example".into()],
            ..rules()
        };
        assert_eq!(judge(&two, "{}"), Ok(()));
        assert_eq!(
            judge(&two, r#"{"iss":"b"}"#),
            Err(r#"issuer: issuer is "b", wanted "a" or "https://as.example""#.to_owned())
        );
    }

    #[test]
    fn rules_that_cannot_be() {
        let refused = |rules: ClaimRules| rules.check().unwrap_err().to_string();
        assert_eq!(
            refused(ClaimRules {
                leeway: Duration::from_secs(301),
                ..rules()
            }),
            "leeway is 301 s, wanted at most 300 s"
        );
        let most = ClaimRules {
            leeway: MOST_LEEWAY,
            ..rules()
        };
        assert!(most.check().is_ok());
        assert_eq!(
            refused(ClaimRules {
                issuers: vec!["".into()],
                ..rules()
            }),
            "issuer is empty, wanted the `iss` of the tokens"
        );
        assert_eq!(
            refused(ClaimRules {
                audiences: vec!["".into()],
                ..rules()
            }),
            "audience is empty, wanted the `aud` of the tokens"
        );
    }
}
