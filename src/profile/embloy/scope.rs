//! Scopes that are URLs: may this token use this method at this path?

use http::Method;
use http::request::Parts;

use super::{Access, AccessClaims, Dialect};
use crate::text::quote;
use crate::{AccessToken, Error, TokenKind, path_segments};

impl Access {
    /// For [`check_with`](crate::ResourceServerBuilder::check_with): refuses an access token (403)
    /// whose scope does not cover the request. `https://api.embloy.com/api/jobs.write` covers `/jobs`
    /// and what lies below it in each version of the API, such as `/api/v0/jobs/7`. `read` permits
    /// `GET`, `write` also `POST`, `PATCH`, `PUT` and `DELETE`.
    ///
    /// `root` is the API's own URL, such as `https://api.embloy.com`. The gate must see the whole path,
    /// so it stands outside of `axum::Router::nest`.
    pub fn scope_fits(
        dialect: Dialect,
        root: &str,
    ) -> impl Fn(&AccessToken, &Parts) -> Result<(), Error> + Send + Sync + 'static {
        let root = format!("{}/api", root.trim_end_matches('/'));
        move |token, Parts { method, uri, .. }| {
            if token.kind() != Access::NAME {
                return Ok(());
            }
            let scope = match &token.claims_as::<AccessClaims>()?.scope {
                None if dialect == Dialect::January2024 => return Ok(()),
                scope => scope.clone().unwrap_or_default(),
            };
            let inside = scope.strip_prefix(&root);
            let inside = inside.and_then(|inside| inside.rsplit_once('.'));
            let place = place_in_api(uri.path())?;
            match (inside, place) {
                (Some((resource, permission)), Some(place))
                    if lies_in(&place, resource) && permits(permission, method) =>
                {
                    Ok(())
                }
                _ => Err(Error::forbidden(format!(
                    "scope is {}, wanted one in {root} that covers {}",
                    quote(&scope),
                    quote(&format!("{method} {}", uri.path()))
                ))),
            }
        }
    }
}

/// What follows `/api/v0` in a path, or whatever the version is.
fn place_in_api(path: &str) -> Result<Option<String>, Error> {
    let segments = path_segments(path)?;
    let [api, version, inside @ ..] = &segments[..] else {
        return Ok(None);
    };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let is_api = api == "api" && version.strip_prefix('v').is_some_and(is_number);
    // No segment holds a slash, so this can be read in one way only.
    Ok(is_api.then(|| inside.iter().flat_map(|name| ["/", name]).collect()))
}

fn lies_in(place: &str, resource: &str) -> bool {
    let below = place.strip_prefix(resource);
    below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
}

fn permits(permission: &str, method: &Method) -> bool {
    match permission {
        "read" => method == Method::GET,
        "write" => matches!(method.as_str(), "GET" | "POST" | "PATCH" | "PUT" | "DELETE"),
        _ => false,
    }
}
