//! A kind of token as a type, for handlers to name.

/// A kind of token a handler may demand with `Token<K>`; the name is that of a
/// [`Kind`](crate::Kind) of the server.
///
/// # Examples
///
/// ```
/// use portcullis::TokenKind;
///
/// struct Applicant;
///
/// impl TokenKind for Applicant {
///     const NAME: &'static str = "applicant";
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` names no kind of token",
    label = "no kind of token",
    note = "give it a name: `impl portcullis::TokenKind for {Self} {{ const NAME: &'static str = \
            \"…\"; }}`, the one a `Kind` of the server has"
)]
pub trait TokenKind: 'static {
    /// The name as the server's kinds declare it.
    const NAME: &'static str;
}
