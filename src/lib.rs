//! A concurrency kit on nothing but `Future` and `Waker`.
//!
//! Timers, cancel scopes, events and semaphores, task groups, queues, rate limits and batch work that run unchanged on any
//! executor: tokio, smol, async-std, a bare-metal loop, and the deterministic simulator that is part of the kit. Time comes
//! from a [clock](time::Clock) that the caller may choose, tasks are started through a [trait of one method](spawn::Spawn), and
//! the context of all work is a [`Scope`](cancel::Scope) that is passed on.
//!
//! # A first example
//!
//! In virtual time, where an hour takes no time and every instant is exact:
//!
//! ```
//! use core::num::NonZeroUsize;
//! use core::time::Duration;
//! use wakeful::cancel::Scope;
//! use wakeful::queue;
//!
//! wakeful::sim::check(|sim| async move {
//!     let (tx, rx) = queue::bounded(NonZeroUsize::new(10).unwrap());
//!     let time = sim.time();
//!     let producer = sim.spawn("producer", async move {
//!         for n in 0.. {
//!             time.sleep(Duration::from_secs(60)).await;
//!             if tx.send(n).await.is_err() {
//!                 return n;
//!             }
//!         }
//!         unreachable!("there are enough numbers")
//!     });
//!
//!     let scope = Scope::new(sim.time());
//!     let mut sum = 0;
//!     let hour = scope.move_on_after(Duration::from_secs(3600), async |_| {
//!         while let Ok(n) = rx.recv().await {
//!             sum += n;
//!         }
//!     });
//!     assert!(hour.await.is_cancelled());
//!     assert_eq!(sim.now().as_nanos(), 3_600_000_000_000);
//!     assert!(sum >= (0..59).sum());
//!
//!     drop(rx);
//!     assert!(producer.await >= 59);
//! });
//! ```
//!
//! `sim::check` tries many schedules: whether the item of the sixtieth minute still comes in time is one of the things that
//! they differ in. Outside the simulator the same code takes [`Time::system`](time::Time::system), on whichever runtime.
//!
//! # Which part do I want?
//!
//! | you want to | use |
//! |---|---|
//! | sleep, tick, know what time it is | [`time`] |
//! | give up after a while, or cancel from elsewhere | [`cancel`] |
//! | run tasks together, and have none left when they are over | [`task`] |
//! | wait for an event, a permit, a condition, each other, one value, the latest value | [`sync`] |
//! | pass items between tasks, with backpressure | [`queue`] |
//! | keep to a rate, all together or each client by itself, or to what a service can take at once | [`limit`] |
//! | call services that fail, hang, or have too much to do: retries, circuit breakers, bulkheads, hedges | [`resilience`] |
//! | work through many items against a deadline, and account for each; hand items to a pool of workers; keep a pool of what is expensive to make; do one thing periodically | [`work`] |
//! | act on calls and events that come too often: debounce, throttle, sample, batch them; publish to subscribers; let items go through stages | [`flow`] |
//! | schedule tasks that have keys, repeat, are limited by what they are about | `docket`, with the feature of that name |
//! | start tasks without naming a runtime, or run one future here and now | [`spawn`] |
//! | know where the time of tasks goes, and which of them holds up the others | `observe`, with the feature of that name |
//! | test all of it, in virtual time, under schedules that can be replayed | `sim`, with the feature of that name |
//! | say in code that is shipped what a simulation must see hold, happen, or go wrong | [`always!`], [`sometimes!`], [`reachable!`], [`buggify!`] |
//!
//! Each of these pages begins with such a table of its own. The [`guide`] says how the parts go together, and what they are in terms
//! of tokio and of asyncio.
//!
//! # Runtimes
//!
//! No feature names a runtime, and none is a dependency. Futures of the kit run on any executor as they are. Only what starts
//! tasks is told how, by a closure:
//!
//! | runtime | how to start a task | time |
//! |---|---|---|
//! | tokio | `\|task: Task\| { tokio::spawn(task); }` | [`Time::system`](time::Time::system); [`time::pump`] to follow tokio's clock |
//! | smol | `\|task: Task\| smol::spawn(task).detach()` | [`Time::system`](time::Time::system) |
//! | async-std | `\|task: Task\| { async_std::task::spawn(task); }` | [`Time::system`](time::Time::system) |
//! | futures' pools | `move \|task: Task\| pool.spawn_ok(task)` | [`Time::system`](time::Time::system) |
//! | compio | `\|task: Task\| compio::runtime::spawn(task).detach()`, on the thread of the runtime | [`Time::system`](time::Time::system) |
//! | embassy | a closure that puts the task into a storage of embassy's | [`time::pump`] over embassy's clock |
//! | none | [`block_on`] runs one future | [`Time::system`](time::Time::system) |
//! | a bare-metal loop | [`block_on_with`] runs one future | [`Time::new`](time::Time::new) with a [`Clock`](time::Clock) of two methods |
//! | the simulator | `sim.spawner()` | `sim.time()` |
//!
//! # Features
//!
//! All of them only add. `alloc` is always needed.
//!
//! | feature | what it adds |
//! |---|---|
//! | `std`, the default | the system's clock, threads, panics that are caught, the ambient scope and the free functions that use it |
//! | `counter-clock` | `time::CounterClock`, which reads a counter of the processor; for what reads the clock very often |
//! | `observe` | looking on: timings of tasks, slow polls, stalls, a dump of who waits for what, numbers for an exporter |
//! | `tracing` | [spans and events](#spans-and-events) for the crate of that name |
//! | `sim` | the simulator; usually switched on for a dev-dependency |
//! | `critical-section` | every lock is a critical section, so that wakers, timers and cancel may be fired from interrupts |
//! | `spin` | where there is no `std`, a spinlock instead of a critical section; for whoever has no interrupts |
//! | `docket` | the scheduler of keyed, repeating tasks |
//! | `sqlite` | a store for it in a file, which outlives the process. Brings `docket`, `std` and SQLite itself, for which a C compiler is needed |
//! | `cron` | cron expressions with time zones, for it |
//! | `portable-atomic` | targets without compare-and-swap; the application chooses how `portable-atomic` makes up for it |
//!
//! # Spans and events
//!
//! With the feature `tracing`, the kit tells [tracing](https://docs.rs/tracing) what it does. Without the feature it is compiled to
//! nothing, and with it, little is done unless a subscriber listens.
//!
//! | target | at level | what |
//! |---|---|---|
//! | `wakeful::cancel` | debug | a scope was cancelled, and why |
//! | `wakeful::cancel` | debug | the span of a body that runs in a scope, a timeout or a shield, around each of its polls: the deadline in nanoseconds, and the reason once it was cut short |
//! | `wakeful::task` | info | the span of a group's child, by name and the place where it was made, around each of its polls |
//! | `wakeful::task` | info | the span of a group, by name, around each poll of its body; of a local group, of its children too |
//! | `wakeful::task` | debug, warn | a group is over; warn if it or a child failed |
//! | `wakeful::task` | debug, warn | a child has ended, and how; warn if it failed, panicked or was lost |
//! | `wakeful::work` | debug | the span of an item of [`work()`](work::work()) or of a pool, around each poll of its body |
//! | `wakeful::work` | debug, info | an item has ended, and how; info if it is not done |
//! | `wakeful::limit` | debug, info | somebody waits for a [`Limiter`](limit::Limiter), or was refused after having asked to wait |
//! | `wakeful::limit` | debug | the limit of a [`Concurrency`](limit::Concurrency) has changed |
//! | `wakeful::resilience` | debug, info | somebody waits for a [`Bulkhead`](resilience::Bulkhead), or was turned away |
//! | `wakeful::docket` | info | the span of a run of a task, around each of its polls: task, key, worker, attempt, and the arguments that its policy shows; no others are told |
//! | `wakeful::docket` | debug, info, warn | a run started; it is retried; it ended, how, and how long it took (warn, if not well); its lease was lost |
//! | `wakeful::docket` | info, warn | a task was not run, since it is struck or its limit drops it; its lease lapsed, or it was lost so often that it is dead |
//! | `wakeful::resilience` | warn | a circuit breaker changed its state, and why |
//!
//! Nothing is told under a lock. `tracing` needs atomics with compare-and-swap, so it does not build where `portable-atomic` has to
//! make up for them.
//!
//! # Without `std`
//!
//! The crate is `no_std`. Switch the default features off, bring an allocator, and let the application choose an implementation
//! of `critical-section`, as it does for its other crates. Time is a [`Clock`](time::Clock) of your own: `now` reads a
//! counter, `arm` sets a compare interrupt, and the interrupt calls [`Time::turn`](time::Time::turn); the folder
//! `tests/bare-metal` of the repository has such a program. A panic can't be caught there; everything else behaves as it does
//! with `std`.
#![no_std]
#![cfg_attr(
    not(feature = "std"),
    allow(
        dead_code,
        reason = "the ambient scope and the system clock, which need std, are the only users of some parts"
    )
)]
extern crate alloc;
#[cfg(any(test, feature = "std"))]
extern crate std;

pub mod cancel;
#[cfg(feature = "docket")]
pub mod docket;
pub mod flow;
pub mod guide;
pub mod limit;
#[cfg(feature = "observe")]
pub mod observe;
pub mod queue;
pub mod resilience;
#[cfg(feature = "sim")]
pub mod sim;
pub mod spawn;
pub mod sync;
mod sys;
pub mod task;
pub mod time;
mod wait;
pub mod work;

/// What the macros call.
#[cfg(feature = "sim")]
#[doc(hidden)]
pub use sim::hooks as __marks;
/// What the macros call.
#[cfg(not(feature = "sim"))]
#[doc(hidden)]
pub use sys::marks::inert as __marks;

pub use spawn::block_on_with;
sys::with_std! {
    pub use spawn::block_on;
}
sys::with_system_clock! {
    pub use cancel::{
        effective_deadline, fail_after, fail_at, move_on_after, move_on_at, now, shield, sleep, sleep_until,
    };
}

/// The README's examples, which are tested with the others.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct ReadmeDoctests;
