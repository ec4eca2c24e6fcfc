//! What a thread keeps for later, so that it need not be made anew. Without `std` nothing is kept.

#[cfg(feature = "std")]
pub(crate) use imp::Attic;
#[cfg(not(feature = "std"))]
pub(crate) use imp::Key;
pub(crate) use imp::{put, take};

/// Declares an attic: `attic!(SPARE: Spare)`.
#[cfg(feature = "std")]
macro_rules! attic {
    ($name:ident: $kind:ty) => {
        std::thread_local! {
            static $name: $crate::sys::attic::Attic<$kind> = const { $crate::sys::attic::Attic::new(None) };
        }
    };
}
/// Declares an attic: `attic!(SPARE: Spare)`.
#[cfg(not(feature = "std"))]
macro_rules! attic {
    ($name:ident: $kind:ty) => {
        static $name: $crate::sys::attic::Key<$kind> = core::marker::PhantomData;
    };
}
pub(crate) use attic;

#[cfg(feature = "std")]
mod imp {
    pub(crate) type Attic<T> = core::cell::Cell<Option<T>>;
    pub(crate) type Key<T> = std::thread::LocalKey<Attic<T>>;

    /// What is there, which is not there any more.
    pub(crate) fn take<T>(attic: &'static Key<T>) -> Option<T> {
        attic.try_with(core::cell::Cell::take).ok().flatten()
    }

    /// Puts `value` there in place of what was there.
    pub(crate) fn put<T>(attic: &'static Key<T>, value: T) {
        // A thread whose locals are gone keeps nothing.
        let _ = attic.try_with(|attic| attic.set(Some(value)));
    }
}

#[cfg(not(feature = "std"))]
mod imp {
    pub(crate) type Attic<T> = core::marker::PhantomData<fn() -> T>;
    pub(crate) type Key<T> = Attic<T>;

    pub(crate) fn take<T>(_: &'static Key<T>) -> Option<T> {
        None
    }

    pub(crate) fn put<T>(_: &'static Key<T>, _: T) {}
}
