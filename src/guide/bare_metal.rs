//! Without an operating system.
//!
//! # What it takes
//!
//! ```toml
//! [dependencies]
//! wakeful = { version = "0.1", default-features = false }
//! critical-section = "1"
//! ```
//!
//! - **An allocator.** `alloc` is always needed: handles are counted references. Waiting allocates nothing.
//! - **An implementation of `critical-section`**, which the application chooses: `cortex-m` has one for single-core chips. Whoever has
//!   threads but no interrupts may take the feature `spin` in its place.
//! - **A clock**, see [`clocks`](super::clocks): `now` reads a counter, `arm` sets a compare register, the interrupt calls
//!   [`Time::turn`](crate::time::Time::turn).
//! - **A loop.** [`block_on_with`](crate::spawn::block_on_with) runs one future and calls you when there is nothing to do; in that
//!   future a [`local_group`](crate::task::local_group) runs as many as you like. Or take an executor such as embassy's.
//!
//! ```
//! use core::sync::atomic::{AtomicU32, Ordering};
//! use core::time::Duration;
//! use wakeful::cancel::Scope;
//! use wakeful::spawn::block_on_with;
//! use wakeful::task::local_group;
//! use wakeful::time::ManualClock;
//!
//! // Stands for the hardware: a tick of a millisecond, and an idle loop that sleeps until the next one.
//! let clock = ManualClock::new();
//! let wait_for_interrupt = || clock.advance(Duration::from_millis(1));
//!
//! let (scope, blinks) = (Scope::new(clock.time()), AtomicU32::new(0));
//! let main = scope.move_on_after(Duration::from_millis(95), async |scope| {
//!     local_group::<()>()
//!         .run(scope, async |g| {
//!             g.spawn("led", async {
//!                 for n in 1.. {
//!                     scope.sleep(Duration::from_millis(10)).await;
//!                     blinks.store(n, Ordering::Relaxed);
//!                 }
//!                 Ok(())
//!             }).unwrap();
//!             Ok(())
//!         })
//!         .await
//! });
//! block_on_with(main, wait_for_interrupt);
//! assert_eq!((blinks.into_inner(), clock.time().now().as_nanos()), (9, 95_000_000));
//! ```
//!
//! # Libraries, and their tests
//!
//! A library leaves the choice of a `critical-section` to whoever builds the program. Where nobody has chosen, the linker says so:
//! `_critical_section_1_0_acquire` is undefined. So it does for the library's own tests on a computer, which are a program too;
//! there, the kit's `std` does without:
//!
//! ```toml
//! [dev-dependencies]
//! wakeful = "0.1"
//! ```
//!
//! # Interrupts
//!
//! | from an interrupt you may | if |
//! |---|---|
//! | call [`Time::turn`](crate::time::Time::turn), wake wakers, cancel scopes | every lock is a critical section: without `std`, that is so unless `spin` is on |
//! | try to send to a queue, set an event, release a permit | the same |
//! | allocate | your allocator allows it |
//!
//! With `std` locks are mutexes, and handlers of signals must touch nothing of the kit; the feature `critical-section` makes
//! them critical sections there too. A critical section is as long as a few list operations; none depends on how much there is,
//! and no code of yours runs in it.
//!
//! # Chips without compare-and-swap
//!
//! The feature `portable-atomic` takes atomics from that crate; your application says how it is to make up for what is missing,
//! by its features `critical-section` or `unsafe-assume-single-core`.
//!
//! # Panics
//!
//! A panic can't be caught without `std`: it is the end of everything, as your panic handler says. All that the kit promises of
//! panics (a body's panic is the outcome of its item, or the failure of its group) holds with `std` only.
//!
//! # Without time
//!
//! Queues, events, groups need none. Whoever wants cancelling and has no clock at all gives [`Time::new`](crate::time::Time::new) one that
//! always says zero.
