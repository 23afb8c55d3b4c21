//! Your system is like none of these: how to write a profile of your own.
//!
//! A token system is described by answering six questions. Each answer is a line or two of
//! configuration; together they are a *profile*. This crate has five, of systems that exist (the
//! module `profile`, with the feature `profiles`): read the one that is most like yours beside this
//! page. The chapter [`attacks`] tells what it has to withstand.
//!
//! | question | answer with |
//! |---|---|
//! | Where does the credential travel? | [`Carrier`](crate::Carrier): Bearer, a header of its own with aliases; [`danger`](crate::danger) for URLs |
//! | Who proves it? | [`JwtVerifier`](crate::JwtVerifier), [`IntrospectionVerifier`](crate::IntrospectionVerifier), [`LookupVerifier`](crate::LookupVerifier) for a store of yours, [`StaticTokens`](crate::StaticTokens); [`When`](crate::When) tells credentials apart by their looks, [`Refuse`](crate::Refuse) turns some away |
//! | Which kinds are there, and what tells them apart? | [`Kind`](crate::Kind): carrier, `typ`, audience, claims; with a verifier of its own for [each](crate::ResourceServerBuilder::kind), or [several](crate::ResourceServerBuilder::kinds) behind one |
//! | What may a token do? | [`scopes!`](crate::scopes!), [`permissions!`](crate::permissions!), [`roles!`](crate::roles!), [`RoleTree`](crate::RoleTree), a [`Requirement`](crate::Requirement) of your own |
//! | To which resource? | [`ResourceGuard`](crate::ResourceGuard) for what a claim says, [`Permits`](crate::Permits) for typed claims, [`Policy`](crate::Policy) for what only the application knows |
//! | How does the system refuse? | [`Renderer`](crate::Renderer) |
//!
//! # A worked example
//!
//! A library lends by card. The app shows the card's number in the header `Card`; a store knows the
//! card's reader, branch and end. A reader may read their own loans; a librarian may read those of
//! their branch. Refusals are one line of plain text.
//!
//! ```
//! # #[cfg(all(feature = "axum", feature = "introspection"))] {
//! use axum::{Router, extract::Path, routing::get};
//! use portcullis::*;
//! use serde::Deserialize;
//!
//! /// What the store answers, as JSON in whatever spelling: here of a card 4711 of Ada's.
//! async fn card(number: &str) -> Result<Option<ClaimSet>, Unavailable> {
//!     if number != "card-4711" { return Ok(None); } // unknown: 401
//!     let row = r#"{"readerID":"ada","branch":"kew","role":"reader","until":"2099-12-31 23:59:59Z"}"#;
//!     let answer = LookupAnswer::parse(row)?; // an answer that makes no sense: 503
//!     Ok(Some(ClaimSet::from_serialize(&serde_json::json!({
//!         "sub": answer.demand("reader_id", LookupAnswer::id)?,
//!         "exp": answer.demand("until", LookupAnswer::time)?.as_secs(),
//!         "branch": answer.text("branch")?,
//!         "role": answer.text("role")?,
//!     }))?))
//! }
//!
//! roles! {
//!     claim "role";
//!     Librarian = "librarian";
//!     Reader = "reader" below Librarian;
//! }
//!
//! /// The claims of a card, and whose loans it opens.
//! #[derive(Deserialize)]
//! struct Card { sub: String, branch: Option<String>, role: String }
//! #[derive(Deserialize)]
//! struct Loans { branch: String, reader: String }
//! impl Permits<Loans> for Card {
//!     const HIDES: bool = true; // who reads what is nobody's business: 404
//!     fn permits(&self, loans: &Loans) -> bool {
//!         self.branch.as_ref() == Some(&loans.branch)
//!             && (self.role == "librarian" || self.sub == loans.reader)
//!     }
//! }
//!
//! async fn loans(
//!     _: RequireScope<Reader>,
//!     Permitted(_, Path(loans)): Permitted<Claims<Card>, Path<Loans>>,
//! ) -> String {
//!     format!("the loans of {}", loans.reader)
//! }
//!
//! struct OneLine;
//! impl Renderer for OneLine {
//!     fn render(&self, error: &Error, response: &mut http::Response<String>) {
//!         *response.body_mut() = format!("{}\n", error.reason().description());
//!         response.headers_mut().insert("content-type", http::HeaderValue::from_static("text/plain"));
//!     }
//! }
//!
//! let server = ResourceServer::builder()
//!     .carrier(Carrier::header("Card")?)
//!     .verifier(LookupVerifier::from_fn(card).build()?)
//!     .renderer(OneLine)
//!     .build()?;
//! let app: Router =
//!     Router::new().route("/{branch}/readers/{reader}/loans", get(loans)).layer(server.layer());
//! # use tower::ServiceExt;
//! # let ask = async |path: &str, card: &str| {
//! #     let request = http::Request::get(path).header("card", card);
//! #     let request = request.body(axum::body::Body::empty()).unwrap();
//! #     app.clone().oneshot(request).await.unwrap().status().as_u16()
//! # };
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
//! # runtime.block_on(async {
//! #     assert_eq!(ask("/kew/readers/ada/loans", "card-4711").await, 200);
//! #     assert_eq!(ask("/kew/readers/bob/loans", "card-4711").await, 404);
//! #     assert_eq!(ask("/soho/readers/ada/loans", "card-4711").await, 404);
//! #     assert_eq!(ask("/kew/readers/ada/loans", "card-4712").await, 401);
//! # });
//! # }
//! # Ok::<(), portcullis::ConfigError>(())
//! ```
//!
//! # Before you ship it
//!
//! - Write down for each kind of token which operations it opens, and test every kind in every place
//!   before every guard: all pairs but the right ones must be refused.
//!   The feature `testing` mints the tokens and turns the clock.
//! - What is absent denies: a missing claim, a missing parameter, a role nobody declared. If a line
//!   of yours ends in `unwrap_or(true)`, think again.
//! - If a store or an issuer cannot be asked, say [`Unavailable`](crate::Unavailable) or
//!   [`Error::unavailable`](crate::Error::unavailable): 503, never 401.
//! - A renderer never writes the error's own text: it is for your log and may quote claims.
//!   [`Reason::description`](crate::Reason::description) has words for clients.

pub mod attacks;
