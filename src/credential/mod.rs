//! Where a credential may sit in a request, and how we find exactly one.

mod grammar;

use std::fmt;
use std::sync::Arc;

use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderName};
use http::request::Parts;

use crate::text;

/// A place of the request that may carry a credential.
///
/// A server has one credential slot, or two, each with one or several carriers; a request that fills
/// two of one slot is refused (RFC 6750 §2: "clients MUST NOT use more than one method").
///
/// # Examples
///
/// ```
/// use portcullis::Carrier;
///
/// let bearer = Carrier::bearer();
/// let app_token = Carrier::header("App-Token")?;
/// let client_token = Carrier::header("client_token")?.alias("Client-Token")?;
/// assert_eq!(client_token.name(), "client_token");
/// # Ok::<(), portcullis::CarrierError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Carrier(Place);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Place {
    Bearer,
    /// Bearer, with parameters after the token that no RFC knows.
    BearerWithParameters,
    /// The first name is the carrier's own, the others are its aliases.
    Headers(Arc<[HeaderName]>),
    Query(Arc<str>, Asked),
}

/// Which requests may carry a credential in their URL.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Asked {
    Always,
    InWebSocketHandshakes,
}

impl Carrier {
    /// `Authorization: Bearer <token>` (RFC 6750 §2.1). The scheme's case does not matter; the
    /// token must be a `b64token`. Any other scheme is no credential for us.
    pub const fn bearer() -> Carrier {
        Carrier(Place::Bearer)
    }

    /// A header of its own whose whole value is the token, such as `App-Token`. The name's case
    /// does not matter; blanks around the value are dropped; the value must be visible ASCII
    /// without a comma, since a proxy may join repeated headers with commas.
    ///
    /// # Errors
    ///
    /// [`CarrierError`] if `name` is no header name, or is `Authorization` (that is
    /// [`bearer`](Self::bearer)) or `Cookie`.
    pub fn header(name: &str) -> Result<Carrier, CarrierError> {
        Ok(Carrier(Place::Headers(Arc::new([header_name(name)?]))))
    }

    /// Another name for the same header, such as `Client-Token` for `client_token`. A request
    /// that uses both is refused.
    ///
    /// # Errors
    ///
    /// As [`header`](Self::header), and if this carrier is no header of its own.
    pub fn alias(self, name: &str) -> Result<Carrier, CarrierError> {
        match self.0 {
            Place::Headers(names) => {
                let names = names.iter().cloned().chain([header_name(name)?]);
                Ok(Carrier(Place::Headers(names.collect())))
            }
            _ => Err(CarrierError(format!(
                "alias {} is for a header carrier, wanted Carrier::header first",
                text::quote(name)
            ))),
        }
    }

    /// See [`danger::websocket_query`](crate::danger::websocket_query).
    pub(crate) fn websocket_query(parameter: &str) -> Carrier {
        Carrier(Place::Query(parameter.into(), Asked::InWebSocketHandshakes))
    }

    /// See [`danger::query_parameter`](crate::danger::query_parameter).
    pub(crate) fn query(parameter: &str) -> Carrier {
        Carrier(Place::Query(parameter.into(), Asked::Always))
    }

    /// See [`danger::bearer_with_parameters`](crate::danger::bearer_with_parameters).
    pub(crate) fn bearer_with_parameters() -> Carrier {
        Carrier(Place::BearerWithParameters)
    }

    /// `Authorization` for Bearer tokens, else the header's first name in lower case, else the
    /// query parameter's name.
    pub fn name(&self) -> &str {
        match &self.0 {
            Place::Bearer | Place::BearerWithParameters => "Authorization",
            Place::Headers(names) => names.first().map_or("", HeaderName::as_str),
            Place::Query(parameter, _) => parameter,
        }
    }

    /// One byte for each kind of place, for whoever needs a name no other carrier has.
    #[cfg_attr(not(feature = "cache"), allow(dead_code))]
    pub(crate) fn place(&self) -> u8 {
        match &self.0 {
            Place::Bearer | Place::BearerWithParameters => b'b',
            Place::Headers(_) => b'h',
            Place::Query(..) => b'q',
        }
    }

    /// Every name a request may use for it, in lower case; a query parameter stands apart.
    pub(crate) fn names(&self) -> Vec<String> {
        match &self.0 {
            Place::Bearer | Place::BearerWithParameters => vec!["authorization".to_owned()],
            Place::Headers(names) => names.iter().map(|name| name.as_str().to_owned()).collect(),
            Place::Query(name, _) => vec![format!("?{name}")],
        }
    }

    /// Whether this is a header named `name`, by its own name or an alias; case does not matter.
    pub(crate) fn is_header(&self, name: &str) -> bool {
        match &self.0 {
            Place::Bearer | Place::BearerWithParameters => {
                name.eq_ignore_ascii_case("authorization")
            }
            Place::Headers(names) => names.iter().any(|n| n.as_str().eq_ignore_ascii_case(name)),
            Place::Query(..) => false,
        }
    }

    /// Finds the one credential of a request.
    ///
    /// `Ok(None)` means that none of `carriers` was used. Tokens longer than `limit` bytes are
    /// refused before anything looks at them.
    pub(crate) fn find<'a>(
        carriers: &'a [Carrier],
        parts: &'a Parts,
        limit: usize,
    ) -> Result<Option<Credential<'a>>, CredentialError> {
        let mut found: Option<Credential<'a>> = None;
        for carrier in carriers {
            let here = match &carrier.0 {
                Place::Bearer => grammar::bearer(&parts.headers, limit)?,
                Place::BearerWithParameters => {
                    grammar::bearer_with_parameters(&parts.headers, limit)?.map(|(token, _)| token)
                }
                Place::Headers(names) => grammar::raw(&parts.headers, names, limit)?,
                Place::Query(_, Asked::InWebSocketHandshakes)
                    if !grammar::is_websocket_handshake(parts) =>
                {
                    None
                }
                Place::Query(parameter, _) => grammar::query(parts, parameter, limit)?,
            };
            let Some(token) = here else { continue };
            // RFC 6750 §2: one method per request. Taking the first would let a proxy and us read
            // different tokens.
            if let Some(first) = &found {
                return Err(CredentialError::Two(format!(
                    "request carries credentials in {} and in {}, wanted one",
                    first.carrier.name(),
                    carrier.name()
                )));
            }
            found = Some(Credential { token, carrier });
        }
        Ok(found)
    }

    /// What the only carrier in use holds, as [`find`](Self::find) would hand it out if it is
    /// well-formed: its grammar is not judged, nor its length. `None` if none or several are in use, or
    /// if it takes a closer look to tell.
    #[cfg_attr(not(feature = "cache"), allow(dead_code))]
    pub(crate) fn glance<'a>(
        carriers: &'a [Carrier],
        parts: &'a Parts,
    ) -> Option<(&'a Carrier, &'a [u8])> {
        let mut found = None;
        for carrier in carriers {
            let here = match &carrier.0 {
                Place::Bearer => grammar::bearer_at_a_glance(&parts.headers)?,
                // What stands behind the token must be well-formed, too.
                Place::BearerWithParameters => return None,
                Place::Headers(names) => {
                    let header = grammar::header(&parts.headers, names).ok()?;
                    header.map(|(_, token)| token)
                }
                Place::Query(..) if parts.uri.query().is_some() => return None,
                Place::Query(..) => None,
            };
            match here {
                Some(_) if found.is_some() => return None,
                Some(token) => found = Some((carrier, token)),
                None => {}
            }
        }
        found
    }

    /// Refuses a request that has the query parameter `name`, too: it says that its sender uses two
    /// methods at once, whoever reads which.
    pub(crate) fn alone(parts: &Parts, name: &str) -> Result<(), CredentialError> {
        match grammar::values_of(parts, name)?.is_empty() {
            true => Ok(()),
            false => Err(CredentialError::Two(format!(
                "request carries a credential and the query parameter {name}, wanted one of them"
            ))),
        }
    }

    /// See [`danger::unproven_parameters`](crate::danger::unproven_parameters).
    pub(crate) fn bearer_parameters(
        headers: &HeaderMap,
    ) -> Result<Vec<(String, String)>, CredentialError> {
        let found = grammar::bearer_with_parameters(headers, usize::MAX)?;
        Ok(found.map(|(_, parameters)| parameters).unwrap_or_default())
    }

    /// Marks the header values of this carrier, so that whoever logs the headers prints
    /// `Sensitive` instead.
    pub(crate) fn mark_sensitive(carriers: &[Carrier], headers: &mut HeaderMap) {
        for carrier in carriers {
            let names = match &carrier.0 {
                Place::Bearer | Place::BearerWithParameters => &[AUTHORIZATION][..],
                Place::Headers(names) => names,
                Place::Query(..) => &[],
            };
            for name in names {
                // The first of several.
                match headers.get_mut(name) {
                    None => continue,
                    Some(value) => value.set_sensitive(true),
                }
                let has_several = headers.len() > headers.keys_len();
                if has_several
                    && let http::header::Entry::Occupied(mut values) = headers.entry(name)
                {
                    for value in values.iter_mut() {
                        value.set_sensitive(true);
                    }
                }
            }
        }
    }
}

impl fmt::Debug for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Bearer => f.write_str("Carrier(Authorization: Bearer)"),
            Place::Headers(names) => {
                let names: Vec<&str> = names.iter().map(HeaderName::as_str).collect();
                write!(f, "Carrier({})", names.join(" or "))
            }
            Place::BearerWithParameters => {
                f.write_str("Carrier(Authorization: Bearer, with parameters)")
            }
            Place::Query(name, Asked::Always) => write!(f, "Carrier(?{name}=)"),
            Place::Query(name, Asked::InWebSocketHandshakes) => {
                write!(f, "Carrier(?{name}= of a WebSocket handshake)")
            }
        }
    }
}

fn header_name(name: &str) -> Result<HeaderName, CarrierError> {
    let parsed = HeaderName::try_from(name).map_err(|_| {
        CarrierError(format!(
            "carrier is {}, wanted a header name",
            text::quote(name)
        ))
    })?;
    if parsed == AUTHORIZATION || parsed == http::header::COOKIE {
        return Err(CarrierError(format!(
            "carrier is {}, wanted a header of its own; Carrier::bearer reads Authorization, \
             cookies carry no access token",
            text::quote(name)
        )));
    }
    Ok(parsed)
}

/// A credential as it came: unproven text, and where it sat. It never prints its text.
///
/// It borrows that text from the request, whose buffers are hyper's or whoever's read it: they are shared,
/// so nobody can wipe them. What the gate copies out of it is wiped when it is let go.
#[derive(Clone, Copy)]
pub struct Credential<'a> {
    token: &'a str,
    carrier: &'a Carrier,
}

impl<'a> Credential<'a> {
    /// Takes `token` as if `carrier` had carried it, for [`Verifier`](crate::Verifier) tests and
    /// for [`ResourceServer::forget`](crate::ResourceServer::forget).
    pub const fn new(token: &'a str, carrier: &'a Carrier) -> Credential<'a> {
        Credential { token, carrier }
    }

    /// The token itself. Whoever calls this keeps it out of logs, errors and answers.
    pub const fn token(&self) -> &'a str {
        self.token
    }

    /// Where the token sat.
    pub const fn carrier(&self) -> &'a Carrier {
        self.carrier
    }

    /// Whether the token has the form of a compact JWS or JWE: parts of base64url characters
    /// between dots, three or five of them (RFC 7515 §3.1, RFC 7516 §9). Padding at its end, which
    /// neither may have, does not make an opaque token of one.
    pub fn looks_like_jwt(&self) -> bool {
        let bytes = self.token.trim_end_matches('=').as_bytes();
        let dots = bytes.iter().filter(|byte| **byte == b'.').count();
        matches!(dots, 2 | 4)
            && !bytes.starts_with(b".")
            && bytes
                .iter()
                .all(|b| matches!(b, b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.'))
    }
}

impl fmt::Debug for Credential<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("token", &"[redacted]")
            .field("carrier", &self.carrier)
            .finish()
    }
}

/// Says why a request's credentials cannot be read. It never holds their text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CredentialError {
    /// More than one credential.
    Two(String),
    /// One credential outside its grammar.
    Malformed(String),
    /// Longer than the limit.
    TooLong(String),
}

/// Says why a [`Carrier`] cannot be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CarrierError(String);

impl fmt::Display for CarrierError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for CarrierError {}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderValue, Request};

    const LIMIT: usize = 16 * 1024;

    fn find(carriers: &[Carrier], headers: &[(&str, &[u8])]) -> Result<Option<String>, String> {
        let (mut parts, ()) = Request::new(()).into_parts();
        for (name, value) in headers {
            let name = HeaderName::try_from(*name).unwrap();
            parts
                .headers
                .append(name, HeaderValue::from_bytes(value).unwrap());
        }
        match Carrier::find(carriers, &parts, LIMIT) {
            Ok(found) => Ok(found.map(|credential| credential.token().to_owned())),
            Err(
                CredentialError::Two(why)
                | CredentialError::Malformed(why)
                | CredentialError::TooLong(why),
            ) => Err(why),
        }
    }

    fn bearer(value: &[u8]) -> Result<Option<String>, String> {
        find(&[Carrier::bearer()], &[("authorization", value)])
    }

    #[test]
    fn bearer_grammar() {
        for good in ["Bearer abc", "bearer abc", "BEARER   abc"] {
            assert_eq!(bearer(good.as_bytes()), Ok(Some("abc".into())), "{good}");
        }
        assert_eq!(bearer(b"Bearer a-._~+/9=="), Ok(Some("a-._~+/9==".into())));
        for other in [
            "Basic YTpi",
            "Bearerabc",
            "",
            "DPoP abc",
            "Digest x=\"y\", z",
        ] {
            assert_eq!(bearer(other.as_bytes()), Ok(None), "{other}");
        }
        for bad in [
            "Bearer",
            "Bearer ",
            "Bearer a b",
            "Bearer a,b",
            "Bearer a, Bearer b",
            "Bearer =",
            "Bearer a=b",
            "Bearer a\"",
            "Bearer\tabc",
            " Bearer abc",
            "Bearer abc ",
        ] {
            assert!(bearer(bad.as_bytes()).is_err(), "{bad:?}");
        }
        assert!(bearer(b"Bearer \xff").is_err());
        let long = format!("Bearer {}", "a".repeat(LIMIT + 1));
        assert_eq!(
            bearer(long.as_bytes()).unwrap_err(),
            "credential in Authorization has 16385 bytes, wanted at most 16384"
        );
    }

    #[test]
    fn a_header_of_its_own() {
        let app = [Carrier::header("App-Token").unwrap()];
        assert_eq!(
            find(&app, &[("app-token", b" abc ")]),
            Ok(Some("abc".into()))
        );
        assert_eq!(find(&app, &[]), Ok(None));
        for bad in [
            &b""[..],
            b"  ",
            b"a b",
            b"a,b",
            b"a\tb",
            b"\xc3\xa9",
            b"a\x80b",
            b"\xbf",
        ] {
            assert!(find(&app, &[("app-token", bad)]).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn one_credential_only() {
        let both = [Carrier::bearer(), Carrier::header("app-token").unwrap()];
        assert_eq!(
            find(
                &both,
                &[("authorization", b"Bearer a"), ("app-token", b"b")]
            )
            .unwrap_err(),
            "request carries credentials in Authorization and in app-token, wanted one"
        );
        assert_eq!(
            find(
                &both,
                &[
                    ("authorization", b"Bearer a"),
                    ("authorization", b"Bearer a")
                ]
            )
            .unwrap_err(),
            "header authorization is repeated, wanted it once"
        );
        let aliased = [Carrier::header("client_token")
            .unwrap()
            .alias("Client-Token")
            .unwrap()];
        assert!(find(&aliased, &[("client_token", b"a"), ("client-token", b"b")]).is_err());
        assert_eq!(
            find(&aliased, &[("client-token", b"b")]),
            Ok(Some("b".into()))
        );
        assert_eq!(
            find(&both, &[("authorization", b"Basic a"), ("app-token", b"b")]),
            Ok(Some("b".into()))
        );
    }

    #[test]
    fn the_query_counts_for_a_websocket_handshake_alone() {
        let carriers = [Carrier::websocket_query("access_token")];
        let find = |uri: &str, upgrade: bool| {
            let mut request = Request::get(uri);
            if upgrade {
                request = request.header("upgrade", "websocket");
            }
            let (parts, ()) = request.body(()).unwrap().into_parts();
            Carrier::find(&carriers, &parts, LIMIT)
                .map(|found| found.map(|credential| credential.token().to_owned()))
        };
        assert_eq!(find("/?access_token=abc", false), Ok(None));
        assert_eq!(find("/?x=1&access_token=abc", true), Ok(Some("abc".into())));
        assert_eq!(find("/", true), Ok(None));
        assert!(find("/?access_token=a&access_token=b", true).is_err());
        assert!(find("/?access_token=", true).is_err());
        assert!(find("/?access_token=a%20b", true).is_err());
        let connect = |version| {
            let request =
                Request::connect("https://api.example/?access_token=abc").version(version);
            let (parts, ()) = request.body(()).unwrap().into_parts();
            Carrier::find(&carriers, &parts, LIMIT).unwrap().is_some()
        };
        assert!(
            !connect(http::Version::HTTP_11),
            "a proxy request is no handshake"
        );
        assert!(connect(http::Version::HTTP_2));
    }

    #[test]
    fn a_glance_finds_what_a_look_would_unless_it_takes_one() {
        let carriers = [
            Carrier::bearer(),
            Carrier::header("app-token").unwrap(),
            Carrier::query("access_token"),
        ];
        let glance = |uri: &str, headers: &[(&str, &str)]| {
            let mut request = Request::get(uri);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let (parts, ()) = request.body(()).unwrap().into_parts();
            let found = Carrier::glance(&carriers, &parts);
            found.map(|(carrier, token)| (carrier.name().to_owned(), token.to_vec()))
        };
        let found = |name: &str, token: &str| Some((name.to_owned(), token.into()));
        let (bearer, own) = (("authorization", "Bearer abc"), ("app-token", "def"));
        assert_eq!(glance("/", &[bearer]), found("Authorization", "abc"));
        assert_eq!(glance("/", &[own]), found("app-token", "def"));
        let many = [bearer, ("accept", "a"), ("accept", "b")];
        assert_eq!(glance("/", &many), found("Authorization", "abc"));
        assert_eq!(glance("/", &[]), None);
        assert_eq!(glance("/", &[bearer, own]), None, "two of them");
        assert_eq!(glance("/", &[bearer, bearer]), None);
        assert_eq!(glance("/", &[own, own]), None);
        assert_eq!(glance("/?access_token=ghi", &[bearer]), None);
        assert_eq!(glance("/", &[("authorization", "Bearer  abc")]), None);
        assert_eq!(glance("/", &[("authorization", "Basic abc")]), None);
    }

    #[test]
    fn carriers_that_cannot_be() {
        assert_eq!(
            Carrier::header("a b").unwrap_err().to_string(),
            "carrier is \"a b\", wanted a header name"
        );
        assert!(Carrier::header("Authorization").is_err());
        assert!(Carrier::header("cookie").is_err());
        assert!(Carrier::bearer().alias("x").is_err());
    }

    #[test]
    fn a_credential_redacts_itself() {
        let carrier = Carrier::bearer();
        let credential = Credential::new("s3cret", &carrier);
        assert_eq!(
            format!("{credential:?}"),
            "Credential { token: \"[redacted]\", carrier: Carrier(Authorization: Bearer) }"
        );
    }

    #[test]
    fn shape() {
        let carrier = Carrier::bearer();
        let jwt = |token| Credential::new(token, &carrier).looks_like_jwt();
        assert!(jwt("e30.e30.c2ln"));
        assert!(jwt("e30.e30."));
        assert!(jwt("a.b.c.d.e"));
        for opaque in ["abc", "a.b", "a.b.c.d", "tk_a.b+c.d", ".b.c"] {
            assert!(!jwt(opaque), "{opaque}");
        }
    }
}
