//! Groups of tasks: whatever is started inside is gone when the group is over.
//!
//! A [`group`](group()) runs a body that spawns children, as tasks of whichever runtime; it gives the body's result when the
//! body and all children are done. If something fails, the rest is cancelled, and every error is kept. Nothing is left behind,
//! and nothing runs on that nobody waits for.
//!
//! ```
//! use core::time::Duration;
//! use wakeful::cancel::Scope;
//! use wakeful::task::group;
//!
//! wakeful::sim::run(|sim| async move { // or on tokio, with |task: Task| { tokio::spawn(task); }
//!     let (scope, time) = (Scope::new(sim.time()), sim.time());
//!     let pages = group::<&str>(sim.spawner())
//!         .deadline_after(Duration::from_secs(10))
//!         .run(&scope, async |g| {
//!             let fetch = |seconds| {
//!                 let sleep = time.sleep(Duration::from_secs(seconds));
//!                 async move {
//!                     sleep.await;
//!                     Ok(seconds)
//!                 }
//!             };
//!             let (a, b) = (g.spawn("a", fetch(1)).unwrap(), g.spawn("b", fetch(2)).unwrap());
//!             Ok(a.await.unwrap() + b.await.unwrap())
//!         })
//!         .await;
//!     assert_eq!(pages.unwrap(), 3);
//! });
//! ```
//!
//! # Which part do I want?
//!
//! | you want to | use |
//! |---|---|
//! | run tasks and wait for them all; the first failure cancels the rest | [`group`](group()), [`TaskGroup::spawn`] |
//! | go on though some fail; take the first that is done, or is well | [`Policy`] |
//! | have the result of one child, cancel it, see how far it is | [`Handle`] |
//! | have a child cancelled when nobody waits for it any more | [`Handle::cancel_on_drop`], [`LocalHandle::cancel_on_drop`] |
//! | wait until a child has started, and have what it started with | [`TaskGroup::start`], [`LocalGroup::start`] |
//! | keep something going as long as the others need it | [`TaskGroup::spawn_background`], [`LocalGroup::spawn_background`] |
//! | spawn from a child | a clone of the [`TaskGroup`] |
//! | end in time, with what is done by then | [`GroupBuilder::deadline_after`], and handles that are kept outside |
//! | have all errors and panics as values, and the numbers | [`GroupBuilder::report`] |
//! | see the end of a group whose future was dropped | [`TaskGroup::quiesced`], [`TaskGroup::live`] |
//! | have children that borrow, without a spawner, in this very task | [`local_group`], [`LocalGroup::spawn`] |
//! | run many futures of one type inside this task, without an allocation each; they may borrow | [`FutureSet`] |
//! | end a program in order, and know who was in the way | [`Registry`] |
//! | do work that blocks | [`offload`](offload()), [`Phase::offload`] |
//! | wait for all of several futures or handles | [`join_all`], [`try_join_all`], [`try_join_handles`] |
//! | wait for the first one, and drop or keep the others | [`race`], [`first_completed`] |
//! | wait for as many as are done in time | [`join_until`] |
//! | have outputs as they come, and break off | [`as_completed`] |
//! | make a future of each item, and run so many at a time | [`map_bounded`] |
//!
//! # What a group promises
//!
//! - **T1** A group is over when its body has ended or was dropped, every child is gone, and nobody waits for one to start.
//!   That is decided once; from then on it takes no more children, and a future that was to be spawned comes back in the error.
//! - **T2** Each child is counted once: done, failed, panicked, cancelled or lost. It is gone when it is counted: its body has
//!   been dropped, and its result too, unless there is a handle.
//! - **T3** Children in the background are cancelled when the others are gone, not before, whatever ends the group.
//! - **T4** A child that rests is woken when its scope, or one around it, is cancelled, by whomever. (It has noted its waker in the group
//!   by then; whoever takes wakers out of there changes `epoch`, by which a child knows that it has to note it anew.)
//! - **T5** Errors and panics are all kept: in the group's result, or in the start's if the child had not started. Panic
//!   outranks error outranks cancelling. A child that was cancelled is no failure.
//! - **T6** A child whose task is dropped by its executor is lost at once. One whose task was leaked, or is never polled again
//!   by an executor that has stopped, can't be seen: the group waits for it. Bound that wait with a deadline of your own.
//! - **T7** A body's panics when it is polled or dropped concern nobody else. With `std` only: without it, a panic is the end
//!   of everything.
//!
//! # Scopes
//!
//! Body and main children run in the group's scope, which lies inside the one that the group was given: its deadline is theirs,
//! and cancelling it cancels them. Each child has a scope of its own inside that, which its [`Handle`] cancels. Background
//! children lie outside, so that they go on while the others are being cancelled.
//!
//! Dropping a group's future cancels its children at once; they end when their executor next polls them, and nothing that is
//! dropped can wait for that. So what children use must be theirs (`'static`). If it is a scope of ours that drops it with its
//! body, that scope waits for the children to be gone before it moves on; for all others there is [`TaskGroup::quiesced`].
//!
//! # In the group's own task
//!
//! A [`local_group`] polls its children in the task that runs it, in turn with its body, each when it was woken. So they need
//! no spawner and may borrow, and a group that is dropped has dropped them, each in a guard of its own: nothing is left
//! behind. T1 to T5 and T7 hold as above; nobody can be lost. A [`FutureSet`] is what lies
//! below, for futures without scopes and policies, and all that waits for several futures stands on it.
//!
//! # How it works
//!
//! A group is one lock over its counts and a list of its children. A child that is done takes that lock once, and the last one
//! wakes the group's future. Only one wait and one timer are registered with the scope, for all children together
//! (`watch.rs`): a group of ten thousand children in a scope with a deadline has one timer. Future, handle and record of a
//! child lie in one place, and places several to an allocation (`row.rs`). Its end goes to its handle by one exchange
//! (`post.rs`), and to its group as two words.

mod cancel_on_drop;
mod child;
mod crew;
mod group;
mod guarded;
mod handle;
mod life;
mod local;
mod names;
mod offload;
mod outcome;
mod outlet;
mod quiesced;
mod seats;
mod set;
mod shutdown;
mod spawned;
mod start;
mod state;
mod tally;
mod waiting;
mod watch;

pub use cancel_on_drop::CancelOnDrop;
pub use group::{GroupBuilder, ReportGroup, RunGroup, group};
pub(crate) use guarded::{Contained, Guarded};
pub use handle::Handle;
pub use local::{
    LocalGroup, LocalGroupBuilder, LocalHandle, LocalReport, LocalRun, LocalStart, MaySend, StaysHere, local_group,
};
pub use offload::{OffloadError, offload};
pub use outcome::{
    Cause, ChildError, Failure, Failures, GroupCount, GroupError, GroupReport, Refusal, SpawnError, StartError, Status,
};
pub use quiesced::Quiesced;
pub use set::{FutureSet, JoinNext};
pub use shutdown::{ByName, Phase, PhaseReport, Presence, Registry, ShutdownReport, Tracked};
pub use spawned::TaskGroup;
pub use start::{Start, Starting};
pub use tally::Policy;
pub use waiting::{
    FailedAt, First, FirstCompleted, Gather, JoinAll, JoinUntil, MapBounded, NextMapped, Partial, Race, TryJoinAll,
    TryJoinHandles, as_completed, first_completed, join_all, join_until, map_bounded, race, try_join_all,
    try_join_handles,
};

#[cfg(test)]
mod loom_tests;
