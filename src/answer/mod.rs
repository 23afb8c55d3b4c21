//! What a token look-up answered, when spelling and types are loose: read strictly all the same.

mod date;
mod error;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use serde_json::{Map, Number, Value};

use crate::clock::{MOST_SECONDS, UnixTime};
use crate::json::{self, JsonError};
use crate::scope::Scopes;

pub use self::error::AnswerError;

/// The answer of a session store or of an endpoint that is not RFC 7662, field by field.
///
/// Such answers spell one field in several ways and write numbers as strings. Ask with the
/// snake_case name: `user_id` finds `user_id`, `userId` and `userID`, since names are compared in
/// lower case (of ASCII) and without underscores. `null` and `""` read as absent, and so does what
/// is not there. Two members that read alike and differ are an error of that field; no answer is
/// better than the wrong one of two.
///
/// What is read is yours to turn into claims.
///
/// # Examples
///
/// ```
/// # #[cfg(not(feature = "introspection"))]
/// # fn main() {}
/// # #[cfg(feature = "introspection")]
/// # fn main() -> Result<(), portcullis::Unavailable> {
/// use portcullis::{ClaimSet, LookupAnswer, Unavailable};
/// use serde_json::json;
///
/// fn claims(answer: &str) -> Result<ClaimSet, Unavailable> {
///     let answer = LookupAnswer::parse(answer)?; // an error becomes `Unavailable`, and a 503
///     let user = answer.demand("user_id", LookupAnswer::id)?;
///     let expires = answer.demand("expires_at", LookupAnswer::time)?;
///     let scopes = answer.words("scopes")?.unwrap_or_default();
///     Ok(ClaimSet::from_serialize(&json!({
///         "sub": user,
///         "exp": expires.as_secs(),
///         "scope": scopes.to_string(),
///         "tenant": answer.text("tenant_id")?,
///     }))?)
/// }
///
/// let claims = claims(
///     r#"{"userID": 4711, "expires_at": "2026-11-24 15:20:00Z", "scopes": "a b", "tenantId": ""}"#,
/// )?;
/// assert_eq!(claims.subject(), Some("4711"));
/// assert_eq!(claims.expires_at().map(|time| time.as_secs()), Some(1_795_533_600));
/// assert_eq!(claims.scopes().to_string(), "a b");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct LookupAnswer {
    /// By the [`key`] of the name: each spelling of it, and what that says.
    fields: BTreeMap<String, Vec<(String, Value)>>,
}

/// What names are compared by.
fn key(name: &str) -> String {
    let letters = name.chars().filter(|letter| *letter != '_');
    letters.map(|letter| letter.to_ascii_lowercase()).collect()
}

impl LookupAnswer {
    /// Reads an answer from its JSON text.
    ///
    /// # Errors
    ///
    /// [`AnswerError`] if the text is no JSON object, repeats a member or nests deeper than 32
    /// levels.
    pub fn parse(json: &str) -> Result<LookupAnswer, AnswerError> {
        json::members(json, |_, _| {})?;
        let members: Map<String, Value> = serde_json::from_str(json).map_err(JsonError::from)?;
        let mut fields = BTreeMap::<String, Vec<(String, Value)>>::new();
        for (spelling, value) in members {
            let field = fields.entry(key(&spelling)).or_default();
            field.push((spelling, value));
        }
        Ok(LookupAnswer { fields })
    }

    /// Takes an answer from anything serde can write as a JSON object, such as `json!({..})` or
    /// the row of a store.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse), and if `value` cannot be written as JSON.
    pub fn from_serialize(value: &impl Serialize) -> Result<LookupAnswer, AnswerError> {
        let json = serde_json::to_string(value).map_err(|_| AnswerError::unwritable())?;
        LookupAnswer::parse(&json)
    }

    /// The field `name` as it is, for what is nested.
    ///
    /// # Errors
    ///
    /// [`AnswerError`] if two members read as `name` and differ.
    pub fn value(&self, name: &str) -> Result<Option<&Value>, AnswerError> {
        let members = self.fields.get(&key(name)).into_iter().flatten();
        let mut said = members.filter(|(_, value)| !value.is_null() && value != "");
        let Some((spelling, value)) = said.next() else {
            return Ok(None);
        };
        match said.find(|(_, other)| other != value) {
            None => Ok(Some(value)),
            Some((rival, _)) => Err(AnswerError::differ(name, [spelling, rival])),
        }
    }

    /// Everything the answer says of the field `name`, in whatever spelling, `null` and `""` too:
    /// for a field in which two that differ, or nothing at all, say something about the token.
    ///
    /// # Examples
    ///
    /// ```
    /// use portcullis::LookupAnswer;
    ///
    /// let answer = LookupAnswer::parse(r#"{"tenantId":"t-1","tenant_id":"t-2","scope":""}"#)?;
    /// assert!(answer.text("tenant_id").is_err());
    /// assert!(answer.each("tenant_id").eq(["t-1", "t-2"]));
    /// assert!(answer.each("scope").eq([""]));
    /// # Ok::<(), portcullis::AnswerError>(())
    /// ```
    pub fn each(&self, name: &str) -> impl Iterator<Item = &Value> + use<'_> {
        let members = self.fields.get(&key(name)).into_iter().flatten();
        members.map(|(_, value)| value)
    }

    /// The field `name`, a string.
    ///
    /// # Errors
    ///
    /// [`AnswerError`] if it is anything else, or given twice and differing.
    ///
    /// # Examples
    ///
    /// ```
    /// use portcullis::LookupAnswer;
    ///
    /// let answer = LookupAnswer::parse(r#"{"tenantId":"t-1","principalID":"","rank":7}"#)?;
    /// assert_eq!(answer.text("tenant_id")?, Some("t-1"));
    /// assert_eq!(answer.text("principal_id")?, None);
    /// assert_eq!(
    ///     answer.text("rank").unwrap_err().to_string(),
    ///     "field rank is a number, wanted a string"
    /// );
    /// # Ok::<(), portcullis::AnswerError>(())
    /// ```
    pub fn text(&self, name: &str) -> Result<Option<&str>, AnswerError> {
        self.read(name, "a string", Value::as_str)
    }

    /// The field `name`, an identifier: a string, or a whole number as its digits. Compare it as
    /// text: `"00001"` and `"1"` are two.
    ///
    /// # Errors
    ///
    /// [`AnswerError`] if it is anything else, or given twice and differing.
    pub fn id(&self, name: &str) -> Result<Option<Cow<'_, str>>, AnswerError> {
        self.read(name, "a string or a whole number", |value| match value {
            Value::String(text) => Some(Cow::Borrowed(text.as_str())),
            // Of a number that fits neither, digits were lost.
            Value::Number(number) if number.is_i64() || number.is_u64() => {
                Some(Cow::Owned(number.to_string()))
            }
            _ => None,
        })
    }

    /// The field `name`, a whole number, or a string of exactly its digits.
    ///
    /// # Errors
    ///
    /// [`AnswerError`] if it is anything else, does not fit 64 bits, or is given twice and
    /// differing.
    pub fn integer(&self, name: &str) -> Result<Option<i64>, AnswerError> {
        self.read(name, "a whole number or its digits", integer)
    }

    /// The field `name`, `true` or `false`. The words in quotes are neither.
    ///
    /// # Errors
    ///
    /// [`AnswerError`] if it is anything else, or given twice and differing.
    pub fn boolean(&self, name: &str) -> Result<Option<bool>, AnswerError> {
        self.read(name, "a boolean", Value::as_bool)
    }

    /// The field `name`, a moment: seconds since 1970 as a number or its digits, or a date in UTC,
    /// `2026-11-24T15:20:00Z` or `2026-11-24 15:20:00Z`, with or without a fraction of the second.
    ///
    /// # Errors
    ///
    /// [`AnswerError`] if it is anything else, or given twice and differing. More than 10^11
    /// seconds (the year 5138) can only be milliseconds, and are refused rather than guessed at.
    ///
    /// # Examples
    ///
    /// ```
    /// use portcullis::{LookupAnswer, UnixTime};
    ///
    /// let answer = LookupAnswer::parse(
    ///     r#"{"from":"1795533600","to":"2026-11-24 15:20:00Z","made":1795533600000}"#,
    /// )?;
    /// assert_eq!(answer.time("from")?, Some(UnixTime::from_secs(1_795_533_600)));
    /// assert_eq!(answer.time("to")?, answer.time("from")?);
    /// assert_eq!(
    ///     answer.time("made").unwrap_err().to_string(),
    ///     "field made is above 10^11, wanted seconds since 1970, not milliseconds"
    /// );
    /// # Ok::<(), portcullis::AnswerError>(())
    /// ```
    pub fn time(&self, name: &str) -> Result<Option<UnixTime>, AnswerError> {
        let wanted = "seconds since 1970 or a date such as 2026-11-24T15:20:00Z";
        let time = self.read(name, wanted, |value| match (integer(value), value) {
            (Some(seconds), _) => Some(Seconds::whole(seconds)),
            (None, Value::Number(number)) => Seconds::fractional(number),
            (None, Value::String(text)) => date::read(text).map(Seconds::Moment),
            _ => None,
        })?;
        match time {
            None => Ok(None),
            Some(Seconds::Moment(time)) => Ok(Some(time)),
            Some(Seconds::Milliseconds) => Err(AnswerError::wrong(
                name,
                "above 10^11",
                "seconds since 1970, not milliseconds",
            )),
        }
    }

    /// The field `name`, a set of words: a space-separated string or an array of strings, each one
    /// word.
    ///
    /// # Errors
    ///
    /// [`AnswerError`] if it is anything else, or given twice and differing.
    pub fn words(&self, name: &str) -> Result<Option<Scopes>, AnswerError> {
        let wanted = "a space-separated string or an array of strings";
        self.read(name, wanted, |value| match value {
            Value::String(list) => Some(list.split(' ').collect()),
            Value::Array(words) => words.iter().map(Value::as_str).collect(),
            _ => None,
        })
    }

    /// The field `name` that must be there, read by one of the methods above:
    /// `answer.demand("user_id", LookupAnswer::id)?`.
    ///
    /// # Errors
    ///
    /// [`AnswerError`] if it is absent, or if `read` says so.
    pub fn demand<'a, T>(
        &'a self,
        name: &str,
        read: impl FnOnce(&'a LookupAnswer, &str) -> Result<Option<T>, AnswerError>,
    ) -> Result<T, AnswerError> {
        read(self, name)?.ok_or_else(|| AnswerError::missing(name))
    }

    fn read<'a, T>(
        &'a self,
        name: &str,
        wanted: &'static str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, AnswerError> {
        let Some(value) = self.value(name)? else {
            return Ok(None);
        };
        match read(value) {
            Some(read) => Ok(Some(read)),
            None => Err(AnswerError::wrong(name, found(value), wanted)),
        }
    }
}

/// What a field is, in words that do not tell its value.
fn found(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// A whole number, or the string that a number prints as: no sign, blank or zero more.
fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(digits) => digits
            .parse()
            .ok()
            .filter(|number: &i64| number.to_string() == *digits),
        _ => None,
    }
}

/// What a number says about time.
enum Seconds {
    Moment(UnixTime),
    Milliseconds,
}

impl Seconds {
    fn whole(seconds: i64) -> Seconds {
        if seconds > MOST_SECONDS {
            return Seconds::Milliseconds;
        }
        Seconds::Moment(UnixTime::from_secs(seconds))
    }

    fn fractional(number: &Number) -> Option<Seconds> {
        let seconds = number.as_f64()?;
        if seconds > MOST_SECONDS as f64 {
            return Some(Seconds::Milliseconds);
        }
        UnixTime::from_numeric_date(seconds).map(Seconds::Moment)
    }
}

impl fmt::Debug for LookupAnswer {
    /// Prints which fields there are, not what they say: one of them may be the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.fields.values().flatten().map(|(name, _)| name);
        f.write_str("LookupAnswer")?;
        f.debug_list().entries(names).finish()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// As a token endpoint answers whose documents write some fields in one spelling, some in the
    /// other, and who no longer tells whom a token is for.
    const ENDPOINT: &str = r#"{"access_token":"tk_0123456789","expires_at":"2019-04-08 14:31:50Z",
        "authenticating_institution_id":"128807","principalID":"","principalIDNS":"",
        "context_institution_id":"128807","token_type":"bearer","expires_in":1199,
        "scope":"configPlatform context:128807","scopes":"configPlatform context:128807"}"#;

    /// As a session system answers that counts in seconds and dates its rows by name.
    const SESSION: &str = r#"{"appId":"0dfc","endpointId":"foo-bar","roleId":"56BD",
        "accountId":"9628","createTime":1420234258,"expiryTime":1420320658,"id":"E449",
        "forDevelopment":false,"createdAt":"2015-01-02T21:30:58.539Z","tokenId":"E449"}"#;

    /// As a gateway answers for which everything is text.
    const GATEWAY: &str = r#"{"token_type":"BearerToken","expires_in":"35999",
        "issued_at":"1633971685123","client_id":"7fb9","scope":"","refresh_count":"0",
        "api_product_list":"[one, two]","api_product_list_json":["one","two"]}"#;

    fn answer(json: &str) -> LookupAnswer {
        LookupAnswer::parse(json).unwrap()
    }

    fn time(value: Value) -> Result<Option<i64>, String> {
        let answer = LookupAnswer::from_serialize(&json!({ "at": value })).unwrap();
        let time = answer.time("at").map_err(|error| error.to_string())?;
        Ok(time.map(UnixTime::as_millis))
    }

    #[test]
    fn reads_the_answer_of_an_endpoint() {
        let answer = answer(ENDPOINT);
        let expires = UnixTime::from_secs(1_554_733_910);
        assert_eq!(answer.time("expires_at"), Ok(Some(expires)));
        assert_eq!(answer.integer("expires_in"), Ok(Some(1199)));
        assert_eq!(answer.text("principal_id"), Ok(None));
        assert_eq!(answer.text("principal_idns"), Ok(None));
        assert_eq!(answer.text("context_institution_id"), Ok(Some("128807")));
        assert_eq!(
            answer.id("authenticating_institution_id"),
            Ok(Some(Cow::Borrowed("128807")))
        );
        assert_eq!(answer.words("scope"), answer.words("scopes"));
        let scopes = answer.demand("scopes", LookupAnswer::words).unwrap();
        assert_eq!(scopes.to_string(), "configPlatform context:128807");
        assert_eq!(answer.text("refresh_token"), Ok(None));
    }

    #[test]
    fn reads_the_answer_of_a_session_system() {
        let answer = answer(SESSION);
        assert_eq!(answer.text("app_id"), Ok(Some("0dfc")));
        assert_eq!(answer.text("endpoint_id"), Ok(Some("foo-bar")));
        assert_eq!(answer.boolean("for_development"), Ok(Some(false)));
        let millis = |name| answer.time(name).unwrap().unwrap().as_millis();
        assert_eq!(millis("expiry_time") - millis("create_time"), 86_400_000);
        assert_eq!(millis("created_at"), 1_420_234_258_539);
        assert_eq!(answer.text("id"), answer.text("token_id"));
    }

    #[test]
    fn reads_the_answer_of_a_gateway() {
        let answer = answer(GATEWAY);
        assert_eq!(answer.integer("expires_in"), Ok(Some(35_999)));
        assert_eq!(answer.integer("refresh_count"), Ok(Some(0)));
        assert_eq!(answer.text("token_type"), Ok(Some("BearerToken")));
        assert_eq!(answer.words("scope"), Ok(None));
        assert_eq!(
            answer.value("api_product_list_json"),
            Ok(Some(&json!(["one", "two"])))
        );
        assert_eq!(
            answer.time("issued_at").unwrap_err().to_string(),
            "field issued_at is above 10^11, wanted seconds since 1970, not milliseconds"
        );
    }

    #[test]
    fn a_name_is_found_whatever_its_spelling() {
        for spelling in [
            "principal_id",
            "principalId",
            "principalID",
            "PrincipalID",
            "PRINCIPAL_ID",
            "_principal__id_",
        ] {
            let answer = LookupAnswer::from_serialize(&json!({ spelling: "p" })).unwrap();
            assert_eq!(answer.text("principal_id"), Ok(Some("p")), "{spelling}");
            assert_eq!(answer.text("principalID"), Ok(Some("p")), "{spelling}");
        }
        for other in ["principal-id", "principal id", "principal_ids", "principal"] {
            let answer = LookupAnswer::from_serialize(&json!({ other: "p" })).unwrap();
            assert_eq!(answer.text("principal_id"), Ok(None), "{other}");
        }
        // Lower case is that of ASCII; Unicode would make a `k` of the Kelvin sign.
        let kelvin = LookupAnswer::from_serialize(&json!({"to\u{212a}en": "x"})).unwrap();
        assert_eq!(kelvin.text("token"), Ok(None));
    }

    #[test]
    fn two_spellings_must_agree() {
        let differ = answer(r#"{"userID":"tk_one","user_id":"tk_two","n":1}"#);
        assert_eq!(
            differ.text("user_id").unwrap_err().to_string(),
            "field user_id is [\"userID\", \"user_id\"] with different values, wanted one"
        );
        for error in [
            differ.value("user_id").map(drop),
            differ.id("userId").map(drop),
            differ.words("user_id").map(drop),
            differ.demand("user_id", LookupAnswer::text).map(drop),
        ] {
            assert!(error.unwrap_err().to_string().contains("different"));
        }
        assert_eq!(differ.integer("n"), Ok(Some(1)));
        for (json, found) in [
            (r#"{"userID":"a","user_id":"a"}"#, "a"),
            (r#"{"userID":"a","user_id":""}"#, "a"),
            (r#"{"userID":null,"user_id":"a","user__id":null}"#, "a"),
        ] {
            assert_eq!(answer(json).text("user_id"), Ok(Some(found)), "{json}");
        }
        // A third that agrees with the first does not settle it, and neither does another type.
        for json in [
            r#"{"userID":"a","userId":"b","user_id":"a"}"#,
            r#"{"userID":"1","user_id":1}"#,
            r#"{"userID":"a","user_id":false}"#,
        ] {
            assert!(answer(json).text("user_id").is_err(), "{json}");
        }
    }

    #[test]
    fn null_and_the_empty_string_are_absent() {
        for json in [r#"{"x":null}"#, r#"{"x":""}"#, "{}"] {
            let answer = answer(json);
            assert_eq!(answer.value("x"), Ok(None));
            assert_eq!(answer.text("x"), Ok(None));
            assert_eq!(answer.id("x"), Ok(None));
            assert_eq!(answer.integer("x"), Ok(None));
            assert_eq!(answer.boolean("x"), Ok(None));
            assert_eq!(answer.time("x"), Ok(None));
            assert_eq!(answer.words("x"), Ok(None));
            assert_eq!(
                answer
                    .demand("x", LookupAnswer::integer)
                    .unwrap_err()
                    .to_string(),
                "field x is absent, wanted it in the answer"
            );
        }
        assert_eq!(answer(r#"{"x":" "}"#).text("x"), Ok(Some(" ")));
        assert_eq!(
            answer(r#"{"x":[]}"#).words("x"),
            Ok(Some(Scopes::default()))
        );
    }

    #[test]
    fn says_what_was_found_and_not_its_value() {
        let answer = answer(
            r#"{"flag":true,"word":"tk_secret","half":12.5,"huge":123456789012345678901234567890,
                "list":["tk_secret",1],"nested":{"tk_secret":1}}"#,
        );
        let told = |error: Result<(), AnswerError>| error.unwrap_err().to_string();
        for (sentence, wanted) in [
            (
                told(answer.text("flag").map(drop)),
                "field flag is a boolean, wanted a string",
            ),
            (
                told(answer.id("half").map(drop)),
                "field half is a number, wanted a string or a whole number",
            ),
            (
                told(answer.id("huge").map(drop)),
                "field huge is a number, wanted a string or a whole number",
            ),
            (
                told(answer.integer("word").map(drop)),
                "field word is a string, wanted a whole number or its digits",
            ),
            (
                told(answer.integer("half").map(drop)),
                "field half is a number, wanted a whole number or its digits",
            ),
            (
                told(answer.boolean("word").map(drop)),
                "field word is a string, wanted a boolean",
            ),
            (
                told(answer.time("nested").map(drop)),
                "field nested is an object, wanted seconds since 1970 or a date such as \
                 2026-11-24T15:20:00Z",
            ),
            (
                told(answer.words("list").map(drop)),
                "field list is an array, wanted a space-separated string or an array of strings",
            ),
        ] {
            assert_eq!(sentence, wanted);
        }
        assert_eq!(
            format!("{answer:?}"),
            r#"LookupAnswer["flag", "half", "huge", "list", "nested", "word"]"#
        );
    }

    #[test]
    fn digits_are_what_the_number_prints_as() {
        let integer = |value: Value| {
            let answer = LookupAnswer::from_serialize(&json!({ "n": value })).unwrap();
            answer.integer("n").ok().flatten()
        };
        for (value, number) in [
            (json!(0), 0),
            (json!("0"), 0),
            (json!("-7"), -7),
            (json!("9223372036854775807"), i64::MAX),
        ] {
            assert_eq!(integer(value), Some(number));
        }
        for odd in [
            json!("+1"),
            json!("01"),
            json!("-0"),
            json!(" 1"),
            json!("1 "),
            json!("1.0"),
            json!("1e3"),
            json!("0x1"),
            json!("\u{0661}"),
            json!("9223372036854775808"),
            json!(u64::MAX),
            json!(1.0),
            json!(true),
        ] {
            assert_eq!(integer(odd.clone()), None, "{odd}");
        }
    }

    #[test]
    fn an_identifier_keeps_its_digits() {
        let answer = answer(r#"{"a":"00001","b":1,"c":18446744073709551615,"d":-3}"#);
        for (name, id) in [
            ("a", "00001"),
            ("b", "1"),
            ("c", "18446744073709551615"),
            ("d", "-3"),
        ] {
            assert_eq!(answer.id(name).unwrap().as_deref(), Some(id));
        }
    }

    #[test]
    fn words_are_split_once() {
        let answer = answer(r#"{"a":"x  y","b":["x","y"],"c":["x y"]}"#);
        assert_eq!(answer.words("a"), answer.words("b"));
        let words = answer.demand("c", LookupAnswer::words).unwrap();
        assert_eq!(words.iter().collect::<Vec<_>>(), ["x y"]);
    }

    #[test]
    fn a_moment_is_seconds_or_a_date() {
        for (value, millis) in [
            (json!(1_420_320_658), 1_420_320_658_000),
            (json!("1420320658"), 1_420_320_658_000),
            (json!(1_420_320_658.5), 1_420_320_658_500),
            (json!(0), 0),
            (json!(-1), -1_000),
            (json!(100_000_000_000_i64), 100_000_000_000_000),
            (json!("2013-08-23 18:45:29Z"), 1_377_283_529_000),
            (json!("2015-01-02T21:30:58.539Z"), 1_420_234_258_539),
        ] {
            assert_eq!(time(value), Ok(Some(millis)));
        }
        let milliseconds = "field at is above 10^11, wanted seconds since 1970, not milliseconds";
        for value in [
            json!(100_000_000_001_i64),
            json!("163397168500"),
            json!(1_420_320_658_000_i64),
            json!(1_420_320_658_000.5),
            json!(u64::MAX),
            json!(1e300),
        ] {
            assert_eq!(time(value), Err(milliseconds.to_owned()));
        }
        let other = "wanted seconds since 1970 or a date such as 2026-11-24T15:20:00Z";
        for (value, found) in [
            (json!("1420320658.5"), "a string"),
            (json!("+1420320658"), "a string"),
            (json!("2013-08-23 18:45:29"), "a string"),
            (json!("99999999999999999999"), "a string"),
            (json!(true), "a boolean"),
            (json!([1]), "an array"),
        ] {
            assert_eq!(time(value), Err(format!("field at is {found}, {other}")));
        }
    }

    #[test]
    fn an_answer_is_one_strict_object() {
        let told = |json: &str| LookupAnswer::parse(json).unwrap_err().to_string();
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(40), "]".repeat(40));
        for (json, fault) in [
            (r#"{"a":1,"a":1}"#, "a member is repeated"),
            (r#"{"a":{"b":1,"b":2}}"#, "a member is repeated"),
            (r#"["tk_secret"]"#, "it is no object"),
            ("tk_secret", "no JSON at line 1 column 2"),
            ("", "no JSON at line 1 column 0"),
            (deep.as_str(), "it nests too deep"),
        ] {
            let wanted = format!("answer is no strict JSON object: {fault}");
            assert_eq!(told(json), wanted, "{json}");
        }
        let list = LookupAnswer::from_serialize(&[1]).unwrap_err();
        assert!(list.to_string().contains("no object"));
        let odd = std::collections::HashMap::from([(vec![1], 1)]);
        assert_eq!(
            LookupAnswer::from_serialize(&odd).unwrap_err().to_string(),
            "answer cannot be written as JSON"
        );
    }
}
