use super::*;
use crate::sync::Notify;

#[test]
fn one_signal_is_kept_and_two_count_as_one() {
    let notify = Notify::new();
    assert!(waits(notify.notified()));
    notify.notify_one();
    notify.notify_one();
    now(notify.notified());
    assert!(waits(notify.notified()));
}

#[test]
fn signals_reach_those_who_wait_first_come_first_served() {
    let notify = Notify::default();
    let mut all: Vec<_> = (0..3).map(|_| Task::waiting(notify.notified())).collect();
    notify.notify_one();
    assert_eq!(wakes(&all), [1, 0, 0]);
    notify.notify_one();
    assert_eq!(wakes(&all), [1, 1, 0]);
    assert!(all[0].poll().is_ready() && all[1].poll().is_ready());
    assert!(all.pop().unwrap().poll().is_pending());
    assert!(waits(notify.notified()), "no signal is left");
}

#[test]
fn one_that_was_chosen_and_is_dropped_passes_the_signal_on() {
    let notify = Notify::new();
    let first = Task::waiting(notify.notified());
    let second = Task::waiting(notify.notified());
    notify.notify_one();
    drop(first);
    assert_eq!(second.wakes(), 1);
    drop(second);
    now(notify.notified());
    assert!(waits(notify.notified()), "it was kept once");
}

#[test]
fn one_that_was_notified_with_all_has_nothing_to_pass_on() {
    let notify = Notify::new();
    let first = Task::waiting(notify.notified());
    notify.notify_all();
    assert_eq!(first.wakes(), 1);
    let second = Task::waiting(notify.notified());
    drop(first);
    assert_eq!(second.wakes(), 0);
    drop(second);
    assert!(waits(notify.notified()));
}

#[test]
fn a_signal_for_all_reaches_who_was_made_before_it_and_is_not_kept() {
    let notify = Notify::new();
    let before = notify.notified();
    let waiting = Task::waiting(notify.notified());
    notify.notify_all();
    now(before);
    waiting.woken();
    assert!(waits(notify.notified()));
}

#[test]
fn a_signal_for_all_leaves_the_one_that_is_kept() {
    let notify = Notify::new();
    notify.notify_one();
    let before = notify.notified();
    notify.notify_all();
    now(before);
    now(notify.notified());
    assert!(waits(notify.notified()));
}

#[test]
fn enabled_futures_are_in_line_without_having_been_polled() {
    let notify = Notify::new();
    let mut all: Vec<_> = (0..3).map(|_| Task::new(notify.notified())).collect();
    assert!(all.iter_mut().all(|task| !task.future.as_mut().enable()));
    notify.notify_one();
    notify.notify_one();
    assert!(all[0].future.as_mut().enable(), "it has been notified");
    assert!(all[0].poll().is_ready() && all[1].poll().is_ready() && all[2].poll().is_pending());
    notify.notify_one();
    assert_eq!(all.pop().unwrap().wakes(), 1);
}

#[test]
fn enabling_takes_a_signal_that_is_kept_and_dropping_gives_it_back() {
    let notify = Notify::new();
    notify.notify_one();
    let mut taker = Task::new(notify.notified());
    assert!(taker.future.as_mut().enable());
    assert!(waits(notify.notified()));
    drop(taker);
    now(notify.notified());
    let mut with_all = Task::new(notify.notified());
    notify.notify_all();
    assert!(with_all.future.as_mut().enable());
    drop(with_all);
    assert!(waits(notify.notified()), "what was for all is not kept");
}

#[test]
fn newcomers_cannot_take_a_signal_that_was_given_to_one_who_waits() {
    let notify = Notify::new();
    let mut first = Box::pin(notify.notified());
    let thief = notify.clone();
    assert!(poll_with(first.as_mut(), move || assert!(waits(thief.notified()))).is_pending());
    notify.notify_one();
    assert!(poll_with(first.as_mut(), || {}).is_ready());
}

#[test]
fn many_signals_given_from_inside_a_waker_reach_as_many() {
    let notify = Notify::new();
    let mut first = Box::pin(notify.notified());
    let more = notify.clone();
    assert!(poll_with(first.as_mut(), move || (0..60).for_each(|_| more.notify_one())).is_pending());
    let rest: Vec<_> = (0..100).map(|_| Task::waiting(notify.notified())).collect();
    notify.notify_one();
    assert_eq!(wakes(&rest).iter().sum::<usize>(), 60);
    assert!(wakes(&rest).is_sorted_by(|a, b| a >= b));
}

#[test]
fn who_comes_while_a_long_line_is_notified_waits_for_the_next_signal() {
    let notify = Notify::new();
    let mut first = Box::pin(notify.notified());
    let late = notify.clone();
    assert!(poll_with(first.as_mut(), move || assert!(waits(late.notified()))).is_pending());
    let rest: Vec<_> = (0..99).map(|_| Task::waiting(notify.notified())).collect();
    notify.notify_all();
    rest.into_iter().for_each(Task::woken);
}

#[test]
fn a_waker_that_panics_keeps_nobody_from_a_signal_for_all() {
    let notify = Notify::new();
    assert!(a_waker_that_panics_leaves_nobody_asleep(|| notify.notified(), || notify.notify_all()));
}
