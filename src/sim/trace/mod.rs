//! Seeing a run: what happened, as a value, as text, as a picture, and for trace viewers.
//!
//! | you want to | use |
//! |---|---|
//! | see why a test failed | the timeline in its report: [how to read it](#reading-a-failure) |
//! | see the whole run that a test made | `WAKEFUL_SIM_TRACE=run.svg`, or `run.json`, in the environment |
//! | look at it in a browser, or put it into a page | [`Trace::to_svg`] |
//! | look closely at a long one, with <https://ui.perfetto.dev> | [`Trace::to_chrome`] |
//! | have the recording of a run as a value | [`Builder::trace`](super::Builder::trace), then [`Report::trace`](super::Report::trace), [`Summary::trace`](super::Summary::trace) or [`Failure::trace`](super::Failure::trace) |
//! | know who woke whom | [`What::Woken`] among [`Trace::events`] |
//! | mark a place in the test, or a stretch | [`Sim::note`](super::Sim::note), [`Sim::span`](super::Sim::span) |
//! | see who is there at one moment | [`Sim::dump`](super::Sim::dump), which needs no recording |
//!
//! A [`Builder`](super::Builder) records nothing unless it is told to; but a failure that one of many runs found is
//! made once more with a recording, and [`sim::run`](super::run) keeps the last events of its one run.
//!
//! # In the environment
//!
//! With `std`, `WAKEFUL_SIM_TRACE=run.svg cargo test one_test` has the run written to that file, as a picture or, where
//! its name ends in `.json`, for trace viewers: by [`sim::run`](super::run), [`sim::check`](super::check), and the
//! runs of a [`Builder`](super::Builder). Of many runs it is the one that failed, made small, or else the last; of several
//! calls in one process the last, but one that failed outweighs those that did not. A file that can't be written, and a
//! name that ends otherwise, is a panic.
//!
//! # Reading a failure
//!
//! Two philosophers think for a second; then each takes the fork on one side and, a turn later, the other one. A fork
//! is an item in a queue.
//!
//! ```
//! use core::num::NonZeroUsize;
//! use core::time::Duration;
//! use wakeful::queue::{self, Receiver};
//! use wakeful::sim::Builder;
//!
//! let failure = Builder::new().explore(|sim| async move {
//!     let (lay_left, left) = queue::bounded(NonZeroUsize::MIN);
//!     let (lay_right, right) = queue::bounded(NonZeroUsize::MIN);
//!     lay_left.send("left fork").await.unwrap();
//!     lay_right.send("right fork").await.unwrap();
//!     let dine = |name, first: &Receiver<_>, second: &Receiver<_>| {
//!         let (sim, first, second) = (sim.clone(), first.clone(), second.clone());
//!         let (lay_left, lay_right) = (lay_left.clone(), lay_right.clone());
//!         sim.clone().spawn(name, async move {
//!             sim.time().sleep(Duration::from_secs(1)).await;
//!             first.recv().await.unwrap();
//!             sim.note("has one fork");
//!             sim.yield_now().await;
//!             second.recv().await.unwrap();
//!             lay_left.send("left fork").await.unwrap();
//!             lay_right.send("right fork").await.unwrap();
//!         })
//!     };
//!     let (plato, kant) = (dine("Plato", &left, &right), dine("Kant", &right, &left));
//!     plato.await;
//!     kant.await;
//! });
//! # let failure = failure.unwrap_err();
//! # assert_eq!(format!("{}\n", failure.trace().unwrap()), r#"
//! # the end of the run, all 7 polls; WAKEFUL_SIM_TRACE=run.svg draws it
//! # (* polled, o done, x panicked, | waits, : ready, + started, > or < woken by a poll, v by no poll)
//! #   0s  1  *-+-+  root: starts Plato, Kant; waits for the end of Plato
//! #       2  | * :  Plato: waits for sleep until 1s
//! #       3  | | *  Kant: waits for sleep until 1s
//! #   1s     | v v  a timer wakes Plato, Kant
//! #       4  | : *  Kant: notes "has one fork"; yields
//! #       5  | * :  Plato: notes "has one fork"; yields
//! #       6  | : *  Kant: waits for queue recv #1
//! #       7  | * |  Plato: waits for queue recv #2
//! #          X X X  deadlock: nobody is ready, no timer is left, and the root is not done
//! # "#.trim_start());
//! ```
//!
//! The report of its failure, line by line:
//!
//! ```text
//! deadlock at 1.000000000s after 7 polls: nobody is ready, no timer is left, and the root is not done
//! ```
//! What went wrong ([`FailureKind`](super::FailureKind)), at which virtual time, after how many polls.
//!
//! ```text
//!   root: waits for the end of `Plato`, #3 made at tests/dinner.rs:12:19, since 0.000000000s, poll 1
//!   Plato [0]: waits for queue recv #2 made at tests/dinner.rs:5:31, since 1.000000000s, poll 7
//!   Kant [1]: waits for queue recv #1 made at tests/dinner.rs:4:29, since 1.000000000s, poll 6
//! ```
//! Who is concerned: of a deadlock, all. `[0]` is the task's spawn path: the first that the root started. Then what each
//! waits for, and since when. `#2` is the second of the kit's primitives that this run made, and the place is where: Plato
//! waits for the right fork, and Kant for the left one.
//!
//! ```text
//! the end of the run, all 7 polls; WAKEFUL_SIM_TRACE=run.svg draws it
//! (* polled, o done, x panicked, | waits, : ready, + started, > or < woken by a poll, v by no poll)
//! ```
//! The timeline: a line for each poll and a column for each task. Of a long run it is the end, and the last polls of
//! those who are stuck longer; at most 30 lines of 100 columns.
//!
//! ```text
//!   0s  1  *-+-+  root: starts Plato, Kant; waits for the end of Plato
//!       2  | * :  Plato: waits for sleep until 1s
//!       3  | | *  Kant: waits for sleep until 1s
//! ```
//! The time, the number of the poll, the columns, and in words what the poll did and how it ended. `*` is who is
//! polled, here the root in the first column, which starts two tasks; they are ready (`:`), until they are polled and
//! wait (`|`). All this is at one instant: the time is printed where it is a new one.
//!
//! ```text
//!   1s     | v v  a timer wakes Plato, Kant
//! ```
//! A line without a number is no poll: nobody was ready, time moved on to 1 s, and a timer woke both.
//!
//! ```text
//!       4  | : *  Kant: notes "has one fork"; yields
//!       5  | * :  Plato: notes "has one fork"; yields
//! ```
//! Each takes a fork, as its [note](super::Sim::note) says, and lets the other have a turn: that is the mistake.
//!
//! ```text
//!       6  | : *  Kant: waits for queue recv #1
//!       7  | * |  Plato: waits for queue recv #2
//!          X X X  deadlock: nobody is ready, no timer is left, and the root is not done
//! ```
//! Now both wait for what the other has. `X` marks those whom the failure concerns.
//!
//! ```text
//! shrunk from 2 points to 0 in 2 runs; found with WAKEFUL_SIM=pct2/5:1
//! replay with WAKEFUL_SIM=seed:1,bytes:
//! ```
//! The schedule departed twice from that in which all take turns; it fails without that, too. The last line makes this
//! very run again: see [the simulator's page](super#replaying).
//!
//! # Invariants
//!
//! - **T1** Recording does not change a run: its course, its report and its replay line are those of the same run
//!   without.
//! - **T2** What is kept is bounded by the number of events asked for and the number of tasks that live, however long
//!   the run.
//! - **T3** Between a [`What::Polled`] and the [`What::Pending`], [`What::Done`] or [`What::Panicked`] of the same task
//!   there are only events that this poll caused, and wake-ups from other threads.
//! - **T4** Names and notes of any content leave each format well formed, and a line of text a line.

mod bars;
mod chrome;
mod escape;
mod event;
mod file;
mod layout;
mod notes;
mod record;
mod story;
mod svg;
mod text;
mod value;
mod words;

pub use event::{Cause, Event, TraceTask, What};
pub use notes::Span;
pub use value::Trace;

pub(super) use record::{Phase, Recorder};
pub(super) use value::Outcome;
