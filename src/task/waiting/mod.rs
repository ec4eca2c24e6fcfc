//! Waiting for several futures: for all, for the first, for those that are done in time.
//!
//! What they wait for runs in the waiting task, in a [`FutureSet`](super::FutureSet): so it may borrow, and a wake-up of one
//! polls that one alone. Any futures will do; a [`Handle`](super::Handle) is one, which waits for a child that runs elsewhere. Losers
//! among handles are dropped or given back as handles: their children go on, unless they were made to [cancel
//! them](super::Handle::cancel_on_drop).

mod all;
mod bounded;
mod first;
mod handles;
mod until;

pub use all::{FailedAt, JoinAll, TryJoinAll, join_all, try_join_all};
pub use bounded::{Gather, MapBounded, NextMapped, map_bounded};
pub use first::{First, FirstCompleted, Race, as_completed, first_completed, race};
pub use handles::{TryJoinHandles, try_join_handles};
pub use until::{JoinUntil, Partial, join_until};
