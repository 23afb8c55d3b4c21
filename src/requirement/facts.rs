//! Requirements on what a token is and who acts with it.

use std::marker::PhantomData;

use super::{Grant, Requirement};
use crate::kind::TokenKind;
use crate::principal::PrincipalType;

/// A token of the kind `K`, for use among other requirements: `RequireScope<(EventsRead,
/// OfKind<Applicant>)>`. Alone, [`Token<K>`](crate::Token) says the same and hands the token out.
///
/// # Examples
///
/// ```
/// use portcullis::{AnyOf, OfKind, TokenKind};
///
/// struct Clerk;
/// impl TokenKind for Clerk {
///     const NAME: &'static str = "clerk";
/// }
/// portcullis::scopes! { FilesRead = "read:files"; }
///
/// /// Clerks need no scope.
/// type ReadFiles = AnyOf<(FilesRead, OfKind<Clerk>)>;
/// ```
#[derive(Debug)]
pub struct OfKind<K>(PhantomData<fn() -> K>);

#[diagnostic::do_not_recommend]
impl<K: TokenKind> Requirement for OfKind<K> {
    fn met_by(grant: &Grant<'_>) -> bool {
        grant.kind == K::NAME
    }
}

macro_rules! principals {
    ($($(#[doc = $doc:literal])+ $name:ident = $variant:ident;)+) => { $(
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug)]
        pub struct $name;

        #[diagnostic::do_not_recommend]
        impl Requirement for $name {
            fn met_by(grant: &Grant<'_>) -> bool {
                grant.principal == PrincipalType::$variant
            }
        }
    )+ };
}

principals! {
    /// A person acts ([`PrincipalType::User`]): for operations no machine may do.
    ByUser = User;
    /// A client acts on its own behalf ([`PrincipalType::Machine`]).
    ByMachine = Machine;
    /// Somebody acts whom the issuer does not know ([`PrincipalType::Anonymous`]).
    ByAnonymous = Anonymous;
}
