//! For a first look: an issuer of our own, and curl lines with real tokens.

use std::fmt::Write;
use std::io;

use portcullis::testing::AuthorizationServer;
use portcullis::{Algorithm, ClientAuth};

use crate::events::{Calendar, Draft, Owner};
use crate::gate::Introspection;
use crate::issuer::{BOTH, CALENDAR, Issuer, LIFETIME};
use crate::options::Options;

/// The embedded issuer. It is for trying out and for tests, never for production.
pub struct Demo {
    issuer: Issuer,
}

/// The events that are there from the start.
pub struct Events {
    alices: u64,
    bobs: u64,
}

impl Demo {
    /// Starts the issuer on a free port of 127.0.0.1.
    pub async fn start(options: &Options) -> io::Result<Demo> {
        // Any that the gate accepts would do; keys for ES256 are made quickly.
        let accepted = options.algorithms();
        let signs_with = accepted.iter().find(|alg| **alg == Algorithm::ES256);
        let signs_with = signs_with.or(accepted.first()).copied();
        let issuer =
            AuthorizationServer::builder().algorithm(signs_with.unwrap_or(Algorithm::ES256));
        let issuer = Issuer::start(issuer, &options.audience).await?;
        Ok(Demo { issuer })
    }

    pub fn issuer(&self) -> &str {
        self.issuer.issuer()
    }

    pub fn introspection(&self) -> Introspection {
        let (id, secret) = CALENDAR;
        Introspection {
            uri: self.issuer.introspection_endpoint(),
            auth: ClientAuth::basic(id, secret),
        }
    }

    /// A calendar with an event of alice and one of bob.
    pub fn calendar(&self) -> (Calendar, Events) {
        let calendar = Calendar::default();
        let add = |subject: &str, title: &str| {
            let draft = Draft {
                title: title.to_owned(),
                ..Draft::default()
            };
            let added = calendar.add(Owner::user(self.issuer(), subject), draft);
            added.map_or(0, |event| event.id)
        };
        let events = Events {
            alices: add("alice", "breakfast"),
            bobs: add("bob", "dentist"),
        };
        (calendar, events)
    }

    /// Curl lines to paste, each with the status it gets.
    pub fn tour(&self, base: &str, options: &Options, events: Events) -> String {
        let jwt = self.issuer.jwt();
        let bearer = |token: &str| format!(" -H \"Authorization: Bearer {token}\"");
        let alice = bearer(&jwt.clone().scope(BOTH).mint());
        let reader = bearer(&jwt.clone().scope("read:calendar").mint());
        let expired = bearer(&jwt.scope(BOTH).expires_in(-LIFETIME).mint());
        let known = self.issuer.opaque().scope(BOTH).mint();

        let Events { alices, bobs } = events;
        let mut lines = vec![
            ("200, open to everyone", "healthz".to_owned(), String::new()),
            (
                "200, who the token says you are",
                "me".to_owned(),
                alice.clone(),
            ),
            (
                "200, alice's events and nobody else's",
                "events".to_owned(),
                alice.clone(),
            ),
            (
                "200, one of them",
                format!("events/{alices}"),
                alice.clone(),
            ),
            (
                "201, a new event: untitled, now",
                "events -d \"{}\"".to_owned(),
                alice.clone(),
            ),
            ("401, no token", "events".to_owned(), String::new()),
            (
                "401, this token expired an hour ago",
                "events".to_owned(),
                expired,
            ),
            (
                "403, this token may read, but not write",
                "events -d \"{}\"".to_owned(),
                reader,
            ),
            ("403, bob's event", format!("events/{bobs}"), alice.clone()),
            ("404, nobody's event", "events/999".to_owned(), alice),
            (
                "200, an opaque token of alice, proven by the issuer",
                "me".to_owned(),
                bearer(&known),
            ),
        ];
        if options.app_token {
            let header = format!(" -H \"App-Token: {known}\"");
            lines.push(("200, the same in App-Token", "me".to_owned(), header));
        }

        let mut text = format!(
            "The calendar listens on {base}\nIts issuer is {issuer} (for trying out only)\n\
             Ctrl-C ends both.\n\n",
            issuer = self.issuer()
        );
        // Writing to a String cannot fail.
        for (promise, path, header) in lines {
            let _ = writeln!(text, "# {promise}\ncurl -i {base}/{path}{header}\n");
        }
        let _ = writeln!(
            text,
            "# 200, a fresh token for the client `curl`; add -d token_format=opaque for an opaque one\n\
             {line}\n",
            line = self.issuer.fresh_token(),
        );
        text
    }
}
