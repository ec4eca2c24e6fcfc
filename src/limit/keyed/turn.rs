//! Waiting for a key's turn: what all futures of keys do.

use super::keys::Keys;
use super::shard::Found;
use super::store::{Answer, Ask};
use super::tenant::Tenant;
use crate::cancel::Deadline;
use crate::limit::book::Receipt;
use crate::limit::decide::Algorithm;
use crate::limit::error::AcquireError;
use crate::limit::state::Gate;
use crate::limit::turn::{self, Turn};
use crate::sys::Arc;
use crate::time::Instant;
use core::fmt;
use core::hash::{BuildHasher, Hash};
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use pin_project_lite::pin_project;

pin_project! {
    /// Waits for the turn of a key.
    pub(super) struct KeyTurn<'a, K, A: Algorithm, S> {
        keys: &'a Arc<Keys<K, A, S>>,
        permits: u32,
        deadline: Deadline,
        // Whether the receipt is of use.
        returns: bool,
        #[pin]
        stage: Stage<K, A, S>,
    }
}

pin_project! {
    #[project = StageProjected]
    #[project_replace = StageReplaced]
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

/// Permits that were granted: by the key's limiter, if that was asked, with what it takes to give them back to it.
pub(super) type Granted<K, A, S> = Option<(Tenant<K, A, S>, Receipt)>;

impl<'a, K, A: Algorithm, S> KeyTurn<'a, K, A, S> {
    pub(super) fn new(keys: &'a Arc<Keys<K, A, S>>, key: K, permits: u32, deadline: Deadline) -> Self {
        Self { keys, permits, deadline, returns: false, stage: Stage::Idle { key: Some(key) } }
    }

    /// The same, for one who may give back what is granted: then the key's limiter grants it.
    pub(super) fn returning(mut self) -> Self {
        self.returns = true;
        self
    }

    /// How many permits it is for.
    pub(super) fn permits(&self) -> u32 {
        self.permits
    }
}

impl<K: Hash + Eq, A: Algorithm, S: BuildHasher> KeyTurn<'_, K, A, S> {
    pub(super) fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Granted<K, A, S>, AcquireError>> {
        let mut this = self.project();
        if let StageProjected::Idle { key } = this.stage.as_mut().project() {
            let key = key.take().expect("a wait for permits of a key was polled after it was ready");
            let Some(tenant) = look(this.keys, key, *this.permits, *this.deadline, !*this.returns)? else {
                return Poll::Ready(Ok(None));
            };
            let gate = tenant.limiter().gate.clone();
            let turn = Turn::new(gate, *this.permits, *this.deadline);
            let turn = if *this.returns { turn.returning() } else { turn };
            this.stage.set(Stage::Waits { turn, tenant });
        }
        let StageProjected::Waits { turn, .. } = this.stage.as_mut().project() else { return Poll::Pending };
        let answer = ready!(turn.poll(cx));
        // Unless it is to come back, the key goes to the others at once.
        let StageReplaced::Waits { tenant, .. } = this.stage.project_replace(Stage::Idle { key: None }) else {
            return Poll::Pending;
        };
        Poll::Ready(answer.map(|receipt| Some((tenant, receipt))))
    }
}

/// Takes `permits` for `key` if there are so many, and `takes`. Gives its limiter if that has to be asked, or waited for.
fn look<K: Hash + Eq, A: Algorithm, S: BuildHasher>(
    keys: &Arc<Keys<K, A, S>>,
    mut key: K,
    permits: u32,
    deadline: Deadline,
    takes: bool,
) -> Result<Option<Tenant<K, A, S>>, AcquireError> {
    if deadline == Deadline::Cancelled {
        return Err(AcquireError::Cancelled);
    }
    if permits == 0 {
        return Ok(None);
    }
    let (place, now) = (keys.place(&key), keys.time.now());
    let takes = takes && deadline.allows(now);
    let ask = Ask { permits, now: now.as_nanos(), takes };
    loop {
        let at = match keys.find(place, ask, |held| *held == key) {
            Found::Busy(gate, _) => return Ok(Some(Tenant::of(keys, place, gate))),
            Found::Kept(Answer::Exceeds(burst)) => return Err(AcquireError::ExceedsBurst { permits, burst }),
            Found::Kept(Answer::At(at)) => at,
            Found::Kept(Answer::Now) if takes => return Ok(None),
            Found::Absent(now) if takes => match keys.enter(place, Ask { now, ..ask }, key)? {
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

impl<K, A: Algorithm, S> fmt::Debug for KeyTurn<'_, K, A, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyTurn")
            .field("permits", &self.permits)
            .field("deadline", &self.deadline)
            .field("waiting", &matches!(self.stage, Stage::Waits { .. }))
            .finish_non_exhaustive()
    }
}
