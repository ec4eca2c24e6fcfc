//! What flows: calls and items over time, messages that are published.

mod bus_example;
mod handlers;
mod operators;
mod partition;
mod topic;

use std::time::Duration;

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}
