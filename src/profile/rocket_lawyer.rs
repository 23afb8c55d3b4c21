//! Rocket Lawyer: general, service and scoped access tokens, told apart by `aud` and `srv`.
