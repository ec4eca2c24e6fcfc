//! A limit for each of many keys.

mod acquire;
mod change;
mod keys;
mod limiter;
mod shard;
mod store;
mod table;
mod tenant;

pub use acquire::AcquireKey;
pub use foldhash::fast::RandomState;
pub use limiter::KeyedLimiter;
