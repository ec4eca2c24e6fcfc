use super::*;
use crate::sys::row::Rows;
use crate::sys::{Arc, Lock};
use alloc::borrow::Cow;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::panic::Location;
use core::task::Waker;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What happened, and a label.
struct Log(Lock<Vec<&'static str>>, Label);

fn log(log: &Log, entry: &'static str) {
    log.0.with(|log| log.push(entry));
}

impl Labelled for Arc<Log> {
    fn label(&self) -> &Label {
        &self.1
    }

    fn label_mut(&mut self) -> &mut Label {
        &mut Arc::get_mut(self).expect("not shared").1
    }
}

fn label(name: &'static str) -> Label {
    Label { name: Cow::Borrowed(name), made: Location::caller() }
}

/// Ready at its second poll.
struct Twice(u32, Arc<Log>);

impl Joined<Arc<Log>> for Twice {
    type Ask = ();
    type Said = ();
    type Out = Arc<Log>;

    fn poll(
        mut self: Pin<&mut Self>,
        near: Near<'_, Arc<Log>, Arc<Log>>,
        (): (),
        _: &mut Context<'_>,
    ) -> Poll<Option<()>> {
        log(near.shared(), if near.is_alone() { "polled alone" } else { "polled" });
        self.0 += 1;
        if self.0 == 2 { Poll::Ready(Some(())) } else { Poll::Pending }
    }

    fn left(self: Pin<&mut Self>, near: Near<'_, Arc<Log>, Arc<Log>>) -> Option<()> {
        (self.0 < 2).then(|| {
            log(near.shared(), "left");
            let shared = near.shared();
            match near.send(self.1.clone(), 3) {
                Sent::There(waker) => waker.into_iter().for_each(Waker::wake),
                Sent::Back(_) => log(shared, "given back"),
            }
        })
    }
}

impl Drop for Twice {
    fn drop(&mut self) {
        log(&self.1, "dropped");
    }
}

fn twice() -> (Task, Shared<Arc<Log>, Arc<Log>>, Arc<Log>) {
    let log = Arc::new(Log(Lock::new(Vec::new()), label("twice")));
    let (runner, shared) = join(Place::alone(), log.clone(), Twice(0, log.clone()));
    (runner.into_task(), shared, log)
}

fn poll(runner: &mut Task) -> bool {
    Pin::new(runner).poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

#[test]
fn a_future_is_dropped_when_it_is_ready_and_what_is_shared_stays() {
    let (mut runner, shared, log) = twice();
    assert!(!poll(&mut runner) && poll(&mut runner) && poll(&mut runner));
    assert_eq!(shared.deref().0.with(|log| log.clone()), ["polled", "polled", "dropped"]);
    drop(runner);
    assert_eq!(Arc::strong_count(&log), 2);
    drop(shared);
    assert_eq!((Arc::strong_count(&log), log.0.with(|log| log.len())), (1, 3));
}

#[test]
fn a_runner_that_is_dropped_early_says_so_before_its_future_is_dropped() {
    let (mut runner, shared, log) = twice();
    drop(shared);
    assert!(!poll(&mut runner));
    drop(runner);
    assert_eq!(log.0.with(|log| log.clone()), ["polled alone", "left", "given back", "dropped"]);
    assert_eq!(Arc::strong_count(&log), 1);
}

#[test]
fn a_label_is_changed_by_one_who_has_it_alone() {
    let mut runner = alone(label("one"), core::future::ready(()));
    runner.label_mut().expect("nobody else has it").name = Cow::Borrowed("two");
    assert_eq!(runner.label().to_string(), "`two`");
    let (mut runner, shared, _) = twice();
    assert!(runner.label_mut().is_none());
    assert_eq!((&*runner.label().name, &*shared.label().name), ("twice", "twice"));
}

/// Panics when it is left, and again when it is dropped, if it is told to.
struct Hostile(bool, #[expect(dead_code, reason = "its drop counts")] Arc<()>);

impl Joined<()> for Hostile {
    type Ask = ();
    type Said = ();
    type Out = ();

    fn poll(self: Pin<&mut Self>, _: Near<'_, (), ()>, (): (), _: &mut Context<'_>) -> Poll<Option<()>> {
        Poll::Pending
    }

    fn left(self: Pin<&mut Self>, _: Near<'_, (), ()>) -> Option<()> {
        assert!(!self.0, "left");
        None
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        assert!(self.0, "dropped");
    }
}

#[test]
fn a_future_that_panics_when_it_goes_is_gone_with_the_runner() {
    for when_left in [true, false] {
        let (mut rows, alive) = (Rows::new(), Arc::new(()));
        let (runner, shared) = join(rows.take(), (), Hostile(when_left, alive.clone()));
        let caught = catch_unwind(AssertUnwindSafe(|| drop(runner)));
        assert!(caught.is_err());
        assert_eq!(Arc::strong_count(&alive), 1, "J2: it is not left to the other end");
        drop(shared);
    }
}

#[test]
fn what_is_shared_may_outlive_what_the_future_borrows() {
    let mut rows = Rows::new();
    let kept = {
        let words = alloc::string::String::from("borrowed");
        struct Reads<'a>(&'a str);
        impl Joined<AtomicBool> for Reads<'_> {
            type Ask = usize;
            type Said = usize;
            type Out = ();

            fn poll(
                self: Pin<&mut Self>,
                near: Near<'_, AtomicBool, ()>,
                ask: usize,
                _: &mut Context<'_>,
            ) -> Poll<Option<usize>> {
                near.shared().store(true, Ordering::Relaxed);
                Poll::Ready(Some(self.0.len() + ask))
            }

            fn left(self: Pin<&mut Self>, _: Near<'_, AtomicBool, ()>) -> Option<usize> {
                None
            }
        }
        let (mut runner, shared) = join(rows.take(), AtomicBool::new(false), Reads(&words));
        let said = runner.poll_told(2, &mut Context::from_waker(Waker::noop()));
        assert_eq!(said, Poll::Ready(Some(10)));
        shared
    };
    drop(rows);
    assert!(kept.load(Ordering::Relaxed));
}

/// How often it was woken.
struct Flag(Lock<usize>);

impl crate::sys::waker::Wake for Flag {
    fn wake(this: &Arc<Self>) {
        this.0.with(|woken| *woken += 1);
    }
}

#[test]
fn what_is_sent_stays_until_it_is_taken_and_wakes_who_waits() {
    let (runner, mut shared, log) = twice();
    let flag = Arc::new(Flag(Lock::new(0)));
    let waker = crate::sys::waker::waker(flag.clone());
    for _ in 0..2 {
        assert!(shared.poll_sent(&Context::from_waker(&waker)).is_pending() && shared.mark().is_none());
        assert_eq!(Arc::strong_count(&flag), 3, "the same waker is kept once");
    }
    shared.forget_waker();
    assert_eq!(Arc::strong_count(&flag), 2);
    assert!(shared.poll_sent(&Context::from_waker(&waker)).is_pending());
    drop(runner);
    assert_eq!(flag.0.with(|woken| *woken), 1);
    assert!(shared.sent().is_some_and(|sent| Arc::ptr_eq(sent, &log)));
    assert_eq!((shared.mark(), shared.poll_sent(&Context::from_waker(Waker::noop())).is_ready()), (Some(3), true));
    assert_eq!(Arc::strong_count(&log), 3);
    drop(shared);
    assert_eq!(Arc::strong_count(&log), 1);
}
