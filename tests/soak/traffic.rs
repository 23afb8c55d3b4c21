//! Clients of every sort, good and bad, and the check of each answer.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use http::Request;
use portcullis::ResourceServer;
use portcullis::testing::AuthorizationServer;
use tokio::time::sleep;

use super::chance::Chance;
use super::client::{Answer, Client, kid_of};
use super::truth::lock;
use super::weather::{Opaque, Weather};
use super::{AUDIENCE, LIMITS};

/// How long a client rests after an answer.
const REST: Duration = match cfg!(debug_assertions) {
    true => Duration::from_millis(40),
    false => Duration::from_millis(4),
};

/// What a request is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Class {
    Known,
    Fresh,
    /// As whichever of these two it would be, but the gate has not heard of its key yet.
    NewKey,
    Withdrawn,
    Expired,
    Forged,
    WrongAudience,
    MadeUpKid,
    Opaque,
    OpaqueRevoked,
    OpaqueExpired,
    OpaqueWrongAudience,
    OpaqueMadeUp,
    NoCredential,
    TwoCredentials,
}

/// Each as often as it is to come.
const CLASSES: [(Class, usize); 14] = [
    (Class::Known, 30),
    (Class::Fresh, 10),
    (Class::Withdrawn, 6),
    (Class::Expired, 4),
    (Class::Forged, 4),
    (Class::WrongAudience, 4),
    (Class::MadeUpKid, 6),
    (Class::Opaque, 16),
    (Class::OpaqueRevoked, 6),
    (Class::OpaqueExpired, 2),
    (Class::OpaqueWrongAudience, 2),
    (Class::OpaqueMadeUp, 4),
    (Class::NoCredential, 3),
    (Class::TwoCredentials, 3),
];

/// What is shown, and what is right about it.
struct Shown {
    credentials: Vec<(&'static str, String)>,
    rests_on: RestsOn,
    /// Whether it is good, but for the end of what it rests on.
    is_good: bool,
}

enum RestsOn {
    /// A key, by name; of a made-up one nobody knows.
    Key(String),
    /// The issuer's word.
    Word(Option<std::sync::Arc<Opaque>>),
    Nothing(u16),
}

/// What was counted.
#[derive(Default)]
pub(crate) struct Tally {
    /// Answers by class and status.
    pub(crate) answers: BTreeMap<Class, BTreeMap<u16, u64>>,
    pub(crate) slowest: BTreeMap<Class, Duration>,
    /// Answers that were wrong, in words.
    pub(crate) wrong: Vec<String>,
}

/// A client, and all it needs.
pub(crate) struct Traffic<'a> {
    pub(crate) weather: &'a Weather,
    pub(crate) server: &'a ResourceServer,
    pub(crate) base: &'a str,
    pub(crate) stranger: &'a AuthorizationServer,
    pub(crate) tally: &'a Mutex<Tally>,
    pub(crate) expired: &'a str,
    pub(crate) misdirected: &'a str,
}

impl Traffic<'_> {
    /// Drives one client until it is over.
    pub(crate) async fn drive(&self, mut chance: Chance) {
        let mut client = Client::of(self.base);
        while !self.weather.is_over() {
            sleep(REST).await;
            let class = pick(&mut chance);
            let Some(shown) = self.shown(class, &mut chance) else {
                continue;
            };
            let mut request = Request::get("/");
            for (name, value) in &shown.credentials {
                request = request.header(*name, value);
            }
            let request = request.body(String::new()).expect("a request");
            let knew = match &shown.rests_on {
                RestsOn::Key(kid) => self.knows(kid),
                _ => false,
            };
            let class = match class {
                Class::Known | Class::Fresh if !knew => Class::NewKey,
                class => class,
            };
            let sent = Instant::now();
            let answer = client.send(request).await;
            let got = Instant::now();
            let fault = match &answer {
                Ok(answer) => self.fault(&shown, knew, answer, sent, got).err(),
                Err(why) => Some(why.clone()),
            };
            let mut tally = lock(self.tally);
            if let Ok(answer) = answer {
                let answers = tally.answers.entry(class).or_default();
                *answers.entry(answer.status).or_default() += 1;
                let slowest = tally.slowest.entry(class).or_default();
                *slowest = answer.took.max(*slowest);
            }
            if let Some(fault) = fault {
                let status = self.server.status();
                let sort = if knew { "known" } else { "not known" };
                tally
                    .wrong
                    .push(format!("{class:?} (key {sort}): {fault}; {status:?}"));
            }
        }
    }

    fn knows(&self, kid: &str) -> bool {
        let status = self.server.status();
        let mut kids = status.keys.iter().flat_map(|keys| &keys.kids);
        kids.any(|known| known == kid)
    }

    /// `None` if there is no such thing at the moment.
    fn shown(&self, class: Class, chance: &mut Chance) -> Option<Shown> {
        let issuer = &self.weather.issuer;
        let truth = &self.weather.truth;
        let of_key = |kid: &str, token: String, is_good: bool| Shown {
            credentials: bearer(token),
            rests_on: RestsOn::Key(kid.to_owned()),
            is_good,
        };
        let of_word = |token: &str, opaque, is_good| Shown {
            credentials: bearer(token.to_owned()),
            rests_on: RestsOn::Word(opaque),
            is_good,
        };
        let nothing = |credentials, status| Shown {
            credentials,
            rests_on: RestsOn::Nothing(status),
            is_good: false,
        };
        let jwt = issuer.token().audience(AUDIENCE);
        Some(match class {
            Class::Known | Class::Withdrawn => {
                let keys = truth.keys(class == Class::Withdrawn);
                let key = chance.one_of(&keys)?;
                let token = chance.one_of(&key.tokens)?;
                of_key(&key.kid, token.clone(), true)
            }
            Class::Fresh | Class::Expired | Class::Forged | Class::WrongAudience => {
                let (token, is_good) = match class {
                    // Soon forgotten: what it leaves in memory must not be what this is about.
                    Class::Fresh => (jwt.expires_in(5), true),
                    Class::Expired => (jwt.expires_in(-60), false),
                    Class::Forged => (jwt.signed_by(self.stranger), false),
                    _ => (jwt.audience("https://other.example/"), false),
                };
                let token = token.mint();
                of_key(&kid_of(&token), token, is_good)
            }
            Class::MadeUpKid => {
                let kid = format!("made-up-{}", chance.below(usize::MAX));
                let token = jwt.signed_by(self.stranger).header("kid", &kid).mint();
                of_key(&kid, token, false)
            }
            Class::Opaque | Class::OpaqueRevoked => {
                let all = self.weather.opaque(class == Class::OpaqueRevoked);
                let opaque = chance.one_of(&all)?;
                of_word(&opaque.token, Some(opaque.clone()), true)
            }
            Class::OpaqueExpired => of_word(self.expired, None, false),
            Class::OpaqueWrongAudience => of_word(self.misdirected, None, false),
            Class::OpaqueMadeUp => {
                let token = format!("made-up-{}", chance.below(usize::MAX));
                of_word(&token, None, false)
            }
            // It turns out to be new, or not.
            Class::NewKey => return None,
            Class::NoCredential => nothing(Vec::new(), 401),
            Class::TwoCredentials => {
                let mut both = bearer(jwt.mint());
                both.push(("app-token", jwt.mint()));
                nothing(both, 400)
            }
        })
    }

    /// What is wrong with an answer.
    fn fault(
        &self,
        shown: &Shown,
        knew: bool,
        answer: &Answer,
        sent: Instant,
        got: Instant,
    ) -> Result<(), String> {
        let status = answer.status;
        let refuse = |why: &str| Err(format!("{status} after {:?}: {why}", answer.took));
        let (challenge, after) = (
            answer.headers.contains_key("www-authenticate"),
            answer.retry_after(),
        );
        let is_well_worded = match status {
            200 => answer.body == super::LET_IN,
            401 => challenge && after.is_none(),
            503 => !challenge && after.is_some_and(|after| (1..=300).contains(&after)),
            _ => true,
        };
        if !is_well_worded {
            return refuse("it is not worded as it should be");
        }
        let truth = &self.weather.truth;
        match &shown.rests_on {
            RestsOn::Nothing(wanted) if status == *wanted => {}
            RestsOn::Nothing(_) => return refuse("it is about the request alone"),
            RestsOn::Key(kid) => {
                let key = truth.key(kid);
                let withdrawn = key.as_ref().map(|key| key.withdrawn());
                let may_be_withdrawn = withdrawn.is_some_and(|ended| ended.may_be_by(got));
                let is_withdrawn = withdrawn.is_some_and(|ended| ended.is_by(sent));
                // It may have been dropped from the truth while the request was under way.
                let is_old = key.is_none();
                let trouble = truth.without_keys.touch(sent, got);
                match status {
                    200 if !shown.is_good => return refuse("the token is bad"),
                    200 if is_withdrawn && !knew => {
                        return refuse("its key was withdrawn and given up");
                    }
                    401 if shown.is_good && !may_be_withdrawn && !is_old => {
                        return refuse("the token is good");
                    }
                    503 if knew && !may_be_withdrawn && !is_old => {
                        return refuse("its key is known");
                    }
                    503 if !trouble => return refuse("the issuer is well"),
                    200 | 401 | 503 => {}
                    _ => return refuse("it is none of 200, 401 and 503"),
                }
                if answer.took > LIMITS.wait + LIMITS.slack {
                    return refuse("it came too late");
                }
            }
            RestsOn::Word(opaque) => {
                let revoked = opaque.as_ref().map(|opaque| opaque.revoked());
                let may_be_revoked = revoked.is_some_and(|ended| ended.may_be_by(got));
                let revoked_since = revoked.and_then(|ended| ended.since(sent));
                let let_in = opaque.as_ref().and_then(|known| known.let_in_before(sent));
                match status {
                    200 if !shown.is_good => return refuse("the token is bad"),
                    200 if revoked_since
                        .is_some_and(|since| since > LIMITS.remembered + LIMITS.deadline) =>
                    {
                        return refuse("the token was revoked");
                    }
                    401 if shown.is_good && !may_be_revoked => return refuse("the token is good"),
                    503 if let_in.is_some_and(|before| before < LIMITS.remembered / 2) => {
                        return refuse("the token is remembered");
                    }
                    503 if !truth.without_word.touch(sent, got) => {
                        return refuse("the issuer is well");
                    }
                    200 | 401 | 503 => {}
                    _ => return refuse("it is none of 200, 401 and 503"),
                }
                if let (200, Some(opaque)) = (status, opaque) {
                    opaque.note(sent);
                }
                if answer.took > LIMITS.deadline + LIMITS.slack {
                    return refuse("it came too late");
                }
            }
        }
        Ok(())
    }
}

fn pick(chance: &mut Chance) -> Class {
    let all = CLASSES.iter().map(|(_, often)| often).sum();
    let mut left = chance.below(all);
    for (class, often) in CLASSES {
        if left < often {
            return class;
        }
        left -= often;
    }
    unreachable!("it is below the sum")
}

fn bearer(token: String) -> Vec<(&'static str, String)> {
    vec![("authorization", format!("Bearer {token}"))]
}
