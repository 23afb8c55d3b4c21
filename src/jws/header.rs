//! The JOSE header: what it may ask for, and that it is not believed in anything else.

use std::borrow::Cow;

use super::compact::{Compact, Part, Room};
use crate::algorithm::Algorithm;
use crate::error::{Error, Reason};
use crate::json::{self, Json};
use crate::text::{QuotedList, quoted};

/// How long a key's name may be. It is hostile text (RFC 8725 §3.10), and names that a key set
/// lacks are remembered.
const LONGEST_KID: usize = 256;

/// The header members that count. Keys inside the token (`jwk`, `jku`, `x5u`, `x5c`) are not among
/// them: they are never read (RFC 8725 §3.10).
pub(crate) struct Header<'a> {
    pub(crate) algorithm: Algorithm,
    pub(crate) typ: Option<Cow<'a, str>>,
    pub(crate) kid: Option<Cow<'a, str>>,
}

impl<'a> Header<'a> {
    /// Reads the header of a compact JWS, in a `room` that it borrows from. `allowed` is as with
    /// [`read`](Self::read).
    pub(crate) fn of(
        compact: &Compact<'_>,
        room: &'a mut Room,
        allowed: &[Algorithm],
    ) -> Result<Header<'a>, Error> {
        Header::read(room.decode_text(Part::Header, compact.header)?, allowed)
    }

    /// Reads the header's JSON text. `allowed` is what the verifier's owner named; nothing else
    /// is tried (RFC 8725 §3.1).
    pub(super) fn read(text: &'a str, allowed: &[Algorithm]) -> Result<Header<'a>, Error> {
        let (mut alg, mut typ, mut kid) = (None, None, None);
        let mut critical = None;
        json::members(text, |name, value| match &*name {
            "alg" => alg = Some(value),
            "typ" => typ = Some(value),
            "kid" => kid = Some(value),
            // RFC 7515 §4.1.11: we understand no extension, so whatever the list says (and an
            // empty or malformed list is not allowed either), the token must be refused.
            "crit" => critical = Some("crit"),
            // RFC 7797 §6: b64 must be listed in crit; some issuers forget.
            "b64" if value != Json::Bool(true) => critical = Some("b64"),
            // RFC 7516 §4.1.3: it belongs to encryption. Whoever honours it here inflates the payload
            // and reads other claims than we do.
            "zip" => critical = Some("zip"),
            _ => {}
        })
        .map_err(|_| Error::new(Reason::MalformedToken, "header is no strict JSON object"))?;
        if let Some(name) = critical {
            return Err(Error::new(
                Reason::Critical,
                match name {
                    "crit" => "header has crit, wanted no extension: none is understood",
                    "b64" => "header has b64, wanted no extension: none is understood",
                    _ => "header has zip, wanted no compression of a signed payload",
                },
            ));
        }
        let Some(Json::String(alg)) = alg else {
            return Err(Error::new(
                Reason::Algorithm,
                "header has no alg, wanted the name of an algorithm",
            ));
        };
        let Some(algorithm) = allowed.iter().find(|allowed| allowed.name() == alg) else {
            let names = QuotedList(allowed.iter().map(|algorithm| algorithm.name()));
            return Err(Error::saying(
                Reason::Algorithm,
                format_args!("alg is {}, wanted one of {names}", quoted(&alg)),
            ));
        };
        let kid = string("kid", Reason::UnknownKey, kid)?;
        if let Some(kid) = kid.as_ref().filter(|kid| kid.len() > LONGEST_KID) {
            return Err(Error::saying(
                Reason::UnknownKey,
                format_args!("kid has {} bytes, wanted at most {LONGEST_KID}", kid.len()),
            ));
        }
        Ok(Header {
            algorithm: *algorithm,
            typ: string("typ", Reason::Type, typ)?,
            kid,
        })
    }
}

fn string<'a>(
    name: &str,
    reason: Reason,
    value: Option<Json<'a>>,
) -> Result<Option<Cow<'a, str>>, Error> {
    match value {
        None => Ok(None),
        Some(Json::String(text)) => Ok(Some(text)),
        Some(other) => Err(Error::saying(
            reason,
            format_args!("{name} is {}, wanted a string", other.name()),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> (Reason, String) {
        let error = Header::read(text, &[Algorithm::RS256]).err().unwrap();
        (error.reason(), error.to_string())
    }

    #[test]
    fn reads_what_counts() {
        let text = r#"{"alg":"RS256","typ":"at+jwt","kid":"k","jku":"https://evil.example"}"#;
        let header = Header::read(text, Algorithm::ASYMMETRIC).unwrap();
        assert_eq!(header.algorithm, Algorithm::RS256);
        assert_eq!(header.typ.as_deref(), Some("at+jwt"));
        assert_eq!(header.kid.as_deref(), Some("k"));
    }

    #[test]
    fn refuses_what_it_does_not_understand() {
        let critical = (
            Reason::Critical,
            "header has crit, wanted no extension: none is understood".to_owned(),
        );
        assert_eq!(refused(r#"{"alg":"RS256","crit":["exp"]}"#), critical);
        assert_eq!(refused(r#"{"alg":"RS256","crit":[]}"#), critical);
        assert_eq!(refused(r#"{"alg":"RS256","crit":"exp"}"#), critical);
        assert_eq!(
            refused(r#"{"alg":"RS256","b64":false}"#).0,
            Reason::Critical
        );
        // What it would be without.
        let plain = r#"{"alg":"RS256","b64":true}"#;
        assert!(Header::read(plain, &[Algorithm::RS256]).is_ok());
        assert_eq!(
            refused(r#"{"alg":"RS256","zip":"DEF"}"#),
            (
                Reason::Critical,
                "header has zip, wanted no compression of a signed payload".to_owned()
            )
        );
        assert_eq!(
            refused(r#"{"alg":"none"}"#),
            (
                Reason::Algorithm,
                "alg is \"none\", wanted one of [\"RS256\"]".to_owned()
            )
        );
        assert_eq!(refused(r#"{"alg":"HS256"}"#).0, Reason::Algorithm);
        assert_eq!(refused(r#"{"alg":["RS256"]}"#).0, Reason::Algorithm);
        assert_eq!(refused("{}").0, Reason::Algorithm);
        assert_eq!(
            refused(r#"{"alg":"RS256","kid":7}"#).1,
            "kid is a number, wanted a string"
        );
        let long = |len| format!(r#"{{"alg":"RS256","kid":"{}"}}"#, "k".repeat(len));
        assert_eq!(
            refused(&long(257)).1,
            "kid has 257 bytes, wanted at most 256"
        );
        assert!(Header::read(&long(256), &[Algorithm::RS256]).is_ok());
        assert_eq!(
            refused(r#"{"alg":"RS256","alg":"RS256"}"#).0,
            Reason::MalformedToken
        );
        assert_eq!(refused("[]").0, Reason::MalformedToken);
    }
}
