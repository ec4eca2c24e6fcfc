//! Running a test under loom, or as an ordinary test.
//!
//! A test written against [`model`] and [`spawn`] explores every interleaving when the crate is built with
//! `--cfg wakeful_loom`, and runs on real threads otherwise.

use super::Arc;
use super::atomic::{AtomicBool, Ordering};
use super::waker::{Wake, waker};
use alloc::boxed::Box;
use core::future::Future;
use core::pin::Pin;
use core::task::Poll::{Pending, Ready};
use core::task::{Context, Poll};

#[cfg(not(wakeful_loom))]
pub(crate) use std::thread::spawn;

/// Starts a thread of the model, with more stack than loom gives by itself: a timer wheel is made there.
#[cfg(wakeful_loom)]
pub(crate) fn spawn<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> loom::thread::JoinHandle<T> {
    const WORDS: usize = 0x4000;
    loom::thread::Builder::new().stack_size(WORDS).spawn(f).expect("loom has room for a thread")
}

/// Runs `f` in every interleaving of its threads with up to three preemptions.
#[cfg(wakeful_loom)]
pub(crate) fn model(f: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    let f = Arc::new(f);
    builder.check(move || {
        let f = f.clone();
        spawn(move || f()).join().expect("its panic has been reported");
    });
}

/// Runs `f` on real threads, often enough to meet several interleavings.
#[cfg(not(wakeful_loom))]
pub(crate) fn model(f: impl Fn() + Send + Sync + 'static) {
    (0..50).for_each(|_| f());
}

/// Where two threads meet, of whom one may have done all that it does before the other one begins.
///
/// Loom tries another order where a thread changes what another one has reached, and of that it knows the last time only. Where one
/// looks before it changes, its own look is the last time, and what the other one did before is never tried after it. Here it is.
#[derive(Clone)]
pub(crate) struct Meeting(Arc<AtomicBool>);

impl Meeting {
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicBool::new(false)))
    }

    /// The one has done all. Relaxed, as below: it orders nothing.
    pub(crate) fn over(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// The other one begins.
    pub(crate) fn begin(&self) {
        self.0.load(Ordering::Relaxed);
    }
}

/// Whether it was woken.
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(this: &Arc<Self>) {
        // Release: partner of the load in `woken`.
        this.0.store(true, Ordering::Release);
    }
}

/// A future that goes to other threads, with a flag for the waker of its last poll.
pub(crate) struct Task<T> {
    future: Pin<Box<dyn Future<Output = T> + Send>>,
    flag: Arc<Flag>,
}

impl<T> Task<T> {
    /// It has not been polled.
    pub(crate) fn new(future: impl Future<Output = T> + Send + 'static) -> Self {
        Self { future: Box::pin(future), flag: Arc::new(Flag(AtomicBool::new(false))) }
    }

    /// Polls, each time with another waker.
    pub(crate) fn poll(&mut self) -> Poll<T> {
        self.flag = Arc::new(Flag(AtomicBool::new(false)));
        self.future.as_mut().poll(&mut Context::from_waker(&waker(self.flag.clone())))
    }

    /// One that waits already.
    pub(crate) fn waiting(mut self) -> Self {
        assert!(self.poll().is_pending());
        self
    }

    /// Whether the waker of its last poll was woken.
    pub(crate) fn woken(&self) -> bool {
        self.flag.0.load(Ordering::Acquire)
    }

    /// What it comes to, when all else is done; one that is still pending has been woken.
    pub(crate) fn finish(mut self, first: Poll<T>) -> T {
        if let Ready(output) = first {
            return output;
        }
        assert!(self.woken(), "asleep");
        match self.poll() {
            Ready(output) => output,
            Pending => panic!("woken for nothing"),
        }
    }
}

/// Numbers that look random, the same for the same seed: Sebastiano Vigna's SplitMix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        super::mix::next(&mut self.0)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}
