//! Draws the JSON of a run as an SVG: bars on a log scale, readable on light and dark paper.
//!
//!     cargo run --release --manifest-path benches/peers/Cargo.toml --bin chart -- peers.json

mod report;

use std::fmt::Write;
use std::process::ExitCode;

use crate::report::{Report, Row};

/// What is drawn of each gate, and the class that colours it.
const SERIES: [(&str, &str); 4] = [
    ("one", "in process: a token seen before"),
    ("ring", "in process: 10,000 tokens in turn"),
    ("new", "in process: a token never seen"),
    (
        "cpu",
        "over loopback, the server's CPU time: a token seen before",
    ),
];

/// Who is drawn in bold.
const OURS: &str = "portcullis";

/// Not a gate of its own, but what one peer is compared with.
const LEFT_OUT: &str = "no gate";

const WIDTH: f64 = 900.0;
const LEFT: f64 = 268.0;
const RIGHT: f64 = 60.0;
const TOP: f64 = 150.0;
const BAR: f64 = 9.0;
const GROUP: f64 = 54.0;

fn main() -> ExitCode {
    let Some(path) = std::env::args().nth(1) else {
        eprintln!("wanted: chart FILE, the JSON of a run; the SVG goes to standard output");
        return ExitCode::FAILURE;
    };
    let read = std::fs::read_to_string(&path).map_err(|error| error.to_string());
    let report = read
        .and_then(|text| serde_json::from_str::<Report>(&text).map_err(|error| error.to_string()));
    match report {
        Ok(report) => {
            print!("{}", svg(&report));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{path}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn svg(report: &Report) -> String {
    let rows: Vec<&Row> = report
        .gates
        .iter()
        .filter(|row| !row.name.starts_with(LEFT_OUT))
        .collect();
    let highest = rows
        .iter()
        .flat_map(|row| figures(row))
        .flatten()
        .fold(10.0, f64::max);
    let scale = Scale {
        highest: highest * 1.1,
    };
    let bottom = TOP + GROUP * rows.len() as f64;
    let height = bottom + 62.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         width=\"{WIDTH}\" height=\"{height}\" role=\"img\" \
         aria-label=\"What gates cost, as ratios to the same route without a gate\">\n{STYLE}"
    );
    // Paper of its own: the page may be dark while the reader's system is light.
    rectangle(&mut svg, 0.0, 0.0, WIDTH, height, "paper");
    head(&mut svg);
    grid(&mut svg, &scale, bottom);
    for (number, row) in rows.iter().enumerate() {
        group(&mut svg, &scale, row, TOP + GROUP * number as f64);
    }
    foot(&mut svg, report, bottom);
    svg += "</svg>\n";
    svg
}

/// Fonts of the reader's system; colours for both papers, with enough contrast on either.
const STYLE: &str = "<style>
  svg { color: #1f2328; font-family: system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; font-size: 12px; }
  text { fill: currentColor; }
  .paper { fill: #ffffff; }
  .title { font-size: 17px; font-weight: 600; }
  .muted { opacity: .68; font-size: 11px; }
  .name { font-size: 13px; }
  .ours { font-weight: 700; }
  .figure { font-size: 10px; font-variant-numeric: tabular-nums; }
  .line { stroke: currentColor; stroke-opacity: .15; }
  .base { stroke: currentColor; stroke-opacity: .5; }
  .one { fill: #0b7a4b; }
  .ring { fill: #4f9d2f; }
  .new { fill: #a86a00; }
  .cpu { fill: #2f6fd0; }
  @media (prefers-color-scheme: dark) {
    svg { color: #e6edf3; }
    .paper { fill: #0d1117; }
    .one { fill: #2fbf85; }
    .ring { fill: #93cf5b; }
    .new { fill: #e3a53c; }
    .cpu { fill: #6ea8fe; }
  }
</style>
";

fn head(svg: &mut String) {
    text(svg, 16.0, 28.0, "title", "What a gate costs");
    let told = "Times the same axum route without a gate, log scale, shorter is better. RS256, \
                tokens of 1,086 bytes.";
    text(svg, 16.0, 48.0, "muted", told);
    for (number, (class, label)) in SERIES.iter().enumerate() {
        let (column, line) = ((number / 2) as f64, (number % 2) as f64);
        let (x, y) = (16.0 + column * 300.0, 66.0 + line * 20.0);
        rectangle(svg, x, y, 14.0, BAR, class);
        text(svg, x + 20.0, y + 9.0, "legend", label);
    }
}

fn grid(svg: &mut String, scale: &Scale, bottom: f64) {
    let ticks = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0];
    for tick in ticks.into_iter().filter(|tick| *tick <= scale.highest) {
        let x = scale.x(tick);
        let class = if tick == 1.0 { "base" } else { "line" };
        let _ = writeln!(
            svg,
            "<line class=\"{class}\" x1=\"{x:.1}\" y1=\"{:.1}\" x2=\"{x:.1}\" y2=\"{bottom:.1}\"/>",
            TOP - 8.0
        );
        let _ = writeln!(
            svg,
            "<text class=\"muted\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{tick}x</text>",
            TOP - 14.0
        );
    }
    text(
        svg,
        16.0,
        TOP - 14.0,
        "muted",
        "version, crypto, allocations added",
    );
}

fn group(svg: &mut String, scale: &Scale, row: &Row, top: f64) {
    let _ = writeln!(
        svg,
        "<line class=\"line\" x1=\"16\" y1=\"{top:.1}\" x2=\"{:.1}\" y2=\"{top:.1}\"/>",
        WIDTH - 16.0
    );
    let ours = row.name.starts_with(OURS);
    let class = if ours { "name ours" } else { "name" };
    text(svg, 16.0, top + 22.0, class, &row.name);
    let count = row.in_process.allocations.map(|count| {
        let count = count.round() + 0.0;
        format!(
            "{count:.0} allocation{}",
            if count == 1.0 { "" } else { "s" }
        )
    });
    let told = [row.version.clone(), Some(row.crypto.clone()), count];
    let told: Vec<String> = told
        .into_iter()
        .flatten()
        .filter(|text| !text.is_empty())
        .collect();
    text(svg, 16.0, top + 38.0, "muted", &told.join(", "));
    if let Some(failed) = &row.failed {
        text(
            svg,
            LEFT + 6.0,
            top + 30.0,
            "muted",
            &format!("not measured: {failed}"),
        );
        return;
    }
    for (number, (figure, (class, _))) in figures(row).into_iter().zip(SERIES).enumerate() {
        let Some(figure) = figure else { continue };
        let y = top + 6.0 + number as f64 * (BAR + 2.0);
        // One that costs nothing is still there.
        let width = (scale.x(figure) - LEFT).max(2.0);
        rectangle(svg, LEFT, y, width, BAR, class);
        let told = match figure {
            ..10.0 => format!("{figure:.2}"),
            ..100.0 => format!("{figure:.1}"),
            _ => format!("{figure:.0}"),
        };
        text(svg, LEFT + width + 5.0, y + 8.4, "figure", &told);
    }
}

fn foot(svg: &mut String, report: &Report, bottom: f64) {
    let machine = &report.machine;
    let told = format!(
        "{} cores of {}, {}, {}. A gate that remembers nothing meets every token as a new one.",
        machine.cores, machine.processor, machine.system, machine.rustc
    );
    text(svg, 16.0, bottom + 24.0, "muted", &told);
    text(svg, 16.0, bottom + 42.0, "muted", &report.command);
}

/// What is drawn of a gate, in the order of the series.
fn figures(row: &Row) -> [Option<f64>; 4] {
    let inside = &row.in_process;
    let ring = inside.rs256_ring.map(|time| time.ratio);
    let new = match row.remembers {
        true => inside.rs256_distinct.map(|time| time.ratio),
        false => ring,
    };
    [
        inside.rs256_one.map(|time| time.ratio),
        ring,
        new,
        row.loopback.one.map(|load| load.ratio),
    ]
}

struct Scale {
    highest: f64,
}

impl Scale {
    fn x(&self, ratio: f64) -> f64 {
        let part = ratio.max(1.0).ln() / self.highest.ln();
        LEFT + part * (WIDTH - LEFT - RIGHT)
    }
}

fn rectangle(svg: &mut String, x: f64, y: f64, width: f64, height: f64, class: &str) {
    let _ = writeln!(
        svg,
        "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" \
         height=\"{height:.1}\" rx=\"1.5\"/>"
    );
}

fn text(svg: &mut String, x: f64, y: f64, class: &str, words: &str) {
    let words = words.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(
        svg,
        "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{words}</text>"
    );
}
