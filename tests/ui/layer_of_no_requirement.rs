//! A layer that asks for something no token can have.

use portcullis::RequireScopeLayer;

struct EventsRead;

fn main() {
    let _ = RequireScopeLayer::<EventsRead>::new();
}
