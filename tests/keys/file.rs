//! The last good keys in a file: a restart during an outage works, and makes nothing older younger.

use std::path::{Path, PathBuf};
use std::time::Duration;

use portcullis::testing::{AuthorizationServer, Endpoint, ManualClock, Trouble};
use portcullis::{Reason, RemoteJwks, RemoteJwksBuilder};

use crate::gate::{BEGAN, Gate};
use crate::watched;

/// A folder of one test's own, removed with it.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Folder {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("keys-{test}"));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        Folder(folder)
    }

    fn file(&self) -> PathBuf {
        self.0.join("keys.json")
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.file()).unwrap_or_default()
    }

    /// Waits for another thread to have written the file; that takes a moment of real time.
    fn wait_until(&self, is_written: impl Fn(&str) -> bool) {
        let began = std::time::Instant::now();
        while !is_written(&self.text()) {
            assert!(began.elapsed() < Duration::from_secs(20), "{}", self.text());
            std::thread::yield_now();
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn keys(issuer: &AuthorizationServer, file: PathBuf) -> RemoteJwksBuilder {
    RemoteJwks::at(&issuer.jwks_uri())
        .fetch(issuer.fetcher())
        .last_known_good(file)
}

/// A gate whose keys were fetched at [`BEGAN`] and are in the file.
async fn first_life(folder: &Folder) -> Gate {
    let clock = ManualClock::at(BEGAN);
    let issuer = watched::builder().clock(clock.clone()).build();
    let keys = keys(&issuer, folder.file());
    let gate = Gate::of(issuer, clock, keys);
    gate.show(&gate.token()).await.unwrap();
    folder.wait_until(|text| text.contains("es256-1"));
    gate
}

/// The gate started anew, with what the file holds.
fn restarted(gate: &Gate, file: PathBuf) -> Gate {
    let keys = keys(&gate.issuer, file);
    Gate::of(gate.issuer.clone(), gate.clock.clone(), keys)
}

#[tokio::test]
async fn a_restart_during_an_outage_knows_its_keys_until_they_are_too_old() {
    let folder = Folder::new("outage");
    let gate = first_life(&folder).await;
    gate.issuer.trouble(Endpoint::Jwks, Trouble::Hang);
    gate.clock.set(BEGAN + Duration::from_secs(4_000));
    let gate = restarted(&gate, folder.file());
    gate.server
        .ready()
        .await
        .expect("it is ready without the issuer");
    let began = gate.now();
    gate.show(&gate.token()).await.expect("a known key");
    assert_eq!(gate.now(), began, "nobody waited");
    let made_up = gate.issuer.token().header("kid", "made-up").mint();
    let error = gate.show_and_wait(&made_up).await.unwrap_err();
    assert_eq!(error.reason(), Reason::KeysUnavailable, "who knows?");
    // Ten minutes and an hour after they were fetched, not after the restart.
    gate.pass(Duration::from_secs(190)).await;
    gate.show(&gate.token()).await.unwrap();
    gate.pass(Duration::from_secs(15)).await;
    let error = gate.show_and_wait(&gate.token()).await.unwrap_err();
    assert_eq!(error.reason(), Reason::KeysUnavailable);
    gate.issuer.calm(Endpoint::Jwks);
    gate.pass(Duration::from_secs(36)).await;
    gate.show(&gate.token()).await.unwrap();
}

#[tokio::test]
async fn the_file_follows_the_keys() {
    let folder = Folder::new("follows");
    let gate = first_life(&folder).await;
    gate.pass(Duration::from_secs(6)).await;
    gate.issuer.rotate();
    gate.issuer.withdraw_old();
    let old = gate.issuer.jwks();
    gate.show(&gate.token()).await.unwrap();
    folder.wait_until(|text| text.contains("es256-2") && !text.contains("es256-1"));
    assert!(old.to_string().contains("es256-2"));
    // Nothing else lies about.
    let names = std::fs::read_dir(&folder.0).unwrap();
    let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["keys.json"]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(folder.file())
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(
            mode & 0o777,
            0o600,
            "whoever can write it says which keys are good"
        );
    }
}

#[tokio::test]
async fn the_file_confirmed_by_a_304_is_younger() {
    let folder = Folder::new("confirmed");
    let gate = first_life(&folder).await;
    gate.issuer.jwks_etag(true);
    gate.pass(Duration::from_secs(500)).await;
    let before = folder.text();
    gate.pass(Duration::from_secs(500)).await;
    assert_eq!(gate.server.status().keys[0].not_modified, 1);
    folder.wait_until(|text| text != before && text.contains("es256-1"));
}

#[tokio::test]
async fn a_file_that_cannot_be_used_is_not_used_and_the_issuer_is_asked() {
    let folder = Folder::new("useless");
    let gate = first_life(&folder).await;
    let good = folder.text();
    gate.issuer.trouble(Endpoint::Jwks, Trouble::Status(500));
    let other_source = good.replace(&gate.issuer.jwks_uri(), "https://other.example/jwks");
    assert_ne!(other_source, good);
    let written = BEGAN.as_millis().to_string();
    let later = (BEGAN + Duration::from_secs(400)).as_millis().to_string();
    let other_time = good.replace(&written, &later);
    assert_ne!(other_time, good);
    for bad in [
        "",
        "{",
        "{}",
        "garbage",
        &good[..good.len() / 2],
        &other_source,
        &other_time,
    ] {
        std::fs::write(folder.file(), bad).unwrap();
        let gate = restarted(&gate, folder.file());
        let error = gate.show_and_wait(&gate.token()).await.unwrap_err();
        assert_eq!(error.reason(), Reason::KeysUnavailable, "{bad}");
    }
    std::fs::write(folder.file(), &good).unwrap();
    let gate = restarted(&gate, folder.file());
    gate.show(&gate.token()).await.unwrap();
}

#[tokio::test]
async fn keys_in_the_file_that_the_issuer_has_withdrawn_end_with_the_first_fetch() {
    let folder = Folder::new("withdrawn");
    let gate = first_life(&folder).await;
    let token = gate.token();
    gate.issuer.rotate();
    gate.issuer.withdraw_old();
    let gate = restarted(&gate, folder.file());
    gate.pass(Duration::from_secs(1)).await;
    let _ = gate.show_and_wait(&token).await;
    let error = gate.show_and_wait(&token).await.unwrap_err();
    assert_eq!(error.reason(), Reason::UnknownKey);
}

#[test]
fn a_folder_that_does_not_exist_is_told_at_once() {
    let issuer = watched::issuer();
    let error = keys(&issuer, "/no/such/folder/keys.json".into()).build();
    assert_eq!(
        error.unwrap_err().to_string(),
        "file of the last good keys is /no/such/folder/keys.json, wanted a file in a folder that \
         exists"
    );
}
