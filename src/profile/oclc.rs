//! OCLC: opaque tokens that are looked up, institutions as pseudo-scopes, partial grants.
