//! How long calls take, and how long most of them do.

use crate::sys::{Arc, Told};
use crate::time::buckets::{BUCKETS, bucket, longest};
use crate::time::nanos;
use alloc::boxed::Box;
use alloc::vec;
use core::fmt;
use core::time::Duration;

/// How long the latest calls of a service took: of the last thousand at least, and the last two thousand at most. Clones share it.
///
/// Durations are kept by their highest four bits, so that a quantile is too long by an eighth at most, and never too short.
///
/// # Examples
/// ```
/// use core::time::Duration;
/// use wakeful::resilience::Latencies;
///
/// let latencies = Latencies::new();
/// for millis in 1..=100 {
///     latencies.record(Duration::from_millis(millis));
/// }
/// let p95 = latencies.quantile(95).unwrap();
/// assert!(p95 >= Duration::from_millis(95) && p95 <= Duration::from_millis(107));
/// ```
#[derive(Clone)]
pub struct Latencies {
    shared: Arc<Told<State>>,
}

/// After so many the ones before are forgotten.
const ROUND: u32 = 1_000;

struct State {
    now: Box<[u32]>,
    before: Box<[u32]>,
    /// How many there are of each.
    counts: [u32; 2],
}

impl Latencies {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        let empty = || vec![0; BUCKETS].into_boxed_slice();
        let state = State { now: empty(), before: empty(), counts: [0; 2] };
        Self { shared: Arc::new(Told::new(state)) }
    }

    /// Takes in that a call took so long.
    pub fn record(&self, duration: Duration) {
        self.shared.with(|state| {
            state.now[bucket(nanos(duration))] += 1;
            state.counts[0] += 1;
            if state.counts[0] == ROUND {
                core::mem::swap(&mut state.now, &mut state.before);
                state.now.fill(0);
                state.counts = [0, ROUND];
            }
        });
    }

    /// How many calls it remembers.
    pub fn count(&self) -> u32 {
        self.shared.read(|state| state.counts[0] + state.counts[1])
    }

    /// A duration that so many per cent of the calls did not exceed. None, as long as there are so few that not even one would be
    /// above it: fewer than twenty for 95 per cent.
    pub fn quantile(&self, percent: u32) -> Option<Duration> {
        let percent = u64::from(percent.min(100));
        self.shared.read(|state| {
            let all = u64::from(state.counts[0] + state.counts[1]);
            if all == 0 || percent < 100 && all * (100 - percent) < 100 {
                return None;
            }
            let mut below = 0;
            let found = state.now.iter().zip(&state.before).position(|(now, before)| {
                below += u64::from(now + before);
                below > 0 && below * 100 >= all * percent
            });
            // All of them are below the end.
            found.map(|bucket| Duration::from_nanos(longest(bucket)))
        })
    }

    /// Whether `self` and `other` are one memory.
    pub fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl Default for Latencies {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Latencies").field("count", &self.count()).finish_non_exhaustive()
    }
}
