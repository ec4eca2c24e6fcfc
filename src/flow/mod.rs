//! What flows: calls and items that come too often, or too many at once; messages for many.
//!
//! # Which part do I want?
//!
//! | you want to | for calls | for a stream |
//! |---|---|---|
//! | act once when it has become quiet | [`Debounce`] | [`FlowExt::debounce`] |
//! | act at most once a period, and leave out what is between | [`Throttle`] | [`FlowExt::throttle`] |
//! | act once a period, on what is newest | [`Throttle`] with [`Edge::Trailing`] | [`FlowExt::sample`] |
//! | leave nothing out, and keep a distance in between | [`Spaced`] | [`Limiter::throttle`](crate::limit::Limiter::throttle) |
//! | catch up when slow, by the newest or by a sum | | [`FlowExt::conflate`], [`FlowExt::conflate_with`] |
//! | take several at once, and wait for them no longer than so | | [`FlowExt::windows`] |
//! | have items go through stages, each with workers and a queue of its own | | [`pipeline`] |
//! | work on several items at once, on those of a key in their order | [`Work::per_key`](crate::work::Work::per_key) | [`FlowExt::partition_by`] |
//! | read many streams as one | | [`merge`] |
//!
//! | you want to | use |
//! |---|---|
//! | publish messages for subscribers, each in a task and at a pace of its own | [`topic`] |
//! | call handlers with each message, wait for them or not, and have their errors | [`handlers`] |
//! | give each item to one of several | a [`queue`](crate::queue) |
//! | look at a state whenever you like | a [`watch`](crate::sync::watch) |
//!
//! # What is promised
//!
//! Tests cite these by number.
//!
//! - **F1** Whether and when a call or an item has its turn is a pure function of the instants at which calls were made: in
//!   virtual time it is exact, under every schedule. What is due at the instant at which another comes is not superseded.
//! - **F2** Of calls that are left out each is told so, and why, at once; none waits for what will not come.
//! - **F3** A waiting call that is dropped leaves nothing behind: no timer, no turn, and nothing that was superseded by it.
//! - **F4** A stream's end gives what waits, at once.
//! - **F5** All subscribers of a topic read its messages in one order, in which those of each publisher keep theirs. One with
//!   [`Slow::Wait`](topic::Slow::Wait) reads each that is published while it is subscribed; one with `DropOldest` reads each or is told
//!   exactly how many it missed, and where; one with `Latest` reads none but what is the latest then, and in the end the last.
//! - **F6** What was published is read or missed as F5 says, what was handed back is read by nobody, and what a dropped publishing
//!   held is either; none is read twice.
//! - **F7** A topic keeps no more messages than its capacity, and none longer than until those who are to read it have done so or are
//!   gone. None is cloned or dropped under a lock.
//! - **F8** Each handler is called once with each message that is published while it is on, whatever others make of it; nothing
//!   that it does wrong is lost: it is told to who waits, or to the sink.
//! - **F9** Of a stream that is partitioned, the items of a key are worked on one at a time, in their order, and no more than so many of
//!   different keys at once; no lane is empty while an item that was pulled could have it.

mod conflated;
mod debounce;
mod ext;
pub mod handlers;
mod merge;
mod pace;
mod paced;
mod partitioned;
pub mod pipeline;
mod throttle;
pub mod topic;
mod turns;
mod windowed;

pub use conflated::{Conflated, Newest};
pub use debounce::{Debounce, DebounceConfig};
pub use ext::FlowExt;
pub use merge::{Merge, merge};
pub use pace::Edge;
pub use paced::{Debounced, Paced, Sampled, Throttled};
pub use partitioned::Partitioned;
pub use throttle::{Spaced, Throttle};
pub use turns::Skipped;
pub use windowed::Windowed;

#[cfg(test)]
mod loom_tests;
