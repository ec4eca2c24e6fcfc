//! The breaker itself: the machine behind a lock, and a word beside it for as long as it is closed.

use super::super::error::CallError;
use super::call::{Call, CircuitOpen, Mark, Panics};
use super::config::{BreakerConfig, BreakerConfigError};
use super::machine::{self, BreakerChange, BreakerState, Changes, Machine, NeedsTime};
use super::window::{BreakerCounts, Sample};
use crate::sys::atomic::{AtomicUsize, Ordering};
use crate::sys::{Arc, Reading, Stamp, Told, trace};
use crate::time::{Instant, Time};
use alloc::boxed::Box;
use core::fmt;
use core::future::{Future, poll_fn};
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::pin::pin;

/// Lets no call through while a service is known to fail, and finds out by a few when it is back: clones share it.
///
/// A service that fails is left alone, and its callers have their error at once instead of waiting for it. As long as it is closed,
/// the results of the calls are counted; when they are bad enough, as [`BreakerConfig`] says, it opens. After the open time the
/// next calls are probes, and by them it closes, or opens again, for longer if it is [set](BreakerConfig::growing) so.
/// (M. Nygard, "Release It!", 2007.)
///
/// Put one before each thing that fails by itself: a [`CircuitBreakers`](super::CircuitBreakers) has one for each host, say. What
/// the caller did wrong is no failure of the service: [`call_with`](Self::call_with) leaves it out.
///
/// # Fairness
/// Nobody waits here. Of those who come to a half-open one, the first are its probes.
///
/// # Time
/// Of the [`Time`] that it was made with. Closed it reads no clock, unless it counts slow calls or by a window of time. It has no
/// timer: what time changes is seen when somebody looks.
///
/// # Examples
/// ```
/// use core::num::NonZeroU32;
/// use core::time::Duration;
/// use wakeful::resilience::{BreakerConfig, CallError, CircuitBreaker};
///
/// wakeful::sim::run(|sim| async move {
///     let second = Duration::from_secs(1);
///     let three = NonZeroU32::new(3).unwrap();
///     let config = BreakerConfig::consecutive(three).open_for(10 * second).probes(NonZeroU32::MIN);
///     let breaker = CircuitBreaker::new(&sim.time(), config).unwrap();
///     let (mut calls, time) = (0, sim.time());
///     for n in 0..20 {
///         let called = breaker.call(async || {
///             calls += 1;
///             if n < 10 { Err("down") } else { Ok(n) }
///         });
///         match called.await {
///             Ok(n) => assert!(n >= 12),
///             Err(CallError::Failed(error)) => assert_eq!(error, "down"),
///             Err(CallError::Refused(open)) => assert!(open.retry_at > time.now()),
///         }
///         time.sleep(second).await;
///     }
///     assert_eq!(calls, 3 + 1 + 7); // three failed, the probe ten seconds later was well, and so were all after it
/// });
/// ```
#[derive(Clone)]
pub struct CircuitBreaker {
    shared: Arc<Shared>,
}

type Listener = Box<dyn Fn(&BreakerChange) + Send + Sync>;

/// The breaker is open, or half-open.
const OPEN: usize = 1;
/// It is closed, and its window is full of calls that were well: another one changes nothing.
const CLEAN: usize = 2;
/// Bits of a word below the generation.
const FLAGS: u32 = 2;

pub(super) struct Shared {
    pub(super) time: Time,
    pub(super) config: BreakerConfig,
    /// How its clock is read, without a way to it.
    reading: Reading,
    /// The generation, with [`OPEN`] or [`CLEAN`]. Written under the lock.
    word: AtomicUsize,
    /// While the word is [`OPEN`], before when nobody is let through, whatever the machine says; 0 if it has to be asked.
    until: Stamp,
    machine: Told<Machine>,
    listener: Option<Listener>,
}

/// The listener, which need not be, is called when all has been changed.
impl UnwindSafe for Shared {}
impl RefUnwindSafe for Shared {}

impl CircuitBreaker {
    /// A closed one.
    ///
    /// # Errors
    /// [`BreakerConfigError`] if there can be no such breaker.
    pub fn new(time: &Time, config: BreakerConfig) -> Result<Self, BreakerConfigError> {
        Self::make(time, config, None)
    }

    /// A closed one, whose `listener` is told of each change of its state.
    ///
    /// It is called by whoever brings the change about, after the change and outside every lock: so it may use the breaker, and two
    /// changes may be told at once, on two threads. Their [numbers](BreakerChange::number) say which came first.
    ///
    /// # Errors
    /// [`BreakerConfigError`] if there can be no such breaker.
    ///
    /// # Examples
    /// ```
    /// use core::num::NonZeroU32;
    /// use std::sync::mpsc;
    /// use wakeful::resilience::{BreakerCause, BreakerConfig, CircuitBreaker, Mark};
    /// use wakeful::time::ManualClock;
    ///
    /// let (tell, told) = mpsc::channel();
    /// let config = BreakerConfig::consecutive(NonZeroU32::new(2).unwrap());
    /// let breaker = CircuitBreaker::with_listener(&ManualClock::new().time(), config, move |change| {
    ///     tell.send(*change).unwrap();
    /// })
    /// .unwrap();
    /// for _ in 0..2 {
    ///     breaker.admit().unwrap().end(Mark::Failure);
    /// }
    /// let change = told.try_recv().unwrap();
    /// assert_eq!((change.to, change.cause, change.counts.failures), (breaker.state(), BreakerCause::Failures, 2));
    /// ```
    pub fn with_listener(
        time: &Time,
        config: BreakerConfig,
        listener: impl Fn(&BreakerChange) + Send + Sync + 'static,
    ) -> Result<Self, BreakerConfigError> {
        Self::make(time, config, Some(Box::new(listener)))
    }

    pub(super) fn make(
        time: &Time,
        config: BreakerConfig,
        listener: Option<Listener>,
    ) -> Result<Self, BreakerConfigError> {
        let config = config.validate()?;
        let (word, machine) = (AtomicUsize::new(0), Told::new(Machine::new(config)));
        let (reading, until, time) = (time.reading(), Stamp::new(0), time.clone());
        Ok(Self { shared: Arc::new(Shared { time, config, reading, word, until, machine, listener }) })
    }

    /// Calls `f`, unless the breaker is open; an error, or a panic, is a failure.
    ///
    /// # Cancel safety
    /// Dropping it drops the call, which is not counted; a probe is given back, and somebody else may be it.
    ///
    /// # Errors
    /// [`CallError::Refused`] at once, if the breaker lets nobody through; [`CallError::Failed`], if `f` was called and failed.
    ///
    /// # Panics
    /// If `f` does.
    pub async fn call<T, E>(&self, f: impl AsyncFnOnce() -> Result<T, E>) -> Result<T, CallError<CircuitOpen, E>> {
        let mark = |result: &Result<T, E>| Some(if result.is_ok() { Mark::Success } else { Mark::Failure });
        match self.call_with(mark, f).await {
            Ok(result) => result.map_err(CallError::Failed),
            Err(open) => Err(CallError::Refused(open)),
        }
    }

    /// Calls `f`, unless the breaker is open, and counts what came of it as `judge` says: not at all if that is none.
    ///
    /// # Cancel safety
    /// As that of [`call`](Self::call).
    ///
    /// # Errors
    /// [`CircuitOpen`] at once, if the breaker lets nobody through.
    ///
    /// # Panics
    /// If `f` or `judge` does; then it is a failure.
    ///
    /// # Examples
    /// ```
    /// use core::num::NonZeroU32;
    /// use wakeful::resilience::{BreakerConfig, CircuitBreaker, Mark};
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let config = BreakerConfig::consecutive(NonZeroU32::MIN);
    ///     let breaker = CircuitBreaker::new(&sim.time(), config).unwrap();
    ///     let judge = |status: &u32| match status {
    ///         500.. => Some(Mark::Failure),
    ///         400.. => None, // it is the caller's fault
    ///         _ => Some(Mark::Success),
    ///     };
    ///     assert_eq!(breaker.call_with(judge, async || 404).await, Ok(404));
    ///     assert_eq!(breaker.call_with(judge, async || 503).await, Ok(503));
    ///     assert!(breaker.call_with(judge, async || 200).await.is_err(), "not called");
    /// });
    /// ```
    pub async fn call_with<T>(
        &self,
        judge: impl FnOnce(&T) -> Option<Mark>,
        f: impl AsyncFnOnce() -> T,
    ) -> Result<T, CircuitOpen> {
        // Dropped last: a panic in between finds it running.
        let (generation, started) = self.shared.admit()?;
        let mut call = Call::new(&self.shared, generation, started, Panics::InPoll(true));
        let answer = {
            let mut future = pin!(f());
            call.panics = Panics::InPoll(false);
            poll_fn(|cx| {
                call.panics = Panics::InPoll(true);
                let polled = future.as_mut().poll(cx);
                call.panics = Panics::InPoll(polled.is_ready());
                polled
            })
            .await
        };
        match judge(&answer) {
            Some(mark) => call.end(mark),
            None => call.give_up(),
        }
        Ok(answer)
    }

    /// Lets a call begin, unless the breaker is open. Its [end](Call::end) is to be told; dropped without that it is not counted.
    ///
    /// # Errors
    /// [`CircuitOpen`], if the breaker lets nobody through.
    pub fn admit(&self) -> Result<Call<'_>, CircuitOpen> {
        let (generation, started) = self.shared.admit()?;
        Ok(Call::new(&self.shared, generation, started, Panics::on_this_thread()))
    }

    /// How it stands now. Where the open time is over and nobody has called since, it is still open until that instant.
    pub fn state(&self) -> BreakerState {
        self.look(Machine::state)
    }

    /// What was counted for its next decision: the calls of its window, or the probes that have a result.
    pub fn counts(&self) -> BreakerCounts {
        self.look(Machine::counts)
    }

    /// Opens it by hand, until it is [closed](Self::close) by hand.
    pub fn open(&self) {
        self.shared.change(|machine, changes| machine.open_by_hand(None, changes));
    }

    /// Opens it by hand for its open time, as if too many calls had failed.
    pub fn trip(&self) {
        let now = self.shared.time.now();
        self.shared.change(|machine, changes| machine.open_by_hand(Some(now), changes));
    }

    /// Closes it by hand, and forgets what was counted. Calls that began before are not counted.
    pub fn close(&self) {
        self.shared.change(|machine, changes| machine.close_by_hand(changes));
    }

    /// How it was set up.
    pub fn config(&self) -> BreakerConfig {
        self.shared.config
    }

    /// Whether `self` and `other` are one breaker.
    pub fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// Whether nobody else has a handle to it.
    pub(super) fn is_alone(&self) -> bool {
        Arc::strong_count(&self.shared) == 1
    }

    pub(super) fn is_closed(&self) -> bool {
        self.shared.closed().is_some()
    }

    fn look<R>(&self, f: impl FnOnce(&Machine) -> R) -> R {
        let now = self.shared.time.now();
        self.shared.change(|machine, changes| {
            machine.look(now, changes);
            f(machine)
        })
    }
}

impl Shared {
    /// The generation of a closed breaker.
    #[inline]
    fn closed(&self) -> Option<usize> {
        self.machine.look();
        // Relaxed: a result is counted only if the generation is still the same under the lock.
        let word = self.word.load(Ordering::Relaxed);
        (word & OPEN == 0).then_some(word >> FLAGS)
    }

    /// Lets a call in: its generation, and when it began.
    ///
    /// Plain numbers, of which the caller makes a [`Call`] where it is to stay: moving one costs more than all the rest.
    #[inline]
    fn admit(&self) -> Result<(usize, Instant), CircuitOpen> {
        let Some(generation) = self.closed() else { return self.admit_slowly() };
        // Without slow calls nobody asks when it began.
        let started = if self.config.slow.is_some() { self.time.now() } else { Instant::EPOCH };
        Ok((generation, started))
    }

    /// For one that is not closed. To be refused costs little more than to read the clock.
    #[inline(never)]
    fn admit_slowly(&self) -> Result<(usize, Instant), CircuitOpen> {
        let now = match self.reading.nanos() {
            Some(nanos) => Instant::from_nanos(nanos),
            None => self.time.now(),
        };
        // Acquire: partner of the store in `step`; who sees that it is open sees until when.
        let is_open = self.word.load(Ordering::Acquire) & OPEN != 0;
        let retry_at = Instant::from_nanos(self.until.get());
        if is_open && retry_at > now {
            return Err(CircuitOpen { retry_at });
        }
        self.admit_probe(now)
    }

    #[cold]
    fn admit_probe(&self, now: Instant) -> Result<(usize, Instant), CircuitOpen> {
        let mut changes = Changes::default();
        let admitted = self.step(&mut changes, |machine, changes| machine.admit(now, changes));
        // A panic of the listener says nothing of the service, and gives the probe back.
        let probe = admitted.ok().map(|generation| Call::new(self, generation, now, Panics::InPoll(false)));
        self.tell(&changes);
        core::mem::forget(probe);
        admitted.map(|generation| (generation, now)).map_err(|retry_at| CircuitOpen { retry_at })
    }

    /// Counts a call that is over. For most this is all, and small enough to be put into whoever calls: so the [`Call`] need not be
    /// moved for it, and the processor does not wait to read as a whole what it has just written piece by piece.
    #[inline]
    pub(super) fn record(&self, generation: usize, started: Instant, failed: bool) {
        if failed || self.config.slow.is_some() || !self.is_clean(generation) {
            self.record_slowly(generation, started, failed);
        }
    }

    /// Whether a call of this generation that is well changes nothing.
    #[inline]
    fn is_clean(&self, generation: usize) -> bool {
        self.machine.look();
        // Relaxed: a failure that this one can know of is seen in the word, any other one may as well be the later of the two.
        self.word.load(Ordering::Relaxed) == generation << FLAGS | CLEAN
    }

    #[inline(never)]
    fn record_slowly(&self, generation: usize, started: Instant, failed: bool) {
        let config = &self.config;
        let now = config.reads_clock().then(|| self.time.now());
        let slow = now.is_some_and(|now| machine::is_slow(config, started, now));
        let sample = Sample { failed, slow };
        // Without slow calls it was found out before.
        if config.slow.is_none() || sample != Sample::WELL || !self.is_clean(generation) {
            self.count(generation, sample, now);
        }
    }

    #[inline]
    fn count(&self, generation: usize, sample: Sample, now: Option<Instant>) {
        let mut changes = Changes::default();
        let counted = self.step(&mut changes, |machine, changes| machine.record(generation, sample, now, changes));
        if let Err(NeedsTime) = counted {
            let now = self.time.now();
            // With the time it needs nothing more.
            let _ = self.step(&mut changes, |machine, changes| machine.record(generation, sample, Some(now), changes));
        }
        self.tell(&changes);
    }

    /// A call comes to nothing. Only to one that is not closed is there something to be given back.
    pub(super) fn give_back(&self, generation: usize) {
        if self.closed().is_none() {
            let now = self.time.now();
            self.change(|machine, changes| machine.give_back(generation, now, changes));
        }
    }

    fn change<R>(&self, f: impl FnOnce(&mut Machine, &mut Changes) -> R) -> R {
        let mut changes = Changes::default();
        let result = self.step(&mut changes, f);
        self.tell(&changes);
        result
    }

    #[inline]
    fn step<R>(&self, changes: &mut Changes, f: impl FnOnce(&mut Machine, &mut Changes) -> R) -> R {
        self.machine.with(|machine| {
            let result = f(machine, changes);
            let flags = match machine.is_closed() {
                true if machine.is_clean() => CLEAN,
                true => 0,
                false => OPEN,
            };
            if flags == OPEN {
                self.until.set(machine.open_until());
            }
            // Release: partner of the load in `admit_slowly`.
            self.word.store(machine.generation() << FLAGS | flags, Ordering::Release);
            result
        })
    }

    #[inline]
    fn tell(&self, changes: &Changes) {
        if changes[0].is_some() {
            self.tell_all(changes);
        }
    }

    #[cold]
    fn tell_all(&self, changes: &Changes) {
        for BreakerChange { from, to, cause, .. } in changes.iter().flatten() {
            trace::breaker_changed(from, to, cause);
        }
        if let Some(listener) = &self.listener {
            changes.iter().flatten().for_each(listener);
        }
    }
}

impl fmt::Debug for CircuitBreaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (state, counts) = self.shared.machine.read(|machine| (machine.state(), machine.counts()));
        f.debug_struct("CircuitBreaker").field("state", &state).field("counts", &counts).finish_non_exhaustive()
    }
}
