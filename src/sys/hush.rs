//! Panics that are expected: where they happened, without their messages on the terminal.

use alloc::string::String;

/// Runs `f`. Where there is a panic hook, panics on this thread print nothing meanwhile; gives the place of the last one.
#[cfg(not(feature = "std"))]
pub(crate) fn hush<R>(f: impl FnOnce() -> R) -> (R, Option<String>) {
    (f(), None)
}

super::with_std! {
    use alloc::boxed::Box;
    use core::cell::RefCell;
    use std::string::ToString;
    use std::sync::Once;

    std::thread_local! {
        /// Whether panics of this thread are expected, and where the last of those was.
        static EXPECTED: RefCell<(bool, Option<String>)> = const { RefCell::new((false, None)) };
    }

    /// Runs `f`; panics on this thread print nothing meanwhile. Gives the place of the last one.
    ///
    /// The first call puts a hook in front of the process's panic hook, which goes on to serve all other panics.
    pub(crate) fn hush<R>(f: impl FnOnce() -> R) -> (R, Option<String>) {
        /// Expects panics until it is dropped.
        struct Hushed((bool, Option<String>));
        impl Drop for Hushed {
            fn drop(&mut self) {
                let before = core::mem::take(&mut self.0);
                EXPECTED.with(|expected| expected.replace(before));
            }
        }
        static HOOK: Once = Once::new();
        // A thread that panics may not change the hook.
        if !std::thread::panicking() {
            HOOK.call_once(|| {
                let others = std::panic::take_hook();
                std::panic::set_hook(Box::new(move |info| {
                    let place = info.location().map(ToString::to_string);
                    let hushed = EXPECTED.try_with(|expected| match expected.try_borrow_mut() {
                        Ok(mut expected) if expected.0 => {
                            expected.1 = place;
                            true
                        }
                        _ => false,
                    });
                    if !hushed.unwrap_or(false) {
                        others(info);
                    }
                }));
            });
        }
        let _hushed = Hushed(EXPECTED.with(|expected| expected.replace((true, None))));
        let result = f();
        (result, EXPECTED.with(|expected| expected.borrow_mut().1.take()))
    }
}

#[cfg(all(test, feature = "std", not(wakeful_loom)))]
mod tests {
    use super::*;
    use crate::sys::thread::catch;

    #[test]
    fn the_place_of_an_expected_panic_is_known() {
        let ((inner, outer), place) = hush(|| {
            let (_, inner) = hush(|| catch(|| panic!("inside")).is_err());
            (inner, catch(|| panic!("outside")).is_err())
        });
        let (inner, place) = (inner.unwrap(), place.unwrap());
        assert!(inner.contains("hush.rs:") && place.contains("hush.rs:") && inner != place, "{inner} {place}");
        assert!(outer);
        assert_eq!(hush(|| 5), (5, None));
        assert!(!EXPECTED.with(|expected| expected.borrow().0));
    }
}
