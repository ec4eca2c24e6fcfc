//! async-channel.

use super::contender::{Batched, Contender, Shared};
use async_channel::{Receiver, Sender};

pub struct AsyncChannel;

impl Contender for AsyncChannel {
    type Tx = Sender<u64>;
    type Rx = Receiver<u64>;

    fn bounded(capacity: usize) -> (Self::Tx, Self::Rx) {
        async_channel::bounded(capacity)
    }

    fn try_send(tx: &Self::Tx, value: u64) -> bool {
        tx.try_send(value).is_ok()
    }

    fn try_recv(rx: &mut Self::Rx) -> Option<u64> {
        rx.try_recv().ok()
    }

    async fn send(tx: &Self::Tx, value: u64) {
        tx.send(value).await.expect("open");
    }

    async fn recv(rx: &mut Self::Rx) -> Option<u64> {
        rx.recv().await.ok()
    }
}

impl Shared for AsyncChannel {}

impl Batched for AsyncChannel {
    fn send_batch(tx: &Self::Tx, mut values: std::ops::Range<u64>) {
        values.try_for_each(|value| tx.try_send(value)).expect("room");
    }

    fn recv_batch(rx: &mut Self::Rx, buffer: &mut Vec<u64>) {
        buffer.extend(std::iter::from_fn(|| rx.try_recv().ok()));
    }
}
