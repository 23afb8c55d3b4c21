//! Resource guards: what is permitted says the very claim in the very place, to any reader.

use http::header::{HOST, HeaderValue};
use http::request::Parts;
use portcullis::{AccessToken, ClaimSet, Error, ErrorKind, ResourceGuard, path_segments, testing};
use serde_json::Value;

use super::bounds::Bound;
use super::decode::percent;
use super::stage;
use super::tree::Tree;

/// A part of the request is decoded, and compared with one of the claims, whose tree is built when it is
/// first asked for: an object of one member takes 632 bytes, of as few as five of text. A refusal quotes 120
/// characters of each, ten bytes a character at most.
const JUDGING: Bound = Bound {
    fixed: 8_192,
    per_byte: 160,
};

/// The input is a pattern in its first line, then the request's target, its host, and the claims.
pub fn path_guard(data: &[u8]) {
    let Some(lines) = stage::lines(data, 4) else {
        return;
    };
    let [pattern, target, host, claims] = lines[..] else {
        return;
    };
    let Ok(uri) = target.parse::<http::Uri>() else {
        return;
    };
    let Some(claims) = Tree::read(claims).filter(Tree::is_strict_object) else {
        return;
    };
    // As testing writes them: `null` is absent.
    let document = claims.value();
    if ClaimSet::from_serialize(&document).is_err() {
        return;
    }
    // A pattern is written by who guards, and told as it is; nobody writes such.
    if pattern.contains(char::is_control) {
        return;
    }
    let token = testing::access_token(&document);
    let mut parts = stage::bare();
    parts.uri = uri;
    if let Ok(host) = HeaderValue::from_str(host) {
        parts.headers.insert(HOST, host);
    }
    segments(parts.uri.path());

    let input = data.len();
    by_path(pattern, &parts, &token, &document, input);
    let query = ResourceGuard::anywhere().query_is("x-id", ["/tenant"]);
    let found = only(parts.uri.query().unwrap_or_default(), "x-id");
    let good = found.is_some() && found == identifier(&document, "tenant");
    judge(query, "", &parts, &token, good, input);

    let domain = ResourceGuard::anywhere().subdomain_is("example.org", ["/tenant"]);
    let found = label(&parts, ".example.org");
    let good = found.is_some() && found == identifier(&document, "tenant");
    judge(domain, "", &parts, &token, good, input);

    let fixed = ResourceGuard::anywhere().claim_is("/tenant", "acme");
    let good = identifier(&document, "tenant").as_deref() == Some("acme");
    judge(fixed, "", &parts, &token, good, input);
}

fn judge(
    builder: portcullis::ResourceGuardBuilder,
    pattern: &str,
    parts: &Parts,
    token: &AccessToken,
    good: bool,
    input: usize,
) {
    let guard = builder.build().expect("a guard");
    let judged = JUDGING.hold(input, || guard.check(parts, token));
    assert_eq!(judged.is_ok(), good, "{judged:?} for {}", parts.uri);
    if let Err(error) = judged {
        refused(&error, pattern);
    }
}

fn refused(error: &Error, pattern: &str) {
    assert_eq!(error.kind(), ErrorKind::Forbidden);
    // One short line for the log, however long and odd the request is. A name in the pattern is told in full,
    // and as a pointer to the claim, where `~` takes two characters.
    let told = error.to_string();
    assert!(
        told.len() < 4_096 + 3 * pattern.len() && !told.contains(char::is_control),
        "{told}"
    );
}

/// A guard of the pattern that the input has made, with each parameter tied to the claim of its name.
fn by_path(pattern: &str, parts: &Parts, token: &AccessToken, document: &Value, input: usize) {
    let Some(shape) = shape(pattern) else {
        // Whatever it is, it makes no guard.
        let built = ResourceGuard::path(pattern)
            .claim_is("/tenant", "acme")
            .build();
        assert!(built.is_err(), "{pattern}");
        return;
    };
    let tied = |name: &&str| !name.starts_with('_');
    let names = shape.iter().filter_map(|part| part.name()).filter(tied);
    let mut builder = ResourceGuard::path(pattern).claim_is("/sub", "alice");
    for name in names {
        let pointer = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
        builder = builder.param_is(name, [&*pointer]);
    }
    let sub = identifier(document, "sub").as_deref() == Some("alice");
    let good = sub && permits(&shape, parts.uri.path(), document);
    judge(builder, pattern, parts, token, good, input);
}

enum Part<'a> {
    Text(&'a str),
    Parameter(&'a str),
    Rest,
}

impl<'a> Part<'a> {
    fn name(&self) -> Option<&'a str> {
        match self {
            Part::Parameter(name) => Some(name),
            _ => None,
        }
    }
}

/// What a pattern says, if it is one.
fn shape(pattern: &str) -> Option<Vec<Part<'_>>> {
    let segments: Vec<&str> = pattern.strip_prefix('/')?.split('/').collect();
    let mut shape: Vec<Part<'_>> = Vec::new();
    let mut names = Vec::new();
    for (place, segment) in segments.iter().enumerate() {
        let is_last = place + 1 == segments.len();
        if !segment.contains(['{', '}']) {
            if segment.is_empty() && !is_last {
                return None;
            }
            shape.push(Part::Text(segment));
            continue;
        }
        let inner = segment.strip_prefix('{')?.strip_suffix('}')?;
        let name = inner.strip_prefix('*').unwrap_or(inner);
        if name.is_empty() || name.contains(['{', '}', '*']) || names.contains(&name) {
            return None;
        }
        names.push(name);
        match inner == name {
            true => shape.push(Part::Parameter(name)),
            false if is_last => shape.push(Part::Rest),
            false => return None,
        }
    }
    Some(shape)
}

/// Whether each part of the path is what the shape and the claims say, to a reader who splits first and
/// decodes then, and takes nothing that another reader might take otherwise.
fn permits(shape: &[Part<'_>], path: &str, document: &Value) -> bool {
    let Some(path) = path.strip_prefix('/') else {
        return false;
    };
    let mut found = path.split('/');
    for part in shape {
        let good = match part {
            Part::Text(text) => found.next() == Some(text),
            Part::Parameter(name) => {
                let decoded = found.next().and_then(plain);
                let claim = identifier(document, name);
                decoded.is_some_and(|found| name.starts_with('_') || Some(found) == claim)
            }
            Part::Rest => {
                let mut rest = found.by_ref().peekable();
                rest.peek().is_some() && rest.all(|segment| plain(segment).is_some())
            }
        };
        if !good {
            return false;
        }
    }
    found.next().is_none()
}

/// A decoded segment that has one reading.
fn plain(raw: &str) -> Option<String> {
    let decoded = percent(raw, false)?;
    let odd = decoded.is_empty()
        || decoded == "."
        || decoded == ".."
        || decoded
            .chars()
            .any(|c| c == '/' || c == '\\' || c.is_control());
    (!odd).then_some(decoded)
}

/// `path_segments` hands out a whole path of such segments, or nothing.
fn segments(path: &str) {
    let wanted = match path.strip_prefix('/') {
        None => None,
        Some("") => Some(Vec::new()),
        Some(inner) => inner.split('/').map(plain).collect::<Option<Vec<String>>>(),
    };
    let found = JUDGING.hold(path.len(), || path_segments(path));
    match (found, wanted) {
        (Ok(found), Some(wanted)) => assert_eq!(found, wanted),
        (Err(error), None) => refused(&error, ""),
        (found, wanted) => panic!("{path} reads as {found:?}, wanted {wanted:?}"),
    }
}

/// A claim that names something: a text that is not empty, or an integer.
fn identifier(document: &Value, name: &str) -> Option<String> {
    match document.get(name)? {
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        Value::Number(number) if number.is_i64() || number.is_u64() => Some(number.to_string()),
        _ => None,
    }
}

/// The only value of a query parameter.
fn only(query: &str, name: &str) -> Option<String> {
    let mut values = Vec::new();
    for pair in query.split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if percent(key, true)? == name {
            values.push(value);
        }
    }
    match values[..] {
        [one] => percent(one, true),
        _ => None,
    }
}

/// The one label before a domain.
fn label(parts: &Parts, domain: &str) -> Option<String> {
    let bare = |host: &str| {
        let (name, port) = host.rsplit_once(':').unwrap_or((host, ""));
        let is_port = port.bytes().all(|byte| byte.is_ascii_digit());
        is_port.then(|| name.to_ascii_lowercase())
    };
    let header = parts.headers.get(HOST).map(|host| host.to_str());
    let header = header.transpose().ok()?;
    let target = parts.uri.authority().map(|target| target.as_str());
    let hosts: Vec<Option<String>> = target.into_iter().chain(header).map(bare).collect();
    let host = hosts.first()?.clone()?;
    if hosts.iter().any(|other| other.as_ref() != Some(&host)) {
        return None;
    }
    let label = host.strip_suffix(domain)?;
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (!label.is_empty() && label.bytes().all(is_letter)).then(|| label.to_owned())
}
