//! The report as a table for people: Markdown, and aligned for a terminal.

use crate::report::{Load, Report, Row, Time};

const HEAD: [&str; 13] = [
    "gate",
    "version",
    "crypto",
    "RS256 one",
    "ring",
    "distinct",
    "ES256 one",
    "EdDSA one",
    "allocations",
    "CPU one",
    "ring",
    "distinct",
    "good, forged, none",
];

/// The table, what to know of its rows, and the machine.
pub fn text(report: &Report) -> String {
    let mut rows = vec![HEAD.map(str::to_owned)];
    rows.extend(report.gates.iter().map(cells));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..HEAD.len()).filter_map(width).collect();
    let mut text = String::from(
        "Times the same route without a gate. In process: RS256, ES256, EdDSA; allocations over no \
         gate. Over loopback: the server's CPU time, RS256.\n\n",
    );
    for (number, row) in rows.iter().enumerate() {
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let filled = match column {
                0..3 => format!("| {cell:width$} "),
                _ => format!("| {cell:>width$} "),
            };
            text += &filled;
        }
        text += "|\n";
        if number == 0 {
            for (column, width) in widths.iter().enumerate() {
                let side = if column < 3 { "-" } else { ":" };
                text += &format!("|{}{side}", "-".repeat(width + 1));
            }
            text += "|\n";
        }
    }
    text += "\n";
    for row in &report.gates {
        if let Some(failed) = &row.failed {
            text += &format!("{}: NOT MEASURED: {failed}\n", row.name);
        }
        if let Some(skipped) = &row.loopback.skipped {
            text += &format!("{}: loopback {skipped}\n", row.name);
        }
        if !row.note.is_empty() {
            text += &format!("{}: {}\n", row.name, row.note);
        }
    }
    let machine = &report.machine;
    text += &format!(
        "\n{} cores of {}, {}, {}; {}\n",
        machine.cores, machine.processor, machine.system, machine.rustc, report.command
    );
    text
}

fn cells(row: &Row) -> [String; 13] {
    let time = |time: &Option<Time>| figure(time.map(|time| time.ratio));
    let load = |load: &Option<Load>| figure(load.map(|load| load.ratio));
    let (inside, outside) = (&row.in_process, &row.loopback);
    // To who remembers nothing, each token is new.
    let new = |figure: String, ring: bool| match (row.remembers, ring) {
        (false, true) => "as ring".to_owned(),
        _ => figure,
    };
    let answers = row.answers.map_or("-".to_owned(), |answers| {
        format!("{}, {}, {}", answers.good, answers.forged, answers.none)
    });
    [
        row.name.clone(),
        row.version.clone().unwrap_or_default(),
        row.crypto.clone(),
        time(&inside.rs256_one),
        time(&inside.rs256_ring),
        new(time(&inside.rs256_distinct), inside.rs256_ring.is_some()),
        time(&inside.es256_one),
        time(&inside.eddsa_one),
        inside.allocations.map_or("-".to_owned(), |count| {
            // Zero without the sign that a difference may have.
            format!("{:.0}", count.round() + 0.0)
        }),
        load(&outside.one),
        load(&outside.ring),
        new(load(&outside.distinct), outside.ring.is_some()),
        answers,
    ]
}

fn figure(ratio: Option<f64>) -> String {
    ratio.map_or("-".to_owned(), |ratio| match ratio {
        ..10.0 => format!("{ratio:.2}"),
        ..100.0 => format!("{ratio:.1}"),
        _ => format!("{ratio:.0}"),
    })
}
