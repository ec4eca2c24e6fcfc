//! Wakers made of an `Arc`, by one hand-made table that serves every target.
//!
//! `alloc::task::Wake` does not exist without compare-and-swap, and its stand-in has another signature.
#![expect(unsafe_code, reason = "a waker's table works on raw pointers")]

use super::arc::Arc;
use core::mem::ManuallyDrop;
use core::task::{RawWaker, RawWakerVTable, Waker};

/// What a waker made by [`waker`] calls.
pub(crate) trait Wake: Send + Sync + 'static {
    /// The task behind `this` should be polled.
    fn wake(this: &Arc<Self>);

    /// A waker is cloned.
    #[inline]
    fn cloned(_: &Arc<Self>) {}

    /// A waker is dropped without having been used up; `this` is its count.
    #[inline]
    fn dropped(this: Arc<Self>) {
        drop(this);
    }
}

/// A waker that owns one count of `target`.
pub(crate) fn waker<T: Wake>(target: Arc<T>) -> Waker {
    // SAFETY: the table's functions keep the contract of `RawWaker`: the pointer is a count of an `Arc<T>` with
    // `T: Send + Sync`, `clone` adds one, `wake` and `drop` consume one, `wake_by_ref` leaves it.
    unsafe { Waker::from_raw(raw(target)) }
}

fn raw<T: Wake>(target: Arc<T>) -> RawWaker {
    RawWaker::new(Arc::into_raw(target).cast(), Table::<T>::TABLE)
}

struct Table<T>(core::marker::PhantomData<T>);

impl<T: Wake> Table<T> {
    const TABLE: &'static RawWakerVTable = &RawWakerVTable::new(Self::clone, Self::wake, Self::wake_by_ref, Self::drop);

    /// # Safety
    /// `ptr` is a live count made by `raw::<T>`.
    unsafe fn borrow(ptr: *const ()) -> ManuallyDrop<Arc<T>> {
        // SAFETY: by the contract above; `ManuallyDrop` leaves the count with the waker.
        ManuallyDrop::new(unsafe { Arc::from_raw(ptr.cast::<T>()) })
    }

    unsafe fn clone(ptr: *const ()) -> RawWaker {
        // SAFETY: called by the waker that owns `ptr`.
        let target = unsafe { Self::borrow(ptr) };
        T::cloned(&target);
        raw(Arc::clone(&target))
    }

    unsafe fn wake(ptr: *const ()) {
        // SAFETY: called by the waker that owns `ptr`, which gives its count away here.
        let target = unsafe { Arc::from_raw(ptr.cast::<T>()) };
        T::wake(&target);
    }

    unsafe fn wake_by_ref(ptr: *const ()) {
        // SAFETY: called by the waker that owns `ptr`.
        let target = unsafe { Self::borrow(ptr) };
        T::wake(&target);
    }

    unsafe fn drop(ptr: *const ()) {
        // SAFETY: called by the waker that owns `ptr`, which gives its count away here.
        T::dropped(unsafe { Arc::from_raw(ptr.cast::<T>()) });
    }
}

/// Wakers that tell what happens to them.
#[cfg(test)]
pub(crate) mod hooked {
    use super::*;
    use crate::sys::atomic::{AtomicUsize, Ordering};
    use alloc::boxed::Box;

    /// What a waker is told to do.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum Act {
        Clone,
        Wake,
        Drop,
    }

    type Hook = Box<dyn Fn(Act) + Send + Sync>;

    /// A waker that calls `hook` whenever it, or a clone of it, is cloned, woken or dropped.
    pub(crate) fn hooked(hook: impl Fn(Act) + Send + Sync + 'static) -> Waker {
        let hook: Arc<Hook> = Arc::new(Box::new(hook));
        // SAFETY: the table's functions keep the contract of `RawWaker`, as those of `Table` do.
        unsafe { Waker::from_raw(hooked_raw(hook)) }
    }

    /// A waker that counts its wake-ups, and the count.
    pub(crate) fn counter() -> (Arc<AtomicUsize>, Waker) {
        let count = Arc::new(AtomicUsize::new(0));
        let counts = count.clone();
        let waker = hooked(move |act| {
            if act == Act::Wake {
                counts.fetch_add(1, Ordering::Relaxed);
            }
        });
        (count, waker)
    }

    fn hooked_raw(hook: Arc<Hook>) -> RawWaker {
        static TABLE: RawWakerVTable = RawWakerVTable::new(hooked_clone, hooked_wake, hooked_wake_by_ref, hooked_drop);
        RawWaker::new(Arc::into_raw(hook).cast(), &TABLE)
    }

    /// # Safety
    /// `ptr` is a live count made by `hooked_raw`.
    unsafe fn borrow(ptr: *const ()) -> ManuallyDrop<Arc<Hook>> {
        // SAFETY: by the contract above; `ManuallyDrop` leaves the count with the waker.
        ManuallyDrop::new(unsafe { Arc::from_raw(ptr.cast::<Hook>()) })
    }

    unsafe fn hooked_clone(ptr: *const ()) -> RawWaker {
        // SAFETY: called by the waker that owns `ptr`.
        let hook = unsafe { borrow(ptr) };
        hook(Act::Clone);
        hooked_raw(Arc::clone(&hook))
    }

    unsafe fn hooked_wake(ptr: *const ()) {
        // SAFETY: called by the waker that owns `ptr`, which gives its count away here.
        let hook = unsafe { Arc::from_raw(ptr.cast::<Hook>()) };
        hook(Act::Wake);
    }

    unsafe fn hooked_wake_by_ref(ptr: *const ()) {
        // SAFETY: called by the waker that owns `ptr`.
        let hook = unsafe { borrow(ptr) };
        hook(Act::Wake);
    }

    unsafe fn hooked_drop(ptr: *const ()) {
        // SAFETY: called by the waker that owns `ptr`, which gives its count away here.
        let hook = unsafe { Arc::from_raw(ptr.cast::<Hook>()) };
        hook(Act::Drop);
    }
}
