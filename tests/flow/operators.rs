//! Operators over time: when each call and each item has its turn, exactly.

use crate::ms;
use futures::{FutureExt, Stream, StreamExt, stream};
use std::future::Future;
use std::num::NonZeroUsize;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use wakeful::cancel::Scope;
use wakeful::flow::{Debounce, DebounceConfig, Edge, FlowExt, Skipped, Spaced, Throttle};
use wakeful::queue;
use wakeful::sim::{self, Sim};
use wakeful::time::{Clock, Instant, ManualClock, Time};

/// What became of a call: when it ran, in milliseconds, or why it did not.
type Fate = Result<u64, Skipped>;

/// Makes calls at these milliseconds, each in a task of its own, and says what became of each.
async fn calls_at<F: Future<Output = Fate> + Send + 'static>(
    sim: &Sim,
    at: &[u64],
    call: impl Fn(Sim) -> F,
) -> Vec<Fate> {
    let mut tasks = Vec::new();
    for at in at.iter().copied() {
        let (time, call) = (sim.time(), call(sim.clone()));
        tasks.push(sim.spawn("caller", async move {
            time.sleep(ms(at)).await;
            call.await
        }));
    }
    let mut fates = Vec::new();
    for task in tasks {
        fates.push(task.await);
    }
    fates
}

fn millis(sim: &Sim) -> u64 {
    sim.now().as_nanos() / 1_000_000
}

/// Makes calls of one debounce at these milliseconds.
async fn debounced(sim: &Sim, config: DebounceConfig, at: &[u64]) -> Vec<Fate> {
    let debounce = Debounce::new(&sim.time(), config);
    let call = |sim: Sim| {
        let debounce = debounce.clone();
        async move { debounce.call(async || millis(&sim)).await }
    };
    let fates = calls_at(sim, at, call).await;
    assert_eq!((debounce.is_pending(), sim.time().pending()), (false, 0));
    fates
}

/// Makes calls of one throttle of a second at these milliseconds.
async fn throttled(sim: &Sim, edge: Edge, at: &[u64]) -> Vec<Fate> {
    let throttle = Throttle::new(&sim.time(), ms(1_000), edge);
    let call = |sim: Sim| {
        let throttle = throttle.clone();
        async move { throttle.call(async || millis(&sim)).await }
    };
    let fates = calls_at(sim, at, call).await;
    assert_eq!((throttle.is_pending(), sim.time().pending()), (false, 0));
    fates
}

const LATER: Fate = Err(Skipped::Superseded);
const NEVER: Fate = Err(Skipped::Suppressed);

#[test]
fn a_debounce_of_half_a_second_called_three_times_runs_once_at_900_ms() {
    sim::check(|sim| async move {
        let fates = debounced(&sim, DebounceConfig::new(ms(500)), &[0, 200, 400]).await;
        assert_eq!(fates, [LATER, LATER, Ok(900)]);
    });
}

#[test]
fn a_call_at_the_instant_at_which_a_burst_ends_begins_another() {
    sim::check(|sim| async move {
        let fates = debounced(&sim, DebounceConfig::new(ms(500)).edge(Edge::Leading), &[0, 500, 999]).await;
        assert_eq!(fates, [Ok(0), Ok(500), NEVER]);
    });
}

#[test]
fn each_burst_runs_its_last_call() {
    sim::check(|sim| async move {
        let fates = debounced(&sim, DebounceConfig::new(ms(500)), &[0, 100, 700, 1_100]).await;
        assert_eq!(fates, [LATER, Ok(600), LATER, Ok(1_600)]);
    });
}

#[test]
fn what_is_due_when_another_call_comes_is_not_superseded() {
    sim::check(|sim| async move {
        let fates = debounced(&sim, DebounceConfig::new(ms(500)), &[0, 500, 1_000]).await;
        assert_eq!(fates, [Ok(500), Ok(1_000), Ok(1_500)]);
    });
}

#[test]
fn a_leading_debounce_runs_the_first_of_each_burst_at_once() {
    sim::check(|sim| async move {
        let config = DebounceConfig::new(ms(500)).edge(Edge::Leading);
        let fates = debounced(&sim, config, &[0, 200, 699, 1_200, 1_300]).await;
        assert_eq!(fates, [Ok(0), NEVER, NEVER, Ok(1_200), NEVER]);
    });
}

#[test]
fn a_debounce_of_both_edges_runs_a_lone_call_once() {
    sim::check(|sim| async move {
        let config = DebounceConfig::new(ms(500)).edge(Edge::Both);
        let fates = debounced(&sim, config, &[0, 1_000, 1_200, 1_400, 3_000]).await;
        assert_eq!(fates, [Ok(0), Ok(1_000), LATER, Ok(1_900), Ok(3_000)]);
    });
}

#[test]
fn no_call_is_held_back_for_longer_than_the_longest_wait() {
    sim::check(|sim| async move {
        let config = DebounceConfig::new(ms(500)).longest_wait(ms(1_000));
        let at = [0, 400, 800, 1_200, 1_600, 2_000];
        let fates = debounced(&sim, config, &at).await;
        // The burst goes on: the call at 1.2 s begins to count anew.
        assert_eq!(fates, [LATER, LATER, Ok(1_000), LATER, LATER, Ok(2_200)]);
    });
    sim::check(|sim| async move {
        let config = DebounceConfig::new(ms(500)).longest_wait(ms(1_000)).edge(Edge::Both);
        let fates = debounced(&sim, config, &[0, 400, 800, 1_200, 1_600, 2_000]).await;
        // The call at 1.6 s is of the same burst, so it does not run at once.
        assert_eq!(fates, [Ok(0), LATER, LATER, Ok(1_400), LATER, Ok(2_500)]);
    });
}

#[test]
fn a_throttle_runs_the_first_or_the_last_of_a_period_or_both() {
    sim::check(|sim| async move {
        let at = [0, 200, 700, 1_300, 1_400, 3_500];
        assert_eq!(throttled(&sim, Edge::Leading, &at).await, [Ok(0), NEVER, NEVER, Ok(1_300), NEVER, Ok(3_500)]);
    });
    sim::check(|sim| async move {
        let at = [0, 200, 700, 1_300, 1_400, 3_500];
        assert_eq!(throttled(&sim, Edge::Trailing, &at).await, [LATER, LATER, Ok(1_000), LATER, Ok(2_000), Ok(4_500)]);
    });
    sim::check(|sim| async move {
        let at = [0, 200, 700, 1_300, 1_400, 3_500];
        assert_eq!(throttled(&sim, Edge::Both, &at).await, [Ok(0), LATER, Ok(1_000), LATER, Ok(2_000), Ok(3_500)]);
    });
}

#[test]
fn three_spaced_calls_at_once_run_at_0_1_and_2_s() {
    sim::check(|sim| async move {
        let spaced = Spaced::new(&sim.time(), ms(1_000)).unwrap();
        let call = |sim: Sim| {
            let spaced = spaced.clone();
            async move { Ok(spaced.call(async || millis(&sim)).await) }
        };
        let mut ran = calls_at(&sim, &[0, 0, 0], call).await;
        ran.sort_by_key(|ran| ran.unwrap());
        assert_eq!(ran, [Ok(0), Ok(1_000), Ok(2_000)]);
    });
}

#[test]
fn what_was_given_up_or_cancelled_leaves_nothing_behind() {
    sim::check(|sim| async move {
        let (debounce, time) = (Debounce::new(&sim.time(), ms(500)), sim.time());
        let mut first = Box::pin(debounce.call(async || 1));
        assert_eq!(first.as_mut().now_or_never(), None);
        let mut second = Box::pin(debounce.call(async || 2));
        assert_eq!(second.as_mut().now_or_never(), None);
        drop(second);
        assert!(!debounce.is_pending());
        assert_eq!(first.now_or_never(), Some(LATER.map(|_| 0)), "what was superseded does not come back");
        assert_eq!(time.pending(), 0);

        let mut third = Box::pin(debounce.call(async || 3));
        assert_eq!(third.as_mut().now_or_never(), None);
        assert!(debounce.cancel() && !debounce.cancel() && !debounce.flush());
        assert_eq!(third.now_or_never(), Some(Err(Skipped::Cancelled)));
    });
}

#[test]
fn a_cancelled_debounce_begins_a_new_burst_and_a_cancelled_throttle_keeps_its_period() {
    let clock = ManualClock::new();
    let config = DebounceConfig::new(ms(500)).edge(Edge::Both);
    let debounce = Debounce::new(&clock.time(), config);
    assert_eq!(debounce.call(async || ()).now_or_never(), Some(Ok(())));
    assert_eq!(debounce.call(async || ()).now_or_never(), None);
    assert!(!debounce.cancel());
    assert_eq!(debounce.call(async || ()).now_or_never(), Some(Ok(())));

    let throttle = Throttle::new(&clock.time(), ms(500), Edge::Leading);
    assert_eq!(throttle.call(async || ()).now_or_never(), Some(Ok(())));
    assert!(!throttle.cancel());
    assert_eq!(throttle.call(async || ()).now_or_never(), Some(Err(Skipped::Suppressed)));
    clock.advance(ms(500));
    assert_eq!(throttle.call(async || ()).now_or_never(), Some(Ok(())));
}

#[test]
fn what_is_flushed_runs_although_others_follow_before_it_is_polled() {
    let clock = ManualClock::new();
    let throttle = Throttle::new(&clock.time(), ms(500), Edge::Trailing);
    let mut calls = [1, 2].map(|n| Box::pin(throttle.call(async move || n)));
    assert_eq!(calls[0].as_mut().now_or_never(), None);
    clock.advance(ms(300));
    assert!(throttle.flush());
    assert_eq!(calls[1].as_mut().now_or_never(), None);
    assert_eq!(calls[0].as_mut().now_or_never(), Some(Ok(1)));
    // The flush has begun a period.
    clock.advance(ms(499));
    assert_eq!(calls[1].as_mut().now_or_never(), None);
    clock.advance(ms(1));
    assert_eq!(calls[1].as_mut().now_or_never(), Some(Ok(2)));
}

/// A stream of numbers that come after these pauses, in milliseconds.
fn after(sim: &Sim, pauses: &[u64]) -> impl Stream<Item = usize> + use<> {
    let time = sim.time();
    stream::iter(pauses.to_vec()).enumerate().then(move |(n, pause)| time.sleep(ms(pause)).map(move |()| n))
}

/// What a stream gives, each with the millisecond.
async fn given<T>(sim: &Sim, stream: impl Stream<Item = T>) -> Vec<(T, u64)> {
    let mut stream = pin!(stream);
    let mut given = Vec::new();
    while let Some(item) = stream.next().await {
        given.push((item, millis(sim)));
    }
    assert_eq!(sim.time().pending(), 0);
    given
}

#[test]
fn streams_are_debounced_and_throttled_at_the_instants_of_calls() {
    sim::run(|sim| async move {
        let items = after(&sim, &[0, 200, 200, 600, 1_000]);
        assert_eq!(given(&sim, items.debounce(&sim.time(), ms(500))).await, [(2, 900), (3, 1_500), (4, 2_000)]);
    });
    sim::run(|sim| async move {
        let items =
            after(&sim, &[0, 200, 200, 600]).debounce(&sim.time(), DebounceConfig::new(ms(500)).edge(Edge::Both));
        assert_eq!(given(&sim, items).await, [(0, 0), (2, 900), (3, 1_000)]);
    });
    sim::run(|sim| async move {
        let items = after(&sim, &[0, 200, 500, 600, 100, 2_100]).throttle(&sim.time(), ms(1_000), Edge::Both);
        assert_eq!(given(&sim, items).await, [(0, 0), (2, 1_000), (4, 2_000), (5, 3_500)]);
    });
    sim::run(|sim| async move {
        let items = after(&sim, &[400; 9]).sample(&sim.time(), ms(1_000));
        // The fifth comes at 2 s, and is of the third period.
        assert_eq!(given(&sim, items).await, [(1, 1_000), (3, 2_000), (6, 3_000), (8, 3_600)]);
    });
}

#[test]
fn the_item_of_a_stream_that_waits_is_flushed_or_taken() {
    sim::run(|sim| async move {
        let mut items = Box::pin(after(&sim, &[0, 100, 5_000]).debounce(&sim.time(), ms(60_000)));
        assert_eq!(items.next().now_or_never(), None);
        assert!(items.as_mut().flush());
        assert_eq!(items.next().now_or_never(), Some(Some(0)));
        assert!(!items.as_mut().flush());
        let scope = Scope::new(sim.time());
        assert!(scope.move_on_after(ms(200), async |_| items.next().await).await.is_cancelled());
        assert_eq!((items.as_mut().take_waiting(), items.as_mut().take_waiting()), (Some(1), None));
        assert_eq!((items.next().await, millis(&sim)), (Some(2), 5_100));
        assert_eq!(Pin::new(&mut items).next().await, None);
    });
}

#[test]
fn a_stream_that_always_has_more_does_not_keep_its_task_from_others() {
    let clock = ManualClock::new();
    let mut endless = Box::pin(stream::repeat(1).debounce(&clock.time(), ms(500)));
    assert_eq!(endless.next().now_or_never(), None);
    clock.advance(ms(500));
    assert_eq!(endless.next().now_or_never(), Some(Some(1)));
    let mut sums = stream::repeat(1).conflate_with(|sum, n| *sum += n);
    assert!(sums.next().now_or_never().flatten().is_some_and(|sum| sum > 100));
}

#[test]
fn an_item_that_takes_long_to_come_does_not_overtake_the_one_that_waits() {
    let clock = ManualClock::new();
    let slow = stream::iter(0..3).inspect(|n| {
        if *n == 2 {
            clock.advance(ms(600));
        }
    });
    let items = slow.debounce(&clock.time(), DebounceConfig::new(ms(500)).edge(Edge::Both));
    assert_eq!(items.collect::<Vec<_>>().now_or_never(), Some(vec![0, 2]));
}

#[test]
fn windows_close_by_size_or_by_time_and_hand_out_what_is_left() {
    sim::run(|sim| async move {
        let two = NonZeroUsize::new(2).unwrap();
        let batches = Box::pin(after(&sim, &[0, 100, 100, 1_000, 700])).windows(&sim.time(), two, ms(500));
        let expected = [(vec![0, 1], 100), (vec![2], 700), (vec![3], 1_700), (vec![4], 1_900)];
        assert_eq!(given(&sim, batches).await, expected);

        let mut batches = Box::pin(after(&sim, &[0, 100])).windows(&sim.time(), two, ms(500));
        assert_eq!(batches.next().now_or_never(), None);
        assert_eq!(batches.into_rest().begun, [0]);
    });
}

#[test]
fn a_window_is_given_when_its_time_has_passed_whatever_the_stream_has() {
    let (clock, most) = (ManualClock::new(), NonZeroUsize::MAX);
    let mut endless = stream::repeat(1).windows(&clock.time(), most, ms(500));
    assert_eq!(endless.next().now_or_never(), None);
    clock.advance(ms(500));
    assert!(endless.next().now_or_never().flatten().is_some_and(|batch| batch.len() > 100));

    // A reader that comes late does not find in it what came after its time.
    let (tx, rx) = queue::unbounded();
    let mut late = Box::pin(rx.into_stream()).windows(&clock.time(), most, ms(500));
    for n in 0..3 {
        tx.try_send(n).unwrap();
        assert_eq!(late.next().now_or_never(), (n > 0).then(|| Some(vec![n - 1])));
        assert_eq!(late.next().now_or_never(), None);
        clock.advance(ms(500));
    }
}

/// A clock that moves on a little with each reading, as those of the world do.
struct Creeping(AtomicU64);

impl Clock for Creeping {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.0.fetch_add(1, Relaxed))
    }

    fn arm(&self, _: Instant) {}
}

#[test]
fn an_item_that_waits_is_not_overtaken_by_a_later_one() {
    for period in 1..20 {
        let time = Time::new(Creeping(AtomicU64::new(0)));
        let throttled = stream::iter(0..100).throttle(&time, Duration::from_nanos(period), Edge::Both);
        let given: Vec<_> = throttled.collect().now_or_never().expect("it never waits");
        assert!(given.is_sorted() && given.last() == Some(&99), "{period}: {given:?}");
    }
}
