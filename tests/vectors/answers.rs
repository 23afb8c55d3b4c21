//! RFC 7662 §2.2 and §2.3, RFC 9701 §5: the answers that are printed there, given by an endpoint.

use http::{Request, Response};
use portcullis::testing::ManualClock;
use portcullis::{
    AccessToken, ClientAuth, Error, ErrorKind, Fetch, FetchError, IntrospectionVerifier, Reason,
    ResourceServer, UnixTime,
};
use serde_json::Value;

use crate::showing::{reason, show};

/// RFC 7662 §2.2.
const ACTIVE: &str = r#"{
 "active": true,
 "client_id": "l238j323ds-23ij4",
 "username": "jdoe",
 "scope": "read write dolphin",
 "sub": "Z5O3upPC88QrAjx00dis",
 "aud": "https://protected.example.net/resource",
 "iss": "https://server.example.com/",
 "exp": 1419356238,
 "iat": 1419350238,
 "extension_field": "twenty-seven"
}"#;
const ISSUED: i64 = 1_419_350_238;
const END: i64 = 1_419_356_238;
const RESOURCE: &str = "https://protected.example.net/resource";

/// The token that RFC 7662 §2.1 asks about.
const TOKEN: &str = "2YotnFZFEjr1zCsicMWpAA";

/// An endpoint with one answer.
struct Answers {
    status: u16,
    body: String,
}

impl Fetch for Answers {
    async fn fetch(
        &self,
        request: Request<Vec<u8>>,
        _: usize,
    ) -> Result<Response<Vec<u8>>, FetchError> {
        assert_eq!(request.uri(), "https://server.example.com/introspect");
        let form = String::from_utf8(request.body().clone()).unwrap();
        let is_token = |field: &str| field == format!("token={TOKEN}");
        assert!(form.split('&').any(is_token), "{form}");
        let response = Response::builder().status(self.status);
        Ok(response.body(self.body.clone().into_bytes()).unwrap())
    }
}

/// What a gate for `audience` says about the token, if the endpoint answers so.
async fn ask(status: u16, body: &str, audience: &str, now: i64) -> Result<AccessToken, Error> {
    let auth = ClientAuth::basic("s6BhdRkqt3", "7Fjfp0ZBr1KtDRbnfVdmIw");
    let endpoint = "https://server.example.com/introspect";
    let verifier = IntrospectionVerifier::builder(endpoint, auth, audience)
        .issuer("https://server.example.com/")
        .fetch(Answers {
            status,
            body: body.to_owned(),
        });
    let server = ResourceServer::builder()
        .verifier(verifier.build().unwrap())
        .clock(ManualClock::at(UnixTime::from_secs(now)))
        .build()
        .unwrap();
    show(&server, TOKEN).await
}

#[tokio::test]
async fn the_active_answer_of_rfc_7662_is_believed_in_its_time() {
    let proven = ask(200, ACTIVE, RESOURCE, ISSUED).await.unwrap();
    assert_eq!(proven.subject(), Some("Z5O3upPC88QrAjx00dis"));
    assert_eq!(proven.client_id(), Some("l238j323ds-23ij4"));
    assert_eq!(proven.issuer(), Some("https://server.example.com/"));
    assert_eq!(proven.scopes().to_string(), "dolphin read write");
    let extension = proven.claims().get("extension_field");
    assert_eq!(extension, Some(&Value::from("twenty-seven")));
    let late = ask(200, ACTIVE, RESOURCE, END + 30).await;
    assert_eq!(reason(&late), Some(Reason::Expired));
    let elsewhere = ask(200, ACTIVE, "https://other.example.net/", ISSUED).await;
    assert_eq!(reason(&elsewhere), Some(Reason::Audience));
}

#[tokio::test]
async fn the_inactive_answer_of_rfc_7662_is_a_refusal() {
    let inactive = ask(200, r#"{"active": false}"#, RESOURCE, ISSUED).await;
    assert_eq!(reason(&inactive), Some(Reason::Inactive));
    assert_eq!(inactive.unwrap_err().kind(), ErrorKind::InvalidToken);
}

/// §2.3: that we are not let in is not the token's fault.
#[tokio::test]
async fn the_error_answer_of_rfc_7662_is_our_trouble() {
    let body = r#"{"error":"invalid_client",
        "error_description":"The client authentication was invalid"}"#;
    for status in [401, 400] {
        let refused = ask(status, body, RESOURCE, ISSUED).await;
        assert_eq!(reason(&refused), Some(Reason::LookupUnavailable));
    }
}

/// RFC 9701 §5. Its signature is printed, the key is not: an issuer of ours signs the same text.
const SIGNED: &str = r#"{
 "iss":"https://as.example.com/",
 "aud":"https://rs.example.com/resource",
 "iat":1514797892,
 "token_introspection": {
  "active":true,
  "iss":"https://as.example.com/",
  "aud":"https://rs.example.com/resource",
  "iat":1514797822,
  "exp":1514797942,
  "client_id":"paiB2goo0a",
  "scope":"read write dolphin",
  "sub":"Z5O3upPC88QrAjx00dis",
  "birthdate":"1982-02-01",
  "given_name":"John",
  "family_name":"Doe",
  "jti":"t1FoCCaZd4Xv4ORJUWVUeTZfsKhW30CQCrWDDjwXy6w"
 }
}"#;
const SIGNED_HEADER: &str = r#"{"kid":"wG6D","typ":"token-introspection+jwt","alg":"RS256"}"#;
const SIGNED_AT: i64 = 1_514_797_892;

async fn ask_signed(header: &str, body: &str, now: i64) -> Result<AccessToken, Error> {
    let (issuer, keys) = crate::issuer("https://as.example.com", "wG6D", now);
    let signed = issuer.token().raw_header(header).raw_payload(body).mint();
    let auth = ClientAuth::basic("s6BhdRkqt3", "7Fjfp0ZBr1KtDRbnfVdmIw");
    let endpoint = "https://server.example.com/introspect";
    let resource = "https://rs.example.com/resource";
    let verifier = IntrospectionVerifier::builder(endpoint, auth, resource)
        .issuer("https://as.example.com/")
        .signed_answers(keys)
        .fetch(Answers {
            status: 200,
            body: signed,
        });
    let server = issuer.resource_server();
    let server = server.verifier(verifier.build().unwrap()).build().unwrap();
    show(&server, TOKEN).await
}

#[tokio::test]
async fn the_signed_answer_of_rfc_9701_is_believed_when_it_is_fresh() {
    let proven = ask_signed(SIGNED_HEADER, SIGNED, SIGNED_AT).await.unwrap();
    assert_eq!(proven.subject(), Some("Z5O3upPC88QrAjx00dis"));
    assert_eq!(proven.scopes().to_string(), "dolphin read write");
    let name = proven.claims().get("given_name");
    assert_eq!(name, Some(&Value::from("John")));
    // Minutes later somebody plays it back.
    let old = ask_signed(SIGNED_HEADER, SIGNED, SIGNED_AT + 40).await;
    assert_eq!(reason(&old), Some(Reason::LookupUnavailable));
}

#[tokio::test]
async fn another_text_that_the_issuer_signed_is_no_answer() {
    for (header, body) in [
        (
            SIGNED_HEADER.replace("token-introspection+jwt", "JWT"),
            SIGNED.to_owned(),
        ),
        (
            SIGNED_HEADER.replace("token-introspection+jwt", "at+jwt"),
            SIGNED.to_owned(),
        ),
        (
            SIGNED_HEADER.to_owned(),
            SIGNED.replace("resource\",\n \"iat\"", "other\",\n \"iat\""),
        ),
        (SIGNED_HEADER.to_owned(), ACTIVE.to_owned()),
    ] {
        let outcome = ask_signed(&header, &body, SIGNED_AT).await;
        assert_eq!(
            reason(&outcome),
            Some(Reason::LookupUnavailable),
            "{header} {body}"
        );
    }
}
