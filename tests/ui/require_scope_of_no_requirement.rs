//! A handler that asks for something no token can have.

use portcullis::{FromToken, RequireScope};

struct EventsRead;

fn extracts<T: FromToken>() {}

fn main() {
    extracts::<RequireScope<EventsRead>>();
}
