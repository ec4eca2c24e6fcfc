//! A place for a value that several parties reach in turn, as something else says. Loom checks that they do.
#![expect(unsafe_code, reason = "whether there is a value, and whose it is, is known elsewhere")]

use super::cell::Cell;
use core::mem::MaybeUninit;

pub(crate) struct Spot<T>(Cell<MaybeUninit<T>>);

impl<T> Spot<T> {
    /// An empty one.
    #[inline]
    pub(crate) fn new() -> Self {
        Self(Cell::new(MaybeUninit::uninit()))
    }

    /// Puts a value there. One that is there is forgotten.
    ///
    /// # Safety
    /// Nobody else reaches the place meanwhile.
    #[inline]
    pub(super) unsafe fn write(&self, value: T) {
        // SAFETY: by the contract of this method.
        self.0.writing(|place| unsafe { place.cast::<T>().write(value) });
    }

    /// The value. What is left are words that nobody owns.
    ///
    /// # Safety
    /// There is a value, nobody writes there meanwhile, and nobody takes it too.
    #[inline]
    pub(super) unsafe fn take(&self) -> T {
        // SAFETY: by the contract of this method.
        self.0.reading(|place| unsafe { place.cast::<T>().read() })
    }

    /// Runs `f` with the value, of which no more is looked at than its words, if somebody takes it meanwhile.
    ///
    /// # Safety
    /// A value was put there, and nobody writes there meanwhile.
    #[inline]
    pub(super) unsafe fn look<R>(&self, f: impl FnOnce(&T) -> R) -> R {
        // SAFETY: by the contract of this method.
        self.0.reading(|place| f(unsafe { &*place.cast::<T>() }))
    }

    /// Where the value is, for one who keeps others from writing there.
    #[inline]
    pub(super) fn as_ptr(&self) -> *const T {
        self.0.read().cast()
    }

    /// Says that nobody comes here any more, whom loom would have to have seen coming.
    #[inline(always)]
    pub(super) fn close(&self) {
        self.0.writing(|_| ());
    }
}
