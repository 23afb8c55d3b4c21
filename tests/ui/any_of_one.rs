//! A choice of one is no choice.

use portcullis::AnyOf;

portcullis::scopes! {
    EventsRead = "read:events";
}

fn wants(_: AnyOf<EventsRead>) {}

fn main() {
    let _ = wants;
}
