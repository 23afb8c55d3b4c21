//! A quote would end the `scope` of a challenge.

fn main() {
    let _ = portcullis::scope!("read\"events");
}
