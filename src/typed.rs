//! A token's claims as the application's own types, read once each.

use std::any::{Any, TypeId};
use std::sync::{Arc, OnceLock};

/// The claims read as types, one per type that was ever asked for. Append-only and without a lock:
/// the list is as long as the program has claim types, usually one.
#[derive(Default)]
pub(crate) struct Typed(OnceLock<Box<TypedClaims>>);

struct TypedClaims {
    of: TypeId,
    value: Arc<dyn Any + Send + Sync>,
    next: Typed,
}

impl Typed {
    pub(crate) fn find<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        let mut here = self;
        while let Some(claims) = here.0.get() {
            if claims.of == TypeId::of::<T>() {
                return claims.value.clone().downcast().ok();
            }
            here = &claims.next;
        }
        None
    }

    /// Appends `value`; if another thread was faster with the same type, theirs counts.
    pub(crate) fn keep<T: Send + Sync + 'static>(&self, value: Arc<T>) -> Arc<T> {
        let mut here = self;
        loop {
            let claims = here.0.get_or_init(|| {
                Box::new(TypedClaims {
                    of: TypeId::of::<T>(),
                    value: value.clone(),
                    next: Typed::default(),
                })
            });
            if claims.of == TypeId::of::<T>() {
                return claims.value.clone().downcast().unwrap_or(value);
            }
            here = &claims.next;
        }
    }
}
