//! The HTTP client that is used when no other is given.

use http::Uri;

use crate::error::ConfigError;
use crate::fetch::Fetcher;

/// The client of the feature `reqwest`, for `uri` and what it leads to.
///
/// # Errors
///
/// Without that feature; or if the machine's certificates are needed and cannot be read.
#[cfg(feature = "reqwest")]
pub(crate) fn default_fetcher(uri: &Uri) -> Result<Fetcher, ConfigError> {
    Ok(Fetcher::new(crate::fetch_reqwest::HttpFetch::new(uri)?))
}

#[cfg(not(feature = "reqwest"))]
pub(crate) fn default_fetcher(_: &Uri) -> Result<Fetcher, ConfigError> {
    Err(ConfigError::new(
        "there is no HTTP client, wanted a Fetch of your own or the feature `reqwest`",
    ))
}
