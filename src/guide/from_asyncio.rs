//! What you know from Python's asyncio, trio and anyio.
//!
//! # Side by side
//!
//! | there | here |
//! |---|---|
//! | `anyio.CancelScope`, `trio.CancelScope` | [`Scope`](crate::cancel::Scope) with [`run`](crate::cancel::Scope::run) |
//! | `move_on_after`, `fail_after` | the same names, on a [`Scope`](crate::cancel::Scope) or, with `std`, free |
//! | `asyncio.timeout`, `wait_for` | [`fail_after`](crate::cancel::Scope::fail_after) |
//! | `CancelScope(shield=True)` | [`shield`](crate::cancel::Scope::shield), which takes a budget |
//! | `current_effective_deadline()` | [`effective_deadline`](crate::cancel::Scope::effective_deadline) |
//! | `except CancelledError: …; raise` | `Drop`, or [`Run::cleanup`](crate::cancel::Run::cleanup) where it has to wait |
//! | `anyio.create_task_group`, `asyncio.TaskGroup`, a nursery | [`group`](crate::task::group()), [`local_group`](crate::task::local_group) |
//! | `await tg.start(f)` and `task_status.started()` | [`TaskGroup::start`](crate::task::TaskGroup::start) |
//! | `asyncio.gather(*aws)` | [`join_all`](crate::task::join_all), [`try_join_all`](crate::task::try_join_all) |
//! | `asyncio.as_completed` | [`as_completed`](crate::task::as_completed) |
//! | `asyncio.wait(…, FIRST_COMPLETED)` | [`first_completed`](crate::task::first_completed) |
//! | `asyncio.wait(…, timeout=…)` | [`join_until`](crate::task::join_until) |
//! | `asyncio.to_thread`, `anyio.to_thread.run_sync` | [`offload`](crate::task::offload()) |
//! | `asyncio.Queue`, `task_done`, `join` | [`queue`](crate::queue), with [`recv_job`](crate::queue::Receiver::recv_job) |
//! | `anyio.create_memory_object_stream(0)` | [`rendezvous`](crate::queue::rendezvous) |
//! | `asyncio.Event`, `Condition`, `Semaphore`, `Barrier` | [`Event`](crate::sync::Event), [`Condition`](crate::sync::Condition), [`Semaphore`](crate::sync::Semaphore), [`Barrier`](crate::sync::Barrier) |
//! | `anyio.CapacityLimiter` | [`CapacityLimiter`](crate::sync::CapacityLimiter) |
//! | `trio.testing.MockClock(autojump_threshold=0)` | [`sim::run`](crate::sim::run) |
//! | `ExceptionGroup` | [`GroupError`](crate::task::GroupError), a [`GroupReport`](crate::task::GroupReport) |
//!
//! # What is different, and why
//!
//! - **A future does nothing until it is polled.** `asyncio.create_task` starts; calling an `async fn` does not. Spawn it in a group.
//! - **Cancelling is a drop, not an exception.** Nothing can catch it and go on, so the bug of a swallowed `CancelledError` is not
//!   there. Cleanup that has to wait can't stand in an `except` block: it goes into a shield or a `cleanup`.
//! - **It is edge and level in one.** In asyncio `cancel()` raises once; in trio every `await` raises. Here the body is gone at its next
//!   `Pending`, and a scope that is cancelled begins nothing any more.
//! - **A shield has a budget.** `shield=True` without a timeout around it holds a program up for ever; here one says for how long.
//! - **Deadlines are exact.** A body that is ready at the instant of its deadline is done.
//! - **Tasks run in parallel**, if the runtime has threads. What is shared is `Sync`, and "there is no `await` in between" protects nothing.
//!
//! # Idioms
//!
//! A group whose first failure cancels the rest, in Python:
//!
//! ```python
//! async with anyio.create_task_group() as tg:
//!     tg.start_soon(sleep_then, 1, "fine")
//!     tg.start_soon(sleep_then, 2, "fails")
//!     tg.start_soon(sleep_then, 60, "is cancelled at 2 s")
//! ```
//!
//! ```
//! use core::time::Duration;
//! use wakeful::cancel::Scope;
//! use wakeful::task::local_group;
//!
//! wakeful::sim::run(|sim| async move {
//!     let scope = Scope::new(sim.time());
//!     let report = local_group().report(&scope, async |g| {
//!         for (seconds, fails) in [(1, false), (2, true), (60, false)] {
//!             let child = g.spawn("child", async move {
//!                 wakeful::sleep(Duration::from_secs(seconds)).await;
//!                 if fails { Err("failed") } else { Ok(()) }
//!             });
//!             child.unwrap();
//!         }
//!         Ok(())
//!     }).await;
//!     assert_eq!((report.count.done, report.count.failed, report.count.cancelled), (1, 1, 1));
//!     assert_eq!(sim.now().as_nanos(), 2_000_000_000);
//! });
//! ```
//!
//! A producer and its consumers. In Python there is one sentinel for each consumer, or `join` and then `cancel`; here closing is
//! enough, see [`queue`](crate::queue#from-other-languages).
//!
//! A semaphore around `gather`, to bound how many run at once:
//!
//! ```python
//! sem = asyncio.Semaphore(2)
//! async def one(n):
//!     async with sem:
//!         await asyncio.sleep(1)
//!         return n * n
//! squares = await asyncio.gather(*(one(n) for n in range(4)))
//! ```
//!
//! ```
//! use core::num::NonZeroUsize;
//! use core::time::Duration;
//! use wakeful::cancel::Scope;
//! use wakeful::work::{Collect, Lease, work};
//!
//! wakeful::sim::run(|sim| async move {
//!     let (scope, mut squares) = (Scope::new(sim.time()), Collect::new());
//!     let one = |n: Lease<u32>| async move {
//!         wakeful::sleep(Duration::from_secs(1)).await;
//!         Ok::<_, ()>(*n * *n)
//!     };
//!     work(0..4).workers(NonZeroUsize::new(2).unwrap()).run(&scope, one, &mut squares).await;
//!     assert_eq!(squares.into_results(), [0, 1, 4, 9]);
//!     assert_eq!(sim.now().as_nanos(), 2_000_000_000);
//! });
//! ```
//!
//! Cleanup that awaits, in Python within `finally` under `CancelScope(shield=True)`:
//!
//! ```
//! use core::time::Duration;
//! use wakeful::cancel::Scope;
//!
//! wakeful::sim::run(|sim| async move {
//!     let (scope, time) = (Scope::new(sim.time()).child_after(Duration::from_secs(1)), sim.time());
//!     let outcome = scope
//!         .run(core::future::pending::<()>())
//!         .cleanup(async |_| time.sleep(Duration::from_secs(2)).await, Duration::from_secs(5))
//!         .await;
//!     assert!(outcome.is_cancelled());
//!     assert_eq!(sim.now().as_nanos(), 3_000_000_000);
//! });
//! ```
