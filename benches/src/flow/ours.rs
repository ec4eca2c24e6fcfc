//! `wakeful::flow::topic`.

use super::contender::{Contender, Waits};
use std::num::NonZeroUsize;
use wakeful::flow::topic::{Slow, Subscriber, Topic};

fn topic(capacity: usize) -> Topic<u64> {
    Topic::new(NonZeroUsize::new(capacity).expect("room"))
}

/// Subscribers that miss the oldest.
pub struct Each;

impl Contender for Each {
    type Tx = Topic<u64>;
    type Rx = Subscriber<u64>;

    fn new(capacity: usize, readers: usize) -> (Self::Tx, Vec<Self::Rx>) {
        let topic = topic(capacity);
        let readers = (0..readers).map(|_| topic.subscribe(Slow::DropOldest)).collect();
        (topic, readers)
    }

    fn send(tx: &Self::Tx, value: u64) {
        tx.try_publish(value).expect("open");
    }

    async fn recv(rx: &mut Self::Rx) -> u64 {
        rx.recv().await.expect("open")
    }
}

/// Subscribers that read the latest only.
pub struct Latest;

impl Contender for Latest {
    type Tx = Topic<u64>;
    type Rx = Subscriber<u64>;

    fn new(_: usize, readers: usize) -> (Self::Tx, Vec<Self::Rx>) {
        let topic = topic(1);
        let readers = (0..readers).map(|_| topic.subscribe(Slow::Latest)).collect();
        (topic, readers)
    }

    fn send(tx: &Self::Tx, value: u64) {
        tx.try_publish(value).expect("open");
    }

    async fn recv(rx: &mut Self::Rx) -> u64 {
        rx.recv().await.expect("open")
    }
}

/// A subscriber that is waited for.
pub struct Waiting;

impl Waits for Waiting {
    type Tx = Topic<u64>;
    type Rx = Subscriber<u64>;

    fn new(capacity: usize) -> (Self::Tx, Self::Rx) {
        let topic = topic(capacity);
        let reader = topic.subscribe(Slow::Wait);
        (topic, reader)
    }

    async fn send(tx: &Self::Tx, value: u64) {
        tx.publish(value).await.expect("open");
    }

    async fn recv(rx: &mut Self::Rx) -> u64 {
        rx.recv().await.expect("open")
    }
}
