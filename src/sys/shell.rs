//! A value of which several have a share at once, each for a short time, in an allocation that is used again and again.
//!
//! A share costs one atomic operation, when it comes back; it is given without one, by who has the shell.
//!
//! # Invariants
//!
//! - **V1** There is a value while `given` is above zero; so many shares of it have been given. It is moved in and out by who has
//!   the shell and has seen that all of them have come back.
//! - **V2** `back` counts the shares that have come back. A share does not reach the block after it has counted itself, but for the
//!   last one of a value that was left to its shares.
//! - **V3** Who leaves a value to its shares gives the block up, and adds to `back` what makes it `LAST` when as many have come back as
//!   have been given. It is above that bound only then, so the one that makes `LAST` of it is the last, and frees the block.
//!   Fewer than `LAST` are given of one value: one to a reader, of whom there are fewer than half of all addresses.
#![expect(unsafe_code, reason = "whose turn it is to reach a value is known by counting those who had one")]

use super::atomic::{AtomicUsize, Ordering};
use super::spot::Spot;
use super::thread::contain;
use alloc::boxed::Box;
use core::marker::PhantomData;
use core::ops::Deref;
use core::ptr::NonNull;

/// What `back` is when the last share of a value that was left has come back.
const LAST: usize = 1 << (usize::BITS - 1);

struct Block<T> {
    back: AtomicUsize,
    value: Spot<T>,
}

/// Where a block is; who has this reaches it (V2).
struct To<T>(NonNull<Block<T>>, PhantomData<Block<T>>);

impl<T> To<T> {
    fn new() -> Self {
        let block = Box::new(Block { back: AtomicUsize::new(0), value: Spot::new() });
        Self(NonNull::from(Box::leak(block)), PhantomData)
    }

    #[inline(always)]
    fn block(&self) -> &Block<T> {
        // SAFETY: V2, V3: it is not freed before the shell and the last share have given it up.
        unsafe { self.0.as_ref() }
    }

    /// # Safety
    /// Nobody else reaches the block any more, and there is no value in it.
    unsafe fn free(self) {
        self.block().value.close();
        // SAFETY: it was made by a box, and by the contract of this method nobody reaches it any more.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

// SAFETY: the value is shared, and dropped by whoever is the last.
unsafe impl<T: Send + Sync> Send for To<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for To<T> {}

/// Where the value is put, and shares of it are given.
pub(crate) struct Shell<T> {
    to: Option<To<T>>,
    given: usize,
}

/// A share of a value. The last one of a value that was left drops it.
pub(crate) struct Share<T>(To<T>);

/// What was in a shell.
pub(crate) enum Taken<T> {
    /// Nobody had a share of it.
    Whole(T),
    /// It is left to those who have a share of it, of whom this is one.
    Shared(Share<T>),
}

impl<T> Shell<T> {
    pub(crate) const fn new() -> Self {
        Self { to: None, given: 0 }
    }

    /// Puts a value into a shell that is empty, and gives the first share.
    #[inline(never)]
    pub(crate) fn lay(&mut self, value: T) -> Share<T> {
        debug_assert_eq!(self.given, 0);
        let to = self.to.get_or_insert_with(To::new);
        // SAFETY: V1: there is none, and nobody has a share.
        unsafe { to.block().value.write(value) };
        self.given = 1;
        Share(To(to.0, PhantomData))
    }

    /// One more share. None: it is empty.
    #[inline]
    pub(crate) fn share(&mut self) -> Option<Share<T>> {
        let to = self.to.as_ref().filter(|_| self.given > 0)?;
        debug_assert!(self.given < LAST - 1);
        self.given += 1;
        Some(Share(To(to.0, PhantomData)))
    }

    /// Empties it. None: it was empty.
    #[inline]
    pub(crate) fn take(&mut self) -> Option<Taken<T>> {
        let block = self.to.as_ref().filter(|_| self.given > 0)?.block();
        // Acquire: partner of the exchanges by which shares come back.
        if block.back.load(Ordering::Acquire) != self.given {
            return self.leave().map(Taken::Shared);
        }
        // Relaxed: those who will have a share come after this.
        block.back.store(0, Ordering::Relaxed);
        self.given = 0;
        // SAFETY: V1: all have come back.
        Some(Taken::Whole(unsafe { block.value.take() }))
    }

    /// Leaves the value to its shares, of which it gives one more.
    #[cold]
    fn leave(&mut self) -> Option<Share<T>> {
        let share = Share(self.to.take()?);
        let given = core::mem::take(&mut self.given) + 1;
        // Relaxed: what is in the block was there for the others before; the last of them acquires it.
        share.0.block().back.fetch_add(LAST - given, Ordering::Relaxed);
        Some(share)
    }
}

impl<T> Drop for Shell<T> {
    fn drop(&mut self) {
        let taken = self.take();
        if let Some(to) = self.to.take() {
            // SAFETY: V1: all shares have come back, else the block would have been left to them.
            unsafe { to.free() };
        }
        drop(taken);
    }
}

impl<T> Deref for Share<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        let value = self.0.block().value.as_ptr();
        // SAFETY: V1: it is there until this share has come back.
        unsafe { &*value }
    }
}

impl<T> Drop for Share<T> {
    #[inline]
    fn drop(&mut self) {
        // AcqRel: partner of the load in `take`; and the last comes after all others.
        if self.0.block().back.fetch_add(1, Ordering::AcqRel) == LAST - 1 {
            self.last();
        }
    }
}

impl<T> Share<T> {
    /// The last share of a value that was left has come back.
    #[cold]
    fn last(&mut self) {
        // SAFETY: V3.
        let value = unsafe { self.0.block().value.take() };
        // SAFETY: V3: nobody else is left, and the value was taken.
        unsafe { To(self.0.0, PhantomData).free() };
        // Whoever has this has made of it what it wanted, which a panic would take along.
        contain(|| drop(value));
    }
}

#[cfg(test)]
mod loom_tests;
