//! The last good key set in a file, so that a restart during an outage works.

use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::set::KeySet;
use crate::clock::UnixTime;
use crate::error::ConfigError;
use crate::text::quote;

/// Where the last good set is kept.
#[derive(Clone)]
pub(super) struct KeyFile(Arc<Path>);

/// A set that is to be written, and how old it is.
pub(super) struct Entry {
    pub(super) source: String,
    pub(super) fetched: UnixTime,
    pub(super) fresh_for: Duration,
    pub(super) key_set: Arc<str>,
}

/// Writes one set after the other, on a thread where a disk that hangs holds nobody. Of several that
/// come meanwhile the newest is enough.
#[derive(Clone, Default)]
pub(super) struct Writer(Arc<Mutex<Desk>>);

#[derive(Default)]
struct Desk {
    next: Option<Entry>,
    is_busy: bool,
}

impl Writer {
    pub(super) fn write(&self, file: &KeyFile, entry: Entry) {
        let mut desk = self.desk();
        desk.next = Some(entry);
        if std::mem::replace(&mut desk.is_busy, true) {
            return;
        }
        let (writer, file) = (self.clone(), file.clone());
        drop(tokio::task::spawn_blocking(move || {
            while let Some(entry) = writer.next() {
                if let Err(error) = file.write(&entry) {
                    let source = &*entry.source;
                    tracing::warn!(
                        issuer = source,
                        "the key set cannot be kept in its file: {error}"
                    );
                }
            }
        }));
    }

    fn next(&self) -> Option<Entry> {
        let mut desk = self.desk();
        let next = desk.next.take();
        desk.is_busy = next.is_some();
        next
    }

    /// Held for a few instructions.
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the file holds: the document as it came, whose it is and how old.
#[derive(Serialize, Deserialize)]
struct Record {
    source: String,
    fetched_at_ms: i64,
    fresh_for_ms: u64,
    key_set: String,
}

/// A set out of the file.
pub(super) struct Kept {
    pub(super) set: KeySet,
    pub(super) fetched: UnixTime,
    pub(super) fresh_for: Duration,
}

impl KeyFile {
    /// # Errors
    ///
    /// If there is no such folder: a set that cannot be kept would be missed too late.
    pub(super) fn at(path: PathBuf) -> Result<KeyFile, ConfigError> {
        let folder = folder(&path);
        if path.file_name().is_none() || !folder.is_dir() {
            return Err(ConfigError::new(format!(
                "file of the last good keys is {}, wanted a file in a folder that exists",
                path.display()
            )));
        }
        Ok(KeyFile(path.into()))
    }

    /// The set that `source` had. `None` if there is none yet, or none that can be used: that is
    /// logged, and the issuer asked instead.
    pub(super) fn read(&self, source: &str) -> Option<Kept> {
        match self.try_read(source) {
            Ok(kept) => kept,
            Err(why) => {
                let path = self.0.display();
                tracing::warn!(issuer = source, "{path} holds no usable keys: {why}");
                None
            }
        }
    }

    fn try_read(&self, source: &str) -> Result<Option<Kept>, String> {
        let text = match fs::read_to_string(&self.0) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.to_string()),
        };
        let record: Record = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        if record.source != source {
            let (found, wanted) = (quote(&record.source), quote(source));
            return Err(format!("they are those of {found}, wanted {wanted}"));
        }
        Ok(Some(Kept {
            set: KeySet::parse(&record.key_set, UnixTime::EPOCH, None)?,
            fetched: UnixTime::from_millis(record.fetched_at_ms),
            fresh_for: Duration::from_millis(record.fresh_for_ms),
        }))
    }

    /// Replaces what the file holds. A reader sees the old set or the new one, whole, and so does
    /// whoever starts after a crash in between.
    fn write(&self, entry: &Entry) -> io::Result<()> {
        let record = Record {
            source: entry.source.clone(),
            fetched_at_ms: entry.fetched.as_millis(),
            fresh_for_ms: u64::try_from(entry.fresh_for.as_millis()).unwrap_or(u64::MAX),
            key_set: entry.key_set.to_string(),
        };
        // In the same folder, or the renaming would not be atomic.
        let name = format!(".portcullis-{:016x}.tmp", RandomState::new().hash_one(0u8));
        let draft = folder(&self.0).join(name);
        let written = create(&draft).and_then(|mut file| {
            file.write_all(&serde_json::to_vec(&record)?)?;
            file.sync_all()
        });
        let renamed = written.and_then(|()| fs::rename(&draft, &self.0));
        if renamed.is_err() {
            // There may be none; nothing more can be done if it stays.
            let _ = fs::remove_file(&draft);
        }
        renamed
    }
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// Whoever can write this file says which keys are good.
fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
