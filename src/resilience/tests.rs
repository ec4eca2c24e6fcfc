//! Pure decisions: schedules, budgets, dates.

mod after;
mod breaker;
mod budget;
mod schedule;

use super::*;
use crate::time::{Instant, Wall};
use core::num::NonZeroU32;
use core::time::Duration;

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn at(millis: u64) -> Instant {
    Instant::EPOCH + ms(millis)
}

fn nz(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).unwrap()
}
