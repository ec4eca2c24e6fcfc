//! Seeing a run: a recording of what happened.
//!
//! A run records nothing unless it is told to, by [`Builder::trace`](super::Builder::trace).
//!
//! | you want to | use |
//! |---|---|
//! | have the recording of a run | [`Builder::trace`](super::Builder::trace), then [`Report::trace`](super::Report::trace) or [`Failure::trace`](super::Failure::trace) |
//! | know who woke whom | [`What::Woken`] among [`Trace::events`] |
//! | mark a place in the test | [`Sim::note`](super::Sim::note) |
//!
//! # Invariants
//!
//! - **T1** Recording does not change a run: its course, its report and its replay line are those of the same run without.
//! - **T2** What is kept is bounded by the number of events asked for and the number of tasks that live, however long the run.
//! - **T3** Between a [`What::Polled`] and the [`What::Pending`], [`What::Done`] or [`What::Panicked`] of the same task there are
//!   only events that this poll caused, and wake-ups from other threads.

mod event;
mod record;
mod value;

pub use event::{Cause, Event, TraceTask, What};
pub use value::Trace;

pub(super) use record::{Phase, Recorder};
pub(super) use value::Outcome;
