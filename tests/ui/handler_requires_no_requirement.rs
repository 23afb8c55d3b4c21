//! The same mistake where people make it: in a handler's signature.

use portcullis::RequireScope;

struct EventsRead;

async fn list(_: RequireScope<EventsRead>) {}

fn main() {
    let _ = list;
}
