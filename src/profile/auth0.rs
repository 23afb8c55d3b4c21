//! Auth0: JWTs in two dialects, scopes and permissions apart, organisations, machines and agents.
