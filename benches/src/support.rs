//! What the contenders of a workload share.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use crate::harness::{heap_bytes, wall_ns};

/// Polls `future` once with a waker that does nothing.
pub fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Runs `future` on this thread, which is parked while there is nothing to do.
pub fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        std::thread::park();
    }
}

/// A small generator of numbers that are the same in every run.
pub struct Random(u64);

impl Random {
    pub fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// `count` durations of `from` to `to`, the same ones in every run.
pub fn durations(count: usize, from: Duration, to: Duration) -> Vec<Duration> {
    let mut random = Random::new();
    let span = (to - from).as_nanos() as u64;
    (0..count).map(|_| from + Duration::from_nanos(random.below(span))).collect()
}

/// Counts the wake-ups of many futures down and wakes one waiter at the last.
pub struct Countdown {
    left: AtomicUsize,
    waiter: Mutex<Option<Waker>>,
}

impl Countdown {
    pub fn new(count: usize) -> Arc<Self> {
        Arc::new(Self { left: AtomicUsize::new(count), waiter: Mutex::new(None) })
    }

    /// Resolves when all were woken.
    pub fn done(&self) -> impl Future<Output = ()> + '_ {
        std::future::poll_fn(|cx| {
            *self.waiter.lock().expect("nobody panics") = Some(cx.waker().clone());
            // Either the last wake-up, which counts first, finds the waiter, or this finds zero.
            if self.left.load(Ordering::SeqCst) == 0 { Poll::Ready(()) } else { Poll::Pending }
        })
    }
}

impl Wake for Countdown {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            let waiter = self.waiter.lock().expect("nobody panics").take();
            if let Some(waiter) = waiter {
                waiter.wake();
            }
        }
    }
}

/// Registers `sleeps`, waits until every one has fired, sees each ready and drops it.
pub async fn register_and_fire<S: Future>(sleeps: impl ExactSizeIterator<Item = S>) {
    let countdown = Countdown::new(sleeps.len());
    let waker = Waker::from(countdown.clone());
    let mut cx = Context::from_waker(&waker);
    let mut sleeps: Vec<S> = sleeps.collect();
    for sleep in pinned(&mut sleeps) {
        assert!(sleep.poll(&mut cx).is_pending(), "a sleep was due before it was registered");
    }
    countdown.done().await;
    for sleep in pinned(&mut sleeps) {
        assert!(sleep.poll(&mut cx).is_ready(), "a sleep that fired is ready");
    }
}

/// Registers `waits`, calls `tell` with their number, and sees each woken once and ready.
pub fn told<W: Future>(waits: impl ExactSizeIterator<Item = W>, tell: impl FnOnce(usize) -> f64) -> f64 {
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.wake_by_ref();
        }

        fn wake_by_ref(self: &Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    let count = Arc::new(Count(AtomicUsize::new(0)));
    let waker = Waker::from(count.clone());
    let mut cx = Context::from_waker(&waker);
    let mut waits: Vec<W> = waits.collect();
    for wait in pinned(&mut waits) {
        assert!(wait.poll(&mut cx).is_pending());
    }
    let took = tell(waits.len());
    assert_eq!(count.0.load(Ordering::Relaxed), waits.len(), "each is woken once");
    for wait in pinned(&mut waits) {
        assert!(wait.poll(&mut cx).is_ready());
    }
    took
}

/// Bytes that one pending sleep takes, itself and on the heap, when many are pending.
pub fn bytes_each<S: Future>(create: impl Fn() -> S) -> f64 {
    const COUNT: usize = 10_000;
    let mut sleeps = Vec::with_capacity(COUNT);
    let before = heap_bytes();
    sleeps.extend(std::iter::repeat_with(create).take(COUNT));
    for sleep in pinned(&mut sleeps) {
        assert!(poll_once(sleep).is_pending());
    }
    let heap = heap_bytes().saturating_sub(before);
    size_of::<S>() as f64 + heap as f64 / COUNT as f64
}

/// The elements of `sleeps`, or of whatever it is, which stay where they are until they are dropped.
pub fn pinned<S>(sleeps: &mut [S]) -> impl Iterator<Item = Pin<&mut S>> {
    // SAFETY: all callers own the vector of them, don't touch it after the first call but through here, and drop it whole.
    sleeps.iter_mut().map(|sleep| unsafe { Pin::new_unchecked(sleep) })
}

/// Wall nanoseconds that each of `operations` takes on a thread, while two threads do them.
pub fn two_threads_ns(operations: usize, work: impl Fn() + Sync) -> f64 {
    let start = Barrier::new(3);
    std::thread::scope(|scope| {
        let run = || {
            start.wait();
            for _ in 0..operations {
                work();
            }
        };
        let threads = [scope.spawn(run), scope.spawn(run)];
        start.wait();
        wall_ns(operations, || threads.into_iter().for_each(|thread| thread.join().expect("no panic")))
    })
}

/// Whether a task was woken: true at first.
pub struct Flag(AtomicBool);

impl Flag {
    pub const fn new() -> Self {
        Self(AtomicBool::new(true))
    }

    /// A waker that sets it, which costs as little as one can. To be used for as long as the flag is there.
    pub fn waker(&self) -> Waker {
        /// # Safety
        /// `data` is that of a flag's waker, and the flag is there.
        unsafe fn set(data: *const ()) {
            // SAFETY: as above.
            unsafe { &*data.cast::<Flag>() }.0.store(true, Ordering::Relaxed);
        }
        const TABLE: RawWakerVTable = RawWakerVTable::new(|data| RawWaker::new(data, &TABLE), set, set, |_| {});
        // SAFETY: `spsc`, the one caller, drops all who could keep the waker before the flag.
        unsafe { Waker::from_raw(RawWaker::new(std::ptr::from_ref(self).cast(), &TABLE)) }
    }

    /// Whether it was set since this was last asked.
    pub fn take(&self) -> bool {
        let set = self.0.load(Ordering::Relaxed);
        self.0.store(false, Ordering::Relaxed);
        set
    }
}

/// Who was woken on this thread, in order, each as a number.
pub struct Woken(());

thread_local! {
    static WOKEN: RefCell<VecDeque<usize>> = const { RefCell::new(VecDeque::new()) };
}

impl Woken {
    /// Nobody yet.
    pub fn new() -> Self {
        WOKEN.with_borrow_mut(VecDeque::clear);
        Self(())
    }

    /// A waker of number `n`, which costs as little as one can.
    pub fn waker(n: usize) -> Waker {
        const TABLE: RawWakerVTable = RawWakerVTable::new(
            |data| RawWaker::new(data, &TABLE),
            |data| Woken::push(data.addr()),
            |data| Woken::push(data.addr()),
            |_| {},
        );
        // SAFETY: the pointer is a number, which nobody follows, and the table's functions work on any thread.
        unsafe { Waker::from_raw(RawWaker::new(std::ptr::without_provenance(n), &TABLE)) }
    }

    /// Notes that number `n` was woken.
    pub fn push(n: usize) {
        WOKEN.with_borrow_mut(|woken| woken.push_back(n));
    }

    /// The one that was woken first, once.
    pub fn pop(&self) -> Option<usize> {
        WOKEN.with_borrow_mut(VecDeque::pop_front)
    }
}
