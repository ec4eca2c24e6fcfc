//! A limit for each of many keys.

mod acquire;
mod change;
pub(super) mod keys;
mod limiter;
mod reserve;
mod shard;
mod store;
mod table;
pub(super) mod tenant;
mod turn;

pub use acquire::AcquireKey;
pub use foldhash::fast::RandomState;
pub use limiter::KeyedLimiter;
pub use reserve::{KeyReservation, ReserveKey};
