//! The user whom a client asserts beside its token: read, compared, never believed.

use http::request::Parts;

use super::{PRINCIPAL_ID, PRINCIPAL_IDNS};
use crate::{AccessToken, Error, ResourceServerBuilder, danger};

/// Admits the form `Bearer tk_…, principalID="…", principalIDNS="…"`, against RFC 6750, and the same
/// two names in the query. By default a request of this form is answered 400.
///
/// Whatever a client asserts, it never becomes the token's user; if the token has one and it is
/// another, the request is answered 403. Handlers read it with [`UnverifiedPrincipal::of`].
pub fn accept_asserted_principal(gate: ResourceServerBuilder) -> ResourceServerBuilder {
    gate.carrier(danger::bearer_with_parameters())
        .check_with(|token, parts| UnverifiedPrincipal::of(parts)?.agrees_with(token))
}

/// The user whom a client asserts to act for. Nobody has proven it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnverifiedPrincipal {
    /// `principalID`; never empty.
    pub principal_id: Option<String>,
    /// `principalIDNS`; never empty.
    pub principal_idns: Option<String>,
}

impl UnverifiedPrincipal {
    /// Reads what stands beside the Bearer token and in the query.
    ///
    /// # Errors
    ///
    /// [`Error`] of kind `InvalidRequest` if two assertions differ, or the header is outside its
    /// grammar.
    pub fn of(parts: &Parts) -> Result<UnverifiedPrincipal, Error> {
        let header = danger::unproven_parameters(&parts.headers)?;
        let query = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
        let mut asserted = UnverifiedPrincipal::default();
        for (name, value) in header.into_iter().chain(query.into_owned()) {
            let field = if name.eq_ignore_ascii_case(PRINCIPAL_ID) {
                &mut asserted.principal_id
            } else if name.eq_ignore_ascii_case(PRINCIPAL_IDNS) {
                &mut asserted.principal_idns
            } else {
                continue;
            };
            if value.is_empty() {
                continue;
            }
            if field.as_ref().is_some_and(|known| *known != value) {
                return Err(Error::invalid_request(
                    "request asserts two principals, wanted one",
                ));
            }
            *field = Some(value);
        }
        Ok(asserted)
    }

    fn agrees_with(&self, token: &AccessToken) -> Result<(), Error> {
        for (asserted, name) in [
            (&self.principal_id, PRINCIPAL_ID),
            (&self.principal_idns, PRINCIPAL_IDNS),
        ] {
            let proven = token.claims().get(name);
            if let (Some(asserted), Some(proven)) = (asserted, proven)
                && proven != asserted.as_str()
            {
                return Err(Error::forbidden(format!(
                    "request asserts another {name} than the token has"
                )));
            }
        }
        Ok(())
    }
}
