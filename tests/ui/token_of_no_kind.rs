//! A kind that was never named.

use portcullis::Token;

struct Applicant;

async fn apply(_: Token<Applicant>) {}

fn main() {
    let _ = apply;
}
