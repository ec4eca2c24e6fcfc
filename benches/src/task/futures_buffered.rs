//! futures-buffered: `FuturesUnorderedBounded`.

use std::future::Future;

use futures_buffered::FuturesUnorderedBounded;
use futures_util::StreamExt;

use super::{CHILDREN, check, once};
use crate::harness::cpu_ns;
use crate::support::block_on;

async fn sum<F: Future<Output = usize>>(futures: impl Iterator<Item = F>) {
    let mut set = FuturesUnorderedBounded::new(CHILDREN);
    futures.for_each(|future| set.push(future));
    let mut sum = 0;
    while let Some(n) = set.next().await {
        sum += n;
    }
    check(sum);
}

pub fn in_place() -> f64 {
    cpu_ns(CHILDREN, || block_on(sum((0..CHILDREN).map(once))))
}
