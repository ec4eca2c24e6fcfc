//! Work on many items, against a deadline, with every item accounted for.
//!
//! [`work(source)`](work()) sets a run up; [`run`](Work::run) does it, inside the caller's own task: workers pull items,
//! call a body with each, and tell a sink what became of it. Nothing is spawned and nothing is allocated for an item, so
//! everything may borrow, and it runs on any executor.
//!
//! ```
//! use core::num::NonZeroUsize;
//! use core::time::Duration;
//! use wakeful::cancel::Scope;
//! use wakeful::work::{Collect, work};
//!
//! wakeful::sim::run(|sim| async move {
//!     let scope = Scope::new(sim.time());
//!     let pages = ["index", "about", "missing", "huge"];
//!     let mut all = Collect::new();
//!     let report = work(pages)
//!         .workers(NonZeroUsize::new(2).unwrap())
//!         .item_timeout(Duration::from_secs(5))
//!         .deadline_after(Duration::from_secs(60))
//!         .run(&scope, |page| async move {
//!             match *page {
//!                 "missing" => return Err("not found"),
//!                 "huge" => wakeful::sleep(Duration::from_secs(1_000)).await,
//!                 _ => wakeful::sleep(Duration::from_secs(1)).await,
//!             }
//!             Ok(page.len())
//!         }, &mut all)
//!         .await;
//!     assert_eq!((report.count.done, report.count.failed, report.count.timed_out), (2, 1, 1));
//!     assert_eq!(report.elapsed(), Duration::from_secs(6));
//!     assert_eq!(all.into_results(), [5, 5]);
//! });
//! ```
//!
//! # Which part do I want?
//!
//! | you want to | use |
//! |---|---|
//! | work on what can be iterated over, a stream, a queue | [`work()`] |
//! | pull from something that comes page by page | [`pages()`] |
//! | have several items at once | [`chunks()`] |
//! | begin with the most urgent | the receiver of a [priority queue](crate::queue::priority) as the source |
//! | pull from something else | [`Source`] |
//! | end in time | [`Work::deadline_at`], [`Work::deadline_after`], or the scope's own deadline |
//! | not begin what can't be finished | [`Work::min_time`], [`Work::min_time_observed`] |
//! | let what has begun be finished | [`Work::grace`] |
//! | have more workers, or fewer, while it goes on | [`Work::workers_follow`], [`Work::workers_to_meet`] |
//! | stop at the first error | [`Work::on_error`] |
//! | try again what failed | a [`Retry`](crate::resilience::Retry) in the body |
//! | not wait for ever for one item | [`Work::item_timeout`] |
//! | not be too fast | [`Work::rate`] |
//! | not work on too many items of one kind at once | [`Work::per_key`] |
//! | have the results | `&mut` [`Collect`] as the sink |
//! | have the numbers only, in constant memory | [`Count`] as the sink |
//! | do something with each result | a closure that takes an [`Ended`] as the sink |
//! | have the results as a stream, and workers that go on meanwhile | [`Work::drive`]; with workers that are tasks, [`Drive::run_on`] |
//! | see how far it has come | [`Progressing`] as the sink |
//! | keep an item, whatever happens | [`Lease::take`] |
//! | have workers that are tasks of their own, in parallel | [`Work::run_on`] |
//! | hand items over one by one, and have the result of each | [`worker_pool()`] |
//! | work off what was submitted before a program ends | [`WorkerPool::drain`], [in a phase of its shutdown](WorkerPoolBuilder::spawn_on) |
//! | end it from elsewhere, and have the report | [`Scope::cancel`](crate::cancel::Scope::cancel) |
//! | go on later with what was not started | [`Report::rest`] |
//! | go on where an earlier run was ended, killed even | [`Checkpointing`], [`resume`] |
//! | do one thing again and again in the background | [`periodic`] |
//! | keep connections, and other objects that are expensive to make, and lend them | [`ResourcePool`] |
//!
//! # What a run promises
//!
//! - **K1** Every item that was pulled is in exactly one place: done, failed, panicked, timed out, cancelled or skipped. It
//!   is counted there once and the sink is told once. What was not pulled is still in the source, which the report returns.
//! - **K2** A result that is ready at the instant of a deadline or timeout counts. Nothing starts at a deadline or after it,
//!   nor when less than the [least time](Work::min_time) is left, nor in a scope that is cancelled or
//!   [winds down](crate::cancel::Scope::cancel_with_grace).
//! - **K3** All that is checked before an item is started is checked before it is pulled: scope, time left, rate. An item
//!   that was pulled all the same, because pulling took long, is skipped: no body is started, and the sink gets it.
//! - **K4** An item comes back with every outcome but done, unless its body took it.
//! - **K5** A panic of a body, be it made, polled or dropped, is the outcome of its item; the others go on. With `std`
//!   only: without it, a panic is the end of everything.
//! - **K6** A worker that is woken is polled, and no other. A run that has polled 128 bodies or started 128 items lets
//!   others have a turn.
//! - **K7** When a timeout and the run's deadline are reached at one instant, the item is timed out.
//! - **K8** At the first error a run does as [`OnError`] says, and names it in [`Report::stop`]: the first one in the order
//!   in which the sink was told.
//! - **K9** With a bound [for each key](Work::per_key) no more items of a key than that are worked on at once, and they start in
//!   their order. No more are set aside than the look-ahead allows, and one that never starts is in [`Report::rest`].
//! - **K10** The consumer of a run that it [drives](Work::drive) and the workers do not wait for one another but for the
//!   buffer: nothing is pulled while that is full. Every outcome is taken by the consumer, or handed back.
//!
//! # Deadlines and scopes
//!
//! Bodies run in a scope inside the one that the run was given, which ends at the run's deadline: a sleep, a limiter or a
//! timeout in a body sees it as its effective deadline. (The timeout of a single item is not part of that.) When
//! the run's time is up, or its scope is cancelled, each running body is polled once more and, if it is not done, dropped;
//! and the run returns its report at once. So it does inside a body of that very scope too:
//!
//! ```
//! use core::time::Duration;
//! use wakeful::cancel::Scope;
//! use wakeful::work::{Count, Lease, work};
//!
//! wakeful::sim::run(|sim| async move {
//!     let scope = Scope::new(sim.time());
//!     let sleeps = vec![Duration::from_millis(100); 20];
//!     let report = scope
//!         .move_on_after(Duration::from_millis(999), async |s| {
//!             let body = |item: Lease<Duration>| async move { Ok::<_, ()>(wakeful::sleep(*item).await) };
//!             work(sleeps).run(s, body, Count::new()).await
//!         })
//!         .await
//!         .done()
//!         .unwrap();
//!     assert_eq!((report.count.done, report.count.cancelled, report.not_started), (9, 1, Some(10)));
//! });
//! ```
//!
//! With a second instead of 999 ms it is 10 done, none cancelled, 10 not started, at 1.0 s exactly. A program that counts
//! wall time prints other numbers for the same task: its ten sleeps end a little after 1.0 s, so it reports 9 done, one cut
//! short or finished late, and, if it counts that one as not done, 11 not done. In virtual time the tenth ends at the
//! deadline, and counts.
//!
//! # Workers that are tasks
//!
//! [`Work::run_on`] spawns a task for each worker, so that bodies run in parallel; what is borrowed by a run in place has to be
//! theirs then. What is decided, when and by what, is the same, and so is the report. One worker at a time has the source, and
//! one the sink: others leave there what they have to say. K1 holds if the executor drops tasks too: the item of a worker that
//! is lost so is cancelled. The report comes when all workers are gone. The run itself hires workers, as work asks for them: it has to be polled for
//! that.
//!
//! # Worker pools
//!
//! A [`WorkerPool`] is such a run with a queue as its source: items are submitted to it one by one, and each has a [`Ticket`] that
//! gives its outcome. K1 to K7 hold for what workers pull from its queue; every item that was taken is counted in one place, and its
//! ticket always told, also when the pool is dropped.
//!
//! # Retries
//!
//! An attempt is a call in the body: what is done to each attempt, such as a timeout, a permit of a limiter or a retry, is
//! wrapped around it there, in the order in which it is to hold. The scope is that of the body, so a retry begins no wait
//! that the run's deadline would cut short:
//!
//! ```
//! use core::num::NonZeroU32;
//! use core::time::Duration;
//! use wakeful::cancel::{Scope, current};
//! use wakeful::limit::{Limiter, Quota};
//! use wakeful::resilience::{Constant, Retry, Schedule};
//! use wakeful::work::{Count, Lease, work};
//!
//! wakeful::sim::run(|sim| async move {
//!     let scope = Scope::new(sim.time());
//!     let limiter = Limiter::new(&sim.time(), Quota::per_second(NonZeroU32::new(10).unwrap()));
//!     let retry = Retry::new(Constant::new(Duration::from_millis(50)).up_to(2));
//!     let body = |item: Lease<u32>| {
//!         let (retry, limiter) = (&retry, &limiter);
//!         async move {
//!             let scope = current().expect("a body runs in a scope");
//!             let attempt = |n| {
//!                 let item = *item;
//!                 async move {
//!                     limiter.acquire(1).await.map_err(|_| "never")?; // a token for each attempt
//!                     if n <= item { Err("busy") } else { Ok(()) }
//!                 }
//!             };
//!             retry.run(&scope, attempt).await
//!         }
//!     };
//!     let report = work(0..4).run(&scope, body, Count::new()).await;
//!     assert_eq!((report.count.done, report.count.failed), (3, 1));
//! });
//! ```
//!
//! # How it works
//!
//! The run owns an arena of workers, each with a slot for one body, a place that its items come back to, and a bit that the
//! waker of its body sets. Workers are made when they are first needed. A worker whose body is done is given the next item at
//! once, as long as bodies are ready at once, without a look at the others. One further bit stands for all the rest: source,
//! limiter, scope, timers. There is one timer for all items' timeouts: their deadlines only move later as items follow one
//! another, so it is set anew when it has rung, not for each item. The invariants stand in `run.rs`.

mod builder;
mod checkpoint;
mod chunks;
mod crew;
mod crowd;
mod desk;
mod drive;
mod durations;
mod idle;
mod intake;
mod lease;
mod options;
mod outbox;
mod outcome;
mod pages;
mod per_key;
mod periodic;
mod pool;
mod progress;
mod report;
mod resource;
mod run;
mod source;
mod spawned;
mod tag;
mod width;

pub use builder::{Work, work};
pub use checkpoint::{Checkpoint, Checkpointed, Checkpointing, ParseCheckpointError, Resumed, resume};
pub use chunks::{Chunks, ChunksRest, chunks};
pub use drive::{Delivery, Drive, Freely, Results};
pub use lease::Lease;
pub use options::OnError;
pub use outcome::{Collect, Count, Ended, ItemOutcome, Sink};
pub use pages::{Fetch, Page, Pages, PagesRest, Unpulled, pages};
pub use per_key::{ByKey, PerKey, PerKeyRest};
pub(crate) use per_key::{DEFAULT_LOOK_AHEAD, Groups};
pub use periodic::{
    Iteration, IterationError, Periodic, PeriodicControl, PeriodicCount, PeriodicReport, PeriodicStop, periodic,
};
pub use pool::{Refused, SubmitError, Ticket, WorkerPool, WorkerPoolBuilder, WorkerPoolReport, worker_pool};
pub use progress::{Progress, Progressing};
pub use report::{Report, Stop};
pub use resource::{
    GetError, GetStage, Manage, Pooled, ResourceCount, ResourcePool, ResourcePoolBuilder, ResourceStatus, Usage,
};
pub use source::{FromIter, FromQueue, FromStream, IntoSource, Source, by};
