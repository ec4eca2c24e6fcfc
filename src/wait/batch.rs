//! Wakers on their way out of a lock.
#![expect(
    unsafe_code,
    reason = "an array of which only the first `len` wakers are there, so that an empty one costs nothing"
)]

use crate::sys::probe;
use crate::sys::thread::contain;
use core::mem::MaybeUninit;
use core::task::Waker;

/// As many wakers as leave a lock at once.
const SIZE: usize = 32;

/// Wakers taken out under a lock, to be fired outside it.
///
/// Invariant B1: the first `len` places hold wakers that nobody else owns.
pub(crate) struct Batch {
    len: usize,
    wakers: [MaybeUninit<Waker>; SIZE],
}

impl Batch {
    /// An empty batch.
    #[inline]
    pub(crate) fn new() -> Self {
        Self { len: 0, wakers: [const { MaybeUninit::uninit() }; SIZE] }
    }

    /// Whether nobody is to be woken.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether the lock should be left before more is taken out.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.len == SIZE
    }

    /// Takes `waker` along.
    ///
    /// # Panics
    /// When full: callers look first.
    #[inline]
    pub(crate) fn push(&mut self, waker: Waker) {
        self.wakers[self.len].write(waker);
        self.len += 1;
    }

    fn pop(&mut self) -> Option<Waker> {
        self.len = self.len.checked_sub(1)?;
        // SAFETY: B1: this place was below `len` and is not any more, so the waker is moved out once.
        Some(unsafe { self.wakers[self.len].assume_init_read() })
    }

    /// Wakes all in the order in which they came. Should one panic, the rest are woken while it unwinds, and further panics
    /// end there.
    #[inline]
    pub(crate) fn fire(&mut self) {
        if self.len != 0 {
            self.wakers[..self.len].reverse();
            self.wake_rest();
        }
    }

    #[inline(never)]
    fn wake_rest(&mut self) {
        while let Some(waker) = self.pop() {
            probe::firing(&waker);
            waker.wake();
        }
    }
}

impl Drop for Batch {
    /// Wakes what is left: something if a waker has panicked.
    #[inline]
    fn drop(&mut self) {
        if self.len != 0 {
            self.wake_unwinding();
        }
    }
}

impl Batch {
    #[cold]
    fn wake_unwinding(&mut self) {
        while let Some(waker) = self.pop() {
            probe::firing(&waker);
            contain(|| waker.wake());
        }
    }
}
