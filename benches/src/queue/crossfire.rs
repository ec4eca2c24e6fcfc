//! crossfire: for many producers and consumers, and for one of each.

use super::contender::{Contender, Shared};
use crossfire::{AsyncRx, MAsyncRx, MAsyncTx, mpmc, mpsc};

pub struct Crossfire;

impl Contender for Crossfire {
    type Tx = MAsyncTx<mpmc::Array<u64>>;
    type Rx = MAsyncRx<mpmc::Array<u64>>;

    fn bounded(capacity: usize) -> (Self::Tx, Self::Rx) {
        mpmc::bounded_async(capacity)
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

impl Shared for Crossfire {}

/// With one consumer.
pub struct CrossfireMpsc;

impl Contender for CrossfireMpsc {
    type Tx = MAsyncTx<mpsc::Array<u64>>;
    type Rx = AsyncRx<mpsc::Array<u64>>;

    fn bounded(capacity: usize) -> (Self::Tx, Self::Rx) {
        mpsc::bounded_async(capacity)
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
