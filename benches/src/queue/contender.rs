//! What a queue has to offer to be measured.

use std::future::Future;

/// A bounded queue of numbers.
pub trait Contender: 'static {
    type Tx: Clone + Send + Sync + 'static;
    type Rx: Send + 'static;

    fn bounded(capacity: usize) -> (Self::Tx, Self::Rx);
    /// Whether there was room.
    fn try_send(tx: &Self::Tx, value: u64) -> bool;
    fn try_recv(rx: &mut Self::Rx) -> Option<u64>;
    /// Panics if the queue is closed.
    fn send(tx: &Self::Tx, value: u64) -> impl Future<Output = ()> + Send + '_;
    /// `None`: the queue is closed and empty.
    fn recv(rx: &mut Self::Rx) -> impl Future<Output = Option<u64>> + Send + '_;
}

/// One with several receivers.
pub trait Shared: Contender<Rx: Clone> {}

/// One that sends and receives many at once.
pub trait Batched: Contender {
    /// Sends all of these, for which there is room.
    fn send_batch(tx: &Self::Tx, values: std::ops::Range<u64>);
    /// Puts all that is there at the end of the buffer.
    fn recv_batch(rx: &mut Self::Rx, buffer: &mut Vec<u64>);
}
