//! A gate, its issuer and the clock of both.

use std::time::Duration;

use portcullis::testing::{AuthorizationServer, Endpoint, ManualClock};
use portcullis::{AccessToken, Error, JwtVerifier, RemoteJwks, ResourceServer, UnixTime};

use crate::showing::show;
use crate::watched;

/// When every test begins.
pub(crate) const BEGAN: UnixTime = UnixTime::from_secs(1_795_262_400);

pub(crate) const AUDIENCE: &str = "https://api.example.com/";

pub(crate) struct Gate {
    pub(crate) issuer: AuthorizationServer,
    pub(crate) clock: ManualClock,
    pub(crate) server: ResourceServer,
}

impl Gate {
    pub(crate) fn new() -> Gate {
        Gate::with(|keys| keys)
    }

    pub(crate) fn with(
        set_up: impl FnOnce(portcullis::RemoteJwksBuilder) -> portcullis::RemoteJwksBuilder,
    ) -> Gate {
        let clock = ManualClock::at(BEGAN);
        let issuer = watched::builder().clock(clock.clone()).build();
        let keys = set_up(RemoteJwks::at(&issuer.jwks_uri()).fetch(issuer.fetcher()));
        Gate::of(issuer, clock, keys)
    }

    pub(crate) fn of(
        issuer: AuthorizationServer,
        clock: ManualClock,
        keys: portcullis::RemoteJwksBuilder,
    ) -> Gate {
        let jwt = JwtVerifier::builder(issuer.issuer(), AUDIENCE).keys(keys.build().unwrap());
        let server = issuer
            .resource_server()
            .verifier(jwt.build().unwrap())
            .build()
            .unwrap();
        Gate {
            issuer,
            clock,
            server,
        }
    }

    pub(crate) fn token(&self) -> String {
        self.issuer.token().expires_in(100_000).mint()
    }

    pub(crate) async fn show(&self, token: &str) -> Result<AccessToken, Error> {
        show(&self.server, token).await
    }

    /// Shows `token` and lets time pass while the answer is waited for.
    pub(crate) async fn show_and_wait(&self, token: &str) -> Result<AccessToken, Error> {
        let (server, token) = (self.server.clone(), token.to_owned());
        let answer = tokio::spawn(async move { show(&server, &token).await });
        for _ in 0..100 {
            settle().await;
            if answer.is_finished() {
                break;
            }
            self.clock.advance(Duration::from_millis(100));
        }
        assert!(answer.is_finished(), "an answer came within ten seconds");
        answer.await.unwrap()
    }

    /// Lets `duration` pass in small steps, so that every timer on the way has its turn.
    pub(crate) async fn pass(&self, duration: Duration) {
        let end = self.now() + duration;
        while self.now() < end {
            let next = self.clock.next_wake().unwrap_or(end).min(end);
            self.clock
                .set(next.max(self.now() + Duration::from_millis(1)));
            settle().await;
        }
    }

    pub(crate) fn now(&self) -> UnixTime {
        portcullis::Clock::now(&self.clock)
    }

    pub(crate) fn fetches(&self) -> usize {
        self.issuer.asked(Endpoint::Jwks)
    }
}

/// Lets every other task run until it waits.
pub(crate) async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}
