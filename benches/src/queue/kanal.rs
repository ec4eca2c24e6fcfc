//! kanal, which loses an item when a receive is dropped that it was handed to.

use super::contender::{Batched, Contender, Shared};
use kanal::{AsyncReceiver, AsyncSender};

pub struct Kanal;

impl Contender for Kanal {
    type Tx = AsyncSender<u64>;
    type Rx = AsyncReceiver<u64>;

    fn bounded(capacity: usize) -> (Self::Tx, Self::Rx) {
        kanal::bounded_async(capacity)
    }

    fn try_send(tx: &Self::Tx, value: u64) -> bool {
        tx.try_send(value).expect("open")
    }

    fn try_recv(rx: &mut Self::Rx) -> Option<u64> {
        rx.try_recv().ok().flatten()
    }

    async fn send(tx: &Self::Tx, value: u64) {
        tx.send(value).await.expect("open");
    }

    async fn recv(rx: &mut Self::Rx) -> Option<u64> {
        rx.recv().await.ok()
    }
}

impl Shared for Kanal {}

impl Batched for Kanal {
    fn send_batch(tx: &Self::Tx, values: std::ops::Range<u64>) {
        values.for_each(|value| assert!(tx.try_send(value).expect("open"), "room"));
    }

    fn recv_batch(rx: &mut Self::Rx, buffer: &mut Vec<u64>) {
        rx.drain_into(buffer).expect("open");
    }
}
