//! The issuer as time goes by: its keys rotate, its tokens come and go, and every so often it is in
//! trouble.

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use portcullis::Algorithm;
use portcullis::testing::{AuthorizationServer, Endpoint, Trouble};
use tokio::time::sleep;

use super::AUDIENCE;
use super::chance::Chance;
use super::truth::{Ended, Key, Outages, Truth, lock};

/// The issuer and what is known about it.
pub(crate) struct Weather {
    pub(crate) issuer: AuthorizationServer,
    pub(crate) truth: Truth,
    opaque: Mutex<Vec<Arc<Opaque>>>,
    /// How long a key is the current one.
    pub(crate) period: Duration,
    /// Set when clients are to come no more.
    pub(crate) over: AtomicBool,
    pub(crate) told: Mutex<Told>,
}

/// An opaque token.
pub(crate) struct Opaque {
    pub(crate) token: String,
    revoked: Ended,
    /// When the first request was sent that was let in. The issuer was asked for it; what was let in
    /// later may have been remembered for a while already.
    let_in: Mutex<Option<Instant>>,
}

impl Opaque {
    pub(crate) fn revoked(&self) -> &Ended {
        &self.revoked
    }

    /// Notes a request of then that was let in.
    pub(crate) fn note(&self, sent: Instant) {
        lock(&self.let_in).get_or_insert(sent);
    }

    /// How long before then the first was sent that was let in.
    pub(crate) fn let_in_before(&self, moment: Instant) -> Option<Duration> {
        moment.checked_duration_since((*lock(&self.let_in))?)
    }
}

/// What there was of it.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) rotations: usize,
    pub(crate) outages: Vec<&'static str>,
}

/// How many tokens there are of each key, and how many opaque ones.
const TOKENS: usize = 20;
const OPAQUE: usize = 24;

/// What may befall an endpoint.
const TROUBLES: [&str; 12] = [
    "500",
    "429",
    "HTML page",
    "hangs",
    "hangs up",
    "half a body",
    "drip",
    "100 MB",
    "nothing in it",
    "redirect",
    "slow",
    "stopped",
];

impl Weather {
    pub(crate) fn of(issuer: AuthorizationServer, period: Duration) -> Weather {
        let weather = Weather {
            issuer,
            truth: Truth::default(),
            opaque: Mutex::default(),
            period,
            over: AtomicBool::new(false),
            told: Mutex::default(),
        };
        weather.add_key();
        weather.renew_opaque();
        weather
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Opaque tokens by whether they are revoked.
    pub(crate) fn opaque(&self, revoked: bool) -> Vec<Arc<Opaque>> {
        let now = Instant::now();
        let all = lock(&self.opaque);
        let some = all
            .iter()
            .filter(|opaque| opaque.revoked.may_be_by(now) == revoked);
        some.cloned().collect()
    }

    fn add_key(&self) {
        let token = self.issuer.token().audience(AUDIENCE).expires_in(3600);
        let kid = self.issuer.kid(Algorithm::ES256);
        let tokens = (0..TOKENS).map(|_| token.mint()).collect();
        self.truth.add(Key::of(kid, tokens));
    }

    /// Revokes half of the opaque tokens, drops those that were revoked before, and makes new ones.
    fn renew_opaque(&self) {
        lock(&self.opaque).retain(|opaque| opaque.revoked.at().is_none());
        let all = self.opaque(false);
        for opaque in all.iter().take(OPAQUE / 2) {
            opaque.revoked.by(|| {
                self.issuer.revoke(&opaque.token);
            });
        }
        let token = self.issuer.opaque().audience(AUDIENCE).expires_in(3600);
        let missing = OPAQUE - self.opaque(false).len();
        lock(&self.opaque).extend((0..missing).map(|_| {
            Arc::new(Opaque {
                token: token.mint(),
                revoked: Ended::default(),
                let_in: Mutex::default(),
            })
        }));
    }

    /// Rotates keys and renews tokens, for ever.
    pub(crate) async fn rotate(&self, mut chance: Chance) -> Infallible {
        loop {
            let part = |part: f64| sleep(self.period.mul_f64(part));
            part(0.4).await;
            // Some issuers show the next key before they sign with it, some don't.
            if chance.below(2) == 0 {
                self.issuer.announce();
            }
            part(0.1).await;
            let before = self.truth.keys(false);
            self.issuer.rotate();
            self.add_key();
            self.renew_opaque();
            lock(&self.told).rotations += 1;
            part(0.5).await;
            for old in self.truth.keys(true) {
                self.truth.forget(&old.kid);
            }
            for key in before {
                key.withdrawn().by(|| self.issuer.withdraw(&key.kid));
            }
        }
    }

    /// Is in trouble every so often, for ever.
    pub(crate) async fn storm(&self, mut chance: Chance) -> Infallible {
        // Each of them once, and then again in another order.
        let mut left = Vec::new();
        loop {
            let calm = self.period.mul_f64(chance.between(0.4, 0.9));
            sleep(calm).await;
            if left.is_empty() {
                left = TROUBLES.to_vec();
            }
            let name = left.swap_remove(chance.below(left.len()));
            lock(&self.told).outages.push(name);
            let lasts = self.period.mul_f64(chance.between(0.05, 0.2));
            self.outage(name, chance.below(3), lasts).await;
        }
    }

    async fn outage(&self, name: &'static str, whose: usize, lasts: Duration) {
        let Truth {
            without_keys,
            without_word,
            ..
        } = &self.truth;
        let keys = [
            Endpoint::Jwks,
            Endpoint::OauthMetadata,
            Endpoint::OpenidConfiguration,
        ];
        let (whom, places): (Vec<&Outages>, Vec<Endpoint>) = match (name, whose) {
            ("stopped", _) => (vec![without_keys, without_word], Vec::new()),
            (_, 0) => (vec![without_keys], keys.to_vec()),
            (_, 1) => (vec![without_word], vec![Endpoint::Introspection]),
            _ => (
                vec![without_keys, without_word],
                [&keys[..], &[Endpoint::Introspection]].concat(),
            ),
        };
        whom.iter().for_each(|outages| outages.begin());
        if name == "stopped" {
            self.issuer.stop().await;
        }
        for place in &places {
            self.issuer.trouble(*place, trouble(name, *place));
        }
        sleep(lasts).await;
        for place in &places {
            self.issuer.calm(*place);
        }
        if name == "stopped" {
            self.issuer.restart().await.expect("the port is kept");
        }
        whom.iter().for_each(|outages| outages.end());
    }
}

fn trouble(name: &str, place: Endpoint) -> Trouble {
    match name {
        "500" => Trouble::Status(500),
        "429" => Trouble::StatusWithRetryAfter(429, 2),
        "HTML page" => Trouble::Garbage,
        "hangs" => Trouble::Hang,
        "hangs up" => Trouble::HangUp,
        "half a body" => Trouble::Reset,
        "drip" => Trouble::Drip,
        "100 MB" => Trouble::Huge(100_000_000),
        "nothing in it" if place == Endpoint::Jwks => Trouble::Body(r#"{"keys":[]}"#.to_owned()),
        "nothing in it" => Trouble::Body(String::new()),
        // Nobody listens there; whoever follows is refused.
        "redirect" => Trouble::Redirect("http://127.0.0.1:1/".to_owned()),
        "slow" => Trouble::Late(Duration::from_millis(700)),
        other => unreachable!("{other}"),
    }
}
