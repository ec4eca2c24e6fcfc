use super::*;
use crate::sync::{Event, Latch, WaitGroup};

#[test]
fn a_set_lets_go_all_who_wait_in_order_and_who_comes_later() {
    let event = Event::new();
    let order = Arc::new(crate::sys::Lock::new(Vec::new()));
    let mut all: Vec<_> = (0..100).map(|_| Box::pin(event.wait())).collect();
    for (n, wait) in all.iter_mut().enumerate() {
        let order = order.clone();
        assert!(poll_with(wait.as_mut(), move || order.with(|order| order.push(n))).is_pending());
    }
    event.set();
    assert!(order.with(|order| order.iter().copied().eq(0..100)));
    assert!(all.iter_mut().all(|wait| poll_with(wait.as_mut(), || {}).is_ready()));
    now(event.wait());
    event.set();
    assert!(event.is_set());
}

#[test]
fn who_waited_when_it_was_set_goes_on_after_a_reset_too() {
    let event = Event::default();
    let early = Task::waiting(event.wait());
    event.set();
    assert!(event.reset() && !event.reset());
    let late = Task::waiting(event.wait());
    early.woken();
    assert_eq!(late.wakes(), 0);
    event.set();
    late.woken();
}

#[test]
fn who_comes_while_a_long_line_is_let_go_stays_if_it_was_reset() {
    let event = Event::new();
    let late = Arc::new(crate::sys::Lock::new(None));
    let mut first = Box::pin(event.wait());
    let resets = {
        let (event, late) = (event.clone(), late.clone());
        move || {
            event.reset();
            let event: &'static Event = Box::leak(Box::new(event.clone()));
            let task = Task::waiting(event.wait());
            late.with(|late| *late = Some(task));
        }
    };
    assert!(poll_with(first.as_mut(), resets).is_pending());
    let rest: Vec<_> = (0..99).map(|_| Task::waiting(event.wait())).collect();
    event.set();
    assert!(rest.iter().all(|task| task.wakes() == 1), "who was in line when it was set");
    let late = late.with(Option::take).unwrap();
    assert_eq!(late.wakes(), 0);
    event.set();
    late.woken();
}

#[test]
fn a_waiter_that_is_dropped_leaves_the_others_their_places() {
    let event = Event::new();
    let mut all: Vec<_> = (0..3).map(|_| Task::waiting(event.wait())).collect();
    drop(all.remove(1));
    event.set();
    drop(all.remove(0));
    all.remove(0).woken();
}

#[test]
fn the_waker_of_the_last_poll_is_woken() {
    let event = Event::new();
    let mut wait = Task::waiting(event.wait());
    let (count, waker) = counter();
    assert!(wait.future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    event.set();
    assert_eq!((wait.wakes(), count.load(Ordering::Relaxed)), (0, 1));
}

#[test]
fn a_waker_may_enter_the_event_that_fires_it() {
    let event = Event::new();
    let mut wait = Box::pin(event.wait());
    let again = event.clone();
    let reenters = move || {
        again.set();
        again.reset();
        assert!(waits(again.wait()));
    };
    assert!(poll_with(wait.as_mut(), reenters).is_pending());
    event.set();
    assert!(!event.is_set());
}

#[test]
fn a_waker_that_panics_keeps_nobody_from_an_event() {
    let event = Event::new();
    assert!(a_waker_that_panics_leaves_nobody_asleep(|| event.wait(), || event.set()));
}

#[cfg(all(test, feature = "std"))]
#[test]
fn a_waker_that_panics_keeps_nobody_at_a_latch_and_does_not_come_out_of_a_drop() {
    let latch = Latch::new(1);
    assert!(!a_waker_that_panics_leaves_nobody_asleep(|| latch.wait(), || latch.count_down()));
    let group = WaitGroup::new();
    let guard = group.add();
    assert!(!a_waker_that_panics_leaves_nobody_asleep(|| group.wait(), || drop(guard)));
}

#[test]
fn a_latch_opens_at_zero_and_stays_open() {
    let latch = Latch::new(2);
    let waits = Task::waiting(latch.wait());
    latch.count_down();
    assert_eq!((latch.count(), latch.is_open(), waits.wakes()), (1, false, 0));
    latch.clone().count_down();
    waits.woken();
    latch.count_down();
    assert_eq!((latch.count(), latch.is_open()), (0, true));
    now(latch.wait());
    now(Latch::new(0).wait());
}

#[test]
fn a_group_is_empty_when_its_last_guard_is_gone_by_a_panic_too() {
    let group = WaitGroup::default();
    now(group.wait());
    let (first, second) = (group.add(), group.add());
    let third = second.clone();
    assert_eq!(third.group().count(), 3);
    let waits = Task::waiting(group.wait());
    drop(first);
    drop(second);
    assert_eq!(waits.wakes(), 0);
    let panics = AssertUnwindSafe(move || {
        let _guard = third;
        panic!("with a guard");
    });
    catch_unwind(panics).unwrap_err();
    waits.woken();
}

#[test]
fn who_waited_when_a_group_was_empty_goes_on_though_it_fills_again() {
    let group = WaitGroup::new();
    let guard = group.add();
    let early = Task::waiting(group.wait());
    drop(guard);
    let guard = group.add();
    let late = Task::waiting(group.wait());
    early.woken();
    assert_eq!(late.wakes(), 0);
    drop(guard);
    late.woken();
}
