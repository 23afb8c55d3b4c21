//! The calendar while its issuer hangs, is killed, and comes back with other keys: two programs, real
//! sockets, real signals.
#![cfg(all(
    feature = "axum",
    feature = "cache",
    feature = "introspection",
    feature = "jwt",
    feature = "reqwest"
))]
// clippy knows a test by its attribute, not the helpers beside it; and nobody imports a test.
#![allow(clippy::unwrap_used, clippy::print_stdout, unreachable_pub)]

#[path = "built/mod.rs"]
mod built;
#[path = "client/mod.rs"]
mod client;
#[path = "built/issuer.rs"]
mod issuer;
#[path = "built/process.rs"]
mod process;
#[path = "calendar/program.rs"]
#[allow(dead_code)] // The calendar's own tests use the rest.
mod program;
mod watched;

#[cfg(not(unix))]
#[test]
fn the_calendar_outlives_its_issuer() {
    println!("skipped: there are no signals here");
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::PermissionsExt;
    use std::path::{Path, PathBuf};
    use std::time::{Duration, Instant};

    use portcullis::testing::AuthorizationServer;

    use super::client::{Answer, Client};
    use super::issuer::Issuer;
    use super::program::Program;
    use super::watched;

    const AUDIENCE: &str = "https://api.example.com/calendar/v1/";

    /// How long a request may wait for keys (`RemoteJwks`), and for an answer about an opaque token
    /// (`IntrospectionVerifier`), by default.
    const KEYS: Duration = Duration::from_secs(2);
    const OPAQUE: Duration = Duration::from_secs(5);
    /// What a slow machine may add.
    const SLACK: Duration = Duration::from_secs(3);
    /// The longest that recovery may take: an outage of a few seconds leads to a pause of as many.
    const RECOVERED: Duration = Duration::from_secs(40);

    /// The calendar, and a client of it.
    struct Calendar {
        program: Program,
        client: Client,
    }

    impl Calendar {
        async fn of(issuer: &Issuer, more: &[&str]) -> Calendar {
            let introspection = format!("{}/introspect", issuer.url);
            let options = [
                "--issuer",
                &issuer.url,
                "--introspection-uri",
                &introspection,
                "--client-id",
                "calendar",
                "--client-secret",
                "calendar-secret",
            ];
            let program = Program::start(&[&options, more].concat()).await;
            let client = Client::of(&program.base);
            Calendar { program, client }
        }

        async fn show(&mut self, token: &str) -> Answer {
            self.client.show("/me", token).await.unwrap()
        }

        /// Whoever has a key that is known, or a token that is remembered, notices nothing: one wait
        /// for the issuer would be longer than all of these together may take.
        async fn knows(&mut self, when: &str, tokens: &[&str]) {
            let begun = Instant::now();
            for (place, token) in tokens.iter().enumerate() {
                let answer = self.show(token).await;
                assert_eq!(answer.status, 200, "{when}, {place}: {}", answer.body);
            }
            let took = begun.elapsed();
            assert!(took < KEYS, "{when}: {tokens:?} took {took:?}");
        }

        /// Whoever depends on the issuer is told so, in time, and when to come again.
        async fn cannot_tell(&mut self, when: &str, token: &str, wait: Duration) {
            let answer = self.show(token).await;
            let (status, after) = (answer.status, answer.retry_after());
            assert_eq!(status, 503, "{when}: {}", answer.body);
            assert!(
                after.is_some_and(|after| (1..=60).contains(&after)),
                "{when}: {after:?}"
            );
            assert!(
                answer.headers.get("www-authenticate").is_none(),
                "{when}: a challenge would log its user out"
            );
            assert!(answer.took < wait + SLACK, "{when}: {:?}", answer.took);
        }

        /// Asks until the answer is not a 503.
        async fn comes_to_tell(&mut self, when: &str, token: &str, wanted: u16) {
            let begun = Instant::now();
            let answer = loop {
                let answer = self.show(token).await;
                if answer.status != 503 {
                    break answer;
                }
                if begun.elapsed() > RECOVERED {
                    let log = self.program.heard();
                    panic!("{when}: still 503, {:?}\n{log}", answer.retry_after());
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            };
            assert_eq!(answer.status, wanted, "{when}: {}", answer.body);
        }
    }

    /// A file that is not there, before and after.
    struct KeysFile(PathBuf);

    impl KeysFile {
        fn new() -> KeysFile {
            let name = format!("live-keys-{}.json", std::process::id());
            KeysFile(Path::new(env!("CARGO_TARGET_TMPDIR")).join(name))
        }
    }

    impl Drop for KeysFile {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    /// Tokens with a key that nobody has.
    struct Forger(AuthorizationServer, String);

    impl Forger {
        fn of(issuer: &Issuer) -> Forger {
            Forger(watched::issuer(), issuer.url.clone())
        }

        fn token(&self, kid: &str) -> String {
            let token = self.0.token().claim("iss", &self.1).audience(AUDIENCE);
            token.header("kid", kid).mint()
        }
    }

    #[tokio::test]
    async fn the_calendar_outlives_its_issuer() {
        let mut issuer = Issuer::start().await;
        let forger = Forger::of(&issuer);
        let mut calendar = Calendar::of(&issuer, &[]).await;
        let known = issuer.token("TOKEN").to_owned();
        let remembered = issuer.token("OPAQUE").to_owned();
        // What there will be no issuer to ask for.
        let mut unseen = issuer.fresh("jwt", 20).await;
        let unseen_later = unseen.split_off(10);
        let mut opaque = issuer.fresh("opaque", 3).await;
        calendar.comes_to_tell("at first", &known, 200).await;
        calendar.comes_to_tell("at first", &remembered, 200).await;
        let new = issuer.rotate().await;

        issuer.signal("STOP").await;
        let known_and_unseen = |unseen: &[String]| {
            let mut tokens = vec![known.clone(), remembered.clone(), known.clone()];
            tokens.extend_from_slice(unseen);
            tokens
        };
        let tokens = known_and_unseen(&unseen);
        let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
        calendar.knows("hanging", &tokens).await;
        let made_up = forger.token("made-up");
        calendar
            .cannot_tell("hanging, made up", &made_up, KEYS)
            .await;
        calendar.cannot_tell("hanging, new key", &new, KEYS).await;
        let unknown = opaque.pop().unwrap();
        calendar
            .cannot_tell("hanging, opaque", &unknown, OPAQUE)
            .await;
        // By now a fetch has begun and hangs.
        calendar.cannot_tell("still hanging", &made_up, KEYS).await;
        calendar.knows("still hanging", &tokens).await;

        issuer.signal("CONT").await;
        calendar.comes_to_tell("going on, new key", &new, 200).await;
        calendar
            .comes_to_tell("going on, opaque", &unknown, 200)
            .await;
        calendar
            .comes_to_tell("going on, made up", &made_up, 401)
            .await;
        calendar.knows("going on", &tokens).await;

        let newer = issuer.rotate().await;
        issuer.kill().await;
        let tokens = known_and_unseen(&unseen_later);
        let mut tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
        tokens.push(&new);
        calendar.knows("gone", &tokens).await;
        calendar.cannot_tell("gone, new key", &newer, KEYS).await;
        let unknown = opaque.pop().unwrap();
        calendar.cannot_tell("gone, opaque", &unknown, OPAQUE).await;
        let made_up = forger.token("made-up-later");
        calendar.cannot_tell("gone, made up", &made_up, KEYS).await;
        calendar.knows("still gone", &tokens).await;

        // It has other keys now, and has forgotten its opaque tokens.
        let issuer = issuer.again().await;
        let back = issuer.token("TOKEN");
        calendar.comes_to_tell("back", back, 200).await;
        // From the first token of a new key on, the keys of before are withdrawn.
        for token in [&known, &new, &unseen[0]] {
            let answer = calendar.show(token).await;
            let status = answer.status;
            assert!([401, 503].contains(&status), "withdrawn: {status}");
            calendar.comes_to_tell("withdrawn", token, 401).await;
        }
        calendar.comes_to_tell("lost", &unknown, 401).await;
        let again = issuer.token("OPAQUE");
        calendar.comes_to_tell("back, opaque", again, 200).await;
        calendar.knows("back", &[back, again]).await;
    }

    #[tokio::test]
    async fn a_calendar_that_starts_while_its_issuer_is_down_knows_the_keys_in_its_file() {
        let mut issuer = Issuer::start().await;
        let file = KeysFile::new();
        let options = ["--keys-file", file.0.to_str().unwrap()];
        let known = issuer.token("TOKEN").to_owned();
        let unseen = issuer.token("UNSEEN").to_owned();
        let remembered = issuer.token("OPAQUE").to_owned();
        let mut calendar = Calendar::of(&issuer, &options).await;
        calendar.comes_to_tell("at first", &known, 200).await;
        calendar.comes_to_tell("at first", &remembered, 200).await;
        // It is written in the background.
        while !file.0.exists() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let mode = file.0.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{mode:o}");
        let new = issuer.rotate().await;
        drop(calendar);

        for down in ["STOP", "KILL"] {
            match down {
                "KILL" => issuer.kill().await,
                signal => issuer.signal(signal).await,
            }
            // Its first request is the first it knows of; it does not wait for the issuer.
            let mut calendar = Calendar::of(&issuer, &options).await;
            calendar.knows(down, &[&known, &unseen]).await;
            calendar.cannot_tell(down, &new, KEYS).await;
            // The issuer's word is not kept.
            calendar.cannot_tell(down, &remembered, OPAQUE).await;
            // Without the file it knows nothing.
            let mut without = Calendar::of(&issuer, &[]).await;
            without.cannot_tell(down, &known, KEYS).await;
            calendar.knows(down, &[&known, &unseen]).await;
        }

        let mut calendar = Calendar::of(&issuer, &options).await;
        calendar.knows("before it is back", &[&known]).await;
        let issuer = issuer.again().await;
        let back = issuer.token("TOKEN");
        calendar.comes_to_tell("back", back, 200).await;
        calendar.comes_to_tell("withdrawn", &known, 401).await;
        // What is in the file by now are the keys of today.
        let begun = Instant::now();
        loop {
            let kept = std::fs::read_to_string(&file.0).unwrap();
            if kept.contains(&issuer.kid()) {
                break;
            }
            assert!(begun.elapsed() < RECOVERED, "{kept}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
