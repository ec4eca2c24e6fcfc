//! Who waits for permits, and the one timer that grants them.
//!
//! # Invariants
//!
//! - **G1** `queued` is the sum of the permits for which the line waits.
//! - **G2** When a call ends, the first in line is not due at the latest instant that the limiter was told, and `want` is
//!   the instant at which it will be; `u64::MAX` if nobody waits.
//! - **G3** When nobody is in [`follow`], the timer is set to `want`. `set` is what it was last set to, `u64::MAX` once it
//!   rang.
//! - **G4** Whoever takes the sleep out of the state has it alone, and puts it back; those who change `want` meanwhile
//!   leave the setting to it. So the timer queue is reached outside the limiter's lock.

use super::gcra::{Bucket, Rate};
use super::quota::Quota;
use crate::cancel::Deadline;
use crate::sys::waker::{Wake, waker};
use crate::sys::{Arc, probe};
use crate::time::{Instant, Sleep, Time};
use crate::wait::{Batch, Departure, Hall, Held, Line, Place};
use alloc::boxed::Box;
use core::future::Future;
use core::pin::Pin;
use core::task::Context;

/// The one line of a limiter.
pub(super) const LINE: usize = 0;

/// A limiter: shared by its handles.
pub(super) type Gate = Hall<Limit>;

/// What waits at a limiter.
pub(super) struct Limit;

/// What is reached without the lock.
pub(super) struct Shared {
    pub(super) time: Time,
    pub(super) quota: Quota,
    pub(super) id: probe::Id,
    rate: Rate,
}

/// What the lock guards.
pub(super) struct State {
    bucket: Bucket,
    latest: u64,
    queued: u64,
    want: u64,
    set: u64,
    timer: Timer,
}

/// The sleep of the limiter.
enum Timer {
    /// Not needed so far.
    None,
    /// At rest, or registered.
    Here(Pin<Box<Sleep>>),
    /// Somebody sets it (G4).
    Out,
}

/// What a waiter brings.
pub(super) struct Wish {
    permits: u32,
    /// When it came.
    since: u64,
    /// Before which a grant is of use.
    deadline: Deadline,
    /// It was turned away: its turn would have come at this instant.
    refused: Option<u64>,
}

impl Wish {
    pub(super) fn new(permits: u32, deadline: Deadline) -> Self {
        Self { permits, since: 0, deadline, refused: None }
    }
}

impl Place for Limit {
    type State = State;
    type Shared = Shared;
    type Slot = Wish;
    type Lines = [Line<Wish>; 1];
    const PASSES_ON: bool = true;

    /// Callers settle afterwards.
    fn left(held: &mut Held<'_, Self>, departure: Departure, wish: &mut Wish, _: &mut Batch) {
        match departure {
            Departure::Line(_) => held.state.queued -= u64::from(wish.permits),
            Departure::Grant(_) => held.state.bucket.refund(&held.shared.rate, wish.permits),
        }
    }
}

/// A limiter whose bucket is full.
#[track_caller]
pub(super) fn gate(time: Time, quota: Quota) -> Arc<Gate> {
    let rate = Rate::new(&quota);
    let state =
        State { bucket: Bucket::default(), latest: 0, queued: 0, want: u64::MAX, set: u64::MAX, timer: Timer::None };
    let shared = Shared { time, quota, id: probe::Id::new(), rate };
    Arc::new(Hall::new(shared, state, [Line::new()]))
}

/// What is left to do outside the lock.
#[derive(Clone, Copy, Default)]
#[must_use = "others are to be woken, or the timer set"]
pub(super) struct Todo {
    /// The batch was full: settle again.
    more: bool,
    /// The timer is to be set.
    set: bool,
}

impl Held<'_, Limit> {
    /// Takes note of a reading of the clock (L7), and gives the latest.
    #[inline]
    pub(super) fn tell(&mut self, now: Instant) -> u64 {
        self.state.latest = self.state.latest.max(now.as_nanos());
        self.state.latest
    }

    /// Grants `permits` to a newcomer, if nobody waits and the quota allows it.
    #[inline]
    pub(super) fn take(&mut self, permits: u32, now: u64) -> bool {
        let rate = &self.shared.rate;
        let ready = self.is_empty(LINE) && self.state.bucket.is_ready(rate, permits, now);
        if ready {
            self.state.bucket.charge(rate, permits, now, now);
        }
        ready
    }

    /// The first instant at which a newcomer could have `permits`.
    pub(super) fn due(&self, permits: u32) -> u64 {
        self.state.bucket.due(&self.shared.rate, self.state.queued.saturating_add(u64::from(permits)))
    }

    /// For how many permits the line waits.
    pub(super) fn queued(&self) -> u64 {
        self.state.queued
    }

    /// Counts a waiter that is about to join.
    pub(super) fn count(&mut self, wish: &mut Wish, now: u64) {
        wish.since = now;
        self.state.queued += u64::from(wish.permits);
    }

    /// Grants whoever is due at `now`, turns away first ones whose turn comes too late for them, and says when the next is
    /// due (G2).
    #[inline]
    pub(super) fn settle(&mut self, now: u64, batch: &mut Batch) -> Todo {
        let more = !self.is_empty(LINE) && self.serve(now, batch);
        if self.is_empty(LINE) {
            self.state.want = u64::MAX;
        }
        let set = self.state.want != self.state.set && !matches!(self.state.timer, Timer::Out);
        Todo { more, set }
    }

    fn serve(&mut self, now: u64, batch: &mut Batch) -> bool {
        let rate = &self.shared.rate;
        loop {
            let bucket = self.state.bucket;
            let Some(wish) = self.first(LINE) else { return false };
            let (permits, since) = (wish.permits, wish.since);
            let due = bucket.due(rate, u64::from(permits));
            let turn = due.max(now);
            let late = !wish.deadline.allows(Instant::from_nanos(turn));
            if due > now && !late {
                self.state.want = due;
                return false;
            }
            if batch.is_full() {
                self.state.want = now;
                return true;
            }
            if late {
                wish.refused = Some(turn);
                self.dismiss(LINE, batch);
            } else {
                self.state.bucket.charge(rate, permits, since, now);
                self.grant(LINE, batch);
            }
            self.state.queued -= u64::from(permits);
        }
    }
}

/// Why a wish was turned away, if it was.
pub(super) fn refusal(wish: &Wish) -> Option<Instant> {
    wish.refused.map(Instant::from_nanos)
}

impl Wake for Gate {
    /// The timer rang.
    fn wake(gate: &Arc<Self>) {
        let now = gate.shared.time.now();
        let mut batch = Batch::new();
        let todo = gate.with(|held| {
            held.state.set = u64::MAX;
            let now = held.tell(now);
            held.settle(now, &mut batch)
        });
        follow(gate, &mut batch, todo);
    }
}

/// Does outside the lock what a call left to do: wakes those in `batch`, and sets the timer.
#[inline]
pub(super) fn follow(gate: &Arc<Gate>, batch: &mut Batch, todo: Todo) {
    if todo.more || todo.set { follow_up(gate, batch, todo.more) } else { batch.fire() }
}

#[cold]
fn follow_up(gate: &Arc<Gate>, batch: &mut Batch, more: bool) {
    /// Does the rest, also while the panic of a waker unwinds.
    struct Rest<'a> {
        gate: &'a Arc<Gate>,
        more: bool,
    }
    impl Drop for Rest<'_> {
        fn drop(&mut self) {
            loop {
                if self.more {
                    self.gate.wake_to_end(|held, batch| {
                        let now = held.state.latest;
                        held.settle(now, batch).more
                    });
                }
                match set_timer(self.gate) {
                    Some(rang) => self.more = rang,
                    None => break,
                }
            }
        }
    }
    let _rest = Rest { gate, more };
    batch.fire();
}

/// Sets the timer to what is wanted (G3), and says whether that instant was there already. None: it is set, or somebody
/// else is about to set it; after any other answer the caller looks again, since what is wanted may have changed.
fn set_timer(gate: &Arc<Gate>) -> Option<bool> {
    /// Puts the sleep back, also when a waker or the clock panics.
    struct Out<'a> {
        gate: &'a Gate,
        sleep: Option<Pin<Box<Sleep>>>,
    }
    impl Drop for Out<'_> {
        fn drop(&mut self) {
            let timer = self.sleep.take().map_or(Timer::None, Timer::Here);
            self.gate.with(|held| held.state.timer = timer);
        }
    }
    let (timer, at) = gate.with(|held| {
        let state = &mut *held.state;
        if state.want == state.set || matches!(state.timer, Timer::Out) {
            return None;
        }
        state.set = state.want;
        Some((core::mem::replace(&mut state.timer, Timer::Out), Instant::from_nanos(state.want)))
    })?;
    let mut out = Out { gate, sleep: None };
    let sleep = out.sleep.insert(match timer {
        Timer::Here(sleep) => sleep,
        _ => Box::pin(gate.shared.time.sleep_until(at)),
    });
    sleep.as_mut().reset(at);
    let waker = waker(gate.clone());
    let rang = sleep.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
    drop(out);
    if rang {
        // The timer queue has reached that instant, so nobody else will say so.
        gate.with(|held| {
            held.tell(at);
            held.state.set = u64::MAX;
        });
    }
    Some(rang)
}
