//! futures: `FuturesUnordered`.

use std::future::Future;
use std::pin::Pin;

use futures_util::stream::{FuturesUnordered, StreamExt};

use super::{CHILDREN, check, once};
use crate::harness::cpu_ns;
use crate::support::block_on;

async fn sum<F: Future<Output = usize>>(mut set: FuturesUnordered<F>) {
    let mut sum = 0;
    while let Some(n) = set.next().await {
        sum += n;
    }
    check(sum);
}

pub fn in_place() -> f64 {
    cpu_ns(CHILDREN, || block_on(sum((0..CHILDREN).map(once).collect())))
}

pub fn in_place_boxed() -> f64 {
    let boxed = |n| Box::pin(async move { once(n).await }) as Pin<Box<dyn Future<Output = usize> + Send>>;
    cpu_ns(CHILDREN, || block_on(sum((0..CHILDREN).map(boxed).collect())))
}
