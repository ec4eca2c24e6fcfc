//! Items on loan to bodies.

use crate::sys::handover::{Owner, Way};
use core::fmt;
use core::ops::{Deref, DerefMut};

/// An item that a body works on.
///
/// It can be read and changed in place. When the lease is dropped, with the body or before, the item goes back to the run,
/// which hands it to the [sink](super::Sink) if the body did not succeed. [`take`](Lease::take) keeps it instead.
///
/// A lease that outlives its body, in a task of its own say, is no longer waited for: its item counts as taken.
///
/// # Examples
/// ```
/// use wakeful::cancel::Scope;
/// use wakeful::work::{Collect, ItemOutcome, Lease, work};
///
/// wakeful::sim::run(|sim| async move {
///     let scope = Scope::new(sim.time());
///     let mut all = Collect::new();
///     let body = |mut text: Lease<String>| async move {
///         text.push('!');
///         if text.len() > 3 { Err("too long") } else { Ok(text.take()) }
///     };
///     work(["hi".to_owned(), "hello".to_owned()]).run(&scope, body, &mut all).await;
///     let outcomes = all.into_outcomes();
///     assert_eq!(outcomes[0], ItemOutcome::Done("hi!".to_owned()));
///     assert_eq!(outcomes[1], ItemOutcome::Failed { error: "too long", item: Some("hello!".to_owned()) });
/// });
/// ```
pub struct Lease<T>(Way<T>);

impl<T> Lease<T> {
    /// Keeps the item: it does not go back to the run, whatever becomes of the body.
    pub fn take(self) -> T {
        self.0.take()
    }
}

impl<T> Deref for Lease<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        self.0.value()
    }
}

impl<T> DerefMut for Lease<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        self.0.value_mut()
    }
}

impl<T: fmt::Debug> fmt::Debug for Lease<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lease").field(self.0.value()).finish()
    }
}

/// A worker's end of its leases: the place that items come back to, one after another.
pub(super) struct Home<T>(Owner<T>);

impl<T> Home<T> {
    pub(super) fn new() -> Self {
        Self(Owner::new())
    }

    /// Lends `item` out. The lease before this one has been asked [`back`](Self::back).
    #[inline]
    pub(super) fn lend(&mut self, item: T) -> Lease<T> {
        Lease(self.0.lend(item))
    }

    /// Calls `f`, which polls the body that has the lease.
    #[inline(always)]
    pub(super) fn watch<R>(&mut self, f: impl FnOnce() -> R) -> R {
        self.0.watch(f)
    }

    /// The item, if it came back. A lease that is still out is not waited for.
    #[inline]
    pub(super) fn back(&mut self) -> Option<T> {
        self.0.take_back()
    }
}
