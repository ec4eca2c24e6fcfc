//! A meeting point for a fixed number of tasks.

use super::line::{self, LINE};
use crate::sys::{Arc, probe};
use crate::wait::{Batch, Departure, Hall, Held, Line, Place, Seen, Waiter};
use core::fmt;
use core::future::Future;
use core::num::NonZeroUsize;
use core::pin::Pin;
use core::task::{Context, Poll};
use pin_project_lite::pin_project;

/// What waits at a barrier.
struct Meeting;

struct Shared {
    size: NonZeroUsize,
    id: probe::Id,
}

/// Those who joined in the present round are in line, and no others but such as are about to be let go.
struct State {
    arrived: usize,
    round: u64,
}

impl Place for Meeting {
    type State = State;
    type Shared = Shared;
    /// The round in which this one came.
    type Slot = u64;
    type Lines = [Line<u64>; 1];
    const PASSES_ON: bool = false;

    fn left(held: &mut Held<'_, Self>, departure: Departure, round: &mut u64, _: &mut Batch) {
        if matches!(departure, Departure::Line(_)) && *round == held.state.round {
            held.state.arrived -= 1;
        }
    }
}

/// A point at which a number of tasks wait for each other, round after round. Clones are the same barrier.
///
/// A task that is cancelled while it waits has not arrived: the others go on waiting, for one more. For things that need
/// not wait for each other, take [`Latch`](super::Latch) or [`WaitGroup`](super::WaitGroup).
///
/// # Fairness
/// All of a round are let go together. Who comes while they are being woken belongs to the next round.
///
/// # Examples
/// ```
/// use core::num::NonZeroUsize;
/// use wakeful::sync::Barrier;
///
/// wakeful::sim::check(|sim| async move {
///     let barrier = Barrier::new(NonZeroUsize::new(3).unwrap());
///     let tasks: Vec<_> = (0..3)
///         .map(|_| {
///             let barrier = barrier.clone();
///             sim.spawn("phase", async move { barrier.wait().await.is_leader() })
///         })
///         .collect();
///     let mut leaders = 0;
///     for task in tasks {
///         leaders += usize::from(task.await);
///     }
///     assert_eq!(leaders, 1);
/// });
/// ```
#[derive(Clone)]
pub struct Barrier {
    meeting: Arc<Hall<Meeting>>,
}

impl Barrier {
    /// A barrier at which `size` tasks meet.
    #[track_caller]
    #[must_use]
    pub fn new(size: NonZeroUsize) -> Self {
        let shared = Shared { size, id: probe::Id::new() };
        Self { meeting: Arc::new(Hall::new(shared, State { arrived: 0, round: 0 }, [Line::new()])) }
    }

    /// How many meet.
    pub fn size(&self) -> NonZeroUsize {
        self.meeting.shared.size
    }

    /// How many wait in the present round.
    pub fn arrived(&self) -> usize {
        self.meeting.read(|held| held.state.arrived)
    }

    /// Arrives, and waits for the others. The last to arrive doesn't wait, and is the round's leader.
    pub fn wait(&self) -> BarrierWait<'_> {
        BarrierWait { waiter: Waiter::new(&*self.meeting, 0), seen: Seen::NONE }
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barrier").field("size", &self.size()).field("arrived", &self.arrived()).finish()
    }
}

pin_project! {
    /// Waits for the others; made by [`Barrier::wait`].
    ///
    /// # Cancel safety
    /// Dropping it while it waits withdraws the arrival. Once the last of its round has come, it has taken part, also if it
    /// was not polled since; who drops it can't tell the one from the other.
    #[must_use = "nobody arrives unless this is awaited"]
    pub struct BarrierWait<'a> {
        #[pin]
        waiter: Waiter<Meeting, &'a Hall<Meeting>>,
        seen: Seen,
    }
}

impl Future for BarrierWait<'_> {
    type Output = BarrierWaitResult;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<BarrierWaitResult> {
        let mut this = self.project();
        let member = Poll::Ready(BarrierWaitResult { leader: false });
        if this.waiter.as_mut().accept() {
            return member;
        }
        let waiter = this.waiter.as_ref();
        let meeting = *waiter.home();
        let mut first = None;
        let arrived = line::look_or_join(waiter, this.seen, cx, LINE, |seat, granted| {
            if granted {
                return Some(None);
            }
            let (size, state) = (seat.held.shared.size.get(), &mut *seat.held.state);
            if state.arrived + 1 < size {
                state.arrived += 1;
                *seat.slot() = seat.held.state.round;
                return None;
            }
            state.arrived = 0;
            state.round += 1;
            let until = state.round;
            Some(Some((until, line::let_go(seat.held, LINE, until, &mut first))))
        });
        match arrived {
            Some(Some((until, more))) => {
                // It keeps what it has to say, whatever a waker does.
                line::wake_quietly(meeting, first, more, |held, batch| line::let_go(held, LINE, until, batch));
                Poll::Ready(BarrierWaitResult { leader: true })
            }
            Some(None) => member,
            None => {
                probe::waiting("barrier", Some(meeting.shared.id), u64::MAX);
                Poll::Pending
            }
        }
    }
}

impl fmt::Debug for BarrierWait<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BarrierWait").field("waiting", &self.waiter.is_waiting()).finish_non_exhaustive()
    }
}

/// That all have arrived; what [`Barrier::wait`] gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BarrierWaitResult {
    leader: bool,
}

impl BarrierWaitResult {
    /// Whether this one came last; so it is for one of each round.
    pub fn is_leader(self) -> bool {
        self.leader
    }
}
