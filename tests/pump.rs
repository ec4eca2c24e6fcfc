//! The pump: tokio's clock, paused, moves the time of the kit.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;
use wakeful::time::{Instant, Time, pump};

const MS: Duration = Duration::from_millis(1);

/// A time that is driven by the runtime of the calling test.
fn pumped() -> Time {
    let start = tokio::time::Instant::now();
    let (time, pump) = pump(move || Instant::EPOCH + start.elapsed(), tokio::time::sleep);
    tokio::spawn(pump);
    time
}

#[tokio::test(start_paused = true)]
async fn advancing_tokios_clock_moves_the_time() {
    let time = pumped();
    let sleeper = tokio::spawn({
        let time = time.clone();
        async move {
            time.sleep(250 * MS).await;
            time.now()
        }
    });
    tokio::task::yield_now().await;
    tokio::time::advance(249 * MS).await;
    assert_eq!(time.now(), Instant::EPOCH + 249 * MS);
    assert!(!sleeper.is_finished());
    tokio::time::advance(MS).await;
    assert_eq!(sleeper.await.unwrap(), Instant::EPOCH + 250 * MS);
    assert_eq!(time.pending(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_time_jumps_with_tokios_clock_when_nobody_is_ready() {
    let (time, start) = (pumped(), tokio::time::Instant::now());
    time.sleep(Duration::from_secs(3600)).await;
    assert_eq!(start.elapsed(), Duration::from_secs(3600));
    let before = time.now();
    tokio::time::sleep(7 * MS).await;
    assert_eq!(time.now() - before, 7 * MS, "tokio's own sleeps move it too");
}

#[tokio::test(start_paused = true)]
async fn a_wake_up_comes_within_tokios_millisecond_and_never_early() {
    let time = pumped();
    for micros in [1, 500, 999, 1_000, 1_001, 123_456] {
        let (start, wait) = (time.now(), Duration::from_micros(micros));
        time.sleep(wait).await;
        let late = (time.now() - start).checked_sub(wait).expect("never early");
        assert!(late <= MS, "{wait:?} was late by {late:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_earlier_sleep_that_comes_later_is_woken_first() {
    let time = pumped();
    let order = Arc::new(Mutex::new(Vec::new()));
    let mut tasks = Vec::new();
    for millis in [3_600_000, 500, 20, 10_000] {
        let (time, order) = (time.clone(), order.clone());
        tasks.push(tokio::spawn(async move {
            time.sleep(millis * MS).await;
            order.lock().unwrap().push((millis, time.now()));
        }));
        // The pump goes to sleep for what it has before the next one comes.
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
    }
    for task in tasks {
        task.await.unwrap();
    }
    let expected = [20, 500, 10_000, 3_600_000].map(|millis| (millis, Instant::EPOCH + millis * MS));
    assert_eq!(*order.lock().unwrap(), expected);
}

/// A sleep of the runtime, with a count of how many there were and are.
struct Counted {
    counts: Arc<Counts>,
    sleep: Pin<Box<tokio::time::Sleep>>,
}

#[derive(Default)]
struct Counts {
    made: AtomicUsize,
    alive: AtomicUsize,
    most: AtomicUsize,
}

impl Counted {
    fn new(counts: &Arc<Counts>, duration: Duration) -> Self {
        counts.made.fetch_add(1, Ordering::Relaxed);
        let alive = counts.alive.fetch_add(1, Ordering::Relaxed) + 1;
        counts.most.fetch_max(alive, Ordering::Relaxed);
        Self { counts: counts.clone(), sleep: Box::pin(tokio::time::sleep(duration)) }
    }
}

impl Future for Counted {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.sleep.as_mut().poll(cx)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.counts.alive.fetch_sub(1, Ordering::Relaxed);
    }
}

#[tokio::test(start_paused = true)]
async fn one_sleep_of_the_runtime_serves_all() {
    let (counts, start) = (Arc::new(Counts::default()), tokio::time::Instant::now());
    let counting = counts.clone();
    let (time, pump) = pump(move || Instant::EPOCH + start.elapsed(), move |d| Counted::new(&counting, d));
    let pump = tokio::spawn(pump);
    let sleepers: Vec<_> = (0..1_000u32)
        .map(|n| {
            let time = time.clone();
            tokio::spawn(async move {
                time.sleep((1 + n % 10) * 100 * MS).await;
                assert_eq!(time.now(), Instant::EPOCH + (1 + n % 10) * 100 * MS);
            })
        })
        .collect();
    for sleeper in sleepers {
        sleeper.await.unwrap();
    }
    assert!(counts.made.load(Ordering::Relaxed) <= 11, "about one for each of the ten instants");
    assert_eq!(counts.most.load(Ordering::Relaxed), 1);
    assert_eq!(counts.alive.load(Ordering::Relaxed), 0, "none while nobody waits");
    pump.abort();
    assert!(pump.await.unwrap_err().is_cancelled());
}

#[tokio::test(start_paused = true)]
async fn a_waker_that_panics_does_not_stop_the_pump() {
    struct Bad;
    impl Wake for Bad {
        fn wake(self: Arc<Self>) {
            std::panic::resume_unwind(Box::new("a waker that panics"));
        }
    }
    let time = pumped();
    let mut bad = pin!(time.sleep(5 * MS));
    let waker = Waker::from(Arc::new(Bad));
    assert!(bad.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    time.sleep(5 * MS).await;
    time.sleep(5 * MS).await;
    assert_eq!(time.now(), Instant::EPOCH + 10 * MS);
    assert!(bad.is_elapsed());
}

#[test]
fn a_sleep_that_is_over_too_soon_keeps_nobody_from_having_a_turn() {
    let (nanos, asked) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (reads, sleeps) = (nanos.clone(), asked.clone());
    let (time, pump) = pump(
        move || Instant::from_nanos(reads.load(Ordering::Relaxed) as u64),
        move |_| {
            sleeps.fetch_add(1, Ordering::Relaxed);
            std::future::ready(())
        },
    );
    let mut pump = pin!(pump);
    let mut sleep = pin!(time.sleep(3 * MS));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(sleep.as_mut().poll(&mut cx).is_pending());
    let woken = Arc::new(AtomicBool::new(false));
    let waker = Waker::from(Arc::new(Notes(woken.clone())));
    for polls in 1..=3 {
        assert!(pump.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        assert!(woken.swap(false, Ordering::Relaxed), "it goes on by itself");
        assert_eq!(asked.load(Ordering::Relaxed), polls, "once a poll");
        assert!(!sleep.is_elapsed());
    }
    nanos.store(3_000_000, Ordering::Relaxed);
    assert!(pump.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    assert!(!woken.load(Ordering::Relaxed) && sleep.as_mut().poll(&mut cx).is_ready());
}

/// Notes that it was woken.
struct Notes(Arc<AtomicBool>);

impl Wake for Notes {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Polls a pump that has an alarm to take while `now` or `sleep` panics, and once more.
async fn pump_that_panics(in_now: bool, first_alarm: bool) {
    let (panics, start) = (Arc::new(AtomicBool::new(false)), tokio::time::Instant::now());
    let [reads, sleeps] = [(); 2].map(|()| panics.clone());
    let panic_once = |flag: &AtomicBool| {
        if flag.swap(false, Ordering::Relaxed) {
            std::panic::resume_unwind(Box::new("not now"));
        }
    };
    let (time, pump) = pump(
        move || {
            if in_now {
                panic_once(&reads);
            }
            Instant::EPOCH + start.elapsed()
        },
        move |d| {
            panic_once(&sleeps);
            tokio::time::sleep(d)
        },
    );
    let mut pump = pin!(pump);
    let mut cx = Context::from_waker(Waker::noop());
    let mut far = pin!(time.sleep(50 * MS));
    assert!(first_alarm || far.as_mut().poll(&mut cx).is_pending() && pump.as_mut().poll(&mut cx).is_pending());
    let mut near = pin!(time.sleep(5 * MS));
    assert!(near.as_mut().poll(&mut cx).is_pending());
    panics.store(true, Ordering::Relaxed);
    let polled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| pump.as_mut().poll(&mut cx).is_ready()));
    assert!(polled.is_err(), "the panic is passed on");
    tokio::select! {
        never = pump => match never {},
        () = near => assert_eq!(time.now(), Instant::EPOCH + 5 * MS),
        () = tokio::time::sleep(100 * MS) => panic!("the alarm was lost"),
    }
}

#[tokio::test(start_paused = true)]
async fn an_alarm_that_was_taken_survives_a_panic_of_the_clock_or_of_the_sleep() {
    for in_now in [true, false] {
        for first_alarm in [true, false] {
            pump_that_panics(in_now, first_alarm).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_running_time_no_sleep_is_early() {
    let time = pumped();
    let sleepers: Vec<_> = (0..50)
        .map(|n| {
            let time = time.clone();
            tokio::spawn(async move {
                let (start, wait) = (time.now(), n % 7 * MS / 2);
                time.sleep(wait).await;
                assert!(time.now() - start >= wait);
            })
        })
        .collect();
    for sleeper in sleepers {
        sleeper.await.unwrap();
    }
    assert_eq!(time.pending(), 0);
}
