//! Why a text holds no claims, in words of our own.

use std::fmt;

use crate::json::JsonError;

/// Says why a text holds no claims the gate can judge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimError(pub(super) Fault);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
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

impl ClaimError {
    /// serde's messages quote values, and a claim's value has no place in a log line. Only the names of
    /// members that the application's own type asks for are safe to repeat.
    pub(super) fn of_shape(error: &serde_json::Error) -> ClaimError {
        let sentence = error.to_string();
        let safe = ["missing field `", "duplicate field `"];
        ClaimError(Fault::Shape(match sentence.split_once(" at line ") {
            Some((what, _)) if safe.iter().any(|start| what.starts_with(start)) => what.to_owned(),
            _ => format!(
                "another type at line {} column {}",
                error.line(),
                error.column()
            ),
        }))
    }
}
