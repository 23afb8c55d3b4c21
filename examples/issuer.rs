//! An issuer in a process of its own, to see what the calendar does while it is gone.
//!
//! ```text
//! cargo run --example issuer
//! cargo run --example calendar -- --issuer …    the whole line is printed
//! ```
//!
//! Enter makes a new key. `kill -STOP` lets it hang, `kill -9` ends it; started again, it has other
//! keys, as if it had lost its disk.

// Nobody imports a program, so `pub` says no more than that the other file uses it.
#![allow(unreachable_pub)]

#[path = "calendar/issuer.rs"]
mod issuer;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use hyper::Method;
use portcullis::testing::{AuthorizationServer, json_answer};
use portcullis::{Clock, SystemClock};
use serde_json::json;

use issuer::{BOTH, CALENDAR, Issuer};

/// An issuer to try outages with. It gives tokens to whoever asks: never for production.
#[derive(Parser)]
#[command(name = "issuer")]
struct Options {
    /// Where to listen on 127.0.0.1; 0 is any free port
    #[arg(long, value_name = "PORT", default_value_t = 4000)]
    port: u16,
    /// Whom its tokens are for
    #[arg(long, value_name = "URL")]
    #[arg(default_value = "https://api.example.com/calendar/v1/")]
    audience: String,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let server = AuthorizationServer::builder()
        .port(options.port)
        // A second life has other keys, so they must have other names.
        .kid_prefix(&format!("{}-", SystemClock.now().as_secs()));
    let issuer = match Issuer::start(server, &options.audience).await {
        Ok(issuer) => issuer,
        Err(error) => {
            let port = options.port;
            // Whoever closed our stderr does not want to hear it.
            let _ = writeln!(
                io::stderr(),
                "error: cannot listen on 127.0.0.1:{port}: {error}"
            );
            return ExitCode::FAILURE;
        }
    };
    let token = issuer.jwt().scope(BOTH);
    let algorithm = portcullis::Algorithm::ES256;

    // Both handlers hold the issuer they belong to, which is to live as long as the process anyway.
    let (server, new) = (AuthorizationServer::clone(&issuer), token.clone());
    issuer.answer_at(Method::POST, "/rotate", move |_, _| {
        server.rotate();
        json_answer(
            200,
            json!({"kid": server.kid(algorithm), "token": new.mint()}),
        )
    });
    let server = AuthorizationServer::clone(&issuer);
    issuer.answer_at(Method::POST, "/withdraw", move |desk, _| {
        server.withdraw_old();
        json_answer(200, desk.jwks())
    });

    tell(&tour(&issuer));
    let server = AuthorizationServer::clone(&issuer);
    std::thread::spawn(move || {
        for _ in io::stdin().lines().map_while(Result::ok) {
            server.rotate();
            let kid = server.kid(algorithm);
            tell(&format!(
                "# signed with the new key {kid}\nexport NEW={}\n\n",
                token.mint()
            ));
        }
    });
    // A signal ends it; there is nothing to save.
    std::future::pending().await
}

/// What to paste: the calendar's command line, tokens, and how to make trouble.
fn tour(issuer: &Issuer) -> String {
    let url = issuer.issuer();
    let token = issuer.jwt().scope(BOTH);
    let opaque = issuer.opaque().scope(BOTH);
    let stranger = AuthorizationServer::new();
    let made_up = token.clone().signed_by(&stranger).header("kid", "made-up");
    let (id, secret) = CALENDAR;
    format!(
        "The issuer listens on {url} (for trying out only)\n\
         Enter makes a new key, Ctrl-C ends it.\n\n\
         # the calendar that trusts it\n\
         CALENDAR_CLIENT_SECRET={secret} cargo run --example calendar -- --issuer {url} \
         --introspection-uri {introspection} --client-id {id}\n\n\
         # tokens; show the calendar those that are unseen only once there is trouble\n\
         export TOKEN={known}\n\
         export UNSEEN={unseen}\n\
         export OPAQUE={opaque_known}\n\
         export UNSEEN_OPAQUE={opaque_unseen}\n\
         export MADE_UP={made_up}\n\n\
         # a fresh token; add -d token_format=opaque for an opaque one\n\
         {fresh}\n\n\
         # a new key and a token of it; the keys of before stay published\n\
         curl -X POST {url}/rotate\n\n\
         # only the newest key stays published\n\
         curl -X POST {url}/withdraw\n\n\
         # it hangs, it goes on, it is gone\n\
         kill -STOP {pid}\n\
         kill -CONT {pid}\n\
         kill -9 {pid}\n\n",
        introspection = issuer.introspection_endpoint(),
        known = token.mint(),
        unseen = token.mint(),
        opaque_known = opaque.mint(),
        opaque_unseen = opaque.mint(),
        made_up = made_up.mint(),
        fresh = issuer.fresh_token(),
        pid = std::process::id(),
    )
}

/// Prints to stdout. A reader that went away (`| head`) is no reason to fail.
fn tell(text: &str) {
    let mut stdout = io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes());
    let _ = stdout.flush();
}
