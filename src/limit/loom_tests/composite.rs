//! Composites that meet in several lines, in every order of threads.

use super::*;
use alloc::string::String;

/// Each one permit in 100 ns.
fn two(clock: &ManualClock) -> (Limiter, Limiter) {
    let quota = Quota::new(NonZeroU32::MIN, Duration::from_nanos(100)).unwrap().credit(Duration::from_nanos(1000));
    (Limiter::new(&clock.time(), quota), Limiter::new(&clock.time(), quota))
}

fn of(one: &Limiter, other: &Limiter) -> Task<Result<(), String>> {
    let composite = Composite::new().limiter(one, 1).limiter(other, 1);
    Task::new(async move { composite.acquire().await.map(drop).map_err(|error| alloc::format!("{error}")) })
}

#[test]
fn loom_two_composites_that_come_together_are_granted_one_after_the_other() {
    model(|| {
        let clock = ManualClock::new();
        let (a, b) = two(&clock);
        let (mut mine, mut theirs) = (of(&a, &b), of(&b, &a));
        let other = spawn(move || {
            let polled = theirs.poll();
            (theirs, polled)
        });
        let first = mine.poll();
        let (theirs, second) = other.join().unwrap();
        assert!(first.is_ready() != second.is_ready(), "one of them, and one only");
        clock.jump_to(at(100));
        assert_eq!((mine.finish(first), theirs.finish(second)), (Ok(()), Ok(())));
        assert_eq!(clock.time().pending(), 0);
    });
}

#[test]
fn loom_a_composite_that_is_dropped_as_its_turn_comes_leaves_all_to_those_behind() {
    model(|| {
        let clock = ManualClock::new();
        let (a, b) = two(&clock);
        b.try_acquire(1).unwrap();
        let dropped = of(&a, &b).waiting();
        let mut behind = of(&b, &a).waiting();
        let driver = spawn({
            let clock = clock.clone();
            move || clock.jump_to(at(100))
        });
        drop(dropped);
        driver.join().unwrap();
        assert!(behind.woken(), "asleep");
        assert!(behind.poll().is_ready());
        assert_eq!(clock.time().pending(), 0);
    });
}

#[test]
fn loom_one_who_takes_one_limit_alone_is_before_a_composite_or_behind_it() {
    model(|| {
        let clock = ManualClock::new();
        let (a, b) = two(&clock);
        let mut mine = of(&a, &b);
        let other = spawn({
            let b = b.clone();
            move || b.try_acquire(1).is_ok()
        });
        let first = mine.poll();
        let took = other.join().unwrap();
        assert_eq!(first.is_pending(), took);
        if first.is_pending() {
            assert!(a.try_acquire(1).is_err(), "nobody overtakes");
            clock.jump_to(at(100));
        }
        assert_eq!(mine.finish(first), Ok(()));
    });
}
