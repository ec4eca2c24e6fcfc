use super::*;

fn tick(interval: &mut Interval) -> Option<u64> {
    match interval.poll_tick(&mut Context::from_waker(Waker::noop())) {
        core::task::Poll::Ready(at) => Some(at.as_nanos()),
        core::task::Poll::Pending => None,
    }
}

/// The ticks given out at each of `readings` by an interval of 10 that begins at 10.
fn table(missed: MissedTick, readings: &[u64]) -> Vec<(u64, Vec<u64>)> {
    let clock = ManualClock::new();
    let mut interval = clock.time().interval(Duration::from_nanos(10)).missed(missed);
    let at_reading = |&reading: &u64| {
        clock.advance_to(at(reading));
        (reading, core::iter::from_fn(|| tick(&mut interval)).collect())
    };
    readings.iter().map(at_reading).collect()
}

fn row(reading: u64, ticks: &[u64]) -> (u64, Vec<u64>) {
    (reading, ticks.to_vec())
}

const READINGS: [u64; 8] = [5, 10, 20, 47, 50, 57, 60, 100];

#[test]
fn burst_gives_every_missed_tick_at_once() {
    let expected = [
        row(5, &[]),
        row(10, &[10]),
        row(20, &[20]),
        row(47, &[30, 40]),
        row(50, &[50]),
        row(57, &[]),
        row(60, &[60]),
        row(100, &[70, 80, 90, 100]),
    ];
    assert_eq!(table(MissedTick::Burst, &READINGS), expected);
}

#[test]
fn delay_starts_the_schedule_anew_from_a_late_tick() {
    let expected = [
        row(5, &[]),
        row(10, &[10]),
        row(20, &[20]),
        row(47, &[30]),
        row(50, &[]),
        row(57, &[57]),
        row(60, &[]),
        row(100, &[67]),
    ];
    assert_eq!(table(MissedTick::Delay, &READINGS), expected);
}

#[test]
fn skip_leaves_missed_ticks_out_and_keeps_the_schedule() {
    let expected = [
        row(5, &[]),
        row(10, &[10]),
        row(20, &[20]),
        row(47, &[30]),
        row(50, &[50]),
        row(57, &[]),
        row(60, &[60]),
        row(100, &[70]),
    ];
    assert_eq!(table(MissedTick::Skip, &READINGS), expected);
}

#[test]
fn a_late_tick_by_less_than_a_period_moves_nothing() {
    for missed in [MissedTick::Burst, MissedTick::Delay, MissedTick::Skip] {
        assert_eq!(table(missed, &[19, 20, 39, 40]), [row(19, &[10]), row(20, &[20]), row(39, &[30]), row(40, &[40])]);
    }
}

#[test]
fn a_tick_that_is_late_by_just_one_period_has_missed_the_next() {
    assert_eq!(table(MissedTick::Burst, &[20, 30]), [row(20, &[10, 20]), row(30, &[30])]);
    assert_eq!(table(MissedTick::Delay, &[20, 30]), [row(20, &[10]), row(30, &[30])]);
    assert_eq!(table(MissedTick::Skip, &[20, 30]), [row(20, &[10]), row(30, &[30])]);
}

#[test]
fn an_interval_may_begin_at_once_or_at_a_given_instant() {
    let clock = ManualClock::at(at(100));
    let time = clock.time();
    let mut now = time.interval_at(at(100), Duration::from_nanos(7));
    assert_eq!((tick(&mut now), tick(&mut now)), (Some(100), None));
    let mut later = time.interval_at(at(150), Duration::from_nanos(7));
    clock.advance_to(at(149));
    assert_eq!(tick(&mut later), None);
    clock.advance_to(at(150));
    assert_eq!(tick(&mut later), Some(150));
    assert_eq!(later.period(), Duration::from_nanos(7));
}

#[test]
fn reset_lets_the_next_tick_come_one_period_later() {
    let clock = ManualClock::new();
    let mut interval = clock.time().interval(Duration::from_nanos(10));
    assert_eq!(tick(&mut interval), None);
    clock.advance_to(at(9));
    interval.reset();
    clock.advance_to(at(18));
    assert_eq!(tick(&mut interval), None);
    clock.advance_to(at(19));
    assert_eq!(tick(&mut interval), Some(19));
}

#[test]
fn a_period_beyond_the_range_never_ticks() {
    let clock = ManualClock::at(at(1));
    let mut interval = clock.time().interval_at(at(1), Duration::MAX).missed(MissedTick::Skip);
    assert_eq!(tick(&mut interval), Some(1));
    clock.advance_to(at(u64::MAX - 1));
    assert_eq!(tick(&mut interval), None);
}

#[test]
fn a_dropped_tick_is_not_lost() {
    let clock = ManualClock::new();
    let mut interval = clock.time().interval(Duration::from_nanos(10));
    let mut waiting = Box::pin(interval.tick());
    assert!(waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(waiting);
    clock.advance_to(at(10));
    assert_eq!(tick(&mut interval), Some(10));
}

#[test]
#[should_panic(expected = "longer than zero")]
fn a_period_of_zero_is_refused() {
    let _ = ManualClock::new().time().interval(Duration::ZERO);
}
