//! Places for values that come and go, several in an allocation.
//!
//! [`Rows`] gives out [`Place`]s one behind the other in a row of up to [`MOST`] bytes. No place is used twice: a row is
//! freed when all its places were given back, and it is not the one that is being filled. So taking a place costs a few
//! additions, and giving it back, from any thread, an atomic subtraction. What one that is kept for long keeps with it is its
//! row. The first row has one place, and each further one is twice as long: who needs few takes little.
//!
//! # Invariants
//!
//! - **R1** The `owners` of a row are more than the places that are still to be given back, as long as the row is being filled;
//!   after that they are as many. Whoever takes away the last frees the row. (`joint.rs` has the loom test.)
//! - **R2** Places lie in their row, aligned, and none over another.
#![expect(unsafe_code, reason = "places are parts of an allocation")]

use super::atomic::{AtomicUsize, Ordering};
use super::cell::Visits;
use alloc::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use core::marker::PhantomData;
use core::ptr::NonNull;

/// How long a row is at most, its head included: two pages, less what an allocator keeps beside it. A group of tasks whose rows are
/// half as long takes a fifth longer, and one with twice as long ones hardly less (`task.spawned_tokio`).
const MOST: usize = 8192 - 16;

/// What takes more room than this has an allocation of its own.
const LARGE: usize = 1024;

/// What places are aligned to.
const ALIGN: usize = 16;

/// Owners of a row that is being filled: more than there are places in it.
const FILLING: usize = MOST;

/// What a row begins with.
#[repr(C, align(16))]
struct Head {
    owners: AtomicUsize,
    bytes: usize,
    visits: Visits,
}

/// Where a place was taken from.
#[derive(Clone, Copy)]
pub(crate) struct Origin(Option<NonNull<Head>>);

/// A place for a value.
pub(crate) struct Place<T> {
    at: NonNull<T>,
    origin: Origin,
    holds: PhantomData<T>,
}

// SAFETY: a place is memory that nobody else uses (R2), with a count in an atomic (R1).
unsafe impl<T: Send> Send for Place<T> {}

impl<T> Place<T> {
    /// A place in an allocation of its own.
    pub(crate) fn alone() -> Self {
        Self { at: allocate(Layout::new::<T>()).cast(), origin: Origin(None), holds: PhantomData }
    }

    /// Where it was taken from.
    pub(crate) fn origin(&self) -> Origin {
        self.origin
    }

    /// Puts the value in. The place is then given back by [`vacate`].
    pub(crate) fn fill(self, value: T) -> NonNull<T> {
        let at = self.at;
        core::mem::forget(self);
        // SAFETY: R2: it is valid for a `T`, and nobody else uses it.
        unsafe { at.write(value) };
        at
    }
}

impl<T> Drop for Place<T> {
    fn drop(&mut self) {
        // SAFETY: the place is given up here.
        unsafe { self.origin.give_back(self.at) };
    }
}

/// Drops the value in a place, and gives the place back, also if that unwinds.
///
/// # Safety
/// `at` came from [`Place::fill`] of a place with this origin, and is not used afterwards.
pub(crate) unsafe fn vacate<T>(at: NonNull<T>, origin: Origin) {
    let _place = Place { at, origin, holds: PhantomData };
    // SAFETY: there is a value, by the contract above, and it is dropped once.
    unsafe { at.drop_in_place() };
}

impl Origin {
    /// # Safety
    /// `at` is a place of this origin, is given back once, and not used afterwards.
    unsafe fn give_back<T>(self, at: NonNull<T>) {
        match self.0 {
            // SAFETY: R1: the place counts.
            Some(row) => unsafe { leave(row, 1) },
            // SAFETY: `alone` has allocated it with this layout.
            None => unsafe { dealloc(at.cast().as_ptr(), Layout::new::<T>()) },
        }
    }
}

/// Takes away so many owners of a row.
///
/// # Safety
/// They are the caller's (R1), who does not use the row afterwards.
unsafe fn leave(row: NonNull<Head>, owners: usize) {
    // SAFETY: the row is there as long as it has owners (R1).
    let head = unsafe { row.as_ref() };
    let bytes = head.bytes;
    head.visits.visit();
    // AcqRel: partner of itself: whoever frees the row has seen what others did in it.
    if head.owners.fetch_sub(owners, Ordering::AcqRel) == owners {
        head.visits.end();
        // SAFETY: nobody else has the row (R1).
        unsafe { row.drop_in_place() };
        // SAFETY: `begin` has allocated it with this layout.
        unsafe { dealloc(row.cast().as_ptr(), layout(bytes)) };
    }
}

fn layout(bytes: usize) -> Layout {
    Layout::from_size_align(bytes, ALIGN).expect("a few kilobytes")
}

/// Memory that is not zero bytes.
fn allocate(layout: Layout) -> NonNull<u8> {
    assert!(layout.size() > 0);
    // SAFETY: it is not zero bytes.
    let at = unsafe { alloc(layout) };
    NonNull::new(at).unwrap_or_else(|| handle_alloc_error(layout))
}

/// A row that is being filled.
struct Row {
    head: NonNull<Head>,
    bytes: usize,
    /// Bytes that are taken, the head's included.
    used: usize,
    /// Places that were taken.
    places: usize,
}

impl Row {
    fn begin(bytes: usize) -> Self {
        let head = allocate(layout(bytes)).cast();
        // SAFETY: a head fits in: a row has room for one and a place.
        unsafe { head.write(Head { owners: AtomicUsize::new(FILLING), bytes, visits: Visits::new() }) };
        Self { head, bytes, used: size_of::<Head>(), places: 0 }
    }
}

impl Drop for Row {
    fn drop(&mut self) {
        // SAFETY: R1: the owners beyond the places are those of the row as it is filled.
        unsafe { leave(self.head, FILLING - self.places) };
    }
}

/// Gives out places.
pub(crate) struct Rows {
    row: Option<Row>,
}

// SAFETY: rows are memory, with a count in an atomic (R1).
unsafe impl Send for Rows {}

impl Rows {
    /// No row yet.
    pub(crate) const fn new() -> Self {
        Self { row: None }
    }

    /// Takes a place.
    #[inline]
    pub(crate) fn take<T>(&mut self) -> Place<T> {
        if size_of::<T>() > LARGE || align_of::<T>() > ALIGN {
            return Place::alone();
        }
        let size = size_of::<T>().next_multiple_of(ALIGN).max(ALIGN);
        let row = match &mut self.row {
            Some(row) if row.bytes - row.used >= size => row,
            _ => self.next(size),
        };
        // SAFETY: R2: the row has room for it.
        let at = unsafe { row.head.byte_add(row.used) };
        row.used += size;
        row.places += 1;
        Place { at: at.cast(), origin: Origin(Some(row.head)), holds: PhantomData }
    }

    /// The next row, which has room for a place of this size.
    #[cold]
    fn next(&mut self, size: usize) -> &mut Row {
        let before = self.row.as_ref().map_or(0, |row| row.bytes);
        let bytes = (2 * before).min(MOST).max(size_of::<Head>() + size);
        self.row.insert(Row::begin(bytes))
    }
}

#[cfg(all(test, not(wakeful_loom)))]
mod tests {
    use super::*;
    use crate::sys::Arc;
    use crate::sys::model::Random;
    use alloc::vec::Vec;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    /// The owners of a row that has some.
    fn owners(origin: Origin) -> usize {
        // SAFETY: the caller has a place of it.
        unsafe { origin.0.expect("in a row").as_ref() }.owners.load(Ordering::Relaxed)
    }

    /// A value in a place.
    struct Held<T>(NonNull<T>, Origin);

    impl<T> Held<T> {
        fn new(place: Place<T>, value: T) -> Self {
            let origin = place.origin();
            Self(place.fill(value), origin)
        }
    }

    impl<T> Drop for Held<T> {
        fn drop(&mut self) {
            // SAFETY: filled above, and vacated once.
            unsafe { vacate(self.0, self.1) };
        }
    }

    #[test]
    fn places_of_all_sizes_lie_apart_and_keep_what_is_in_them() {
        let (mut rows, mut random) = (Rows::new(), Random(7));
        let (mut bytes, mut words) = (Vec::new(), Vec::new());
        for n in 0..2_000_usize {
            match random.below(4) {
                0 => bytes.push((n, Held::new(rows.take(), n as u8))),
                1 => words.push((n, Held::new(rows.take(), [n; 9]))),
                2 if !bytes.is_empty() => drop(bytes.swap_remove(random.below(bytes.len()))),
                _ if !words.is_empty() => drop(words.swap_remove(random.below(words.len()))),
                _ => drop(rows.take::<u32>()),
            }
        }
        drop(rows);
        // SAFETY: filled above.
        assert!(bytes.iter().all(|(n, held)| unsafe { held.0.read() } == *n as u8 && held.0.addr().get() % ALIGN == 0));
        // SAFETY: filled above.
        assert!(words.iter().all(|(n, held)| unsafe { held.0.read() } == [*n; 9]));
    }

    #[test]
    fn a_row_has_an_owner_for_each_place_that_is_out_once_it_is_full() {
        let mut rows = Rows::new();
        let first = Held::new(rows.take(), [0_u64; 4]);
        assert_eq!(owners(first.1), FILLING);
        let mut second = Vec::from([Held::new(rows.take(), [0_u64; 4])]);
        assert_eq!(owners(first.1), 1, "the first row has one place");
        while owners(second[0].1) == FILLING {
            second.push(Held::new(rows.take(), [0_u64; 4]));
        }
        let third = second.pop().expect("of the next row");
        assert_eq!(owners(second[0].1), second.len());
        drop(second.pop());
        assert_eq!(owners(second[0].1), second.len());
        drop(rows);
        assert_eq!(owners(third.1), 1, "no row is filled any more");
    }

    #[test]
    fn what_is_large_or_widely_aligned_lies_apart() {
        #[repr(align(64))]
        struct Wide(#[expect(dead_code, reason = "it takes room")] u8);
        let mut rows = Rows::new();
        let wide = Held::new(rows.take(), Wide(1));
        assert!(wide.1.0.is_none() && wide.0.is_aligned());
        assert!(Held::new(rows.take(), [0_u8; LARGE + 1]).1.0.is_none());
        assert!(Held::new(rows.take(), [0_u8; LARGE]).1.0.is_some());
        drop(rows.take::<[u8; LARGE + 1]>());
    }

    #[test]
    fn a_value_that_panics_when_it_is_dropped_leaves_its_place_all_the_same() {
        struct Panics(#[expect(dead_code, reason = "its drop counts")] Arc<()>);
        impl Drop for Panics {
            fn drop(&mut self) {
                panic!("dropped");
            }
        }
        let (mut rows, alive) = (Rows::new(), Arc::new(()));
        let first = Held::new(rows.take(), Panics(alive.clone()));
        let stays = Held::new(rows.take(), 1_u8);
        let second = Held::new(rows.take(), Panics(alive.clone()));
        drop(rows);
        let before = owners(stays.1);
        for held in [first, second] {
            assert!(catch_unwind(AssertUnwindSafe(|| drop(held))).is_err());
        }
        assert_eq!((owners(stays.1), Arc::strong_count(&alive)), (before - 1, 1));
    }
}
