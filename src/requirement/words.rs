//! Words of an API as types: its scopes, permissions and roles.

use super::Requirement;

/// Declares a type for each scope an API knows, to be named in
/// `RequireScope<…>` and [`RequireScopeLayer`](crate::RequireScopeLayer).
///
/// The text is checked while compiling.
///
/// # Examples
///
/// ```
/// portcullis::scopes! {
///     /// See events.
///     pub EventsRead = "read:events";
///     /// Create and change events.
///     pub EventsWrite = "write:events";
/// }
/// assert_eq!(EventsRead::SCOPE.as_str(), "read:events");
/// ```
#[macro_export]
macro_rules! scopes {
    ($($(#[$attribute:meta])* $visibility:vis $name:ident = $word:literal);+ $(;)?) => { $(
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug)]
        $visibility struct $name;

        impl $name {
            #[doc = concat!("The scope `", $word, "`.")]
            $visibility const SCOPE: $crate::Scope = $crate::Scope::from_static($word);
        }

        // Judges the word even if nobody uses it, and in `cargo check` already.
        const _: $crate::Scope = $name::SCOPE;

        impl $crate::Requirement for $name {
            fn met_by(grant: &$crate::Grant<'_>) -> bool {
                grant.has_scope(&Self::SCOPE)
            }

            fn name_scopes(named: &mut ::std::vec::Vec<$crate::Scope>) {
                named.push(Self::SCOPE);
            }
        }
    )+ };
}

/// Declares a type for each permission an API knows: a word of the claim `permissions`, which no
/// scope stands in for. A refusal is a 403 that names no scope, since none would help.
///
/// # Examples
///
/// ```
/// portcullis::scopes! { pub ReadPatients = "read:patients"; }
/// portcullis::permissions! {
///     /// May read patients, whatever the client was granted.
///     pub MayReadPatients = "read:patients";
/// }
///
/// /// The client was granted it *and* the user may do it.
/// type Both = (ReadPatients, MayReadPatients);
///
/// use portcullis::testing;
/// use serde_json::json;
/// let token = testing::access_token(json!({"sub": "a", "permissions": ["read:patients"]}));
/// assert!(token.require::<MayReadPatients>().is_ok());
/// assert!(token.require::<Both>().is_err());
/// ```
#[macro_export]
macro_rules! permissions {
    ($($(#[$attribute:meta])* $visibility:vis $name:ident = $word:literal);+ $(;)?) => { $(
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug)]
        $visibility struct $name;

        // Permissions follow the grammar of scopes (RFC 6749 section 3.3).
        const _: $crate::Scope = $crate::Scope::from_static($word);

        impl $crate::Requirement for $name {
            fn met_by(grant: &$crate::Grant<'_>) -> bool {
                const PERMISSION: $crate::Scope = $crate::Scope::from_static($word);
                grant.permissions.contains(&PERMISSION)
            }
        }
    )+ };
}

/// A role of a lattice; [`roles!`](crate::roles!) declares it.
pub trait Role: Requirement {
    /// The claim that names the role.
    const CLAIM: &'static str;
    /// The role as the claim names it.
    const NAME: &'static str;
    /// How many roles stand above it, at most. It keeps a lattice from going in circles: a role above
    /// itself does not compile.
    #[doc(hidden)]
    const DEPTH: usize;
}

/// Declares the roles of an API and which stand below which: whoever has a role has those below it,
/// too. `claim` holds one role or an array of them.
///
/// # Examples
///
/// ```
/// portcullis::roles! {
///     claim "role";
///     /// May do everything.
///     pub Admin = "admin";
///     /// Publishes.
///     pub Editor = "editor" below Admin;
///     /// Ships code; no editor.
///     pub Developer = "developer" below Admin;
///     /// Looks on.
///     pub Reader = "reader" below Editor, Developer;
/// }
///
/// use portcullis::testing;
/// use serde_json::json;
/// let developer = testing::access_token(json!({"sub": "a", "role": "developer"}));
/// assert!(developer.require::<Reader>().is_ok());
/// assert!(developer.require::<Editor>().is_err());
/// ```
///
/// A role that would stand above itself does not compile:
///
/// ```compile_fail
/// portcullis::roles! {
///     claim "role";
///     A = "a" below B;
///     B = "b" below A;
/// }
/// ```
#[macro_export]
macro_rules! roles {
    (claim $claim:literal; $(
        $(#[$attribute:meta])* $visibility:vis $name:ident = $word:literal
        $(below $($above:ident),+)?
    );+ $(;)?) => { $(
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug)]
        $visibility struct $name;

        impl $crate::Role for $name {
            const CLAIM: &'static str = $claim;
            const NAME: &'static str = $word;
            const DEPTH: usize = 1 $($(+ <$above as $crate::Role>::DEPTH)+)?;
        }

        // Judged even if nobody uses it: a circle has no depth.
        const _: usize = <$name as $crate::Role>::DEPTH;

        // Who forgot to declare a scope did not mean a role.
        #[diagnostic::do_not_recommend]
        impl $crate::Requirement for $name {
            fn met_by(grant: &$crate::Grant<'_>) -> bool {
                grant.claim_names($claim, $word)
                    $($(|| <$above as $crate::Requirement>::met_by(grant))+)?
            }
        }
    )+ };
}
