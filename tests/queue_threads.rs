//! Queues between threads of the operating system.

use std::collections::BTreeMap;
use std::future::Future;
use std::num::NonZeroUsize;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::thread;
use wakeful::block_on;
use wakeful::queue;

const PRODUCERS: usize = 4;
const CONSUMERS: usize = 4;
const ITEMS: usize = 5_000;

/// Polls once and drops, as a cancelled caller does.
fn poll_and_drop<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

#[test]
fn four_to_four_loses_nothing_while_callers_give_up() {
    let (tx, rx) = queue::bounded(NonZeroUsize::new(3).unwrap());
    let producers: Vec<_> = (0..PRODUCERS)
        .map(|id| {
            let tx = tx.clone();
            thread::spawn(move || {
                for n in 0..ITEMS {
                    if n % 7 == 0 {
                        drop(poll_and_drop(tx.reserve()));
                    }
                    if n % 5 == 0 {
                        block_on(tx.reserve()).unwrap().send((id, n)).unwrap();
                    } else {
                        block_on(tx.send((id, n))).unwrap();
                    }
                }
            })
        })
        .collect();
    drop(tx);
    let consumers: Vec<_> = (0..CONSUMERS)
        .map(|_| {
            let rx = rx.clone();
            thread::spawn(move || {
                let mut got = Vec::new();
                loop {
                    if got.len() % 3 == 0 {
                        if let Some(Ok(item)) = poll_and_drop(rx.recv()) {
                            got.push(item);
                        }
                    }
                    match block_on(rx.recv()) {
                        Ok(item) => got.push(item),
                        Err(queue::RecvError) => break got,
                    }
                }
            })
        })
        .collect();
    producers.into_iter().for_each(|producer| producer.join().unwrap());
    let mut all: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for consumer in consumers {
        let mut last = [None; PRODUCERS];
        for (id, n) in consumer.join().unwrap() {
            assert!(last[id] < Some(n), "one consumer sees a producer's items in order");
            last[id] = Some(n);
            all.entry(id).or_default().push(n);
        }
    }
    for items in all.values_mut() {
        items.sort_unstable();
        assert!(items.iter().copied().eq(0..ITEMS), "each item once");
    }
    assert_eq!(all.len(), PRODUCERS);
}
