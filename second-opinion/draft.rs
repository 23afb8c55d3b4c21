//! A token on its way: members, texts, parts, and what can be done to each before the next is made.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis::Algorithm;

use crate::breakages::AT_THE_CLOCK;
use crate::chance::Chance;
use crate::keys::{KID, Keys};

pub const ISSUER: &str = "https://as.example";
pub const AUDIENCE: &str = "https://api.example.com/";

/// What two verifiers take for now. The third has the clock of the wall and no other, so good tokens are
/// good until 2100, and what is at the very edge of its time is not shown to it.
pub const NOW: i64 = 1_795_262_400;

/// Members of a JSON object: names and JSON texts, in order, repeated if need be.
pub struct Members(pub Vec<(String, String)>);

impl Members {
    fn of(members: &[(&str, &str)]) -> Members {
        let owned = members
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Members(owned.collect())
    }

    /// Puts `value` in place of a member that is there, or behind all.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = value.into(),
            None => self.push(name, value),
        }
    }

    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(known, _)| known != name);
    }

    pub fn push(&mut self, name: &str, value: impl Into<String>) {
        self.0.push((name.to_owned(), value.into()));
    }

    pub fn push_first(&mut self, name: &str, value: impl Into<String>) {
        self.0.insert(0, (name.to_owned(), value.into()));
    }

    fn text(&self) -> Vec<u8> {
        let members: Vec<String> = self
            .0
            .iter()
            .map(|(name, value)| format!("\"{name}\":{value}"))
            .collect();
        format!("{{{}}}", members.join(",")).into_bytes()
    }
}

/// What can be broken, in the order in which it is made.
pub enum Edit {
    /// Sets a member of the header to one of these JSON texts.
    HeaderValue(&'static str, &'static [&'static str]),
    Header(fn(&mut Members, Algorithm)),
    /// Sets a claim to one of these JSON texts.
    Claim(&'static str, &'static [&'static str]),
    Claims(fn(&mut Members)),
    HeaderText(fn(Vec<u8>) -> Vec<u8>),
    ClaimsText(fn(Vec<u8>) -> Vec<u8>),
    /// Header or payload in base64url, which is signed as it then stands.
    Signed(fn(&mut [String; 2])),
    /// Signs otherwise.
    Sign(fn(&Keys, &Keys, Algorithm, &[u8]) -> Vec<u8>),
    Signature(fn(Vec<u8>, Algorithm, &mut Chance) -> Vec<u8>),
    /// The three parts.
    Parts(fn(&mut Vec<String>)),
    Token(fn(String) -> String),
}

/// A way to break a token, and its name.
pub struct Breakage(pub &'static str, pub Edit);

impl Breakage {
    /// Whether it is of the claims alone, which are judged the same whatever signs them.
    pub fn is_of_claims(&self) -> bool {
        matches!(
            self.1,
            Edit::Claim(..) | Edit::Claims(_) | Edit::ClaimsText(_)
        )
    }

    /// Whether it sets the very member anew that one before has changed.
    pub fn undoes(&self, before: &Breakage) -> bool {
        let is_about = |name: &str| {
            let told = before.0.trim_start_matches(AT_THE_CLOCK);
            told.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with([':', ' ']))
        };
        match (&self.1, &before.1) {
            (Edit::Claim(name, _), Edit::Claim(..) | Edit::Claims(_)) => is_about(name),
            (Edit::HeaderValue(name, _), Edit::HeaderValue(..) | Edit::Header(_)) => is_about(name),
            (Edit::Header(_), Edit::Header(_)) if is_about("alg") => {
                ["alg: escaped", "alg: the newer name"].contains(&self.0)
            }
            _ => self.adds_back(before),
        }
    }

    /// Whether both come to nothing: what was taken out and added once more is there once.
    pub fn adds_back(&self, before: &Breakage) -> bool {
        before.0.strip_suffix("absent").is_some_and(|name| {
            let later = self.0.strip_prefix(name);
            later.is_some_and(|later| later.starts_with("twice"))
        })
    }
}

/// Makes a token that is good but for its breakages. `forger` has other keys of the same kinds.
pub fn mint(
    keys: &Keys,
    forger: &Keys,
    algorithm: Algorithm,
    breakages: &[&Breakage],
    chance: &mut Chance,
) -> String {
    let mut header = Members::of(&[("typ", "\"at+jwt\"")]);
    header.push("alg", format!("\"{algorithm}\""));
    header.push("kid", format!("\"{KID}\""));
    let mut claims = Members::of(&[
        ("exp", "4102444800"),
        ("iat", "1600000000"),
        ("sub", "\"alice\""),
        ("scope", "\"read write\""),
        ("client_id", "\"app\""),
        ("jti", "\"1\""),
    ]);
    claims.push("iss", format!("\"{ISSUER}\""));
    claims.push("aud", format!("\"{AUDIENCE}\""));
    let edits = || breakages.iter().map(|breakage| &breakage.1);
    for edit in edits() {
        match edit {
            Edit::HeaderValue(name, values) => header.set(name, chance.pick(values)),
            Edit::Header(edit) => edit(&mut header, algorithm),
            Edit::Claim(name, values) => claims.set(name, chance.pick(values)),
            Edit::Claims(edit) => edit(&mut claims),
            _ => {}
        }
    }
    let (mut header, mut claims) = (header.text(), claims.text());
    for edit in edits() {
        match edit {
            Edit::HeaderText(edit) => header = edit(header),
            Edit::ClaimsText(edit) => claims = edit(claims),
            _ => {}
        }
    }
    let mut signed = [header, claims].map(|text| URL_SAFE_NO_PAD.encode(text));
    for edit in edits() {
        if let Edit::Signed(edit) = edit {
            edit(&mut signed);
        }
    }
    let message = signed.join(".");
    let mut signature = keys.sign(algorithm, message.as_bytes());
    for edit in edits() {
        match edit {
            Edit::Sign(edit) => signature = edit(keys, forger, algorithm, message.as_bytes()),
            Edit::Signature(edit) => signature = edit(signature, algorithm, chance),
            _ => {}
        }
    }
    let mut parts = signed.to_vec();
    parts.push(URL_SAFE_NO_PAD.encode(signature));
    for edit in edits() {
        match edit {
            // One before may have left fewer.
            Edit::Parts(edit) if parts.len() >= 3 => edit(&mut parts),
            _ => {}
        }
    }
    let mut token = parts.join(".");
    for edit in edits() {
        if let Edit::Token(edit) = edit {
            token = edit(token);
        }
    }
    token
}
