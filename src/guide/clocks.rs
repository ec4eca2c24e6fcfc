//! Where time comes from.
//!
//! # One handle
//!
//! Whatever has to do with time takes a [`Time`](crate::time::Time), or a [`Scope`](crate::cancel::Scope), which has one. There is
//! no global clock that a test would have to replace, so two tests in two threads never share a time.
//!
//! | you run | make it by |
//! |---|---|
//! | on an operating system, whatever the runtime | [`Time::system`](crate::time::Time::system): one for the process, one thread for an alarm |
//! | the same, and want wake-ups more precise than a millisecond | [`SystemClock::start`](crate::time::SystemClock::start) with the slack that you can stand |
//! | in a test | [`Sim::time`](crate::sim::Sim::time), or [`ManualClock`](crate::time::ManualClock) |
//! | where a runtime's clock may be paused | [`pump`](crate::time::pump) |
//! | without an operating system | [`Time::new`](crate::time::Time::new), with a [`Clock`](crate::time::Clock) over your tick |
//!
//! An [`Instant`](crate::time::Instant) is a number of nanoseconds since the epoch of its clock, and means nothing on another one.
//!
//! # A clock of your own
//!
//! Two methods: `now` reads, and `arm` asks to be rung no later than an instant. Whoever rings calls
//! [`Time::turn`](crate::time::Time::turn), which wakes all that are due and says when it wants to be rung next. Too early or too often
//! does no harm, too late makes timers late and nothing else wrong. Here a loop of one's own plays the hardware:
//!
//! ```
//! use std::sync::Arc;
//! use std::sync::atomic::{AtomicU64, Ordering};
//! use core::time::Duration;
//! use wakeful::spawn::block_on_with;
//! use wakeful::time::{Clock, Instant, Time};
//!
//! /// A compare register, and the counter that it is compared with.
//! #[derive(Clone, Default)]
//! struct Timer {
//!     counter: Arc<AtomicU64>,
//!     compare: Arc<AtomicU64>,
//! }
//!
//! impl Clock for Timer {
//!     fn now(&self) -> Instant {
//!         Instant::from_nanos(self.counter.load(Ordering::Relaxed))
//!     }
//!
//!     fn arm(&self, at: Instant) {
//!         self.compare.fetch_min(at.as_nanos(), Ordering::Relaxed);
//!     }
//! }
//!
//! let timer = Timer::default();
//! timer.compare.store(u64::MAX, Ordering::Relaxed);
//! let time = Time::new(timer.clone());
//! let mut rung = 0;
//! let interrupt = || {
//!     // Forget what was asked for first, then turn, then ask for what comes next.
//!     let at = timer.compare.swap(u64::MAX, Ordering::Relaxed);
//!     timer.counter.store(at, Ordering::Relaxed);
//!     timer.arm(time.turn());
//!     rung += 1;
//! };
//! block_on_with(async {
//!     time.sleep(Duration::from_millis(3)).await;
//!     time.sleep(Duration::from_millis(4)).await;
//! }, interrupt);
//! assert_eq!((time.now().as_nanos(), rung), (7_000_000, 2));
//! ```
//!
//! # The date
//!
//! Calendar time is another matter: it jumps, in both directions. [`Wall`](crate::time::Wall) reads it,
//! [`SystemWall`](crate::time::SystemWall) and [`Sim::wall`](crate::sim::Sim::wall) are two of them. Nothing in the kit measures a
//! duration by it.
//!
//! # A machine that sleeps
//!
//! Whether a monotonic clock goes on while the machine is suspended is up to the operating system. Afterwards timers that have
//! become due ring together, in the order of their deadlines; an [`Interval`](crate::time::Interval) does about the ticks that
//! it missed what its [`MissedTick`](crate::time::MissedTick) says. [`Sim::jump`](crate::sim::Sim::jump) rehearses that.
