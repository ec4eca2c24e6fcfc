//! What is current, and who is found to be polling.

use super::*;
use crate::sys::waker::hooked::hooked;
use alloc::vec::Vec;
use core::cell::Cell;
use core::pin::pin;
use core::task::{Context, Poll, Waker};

ambient!(CURRENT: u8);

std::thread_local! {
    static LEFT: Cell<usize> = const { Cell::new(0) };
}

impl Host for u8 {
    fn slot() -> &'static Key<Self> {
        &CURRENT
    }

    fn left(&self) {
        LEFT.set(LEFT.get() + 1);
    }

    fn marks(&self) -> [Option<&Mark>; 2] {
        [None; 2]
    }
}

fn seen() -> Option<u8> {
    current(|value: Option<&u8>| value.copied())
}

/// The runs that poll values on this path.
fn along(path: &[u8]) -> Vec<(u8, usize)> {
    let (mut found, mark) = (Vec::new(), Mark::new());
    polls_along(
        path.iter().copied(),
        |_| &mark,
        |view, value: &u8| view == *value,
        |view, run| {
            found.push((view, run));
            true
        },
    );
    found
}

/// The innermost run that polls this value.
fn polling(of: u8) -> Option<usize> {
    along(&[of]).first().map(|&(_, run)| run)
}

fn inside<R>(value: u8, f: impl FnOnce(usize) -> R) -> R {
    let mut frame = Frame::new();
    let number = core::ptr::from_ref(&frame).addr();
    enter(&mut frame, &value, Act::Polls, || f(number))
}

#[test]
fn nested_values_are_put_back_also_on_panic() {
    inside(1, |_| {
        let inner = std::panic::catch_unwind(|| inside(2, |_| panic!("inside")));
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
            assert_eq!((seen(), polling(7)), (Some(7), None), "it is being dropped, not polled");
        }
    }
    let mut frame = Frame::new();
    clear_in(&mut frame, &7, pin!(Some(Look)));
    let look = pin!(core::future::poll_fn(|_| Poll::Ready((seen(), polling(8).is_some()))));
    let polled = poll_in(&mut frame, &8, look, &mut Context::from_waker(Waker::noop()));
    assert_eq!(polled, Poll::Ready((Some(8), true)));
    assert_eq!(seen(), None);
}

#[test]
fn polls_are_found_innermost_first_up_to_a_barrier() {
    inside(1, |outer| {
        inside(2, |middle| {
            inside(1, |inner| {
                assert_eq!((polling(1), polling(2), polling(3)), (Some(inner), Some(middle), None));
                barrier(|| {
                    assert_eq!((seen(), polling(1)), (Some(1), None));
                    inside(3, |beyond| assert_eq!((polling(3), polling(1)), (Some(beyond), None)));
                });
                assert_eq!(polling(1), Some(inner));
            });
        });
        assert_eq!(polling(1), Some(outer));
    });
}

#[test]
fn polls_are_found_along_a_path_that_leads_outwards() {
    fn found(path: &[u8]) -> Vec<u8> {
        along(path).into_iter().map(|(view, _)| view).collect()
    }
    inside(1, |_| {
        inside(2, |_| {
            inside(2, |_| {
                inside(3, |_| {
                    assert_eq!(found(&[3, 2, 1]), [3, 2, 2, 1]);
                    assert_eq!(found(&[9, 2, 8, 1, 7]), [2, 2, 1], "others on either side are passed over");
                    assert_eq!(found(&[1, 2]), [2, 2], "not back inwards");
                })
            })
        })
    });
}

#[test]
fn each_run_is_found_that_polls_or_goes_on_after_a_drop() {
    fn runs(of: u8) -> usize {
        let mut count = 0;
        each_run(&Mark::new(), |&value: &u8| value == of, |_| count += 1);
        count
    }
    struct Look<'a>(&'a Cell<usize>);
    impl Drop for Look<'_> {
        fn drop(&mut self) {
            self.0.set(runs(1));
        }
    }
    let (mut outer, mut inner, look) = (Frame::new(), Frame::new(), Cell::new(9));
    let mut seen = |goes_on: bool| {
        enter(&mut outer, &1, Act::Poll(Waker::noop()), || match goes_on {
            true => clear_in(&mut inner, &1, pin!(Some(Look(&look)))),
            false => end_in(&mut inner, &1, pin!(Some(Look(&look)))),
        });
        (look.get(), inner.was_noted(), outer.was_noted())
    };
    assert_eq!(seen(false), (1, false, true));
    assert_eq!(seen(true), (2, true, true));
    assert_eq!((inside(1, |_| runs(1)), innermost::<u8>()), (0, 0));
}

#[test]
fn the_value_of_a_run_that_was_relied_on_by_one_with_its_waker_is_told_when_the_body_is_gone() {
    let (waker, mut frame) = (hooked(|_| {}), Frame::new());
    let look = |of: u8, waker: &Waker, notes| rely(&Mark::new(), waker, notes, |&value: &u8| value == of);
    let mut told = |act: Act<'_>, waker: &Waker, notes, found: Relied| {
        let before = LEFT.get();
        enter(&mut frame, &1, act, || {
            assert_eq!((look(1, waker, notes), look(2, waker, true)), (found, Relied::NoPoll))
        });
        assert_eq!(LEFT.get(), before);
        end_in(&mut frame, &1, pin!(Some(())));
        LEFT.get() > before
    };
    assert!(!told(Act::Poll(&waker), Waker::noop(), true, Relied::OtherWaker));
    assert!(!told(Act::Poll(&waker), &waker, false, Relied::SameWaker));
    assert!(told(Act::Poll(&waker), &waker, true, Relied::SameWaker));
    assert!(!told(Act::Polls, &waker, true, Relied::OtherWaker), "and not twice");
    assert!(!told(Act::Drop, &waker, true, Relied::NoPoll));
}
