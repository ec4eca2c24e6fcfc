//! Limits for many keys: permits that may come back, and numbers that change for all keys, L4 and L8.

use super::keyed::{KeyTask, ten_each};
use super::*;
use crate::limit::decide::Decide;
use core::num::NonZeroUsize;

#[test]
fn l4_what_was_reserved_for_a_key_and_is_not_needed_goes_to_who_waits_for_it() {
    let clock = ManualClock::new();
    let limiter = ten_each::<u8>(&clock);
    let reserved = limiter.try_reserve(&1, 2).unwrap();
    assert_eq!((reserved.permits(), limiter.keys.busy(), limiter.available(&2)), (2, 1, 2));
    let mut waits = KeyTask::waiting(limiter.acquire(&1, 1));
    let mut behind = KeyTask::waiting(limiter.reserve(&1, 2));
    assert_eq!(clock.time().next(), ms(100));
    clock.advance_to(ms(50));
    drop(reserved);
    assert_eq!((waits.wakes(), waits.poll(), clock.time().next()), (1, Ready(Ok(())), ms(150)));
    clock.advance_to(ms(150));
    let Ready(Ok(reserved)) = behind.poll() else { panic!("it is due") };
    reserved.commit_only(1);
    assert_eq!((limiter.available(&1), limiter.keys.busy()), (1, 0), "its limiter is gone, what was spent is not");
    clock.advance_to(ms(249));
    assert_eq!(limiter.sweep(), 1);
    clock.advance_to(ms(250));
    assert_eq!(limiter.sweep(), 0);
}

#[test]
fn a_key_stays_as_long_as_something_is_reserved_for_it() {
    let clock = ManualClock::new();
    let limiter = ten_each::<u8>(&clock);
    let [first, second] = [1, 1].map(|n| limiter.try_reserve(&1, n).unwrap());
    clock.advance_to(ms(10_000));
    assert_eq!((limiter.sweep(), limiter.available(&1)), (1, 2), "it is full again");
    limiter.try_acquire(&1, 2).unwrap();
    drop(first);
    assert_eq!(limiter.available(&1), 0, "what the bucket gained meanwhile is not gained twice");
    second.commit();
    assert_eq!((limiter.keys.busy(), limiter.sweep()), (0, 1));
    let nothing = limiter.try_reserve(&2, 0).unwrap();
    assert_eq!((nothing.permits(), limiter.sweep()), (0, 1));
}

#[test]
fn a_reservation_that_is_refused_leaves_nothing() {
    let clock = ManualClock::new();
    let gcra = Gcra::new(Quota::per_second(nz(10)).burst(nz(2)));
    let limiter = KeyedLimiter::bounded(&clock.time(), gcra, NonZeroUsize::new(1).unwrap());
    let exceeds = TryAcquireError::ExceedsBurst { permits: 3, burst: 2 };
    assert_eq!(limiter.try_reserve(&1, 3).map(drop), Err(exceeds));
    assert!(limiter.try_reserve(&1, 2).is_ok(), "and is given back at once");
    assert_eq!(limiter.sweep(), 0);
    limiter.try_acquire(&1, 2).unwrap();
    assert_eq!(limiter.try_reserve(&1, 1).map(drop), not_yet(ms(100)));
    let full = TooManyKeys { most: 1, earliest: ms(200) };
    assert_eq!(limiter.try_reserve(&2, 1).map(drop), Err(full.into()));
    let too_late = AcquireError::TooLate { earliest: ms(100), deadline: ms(100) };
    let mut late = KeyTask::new(limiter.acquire_before(&1, 1, ms(100)).reserving());
    assert_eq!(late.poll().map_ok(drop), Ready(Err(too_late)));
    let mut full_up = KeyTask::new(limiter.reserve(&2, 1));
    assert_eq!(full_up.poll().map_ok(drop), Ready(Err(full.into())));
    assert_eq!((limiter.keys.busy(), limiter.sweep()), (0, 1));
}

#[test]
fn l8_all_keys_go_on_by_new_numbers_and_whoever_waits_is_retimed() {
    let clock = ManualClock::new();
    let limiter = ten_each::<u8>(&clock);
    let own = Gcra::new(Quota::per_second(nz(1)).burst(nz(7)));
    limiter.override_key(&9, own, Carry::Clamp).unwrap();
    (1..=3).for_each(|key| limiter.try_acquire(&key, 2).unwrap());
    limiter.try_acquire(&4, 1).unwrap();
    let mut waits = KeyTask::waiting(limiter.acquire(&1, 1));
    let mut large = KeyTask::waiting(limiter.acquire(&2, 2));
    let mut behind = KeyTask::waiting(limiter.acquire(&2, 1));
    let mut reserves = KeyTask::waiting(limiter.reserve(&3, 1));
    limiter.set_quota(Quota::per_second(nz(5)).burst(nz(1)), Carry::Clamp);
    assert_eq!(limiter.quota(), Quota::per_second(nz(5)).burst(nz(1)));
    let exceeds = AcquireError::ExceedsBurst { permits: 2, burst: 1 };
    assert_eq!((large.wakes(), large.poll()), (1, Ready(Err(exceeds))));
    assert_eq!((limiter.available(&4), limiter.available(&5), limiter.available(&9)), (1, 1, 2));
    assert_eq!(limiter.try_acquire(&7, 2), Err(TryAcquireError::ExceedsBurst { permits: 2, burst: 1 }));
    clock.advance_to(at(199_999_999));
    assert_eq!((waits.poll(), behind.poll(), reserves.poll().is_pending()), (Pending, Pending, true));
    clock.advance_to(ms(200));
    assert_eq!((waits.poll(), behind.poll()), (Ready(Ok(())), Ready(Ok(()))));
    assert!(matches!(reserves.poll(), Ready(Ok(reserved)) if reserved.permits() == 1));
    drop((waits, large, behind, reserves));
    assert_eq!((limiter.keys.busy(), limiter.available(&3)), (1, 1), "that with numbers of its own");
    limiter.restore_key(&9, Carry::Fraction);
    assert_eq!((limiter.keys.busy(), limiter.available(&9)), (0, 0), "those of all are the new ones");
}

#[test]
fn l8_a_key_has_its_share_of_the_new_burst_and_an_idle_one_all_of_it() {
    let clock = ManualClock::new();
    let limiter = ten_each::<u8>(&clock);
    limiter.try_acquire(&1, 1).unwrap();
    limiter.try_acquire(&2, 1).unwrap();
    clock.advance_to(ms(50));
    limiter.try_acquire(&2, 1).unwrap();
    clock.advance_to(ms(100));
    limiter.set_quota(Quota::per_second(nz(10)).burst(nz(8)), Carry::Fraction);
    let available = |key| limiter.available(&key);
    assert_eq!((available(1), available(2), available(3)), (8, 4, 8));
    limiter.set_quota(Quota::per_second(nz(10)).burst(nz(100)), Carry::Clamp);
    assert_eq!((available(1), available(2), available(3)), (100, 4, 100));
    limiter.set_quota(Quota::per_second(nz(10)).burst(nz(4)), Carry::Clamp);
    assert_eq!(limiter.sweep(), 0, "as many as there can be");
}

#[test]
fn l8_what_was_reserved_before_the_numbers_changed_stays_spent() {
    let clock = ManualClock::new();
    let limiter = ten_each::<u8>(&clock);
    let reserved = limiter.try_reserve(&1, 1).unwrap();
    limiter.set_quota(Quota::per_second(nz(10)).burst(nz(4)), Carry::Fraction);
    assert_eq!(limiter.available(&1), 2);
    drop(reserved);
    assert_eq!((limiter.available(&1), limiter.keys.busy()), (2, 0));
}

#[test]
fn l8_keys_pass_between_words_and_what_is_too_large_for_them() {
    let clock = ManualClock::new();
    let small = Quota::per_second(nz(10)).burst(nz(2));
    // The burst takes more ticks than a word has.
    let large = Quota::new(nz(7), Duration::from_nanos(10 * YEAR)).unwrap().burst(nz(1 << 30));
    assert!(Gcra::new(large).quick(0).is_none() && Gcra::new(small).quick(0).is_some());
    let (limiter, plain) = (ten_each::<u8>(&clock), Limiter::new(&clock.time(), small));
    limiter.try_acquire(&1, 1).unwrap();
    plain.try_acquire(1).unwrap();
    for (step, quota) in [large, large, small, small, large, small].into_iter().enumerate() {
        limiter.set_quota(quota, Carry::Fraction);
        plain.set_quota(quota, Carry::Fraction);
        assert_eq!((limiter.available(&1), limiter.keys.held()), (plain.available(), 1), "step {step}");
        let taken = (limiter.try_acquire(&1, 1), plain.try_acquire(1));
        assert_eq!(taken.0, taken.1, "step {step}");
        clock.advance(Duration::from_millis(1));
    }
}

#[test]
fn a_bounded_one_knows_when_there_is_room_after_its_numbers_have_changed() {
    let clock = ManualClock::new();
    let [slow, fast] = [1, 10].map(|n| Gcra::new(Quota::per_second(nz(n)).burst(nz(2))));
    let limiter = KeyedLimiter::bounded(&clock.time(), slow, NonZeroUsize::new(2).unwrap());
    limiter.try_acquire(&1, 1).unwrap();
    let reserved = limiter.try_reserve(&2, 2).unwrap();
    for (algorithm, earliest) in [(slow, ms(1_000)), (fast, ms(100)), (slow, ms(1_000)), (fast, ms(100))] {
        limiter.reconfigure(algorithm, Carry::Fraction);
        assert_eq!(limiter.try_acquire(&3, 1), Err(TooManyKeys { most: 2, earliest }.into()));
    }
    reserved.commit();
    clock.advance_to(ms(100));
    assert_eq!(limiter.try_acquire(&3, 1), Ok(()));
    assert_eq!(limiter.sweep(), 2);
}

#[cfg(all(test, feature = "std"))]
#[test]
fn a_waker_that_panics_keeps_no_key_from_the_new_numbers() {
    struct Panics;
    impl Wake for Panics {
        fn wake(_: &Arc<Self>) {
            panic!("woken");
        }
    }
    let clock = ManualClock::new();
    let limiter = ten_each::<u8>(&clock);
    let mut waits: Vec<_> = (0..50).map(|key| Box::pin(limiter.acquire(&(key / 2), 1 + u32::from(key % 2)))).collect();
    (0..25).for_each(|key| limiter.try_acquire(&key, 2).unwrap());
    for wait in &mut waits {
        assert!(wait.as_mut().poll(&mut Context::from_waker(&waker(Arc::new(Panics)))).is_pending());
    }
    limiter.set_quota(Quota::per_second(nz(1)), Carry::Fraction);
    for wait in waits.iter_mut().skip(1).step_by(2) {
        let exceeds = AcquireError::ExceedsBurst { permits: 2, burst: 1 };
        assert_eq!(wait.as_mut().poll(&mut Context::from_waker(Waker::noop())), Ready(Err(exceeds)));
    }
    assert_eq!((limiter.keys.busy(), clock.time().next()), (25, ms(1_000)));
    drop(waits);
    assert_eq!((limiter.keys.busy(), limiter.sweep()), (0, 25));
}
