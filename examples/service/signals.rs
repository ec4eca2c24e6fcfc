//! The signals that ask a program to end, on any runtime.

use async_signal::Signal;
use futures::StreamExt;
use std::fmt;
use std::io;

/// Ctrl-C is an interrupt everywhere; nothing else is where there are no Unix signals.
#[cfg(unix)]
const ENDING: [Signal; 2] = [Signal::Int, Signal::Term];
#[cfg(not(unix))]
const ENDING: [Signal; 1] = [Signal::Int];

/// What was asked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asked(Signal);

pub(crate) struct Signals(async_signal::Signals);

impl Signals {
    /// From now on they end nothing by themselves: each is to be taken by [`next`](Self::next), and none that comes before
    /// that is lost.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self(async_signal::Signals::new(ENDING)?))
    }

    /// Waits for the next one.
    ///
    /// # Cancel safety
    /// Dropping it loses none.
    pub(crate) async fn next(&mut self) -> io::Result<Asked> {
        let signal = self.0.next().await;
        Ok(Asked(signal.expect("signals never end")?))
    }
}

impl Asked {
    /// The status of a process that it ended, as shells have it.
    pub(crate) fn status(self) -> u8 {
        128 + self.0 as u8
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0 == Signal::Int { "SIGINT" } else { "SIGTERM" })
    }
}
