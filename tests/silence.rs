//! Whatever the tests log, all of them, no line shows a token or a secret.
//!
//! [`watched`] looks at each line of each test. Here stands that it finds something if there is something,
//! that no issuer of the tests goes unwatched, and, over the lines of a whole run, that there were some:
//!
//! ```text
//! PORTCULLIS_LINES=$PWD/target/lines cargo test
//! PORTCULLIS_LINES=$PWD/target/lines cargo test --test silence -- --ignored the_whole_run
//! ```
// A test says what must be there by taking it.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod source;
mod watched;

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::iter::repeat_with;
use std::process::Command;

use watched::{FOLDER, Signs};

/// What [`shows_a_token`] is to log.
const SHOWS: &str = "PORTCULLIS_SHOWS";

/// Folders and files whose issuers nobody watches.
const UNWATCHED: [(&str, &str); 5] = [
    ("tests/watched/", "it makes those that are watched"),
    ("tests/silence.rs", "it only speaks of them"),
    ("tests/allocations.rs", "a subscriber allocates"),
    ("tests/bounds.rs", "a subscriber allocates"),
    (
        "tests/soak/",
        "what is seen is remembered, and memory is measured",
    ),
];

/// Binaries whose own process logs nothing.
const QUIET: [(&str, &str); 5] = [
    ("calendar", "its gate is another program"),
    ("live", "its gate is another program"),
    ("public_api", "it shows no token to a gate"),
    ("silence", "it has no gate"),
    ("unproven", "it asks verifiers, without a gate"),
];

/// Ways to make an issuer, and what to write instead.
const ISSUERS: [(&str, &str); 3] = [
    ("AuthorizationServer::new", "watched::issuer()"),
    ("AuthorizationServer::builder", "watched::builder()"),
    ("AuthorizationServer::start", "watched::started().await"),
];

#[test]
fn no_issuer_of_the_tests_goes_unwatched() {
    let root = source::root();
    let mut files = Vec::new();
    source::walk(&root.join("tests"), &|_| true, &mut files);
    let (mut faults, mut watched) = (Vec::new(), 0);
    for file in files {
        let path = source::relative(&file, root);
        let excused = UNWATCHED.iter().any(|(place, _)| path.starts_with(place));
        if excused || !path.ends_with(".rs") {
            continue;
        }
        for (line, text) in fs::read_to_string(&file).unwrap().lines().enumerate() {
            let code = text.split("//").next().unwrap_or_default();
            watched += code.matches("watched::").count();
            for (made, instead) in ISSUERS {
                if code.contains(made) {
                    faults.push(format!("{path}:{}: {made}, wanted {instead}", line + 1));
                }
            }
        }
    }
    assert!(
        faults.is_empty(),
        "whatever is logged around these issuers, nobody looks at it:\n{}\nThe module is \
         tests/watched/mod.rs.",
        faults.join("\n")
    );
    assert!(watched > 50, "{watched} issuers are watched");
}

#[test]
fn tokens_and_secrets_are_told_by_their_looks() {
    let issuer = watched::issuer();
    // One piece in thirty of what chance makes has a single digit, and passes for a name.
    let has_digits = |piece: &str| piece.bytes().filter(u8::is_ascii_digit).count() >= 2;
    let jwt = repeat_with(|| issuer.token().mint()).take(100).find(|jwt| {
        let (_, signature) = jwt.rsplit_once('.').unwrap();
        has_digits(&signature[..40]) && has_digits(&signature[signature.len() - 40..])
    });
    let mut opaque = repeat_with(|| issuer.opaque().mint()).take(100);
    let opaque = opaque.find(|opaque| has_digits(&opaque[10..40]));
    let (jwt, opaque) = (jwt.unwrap(), opaque.unwrap());
    let mut signs = Signs::default();
    signs.learn("plain words as a secret");
    let (signed, signature) = jwt.rsplit_once('.').unwrap();
    let (header, payload) = signed.split_once('.').unwrap();
    for shown in [
        jwt.clone(),
        header[..16].to_owned(),
        payload[..20].to_owned(),
        signature[..40].to_owned(),
        signature[signature.len() - 40..].to_owned(),
        format!("{:?}", jwt.as_bytes()),
        opaque[10..40].to_owned(),
        "Authorization: Bearer short-but-a-token".to_owned(),
        "Basic Z2F0ZTpzZXNhbWU=".to_owned(),
        "token=short-and-opaque&token_type_hint=access_token".to_owned(),
        "client_id=gate&client_secret=open-sesame-1".to_owned(),
        "no row for words as a sec".to_owned(),
    ] {
        for line in [
            shown.clone(),
            format!("INFO a: é {shown}, quoted"),
            format!("{shown:?}"),
        ] {
            assert!(signs.find(&line).is_some(), "{line}");
        }
    }
    for quiet in [
        "",
        "WARN portcullis::jwks::engine: the issuer's keys cannot be had: status is 500",
        "DEBUG portcullis::server: token is no JWT: it has 2 parts, wanted 3 reason=\"malformed\"",
        "Bearer realm=\"calendar\", error=\"invalid_token\"",
        "kid is \"es256-1\", wanted one of [\"es256-2\", \"rs256-1\"]",
        "POST https://as.example/introspect?token_type_hint=access_token",
        "random: 5ef1c0de5ef1c0de5ef1c0de5ef1c0de5ef1c0de5ef1c0de5ef1c0de5ef1c0de",
        "ClientHelloPayload TLS13_AES_256_GCM_SHA384 TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        "portcullis::middleware::authenticate::AuthenticateLayerOfEverything",
    ] {
        assert_eq!(signs.find(quiet), None, "{quiet}");
    }
}

#[test]
fn a_test_that_logs_a_token_is_ended() {
    for (way, told) in [
        ("nothing", None),
        ("a token", Some("the log shows a part of a JWT")),
        ("a field", Some("the log shows a word by chance")),
        ("a span", Some("the log shows a part of a JWT")),
        ("another thread", Some("the log shows a credential")),
        ("another crate", Some("the log shows a part of a JWT")),
        ("a plain secret", Some("the log shows a secret")),
    ] {
        let mut program = Command::new(env::current_exe().unwrap());
        program.args(["--exact", "shows_a_token", "--ignored"]);
        let output = program.env(SHOWS, way).env_remove(FOLDER).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.success(), told.is_none(), "{way}: {errors}");
        assert!(
            told.is_none_or(|told| errors.contains(told)),
            "{way}: {errors}"
        );
    }
}

#[test]
#[ignore = "is run by a_test_that_logs_a_token_is_ended"]
fn shows_a_token() {
    let issuer = watched::issuer();
    let (jwt, opaque) = (issuer.token().mint(), issuer.opaque().mint());
    match &*env::var(SHOWS).unwrap_or_default() {
        "a token" => tracing::trace!("it is {jwt}"),
        "a field" => tracing::warn!(who = opaque, "it is here"),
        "a span" => drop(tracing::debug_span!("request", token = jwt)),
        "another thread" => {
            let told = std::thread::spawn(|| tracing::info!("sent Bearer not-a-jwt-at-all"));
            let _ = told.join();
        }
        "another crate" => log::debug!("it is {jwt}"),
        "a plain secret" => {
            watched::secret("correct horse battery staple");
            tracing::error!("wanted horse battery st");
        }
        _ => tracing::info!("there is nothing to see"),
    }
}

/// Of a run of all tests that has kept its lines: that every binary has some, and none shows a token.
#[test]
#[ignore = "wants the lines of a whole run, see above"]
fn the_whole_run() {
    let folder = env::var_os(FOLDER).expect("PORTCULLIS_LINES names the folder of the lines");
    let mut lines: BTreeMap<String, usize> = BTreeMap::new();
    let signs = Signs::default();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        // `doors-0a1b2c3d4e5f6789.4711.log`
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let (name, _) = name.rsplit_once('-').unwrap();
        let count = lines.entry(name.to_owned()).or_default();
        for line in fs::read_to_string(&path).unwrap().lines() {
            *count += 1;
            assert_eq!(signs.find(line), None, "{}: {line}", path.display());
        }
    }
    let mut files = Vec::new();
    source::walk(&source::root().join("tests"), &|_| true, &mut files);
    let (mut silent, mut watched) = (Vec::new(), 0);
    for file in files {
        let path = source::relative(&file, source::root());
        let text = fs::read_to_string(&file).unwrap_or_default();
        if text.lines().any(|line| line == "mod watched;") {
            let name = path.trim_start_matches("tests/");
            let name = name.trim_end_matches("/main.rs").trim_end_matches(".rs");
            watched += 1;
            let is_quiet = QUIET.iter().any(|(quiet, _)| *quiet == name);
            let is_silent = lines.get(name).is_none_or(|count| *count == 0);
            if is_silent && !is_quiet {
                silent.push(name.to_owned());
            }
        }
    }
    let all: usize = lines.values().sum();
    println!("{all} lines of {watched} binaries: {lines:#?}");
    assert!(silent.is_empty(), "these logged nothing: {silent:?}");
    assert!(
        watched > 20 && all > 1_000,
        "{watched} binaries, {all} lines"
    );
}
