//! What the files that synchronise threads by themselves do it with: they name nothing else, so that
//! a model checker can put its own in their place.

pub(crate) use std::sync::Arc;
#[cfg(feature = "jwt")]
pub(crate) use std::sync::atomic::{AtomicBool, AtomicUsize};
pub(crate) use std::sync::atomic::{AtomicI64, Ordering};
#[cfg(feature = "cache")]
pub(crate) use std::sync::atomic::{AtomicU64, fence};
#[cfg(feature = "introspection")]
pub(crate) use std::sync::{Mutex, MutexGuard, PoisonError};
