//! What an operation asks of a token: one requirement, all of several, any of several.

mod facts;
mod words;

use serde_json::Value;

use crate::claims::ClaimSet;
use crate::hierarchy::ScopeHierarchy;
use crate::principal::PrincipalType;
use crate::scope::{Scope, Scopes};

pub use facts::{ByAnonymous, ByMachine, ByUser, OfKind};
pub use words::Role;

/// What a proven token grants: the facts a [`Requirement`] is judged by.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Grant<'a> {
    /// The token's scopes.
    pub scopes: &'a Scopes,
    /// The token's permissions; they are not scopes.
    pub permissions: &'a Scopes,
    /// All claims of the token.
    pub claims: &'a ClaimSet,
    /// The name of the token's kind.
    pub kind: &'a str,
    /// Who acts.
    pub principal: PrincipalType,
    pub(crate) hierarchy: Option<&'a ScopeHierarchy>,
}

impl Grant<'_> {
    /// Whether the token has `scope`: it says so, or one of its scopes implies it by the
    /// [`ScopeHierarchy`] of the server.
    pub fn has_scope(&self, scope: &Scope) -> bool {
        match self.hierarchy {
            None => self.scopes.contains(scope),
            Some(hierarchy) => hierarchy.grants(self.scopes, scope),
        }
    }

    /// Whether the claim `name` is the text `word`, or an array that holds it.
    pub fn claim_names(&self, name: &str, word: &str) -> bool {
        match self.claims.get(name) {
            Some(Value::String(text)) => text == word,
            Some(Value::Array(texts)) => texts.iter().any(|text| text == word),
            _ => false,
        }
    }
}

/// What an operation asks of a token.
///
/// [`scopes!`](crate::scopes!) declares requirements for scopes, [`permissions!`](crate::permissions!)
/// for permissions, [`roles!`](crate::roles!) for roles; [`OfKind`] asks for a kind of token,
/// [`ByUser`] and its siblings for a type of principal. A tuple of up to eight asks for all of them,
/// [`AnyOf`] for any of them. For everything else implement it on a type of your own.
///
/// # Examples
///
/// ```
/// use portcullis::{Grant, Requirement, Scope};
///
/// /// Something only the billing department may do.
/// struct Billing;
///
/// impl Requirement for Billing {
///     fn met_by(grant: &Grant<'_>) -> bool {
///         grant.claims.get("department").is_some_and(|name| name == "billing")
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a requirement a token can meet",
    label = "no scope and no other requirement",
    note = "declare scopes with `portcullis::scopes! {{ pub EventsRead = \"read:events\"; }}` and \
            name the type it makes; a tuple asks for all, `AnyOf<(A, B)>` for any"
)]
pub trait Requirement: 'static {
    /// Whether `grant` is enough. Absent data must deny.
    fn met_by(grant: &Grant<'_>) -> bool;

    /// Adds the scopes that would meet this requirement, for the `scope` of a 403 challenge
    /// (RFC 6750 §3.1). Default: none.
    fn name_scopes(named: &mut Vec<Scope>) {
        let _ = named;
    }
}

/// Any one of several requirements: `AnyOf<(EventsRead, Admin)>`.
///
/// The challenge of a refusal names the scopes of the *first* one, so put the least powerful
/// first: naming all would make a client ask for more than it needs.
#[derive(Clone, Copy, Debug)]
pub struct AnyOf<T: Alternatives>(std::marker::PhantomData<T>);

#[diagnostic::do_not_recommend]
impl<T: Alternatives> Requirement for AnyOf<T> {
    fn met_by(grant: &Grant<'_>) -> bool {
        T::any_met_by(grant)
    }

    fn name_scopes(named: &mut Vec<Scope>) {
        T::name_first(named);
    }
}

/// The tuples [`AnyOf`] chooses from: two to eight requirements.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no choice of requirements",
    label = "nothing to choose from",
    note = "write a tuple of two to eight requirements: `AnyOf<(EventsRead, Admin)>`"
)]
pub trait Alternatives: sealed::Sealed + 'static {
    #[doc(hidden)]
    fn any_met_by(grant: &Grant<'_>) -> bool;
    #[doc(hidden)]
    fn name_first(named: &mut Vec<Scope>);
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! tuples {
    ($($first:ident $(, $rest:ident)+;)+) => { $(
        #[diagnostic::do_not_recommend]
        impl<$first: Requirement, $($rest: Requirement),+> Requirement for ($first, $($rest),+) {
            fn met_by(grant: &Grant<'_>) -> bool {
                $first::met_by(grant) $(&& $rest::met_by(grant))+
            }

            fn name_scopes(named: &mut Vec<Scope>) {
                $first::name_scopes(named);
                $($rest::name_scopes(named);)+
            }
        }

        impl<$first: Requirement, $($rest: Requirement),+> sealed::Sealed for ($first, $($rest),+) {}

        #[diagnostic::do_not_recommend]
        impl<$first: Requirement, $($rest: Requirement),+> Alternatives for ($first, $($rest),+) {
            fn any_met_by(grant: &Grant<'_>) -> bool {
                $first::met_by(grant) $(|| $rest::met_by(grant))+
            }

            fn name_first(named: &mut Vec<Scope>) {
                $first::name_scopes(named);
            }
        }
    )+ };
}

tuples! {
    A, B;
    A, B, C;
    A, B, C, D;
    A, B, C, D, E;
    A, B, C, D, E, F;
    A, B, C, D, E, F, G;
    A, B, C, D, E, F, G, H;
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::scopes! {
        Read = "read";
        Write = "write";
        Admin = "admin";
    }

    fn met<R: Requirement>(scopes: &str) -> bool {
        let claims = ClaimSet::parse("{}").unwrap();
        R::met_by(&Grant {
            scopes: &scopes.parse().unwrap(),
            permissions: &"read write admin".parse().unwrap(),
            claims: &claims,
            kind: "access_token",
            principal: PrincipalType::User,
            hierarchy: None,
        })
    }

    fn named<R: Requirement>() -> String {
        let mut named = Vec::new();
        R::name_scopes(&mut named);
        let words: Vec<&str> = named.iter().map(Scope::as_str).collect();
        words.join(" ")
    }

    #[test]
    fn a_tuple_asks_for_all() {
        assert!(met::<(Read, Write)>("write read"));
        assert!(!met::<(Read, Write)>("write"));
        assert!(!met::<Read>("readx"));
        assert_eq!(named::<(Read, Write, Admin)>(), "read write admin");
    }

    #[test]
    fn any_of_asks_for_one_and_names_the_first() {
        assert!(met::<AnyOf<(Read, Admin)>>("admin"));
        assert!(!met::<AnyOf<(Read, Admin)>>("write"));
        assert!(met::<(Write, AnyOf<(Read, Admin)>)>("write admin"));
        assert!(!met::<(Write, AnyOf<(Read, Admin)>)>("admin"));
        assert_eq!(named::<AnyOf<((Read, Write), Admin)>>(), "read write");
    }

    #[test]
    fn a_claim_names_a_word_alone_or_among_others() {
        let claims = r#"{"one":"editor","more":["reader","editor"],"odd":{"editor":"editor"}}"#;
        let grant = Grant {
            scopes: Scopes::NONE,
            permissions: Scopes::NONE,
            claims: &ClaimSet::parse(claims).unwrap(),
            kind: "access_token",
            principal: PrincipalType::User,
            hierarchy: None,
        };
        for (name, word, named) in [
            ("one", "editor", true),
            ("one", "edit", false),
            ("more", "editor", true),
            ("more", "reader", true),
            ("more", "writer", false),
            ("odd", "editor", false),
            ("none", "editor", false),
        ] {
            assert_eq!(grant.claim_names(name, word), named, "{name} {word}");
        }
    }

    #[test]
    fn permissions_are_no_scopes() {
        assert!(!met::<Read>(""));
    }
}
