//! The ambient slot of a thread, and the token of a poll stack.
//!
//! [`enter`] makes a value current for the length of a call, [`current`] reads it. Without `std` there is no slot:
//! nothing is ever current. [`stack`] names the poll stack that this call runs on: two calls with the same token are on
//! one stack, unless they are on different cores of a target without `std`, where all share one token.

pub(crate) use imp::{barrier, current, enter, stack};

#[cfg(feature = "std")]
mod imp {
    #![expect(unsafe_code, reason = "the slot holds a reference whose lifetime ends with the call that set it")]

    use core::any::TypeId;
    use core::cell::Cell;

    #[derive(Clone, Copy)]
    struct Entry {
        kind: TypeId,
        value: *const (),
    }

    struct Local {
        current: Cell<Option<Entry>>,
        stack: Cell<usize>,
    }

    std::thread_local! {
        static LOCAL: Local = const { Local { current: Cell::new(None), stack: Cell::new(0) } };
    }

    /// Puts back what was current before, on return and on unwinding alike.
    struct Restore(Option<Entry>);

    impl Drop for Restore {
        fn drop(&mut self) {
            let _ = LOCAL.try_with(|local| local.current.set(self.0));
        }
    }

    /// Runs `f` with `value` current on this thread.
    #[inline(always)]
    pub(crate) fn enter<T: 'static, R>(value: &T, f: impl FnOnce() -> R) -> R {
        let _restore = put(value);
        f()
    }

    /// Makes `value` current until what this gives is dropped.
    #[inline]
    fn put<T: 'static>(value: &T) -> Restore {
        let entry = Entry { kind: TypeId::of::<T>(), value: core::ptr::from_ref(value).cast() };
        // A thread whose locals are gone has no slot any more.
        Restore(LOCAL.try_with(|local| local.current.replace(Some(entry))).unwrap_or(None))
    }

    /// Runs `f` with the current value, if it is a `T`.
    pub(crate) fn current<T: 'static, R>(f: impl FnOnce(Option<&T>) -> R) -> R {
        let entry = LOCAL.try_with(|local| local.current.get()).unwrap_or(None);
        match entry {
            Some(entry) if entry.kind == TypeId::of::<T>() => {
                // SAFETY: `enter` wrote the pointer from a `&T` of this very type, and clears it before that borrow
                // ends. `f` runs on this thread inside that call, so the borrow is alive for all of `f`.
                let value = unsafe { &*entry.value.cast::<T>() };
                f(Some(value))
            }
            _ => f(None),
        }
    }

    /// The token of this poll stack; never 0.
    #[inline]
    pub(crate) fn stack() -> usize {
        LOCAL
            .try_with(|local| match local.stack.get() {
                0 => core::ptr::from_ref(local).addr(),
                level => level,
            })
            .unwrap_or(usize::MAX)
    }

    /// Runs `f` on a poll stack of its own.
    pub(crate) fn barrier<R>(f: impl FnOnce() -> R) -> R {
        struct Back(usize);
        impl Drop for Back {
            fn drop(&mut self) {
                let _ = LOCAL.try_with(|local| local.stack.set(self.0));
            }
        }
        // The address of a local of this call is taken by nobody else while the call lasts.
        let level = 0u8;
        let level = core::ptr::from_ref(&level).addr();
        let before = LOCAL.try_with(|local| local.stack.replace(level)).unwrap_or(0);
        let _back = Back(before);
        f()
    }
}

#[cfg(not(feature = "std"))]
mod imp {
    #[inline(always)]
    pub(crate) fn enter<T: 'static, R>(_: &T, f: impl FnOnce() -> R) -> R {
        f()
    }

    pub(crate) fn current<T: 'static, R>(f: impl FnOnce(Option<&T>) -> R) -> R {
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

    #[test]
    fn nested_values_are_put_back_also_on_panic() {
        enter(&1u8, || {
            let inner = std::panic::catch_unwind(|| enter(&2u8, || panic!("inside")));
            assert!(inner.is_err());
            assert_eq!(current::<u8, _>(|v| v.copied()), Some(1));
            assert_eq!(current::<u16, _>(|v| v.copied()), None, "another type is not current");
        });
        assert_eq!(current::<u8, _>(|v| v.copied()), None);
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
