//! Its limiter for many keys, with either of its stores, its own hasher or the one that ours has, and its fastest clock.

use std::num::NonZeroU32;

use ::governor::clock::{QuantaClock, QuantaInstant};
use ::governor::middleware::NoOpMiddleware;
use ::governor::state::StateStore;
use ::governor::state::keyed::{DashMapStateStore, HashMapStateStore};
use ::governor::{Quota, RateLimiter};
use foldhash::fast::RandomState as Fold;

use super::super::workloads;

pub type Dash = DashMapStateStore<u64>;
pub type DashFold = DashMapStateStore<u64, Fold>;
pub type Hash = HashMapStateStore<u64>;
pub type HashFold = HashMapStateStore<u64, Fold>;

/// A store that begins empty.
pub trait Store: StateStore<Key = u64> + Default {}

impl<S: StateStore<Key = u64> + Default> Store for S {}

type Limiter<S> = RateLimiter<u64, S, QuantaClock, NoOpMiddleware<QuantaInstant>>;

/// So much for each key that it is never used up.
fn plenty<S: Store>() -> Limiter<S> {
    let quota = Quota::per_second(NonZeroU32::MIN).allow_burst(NonZeroU32::new(100_000_000).expect("not zero"));
    RateLimiter::new(quota, S::default(), QuantaClock::default())
}

fn keyed<S: Store>(keys: u64) -> f64 {
    let limiter = plenty::<S>();
    workloads::keyed(keys, |key| limiter.check_key(&key).is_ok())
}

pub fn keyed_1<S: Store>() -> f64 {
    keyed::<S>(1)
}

pub fn keyed_1k<S: Store>() -> f64 {
    keyed::<S>(1_000)
}

pub fn keyed_1m<S: Store>() -> f64 {
    keyed::<S>(1_000_000)
}

pub fn keyed_bytes<S: Store>() -> f64 {
    workloads::keyed_bytes(plenty::<S>, |limiter, key| limiter.check_key(&key).is_ok())
}
