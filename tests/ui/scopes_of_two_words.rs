//! One type is one scope, even if nobody uses it.

portcullis::scopes! {
    pub Events = "read:events write:events";
}

fn main() {}
