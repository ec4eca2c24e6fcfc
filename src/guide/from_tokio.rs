//! Making a library that needs tokio one that does not.
//!
//! # Side by side
//!
//! | tokio | here | mind |
//! |---|---|---|
//! | `time::sleep`, `sleep_until` | [`Scope::sleep`](crate::cancel::Scope::sleep), [`Time::sleep`](crate::time::Time::sleep) | |
//! | `time::timeout` | [`Scope::fail_after`](crate::cancel::Scope::fail_after), or [`move_on_after`](crate::cancel::Scope::move_on_after) | whose time was up is told |
//! | `time::interval` | [`Time::interval`](crate::time::Time::interval) | names of what to do about missed ticks are the same |
//! | `time::pause`, `advance` | [`sim::run`](crate::sim::run), [`ManualClock`](crate::time::ManualClock) | no process-wide clock; schedules are explored too |
//! | `spawn` | [`Spawn`](crate::spawn::Spawn) as an argument; better, a [`group`](crate::task::group()) | a group waits for its children |
//! | `spawn_blocking` | [`offload`](crate::task::offload()) | with any pool of threads |
//! | `task::JoinSet` | [`group`](crate::task::group()); in one task, [`FutureSet`](crate::task::FutureSet) | errors are kept, a failure cancels the rest |
//! | `task::LocalSet` | [`local_group`](crate::task::local_group) | children may borrow |
//! | `select!` | [`race`](crate::task::race), or any crate's `select!` | futures here say what dropping them loses |
//! | `sync::mpsc` | [`queue::bounded`](crate::queue::bounded), [`unbounded`](crate::queue::unbounded) | receivers may be cloned; [`reserve`](crate::queue::Sender::reserve) is there |
//! | `sync::oneshot`, `watch` | [`sync::oneshot`](crate::sync::oneshot), [`sync::watch`](crate::sync::watch) | |
//! | `sync::Notify`, `Semaphore`, `Barrier` | [`Notify`](crate::sync::Notify), [`Semaphore`](crate::sync::Semaphore), [`Barrier`](crate::sync::Barrier) | a semaphore's total may shrink |
//! | `sync::Mutex`, `RwLock`, `OnceCell` | `async-lock` | |
//! | tokio-util `CancellationToken` | [`Scope`](crate::cancel::Scope) | has a deadline and a reason, too |
//! | `CancellationToken::run_until_cancelled` | [`Scope::run`](crate::cancel::Scope::run); of what must not begin any more, [`unless_draining`](crate::cancel::Scope::unless_draining) | a run is cut short once, at the outermost scope |
//! | tokio-util `AbortOnDropHandle` | [`Handle::cancel_on_drop`](crate::task::Handle::cancel_on_drop) | |
//! | tokio-util `TaskTracker` | [`group`](crate::task::group()), [`WaitGroup`](crate::sync::WaitGroup) | |
//! | tokio-stream `StreamExt::throttle` | [`Limiter::throttle`](crate::limit::Limiter::throttle) | |
//! | futures `buffer_unordered` | [`work`](crate::work::work()), [`map_bounded`](crate::task::map_bounded) | every item is accounted for |
//!
//! # Step by step
//!
//! 1. **Time first.** Take a `&Scope` where there were `sleep` and `timeout`. Callers on tokio pass
//!    `Scope::new(Time::system())`; those whose tests pause tokio's clock pass the [`Time`](crate::time::Time) of a
//!    [`pump`](crate::time::pump).
//! 2. **Then tasks.** Where tasks are spawned to run at the same time and not in parallel, a [`local_group`](crate::task::local_group)
//!    needs no spawner. Elsewhere take `impl Spawn`, and let a group own what is started.
//! 3. **Then what is between tasks.** Queues and `sync` have no runtime to begin with; change the imports.
//! 4. **Then the tests.** `#[tokio::test(start_paused = true)]` becomes [`sim::check`](crate::sim::check). It runs the same body
//!    under many schedules; what then fails has been wrong for a while.
//! 5. **Input and output** stays a parameter: a trait that your users implement, or `futures-io`.
//!
//! What was written so:
//!
//! ```
//! use std::time::Duration;
//! use tokio::sync::mpsc;
//! use tokio::time::{sleep, timeout};
//!
//! async fn gather() -> Result<u32, &'static str> {
//!     let (tx, mut rx) = mpsc::channel(4);
//!     for n in 1..=3u32 {
//!         let tx = tx.clone();
//!         tokio::spawn(async move {
//!             sleep(Duration::from_secs(n.into())).await;
//!             let _ = tx.send(n).await;
//!         });
//!     }
//!     drop(tx);
//!     timeout(Duration::from_secs(10), async {
//!         let mut sum = 0;
//!         while let Some(n) = rx.recv().await {
//!             sum += n;
//!         }
//!         sum
//!     }).await.map_err(|_| "too slow")
//! }
//!
//! let paused = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
//! assert_eq!(paused.block_on(gather()), Ok(6));
//! ```
//!
//! is here, where nothing is left running if it is too slow:
//!
//! ```
//! use core::num::NonZeroUsize;
//! use core::time::Duration;
//! use wakeful::cancel::Scope;
//! use wakeful::queue;
//! use wakeful::task::local_group;
//!
//! async fn gather(scope: &Scope) -> Result<u32, &'static str> {
//!     let gathered = scope.fail_after(Duration::from_secs(10), async |scope| {
//!         local_group::<()>().run(scope, async |g| {
//!             let (tx, rx) = queue::bounded(NonZeroUsize::new(4).unwrap());
//!             for n in 1..=3u32 {
//!                 let tx = tx.clone();
//!                 let child = g.spawn("one", async move {
//!                     scope.sleep(Duration::from_secs(n.into())).await;
//!                     let _ = tx.send(n).await;
//!                     Ok(())
//!                 });
//!                 child.unwrap();
//!             }
//!             drop(tx);
//!             let mut sum = 0;
//!             while let Ok(n) = rx.recv().await {
//!                 sum += n;
//!             }
//!             Ok(sum)
//!         }).await
//!     }).await;
//!     gathered.map_err(|_| "too slow")?.map_err(|_| "failed")
//! }
//!
//! wakeful::sim::check(|sim| async move {
//!     assert_eq!(gather(&Scope::new(sim.time())).await, Ok(6));
//!     assert_eq!(sim.now().as_nanos(), 3_000_000_000);
//! });
//! ```
//!
//! # Code that stays on tokio
//!
//! Everything here runs inside tokio's tasks as it is, beside tokio's own primitives: a `tokio::sync::Mutex` may be awaited in a
//! scope, a `TcpStream` read in a body of `work`. Two things differ: tokio's cooperative budget does not count what is awaited
//! here (what is here has budgets of its own where it loops), and this crate's time goes on while tokio's is paused, unless it
//! is that of a pump.
