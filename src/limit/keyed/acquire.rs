//! The future of acquiring for a key.

use super::limiter::KeyedLimiter;
use super::shard::Found;
use super::store::{Answer, Ask};
use super::tenant::Tenant;
use crate::cancel::Deadline;
use crate::limit::decide::Algorithm;
use crate::limit::error::AcquireError;
use crate::limit::gcra::Gcra;
use crate::limit::state::Gate;
use crate::limit::turn::{self, Turn};
use crate::sys::Arc;
use crate::time::Instant;
use core::fmt;
use core::future::Future;
use core::hash::{BuildHasher, Hash};
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use foldhash::fast::RandomState;
use pin_project_lite::pin_project;

pin_project! {
    /// Waits for permits for a key; made by [`KeyedLimiter::acquire`], [`KeyedLimiter::acquire_before`] and
    /// [`KeyedLimiter::acquire_in`].
    ///
    /// # Time
    /// Ready at the instant at which the key's limit allows it, to the nanosecond in virtual time, else as late as timers are.
    ///
    /// # Fairness
    /// For each key first come, first served, counted from the first poll.
    ///
    /// # Cancel safety
    /// Dropping it before it is ready takes no permits: its place in line is given up, permits that it was granted go back,
    /// and those behind it move forward at once. Permits of one that was ready have been spent.
    ///
    /// # Panics
    /// If it is polled after it was ready.
    #[must_use = "nothing is acquired unless this is awaited"]
    pub struct AcquireKey<'a, K, A: Algorithm = Gcra, S = RandomState> {
        limiter: &'a KeyedLimiter<K, A, S>,
        permits: u32,
        deadline: Deadline,
        #[pin]
        stage: Stage<K, A, S>,
    }
}

pin_project! {
    #[project = StageProjected]
    enum Stage<K, A: Algorithm, S> {
        /// It has not been polled, or is over: then there is no key.
        Idle { key: Option<K> },
        /// It waits in the line of the key's limiter; that it leaves before it lets go of the key.
        Waits {
            #[pin]
            turn: Turn<A, Arc<Gate<A>>>,
            tenant: Tenant<K, A, S>,
        },
    }
}

impl<'a, K, A: Algorithm, S> AcquireKey<'a, K, A, S> {
    pub(super) fn new(limiter: &'a KeyedLimiter<K, A, S>, key: K, permits: u32, deadline: Deadline) -> Self {
        Self { limiter, permits, deadline, stage: Stage::Idle { key: Some(key) } }
    }
}

impl<K: Hash + Eq, A: Algorithm, S: BuildHasher> KeyedLimiter<K, A, S> {
    /// Takes `permits` for `key` if there are so many. Gives its limiter if that has to be asked, or waited for.
    fn look(&self, mut key: K, permits: u32, deadline: Deadline) -> Result<Option<Tenant<K, A, S>>, AcquireError> {
        if deadline == Deadline::Cancelled {
            return Err(AcquireError::Cancelled);
        }
        if permits == 0 {
            return Ok(None);
        }
        let (keys, now, burst) = (&self.keys, self.keys.time.now(), self.keys.algorithm.burst());
        let place = keys.place(&key);
        let ask = Ask { algorithm: &keys.algorithm, permits, now: now.as_nanos(), takes: deadline.allows(now) };
        loop {
            let at = match keys.find(place, ask, |held| *held == key) {
                Found::Busy(gate, _) => return Ok(Some(self.tenant(place, gate))),
                _ if permits > burst => return Err(AcquireError::ExceedsBurst { permits, burst }),
                Found::Kept(Answer::At(at)) => at,
                Found::Kept(Answer::Now) if ask.takes => return Ok(None),
                Found::Absent(now) if ask.takes => match keys.enter(place, Ask { now, ..ask }, key)? {
                    None => return Ok(None),
                    Some(back) => {
                        key = back;
                        continue;
                    }
                },
                Found::Kept(Answer::Now) => ask.now,
                Found::Absent(now) => now,
            };
            if !deadline.allows(Instant::from_nanos(at)) {
                return Err(turn::too_late(at, deadline));
            }
            return Ok(Some(Tenant::new(keys, place, key)?));
        }
    }
}

impl<K: Hash + Eq, A: Algorithm, S: BuildHasher> Future for AcquireKey<'_, K, A, S> {
    type Output = Result<(), AcquireError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let StageProjected::Idle { key } = this.stage.as_mut().project() {
            let key = key.take().expect("polled again after it was ready");
            let Some(tenant) = this.limiter.look(key, *this.permits, *this.deadline)? else {
                return Poll::Ready(Ok(()));
            };
            let turn = Turn::new(tenant.limiter().gate.clone(), *this.permits, *this.deadline);
            this.stage.set(Stage::Waits { turn, tenant });
        }
        let StageProjected::Waits { turn, .. } = this.stage.as_mut().project() else { return Poll::Pending };
        let answer = ready!(turn.poll(cx));
        // The key goes back to the others at once.
        this.stage.set(Stage::Idle { key: None });
        Poll::Ready(answer.map(|_| ()))
    }
}

impl<K, A: Algorithm, S> fmt::Debug for AcquireKey<'_, K, A, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AcquireKey")
            .field("permits", &self.permits)
            .field("deadline", &self.deadline)
            .field("waiting", &matches!(self.stage, Stage::Waits { .. }))
            .finish_non_exhaustive()
    }
}
