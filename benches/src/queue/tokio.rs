//! tokio's channel, which has one consumer.

use super::contender::{Batched, Contender};
use crate::support::block_on;
use tokio::sync::mpsc::{self, Receiver, Sender};

pub struct Tokio;

impl Contender for Tokio {
    type Tx = Sender<u64>;
    type Rx = Receiver<u64>;

    fn bounded(capacity: usize) -> (Self::Tx, Self::Rx) {
        mpsc::channel(capacity)
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
        rx.recv().await
    }
}

impl Batched for Tokio {
    fn send_batch(tx: &Self::Tx, mut values: std::ops::Range<u64>) {
        values.try_for_each(|value| tx.try_send(value)).expect("room");
    }

    fn recv_batch(rx: &mut Self::Rx, buffer: &mut Vec<u64>) {
        block_on(rx.recv_many(buffer, usize::MAX));
    }
}
