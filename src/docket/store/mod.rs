//! The storage of tasks: whole transitions, and the store that keeps them in memory.

mod answer;
mod fates;
mod gates;
mod ledger;
mod line;
#[cfg(test)]
mod loom_tests;
mod memory;
mod row;
mod strikes;
mod types;

pub use answer::Answer;
pub use fates::Listener;
pub use memory::MemoryStore;
pub(super) use types::push;
pub use types::{
    Cancelled, Claim, Claimed, Claims, Close, Ending, Entry, Excess, Existing, Fence, Finished, Gate, GateUse,
    Generation, Put, Renewal, Renewed, Row, Rule, Settle, Snapshot, State, StoreError, StrikeId, Topic, When,
};

use super::Strike;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

crate::sys::with_sqlite! {
    mod sqlite;
    pub use sqlite::{OpenError, SqliteBuilder, SqliteStore};
}

/// Where tasks are kept: each method is one whole transition, which happens or doesn't.
///
/// A worker that died half-way leaves nothing half-done: what it had claimed lapses with its lease, and is claimed by another.
/// What it still wants to say then is refused, because its [`Fence`] is no longer the row's.
///
/// # What a store promises
/// - **D1** A key has one row at most that is queued or running, and one at most that follows it. No two runs of a key are live
///   at the same time.
/// - **D2** A claim takes all gates of a row or none; of a gate with `n` places there are never more than `n` holders. Those
///   that wait hold nothing, and who can go in is served in the order of priority, due time and adding. At each gate one place
///   is kept for the first in line, even if that has to wait elsewhere: so the oldest of all gets its places in the end.
/// - **D3** [`finish`](Self::finish) and [`renew`](Self::renew) with a fence that isn't the row's change nothing.
/// - **D4** A row whose lease lapses is claimed anew, or, if it was claimed as often as its entry allows, ends as
///   [`Ending::Dead`]. Its gates are free at that instant.
/// - **D5** Every row ends once, in one [`Ending`].
/// - **D6** What is struck is refused when put; what was queued before ends as [`Ending::Struck`] instead of being claimed.
/// - **D7** Whoever waits for a topic to change is told of each change since the number that it has seen.
///
/// # Time
/// Requests say [`When`] in words that need no common clock, and replies say how long it is from now. Leases count by the
/// store's own time. [`Instant`](crate::time::Instant)s in rows are the store's too: they order and subtract, and mean nothing elsewhere.
///
/// # Cancel safety
/// An [`Answer`] that is dropped before it is ready may have happened or not. Leases, keys and fences are there for this: a
/// claim that nobody took lapses, a second put of a key finds the first.
pub trait Store: Send + Sync + 'static {
    /// Adds a row, or does what the entry says if there is one of the same key.
    fn put(&self, entry: Entry) -> Answer<'_, Put>;

    /// Adds many rows, in order; each as [`put`](Self::put) does. With what became of those that were put: if the store failed,
    /// those before the one that it failed at, and why.
    ///
    /// Unless this is implemented, they are put one after the other, and others come in between. A store that can puts all of
    /// them, or none, in one transition.
    fn put_all(&self, entries: Vec<Entry>) -> Answer<'_, (Vec<Put>, Option<StoreError>)> {
        Answer::later(async move {
            let mut puts = Vec::with_capacity(entries.len());
            for entry in entries {
                match self.put(entry).await {
                    Ok(put) => puts.push(put),
                    Err(error) => return Ok((puts, Some(error))),
                }
            }
            Ok((puts, None))
        })
    }

    /// Ends what is queued under this key, tells what runs that it has `grace` left, and forgets what was to follow.
    fn cancel(&self, key: &str, grace: Duration) -> Answer<'_, Cancelled>;

    /// Moves what is queued under this key; false if nothing is.
    fn reschedule(&self, key: &str, due: When) -> Answer<'_, bool>;

    /// Ends all that is queued, and says how much that was. What runs goes on; strikes stay.
    fn clear(&self) -> Answer<'_, usize>;

    /// Takes rows that are due, each with all of its gates.
    fn claim(&self, claim: &Claim) -> Answer<'_, Claims>;

    /// Prolongs leases, and tells for each run whether it still holds, and whether it is to end. In the order of the runs.
    fn renew(&self, renewal: &Renewal) -> Answer<'_, Vec<Renewed>>;

    /// Ends a run, frees its gates, and queues what comes next under the key.
    fn finish(&self, key: &str, fence: Fence, close: Close) -> Answer<'_, Finished>;

    /// Adds a strike, which is independent of all others.
    fn strike(&self, strike: Strike) -> Answer<'_, StrikeId>;

    /// Takes a strike back; false if it isn't there.
    fn restore(&self, strike: StrikeId) -> Answer<'_, bool>;

    /// The row of this key and generation, or the newest of the key: an ended one, as long as it is kept.
    fn look(&self, key: &str, generation: Option<Generation>) -> Answer<'_, Option<Row>>;

    /// Whether all rows of these tasks have ended: none is queued, running, following or to come. Workers that are to stop then
    /// ask whenever they have nothing to do, so a store that need not look at all rows for it should say how.
    fn is_finished(&self, names: &[String]) -> Answer<'_, bool> {
        let names = names.to_vec();
        Answer::later(async move {
            let is_live = |row: &Row| !matches!(row.state, State::Ended(_)) && names.contains(&row.name);
            Ok(!self.scan().await?.rows.iter().any(is_live))
        })
    }

    /// All there is, at one instant.
    fn scan(&self) -> Answer<'_, Snapshot>;

    /// The time of the wall clock by which [`When::At`] is meant.
    ///
    /// # Errors
    /// [`StoreError::NoWall`], if it has none, as it is unless this is implemented.
    fn unix(&self) -> Answer<'_, Duration> {
        Answer::ready(Err(StoreError::NoWall))
    }

    /// Has a listener told, as long as it wants to be, of what becomes of rows while no worker has them: they end as struck, dropped,
    /// dead, replaced or cancelled, leases lapse, and what was to come next is struck. What workers and those who add
    /// know by themselves is not told. Where several processes share the store, it is what this one's transitions did.
    ///
    /// Nothing is told unless this is implemented. Listeners are called outside of every lock, so that they may ask the store; not
    /// wait for its answer, though, which may come only after they have returned.
    fn listen(&self, listener: Listener) {
        drop(listener);
    }

    /// Resolves when the topic's number is greater than `seen`, with that number. A [`Topic::End`] resolves when no such row
    /// is queued, running or following.
    fn changed(&self, topic: Topic, seen: u64) -> Answer<'_, u64>;
}
