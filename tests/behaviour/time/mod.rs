//! Sleeps and intervals.

pub(crate) mod instants;
pub(crate) mod intervals;
