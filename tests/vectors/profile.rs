//! RFC 9068: the access token of its example (§3). It is printed without a signature, so an issuer of
//! ours signs it.

use portcullis::testing::{AuthorizationServer, ManualClock};
use portcullis::{JwtVerifier, Reason, ResourceServer, StaticJwks, UnixTime};

use crate::showing::{reason, show};

const ISSUED: i64 = 1_618_354_090;
const END: i64 = 1_639_528_912;

const HEADER: &str = r#"{"typ":"at+JWT","alg":"RS256","kid":"RjEwOwOA"}"#;

const CLAIMS: &str = r#"{
  "iss": "https://authorization-server.example.com/",
  "sub": "5ba552d67",
  "aud":   "https://rs.example.com/",
  "exp": 1639528912,
  "iat": 1618354090,
  "jti" : "dbe39bf3a3ba4238a513f51d6e1691c4",
  "client_id": "s6BhdRkqt3",
  "scope": "openid profile reademail"
}"#;

struct Stage {
    issuer: AuthorizationServer,
    keys: StaticJwks,
}

impl Stage {
    fn new() -> Stage {
        let origin = "https://authorization-server.example.com";
        let (issuer, keys) = crate::issuer(origin, "RjEwOwOA", ISSUED);
        Stage { issuer, keys }
    }

    fn sign(&self, header: &str, claims: &str) -> String {
        let token = self.issuer.token().raw_header(header);
        token.raw_payload(claims).mint()
    }

    /// A gate that demands everything that RFC 9068 §2.2 has an issuer write.
    fn gate(&self, now: i64) -> ResourceServer {
        let issuer = "https://authorization-server.example.com/";
        let verifier = JwtVerifier::builder(issuer, "https://rs.example.com/")
            .keys(self.keys.clone())
            .require_claims(["client_id", "iat", "jti"]);
        ResourceServer::builder()
            .verifier(verifier.build().unwrap())
            .clock(ManualClock::at(UnixTime::from_secs(now)))
            .build()
            .unwrap()
    }
}

#[tokio::test]
async fn the_example_is_admitted_in_its_time() {
    let stage = Stage::new();
    let token = stage.sign(HEADER, CLAIMS);
    let proven = show(&stage.gate(ISSUED), &token).await.unwrap();
    assert_eq!(proven.subject(), Some("5ba552d67"));
    assert_eq!(proven.client_id(), Some("s6BhdRkqt3"));
    assert_eq!(proven.scopes().to_string(), "openid profile reademail");
    assert_eq!(proven.expires_at(), Some(UnixTime::from_secs(END)));
    assert!(show(&stage.gate(END + 29), &token).await.is_ok());
    for (now, wanted) in [
        (END + 30, Reason::Expired),
        (ISSUED - 31, Reason::NotYetValid),
    ] {
        let outcome = show(&stage.gate(now), &token).await;
        assert_eq!(reason(&outcome), Some(wanted), "{now}");
    }
}

/// RFC 9068 §2.1, §4: `at+jwt` or `application/at+jwt`, whatever the case, and nothing else.
#[tokio::test]
async fn typ_is_that_of_an_access_token() {
    let stage = Stage::new();
    for typ in [
        "at+jwt",
        "AT+JWT",
        "application/at+jwt",
        "Application/AT+JWT",
    ] {
        let token = stage.sign(&HEADER.replace("at+JWT", typ), CLAIMS);
        assert!(show(&stage.gate(ISSUED), &token).await.is_ok(), "{typ}");
    }
    for typ in [
        "JWT",
        "jwt",
        "at",
        "at-jwt",
        "at+jwt ",
        "text/at+jwt",
        "application/application/at+jwt",
        "id+jwt",
        "logout+jwt",
        "dpop+jwt",
        "",
    ] {
        let token = stage.sign(&HEADER.replace("at+JWT", typ), CLAIMS);
        let outcome = show(&stage.gate(ISSUED), &token).await;
        assert_eq!(reason(&outcome), Some(Reason::Type), "{typ:?}");
    }
    let token = stage.sign(r#"{"alg":"RS256","kid":"RjEwOwOA"}"#, CLAIMS);
    let outcome = show(&stage.gate(ISSUED), &token).await;
    assert_eq!(reason(&outcome), Some(Reason::Type), "absent");
}

/// RFC 9068 §4: what else the resource server must check of the example.
#[tokio::test]
async fn each_claim_of_the_example_counts() {
    let stage = Stage::new();
    for (from, to, wanted) in [
        ("server.example.com/", "server.example.com", Reason::Issuer),
        ("rs.example.com/", "other.example.com/", Reason::Audience),
        ("\"sub\": \"5ba552d67\",", "", Reason::MissingClaim),
        ("\"exp\": 1639528912,", "", Reason::MissingClaim),
        ("\"iat\": 1618354090,", "", Reason::MissingClaim),
        ("\"client_id\": \"s6BhdRkqt3\",", "", Reason::MissingClaim),
        ("\"jti\"", "\"jtj\"", Reason::MissingClaim),
    ] {
        assert!(CLAIMS.contains(from), "{from}");
        let token = stage.sign(HEADER, &CLAIMS.replace(from, to));
        let outcome = show(&stage.gate(ISSUED), &token).await;
        assert_eq!(reason(&outcome), Some(wanted), "{from}: {outcome:?}");
    }
    for (header, wanted) in [
        (HEADER.replace("RS256", "none"), Reason::Algorithm),
        (HEADER.replace("RS256", "PS256"), Reason::Algorithm),
        (HEADER.replace("RjEwOwOA", "other"), Reason::UnknownKey),
    ] {
        let token = stage.sign(&header, CLAIMS);
        let outcome = show(&stage.gate(ISSUED), &token).await;
        assert_eq!(reason(&outcome), Some(wanted), "{header}: {outcome:?}");
    }
}
