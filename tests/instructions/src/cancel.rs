//! Scopes that nothing cancels meanwhile, by a clock whose reading costs nothing.

use crate::TIMES;
use crate::time::still;
use std::future::{pending, poll_fn, ready};
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use wakeful::cancel::{Scope, fail_after};

/// As many as one cancelling tells.
const WAITS: usize = 100;
/// Ahead of everything.
const AHEAD: std::time::Duration = std::time::Duration::from_secs(60);

/// A child of the root is asked.
#[inline(never)]
pub fn is_cancelled() {
    let child = Scope::new(still()).child().clone();
    for _ in 0..TIMES {
        assert!(!black_box(&child).is_cancelled());
    }
}

/// A child is made and dropped.
#[inline(never)]
pub fn child() {
    let root = Scope::new(still());
    for _ in 0..TIMES {
        drop(black_box(root.child()));
    }
}

/// A run's body is ready at its first poll.
#[inline(never)]
pub fn run_ready() {
    let root = Scope::new(still());
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..TIMES {
        assert!(pin!(root.run(ready(black_box(1)))).poll(&mut cx).is_ready());
    }
}

/// A run whose body is never ready is polled once and dropped.
#[inline(never)]
pub fn run_pending() {
    let root = Scope::new(still());
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..TIMES {
        assert!(pin!(root.run(pending::<()>())).poll(&mut cx).is_pending());
    }
}

/// A run is polled anew, with the same waker, while nothing happens.
#[inline(never)]
pub fn run_again() {
    let root = Scope::new(still());
    let mut cx = Context::from_waker(Waker::noop());
    let mut run = pin!(root.run(pending::<()>()));
    for _ in 0..TIMES {
        assert!(run.as_mut().poll(&mut cx).is_pending());
    }
}

/// A timeout's body is ready at its first poll.
#[inline(never)]
pub fn timeout_ready() {
    let root = Scope::new(still());
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..TIMES {
        assert!(pin!(root.fail_after(AHEAD, async |_| ready(black_box(1)).await)).poll(&mut cx).is_ready());
    }
}

/// A timeout whose body is never ready is polled once and dropped.
#[inline(never)]
pub fn timeout_pending() {
    let root = Scope::new(still());
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..TIMES {
        assert!(pin!(root.fail_after(AHEAD, async |_| pending::<()>().await)).poll(&mut cx).is_pending());
    }
}

/// A free timeout inside a run, whose body is ready at its first poll.
#[inline(never)]
pub fn free_timeout_ready() {
    let root = Scope::new(still());
    let timeouts = poll_fn(|cx| {
        for _ in 0..TIMES {
            assert!(pin!(fail_after(AHEAD, ready(black_box(1)))).poll(cx).is_ready());
        }
        Poll::Ready(())
    });
    assert!(pin!(root.run(timeouts)).poll(&mut Context::from_waker(Waker::noop())).is_ready());
}

/// A free timeout inside a run, whose body is never ready, is polled once and dropped.
#[inline(never)]
pub fn free_timeout_pending() {
    let root = Scope::new(still());
    let timeouts = poll_fn(|cx| {
        for _ in 0..TIMES {
            assert!(pin!(fail_after(AHEAD, pending::<()>())).poll(cx).is_pending());
        }
        Poll::Ready(())
    });
    assert!(pin!(root.run(timeouts)).poll(&mut Context::from_waker(Waker::noop())).is_ready());
}

/// Somebody waits for a scope that is then cancelled; a hundredth of what a hundred of them take, each in a child of its own,
/// without making and dropping them.
#[inline(never)]
pub fn told() {
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..TIMES / WAITS {
        let root = Scope::new(still());
        let mut waits: Vec<_> = (0..WAITS).map(|_| Box::pin(root.child().cancelled())).collect();
        for wait in &mut waits {
            assert!(wait.as_mut().poll(&mut cx).is_pending());
        }
        cancel(&root);
    }
}

#[inline(never)]
pub fn cancel(root: &Scope) {
    assert!(root.cancel("over"));
}
