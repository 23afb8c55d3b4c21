//! Tokens that were seen before.

use http::HeaderValue;
use portcullis::ResourceServer;

use crate::Run;
use crate::route_time;
use crate::stage::gate::{self, Cold};
use crate::stage::paired::{Figures, compare};
use crate::stage::ring::Ring;
use crate::stage::route::Route;
use crate::stage::{hand, route, tokens};
use crate::table::Goal::{AtMost, None as NoGoal};
use crate::table::Unit::{Count, Nanoseconds, Ratio};
use crate::table::{Figure, figure};

pub fn extractor(run: &Run) -> Vec<Figure> {
    one(
        run,
        "extractor",
        route::extractor,
        (1.30, 0.0, 1_500.0),
        ("1.25", "0", "1188"),
    )
}

pub fn around(run: &Run) -> Vec<Figure> {
    one(
        run,
        "layer around the router",
        route::around,
        (1.45, 2.0, 2_300.0),
        ("1.40", "2", "1919"),
    )
}

pub fn layer(run: &Run) -> Vec<Figure> {
    let mut figures = one(
        run,
        "Router::layer",
        route::layer,
        (1.65, 6.0, 3_500.0),
        ("1.60", "6", "3147"),
    );
    let (key, header) = known();
    let token = tokens::token(&key, 1);
    let party = Cold::new(gate::verifier(&key)).party(&token);
    let by_hand = against_open(run, hand::with_moka([(token, party)]), &header);
    figures[0] = figures[0].clone().by_hand(by_hand.ratio);
    figures[2] = figures[2]
        .clone()
        .by_hand(run.counted.instructions("hand-written, moka"));
    let empty = against_open(run, route::empty_layer(), &header);
    let what = "axum's own layer that does nothing: time";
    figures.push(figure(what, Ratio, NoGoal, Some(empty.ratio)).floor("1.25"));
    figures
}

/// A row of time, allocations and instructions.
fn one<S: Route>(
    run: &Run,
    name: &str,
    form: fn(&ResourceServer) -> S,
    goals: (f64, f64, f64),
    floors: (&'static str, &'static str, &'static str),
) -> Vec<Figure> {
    let (key, header) = known();
    let server = gate::gate(&key);
    gate::acquaint(&server, &header);
    let time = against_open(run, form(&server), &header);
    let label = format!("token seen before, {name}");
    vec![
        figure(
            format!("{label}: time ({:.0} ns)", time.nanoseconds),
            Ratio,
            AtMost(goals.0),
            Some(time.ratio),
        )
        .floor(floors.0)
        .quartiles(time.quartiles),
        figure(
            format!("{label}: allocations"),
            Count,
            AtMost(goals.1),
            run.counted.allocations(name),
        )
        .floor(floors.1),
        figure(
            format!("{label}: instructions"),
            Count,
            AtMost(goals.2),
            run.counted.instructions(name),
        )
        .floor(floors.2),
    ]
}

/// A key, and a token's header.
fn known() -> (tokens::SigningKey, HeaderValue) {
    // On a hit no signature is checked; an HMAC's token has the length of an ES256 token.
    let key = tokens::signing_key("HS256");
    let header = gate::bearer(&tokens::token(&key, 1));
    (key, header)
}

fn against_open(run: &Run, service: impl Route, header: &HeaderValue) -> Figures {
    let open = route::unguarded();
    compare(
        run.rounds,
        || route::visit(&open, header),
        || route::visit(&service, header),
    )
}

pub fn on_top(run: &Run) -> Vec<Figure> {
    let (key, header) = known();
    let server = gate::gate(&key);
    gate::acquaint(&server, &header);
    let behind = |plain| route_time::added(run, &header, plain, route::layer_and_both(&server));
    let (bare, idle) = (route::layer(&server), route::layer_and_idle(&server));
    let (over_bare, over_idle) = (behind(bare), behind(idle));
    let (plain, both) = (route::extractor(&server), route::extractor_of_both(&server));
    let inside = route_time::added(run, &header, plain, both);
    let counted = &run.counted;
    let without = counted.allocations("extractor");
    let with = counted.allocations("extractor with scope and claims");
    let on_top = with.zip(without).map(|(with, without)| with - without);
    vec![
        figure(
            "`Claims<T>` and `RequireScope<R>` behind a layer, over two extractors that do nothing: time",
            Nanoseconds,
            AtMost(60.0),
            Some(over_idle),
        ),
        figure(
            "the same over a handler without arguments, axum's charge for two of them included: time",
            Nanoseconds,
            NoGoal,
            Some(over_bare),
        ),
        figure(
            "`Claims<T>` and `RequireScope<R>` behind a layer: allocations",
            Count,
            AtMost(0.0),
            counted.allocations("scope and claims behind a layer"),
        ),
        figure(
            "`Claims<T>` and `RequireScope<R>` in the extractor: time",
            Nanoseconds,
            AtMost(60.0),
            Some(inside),
        ),
        figure(
            "`Claims<T>` and `RequireScope<R>` in the extractor: allocations",
            Count,
            AtMost(0.0),
            on_top,
        ),
    ]
}

pub fn ring(run: &Run) -> Vec<Figure> {
    let key = tokens::signing_key("HS256");
    let texts: Vec<String> = (0..10_000).map(|n| tokens::token(&key, n)).collect();
    let headers: Vec<HeaderValue> = texts.iter().map(|token| gate::bearer(token)).collect();
    let server = gate::gate(&key);
    for header in &headers {
        gate::acquaint(&server, header);
    }
    let ours = in_turn(run, route::layer(&server), &headers);
    let extractor = in_turn(run, route::extractor(&server), &headers);
    let reader = Cold::new(gate::verifier(&key));
    let seen = texts.into_iter().map(|token| {
        let party = reader.party(&token);
        (token, party)
    });
    let by_hand = in_turn(run, hand::with_moka(seen), &headers);
    vec![
        figure(
            "10,000 tokens in turn, Router::layer, remembered by name",
            Ratio,
            AtMost(3.0),
            Some(ours.ratio),
        )
        .floor("2.8 to 3.1")
        .by_hand(by_hand.ratio)
        .quartiles(ours.quartiles),
        figure(
            "10,000 tokens in turn, extractor",
            Ratio,
            NoGoal,
            Some(extractor.ratio),
        )
        .floor("2.7")
        .quartiles(extractor.quartiles),
    ]
}

/// Both sides read the same headers in the same order: what the memory costs, it costs both.
fn in_turn(run: &Run, service: impl Route, headers: &[HeaderValue]) -> Figures {
    let open = route::unguarded();
    let (mut one, mut other) = (Ring::new(headers.to_vec()), Ring::new(headers.to_vec()));
    compare(
        run.rounds,
        || route::visit(&open, one.next()),
        || route::visit(&service, other.next()),
    )
}
