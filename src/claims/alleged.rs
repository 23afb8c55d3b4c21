//! Claims that were read and that nobody has proven: what may be asked of them beforehand.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::ClaimSet;
use super::error::{ClaimError, Fault};
use super::facts::{Facts, Far, Flags, ID_TOKEN, Span};
use crate::clock::UnixTime;
use crate::json::{self, Json};
use crate::scope::Scopes;

/// The claims of a token whose signature nobody has looked at yet. They are read once, whether they
/// are proven later or not; what they say may choose who proves them, and refuse them, but no more.
pub(crate) struct Alleged {
    json: String,
    /// What the JSON spells with escapes, decoded, and numbers that are read as texts.
    copies: String,
    far: Far,
    scope: Words,
    scp: Words,
    permissions: Words,
    /// Whether `aud` is an array some of whose strings have escapes.
    escaped_audience: bool,
    /// A claim of a type that it may not have. Nobody is told before the claims are proven.
    fault: Option<Fault>,
}

/// A list of words, not taken apart yet.
enum Words {
    Absent,
    /// Between blanks.
    Spaced(Span<u32>),
    /// Each in quotation marks, without escapes.
    Quoted(Span<u32>),
    /// Each in quotation marks, some with escapes: hardly anybody writes them so.
    Escaped(&'static str),
}

/// What a `null` member is.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Nulls {
    /// A member of a wrong type: a token's issuer has no reason to write it.
    Odd,
    Absent,
}

impl Alleged {
    /// Reads the claims in the text of a token.
    ///
    /// # Errors
    ///
    /// If the text is no strict JSON object, or too large.
    #[cfg_attr(not(feature = "jwt"), allow(dead_code))]
    pub(crate) fn read(json: String) -> Result<Alleged, ClaimError> {
        Alleged::read_with(json, Nulls::Odd)
    }

    pub(super) fn read_with(json: String, nulls: Nulls) -> Result<Alleged, ClaimError> {
        let Ok(len) = u32::try_from(json.len()) else {
            return Err(ClaimError(Fault::TooLarge));
        };
        let mut reader = Reader::new(&json, len);
        json::members(&json, |name, value| {
            if nulls == Nulls::Odd || value != Json::Null {
                reader.member(&name, value);
            }
        })
        .map_err(|error| ClaimError(Fault::Json(error)))?;
        let mut far = reader.far;
        if far.places.client.0 == 0 {
            far.places.client = reader.azp;
        }
        Ok(Alleged {
            copies: reader.copies,
            far,
            scope: reader.scope,
            scp: reader.scp,
            permissions: reader.permissions,
            escaped_audience: reader.escaped_audience,
            fault: reader.fault,
            json,
        })
    }

    /// Who it says has issued the token.
    #[cfg_attr(not(feature = "jwt"), allow(dead_code))]
    pub(crate) fn issuer(&self) -> Option<&str> {
        let (start, end) = self.far.places.iss;
        (start != 0).then(|| self.text((start, end)))
    }

    /// When it says that the token ends, unless something is wrong with its claims.
    #[cfg_attr(not(feature = "jwt"), allow(dead_code))]
    pub(crate) fn expires_at(&self) -> Option<UnixTime> {
        self.far.dates[0].filter(|_| self.fault.is_none())
    }

    /// Takes the lists of words apart, too: these are the claims.
    ///
    /// # Errors
    ///
    /// If one of them has a type that it may not have.
    pub(crate) fn into_claims(mut self) -> Result<ClaimSet, ClaimError> {
        if self.escaped_audience {
            let (copies, len) = (&mut self.copies, self.far.places.json);
            let texts = escaped(&self.json, "aud");
            let places = texts.iter().map(|text| copy(copies, len, text));
            match places.collect() {
                Some(audiences) => self.far.audiences = audiences,
                None => self.fault = self.fault.or(Some(Fault::TooLarge)),
            }
        }
        if let Some(fault) = self.fault {
            return Err(ClaimError(fault));
        }
        // The two are never merged.
        let scope = match self.scope {
            Words::Absent => &self.scp,
            _ => &self.scope,
        };
        let scopes = self.words(scope);
        let permissions = self.words(&self.permissions);
        let mut text = self.json;
        text.push_str(&self.copies);
        Ok(ClaimSet {
            text: text.into(),
            facts: Facts::new(self.far),
            scopes,
            permissions: (!permissions.is_empty()).then(|| Box::new(permissions)),
            tree: Default::default(),
        })
    }

    fn words(&self, words: &Words) -> Scopes {
        match words {
            Words::Absent => Scopes::default(),
            Words::Spaced(span) => Scopes::of_list(self.text(*span)),
            Words::Quoted(span) => Scopes::of_array(self.text(*span)),
            Words::Escaped(claim) => escaped(&self.json, claim).into_iter().collect(),
        }
    }

    fn text(&self, (start, end): Span<u32>) -> &str {
        let (start, end) = (start as usize, end as usize);
        let text = match start.checked_sub(self.json.len()) {
            None => self.json.get(start..end),
            Some(start) => self.copies.get(start..end - self.json.len()),
        };
        text.unwrap_or_default()
    }
}

/// An array of strings some of which have escapes: read once more, by itself, and only of claims that are
/// proven, since it takes as long as all the rest.
fn escaped(json: &str, name: &str) -> Vec<String> {
    // Read successfully once already.
    let mut claims: Map<String, Value> = serde_json::from_str(json).unwrap_or_default();
    let texts = claims.remove(name).unwrap_or_default();
    serde_json::from_value(texts).unwrap_or_default()
}

/// Puts a text behind the JSON, which is `len` long, and tells its place; `None` if there is no room.
fn copy(copies: &mut String, len: u32, text: &str) -> Option<Span<u32>> {
    let start = u64::from(len) + copies.len() as u64;
    copies.push_str(text);
    let end = start + text.len() as u64;
    Some((u32::try_from(start).ok()?, u32::try_from(end).ok()?))
}

/// Sorts the members of one object into their places.
struct Reader<'a> {
    /// Whose address is only subtracted.
    json: &'a str,
    /// Its length: the copies stand behind it.
    len: u32,
    copies: String,
    far: Far,
    azp: Span<u32>,
    scope: Words,
    scp: Words,
    permissions: Words,
    escaped_audience: bool,
    fault: Option<Fault>,
}

impl<'a> Reader<'a> {
    fn new(json: &'a str, len: u32) -> Reader<'a> {
        let mut far = Far::default();
        far.places.json = len;
        Reader {
            json,
            len,
            copies: String::new(),
            far,
            azp: (0, 0),
            scope: Words::Absent,
            scp: Words::Absent,
            permissions: Words::Absent,
            escaped_audience: false,
            fault: None,
        }
    }

    fn member(&mut self, name: &str, value: Json<'_>) {
        match name {
            "iss" => self.far.places.iss = self.string("iss", value),
            "sub" => self.far.places.sub = self.subject(value),
            "aud" => self.audience(value),
            "exp" => self.far.dates[0] = self.date("exp", value),
            "nbf" => self.far.dates[1] = self.date("nbf", value),
            "iat" => self.far.dates[2] = self.date("iat", value),
            "jti" => self.far.places.jti = self.optional_string(value),
            "client_id" => self.far.places.client = self.optional_string(value),
            "azp" => self.azp = self.optional_string(value),
            "scope" => self.scope = self.words("scope", value, true),
            "scp" => self.scp = self.words("scp", value, true),
            "permissions" => self.permissions = self.words("permissions", value, false),
            "cnf" => self.far.flags.set(Flags::BOUND),
            "events" => self.far.flags.set(Flags::EVENTS),
            _ => {
                if let Some(place) = ID_TOKEN.iter().position(|mark| *mark == name) {
                    self.far.flags.set(Flags::id_token(place));
                }
            }
        }
    }

    fn wrong(&mut self, claim: &'static str, found: &Json<'_>, wanted: &'static str) {
        self.fault.get_or_insert(Fault::Type {
            claim,
            found: found.name(),
            wanted,
        });
    }

    fn text(&mut self, text: Cow<'_, str>) -> Span<u32> {
        match text {
            Cow::Borrowed(text) => self.span(text),
            Cow::Owned(text) => self.copy(&text),
        }
    }

    /// A text that does not stand in the JSON as it is read. It is no longer than there, or twenty
    /// digits.
    fn copy(&mut self, text: &str) -> Span<u32> {
        copy(&mut self.copies, self.len, text).unwrap_or_else(|| {
            self.fault.get_or_insert(Fault::TooLarge);
            (0, 0)
        })
    }

    fn string(&mut self, claim: &'static str, value: Json<'_>) -> Span<u32> {
        match value {
            Json::String(text) => self.text(text),
            other => {
                self.wrong(claim, &other, "a string");
                (0, 0)
            }
        }
    }

    /// For claims nobody judges by type: anything but a string reads as absent.
    fn optional_string(&mut self, value: Json<'_>) -> Span<u32> {
        match value {
            Json::String(text) => self.text(text),
            _ => (0, 0),
        }
    }

    fn subject(&mut self, value: Json<'_>) -> Span<u32> {
        let digits = match value {
            Json::Natural(number) => number.to_string(),
            Json::Negative(number) => number.to_string(),
            other => return self.string("sub", other),
        };
        self.far.flags.set(Flags::NUMBER);
        self.copy(&digits)
    }

    fn audience(&mut self, value: Json<'_>) {
        self.far.flags.set(Flags::ADDRESSED);
        match value {
            Json::String(text) => self.far.places.aud = self.text(text),
            Json::Strings(ends) => {
                self.far.flags.set(Flags::LISTED);
                self.far.places.aud = self.quoted(ends);
            }
            Json::Escaped => {
                self.far.flags.set(Flags::LISTED);
                self.escaped_audience = true;
            }
            other => self.wrong("aud", &other, "a string or an array of strings"),
        }
    }

    /// From the first quotation mark of an array to its last.
    fn quoted(&self, ends: Option<(&str, &str)>) -> Span<u32> {
        ends.map_or((0, 0), |(first, last)| {
            (self.span(first).0 - 1, self.span(last).1 + 1)
        })
    }

    /// Where a part of the JSON lies in it.
    fn span(&self, text: &str) -> Span<u32> {
        let start = text.as_ptr() as usize - self.json.as_ptr() as usize;
        // `read` made sure that the whole text fits.
        (start as u32, (start + text.len()) as u32)
    }

    fn date(&mut self, claim: &'static str, value: Json<'_>) -> Option<UnixTime> {
        let date = match value {
            Json::Natural(seconds) => UnixTime::from_numeric_date(seconds as f64),
            Json::Negative(seconds) => UnixTime::from_numeric_date(seconds as f64),
            Json::Number(seconds) => UnixTime::from_numeric_date(seconds),
            _ => None,
        };
        if date.is_none() {
            self.wrong(claim, &value, "a finite number");
        }
        date
    }

    /// `null` reads as absent: some issuers write every member they know.
    fn words(&mut self, claim: &'static str, value: Json<'_>, split: bool) -> Words {
        match value {
            Json::Null => Words::Absent,
            Json::String(list) if split => Words::Spaced(self.text(list)),
            Json::Strings(ends) => Words::Quoted(self.quoted(ends)),
            Json::Escaped => Words::Escaped(claim),
            other => {
                let wanted = if split {
                    "a space-separated string or an array of strings"
                } else {
                    "an array of strings"
                };
                self.wrong(claim, &other, wanted);
                Words::Absent
            }
        }
    }
}
