//! Waiting for a token.

use super::super::line::{self, LINE};
use super::Token;
use super::state::{Borrower, Desk, Entry, Registered, Tokens};
use crate::sys::thread::contain;
use crate::sys::{Arc, probe};
use crate::wait::{Batch, Seen, Waiter};
use core::error::Error;
use core::fmt;
use core::future::Future;
use core::hash::Hash;
use core::pin::Pin;
use core::task::{Context, Poll};
use pin_project_lite::pin_project;

pin_project! {
    /// Waits for a token; made by [`CapacityLimiter::acquire`](super::CapacityLimiter::acquire).
    ///
    /// # Fairness
    /// First come, first served, counted from the first poll.
    ///
    /// # Cancel safety
    /// Dropping it before it is ready takes no token: its place in line is given up, a token that it was granted goes to
    /// the next in line, and the borrower may ask again.
    ///
    /// # Panics
    /// When polled after completion.
    #[must_use = "nothing is acquired unless this is awaited"]
    pub struct AcquireToken<'a, K> {
        #[pin]
        waiter: Waiter<Tokens<K>, &'a Desk<K>>,
        seen: Seen,
        desk: &'a Arc<Desk<K>>,
        borrower: Option<Arc<Borrower<K>>>,
        entry: Option<Entry>,
    }

    impl<K> PinnedDrop for AcquireToken<'_, K> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let Some(entry) = this.entry.take() {
                leave(this.waiter.as_ref(), entry);
            }
        }
    }
}

impl<'a, K> AcquireToken<'a, K> {
    pub(super) fn new(desk: &'a Arc<Desk<K>>, key: K) -> Self {
        let borrower = Some(Borrower::new(key));
        Self { waiter: Waiter::new(desk, None), seen: Seen::NONE, desk, borrower, entry: None }
    }
}

/// Gives up a place in line, or a grant, and the entry in the table.
fn leave<K>(waiter: Pin<&Waiter<Tokens<K>, &Desk<K>>>, entry: Entry) {
    // Leaving itself wakes nobody here.
    let (mut nobody, mut first) = (Batch::new(), None);
    let (old, borrower, more) = waiter.with(|seat| {
        let old = seat.leave(&mut nobody);
        (old, seat.held.remove(entry), seat.held.settle(&mut first))
    });
    waiter.home().wake_quietly(first, more);
    contain(|| drop(old));
    drop(borrower);
}

/// The key of a borrower that nobody else refers to, since it never came into the table.
pub(super) fn own_key<K>(borrower: Arc<Borrower<K>>) -> K {
    Borrower::into_key(borrower).expect("a borrower that is not in the table")
}

impl<K: Eq + Hash> Future for AcquireToken<'_, K> {
    type Output = Result<Token<K>, DoubleBorrow<K>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let desk = *this.desk;
        let borrower = this.borrower.as_ref().expect("a token is waited for after completion");
        let mut granted = this.waiter.as_mut().accept();
        if !granted {
            if this.entry.is_none() {
                match desk.register(borrower, false) {
                    Registered::As(entry) => *this.entry = Some(entry),
                    _ => {
                        let key = this.borrower.take().map(own_key).expect("looked at above");
                        return Poll::Ready(Err(DoubleBorrow(key)));
                    }
                }
            }
            let mut wish = Some(borrower.clone());
            granted = line::look_or_join(this.waiter.as_ref(), this.seen, cx, LINE, |seat, granted| {
                if granted || seat.held.give(borrower) {
                    return Some(());
                }
                // Prepared outside the lock, as what it replaces is dropped there.
                core::mem::swap(seat.slot(), &mut wish);
                None
            })
            .is_some();
        }
        if !granted {
            probe::waiting("capacity limiter", Some(desk.shared), u64::MAX);
            return Poll::Pending;
        }
        let (borrower, entry) = this.borrower.take().zip(this.entry.take()).expect("looked at above");
        Poll::Ready(Ok(Token { desk: desk.clone(), borrower, entry }))
    }
}

impl<K> fmt::Debug for AcquireToken<'_, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AcquireToken").field("waiting", &self.waiter.is_waiting()).finish_non_exhaustive()
    }
}

/// The borrower holds a token already, or waits for one; its key comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DoubleBorrow<K>(pub K);

impl<K: fmt::Debug> fmt::Display for DoubleBorrow<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "borrower {:?} holds a token already, or waits for one", self.0)
    }
}

impl<K: fmt::Debug> Error for DoubleBorrow<K> {}

/// No token was taken at once; the borrower's key comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryAcquireTokenError<K> {
    /// There is no token, or others wait for it.
    Full(K),
    /// The borrower holds a token already, or waits for one.
    DoubleBorrow(K),
}

impl<K> TryAcquireTokenError<K> {
    /// The key of the borrower.
    pub fn into_inner(self) -> K {
        match self {
            Self::Full(key) | Self::DoubleBorrow(key) => key,
        }
    }
}

impl<K: fmt::Debug> fmt::Display for TryAcquireTokenError<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(key) => write!(f, "there is no token for borrower {key:?}"),
            Self::DoubleBorrow(key) => write!(f, "borrower {key:?} holds a token already, or waits for one"),
        }
    }
}

impl<K: fmt::Debug> Error for TryAcquireTokenError<K> {}
