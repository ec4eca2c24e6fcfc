//! asyncband.

use super::contender::{Contender, Shared};
use asyncband::mpmc::{self, BoundedReceiver, BoundedSender};

pub struct Asyncband;

impl Contender for Asyncband {
    type Tx = BoundedSender<u64>;
    type Rx = BoundedReceiver<u64>;

    fn bounded(capacity: usize) -> (Self::Tx, Self::Rx) {
        mpmc::bounded(capacity)
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

impl Shared for Asyncband {}
