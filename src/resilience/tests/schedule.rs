//! Schedules as functions of their seed.

use super::super::random::Random;
use super::*;
use alloc::vec::Vec;

/// The first delays, in milliseconds.
fn first(schedule: &impl Schedule, count: usize) -> Vec<u128> {
    schedule.delays(0).take(count).map(|delay| delay.as_millis()).collect()
}

#[test]
fn the_longest_delays_saturate_at_never_and_nothing_overflows() {
    for schedule in
        [Exponential::new(ms(1)), Exponential::new(Duration::MAX), Exponential::new(ms(1)).percent(u32::MAX)]
    {
        let delays: Vec<_> = schedule.delays(0).take(200).collect();
        assert!(delays.is_sorted());
        assert_eq!(delays[199], Duration::MAX);
        assert_eq!(schedule.jitter(Jitter::Full).delays(3).nth(199), Some(Duration::MAX), "never is never");
        assert_eq!(schedule.cap(ms(7)).delays(0).nth(199), Some(ms(7)));
    }
    assert_eq!(Fibonacci::new(ms(1)).delays(0).nth(199), Some(Duration::MAX));
    let wide = Decorrelated::new(Duration::from_nanos(u64::MAX - 2), Duration::MAX);
    assert!(wide.delays(5).take(100).all(|delay| delay.as_nanos() >= u128::from(u64::MAX - 2)));
}

#[test]
fn factors_below_two_are_rounded_up_so_that_delays_grow_from_one_nanosecond_on() {
    let delays: Vec<_> = Exponential::new(Duration::from_nanos(1)).percent(150).delays(0).take(5).collect();
    assert_eq!(delays, [1, 2, 3, 5, 8].map(Duration::from_nanos));
    assert_eq!(first(&Exponential::new(ms(8)).percent(50), 4), [8, 4, 2, 1]);
    assert_eq!(first(&Exponential::new(ms(8)).percent(0), 3), [8, 0, 0]);
    assert_eq!(first(&Exponential::new(ms(0)), 3), [0, 0, 0]);
}

#[test]
fn combinators_apply_from_left_to_right() {
    let doubling = Exponential::new(ms(100));
    assert_eq!(first(&doubling.cap(ms(300)).up_to(3).then(Constant::new(ms(1)).up_to(1)), 9), [100, 200, 300, 1]);
    assert_eq!(first(&doubling.up_to(2).then(Fibonacci::new(ms(1))).up_to(4), 9), [100, 200, 1, 1]);
    assert_eq!(first(&doubling.up_to(2).then(Fibonacci::new(ms(1))).cap(ms(150)), 4), [100, 150, 1, 1]);
    assert_eq!(first(&doubling.up_to(0), 9), [0; 0]);
    let three = doubling.up_to(1).then(doubling.up_to(1)).then(Constant::new(ms(7)).up_to(1));
    assert_eq!(first(&three, 9), [100, 100, 7]);
}

#[test]
fn a_schedule_that_has_ended_is_not_asked_again() {
    /// Ends, and would begin anew.
    #[derive(Clone)]
    struct Blinks(bool);
    impl Schedule for Blinks {
        fn delay(&mut self, _: &mut Step<'_>) -> Option<Duration> {
            self.0 = !self.0;
            self.0.then_some(ms(1))
        }
    }
    assert_eq!(first(&Blinks(false), 9), [1]);
    assert_eq!(first(&Blinks(false).then(Constant::new(ms(5)).up_to(3)), 9), [1, 5, 5, 5]);
}

#[test]
fn a_total_counts_from_where_its_schedule_began_and_nothing_begins_at_its_end() {
    let seconds = |n| Duration::from_secs(n);
    assert_eq!(Constant::new(seconds(1)).up_to_total(seconds(3)).delays(0).count(), 2);
    assert_eq!(Constant::new(seconds(1)).up_to_total(seconds(3) + Duration::from_nanos(1)).delays(0).count(), 3);
    assert_eq!(Constant::new(seconds(1)).up_to_total(Duration::ZERO).delays(0).count(), 0);
    let two =
        Constant::new(seconds(1)).up_to_total(seconds(3)).then(Constant::new(seconds(10)).up_to_total(seconds(30)));
    assert!(two.delays(0).eq([1, 1, 10, 10].map(seconds)));
}

#[test]
fn what_attempts_take_and_a_server_asks_for_counts_for_a_total() {
    let mut random = Random::new(0);
    let mut delay = |elapsed, least| {
        let mut schedule = Constant::new(ms(10)).up_to_total(ms(100));
        schedule.delay(&mut Step::new(ms(elapsed), ms(least), &mut random))
    };
    assert_eq!(delay(89, 0), Some(ms(10)));
    assert_eq!(delay(90, 0), None);
    assert_eq!(delay(50, 49), Some(ms(10)));
    assert_eq!(delay(50, 50), None);
}

#[test]
fn jitter_reaches_both_ends_of_its_range_and_never_leaves_it() {
    let delays = |jitter| {
        let schedule = Constant::new(Duration::from_nanos(4)).jitter(jitter);
        let mut seen: Vec<_> = schedule.delays(1).take(1_000).map(|delay| delay.as_nanos()).collect();
        seen.sort_unstable();
        seen.dedup();
        seen
    };
    assert_eq!(delays(Jitter::None), [4]);
    assert_eq!(delays(Jitter::Full), [0, 1, 2, 3, 4]);
    assert_eq!(delays(Jitter::Equal), [2, 3, 4]);
}

#[test]
fn jitter_is_even() {
    let schedule = Constant::new(ms(1_000)).jitter(Jitter::Full);
    let mut tenths = [0_u32; 10];
    for delay in schedule.delays(9).take(100_000) {
        tenths[(delay.as_nanos() / 100_000_001) as usize] += 1;
    }
    assert!(tenths.iter().all(|count| (9_700..=10_300).contains(count)), "{tenths:?}");
}

#[test]
fn the_same_seed_gives_the_same_delays_and_another_one_others() {
    let schedules = Exponential::new(ms(1)).jitter(Jitter::Equal).then(Decorrelated::new(ms(1), ms(1_000)));
    for seed in 0..100 {
        let delays: Vec<_> = schedules.delays(seed).take(50).collect();
        assert!(schedules.delays(seed).take(50).eq(delays.iter().copied()));
        assert!(schedules.delays(seed + 1).take(50).ne(delays));
    }
}

#[test]
fn schedules_say_whether_they_look_at_the_time() {
    fn timed<S: Schedule>(_: S) -> bool {
        S::TIMED
    }
    let plain = Exponential::new(ms(1)).cap(ms(9)).jitter(Jitter::Full).up_to(3).then(Fibonacci::new(ms(1)));
    assert!(!timed(plain) && timed(plain.up_to_total(ms(1)).cap(ms(1))) && timed(plain.then(plain.up_to_total(ms(1)))));
}
