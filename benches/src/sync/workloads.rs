//! What the contenders do, once they have said how.

use std::cell::Cell;
use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::{HOG_GIVES_UP, OPERATIONS, TASKS, WAITERS};
use crate::harness::cpu_ns;
use crate::support::{Countdown, poll_once};
use crate::tasks::{self, Task, again, take_turns};

/// Acquires by a future that is ready at once, and gives back.
pub fn pair<F: Future>(acquire: impl Fn() -> F) -> f64 {
    repeat(|| {
        let Poll::Ready(permit) = poll_once(pin!(acquire())) else { panic!("there are permits") };
        drop(black_box(permit));
    })
}

/// The tasks acquire, yield and give back, until they have done so often enough together. How often each did.
fn contend<F: Future>(acquire: impl Fn() -> F) -> [Cell<usize>; TASKS] {
    let turns = [const { Cell::new(0) }; TASKS];
    let left = Cell::new(OPERATIONS);
    let task = |turns| {
        let (acquire, left) = (&acquire, &left);
        Box::pin(take_turns(acquire, left, turns)) as Task<'_>
    };
    tasks::run(turns.iter().map(task).collect());
    turns
}

/// What a turn costs where eight tasks want two permits.
pub fn contended<F: Future>(acquire: impl Fn() -> F) -> f64 {
    cpu_ns(OPERATIONS, || {
        contend(acquire);
    })
}

/// The fewest turns of a task by the most, in per cent.
pub fn share<F: Future>(acquire: impl Fn() -> F) -> f64 {
    let turns = contend(acquire).map(|turns| turns.get() as f64);
    let (least, most) = turns.iter().fold((f64::MAX, 0_f64), |(least, most), &n| (least.min(n), most.max(n)));
    100.0 * least / most
}

/// How many turns a task that wants the only permit again and again has, from when another waits for it until that one
/// has it.
pub fn hog<F: Future>(acquire: impl Fn() -> F) -> f64 {
    let (turns, served) = (Cell::new(0), Cell::new(false));
    let hog: Task<'_> = Box::pin(async {
        while !served.get() && turns.get() < HOG_GIVES_UP {
            let permit = acquire().await;
            if !served.get() {
                turns.set(turns.get() + 1);
            }
            again().await;
            drop(permit);
        }
    });
    let waiter: Task<'_> = Box::pin(async {
        drop(acquire().await);
        served.set(true);
    });
    tasks::run(vec![hog, waiter]);
    turns.get() as f64
}

/// One waits, is told, and goes on.
pub fn cycle<F: Future>(wait: impl Fn() -> F, tell: impl Fn()) -> f64 {
    repeat(|| {
        let mut waits = pin!(wait());
        assert!(poll_once(waits.as_mut()).is_pending());
        tell();
        assert!(poll_once(waits.as_mut()).is_ready());
    })
}

/// Many wait and are told together: what that costs for each, the waiting not counted.
pub fn wake_many<F: Future>(wait: impl Fn() -> F, tell: impl FnOnce()) -> f64 {
    let waker = Waker::from(Countdown::new(WAITERS + 1));
    let mut waiters: Vec<_> = (0..WAITERS).map(|_| Box::pin(wait())).collect();
    for waits in &mut waiters {
        assert!(waits.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    let cost = cpu_ns(WAITERS, tell);
    assert!(waiters.iter_mut().all(|waits| poll_once(waits.as_mut()).is_ready()));
    cost
}

/// Tells, where nobody waits.
pub fn idle(tell: impl Fn()) -> f64 {
    repeat(tell)
}

/// Does something over and over.
pub fn repeat(mut work: impl FnMut()) -> f64 {
    cpu_ns(OPERATIONS, || (0..OPERATIONS).for_each(|_| work()))
}

/// One arrives and waits, the other arrives, and both go on.
pub fn meet<F: Future>(arrive: impl Fn() -> F) -> f64 {
    repeat(|| {
        let mut waits = pin!(arrive());
        assert!(poll_once(waits.as_mut()).is_pending());
        assert!(poll_once(pin!(arrive())).is_ready());
        assert!(poll_once(waits).is_ready());
    })
}
