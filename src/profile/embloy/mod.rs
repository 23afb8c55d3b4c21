//! Embloy: a secret for each kind of token, roles in `typ`, scopes that are URLs.
