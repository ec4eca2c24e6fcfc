//! The signals that ask a program to end. Left to themselves they would leave the terminal as the panel needs it.

use crate::Wish;
use async_signal::{Signal, Signals};
use futures::StreamExt;
use std::io;
use wakeful::queue::Sender;

/// From now on they end nothing by themselves.
pub(crate) fn ending() -> io::Result<Signals> {
    Signals::new([Signal::Int, Signal::Term, Signal::Hup])
}

/// Makes a wish of each, until nobody wants to know.
pub(crate) async fn listen(mut signals: Signals, wishes: Sender<Wish>) {
    while let Some(Ok(_)) = signals.next().await {
        if wishes.try_send(Wish::Stop).is_err() {
            return;
        }
    }
}
