//! Where a credential may sit: exactly one is found, as it stands, or the request is refused.

use std::cell::LazyCell;

use http::header::{AUTHORIZATION, HeaderName};
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use portcullis::{Carrier, ClaimSet, Credential, Error, ErrorKind, Moment, ResourceServer};
use portcullis::{Verified, Verifier, danger};
use serde_json::json;

use super::bounds::Bound;
use super::decode::{is_b64token, percent};
use super::hush::{Pieces, only_fixed_words};
use super::stage;

/// A token may have as many bytes here.
const LIMIT: usize = 1_000;

/// Names of query parameters are decoded, and parameters beside a token copied, name and value, sixteen at
/// most. The verifier is one of the test: it writes the token as JSON, which is read as claims and
/// remembered; each takes its length a few times. What is fixed is the runtime, mostly.
const FINDING: Bound = Bound {
    fixed: 16_384,
    per_byte: 64,
};

/// Accepts what does not begin with `no-`, and says which token it has seen.
struct Echo;

impl Verifier for Echo {
    async fn verify(&self, credential: &Credential<'_>, _: &Moment<'_>) -> Result<Verified, Error> {
        echo(credential)
    }

    fn verify_now(
        &self,
        credential: &Credential<'_>,
        _: &Moment<'_>,
    ) -> Option<Result<Verified, Error>> {
        Some(echo(credential))
    }
}

fn echo(credential: &Credential<'_>) -> Result<Verified, Error> {
    let token = credential.token();
    if token.starts_with("no-") {
        return Err(Error::invalid_token("this one is refused"));
    }
    let claims = ClaimSet::from_serialize(&json!({"sub": token}));
    claims
        .map(Verified::new)
        .map_err(|error| Error::invalid_token(error.to_string()))
}

fn server(carriers: impl IntoIterator<Item = Carrier>) -> ResourceServer {
    let server = ResourceServer::builder()
        .clock(stage::clock())
        .credential_limit(LIMIT);
    let server = carriers
        .into_iter()
        .fold(server, |server, c| server.carrier(c));
    #[cfg(feature = "cache")]
    let server = server.verdict_capacity(16);
    server.verifier(Echo).build().expect("a server")
}

/// The servers of a thread. They remember tokens, for that is one way to find them; each input forgets its
/// own.
struct Servers {
    bearer: ResourceServer,
    parameters: ResourceServer,
    many: ResourceServer,
}

thread_local! {
    static SERVERS: LazyCell<Servers> = const { LazyCell::new(|| Servers {
        bearer: server([Carrier::bearer()]),
        parameters: server([danger::bearer_with_parameters()]),
        many: server([
            Carrier::bearer(),
            Carrier::header("App-Token").expect("a name"),
            Carrier::header("client_token")
                .and_then(|carrier| carrier.alias("Client-Token"))
                .expect("two names"),
            danger::query_parameter("access_token"),
        ]),
    }) };
}

/// The input is the head of a request: the target in the first line, a header in each other.
pub fn credential_header(data: &[u8]) {
    let Some(parts) = head(data) else {
        return;
    };
    SERVERS.with(|servers| {
        let one = [bearer(&parts.headers)];
        let many = [
            bearer(&parts.headers),
            plain(&parts.headers, &["app-token"]),
            plain(&parts.headers, &["client_token", "client-token"]),
            query(&parts, "access_token"),
        ];
        show(&servers.bearer, &parts, data, Some(&one));
        show(&servers.many, &parts, data, Some(&many));
        show(&servers.parameters, &parts, data, None);
    });
    parameters(&parts.headers);
}

fn head(data: &[u8]) -> Option<Parts> {
    let mut lines = data.split(|byte| *byte == b'\n');
    let mut parts = stage::bare();
    parts.uri = lines.next()?.try_into().ok()?;
    for line in lines.take(32) {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = line.split_at(colon);
        let value = value[1..].strip_prefix(b" ").unwrap_or(&value[1..]);
        let name = HeaderName::from_bytes(name).ok()?;
        parts
            .headers
            .append(name, HeaderValue::from_bytes(value).ok()?);
    }
    Some(parts)
}

/// What stands in one place.
#[derive(Clone, Debug, PartialEq)]
enum Place {
    Nothing,
    Token(String),
    Broken,
}

fn judged(token: &[u8], is_good: bool) -> Place {
    match std::str::from_utf8(token) {
        Ok(token) if is_good && token.len() <= LIMIT => Place::Token(token.to_owned()),
        _ => Place::Broken,
    }
}

/// RFC 6750 §2.1, RFC 9110 §11.4.
fn bearer(headers: &HeaderMap) -> Place {
    let values: Vec<&HeaderValue> = headers.get_all(AUTHORIZATION).iter().collect();
    let value = match values[..] {
        [] => return Place::Nothing,
        [one] => one.as_bytes(),
        _ => return Place::Broken,
    };
    let lower = value.to_ascii_lowercase();
    if lower.starts_with(b" ") || lower.starts_with(b"\t") || lower.starts_with(b"bearer\t") {
        return Place::Broken;
    }
    if lower != b"bearer" && !lower.starts_with(b"bearer ") {
        return Place::Nothing;
    }
    let token = &value[b"bearer".len()..];
    let blanks = token.iter().take_while(|byte| **byte == b' ').count();
    judged(&token[blanks..], is_b64token(&token[blanks..]))
}

/// A header of its own, under one of its names.
fn plain(headers: &HeaderMap, names: &[&str]) -> Place {
    let all = names.iter().flat_map(|name| headers.get_all(*name));
    let values: Vec<&HeaderValue> = all.collect();
    let token = match values[..] {
        [] => return Place::Nothing,
        [one] => one.as_bytes().trim_ascii(),
        _ => return Place::Broken,
    };
    let visible = |byte: &u8| byte.is_ascii_graphic() && *byte != b',';
    judged(token, !token.is_empty() && token.iter().all(visible))
}

fn query(parts: &Parts, name: &str) -> Place {
    let mut found = Vec::new();
    for pair in parts.uri.query().unwrap_or_default().split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        match percent(key, true) {
            None => return Place::Broken,
            Some(key) if key == name => found.push(value),
            Some(_) => {}
        }
    }
    match found[..] {
        [] => Place::Nothing,
        [one] => judged(one.as_bytes(), is_b64token(one.as_bytes())),
        _ => Place::Broken,
    }
}

/// Shows a request to a server twice, since the second time it may know the token; and holds what it says
/// to what stands in its `places`.
fn show(server: &ResourceServer, parts: &Parts, data: &[u8], places: Option<&[Place]>) {
    let found = server.credential(parts);
    let token = found
        .as_ref()
        .ok()
        .map(|found| found.map(|one| one.token()));
    if let Some(places) = places {
        let used = |place: &&Place| **place != Place::Nothing;
        let used: Vec<&Place> = places.iter().filter(used).collect();
        match (&used[..], token) {
            ([], Some(None)) => {}
            ([Place::Token(one)], Some(Some(found))) => assert_eq!(one, found),
            ([], _) | ([Place::Token(_)], _) => panic!("{used:?} reads as {found:?}"),
            // One that is broken, or several.
            (_, found) => assert_eq!(found, None, "{used:?}"),
        }
    }
    for _ in 0..2 {
        let mut parts = parts.clone();
        let shown = FINDING.hold(data.len(), || stage::run(server.authenticate(&mut parts)));
        match (&shown, token) {
            (Ok(None), Some(None)) => {}
            (Ok(Some(proven)), Some(Some(token))) => {
                assert!(!token.starts_with("no-"));
                assert_eq!(proven.subject(), Some(token));
            }
            (Err(error), Some(Some(token))) => {
                assert_eq!(error.kind(), ErrorKind::InvalidToken, "{error}");
                assert!(token.starts_with("no-"), "{error}");
            }
            (Err(error), None) => {
                assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
            }
            (shown, token) => panic!("{token:?} reads as {shown:?}"),
        }
        if let Err(error) = &shown {
            Pieces::of(data).hush_error(error);
            only_fixed_words(&server.answer(error), error);
        }
        hide(&parts, token.flatten());
    }
    if let Ok(Some(credential)) = &found {
        Pieces::of(credential.token().as_bytes()).hush_debug(credential);
        server.forget(credential);
    }
}

/// Whoever logs the headers of a request that was looked at prints no token.
fn hide(parts: &Parts, token: Option<&str>) {
    if let Some(token) = token {
        let mut pieces = Pieces::of(token.as_bytes());
        // A token may stand in a header that is nobody's carrier, too; and in the URL, where its owner
        // has put it.
        for (name, value) in &parts.headers {
            if !value.is_sensitive() {
                pieces.spare(name.as_str());
                pieces.spare(&format!("{value:?}"));
            }
        }
        pieces.hush_debug(&parts.headers);
        if parts.uri.query().is_none() {
            assert!(parts.headers.values().any(HeaderValue::is_sensitive));
        }
    }
}

/// What stands beside a token reads the same when it is written anew.
fn parameters(headers: &HeaderMap) {
    let Ok(parameters) = danger::unproven_parameters(headers) else {
        return;
    };
    assert!(parameters.len() <= 16);
    let mut written = "Bearer t".to_owned();
    for (name, value) in &parameters {
        let value = value.replace('\\', "\\\\").replace('"', "\\\"");
        written.push_str(&format!(", {name}=\"{value}\""));
    }
    let mut anew = HeaderMap::new();
    let value = HeaderValue::from_bytes(written.as_bytes()).expect("it came from a header");
    anew.insert(AUTHORIZATION, value);
    let read = danger::unproven_parameters(&anew).expect("it is well-formed");
    assert_eq!(read, parameters);
}
