//! Why a request is refused, and whose fault that is: the words that programs count by.

/// Whose fault a refusal is. It decides the status of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// No credential was sent: 401 with a bare challenge.
    MissingCredential,
    /// The request is malformed, such as two credentials at once: 400 `invalid_request`.
    InvalidRequest,
    /// The credential is no good here: 401 `invalid_token`.
    InvalidToken,
    /// The token lacks a scope: 403 `insufficient_scope`.
    InsufficientScope,
    /// The token is good, but not for this resource: 403.
    Forbidden,
    /// As `Forbidden`, but nobody may learn that the resource exists: 404.
    NotFound,
    /// The programmer left the layer out: 500.
    MissingLayer,
    /// Something we depend on is down: 503 with `Retry-After`. Never the caller's fault.
    Unavailable,
}

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $reason:ident = $label:literal, $kind:ident;)+) => {
        /// Why a request was refused, one level finer than [`ErrorKind`].
        ///
        /// [`label`](Self::label) is stable: count refusals by it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Reason {
            $($(#[doc = $doc])+ $reason,)+
        }

        impl Reason {
            /// Every reason there is, in the order of this page.
            pub const ALL: &[Reason] = &[$(Reason::$reason),+];

            /// A stable word for metrics and logs.
            pub const fn label(self) -> &'static str {
                match self { $(Reason::$reason => $label,)+ }
            }

            /// Whose fault it is.
            pub const fn kind(self) -> ErrorKind {
                match self { $(Reason::$reason => ErrorKind::$kind,)+ }
            }
        }
    };
}

reasons! {
    /// No credential was sent.
    NoCredential = "no_credential", MissingCredential;
    /// More than one credential was sent (RFC 6750 §2).
    SeveralCredentials = "several_credentials", InvalidRequest;
    /// The credential is outside its grammar (RFC 6750 §2.1).
    MalformedCredential = "malformed_credential", InvalidRequest;
    /// The credential is longer than the server reads.
    CredentialTooLong = "credential_too_long", InvalidRequest;
    /// A parameter that says which resource is meant is missing, repeated or unreadable.
    Parameter = "parameter", InvalidRequest;
    /// No verifier of this server is for such a credential.
    Unrecognized = "unrecognized", InvalidToken;
    /// The token is no compact JWS, or its header is not strict JSON.
    MalformedToken = "malformed_token", InvalidToken;
    /// The token is a JWE; encrypted tokens are not supported.
    Encrypted = "encrypted", InvalidToken;
    /// The header asks for an extension we do not understand (`crit`, `b64`, `zip`; RFC 7515 §4.1.11).
    Critical = "critical", InvalidToken;
    /// The header's `typ` is not that of an access token (RFC 9068 §4).
    Type = "type", InvalidToken;
    /// The algorithm is not allowed, or not the one of the key (RFC 8725 §3.1).
    Algorithm = "algorithm", InvalidToken;
    /// The issuer publishes no such key, or several that fit.
    UnknownKey = "unknown_key", InvalidToken;
    /// The signature does not match.
    Signature = "signature", InvalidToken;
    /// The claims are not strict JSON or have a wrong type (RFC 7519 §4).
    MalformedClaims = "malformed_claims", InvalidToken;
    /// A claim that must be there is not.
    MissingClaim = "missing_claim", InvalidToken;
    /// Another issuer's token.
    Issuer = "issuer", InvalidToken;
    /// A token for somebody else.
    Audience = "audience", InvalidToken;
    /// The token's time is over, as it says itself: this may be told before the signature is looked at, so it
    /// does not say that the token was genuine.
    Expired = "expired", InvalidToken;
    /// The token's time has not come, or it was issued in the future.
    NotYetValid = "not_yet_valid", InvalidToken;
    /// `sub` is empty or of a wrong type.
    Subject = "subject", InvalidToken;
    /// The token is bound to a key (`cnf`, RFC 7800) whose proof nobody checks here.
    Bound = "bound", InvalidToken;
    /// The token is not an access token: an ID token, a security event.
    OtherToken = "other_token", InvalidToken;
    /// The issuer says the token is not active (RFC 7662 §2.2).
    Inactive = "inactive", InvalidToken;
    /// The token matches no kind of this server, or several.
    Kind = "kind", InvalidToken;
    /// A verifier of your own refused it.
    Refused = "refused", InvalidToken;
    /// The token lacks a scope the operation needs.
    Scope = "scope", InsufficientScope;
    /// The token is of another kind than the operation needs.
    OtherKind = "other_kind", Forbidden;
    /// The claims do not have the shape the handler asks for.
    ClaimShape = "claim_shape", Forbidden;
    /// The policy of this resource says no.
    Denied = "denied", Forbidden;
    /// The policy of this resource says no, and does not tell whether the resource exists.
    Hidden = "hidden", NotFound;
    /// An extractor ran without the layer.
    MissingLayer = "missing_layer", MissingLayer;
    /// The issuer's keys cannot be had.
    KeysUnavailable = "keys_unavailable", Unavailable;
    /// The introspection or look-up endpoint cannot be asked.
    LookupUnavailable = "lookup_unavailable", Unavailable;
}
