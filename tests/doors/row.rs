//! What a row of the table says: the request, the set-up it meets, the answer it must get.

use std::fmt;

use serde::Deserialize;
use serde_json::{Map, Value};

/// The table, a file for each section of the standards list.
pub(crate) const SECTIONS: [(&str, &str); 5] = [
    (
        "1-presenting",
        include_str!("../data/requests/1-presenting.json"),
    ),
    (
        "2-refusing",
        include_str!("../data/requests/2-refusing.json"),
    ),
    ("3-jwt", include_str!("../data/requests/3-jwt.json")),
    (
        "4-access-token",
        include_str!("../data/requests/4-access-token.json"),
    ),
    (
        "5-introspection",
        include_str!("../data/requests/5-introspection.json"),
    ),
];

/// The rows of a section.
pub(crate) fn section(place: usize) -> Vec<Row> {
    let (name, text) = SECTIONS[place];
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{name}.json: {error}"))
}

/// One request and its answer.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    pub(crate) name: String,
    /// The lines of the standards list it tests, such as `std_041`.
    pub(crate) line: OneOrMore,
    /// The RFC section, and what is at stake.
    pub(crate) why: String,
    #[serde(default)]
    pub(crate) server: Setup,
    #[serde(default)]
    pub(crate) issuer: Issuer,
    pub(crate) jwt: Option<Jwt>,
    pub(crate) opaque: Option<Opaque>,
    #[serde(default)]
    pub(crate) request: Request,
    #[serde(default)]
    pub(crate) needs: Needs,
    pub(crate) expect: Expect,
    /// What happens afterwards, and what the same request is answered then.
    #[serde(default)]
    pub(crate) then: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl OneOrMore {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        match self {
            OneOrMore::One(text) => std::slice::from_ref(text),
            OneOrMore::More(texts) => texts,
        }
        .iter()
        .map(String::as_str)
    }
}

/// How the gate is set up. Each is spelled out in `setup.rs`.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Setup {
    #[default]
    Strict,
    Optional,
    FixedKeys,
    JwksUri,
    TwoAudiences,
    LegacyJwt,
    LegacyMissing,
    Hmac,
    AppToken,
    Aliases,
    JwtRoute,
    ShortLimit,
    Realm,
    Websocket,
    NumericSubject,
    RequireClaims,
    NoLeeway,
    OnlyEs256,
    OnlyPs256,
    OnlyEd25519,
    Kinds,
    KindsByAudience,
    Both,
    Introspection,
    IntrospectionPost,
    IntrospectionAssertion,
    IntrospectionIssuer,
    IntrospectionNoLeeway,
    IntrospectionWrongSecret,
    MissingAudience,
    Lookup,
}

/// What the operation behind the gate asks of a token.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Needs {
    #[default]
    Nothing,
    Read,
    ReadAndWrite,
    ReadOrAdmin,
    Policy,
    Applicant,
    Party,
}

/// What is done to the issuer before the first request.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Issuer {
    /// Algorithms whose keys are taken out of the key set.
    pub(crate) hide: Vec<String>,
    /// Algorithms whose keys are published besides ES256.
    pub(crate) also: Vec<String>,
    /// Values put into the key set. With `"of": "ES256"` it is that key, changed; `null` removes.
    pub(crate) publish: Vec<Value>,
    pub(crate) rotate: bool,
    pub(crate) trouble: Map<String, Value>,
    pub(crate) down: bool,
}

/// A JWT: a good one, changed.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Jwt {
    pub(crate) alg: Option<String>,
    /// `"now+60.5"` is a time.
    pub(crate) claims: Map<String, Value>,
    pub(crate) without: Vec<String>,
    pub(crate) header: Map<String, Value>,
    pub(crate) without_header: Vec<String>,
    pub(crate) raw_header: Option<String>,
    pub(crate) raw_payload: Option<String>,
    /// The raw texts hold one byte in each character.
    pub(crate) latin1: bool,
    /// Signed by another issuer's key.
    pub(crate) forged: bool,
    /// Signed with a secret; the set-up's own unless `secret` says otherwise.
    pub(crate) hmac: Option<String>,
    pub(crate) secret: Option<String>,
    pub(crate) unsecured: bool,
    /// The signature is so many zero bytes.
    pub(crate) zeros: Option<usize>,
    /// How the parts are put together. Default: `<header>.<payload>.<signature>`.
    pub(crate) form: Option<String>,
}

/// An opaque token: a good one, changed.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Opaque {
    pub(crate) claims: Map<String, Value>,
    pub(crate) without: Vec<String>,
    pub(crate) expires_in: Option<i64>,
    pub(crate) refresh: bool,
    pub(crate) revoked: bool,
    /// Introspection answers exactly this.
    pub(crate) response: Option<Value>,
}

/// The request. Without `headers` the token, if there is one, is a Bearer token.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Request {
    pub(crate) method: Option<String>,
    pub(crate) uri: Option<String>,
    /// `<token>` is the row's token, `<other>` another good one. One byte in each character.
    pub(crate) headers: Option<Vec<(String, String)>>,
    pub(crate) body: String,
}

/// The answer. Of a success, the facts that are named; of a refusal, all it says.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Expect {
    pub(crate) status: u16,
    pub(crate) error: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) scope: Option<String>,
    pub(crate) realm: Option<String>,
    pub(crate) reason: Option<String>,
    pub(crate) retry_after: Option<String>,
    pub(crate) stranger: bool,
    /// Whether a second request at once asks the issuer again.
    pub(crate) asked_again: bool,
    pub(crate) principal: Option<String>,
    pub(crate) subject: Option<String>,
    pub(crate) client: Option<String>,
    pub(crate) scopes: Option<String>,
    pub(crate) permissions: Option<String>,
    pub(crate) kind: Option<String>,
}

/// Prints what the row says, and not what it leaves open.
impl fmt::Debug for Expect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status)?;
        if self.stranger {
            f.write_str(", a stranger")?;
        }
        for (name, said) in [
            ("error", &self.error),
            ("description", &self.description),
            ("scope", &self.scope),
            ("realm", &self.realm),
            ("reason", &self.reason),
            ("retry_after", &self.retry_after),
            ("principal", &self.principal),
            ("subject", &self.subject),
            ("client", &self.client),
            ("scopes", &self.scopes),
            ("permissions", &self.permissions),
            ("kind", &self.kind),
        ] {
            if let Some(text) = said {
                write!(f, ", {name} {text:?}")?;
            }
        }
        Ok(())
    }
}

/// What happens after the first two requests.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    /// Seconds.
    #[serde(default)]
    pub(crate) advance: u64,
    #[serde(default)]
    pub(crate) revoke: bool,
    /// An algorithm whose key is withdrawn.
    pub(crate) withdraw: Option<String>,
    /// The key that was hidden, ES256, is published after all.
    #[serde(default)]
    pub(crate) publish: bool,
    /// All trouble ends.
    #[serde(default)]
    pub(crate) calm: bool,
    #[serde(default)]
    pub(crate) trouble: Map<String, Value>,
    pub(crate) expect: Expect,
}
