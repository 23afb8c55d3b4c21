//! The locks of small parts that keep their own order, named here so that a model checker can put its
//! own in their place.

pub(crate) use std::sync::{Mutex, MutexGuard, PoisonError};
