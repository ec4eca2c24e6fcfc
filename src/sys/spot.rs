//! A place for a value that several parties reach in turn, as something else says. Loom checks that they do.
#![expect(unsafe_code, reason = "whether there is a value, and whose it is, is known elsewhere")]

#[cfg(not(wakeful_loom))]
use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
#[cfg(wakeful_loom)]
use loom::cell::UnsafeCell;

pub(crate) struct Spot<T>(UnsafeCell<MaybeUninit<T>>);

impl<T> Spot<T> {
    /// An empty one.
    #[inline]
    pub(crate) fn new() -> Self {
        Self(UnsafeCell::new(MaybeUninit::uninit()))
    }

    /// Runs `f` with the place, at which nobody writes meanwhile.
    #[inline(always)]
    fn reading<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        #[cfg(wakeful_loom)]
        return self.0.with(|place| f(place.cast()));
        #[cfg(not(wakeful_loom))]
        f(self.0.get().cast())
    }

    /// Runs `f` with the place, which is nobody else's meanwhile.
    #[inline(always)]
    fn writing<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        #[cfg(wakeful_loom)]
        return self.0.with_mut(|place| f(place.cast()));
        #[cfg(not(wakeful_loom))]
        f(self.0.get().cast())
    }

    /// Puts a value there. One that is there is forgotten.
    ///
    /// # Safety
    /// Nobody else reaches the place meanwhile.
    #[inline]
    pub(super) unsafe fn write(&self, value: T) {
        // SAFETY: by the contract of this method.
        self.writing(|place| unsafe { place.write(value) });
    }

    /// The value. What is left are words that nobody owns.
    ///
    /// # Safety
    /// There is a value, nobody writes there meanwhile, and nobody takes it too.
    #[inline]
    pub(super) unsafe fn take(&self) -> T {
        // SAFETY: by the contract of this method.
        self.reading(|place| unsafe { place.read() })
    }

    /// Runs `f` with the value, of which no more is looked at than its words, if somebody takes it meanwhile.
    ///
    /// # Safety
    /// A value was put there, and nobody writes there meanwhile.
    #[inline]
    pub(super) unsafe fn look<R>(&self, f: impl FnOnce(&T) -> R) -> R {
        // SAFETY: by the contract of this method.
        self.reading(|place| f(unsafe { &*place }))
    }

    /// Where the value is, for one who keeps others from writing there.
    #[inline]
    pub(super) fn as_ptr(&self) -> *const T {
        self.reading(|place| place)
    }

    /// Says that nobody comes here any more, whom loom would have to have seen coming.
    #[inline(always)]
    pub(super) fn close(&self) {
        self.writing(|_| ());
    }
}
