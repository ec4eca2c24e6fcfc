//! Batch work whose results are a stream.

use futures_core::Stream;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::future::{pending, poll_fn, ready};
use std::num::{NonZeroU32, NonZeroUsize};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake};
use std::time::Duration;
use wakeful::cancel::{Reason, Scope, current};
use wakeful::limit::{Limiter, Quota};
use wakeful::sim::{self, Builder, Rng, Sim};
use wakeful::spawn::block_on;
use wakeful::sync::watch;
use wakeful::time::{Clock, Instant, ManualClock, Time};
use wakeful::work::{Count, Delivery, Drive, Ended, FromIter, ItemOutcome, Lease, OnError, Results, Sink, Stop, work};

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

const fn n(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).unwrap()
}

/// Sleeps as many milliseconds as its item says.
async fn body(item: Lease<u64>) -> Result<u64, ()> {
    wakeful::sleep(ms(*item)).await;
    Ok(*item)
}

fn assert_send<T: Send>(value: T) -> T {
    value
}

/// Takes all there is.
async fn all<T, O, E>(mut results: Results<T, O, E>) -> Vec<Ended<T, O, E>> {
    let mut all = Vec::new();
    while let Some(ended) = results.next().await {
        all.push(ended);
    }
    assert!(results.next().await.is_none(), "the end is the end");
    all
}

fn indexes<T, O, E>(all: &[Ended<T, O, E>]) -> Vec<u64> {
    all.iter().map(|ended| ended.index).collect()
}

#[test]
fn results_come_as_items_end_or_in_order() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        let set = || work([30, 10, 20, 10]).workers(n(2)).drive();
        let driven = set().run(&scope, body, all).await;
        assert_eq!((indexes(&driven.value), driven.report.elapsed()), (vec![1, 0, 2, 3], ms(40)));
        let driven = set().in_order().run(&scope, body, all).await;
        assert_eq!((indexes(&driven.value), driven.report.elapsed()), (vec![0, 1, 2, 3], ms(40)));
        assert!(driven.report.is_complete() && driven.undelivered.is_empty());
        assert!(!scope.cancel_called());
    });
}

#[test]
fn workers_go_on_while_the_consumer_awaits_something_else() {
    sim::check(|sim| async move {
        let (scope, begun) = (Scope::new(sim.time()), sim.now());
        let consumer = async |mut results: Results<u64, u64, ()>| {
            let mut taken = 0;
            while results.next().await.is_some() {
                scope.sleep(ms(100)).await;
                taken += 1;
            }
            taken
        };
        let driven = work(vec![10; 20]).drive().run(&scope, body, consumer).await;
        // All 20 items are done, one after another, before the third result is taken.
        assert_eq!((driven.value, driven.report.elapsed(), sim.now() - begun), (20, ms(200), ms(2010)));
    });
}

#[test]
fn nothing_is_started_while_the_buffer_is_full() {
    sim::check(|sim| async move {
        for in_order in [false, true] {
            let (scope, started) = (Scope::new(sim.time()), Cell::new(0));
            let body = |item: Lease<u64>| {
                started.set(started.get() + 1);
                body(item)
            };
            let consumer = async |mut results: Results<u64, u64, ()>| {
                scope.sleep(ms(1000)).await;
                let mut before = Vec::new();
                loop {
                    before.push(started.get());
                    let Some(_) = results.next().await else { return before };
                    scope.sleep(ms(1000)).await;
                }
            };
            let set = work(vec![10; 10]).workers(n(2)).drive().buffer(n(3));
            let set = if in_order { set.in_order() } else { set };
            let driven = set.run(&scope, body, consumer).await;
            // Two that ended, then two more: the buffer has room for three, and one more was running.
            assert_eq!(driven.value, [4, 4, 6, 6, 8, 8, 10, 10, 10, 10, 10], "{in_order}");
            assert!(driven.report.is_complete());
        }
    });
}

#[test]
fn a_full_buffer_holds_up_workers_that_are_tasks_too() {
    sim::check(|sim| async move {
        for in_order in [false, true] {
            let (scope, started) = (Scope::new(sim.time()), Arc::new(AtomicUsize::new(0)));
            let noted = started.clone();
            let body = move |item: Lease<u64>| {
                noted.fetch_add(1, Ordering::Relaxed);
                body(item)
            };
            let consumer = async |mut results: Results<u64, u64, ()>| {
                let mut before = Vec::new();
                loop {
                    scope.sleep(ms(1000)).await;
                    before.push(started.load(Ordering::Relaxed));
                    if results.next().await.is_none() {
                        return before;
                    }
                }
            };
            let set = work(vec![10; 10]).workers(n(2)).drive().buffer(n(3));
            let set = if in_order { set.in_order() } else { set };
            let driven = set.run_on(sim.spawner(), &scope, body, consumer).await;
            assert_eq!(driven.value, [4, 4, 6, 6, 8, 8, 10, 10, 10, 10, 10], "{in_order}");
            assert!(driven.report.is_complete());
        }
    });
}

#[test]
fn what_another_task_takes_makes_room_too() {
    sim::check(|sim| async move {
        let (scope, spawner) = (Scope::new(sim.time()), sim.clone());
        let set = work(vec![10; 6]).workers(n(2)).drive().buffer(n(2));
        let driven = set
            .run(&scope, body, async |mut results| {
                let time = spawner.time();
                let takes = spawner.spawn("taker", async move {
                    let mut taken = Vec::new();
                    while let Some(ended) = results.next().await {
                        taken.push((ended.index, time.now().as_nanos() / 1_000_000));
                        time.sleep(ms(100)).await;
                    }
                    taken
                });
                takes.await
            })
            .await;
        // Two at 10, whose places are had at 10 and 110; from then on one is worked on as soon as another was taken.
        assert_eq!(driven.value, [(0, 10), (1, 110), (2, 210), (3, 310), (4, 410), (5, 510)]);
        assert_eq!(driven.report.count.done, 6);
    });
}

#[test]
fn a_consumer_that_returns_waits_for_workers_that_are_tasks() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        let consumer = async |mut results: Results<u64, u64, ()>| results.next().await.unwrap().index;
        let set = work([10, 20, 12, 13, 50, 50]).workers(n(3));
        let driven = set.drive().run_on(sim.spawner(), &scope, body, consumer).await;
        let (report, mut undelivered) = (driven.report, indexes(&driven.undelivered));
        undelivered.sort_unstable();
        assert_eq!((driven.value, &report.stop), (0, &Stop::Cancelled(Reason::owner_dropped())));
        assert_eq!((1 + undelivered.len() as u64, report.elapsed()), (report.count.total(), ms(10)));
        assert_eq!(undelivered, (1..report.pulled()).collect::<Vec<_>>());
        assert!(!scope.cancel_called(), "the caller's scope is not concerned");
    });
}

#[test]
fn in_order_the_head_of_the_line_comes_although_the_buffer_is_full() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        let items = std::iter::once(100).chain(std::iter::repeat_n(1, 20));
        let driven = work(items).workers(n(3)).drive().in_order().buffer(n(1)).run(&scope, body, all).await;
        assert_eq!(indexes(&driven.value), (0..21).collect::<Vec<_>>());
        // While the first one runs, one result fills the buffer; the rest takes a millisecond a turn.
        assert!(driven.report.elapsed() <= ms(120), "{}", driven.report);
    });
}

#[test]
fn a_consumer_that_returns_cancels_the_rest_and_nothing_is_lost() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        let consumer = async |mut results: Results<u64, u64, ()>| {
            let first = results.next().await.unwrap().index;
            scope.sleep(ms(5)).await;
            first
        };
        let set = work([10, 20, 12, 13, 50, 50]).workers(n(3));
        let driven = set.drive().run(&scope, body, consumer).await;
        // At 15 ms: one taken, one waits, the others run.
        assert_eq!((driven.value, indexes(&driven.undelivered)), (0, vec![2, 3, 1, 4]));
        let count = driven.report.count;
        assert_eq!((count.done, count.cancelled, driven.report.elapsed()), (2, 3, ms(15)));
        assert_eq!(driven.report.stop, Stop::Cancelled(Reason::owner_dropped()));
        assert_eq!((driven.report.not_started, driven.report.rest.len()), (Some(1), 1));
        assert!(!scope.cancel_called(), "the caller's scope is not concerned");
    });
}

#[test]
fn dropped_results_end_the_run_and_the_consumer_goes_on() {
    sim::check(|sim| async move {
        let (scope, begun) = (Scope::new(sim.time()), sim.now());
        let consumer = async |results: Results<u64, u64, ()>| {
            drop(results);
            scope.sleep(ms(30)).await;
        };
        let driven = work([10, 20]).workers(n(2)).drive().run(&scope, body, consumer).await;
        assert_eq!((driven.report.count.total(), driven.report.elapsed()), (driven.undelivered.len() as u64, ms(0)));
        assert_eq!(sim.now() - begun, ms(30));
        // Results that outlive their consumer give nothing more.
        let mut kept = work([10]).drive().run(&scope, body, async |results| results).await;
        assert_eq!(kept.report.count.total(), kept.undelivered.len() as u64);
        assert!(kept.value.next().await.is_none());
    });
}

/// A waker that panics.
struct Bad;

impl Wake for Bad {
    fn wake(self: Arc<Self>) {
        resume_unwind(Box::new("a bad waker"));
    }
}

#[test]
fn dropped_results_keep_the_panic_of_a_waker_in() {
    sim::check(|sim| async move {
        let (scope, seen) = (Scope::new(sim.time()), RefCell::new(None));
        let body = |_: Lease<u64>| {
            seen.replace(current());
            pending::<Result<(), ()>>()
        };
        let driven = work(0..3).drive().run(&scope, body, async |results| {
            sim.yield_now().await;
            let scope: Scope = seen.take().expect("the first has begun");
            let mut until = Box::pin(scope.cancelled());
            assert!(until.as_mut().poll(&mut Context::from_waker(&Arc::new(Bad).into())).is_pending());
            drop(results);
            "it went on"
        });
        let driven = driven.await;
        assert_eq!((driven.value, driven.undelivered.len(), driven.report.count.cancelled), ("it went on", 1, 1));
    });
}

/// A clock that stands still, and counts how often it is read.
#[derive(Default)]
struct Counting(Arc<AtomicUsize>);

impl Clock for Counting {
    fn now(&self) -> Instant {
        self.0.fetch_add(1, Ordering::Relaxed);
        Instant::EPOCH
    }

    fn arm(&self, _: Instant) {}
}

#[test]
fn a_consumer_that_wakes_itself_polls_no_run() {
    let reads = Arc::new(AtomicUsize::new(0));
    let scope = Scope::new(Time::new(Counting(reads.clone())));
    // With a timeout for each item, the run reads the clock whenever it is polled.
    let run = work(0..1).item_timeout(ms(1)).drive().run(&scope, |_: Lease<u64>| pending::<Result<(), ()>>(), {
        let reads = &reads;
        async move |_results| {
            yield_now().await;
            let before = reads.load(Ordering::Relaxed);
            for _ in 0..1_000 {
                yield_now().await;
            }
            reads.load(Ordering::Relaxed) - before
        }
    });
    assert_eq!(block_on(run).value, 0);
}

/// Lets others have a turn.
async fn yield_now() {
    let mut polled = false;
    poll_fn(|cx| {
        cx.waker().wake_by_ref();
        if std::mem::replace(&mut polled, true) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

#[test]
fn what_the_deadline_cuts_short_goes_to_the_consumer() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        let set = work(vec![10; 9]).workers(n(2)).deadline_after(ms(15));
        let driven = set.drive().run(&scope, body, all).await;
        assert_eq!((driven.report.count.done, driven.report.count.cancelled), (2, 2));
        assert_eq!((driven.value.len(), driven.report.not_started, driven.report.stop), (4, Some(5), Stop::OutOfTime));
        let set = work(Vec::new()).drive().run(&scope, body, all).await;
        assert!(set.report.is_complete() && set.value.is_empty());
        assert_eq!(Drive::<FromIter<std::vec::IntoIter<u64>>>::DEFAULT_BUFFER, n(64));
    });
}

#[test]
fn a_wake_up_polls_the_one_that_it_is_for() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        let (polls, consumed) = (Cell::new(0), Cell::new(0));
        let body = |item: Lease<u64>| {
            let mut sleep = Box::pin(sim.time().sleep(ms(*item)));
            let polls = &polls;
            poll_fn(move |cx| {
                polls.set(polls.get() + 1);
                sleep.as_mut().poll(cx).map(Ok::<_, ()>)
            })
        };
        let consumer = async |results: Results<u64, (), ()>| {
            let mut taking = pin!(all(results));
            let mut ticks = 0;
            let mut tick = Box::pin(sim.time().sleep(ms(1)));
            poll_fn(|cx| {
                consumed.set(consumed.get() + 1);
                while ticks < 50 && tick.as_mut().poll(cx).is_ready() {
                    ticks += 1;
                    tick = Box::pin(sim.time().sleep(ms(1)));
                }
                taking.as_mut().poll(cx)
            })
            .await
        };
        let driven = work([200, 300]).workers(n(2)).drive().run(&scope, body, consumer).await;
        assert_eq!(
            (driven.value.len(), polls.get()),
            (2, 4),
            "two polls of each body, however often the consumer wakes"
        );
        // The first, a tick each, a result each, and the end.
        assert!(consumed.get() <= 1 + 50 + 1 + 2 + 1, "{}", consumed.get());
    });
}

#[test]
fn results_are_a_stream_and_everything_may_borrow() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        let words = ["a".to_owned(), "bc".to_owned()];
        let mut total = 0;
        let consumer = async |mut results: Results<&String, usize, ()>| {
            while let Some(ended) = poll_fn(|cx| Pin::new(&mut results).poll_next(cx)).await {
                total += ended.outcome.done().unwrap();
            }
        };
        let set = work(&words).drive();
        assert_send(set.run(&scope, |word: Lease<&String>| ready(Ok(word.len())), consumer)).await;
        assert_eq!(total, 3);
    });
}

/// Within another future the lifetime of what is borrowed counts as any.
#[test]
fn a_future_around_a_run_over_borrowed_items_is_send() {
    fn length(word: &&String) -> usize {
        word.len()
    }
    async fn total(scope: &Scope, words: &[String]) -> usize {
        let body = |word: Lease<&String>| ready(Ok::<_, ()>(word.len()));
        let sum = async |mut results: Results<_, usize, ()>| {
            let mut sum = 0;
            while let Some(ended) = results.next().await {
                sum += ended.outcome.done().unwrap();
            }
            sum
        };
        let freely = work(words).drive().run(scope, body, sum).await.value;
        freely + work(words).per_key(n(1), length).drive().run(scope, body, sum).await.value
    }
    sim::check(|sim| async move {
        let (scope, words) = (Scope::new(sim.time()), ["a".to_owned(), "bc".to_owned()]);
        assert_eq!(assert_send(async move { total(&scope, &words).await }).await, 6);
    });
}

#[test]
fn items_that_are_ready_at_once_let_others_have_a_turn() {
    let scope = Scope::new(ManualClock::new().time());
    let (done, mut turns) = (Cell::new(0_u32), Vec::new());
    let body = |_: Lease<u32>| {
        done.set(done.get() + 1);
        ready(Ok::<_, ()>(()))
    };
    let mut run = pin!(work(0..20_000).workers(n(4)).drive().run(
        &scope,
        body,
        async |mut results: Results<_, _, _>| { while results.next().await.is_some() {} }
    ));
    let driven = block_on(poll_fn(|cx| {
        turns.push(done.get());
        run.as_mut().poll(cx)
    }));
    assert_eq!(driven.report.count.done, 20_000);
    let most = turns.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
    assert!(most <= 5_000, "{most} items in one of {} turns", turns.len());
}

#[test]
fn a_panic_of_the_consumer_goes_through_and_leaves_nothing_behind() {
    let scope = Scope::new(ManualClock::new().time());
    let held = Rc::new(());
    let items: Vec<_> = (0..4).map(|n| (n, held.clone())).collect();
    let body = |item: Lease<(i32, Rc<()>)>| async move { if item.0 < 2 { Ok::<_, ()>(()) } else { pending().await } };
    let run = work(items).workers(n(2)).drive().run(&scope, body, async |mut results: Results<_, _, _>| {
        results.next().await;
        panic!("consumer")
    });
    let panic = catch_unwind(AssertUnwindSafe(|| drop(block_on(run)))).unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"consumer"));
    assert_eq!(Rc::strong_count(&held), 1);
}

fn below(rng: &mut Rng, n: usize) -> u64 {
    rng.below(n) as u64
}

/// A world in which much happens; whatever it is, every item is told once, in order if it is to be, and no more results wait
/// than may.
async fn much(sim: Sim) -> String {
    let mut rng = sim.rng();
    let (items, workers) = (below(&mut rng, 60), 1 + below(&mut rng, 6) as usize);
    let (buffer, in_order) = (1 + below(&mut rng, 8) as usize, below(&mut rng, 2) == 0);
    let scope = Scope::new(sim.time());
    let (cancelled, time, when) = (scope.clone(), sim.time(), below(&mut rng, 300));
    sim.spawn("canceller", async move {
        time.sleep(ms(when)).await;
        if when % 3 == 0 {
            cancelled.cancel("by chance");
        }
    });
    let mut setup = work(0..items).workers(n(workers));
    if below(&mut rng, 2) == 0 {
        setup = setup.item_timeout(ms(below(&mut rng, 30)));
    }
    if below(&mut rng, 2) == 0 {
        setup = setup.deadline_after(ms(below(&mut rng, 200))).grace(ms(below(&mut rng, 30)));
    }
    if below(&mut rng, 3) == 0 {
        setup = setup.rate(&Limiter::new(&sim.time(), Quota::per_second(NonZeroU32::new(300).unwrap())));
    }
    if below(&mut rng, 4) == 0 {
        setup = setup.on_error([OnError::StopStarting, OnError::CancelRest][below(&mut rng, 2) as usize]);
    }
    let mut most = workers;
    if below(&mut rng, 3) == 0 {
        let widths = [0; 3].map(|_| 1 + below(&mut rng, 6) as usize);
        most = widths.into_iter().max().unwrap();
        let (width, says) = watch::channel(n(widths[0]));
        setup = setup.workers_follow(says);
        let time = sim.time();
        sim.spawn("resizer", async move {
            for to in &widths[1..] {
                time.sleep(ms(30)).await;
                width.send(n(*to)).ok();
            }
        });
    }
    let takes = if below(&mut rng, 3) == 0 { below(&mut rng, 20) } else { u64::MAX };
    let pace = below(&mut rng, 3) * below(&mut rng, 15);
    // Those that have ended, or are worked on, and were not taken.
    let spawned = below(&mut rng, 2) == 0;
    let waiting = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
    let (noted, time) = (waiting.clone(), sim.time());
    let body = move |chance: &Mutex<Rng>, lease: Lease<u64>| {
        let (now, highest) = &*noted;
        highest.fetch_max(now.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
        let draws = [0; 2].map(|_: u64| below(&mut chance.lock().unwrap(), 1000));
        let time = time.clone();
        async move {
            if draws[0] < 700 {
                time.sleep(ms(draws[0] / 20)).await;
            }
            match draws[1] {
                0..100 => panic!("item {}", *lease),
                100..250 => Err(*lease),
                _ => Ok(*lease),
            }
        }
    };
    let consumer = async |mut results: Results<u64, u64, u64>| {
        let mut taken = Vec::new();
        while (taken.len() as u64) < takes {
            let Some(ended) = results.next().await else { break };
            let less = |now: usize| Some(now.saturating_sub(1));
            waiting.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).unwrap();
            taken.push(ended);
            sim.time().sleep(ms(pace)).await;
        }
        taken
    };
    let per_key = (below(&mut rng, 2) == 0).then(|| (n(1 + below(&mut rng, 2) as usize), below(&mut rng, 20) as usize));
    let (chance, spawner) = (Mutex::new(rng), sim.spawner());
    let body = move |lease| body(&chance, lease);
    // What may wait beyond what is worked on and the buffer.
    let mut more = 0;
    let all = if let Some((most, look_ahead)) = per_key {
        more = 1 + look_ahead;
        let set = setup.per_key(most, |item| item % 3).look_ahead(n(more)).drive().buffer(n(buffer));
        let set = if in_order { set.in_order() } else { set };
        let driven = match spawned {
            true => set.run_on(spawner, &scope, body, consumer).await,
            false => set.run(&scope, body, consumer).await,
        };
        All::of(driven, |rest| rest.set_aside.into_iter().chain(rest.rest).collect())
    } else {
        let set = setup.drive().buffer(n(buffer));
        let set = if in_order { set.in_order() } else { set };
        let driven = match spawned {
            true => set.run_on(spawner, &scope, body, consumer).await,
            false => set.run(&scope, body, consumer).await,
        };
        All::of(driven, Iterator::collect)
    };
    sim.time().sleep(ms(400)).await;

    assert!(waiting.1.load(Ordering::Relaxed) < buffer + most + more, "W1");
    let All { report, count: counted, mut told, undelivered, rest } = all;
    assert!(told.len() as u64 <= takes);
    assert!(takes < u64::MAX || undelivered.is_empty(), "whoever takes all gets all");
    told.extend(undelivered);
    let (mut count, mut seen) = (Count::new(), BTreeSet::new());
    for ended in &told {
        assert!(seen.insert(ended.index), "told once");
        count.accept(ended.clone());
        match &ended.outcome {
            ItemOutcome::Done(item) => assert_eq!(*item, ended.index),
            other => assert_eq!(other.clone().into_item(), Some(ended.index)),
        }
    }
    if in_order {
        assert!(indexes(&told).is_sorted());
    }
    assert_eq!(count, counted);
    for item in rest {
        assert!(seen.insert(item), "what was told is not left over");
    }
    assert_eq!(seen, (0..items).collect());
    format!("{report} {told:?}")
}

/// What became of an item.
type Fate = Ended<u64, u64, u64>;

/// What there is to be looked at, whatever is left of the source.
struct All {
    report: String,
    count: Count,
    told: Vec<Fate>,
    undelivered: Vec<Fate>,
    /// The items that are left.
    rest: Vec<u64>,
}

impl All {
    fn of<R: std::fmt::Debug>(driven: Delivery<R, Vec<Fate>, u64, u64, u64>, rest: impl FnOnce(R) -> Vec<u64>) -> Self {
        let Delivery { report, value: told, undelivered, .. } = driven;
        let said = format!("{report} {report:?}");
        let (count, rest) = (report.count, rest(report.rest));
        assert!(report.not_started.is_none_or(|left| left == rest.len()), "{said}");
        Self { report: said, count, told, undelivered, rest }
    }
}

#[test]
fn every_item_is_told_once_whatever_happens() {
    let summary = Builder::new().runs(1000).repeat_every(50).check(|sim| async move {
        much(sim).await;
    });
    assert!(2 * summary.traces > summary.runs as usize);
}

#[test]
fn the_same_seed_gives_the_same_results_to_the_byte() {
    let run = |seed| Builder::new().seed(seed).run(much).unwrap();
    let all: Vec<_> = (0..20).map(run).collect();
    assert_eq!(all, (0..20).map(run).collect::<Vec<_>>());
}
