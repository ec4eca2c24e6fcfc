//! What a pool is told about its objects.

use crate::time::Instant;
use core::future::Future;

/// Makes, checks and cleans the objects of a [`ResourcePool`](super::ResourcePool).
///
/// Only [`create`](Self::create) has to be written; an `async fn` does. All of it is called outside locks, and may be cut short
/// at any point: by the pool's timeouts, or because whoever asked for the object gives up. An object that was being checked
/// or cleaned then is dropped, and its place is free.
///
/// None of its futures has to be `Send`: what stays on one thread may be pooled too. Where they are, those of the pool are, and a
/// task that is spawned may use it. Code that is generic over managers can't ask for that: if it spawns, let it be generic over a
/// trait of its own, whose futures are `Send`, and pool by an adapter.
///
/// # Time
/// It runs in the caller's scope, if there is one: [`sleep`](crate::sleep) and what else looks for the [current](crate::cancel::current())
/// scope go by that one, and not by the pool. One that waits outside all scopes brings a [`Time`](crate::time::Time) of its own.
///
/// # Examples
/// ```
/// use core::time::Duration;
/// use wakeful::time::Time;
/// use wakeful::work::{Manage, ResourcePool, Usage};
///
/// struct Session {
///     alive: bool,
///     dirty: bool,
/// }
///
/// struct Sessions;
///
/// impl Manage for Sessions {
///     type Object = Session;
///     type Error = &'static str;
///
///     async fn create(&self) -> Result<Session, &'static str> {
///         Ok(Session { alive: true, dirty: false })
///     }
///
///     async fn validate(&self, session: &mut Session, _: &Usage) -> Result<(), &'static str> {
///         if session.alive { Ok(()) } else { Err("hung up") }
///     }
///
///     async fn recycle(&self, session: &mut Session, usage: &Usage) -> Result<(), &'static str> {
///         session.dirty = false;
///         if usage.uses() < 100 { Ok(()) } else { Err("worn out") }
///     }
/// }
///
/// wakeful::sim::run(|sim| async move {
///     let pool = ResourcePool::builder(&sim.time(), Sessions).build();
///     pool.get().await.unwrap().dirty = true;
///     assert!(!pool.get().await.unwrap().dirty);
///     pool.get().await.unwrap().alive = false;
///     assert!(pool.get().await.unwrap().alive);
///     assert_eq!((pool.count().created, pool.count().invalid), (2, 1));
/// });
/// ```
pub trait Manage {
    /// What is lent out.
    type Object;
    /// Why one can't be made or used again.
    type Error;

    /// Makes one.
    ///
    /// # Errors
    /// Go to whoever asked for the object; the pool doesn't try again by itself.
    fn create(&self) -> impl Future<Output = Result<Self::Object, Self::Error>>;

    /// Looks whether one that was idle still works, before it is [recycled](Self::recycle): only if it was idle for so long as
    /// [`validate_after`](super::ResourcePoolBuilder::validate_after) says. By default it does.
    ///
    /// # Errors
    /// If it doesn't: it is dropped, and another one taken or made. The error is not kept.
    fn validate(&self, _object: &mut Self::Object, _usage: &Usage) -> impl Future<Output = Result<(), Self::Error>> {
        async { Ok(()) }
    }

    /// Makes one that was used fit to be used again, before it is lent. By default there is nothing to do.
    ///
    /// # Errors
    /// If it can't be used again: as [`validate`](Self::validate).
    fn recycle(&self, _object: &mut Self::Object, _usage: &Usage) -> impl Future<Output = Result<(), Self::Error>> {
        async { Ok(()) }
    }

    /// Looks at one that comes back, in the drop of its [`Pooled`](super::Pooled): a broken one is dropped instead of being
    /// kept. By default none is. A panic counts as yes, with `std`.
    fn is_broken(&self, _object: &mut Self::Object) -> bool {
        false
    }
}

/// How an object has been used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    pub(super) created: Instant,
    pub(super) idle_since: Instant,
    pub(super) uses: u64,
}

impl Usage {
    /// When it was made.
    pub fn created(&self) -> Instant {
        self.created
    }

    /// When it last came back. In a pool without [idle times](super::ResourcePoolBuilder::max_idle_time) this is not
    /// noted, and is when it was made.
    pub fn idle_since(&self) -> Instant {
        self.idle_since
    }

    /// How often it was lent before.
    pub fn uses(&self) -> u64 {
        self.uses
    }
}
