//! The stage of a thread: what is being played on it, for code that was handed no handle.
//!
//! A stage holds a count of an `Arc`, so whoever asks may keep what it gets. Without `std` there is one stage for all, as
//! there is one set of notes in [`probe`](super::probe).

use super::Arc;

pub(crate) use imp::{Stage, current, is_set, swap};

/// Declares a stage: `stage!(RUN: World)`.
#[cfg(feature = "std")]
macro_rules! stage {
    ($name:ident: $kind:ty) => {
        std::thread_local! {
            static $name: $crate::sys::stage::Stage<$kind> = const { $crate::sys::stage::Stage::new(None) };
        }
    };
}
/// Declares a stage: `stage!(RUN: World)`.
#[cfg(not(feature = "std"))]
macro_rules! stage {
    ($name:ident: $kind:ty) => {
        static $name: $crate::sys::stage::Stage<$kind> = $crate::sys::stage::Stage::new(core::cell::RefCell::new(None));
    };
}
pub(crate) use stage;

/// Runs `f` with `value` on the stage; what was there before is put back afterwards, also on unwinding.
pub(crate) fn enter<T, R>(stage: &'static imp::Key<T>, value: Arc<T>, f: impl FnOnce() -> R) -> R {
    struct Back<T: 'static>(&'static imp::Key<T>, Option<Arc<T>>);
    impl<T> Drop for Back<T> {
        fn drop(&mut self) {
            drop(swap(self.0, self.1.take()));
        }
    }
    let _back = Back(stage, swap(stage, Some(value)));
    f()
}

#[cfg(feature = "std")]
mod imp {
    use super::Arc;
    use core::cell::RefCell;

    pub(crate) type Stage<T> = RefCell<Option<Arc<T>>>;
    pub(crate) type Key<T> = std::thread::LocalKey<Stage<T>>;

    /// Puts `value` on the stage, and gives what was there. A thread whose locals are gone has no stage any more.
    pub(crate) fn swap<T>(stage: &'static Key<T>, value: Option<Arc<T>>) -> Option<Arc<T>> {
        stage.try_with(|stage| stage.replace(value)).ok().flatten()
    }

    pub(crate) fn current<T>(stage: &'static Key<T>) -> Option<Arc<T>> {
        stage.try_with(|stage| stage.borrow().clone()).ok().flatten()
    }

    #[inline]
    pub(crate) fn is_set<T>(stage: &'static Key<T>) -> bool {
        stage.try_with(|stage| stage.borrow().is_some()).unwrap_or(false)
    }
}

#[cfg(not(feature = "std"))]
mod imp {
    use super::Arc;
    use core::cell::RefCell;

    pub(crate) type Stage<T> = critical_section::Mutex<RefCell<Option<Arc<T>>>>;
    pub(crate) type Key<T> = Stage<T>;

    /// Puts `value` on the stage, and gives what was there.
    pub(crate) fn swap<T>(stage: &'static Key<T>, value: Option<Arc<T>>) -> Option<Arc<T>> {
        critical_section::with(|cs| stage.replace(cs, value))
    }

    pub(crate) fn current<T>(stage: &'static Key<T>) -> Option<Arc<T>> {
        critical_section::with(|cs| stage.borrow_ref(cs).clone())
    }

    pub(crate) fn is_set<T>(stage: &'static Key<T>) -> bool {
        critical_section::with(|cs| stage.borrow_ref(cs).is_some())
    }
}

#[cfg(all(test, not(wakeful_loom)))]
mod tests {
    use super::*;

    stage!(NUMBER: u8);

    fn seen() -> Option<u8> {
        let number = current(&NUMBER);
        assert_eq!(is_set(&NUMBER), number.is_some());
        number.map(|number| *number)
    }

    #[test]
    fn what_was_on_the_stage_comes_back_also_on_panic() {
        let outer = Arc::new(1);
        enter(&NUMBER, outer.clone(), || {
            assert_eq!(enter(&NUMBER, Arc::new(2), seen), Some(2));
            let inner =
                std::panic::catch_unwind(|| enter(&NUMBER, Arc::new(3), || assert!(seen() == Some(4), "expected")));
            assert!(inner.is_err() && seen() == Some(1));
        });
        assert_eq!((seen(), Arc::strong_count(&outer)), (None, 1));
    }
}
