//! The table: what was measured, beside what was promised.

use std::fmt;

use serde_json::{Value, json};

/// One figure of a row.
#[derive(Clone)]
pub struct Figure {
    what: String,
    unit: Unit,
    goal: Goal,
    measured: Option<f64>,
    /// What an idealised prototype reached, when the goals were set.
    floor: &'static str,
    /// What people write themselves with moka, in the same run.
    by_hand: Option<f64>,
    /// The quartiles of a ratio: how far to trust it.
    quartiles: Option<(f64, f64)>,
}

#[derive(Clone, Copy, PartialEq)]
pub enum Unit {
    Ratio,
    Count,
    Nanoseconds,
    Bytes,
}

#[derive(Clone, Copy)]
pub enum Goal {
    AtMost(f64),
    AtLeast(f64),
    /// It is told for itself.
    None,
}

/// A figure without its extras.
pub fn figure(what: impl Into<String>, unit: Unit, goal: Goal, measured: Option<f64>) -> Figure {
    Figure {
        what: what.into(),
        unit,
        goal,
        measured,
        floor: "",
        by_hand: None,
        quartiles: None,
    }
}

impl Figure {
    pub fn floor(self, floor: &'static str) -> Figure {
        Figure { floor, ..self }
    }

    pub fn by_hand(self, by_hand: impl Into<Option<f64>>) -> Figure {
        Figure {
            by_hand: by_hand.into(),
            ..self
        }
    }

    pub fn quartiles(self, quartiles: (f64, f64)) -> Figure {
        Figure {
            quartiles: Some(quartiles),
            ..self
        }
    }

    fn verdict(&self) -> &'static str {
        let Some(measured) = self.measured else {
            return "not measured";
        };
        let reached = match self.goal {
            // What is shown is what is judged.
            Goal::AtMost(goal) => rounded(self.unit, measured) <= goal,
            Goal::AtLeast(goal) => rounded(self.unit, measured) >= goal,
            Goal::None => return "",
        };
        if reached { "ok" } else { "MISSED" }
    }
}

fn rounded(unit: Unit, value: f64) -> f64 {
    match unit {
        Unit::Ratio => (value * 100.0).round() / 100.0,
        _ => value.round(),
    }
}

struct Shown(Unit, f64);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shown(unit, value) = *self;
        match unit {
            Unit::Ratio => write!(f, "{value:.2}"),
            Unit::Count => write!(f, "{value:.0}"),
            Unit::Nanoseconds => write!(f, "{value:.0} ns"),
            Unit::Bytes => write!(f, "{value:.0} B"),
        }
    }
}

/// As Markdown.
pub fn text(figures: &[Figure]) -> String {
    let mut text = String::from(
        "| what | floor | hand + moka | goal | measured | |\n|---|---:|---:|---:|---:|---|\n",
    );
    for figure in figures {
        let shown = |value: Option<f64>| {
            value.map_or_else(String::new, |value| Shown(figure.unit, value).to_string())
        };
        let goal = match figure.goal {
            Goal::AtMost(goal) => format!("at most {}", Shown(figure.unit, goal)),
            Goal::AtLeast(goal) => format!("at least {}", Shown(figure.unit, goal)),
            Goal::None => String::new(),
        };
        let spread = figure.quartiles.map_or_else(String::new, |(low, high)| {
            format!(" ({low:.2} to {high:.2})")
        });
        text.push_str(&format!(
            "| {} | {} | {} | {goal} | {}{spread} | {} |\n",
            figure.what,
            figure.floor,
            shown(figure.by_hand),
            shown(figure.measured),
            figure.verdict(),
        ));
    }
    text
}

/// For a script.
pub fn json(figures: &[Figure]) -> Value {
    let figures = figures.iter().map(|figure| {
        let (goal, most) = match figure.goal {
            Goal::AtMost(goal) => (Some(goal), true),
            Goal::AtLeast(goal) => (Some(goal), false),
            Goal::None => (None, true),
        };
        json!({
            "what": figure.what,
            "unit": match figure.unit {
                Unit::Ratio => "ratio",
                Unit::Count => "count",
                Unit::Nanoseconds => "ns",
                Unit::Bytes => "bytes",
            },
            "floor": figure.floor,
            "by_hand": figure.by_hand,
            "goal": goal,
            "goal_is": if most { "at most" } else { "at least" },
            "measured": figure.measured,
            "quartiles": figure.quartiles,
            "verdict": figure.verdict(),
        })
    });
    figures.collect()
}
