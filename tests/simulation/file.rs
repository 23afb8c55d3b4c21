//! The file in which the gate keeps its last good keys, read by somebody else.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use portcullis::UnixTime;
use serde_json::Value;

use crate::clocks::Time;
use crate::rounds::Adopted;

/// A file of its own for each schedule, in a folder that is cleared away.
pub(crate) struct KeyFile(PathBuf);

/// What the file holds.
pub(crate) struct Kept {
    pub(crate) keys: Vec<usize>,
    fetched: UnixTime,
    fresh_for: Time,
}

impl KeyFile {
    pub(crate) fn new() -> KeyFile {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("portcullis-simulation-{}-{number}", std::process::id());
        // Each set is synced to the disk, which costs nothing where the disk is memory.
        let memory = PathBuf::from("/dev/shm");
        let folder = match memory.is_dir() {
            true => memory.join(name),
            false => std::env::temp_dir().join(name),
        };
        fs::create_dir_all(&folder).unwrap();
        KeyFile(folder)
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.0.join("keys.json")
    }

    pub(crate) fn read(&self) -> Option<Kept> {
        let record: Value = serde_json::from_str(&fs::read_to_string(self.path()).ok()?).ok()?;
        let set: Value = serde_json::from_str(record["key_set"].as_str()?).ok()?;
        let number = |jwk: &Value| jwk["kid"].as_str()?.strip_prefix("key-")?.parse().ok();
        Some(Kept {
            keys: set["keys"].as_array()?.iter().filter_map(number).collect(),
            fetched: UnixTime::from_millis(record["fetched_at_ms"].as_i64()?),
            fresh_for: record["fresh_for_ms"].as_u64()?,
        })
    }

    /// Waits, in real time, until the set of that time is there: the gate writes on a thread of its own,
    /// and drops what it cannot write soon enough. So does this: what is there counts.
    pub(crate) fn is_written(&self, fetched: UnixTime) {
        let wanted = format!("\"fetched_at_ms\":{},", fetched.as_millis());
        let since = Instant::now();
        while since.elapsed() < Duration::from_millis(200) {
            if fs::read_to_string(self.path()).is_ok_and(|text| text.contains(&wanted)) {
                return;
            }
            std::thread::sleep(Duration::from_micros(200));
        }
    }
}

impl Drop for KeyFile {
    fn drop(&mut self) {
        clear(&self.0);
    }
}

/// What stays is in the folder for what is temporary.
fn clear(folder: &Path) {
    let _ = fs::remove_dir_all(folder);
}

impl Kept {
    /// The set, as it would be trusted had the gate not been started anew.
    pub(crate) fn trusted_for(self, stale: Time) -> Adopted {
        Adopted {
            trusted_until: self.fetched + Duration::from_millis(self.fresh_for + stale),
            keys: self.keys,
            fetched: self.fetched,
            fresh_for: self.fresh_for,
        }
    }
}
