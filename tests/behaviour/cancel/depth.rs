//! Scopes thousands deep on a small stack, in a build that optimises nothing. No runtime has a part in it.

use crate::support::{Boxed, Counter, LONG, poll};
use pin_project_lite::pin_project;
use std::future::pending;
use std::pin::Pin;
use std::task::{Context, Poll};
use wakeful::cancel::Scope;
use wakeful::time::ManualClock;

const DEPTH: usize = 5_000;

/// Runs `f` on a thread with a stack of 2 MiB.
fn on_a_small_stack(f: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(2 << 20).spawn(f).unwrap().join().unwrap();
}

#[test]
fn thousands_of_nested_children_poll_and_drop_on_a_small_stack() {
    on_a_small_stack(|| {
        let root = Scope::new(ManualClock::new().time());
        let mut deepest = root.child();
        for _ in 1..DEPTH {
            deepest = deepest.child();
        }
        let woken = Counter::new();
        let mut wait = Box::pin(deepest.cancelled());
        assert!(poll(wait.as_mut(), &woken.waker()).is_pending());
        let mut run = Box::pin(deepest.run(pending::<()>()));
        assert!(poll(run.as_mut(), &woken.waker()).is_pending());
        root.cancel("over");
        assert_eq!(woken.count(), 2);
        assert!(poll(wait.as_mut(), &woken.waker()).is_ready());
        assert!(poll(run.as_mut(), &woken.waker()).is_ready());
        drop((wait, run, root));
        drop(deepest);
    });
}

pin_project! {
    /// A future whose output nobody wants.
    struct Ignore<F> {
        #[pin]
        future: F,
    }
}

impl<F: Future> Future for Ignore<F> {
    type Output = ();

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.project().future.poll(cx).is_ready() { Poll::Ready(()) } else { Poll::Pending }
    }
}

#[test]
fn thousands_of_nested_runs_poll_and_drop_on_a_small_stack() {
    on_a_small_stack(|| {
        let clock = ManualClock::new();
        let (dropped, woken) = (Counter::new(), Counter::new());
        let waker = woken.waker();
        for cancel in [true, false] {
            let root = Scope::new(clock.time());
            let guard = dropped.on_drop();
            let mut nest: Boxed<()> = Box::pin(async move {
                let _guard = guard;
                pending().await
            });
            for _ in 0..DEPTH {
                nest = Box::pin(Ignore { future: wakeful::move_on_after(LONG, nest) });
            }
            let mut run = Box::pin(root.run(nest));
            assert!(poll(run.as_mut(), &waker).is_pending());
            if cancel {
                root.cancel("over");
                assert!(poll(run.as_mut(), &waker).is_ready());
            }
            drop(run);
        }
        assert_eq!(dropped.count(), 2);
    });
}
