//! `async-broadcast`.

use super::contender::{Contender, Waits};
use async_broadcast::{Receiver, Sender, broadcast};

/// One that drops the oldest.
pub struct Overflowing;

impl Contender for Overflowing {
    type Tx = Sender<u64>;
    type Rx = Receiver<u64>;

    fn new(capacity: usize, readers: usize) -> (Self::Tx, Vec<Self::Rx>) {
        let (mut tx, rx) = broadcast(capacity);
        tx.set_overflow(true);
        let mut all: Vec<_> = (1..readers).map(|_| tx.new_receiver()).collect();
        all.push(rx);
        (tx, all)
    }

    fn send(tx: &Self::Tx, value: u64) {
        tx.try_broadcast(value).expect("open");
    }

    async fn recv(rx: &mut Self::Rx) -> u64 {
        rx.recv_direct().await.expect("open")
    }
}

/// One that waits.
pub struct Waiting;

impl Waits for Waiting {
    type Tx = Sender<u64>;
    type Rx = Receiver<u64>;

    fn new(capacity: usize) -> (Self::Tx, Self::Rx) {
        broadcast(capacity)
    }

    async fn send(tx: &Self::Tx, value: u64) {
        tx.broadcast_direct(value).await.expect("open");
    }

    async fn recv(rx: &mut Self::Rx) -> u64 {
        rx.recv_direct().await.expect("open")
    }
}
