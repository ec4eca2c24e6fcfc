//! Calls of which at most one waits for its turn.
//!
//! The one that waits is in the only line of a hall, and its deadline is known when it joins: only a later call could move it, and
//! that takes its place. Who takes it off the line writes what becomes of it into what it brought.

use super::pace::{Pace, Verdict};
use crate::sys::probe;
use crate::time::{Instant, Sleep, Time};
use crate::wait::{Batch, Departure, Hall, Held, Line, Place, Seen, Waiter};
use core::error::Error;
use core::fmt;
use core::future::{Future, poll_fn};
use core::marker::PhantomData;
use core::pin::pin;
use core::task::Poll;

/// The line of the one that waits.
const LINE: usize = 0;

/// A call that was not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Skipped {
    /// A later call took its place.
    Superseded,
    /// It came too soon after one that ran at once, and only those are run.
    Suppressed,
    /// It was cancelled while it waited.
    Cancelled,
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Superseded => "a call was superseded by a later one",
            Self::Suppressed => "a call was suppressed, too soon after another",
            Self::Cancelled => "a call was cancelled while it waited",
        })
    }
}

impl Error for Skipped {}

/// Where calls wait.
pub(super) struct Turns<P>(PhantomData<P>);

pub(super) struct State<P> {
    pace: P,
    /// When the one that waits has its turn.
    due: Instant,
}

impl<P: Pace> Place for Turns<P> {
    type State = State<P>;
    type Shared = (Time, probe::Id);
    /// What becomes of the call.
    type Slot = Result<(), Skipped>;
    type Lines = [Line<Self::Slot>; 1];
    const PASSES_ON: bool = false;

    fn left(held: &mut Held<'_, Self>, _: Departure, _: &mut Self::Slot, _: &mut Batch) {
        held.state.pace.withdrawn();
    }
}

#[track_caller]
pub(super) fn turns<P: Pace>(time: &Time, pace: P) -> Hall<Turns<P>> {
    Hall::new((time.clone(), probe::Id::new()), State { pace, due: Instant::NEVER }, [Line::new()])
}

impl<P: Pace> Held<'_, Turns<P>> {
    /// Takes the one that waits off the line, to whom `fate` happens. False: nobody waits.
    fn settle(&mut self, fate: Result<(), Skipped>, batch: &mut Batch) -> bool {
        if let Some(slot) = self.first(LINE) {
            *slot = fate;
        }
        self.grant(LINE, batch)
    }
}

impl<P: Pace> Hall<Turns<P>> {
    /// Waits until the call that is made by the first poll has its turn.
    pub(super) async fn turn(&self) -> Result<(), Skipped> {
        let (time, id) = &self.shared;
        let waiter = pin!(Waiter::new(self, Ok(())));
        let waiter = waiter.as_ref();
        let (mut seen, mut sleep) = (Seen::NONE, pin!(None::<Sleep>));
        poll_fn(|cx| {
            loop {
                let Some(timer) = sleep.as_mut().as_pin_mut() else {
                    let (now, waker) = (time.now(), cx.waker().clone());
                    seen = Seen::of(&waker);
                    let mut batch = Batch::new();
                    let (verdict, waker) = waiter.with(|seat| {
                        // What is due at the instant of a call has its turn, whichever of the two is polled first.
                        if seat.held.state.due <= now && seat.held.settle(Ok(()), &mut batch) {
                            seat.held.state.pace.ran(now);
                        }
                        let verdict = seat.held.state.pace.call(now);
                        let Verdict::Wait(at) = verdict else { return (verdict, Some(waker)) };
                        seat.held.settle(Err(Skipped::Superseded), &mut batch);
                        seat.held.state.due = at;
                        seat.enter(LINE, waker);
                        (verdict, None)
                    });
                    drop(waker);
                    batch.fire();
                    match verdict {
                        Verdict::Run => return Poll::Ready(Ok(())),
                        Verdict::Skip => return Poll::Ready(Err(Skipped::Suppressed)),
                        Verdict::Wait(at) => sleep.set(Some(time.sleep_until(at))),
                    }
                    continue;
                };
                if waiter.is_granted() {
                    return Poll::Ready(waiter.with(|seat| *seat.slot()));
                }
                if timer.poll(cx).is_ready() {
                    let now = time.now();
                    let (fate, waker) = waiter.with(|seat| {
                        if !seat.is_waiting() {
                            return (*seat.slot(), None);
                        }
                        seat.held.state.pace.ran(now);
                        // It is the only one in line.
                        (Ok(()), seat.held.hand(LINE))
                    });
                    drop(waker);
                    return Poll::Ready(fate);
                }
                if !seen.is(cx.waker()) {
                    let waker = cx.waker().clone();
                    seen = Seen::of(&waker);
                    let old = waiter.with(|seat| if seat.is_waiting() { seat.set_waker(waker) } else { Some(waker) });
                    drop(old);
                    if waiter.is_granted() {
                        return Poll::Ready(waiter.with(|seat| *seat.slot()));
                    }
                }
                probe::waiting("turn of a call", Some(*id), u64::MAX);
                return Poll::Pending;
            }
        })
        .await
    }

    /// Gives the one that waits its turn. False: nobody waits.
    pub(super) fn flush(&self) -> bool {
        let now = self.shared.0.now();
        self.wake(|held, batch| {
            let waits = held.settle(Ok(()), batch);
            if waits {
                held.state.pace.ran(now);
            }
            waits
        })
    }

    /// Turns away the one that waits. False: nobody waits.
    pub(super) fn cancel(&self) -> bool {
        self.wake(|held, batch| {
            let waits = held.settle(Err(Skipped::Cancelled), batch);
            if waits {
                held.state.pace.withdrawn();
            }
            held.state.pace.cancelled();
            waits
        })
    }

    /// Whether a call waits.
    pub(super) fn waits(&self) -> bool {
        self.read(|held| !held.is_empty(LINE))
    }
}
