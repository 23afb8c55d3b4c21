//! What the user may say, and what makes no sense together.

use std::convert::Infallible;
use std::fmt::{self, Write};
use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::BoolishValueParser;
use clap::{Parser, ValueEnum};
use portcullis::{Algorithm, ClientAuth};
use tracing_subscriber::filter::Targets;

use crate::gate::Introspection;

/// A calendar API behind the gate. Without --issuer it brings an issuer of its own and prints curl
/// lines to try.
#[derive(Debug, Parser)]
#[command(name = "calendar")]
pub struct Options {
    /// Where to listen; port 0 is any free one
    #[arg(long, env = "CALENDAR_LISTEN", value_name = "HOST:PORT")]
    #[arg(default_value = "127.0.0.1:3000")]
    pub listen: String,
    /// The issuer whose tokens are accepted: https, or http on loopback
    #[arg(long, env = "CALENDAR_ISSUER", value_name = "URL")]
    pub issuer: Option<String>,
    /// Where its keys are, if its metadata does not say
    #[arg(long, env = "CALENDAR_JWKS_URI", value_name = "URL")]
    pub jwks_uri: Option<String>,
    /// A file for its keys, so that a start while it is down knows them; whoever can write it says
    /// which keys are good
    #[arg(long, env = "CALENDAR_KEYS_FILE", value_name = "FILE")]
    pub keys_file: Option<PathBuf>,
    /// What a token's `aud` must name
    #[arg(long, env = "CALENDAR_AUDIENCE", value_name = "URL")]
    #[arg(default_value = "https://api.example.com/calendar/v1/")]
    pub audience: String,
    /// The signature algorithms that are accepted, with commas between [default: every asymmetric
    /// one]
    #[arg(long, env = "CALENDAR_ALGORITHMS", value_name = "NAMES")]
    #[arg(value_delimiter = ',', value_parser = asymmetric)]
    algorithms: Vec<Algorithm>,
    /// Whether `typ` must be at+jwt, or may be JWT or missing, for issuers that predate RFC 9068
    #[arg(long, env = "CALENDAR_TYP", value_enum, default_value_t = Typ::Strict)]
    pub typ: Typ,
    /// How far clocks may differ, at most 300
    #[arg(
        long,
        env = "CALENDAR_LEEWAY",
        value_name = "SECONDS",
        default_value_t = 30
    )]
    pub leeway: u64,
    /// Where the issuer introspects opaque tokens (RFC 7662)
    #[arg(long, env = "CALENDAR_INTROSPECTION_URI", value_name = "URL")]
    introspection_uri: Option<String>,
    /// Who we are at the introspection endpoint
    #[arg(long, env = "CALENDAR_CLIENT_ID", value_name = "ID")]
    client_id: Option<String>,
    /// Our secret there; other users of this machine can read the command line, so prefer the
    /// variable
    #[arg(long, env = "CALENDAR_CLIENT_SECRET", value_name = "SECRET")]
    #[arg(hide_env_values = true)]
    client_secret: Option<Secret>,
    /// How we prove it there [default: basic]
    #[arg(long, env = "CALENDAR_CLIENT_AUTH", value_enum, value_name = "METHOD")]
    client_auth: Option<Method>,
    /// A PEM file with our private key (PKCS#8), for private_key_jwt
    #[arg(long, env = "CALENDAR_CLIENT_KEY", value_name = "FILE")]
    client_key: Option<PathBuf>,
    /// What that key signs with [default: RS256]
    #[arg(long, env = "CALENDAR_CLIENT_KEY_ALG", value_name = "NAME", value_parser = asymmetric)]
    client_key_alg: Option<Algorithm>,
    /// What the issuer calls that key
    #[arg(long, env = "CALENDAR_CLIENT_KEY_ID", value_name = "KID")]
    client_key_id: Option<String>,
    /// Accept opaque tokens in the header App-Token, too
    #[arg(long, env = "CALENDAR_APP_TOKEN", value_parser = BoolishValueParser::new())]
    pub app_token: bool,
    /// What to log: a level, or levels by target with commas between
    #[arg(long, env = "CALENDAR_LOG", value_name = "LEVELS")]
    #[arg(default_value = "info,portcullis=debug")]
    pub log: Targets,
}

/// Which `typ` an access token must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Typ {
    Strict,
    Lax,
}

/// How we identify ourselves at the introspection endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Method {
    Basic,
    Post,
    #[value(name = "private_key_jwt")]
    PrivateKeyJwt,
}

/// The calendar holds no secret to verify tokens with: who can verify with one can forge.
fn asymmetric(name: &str) -> Result<Algorithm, String> {
    let algorithm = name
        .parse::<Algorithm>()
        .map_err(|error| error.to_string())?;
    match algorithm.is_symmetric() {
        true => Err(format!(
            "{algorithm} has no public key, wanted one that has"
        )),
        false => Ok(algorithm),
    }
}

/// A secret that never prints.
#[derive(Clone)]
struct Secret(String);

impl FromStr for Secret {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Secret, Infallible> {
        Ok(Secret(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl Options {
    /// Says in one sentence which options make no sense together. Ignoring one would leave its
    /// user with a gate other than the one they described.
    pub fn check(&self) -> Result<(), String> {
        const ASK: &str = "--introspection-uri";
        const KEYED: &str = "--client-auth private_key_jwt";
        const SHARED: &str = "--client-auth basic or post";
        let real = self.issuer.is_some();
        let ask = self.introspection_uri.is_some();
        let id = self.client_id.is_some();
        let secret = self.client_secret.is_some();
        let keyed = self.client_auth == Some(Method::PrivateKeyJwt);
        let key = self.client_key.is_some();
        let alg = self.client_key_alg.is_some();
        let kid = self.client_key_id.is_some();
        for (given, option, wanted_too, wanted) in [
            (self.jwks_uri.is_some(), "--jwks-uri", real, "--issuer"),
            (self.keys_file.is_some(), "--keys-file", real, "--issuer"),
            (ask, ASK, real, "--issuer"),
            (self.app_token && real, "--app-token", ask, ASK),
            (id, "--client-id", ask, ASK),
            (secret, "--client-secret", ask, ASK),
            (self.client_auth.is_some(), "--client-auth", ask, ASK),
            (key, "--client-key", keyed, KEYED),
            (alg, "--client-key-alg", keyed, KEYED),
            (kid, "--client-key-id", keyed, KEYED),
            (ask, ASK, id, "--client-id"),
            (keyed, KEYED, key, "--client-key"),
            (ask && !keyed, ASK, secret, "--client-secret"),
            (secret, "--client-secret", !keyed, SHARED),
        ] {
            if given && !wanted_too {
                return Err(format!("{option} is given without {wanted}"));
            }
        }
        Ok(())
    }

    /// The algorithms that are accepted, in order of preference.
    pub fn algorithms(&self) -> &[Algorithm] {
        match self.algorithms.is_empty() {
            true => Algorithm::ASYMMETRIC,
            false => &self.algorithms,
        }
    }

    /// The introspection endpoint, if [`check`](Self::check)ed options name one.
    pub fn introspection(&self) -> Result<Option<Introspection>, String> {
        let (Some(uri), Some(id)) = (&self.introspection_uri, &self.client_id) else {
            return Ok(None);
        };
        let secret = self.client_secret.as_ref().map_or("", |secret| &secret.0);
        let auth = match (self.client_auth.unwrap_or(Method::Basic), &self.client_key) {
            (Method::Post, _) => ClientAuth::post(id, secret),
            (Method::PrivateKeyJwt, Some(file)) => {
                let pem = std::fs::read_to_string(file)
                    .map_err(|error| format!("--client-key {}: {error}", file.display()))?;
                let algorithm = self.client_key_alg.unwrap_or(Algorithm::RS256);
                let auth = ClientAuth::private_key_jwt(id, &pem, algorithm);
                let auth = auth.map_err(|error| format!("--client-key: {error}"))?;
                match &self.client_key_id {
                    Some(kid) => auth.kid(kid),
                    None => auth,
                }
            }
            _ => ClientAuth::basic(id, secret),
        };
        let uri = uri.clone();
        Ok(Some(Introspection { uri, auth }))
    }

    /// What is trusted, for the operator to read over once.
    pub fn summary(&self, base: &str) -> String {
        let mut text = format!("The calendar listens on {base} and trusts\n\n");
        let algorithms: Vec<&str> = self.algorithms().iter().map(|alg| alg.name()).collect();
        let typ = match self.typ {
            Typ::Strict => "strict (at+jwt)",
            Typ::Lax => "lax (at+jwt, JWT or none)",
        };
        let mut line = |name: &str, value: &str| {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "    {name:<13} {value}");
        };
        if let Some(issuer) = &self.issuer {
            line("issuer", issuer);
            line(
                "keys",
                self.jwks_uri.as_deref().unwrap_or("named in its metadata"),
            );
        }
        if let Some(file) = &self.keys_file {
            line("kept in", &file.display().to_string());
        }
        line("audience", &self.audience);
        line("algorithms", &algorithms.join(", "));
        line("typ", typ);
        line("scopes", "read:calendar and write:calendar");
        line("leeway", &format!("{} s", self.leeway));
        if let Some(uri) = &self.introspection_uri {
            line("opaque tokens", &format!("introspected at {uri}"));
        }
        if self.app_token {
            line("App-Token", "opaque tokens in this header, too");
        }
        text.push_str("\nTry it with a token of yours:\n\n");
        let _ = writeln!(
            text,
            "curl -i {base}/me -H \"Authorization: Bearer $TOKEN\"\n"
        );
        text
    }
}
