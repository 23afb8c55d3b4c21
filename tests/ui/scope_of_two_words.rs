//! One scope is one word.

fn main() {
    let _ = portcullis::scope!("read:events write:events");
}
