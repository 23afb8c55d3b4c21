//! Claims: read as serde reads them, no member twice, and good only if each of them is.

use portcullis::{ClaimSet, JwtVerifier};
use serde::Deserialize;

use super::bounds::Bound;
use super::claims::{Demands, are_good, are_well_typed, millis, words};
use super::hush::Pieces;
use super::stage;
use super::tree::Tree;

/// The text is kept, with copies of what has escapes behind it. The dearest are lists of words: one of a
/// letter and a blank takes 16 bytes in a list that doubles as it grows, and 5 in the set that is kept; an
/// array with escapes is read once more, and takes 32 bytes for each four of text, in a list that doubles,
/// too. Of names, those beyond the first 24 take 25 bytes for each six of text, in a table that doubles.
const READING: Bound = Bound {
    fixed: 4_096,
    per_byte: 96,
};

/// All that twice, since a token is shown twice, for each three bytes of the four that its base64url takes;
/// and that decoded.
const PROVING: Bound = Bound {
    fixed: 8_192,
    per_byte: 160,
};

/// What an application might ask for.
#[derive(Debug, Deserialize)]
#[allow(dead_code)] // It is the reading that counts.
struct Shape {
    tenant: String,
    level: Option<u8>,
    tags: Option<Vec<String>>,
}

/// Claims that no access token has (OpenID Connect Core §2 and §3.3.2.11, RFC 8417 §2.2).
const MARKS: [&str; 5] = ["nonce", "at_hash", "c_hash", "s_hash", "events"];

/// The input is the text of claims: parsed by itself, and as the payload of tokens with a good signature, one
/// of which has the `typ` of an access token, and others of an issuer that predates it.
pub fn claim_set(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let tree = Tree::read(text);
    let strict = tree.filter(Tree::is_strict_object);
    let typed = strict.filter(|claims| are_well_typed(claims, false));

    let parsed = READING.hold(text.len(), || ClaimSet::parse(text));
    match (&parsed, &typed) {
        (Ok(claims), Some(tree)) => compare(claims, tree, text),
        (Err(error), None) => Pieces::of(data).hush_error(error),
        (parsed, typed) => panic!("{parsed:?} of {typed:?}"),
    }

    let strict = || stage::by_secret().build().expect("a verifier");
    let lax = || stage::by_secret().legacy_typ("JWT").legacy_missing_typ();
    let lax = || lax().build().expect("a verifier");
    let typed = typed.as_ref();
    prove(&strict(), r#"{"alg":"HS256","typ":"at+jwt"}"#, text, typed);
    // RFC 8725 §3.12: what `typ` says need not be guessed from the claims.
    prove(&lax(), r#"{"alg":"HS256","typ":"at+jwt"}"#, text, typed);
    let typed = typed.filter(|claims| MARKS.iter().all(|mark| claims.get(mark).is_none()));
    prove(&lax(), r#"{"alg":"HS256","typ":"JWT"}"#, text, typed);
    prove(&lax(), r#"{"alg":"HS256"}"#, text, typed);
}

/// Shows a token of this header and these claims, of which `claims` is left unless something is wrong with
/// their form.
fn prove(verifier: &JwtVerifier, header: &str, text: &str, claims: Option<&Tree>) {
    let token = stage::hs256(header, text);
    let proven = PROVING.hold(token.len(), || stage::prove(verifier, &token));
    let demands = Demands {
        all: true,
        numbers: false,
        issuer: true,
        nulls: false,
    };
    let good = claims.is_some_and(|claims| are_good(claims, &demands));
    match proven {
        Ok(verified) => {
            assert!(good, "accepted under {header}: {text}");
            assert_eq!(verified.claims().as_json(), text);
        }
        Err(error) => {
            assert!(!good, "{error}: {text}");
            // Claims may be quoted, the token that holds them may not.
            let mut pieces = Pieces::of(token.as_bytes());
            pieces.spare(text);
            if let Some(tree) = Tree::read(text) {
                tree.each_text(&mut |text| pieces.spare(text));
            }
            pieces.hush_error(&error);
        }
    }
}

/// Each claim reads as it stands in the text.
fn compare(claims: &ClaimSet, tree: &Tree, text: &str) {
    let string = |name: &str| tree.get(name).and_then(Tree::text);
    assert_eq!(claims.as_json(), text);
    assert_eq!(claims.issuer(), string("iss"));
    assert_eq!(claims.token_id(), string("jti"));
    assert_eq!(claims.client_id(), string("client_id").or(string("azp")));
    let digits = match tree.get("sub") {
        Some(Tree::Number(number)) => Some(number.to_string()),
        _ => None,
    };
    assert_eq!(claims.subject(), digits.as_deref().or(string("sub")));
    let audience = match tree.get("aud") {
        Some(Tree::Text(one)) => vec![one.as_str()],
        Some(several) => several.texts().expect("texts"),
        None => Vec::new(),
    };
    assert_eq!(claims.audience().iter().collect::<Vec<_>>(), audience);
    assert_eq!(claims.audience().is_absent(), tree.get("aud").is_none());
    let dates = [claims.expires_at(), claims.not_before(), claims.issued_at()];
    for (name, date) in ["exp", "nbf", "iat"].into_iter().zip(dates) {
        assert_eq!(date.map(|date| date.as_millis()), millis(tree.get(name)));
    }
    let scopes = claims.scopes();
    let listed = words(tree.some("scope").or(tree.some("scp")));
    assert_eq!(scopes.iter().collect::<Vec<_>>(), listed);
    let permissions = claims.permissions();
    let mut listed =
        (tree.some("permissions")).map_or_else(Vec::new, |l| l.texts().expect("texts"));
    listed.retain(|word| !word.is_empty());
    listed.sort_unstable();
    listed.dedup();
    assert_eq!(permissions.iter().collect::<Vec<_>>(), listed);

    let whole = tree.value();
    let Tree::Object(members) = tree else {
        panic!("{text} is no object");
    };
    for (name, _) in members {
        assert_eq!(claims.get(name), whole.get(name), "{name}");
        let pointer = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
        assert_eq!(claims.at(&pointer), whole.pointer(&pointer), "{pointer}");
    }
    // Names are shown, values are not: who they are about is nobody's business.
    let mut pieces = Pieces::of(text.as_bytes());
    for (name, _) in members {
        pieces.spare(name);
    }
    pieces.hush_debug(claims);
    if let Err(error) = claims.read::<Shape>() {
        Pieces::of(text.as_bytes()).hush_error(&error);
    }
}
