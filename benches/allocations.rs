//! Prints the allocations of each way through the gate: `cargo bench --bench allocations`. The same
//! counts are tests in `tests/allocations.rs`; here they stand for the table of goals, whose own process
//! has the allocator of every day.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    unreachable_pub
)]

#[path = "stage/allocations.rs"]
mod allocations;
mod stage;

fn main() {
    for row in allocations::ROWS {
        let count = (row.count)();
        println!("{}\t{count}\t{}", row.name, row.goal);
    }
}
