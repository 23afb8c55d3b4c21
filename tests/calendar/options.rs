//! What the options do, and what the calendar says to those that make no sense.

use portcullis::Algorithm;
use portcullis::testing::Endpoint;

use super::curl::{ask, curl};
use super::program::{Program, run};
use super::{AUDIENCE, BOTH};

use crate::watched;

#[tokio::test]
async fn what_is_trusted_can_be_chosen() {
    let issuer = watched::started().await;
    let token = issuer.token().audience("https://mine.example/");
    let (es256, jwt) = (token.mint(), token.clone().typ("JWT").mint());
    let late = token.clone().expires_in(-60).mint();
    let rs256 = token.algorithm(Algorithm::RS256).mint();
    let elsewhere = issuer.token().mint();
    let jwks = issuer.jwks_uri();
    let mine = [
        "--issuer",
        issuer.issuer(),
        "--audience",
        "https://mine.example/",
    ];
    for (more, [es, typ, expired, rs]) in [
        (&[][..], [200, 401, 401, 200]),
        (&["--jwks-uri", &jwks], [200, 401, 401, 200]),
        (&["--typ", "lax"], [200, 200, 401, 200]),
        (&["--leeway", "300"], [200, 401, 200, 200]),
        (&["--algorithms", "RS256,PS256"], [401, 401, 401, 200]),
    ] {
        let program = Program::start(&[&mine, more].concat()).await;
        for (token, status) in [
            (&es256, es),
            (&jwt, typ),
            (&late, expired),
            (&rs256, rs),
            (&elsewhere, 401),
        ] {
            let answer = ask(&program, "GET", "/me", token, "").await;
            assert_eq!(answer.status(), status, "{more:?}: {}", answer.body());
        }
    }
}

#[tokio::test]
async fn opaque_tokens_are_introspected_by_every_client_authentication() {
    let issuer = watched::started().await;
    issuer.client("calendar", "s3cret: &+%");
    let pem = issuer.client_with_new_key("keyed", Algorithm::ES256);
    let key = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("calendar-client-key.pem");
    std::fs::write(&key, pem).unwrap();
    let key = key.to_str().unwrap();
    let secret = ["--client-id", "calendar", "--client-secret", "s3cret: &+%"];
    let keyed = [
        "--client-id",
        "keyed",
        "--client-key",
        key,
        "--client-key-alg",
        "ES256",
    ];
    for (method, more) in [
        (None, &secret[..]),
        (Some("basic"), &secret[..]),
        (Some("post"), &secret[..]),
        (Some("private_key_jwt"), &keyed[..]),
    ] {
        let uri = issuer.introspection_endpoint();
        let mut options = vec!["--issuer", issuer.issuer(), "--introspection-uri", &uri];
        options.extend(method.iter().flat_map(|method| ["--client-auth", method]));
        options.extend(more);
        let mut program = Program::start(&options).await;

        let opaque = issuer.opaque().audience(AUDIENCE).scope(BOTH);
        let token = opaque.mint();
        let answer = ask(&program, "GET", "/me", &token, "").await;
        assert_eq!(answer.status(), 200, "{method:?}: {}", answer.body());
        let asked = issuer.last_request(Endpoint::Introspection).unwrap();
        let form = String::from_utf8(asked.body().clone()).unwrap();
        let basic = asked.headers().contains_key("authorization");
        let sent = (
            basic,
            form.contains("client_secret="),
            form.contains("client_assertion="),
        );
        let wanted = method.unwrap_or("basic");
        assert_eq!(
            sent,
            (
                wanted == "basic",
                wanted == "post",
                wanted == "private_key_jwt"
            )
        );

        let jwt = issuer.token().audience(AUDIENCE).mint();
        assert_eq!(ask(&program, "GET", "/me", &jwt, "").await.status(), 200);
        // A refresh token is active, too; only its missing audience tells.
        let refresh = opaque.without("aud").refresh_token().mint();
        assert_eq!(
            ask(&program, "GET", "/me", &refresh, "").await.status(),
            401
        );
        assert_eq!(
            ask(&program, "GET", "/me", "unknown", "").await.status(),
            401
        );

        program.hear("not active").await;
        for hidden in [&token, &refresh, &jwt, "s3cret"] {
            let heard = program.heard();
            assert!(!heard.contains(hidden), "{heard}");
        }
    }
}

#[tokio::test]
async fn app_token_takes_opaque_tokens_and_nothing_else() {
    let issuer = watched::started().await;
    issuer.client("calendar", "s3cret");
    let uri = issuer.introspection_endpoint();
    let program = Program::start(&[
        "--issuer",
        issuer.issuer(),
        "--introspection-uri",
        &uri,
        "--client-id",
        "calendar",
        "--client-secret",
        "s3cret",
        "--app-token",
    ])
    .await;
    let opaque = issuer.opaque().audience(AUDIENCE).mint();
    let jwt = issuer.token().audience(AUDIENCE).mint();
    let me = format!("curl -i {}/me", program.base);
    for (headers, status) in [
        (format!("-H \"App-Token: {opaque}\""), 200),
        (format!("-H \"app-token: {opaque}\""), 200),
        (format!("-H \"App-Token: {jwt}\""), 401),
        (format!("-H \"Authorization: Bearer {opaque}\""), 200),
        (
            format!("-H \"App-Token: {opaque}\" -H \"Authorization: Bearer {jwt}\""),
            400,
        ),
        (
            format!("-H \"App-Token: {opaque}\" -H \"App-Token: {opaque}\""),
            400,
        ),
    ] {
        let answer = curl(&format!("{me} {headers}")).await;
        assert_eq!(answer.status(), status, "{headers}: {}", answer.body());
    }
}

#[tokio::test]
async fn options_that_make_no_sense_are_one_line_and_exit_code_2() {
    const REAL: &str = "--issuer https://as.example";
    const ASK: &str = "--issuer https://as.example --introspection-uri https://as.example/ask";
    for (options, sentence) in [
        (
            "--client-id a".to_owned(),
            "--client-id is given without --introspection-uri",
        ),
        (
            format!("{REAL} --client-id a"),
            "--client-id is given without --introspection-uri",
        ),
        (
            format!("{REAL} --client-secret s"),
            "--client-secret is given without --introspection-uri",
        ),
        (
            format!("{REAL} --client-auth post"),
            "--client-auth is given without --introspection-uri",
        ),
        (
            format!("{REAL} --app-token"),
            "--app-token is given without --introspection-uri",
        ),
        (
            "--introspection-uri u".to_owned(),
            "--introspection-uri is given without --issuer",
        ),
        (
            "--jwks-uri u".to_owned(),
            "--jwks-uri is given without --issuer",
        ),
        (
            "--keys-file f".to_owned(),
            "--keys-file is given without --issuer",
        ),
        (
            format!("{REAL} --keys-file /nowhere/keys"),
            "file of the last good keys is /nowhere/keys, wanted a file in a folder that exists",
        ),
        (
            format!("{ASK} --client-secret s"),
            "--introspection-uri is given without --client-id",
        ),
        (
            format!("{ASK} --client-id a"),
            "--introspection-uri is given without --client-secret",
        ),
        (
            format!("{ASK} --client-id a --client-auth private_key_jwt"),
            "--client-auth private_key_jwt is given without --client-key",
        ),
        (
            format!("{ASK} --client-id a --client-secret s --client-key k"),
            "--client-key is given without --client-auth private_key_jwt",
        ),
        (
            format!(
                "{ASK} --client-id a --client-secret s --client-auth private_key_jwt --client-key k"
            ),
            "--client-secret is given without --client-auth basic or post",
        ),
        (
            format!("{ASK} --client-id a --client-auth private_key_jwt --client-key Cargo.toml"),
            "--client-key: private key is no PEM, wanted a PKCS#8 PRIVATE KEY",
        ),
        (
            "--leeway 301".to_owned(),
            "leeway is 301 s, wanted at most 300 s",
        ),
        (
            "--audience=".to_owned(),
            "audience is empty, wanted the `aud` of the tokens",
        ),
        (
            "--issuer http://as.example".to_owned(),
            "issuer is \"http://as.example\", wanted an https URL (http only on loopback) without \
             user and fragment",
        ),
    ] {
        let words: Vec<&str> = options.split(' ').collect();
        let output = run(&words, &[]).await;
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(stderr, format!("error: {sentence}\n"), "{options}");
        assert_eq!(output.status.code(), Some(2), "{options}");
        assert!(output.stdout.is_empty(), "{options}");
    }
    for (options, word) in [
        (["--algorithms", "RS256,none"], "\"none\""),
        (["--algorithms", "HS256"], "HS256 has no public key"),
        (["--typ", "loose"], "strict, lax"),
    ] {
        let output = run(&options, &[]).await;
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains(word), "{stderr}");
        assert_eq!(output.status.code(), Some(2), "{options:?}");
    }
}

#[tokio::test]
async fn help_names_every_variable_and_shows_no_secret() {
    let variables = [
        ("CALENDAR_CLIENT_SECRET", "hush-hush"),
        ("CALENDAR_LEEWAY", "17"),
    ];
    let output = run(&["--help"], &variables).await;
    let help = String::from_utf8(output.stdout).unwrap();
    assert!(help.contains("[env: CALENDAR_LEEWAY=17]"), "{help}");
    assert!(help.contains("CALENDAR_CLIENT_SECRET"), "{help}");
    assert!(!help.contains("hush"), "{help}");
    let options = help
        .lines()
        .filter(|line| line.trim_start().starts_with("--"));
    for option in options {
        let (name, _) = option.trim().split_once([' ', '\t']).unwrap();
        let variable = name
            .trim_start_matches('-')
            .replace('-', "_")
            .to_uppercase();
        assert!(
            option.contains(&format!("[env: CALENDAR_{variable}")),
            "{option}"
        );
    }
}
