//! What is known of a number of futures together.

use super::histogram::Histogram;
use super::timed::{Bell, Timed};
use super::timing::{More, Sums, Timing};
use crate::sys::probe::Wait;
use crate::sys::{Arc, Told};
use crate::time::{Instant, Time, nanos};
use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::panic::Location;
use core::time::Duration;

/// Measures futures: where their time went, and which of their polls were slow.
///
/// One for each kind of task, such as "request" and "flush": its numbers are those of all futures that are [watched](Self::watch)
/// by it, which may run on any executor, in any task and on any thread. A clone is a handle to the same numbers.
///
/// It costs two readings of the clock for a poll and one for a wake-up, a lock that all futures of the monitor share at
/// the end of each poll, and one allocation for each future. What takes a lock that often is for tasks, not for each of their
/// small futures.
///
/// # Time
/// By the clock that it is given, in nanoseconds. A poll during which that clock stands still took no time.
///
/// # Examples
/// ```
/// use core::time::Duration;
/// use wakeful::observe::TaskMonitor;
///
/// wakeful::sim::run(|sim| async move {
///     let monitor = TaskMonitor::new(&sim.time(), "fetch");
///     let time = sim.time();
///     let fetch = monitor.watch(async move { time.sleep(Duration::from_secs(3)).await });
///     sim.spawn("fetch", fetch).await;
///
///     let numbers = monitor.timings();
///     assert_eq!((numbers.started, numbers.done, numbers.dropped), (1, 1, 0));
///     assert_eq!((numbers.timing.polls, numbers.timing.idle), (2, Duration::from_secs(3)));
/// });
/// ```
pub struct TaskMonitor(pub(super) Arc<Shared>);

impl Clone for TaskMonitor {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// Something that is called with each slow poll.
type OnSlow = Box<dyn Fn(&SlowPoll<'_>) + Send + Sync>;

pub(super) struct Shared {
    pub(super) time: Time,
    pub(super) name: Cow<'static, str>,
    slow: Option<(u64, OnSlow)>,
    pub(super) state: Told<State>,
}

/// What all futures of a monitor share.
pub(super) struct State {
    started: u64,
    done: u64,
    dropped: u64,
    /// Of those that are over, and of all polls that have ended.
    sums: Sums,
    polls: Histogram,
    delays: Histogram,
    pub(super) live: Vec<Option<Live>>,
    /// Places in `live` that are free.
    free: Vec<usize>,
}

/// A future that is not over.
pub(super) struct Live {
    pub(super) bell: Arc<Bell>,
    /// How many of its polls have ended.
    pub(super) polls: u64,
    /// When the last one did, or the future was made.
    pub(super) left: Instant,
    /// What that one waits for.
    pub(super) waits: Vec<Wait>,
}

/// A poll that took longer than the monitor's [threshold](TaskMonitor::reporting).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SlowPoll<'a> {
    /// The name of the future, which is that of the monitor if it has none of its own.
    pub name: &'a str,
    /// The place at which the future was given to the monitor.
    pub place: &'static Location<'static>,
    /// How long it took.
    pub took: Duration,
    /// When it began.
    pub began: Instant,
    /// Which poll of the future it was, from 1 on.
    pub poll: u64,
}

impl fmt::Display for SlowPoll<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, place, took, began, poll } = self;
        write!(f, "poll {poll} of `{name}`, made at {place}, took {took:?} from {began} on")
    }
}

/// The numbers of a [`TaskMonitor`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Timings {
    /// How many futures it was given.
    pub started: u64,
    /// How many of them have given their output.
    pub done: u64,
    /// How many were dropped without that, or panicked.
    pub dropped: u64,
    /// Of all of them together, up to the end of the last poll of each.
    pub timing: Timing,
}

impl Timings {
    /// How many are neither done nor dropped.
    pub fn live(&self) -> u64 {
        self.started - self.done - self.dropped
    }
}

impl Shared {
    /// Whether a poll that took so many nanoseconds was slow.
    pub(super) fn is_slow(&self, took: u64) -> bool {
        self.slow.as_ref().is_some_and(|(threshold, _)| took > *threshold)
    }

    pub(super) fn report(&self, poll: &SlowPoll<'_>) {
        if let Some((_, report)) = &self.slow {
            report(poll);
        }
    }
}

impl State {
    /// A future begins; gives its number.
    pub(super) fn enter(&mut self, live: Live) -> usize {
        self.started += 1;
        match self.free.pop() {
            Some(number) => {
                self.live[number] = Some(live);
                number
            }
            None => {
                self.live.push(Some(live));
                self.live.len() - 1
            }
        }
    }

    /// The future of this number is over. What is left of it is to be dropped without the lock.
    pub(super) fn leave(&mut self, number: usize, is_done: bool) -> Option<Live> {
        *(if is_done { &mut self.done } else { &mut self.dropped }) += 1;
        self.free.push(number);
        self.live[number].take()
    }

    /// A poll of the future of this number has ended now. What it waits for changes places with what the last one waited for.
    pub(super) fn add(&mut self, number: usize, more: &More, now: Instant, waits: &mut Vec<Wait>) {
        if let Some(live) = &mut self.live[number] {
            live.polls += 1;
            live.left = now;
            core::mem::swap(&mut live.waits, waits);
            live.bell.rest();
        }
        self.sums.add(more);
        self.polls.record_nanos(more.busy);
        if more.woken {
            self.delays.record_nanos(more.scheduled);
        }
    }
}

impl TaskMonitor {
    /// A monitor that measures by the clock of `time`. The name is for reports.
    pub fn new(time: &Time, name: impl Into<Cow<'static, str>>) -> Self {
        Self::made(time, name.into(), None)
    }

    /// The same, which calls `report` with each poll that takes longer than `threshold`: with the name of the future and the
    /// place where it was given to the monitor.
    ///
    /// An executor can do nothing else on that thread during such a poll; 10 to 100 µs is what is reckoned to be too long
    /// between two awaits. `report` is called by the poll itself, after it has been counted, and outside all locks. It is not
    /// called for a poll that ends by a panic, which is counted all the same.
    ///
    /// # Examples
    /// ```
    /// use core::time::Duration;
    /// use std::sync::mpsc;
    /// use wakeful::observe::TaskMonitor;
    /// use wakeful::time::ManualClock;
    ///
    /// let clock = ManualClock::new();
    /// let (told, slow) = mpsc::channel();
    /// let monitor = TaskMonitor::reporting(&clock.time(), "parser", Duration::from_millis(1), move |poll| {
    ///     told.send(poll.to_string()).unwrap();
    /// });
    /// wakeful::block_on(monitor.watch(async { clock.advance(Duration::from_millis(5)) }));
    /// let said = slow.recv().unwrap();
    /// assert!(said.starts_with("poll 1 of `parser`, made at "), "{said}");
    /// assert!(said.ends_with("took 5ms from 0.000000000s on"), "{said}");
    /// ```
    pub fn reporting(
        time: &Time,
        name: impl Into<Cow<'static, str>>,
        threshold: Duration,
        report: impl Fn(&SlowPoll<'_>) + Send + Sync + 'static,
    ) -> Self {
        Self::made(time, name.into(), Some((nanos(threshold), Box::new(report))))
    }

    fn made(time: &Time, name: Cow<'static, str>, slow: Option<(u64, OnSlow)>) -> Self {
        let (polls, delays) = (Histogram::new(), Histogram::new());
        let state = Told::new(State {
            started: 0,
            done: 0,
            dropped: 0,
            sums: Sums::default(),
            polls,
            delays,
            live: Vec::new(),
            free: Vec::new(),
        });
        Self(Arc::new(Shared { time: time.clone(), name, slow, state }))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// `future`, which is measured from this call on; in reports it has the name of the monitor, and the place of this call.
    #[track_caller]
    pub fn watch<F>(&self, future: F) -> Timed<F> {
        Timed::new(self, None, Location::caller(), future)
    }

    /// The same, with a name of its own.
    #[track_caller]
    pub fn watch_named<F>(&self, name: impl Into<Cow<'static, str>>, future: F) -> Timed<F> {
        Timed::new(self, Some(name.into()), Location::caller(), future)
    }

    /// The numbers of all its futures together, up to the end of the last poll of each.
    pub fn timings(&self) -> Timings {
        let (started, done, dropped, sums) = self.0.state.read(|state| {
            let State { started, done, dropped, sums, .. } = *state;
            (started, done, dropped, sums)
        });
        Timings { started, done, dropped, timing: sums.timing() }
    }

    /// How long polls took.
    pub fn poll_times(&self) -> Histogram {
        self.0.state.read(|state| state.polls.clone())
    }

    /// How long futures that had been woken waited for their polls.
    pub fn delays(&self) -> Histogram {
        self.0.state.read(|state| state.delays.clone())
    }
}

impl fmt::Debug for TaskMonitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskMonitor").field("name", &self.name()).field("timings", &self.timings()).finish()
    }
}
