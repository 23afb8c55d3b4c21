//! What the issuers read and write alike.
#![allow(dead_code, unreachable_pub)] // Nobody needs all of it, and nobody imports an example.

use http::Request;
use portcullis::Algorithm;
use portcullis::testing::TokenBuilder;
use serde_json::Value;

/// The value of a header, if it is there and a text.
pub fn header<'a>(request: &'a Request<Vec<u8>>, name: &str) -> Option<&'a str> {
    request.headers().get(name)?.to_str().ok()
}

/// A token of exactly this header and these claims, signed with HS256.
pub fn signed(token: TokenBuilder, header: &str, secret: &str, claims: &Value) -> String {
    token
        .hmac(Algorithm::HS256, secret)
        .raw_header(header)
        .raw_payload(claims.to_string())
        .mint()
}
