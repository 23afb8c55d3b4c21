//! A gate, and what stands before and behind it, none of which leaves a secret behind itself.

use std::sync::Mutex;

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use portcullis::*;
use zeroize::Zeroizing;

use crate::hidden::Hidden;

pub(crate) const AUDIENCE: &str = "https://api.example.com/";

/// An endpoint that knows every token, and notes what it is sent.
#[derive(Default)]
pub(crate) struct Endpoint(Mutex<Option<Hidden>>);

impl Endpoint {
    /// The header `Authorization`, and the body.
    pub(crate) fn sent(&self) -> Hidden {
        self.0.lock().unwrap().take().expect("nothing was sent")
    }
}

impl Fetch for Endpoint {
    async fn fetch(
        &self,
        request: Request<Vec<u8>>,
        _: usize,
    ) -> Result<Response<Vec<u8>>, FetchError> {
        let (parts, body) = request.into_parts();
        let body = Zeroizing::new(body);
        let authorization = parts.headers.get("authorization");
        let authorization = authorization.map_or(&b""[..], HeaderValue::as_bytes);
        *self.0.lock().unwrap() = Some(Hidden::of(authorization.iter().chain(&*body)));
        let answer = format!(r#"{{"active":true,"aud":"{AUDIENCE}","sub":"alice"}}"#);
        Ok(Response::new(answer.into_bytes()))
    }
}

/// Shows a token in a request that wipes itself.
pub(crate) async fn show(server: &ResourceServer, token: &Hidden) -> Result<AccessToken, Error> {
    let shown = token.shown();
    let header = Zeroizing::new([b"Bearer ", shown.as_bytes()].concat());
    drop(shown);
    let mut request = Request::new(());
    let header = HeaderValue::from_maybe_shared(Bytes::from_owner(header)).unwrap();
    request.headers_mut().insert("authorization", header);
    let (mut parts, ()) = request.into_parts();
    let shown = server.authenticate(&mut parts).await?;
    Ok(shown.expect("a credential was sent"))
}

/// A token for alice that `sign` has signed.
pub(crate) fn jwt(algorithm: Algorithm, sign: impl Fn(&[u8]) -> Zeroizing<Vec<u8>>) -> Hidden {
    let header = format!(r#"{{"alg":"{algorithm}","typ":"at+jwt"}}"#);
    let claims = format!(
        r#"{{"iss":"https://as.example","aud":"{AUDIENCE}","sub":"alice","exp":99999999999}}"#
    );
    let mut token = Zeroizing::new(Vec::with_capacity(1000));
    token.extend_from_slice(&base64(header.as_bytes()));
    token.push(b'.');
    token.extend_from_slice(&base64(claims.as_bytes()));
    let signature = sign(&token);
    token.push(b'.');
    token.extend_from_slice(&base64(&signature));
    Hidden::of(token.iter())
}

/// In the alphabet of URLs, without padding.
pub(crate) fn base64(octets: &[u8]) -> Zeroizing<Vec<u8>> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = Zeroizing::new(Vec::with_capacity(octets.len().div_ceil(3) * 4));
    for three in octets.chunks(3) {
        let bits = three
            .iter()
            .fold(0_u32, |bits, octet| bits << 8 | u32::from(*octet));
        let bits = bits << (8 * (3 - three.len()));
        for place in 0..=three.len() {
            text.push(DIGITS[(bits >> (18 - 6 * place) & 63) as usize]);
        }
    }
    text
}
