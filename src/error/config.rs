//! What a builder cannot work with.

use std::borrow::Cow;
use std::fmt;

/// Says which input a builder cannot work with.
#[derive(Clone, PartialEq, Eq)]
pub struct ConfigError(Cow<'static, str>);

impl ConfigError {
    pub(crate) fn new(sentence: impl Into<Cow<'static, str>>) -> ConfigError {
        ConfigError(sentence.into())
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The sentence itself: it is what `main` prints when it returns the error.
impl fmt::Debug for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}

macro_rules! config_error_from {
    ($($error:ty),+) => { $(
        impl From<$error> for ConfigError {
            fn from(error: $error) -> ConfigError {
                ConfigError(error.to_string().into())
            }
        }
    )+ };
}

// So that a set-up function needs one error type and `?` alone.
config_error_from!(
    crate::algorithm::AlgorithmError,
    crate::claims::ClaimError,
    crate::credential::CarrierError,
    crate::kind::KindError,
    crate::scope::ScopeError
);
