//! How much is spent on many runs: on how many threads, for how long.

use super::builder::Builder;
use crate::sys::Lock;
use crate::sys::thread::{Stopwatch, processors, spread};
use alloc::vec::Vec;
use core::ops::Range;
use core::time::Duration;

/// What many runs may take, besides their number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Effort {
    pub(super) threads: usize,
    pub(super) time: Duration,
    pub(super) polls: u64,
}

impl Effort {
    pub(super) const DEFAULT: Self = Self { threads: 1, time: Duration::MAX, polls: u64::MAX };
}

impl Builder {
    /// On how many threads [`explore`](Self::explore) and [`check`](Self::check) make their runs, with `std`; 0 is as many as
    /// the machine has processors.
    ///
    /// What is found does not depend on it: of several failures that of the earliest run is reported, and the summary is the
    /// same. What runs on other threads than the caller's prints no panics; the run that is reported is repeated on the
    /// caller's, and does. A [search](super::Strategy::Exhaustive) goes from run to run and takes one thread.
    ///
    /// # Examples
    /// ```
    /// use wakeful::sim::Builder;
    ///
    /// let body = |sim: wakeful::sim::Sim| async move { assert_ne!(sim.choose(1_000), 7) };
    /// let one = Builder::new().runs(10_000).explore(body).unwrap_err();
    /// let two = Builder::new().runs(10_000).threads(2).explore(body).unwrap_err();
    /// assert_eq!(one, two);
    /// ```
    pub fn threads(mut self, threads: usize) -> Self {
        self.effort.threads = threads;
        self
    }

    /// How long many runs may take by a real clock, with `std`: when that is over, no other one is begun.
    ///
    /// One run is made in any case. How many more hangs on the machine, and so does whether a failure is found.
    pub fn time_budget(mut self, time: Duration) -> Self {
        self.effort.time = time;
        self
    }

    /// How many polls many runs may take together: when they have, no other one is begun. Only the runs
    /// themselves count, not what repeats them or drops something in them.
    ///
    /// # Examples
    /// ```
    /// use wakeful::sim::Builder;
    ///
    /// let summary = Builder::new().runs(1_000).poll_budget(10).explore(|sim| async move { sim.yield_now().await }).unwrap();
    /// assert_eq!(summary.runs, 5, "of two polls each");
    /// ```
    pub fn poll_budget(mut self, polls: u64) -> Self {
        self.effort.polls = polls;
        self
    }
}

/// What has been spent.
pub(super) struct Spent {
    effort: Effort,
    watch: Stopwatch,
    pub(super) polls: u64,
}

impl Spent {
    pub(super) fn nothing(effort: Effort) -> Self {
        Self { effort, watch: Stopwatch::start(), polls: 0 }
    }

    /// Whether another run may be begun, so many more polls having been made.
    pub(super) fn allows(&self, polls: u64) -> bool {
        let Effort { time, polls: most, .. } = self.effort;
        self.polls.saturating_add(polls) < most && (time == Duration::MAX || self.watch.elapsed() < time)
    }
}

/// What a run came to, and how many polls it took.
pub(super) type Weighed<R> = (R, u64);

/// Calls `one` with the numbers in turn, on several threads, as long as there is anything left to spend and none `ends` it.
/// Gives what came of them, in order, without gaps.
pub(super) fn each<R: Send>(
    numbers: Range<u32>,
    spent: &Spent,
    ends: impl Fn(&R) -> bool + Sync,
    one: impl Fn(u32) -> Weighed<R> + Sync,
) -> Vec<Weighed<R>> {
    /// How many numbers a thread takes at once.
    const AT_ONCE: u32 = 8;
    struct Claims<R> {
        left: Range<u32>,
        polls: u64,
        made: Vec<(u32, Weighed<R>)>,
    }
    let threads = if spent.effort.threads == 0 { processors() } else { spent.effort.threads };
    let at_once = if threads == 1 { 1 } else { AT_ONCE };
    // No more than find something to do.
    let threads = threads.min(numbers.len().div_ceil(at_once as usize));
    let claims = Lock::new(Claims { left: numbers, polls: 0, made: Vec::new() });
    spread(threads, || {
        loop {
            let claimed = claims.with(|claims| {
                let Range { start, end } = claims.left;
                // The very first is made in any case.
                let more = start == 0 || spent.allows(claims.polls);
                claims.left.start = if more { end.min(start.saturating_add(at_once)) } else { start };
                start..claims.left.start
            });
            if claimed.is_empty() {
                return;
            }
            for number in claimed {
                let weighed = one(number);
                let over = ends(&weighed.0);
                claims.with(|claims| {
                    claims.polls = claims.polls.saturating_add(weighed.1);
                    claims.made.push((number, weighed));
                    if over {
                        claims.left.end = claims.left.start;
                    }
                });
                if over {
                    return;
                }
            }
        }
    });
    let mut made = claims.with(|claims| core::mem::take(&mut claims.made));
    made.sort_unstable_by_key(|&(number, _)| number);
    made.into_iter().map(|(_, weighed)| weighed).collect()
}
