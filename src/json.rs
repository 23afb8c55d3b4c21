//! Strict JSON: one pass, no member twice, bounded depth. Every document the gate reads (header,
//! claims, key set, metadata, introspection answer) goes through here.
//!
//! RFC 7515 §4 and RFC 7519 §4 leave a choice between refusing a repeated member and taking the
//! last. Two parsers that choose differently read two different tokens, so we refuse.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// How deep arrays and objects may nest. Real tokens need three or four levels.
pub(crate) const DEPTH: u8 = 32;

/// How the names begin by which serde_json's own types tell each other what they are.
///
/// In a document they are refused. With serde_json's feature `raw_value`, which axum turns on, an object
/// with such a member would be replaced by what its text says when the document is read again: members that
/// repeat and levels that nobody has counted, or a fault that takes all other claims along.
const PRIVATE: &str = "$serde_json::private::";

/// serde_json's name for a number when some crate of the build has turned `arbitrary_precision` on.
const BIG_NUMBER: &str = "$serde_json::private::Number";

/// A value that is looked at, borrowed from the text where it holds no escapes.
///
/// Objects are only checked, never kept: who wants one reads the whole document with serde.
#[derive(Debug, PartialEq)]
pub(crate) enum Json<'a> {
    Null,
    Bool(bool),
    /// A whole number below zero, to the last digit.
    Negative(i64),
    /// Any other whole number.
    Natural(u64),
    Number(f64),
    String(Cow<'a, str>),
    /// An array of nothing but strings: the first of them and the last, if there is any. None has
    /// escapes, so that they stand in the text as they are, between quotation marks.
    Strings(Option<(&'a str, &'a str)>),
    /// An array of nothing but strings, some of them with escapes. Who wants it reads it with serde.
    Escaped,
    /// Any other array.
    Array,
    Object,
}

impl Json<'_> {
    /// The JSON name of what was found, for error sentences.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Json::Null => "null",
            Json::Bool(_) => "a boolean",
            Json::Negative(_) | Json::Natural(_) | Json::Number(_) => "a number",
            Json::String(_) => "a string",
            Json::Strings(_) | Json::Escaped => "an array of strings",
            Json::Array => "an array",
            Json::Object => "an object",
        }
    }
}

/// Reads `text` as one object and hands each member to `member`, in order.
///
/// # Errors
///
/// If the text is no JSON object, repeats a member anywhere, nests deeper than [`DEPTH`], or has a member
/// whose name is serde_json's own.
pub(crate) fn members<'a>(
    text: &'a str,
    member: impl FnMut(Cow<'a, str>, Json<'a>),
) -> Result<(), JsonError> {
    let mut reader = serde_json::Deserializer::from_str(text);
    reader.deserialize_map(Members { text, member })?;
    Ok(reader.end()?)
}

/// Whether `text` is a JSON pointer to a member (RFC 6901 §3): a tilde stands for nothing but `~0` and
/// `~1`.
pub(crate) fn is_pointer(text: &str) -> bool {
    let mut after_tildes = text.split('~').skip(1);
    text.starts_with('/') && after_tildes.all(|rest| rest.starts_with(['0', '1']))
}

/// The strings of an array that has none with escapes: what stands between its quotation marks.
pub(crate) fn quoted(array: &str) -> impl Iterator<Item = &str> {
    array.split('"').skip(1).step_by(2)
}

/// Checks that `text` is JSON with no repeated or reserved member and bounded depth, whatever it holds.
pub(crate) fn check(text: &str) -> Result<(), JsonError> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let depth = DEPTH;
    Value { text, depth }.deserialize(&mut reader)?;
    Ok(reader.end()?)
}

/// Why a text is refused, in words of our own: serde_json's quote the text, and the text may be a
/// token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JsonError {
    /// No JSON, at this line and column.
    Syntax(usize, usize),
    Repeated,
    TooDeep,
    Reserved,
    NoObject,
}

const REPEATED: &str = "a member is repeated";
const TOO_DEEP: &str = "it nests too deep";
const RESERVED: &str = "a member has a name that serde_json keeps for itself";

impl From<serde_json::Error> for JsonError {
    fn from(error: serde_json::Error) -> JsonError {
        if !error.is_data() {
            return JsonError::Syntax(error.line(), error.column());
        }
        let sentence = error.to_string();
        if sentence.starts_with(REPEATED) {
            JsonError::Repeated
        } else if sentence.starts_with(TOO_DEEP) {
            JsonError::TooDeep
        } else if sentence.starts_with(RESERVED) {
            JsonError::Reserved
        } else {
            JsonError::NoObject
        }
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JsonError::Syntax(line, column) => write!(f, "no JSON at line {line} column {column}"),
            JsonError::Repeated => f.write_str(REPEATED),
            JsonError::TooDeep => f.write_str(TOO_DEEP),
            JsonError::Reserved => f.write_str(RESERVED),
            JsonError::NoObject => f.write_str("it is no object"),
        }
    }
}

struct Members<'t, F> {
    text: &'t str,
    member: F,
}

impl<'de, F: FnMut(Cow<'de, str>, Json<'de>)> Visitor<'de> for Members<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let mut names = Names::of(self.text);
        while let Some(name) = map.next_key_seed(Text)? {
            names.add(name.clone())?;
            let value = map.next_value_seed(Value {
                text: self.text,
                depth: DEPTH - 1,
            })?;
            (self.member)(name, value);
        }
        Ok(())
    }
}

/// Whether `name` is one that only serde_json may use, and stands in `text`: with `arbitrary_precision`
/// serde_json itself shows a number as a map with such a name, which lies elsewhere.
#[allow(clippy::ptr_arg)] // Whether it is borrowed counts.
fn is_reserved(name: &Cow<'_, str>, text: &str) -> bool {
    name.starts_with(PRIVATE)
        && match name {
            Cow::Borrowed(name) => text.as_bytes().as_ptr_range().contains(&name.as_ptr()),
            // It had escapes.
            Cow::Owned(_) => true,
        }
}

/// Past so many names a linear search would let a hostile object cost quadratic time.
const FEW: usize = 24;

/// The names of one object in `text`. Small objects need no allocation.
struct Names<'a, 't> {
    text: &'t str,
    few: [&'a str; FEW],
    len: usize,
    /// One bit for each name, by its length and ends: a bit that is not set was no name before.
    seen: u64,
    many: Option<HashSet<Cow<'a, str>>>,
}

impl<'a, 't> Names<'a, 't> {
    fn of(text: &'t str) -> Names<'a, 't> {
        Names {
            text,
            few: [""; FEW],
            len: 0,
            seen: 0,
            many: None,
        }
    }

    fn add<E: de::Error>(&mut self, name: Cow<'a, str>) -> Result<(), E> {
        if is_reserved(&name, self.text) {
            return Err(E::custom(RESERVED));
        }
        let bit = 1_u64 << (mark(&name) & 63);
        if self.seen & bit != 0 && self.holds(&name) {
            return Err(E::custom(REPEATED));
        }
        self.seen |= bit;
        match (name, self.few.get_mut(self.len)) {
            (Cow::Borrowed(name), Some(place)) => {
                *place = name;
                self.len += 1;
            }
            (name, _) => {
                let many = self.many.get_or_insert_with(HashSet::new);
                many.insert(name);
            }
        }
        Ok(())
    }

    fn holds(&self, name: &str) -> bool {
        let many = self.many.as_ref();
        self.few[..self.len].contains(&name) || many.is_some_and(|many| many.contains(name))
    }
}

/// Equal names have equal marks; the names that claims have nearly always differ in theirs.
fn mark(name: &str) -> u32 {
    let name = name.as_bytes();
    let at = |place: usize| u32::from(name.get(place).copied().unwrap_or_default());
    let last = at(name.len().wrapping_sub(1));
    // Multiplied by a large odd number, the upper bits depend on all.
    let mixed = at(0) ^ (at(2) << 8) ^ (last << 16) ^ ((name.len() as u32) << 24);
    mixed.wrapping_mul(0x9e37_79b1) >> 26
}

/// A string, borrowed if it can be.
struct Text;

impl<'de> DeserializeSeed<'de> for Text {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Text {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

/// Any value in `text`, `depth` levels deep at most.
struct Value<'t> {
    text: &'t str,
    depth: u8,
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = Json<'de>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl Value<'_> {
    fn inner<E: de::Error>(&self) -> Result<Self, E> {
        match self.depth.checked_sub(1) {
            Some(depth) => Ok(Value { depth, ..*self }),
            None => Err(E::custom(TOO_DEEP)),
        }
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Json::Natural(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Json::Negative(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Json::Number(value))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Json::String(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Json::String(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut all = Json::Strings(None);
        while let Some(item) = seq.next_element_seed(self.inner()?)? {
            all = match (all, item) {
                (Json::Strings(ends), Json::String(Cow::Borrowed(last))) => {
                    Json::Strings(Some((ends.map_or(last, |(first, _)| first), last)))
                }
                (Json::Strings(_) | Json::Escaped, Json::String(_)) => Json::Escaped,
                _ => Json::Array,
            };
        }
        Ok(all)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut names = Names::of(self.text);
        let mut number = None;
        while let Some(name) = map.next_key_seed(Text)? {
            names.add(name.clone())?;
            let value = map.next_value_seed(self.inner()?)?;
            if name == BIG_NUMBER
                && let Json::String(digits) = value
            {
                number = digits.parse::<f64>().ok();
            }
        }
        Ok(number.map_or(Json::Object, Json::Number))
    }
}

#[cfg(test)]
mod tests {
    use serde::de::value::{BorrowedStrDeserializer, MapDeserializer};

    use super::*;

    fn read(text: &str) -> Result<Vec<(String, String)>, String> {
        let mut seen = Vec::new();
        members(text, |name, value| {
            seen.push((name.into_owned(), value.name().to_owned()));
        })
        .map(|()| seen)
        .map_err(|error| error.to_string())
    }

    #[test]
    fn names_each_member() {
        let seen = read(r#"{"a":1,"b":"x","c":["x"],"d":[1],"e":{},"f":null,"g":true}"#).unwrap();
        let kinds: Vec<&str> = seen.iter().map(|(_, kind)| kind.as_str()).collect();
        assert_eq!(
            kinds,
            [
                "a number",
                "a string",
                "an array of strings",
                "an array",
                "an object",
                "null",
                "a boolean"
            ]
        );
    }

    #[test]
    fn refuses_a_repeated_member_at_any_depth() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":1}"#,
            r#"{"x":{"a":1,"a":2}}"#,
            r#"{"x":[{"a":1,"a":2}]}"#,
        ] {
            assert!(read(text).unwrap_err().contains("repeated"), "{text}");
        }
        let mut wide: String = (0..100).map(|n| format!("\"m{n}\":0,")).collect();
        wide = format!("{{{wide}\"m77\":0}}");
        assert!(read(&wide).unwrap_err().contains("repeated"));
    }

    #[test]
    fn an_error_never_quotes_the_text() {
        for text in [
            "\"tk_secret\"",
            "tk_secret",
            "{\"a\":tk_secret}",
            "[\"tk_secret\"]",
        ] {
            let error = read(text).unwrap_err();
            assert!(!error.contains("secret"), "{error}");
        }
        assert_eq!(read("\"tk_secret\"").unwrap_err(), "it is no object");
        assert_eq!(read("{\"a\":x}").unwrap_err(), "no JSON at line 1 column 6");
    }

    #[test]
    fn depth_is_bounded() {
        let nest =
            |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
        assert!(read(&nest(31)).is_ok());
        assert!(read(&nest(32)).unwrap_err().contains("too deep"));
        assert!(read(&nest(100_000)).is_err());
    }

    #[test]
    fn nothing_but_one_object() {
        for text in [
            "",
            "[]",
            "1",
            "{} {}",
            "{",
            "{\"a\":1e999}",
            "{a:1}",
            "{\"a\":NaN}",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
        assert!(check("[{\"a\":1}]").is_ok());
        assert!(check("[{\"a\":1,\"a\":2}]").is_err());
    }

    #[test]
    fn numbers_read_the_same_when_another_crate_turns_arbitrary_precision_on() {
        let name = BorrowedStrDeserializer::<de::value::Error>::new(BIG_NUMBER);
        let number = MapDeserializer::new([(name, "12.5")].into_iter());
        let (text, depth) = (r#"{"exp":12.5}"#, DEPTH);
        let read = Value { text, depth }.deserialize(number);
        assert_eq!(read.unwrap(), Json::Number(12.5));
    }

    #[test]
    fn names_that_serde_json_keeps_for_itself_are_refused() {
        for name in ["RawValue", "Number", "", "Whatever"] {
            for begin in ["$serde_json", r"\u0024serde_json", r"$serde\u005fjson"] {
                let object = format!(r#"{{"{begin}::private::{name}":"1"}}"#);
                for text in [
                    object.clone(),
                    format!(r#"{{"a":{object}}}"#),
                    format!(r#"{{"a":[1,{object}]}}"#),
                ] {
                    assert_eq!(
                        members(&text, |_, _| {}),
                        Err(JsonError::Reserved),
                        "{text}"
                    );
                    assert_eq!(check(&text), Err(JsonError::Reserved), "{text}");
                }
            }
        }
        let text = r#"{"a":"$serde_json::private::RawValue","$serde_json":1}"#;
        assert!(read(text).is_ok() && check(text).is_ok());
    }
}
