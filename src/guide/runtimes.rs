//! Writing a library that names no runtime, and bringing a runtime of your own.
//!
//! # What a library asks for
//!
//! | it needs | it takes |
//! |---|---|
//! | time, and to be cancelled | `&Scope` |
//! | time alone | [`Time`](crate::time::Time) |
//! | tasks that run in parallel | `impl Spawn`, see [`Spawn`](crate::spawn::Spawn) |
//! | threads for calls that block | `impl Offload`, see [`Offload`](crate::spawn::Offload) |
//! | several things at once, and no parallelism | nothing: [`local_group`](crate::task::local_group), [`FutureSet`](crate::task::FutureSet) and [`work`](crate::work::work()) run in the caller's task |
//!
//! So the most portable function is one that takes a scope and returns a future. Ask for a spawner only if it pays.
//!
//! ```
//! use core::time::Duration;
//! use wakeful::cancel::Scope;
//! use wakeful::spawn::{Spawn, Task};
//! use wakeful::task::{GroupError, group};
//!
//! /// Asks two mirrors, in parallel, and takes what both say.
//! async fn both<S>(spawner: S, scope: &Scope) -> Result<u64, GroupError<&'static str>>
//! where
//!     S: Spawn + Send + Sync + 'static,
//! {
//!     let ask = |delay| {
//!         let scope = scope.clone();
//!         async move {
//!             scope.sleep(Duration::from_millis(delay)).await;
//!             Ok(delay)
//!         }
//!     };
//!     group(spawner)
//!         .run(scope, async |g| {
//!             let (a, b) = (g.spawn("a", ask(10)).unwrap(), g.spawn("b", ask(20)).unwrap());
//!             Ok(a.await.unwrap() + b.await.unwrap())
//!         })
//!         .await
//! }
//!
//! // The same function in virtual time, …
//! wakeful::sim::run(|sim| async move {
//!     assert_eq!(both(sim.spawner(), &Scope::new(sim.time())).await.unwrap(), 30);
//!     assert_eq!(sim.now().as_nanos(), 20_000_000);
//! });
//! // … on tokio, …
//! use wakeful::time::Time;
//! let scope = Scope::new(Time::system());
//! let tokio = tokio::runtime::Builder::new_current_thread().build().unwrap();
//! assert_eq!(tokio.block_on(both(|task: Task| { tokio::spawn(task); }, &scope)).unwrap(), 30);
//! // … and on smol.
//! assert_eq!(smol::block_on(both(|task: Task| smol::spawn(task).detach(), &scope)).unwrap(), 30);
//! ```
//!
//! Note that tokio's own timer is not even switched on.
//!
//! # A runtime of your own
//!
//! An executor needs nothing from this crate: it polls futures when their wakers say so. What the kit relies on is what
//! [`Future`] and [`Waker`](core::task::Waker) promise, and no more:
//!
//! - A wake-up may come from any thread, also during the poll, also more than once.
//! - Each poll may bring another waker. The last one counts, and is compared by
//!   [`will_wake`](core::task::Waker::will_wake); a clone need not look like its original.
//! - A future may be polled for nothing, and dropped at any time.
//! - A waker may run code of its own when it is cloned, woken or dropped: no lock is held then.
//!
//! To start tasks, [`Spawn`](crate::spawn::Spawn) has one method, and closures that take a [`Task`](crate::spawn::Task) implement it.
//! A task that is dropped unfinished is noticed at once: in its group it is [lost](crate::task::ChildError::Lost), its queue's
//! handles are gone, its item is counted as cancelled. An executor that forgets a task without dropping it can't be noticed
//! by anybody.
//!
//! ```
//! use std::cell::RefCell;
//! use std::collections::VecDeque;
//! use core::pin::Pin;
//! use core::task::{Context, Waker};
//! use wakeful::queue;
//! use wakeful::spawn::{Spawn, Task};
//!
//! std::thread_local! {
//!     static TASKS: RefCell<VecDeque<Task>> = const { RefCell::new(VecDeque::new()) };
//! }
//!
//! /// Polls everything in turn until all is done: the simplest executor there is.
//! fn run_all() {
//!     while let Some(mut task) = TASKS.with_borrow_mut(VecDeque::pop_front) {
//!         if Pin::new(&mut task).poll(&mut Context::from_waker(Waker::noop())).is_pending() {
//!             TASKS.with_borrow_mut(|tasks| tasks.push_back(task));
//!         }
//!     }
//! }
//! # use core::future::Future;
//!
//! let spawner = |task: Task| TASKS.with_borrow_mut(|tasks| tasks.push_back(task));
//! let (tx, rx) = queue::rendezvous();
//! spawner.spawn(Task::new(async move {
//!     for n in 0..3 {
//!         tx.send(n).await.unwrap();
//!     }
//! }));
//! spawner.spawn(Task::new(async move {
//!     let mut got = Vec::new();
//!     while let Ok(n) = rx.recv().await {
//!         got.push(n);
//!     }
//!     assert_eq!(got, [0, 1, 2]);
//! }));
//! run_all();
//! ```
//!
//! To show that your executor keeps the promises above, run the kit's scenarios on it: those in `tests/behaviour` of the
//! repository take a runtime as a parameter.
