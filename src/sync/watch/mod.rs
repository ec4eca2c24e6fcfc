//! The latest value: whoever looks sees it, whoever waits is told when there is a newer one.
//!
//! For what has one present state: a configuration, a health, a progress. Who is slow misses what was between, and never
//! what is latest. To receive every value, take a [`queue`](crate::queue); a flag alone is an [`Event`](super::Event).
//!
//! Values are handed out as [`Snapshot`]s, which keep a value alive for as long as somebody looks at it. So nobody holds a
//! lock while looking, and none of the caller's code, not even a value's `Drop`, ever runs under one.
//!
//! # Examples
//! ```
//! use wakeful::sync::watch;
//!
//! wakeful::sim::check(|sim| async move {
//!     let (tx, mut rx) = watch::channel("starting");
//!     sim.spawn("server", async move {
//!         tx.send("running").unwrap();
//!     });
//!     assert_eq!(*rx.wait_for(|state| *state == "running").await.unwrap(), "running");
//! });
//! ```

mod changes;
mod recv;
mod send;
mod state;

pub use super::unsent::SendError;
pub use changes::Changes;
pub use recv::{Changed, Receiver, RecvError};
pub use send::{Closed, Sender};

use crate::sys::Arc;
use core::fmt;
use core::ops::Deref;

/// A sender and a receiver of the latest value, which is `value` at first. The receiver has seen that one.
#[track_caller]
pub fn channel<T>(value: T) -> (Sender<T>, Receiver<T>) {
    let watched = state::watched(value);
    (Sender::first(watched.clone()), Receiver::new(watched, 0))
}

/// A value as it was at some moment. Clones share it.
pub struct Snapshot<T>(Arc<T>);

impl<T> Snapshot<T> {
    /// Whether `self` and `other` are of one sending.
    pub fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The value itself, if nobody else has it any more, else this again.
    ///
    /// # Errors
    /// This, if it is the latest value or somebody else has a snapshot of it.
    pub fn try_into_inner(self) -> Result<T, Self> {
        Arc::try_unwrap(self.0).map_err(Self)
    }
}

impl<T> Deref for Snapshot<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> AsRef<T> for Snapshot<T> {
    fn as_ref(&self) -> &T {
        self
    }
}

impl<T> Clone for Snapshot<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: fmt::Debug> fmt::Debug for Snapshot<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: fmt::Display> fmt::Display for Snapshot<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
