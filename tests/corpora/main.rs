//! Runs every input of `fuzz/corpus` through the target that it belongs to: what the fuzzer has once found, or
//! was begun with, holds on every machine, without a fuzzer.
// A test says what must be there by taking it, and says so when it cannot look.
#![allow(clippy::unwrap_used, clippy::print_stdout, unreachable_pub)]

mod growth;
mod targets;

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use targets::bounds::Bound;
use targets::hush::Pieces;
use targets::{TARGETS, Target, compact_jws, stage};

/// So large may all inputs together be, and one of them: they are read with every run, and by people.
const MOST_BYTES: u64 = 500_000;
const MOST_BYTES_EACH: u64 = 4_096;
const MOST_INPUTS: usize = 80;

/// The folder of the fuzz targets. `None` in a published package, which goes without it.
fn folder() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = root.join("fuzz");
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(
        root.join("Cargo.toml.orig").exists(),
        "there is no folder fuzz/ in {}: the inputs that the targets are replayed with belong into its \
         folder corpus/",
        root.display()
    );
    println!("skipped: a published package has no fuzz/corpus, only the repository has");
    None
}

/// The inputs of a target, by name.
fn inputs(folder: &Path, target: &str) -> Vec<(String, Vec<u8>)> {
    let corpus = folder.join("corpus").join(target);
    let entries = fs::read_dir(&corpus).unwrap_or_else(|error| {
        panic!(
            "{}: {error}: each target has a folder with inputs there",
            corpus.display()
        )
    });
    let mut inputs: Vec<(String, Vec<u8>)> = entries
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, fs::read(&path).unwrap())
        })
        .collect();
    inputs.sort();
    inputs
}

#[test]
fn every_input_holds() {
    let Some(folder) = folder() else { return };
    let mut faults = Vec::new();
    for (name, target) in TARGETS {
        let inputs = inputs(&folder, name);
        assert!(!inputs.is_empty(), "fuzz/corpus/{name} is empty");
        for (input, data) in inputs {
            if catch_unwind(|| target(&data)).is_err() {
                faults.push(format!("fuzz/corpus/{name}/{input}"));
            }
        }
    }
    assert!(faults.is_empty(), "these do not hold: {faults:#?}");
}

/// An input cut short, or with a byte too many, is a new one: so the plain test sees more than the fuzzer
/// has kept.
#[test]
fn what_lies_near_an_input_holds() {
    let Some(folder) = folder() else { return };
    for (name, target) in TARGETS {
        for (_, data) in inputs(&folder, name) {
            let places = [1, 2, 3, 5].map(|part| data.len() * part / 6);
            for place in places {
                target(&data[..place]);
                let mut changed = data.clone();
                changed.insert(place, b'"');
                target(&changed);
            }
        }
    }
}

#[test]
fn every_target_of_the_fuzzer_is_replayed() {
    let Some(folder) = folder() else { return };
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    let binaries = manifest.split("[[bin]]").skip(1).map(|binary| {
        let name = binary.lines().find_map(|line| line.strip_prefix("name = "));
        name.unwrap().trim_matches('"').to_owned()
    });
    let binaries: BTreeSet<String> = binaries.collect();
    let replayed = TARGETS.map(|(name, _)| name.to_owned());
    assert_eq!(binaries, BTreeSet::from(replayed));
    let script = fs::read_to_string(folder.join("run")).unwrap();
    let readme = fs::read_to_string(folder.join("README.md")).unwrap();
    for (name, _) in TARGETS {
        assert!(script.contains(name), "fuzz/run does not run {name}");
        assert!(
            readme.contains(&format!("`{name}`")),
            "fuzz/README.md is silent about {name}"
        );
    }
}

#[test]
fn the_inputs_are_small() {
    let Some(folder) = folder() else { return };
    let mut all = 0;
    for (name, _) in TARGETS {
        let inputs = inputs(&folder, name);
        assert!(inputs.len() <= MOST_INPUTS, "{name} has {}", inputs.len());
        for (input, data) in inputs {
            let size = data.len() as u64;
            assert!(size <= MOST_BYTES_EACH, "{name}/{input} has {size} bytes");
            all += size;
        }
    }
    assert!(all <= MOST_BYTES, "the corpus has {all} bytes");
}

/// The targets are worth nothing if what they look at is always refused.
#[test]
fn the_signed_tokens_are_good() {
    for token in compact_jws::SIGNED.iter() {
        let secret = stage::by_secret().build().unwrap();
        let keys = stage::by_keys().build().unwrap();
        let proven = [&secret, &keys].map(|verifier| stage::prove(verifier, token).is_ok());
        assert!(proven[0] || proven[1], "{token}");
    }
}

fn fails(work: impl FnOnce() + std::panic::UnwindSafe) -> bool {
    catch_unwind(work).is_err()
}

#[test]
fn a_bound_bites() {
    let bound = Bound {
        fixed: 64,
        per_byte: 8,
    };
    assert_eq!(bound.hold(8, || "x".repeat(128).len()), 128);
    assert!(fails(|| drop(
        Bound { ..bound }.hold(8, || vec![0_u8; 129])
    )));
    // Given back at once, and counted all the same.
    let again = || (0..65).for_each(|_| drop(std::hint::black_box(vec![0_u8; 2])));
    assert!(fails(move || Bound {
        fixed: 64,
        per_byte: 8
    }
    .hold(8, again)));
}

#[test]
fn a_piece_of_a_secret_is_found() {
    let token = b"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.x";
    let told = |text: &str| {
        let text = text.to_owned();
        fails(move || Pieces::of(token).hush("it", &text))
    };
    assert!(told("token is eyJhbGciOi..."));
    assert!(told("…J9.eyJzdWIiOiJh"));
    assert!(!told(
        "token has fewer than three parts, wanted a compact JWS"
    ));
    let mut spared = Pieces::of(token);
    spared.spare("eyJhbGciOi");
    spared.hush("it", "token is eyJhbGciOi...");
    assert!(fails(
        || Pieces::of_secret("sesame open").hush("it", "is same open")
    ));
}

/// So that a name is said once.
#[test]
fn targets_stand_in_order() {
    let names: Vec<&str> = TARGETS.iter().map(|(name, _): &Target| *name).collect();
    assert!(names.is_sorted());
}
