//! async-channel: workers, in one task or each in one of its own, that receive from a bounded channel which a producer beside
//! them fills.

use std::cell::Cell;
use std::collections::VecDeque;

use futures_util::StreamExt;
use futures_util::future::join;
use futures_util::stream::FuturesUnordered;

use super::{ITEMS, Step, WIDTH, add, contender, cost_alone, spawned};
use ::tokio::sync::oneshot;

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

/// Items that are sent one by one, each with a one-shot for its result, and whose results are taken in that order.
async fn sum_of_answers(items: u64, make: fn(u64) -> Step) -> u64 {
    let (tx, rx) = async_channel::bounded::<(u64, oneshot::Sender<u64>)>(WIDTH);
    let worker = |rx: async_channel::Receiver<(u64, oneshot::Sender<u64>)>| async move {
        while let Ok((n, answer)) = rx.recv().await {
            answer.send(make(n).await).expect("somebody waits");
        }
    };
    for _ in 0..WIDTH {
        tokio::spawn(worker(rx.clone()));
    }
    let (mut sum, mut answers) = (0, VecDeque::new());
    for n in 0..items {
        if answers.len() == WIDTH {
            let answer: oneshot::Receiver<u64> = answers.pop_front().expect("some");
            sum += answer.await.expect("no panic");
        }
        let (answer, answered) = oneshot::channel();
        tx.send((n, answer)).await.expect("somebody receives");
        answers.push_back(answered);
    }
    for answer in answers {
        sum += answer.await.expect("no panic");
    }
    sum
}

pub fn pool_ready() -> f64 {
    cost_alone(sum_of_answers(ITEMS, super::ready))
}

pub fn pool_pending() -> f64 {
    cost_alone(sum_of_answers(ITEMS, super::pending))
}
