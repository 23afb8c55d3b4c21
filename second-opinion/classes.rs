//! Where we disagree with the others, and why: one entry for each class. What no entry explains is a
//! fault, and so is an entry that nothing met.

use std::collections::BTreeSet;

use portcullis::{Algorithm, Reason};

use crate::draft::Breakage;
use crate::tally::Other::{self, Jsonwebtoken, JwtSimple};
use crate::verdict::{Ours, Theirs};

/// What we say, while the other says the opposite.
pub enum We {
    Accept,
    /// Where the token is made for this algorithm, and nowhere else.
    AcceptOf(Algorithm),
    /// For one of these reasons.
    Refuse(&'static [Reason]),
}
use We::{Accept, AcceptOf, Refuse};

pub struct Class {
    pub name: &'static str,
    pub others: &'static [Other],
    we: We,
    /// The token has one of these breakages.
    broken: &'static [&'static str],
    /// Who is right, and by what.
    pub why: &'static str,
}

const BOTH: &[Other] = &[Jsonwebtoken, JwtSimple];

pub const CLASSES: &[Class] = &[
    // We refuse, they accept.
    Class {
        name: "typ is no access token's",
        others: &[Jsonwebtoken],
        we: Refuse(&[Reason::Type]),
        broken: &["typ: another", "typ: absent", "typ: null"],
        why: "ours: RFC 9068 §4; it has no rule about typ",
    },
    Class {
        name: "crit is there",
        others: &[Jsonwebtoken],
        we: Refuse(&[Reason::Critical]),
        broken: &["crit: a list", "crit: an empty list", "crit: null"],
        why: "ours: RFC 7515 §4.1.11; it reads crit and does nothing about it",
    },
    Class {
        name: "crit is there and names nothing",
        others: &[JwtSimple],
        we: Refuse(&[Reason::Critical]),
        broken: &["crit: an empty list", "crit: null"],
        why: "ours: RFC 7515 §4.1.11, the list must not be empty",
    },
    Class {
        name: "b64 is there and not true",
        others: BOTH,
        we: Refuse(&[Reason::Critical]),
        broken: &["b64: not true"],
        why: "ours: RFC 7797 §6, the payload means another; they do not know the member",
    },
    Class {
        name: "a member is there twice",
        others: BOTH,
        we: Refuse(&[Reason::MalformedToken, Reason::MalformedClaims]),
        broken: &[
            "header: a member nobody knows, twice",
            "claims: one that nobody knows, twice",
            "claims: twice, deep inside",
        ],
        why: "ours: RFC 7515 §4, RFC 7519 §4; they mind only names of their own",
    },
    Class {
        name: "iat is there twice",
        others: &[Jsonwebtoken],
        we: Refuse(&[Reason::MalformedClaims]),
        broken: &["iat: twice"],
        why: "ours: RFC 7519 §4; it does not read iat",
    },
    Class {
        name: "the JSON is deep",
        others: BOTH,
        we: Refuse(&[Reason::MalformedToken, Reason::MalformedClaims]),
        broken: &["header text: 100 deep", "claims text: 100 deep"],
        why: "either: RFC 8259 §9 lets a reader set a limit; theirs is 128",
    },
    Class {
        name: "the header is deep, where nothing is read",
        others: &[JwtSimple],
        we: Refuse(&[Reason::MalformedToken]),
        broken: &["header text: 1000 deep"],
        why: "either: RFC 8259 §9; it skips what it does not know, at any depth",
    },
    Class {
        name: "the header is no text",
        others: &[JwtSimple],
        we: Refuse(&[Reason::MalformedToken]),
        broken: &["header text: no UTF-8", "header text: half a character"],
        why: "ours: RFC 7515 §5.2 step 3; it skips what it does not know, unread",
    },
    Class {
        name: "kid is null",
        others: &[Jsonwebtoken],
        we: Refuse(&[Reason::UnknownKey]),
        broken: &["kid: null"],
        why: "ours: RFC 7515 §4.1.4, a string; it takes null for absence",
    },
    Class {
        name: "kid is absent, and there are two keys",
        others: &[Jsonwebtoken],
        we: Refuse(&[Reason::UnknownKey]),
        broken: &["kid: absent"],
        why: "ours: RFC 7515 §4.1.4, nothing says which; it is given one key by its user",
    },
    Class {
        name: "iss is a list",
        others: &[Jsonwebtoken],
        we: Refuse(&[Reason::MalformedClaims]),
        broken: &["iss: a list of one", "iss: a list of two"],
        why: "ours: RFC 7519 §4.1.1, one string; it accepts one of several",
    },
    Class {
        name: "sub is absent or null",
        others: &[JwtSimple],
        we: Refuse(&[Reason::MissingClaim, Reason::MalformedClaims]),
        broken: &["sub: absent", "sub: null"],
        why: "ours: RFC 9068 §2.2; it can demand a certain sub and not just any",
    },
    Class {
        name: "sub is empty",
        others: BOTH,
        we: Refuse(&[Reason::Subject]),
        broken: &["sub: empty"],
        why: "ours: RFC 9068 §2.2, it names nobody",
    },
    Class {
        name: "scope is neither string nor list",
        others: BOTH,
        we: Refuse(&[Reason::MalformedClaims]),
        broken: &["scope: odd"],
        why: "ours: RFC 8693 §4.2; they leave scope to others",
    },
    Class {
        name: "exp is absent",
        others: &[JwtSimple],
        we: Refuse(&[Reason::MissingClaim]),
        broken: &["exp: absent"],
        why: "ours: RFC 9068 §2.2; it has no way to demand it",
    },
    Class {
        name: "iat is no number",
        others: &[Jsonwebtoken],
        we: Refuse(&[Reason::MalformedClaims]),
        broken: &["iat: a string", "iat: no number", "iat: null"],
        why: "ours: RFC 7519 §4.1.6; it does not read iat",
    },
    Class {
        name: "iat is in the future",
        others: &[Jsonwebtoken],
        we: Refuse(&[Reason::NotYetValid]),
        // Twice where it was absent is once.
        broken: &["iat: future", "iat: far future", "iat: twice"],
        why: "either: RFC 7519 §4.1.6 says when it was issued; it does not read iat",
    },
    Class {
        name: "exp and the leeway are over this very second",
        others: &[JwtSimple],
        we: Refuse(&[Reason::Expired]),
        broken: &["at the clock: exp is 30 s ago"],
        why: "ours: RFC 7519 §4.1.4, on or after exp is too late",
    },
    Class {
        name: "nbf or iat is ahead by a fraction of a second",
        others: &[JwtSimple],
        we: Refuse(&[Reason::NotYetValid]),
        broken: &[
            "at the clock: nbf is 30.5 s ahead",
            "at the clock: iat is 30.5 s ahead",
        ],
        why: "ours: RFC 7519 §2, a NumericDate may have fractions; it cuts them off",
    },
    // We accept, they refuse.
    Class {
        name: "alg is the newer name of EdDSA",
        others: &[Jsonwebtoken],
        we: AcceptOf(Algorithm::EdDSA),
        broken: &["alg: the newer name"],
        why: "ours: RFC 9864 §2.2; it does not know the name",
    },
    Class {
        name: "a member that nothing rests on has a wrong type",
        others: BOTH,
        we: Accept,
        broken: &["cty: odd", "jwk: odd", "jku: odd", "x5u: odd", "x5c: odd"],
        why: "either: RFC 8725 §3.10, we never look at keys inside; they read all they know",
    },
    Class {
        name: "zip is a text",
        others: BOTH,
        we: Refuse(&[Reason::Critical]),
        broken: &["zip: a text"],
        why: "ours: RFC 7516 §4.1.3, it is of JWE: whoever honours it reads other claims",
    },
    Class {
        name: "zip has a wrong type",
        others: &[JwtSimple],
        we: Refuse(&[Reason::Critical]),
        broken: &["zip: odd"],
        why: "ours: as above; it does not know the member",
    },
    Class {
        name: "a key is inside",
        others: &[JwtSimple],
        we: Accept,
        broken: &["jwk: a key"],
        why: "ours: RFC 7515 §4.1.3, an object; it takes it for a string. We do not look at it",
    },
    Class {
        name: "salt is there",
        others: &[JwtSimple],
        we: Accept,
        broken: &["salt: a text", "salt: odd"],
        why: "either: a member of its own, which RFC 7515 §4 has others ignore",
    },
    Class {
        name: "jti or nonce is no string",
        others: &[JwtSimple],
        we: Accept,
        broken: &["jti: no string", "nonce: no string"],
        why: "theirs by RFC 7519 §4.1.7; for us nothing rests on them, and such a jti reads as none",
    },
    Class {
        name: "kid is another, and there is one secret",
        others: BOTH,
        we: AcceptOf(Algorithm::HS256),
        broken: &["kid: another"],
        why: "either: RFC 7515 §4.1.4, kid is a hint which of several keys; a secret is alone",
    },
    Class {
        name: "kid is absent, and there is one secret",
        others: &[JwtSimple],
        we: AcceptOf(Algorithm::HS256),
        broken: &["kid: absent"],
        why: "ours: RFC 7515 §4.1.4, it is optional; it can only be demanded or ignored there",
    },
    Class {
        name: "typ is written out",
        others: &[JwtSimple],
        we: Accept,
        broken: &["typ: written out"],
        why: "ours: RFC 9068 §4, RFC 7515 §4.1.9; it compares texts",
    },
    Class {
        name: "exp is beyond 64 bits",
        others: &[Jsonwebtoken],
        we: Accept,
        broken: &["exp: past 64 bits"],
        why: "either: RFC 7519 §2 sets no end; for us it is the end of time",
    },
    Class {
        name: "nbf is before 1970",
        others: BOTH,
        we: Accept,
        broken: &["nbf: negative"],
        why: "ours: RFC 7519 §2, any JSON number; it is over",
    },
    Class {
        name: "iat is before 1970",
        others: &[JwtSimple],
        we: Accept,
        broken: &["iat: negative"],
        why: "ours: RFC 7519 §2, any JSON number; it is over",
    },
    Class {
        name: "there are two spaces behind the scheme",
        others: BOTH,
        we: Accept,
        broken: &["token: a space before"],
        why: "ours: RFC 6750 §2.1, 1*SP; they are shown no header but the token with the space",
    },
];

/// The token of a disagreement.
pub struct Token<'a> {
    pub algorithm: Algorithm,
    pub broken: &'a [&'static Breakage],
    /// Breakages that do no harm to its kind: alone, we have accepted them, and the others as well or the
    /// table has said why not.
    pub harmless: &'a BTreeSet<&'static str>,
}

/// The entry that explains a disagreement. That we accept is explained only if nothing else is broken that
/// we would refuse alone: one oddity of the others excuses no fault of ours.
pub fn find(other: Other, ours: &Ours, theirs: &Theirs, token: &Token<'_>) -> Option<usize> {
    let is_harmless = |at: usize| {
        let breakage = token.broken[at];
        let (mut before, mut later) = (token.broken[..at].iter(), token.broken[at + 1..].iter());
        token.harmless.contains(breakage.0)
            || later.any(|later| later.undoes(breakage))
            || before.any(|before| breakage.adds_back(before))
    };
    let all_harmless = || (0..token.broken.len()).all(is_harmless);
    let is_broken = |class: &Class| {
        let mut names = token.broken.iter().map(|breakage| breakage.0);
        names.any(|name| class.broken.contains(&name))
    };
    let is_met = |class: &Class| match (&class.we, ours, theirs) {
        (Accept, Ok(_), Err(_)) => all_harmless(),
        (AcceptOf(algorithm), Ok(_), Err(_)) => *algorithm == token.algorithm && all_harmless(),
        (Refuse(reasons), Err(Some(reason)), Ok(_)) => reasons.contains(reason),
        _ => false,
    };
    CLASSES
        .iter()
        .position(|class| class.others.contains(&other) && is_broken(class) && is_met(class))
}

#[test]
fn each_breakage_of_the_table_exists() {
    for class in CLASSES {
        for name in class.broken {
            let known = crate::breakages::all().any(|breakage| breakage.0 == *name);
            assert!(known, "{}: there is no breakage {name:?}", class.name);
        }
    }
}
