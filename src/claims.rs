//! The claims of a token: read once, strictly, and kept with the text they came from.

use std::borrow::Cow;
use std::fmt;
use std::sync::OnceLock;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::clock::UnixTime;
use crate::json::{self, Json, JsonError};
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
    json: Box<str>,
    iss: Option<Text>,
    sub: Option<Sub>,
    aud: Option<Vec<Text>>,
    exp: Option<UnixTime>,
    nbf: Option<UnixTime>,
    iat: Option<UnixTime>,
    jti: Option<Text>,
    client_id: Option<Text>,
    azp: Option<Text>,
    scope: Option<Scopes>,
    scp: Option<Scopes>,
    permissions: Scopes,
    marks: Marks,
    /// Built when somebody first asks for a claim by name.
    tree: OnceLock<Map<String, Value>>,
}

/// A part of the JSON text, or its own text where the JSON held escapes.
#[derive(Clone)]
enum Text {
    Span(u32, u32),
    Owned(Box<str>),
}

#[derive(Clone)]
enum Sub {
    Text(Text),
    Number(Box<str>),
}

/// What a `null` member is.
#[derive(Clone, Copy, PartialEq)]
enum Nulls {
    /// A member of a wrong type: a token's issuer has no reason to write it.
    Odd,
    Absent,
}

/// Claims whose presence matters, not their value.
#[derive(Default, Clone, Copy)]
pub(crate) struct Marks {
    /// A key the sender must prove to hold (RFC 7800): `cnf`.
    pub(crate) bound: bool,
    /// The first claim found that only ID tokens carry: `nonce`, `at_hash`, `c_hash`, `s_hash`.
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
        if u32::try_from(json.len()).is_err() {
            return Err(ClaimError(Fault::TooLarge));
        }
        let mut read = Reader::new(&json);
        json::members(&json, |name, value| {
            if nulls == Nulls::Odd || value != Json::Null {
                read.member(&name, value);
            }
        })
        .map_err(|error| ClaimError(Fault::Json(error)))?;
        if let Some(fault) = read.fault {
            return Err(ClaimError(fault));
        }
        let claims = read.claims;
        Ok(ClaimSet { json, ..claims })
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
        self.iss.as_ref().map(|text| self.text(text))
    }

    /// `sub`: whom the token is about. A numeric `sub` reads as its digits; a
    /// [`JwtVerifier`](crate::JwtVerifier) refuses it unless it is told otherwise.
    pub fn subject(&self) -> Option<&str> {
        self.sub.as_ref().map(|sub| match sub {
            Sub::Text(text) => self.text(text),
            Sub::Number(digits) => digits,
        })
    }

    /// `aud`: for whom the token is meant.
    pub fn audience(&self) -> Audience<'_> {
        Audience { claims: self }
    }

    /// `exp`: the moment from which the token is no longer good.
    pub fn expires_at(&self) -> Option<UnixTime> {
        self.exp
    }

    /// `nbf`: the moment before which the token is not yet good.
    pub fn not_before(&self) -> Option<UnixTime> {
        self.nbf
    }

    /// `iat`: when the token was issued.
    pub fn issued_at(&self) -> Option<UnixTime> {
        self.iat
    }

    /// `jti`: the token's own name, if it is a string.
    pub fn token_id(&self) -> Option<&str> {
        self.jti.as_ref().map(|text| self.text(text))
    }

    /// `client_id`: the client that asked for the token (RFC 9068 §2.2); else `azp`, as issuers
    /// write it that predate that RFC (OpenID Connect Core §2).
    pub fn client_id(&self) -> Option<&str> {
        let client = self.client_id.as_ref().or(self.azp.as_ref());
        client.map(|text| self.text(text))
    }

    /// The scopes of `scope` (a space-separated string or an array), else those of `scp`. The two
    /// are never merged: a token that has both is judged by `scope` alone.
    pub fn scopes(&self) -> Scopes {
        self.scope
            .as_ref()
            .or(self.scp.as_ref())
            .cloned()
            .unwrap_or_default()
    }

    /// The words of `permissions`. They are not scopes and never become scopes by themselves.
    pub fn permissions(&self) -> Scopes {
        self.permissions.clone()
    }

    /// Any claim by its name. The first call reads the whole text again and remembers it.
    pub fn get(&self, name: &str) -> Option<&Value> {
        let tree = self.tree.get_or_init(|| {
            // The text was read once already, so this cannot fail; an empty map denies.
            serde_json::from_str(&self.json).unwrap_or_default()
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
        serde_json::from_str(&self.json)
            .map_err(|error| ClaimError(Fault::Shape(safe_shape_error(&error))))
    }

    /// The JSON text as it was read.
    pub fn as_json(&self) -> &str {
        &self.json
    }

    #[cfg_attr(not(any(feature = "jwt", feature = "introspection")), allow(dead_code))]
    pub(crate) fn subject_is_number(&self) -> bool {
        matches!(self.sub, Some(Sub::Number(_)))
    }

    #[cfg_attr(not(any(feature = "jwt", feature = "introspection")), allow(dead_code))]
    pub(crate) fn marks(&self) -> Marks {
        self.marks
    }

    fn text<'a>(&'a self, text: &'a Text) -> &'a str {
        match text {
            // The span was made from a slice of this very text.
            Text::Span(start, end) => self
                .json
                .get(*start as usize..*end as usize)
                .unwrap_or_default(),
            Text::Owned(text) => text,
        }
    }
}

/// serde's messages quote values, and a claim's value has no place in a log line. Only the names of
/// members that the application's own type asks for are safe to repeat.
fn safe_shape_error(error: &serde_json::Error) -> String {
    let sentence = error.to_string();
    let safe = ["missing field `", "duplicate field `"];
    match sentence.split_once(" at line ") {
        Some((what, _)) if safe.iter().any(|start| what.starts_with(start)) => what.to_owned(),
        _ => format!(
            "another type at line {} column {}",
            error.line(),
            error.column()
        ),
    }
}

impl fmt::Debug for ClaimSet {
    /// Prints which claims there are, not what they say: they are somebody's personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names = Vec::new();
        // Read successfully once already.
        let _ = json::members(&self.json, |name, _| names.push(name.into_owned()));
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
        claims
            .aud
            .iter()
            .flatten()
            .map(move |text| claims.text(text))
    }

    /// Whether there is no `aud` at all. An empty list is there, and names nobody.
    pub fn is_absent(&self) -> bool {
        self.claims.aud.is_none()
    }
}

impl fmt::Debug for Audience<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Says why a text holds no claims the gate can judge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimError(Fault);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Fault {
    TooLarge,
    Json(JsonError),
    Unwritable,
    Type {
        claim: &'static str,
        found: &'static str,
        wanted: &'static str,
    },
    Shape(String),
}

impl fmt::Display for ClaimError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Fault::TooLarge => f.write_str("claims are larger than 4 GiB"),
            Fault::Json(fault) => write!(f, "claims are no strict JSON object: {fault}"),
            Fault::Unwritable => f.write_str("claims cannot be written as JSON"),
            Fault::Type {
                claim,
                found,
                wanted,
            } => {
                write!(f, "claim {claim} is {found}, wanted {wanted}")
            }
            Fault::Shape(fault) => write!(f, "claims have another shape: {fault}"),
        }
    }
}

impl std::error::Error for ClaimError {}

impl ClaimSet {
    fn empty() -> ClaimSet {
        ClaimSet {
            json: "{}".into(),
            iss: None,
            sub: None,
            aud: None,
            exp: None,
            nbf: None,
            iat: None,
            jti: None,
            client_id: None,
            azp: None,
            scope: None,
            scp: None,
            permissions: Scopes::default(),
            marks: Marks::default(),
            tree: OnceLock::new(),
        }
    }
}

/// Sorts the members of one object into their places.
struct Reader {
    /// Address of the text; only subtracted, never followed.
    base: usize,
    claims: ClaimSet,
    fault: Option<Fault>,
}

impl Reader {
    fn new(json: &str) -> Reader {
        Reader {
            base: json.as_ptr() as usize,
            claims: ClaimSet::empty(),
            fault: None,
        }
    }

    fn member(&mut self, name: &str, value: Json<'_>) {
        match name {
            "iss" => self.claims.iss = self.string("iss", value),
            "sub" => self.claims.sub = self.subject(value),
            "aud" => self.claims.aud = Some(self.audience(value)),
            "exp" => self.claims.exp = self.date("exp", value),
            "nbf" => self.claims.nbf = self.date("nbf", value),
            "iat" => self.claims.iat = self.date("iat", value),
            "jti" => self.claims.jti = self.optional_string(value),
            "client_id" => self.claims.client_id = self.optional_string(value),
            "azp" => self.claims.azp = self.optional_string(value),
            "scope" => self.claims.scope = self.words("scope", value, true),
            "scp" => self.claims.scp = self.words("scp", value, true),
            "permissions" => {
                self.claims.permissions =
                    self.words("permissions", value, false).unwrap_or_default();
            }
            "cnf" => self.claims.marks.bound = true,
            "events" => self.claims.marks.events = true,
            "nonce" => self.claims.marks.id_token = Some("nonce"),
            "at_hash" => self.claims.marks.id_token = Some("at_hash"),
            "c_hash" => self.claims.marks.id_token = Some("c_hash"),
            "s_hash" => self.claims.marks.id_token = Some("s_hash"),
            _ => {}
        }
    }

    fn wrong(&mut self, claim: &'static str, found: &Json<'_>, wanted: &'static str) {
        self.fault.get_or_insert(Fault::Type {
            claim,
            found: found.name(),
            wanted,
        });
    }

    fn text(&self, text: Cow<'_, str>) -> Text {
        match text {
            Cow::Borrowed(text) => {
                let start = text.as_ptr() as usize - self.base;
                // `parse` made sure that the whole text fits.
                Text::Span(start as u32, (start + text.len()) as u32)
            }
            Cow::Owned(text) => Text::Owned(text.into()),
        }
    }

    fn string(&mut self, claim: &'static str, value: Json<'_>) -> Option<Text> {
        match value {
            Json::String(text) => Some(self.text(text)),
            other => {
                self.wrong(claim, &other, "a string");
                None
            }
        }
    }

    /// For claims nobody judges by type: anything but a string reads as absent.
    fn optional_string(&mut self, value: Json<'_>) -> Option<Text> {
        match value {
            Json::String(text) => Some(self.text(text)),
            _ => None,
        }
    }

    fn subject(&mut self, value: Json<'_>) -> Option<Sub> {
        match value {
            Json::Integer(number) => Some(Sub::Number(number.to_string().into())),
            other => self.string("sub", other).map(Sub::Text),
        }
    }

    fn audience(&mut self, value: Json<'_>) -> Vec<Text> {
        match value {
            Json::String(text) => vec![self.text(text)],
            Json::Strings(texts) => texts.into_iter().map(|text| self.text(text)).collect(),
            other => {
                self.wrong("aud", &other, "a string or an array of strings");
                Vec::new()
            }
        }
    }

    fn date(&mut self, claim: &'static str, value: Json<'_>) -> Option<UnixTime> {
        let date = match value {
            Json::Integer(seconds) => UnixTime::from_numeric_date(seconds as f64),
            Json::Number(seconds) => UnixTime::from_numeric_date(seconds),
            _ => None,
        };
        if date.is_none() {
            self.wrong(claim, &value, "a finite number");
        }
        date
    }

    /// `null` reads as absent: some issuers write every member they know.
    fn words(&mut self, claim: &'static str, value: Json<'_>, split: bool) -> Option<Scopes> {
        match value {
            Json::Null => None,
            Json::String(list) if split => Some(list.split(' ').collect()),
            Json::Strings(words) => Some(words.into_iter().map(Cow::into_owned).collect()),
            other => {
                let wanted = if split {
                    "a space-separated string or an array of strings"
                } else {
                    "an array of strings"
                };
                self.wrong(claim, &other, wanted);
                None
            }
        }
    }
}

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
