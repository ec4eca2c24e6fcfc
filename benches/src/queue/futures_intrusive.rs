//! futures-intrusive.

use super::contender::{Contender, Shared};
use futures_intrusive::channel::shared::{Receiver, Sender, channel};

pub struct FuturesIntrusive;

impl Contender for FuturesIntrusive {
    type Tx = Sender<u64>;
    type Rx = Receiver<u64>;

    fn bounded(capacity: usize) -> (Self::Tx, Self::Rx) {
        channel(capacity)
    }

    fn try_send(tx: &Self::Tx, value: u64) -> bool {
        tx.try_send(value).is_ok()
    }

    fn try_recv(rx: &mut Self::Rx) -> Option<u64> {
        rx.try_receive().ok()
    }

    async fn send(tx: &Self::Tx, value: u64) {
        tx.send(value).await.expect("open");
    }

    async fn recv(rx: &mut Self::Rx) -> Option<u64> {
        rx.receive().await
    }
}

impl Shared for FuturesIntrusive {}
