//! Numbers that change while they are in use, and what is imposed from outside: L8.

use super::*;

fn never() -> Result<(), TryAcquireError> {
    not_yet(Instant::NEVER)
}

#[test]
fn l8_a_closed_limiter_grants_nothing_until_it_is_opened() {
    let clock = ManualClock::new();
    let limiter = Limiter::closed(&clock.time(), Gcra::new(Quota::per_second(nz(10)).burst(nz(2))));
    assert_eq!((limiter.try_acquire(1), limiter.available(), limiter.try_acquire(0)), (never(), 0, Ok(())));
    let mut waits = [1, 1, 1].map(|n| Task::waiting(limiter.acquire(n)));
    let error = AcquireError::TooLate { earliest: Instant::NEVER, deadline: ms(9) };
    assert_eq!(Task::new(limiter.acquire_before(1, ms(9))).poll(), Ready(Err(error)));
    assert_eq!(clock.time().pending(), 0, "there is nothing to wait for");
    clock.advance(Duration::from_secs(3600));
    assert!(waits.iter_mut().all(|task| task.poll() == Pending));
    limiter.open();
    assert_eq!(waits.each_mut().map(Task::poll), [Ready(Ok(())), Ready(Ok(())), Pending], "the burst, and no more");
    clock.advance(Duration::from_millis(100));
    assert_eq!(waits[2].poll(), Ready(Ok(())));
    limiter.open();
    assert_eq!(
        limiter.try_acquire(1),
        not_yet(clock.time().now() + Duration::from_millis(100)),
        "opening adds nothing"
    );
}

#[test]
fn l8_nothing_is_granted_before_the_end_of_a_penalty_and_no_credit_is_given_for_it() {
    let clock = ManualClock::new();
    let limiter = Limiter::new(&clock.time(), Quota::per_second(nz(10)).credit(Duration::from_secs(10)));
    limiter.penalize_until(ms(0));
    assert_eq!(limiter.try_acquire(1), Ok(()), "that has passed");
    let mut waits = [1, 1, 1].map(|n| Task::waiting(limiter.acquire(n)));
    limiter.penalize_until(ms(1000));
    assert_eq!((clock.time().next(), limiter.try_acquire(1)), (ms(1000), not_yet(ms(1300))));
    limiter.penalize_until(ms(500));
    assert_eq!(clock.time().next(), ms(1000), "it is not made shorter");
    limiter.penalize_until(ms(2000));
    assert_eq!((clock.time().next(), limiter.peek(1)), (ms(2000), not_yet(ms(2300))));
    // Late by a little, for which there is credit; but not for the time of the penalty.
    clock.jump_to(ms(2150));
    assert_eq!(waits.each_mut().map(Task::poll), [Ready(Ok(())), Ready(Ok(())), Pending]);
    assert_eq!(limiter.try_acquire(1), not_yet(ms(2300)));
    clock.advance_to(ms(2200));
    assert_eq!(waits[2].poll(), Ready(Ok(())));
    limiter.penalize_until(ms(9000));
    limiter.open();
    assert_eq!(limiter.peek(1), not_yet(ms(2300)));
}

#[test]
fn l8_a_waiter_that_a_penalty_makes_late_is_turned_away_at_once() {
    let clock = ManualClock::new();
    let limiter = ten(&clock, 1);
    limiter.try_acquire(1).unwrap();
    let mut first = Task::waiting(limiter.acquire_before(1, ms(900)));
    let mut second = Task::waiting(limiter.acquire(1));
    limiter.penalize_until(ms(1000));
    let error = AcquireError::TooLate { earliest: ms(1000), deadline: ms(900) };
    assert_eq!((first.wakes(), first.poll(), second.poll()), (1, Ready(Err(error)), Pending));
    clock.advance_to(ms(1000));
    assert_eq!(second.poll(), Ready(Ok(())));
}

#[test]
fn l8_what_a_server_leaves_is_not_exceeded_before_its_reset() {
    let clock = ManualClock::new();
    let limiter = ten(&clock, 5);
    limiter.observe(7, ms(2000));
    assert_eq!((limiter.try_acquire(5), limiter.try_acquire(1)), (Ok(()), not_yet(ms(100))), "never above the quota");
    clock.advance_to(ms(1000));
    assert_eq!(limiter.available(), 2);
    // An answer that knows less, and one that knows more.
    limiter.observe(9, ms(9000));
    assert_eq!(limiter.available(), 2);
    limiter.observe(1, ms(2500));
    assert_eq!((limiter.available(), limiter.peek(2)), (1, not_yet(ms(2500))));
    assert_eq!(Task::new(limiter.acquire(1)).poll(), Ready(Ok(())));
    let mut large = Task::waiting(limiter.acquire(3));
    assert_eq!(limiter.try_acquire(1), not_yet(ms(2500)));
    clock.advance_to(ms(2500));
    assert_eq!((large.poll(), limiter.available()), (Ready(Ok(())), 2));
    clock.advance_to(ms(9000));
    assert_eq!(limiter.available(), 5);
}

#[test]
fn l8_a_rate_that_changes_retimes_whoever_waits() {
    let clock = ManualClock::new();
    let limiter = ten(&clock, 1);
    limiter.try_acquire(1).unwrap();
    let mut waits = [1, 1].map(|n| Task::waiting(limiter.acquire(n)));
    assert_eq!(clock.time().next(), ms(100));
    clock.advance_to(ms(50));
    limiter.set_quota(Quota::per_second(nz(1)), Carry::Fraction);
    assert_eq!((clock.time().next(), limiter.peek(1)), (ms(550), not_yet(ms(2550))), "the other half at the new rate");
    assert_eq!(limiter.quota(), Quota::per_second(nz(1)));
    clock.advance_to(ms(200));
    limiter.set_quota(Quota::per_second(nz(100)), Carry::Clamp);
    assert_eq!(clock.time().next(), at(203_500_000), "65 hundredths are there");
    clock.advance_to(at(203_500_000));
    assert_eq!((waits[0].poll(), waits[1].poll(), limiter.peek(1)), (Ready(Ok(())), Pending, not_yet(at(223_500_000))));
    clock.advance_to(at(213_500_000));
    assert_eq!((waits[1].poll(), limiter.try_acquire(1)), (Ready(Ok(())), not_yet(at(223_500_000))));
}

#[test]
fn l8_whoever_wants_more_than_a_new_burst_is_turned_away_wherever_it_stands() {
    let clock = ManualClock::new();
    let limiter = ten(&clock, 9);
    limiter.try_acquire(9).unwrap();
    let mut waits = [2, 9, 1, 4, 3].map(|n| Task::waiting(limiter.acquire(n)));
    limiter.set_quota(Quota::per_second(nz(10)).burst(nz(3)), Carry::Clamp);
    let exceeds = |permits| Ready(Err(AcquireError::ExceedsBurst { permits, burst: 3 }));
    assert_eq!(waits.each_mut().map(Task::poll), [Pending, exceeds(9), Pending, exceeds(4), Pending]);
    assert_eq!(limiter.peek(1), not_yet(ms(700)), "two, one, three, and this one");
    clock.advance_to(ms(300));
    assert_eq!([0, 2, 4].map(|n: usize| waits[n].poll()), [Ready(Ok(())), Ready(Ok(())), Pending]);
    clock.advance_to(ms(600));
    assert_eq!((waits[4].poll(), limiter.available()), (Ready(Ok(())), 0));
}

#[test]
fn l8_the_first_in_line_may_be_the_one_who_wants_too_much() {
    let clock = ManualClock::new();
    let limiter = ten(&clock, 9);
    limiter.try_acquire(9).unwrap();
    let mut waits: Vec<_> =
        (0..100).map(|n| Task::waiting(limiter.acquire(if n % 50 == 49 { 1 } else { 9 }))).collect();
    limiter.set_quota(Quota::per_second(nz(10)).burst(nz(1)), Carry::Clamp);
    assert_eq!(waits.iter().filter(|task| task.wakes() == 1).count(), 98, "more than one batch");
    clock.advance_to(ms(100));
    assert_eq!((waits[49].poll(), waits[99].poll()), (Ready(Ok(())), Pending));
    clock.advance_to(ms(200));
    assert_eq!((waits[99].poll(), clock.time().pending()), (Ready(Ok(())), 0));
}

#[test]
fn l8_what_was_reserved_before_a_change_is_not_given_back() {
    let clock = ManualClock::new();
    let limiter = ten(&clock, 4);
    let before = limiter.try_reserve(2).unwrap();
    limiter.set_quota(Quota::per_second(nz(10)).burst(nz(8)), Carry::Fraction);
    drop(before);
    assert_eq!(limiter.available(), 4);
    drop(limiter.try_reserve(3).unwrap());
    assert_eq!(limiter.available(), 4);
}

#[test]
fn l8_a_change_back_and_forth_gains_nothing() {
    for seed in 0..500 {
        let mut random = Random(seed);
        let clock = ManualClock::new();
        let limiter = ten(&clock, 10);
        limiter.try_acquire(1 + random.below(10) as u32).unwrap();
        let before = limiter.available();
        for _ in 0..20 {
            let quota = quota(1 + random.below(1000) as u32, 1 + random.next() % SECOND);
            limiter.set_quota(quota.burst(nz(1 + random.below(100) as u32)), Carry::Fraction);
        }
        limiter.set_quota(Quota::per_second(nz(10)).burst(nz(10)), Carry::Fraction);
        assert!(limiter.available() <= before, "seed {seed}");
    }
}

#[test]
fn l8_no_credit_is_given_for_what_the_numbers_before_held_back() {
    let clock = ManualClock::new();
    let [slow, fast] = [1, 10].map(|n| Quota::per_second(nz(n)).burst(nz(10 * n)).credit(Duration::from_secs(1)));
    let limiter = Limiter::new(&clock.time(), slow);
    limiter.try_acquire(10).unwrap();
    let mut wait = Task::waiting(limiter.acquire(3));
    clock.advance_to(ms(2000));
    limiter.set_quota(fast, Carry::Fraction);
    assert_eq!((wait.poll(), limiter.available()), (Ready(Ok(())), 17));
    // Full after 8.3 seconds; nobody was late, so what it would have gained since then is lost.
    clock.advance_to(ms(10_500));
    assert_eq!((limiter.try_acquire(100), limiter.try_acquire(1)), (Ok(()), not_yet(ms(10_600))));
}

#[test]
fn l8_a_log_that_is_over_full_is_empty_when_its_window_has_passed() {
    let (clock, second) = (ManualClock::new(), Duration::from_secs(1));
    let log = |permits| SlidingLog::new(nz(permits), second).unwrap();
    let limiter = Limiter::with(&clock.time(), log(1_000_000));
    limiter.try_acquire(1_000_000).unwrap();
    // As many as ten thousand times what is allowed.
    limiter.reconfigure(log(100), Carry::Clamp);
    limiter.reconfigure(log(1_000_000), Carry::Fraction);
    assert_eq!(limiter.try_acquire(1), not_yet(ms(1000)));
    for _ in 0..4 {
        limiter.reconfigure(log(1), Carry::Clamp);
        limiter.reconfigure(log(u32::MAX), Carry::Fraction);
    }
    assert_eq!(limiter.try_acquire(1), not_yet(ms(1000)));
    clock.advance(second);
    assert_eq!((limiter.available(), limiter.try_acquire(u32::MAX)), (u32::MAX, Ok(())));
    assert_eq!(limiter.try_acquire(1), not_yet(ms(2000)));
}
