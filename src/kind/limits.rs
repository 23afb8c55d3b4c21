//! How long a token of one kind may live, beyond what its `exp` says.

use std::time::Duration;

use serde_json::Value;

use crate::claims::ClaimSet;
use crate::clock::{MOST_SECONDS, UnixTime};

/// The demands of a kind on time.
#[derive(Clone, Debug, Default)]
pub(super) struct Limits {
    pub(super) leeway: Option<Duration>,
    pub(super) max_age: Option<Duration>,
    pub(super) max_lifetime: Option<Duration>,
    /// JSON pointers of claims that are a second `exp`.
    pub(super) ends: Vec<Box<str>>,
}

/// The end of a token that meets the demands of its kind, or why it does not.
pub(crate) type Judged = Result<UnixTime, Breach>;

/// Why a token does not meet the demands of its kind; each with its sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Breach {
    Missing(String),
    Malformed(String),
    NotYetValid(String),
    Expired(String),
    Check(String),
}

impl Limits {
    /// `leeway` is the verifier's; it stands where the kind names no lesser one.
    pub(super) fn judge(&self, claims: &ClaimSet, leeway: Duration, now: UnixTime) -> Judged {
        // Never more than the verifier allows.
        let leeway = self.leeway.map_or(leeway, |own| own.min(leeway));
        if self.leeway.is_some() {
            self.judge_again(claims, leeway, now)?;
        }
        let mut end = UnixTime::MAX;
        let mut ends_at = |moment: UnixTime, what: &str| {
            if now >= moment + leeway {
                return Err(Breach::Expired(format!(
                    "{what} {moment} is over, it is {now}"
                )));
            }
            end = end.min(moment + leeway);
            Ok(())
        };
        if let (Some(_), Some(exp)) = (self.leeway, claims.expires_at()) {
            ends_at(exp, "exp")?;
        }
        if let Some(age) = self.max_age {
            let iat = claims.issued_at().ok_or_else(|| {
                Breach::Missing("iat is absent, wanted it for the token's age".to_owned())
            })?;
            let what = format!("iat {iat} plus {} s:", age.as_secs());
            ends_at(iat + age, &what)?;
        }
        for pointer in &self.ends {
            if let Some(moment) = moment_at(claims, pointer)? {
                ends_at(moment, pointer)?;
            }
        }
        if let (Some(most), Some(iat), Some(exp)) =
            (self.max_lifetime, claims.issued_at(), claims.expires_at())
        {
            let found = exp.since(iat);
            if found > most {
                return Err(Breach::Expired(format!(
                    "token lives {} s, wanted at most {} s",
                    found.as_secs(),
                    most.as_secs()
                )));
            }
        }
        Ok(end)
    }

    /// What the verifier has judged with its own leeway, with that of the kind.
    fn judge_again(
        &self,
        claims: &ClaimSet,
        leeway: Duration,
        now: UnixTime,
    ) -> Result<(), Breach> {
        for (name, time) in [("nbf", claims.not_before()), ("iat", claims.issued_at())] {
            if let Some(time) = time.filter(|time| *time > now + leeway) {
                return Err(Breach::NotYetValid(format!(
                    "{name} is {time}, it is {now}"
                )));
            }
        }
        Ok(())
    }
}

/// The moment at a JSON pointer (RFC 6901); `None` if there is nothing or `null`.
fn moment_at(claims: &ClaimSet, pointer: &str) -> Result<Option<UnixTime>, Breach> {
    let wanted = |found: &str| {
        Breach::Malformed(format!(
            "{pointer} is {found}, wanted seconds since 1970, at most 10^11"
        ))
    };
    match claims.at(pointer) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Number(number)) => {
            let seconds = number.as_f64().unwrap_or(f64::INFINITY);
            match UnixTime::from_numeric_date(seconds) {
                Some(moment) if seconds <= MOST_SECONDS as f64 => Ok(Some(moment)),
                _ => Err(wanted(&number.to_string())),
            }
        }
        Some(_) => Err(wanted("no number")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::from_secs(1_000);
    const LEEWAY: Duration = Duration::from_secs(30);

    fn judge(limits: &Limits, json: &str) -> Result<i64, String> {
        let claims = ClaimSet::parse(json).unwrap();
        match limits.judge(&claims, LEEWAY, NOW) {
            Ok(end) => Ok(end.as_secs()),
            Err(breach) => Err(format!("{breach:?}")),
        }
    }

    #[test]
    fn each_breach_says_what_was_found_and_wanted() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        let aged = Limits {
            max_age: seconds(100),
            ..Limits::default()
        };
        assert_eq!(judge(&aged, r#"{"iat":950}"#), Ok(1_080));
        assert_eq!(
            judge(&aged, r#"{"iat":870}"#),
            Err(r#"Expired("iat 870 plus 100 s: 970 is over, it is 1000")"#.to_owned())
        );
        assert_eq!(
            judge(&aged, "{}"),
            Err(r#"Missing("iat is absent, wanted it for the token's age")"#.to_owned())
        );
        let short = Limits {
            max_lifetime: seconds(1_800),
            ..Limits::default()
        };
        assert_eq!(
            judge(&short, r#"{"iat":990,"exp":108990}"#),
            Err(r#"Expired("token lives 108000 s, wanted at most 1800 s")"#.to_owned())
        );
        assert!(judge(&short, r#"{"iat":990,"exp":2790}"#).is_ok());
        assert!(judge(&short, r#"{"exp":108990}"#).is_ok());
    }

    #[test]
    fn a_second_exp_ends_a_token() {
        let limits = Limits {
            ends: vec!["/srv/expirationTime".into()],
            ..Limits::default()
        };
        let at = |value: &str| {
            judge(
                &limits,
                &format!(r#"{{"srv":{{"expirationTime":{value}}}}}"#),
            )
        };
        assert_eq!(at("1100"), Ok(1_130));
        assert_eq!(at("null"), Ok(UnixTime::MAX.as_secs()));
        assert_eq!(judge(&limits, "{}"), Ok(UnixTime::MAX.as_secs()));
        assert_eq!(
            at("970"),
            Err(r#"Expired("/srv/expirationTime 970 is over, it is 1000")"#.to_owned())
        );
        for odd in ["163397168400", "1633971684000", "1e300"] {
            assert!(at(odd).unwrap_err().starts_with("Malformed"), "{odd}");
        }
        assert_eq!(
            at("\"1100\""),
            Err(concat!(
                r#"Malformed("/srv/expirationTime is no number, "#,
                r#"wanted seconds since 1970, at most 10^11")"#
            )
            .to_owned())
        );
    }

    #[test]
    fn a_kind_may_allow_less_leeway_than_its_verifier() {
        let strict = Limits {
            leeway: Some(Duration::ZERO),
            ..Limits::default()
        };
        assert_eq!(judge(&strict, r#"{"exp":1001}"#), Ok(1_001));
        assert!(judge(&strict, r#"{"exp":1000}"#).is_err());
        assert!(judge(&strict, r#"{"exp":1100,"nbf":1001}"#).is_err());
        assert!(judge(&strict, r#"{"exp":1100,"iat":1001}"#).is_err());
        assert!(judge(&Limits::default(), r#"{"exp":1000,"nbf":1001}"#).is_ok());
        let some = Limits {
            leeway: Some(Duration::from_secs(10)),
            ..Limits::default()
        };
        for name in ["nbf", "iat"] {
            let at = |second: i64| judge(&some, &format!(r#"{{"exp":1100,"{name}":{second}}}"#));
            assert_eq!(at(1_010), Ok(1_110), "{name}");
            let early = format!(r#"NotYetValid("{name} is 1011, it is 1000")"#);
            assert_eq!(at(1_011), Err(early));
        }
    }
}
