//! Nanoseconds that mean the same on every machine: told as if the route without a gate took as long as
//! on the machine on which the goals were set. A machine that changes its speed changes it for both.

use http::HeaderValue;

use crate::Run;
use crate::stage::paired::compare;
use crate::stage::route::{self, Route};

/// What the route took there.
const ROUTE: f64 = 520.0;

/// What `call` takes.
pub fn of(run: &Run, header: &HeaderValue, call: impl FnMut()) -> f64 {
    let open = route::unguarded();
    compare(run.rounds, || route::visit(&open, header), call).ratio * ROUTE
}

/// What `service` takes more than `plain`, both shown this header.
pub fn added(run: &Run, header: &HeaderValue, plain: impl Route, service: impl Route) -> f64 {
    let more = compare(
        run.rounds,
        || route::visit(&plain, header),
        || route::visit(&service, header),
    );
    (more.ratio - 1.0) * of(run, header, || route::visit(&plain, header))
}
