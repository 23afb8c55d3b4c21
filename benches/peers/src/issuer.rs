//! The issuers' metadata and keys on loopback, for the gates that fetch them when they start.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use serde_json::json;

use crate::tokens::{Issuer, Signing};

/// Makes an issuer for each algorithm and serves what it publishes until the process ends.
pub fn serve() -> io::Result<Vec<Issuer>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let origin = format!("http://{}", listener.local_addr()?);
    let issuer = |signing: Signing| {
        Issuer::new(
            &format!("{origin}/{}", signing.name().to_lowercase()),
            signing,
        )
    };
    let issuers = [Signing::Rs256, Signing::Es256, Signing::EdDsa].map(issuer);
    let published: Vec<(String, String)> = issuers
        .iter()
        .map(|issuer| (issuer.url().to_owned(), issuer.jwks()))
        .collect();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A client that went away is its own affair.
            let _ = answer(stream, &origin, &published);
        }
    });
    Ok(issuers.into())
}

fn answer(stream: TcpStream, origin: &str, published: &[(String, String)]) -> io::Result<()> {
    let mut request = BufReader::new(stream);
    let mut first = String::new();
    request.read_line(&mut first)?;
    let mut line = String::new();
    while request.read_line(&mut line)? > 2 {
        line.clear();
    }
    let target = first.split(' ').nth(1).unwrap_or_default();
    // One peer asks for the key it wants in the query.
    let path = target.split('?').next().unwrap_or_default();
    let body = document(&format!("{origin}{path}"), origin, published);
    let status = if body.is_some() {
        "200 OK"
    } else {
        "404 Not Found"
    };
    let body = body.unwrap_or_default();
    write!(
        request.get_mut(),
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n{body}",
        body.len()
    )
}

/// The keys of an issuer, or its metadata, wherever one looks for them.
fn document(url: &str, origin: &str, published: &[(String, String)]) -> Option<String> {
    let (issuer, jwks) = published.iter().find(|(issuer, _)| {
        let name = issuer.strip_prefix(origin).unwrap_or_default();
        url.starts_with(issuer.as_str()) || url.ends_with(name)
    })?;
    if url.ends_with("/jwks") {
        return Some(jwks.clone());
    }
    let metadata = json!({
        "issuer": issuer,
        "jwks_uri": format!("{issuer}/jwks"),
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256", "ES256", "EdDSA"],
        "claims_supported": ["iss", "sub", "aud", "exp", "iat", "nbf", "jti"],
    });
    url.contains("/.well-known/").then(|| metadata.to_string())
}
