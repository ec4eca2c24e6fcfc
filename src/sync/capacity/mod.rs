//! Tokens, of which it is known who holds them.

mod acquire;
mod state;

pub use acquire::{AcquireToken, DoubleBorrow, TryAcquireTokenError};

use crate::sys::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::hash::Hash;
use state::{Borrower, Desk, Entry, Registered};

/// Tokens that borrowers hold, one each at most: how many there are may change, and who holds one can be told. Clones are
/// the same limiter.
///
/// A borrower is whatever the key `K` stands for: a task, a connection, a user. One that asks for a second token while it
/// holds one, or waits for one, gets an error instead of waiting for itself. Where it does not matter who holds what, a
/// [`Semaphore`](super::Semaphore) costs less: this allocates for each borrower.
///
/// The name and the rules are those of trio's and anyio's `CapacityLimiter`.
///
/// # Fairness
/// First come, first served, counted from the first poll; newcomers don't overtake.
///
/// # Examples
/// ```
/// use wakeful::sync::{CapacityLimiter, DoubleBorrow};
///
/// wakeful::sim::run(|_| async move {
///     let limiter = CapacityLimiter::new(1);
///     let token = limiter.acquire("alice").await.unwrap();
///     assert_eq!(limiter.holders(), ["alice"]);
///     assert_eq!(limiter.acquire("alice").await.unwrap_err(), DoubleBorrow("alice"));
///
///     limiter.set_total(2);
///     let second = limiter.acquire("bob").await.unwrap();
///     drop(token);
///     assert_eq!(limiter.holders(), ["bob"]);
///     drop(second);
/// });
/// ```
pub struct CapacityLimiter<K> {
    desk: Arc<Desk<K>>,
}

impl<K> CapacityLimiter<K> {
    /// A limiter with `total` tokens; with none, everybody waits until [there are some](Self::set_total).
    #[track_caller]
    #[must_use]
    pub fn new(total: usize) -> Self {
        Self { desk: state::desk(total) }
    }

    /// How many tokens there are.
    pub fn total(&self) -> usize {
        self.desk.counts().0
    }

    /// Changes how many tokens there are. More let those in who wait; fewer take nothing away, and let nobody in until
    /// enough have come back.
    ///
    /// # Examples
    /// ```
    /// use wakeful::sync::CapacityLimiter;
    ///
    /// let limiter = CapacityLimiter::new(2);
    /// let (one, two) = (limiter.try_acquire(1).unwrap(), limiter.try_acquire(2).unwrap());
    /// limiter.set_total(1);
    /// assert_eq!((limiter.borrowed(), limiter.available()), (2, 0));
    /// drop(one);
    /// assert!(limiter.try_acquire(3).is_err());
    /// drop(two);
    /// assert!(limiter.try_acquire(3).is_ok());
    /// ```
    pub fn set_total(&self, total: usize) {
        self.desk.set_total(total);
    }

    /// How many tokens are out, those included that were granted to futures which have not been polled since.
    pub fn borrowed(&self) -> usize {
        self.desk.counts().1
    }

    /// How many tokens nobody has.
    pub fn available(&self) -> usize {
        let (total, borrowed) = self.desk.counts();
        total.saturating_sub(borrowed)
    }

    /// How many borrowers wait.
    pub fn waiting(&self) -> usize {
        self.desk.waiting()
    }

    /// Who holds a token, in no order that means anything.
    pub fn holders(&self) -> Vec<K>
    where
        K: Clone,
    {
        self.desk.borrowers(true).iter().map(|borrower| borrower.key.clone()).collect()
    }

    /// Who waits for a token, in no order that means anything.
    pub fn waiters(&self) -> Vec<K>
    where
        K: Clone,
    {
        self.desk.borrowers(false).iter().map(|borrower| borrower.key.clone()).collect()
    }

    /// Whether `self` and `other` are one limiter.
    pub fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.desk, &other.desk)
    }
}

impl<K: Eq + Hash> CapacityLimiter<K> {
    /// Waits for a token for `borrower`.
    ///
    /// `borrower` is hashed and compared under no lock.
    ///
    /// # Errors
    /// [`DoubleBorrow`] at the first poll, with the key, if that borrower holds a token or waits for one.
    pub fn acquire(&self, borrower: K) -> AcquireToken<'_, K> {
        AcquireToken::new(&self.desk, borrower)
    }

    /// Takes a token for `borrower` if there is one and nobody waits.
    ///
    /// # Errors
    /// The key comes back in [`TryAcquireTokenError::Full`] or [`TryAcquireTokenError::DoubleBorrow`].
    pub fn try_acquire(&self, borrower: K) -> Result<Token<K>, TryAcquireTokenError<K>> {
        let borrower = Borrower::new(borrower);
        match self.desk.register(&borrower, true) {
            Registered::As(entry) => Ok(Token { desk: self.desk.clone(), borrower, entry }),
            Registered::Full => Err(TryAcquireTokenError::Full(acquire::own_key(borrower))),
            Registered::Double => Err(TryAcquireTokenError::DoubleBorrow(acquire::own_key(borrower))),
        }
    }
}

impl<K> Clone for CapacityLimiter<K> {
    fn clone(&self) -> Self {
        Self { desk: self.desk.clone() }
    }
}

impl<K> fmt::Debug for CapacityLimiter<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (total, borrowed) = self.desk.counts();
        f.debug_struct("CapacityLimiter")
            .field("total", &total)
            .field("borrowed", &borrowed)
            .field("waiting", &self.waiting())
            .finish()
    }
}

/// A token, given back when this is dropped; made by [`CapacityLimiter::acquire`].
#[must_use = "a token that is dropped is given back"]
pub struct Token<K> {
    desk: Arc<Desk<K>>,
    borrower: Arc<Borrower<K>>,
    entry: Entry,
}

impl<K> Token<K> {
    /// Who holds it.
    pub fn borrower(&self) -> &K {
        &self.borrower.key
    }
}

impl<K> Drop for Token<K> {
    fn drop(&mut self) {
        self.desk.release(self.entry);
    }
}

impl<K: fmt::Debug> fmt::Debug for Token<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("borrower", self.borrower()).finish()
    }
}
