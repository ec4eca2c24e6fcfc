//! async-channel: workers, in one task or each in one of its own, that receive from a bounded channel which a producer beside
//! them fills.

use std::cell::Cell;

use futures_util::StreamExt;
use futures_util::future::join;
use futures_util::stream::FuturesUnordered;

use super::{Step, WIDTH, add, contender, spawned};

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

async fn sum_of_tasks(items: u64, make: fn(u64) -> Step) -> u64 {
    let (tx, rx) = async_channel::bounded(WIDTH);
    let worker = |rx: async_channel::Receiver<u64>| async move {
        let mut sum = 0;
        while let Ok(n) = rx.recv().await {
            sum += make(n).await;
        }
        sum
    };
    let workers: Vec<_> = (0..WIDTH).map(|_| tokio::spawn(worker(rx.clone()))).collect();
    for n in 0..items {
        tx.send(n).await.expect("somebody receives");
    }
    drop(tx);
    let mut sum = 0;
    for worker in workers {
        sum += worker.await.expect("no panic");
    }
    sum
}

spawned!(super::sum_of_tasks);
