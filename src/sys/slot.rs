//! The ambient slots of a thread, and what is being polled on its stack.
//!
//! [`ambient`] declares a slot for values of one type, which is a [`Host`]. [`poll_in`] makes a value current for the length
//! of a poll, [`clear_in`] for that of a drop, [`enter`] for that of a call. [`current`] reads it.
//!
//! Each such call belongs to a run, whose [`Frame`] lies in its future, not on the stack, so that they nest deep. While the
//! call lasts, the frame says of what and with which waker it is; [`polling`] and [`rely`] look through the frames of a
//! stack. They end at a [`barrier`]: what lies below it is on another poll stack.
//!
//! Without `std` there are no slots: nothing is ever current, and nobody can be relied on. What is being polled is then
//! noted in a [`Mark`] of the value itself, as if there were one poll stack; on several cores such a mark may be that of
//! another core. With `std` a mark is nothing.

use core::task::Waker;
pub(crate) use imp::{Frame, Key, Mark, Slot, barrier, clear_in, current, enter, poll_in, polling, rely};

/// Declares a slot: `ambient!(CURRENT: Scope)`.
#[cfg(feature = "std")]
macro_rules! ambient {
    ($name:ident: $kind:ty) => {
        std::thread_local! {
            static $name: $crate::sys::slot::Slot<$kind> = const { $crate::sys::slot::Slot::new() };
        }
    };
}
/// Declares a slot: `ambient!(CURRENT: Scope)`.
#[cfg(not(feature = "std"))]
macro_rules! ambient {
    ($name:ident: $kind:ty) => {
        static $name: $crate::sys::slot::Key<$kind> = $crate::sys::slot::Slot::new();
    };
}
pub(crate) use ambient;

/// A value that can be current.
pub(crate) trait Host: Sized + 'static {
    /// Its slot.
    #[cfg_attr(not(feature = "std"), expect(dead_code, reason = "without std there are no slots"))]
    fn slot() -> &'static Key<Self>;

    /// Called after a run that was [relied on](rely) has dropped its body.
    #[cfg_attr(not(feature = "std"), expect(dead_code, reason = "without std nobody is relied on"))]
    fn left(&self);

    /// Its marks: it may have two while it is handed over from one place to another.
    #[cfg_attr(feature = "std", expect(dead_code, reason = "with std marks are nothing"))]
    fn marks(&self) -> [Option<&Mark>; 2];
}

/// What is done in a frame.
#[derive(Clone, Copy)]
pub(crate) enum Act<'a> {
    /// A poll with this waker.
    Poll(&'a Waker),
    /// Polls with other wakers.
    Polls,
    /// A drop.
    Drop,
}

/// What [`rely`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relied {
    /// Nobody polls it on this stack.
    NoPoll,
    /// Somebody polls it, with another waker: whoever waits inside may be blocked by an executor that does not return there.
    OtherWaker,
    /// It is polled with this waker.
    SameWaker,
}

#[cfg(feature = "std")]
mod imp {
    #![expect(unsafe_code, reason = "a slot refers to what is borrowed for the length of the call that set it")]

    use super::{Act, Host, Relied};
    use core::cell::Cell;
    use core::pin::Pin;
    use core::ptr;
    use core::task::{Context, Poll, Waker};

    /// Nothing: frames say all.
    pub(crate) struct Mark;

    impl Mark {
        pub(crate) fn new() -> Self {
            Self
        }

        pub(crate) fn copy(&self) -> Self {
            Self
        }
    }

    /// A run, as a slot knows it: told apart by its address.
    ///
    /// Invariant N1: what it refers to is set, and the slot of a thread refers to it, only during a call that has borrowed
    /// all of it; on that thread alone is it then looked at.
    pub(crate) struct Frame<T> {
        value: Cell<*const T>,
        /// The waker of a poll; null, if there is not one.
        waker: Cell<*const Waker>,
        stack: Cell<usize>,
        below: Cell<*const Frame<T>>,
        drops: Cell<bool>,
        relied: Cell<bool>,
    }

    // SAFETY: N1: it moves to another thread only while it refers to nothing.
    unsafe impl<T> Send for Frame<T> {}
    // SAFETY: N1, and a shared reference from outside the slot gives its address only.
    unsafe impl<T> Sync for Frame<T> {}

    impl<T> Frame<T> {
        pub(crate) fn new() -> Self {
            Self {
                value: Cell::new(ptr::null()),
                waker: Cell::new(ptr::null()),
                stack: Cell::new(0),
                below: Cell::new(ptr::null()),
                drops: Cell::new(false),
                relied: Cell::new(false),
            }
        }
    }

    /// What a slot holds: the innermost frame, or null.
    pub(crate) struct Slot<T>(Cell<*const Frame<T>>);

    impl<T> Slot<T> {
        pub(crate) const fn new() -> Self {
            Self(Cell::new(ptr::null()))
        }
    }

    /// A slot of each thread.
    pub(crate) type Key<T> = std::thread::LocalKey<Slot<T>>;

    /// A call in a frame. Its end, unwinding too, puts back what was innermost before.
    struct Inside<'f, T: Host>(&'f Frame<T>);

    impl<'f, T: Host> Inside<'f, T> {
        #[inline]
        fn of(frame: &'f mut Frame<T>, value: &'f T, act: Act<'f>) -> Self {
            let frame = &*frame;
            frame.value.set(value);
            frame.waker.set(if let Act::Poll(waker) = act { waker } else { ptr::null() });
            frame.drops.set(matches!(act, Act::Drop));
            frame.stack.set(stack());
            frame.below.set(put(frame));
            Self(frame)
        }
    }

    impl<T: Host> Drop for Inside<'_, T> {
        #[inline]
        fn drop(&mut self) {
            put(self.0.below.get());
        }
    }

    /// Replaces the innermost frame. A thread whose locals are gone has no slot any more.
    #[inline]
    fn put<T: Host>(frame: *const Frame<T>) -> *const Frame<T> {
        T::slot().try_with(|slot| slot.0.replace(frame)).unwrap_or(ptr::null())
    }

    /// Runs `f` with `value` current.
    #[inline]
    pub(crate) fn enter<T: Host, R>(frame: &mut Frame<T>, value: &T, act: Act<'_>, f: impl FnOnce() -> R) -> R {
        let _inside = Inside::of(frame, value, act);
        f()
    }

    /// Polls `future` with `value` current.
    #[inline(always)]
    pub(crate) fn poll_in<T: Host, F: Future>(
        frame: &mut Frame<T>,
        value: &T,
        future: Pin<&mut F>,
        cx: &mut Context<'_>,
    ) -> Poll<F::Output> {
        let _inside = Inside::of(frame, value, Act::Poll(cx.waker()));
        future.poll(cx)
    }

    /// Drops what is in `place` with `value` current. If the run was relied on, its value is told after that.
    #[inline(always)]
    pub(crate) fn clear_in<T: Host, F>(frame: &mut Frame<T>, value: &T, mut place: Pin<&mut Option<F>>) {
        let _leaving = Leaving(Inside::of(frame, value, Act::Drop));
        place.set(None);
    }

    /// A call that drops a body. Its end, unwinding too, says so to those who relied on it.
    struct Leaving<'f, T: Host>(Inside<'f, T>);

    impl<T: Host> Drop for Leaving<'_, T> {
        #[inline]
        fn drop(&mut self) {
            let frame = self.0.0;
            if frame.relied.replace(false) {
                value(frame).left();
            }
        }
    }

    /// The innermost frame.
    #[inline]
    fn top<T: Host>() -> *const Frame<T> {
        T::slot().try_with(|slot| slot.0.get()).unwrap_or(ptr::null())
    }

    /// Runs `f` with the current value.
    #[inline]
    pub(crate) fn current<T: Host, R>(f: impl FnOnce(Option<&T>) -> R) -> R {
        // SAFETY: N1: a frame that the slot of this thread refers to is borrowed by a call further out, which outlives `f`.
        let frame = unsafe { top::<T>().as_ref() };
        f(frame.map(|frame| value(frame)))
    }

    /// The value of a frame that a slot refers to.
    #[inline]
    fn value<T>(frame: &Frame<T>) -> &T {
        // SAFETY: N1: the value is borrowed for as long as the slot refers to the frame, and so for as long as `frame`, which
        // is made of what the slot says, within the call that the slot was set by.
        unsafe { &*frame.value.get() }
    }

    /// Calls `f` with the frames of this stack, innermost first, until it gives something.
    #[inline]
    fn find<T: Host, R>(mut f: impl FnMut(&Frame<T>) -> Option<R>) -> Option<R> {
        let (mut at, stack) = (top::<T>(), stack());
        loop {
            // SAFETY: as in `current`; and the call of a frame outlasts those of all frames on top of it.
            let frame = unsafe { at.as_ref() }.filter(|frame| frame.stack.get() == stack)?;
            if let Some(found) = f(frame) {
                return Some(found);
            }
            at = frame.below.get();
        }
    }

    /// The innermost run that polls, on this stack, the value which `is` knows.
    pub(crate) fn polling<T: Host>(_: &Mark, is: impl Fn(&T) -> bool) -> Option<usize> {
        find(|frame| (!frame.drops.get() && is(value(frame))).then(|| ptr::from_ref(frame).addr()))
    }

    /// Looks for a run that polls, on this stack, the value which `is` knows. If it does so with `waker`, and `notes` is
    /// set, that is noted.
    #[inline]
    pub(crate) fn rely<T: Host>(_: &Mark, waker: &Waker, notes: bool, is: impl Fn(&T) -> bool) -> Relied {
        let mut relied = Relied::NoPoll;
        find(|frame| {
            if frame.drops.get() || !is(value(frame)) {
                return None;
            }
            relied = Relied::OtherWaker;
            // SAFETY: N1: the waker is borrowed for as long as the slot refers to the frame.
            unsafe { frame.waker.get().as_ref() }.filter(|with| address(with) == address(waker)).map(|_| {
                relied = Relied::SameWaker;
                frame.relied.set(frame.relied.get() | notes);
            })
        });
        relied
    }

    /// What tells one waker from another.
    fn address(waker: &Waker) -> [usize; 2] {
        [waker.data().addr(), ptr::from_ref(waker.vtable()).addr()]
    }

    std::thread_local! {
        static STACK: Cell<usize> = const { Cell::new(0) };
    }

    /// The token of this poll stack.
    #[inline]
    fn stack() -> usize {
        STACK.try_with(Cell::get).unwrap_or(0)
    }

    /// Runs `f` on a poll stack of its own.
    pub(crate) fn barrier<R>(f: impl FnOnce() -> R) -> R {
        struct Back(usize);
        impl Drop for Back {
            fn drop(&mut self) {
                let _ = STACK.try_with(|stack| stack.set(self.0));
            }
        }
        // The address of a local of this call is taken by nobody else while the call lasts.
        let level = 0u8;
        let level = ptr::from_ref(&level).addr();
        let before = STACK.try_with(|stack| stack.replace(level)).unwrap_or(0);
        let _back = Back(before);
        f()
    }
}

#[cfg(not(feature = "std"))]
mod imp {
    use super::{Act, Host, Relied};
    use crate::sys::atomic::{AtomicUsize, Ordering};
    use core::marker::PhantomData;
    use core::pin::Pin;
    use core::task::{Context, Poll, Waker};

    /// The address of the frame of the run that polls, or one more, if it drops its body; 0 for none.
    ///
    /// Relaxed throughout: who acts upon it is on the stack that wrote it, or at most polls some times more than it has to.
    pub(crate) struct Mark(AtomicUsize);

    impl Mark {
        pub(crate) fn new() -> Self {
            Self(AtomicUsize::new(0))
        }

        pub(crate) fn copy(&self) -> Self {
            Self(AtomicUsize::new(self.get()))
        }

        fn get(&self) -> usize {
            self.0.load(Ordering::Relaxed)
        }
    }

    /// A run: told apart by its address.
    #[repr(align(2))]
    pub(crate) struct Frame<T>(u8, PhantomData<fn() -> T>);

    impl<T> Frame<T> {
        pub(crate) fn new() -> Self {
            Self(0, PhantomData)
        }
    }

    /// Nothing.
    pub(crate) struct Slot<T>(PhantomData<fn() -> T>);

    impl<T> Slot<T> {
        pub(crate) const fn new() -> Self {
            Self(PhantomData)
        }
    }

    /// The same nothing for all.
    pub(crate) type Key<T> = Slot<T>;

    /// A call in a frame. Its end puts back how the value was marked before.
    struct Inside<'a, T: Host>(&'a T, usize);

    impl<'a, T: Host> Inside<'a, T> {
        fn of(frame: &mut Frame<T>, value: &'a T, act: Act<'_>) -> Self {
            let before = value.marks().into_iter().flatten().map(Mark::get).next().unwrap_or(0);
            let drops = usize::from(matches!(act, Act::Drop));
            mark(value, core::ptr::from_ref(frame).addr() | drops);
            Self(value, before)
        }
    }

    impl<T: Host> Drop for Inside<'_, T> {
        fn drop(&mut self) {
            mark(self.0, self.1);
        }
    }

    fn mark<T: Host>(value: &T, run: usize) {
        for mark in value.marks().into_iter().flatten() {
            mark.0.store(run, Ordering::Relaxed);
        }
    }

    pub(crate) fn enter<T: Host, R>(frame: &mut Frame<T>, value: &T, act: Act<'_>, f: impl FnOnce() -> R) -> R {
        let _inside = Inside::of(frame, value, act);
        f()
    }

    #[inline(always)]
    pub(crate) fn poll_in<T: Host, F: Future>(
        frame: &mut Frame<T>,
        value: &T,
        future: Pin<&mut F>,
        cx: &mut Context<'_>,
    ) -> Poll<F::Output> {
        let _inside = Inside::of(frame, value, Act::Poll(cx.waker()));
        future.poll(cx)
    }

    #[inline(always)]
    pub(crate) fn clear_in<T: Host, F>(frame: &mut Frame<T>, value: &T, mut place: Pin<&mut Option<F>>) {
        let _inside = Inside::of(frame, value, Act::Drop);
        place.set(None);
    }

    pub(crate) fn current<T: Host, R>(f: impl FnOnce(Option<&T>) -> R) -> R {
        f(None)
    }

    pub(crate) fn polling<T: Host>(mark: &Mark, _: impl Fn(&T) -> bool) -> Option<usize> {
        Some(mark.get()).filter(|&run| run != 0 && run & 1 == 0)
    }

    pub(crate) fn rely<T: Host>(mark: &Mark, _: &Waker, _: bool, is: impl Fn(&T) -> bool) -> Relied {
        if polling(mark, is).is_some() { Relied::OtherWaker } else { Relied::NoPoll }
    }

    pub(crate) fn barrier<R>(f: impl FnOnce() -> R) -> R {
        f()
    }
}

#[cfg(all(test, feature = "std", not(wakeful_loom)))]
mod tests;
