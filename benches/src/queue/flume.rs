//! flume.

use super::contender::{Batched, Contender, Shared};
use flume::{Receiver, Sender};

pub struct Flume;

impl Contender for Flume {
    type Tx = Sender<u64>;
    type Rx = Receiver<u64>;

    fn bounded(capacity: usize) -> (Self::Tx, Self::Rx) {
        flume::bounded(capacity)
    }

    fn try_send(tx: &Self::Tx, value: u64) -> bool {
        tx.try_send(value).is_ok()
    }

    fn try_recv(rx: &mut Self::Rx) -> Option<u64> {
        rx.try_recv().ok()
    }

    async fn send(tx: &Self::Tx, value: u64) {
        tx.send_async(value).await.expect("open");
    }

    async fn recv(rx: &mut Self::Rx) -> Option<u64> {
        rx.recv_async().await.ok()
    }
}

impl Shared for Flume {}

impl Batched for Flume {
    fn send_batch(tx: &Self::Tx, mut values: std::ops::Range<u64>) {
        values.try_for_each(|value| tx.try_send(value)).expect("room");
    }

    fn recv_batch(rx: &mut Self::Rx, buffer: &mut Vec<u64>) {
        buffer.extend(rx.drain());
    }
}
