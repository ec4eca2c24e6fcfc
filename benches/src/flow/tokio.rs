//! tokio's broadcast channel, and its watch.

use super::contender::Contender;
use tokio::sync::{broadcast, watch};

pub struct Broadcast;

impl Contender for Broadcast {
    type Tx = broadcast::Sender<u64>;
    type Rx = broadcast::Receiver<u64>;

    fn new(capacity: usize, readers: usize) -> (Self::Tx, Vec<Self::Rx>) {
        let (tx, _) = broadcast::channel(capacity);
        let readers = (0..readers).map(|_| tx.subscribe()).collect();
        (tx, readers)
    }

    fn send(tx: &Self::Tx, value: u64) {
        tx.send(value).expect("open");
    }

    async fn recv(rx: &mut Self::Rx) -> u64 {
        rx.recv().await.expect("open")
    }
}

pub struct Watch;

impl Contender for Watch {
    type Tx = watch::Sender<u64>;
    type Rx = watch::Receiver<u64>;

    fn new(_: usize, readers: usize) -> (Self::Tx, Vec<Self::Rx>) {
        let (tx, _) = watch::channel(0);
        let readers = (0..readers).map(|_| tx.subscribe()).collect();
        (tx, readers)
    }

    fn send(tx: &Self::Tx, value: u64) {
        tx.send(value).expect("open");
    }

    async fn recv(rx: &mut Self::Rx) -> u64 {
        rx.changed().await.expect("open");
        *rx.borrow_and_update()
    }
}
