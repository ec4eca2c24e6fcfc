//! A cell whose value is reached by one party at a time, as the owner of the cell sees to.
//!
//! In loom's models each access is checked against those of other threads: one that nothing orders fails the model. What is
//! checked is the moment at which the pointer is asked for, so ask anew for each access.

#[cfg(not(wakeful_loom))]
mod imp {
    use core::cell::UnsafeCell;

    pub(crate) struct Cell<T>(UnsafeCell<T>);

    impl<T> Cell<T> {
        #[inline]
        pub(crate) const fn new(value: T) -> Self {
            Self(UnsafeCell::new(value))
        }

        /// For a read.
        #[inline]
        pub(crate) fn read(&self) -> *const T {
            self.0.get()
        }

        /// For a write, or for an exclusive borrow.
        #[inline]
        pub(crate) fn write(&self) -> *mut T {
            self.0.get()
        }
    }
}

#[cfg(wakeful_loom)]
mod imp {
    use loom::cell::UnsafeCell;

    pub(crate) struct Cell<T>(UnsafeCell<T>);

    impl<T> Cell<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(UnsafeCell::new(value))
        }

        /// For a read.
        pub(crate) fn read(&self) -> *const T {
            self.0.with(|value| value)
        }

        /// For a write, or for an exclusive borrow.
        pub(crate) fn write(&self) -> *mut T {
            self.0.with_mut(|value| value)
        }
    }
}

pub(crate) use imp::Cell;
