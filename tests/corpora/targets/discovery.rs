//! Metadata documents: keys are asked for where the issuer itself says so, at its own origin, and nowhere
//! else.

use std::sync::{Arc, Mutex, PoisonError};

use http::{Method, Request, Response};
use portcullis::{ErrorKind, Fetch, FetchError, JwtVerifier, RemoteJwks};

use super::bounds::Bound;
use super::hush::only_fixed_words;
use super::stage::{self, AUDIENCE, ISSUER, JWKS};
use super::tree::Tree;

/// Each document is copied once by the test and then read in place, but for names beyond the first 24, which
/// take 25 bytes for each six of text, in a table that doubles as it grows. Two texts count, and are parsed
/// as URLs. The key set behind it is always the same, and the dearest of what is fixed.
const FINDING: Bound = Bound {
    fixed: 49_152,
    per_byte: 64,
};

/// The two places where the metadata may be (RFC 8414 §3.1, OpenID Connect Discovery §4).
const PLACES: [&str; 2] = [
    "https://as.example/.well-known/oauth-authorization-server",
    "https://as.example/.well-known/openid-configuration",
];

/// An issuer that writes down what it is asked for.
#[derive(Clone)]
struct Issuer {
    documents: [Option<Vec<u8>>; 2],
    asked: Arc<Mutex<Vec<String>>>,
}

impl Fetch for Issuer {
    async fn fetch(
        &self,
        request: Request<Vec<u8>>,
        _: usize,
    ) -> Result<Response<Vec<u8>>, FetchError> {
        assert_eq!(request.method(), Method::GET);
        assert!(request.body().is_empty());
        let uri = request.uri().to_string();
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.push(uri.clone());
        let place = PLACES.iter().position(|place| **place == uri);
        let Some(place) = place else {
            return Ok(Response::new(JWKS.as_bytes().to_vec()));
        };
        let mut response = Response::new(Vec::new());
        match &self.documents[place] {
            Some(document) => *response.body_mut() = document.clone(),
            None => *response.status_mut() = http::StatusCode::NOT_FOUND,
        }
        Ok(response)
    }
}

/// The input is the document at the first place. Behind a line `---` stands that of the second, which is not
/// there otherwise.
pub fn discovery(data: &[u8]) {
    let cut = data.windows(5).position(|at| at == b"\n---\n");
    let documents = match cut {
        Some(at) => [Some(data[..at].to_vec()), Some(data[at + 5..].to_vec())],
        None => [Some(data.to_vec()), None],
    };
    let issuer = Issuer {
        documents: documents.clone(),
        asked: Arc::default(),
    };
    let keys = RemoteJwks::discover(ISSUER).fetch(issuer.clone());
    let verifier = JwtVerifier::builder(ISSUER, AUDIENCE)
        .keys(keys.build().expect("a key source"))
        .build()
        .expect("a verifier");
    let server = stage::forgetful().verifier(verifier);
    let server = server.build().expect("a server");
    let ready = FINDING.hold(data.len(), || stage::run(server.ready()));

    let asked = issuer.asked.lock().unwrap_or_else(PoisonError::into_inner);
    let found = documents.iter().map(|document| named(document.as_deref()));
    let found: Vec<Option<String>> = found.collect();
    // The first document that is good is followed; the second is not asked for then.
    match (&found[..], &asked[..]) {
        ([Some(uri), _], [first, keys]) => {
            assert_eq!(first, PLACES[0]);
            same(uri, keys);
        }
        ([None, Some(uri)], [first, second, keys]) => {
            assert_eq!([first, second], PLACES);
            same(uri, keys);
        }
        ([None, None], [first, second]) => assert_eq!([first, second], PLACES),
        (found, asked) => panic!("{found:?} was said, {asked:?} was asked"),
    }
    let is_found = found.iter().any(Option::is_some);
    assert_eq!(ready.is_ok(), is_found, "{ready:?}");
    let status = server.status();
    if let Err(error) = ready {
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        only_fixed_words(&server.answer(&error), &error);
        let told = status.keys[0].last_error.as_deref().expect("a sentence");
        // However much was answered: one short line for the log. (A character may be shown as ten.)
        assert!(
            told.len() < 8_192 && !told.contains(char::is_control),
            "{told}"
        );
    }
}

/// The request for the keys, as far as a URL may be spelled in several ways: an origin knows no case, and a
/// path may be left out.
fn same(said: &str, asked: &str) {
    let (said, asked) = (split(said).expect("a URL"), split(asked).expect("a URL"));
    assert!(is_ours(&asked), "{asked:?}");
    let path = match said.path.starts_with('/') {
        true => said.path.to_owned(),
        false => format!("/{}", said.path),
    };
    assert_eq!(asked.path, path);
}

#[derive(Debug)]
struct Url<'a> {
    scheme: &'a str,
    authority: &'a str,
    /// With the query.
    path: &'a str,
}

fn split(url: &str) -> Option<Url<'_>> {
    let (scheme, after) = url.split_once("://")?;
    let end = after.find(['/', '?']).unwrap_or(after.len());
    let (authority, path) = after.split_at(end);
    Some(Url {
        scheme,
        authority,
        path,
    })
}

/// Whether a URL is of the issuer's origin: the scheme and the host, whatever their case, and the port of
/// https, which need not be said.
fn is_ours(url: &Url<'_>) -> bool {
    let (host, port) = url.authority.split_once(':').unwrap_or((url.authority, ""));
    let digits = port.bytes().all(|byte| byte.is_ascii_digit());
    let usual = port.is_empty() || (digits && port.parse::<u16>() == Ok(443));
    url.scheme.eq_ignore_ascii_case("https") && host.eq_ignore_ascii_case("as.example") && usual
}

/// Where a document says that the keys are, if it may be followed: read in the plainest way.
fn named(document: Option<&[u8]>) -> Option<String> {
    let text = std::str::from_utf8(document?).ok()?;
    let tree = Tree::read(text).filter(Tree::is_strict_object)?;
    // RFC 8414 §3.3: identical.
    if tree.get("issuer")?.text()? != ISSUER {
        return None;
    }
    let url = tree.get("jwks_uri")?.text()?;
    // What no URL may hold is left to the reader of URLs.
    let is_url = url.parse::<http::Uri>().is_ok() && !url.contains('#');
    (is_url && is_ours(&split(url)?)).then(|| url.to_owned())
}
