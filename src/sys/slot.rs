//! The ambient slots of a thread, and the token of a poll stack.
//!
//! [`ambient`] declares a slot for values of one type. [`enter`] makes a value current for the length of a call,
//! [`poll_in`] and [`clear_in`] for that of a poll or a drop, in one frame, so that they nest deep. [`current`] reads it.
//! Without `std` there are no slots: nothing is ever current. [`stack`] names the poll stack that this call runs on: two
//! calls with the same token are on one stack, unless they are on different cores of a target without `std`, where all
//! share one token.

#[cfg(not(feature = "std"))]
pub(crate) use imp::Key;
pub(crate) use imp::{Slot, barrier, clear_in, current, enter, poll_in, stack};

/// Declares a slot: `ambient!(CURRENT: Scope)`.
#[cfg(feature = "std")]
macro_rules! ambient {
    ($vis:vis $name:ident: $kind:ty) => {
        std::thread_local! {
            $vis static $name: $crate::sys::slot::Slot<$kind> = const { $crate::sys::slot::Slot::new() };
        }
    };
}
/// Declares a slot: `ambient!(CURRENT: Scope)`.
#[cfg(not(feature = "std"))]
macro_rules! ambient {
    ($vis:vis $name:ident: $kind:ty) => {
        $vis static $name: $crate::sys::slot::Key<$kind> = $crate::sys::slot::Slot::new();
    };
}
pub(crate) use ambient;

#[cfg(feature = "std")]
mod imp {
    #![expect(unsafe_code, reason = "a slot holds a reference whose lifetime ends with the call that set it")]

    use core::cell::Cell;
    use core::pin::Pin;
    use core::ptr;
    use core::task::{Context, Poll};

    /// What a slot holds: a pointer to the current value, or null.
    pub(crate) struct Slot<T>(Cell<*const T>);

    impl<T> Slot<T> {
        pub(crate) const fn new() -> Self {
            Self(Cell::new(ptr::null()))
        }
    }

    /// A slot of each thread.
    pub(crate) type Key<T> = std::thread::LocalKey<Slot<T>>;

    /// Puts back what was current before, on return and on unwinding alike.
    struct Restore<T: 'static>(&'static Key<T>, *const T);

    impl<T> Drop for Restore<T> {
        #[inline]
        fn drop(&mut self) {
            put(self.0, self.1);
        }
    }

    /// Replaces what is current. A thread whose locals are gone has no slot any more.
    #[inline]
    fn put<T>(key: &'static Key<T>, value: *const T) -> *const T {
        key.try_with(|slot| slot.0.replace(value)).unwrap_or(ptr::null())
    }

    /// Runs `f` with `value` current on this thread.
    #[inline]
    pub(crate) fn enter<T, R>(key: &'static Key<T>, value: &T, f: impl FnOnce() -> R) -> R {
        let _restore = Restore(key, put(key, value));
        f()
    }

    /// Polls `future` with `value` current on this thread.
    #[inline(always)]
    pub(crate) fn poll_in<T, F: Future>(
        key: &'static Key<T>,
        value: &T,
        future: Pin<&mut F>,
        cx: &mut Context<'_>,
    ) -> Poll<F::Output> {
        let _restore = Restore(key, put(key, value));
        future.poll(cx)
    }

    /// Drops what is in `place` with `value` current on this thread.
    #[inline(always)]
    pub(crate) fn clear_in<T, F>(key: &'static Key<T>, value: &T, mut place: Pin<&mut Option<F>>) {
        let _restore = Restore(key, put(key, value));
        place.set(None);
    }

    /// Runs `f` with the current value.
    #[inline]
    pub(crate) fn current<T, R>(key: &'static Key<T>, f: impl FnOnce(Option<&T>) -> R) -> R {
        let value = key.try_with(|slot| slot.0.get()).unwrap_or(ptr::null());
        // SAFETY: `enter` wrote the pointer from a `&T`, and takes it away before that borrow ends. `f` runs on this
        // thread inside that call, so the borrow is alive for all of `f`.
        f(unsafe { value.as_ref() })
    }

    std::thread_local! {
        static STACK: Cell<usize> = const { Cell::new(0) };
    }

    /// The token of this poll stack; never 0.
    #[inline]
    pub(crate) fn stack() -> usize {
        STACK
            .try_with(|stack| match stack.get() {
                0 => ptr::from_ref(stack).addr(),
                level => level,
            })
            .unwrap_or(usize::MAX)
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
    use core::marker::PhantomData;
    use core::pin::Pin;
    use core::task::{Context, Poll};

    /// Nothing.
    pub(crate) struct Slot<T>(PhantomData<fn() -> T>);

    impl<T> Slot<T> {
        pub(crate) const fn new() -> Self {
            Self(PhantomData)
        }
    }

    /// The same nothing for all.
    pub(crate) type Key<T> = Slot<T>;

    #[inline(always)]
    pub(crate) fn enter<T, R>(_: &'static Key<T>, _: &T, f: impl FnOnce() -> R) -> R {
        f()
    }

    #[inline(always)]
    pub(crate) fn poll_in<T, F: Future>(
        _: &'static Key<T>,
        _: &T,
        future: Pin<&mut F>,
        cx: &mut Context<'_>,
    ) -> Poll<F::Output> {
        future.poll(cx)
    }

    #[inline(always)]
    pub(crate) fn clear_in<T, F>(_: &'static Key<T>, _: &T, mut place: Pin<&mut Option<F>>) {
        place.set(None);
    }

    pub(crate) fn current<T, R>(_: &'static Key<T>, f: impl FnOnce(Option<&T>) -> R) -> R {
        f(None)
    }

    #[inline]
    pub(crate) fn stack() -> usize {
        1
    }

    pub(crate) fn barrier<R>(f: impl FnOnce() -> R) -> R {
        f()
    }
}

#[cfg(all(test, feature = "std", not(wakeful_loom)))]
mod tests {
    use super::*;
    use core::task::{Context, Poll};

    ambient!(CURRENT: u8);

    fn seen() -> Option<u8> {
        current(&CURRENT, |value| value.copied())
    }

    #[test]
    fn nested_values_are_put_back_also_on_panic() {
        enter(&CURRENT, &1, || {
            let inner = std::panic::catch_unwind(|| enter(&CURRENT, &2, || panic!("inside")));
            assert!(inner.is_err());
            assert_eq!(seen(), Some(1));
            let elsewhere = std::thread::scope(|s| s.spawn(seen).join());
            assert_eq!(elsewhere.unwrap(), None, "another thread has a slot of its own");
        });
        assert_eq!(seen(), None);
    }

    #[test]
    fn a_value_is_current_while_something_is_polled_or_dropped() {
        struct Look;
        impl Drop for Look {
            fn drop(&mut self) {
                assert_eq!(seen(), Some(7));
            }
        }
        clear_in(&CURRENT, &7, core::pin::pin!(Some(Look)));
        let mut cx = Context::from_waker(core::task::Waker::noop());
        let polled = poll_in(&CURRENT, &8, core::pin::pin!(core::future::poll_fn(|_| Poll::Ready(seen()))), &mut cx);
        assert_eq!(polled, Poll::Ready(Some(8)));
        assert_eq!(seen(), None);
    }

    #[test]
    fn a_barrier_and_a_thread_have_stacks_of_their_own() {
        let here = stack();
        assert_eq!(here, stack());
        assert_ne!(here, barrier(stack));
        assert_eq!(here, stack());
        let there = std::thread::scope(|s| s.spawn(stack).join().unwrap());
        assert_ne!(here, there);
    }
}
