//! The claims of a token: read once, strictly, and kept with the text they came from.

mod alleged;
mod error;
mod facts;

use std::fmt;
use std::sync::OnceLock;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

#[cfg_attr(not(feature = "jwt"), allow(unused_imports))]
pub(crate) use self::alleged::Alleged;
use self::alleged::Nulls;
pub use self::error::ClaimError;
use self::error::Fault;
use self::facts::{Facts, Flags, Span};
use crate::clock::UnixTime;
use crate::json;
use crate::scope::Scopes;

/// The claims of one token (RFC 7519 §4) or of one introspection answer (RFC 7662 §2.2).
///
/// The text is read in one pass: no member twice, bounded depth, and the claims the gate itself
/// judges have their proper types. Nothing here says that the claims are *true*; that is what a
/// [`Verifier`](crate::Verifier) establishes.
///
/// # Examples
///
/// ```
/// use portcullis::ClaimSet;
///
/// let claims = ClaimSet::parse(r#"{"sub":"alice","aud":["a","b"],"exp":1795231139.5}"#)?;
/// assert_eq!(claims.subject(), Some("alice"));
/// assert!(claims.audience().contains("b"));
/// assert_eq!(claims.expires_at().map(|t| t.as_millis()), Some(1_795_231_139_500));
///
/// let twice = ClaimSet::parse(r#"{"sub":"alice","sub":"bob"}"#);
/// assert_eq!(twice.unwrap_err().to_string(), "claims are no strict JSON object: a member is repeated");
/// # Ok::<(), portcullis::ClaimError>(())
/// ```
#[derive(Clone)]
pub struct ClaimSet {
    /// The JSON, and behind it the copies that [`facts`](Self::facts) may point to.
    text: Box<str>,
    facts: Facts,
    scopes: Scopes,
    /// Few tokens have any.
    permissions: Option<Box<Scopes>>,
    /// Built when somebody first asks for a claim by name.
    tree: OnceLock<Box<Map<String, Value>>>,
}

/// Claims whose presence matters, not their value.
#[cfg_attr(not(feature = "jwt"), allow(dead_code))]
#[derive(Default, Clone, Copy)]
pub(crate) struct Marks {
    /// A key the sender must prove to hold (RFC 7800): `cnf`.
    pub(crate) bound: bool,
    /// A claim that only ID tokens carry: `nonce`, `at_hash`, `c_hash`, `s_hash`.
    pub(crate) id_token: Option<&'static str>,
    /// `events`: the mark of a security event or logout token (RFC 8417 §2.2).
    pub(crate) events: bool,
}

impl ClaimSet {
    /// Reads claims from their JSON text.
    ///
    /// # Errors
    ///
    /// [`ClaimError`] if the text is no JSON object, repeats a member, nests deeper than 32
    /// levels, is larger than 4 GiB, or gives one of `iss`, `sub`, `aud`, `exp`, `nbf`, `iat`,
    /// `scope`, `scp`, `permissions` a type it may not have.
    pub fn parse(json: impl Into<Box<str>>) -> Result<ClaimSet, ClaimError> {
        ClaimSet::parse_with(json.into(), Nulls::Odd)
    }

    /// Reads claims of an answer whose writer may write `null` for what it does not know.
    pub(crate) fn parse_answer(json: impl Into<Box<str>>) -> Result<ClaimSet, ClaimError> {
        ClaimSet::parse_with(json.into(), Nulls::Absent)
    }

    fn parse_with(json: Box<str>, nulls: Nulls) -> Result<ClaimSet, ClaimError> {
        Alleged::read_with(json.into(), nulls)?.into_claims()
    }

    /// Takes claims from anything serde can write as a JSON object, such as `json!({..})` or a
    /// struct of your own. `null`, as serde writes `None`, reads as absent.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse), and if `value` cannot be written as JSON.
    pub fn from_serialize(value: &impl Serialize) -> Result<ClaimSet, ClaimError> {
        let json = serde_json::to_string(value).map_err(|_| ClaimError(Fault::Unwritable))?;
        ClaimSet::parse_answer(json)
    }

    /// `iss`: who issued the token.
    pub fn issuer(&self) -> Option<&str> {
        self.text(self.facts.places().iss)
    }

    /// `sub`: whom the token is about. A numeric `sub` reads as its digits; a
    /// [`JwtVerifier`](crate::JwtVerifier) refuses it unless it is told otherwise.
    pub fn subject(&self) -> Option<&str> {
        self.text(self.facts.places().sub)
    }

    /// `aud`: for whom the token is meant.
    pub fn audience(&self) -> Audience<'_> {
        Audience { claims: self }
    }

    /// `exp`: the moment from which the token is no longer good.
    pub fn expires_at(&self) -> Option<UnixTime> {
        self.facts.date(0)
    }

    /// `nbf`: the moment before which the token is not yet good.
    pub fn not_before(&self) -> Option<UnixTime> {
        self.facts.date(1)
    }

    /// `iat`: when the token was issued.
    pub fn issued_at(&self) -> Option<UnixTime> {
        self.facts.date(2)
    }

    /// `jti`: the token's own name, if it is a string.
    pub fn token_id(&self) -> Option<&str> {
        self.text(self.facts.places().jti)
    }

    /// `client_id`: the client that asked for the token (RFC 9068 §2.2); else `azp`, as issuers
    /// write it that predate that RFC (OpenID Connect Core §2).
    pub fn client_id(&self) -> Option<&str> {
        self.text(self.facts.places().client)
    }

    /// The scopes of `scope` (a space-separated string or an array), else those of `scp`. The two
    /// are never merged: a token that has both is judged by `scope` alone.
    pub fn scopes(&self) -> Scopes {
        self.scopes.clone()
    }

    /// The words of `permissions`. They are not scopes and never become scopes by themselves.
    pub fn permissions(&self) -> Scopes {
        self.granted_permissions().clone()
    }

    /// Any claim by its name. The first call reads the whole text again and remembers it.
    pub fn get(&self, name: &str) -> Option<&Value> {
        let tree = self.tree.get_or_init(|| {
            // The text was read strictly already, so this cannot fail.
            Box::new(serde_json::from_str(self.as_json()).unwrap_or_default())
        });
        tree.get(name)
    }

    /// Any claim, or a part of one, by a JSON pointer (RFC 6901), such as `/session/job_slug`.
    pub fn at(&self, pointer: &str) -> Option<&Value> {
        let path = pointer.strip_prefix('/')?;
        let (name, rest) = path.split_at(path.find('/').unwrap_or(path.len()));
        // RFC 6901 §4: `~1` first, so that `~01` is `~1` and no slash.
        let value = match name.contains('~') {
            true => self.get(&name.replace("~1", "/").replace("~0", "~")),
            false => self.get(name),
        };
        value?.pointer(rest)
    }

    /// Reads all claims as a type of your own.
    ///
    /// # Errors
    ///
    /// [`ClaimError`] if the claims do not have the shape of `T`.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, ClaimError> {
        serde_json::from_str(self.as_json()).map_err(|error| ClaimError::of_shape(&error))
    }

    /// The JSON text as it was read.
    pub fn as_json(&self) -> &str {
        let end = self.facts.places().json as usize;
        self.text.get(..end).unwrap_or_default()
    }

    /// Whether there is a claim of this name, and no `null`. It builds nothing that is kept.
    #[cfg_attr(not(any(feature = "jwt", feature = "introspection")), allow(dead_code))]
    pub(crate) fn holds(&self, name: &str) -> bool {
        let known = match name {
            "iss" => self.issuer().is_some(),
            "sub" => self.subject().is_some(),
            "jti" => self.token_id().is_some(),
            "exp" => self.expires_at().is_some(),
            "nbf" => self.not_before().is_some(),
            "iat" => self.issued_at().is_some(),
            _ => false,
        };
        let mut found = known;
        if !known {
            // Read successfully once already.
            let _ = json::members(self.as_json(), |member, value| {
                found |= member == name && value != json::Json::Null;
            });
        }
        found
    }

    pub(crate) fn granted_scopes(&self) -> &Scopes {
        &self.scopes
    }

    pub(crate) fn granted_permissions(&self) -> &Scopes {
        self.permissions.as_deref().unwrap_or(Scopes::NONE)
    }

    #[cfg_attr(not(any(feature = "jwt", feature = "introspection")), allow(dead_code))]
    pub(crate) fn subject_is_number(&self) -> bool {
        self.facts.flags().has(Flags::NUMBER)
    }

    #[cfg_attr(not(any(feature = "jwt", feature = "introspection")), allow(dead_code))]
    pub(crate) fn marks(&self) -> Marks {
        let flags = self.facts.flags();
        Marks {
            bound: flags.has(Flags::BOUND),
            id_token: flags.of_id_token(),
            events: flags.has(Flags::EVENTS),
        }
    }

    /// A claim that is there begins behind the object's brace.
    fn text(&self, (start, end): Span<u32>) -> Option<&str> {
        if start == 0 {
            return None;
        }
        self.text.get(start as usize..end as usize)
    }
}

impl fmt::Debug for ClaimSet {
    /// Prints which claims there are, not what they say: they are somebody's personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names = Vec::new();
        // Read successfully once already.
        let _ = json::members(self.as_json(), |name, _| names.push(name.into_owned()));
        f.debug_tuple("ClaimSet").field(&names).finish()
    }
}

/// The `aud` claim: one identifier or several (RFC 7519 §4.1.3).
#[derive(Clone, Copy)]
pub struct Audience<'a> {
    claims: &'a ClaimSet,
}

impl<'a> Audience<'a> {
    /// Whether the token names `audience`, byte for byte.
    pub fn contains(&self, audience: &str) -> bool {
        self.iter().any(|named| named == audience)
    }

    /// The identifiers in the token's order.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let claims = self.claims;
        let whole = claims.text(claims.facts.places().aud);
        let (one, listed) = match claims.facts.flags().has(Flags::LISTED) {
            true => (None, whole),
            false => (whole, None),
        };
        let each = claims.facts.audiences().iter();
        one.into_iter()
            .chain(json::quoted(listed.unwrap_or_default()))
            .chain(each.filter_map(|span| claims.text(*span)))
    }

    /// Whether there is no `aud` at all. An empty list is there, and names nobody.
    pub fn is_absent(&self) -> bool {
        !self.claims.facts.flags().has(Flags::ADDRESSED)
    }
}

impl fmt::Debug for Audience<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(json: &str) -> String {
        ClaimSet::parse(json).unwrap_err().to_string()
    }

    #[test]
    fn reads_what_the_gate_judges() {
        let claims = ClaimSet::parse(
            r#"{"iss":"https:\/\/i","sub":"alice","aud":"a","exp":10.5,"nbf":1,"iat":2,"jti":"j",
                "client_id":"c","scope":"x y","permissions":["p q"],"cnf":{},"at_hash":"h"}"#,
        )
        .unwrap();
        assert_eq!(claims.issuer(), Some("https://i"));
        assert_eq!(claims.subject(), Some("alice"));
        assert_eq!(claims.audience().iter().collect::<Vec<_>>(), ["a"]);
        assert_eq!(claims.expires_at(), Some(UnixTime::from_millis(10_500)));
        assert_eq!(claims.token_id(), Some("j"));
        assert_eq!(claims.client_id(), Some("c"));
        assert_eq!(claims.scopes().to_string(), "x y");
        assert!(claims.permissions().contains_word("p q"));
        assert!(claims.marks().bound);
        assert_eq!(claims.marks().id_token, Some("at_hash"));
        assert_eq!(claims.get("sub"), Some(&Value::from("alice")));
        assert_eq!(claims.get("absent"), None);
    }

    #[test]
    fn a_pointer_leads_into_a_claim() {
        let claims = ClaimSet::parse(r#"{"a/b":{"~c":["x","y"]},"n":null,"":7}"#).unwrap();
        let at = |pointer: &str| claims.at(pointer).map(Value::to_string);
        assert_eq!(at("/a~1b/~0c/1").as_deref(), Some("\"y\""));
        assert_eq!(at("/n").as_deref(), Some("null"));
        assert_eq!(at("/").as_deref(), Some("7"));
        for nowhere in ["", "a", "a~1b", "/a~1b/~0c/2", "/a~1b/~0c/01", "/n/x", "/x"] {
            assert_eq!(at(nowhere), None, "{nowhere}");
        }
    }

    #[test]
    fn azp_stands_in_for_client_id() {
        let client = |json: &str| {
            let claims = ClaimSet::parse(json).unwrap();
            claims.client_id().map(str::to_owned)
        };
        assert_eq!(client(r#"{"azp":"web"}"#).as_deref(), Some("web"));
        assert_eq!(
            client(r#"{"azp":"web","client_id":"cli"}"#).as_deref(),
            Some("cli")
        );
        assert_eq!(client(r#"{"azp":7}"#), None);
    }

    #[test]
    fn says_which_claim_has_which_wrong_type() {
        assert_eq!(
            fault(r#"{"iss":["a"]}"#),
            "claim iss is an array of strings, wanted a string"
        );
        assert_eq!(
            fault(r#"{"exp":"1"}"#),
            "claim exp is a string, wanted a finite number"
        );
        assert_eq!(
            fault(r#"{"nbf":null}"#),
            "claim nbf is null, wanted a finite number"
        );
        assert_eq!(
            fault(r#"{"aud":42}"#),
            "claim aud is a number, wanted a string or an array of strings"
        );
        assert_eq!(
            fault(r#"{"aud":["a",1]}"#),
            "claim aud is an array, wanted a string or an array of strings"
        );
        assert_eq!(
            fault(r#"{"sub":1.5}"#),
            "claim sub is a number, wanted a string"
        );
        assert_eq!(
            fault(r#"{"scope":7}"#),
            "claim scope is a number, wanted a space-separated string or an array of strings"
        );
        assert_eq!(
            fault("[1]"),
            "claims are no strict JSON object: it is no object"
        );
    }

    #[test]
    fn scope_and_scp_are_never_merged() {
        let scopes = |json: &str| ClaimSet::parse(json).unwrap().scopes().to_string();
        assert_eq!(scopes(r#"{"scope":"a","scp":["b"]}"#), "a");
        assert_eq!(scopes(r#"{"scope":"","scp":["b"]}"#), "");
        assert_eq!(scopes(r#"{"scp":["b","c"]}"#), "b c");
        assert_eq!(scopes(r#"{"scp":"b c"}"#), "b c");
        assert_eq!(scopes(r#"{"scope":["a","b"]}"#), "a b");
        assert_eq!(scopes(r#"{"permissions":["p"]}"#), "");
    }

    #[test]
    fn a_numeric_subject_is_known_to_be_one() {
        let claims = ClaimSet::parse(r#"{"sub":4711}"#).unwrap();
        assert_eq!(claims.subject(), Some("4711"));
        assert!(claims.subject_is_number());
    }

    #[test]
    fn a_shape_error_does_not_quote_the_value() {
        #[derive(serde::Deserialize, Debug)]
        struct Party {
            #[allow(dead_code)]
            upid: u64,
        }
        let claims = ClaimSet::parse(r#"{"upid":"secret-party"}"#).unwrap();
        assert_eq!(
            claims.read::<Party>().unwrap_err().to_string(),
            "claims have another shape: another type at line 1 column 22"
        );
        let claims = ClaimSet::parse("{}").unwrap();
        assert_eq!(
            claims.read::<Party>().unwrap_err().to_string(),
            "claims have another shape: missing field `upid`"
        );
    }

    #[test]
    fn debug_shows_names_only() {
        let claims = ClaimSet::parse(r#"{"sub":"alice","email":"a@example"}"#).unwrap();
        assert_eq!(format!("{claims:?}"), r#"ClaimSet(["sub", "email"])"#);
        assert_eq!(claims.clone().subject(), Some("alice"));
    }
}
