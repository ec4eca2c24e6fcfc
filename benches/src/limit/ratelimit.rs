//! ratelimit: `Ratelimiter`, by the clock of the standard library.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ::ratelimit::{Clock, Ratelimiter, StdClock};

use super::{STOCK, workloads};

/// So much that it is never used up, of which there is something to begin with.
fn plenty() -> Ratelimiter<StdClock> {
    let builder = Ratelimiter::builder(1_000_000_000).max_tokens(4_000_000_000);
    builder.initial_available(4_000_000_000).build().expect("within bounds")
}

pub fn allowed() -> f64 {
    let limiter = plenty();
    workloads::allowed(|| limiter.try_wait().is_ok())
}

pub fn denied() -> f64 {
    let limiter = Ratelimiter::builder(1).period(Duration::from_secs(3_600)).build().expect("within bounds");
    workloads::denied(|| limiter.try_wait().is_ok())
}

pub fn two_threads() -> f64 {
    let limiter = plenty();
    workloads::two_threads(|| limiter.try_wait().is_ok())
}

/// A clock that is moved by hand.
#[derive(Clone)]
struct Moved(Arc<AtomicU64>);

impl Clock for Moved {
    fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }
}

fn rate_error(rate: u64, step: u64, permits: u64) -> f64 {
    let clock = Moved(Arc::new(AtomicU64::new(0)));
    let limiter = Ratelimiter::with_clock(rate, clock.clone());
    limiter.set_max_tokens(STOCK.into());
    workloads::rate_error(rate, step, permits, |nanos| {
        clock.0.store(nanos, Ordering::Relaxed);
        limiter.try_wait().is_ok()
    })
}

pub fn rate_error_1() -> f64 {
    rate_error(1, 1_900, 19)
}

pub fn rate_error_700m() -> f64 {
    rate_error(700_000_000, 1, 7_000_000)
}

pub fn rate_error_1g() -> f64 {
    rate_error(1_000_000_000, 1, 10_000_000)
}
