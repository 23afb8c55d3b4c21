//! Five token systems that exist, each as data and types on top of this crate's own mechanism.
//!
//! A profile is small, because it adds no machinery: it names the kinds of tokens of one system,
//! the carriers they travel in, the claims they hold, the policy of its resources and the shape of
//! its refusals. Your own system needs no place here; write the same few lines in your own code.

pub mod auth0;
pub mod embloy;
pub mod oclc;
pub mod respoke;
pub mod rocket_lawyer;
