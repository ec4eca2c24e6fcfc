//! A limit for each of many keys.

mod acquire;
mod change;
pub(super) mod keys;
mod limiter;
mod shard;
mod store;
mod table;
pub(super) mod tenant;

pub use acquire::AcquireKey;
pub use foldhash::fast::RandomState;
pub use limiter::KeyedLimiter;
