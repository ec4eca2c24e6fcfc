//! Waiters that leave, are refused or come late: L4 to L7.

use super::*;

#[test]
fn l4_dropped_waiters_give_their_places_back() {
    let clock = ManualClock::new();
    let limiter = ten(&clock, 5);
    limiter.try_acquire(5).unwrap();
    let first = Task::waiting(limiter.acquire(1));
    let middle = Task::waiting(limiter.acquire(4));
    let mut last = Task::waiting(limiter.acquire(1));
    assert_eq!(limiter.try_acquire(1), not_yet(ms(700)));
    drop(middle);
    assert_eq!(limiter.try_acquire(1), not_yet(ms(300)));
    drop(first);
    assert_eq!(clock.time().next(), ms(100), "the timer is set for the one who is first");
    clock.advance_to(ms(100));
    assert_eq!((last.wakes(), last.poll()), (1, Ready(Ok(()))));
}

#[test]
fn l4_a_large_request_that_is_dropped_lets_a_small_one_through_at_once() {
    let clock = ManualClock::new();
    let limiter = ten(&clock, 5);
    limiter.try_acquire(5).unwrap();
    let large = Task::waiting(limiter.acquire(5));
    let mut small: Vec<_> = (0..2).map(|_| Task::waiting(limiter.acquire(1))).collect();
    clock.advance_to(ms(250));
    drop(large);
    assert!(small.iter_mut().all(|task| task.wakes() == 1 && task.poll() == Ready(Ok(()))));
    assert_eq!(limiter.try_acquire(1), not_yet(ms(300)));
    assert_eq!(clock.time().pending(), 0);
}

#[test]
fn l4_a_granted_waiter_that_is_dropped_gives_its_permits_back() {
    let clock = ManualClock::new();
    let limiter = ten(&clock, 1);
    limiter.try_acquire(1).unwrap();
    let first = Task::waiting(limiter.acquire(1));
    let mut second = Task::waiting(limiter.acquire(1));
    clock.advance_to(ms(100));
    assert_eq!((first.wakes(), second.wakes()), (1, 0));
    drop(first);
    assert_eq!((second.wakes(), second.poll()), (1, Ready(Ok(()))));
    assert_eq!(limiter.try_acquire(1), not_yet(ms(200)));
}

#[test]
fn l4_with_all_waiters_gone_no_timer_is_left() {
    let clock = ManualClock::new();
    let limiter = ten(&clock, 1);
    limiter.try_acquire(1).unwrap();
    let all: Vec<_> = (0..40).map(|_| Task::waiting(limiter.acquire(1))).collect();
    assert_eq!((clock.time().pending(), Arc::strong_count(&limiter.gate)), (1, 2));
    drop(all);
    assert_eq!((clock.time().pending(), Arc::strong_count(&limiter.gate)), (0, 1));
    assert_eq!(limiter.try_acquire(1), not_yet(ms(100)));
}

#[test]
fn l5_a_wait_that_would_outlast_its_deadline_is_refused_at_once() {
    let clock = ManualClock::new();
    let limiter = ten(&clock, 2);
    limiter.try_acquire(2).unwrap();
    let mut waits = Task::waiting(limiter.acquire(2));
    let mut refused = Task::new(limiter.acquire_before(1, ms(300)));
    let error = AcquireError::TooLate { earliest: ms(300), deadline: ms(300) };
    assert_eq!(refused.poll(), Ready(Err(error)));
    assert_eq!(error.earliest(), Some(ms(300)));
    let mut exact = Task::waiting(limiter.acquire_before(1, at(300_000_001)));
    assert_eq!(limiter.try_acquire(1), not_yet(ms(400)), "the refused one left nothing behind");
    clock.advance_to(ms(300));
    assert_eq!((waits.poll(), exact.poll()), (Ready(Ok(())), Ready(Ok(()))));
}

#[test]
fn l5_a_turn_that_slips_behind_its_deadline_is_given_up() {
    let clock = ManualClock::new();
    let limiter = Limiter::new(&clock.time(), Quota::per_second(nz(10)).strict());
    limiter.try_acquire(1).unwrap();
    let mut first = Task::waiting(limiter.acquire(1));
    let mut second = Task::waiting(limiter.acquire_before(1, ms(210)));
    let mut third = Task::waiting(limiter.acquire(1));
    // The first one is served 50 ms late, so the turn of the second would be at 250 ms.
    clock.jump_to(ms(150));
    assert_eq!(first.poll(), Ready(Ok(())));
    let error = AcquireError::TooLate { earliest: ms(250), deadline: ms(210) };
    assert_eq!((second.wakes(), second.poll()), (1, Ready(Err(error))));
    clock.advance_to(ms(250));
    assert_eq!(third.poll(), Ready(Ok(())));
}

#[test]
fn l5_nothing_is_granted_at_the_deadline_or_after_it() {
    let clock = ManualClock::at(ms(50));
    let limiter = ten(&clock, 2);
    let error =
        |earliest, deadline| Ready(Err(AcquireError::TooLate { earliest: ms(earliest), deadline: ms(deadline) }));
    assert_eq!(Task::new(limiter.acquire_before(1, ms(50))).poll(), error(50, 50));
    limiter.try_acquire(2).unwrap();
    let mut late = Task::waiting(limiter.acquire_before(1, ms(160)));
    let mut next = Task::waiting(limiter.acquire(1));
    clock.jump_to(ms(170));
    assert_eq!(late.poll(), error(170, 160), "it was due at 150 ms, but the timer was late");
    assert_eq!(next.poll(), Ready(Ok(())), "and took nothing");
}

#[test]
fn l5_the_effective_deadline_of_a_scope_counts() {
    let clock = ManualClock::new();
    let limiter = ten(&clock, 1);
    limiter.try_acquire(1).unwrap();
    let scope = Scope::new(clock.time());
    let inner = scope.child_at(ms(100)).child_at(ms(900));
    let error = AcquireError::TooLate { earliest: ms(100), deadline: ms(100) };
    assert_eq!(Task::new(limiter.acquire_in(&inner, 1)).poll(), Ready(Err(error)));
    let mut waits = Task::waiting(limiter.acquire_in(&scope, 1));
    clock.advance_to(ms(100));
    assert_eq!(waits.poll(), Ready(Ok(())));
    scope.cancel("enough");
    assert_eq!(Task::new(limiter.acquire_in(&scope, 1)).poll(), Ready(Err(AcquireError::Cancelled)));
}

/// How many of ten-a-second waiters are served within ten seconds by a timer that comes every `every` milliseconds.
fn served(quota: Quota, every: u64) -> usize {
    let clock = ManualClock::new();
    let limiter = Limiter::new(&clock.time(), quota);
    let mut all: Vec<_> = (0..200).map(|_| Task::new(limiter.acquire(1))).collect();
    all.retain_mut(|task| task.poll().is_pending());
    (1..=10_000 / every).for_each(|n| clock.jump_to(ms(n * every)));
    200 - all.iter().filter(|task| task.wakes() == 0).count()
}

#[test]
fn l6_late_grants_are_charged_when_they_were_due_within_the_credit() {
    let ten = Quota::per_second(nz(10));
    assert_eq!(served(ten, 10), 101, "the first, and ten a second");
    assert_eq!(served(ten, 16), 101, "each up to 16 ms late, within the credit of 20 ms");
    assert_eq!(served(ten.strict(), 16), 90, "each lateness is a loss: one in 112 ms");
    assert_eq!(served(ten, 1000), 11, "a second late, credited with 20 ms");
    assert_eq!(served(ten.credit(Duration::from_secs(1)), 1000), 101);
    assert_eq!(served(ten.burst(nz(10)).strict(), 16), 110, "within the burst no lateness is lost");
}

#[test]
fn l6_the_credit_does_not_reach_back_before_the_arrival() {
    let clock = ManualClock::new();
    let limiter = Limiter::new(&clock.time(), Quota::per_second(nz(10)).credit(Duration::from_secs(9)));
    clock.advance_to(ms(5000));
    assert_eq!(limiter.try_acquire(1), Ok(()));
    assert_eq!(limiter.try_acquire(1), not_yet(ms(5100)));
    let _large = Task::waiting(limiter.acquire(1));
    let mut second = Task::waiting(limiter.acquire(1));
    clock.jump_to(ms(5500));
    assert_eq!(second.poll(), Ready(Ok(())), "due at 5200 ms, with the first one's lateness credited");
    for due in [5300, 5400, 5500] {
        assert_eq!(
            limiter.try_acquire(1),
            Ok(()),
            "whoever comes next without a pause makes up for it: due at {due} ms"
        );
    }
    assert_eq!(limiter.try_acquire(1), not_yet(ms(5600)));
}

#[test]
fn l7_time_that_goes_backwards_neither_adds_nor_takes() {
    let clock = ManualClock::new();
    let limiter = ten(&clock, 1);
    assert_eq!(limiter.try_acquire_at(ms(1000), 1), Ok(()));
    assert_eq!(limiter.try_acquire_at(ms(0), 1), not_yet(ms(1100)));
    assert_eq!(limiter.try_acquire_at(ms(1100), 1), Ok(()));
    assert_eq!(limiter.try_acquire_at(ms(1050), 1), not_yet(ms(1200)));
    let limiter = ten(&clock, 2);
    assert_eq!(limiter.try_acquire_at(ms(1000), 2), Ok(()));
    assert_eq!(limiter.try_acquire_at(ms(1100), 2), not_yet(ms(1200)));
    assert_eq!(limiter.try_acquire_at(ms(1000), 1), Ok(()), "it was told of 1100 ms");
}

#[test]
fn a_wait_polled_with_another_waker_wakes_that_one() {
    let clock = ManualClock::new();
    let limiter = ten(&clock, 1);
    limiter.try_acquire(1).unwrap();
    let mut waits = Task::waiting(limiter.acquire(1));
    let other = Task::new(limiter.acquire(1));
    assert!(waits.future.as_mut().poll(&mut Context::from_waker(&other.waker)).is_pending());
    clock.advance(Duration::from_secs(1));
    assert_eq!((waits.wakes(), other.wakes()), (0, 1));
}

/// A waker that asks the limiter for a permit, and panics.
struct Reenters(Limiter, AtomicUsize);

impl Wake for Reenters {
    fn wake(this: &Arc<Self>) {
        this.1.fetch_add(1, Ordering::Relaxed);
        let _ = this.0.try_acquire(1);
        panic!("a waker that panics");
    }
}

#[test]
fn a_waker_that_reenters_and_panics_leaves_nobody_asleep() {
    let clock = ManualClock::new();
    let limiter = ten(&clock, 50);
    limiter.try_acquire(50).unwrap();
    let reenters = Arc::new(Reenters(limiter.clone(), AtomicUsize::new(0)));
    let mut bad = Box::pin(limiter.acquire(1));
    assert!(bad.as_mut().poll(&mut Context::from_waker(&waker(reenters.clone()))).is_pending());
    let mut all: Vec<_> = (0..50).map(|_| Task::waiting(limiter.acquire(1))).collect();
    catch_unwind(AssertUnwindSafe(|| clock.jump_to(ms(5000)))).unwrap_err();
    assert_eq!(reenters.1.load(Ordering::Relaxed), 1);
    assert!(all[..49].iter_mut().all(|task| task.wakes() == 1 && task.poll() == Ready(Ok(()))));
    assert_eq!(clock.time().next(), ms(5100), "the timer is set for the last one");
    clock.advance_to(ms(5100));
    assert_eq!(all[49].poll(), Ready(Ok(())));
}
