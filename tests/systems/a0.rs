//! Auth0, statements A0-1 to A0-17.
