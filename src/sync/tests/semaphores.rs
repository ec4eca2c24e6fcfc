use super::*;
use crate::sync::{AcquireError, Semaphore, TryAcquireError};

#[test]
fn permits_are_taken_and_given_back() {
    let semaphore = Semaphore::new(3);
    let one = now(semaphore.acquire()).unwrap();
    let two = now(semaphore.acquire_many(2)).unwrap();
    assert_eq!((one.count(), two.count(), semaphore.available(), semaphore.total()), (1, 2, 0, 3));
    assert_eq!(semaphore.try_acquire().unwrap_err(), TryAcquireError::NoPermits);
    drop(one);
    assert_eq!(semaphore.try_acquire_many(2).unwrap_err(), TryAcquireError::NoPermits);
    drop(semaphore.try_acquire().unwrap());
    drop(two);
    assert_eq!((semaphore.available(), semaphore.waiting()), (3, 0));
}

#[test]
fn none_at_all_are_granted_always() {
    let semaphore = Semaphore::new(0);
    let _waits = Task::waiting(semaphore.acquire());
    assert_eq!(now(semaphore.acquire_many(0)).unwrap().count(), 0);
    drop(semaphore.try_acquire_many(0).unwrap());
    semaphore.close();
    assert_eq!(now(semaphore.acquire_many(0)).unwrap_err(), AcquireError);
}

#[test]
fn a_permit_given_back_is_theirs_who_wait_and_nobody_overtakes() {
    let semaphore = Semaphore::new(1);
    let held = semaphore.try_acquire().unwrap();
    let first = Task::waiting(semaphore.acquire());
    let second = Task::waiting(semaphore.acquire());
    drop(held);
    assert_eq!((first.wakes(), second.wakes(), semaphore.available()), (1, 0, 0));
    assert_eq!(semaphore.try_acquire().unwrap_err(), TryAcquireError::NoPermits);
    let late = Task::waiting(semaphore.acquire());
    drop(first.woken());
    drop(second.woken());
    drop(late.woken());
    assert_eq!(semaphore.available(), 1);
}

#[test]
fn a_large_request_is_not_passed_by_small_ones_behind_it() {
    let semaphore = Semaphore::new(3);
    let mut held = semaphore.try_acquire_many(3).unwrap();
    let large = Task::waiting(semaphore.acquire_many(2));
    let small = Task::waiting(semaphore.acquire());
    drop(held.split(1));
    assert_eq!((large.wakes(), small.wakes(), semaphore.available()), (0, 0, 1));
    assert_eq!(semaphore.try_acquire().unwrap_err(), TryAcquireError::NoPermits);
    drop(held.split(1));
    assert_eq!((large.wakes(), small.wakes()), (1, 0));
    drop(held);
    assert_eq!(small.wakes(), 1);
    drop((large.woken(), small.woken()));
    assert_eq!(semaphore.available(), 3);
}

#[test]
fn a_large_request_that_is_dropped_lets_all_go_who_could_have_gone() {
    let semaphore = Semaphore::new(100);
    let held = semaphore.try_acquire().unwrap();
    let large = Task::waiting(semaphore.acquire_many(100));
    let rest: Vec<_> = (0..100).map(|_| Task::waiting(semaphore.acquire())).collect();
    drop(large);
    assert_eq!(wakes(&rest).iter().sum::<usize>(), 99, "more than leave the lock in one go");
    drop(held);
    rest.into_iter().for_each(|task| drop(task.woken()));
    assert_eq!((semaphore.available(), semaphore.waiting()), (100, 0));
}

#[test]
fn one_that_was_granted_and_is_dropped_passes_its_permits_on() {
    let semaphore = Semaphore::new(2);
    let held = semaphore.try_acquire_many(2).unwrap();
    let granted = Task::waiting(semaphore.acquire_many(2));
    let rest = [Task::waiting(semaphore.acquire()), Task::waiting(semaphore.acquire())];
    drop(held);
    assert_eq!((granted.wakes(), wakes(&rest)), (1, [0, 0].into()));
    drop(granted);
    assert_eq!(wakes(&rest), [1, 1]);
    drop(rest);
    assert_eq!(semaphore.available(), 2);
}

#[test]
fn a_waiter_that_is_dropped_leaves_the_semaphore_open_to_newcomers() {
    let semaphore = Semaphore::new(1);
    drop(Task::waiting(semaphore.acquire_many(2)));
    drop(semaphore.try_acquire().unwrap());
}

#[test]
fn permits_that_are_added_go_to_those_who_wait() {
    let semaphore = Semaphore::new(0);
    let all: Vec<_> = (0..80).map(|_| Task::waiting(semaphore.acquire())).collect();
    semaphore.add_permits(70);
    assert_eq!(wakes(&all).iter().sum::<usize>(), 70);
    semaphore.add_permits(20);
    all.into_iter().for_each(|task| drop(task.woken()));
    assert_eq!((semaphore.available(), semaphore.total()), (90, 90));
}

#[test]
fn forgotten_permits_are_gone_for_good() {
    let semaphore = Semaphore::new(5);
    semaphore.try_acquire_many(2).unwrap().forget();
    semaphore.try_acquire().unwrap().into_owned().forget();
    assert_eq!((semaphore.available(), semaphore.total()), (2, 2));
    assert_eq!((semaphore.forget_permits(1), semaphore.forget_permits(9), semaphore.forget_permits(1)), (1, 1, 0));
    assert_eq!(semaphore.total(), 0);
}

#[test]
fn a_total_that_is_lowered_is_made_up_by_what_comes_back_before_anybody_is_granted_anything() {
    let semaphore = Semaphore::new(5);
    let mut held = semaphore.try_acquire_many(4).unwrap();
    semaphore.set_total(2);
    assert_eq!((semaphore.available(), semaphore.total()), (0, 2));
    let waits = Task::waiting(semaphore.acquire());
    drop(held.split(2));
    assert_eq!((waits.wakes(), semaphore.available()), (0, 0), "two are out, as many as there are");
    drop(held.split(1));
    assert_eq!(waits.wakes(), 1);
    drop((held, waits.woken()));
    assert_eq!((semaphore.available(), semaphore.total()), (2, 2));
}

#[test]
fn a_total_that_is_lowered_keeps_newcomers_out_and_the_free_ones_are_gone_at_once() {
    let semaphore = Semaphore::new(5);
    let held = semaphore.try_acquire_many(2).unwrap();
    semaphore.set_total(3);
    assert_eq!(semaphore.available(), 1);
    semaphore.set_total(0);
    assert_eq!(semaphore.try_acquire().unwrap_err(), TryAcquireError::NoPermits);
    drop(held);
    assert_eq!(semaphore.try_acquire().unwrap_err(), TryAcquireError::NoPermits);
    assert_eq!((semaphore.available(), semaphore.total(), semaphore.waiting()), (0, 0, 0));
}

#[test]
fn a_total_that_is_raised_lets_those_in_who_wait_less_what_is_owed() {
    let semaphore = Semaphore::new(4);
    let held = semaphore.try_acquire_many(4).unwrap();
    semaphore.set_total(1);
    let all: Vec<_> = (0..90).map(|_| Task::waiting(semaphore.acquire())).collect();
    semaphore.set_total(3);
    assert_eq!(wakes(&all).iter().sum::<usize>(), 0, "four are out");
    semaphore.add_permits(2);
    assert_eq!(wakes(&all).iter().sum::<usize>(), 1);
    semaphore.set_total(80);
    assert_eq!(wakes(&all).iter().sum::<usize>(), 76);
    drop(held);
    all.into_iter().for_each(|task| drop(task.woken()));
    assert_eq!((semaphore.available(), semaphore.total()), (80, 80));
}

#[test]
fn what_is_forgotten_makes_up_for_what_is_owed_first() {
    let semaphore = Semaphore::new(5);
    let mut held = semaphore.try_acquire_many(5).unwrap();
    semaphore.set_total(2);
    held.split(1).unwrap().forget();
    assert_eq!(semaphore.total(), 2, "it would not have come back");
    held.split(3).unwrap().forget();
    assert_eq!(semaphore.total(), 1);
    drop(held);
    assert_eq!((semaphore.available(), semaphore.total()), (1, 1));
    drop(semaphore.try_acquire().unwrap());
}

#[test]
fn permits_are_split_merged_and_owned() {
    let (semaphore, other) = (Semaphore::new(4), Semaphore::new(1));
    let mut permit = semaphore.try_acquire_many(3).unwrap();
    assert!(permit.split(4).is_none());
    let part = permit.split(2).unwrap();
    assert_eq!((permit.count(), part.count()), (1, 2));
    permit.merge(part).unwrap();
    permit = {
        let foreign = other.try_acquire().unwrap();
        assert_eq!(permit.merge(foreign).unwrap_err().count(), 1);
        permit
    };
    let mut owned = permit.into_owned();
    assert_eq!((owned.count(), semaphore.available()), (3, 1));
    assert!(owned.split(4).is_none());
    let part = owned.split(1).unwrap();
    owned.merge(part).unwrap();
    let foreign = other.try_acquire().unwrap().into_owned();
    drop(owned.merge(foreign).unwrap_err());
    drop(owned);
    assert_eq!((semaphore.available(), other.available()), (4, 1));
}

#[test]
fn closing_turns_away_who_waits_and_who_was_granted_but_not_polled() {
    let semaphore = Semaphore::new(1);
    let held = semaphore.try_acquire().unwrap();
    let granted = Task::waiting(semaphore.acquire());
    let waiting: Vec<_> = (0..50).map(|_| Task::waiting(semaphore.acquire())).collect();
    drop(held);
    semaphore.close();
    assert_eq!(granted.woken().unwrap_err(), AcquireError);
    waiting.into_iter().for_each(|task| assert_eq!(task.woken().unwrap_err(), AcquireError));
    assert_eq!(now(semaphore.acquire()).unwrap_err(), AcquireError);
    assert_eq!(semaphore.try_acquire().unwrap_err(), TryAcquireError::from(AcquireError));
    assert_eq!((semaphore.is_closed(), semaphore.available(), semaphore.waiting()), (true, 1, 0));
}

#[test]
fn permits_that_are_out_come_back_to_a_closed_semaphore() {
    let semaphore = Semaphore::new(2);
    let held = semaphore.try_acquire().unwrap();
    semaphore.close();
    semaphore.close();
    drop(held);
    assert_eq!(semaphore.available(), 2);
}

#[test]
fn a_waker_may_enter_the_semaphore_that_fires_it() {
    let semaphore = Semaphore::new(1);
    let held = semaphore.try_acquire().unwrap();
    let mut waits_for_it = Box::pin(semaphore.acquire());
    let again = semaphore.clone();
    let reenters = move || {
        assert!(waits(again.acquire()));
        again.add_permits(1);
        assert_eq!(again.forget_permits(1), 1);
        assert!(again.try_acquire().is_err());
    };
    assert!(poll_with(waits_for_it.as_mut(), reenters).is_pending());
    drop(held);
    assert!(poll_with(waits_for_it.as_mut(), || {}).is_ready());
}

#[test]
fn newcomers_do_not_overtake_those_who_are_about_to_be_let_in() {
    let (semaphore, refused) = (Semaphore::new(0), Arc::new(AtomicUsize::new(0)));
    let (thief, seen) = (semaphore.clone(), refused.clone());
    let tries = move || drop(thief.try_acquire().map_err(|_| seen.fetch_add(1, Ordering::Relaxed)));
    let mut first = Box::pin(semaphore.acquire());
    assert!(poll_with(first.as_mut(), tries).is_pending());
    let rest: Vec<_> = (1..4).map(|_| Task::waiting(semaphore.acquire())).collect();
    semaphore.add_permits(4);
    assert_eq!((refused.load(Ordering::Relaxed), wakes(&rest)), (1, [1, 1, 1].into()));
}

#[test]
fn a_waker_that_panics_keeps_nobody_from_a_permit() {
    let semaphore = Semaphore::new(0);
    assert!(a_waker_that_panics_leaves_nobody_asleep(|| semaphore.acquire(), || semaphore.add_permits(101)));
    let semaphore = Semaphore::new(0);
    assert!(a_waker_that_panics_leaves_nobody_asleep(|| semaphore.acquire(), || semaphore.close()));
}

#[cfg(all(test, feature = "std"))]
#[test]
fn a_waker_that_panics_does_not_come_out_of_a_drop() {
    let semaphore = Semaphore::new(101);
    let held = semaphore.try_acquire_many(101).unwrap();
    assert!(!a_waker_that_panics_leaves_nobody_asleep(|| semaphore.acquire(), || drop(held)));
    let semaphore = Semaphore::new(101);
    let large = Task::waiting(semaphore.acquire_many(102));
    assert!(!a_waker_that_panics_leaves_nobody_asleep(|| semaphore.acquire(), || drop(large)));
}

#[test]
fn a_hog_has_one_turn_before_a_waiter() {
    let semaphore = Semaphore::new(1);
    let held = semaphore.try_acquire().unwrap();
    let mut waiter = Task::waiting(semaphore.acquire());
    let mut turns = 1;
    drop(held);
    let mut hog = Task::new(semaphore.acquire());
    while waiter.poll().is_pending() {
        turns += usize::from(hog.poll().is_ready());
    }
    assert_eq!(turns, 1);
}

#[test]
#[should_panic(expected = "a semaphore can't have")]
fn more_permits_than_can_be_counted_are_refused() {
    let semaphore = Semaphore::new(Semaphore::MAX_PERMITS);
    let _all = semaphore.try_acquire_many(Semaphore::MAX_PERMITS).unwrap();
    semaphore.add_permits(1);
}

#[test]
#[should_panic(expected = "a semaphore can't have")]
fn a_total_that_can_not_be_counted_is_refused() {
    Semaphore::new(1).set_total(Semaphore::MAX_PERMITS + 1);
}

#[test]
#[should_panic(expected = "there are never")]
fn a_request_for_more_than_there_can_be_is_refused() {
    drop(Semaphore::new(1).acquire_many(Semaphore::MAX_PERMITS + 1));
}

#[test]
fn a_try_for_more_than_there_can_be_takes_nothing() {
    let semaphore = Semaphore::new(3);
    for permits in [Semaphore::MAX_PERMITS + 1, usize::MAX / 2 + 1, usize::MAX] {
        assert_eq!(semaphore.try_acquire_many(permits).unwrap_err(), TryAcquireError::NoPermits);
    }
    assert_eq!((semaphore.available(), semaphore.total()), (3, 3));
    semaphore.close();
    assert_eq!(semaphore.try_acquire_many(usize::MAX).unwrap_err(), TryAcquireError::Closed);
}
