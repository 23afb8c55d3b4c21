//! A token's claims as the application's own types, read once each.

use std::any::Any;
use std::sync::{Arc, OnceLock};

/// The claims read as types, one per type that was ever asked for. Append-only and without a lock:
/// the list is as long as the program has claim types, usually one, which needs no room of its own.
#[derive(Default)]
pub(crate) struct Typed(OnceLock<TypedClaims>);

struct TypedClaims {
    /// Knows its own type.
    value: Arc<dyn Any + Send + Sync>,
    next: OnceLock<Box<Typed>>,
}

impl Typed {
    pub(crate) fn find<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        let mut here = self;
        loop {
            let claims = here.0.get()?;
            if claims.value.is::<T>() {
                return claims.value.clone().downcast().ok();
            }
            here = claims.next.get()?;
        }
    }

    /// Appends `value`; if another thread was faster with the same type, theirs counts.
    pub(crate) fn keep<T: Send + Sync + 'static>(&self, value: Arc<T>) -> Arc<T> {
        let mut here = self;
        loop {
            let claims = here.0.get_or_init(|| TypedClaims {
                value: value.clone(),
                next: OnceLock::new(),
            });
            if claims.value.is::<T>() {
                return claims.value.clone().downcast().unwrap_or(value);
            }
            here = claims.next.get_or_init(Box::default);
        }
    }
}
