//! Objects that are expensive to make, kept and lent out again.
//!
//! # Invariants
//!
//! - **R1** Whoever makes, checks or holds an object has a permit of the semaphore, and gives it back whatever becomes of
//!   him. So no slot is lost, and whoever waits is served in the order in which he came.
//! - **R2** `size` is the number of objects that there are or are being made. It grows only in [`State::make`], and only while
//!   it is below `max`. Each object that is about to be dropped or given away is taken off it once, and so is each that
//!   was not made.
//! - **R3** An object is idle, or it is in exactly one `Pooled` or `Unsettled`. What is in an `Unsettled` when that is dropped is
//!   dropped: it is in no known state.
//! - **R4** No object is dropped, and none of the manager's code runs, under the lock.

mod builder;
mod get;
mod keep;
mod manage;
mod pooled;
mod state;

pub use builder::ResourcePoolBuilder;
pub use get::{GetError, GetStage};
pub use manage::{Manage, Usage};
pub use pooled::Pooled;
pub use state::{ResourceCount, ResourceStatus};

use crate::sync::{Event, Notify, Semaphore};
use crate::sys::thread::{catch, is_panicking, resume};
use crate::sys::{Arc, Told};
use crate::time::{Instant, Time};
use builder::Options;
use core::fmt;
use core::num::NonZeroUsize;
use state::{Known, State};

struct Inner<M: Manage> {
    manage: M,
    time: Time,
    options: Options,
    slots: Semaphore,
    state: Told<State<M::Object>>,
    /// Something has changed for whoever [keeps](ResourcePool::keep) the pool.
    changed: Notify,
    /// It is closed, and all objects are gone.
    gone: Event,
}

/// A pool of objects that are expensive to make, connections for instance. Clones are the same pool.
///
/// [`get`](Self::get) lends one that is idle, or makes one, or waits until there may be one; it comes back when the
/// [`Pooled`] is dropped. How objects are made, checked and cleaned is the [manager's](Manage) business. To bound how many do
/// something at once, without objects, there is the [`Semaphore`].
///
/// # Fairness
/// Whoever waits is served in order. Objects are lent out the last first, so that those which are not needed grow old, unless
/// it is said [otherwise](ResourcePoolBuilder::oldest_first).
///
/// # Time
/// Lifetimes and idle times are those of the clock that the pool was given, and are looked at when an object is about to be lent. To
/// have old ones dropped when their time has come, and some ready at all times, [`keep`](Self::keep) the pool.
///
/// # Examples
/// ```
/// use core::num::NonZeroUsize;
/// use core::time::Duration;
/// use wakeful::time::Time;
/// use wakeful::work::{Manage, ResourcePool, Usage};
///
/// /// Connections that take a second to make.
/// struct Connect(Time);
///
/// impl Manage for Connect {
///     type Object = u32;
///     type Error = core::convert::Infallible;
///
///     async fn create(&self) -> Result<u32, Self::Error> {
///         self.0.sleep(Duration::from_secs(1)).await;
///         Ok(0)
///     }
/// }
///
/// wakeful::sim::run(|sim| async move {
///     let time = sim.time();
///     let pool = ResourcePool::builder(&time, Connect(time.clone())).max_size(NonZeroUsize::new(2).unwrap()).build();
///     let tasks: Vec<_> = (0..6)
///         .map(|_| {
///             let (pool, time) = (pool.clone(), time.clone());
///             sim.spawn("query", async move {
///                 let mut connection = pool.get().await.unwrap();
///                 *connection += 1;
///                 time.sleep(Duration::from_secs(2)).await;
///             })
///         })
///         .collect();
///     for task in tasks {
///         task.await;
///     }
///     assert_eq!(sim.now().as_nanos(), 7_000_000_000);
///     assert_eq!((pool.count().created, pool.status().idle), (2, 2));
///     assert_eq!(*pool.get().await.unwrap(), 3);
/// });
/// ```
pub struct ResourcePool<M: Manage>(Arc<Inner<M>>);

impl<M: Manage> ResourcePool<M> {
    /// Sets up a pool of what `manage` makes, by the clock of `time`.
    pub fn builder(time: &Time, manage: M) -> ResourcePoolBuilder<M> {
        ResourcePoolBuilder::new(time.clone(), manage)
    }

    /// The manager.
    pub fn manager(&self) -> &M {
        &self.0.manage
    }

    /// Changes how many objects there may be. More let those in who wait. Fewer take nothing away from anybody: idle ones
    /// are dropped at once, the others when they come back, and until then none is made.
    ///
    /// # Panics
    /// If they are more than a [`Semaphore`] has [permits](Semaphore::MAX_PERMITS).
    #[track_caller]
    pub fn resize(&self, max_size: NonZeroUsize) {
        assert!(max_size.get() <= Semaphore::MAX_PERMITS, "a pool can't have {max_size} objects");
        let mut max = max_size.get();
        let surplus = self.0.state.with(|state| {
            state.max = max;
            state.surplus()
        });
        // Of several at once, the last that was set is what all of them come to.
        loop {
            self.0.slots.set_total(max);
            let last = self.0.state.read(|state| state.max);
            if core::mem::replace(&mut max, last) == last {
                break;
            }
        }
        self.0.changed.notify_one();
        self.dropped(surplus);
    }

    /// Lends nothing more: whoever waits, or has an object made or checked, is turned away; idle objects are dropped, the
    /// others when they come back. It can't be undone.
    pub fn close(&self) {
        let idle = self.0.state.with(|state| {
            state.closed = true;
            state.everything()
        });
        self.0.slots.close();
        self.0.changed.notify_one();
        self.dropped(idle);
    }

    /// Whether it is closed.
    pub fn is_closed(&self) -> bool {
        self.0.slots.is_closed()
    }

    /// Waits until it is [closed](Self::close) and every object is gone.
    ///
    /// # Cancel safety
    /// Dropping it changes nothing.
    ///
    /// # Examples
    /// ```
    /// # use core::time::Duration;
    /// # use wakeful::work::{Manage, ResourcePool};
    /// # struct Make;
    /// # impl Manage for Make {
    /// #     type Object = ();
    /// #     type Error = core::convert::Infallible;
    /// #     async fn create(&self) -> Result<(), Self::Error> { Ok(()) }
    /// # }
    /// wakeful::sim::run(|sim| async move {
    ///     let pool = ResourcePool::builder(&sim.time(), Make).build();
    ///     let (object, sleep) = (pool.get().await.unwrap(), sim.time().sleep(Duration::from_secs(3)));
    ///     sim.spawn("last user", async move {
    ///         sleep.await;
    ///         drop(object);
    ///     });
    ///     pool.close();
    ///     pool.closed().await;
    ///     assert_eq!((sim.now().as_nanos(), pool.status().size), (3_000_000_000, 0));
    /// });
    /// ```
    pub async fn closed(&self) {
        self.0.gone.wait().await;
    }

    /// How many objects there are, and where.
    pub fn status(&self) -> ResourceStatus {
        self.0.state.read(State::status)
    }

    /// What has happened so far.
    pub fn count(&self) -> ResourceCount {
        self.0.state.read(|state| state.count)
    }

    /// Whether `self` and `other` are one pool.
    pub fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The reading that idle times are counted by; the clock is not asked where nobody counts them.
    #[inline]
    fn idle_since(&self, usage: &Usage) -> Instant {
        if self.0.options.counts_idle_time() { self.0.time.now() } else { usage.created() }
    }

    /// Fewer may be idle than there should be.
    #[inline]
    fn fewer_idle(&self) {
        if self.0.options.min_idle > 0 {
            self.0.changed.notify_one();
        }
    }

    /// An object leaves, and is dropped.
    #[cold]
    fn leaves(&self, known: Known<M::Object>, count: impl FnOnce(&mut ResourceCount)) {
        self.0.state.with(|state| {
            count(&mut state.count);
            state.leave(1);
        });
        self.fewer_idle();
        self.dropped([known]);
    }

    /// Drops objects that have [left](State::leave), each in a guard of its own; the first panic goes on.
    fn dropped(&self, objects: impl IntoIterator<Item = Known<M::Object>>) {
        let (mut count, mut first) = (0, None);
        for object in objects {
            if let Err(panic) = catch(|| drop(object)) {
                // Of those after the first, the drop may panic too.
                match first {
                    None => first = Some(panic),
                    Some(_) => core::mem::forget(panic),
                }
            }
            count += 1;
        }
        self.gone(count);
        match first {
            // On top of another panic, of a hook or a body, it would be the end of the process.
            Some(panic) if is_panicking() => core::mem::forget(panic),
            Some(panic) => resume(panic),
            None => {}
        }
    }

    /// So many that had left are gone.
    fn gone(&self, objects: usize) {
        let is_gone = self.0.state.with(|state| {
            state.leaving -= objects;
            state.is_gone()
        });
        if is_gone {
            self.0.gone.set();
        }
    }
}

impl<M: Manage> Clone for ResourcePool<M> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<M: Manage> fmt::Debug for ResourcePool<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResourcePool").field("status", &self.status()).finish_non_exhaustive()
    }
}
