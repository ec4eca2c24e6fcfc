//! What a topic has to offer to be measured.

use std::future::Future;

/// Numbers for every subscriber.
pub trait Contender: 'static {
    type Tx: 'static;
    type Rx: 'static;

    /// One whose subscribers miss the oldest, or the latest only is read.
    fn new(capacity: usize, readers: usize) -> (Self::Tx, Vec<Self::Rx>);
    /// Publishes without waiting.
    fn send(tx: &Self::Tx, value: u64);
    /// Reads the next, or the latest.
    fn recv(rx: &mut Self::Rx) -> impl Future<Output = u64> + '_;
}

/// One that has publishers wait.
pub trait Waits: 'static {
    type Tx: 'static;
    type Rx: 'static;

    fn new(capacity: usize) -> (Self::Tx, Self::Rx);
    fn send(tx: &Self::Tx, value: u64) -> impl Future<Output = ()> + '_;
    fn recv(rx: &mut Self::Rx) -> impl Future<Output = u64> + '_;
}
