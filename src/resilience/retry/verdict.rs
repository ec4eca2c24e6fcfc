//! What a retry asks about errors, and whom it tells.

use crate::time::Instant;
use core::fmt;
use core::time::Duration;

/// What is to be done about an error.
///
/// A `bool` is one too: true is [`Retry`](Self::Retry), false is [`GiveUp`](Self::GiveUp).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// Try again, when the schedule says.
    Retry,
    /// Try again when so much time has passed, or when the schedule says, whichever is later: what a server asks for, by
    /// [`Retry-After`](super::retry_after) for instance.
    After(Duration),
    /// Try again at this instant or when the schedule says, whichever is later.
    NotBefore(Instant),
    /// It is of no use.
    GiveUp,
}

impl From<bool> for Verdict {
    fn from(retry: bool) -> Self {
        if retry { Self::Retry } else { Self::GiveUp }
    }
}

/// Decides about errors of type `E`. Made by [`Retry::when`](super::Retry::when); or write one, to give its type a name.
pub trait Judge<E> {
    /// What is to be done about `error`.
    fn judge(&self, error: &E) -> Verdict;
}

/// Every error is retried.
#[derive(Clone, Copy)]
pub struct Always(pub(super) ());

impl<E> Judge<E> for Always {
    fn judge(&self, _: &E) -> Verdict {
        Verdict::Retry
    }
}

/// A closure decides; made by [`Retry::when`](super::Retry::when).
#[derive(Clone, Copy)]
pub struct When<F>(pub(super) F);

impl<E, V: Into<Verdict>, F: Fn(&E) -> V> Judge<E> for When<F> {
    fn judge(&self, error: &E) -> Verdict {
        (self.0)(error).into()
    }
}

/// An error after which there will be another attempt, as a hook is told of it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Retrying<'a, E> {
    /// The error.
    pub error: &'a E,
    /// How many attempts there were.
    pub attempts: u32,
    /// How long the retry waits.
    pub delay: Duration,
    /// When the next attempt is due.
    pub at: Instant,
}

/// Is told of errors of type `E`. Made by [`Retry::notify`](super::Retry::notify); or write one, to give its type a name.
pub trait Notify<E> {
    /// There was an error, and there will be another attempt.
    fn notify(&self, retrying: &Retrying<'_, E>);
}

/// Nobody is told.
#[derive(Clone, Copy)]
pub struct Silent(pub(super) ());

impl<E> Notify<E> for Silent {
    fn notify(&self, _: &Retrying<'_, E>) {}
}

/// A closure is told; made by [`Retry::notify`](super::Retry::notify).
#[derive(Clone, Copy)]
pub struct Told<F>(pub(super) F);

impl<E, F: Fn(&Retrying<'_, E>)> Notify<E> for Told<F> {
    fn notify(&self, retrying: &Retrying<'_, E>) {
        (self.0)(retrying);
    }
}

impl fmt::Debug for Always {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Always")
    }
}

impl fmt::Debug for Silent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Silent")
    }
}

impl<F> fmt::Debug for When<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("When").finish_non_exhaustive()
    }
}

impl<F> fmt::Debug for Told<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Told").finish_non_exhaustive()
    }
}
