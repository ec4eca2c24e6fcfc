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
    RawWaker::new(Arc::into_raw(target).cast(), Table::<T>::table())
}

struct Table<T>(core::marker::PhantomData<T>);

impl<T: Wake> Table<T> {
    /// Not inlined, as each place that it is inlined into may have a table of its own: a clone would not look like its original.
    #[inline(never)]
    fn table() -> &'static RawWakerVTable {
        &const { RawWakerVTable::new(Self::clone, Self::wake, Self::wake_by_ref, Self::drop) }
    }

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

/// What a waker made by [`tagged`] calls: many wakers, each with its number, share one count.
pub(crate) trait Tagged: Send + Sync + 'static {
    /// The one of this number should be polled.
    fn wake(this: &Arc<Self>, number: usize);
}

/// A waker that owns one count of `target`. Its number, less than the alignment of `T`, lies in the bits of the pointer that
/// are zero by that.
pub(crate) fn tagged<T: Tagged>(target: Arc<T>, number: usize) -> Waker {
    ManuallyDrop::into_inner(tagged_ref(&ManuallyDrop::new(target), number).waker)
}

/// The same, without a count of its own.
#[inline]
pub(crate) fn tagged_ref<T: Tagged>(target: &Arc<T>, number: usize) -> TaggedWaker<'_> {
    assert!(number < align_of::<T>());
    let target = Arc::as_ptr(target).cast::<()>().wrapping_byte_add(number);
    // SAFETY: the table's functions keep the contract of `RawWaker`: without the number the pointer is that of an `Arc<T>`
    // with `T: Send + Sync`, `clone` adds a count, `wake` and `drop` consume one, `wake_by_ref` leaves it. The one that
    // this waker stands for is the caller's, for as long as the borrow lasts, and is not consumed, since it is not dropped.
    let waker = unsafe { Waker::from_raw(RawWaker::new(target, TagTable::<T>::table())) };
    TaggedWaker { waker: ManuallyDrop::new(waker), target: core::marker::PhantomData }
}

/// A waker that is lent.
pub(crate) struct TaggedWaker<'a> {
    waker: ManuallyDrop<Waker>,
    target: core::marker::PhantomData<&'a ()>,
}

impl core::ops::Deref for TaggedWaker<'_> {
    type Target = Waker;

    #[inline]
    fn deref(&self) -> &Waker {
        &self.waker
    }
}

struct TagTable<T>(core::marker::PhantomData<T>);

impl<T: Tagged> TagTable<T> {
    /// As that of [`Table`].
    #[inline(never)]
    fn table() -> &'static RawWakerVTable {
        &const { RawWakerVTable::new(Self::clone, Self::wake, Self::wake_by_ref, Self::drop) }
    }

    /// # Safety
    /// `ptr` is that of a live waker made by `tagged_ref::<T>`, or of a clone.
    #[inline]
    unsafe fn borrow(ptr: *const ()) -> (ManuallyDrop<Arc<T>>, usize) {
        let number = ptr.addr() & (align_of::<T>() - 1);
        let ptr = ptr.wrapping_byte_sub(number).cast::<T>();
        // SAFETY: by the contract above; `ManuallyDrop` leaves the count with the waker.
        (ManuallyDrop::new(unsafe { Arc::from_raw(ptr) }), number)
    }

    unsafe fn clone(ptr: *const ()) -> RawWaker {
        // SAFETY: called by the waker that has `ptr`.
        let (target, _) = unsafe { Self::borrow(ptr) };
        // The clone's.
        core::mem::forget(Arc::clone(&target));
        RawWaker::new(ptr, Self::table())
    }

    unsafe fn wake(ptr: *const ()) {
        // SAFETY: called by the waker that owns `ptr`.
        let (target, number) = unsafe { Self::borrow(ptr) };
        // The waker's count is given away here.
        let target = ManuallyDrop::into_inner(target);
        T::wake(&target, number);
    }

    unsafe fn wake_by_ref(ptr: *const ()) {
        // SAFETY: called by the waker that has `ptr`.
        let (target, number) = unsafe { Self::borrow(ptr) };
        T::wake(&target, number);
    }

    unsafe fn drop(ptr: *const ()) {
        // SAFETY: called by the waker that owns `ptr`.
        let (target, _) = unsafe { Self::borrow(ptr) };
        // The waker's count is given away here.
        drop(ManuallyDrop::into_inner(target));
    }
}

#[cfg(all(test, not(wakeful_loom)))]
mod tests {
    use super::*;
    use crate::sys::Lock;
    use alloc::vec::Vec;

    #[repr(align(8))]
    struct Log(Lock<Vec<usize>>);

    impl Tagged for Log {
        fn wake(this: &Arc<Self>, number: usize) {
            this.0.with(|log| log.push(number));
        }
    }

    #[test]
    fn tagged_wakers_keep_their_number_and_count_their_target() {
        let log = Arc::new(Log(Lock::new(Vec::new())));
        let (three, seven) = (tagged(log.clone(), 3), tagged_ref(&log, 7));
        assert_eq!(Arc::strong_count(&log), 2, "one that is lent has no count");
        let clone = seven.clone();
        assert!(clone.will_wake(&seven) && !clone.will_wake(&three));
        three.wake_by_ref();
        let second = clone.clone();
        second.wake();
        assert_eq!(Arc::strong_count(&log), 3);
        three.wake();
        drop(clone);
        assert_eq!((Arc::strong_count(&log), log.0.with(|log| log.clone())), (1, Vec::from([3, 7, 3])));
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

    /// A waker that counts its wake-ups, and the count. Its clones have another table than it has, as one that is lent may.
    pub(crate) fn unlike_its_clones() -> (Arc<AtomicUsize>, Waker) {
        static LENT: RawWakerVTable = RawWakerVTable::new(hooked_clone, hooked_wake, hooked_wake_by_ref, hooked_drop);
        let (count, waker) = counter();
        let waker = ManuallyDrop::new(waker);
        // SAFETY: the table keeps the contract as the one of `hooked_raw` does, and the count goes on to the new waker.
        let unlike = unsafe { Waker::from_raw(RawWaker::new(waker.data(), &LENT)) };
        assert!(!unlike.will_wake(&unlike.clone()));
        (count, unlike)
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
