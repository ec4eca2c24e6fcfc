//! What a limiter says of the future is what happens, by every algorithm: L3 and L5.

use super::*;

/// A line of random waits, some with deadlines, some of which go away, with things imposed: whoever comes is told the very
/// instant at which it is then granted, and waits exactly if that is before its deadline.
fn truth<A: Algorithm>(algorithm: impl Fn(u32) -> A) {
    for seed in 0..400 {
        let mut random = Random(seed);
        let burst = 1 + random.below(6) as u32;
        let clock = ManualClock::at(at(random.below(2000) as u64));
        let limiter = Limiter::with(&clock.time(), algorithm(burst));
        let mut line = Vec::new();
        for _ in 0..random.below(40) {
            let now = clock.time().now();
            let n = 1 + random.below(burst as usize) as u32;
            let later = now + Duration::from_nanos(random.below(3000) as u64);
            match random.below(12) {
                0..6 => line.push(Task::new(limiter.acquire(n))),
                6 => line.push(Task::new(limiter.acquire_before(n, later))),
                7 if !line.is_empty() => drop(line.remove(random.below(line.len()))),
                8 => limiter.observe(random.below(9) as u32, later),
                9 => limiter.open(),
                10 => limiter.reconfigure(algorithm(burst), Carry::Fraction),
                _ => run_to(&clock, now + Duration::from_nanos(random.below(400) as u64)),
            }
            line.retain_mut(|task| task.poll().is_pending());
        }
        let n = 1 + random.below(burst as usize) as u32;
        let Err(TryAcquireError::NotYet { earliest }) = limiter.peek(n) else { continue };
        let mut late = Task::new(limiter.acquire_before(n, earliest));
        match late.poll() {
            // A queue has no room.
            Ready(Err(AcquireError::Full { .. })) => continue,
            refused => assert_eq!(refused, Ready(Err(AcquireError::TooLate { earliest, deadline: earliest }))),
        }
        assert_eq!(limiter.peek(n), not_yet(earliest), "seed {seed}: a refusal leaves everything as it was");
        let deadline = earliest + Duration::from_nanos(random.below(2) as u64 * 1000 + 1);
        let mut told = Task::waiting(limiter.acquire_before(n, deadline));
        run_to(&clock, at(earliest.as_nanos() - 1));
        assert_eq!(told.poll(), Pending, "seed {seed}: before {earliest}");
        run_to(&clock, earliest);
        assert_eq!((told.wakes(), told.poll()), (1, Ready(Ok(()))), "seed {seed}: at {earliest}");
    }
}

/// Moves the clock on, and rings at each alarm.
fn run_to(clock: &ManualClock, to: Instant) {
    while clock.time().next() <= to {
        clock.jump_to(clock.time().next());
    }
    clock.jump_to(to);
}

#[test]
fn l5_gcra_and_leaky_buckets_say_when_a_turn_comes() {
    let quota = |burst| quota(3, 200).burst(nz(burst));
    truth(|burst| Gcra::new(quota(burst)));
    truth(|burst| LeakyBucket::new(quota(burst)));
    truth(|burst| LeakyQueue::new(quota(3 * burst)));
}

#[test]
fn l5_the_fractions_of_a_nanosecond_that_are_lost_without_credit_are_reckoned_with() {
    let quota = |burst| quota(3, 200).burst(nz(burst)).strict();
    truth(|burst| Gcra::new(quota(burst)));
    truth(|burst| LeakyBucket::new(quota(burst)));
    truth(|burst| LeakyQueue::new(quota(3 * burst)));
}

#[test]
fn l5_who_will_be_turned_away_by_a_slower_rate_is_not_counted() {
    let clock = ManualClock::new();
    let limiter = ten(&clock, 1);
    limiter.try_acquire(1).unwrap();
    let _first = Task::waiting(limiter.acquire(1));
    let mut second = Task::waiting(limiter.acquire_before(1, ms(250)));
    assert_eq!(limiter.peek(1), not_yet(ms(300)));
    limiter.set_quota(Quota::per_second(nz(5)), Carry::Fraction);
    assert_eq!(limiter.peek(1), not_yet(ms(400)), "the second could not have its permit before");
    let mut third = Task::waiting(limiter.acquire_before(1, ms(401)));
    clock.advance_to(ms(200));
    let refused = AcquireError::TooLate { earliest: ms(400), deadline: ms(250) };
    assert_eq!(second.poll(), Ready(Err(refused)));
    clock.advance_to(ms(400));
    assert_eq!(third.poll(), Ready(Ok(())));
}

#[test]
fn l5_those_who_were_not_held_back_are_late_all_the_same_when_what_was_imposed_ends() {
    let clock = ManualClock::new();
    let log = SlidingLog::new(nz(1), Duration::from_millis(100)).unwrap();
    let limiter = Limiter::with(&clock.time(), log);
    limiter.try_acquire(1).unwrap();
    let _line = [1, 1].map(|n| Task::waiting(limiter.acquire(n)));
    limiter.observe(9, ms(150));
    assert_eq!(limiter.peek(1), not_yet(ms(300)));
    clock.jump_to(ms(150));
    assert_eq!(limiter.peek(1), not_yet(ms(350)), "the first had its turn now");
}

#[test]
fn l5_whoever_comes_behind_those_who_wait_for_ever_does_too() {
    fn test<A: Algorithm>(algorithm: A) {
        let clock = ManualClock::new();
        let limiter = Limiter::closed(&clock.time(), algorithm);
        let mut line: Vec<_> = (0..3).map(|_| Task::waiting(limiter.acquire(3))).collect();
        assert_eq!(limiter.peek(1), not_yet(Instant::NEVER));
        assert_eq!(limiter.peek(1), not_yet(Instant::NEVER));
        limiter.open();
        assert_eq!(line[0].poll(), Ready(Ok(())));
        assert_ne!(limiter.peek(1), not_yet(Instant::NEVER));
    }
    test(Gcra::new(quota(1, 100).burst(nz(3))));
    test(LeakyQueue::new(quota(1, 100).burst(nz(9))));
    let window = Duration::from_nanos(100);
    test(FixedWindow::new(nz(3), window).unwrap());
    test(SlidingCounter::new(nz(3), window).unwrap());
    test(SlidingLog::new(nz(3), window).unwrap());
}

#[test]
fn l5_who_was_turned_away_is_told_so_though_there_are_permits_again() {
    let clock = ManualClock::new();
    let limiter = ten(&clock, 1);
    limiter.try_acquire(1).unwrap();
    let mut turned_away = Task::waiting(limiter.acquire_before(1, ms(250)));
    limiter.penalize_until(ms(300));
    assert_eq!(turned_away.wakes(), 1);
    limiter.open();
    clock.advance_to(ms(200));
    let refused = AcquireError::TooLate { earliest: ms(300), deadline: ms(250) };
    assert_eq!(turned_away.poll(), Ready(Err(refused)));
    assert_eq!(limiter.try_acquire(1), Ok(()), "nothing was taken");
}

#[test]
fn l7_a_deadline_that_has_passed_by_the_latest_reading_is_past() {
    let clock = ManualClock::new();
    let limiter = ten(&clock, 2);
    assert_eq!(limiter.try_acquire_at(ms(50), 1), Ok(()));
    let refused = AcquireError::TooLate { earliest: ms(50), deadline: ms(50) };
    assert_eq!(Task::new(limiter.acquire_before(1, ms(50))).poll(), Ready(Err(refused)));
    assert_eq!(limiter.try_acquire(1), Ok(()), "nothing was taken");
}

#[test]
fn l5_windows_say_when_a_turn_comes() {
    let window = Duration::from_nanos(300);
    truth(|permits| FixedWindow::new(nz(permits), window).unwrap().aligned(at(70)));
    truth(|permits| SlidingCounter::new(nz(permits), window).unwrap());
    truth(|permits| SlidingLog::new(nz(permits), window).unwrap());
}

/// Attempts by turns at one limiter that decides by its word and at one of equal decisions that never does.
#[test]
fn l1_the_word_and_the_book_decide_alike() {
    for seed in 0..500 {
        let mut random = Random(seed);
        let rate = [(3, 200), (1, 50), (333, SECOND), (u32::MAX, 7), (1, 10 * YEAR)][random.below(5)];
        let quota = quota(rate.0, rate.1).burst(nz(5));
        let clock = ManualClock::at(at([0, YEAR, 500 * YEAR][random.below(3)]));
        let (word, book) = (Limiter::new(&clock.time(), quota), Limiter::with(&clock.time(), LeakyBucket::new(quota)));
        let (mut words, mut books) = (None, None);
        for _ in 0..100 {
            let (n, now) = (1 + random.below(6) as u32, clock.time().now());
            let step = [1, rate.1 / u64::from(rate.0) + 1, rate.1, 20 * YEAR][random.below(4)];
            match random.below(12) {
                0..6 => {
                    let told = at(now.as_nanos() - random.below(3).min(now.as_nanos() as usize) as u64);
                    assert_eq!(word.try_acquire_at(told, n), book.try_acquire_at(told, n), "seed {seed} at {now}");
                }
                6 => {
                    words = Some(Task::new(word.acquire(n)));
                    books = Some(Task::new(book.acquire(n)));
                    assert_eq!(words.as_mut().map(Task::poll), books.as_mut().map(Task::poll), "seed {seed} at {now}");
                }
                7 => {
                    let n = n.min(5);
                    let both = (word.try_reserve(n), book.try_reserve(n));
                    assert_eq!(both.0.is_ok(), both.1.is_ok(), "seed {seed} at {now}");
                }
                8 => assert_eq!(
                    (word.peek(n), word.available()),
                    (book.peek(n), book.available()),
                    "seed {seed} at {now}"
                ),
                9 => (words, books) = (None, None),
                _ => clock.jump_to(now + Duration::from_nanos(random.next() % step)),
            }
        }
        assert_eq!(words.map(|task| task.wakes()), books.map(|task| task.wakes()));
    }
}
