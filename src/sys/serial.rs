//! Numbers in the order in which they are asked for, in one process: for what has to be put into an order that is the same for
//! all threads, and in each repetition of a run.

use super::atomic::{GuardedU32, Ordering};

static NEXT: GuardedU32 = GuardedU32::new(0);

/// A larger number than before, until they begin again after four thousand million.
pub(crate) fn serial() -> u32 {
    // Relaxed: the order in which it is changed is all that is wanted.
    NEXT.fetch_add(1, Ordering::Relaxed)
}
