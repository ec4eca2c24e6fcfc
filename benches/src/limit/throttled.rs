//! throttled: its store in memory, with one key, by the clock of the standard library in microseconds.

use std::hash::Hash;
use std::num::NonZeroU32;
use std::pin::pin;
use std::task::Poll;

use ::throttled::{MemoryStore, Quota, RateLimiter, StoreLimiter};

use super::workloads;
use crate::support::poll_once;

fn is_allowed(limiter: &StoreLimiter<MemoryStore<u8>>, quota: Quota) -> bool {
    is_allowed_for(limiter, quota, 0)
}

fn is_allowed_for<K: Hash + Eq + Send + Sync>(limiter: &StoreLimiter<MemoryStore<K>>, quota: Quota, key: K) -> bool {
    let Poll::Ready(Ok(result)) = poll_once(pin!(limiter.check(key, quota))) else { panic!("it never waits") };
    result.is_allowed()
}

fn limiter() -> StoreLimiter<MemoryStore<u8>> {
    StoreLimiter::new(MemoryStore::new())
}

/// So much that it is never used up.
fn plenty() -> Quota {
    Quota::per_second(NonZeroU32::MIN).with_burst(NonZeroU32::new(100_000_000).expect("not zero"))
}

pub fn allowed() -> f64 {
    let (limiter, quota) = (limiter(), plenty());
    workloads::allowed(|| is_allowed(&limiter, quota))
}

pub fn denied() -> f64 {
    let (limiter, quota) = (limiter(), Quota::per_hour(NonZeroU32::MIN));
    assert!(is_allowed(&limiter, quota), "the first one");
    workloads::denied(|| is_allowed(&limiter, quota))
}

pub fn two_threads() -> f64 {
    let (limiter, quota) = (limiter(), plenty());
    workloads::two_threads(|| is_allowed(&limiter, quota))
}

fn keyed(keys: u64) -> f64 {
    let (limiter, quota) = (StoreLimiter::new(MemoryStore::new()), plenty());
    workloads::keyed(keys, |key| is_allowed_for(&limiter, quota, key))
}

pub fn keyed_1() -> f64 {
    keyed(1)
}

pub fn keyed_1k() -> f64 {
    keyed(1_000)
}

pub fn keyed_1m() -> f64 {
    keyed(1_000_000)
}

pub fn keyed_bytes() -> f64 {
    let limiter = || StoreLimiter::new(MemoryStore::new());
    workloads::keyed_bytes(limiter, |limiter, key| is_allowed_for(limiter, plenty(), key))
}
