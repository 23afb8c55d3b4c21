//! Answers that the issuer signs (RFC 9701), so that who sits between us and the endpoint cannot change
//! them.

use std::time::Duration;

use serde_json::Value;

use crate::algorithm::Algorithm;
use crate::claims::ClaimSet;
use crate::clock::UnixTime;
use crate::error::Error;
use crate::jws::{Compact, Header, Room, Signed, Source};
use crate::kind::media_type;
use crate::lease::Lease;
use crate::rules::{ClaimRules, MayLack};
use crate::status::Status;
use crate::text::quote;
use crate::verify::Moment;

/// The media type of such an answer (RFC 9701 §5), without `application/`: its `typ`, too.
const TYP: &str = "token-introspection+jwt";

/// What a signed answer is judged by.
pub(super) struct SignedAnswers {
    keys: Source,
    rules: ClaimRules,
}

impl SignedAnswers {
    /// Of answers that `issuer` signs with `keys` for one of `audiences`: our identifiers, and our name
    /// as a client.
    pub(super) fn new(
        keys: Source,
        issuer: &str,
        audiences: Vec<Box<str>>,
        leeway: Duration,
    ) -> SignedAnswers {
        let may_lack = MayLack {
            iss: false,
            aud: false,
            ..MayLack::ALL
        };
        let mut rules = ClaimRules::new(Some(issuer), None, may_lack);
        rules.audiences = audiences;
        rules.any_audience = false;
        rules.leeway = leeway;
        rules.required = vec!["iat".into(), "token_introspection".into()];
        SignedAnswers { keys, rules }
    }

    pub(super) async fn ready(&self, moment: &Moment<'_>) -> Result<(), Error> {
        self.keys.ready(moment).await
    }

    pub(super) fn report(&self, moment: &Moment<'_>, status: &mut Status) {
        self.keys.report(moment, status);
    }

    /// The object `token_introspection` of a proven answer, and what the proof rests on.
    ///
    /// # Errors
    ///
    /// A sentence. Whatever is wrong with an answer, the token is not to blame.
    pub(super) async fn open(
        &self,
        answer: &str,
        moment: &Moment<'_>,
    ) -> Result<(String, Option<Lease>), String> {
        let why = |error: Error| error.to_string();
        let asked = moment.now();
        // The answer is younger than the question, and so may its key be.
        let moment = &Moment::of(moment.clock());
        let compact = Compact::split(answer.trim_ascii()).map_err(why)?;
        let (mut header, mut signature) = (Room::new(), Room::new());
        let header = Header::of(&compact, &mut header, Algorithm::ASYMMETRIC).map_err(why)?;
        let signed = Signed::new(compact, header, &mut signature).map_err(why)?;
        judge_typ(signed.header.typ.as_deref())?;
        let proof = self.keys.prove(&signed, Algorithm::ASYMMETRIC, moment);
        let lease = proof.await.map_err(why)?;
        let claims = ClaimSet::parse(compact.payload().map_err(why)?);
        let claims = claims.map_err(|error| error.to_string())?;
        // RFC 9701 §5: `iss` is the issuer, `aud` names us, `iat` says when.
        let now = moment.clock().now();
        self.rules.judge(&claims, now).map_err(why)?;
        let issued = claims.issued_at().unwrap_or(UnixTime::EPOCH);
        // What was signed before we asked is the answer to another question, shown again. `iat` counts
        // whole seconds.
        if issued + self.rules.leeway + Duration::from_secs(1) <= asked {
            return Err(format!(
                "answer was signed at {issued}, wanted one to the question of {asked}"
            ));
        }
        match claims.get("token_introspection") {
            Some(object @ Value::Object(_)) => Ok((object.to_string(), lease)),
            _ => Err("token_introspection is no object".to_owned()),
        }
    }
}

fn judge_typ(typ: Option<&str>) -> Result<(), String> {
    let found = typ.unwrap_or_default();
    match media_type(found).eq_ignore_ascii_case(TYP) {
        true => Ok(()),
        false => Err(format!("typ is {}, wanted {}", quote(found), quote(TYP))),
    }
}
