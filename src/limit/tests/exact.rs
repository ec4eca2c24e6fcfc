//! Rates over long spans, by those who ask often, in long lines and after long pauses: L1, L2, L4 and L6.

use super::*;

/// Permits, the period in nanoseconds, and by how many nanoseconds attempts follow each other.
const ASKED: [(u32, u64, u64); 8] = [
    (1, 10 * YEAR, YEAR / 3),
    (1, SECOND, 1_900_000),
    (333, SECOND, 100_003),
    (50_000, SECOND, 1_900),
    (700_000_000, SECOND, 1),
    (999_999_937, SECOND, 1),
    (1_000_000_000, SECOND, 1),
    (3, 7, 2),
];

/// Attempts to take one, again and again, from a bucket that is empty at first and never full: how many are granted until the
/// last one, at the instant that is given too.
fn asked<A: Algorithm>(limiter: &Limiter<A>, step: u64) -> (u64, u64) {
    while limiter.try_acquire(1).is_ok() {}
    let turns = 100_000.min((u64::MAX - 1) / step);
    let granted = (1..=turns).filter(|turn| limiter.try_acquire_at(at(turn * step), 1).is_ok()).count();
    (granted as u64, turns * step)
}

#[test]
fn l2_whoever_asks_again_and_again_is_granted_the_very_rate() {
    for (permits, period, step) in ASKED {
        let quota = quota(permits, period).burst(nz(1000));
        let clock = ManualClock::new();
        let word = asked(&Limiter::new(&clock.time(), quota), step);
        let book = asked(&Limiter::with(&clock.time(), LeakyBucket::new(quota)), step);
        let ideal = u128::from(word.1) * u128::from(permits) / u128::from(period);
        assert_eq!((u128::from(word.0), word), (ideal, book), "{permits} in {period} ns, asked each {step} ns");
    }
}

#[test]
fn l2_a_limiter_that_outlives_its_word_goes_on_to_the_nanosecond() {
    for rate in RATES {
        let clock = ManualClock::new();
        let limiter = Limiter::new(&clock.time(), quota(rate.0, rate.1).burst(nz(2)));
        assert_eq!(limiter.try_acquire(2), Ok(()));
        let late = 510 * YEAR + 1;
        clock.jump_to(at(late));
        assert_eq!(limiter.try_acquire(2), Ok(()), "{rate:?}");
        let due = at(late.saturating_add(ideal(1, rate)));
        assert_eq!(limiter.try_acquire(1), not_yet(due), "{rate:?}");
        if due.is_never() {
            continue;
        }
        clock.jump_to(at(due.as_nanos() - 1));
        assert_eq!(limiter.try_acquire(1), not_yet(due), "{rate:?}");
        clock.jump_to(due);
        assert_eq!(limiter.try_acquire(1), Ok(()), "{rate:?}");
    }
}

#[test]
fn l1_who_waits_through_hours_of_suspension_has_one_burst_and_then_the_rate() {
    for (credit, late) in [(Duration::ZERO, 100), (Quota::CREDIT, 80)] {
        let clock = ManualClock::new();
        let quota = Quota::per_second(nz(10)).burst(nz(3)).credit(credit);
        let limiter = Limiter::new(&clock.time(), quota);
        limiter.try_acquire(3).unwrap();
        let mut line: Vec<_> = (0..40).map(|_| Task::waiting(limiter.acquire(1))).collect();
        let resumed = ms(5 * 3_600_000);
        // The machine sleeps, and so does its timer.
        clock.jump_to(resumed);
        let woken = |line: &[Task<'_>]| line.iter().take_while(|task| task.wakes() == 1).count();
        assert_eq!((woken(&line), limiter.try_acquire(1).is_ok()), (3, false));
        for n in 0..37 {
            let due = resumed + Duration::from_millis(late + 100 * n);
            assert_eq!(clock.time().next(), due);
            clock.jump_to(at(due.as_nanos() - 1));
            assert_eq!(woken(&line), 3 + n as usize);
            clock.jump_to(due);
            assert_eq!(woken(&line), 4 + n as usize);
        }
        assert!(line.iter_mut().all(|task| task.poll() == Ready(Ok(()))));
    }
}

#[test]
fn l4_when_half_of_a_thousand_leave_the_others_are_served_as_if_they_had_never_been() {
    let clock = ManualClock::new();
    let limiter = Limiter::new(&clock.time(), Quota::per_second(nz(2000)));
    limiter.try_acquire(1).unwrap();
    let mut line: Vec<_> = (0..1000).map(|_| Task::waiting(limiter.acquire(1))).collect();
    let mut number = 0;
    line.retain(|_| {
        number += 1;
        number % 2 == 0
    });
    for (n, task) in (1..).zip(&mut line) {
        clock.advance_to(at(500_000 * n - 1));
        assert_eq!(task.wakes(), 0);
        clock.advance_to(at(500_000 * n));
        assert_eq!((task.wakes(), task.poll()), (1, Ready(Ok(()))));
    }
    assert_eq!(clock.time().pending(), 0);
}

/// How many a loop has by `end`, which takes one permit after another, works for so long in between, and is woken at full
/// milliseconds; in nanoseconds.
fn late_loop(quota: Quota, work: u64, end: u64) -> u64 {
    let clock = ManualClock::new();
    let limiter = Limiter::new(&clock.time(), quota);
    late_loop_by(&clock, work, end, || limiter.acquire(1))
}

fn late_loop_by<F: Future>(clock: &ManualClock, work: u64, end: u64, acquire: impl Fn() -> F) -> u64 {
    let mut granted = 0;
    while clock.time().now() < at(end) {
        let mut future = Box::pin(acquire());
        while future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
            let due = clock.time().next().as_nanos();
            clock.jump_to(at(due.next_multiple_of(1_000_000)));
        }
        granted += 1;
        clock.jump_to(clock.time().now() + Duration::from_nanos(work));
    }
    granted
}

#[test]
fn l6_a_loop_that_is_woken_late_has_the_very_rate() {
    for (rate, work) in [(1_000, 0), (999, 900_000), (50_000, 200), (50_000, 19_000), (300_000, 0)] {
        let quota = Quota::per_second(nz(rate));
        // Between the last grant and the end is a millisecond at the most, in which it is late.
        let granted = late_loop(quota, work, SECOND);
        let least = u64::from(rate) - u64::from(rate) / 1_000;
        assert!((least..=u64::from(rate) + 1).contains(&granted), "{rate} a second: {granted}");
        assert!(late_loop(quota.strict(), work, SECOND) <= granted);
    }
    assert_eq!(late_loop(Quota::per_second(nz(50_000)).strict(), 200, SECOND), 1_001, "one each millisecond");
}

#[test]
fn l6_a_loop_for_one_of_many_keys_has_the_very_rate_too() {
    for (rate, work) in [(1_000, 0), (50_000, 19_000), (50_000, 200)] {
        let clock = ManualClock::new();
        let limiter = KeyedLimiter::new(&clock.time(), Quota::per_second(nz(rate)));
        let granted = late_loop_by(&clock, work, SECOND, || limiter.acquire("key", 1));
        let least = u64::from(rate) - u64::from(rate) / 1_000;
        assert!((least..=u64::from(rate) + 1).contains(&granted), "{rate} a second: {granted}");
        clock.jump_to(at(2 * SECOND));
        limiter.sweep();
        assert_eq!(limiter.keys.busy(), 0, "nothing is left to be made up for");
    }
}

#[test]
fn l6_what_was_late_is_not_made_up_for_after_a_pause() {
    let clock = ManualClock::new();
    let limiter = Limiter::new(&clock.time(), Quota::per_second(nz(1000)));
    limiter.try_acquire(1).unwrap();
    let mut late = Task::waiting(limiter.acquire(1));
    clock.jump_to(ms(11));
    assert_eq!(late.poll(), Ready(Ok(())), "ten milliseconds late");
    // In eight of them nothing is asked for, which are lost, and once more from the lateness.
    clock.jump_to(ms(20));
    assert_eq!(limiter.try_acquire(1), Ok(()));
    assert_eq!(limiter.try_acquire(1), Ok(()));
    assert_eq!(limiter.try_acquire(1), Ok(()));
    clock.jump_to(ms(1000));
    assert_eq!(limiter.try_acquire(1), Ok(()));
    assert_eq!(limiter.try_acquire(1), not_yet(ms(1001)), "one burst");
}
