//! Controls as functions of what they observe, and the semaphore that they drive.

use super::super::adaptive::control::{Adapt, Sample};
use super::*;
use crate::time::Time;

fn bounds(least: u32, first: u32, most: u32) -> Bounds {
    Bounds::new(nz(least), nz(first), nz(most)).unwrap()
}

/// A call that was over at `at` milliseconds after so many.
fn sample(at: u64, rtt: u64, in_flight: u32, feedback: Feedback) -> Sample {
    Sample { started: ms(at - rtt), ended: ms(at), in_flight, feedback }
}

fn answered(rtt: u64, in_flight: u32) -> Sample {
    sample(rtt, rtt, in_flight, Feedback::Answered)
}

/// Random calls: within its bounds, and never zero; overload never raises a limit; who makes little use of it changes nothing,
/// but by overload; and the same calls give the same limits.
fn obeys<A: Adapt>(control: &A, bounds: Bounds) {
    for seed in 0..300 {
        let mut random = Random(seed);
        let (mut state, mut again) = (control.begin(), control.begin());
        for at in 0..500 {
            let before = control.limit(&state);
            let overloaded = random.below(8) == 0;
            let longest = 1 << random.below(40);
            let rtt = if overloaded { random.below(3) } else { 1 + random.below(longest) } as u64;
            let in_flight = 1 + random.below(before as usize + 3) as u32;
            let feedback = if overloaded { Feedback::Overloaded } else { Feedback::Answered };
            let ended = rtt + at * longest as u64;
            let sample = Sample { started: super::at(ended - rtt), ended: super::at(ended), in_flight, feedback };
            control.learn(&mut state, &sample);
            control.learn(&mut again, &sample);
            let limit = control.limit(&state);
            assert!((bounds.least().get()..=bounds.most().get()).contains(&limit), "{control:?}: {limit}");
            assert_eq!(limit, control.limit(&again));
            if overloaded {
                assert!(limit <= before, "{control:?}: {before}, then {limit} by {sample:?}");
            } else if u64::from(in_flight) * 2 < u64::from(before) {
                assert_eq!(limit, before, "{control:?}: {sample:?}");
            }
        }
    }
}

#[test]
fn l9_limits_stay_within_their_bounds_and_where_they_are_while_the_caller_is_the_bottleneck() {
    for bounds in [bounds(1, 1, u32::MAX), bounds(1, 20, 200), bounds(20, 20, 20), bounds(3, u32::MAX, u32::MAX)] {
        obeys(&Aimd::new(bounds), bounds);
        obeys(&Vegas::new(bounds), bounds);
        obeys(&Gradient2::new(bounds), bounds);
        obeys(&Fixed::new(bounds.first()), self::bounds(bounds.first().get(), bounds.first().get(), u32::MAX));
    }
}

#[test]
fn aimd_grows_by_one_a_round_and_shrinks_by_a_tenth_a_round_trip() {
    let aimd = Aimd::new(bounds(1, 10, 100)).slow_after(Duration::from_millis(50));
    let mut state = aimd.begin();
    let mut after = |samples: &[Sample]| {
        samples.iter().for_each(|sample| aimd.learn(&mut state, sample));
        aimd.limit(&state)
    };
    assert_eq!(after(&[answered(50, 10); 9]), 10);
    assert_eq!(after(&[answered(50, 10); 1]), 11);
    assert_eq!(after(&[answered(50, 11); 21]), 12);
    // Refused together, and one that had begun before.
    assert_eq!(after(&[sample(100, 10, 12, Feedback::Overloaded); 12]), 10);
    assert_eq!(after(&[sample(120, 51, 12, Feedback::Answered)]), 10);
    assert_eq!(after(&[sample(151, 51, 12, Feedback::Answered)]), 9, "slow, and begun when it had shrunk");
    for (at, limit) in (200..).zip([8, 7, 6, 5, 4, 3, 2, 1, 1]) {
        assert_eq!(after(&[sample(at, 0, 1, Feedback::Overloaded)]), limit);
    }
}

/// The state of a control after so many calls, one after another, that take as long each.
fn rounds<A: Adapt>(control: &A, state: &mut A::State, calls: u32, rtt: u64, in_flight: u32, now: &mut u64) -> u32 {
    for _ in 0..calls {
        *now += rtt;
        control.learn(state, &sample(*now, rtt, in_flight, Feedback::Answered));
    }
    control.limit(state)
}

#[test]
fn vegas_counts_who_waits_once_a_round() {
    let vegas = Vegas::new(bounds(1, 20, 1000));
    for (rtt, limit) in [(100, 26), (105, 26), (106, 21), (111, 21), (112, 20), (142, 20), (143, 19), (1000, 19)] {
        let (mut state, mut now) = (vegas.begin(), 0);
        assert_eq!(rounds(&vegas, &mut state, 1, 100, 9, &mut now), 20, "the first is measured by, and not counted");
        assert_eq!(rounds(&vegas, &mut state, 19, rtt, 20, &mut now), 20);
        assert_eq!(rounds(&vegas, &mut state, 1, rtt, 20, &mut now), limit, "{rtt}");
        // One that began before, however often.
        let before = sample(now + 10, 1_000, 20, Feedback::Answered);
        (0..100).for_each(|_| vegas.learn(&mut state, &before));
        assert_eq!(vegas.limit(&state), limit);
    }
}

#[test]
fn vegas_shrinks_with_each_refusal() {
    let vegas = Vegas::new(bounds(1, 100, 1000));
    let mut state = vegas.begin();
    for limit in [98, 97, 96] {
        vegas.learn(&mut state, &sample(10, 10, 100, Feedback::Overloaded));
        assert_eq!(vegas.limit(&state), limit);
    }
}

#[test]
fn vegas_gets_used_to_a_service_that_has_become_slower() {
    let vegas = Vegas::new(bounds(1, 20, 20));
    let (mut state, mut now) = (vegas.begin(), 0);
    rounds(&vegas, &mut state, 600, 100, 20, &mut now);
    assert_eq!(rounds(&vegas, &mut state, 200, 1000, 20, &mut now), 6);
    let mut calls = 0;
    while rounds(&vegas, &mut state, 1, 1000, 20, &mut now) < 20 {
        calls += 1;
    }
    assert!((30..600).contains(&calls), "{calls}");
}

/// Gradient2 as its definition has it, in floating point.
struct Definition {
    limit: f64,
    average: f64,
    calls: u32,
    round: Vec<f64>,
}

impl Definition {
    /// Takes a call in, of a round of so many.
    fn learn(&mut self, rtt: f64, calls: u32, queue: f64) {
        self.average = if self.calls < 10 {
            (self.average * f64::from(self.calls) + rtt) / f64::from(self.calls + 1)
        } else {
            self.average * (1.0 - 2.0 / 601.0) + rtt * 2.0 / 601.0
        };
        self.calls += 1;
        if self.average / rtt > 2.0 {
            self.average *= 0.95;
        }
        self.round.push(rtt);
        if self.round.len() == calls as usize {
            let mean = self.round.drain(..).sum::<f64>() / f64::from(calls);
            let ratio = (1.5 * self.average / mean).clamp(0.5, 1.0);
            self.limit = (self.limit * 0.8 + (self.limit * ratio + queue) * 0.2).clamp(2.0, 100.0);
        }
    }
}

#[test]
fn gradient2_in_fixed_point_is_its_definition_to_a_thousandth() {
    let control = Gradient2::new(bounds(2, 5, 100)).queue(6);
    for seed in 0..50 {
        let mut random = Random(seed);
        let (mut state, mut now) = (control.begin(), 0);
        let mut definition = Definition { limit: 5.0, average: 0.0, calls: 0, round: Vec::new() };
        let scale = 1_000 + random.below(1_000_000) as u64;
        for count in 0..20_000 {
            let rtt = scale * (10 + random.below(30) as u64 + if count / 1_000 % 2 == 1 { 170 } else { 0 });
            now += rtt;
            let calls = control.limit(&state);
            let (started, ended) = (at(now - rtt), at(now));
            control.learn(&mut state, &Sample { started, ended, in_flight: 100, feedback: Feedback::Answered });
            definition.learn(rtt as f64, calls, 6.0);
            let (limit, difference) = (definition.limit, f64::from(control.limit(&state)) - definition.limit);
            assert!((-1.0 - limit / 1000.0..limit / 1000.0).contains(&difference), "{count}: {state:?} for {limit}");
        }
    }
}

/// A launch that is polled by hand.
struct Launched<'a, C: Control>(Pin<Box<Launch<'a, C>>>);

impl<'a, C: Control> Launched<'a, C> {
    fn waiting(calls: &'a Concurrency<C>) -> Self {
        let mut launch = Self(Box::pin(calls.launch()));
        assert!(launch.poll().is_none());
        launch
    }

    fn poll(&mut self) -> Option<Flight<'a, C>> {
        match self.0.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Ready(flight) => Some(flight),
            Pending => None,
        }
    }
}

fn time() -> Time {
    ManualClock::new().time()
}

#[test]
fn l9_a_call_that_is_dropped_makes_room_and_is_no_sample() {
    let calls = Concurrency::new(&time(), Aimd::new(bounds(1, 1, 9)));
    let first = calls.try_launch().unwrap();
    let mut second = Launched::waiting(&calls);
    let mut third = Launched::waiting(&calls);
    assert_eq!(calls.in_flight(), 1);
    drop(first);
    assert!(third.poll().is_none());
    drop(second.poll().unwrap());
    drop(second);
    assert!(third.poll().is_some());
    assert_eq!((calls.limit(), calls.in_flight()), (1, 0));
}

#[test]
fn l9_more_room_lets_in_who_waits_and_less_lets_nobody_in() {
    let clock = ManualClock::new();
    let calls = Concurrency::new(&clock.time(), Aimd::new(bounds(1, 2, 9)));
    let mut flights: Vec<_> = (0..2).map(|_| calls.try_launch().unwrap()).collect();
    let mut line: Vec<_> = (0..4).map(|_| Launched::waiting(&calls)).collect();
    // A round makes two places for one that ends.
    flights.remove(0).end(Feedback::Answered);
    flights.push(line.remove(0).poll().unwrap());
    assert!(line[0].poll().is_none());
    flights.remove(0).end(Feedback::Answered);
    assert_eq!((calls.limit(), calls.in_flight()), (3, 1));
    flights.extend([line.remove(0).poll().unwrap(), line.remove(0).poll().unwrap()]);
    assert!(line[0].poll().is_none());
    // Two fewer: of three that end none lets anybody in until one is left.
    clock.advance(Duration::from_secs(1));
    flights.remove(0).end(Feedback::Overloaded);
    assert_eq!((calls.limit(), calls.in_flight()), (2, 2));
    assert!(line[0].poll().is_none() && calls.try_launch().is_none());
    drop(flights.remove(0));
    assert!(line[0].poll().is_some());
}

#[test]
fn a_call_counts_as_it_is_judged() {
    let calls = Concurrency::new(&time(), Aimd::new(bounds(1, 1, 9)));
    let noop = &mut Context::from_waker(Waker::noop());
    for (feedback, limit) in [(None, 1), (Some(Feedback::Answered), 2), (None, 2), (Some(Feedback::Overloaded), 1)] {
        let judge = |answer: &&str| {
            assert_eq!(*answer, "so it was");
            feedback
        };
        let polled = Box::pin(calls.call(async || "so it was", judge)).as_mut().poll(noop);
        assert_eq!((polled, calls.limit(), calls.in_flight()), (Ready("so it was"), limit, 0));
    }
    let mut call = Box::pin(calls.call(async || core::future::pending::<()>().await, |()| Some(Feedback::Overloaded)));
    assert_eq!(call.as_mut().poll(noop), Pending);
    assert_eq!(calls.in_flight(), 1);
    drop(call);
    assert_eq!((calls.limit(), calls.in_flight()), (1, 0));
}

#[test]
fn round_trips_are_measured_from_the_launch() {
    let clock = ManualClock::new();
    let calls = Concurrency::new(&clock.time(), Aimd::new(bounds(1, 1, 9)).slow_after(Duration::from_millis(10)));
    let first = calls.try_launch().unwrap();
    let mut second = Launched::waiting(&calls);
    clock.advance(Duration::from_millis(10));
    first.end(Feedback::Answered);
    assert_eq!(calls.limit(), 2);
    let second = second.poll().unwrap();
    assert_eq!(second.started(), ms(10));
    clock.advance(Duration::from_millis(11));
    second.end(Feedback::Answered);
    assert_eq!(calls.limit(), 1);
}

#[test]
fn a_waker_that_panics_does_not_keep_the_limit_from_changing() {
    struct Bad;
    impl Wake for Bad {
        fn wake(_: &Arc<Self>) {
            panic!("a waker");
        }
    }
    let calls = Concurrency::new(&time(), Aimd::new(bounds(1, 1, 9)));
    let flight = calls.try_launch().unwrap();
    let mut launch = Box::pin(calls.launch());
    assert!(launch.as_mut().poll(&mut Context::from_waker(&waker(Arc::new(Bad)))).is_pending());
    assert!(catch_unwind(AssertUnwindSafe(|| flight.end(Feedback::Answered))).is_err());
    assert_eq!((calls.limit(), calls.in_flight()), (2, 0));
    drop(launch);
    let flights = [(); 2].map(|()| calls.try_launch().unwrap());
    flights.into_iter().for_each(|flight| flight.end(Feedback::Answered));
    assert_eq!(calls.limit(), 3);
    let flights: Vec<_> = core::iter::from_fn(|| calls.try_launch()).collect();
    assert_eq!(flights.len(), 3, "the semaphore was told");
}
