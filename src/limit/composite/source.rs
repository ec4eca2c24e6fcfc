//! Where the permits of a composite come from.

use super::stand::{At, Stand};
use crate::limit::decide::Algorithm;
use crate::limit::error::TooManyKeys;
use crate::limit::keyed::KeyedLimiter;
use crate::limit::limiter::Limiter;
use alloc::boxed::Box;
use core::hash::{BuildHasher, Hash};
use core::pin::Pin;

/// A limiter, whatever its algorithm, or one key of many.
pub(super) trait Source: Send + Sync {
    /// A place at it for one who wants so many permits.
    fn stand(&self, permits: u32) -> Result<Pin<Box<dyn Stand>>, TooManyKeys>;

    /// The same.
    fn again(&self) -> Box<dyn Source>;
}

impl<A: Algorithm> Source for Limiter<A> {
    fn stand(&self, permits: u32) -> Result<Pin<Box<dyn Stand>>, TooManyKeys> {
        Ok(Box::pin(At::new(self.gate.clone(), permits, ())))
    }

    fn again(&self) -> Box<dyn Source> {
        Box::new(self.clone())
    }
}

/// One key of many.
pub(super) struct Key<K, A: Algorithm, S> {
    pub(super) limiter: KeyedLimiter<K, A, S>,
    pub(super) key: K,
}

impl<K, A, S> Source for Key<K, A, S>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    A: Algorithm,
    S: BuildHasher + Send + Sync + 'static,
{
    fn stand(&self, permits: u32) -> Result<Pin<Box<dyn Stand>>, TooManyKeys> {
        let tenant = self.limiter.tenancy(self.key.clone())?;
        Ok(Box::pin(At::new(tenant.limiter().gate.clone(), permits, tenant)))
    }

    fn again(&self) -> Box<dyn Source> {
        Box::new(Self { limiter: self.limiter.clone(), key: self.key.clone() })
    }
}
