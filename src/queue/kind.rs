//! The kinds of queues, and ranks.

use super::shelf::{Buffer, Heap, Meeting, Row, Rows, Shelf};
use core::cmp::Reverse;
use core::fmt;

mod sealed {
    pub trait Sealed {}
}
use sealed::Sealed;

/// A kind of queue: which item comes next, and whether there is room to keep items in.
///
/// Sealed: the kinds are [`Fifo`], [`Lifo`], [`Priority`], [`Lanes`] and [`Rendezvous`].
pub trait Kind<T>: Sealed + Sized {
    /// What keeps the items.
    #[doc(hidden)]
    type Shelf: Shelf<T>;
}

/// A [`Kind`] with room for items, which can be reserved, and whose capacity can be changed: all but [`Rendezvous`].
pub trait Buffered<T>: Kind<T, Shelf: Buffer<T>> {}

/// First in, first out: the kind of [`bounded`](super::bounded) and [`unbounded`](super::unbounded).
#[derive(Debug)]
pub enum Fifo {}

/// Last in, first out: the kind of [`lifo`](super::lifo()).
#[derive(Debug)]
pub enum Lifo {}

/// The lowest [rank](Ranked) first, and first in, first out among equals: the kind of [`priority`](super::priority()).
#[derive(Debug)]
pub enum Priority {}

/// The lowest of `N` [lanes](Lane) first, and first in, first out within a lane: the kind of [`lanes`](super::lanes()).
#[derive(Debug)]
pub enum Lanes<const N: usize> {}

/// Nothing is kept: a send meets a receive. The kind of [`rendezvous`](super::rendezvous()).
#[derive(Debug)]
pub enum Rendezvous {}

impl Sealed for Fifo {}
impl Sealed for Lifo {}
impl Sealed for Priority {}
impl<const N: usize> Sealed for Lanes<N> {}
impl Sealed for Rendezvous {}

impl<T> Kind<T> for Fifo {
    type Shelf = Row<T, false>;
}
impl<T> Kind<T> for Lifo {
    type Shelf = Row<T, true>;
}
impl<T: Ranked> Kind<T> for Priority {
    type Shelf = Heap<T>;
}
impl<T: Ranked<Rank = Lane<N>>, const N: usize> Kind<T> for Lanes<N> {
    type Shelf = Rows<T, N>;
}
impl<T> Kind<T> for Rendezvous {
    type Shelf = Meeting<T>;
}

impl<T> Buffered<T> for Fifo {}
impl<T> Buffered<T> for Lifo {}
impl<T: Ranked> Buffered<T> for Priority {}
impl<T: Ranked<Rank = Lane<N>>, const N: usize> Buffered<T> for Lanes<N> {}

/// An item that says how urgent it is. A pair of a rank and anything is one.
///
/// A queue asks once for each item, before it takes its lock.
///
/// # Examples
/// ```
/// use core::cmp::Reverse;
/// use core::num::NonZeroUsize;
/// use wakeful::queue::{self, Ranked};
///
/// struct Job {
///     weight: u32,
/// }
///
/// impl Ranked for Job {
///     type Rank = Reverse<u32>;
///
///     /// The heaviest first.
///     fn rank(&self) -> Reverse<u32> {
///         Reverse(self.weight)
///     }
/// }
///
/// let (tx, rx) = queue::priority(NonZeroUsize::new(8).unwrap());
/// for weight in [1, 5, 3] {
///     assert!(tx.try_send(Job { weight }).is_ok());
/// }
/// assert_eq!(rx.drain().iter().map(|job| job.weight).collect::<Vec<_>>(), [5, 3, 1]);
/// ```
pub trait Ranked {
    /// An integer, an integer in [`Reverse`], or a [`Lane`].
    type Rank: Rank;

    /// The rank of this item: of two, the one with the lower rank comes first.
    fn rank(&self) -> Self::Rank;
}

impl<R: Rank, T> Ranked for (R, T) {
    type Rank = R;

    #[inline]
    fn rank(&self) -> R {
        self.0
    }
}

/// What items are ranked by: integers of up to 64 bits, the same in [`Reverse`], and [`Lane`]s. Sealed.
pub trait Rank: Copy + Sealed {
    /// A number that is lower if the rank is.
    #[doc(hidden)]
    fn number(self) -> u64;
}

macro_rules! ranks {
    ($($unsigned:ident $signed:ident)*) => { $(
        impl Sealed for $unsigned {}
        impl Rank for $unsigned {
            #[inline]
            fn number(self) -> u64 {
                self as u64
            }
        }
        impl Sealed for $signed {}
        impl Rank for $signed {
            #[inline]
            fn number(self) -> u64 {
                (self as i64).abs_diff(i64::MIN)
            }
        }
    )* };
}
ranks!(u8 i8 u16 i16 u32 i32 u64 i64 usize isize);

impl<R: Rank> Sealed for Reverse<R> {}
impl<R: Rank> Rank for Reverse<R> {
    #[inline]
    fn number(self) -> u64 {
        !self.0.number()
    }
}

/// One of `N` lanes, of which the first, lane 0, is served before the others.
///
/// # Examples
/// ```
/// use wakeful::queue::Lane;
///
/// const URGENT: Lane<3> = Lane::at::<0>();
/// assert!(URGENT < Lane::at::<2>());
/// assert_eq!(Lane::new(1), Some(Lane::<3>::at::<1>()));
/// assert_eq!(Lane::<3>::new(3), None, "there is no such lane");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lane<const N: usize>(u8);

impl<const N: usize> Lane<N> {
    /// Lane `INDEX`, which the compiler checks.
    #[must_use]
    pub const fn at<const INDEX: usize>() -> Self {
        const { assert!(INDEX < N && N <= MOST_LANES, "a lane below N, of 32 at the most") };
        Self(INDEX as u8)
    }

    /// Lane `index`, if there is one.
    #[must_use]
    pub const fn new(index: usize) -> Option<Self> {
        const { assert!(N <= MOST_LANES, "there are 32 lanes at the most") };
        if index < N { Some(Self(index as u8)) } else { None }
    }

    /// Its number, from 0.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// As many lanes as the bits of a word tell apart on every target.
pub(super) const MOST_LANES: usize = 32;

impl<const N: usize> Sealed for Lane<N> {}
impl<const N: usize> Rank for Lane<N> {
    #[inline]
    fn number(self) -> u64 {
        u64::from(self.0)
    }
}

impl<const N: usize> fmt::Debug for Lane<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lane({} of {N})", self.0)
    }
}
