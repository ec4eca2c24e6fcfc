use super::*;
use crate::sync::Condition;
use async_lock::Mutex;

#[test]
fn the_mutex_is_free_while_one_waits_and_locked_when_it_goes_on() {
    let (mutex, condition) = (Mutex::new(0), Condition::new());
    let guard = now(mutex.lock());
    let waits = Task::waiting(condition.wait(guard, || mutex.lock()));
    *mutex.try_lock().unwrap() += 1;
    condition.notify_one();
    let guard = waits.woken();
    assert!(mutex.try_lock().is_none());
    assert_eq!(*guard, 1);
}

#[test]
fn it_is_in_line_before_the_mutex_is_free() {
    struct Notifies<'a>(&'a Condition);
    impl Drop for Notifies<'_> {
        fn drop(&mut self) {
            self.0.notify_one();
        }
    }
    let condition = Condition::default();
    let waits = Task::waiting(condition.wait(Notifies(&condition), || core::future::ready(7)));
    assert_eq!(waits.woken(), 7);
}

#[test]
fn dropped_before_its_first_poll_it_drops_the_guard() {
    let (mutex, condition) = (Mutex::new(()), Condition::new());
    let guard = now(mutex.lock());
    drop(condition.wait(guard, || mutex.lock()));
    assert!(mutex.try_lock().is_some());
}

#[test]
fn dropped_while_it_waits_it_holds_no_lock_and_takes_no_notification() {
    let (mutex, condition) = (Mutex::new(()), Condition::new());
    let first = Task::waiting(condition.wait(now(mutex.lock()), || mutex.lock()));
    let second = Task::waiting(condition.wait(now(mutex.lock()), || mutex.lock()));
    drop(first);
    assert!(mutex.try_lock().is_some());
    condition.notify_one();
    second.woken();
}

#[test]
fn dropped_after_it_was_notified_it_passes_the_notification_on() {
    let (mutex, condition) = (Mutex::new(()), Condition::new());
    let first = Task::waiting(condition.wait(now(mutex.lock()), || mutex.lock()));
    let second = Task::waiting(condition.wait(now(mutex.lock()), || mutex.lock()));
    condition.notify_one();
    assert_eq!(second.wakes(), 0);
    drop(first);
    second.woken();
}

#[test]
fn dropped_while_it_locks_again_it_passes_the_notification_on_and_leaves_the_mutex() {
    let (mutex, condition) = (Mutex::new(()), Condition::new());
    let mut first = Task::waiting(condition.wait(now(mutex.lock()), || mutex.lock()));
    let second = Task::waiting(condition.wait(now(mutex.lock()), || mutex.lock()));
    let guard = now(mutex.lock());
    condition.notify_one();
    assert!(first.poll().is_pending(), "the mutex is locked");
    drop(first);
    drop(guard);
    drop(second.woken());
    assert!(mutex.try_lock().is_some());
}

#[test]
fn notified_while_it_is_polled_it_passes_the_notification_on_until_it_has_locked() {
    let (mutex, condition) = (Mutex::new(()), Condition::new());
    let mut first = Task::waiting(condition.wait(now(mutex.lock()), || mutex.lock()));
    let second = Task::waiting(condition.wait(now(mutex.lock()), || mutex.lock()));
    let (guard, notifies) = (now(mutex.lock()), condition.clone());
    assert!(first.poll_meanwhile(move || notifies.notify_one()).is_pending(), "the mutex is locked");
    assert_eq!((first.wakes(), second.wakes()), (1, 0));
    drop((first, guard));
    second.woken();
}

#[test]
fn one_that_has_returned_passes_nothing_on() {
    let (mutex, condition) = (Mutex::new(()), Condition::new());
    let mut first = Task::waiting(condition.wait(now(mutex.lock()), || mutex.lock()));
    let second = Task::waiting(condition.wait(now(mutex.lock()), || mutex.lock()));
    condition.notify_one();
    drop(first.poll());
    drop(first);
    assert_eq!(second.wakes(), 0);
}

#[test]
fn notifying_all_wakes_all_who_wait_and_nobody_later() {
    let (mutex, condition) = (Mutex::new(()), Condition::new());
    let all: Vec<_> = (0..50).map(|_| Task::waiting(condition.wait(now(mutex.lock()), || mutex.lock()))).collect();
    condition.notify_all();
    let late = Task::waiting(condition.wait(now(mutex.lock()), || mutex.lock()));
    all.into_iter().for_each(|task| drop(task.woken()));
    condition.notify_all();
    late.woken();
    condition.notify_one();
    condition.notify_all();
    assert!(waits(condition.wait(now(mutex.lock()), || mutex.lock())), "nothing is kept");
}

#[test]
fn waiting_while_a_condition_holds_looks_at_once_and_each_time() {
    let (mutex, condition) = (Mutex::new(0), Condition::new());
    let mut enough = Task::waiting(condition.wait_while(now(mutex.lock()), |n| **n < 2, || mutex.lock()));
    for n in 1..3 {
        *mutex.try_lock().unwrap() = n;
        assert_eq!(enough.wakes(), n - 1);
        condition.notify_one();
        assert_eq!(enough.poll().is_ready(), n == 2);
    }
    drop(enough);
    now(condition.wait_while(now(mutex.lock()), |n| **n < 2, || mutex.lock()));
}

#[test]
fn a_waker_that_panics_keeps_nobody_from_a_condition() {
    let condition = Condition::new();
    let wait = || condition.wait((), || core::future::ready(()));
    assert!(a_waker_that_panics_leaves_nobody_asleep(wait, || condition.notify_all()));
}

#[test]
#[should_panic(expected = "after completion")]
fn polled_after_completion_it_panics() {
    let condition = Condition::new();
    let mut waits = Task::waiting(condition.wait((), || core::future::ready(())));
    condition.notify_all();
    let _ = waits.poll();
    let _ = waits.poll();
}
