//! What keeps the items of a queue: the one thing in which the kinds differ.

use super::kind::{Lane, MOST_LANES, Rank, Ranked};
use super::ring::Ring;
use alloc::collections::{BinaryHeap, VecDeque};
use alloc::vec::Vec;
use core::array;
use core::cmp::Ordering;
use core::mem;

/// Keeps items, under the lock of a queue. No method but [`key`](Self::key) and [`into_vec`](Self::into_vec) runs code of
/// the user's, and those are called outside the lock.
pub trait Shelf<T>: Sized {
    /// What an item is ordered by.
    type Key: Copy + Default;
    /// What a waiter brings: nothing, or, where a send meets a receive, its value.
    type Slot: Default;
    /// Whether a send keeps its value until a receive comes for it.
    const MEETS: bool = false;

    /// An empty one with room for `room` items.
    fn new(room: usize) -> Self;

    /// The key of an item.
    fn key(value: &T) -> Self::Key;

    /// How many items there are.
    fn len(&self) -> usize;

    /// Puts an item in.
    fn push(&mut self, key: Self::Key, value: T);

    /// Takes the next item out.
    fn pop(&mut self) -> Option<T>;

    /// All items, the next one first.
    fn into_vec(self) -> Vec<T>;

    /// Lays a value down in a waiter's slot, if this kind [meets](Self::MEETS).
    fn lay(_: &mut Self::Slot, value: T) -> Option<T> {
        Some(value)
    }

    /// Picks up what lies in a waiter's slot.
    fn pick_up(_: &mut Self::Slot) -> Option<T> {
        None
    }
}

/// Keeps items that newer ones may push out.
pub trait Buffer<T>: Shelf<T> {
    /// Puts an item in, and takes out the oldest of those that matter least, which may be the same one.
    fn displace(&mut self, key: Self::Key, value: T) -> T;
}

/// In the order in which they came, or the newest first.
#[derive(Debug)]
pub struct Row<T, const NEWEST_FIRST: bool>(Ring<T>);

impl<T, const NEWEST_FIRST: bool> Shelf<T> for Row<T, NEWEST_FIRST> {
    type Key = ();
    type Slot = ();

    fn new(room: usize) -> Self {
        Self(Ring::new(room))
    }

    #[inline]
    fn key(_: &T) {}

    #[inline]
    fn len(&self) -> usize {
        self.0.len()
    }

    #[inline]
    fn push(&mut self, (): (), value: T) {
        self.0.push_back(value);
    }

    #[inline]
    fn pop(&mut self) -> Option<T> {
        if NEWEST_FIRST { self.0.pop_back() } else { self.0.pop_front() }
    }

    fn into_vec(self) -> Vec<T> {
        empty(self)
    }
}

impl<T, const NEWEST_FIRST: bool> Buffer<T> for Row<T, NEWEST_FIRST> {
    fn displace(&mut self, (): (), value: T) -> T {
        self.0.push_back(value);
        self.0.pop_front().expect("one was just put in")
    }
}

/// What a shelf pops, until it is empty.
fn empty<T>(mut shelf: impl Shelf<T>) -> Vec<T> {
    let mut items = Vec::with_capacity(shelf.len());
    while let Some(item) = shelf.pop() {
        items.push(item);
    }
    items
}

/// An item in a [`Heap`], where the greatest is that of the lowest number, and of those, the oldest.
#[derive(Debug)]
struct Numbered<T> {
    number: u64,
    age: u64,
    value: T,
}

impl<T> Numbered<T> {
    /// One number, which is compared without a branch.
    #[inline]
    fn place(&self) -> u128 {
        u128::from(self.number) << 64 | u128::from(self.age)
    }
}

impl<T> PartialEq for Numbered<T> {
    fn eq(&self, other: &Self) -> bool {
        self.place() == other.place()
    }
}
impl<T> Eq for Numbered<T> {}
impl<T> PartialOrd for Numbered<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<T> Ord for Numbered<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        other.place().cmp(&self.place())
    }
}

/// The lowest rank first, and first in, first out among equals.
///
/// An item more urgent than all others, so also one that finds none, does not go through the heap.
#[derive(Debug)]
pub struct Heap<T> {
    /// If there is one, it comes before all of the rest.
    first: Option<Numbered<T>>,
    rest: BinaryHeap<Numbered<T>>,
    /// How many have been put in.
    count: u64,
}

impl<T: Ranked> Shelf<T> for Heap<T> {
    type Key = u64;
    type Slot = ();

    fn new(room: usize) -> Self {
        Self { first: None, rest: BinaryHeap::with_capacity(room), count: 0 }
    }

    #[inline]
    fn key(value: &T) -> u64 {
        value.rank().number()
    }

    #[inline]
    fn len(&self) -> usize {
        self.rest.len() + usize::from(self.first.is_some())
    }

    #[inline]
    fn push(&mut self, number: u64, value: T) {
        let item = Numbered { number, age: self.count, value };
        self.count += 1;
        let next = self.first.as_ref().or_else(|| self.rest.peek());
        let later = if next.is_some_and(|next| next.number <= number) { Some(item) } else { self.first.replace(item) };
        if let Some(later) = later {
            self.rest.push(later);
        }
    }

    #[inline]
    fn pop(&mut self) -> Option<T> {
        self.first.take().or_else(|| self.rest.pop()).map(|item| item.value)
    }

    fn into_vec(self) -> Vec<T> {
        let rest = self.rest.into_sorted_vec().into_iter().rev();
        self.first.into_iter().chain(rest).map(|item| item.value).collect()
    }
}

impl<T: Ranked> Buffer<T> for Heap<T> {
    fn displace(&mut self, number: u64, value: T) -> T {
        self.push(number, value);
        let mut rest = mem::take(&mut self.rest).into_vec();
        let least = |(_, a): &(usize, &Numbered<T>), (_, b): &(usize, &Numbered<T>)| {
            a.number.cmp(&b.number).then(b.age.cmp(&a.age))
        };
        let place = rest.iter().enumerate().max_by(least).map(|(place, _)| place);
        // Of equals the first is the oldest.
        let first = self.first.take_if(|first| place.is_none_or(|place| rest[place].number == first.number));
        let least = first.or_else(|| place.map(|place| rest.swap_remove(place)));
        self.rest = rest.into();
        least.expect("one was just put in").value
    }
}

/// The lowest lane first, and first in, first out within a lane.
#[derive(Debug)]
pub struct Rows<T, const N: usize> {
    rows: [Ring<T>; N],
    /// A bit for each row that holds something.
    filled: u32,
    len: usize,
}

impl<T, const N: usize> Rows<T, N> {
    fn take(&mut self, row: usize) -> Option<T> {
        let value = self.rows[row].pop_front()?;
        self.len -= 1;
        if self.rows[row].len() == 0 {
            self.filled &= !(1 << row);
        }
        Some(value)
    }
}

impl<T: Ranked<Rank = Lane<N>>, const N: usize> Shelf<T> for Rows<T, N> {
    type Key = Option<Lane<N>>;
    type Slot = ();

    /// Each row allocates when it is first used.
    fn new(_: usize) -> Self {
        const { assert!(N <= MOST_LANES, "there are 32 lanes at the most") };
        Self { rows: array::from_fn(|_| Ring::new(0)), filled: 0, len: 0 }
    }

    #[inline]
    fn key(value: &T) -> Option<Lane<N>> {
        Some(value.rank())
    }

    #[inline]
    fn len(&self) -> usize {
        self.len
    }

    #[inline]
    fn push(&mut self, lane: Option<Lane<N>>, value: T) {
        let row = lane.map_or(0, Lane::index);
        self.rows[row].push_back(value);
        self.filled |= 1 << row;
        self.len += 1;
    }

    #[inline]
    fn pop(&mut self) -> Option<T> {
        if self.filled == 0 {
            return None;
        }
        self.take(self.filled.trailing_zeros() as usize)
    }

    fn into_vec(self) -> Vec<T> {
        empty(self)
    }
}

impl<T: Ranked<Rank = Lane<N>>, const N: usize> Buffer<T> for Rows<T, N> {
    fn displace(&mut self, lane: Option<Lane<N>>, value: T) -> T {
        self.push(lane, value);
        self.take(self.filled.ilog2() as usize).expect("one was just put in")
    }
}

/// What a waiter of a [`Meeting`] brings.
#[derive(Debug)]
pub struct Offer<T>(Option<T>);

impl<T> Default for Offer<T> {
    fn default() -> Self {
        Self(None)
    }
}

/// Nothing is kept but what was handed to a receiver that waited and has not come for it.
#[derive(Debug)]
pub struct Meeting<T>(VecDeque<T>);

impl<T> Shelf<T> for Meeting<T> {
    type Key = ();
    type Slot = Offer<T>;
    const MEETS: bool = true;

    fn new(_: usize) -> Self {
        Self(VecDeque::new())
    }

    fn key(_: &T) {}

    fn len(&self) -> usize {
        self.0.len()
    }

    fn push(&mut self, (): (), value: T) {
        self.0.push_back(value);
    }

    fn pop(&mut self) -> Option<T> {
        self.0.pop_front()
    }

    fn into_vec(self) -> Vec<T> {
        self.0.into()
    }

    fn lay(slot: &mut Offer<T>, value: T) -> Option<T> {
        slot.0.replace(value)
    }

    fn pick_up(slot: &mut Offer<T>) -> Option<T> {
        slot.0.take()
    }
}
