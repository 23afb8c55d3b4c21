//! Where the endpoints of a server are.

/// An endpoint of an [`AuthorizationServer`](super::AuthorizationServer).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Endpoint {
    /// The key set (RFC 7517 §5), `{issuer}/jwks`.
    Jwks,
    /// The metadata of RFC 8414, its well-known name before the issuer's path.
    OauthMetadata,
    /// The metadata of OpenID Connect Discovery, its well-known name after the issuer's path.
    OpenidConfiguration,
    /// The token endpoint (RFC 6749 §3.2), `{issuer}/token`.
    Token,
    /// The introspection endpoint (RFC 7662), `{issuer}/introspect`.
    Introspection,
    /// The revocation endpoint (RFC 7009), `{issuer}/revoke`.
    Revocation,
}

impl Endpoint {
    /// Every endpoint.
    pub const ALL: &'static [Endpoint] = &[
        Endpoint::Jwks,
        Endpoint::OauthMetadata,
        Endpoint::OpenidConfiguration,
        Endpoint::Token,
        Endpoint::Introspection,
        Endpoint::Revocation,
    ];
}

/// A place of an [`AuthorizationServer`](super::AuthorizationServer) where requests arrive: an
/// [`Endpoint`], or a path of [`answer_at`](super::AuthorizationServer::answer_at). Methods that
/// want one take either.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place(Spot);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Spot {
    Endpoint(Endpoint),
    Path(String),
}

impl Place {
    /// The path, if it is none of an endpoint.
    pub(super) fn path(&self) -> Option<&str> {
        match &self.0 {
            Spot::Endpoint(_) => None,
            Spot::Path(path) => Some(path),
        }
    }
}

impl From<Endpoint> for Place {
    fn from(endpoint: Endpoint) -> Place {
        Place(Spot::Endpoint(endpoint))
    }
}

impl From<&str> for Place {
    fn from(path: &str) -> Place {
        Place(Spot::Path(path.to_owned()))
    }
}

/// An issuer identifier, and the URLs that follow from it.
pub(super) struct Site {
    pub(super) issuer: String,
    origin: String,
    /// The issuer's path without slashes at its end.
    path: String,
}

impl Site {
    /// `origin` is scheme and authority, `path` begins with a slash or is empty.
    pub(super) fn new(origin: &str, path: &str) -> Site {
        Site {
            issuer: format!("{origin}{path}"),
            origin: origin.to_owned(),
            // RFC 8414 §3.1 and OpenID Connect Discovery §4: a `/` at the issuer's end is removed
            // before the well-known name is put in or appended.
            path: path.trim_end_matches('/').to_owned(),
        }
    }

    pub(super) fn url(&self, place: impl Into<Place>) -> String {
        let path = match place.into().0 {
            Spot::Endpoint(endpoint) => self.path_of(endpoint),
            Spot::Path(path) => path,
        };
        format!("{}{path}", self.origin)
    }

    /// The place by its first name: a path with an endpoint at it is that endpoint.
    pub(super) fn place(&self, place: Place) -> Place {
        let endpoint = place.path().and_then(|path| self.endpoint_at(path));
        endpoint.map_or(place, Place::from)
    }

    fn path_of(&self, endpoint: Endpoint) -> String {
        let path = &self.path;
        match endpoint {
            Endpoint::Jwks => format!("{path}/jwks"),
            Endpoint::OauthMetadata => format!("/.well-known/oauth-authorization-server{path}"),
            Endpoint::OpenidConfiguration => format!("{path}/.well-known/openid-configuration"),
            Endpoint::Token => format!("{path}/token"),
            Endpoint::Introspection => format!("{path}/introspect"),
            Endpoint::Revocation => format!("{path}/revoke"),
        }
    }

    pub(super) fn endpoint_at(&self, path: &str) -> Option<Endpoint> {
        Endpoint::ALL
            .iter()
            .copied()
            .find(|endpoint| self.path_of(*endpoint) == path)
    }

    pub(super) fn is_at(&self, uri: &http::Uri) -> bool {
        let origin = (uri.scheme_str(), uri.authority().map(|name| name.as_str()));
        matches!(origin, (Some(scheme), Some(authority))
            if self.origin.eq_ignore_ascii_case(&format!("{scheme}://{authority}")))
    }
}

/// Whether this is an absolute path and nothing else.
pub(super) fn is_absolute(path: &str) -> bool {
    path.starts_with('/')
        && !path.contains(['?', '#'])
        && http::Uri::builder().path_and_query(path).build().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_known_names_go_before_or_after_the_path() {
        for (path, oauth, openid) in [
            (
                "",
                "/.well-known/oauth-authorization-server",
                "/.well-known/openid-configuration",
            ),
            (
                "/",
                "/.well-known/oauth-authorization-server",
                "/.well-known/openid-configuration",
            ),
            (
                "/tenant/a",
                "/.well-known/oauth-authorization-server/tenant/a",
                "/tenant/a/.well-known/openid-configuration",
            ),
        ] {
            let site = Site::new("https://as.example", path);
            assert_eq!(site.issuer, format!("https://as.example{path}"));
            assert_eq!(site.endpoint_at(oauth), Some(Endpoint::OauthMetadata));
            assert_eq!(
                site.endpoint_at(openid),
                Some(Endpoint::OpenidConfiguration)
            );
        }
        let site = Site::new("https://as.example", "/a");
        assert_eq!(site.url(Endpoint::Jwks), "https://as.example/a/jwks");
        assert_eq!(site.endpoint_at("/jwks"), None);
    }

    #[test]
    fn another_origin_is_elsewhere() {
        let site = Site::new("https://as.example", "/a");
        assert!(site.is_at(&"https://AS.example/b".parse().unwrap()));
        for other in ["http://as.example/", "https://as.example:8443/", "/jwks"] {
            assert!(!site.is_at(&other.parse().unwrap()), "{other}");
        }
    }
}
