//! The one timer of a limiter, and what a call leaves to do outside the lock. The invariants stand in `state.rs`.

use super::decide::Algorithm;
use super::state::{Gate, Todo};
use crate::sys::Arc;
use crate::sys::thread::contain;
use crate::sys::waker::{Wake, waker};
use crate::time::{Instant, Sleep};
use crate::wait::Batch;
use alloc::boxed::Box;
use core::future::Future;
use core::pin::Pin;
use core::task::Context;

/// The sleep of the limiter.
pub(super) enum Timer {
    /// Not needed so far.
    None,
    /// At rest, or registered.
    Here(Pin<Box<Sleep>>),
    /// Somebody sets it (G4).
    Out,
}

impl<A: Algorithm> Wake for Gate<A> {
    /// The timer rang.
    fn wake(gate: &Arc<Self>) {
        let now = gate.shared.now();
        let mut batch = Batch::new();
        let todo = gate.with(|held| {
            held.state.set = u64::MAX;
            let now = held.open(now, &mut batch);
            held.close(now, &mut batch)
        });
        follow(gate, &mut batch, todo);
    }
}

/// Does outside the lock what a call left to do: wakes those in `batch`, and sets the timer.
#[inline]
pub(super) fn follow<A: Algorithm>(gate: &Arc<Gate<A>>, batch: &mut Batch, todo: Todo) {
    if todo.more || todo.set { follow_up(gate, batch, todo.more) } else { batch.fire() }
}

#[cold]
fn follow_up<A: Algorithm>(gate: &Arc<Gate<A>>, batch: &mut Batch, more: bool) {
    /// Does the rest, also while the panic of a waker unwinds.
    struct Rest<'a, A: Algorithm> {
        gate: &'a Arc<Gate<A>>,
        more: bool,
        done: bool,
    }
    impl<A: Algorithm> Rest<'_, A> {
        fn run(&mut self) {
            loop {
                if core::mem::take(&mut self.more) {
                    self.gate.wake_to_end(|held, batch| {
                        let now = held.state.latest;
                        held.close(now, batch).more
                    });
                }
                match set_timer(self.gate) {
                    Some(rang) => self.more = rang,
                    None => break,
                }
            }
            self.done = true;
        }
    }
    impl<A: Algorithm> Drop for Rest<'_, A> {
        fn drop(&mut self) {
            while !self.done {
                contain(|| self.run());
            }
        }
    }
    let mut rest = Rest { gate, more, done: false };
    batch.fire();
    rest.run();
}

/// Sets the timer to what is wanted (G3), and says whether that instant was there already. None: it is set, or somebody
/// else is about to set it; after any other answer the caller looks again, since what is wanted may have changed.
fn set_timer<A: Algorithm>(gate: &Arc<Gate<A>>) -> Option<bool> {
    /// Puts the sleep back, also when a waker or the clock panics.
    struct Out<'a, A: Algorithm> {
        gate: &'a Gate<A>,
        sleep: Option<Pin<Box<Sleep>>>,
    }
    impl<A: Algorithm> Drop for Out<'_, A> {
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
            held.state.latest = held.state.latest.max(at.as_nanos());
            held.state.set = u64::MAX;
        });
    }
    Some(rang)
}
