//! Why an answer cannot be read: which field, and what it is, never what it says.

use std::fmt;

use crate::json::JsonError;
use crate::text;

/// Says which field of a [`LookupAnswer`](crate::LookupAnswer) cannot be read, without its value.
///
/// In a [`Lookup`](crate::Lookup) it becomes [`Unavailable`](crate::Unavailable) through `?`: an
/// answer nobody can read is the upstream's fault, not the caller's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerError(Fault);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Fault {
    Json(JsonError),
    Unwritable,
    Missing {
        name: Box<str>,
    },
    Differ {
        name: Box<str>,
        spellings: String,
    },
    Type {
        name: Box<str>,
        found: &'static str,
        wanted: &'static str,
    },
}

impl AnswerError {
    /// Says that the field `name` is needed and absent, where
    /// [`demand`](crate::LookupAnswer::demand) does not do.
    ///
    /// # Examples
    ///
    /// ```
    /// use portcullis::{AnswerError, LookupAnswer};
    ///
    /// let answer = LookupAnswer::parse("{}")?;
    /// let user = answer.id("user_id")?.or(answer.id("owner_id")?);
    /// let error = user.ok_or_else(|| AnswerError::missing("user_id")).unwrap_err();
    /// assert_eq!(error.to_string(), "field user_id is absent, wanted it in the answer");
    /// # Ok::<(), AnswerError>(())
    /// ```
    pub fn missing(name: &str) -> AnswerError {
        AnswerError(Fault::Missing { name: name.into() })
    }

    pub(super) fn unwritable() -> AnswerError {
        AnswerError(Fault::Unwritable)
    }

    /// The spellings are `name` itself but for case and underscores, so they may be told.
    pub(super) fn differ(name: &str, spellings: [&str; 2]) -> AnswerError {
        AnswerError(Fault::Differ {
            name: name.into(),
            spellings: text::quote_list(spellings),
        })
    }

    pub(crate) fn wrong(name: &str, found: &'static str, wanted: &'static str) -> AnswerError {
        AnswerError(Fault::Type {
            name: name.into(),
            found,
            wanted,
        })
    }
}

impl From<JsonError> for AnswerError {
    fn from(error: JsonError) -> AnswerError {
        AnswerError(Fault::Json(error))
    }
}

impl fmt::Display for AnswerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Fault::Json(fault) => write!(f, "answer is no strict JSON object: {fault}"),
            Fault::Unwritable => f.write_str("answer cannot be written as JSON"),
            Fault::Missing { name } => {
                write!(f, "field {name} is absent, wanted it in the answer")
            }
            Fault::Differ { name, spellings } => {
                write!(
                    f,
                    "field {name} is {spellings} with different values, wanted one"
                )
            }
            Fault::Type {
                name,
                found,
                wanted,
            } => write!(f, "field {name} is {found}, wanted {wanted}"),
        }
    }
}

impl std::error::Error for AnswerError {}
