//! thingbuf, which has one consumer.

use super::contender::Contender;
use thingbuf::mpsc::{self, Receiver, Sender};

pub struct Thingbuf;

impl Contender for Thingbuf {
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
