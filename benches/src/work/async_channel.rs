//! async-channel: workers in one task, that receive from a bounded channel which a producer beside them fills.

use std::cell::Cell;

use futures_util::StreamExt;
use futures_util::future::join;
use futures_util::stream::FuturesUnordered;

use super::{Step, WIDTH, add, contender};

async fn sum(items: u64, make: fn(u64) -> Step) -> u64 {
    let (sum, (tx, rx)) = (Cell::new(0), async_channel::bounded(WIDTH));
    let produce = async move {
        for n in 0..items {
            tx.send(n).await.expect("somebody receives");
        }
    };
    let worker = async || {
        while let Ok(n) = rx.recv().await {
            add(&sum, make(n).await);
        }
    };
    let workers: FuturesUnordered<_> = (0..WIDTH).map(|_| worker()).collect();
    join(produce, workers.collect::<()>()).await;
    sum.get()
}

contender!(sum);
