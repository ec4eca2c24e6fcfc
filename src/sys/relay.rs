//! A value that goes from hand to hand: it is there for whoever comes, or somebody has it.
//!
//! To take it costs one atomic exchange, and so does putting it back. Whoever wants to have word of that marks the relay, which
//! leaves both to those who have a lock.
//!
//! # Invariants
//!
//! - **R1** The word is null while somebody has the value, and the box in which it lies else, which is the relay's then. Whoever
//!   exchanges the one for the other has the box, or has it no more.
//! - **R2** The last bit of the word is its mark. Marks are set and unset by who has a lock, always the same one; while there is
//!   one, nobody else changes the word.
#![expect(unsafe_code, reason = "the word owns a box")]

use super::atomic::{AtomicPtr, Ordering};
use alloc::boxed::Box;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};
use core::ptr;

const MARK: usize = 1;

/// What is handed on. It lies on a cache line of its own, so its address has bits to spare.
#[repr(align(64))]
pub(crate) struct Goods<T> {
    value: T,
    /// So that what has no size has an address of its own, too.
    _room: u8,
}

impl<T> Goods<T> {
    pub(crate) fn into_inner(self) -> T {
        self.value
    }
}

impl<T> Deref for Goods<T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Goods<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

/// Where they are, unless somebody has them.
pub(crate) struct Relay<T> {
    word: AtomicPtr<Goods<T>>,
    owns: PhantomData<Box<Goods<T>>>,
}

/// A word with a mark, or without.
#[inline(always)]
fn with_mark<T>(word: *mut T, mark: bool) -> *mut T {
    word.map_addr(|addr| addr & !MARK | usize::from(mark))
}

#[inline(always)]
fn has_mark<T>(word: *mut T) -> bool {
    word.addr() & MARK != 0
}

/// # Safety
/// The word, which has no mark, is of a box that is the caller's: an exchange has given it, or has not taken it (R1).
#[inline(always)]
unsafe fn own<T>(word: *mut Goods<T>) -> Box<Goods<T>> {
    // SAFETY: by the contract of this function.
    unsafe { Box::from_raw(word) }
}

impl<T> Relay<T> {
    /// The value is there.
    pub(crate) fn new(value: T) -> Self {
        let word = Box::into_raw(Box::new(Goods { value, _room: 0 }));
        Self { word: AtomicPtr::new(word), owns: PhantomData }
    }

    /// The goods, if they are there and there is no mark.
    #[inline]
    pub(crate) fn try_take(&self) -> Option<Box<Goods<T>>> {
        // Relaxed: the exchange finds out whether it is still so.
        let word = self.word.load(Ordering::Relaxed);
        if word.is_null() || has_mark(word) {
            return None;
        }
        // Acquire: partner of the releases of those who put them back.
        let word = self.word.compare_exchange(word, ptr::null_mut(), Ordering::Acquire, Ordering::Relaxed).ok()?;
        // SAFETY: R1: it was exchanged for null.
        Some(unsafe { own(word) })
    }

    /// Puts the goods back, unless there is a mark.
    #[inline]
    pub(crate) fn try_put(&self, goods: Box<Goods<T>>) -> Result<(), Box<Goods<T>>> {
        let word = Box::into_raw(goods);
        // Release: partner of the acquires of those who take them. Relaxed, if that fails: the lock orders what comes then.
        match self.word.compare_exchange(ptr::null_mut(), word, Ordering::Release, Ordering::Relaxed) {
            Ok(_) => Ok(()),
            // SAFETY: R1: it was not exchanged.
            Err(_) => Err(unsafe { own(word) }),
        }
    }

    /// Whether there is a mark.
    pub(crate) fn is_marked(&self) -> bool {
        // Relaxed, also below: it is only a hint without the lock, and with it nothing more is needed.
        has_mark(self.word.load(Ordering::Relaxed))
    }

    /// Whether the goods are there.
    pub(crate) fn is_there(&self) -> bool {
        !with_mark(self.word.load(Ordering::Relaxed), false).is_null()
    }

    /// Sets the mark or unsets it, for who has the lock (R2).
    pub(crate) fn mark(&self, mark: bool) {
        // Relaxed, all three: who has the value goes with it.
        let mut word = self.word.load(Ordering::Relaxed);
        while has_mark(word) != mark {
            let marked = with_mark(word, mark);
            match self.word.compare_exchange(word, marked, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return,
                Err(changed) => word = changed,
            }
        }
    }

    /// The goods, if they are there, marked or not, for who has the lock (R2). The mark stays.
    pub(crate) fn take(&self) -> Option<Box<Goods<T>>> {
        // Relaxed: as in `try_take`.
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            if with_mark(word, false).is_null() {
                return None;
            }
            let none = with_mark(ptr::null_mut(), has_mark(word));
            // Acquire: partner of the releases of those who put them back.
            match self.word.compare_exchange(word, none, Ordering::Acquire, Ordering::Relaxed) {
                // SAFETY: R1: it was exchanged for null.
                Ok(word) => return Some(unsafe { own(with_mark(word, false)) }),
                Err(changed) => word = changed,
            }
        }
    }

    /// Puts the goods back, for who has the lock and these (R2). The mark stays.
    pub(crate) fn put(&self, goods: Box<Goods<T>>) {
        let goods = Box::into_raw(goods);
        // Relaxed: nobody else changes it, as the value is with the caller, and so is the lock.
        let mark = has_mark(self.word.load(Ordering::Relaxed));
        // Release: partner of the acquires of those who take them.
        self.word.store(with_mark(goods, mark), Ordering::Release);
    }
}

impl<T> Drop for Relay<T> {
    fn drop(&mut self) {
        drop(self.take());
    }
}

// SAFETY: R1: the value goes from one to another, and only who has it reaches it.
unsafe impl<T: Send> Sync for Relay<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Send for Relay<T> {}

#[cfg(test)]
mod loom_tests;
