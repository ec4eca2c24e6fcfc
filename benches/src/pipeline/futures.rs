//! futures: `buffer_unordered` and `buffered`, three in a row, and `select_all`.

use std::future::ready as give;

use futures_util::{StreamExt, stream};

use super::{ITEMS, Source, Step, WIDTH, cost};

async fn sum(make: fn(u64) -> Step) -> u64 {
    let one = stream::iter(0..ITEMS).map(make).buffer_unordered(WIDTH);
    let two = one.map(make).buffer_unordered(WIDTH);
    two.map(make).buffer_unordered(WIDTH).fold(0, |sum, n| give(sum + n)).await
}

async fn sum_in_order(make: fn(u64) -> Step) -> u64 {
    let one = stream::iter(0..ITEMS).map(make).buffered(WIDTH);
    let two = one.map(make).buffered(WIDTH);
    two.map(make).buffered(WIDTH).fold(0, |sum, n| give(sum + n)).await
}

async fn merged(waits: bool) -> u64 {
    stream::select_all(Source::some(waits)).fold(0, |sum, n| give(sum + n)).await
}

pub fn ready() -> f64 {
    cost(sum(super::ready))
}

pub fn pending() -> f64 {
    cost(sum(super::pending))
}

pub fn ordered() -> f64 {
    cost(sum_in_order(super::pending))
}

pub fn merge_ready() -> f64 {
    cost(merged(false))
}

pub fn merge_pending() -> f64 {
    cost(merged(true))
}
