//! What only an operating system has: parking a thread, a thread that rings at an instant, catching a panic.

use super::with_std;

#[cfg(not(feature = "std"))]
mod none {
    use alloc::boxed::Box;
    use core::any::Any;

    /// Runs `f`. Without `std` a panic can't be caught, so the answer is never an error.
    pub(crate) fn catch<R>(f: impl FnOnce() -> R) -> Result<R, Box<dyn Any + Send>> {
        Ok(f())
    }

    /// Goes on panicking. There is nothing to go on with, as nothing is caught.
    pub(crate) fn resume(_: Box<dyn Any + Send>) -> ! {
        panic!("a panic that was caught without std")
    }

    /// Whether a panic is on its way. None is ever seen to be.
    pub(crate) fn is_panicking() -> bool {
        false
    }

    /// The only thread that is known.
    #[cfg(feature = "sim")]
    pub(crate) struct Home;

    #[cfg(feature = "sim")]
    impl Home {
        pub(crate) fn here() -> Self {
            Self
        }

        #[inline(always)]
        pub(crate) fn is_here(&self) -> bool {
            true
        }

        pub(crate) fn unpark(&self) {}

        /// Whether `done`; nobody can be waited for.
        pub(crate) fn park_until(&self, done: impl Fn() -> bool, _: core::time::Duration) -> bool {
            done()
        }
    }
}
#[cfg(not(feature = "std"))]
pub(crate) use none::*;

/// How to use several threads, and to tell the time, where there is neither: one does everything, and no time passes.
#[cfg(all(feature = "sim", not(feature = "std")))]
mod alone {
    use core::time::Duration;

    pub(crate) fn processors() -> usize {
        1
    }

    pub(crate) fn spread(_: usize, work: impl Fn() + Sync) {
        work();
    }

    pub(crate) struct Stopwatch;

    impl Stopwatch {
        pub(crate) fn start() -> Self {
            Self
        }

        pub(crate) fn elapsed(&self) -> Duration {
            Duration::ZERO
        }
    }
}
#[cfg(all(feature = "sim", not(feature = "std")))]
pub(crate) use alone::{Stopwatch, processors, spread};

#[cfg(all(feature = "sim", feature = "std"))]
mod together {
    use core::time::Duration;
    use std::time::Instant;

    /// How many threads make sense at once.
    pub(crate) fn processors() -> usize {
        std::thread::available_parallelism().map_or(1, usize::from)
    }

    /// Calls `work` on so many threads at once, this one among them. If there can't be as many, on fewer.
    pub(crate) fn spread(threads: usize, work: impl Fn() + Sync) {
        let work = &work;
        std::thread::scope(|scope| {
            for _ in 1..threads {
                let started = std::thread::Builder::new().name("wakeful-sim".into()).spawn_scoped(scope, work);
                if started.is_err() {
                    break;
                }
            }
            work();
        });
    }

    /// Tells how much time has passed; none where the target has no clock.
    pub(crate) struct Stopwatch(Option<Instant>);

    impl Stopwatch {
        pub(crate) fn start() -> Self {
            let has_clock = !cfg!(all(target_family = "wasm", target_os = "unknown"));
            Self(has_clock.then(Instant::now))
        }

        pub(crate) fn elapsed(&self) -> Duration {
            self.0.map_or(Duration::ZERO, |start| start.elapsed())
        }
    }
}
#[cfg(all(feature = "sim", feature = "std"))]
pub(crate) use together::{Stopwatch, processors, spread};

/// Waits a little, and then a little longer, for what another thread is about to do.
pub(crate) struct Patience(core::ops::Range<u32>);

impl Patience {
    /// How often there is something to wait for: without other threads never, and not in models of them, which would not end.
    const WAITS: u32 = if cfg!(all(feature = "std", not(wakeful_loom))) { 5 } else { 0 };
    /// The same, where there is little to be lost by not waiting.
    const FEW_WAITS: u32 = if Self::WAITS < 2 { Self::WAITS } else { 2 };
    /// How long the first wait is; each other one is twice as long as the one before.
    const PAUSES: u32 = 16;

    #[inline]
    pub(crate) fn new() -> Self {
        Self(0..Self::WAITS)
    }

    #[inline]
    pub(crate) fn little() -> Self {
        Self(0..Self::FEW_WAITS)
    }

    /// False: it has waited long enough.
    #[inline]
    pub(crate) fn wait(&mut self) -> bool {
        let Some(waits) = self.0.next() else { return false };
        (0..Self::PAUSES << waits).for_each(|_| core::hint::spin_loop());
        true
    }
}

/// Runs `f`, whose panic ends here once the panic hook has told of it: for wakers that are woken while something else is at
/// stake. Without `std` there is no holding it.
pub(crate) fn contain(f: impl FnOnce()) {
    if let Err(panic) = catch(f) {
        // Its drop may panic too.
        core::mem::forget(panic);
    }
}

/// The environment's variable `name`, where there is an environment.
#[cfg(feature = "sim")]
pub(crate) fn variable(name: &str) -> Option<alloc::string::String> {
    #[cfg(feature = "std")]
    return std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
    #[cfg(not(feature = "std"))]
    {
        let _ = name;
        None
    }
}

with_std! {
    use alloc::boxed::Box;
    use core::any::Any;
    use core::time::Duration;
    pub(crate) use std::sync::OnceLock;
    use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
    use std::thread::Thread;

    /// Runs `f` and catches its panic.
    ///
    /// The kit drops what `f` worked on or hands it back whole, so nothing half-changed is looked at afterwards.
    pub(crate) fn catch<R>(f: impl FnOnce() -> R) -> Result<R, Box<dyn Any + Send>> {
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(f))
    }

    /// Goes on panicking with what was caught.
    pub(crate) fn resume(panic: Box<dyn Any + Send>) -> ! {
        std::panic::resume_unwind(panic)
    }

    /// Whether a panic is on its way through the caller.
    pub(crate) fn is_panicking() -> bool {
        std::thread::panicking()
    }

    /// A handle to the calling thread, to be unparked from elsewhere.
    pub(crate) struct Parker(Thread);

    impl Parker {
        /// The calling thread.
        pub(crate) fn here() -> Self {
            Self(std::thread::current())
        }

        /// Lets [`park`](Self::park) return.
        pub(crate) fn unpark(&self) {
            self.0.unpark();
        }

        /// Waits on the thread that made this handle until it is unparked; may return early.
        pub(crate) fn park() {
            std::thread::park();
        }
    }

    /// A thread that others may tell from theirs, and wake.
    #[cfg(feature = "sim")]
    pub(crate) struct Home {
        token: usize,
        thread: Thread,
    }

    #[cfg(feature = "sim")]
    impl Home {
        /// The calling thread.
        pub(crate) fn here() -> Self {
            Self { token: token(), thread: std::thread::current() }
        }

        /// Whether the calling thread is this one.
        #[inline]
        pub(crate) fn is_here(&self) -> bool {
            self.token == token()
        }

        /// Lets [`park_until`](Self::park_until) look again.
        pub(crate) fn unpark(&self) {
            self.thread.unpark();
        }

        /// Waits on this thread until `done`, but not longer than `patience`. Whether it is.
        pub(crate) fn park_until(&self, done: impl Fn() -> bool, patience: Duration) -> bool {
            let start = std::time::Instant::now();
            loop {
                if done() {
                    return true;
                }
                match patience.checked_sub(start.elapsed()).filter(|left| !left.is_zero()) {
                    Some(left) => std::thread::park_timeout(left),
                    None => return false,
                }
            }
        }
    }

    /// Tells a thread from all others that live; 0 if it is about to end.
    #[cfg(feature = "sim")]
    #[inline]
    fn token() -> usize {
        std::thread_local! {
            static HERE: u8 = const { 0 };
        }
        HERE.try_with(|here| core::ptr::from_ref(here).addr()).unwrap_or(0)
    }

    /// An instant, in nanoseconds of some clock, at which a thread should ring.
    ///
    /// Ringing times are rounded up to the grid of `slack`, so alarms that lie close together are one ringing.
    pub(crate) struct Bell {
        state: Mutex<BellState>,
        changed: Condvar,
        slack: u64,
    }

    struct BellState {
        /// The rounded instant, `u64::MAX` for never.
        at: u64,
        started: bool,
        closed: bool,
    }

    impl Bell {
        /// A bell that is not set; `slack` in nanoseconds.
        pub(crate) fn new(slack: u64) -> Self {
            let state = BellState { at: u64::MAX, started: false, closed: false };
            Self { state: Mutex::new(state), changed: Condvar::new(), slack }
        }

        fn state(&self) -> MutexGuard<'_, BellState> {
            self.state.lock().unwrap_or_else(PoisonError::into_inner)
        }

        /// Rings no later than `at` plus the slack. True on the first call that asks for a ringing: the caller starts the thread.
        pub(crate) fn set(&self, at: u64) -> bool {
            let at = match self.slack {
                0 => at,
                grid => at.div_ceil(grid).saturating_mul(grid),
            };
            let mut state = self.state();
            if at >= state.at {
                return false;
            }
            state.at = at;
            let first = !state.started;
            state.started = true;
            drop(state);
            self.changed.notify_one();
            first
        }

        /// Takes the last [`set`](Self::set) back, since its thread could not be started.
        pub(crate) fn unset(&self) {
            let mut state = self.state();
            state.at = u64::MAX;
            state.started = false;
        }

        /// Lets the waiting thread end.
        pub(crate) fn close(&self) {
            self.state().closed = true;
            self.changed.notify_one();
        }

        /// Waits until the bell rings and forgets its instant. False: the bell is closed.
        pub(crate) fn wait(&self, now: impl Fn() -> u64) -> bool {
            let mut state = self.state();
            loop {
                if state.closed {
                    return false;
                }
                let left = match state.at {
                    u64::MAX => None,
                    at => Some(at.saturating_sub(now())),
                };
                state = match left {
                    Some(0) => {
                        state.at = u64::MAX;
                        return true;
                    }
                    Some(left) => {
                        let left = Duration::from_nanos(left);
                        self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                    }
                    None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                };
            }
        }
    }

    /// Starts a detached thread. True if there is one.
    pub(crate) fn start(name: &str, body: impl FnOnce() + Send + 'static) -> bool {
        std::thread::Builder::new().name(name.into()).spawn(body).is_ok()
    }
}

#[cfg(all(test, feature = "std", not(wakeful_loom)))]
mod tests {
    use super::*;
    use core::cell::Cell;

    #[test]
    fn a_bell_rings_on_the_grid_of_its_slack_and_never_before() {
        for (slack, at, rings) in [(0, 11, 11), (10, 11, 20), (10, 20, 20), (1, 7, 7)] {
            let bell = Bell::new(slack);
            assert!(bell.set(at), "the first call asks for a thread");
            assert!(!bell.set(at + 100) && !bell.set(u64::MAX), "later ones change nothing");
            let now = Cell::new(0);
            assert!(bell.wait(|| now.replace(now.get() + 1)));
            assert_eq!(now.get() - 1, rings, "slack {slack}, asked for {at}");
        }
    }

    #[test]
    fn a_bell_that_rang_has_forgotten_and_one_that_is_closed_does_not_ring() {
        let bell = Bell::new(0);
        bell.set(5);
        assert!(bell.wait(|| 5));
        assert!(!bell.set(9), "the thread is there");
        bell.set(7);
        assert!(bell.wait(|| 7), "the earlier of two");
        bell.set(1);
        bell.close();
        assert!(!bell.wait(|| 9));
    }
}
