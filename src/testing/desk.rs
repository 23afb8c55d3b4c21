//! Endpoints of one's own: who answers at which path, and what they work with.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use http::{Method, Request, Response};
use serde_json::Value;

use super::mint::TokenBuilder;
use super::opaque::OpaqueBuilder;
use super::state::Shared;
use crate::clock::UnixTime;

/// What an endpoint of your own works with: the server it belongs to, for one request.
///
/// A handler of [`answer_at`](super::AuthorizationServer::answer_at) is given one, so that it need
/// not hold the server that holds it.
pub struct Desk<'a> {
    server: &'a Arc<Shared>,
}

impl Desk<'_> {
    pub(super) fn new(server: &Arc<Shared>) -> Desk<'_> {
        Desk { server }
    }

    /// The issuer identifier, exactly as in tokens and metadata.
    pub fn issuer(&self) -> &str {
        &self.server.site.issuer
    }

    /// The time on the server's clock.
    pub fn now(&self) -> UnixTime {
        self.server.clock.now()
    }

    /// The key set as it is published now, for an issuer that publishes it elsewhere.
    pub fn jwks(&self) -> Value {
        self.server.state().keys.jwks()
    }

    /// Begins a JWT.
    pub fn token(&self) -> TokenBuilder {
        TokenBuilder::new(Arc::clone(self.server))
    }

    /// Begins an opaque token.
    pub fn opaque(&self) -> OpaqueBuilder {
        OpaqueBuilder::new(Arc::clone(self.server))
    }

    /// What introspection answers about a token now: its claims with `active`, or only
    /// `{"active": false}`. For a look-up in other words.
    pub fn introspect(&self, token: &str) -> Value {
        self.server.introspected(token)
    }

    /// Makes introspection call a token inactive from now on. Returns whether it was known until now,
    /// so of two that hand in a token for one use, one gets true.
    pub fn revoke(&self, token: &str) -> bool {
        self.server.state().revoke(token)
    }
}

impl fmt::Debug for Desk<'_> {
    /// Prints the issuer; no key, no secret, no token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk")
            .field("issuer", &self.issuer())
            .finish_non_exhaustive()
    }
}

pub(super) type Handler =
    Arc<dyn Fn(&Desk<'_>, &Request<Vec<u8>>) -> Response<Vec<u8>> + Send + Sync>;

/// Who answers at a path.
pub(super) enum Found {
    Handler(Handler),
    /// Nobody answers this method there; the value of `Allow`.
    OtherMethods(String),
}

/// The handlers by path and method.
#[derive(Default)]
pub(super) struct Handlers(HashMap<String, Vec<(Method, Handler)>>);

impl Handlers {
    pub(super) fn put(&mut self, method: Method, path: &str, handler: Handler) {
        let there = self.0.entry(path.to_owned()).or_default();
        there.retain(|(known, _)| *known != method);
        there.push((method, handler));
    }

    pub(super) fn has(&self, path: &str) -> bool {
        self.0.contains_key(path)
    }

    pub(super) fn find(&self, method: &Method, path: &str) -> Option<Found> {
        let there = self.0.get(path)?;
        if let Some((_, handler)) = there.iter().find(|(known, _)| known == method) {
            return Some(Found::Handler(Arc::clone(handler)));
        }
        let methods: Vec<&str> = there.iter().map(|(known, _)| known.as_str()).collect();
        Some(Found::OtherMethods(methods.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::fetch::{Fetch as _, FetchError};
    use crate::testing::{
        AuthorizationServer, Endpoint, ManualClock, Trouble, json_answer, json_body,
    };

    /// A server that lends things out, on a clock at 1000.
    fn server() -> (AuthorizationServer, ManualClock) {
        let clock = ManualClock::at(UnixTime::from_secs(1_000));
        let server = AuthorizationServer::builder().clock(clock.clone()).build();
        server.answer_at(Method::POST, "/lend", |desk, request| {
            let token = desk.opaque().claim("what", &json_body(request)["what"]);
            let until = desk.now().as_secs() + 60;
            let answer = json!({"by": desk.issuer(), "token": token.mint(), "until": until});
            json_answer(201, answer)
        });
        server.answer_at(Method::DELETE, "/lend", |desk, request| {
            let known = desk.revoke(&String::from_utf8_lossy(request.body()));
            json_answer(if known { 200 } else { 410 }, ())
        });
        server.answer_at(Method::PUT, "/lend", |desk, request| {
            json_answer(
                200,
                desk.introspect(&String::from_utf8_lossy(request.body())),
            )
        });
        server.answer_at(Method::GET, "/certs", |desk, _| {
            json_answer(200, desk.jwks())
        });
        (server, clock)
    }

    type Answer = Result<Response<Vec<u8>>, FetchError>;

    async fn ask(server: &AuthorizationServer, method: Method, path: &str, body: &str) -> Answer {
        let request = Request::builder().method(method).uri(server.url(path));
        let request = request.body(body.as_bytes().to_vec()).unwrap();
        server.fetcher().fetch(request, 4096).await
    }

    fn read(answer: &Answer) -> (u16, Value) {
        let answer = answer.as_ref().unwrap();
        let body = serde_json::from_slice(answer.body()).unwrap_or_default();
        (answer.status().as_u16(), body)
    }

    #[tokio::test]
    async fn a_handler_mints_looks_up_and_revokes() {
        let (server, _) = server();
        let (status, lent) = read(&ask(&server, Method::POST, "/lend", r#"{"what":"axe"}"#).await);
        assert_eq!(status, 201);
        assert_eq!(
            (&lent["by"], &lent["until"]),
            (&json!("https://as.example"), &json!(1_060))
        );
        let token = lent["token"].as_str().unwrap();
        let (_, known) = read(&ask(&server, Method::PUT, "/lend", token).await);
        assert_eq!(
            (&known["active"], &known["what"]),
            (&json!(true), &json!("axe"))
        );
        for status in [200, 410] {
            let answer = ask(&server, Method::DELETE, "/lend", token).await;
            assert_eq!(read(&answer).0, status);
        }
        let (_, unknown) = read(&ask(&server, Method::PUT, "/lend", token).await);
        assert_eq!(unknown, json!({"active": false}));
    }

    #[tokio::test]
    async fn a_key_set_is_published_elsewhere_too() {
        let (server, _) = server();
        server.announce();
        let (_, certs) = read(&ask(&server, Method::GET, "/certs", "").await);
        assert_eq!(certs, server.jwks());
        assert_eq!(certs["keys"].as_array().unwrap().len(), 2);
    }

    #[tokio::test]
    async fn paths_are_exact_and_other_methods_are_a_405() {
        let (server, _) = server();
        for path in ["/lend/", "/lend/x", "/LEND", "/"] {
            let answer = ask(&server, Method::POST, path, "").await;
            assert_eq!(read(&answer).0, 404, "{path}");
        }
        let answer = ask(&server, Method::POST, "/lend?x=/other", "").await;
        assert_eq!(read(&answer).0, 201);
        let answer = ask(&server, Method::GET, "/lend", "").await.unwrap();
        assert_eq!(answer.status(), 405);
        assert_eq!(answer.headers()["allow"], "POST, DELETE, PUT");
        assert_eq!(server.asked("/lend"), 2);
        let last = server.last_request("/lend").unwrap();
        assert_eq!(last.method(), Method::GET);
    }

    #[tokio::test]
    async fn a_later_handler_replaces_an_earlier_one() {
        let (server, _) = server();
        server.answer_at(Method::POST, "/lend", |_, _| json_answer(503, "sold out"));
        let answer = ask(&server, Method::POST, "/lend", "").await;
        assert_eq!(read(&answer), (503, json!("sold out")));
        assert_eq!(read(&ask(&server, Method::PUT, "/lend", "").await).0, 200);
    }

    #[tokio::test]
    async fn a_handler_at_an_endpoint_replaces_its_method_only() {
        let (server, _) = server();
        server.answer_at(Method::GET, "/token", |_, _| json_answer(200, "mine"));
        let answer = ask(&server, Method::GET, "/token", "").await;
        assert_eq!(read(&answer), (200, json!("mine")));
        let (status, refused) = read(&ask(&server, Method::POST, "/token", "").await);
        assert_eq!(
            (status, &refused["error"]),
            (400, &json!("invalid_request"))
        );
        // One place, whichever name it is called by.
        assert_eq!(server.asked("/token"), 2);
        assert_eq!(server.asked(Endpoint::Token), 2);
        server.trouble(Endpoint::Token, Trouble::Status(500));
        assert_eq!(read(&ask(&server, Method::GET, "/token", "").await).0, 500);
        server.calm("/token");
        assert_eq!(read(&ask(&server, Method::GET, "/token", "").await).0, 200);
    }

    #[tokio::test]
    async fn trouble_and_outages_come_before_the_handler() {
        let (server, clock) = server();
        server.trouble("/lend", Trouble::StatusWithRetryAfter(503, 7));
        let answer = ask(&server, Method::POST, "/lend", "").await.unwrap();
        assert_eq!(answer.headers()["retry-after"], "7");
        assert_eq!(server.asked("/lend"), 1);

        server.trouble("/lend", Trouble::Late(Duration::from_secs(2)));
        let mut late = pin!(ask(&server, Method::POST, "/lend", ""));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(late.as_mut().poll(&mut cx).is_pending());
        clock.advance(Duration::from_secs(2));
        assert!(matches!(late.as_mut().poll(&mut cx), Poll::Ready(Ok(_))));

        server.stop().await;
        let refused = ask(&server, Method::POST, "/lend", "").await.unwrap_err();
        assert_eq!(refused.to_string(), "connection refused");
        assert_eq!(server.asked("/lend"), 2);
    }

    #[tokio::test]
    async fn handlers_do_not_keep_the_server() {
        let (server, _) = server();
        let shared = Arc::downgrade(server.shared());
        drop(server);
        assert!(shared.upgrade().is_none());
    }

    #[test]
    fn slips_of_the_pen_are_told() {
        let said = |wrong: fn(&AuthorizationServer)| {
            let (server, _) = server();
            let wrong = std::panic::AssertUnwindSafe(|| wrong(&server));
            let why = std::panic::catch_unwind(wrong).unwrap_err();
            why.downcast_ref::<String>().cloned().unwrap_or_default()
        };
        let nobody = "nobody answers at \"/lent\"";
        assert_eq!(
            said(|server| server.trouble("/lent", Trouble::Hang)),
            nobody
        );
        assert_eq!(said(|server| server.calm("/lent")), nobody);
        assert_eq!(
            said(|server| {
                server.asked("/lent");
            }),
            nobody
        );
        assert_eq!(
            said(|server| {
                server.last_request("/lent");
            }),
            nobody
        );
        assert_eq!(
            said(|server| server.answer_at(Method::GET, "a?b", |_, _| json_answer(200, ()))),
            "path is \"a?b\", wanted an absolute path"
        );
    }

    #[test]
    fn debug_shows_no_secret() {
        let (server, _) = server();
        let token = server.opaque().mint();
        let shown = format!("{server:?} {:?}", Desk::new(server.shared()));
        assert!(
            shown.contains("Desk { issuer: \"https://as.example\""),
            "{shown}"
        );
        assert!(!shown.contains(&token), "{shown}");
    }
}
