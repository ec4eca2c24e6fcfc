//! So many calls at once, and so many who wait for that.

use super::error::CallError;
use crate::sync::{Permit, Semaphore};
use crate::sys::{Arc, Told, trace};
use crate::time::{Sleep, Time};
use core::error::Error;
use core::fmt;
use core::future::{Future, poll_fn};
use core::mem;
use core::num::NonZeroU32;
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;

/// How many calls a [`Bulkhead`] lets in, and how many wait for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a bulkhead is made of it"]
pub struct BulkheadConfig {
    in_flight: NonZeroU32,
    waiting: u32,
    longest_wait: Duration,
}

impl BulkheadConfig {
    /// How many wait unless that is [set](Self::waiting): nobody.
    pub const WAITING: u32 = 0;
    /// How long they wait unless that is [set](Self::longest_wait): until there is room.
    pub const LONGEST_WAIT: Duration = Duration::MAX;

    /// So many calls in flight at once.
    pub const fn new(in_flight: NonZeroU32) -> Self {
        Self { in_flight, waiting: Self::WAITING, longest_wait: Self::LONGEST_WAIT }
    }

    /// Lets so many wait for room.
    pub const fn waiting(mut self, waiting: u32) -> Self {
        self.waiting = waiting;
        self
    }

    /// Lets nobody wait for longer.
    pub const fn longest_wait(mut self, duration: Duration) -> Self {
        self.longest_wait = duration;
        self
    }
}

/// Keeps the calls of one service from taking all there is: no more than so many are in flight, no more than so many wait, and
/// nobody for too long. Clones share it. (M. Nygard, "Release It!", 2007.)
///
/// A service that hangs then holds up only so many tasks, and the others have their error at once. If nobody is ever to be turned
/// away, a [`Semaphore`] is enough; if the right number is not known, a [`Concurrency`](crate::limit::Concurrency) finds it out.
///
/// # Fairness
/// First come, first served, counted from the first poll; newcomers don't overtake.
///
/// # Time
/// Of the [`Time`] that it was made with. Who does not wait, or may wait without end, reads no clock.
///
/// # Examples
/// ```
/// use core::num::NonZeroU32;
/// use core::time::Duration;
/// use wakeful::resilience::{Bulkhead, BulkheadConfig, BulkheadError, CallError};
///
/// wakeful::sim::check(|sim| async move {
///     let (second, patience) = (Duration::from_secs(1), Duration::from_millis(1_500));
///     let config = BulkheadConfig::new(NonZeroU32::new(2).unwrap()).waiting(3).longest_wait(patience);
///     let bulkhead = Bulkhead::new(&sim.time(), config);
///     let tasks = [(); 6].map(|()| {
///         let (bulkhead, time) = (bulkhead.clone(), sim.time());
///         sim.spawn("caller", async move { bulkhead.call(async || Ok::<(), ()>(time.sleep(second).await)).await })
///     });
///     let (mut done, mut full) = (0, 0);
///     for task in tasks {
///         match task.await {
///             Ok(()) => done += 1,
///             Err(CallError::Refused(BulkheadError::Full { .. })) => full += 1,
///             // There is room for two of three after a second.
///             Err(error) => assert_eq!(error, CallError::Refused(BulkheadError::TooLong { waited: patience })),
///         }
///     }
///     assert_eq!((done, full, sim.now().as_nanos()), (4, 1, 2_000_000_000));
/// });
/// ```
#[derive(Clone)]
pub struct Bulkhead {
    shared: Arc<Shared>,
}

struct Shared {
    time: Time,
    config: BulkheadConfig,
    semaphore: Semaphore,
    /// How many are in flight or wait. Who leaves is first taken off here, and then gives back what others wait for: so nobody is
    /// turned away by one who has left.
    inside: Told<usize>,
}

impl Bulkhead {
    /// Nobody is in it yet.
    #[must_use]
    pub fn new(time: &Time, config: BulkheadConfig) -> Self {
        let semaphore = Semaphore::new(size(config.in_flight.get()).min(Semaphore::MAX_PERMITS));
        Self { shared: Arc::new(Shared { time: time.clone(), config, semaphore, inside: Told::new(0) }) }
    }

    /// Calls `f` when there is room.
    ///
    /// # Cancel safety
    /// Dropped before there was room, `f` is not called, and its place in line goes to those behind. Dropped later it drops the
    /// call, which makes room.
    ///
    /// # Errors
    /// [`CallError::Refused`] as [`enter`](Self::enter) says; [`CallError::Failed`], if `f` was called and failed.
    pub async fn call<T, E>(&self, f: impl AsyncFnOnce() -> Result<T, E>) -> Result<T, CallError<BulkheadError, E>> {
        let _seat = self.enter().await.map_err(CallError::Refused)?;
        f().await.map_err(CallError::Failed)
    }

    /// Waits for room.
    ///
    /// # Cancel safety
    /// Dropping it gives its place in line up, and room that it was granted to those behind it.
    ///
    /// # Errors
    /// [`BulkheadError::Full`] at once, if there is no room, and none to wait in; [`BulkheadError::TooLong`] when it has waited for
    /// as long as anybody may.
    pub async fn enter(&self) -> Result<Seat<'_>, BulkheadError> {
        let shared = &*self.shared;
        let longest = shared.config.longest_wait;
        let mut acquire = pin!(shared.semaphore.acquire());
        let (mut patience, mut waits) = (pin!(None::<Sleep>), false);
        // Made last, to be dropped first.
        let place = shared.come().inspect_err(trace::bulkhead_refused)?;
        poll_fn(move |cx| {
            if let Poll::Ready(acquired) = acquire.as_mut().poll(cx) {
                // Nobody closes it.
                return acquired.map_or(Poll::Pending, |permit| Poll::Ready(Ok(permit)));
            }
            if !mem::replace(&mut waits, true) {
                trace::bulkhead_waits();
            }
            if longest == Duration::MAX {
                return Poll::Pending;
            }
            if patience.is_none() {
                patience.set(Some(shared.time.sleep(longest)));
            }
            match patience.as_mut().as_pin_mut() {
                Some(sleep) => sleep.poll(cx).map(|()| Err(BulkheadError::TooLong { waited: longest })),
                None => Poll::Pending,
            }
        })
        .await
        .inspect_err(trace::bulkhead_refused)
        .map(|permit| Seat { _place: place, _permit: permit })
    }

    /// Enters, if there is room, and nobody waits for it.
    ///
    /// # Errors
    /// [`BulkheadError::Full`], if there is no room.
    pub fn try_enter(&self) -> Result<Seat<'_>, BulkheadError> {
        let permit =
            self.shared.semaphore.try_acquire().map_err(|_| self.shared.full()).inspect_err(trace::bulkhead_refused)?;
        let place = self.shared.come().inspect_err(trace::bulkhead_refused)?;
        Ok(Seat { _place: place, _permit: permit })
    }

    /// How many are in flight, those included for whom there is room, and who have not noticed.
    pub fn in_flight(&self) -> u32 {
        number(self.shared.semaphore.total() - self.shared.semaphore.available())
    }

    /// How many wait.
    pub fn waiting(&self) -> u32 {
        number(self.shared.inside.read(|inside| *inside)).saturating_sub(self.in_flight())
    }

    /// Whether `self` and `other` are one bulkhead.
    pub fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl Shared {
    fn come(&self) -> Result<Place<'_>, BulkheadError> {
        let most = size(self.config.in_flight.get()).saturating_add(size(self.config.waiting));
        let came = self.inside.with(|inside| {
            let room = *inside < most;
            *inside += usize::from(room);
            room
        });
        if came { Ok(Place(self)) } else { Err(self.full()) }
    }

    fn full(&self) -> BulkheadError {
        BulkheadError::Full { in_flight: self.config.in_flight.get(), waiting: self.config.waiting }
    }
}

/// As many as there can be, where that is fewer.
fn size(count: u32) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// One who is in flight or waits.
struct Place<'a>(&'a Shared);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.inside.with(|inside| *inside -= 1);
    }
}

/// Room for a call in a [`Bulkhead`], given back when this is dropped.
#[must_use = "a seat that is dropped is given back"]
pub struct Seat<'a> {
    // In this order.
    _place: Place<'a>,
    _permit: Permit<'a>,
}

impl fmt::Debug for Seat<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seat").finish_non_exhaustive()
    }
}

impl fmt::Debug for Bulkhead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bulkhead")
            .field("config", &self.shared.config)
            .field("in_flight", &self.in_flight())
            .field("waiting", &self.waiting())
            .finish()
    }
}

/// There was no room for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BulkheadError {
    /// As many are in flight as may be, and as many wait.
    Full {
        /// How many may be in flight.
        in_flight: u32,
        /// How many may wait.
        waiting: u32,
    },
    /// There was no room for as long as anybody may wait.
    TooLong {
        /// How long that is.
        waited: Duration,
    },
}

impl fmt::Display for BulkheadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full { in_flight, waiting } => {
                write!(f, "the bulkhead is full, with {in_flight} in flight and {waiting} waiting")
            }
            Self::TooLong { waited } => write!(f, "no room in the bulkhead for {waited:?}"),
        }
    }
}

impl Error for BulkheadError {}
