//! An issuer with a trouble that can be switched on and off, and the gate that depends on it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use portcullis::testing::{AuthorizationServer, Endpoint, Trouble};
use portcullis::{
    ClientAuth, IntrospectionVerifier, JwtVerifier, RemoteJwks, RemoteJwksBuilder, ResourceServer,
    When,
};

use super::certificates::Certificate;
use super::gate::Gate;
use super::issuer::Issuer;
use super::relay::{Manner, Relay};

use crate::watched;

/// Whom the tokens of the example `issuer` are for.
const AUDIENCE: &str = "https://api.example.com/calendar/v1/";
/// A name that no resolver may know (RFC 6761 §6.4).
const NOWHERE: &str = "https://no-such-host.invalid";

/// How many tokens the gate has seen when trouble begins, and how many it sees for the first time
/// while it lasts.
const KNOWN: usize = 8;
const UNSEEN: usize = 600;
const UNSEEN_OF_PROGRAM: usize = 200;

/// Keys are fresh for the shortest time that is allowed, so that trouble outlasts it.
pub(crate) const LIFETIME: Duration = Duration::from_secs(10);
pub(crate) const INTERVAL: Duration = Duration::from_secs(1);

/// What the gate needs of its issuer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Its keys: a JWT of a new key cannot be judged without.
    Keys,
    /// Its word (RFC 7662): a new opaque token cannot be judged without.
    Word,
}

impl Needs {
    fn endpoint(self) -> Endpoint {
        match self {
            Needs::Keys => Endpoint::Jwks,
            Needs::Word => Endpoint::Introspection,
        }
    }
}

/// How the trouble comes about.
#[derive(Clone)]
pub(crate) enum Sort {
    /// The issuer answers so.
    Answers(Trouble),
    /// The issuer sends whoever comes to somebody who would say whatever is wanted.
    Redirects,
    /// What is between does it.
    Breaks(Manner),
    /// The issuer shows this certificate.
    Shows(Certificate),
    /// Nobody listens.
    Refuses,
    /// The issuer is another process, and gets this signal.
    Signal(&'static str),
    /// Its name does not resolve, to the end.
    NoName,
}

/// A gate and its issuer.
pub(crate) struct World {
    needs: Needs,
    sort: Sort,
    issuing: Issuing,
    relay: Option<Relay>,
    elsewhere: Option<Elsewhere>,
    pub(crate) gate: Gate,
    stranger: AuthorizationServer,
    made_up: AtomicU64,
}

enum Issuing {
    Embedded(AuthorizationServer),
    Program(Box<Issuer>),
}

/// Somebody who vouches for tokens of their own.
struct Elsewhere {
    thief: AuthorizationServer,
    relay: Relay,
}

impl World {
    /// Everything is well at first; but what has no name never is.
    pub(crate) async fn of(needs: Needs, sort: &Sort, deadline: Duration) -> World {
        let (mut relay, mut elsewhere) = (None, None);
        let (issuing, server) = match sort {
            Sort::Signal(_) => {
                let issuer = Issuer::start().await;
                let server = gate(needs, &issuer.url, &issuer.url, deadline);
                (Issuing::Program(Box::new(issuer)), server)
            }
            Sort::NoName => {
                let (issuer, server) = nameless(needs, deadline).await;
                (Issuing::Embedded(issuer), server)
            }
            _ => {
                let issuer = watched::started().await;
                issuer.client("calendar", "calendar-secret");
                let url = issuer.issuer();
                relay = match sort {
                    Sort::Refuses => None,
                    Sort::Shows(_) => Some(Relay::tls(url).await),
                    _ => Some(Relay::plain(url).await),
                };
                let base = relay.as_ref().map_or(url.to_owned(), Relay::base);
                let server = gate(needs, url, &base, deadline);
                (Issuing::Embedded(issuer), server)
            }
        };
        if let Sort::Redirects = sort {
            let thief = watched::builder().kid_prefix("thief-");
            let thief = thief.start().await.expect("a free port");
            thief.client("calendar", "calendar-secret");
            let relay = Relay::plain(thief.issuer()).await;
            elsewhere = Some(Elsewhere { thief, relay });
        }
        World {
            needs,
            sort: sort.clone(),
            issuing,
            relay,
            elsewhere,
            gate: Gate::serve(server).await,
            stranger: watched::issuer(),
            made_up: AtomicU64::new(0),
        }
    }

    pub(crate) async fn begin(&mut self) {
        match (&self.sort, &mut self.issuing) {
            (Sort::Answers(trouble), Issuing::Embedded(issuer)) => {
                issuer.trouble(self.needs.endpoint(), trouble.clone());
            }
            (Sort::Redirects, Issuing::Embedded(issuer)) => {
                let Elsewhere { thief, relay } = self.elsewhere.as_ref().expect("it is there");
                let path = thief.url(self.needs.endpoint());
                let path = path.strip_prefix(thief.issuer()).expect("a path");
                let there = format!("{}{path}", relay.base());
                issuer.trouble(self.needs.endpoint(), Trouble::Redirect(there));
            }
            (Sort::Breaks(manner), _) => self.relay().let_through(*manner),
            (Sort::Shows(certificate), _) => self.relay().show(*certificate),
            (Sort::Refuses, Issuing::Embedded(issuer)) => issuer.stop().await,
            (Sort::Signal("KILL"), Issuing::Program(issuer)) => issuer.kill().await,
            (Sort::Signal(signal), Issuing::Program(issuer)) => issuer.signal(signal).await,
            (Sort::NoName, _) => {}
            _ => unreachable!("trouble and issuer do not fit"),
        }
    }

    /// Whether it can end.
    pub(crate) async fn end(&mut self) -> bool {
        match (&self.sort, &mut self.issuing) {
            (Sort::Answers(_) | Sort::Redirects, Issuing::Embedded(issuer)) => {
                issuer.calm(self.needs.endpoint());
            }
            (Sort::Breaks(_), _) => self.relay().let_through(Manner::Whole),
            (Sort::Shows(_), _) => self.relay().show(Certificate::Good),
            (Sort::Refuses, Issuing::Embedded(issuer)) => {
                issuer.restart().await.expect("the port is kept");
            }
            (Sort::Signal("KILL"), Issuing::Program(issuer)) => **issuer = issuer.again().await,
            (Sort::Signal(_), Issuing::Program(issuer)) => issuer.signal("CONT").await,
            (Sort::NoName, _) => return false,
            _ => unreachable!("trouble and issuer do not fit"),
        }
        true
    }

    fn relay(&self) -> &Relay {
        self.relay.as_ref().expect("this trouble needs one")
    }

    /// Tokens that the gate can judge by itself: some that it will have seen, and some that it will not,
    /// if it needs not ask about each.
    pub(crate) async fn known(&self) -> (Vec<String>, Vec<String>) {
        let (mut known, many) = match (&self.issuing, self.needs, &self.sort) {
            (Issuing::Program(issuer), Needs::Keys, _) => {
                (issuer.fresh("jwt", KNOWN + UNSEEN_OF_PROGRAM).await, true)
            }
            (Issuing::Program(issuer), Needs::Word, _) => {
                (issuer.fresh("opaque", KNOWN).await, false)
            }
            // Its opaque tokens can be asked about nowhere.
            (Issuing::Embedded(issuer), Needs::Keys, _)
            | (Issuing::Embedded(issuer), Needs::Word, Sort::NoName) => {
                let token = issuer.token().audience(AUDIENCE);
                ((0..KNOWN + UNSEEN).map(|_| token.mint()).collect(), true)
            }
            (Issuing::Embedded(issuer), Needs::Word, _) => {
                let token = issuer.opaque().audience(AUDIENCE);
                ((0..KNOWN).map(|_| token.mint()).collect(), false)
            }
        };
        let unseen = known.split_off(KNOWN);
        assert_eq!(unseen.is_empty(), !many);
        (known, unseen)
    }

    /// A good token that the gate cannot judge by itself: of a key that was made this moment, or opaque.
    pub(crate) async fn new_token(&self) -> String {
        match (&self.issuing, self.needs) {
            (Issuing::Program(issuer), Needs::Keys) => issuer.rotate().await,
            (Issuing::Program(issuer), Needs::Word) => {
                let mut fresh = issuer.fresh("opaque", 1).await;
                fresh.pop().expect("one")
            }
            (Issuing::Embedded(issuer), Needs::Keys) => {
                issuer.rotate();
                issuer.token().audience(AUDIENCE).mint()
            }
            (Issuing::Embedded(issuer), Needs::Word) => issuer.opaque().audience(AUDIENCE).mint(),
        }
    }

    /// The token that will be good once trouble is over: `before`, unless its issuer was killed and has
    /// lost all its keys and tokens.
    pub(crate) fn good_at_last<'a>(&'a self, before: &'a str) -> &'a str {
        match (&self.issuing, &self.sort, self.needs) {
            (Issuing::Program(issuer), Sort::Signal("KILL"), Needs::Keys) => issuer.token("TOKEN"),
            (Issuing::Program(issuer), Sort::Signal("KILL"), Needs::Word) => issuer.token("OPAQUE"),
            _ => before,
        }
    }

    /// A token as anybody can make it: of a key that does not exist, or opaque. Each is another one.
    pub(crate) fn made_up(&self) -> String {
        let number = self.made_up.fetch_add(1, Ordering::Relaxed);
        match self.needs {
            Needs::Keys => {
                let token = self.stranger.token().claim("iss", self.issuer());
                let token = token.audience(AUDIENCE);
                token.header("kid", format!("made-up-{number}")).mint()
            }
            Needs::Word => format!("made-up-{number}"),
        }
    }

    pub(crate) fn made_up_so_far(&self) -> u64 {
        self.made_up.load(Ordering::Relaxed)
    }

    /// Tokens that must not pass whatever happens: signed with another key than they name, and
    /// vouched for elsewhere.
    pub(crate) fn forged(&self) -> Vec<String> {
        let mut forged = Vec::new();
        if let (Issuing::Embedded(issuer), Needs::Keys) = (&self.issuing, self.needs) {
            let token = issuer.token().audience(AUDIENCE);
            forged.push(token.signed_by(&self.stranger).mint());
        }
        if let Some(Elsewhere { thief, .. }) = &self.elsewhere {
            forged.push(match self.needs {
                Needs::Keys => {
                    let token = thief.token().audience(AUDIENCE);
                    token.claim("iss", self.issuer()).mint()
                }
                Needs::Word => thief.opaque().audience(AUDIENCE).mint(),
            });
        }
        forged
    }

    fn issuer(&self) -> &str {
        match &self.issuing {
            Issuing::Embedded(issuer) => issuer.issuer(),
            Issuing::Program(issuer) => &issuer.url,
        }
    }

    /// How often the issuer was asked, as the issuer says itself where it can, or else as the gate
    /// does.
    pub(crate) fn asked(&self) -> u64 {
        let told = match (&self.issuing, &self.sort) {
            (Issuing::Embedded(issuer), Sort::Answers(_) | Sort::Redirects | Sort::Breaks(_)) => {
                Some(issuer.asked(self.needs.endpoint()) as u64)
            }
            // Nobody comes past a wrong certificate.
            (_, Sort::Shows(_)) => Some(self.relay().connections() as u64),
            _ => None,
        };
        let status = self.gate.server.status();
        told.unwrap_or(match self.needs {
            Needs::Keys => status.keys[0].fetches,
            Needs::Word => status.endpoints[0].calls,
        })
    }

    /// The most of an answer that was sent on one connection.
    pub(crate) fn most_sent(&self) -> Option<u64> {
        self.relay.as_ref().map(Relay::most_sent)
    }

    /// How many connections were made where nobody should go.
    pub(crate) fn arrived_elsewhere(&self) -> usize {
        let relay = self.elsewhere.as_ref().map(|elsewhere| &elsewhere.relay);
        relay.map_or(0, Relay::connections)
    }
}

/// A gate for tokens of `issuer`, whose endpoints are at `base`.
fn gate(needs: Needs, issuer: &str, base: &str, deadline: Duration) -> ResourceServer {
    let server = ResourceServer::builder();
    let server = match needs {
        Needs::Keys => {
            let keys = keys(&format!("{base}/jwks"), deadline);
            server.verifier(jwt(issuer, keys))
        }
        Needs::Word => server.verifier(opaque(&format!("{base}/introspect"), deadline)),
    };
    server.build().expect("a gate")
}

fn keys(jwks_uri: &str, deadline: Duration) -> RemoteJwksBuilder {
    RemoteJwks::at(jwks_uri)
        .lifetime(LIFETIME)
        .refresh_interval(INTERVAL)
        .deadline(deadline)
}

fn jwt(issuer: &str, keys: RemoteJwksBuilder) -> JwtVerifier {
    let jwt = JwtVerifier::builder(issuer, AUDIENCE).keys(keys.build().expect("keys"));
    jwt.build().expect("a verifier")
}

fn opaque(endpoint: &str, deadline: Duration) -> IntrospectionVerifier {
    let auth = ClientAuth::basic("calendar", "calendar-secret");
    IntrospectionVerifier::builder(endpoint, auth, AUDIENCE)
        // Longer than any trouble here.
        .remember_accepted(Duration::from_secs(120))
        .deadline(deadline)
        .build()
        .expect("a verifier")
}

/// A gate whose issuer has a name that does not resolve. What it knows by itself it has from a run when
/// the name was good.
async fn nameless(needs: Needs, deadline: Duration) -> (AuthorizationServer, ResourceServer) {
    let issuer = watched::builder().origin(NOWHERE).build();
    let file = kept_keys(needs);
    let uri = issuer.jwks_uri();
    let before = keys(&uri, deadline).fetch(issuer.fetcher());
    let before = jwt(NOWHERE, before.last_known_good(&file));
    let before = ResourceServer::builder().verifier(before).build();
    before.expect("a gate").ready().await.expect("keys");
    while !file.exists() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let now = jwt(NOWHERE, keys(&uri, deadline).last_known_good(&file));
    let server = ResourceServer::builder();
    let server = match needs {
        Needs::Keys => server.verifier(now),
        Needs::Word => {
            let endpoint = issuer.introspection_endpoint();
            let opaque = opaque(&endpoint, deadline);
            server.route(When::jwt(), now).route(When::opaque(), opaque)
        }
    };
    let server = server.build().expect("a gate");
    // It has been read.
    let _ = std::fs::remove_file(&file);
    (issuer, server)
}

fn kept_keys(needs: Needs) -> PathBuf {
    let name = match needs {
        Needs::Keys => "keys",
        Needs::Word => "word",
    };
    let name = format!("trouble-{name}-{}.json", std::process::id());
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}
