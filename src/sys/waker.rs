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
        drop(unsafe { Arc::from_raw(ptr.cast::<T>()) });
    }
}
