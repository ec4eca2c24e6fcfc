//! wakeful.

use super::contender::{Batched, Contender, Shared};
use crate::support::block_on;
use std::collections::VecDeque;
use std::num::NonZeroUsize;
use wakeful::queue::{self, Receiver, Sender};

pub struct Ours;

impl Contender for Ours {
    type Tx = Sender<u64>;
    type Rx = Receiver<u64>;

    fn bounded(capacity: usize) -> (Self::Tx, Self::Rx) {
        queue::bounded(NonZeroUsize::new(capacity).expect("not zero"))
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

impl Shared for Ours {}

impl Batched for Ours {
    fn send_batch(tx: &Self::Tx, values: std::ops::Range<u64>) {
        let mut values: VecDeque<u64> = values.collect();
        block_on(tx.send_many(&mut values)).expect("open");
    }

    fn recv_batch(rx: &mut Self::Rx, buffer: &mut Vec<u64>) {
        block_on(rx.recv_many(buffer, usize::MAX)).expect("open");
    }
}
