use super::*;
use crate::sys::model::Random;

#[test]
fn instants_saturate_at_both_ends() {
    let second = Duration::from_secs(1);
    assert_eq!(Instant::EPOCH - second, Instant::EPOCH);
    assert_eq!(at(u64::MAX - 1) + Duration::from_nanos(1), Instant::NEVER);
    assert_eq!(at(7) + Duration::MAX, Instant::NEVER);
    assert_eq!(Instant::NEVER + second, Instant::NEVER);
    assert_eq!(Instant::NEVER - second, Instant::NEVER, "never stays never");
    assert_eq!(at(5) - at(9), Duration::ZERO);
    assert_eq!(Instant::NEVER - at(9), Duration::MAX);
    assert_eq!(Instant::NEVER - Instant::NEVER, Duration::MAX);
    assert_eq!(at(u64::MAX - 1) - Instant::EPOCH, Duration::from_nanos(u64::MAX - 1));
    let mut moved = at(5);
    moved += second;
    assert_eq!(moved, at(1_000_000_005));
    assert!(Instant::NEVER.is_never() && !at(u64::MAX - 1).is_never());
    assert_eq!(Instant::default(), Instant::EPOCH);
    assert_eq!(nanos(Duration::new(18_446_744_073, 709_551_614)), u64::MAX - 1);
    assert_eq!(nanos(Duration::new(18_446_744_073, 709_551_616)), u64::MAX);
}

#[test]
fn instants_are_printed_in_seconds() {
    let texts = [at(0), at(1_500_000_000), Instant::NEVER].map(|at| alloc::format!("{at}|{at:?}"));
    assert_eq!(
        texts,
        ["0.000000000s|Instant(0.000000000s)", "1.500000000s|Instant(1.500000000s)", "never|Instant(never)"]
    );
}

/// The wake-ups of a few sleeps, each of which is registered by the one before.
fn run(parts: impl Iterator<Item = u64>) -> (Instant, Vec<(u64, usize)>) {
    let clock = ManualClock::new();
    let (time, log) = (clock.time(), Log::new(&clock.time()));
    let mut random = Random(3);
    let mut sleeps: Vec<Pinned> = (0..200).map(|_| sleep(&time, random.next() % 10_000)).collect();
    for (n, sleep) in sleeps.iter_mut().enumerate() {
        poll_with(sleep, &log.waker(n));
    }
    let chained = Arc::new(Lock::new(Vec::new()));
    let mut first = sleep(&time, 77);
    let waker = {
        let (time, log, chained) = (time.clone(), log.clone(), chained.clone());
        on_wake(move || {
            let mut next = Box::pin(time.sleep(Duration::from_nanos(100)));
            assert!(!poll_with(&mut next, &log.waker(1_000)));
            chained.with(|chained| chained.push(next));
        })
    };
    assert!(!poll_with(&mut first, &waker));
    parts.for_each(|part| clock.advance(Duration::from_nanos(part)));
    (time.now(), log.take())
}

#[test]
fn two_advances_equal_their_sum() {
    let whole = run([12_000].into_iter());
    assert_eq!(whole.0, at(12_000));
    assert!(whole.1.contains(&(177, 1_000)), "registered on the way at the exact instant");
    assert_eq!(whole, run([5_000, 7_000].into_iter()));
    assert_eq!(whole, run(core::iter::repeat_n(1, 12_000)));
    let mut random = Random(9);
    let mut left = 12_000;
    let parts = core::iter::from_fn(|| {
        let part = left.min(random.next() % 500);
        left -= part;
        (left > 0 || part > 0).then_some(part)
    });
    assert_eq!(whole, run(parts));
}

#[test]
fn a_manual_clock_does_not_go_back() {
    let clock = ManualClock::at(at(50));
    clock.advance_to(at(10));
    clock.jump_to(at(20));
    assert_eq!(clock.time().now(), at(50));
}

#[test]
fn handles_are_the_same_when_they_share_a_clock() {
    let (one, two) = (ManualClock::new(), ManualClock::default());
    assert!(one.time().same(&one.clone().time()) && !one.time().same(&two.time()));
}

/// A clock that is set by hand, and whose driver keeps what it is asked for and never rings.
#[derive(Clone)]
struct Deaf(Arc<Lock<(u64, Vec<u64>)>>);

impl Deaf {
    fn new() -> (Self, Time) {
        let deaf = Self(Arc::new(Lock::new((0, Vec::new()))));
        (deaf.clone(), Time::new(deaf))
    }

    fn set(&self, now: u64) {
        self.0.with(|inner| inner.0 = now);
    }

    fn asked(&self) -> Vec<u64> {
        self.0.with(|inner| core::mem::take(&mut inner.1))
    }
}

impl Clock for Deaf {
    fn now(&self) -> Instant {
        at(self.0.with(|inner| inner.0))
    }

    fn arm(&self, at: Instant) {
        self.0.with(|inner| inner.1.push(at.as_nanos()));
    }
}

#[test]
fn the_driver_is_asked_only_for_what_is_earlier_than_all_before() {
    let (deaf, time) = Deaf::new();
    let mut sleeps = [500, 700, 300, 400].map(|at| sleep(&time, at));
    sleeps.iter_mut().for_each(|sleep| assert!(!poll(sleep)));
    assert_eq!(deaf.asked(), [500, 300]);
    sleeps[1].as_mut().reset(at(200));
    sleeps[1].as_mut().reset(at(800));
    assert_eq!(deaf.asked(), [200]);
    deaf.set(200);
    assert_eq!(time.turn(), at(300), "the caller of turn arms");
    assert!(deaf.asked().is_empty());
    // Registered in the past with the driver late: fires all that is due and asks for the rest.
    deaf.set(450);
    sleeps[0].as_mut().reset(at(250));
    assert_eq!(deaf.asked(), [800]);
    assert!([0, 2, 3].iter().all(|&n| sleeps[n].is_elapsed()));
}

crate::sys::with_std! {
    #[test]
    fn a_clock_that_panics_when_it_is_armed_is_asked_again() {
        struct Fuse(Lock<bool>);
        impl Clock for Fuse {
            fn now(&self) -> Instant {
                Instant::EPOCH
            }
            fn arm(&self, _: Instant) {
                assert!(self.0.with(|blown| core::mem::replace(blown, true)), "the first time it panics");
            }
        }
        let time = Time::new(Fuse(Lock::new(false)));
        let mut first = sleep(&time, 5);
        assert!(crate::sys::thread::catch(|| poll(&mut first)).is_err());
        time.wheel().with(|held| assert_eq!(held.state.armed, u64::MAX, "nobody has been told"));
        assert!(!poll(&mut sleep(&time, 7)));
        time.wheel().with(|held| assert_eq!(held.state.armed, 7));
    }
}

#[test]
fn a_sleep_of_zero_does_not_wait_for_a_driver_that_is_late() {
    let (deaf, time) = Deaf::new();
    let mut first = sleep(&time, 100);
    assert!(!poll(&mut first));
    deaf.set(200);
    let mut zero = Box::pin(time.sleep(Duration::ZERO));
    assert_eq!(zero.deadline(), at(200));
    assert!(poll(&mut zero));
    assert_eq!(time.pending(), 1);
    zero.as_mut().reset(at(300));
    assert!(!poll(&mut zero));
    assert_eq!(time.turn(), at(300));
}

crate::sys::with_system_clock! {
    /// Waits on this thread until `sleep` is over.
    fn wait(sleep: Sleep) {
        let (woken, wakes) = std::sync::mpsc::channel();
        let waker = on_wake(move || woken.send(()).unwrap());
        let mut sleep = Box::pin(sleep);
        while !poll_with(&mut sleep, &waker) {
            wakes.recv().unwrap();
        }
    }

    #[test]
    fn the_system_clock_is_never_early() {
        for slack in [Duration::ZERO, SystemClock::SLACK] {
            let time = SystemClock::start(slack);
            for micros in [0, 1, 300, 2_500] {
                let least = Duration::from_micros(micros);
                let (start, outside) = (time.now(), std::time::Instant::now());
                wait(time.sleep(least));
                assert!(time.now() - start >= least);
                assert!(outside.elapsed() >= least, "by another clock too");
            }
        }
    }

    #[test]
    fn a_past_deadline_is_ready_at_its_first_poll_on_the_system_clock() {
        let time = SystemClock::start(Duration::from_secs(3600));
        assert!(poll(&mut Box::pin(time.sleep(Duration::ZERO))));
        assert!(poll(&mut sleep(&time, 0)));
        let now = time.now();
        assert!(poll(&mut Box::pin(time.sleep_until(now))));
    }

    #[test]
    fn an_earlier_sleep_that_comes_later_rings_first() {
        let time = SystemClock::start(Duration::ZERO);
        let mut hour = Box::pin(time.sleep(Duration::from_secs(3600)));
        assert!(!poll(&mut hour));
        wait(time.sleep(Duration::from_millis(1)));
        assert!(!hour.is_elapsed());
        assert_eq!(time.pending(), 1);
    }

    #[test]
    fn a_waker_that_panics_does_not_take_the_alarm_away() {
        let time = SystemClock::start(Duration::ZERO);
        let mut bad = Box::pin(time.sleep(Duration::from_millis(20)));
        let _ = poll_with(&mut bad, &on_wake(|| std::panic::resume_unwind(Box::new(()))));
        wait(time.sleep(Duration::from_millis(25)));
        wait(time.sleep(Duration::from_millis(25)));
        assert!(bad.is_elapsed());
    }

    /// Unparks a thread when the thread that it is a local of ends.
    struct Ended(std::thread::Thread, Arc<Lock<bool>>);

    impl Drop for Ended {
        fn drop(&mut self) {
            self.1.with(|ended| *ended = true);
            self.0.unpark();
        }
    }

    std::thread_local! {
        static ENDED: core::cell::RefCell<Option<Ended>> = const { core::cell::RefCell::new(None) };
    }

    #[test]
    fn the_thread_of_a_system_clock_ends_with_its_last_handle() {
        let time = SystemClock::start(Duration::ZERO);
        let here = std::thread::current();
        let (planted, ended) = (Arc::new(Lock::new(false)), Arc::new(Lock::new(false)));
        let mut first = Box::pin(time.sleep(Duration::from_millis(1)));
        let waker = {
            let (here, planted, ended) = (here.clone(), planted.clone(), ended.clone());
            on_wake(move || {
                let local = Ended(here.clone(), ended.clone());
                ENDED.with_borrow_mut(|slot| *slot = Some(local));
                planted.with(|planted| *planted = true);
                here.unpark();
            })
        };
        if poll_with(&mut first, &waker) {
            return; // This thread was held up for all of the millisecond.
        }
        while !planted.with(|planted| *planted) {
            std::thread::park();
        }
        drop(first);
        let mut waits = Box::pin(time.sleep(Duration::from_secs(3600)));
        assert!(!poll(&mut waits));
        drop(time);
        assert!(!ended.with(|ended| *ended), "a sleep is a handle too");
        drop(waits);
        while !ended.with(|ended| *ended) {
            std::thread::park();
        }
    }

    #[test]
    fn the_system_wall_reads_a_date_of_this_century() {
        assert!(SystemWall.unix() > Duration::from_secs(1_700_000_000));
    }
}

crate::sys::with_counter_clock! {
    #[test]
    fn a_counter_clock_never_goes_back_on_one_thread_and_is_never_early() {
        let time = CounterClock::start(Duration::ZERO);
        let readings: Vec<_> = (0..10_000).map(|_| time.now()).collect();
        assert!(readings.is_sorted());
        for micros in [0, 1, 300, 2_500] {
            let (start, least) = (time.now(), Duration::from_micros(micros));
            wait(time.sleep(least));
            assert!(time.now() - start >= least);
        }
    }

    #[test]
    fn a_counter_clock_keeps_step_with_the_system_within_a_thousandth() {
        let time = CounterClock::start(SystemClock::SLACK);
        let outer = std::time::Instant::now();
        let start = time.now();
        let inner = std::time::Instant::now();
        wait(time.sleep(Duration::from_millis(20)));
        let least = inner.elapsed();
        let took = time.now() - start;
        let most = outer.elapsed();
        assert!(took >= least - least / 1_000 && took <= most + most / 1_000, "{least:?} {took:?} {most:?}");
    }

    #[test]
    fn two_counter_clocks_begin_each_at_its_own_epoch() {
        let first = CounterClock::start(SystemClock::SLACK);
        wait(first.sleep(Duration::from_millis(2)));
        let between = first.now();
        let second = CounterClock::start(SystemClock::SLACK);
        assert!(second.now() - Instant::EPOCH <= first.now() - between, "it began after that");
        assert!(!first.same(&second));
    }
}
