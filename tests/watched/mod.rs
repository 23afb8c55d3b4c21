//! Ends the tests if any line of any log shows a token or a secret.
//!
//! One subscriber listens to all that this process logs, of all crates and levels, from its first issuer on
//! and for good. Each line is looked at when it is written, so no end of the run has to be waited for, and
//! each test of each binary looks for all others.
//!
//! Where `PORTCULLIS_LINES` names a folder, the lines are kept there, each once, for `tests/silence.rs` to
//! count and to look through once more.
#![allow(dead_code)] // Not every test needs all of it.

mod signs;

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt::{Debug, Write as _};
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{LazyLock, Mutex, MutexGuard, Once, PoisonError};

use portcullis::testing::{AuthorizationServer, AuthorizationServerBuilder};
use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber, span};

pub(crate) use self::signs::Signs;

/// The folder for what is logged.
pub(crate) const FOLDER: &str = "PORTCULLIS_LINES";

/// [`AuthorizationServer::new`], and from now on everything that is logged is looked at.
pub(crate) fn issuer() -> AuthorizationServer {
    begin();
    AuthorizationServer::new()
}

/// As [`issuer`], for [`AuthorizationServer::builder`].
pub(crate) fn builder() -> AuthorizationServerBuilder {
    begin();
    AuthorizationServer::builder()
}

/// As [`issuer`], for [`AuthorizationServer::start`].
pub(crate) async fn started() -> AuthorizationServer {
    begin();
    AuthorizationServer::start().await.expect("a free port")
}

/// For gates without an issuer.
pub(crate) fn begin() {
    static LISTENING: Once = Once::new();
    LISTENING.call_once(|| {
        tracing::subscriber::set_global_default(Watch).expect("nobody else listens");
        ::log::set_logger(&Watch).expect("nobody else listens");
        ::log::set_max_level(::log::LevelFilter::Trace);
    });
}

/// Has a secret found that looks like nothing in particular.
pub(crate) fn secret(text: &str) {
    begin();
    seen().signs.learn(text);
}

/// Keeps what this thread logs from now on, for [`heard`].
pub(crate) fn listen() {
    begin();
    HEARD.set(Some(String::new()));
}

/// The lines that this thread has logged since it [listens](listen).
pub(crate) fn heard() -> String {
    HEARD.with_borrow(|heard| heard.clone().expect("this thread listens"))
}

/// Keeps all that is logged from now on for [`all_lines`].
pub(crate) fn keep_all_lines() {
    begin();
    seen().kept.get_or_insert_default();
}

/// What was logged by all threads, each line once.
pub(crate) fn all_lines() -> String {
    seen().kept.clone().unwrap_or_default()
}

thread_local! {
    static HEARD: RefCell<Option<String>> = const { RefCell::new(None) };
}

struct Watch;

#[derive(Default)]
struct Seen {
    signs: Signs,
    /// Of the lines there were: most are there thousands of times.
    hashes: HashSet<u64>,
    hasher: RandomState,
    file: Option<File>,
    kept: Option<String>,
}

static SEEN: LazyLock<Mutex<Seen>> = LazyLock::new(|| {
    let file = std::env::var_os(FOLDER).map(|folder| {
        let program = std::env::current_exe().unwrap();
        let name = program.file_stem().unwrap().to_string_lossy().into_owned();
        std::fs::create_dir_all(&folder).unwrap();
        let name = format!("{name}.{}.log", std::process::id());
        File::create(PathBuf::from(folder).join(name)).unwrap()
    });
    Mutex::new(Seen {
        file,
        ..Seen::default()
    })
});

fn seen() -> MutexGuard<'static, Seen> {
    SEEN.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Seen {
    fn line(&mut self, line: &str) {
        if !self.hashes.insert(self.hasher.hash_one(line)) {
            return;
        }
        if let Some(file) = &mut self.file {
            file.write_all(line.as_bytes()).unwrap();
        }
        if let Some(kept) = &mut self.kept {
            kept.push_str(line);
        }
        if let Some((what, piece)) = self.signs.find(line) {
            // Not with `eprintln!`, which would be told only once the test has ended.
            let told = format!("\nthe log shows {what}, {piece:?}, in: {line}\n");
            let _ = std::io::stderr().write_all(told.as_bytes());
            // The thread may belong to a task whose panics nobody hears of.
            std::process::abort();
        }
    }
}

fn note(level: &str, target: &str, write: impl FnOnce(&mut Fields)) {
    let mut fields = Fields(format!("{level} {target}:"));
    write(&mut fields);
    let Fields(mut line) = fields;
    line.push('\n');
    // A thread that ends hears nothing more.
    let _ = HEARD.try_with(|heard| {
        if let Some(heard) = &mut *heard.borrow_mut() {
            heard.push_str(&line);
        }
    });
    seen().line(&line);
}

struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = match field.name() {
            "message" => write!(self.0, " {value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}

impl Subscriber for Watch {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        let metadata = span.metadata();
        note("span", metadata.target(), |fields| {
            let _ = write!(fields.0, " {}", metadata.name());
            span.record(fields);
        });
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, values: &span::Record<'_>) {
        note("span", "", |fields| values.record(fields));
    }

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        note(metadata.level().as_str(), metadata.target(), |fields| {
            event.record(fields);
        });
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// Some crates do not use tracing; programs have their lines beside ours all the same.
impl ::log::Log for Watch {
    fn enabled(&self, _: &::log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &::log::Record<'_>) {
        note(record.level().as_str(), record.target(), |fields| {
            let _ = write!(fields.0, " {}", record.args());
        });
    }

    fn flush(&self) {}
}
