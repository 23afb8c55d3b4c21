//! Two sides measured in turn: a machine that changes its speed, or has a busy neighbour, changes it
//! for both. Ratios are the result; nanoseconds are told beside them.

use std::time::{Duration, Instant};

/// How long one batch of calls lasts: long against the clock's own cost, short against the seconds in
/// which a shared machine changes its speed.
const BATCH: Duration = Duration::from_micros(500);

/// What was measured of one side.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    /// The median time of one call.
    pub nanoseconds: f64,
    /// The median of the ratios to the baseline's batch just before.
    pub ratio: f64,
    /// The quartiles of these ratios: how far to trust the median.
    pub quartiles: (f64, f64),
}

/// Measures `side` against `baseline`, in `rounds` pairs of batches.
pub fn compare(rounds: usize, mut baseline: impl FnMut(), mut side: impl FnMut()) -> Figures {
    let (calls_of_baseline, calls_of_side) = (calls(&mut baseline), calls(&mut side));
    let (mut times, mut ratios) = (Vec::new(), Vec::new());
    for _ in 0..rounds.max(3) {
        let base = per_call(calls_of_baseline, &mut baseline);
        let time = per_call(calls_of_side, &mut side);
        times.push(time);
        ratios.push(time / base);
    }
    ratios.sort_unstable_by(f64::total_cmp);
    times.sort_unstable_by(f64::total_cmp);
    let at = |sorted: &[f64], quarter: usize| sorted[(sorted.len() - 1) * quarter / 4];
    Figures {
        nanoseconds: at(&times, 2),
        ratio: at(&ratios, 2),
        quartiles: (at(&ratios, 1), at(&ratios, 3)),
    }
}

/// How many calls make a batch. Warms up on the way.
fn calls(call: &mut impl FnMut()) -> u32 {
    let mut calls = 1;
    loop {
        // The best of three: who is put to sleep just here would take a few calls for a batch, and a
        // batch of a few calls measures the clock.
        let best = (0..3).map(|_| per_call(calls, call));
        let took = best.fold(f64::INFINITY, f64::min) * f64::from(calls);
        if took >= BATCH.as_nanos() as f64 || calls >= 1 << 24 {
            return calls;
        }
        calls *= 2;
    }
}

fn per_call(calls: u32, call: &mut impl FnMut()) -> f64 {
    let begun = Instant::now();
    for _ in 0..calls {
        call();
    }
    begun.elapsed().as_nanos() as f64 / f64::from(calls)
}
