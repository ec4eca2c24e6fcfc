//! Running one future on the calling thread.

use crate::sys::atomic::{AtomicBool, Ordering};
use crate::sys::waker::{Wake, waker};
use crate::sys::{Arc, slot};
use core::future::Future;
use core::pin::pin;
use core::task::{Context, Poll};

/// Runs `future` to its end, calling `idle` whenever it waits and nobody has woken it.
///
/// For loops without an operating system: let `idle` wait for an interrupt. It may return early, and it must return after
/// a wake-up that comes while it runs or just before: `wfe` does, with a `sev` in the interrupt.
///
/// A cancel scope further out on this thread does not reach into the future's polls for its own ends: this call is the
/// bottom of a poll stack.
///
/// # Examples
/// ```
/// use core::time::Duration;
/// use wakeful::spawn::block_on_with;
/// use wakeful::time::ManualClock;
///
/// let clock = ManualClock::new();
/// let sleep = clock.time().sleep(Duration::from_millis(3));
/// // Each idle turn stands for a tick of one millisecond.
/// block_on_with(sleep, || clock.advance(Duration::from_millis(1)));
/// assert_eq!(clock.time().now().as_nanos(), 3_000_000);
/// ```
pub fn block_on_with<F: Future>(future: F, mut idle: impl FnMut()) -> F::Output {
    run(Arc::new(Flag { woken: AtomicBool::new(true), after: || {} }), future, &mut idle)
}

struct Flag<A> {
    woken: AtomicBool,
    after: A,
}

impl<A: Fn() + Send + Sync + 'static> Wake for Flag<A> {
    fn wake(this: &Arc<Self>) {
        // Release: partner of the acquiring swap in `run`; what the waker's thread did is seen by the poll.
        this.woken.store(true, Ordering::Release);
        (this.after)();
    }
}

fn run<F: Future, A: Fn() + Send + Sync + 'static>(flag: Arc<Flag<A>>, future: F, idle: &mut dyn FnMut()) -> F::Output {
    slot::barrier(|| {
        let mut future = pin!(future);
        let waker = waker(flag.clone());
        let mut cx = Context::from_waker(&waker);
        loop {
            while !flag.woken.swap(false, Ordering::Acquire) {
                idle();
            }
            if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
                return output;
            }
        }
    })
}

crate::sys::with_std! {
    use crate::sys::probe;
    use crate::sys::thread::Parker;

    /// Runs `future` to its end, parking the thread whenever it waits.
    ///
    /// Not for use inside an executor's task: it blocks the thread. A cancel scope further out on this thread does not
    /// reach into the future's polls for its own ends: this call is the bottom of a poll stack.
    ///
    /// # Panics
    /// If it would have to wait on the thread of a simulated run, which is to move time on and to
    /// poll whoever could wake it. Where a run may be woken by other threads, it waits for them.
    ///
    /// # Examples
    /// ```
    /// use core::time::Duration;
    /// use wakeful::time::Time;
    ///
    /// let time = Time::system();
    /// let start = time.now();
    /// wakeful::spawn::block_on(time.sleep(Duration::from_millis(2)));
    /// assert!(time.now() - start >= Duration::from_millis(2));
    /// ```
    pub fn block_on<F: Future>(future: F) -> F::Output {
        let parker = Parker::here();
        let flag = Flag { woken: AtomicBool::new(true), after: move || parker.unpark() };
        run(Arc::new(flag), future, &mut || {
            assert!(probe::may_block(), "`block_on` would wait for ever in a simulated run, whose thread it blocks: await the future");
            Parker::park();
        })
    }
}
