//! JOSE headers under a good signature: what is accepted asks for nothing that is not understood.

use portcullis::Reason;

use super::bounds::Bound;
use super::hush::tell_little;
use super::stage::{self, CLAIMS};
use super::tree::Tree;

/// A header is read in place, unless it is longer than usual: then it is decoded into memory of its own.
/// Names beyond the first 24 take 25 bytes for each six of text, in a table that doubles as it grows; with
/// escapes they are copied. All that twice, since a token is shown twice. The payload is always the same.
const PROVING: Bound = Bound {
    fixed: 8_192,
    per_byte: 64,
};

/// The input is the text of a header: signed with a secret, and with a key of a set, whatever it says.
pub fn jose_header(data: &[u8]) {
    let Ok(header) = std::str::from_utf8(data) else {
        return;
    };
    let tree = Tree::read(header);
    let strict = tree.as_ref().filter(|tree| tree.is_strict_object());

    let by_secret = stage::hs256(header, CLAIMS);
    let by_key = stage::ed25519(header, CLAIMS);
    for lax in [false, true] {
        let (mut secret, mut keys) = (stage::by_secret(), stage::by_keys());
        if lax {
            secret = secret.legacy_typ("JWT").legacy_missing_typ();
            keys = keys.legacy_typ("JWT").legacy_missing_typ();
        }
        let readable = strict.filter(|header| is_readable(header) && typ_is_good(header, lax));
        let alg = |header: &Tree| header.get("alg").and_then(Tree::text).map(str::to_owned);
        let good = readable.is_some_and(|header| alg(header).as_deref() == Some("HS256"));
        judge(
            &secret.build().expect("a verifier"),
            &by_secret,
            good,
            tree.as_ref(),
        );
        // The set has one key for these names, and a header may leave its name out.
        let good = readable.is_some_and(|header| {
            let named = header
                .get("kid")
                .is_none_or(|kid| kid.text() == Some("okp"));
            named && matches!(alg(header).as_deref(), Some("EdDSA" | "Ed25519"))
        });
        judge(
            &keys.build().expect("a verifier"),
            &by_key,
            good,
            tree.as_ref(),
        );
    }
}

fn judge(verifier: &portcullis::JwtVerifier, token: &str, good: bool, header: Option<&Tree>) {
    let proven = PROVING.hold(token.len(), || stage::prove(verifier, token));
    match proven {
        Ok(verified) => {
            assert!(good, "accepted: {header:?}");
            assert_eq!(verified.claims().as_json(), CLAIMS);
        }
        Err(error) => {
            assert!(!good, "{error}: {header:?}");
            // The claims are fine, so it is about the header, or else a key is not the one it names.
            assert!(
                matches!(
                    error.reason(),
                    Reason::MalformedToken
                        | Reason::Critical
                        | Reason::Algorithm
                        | Reason::UnknownKey
                        | Reason::Type
                        | Reason::Signature
                ),
                "{error}"
            );
            tell_little(&error, token, header);
        }
    }
}

/// RFC 7515 §4.1.11, RFC 7797 §6, RFC 7516 §4.1.3: nothing is asked for that is not understood; `kid` is a name and not too
/// long.
fn is_readable(header: &Tree) -> bool {
    let kid = match header.get("kid") {
        None => true,
        Some(Tree::Text(kid)) => kid.len() <= 256,
        Some(_) => false,
    };
    let b64 = header.get("b64");
    let plain = b64.is_none_or(|b64| matches!(b64, Tree::Bool(true)));
    kid && plain && header.get("crit").is_none() && header.get("zip").is_none()
}

/// RFC 9068 §4, RFC 7515 §4.1.9.
fn typ_is_good(header: &Tree, lax: bool) -> bool {
    let Some(typ) = header.get("typ") else {
        return lax;
    };
    let Some(typ) = typ.text() else {
        return false;
    };
    let typ = typ.to_ascii_lowercase();
    let short = typ.strip_prefix("application/").unwrap_or(&typ);
    short == "at+jwt" || (lax && short == "jwt")
}
