//! Streams that are partitioned by key: F9.

use crate::ms;
use futures::{FutureExt, Stream, StreamExt, stream};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use wakeful::cancel::Scope;
use wakeful::flow::FlowExt;
use wakeful::queue;
use wakeful::sim::{self, Builder};

fn lanes(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).unwrap()
}

#[test]
fn a_key_has_one_item_at_a_time_and_so_many_keys_go_on_at_once() {
    sim::check(|sim| async move {
        // Two lanes: "c" waits for one of them, and the second "a" lets it go first.
        let items = [("a", 400), ("b", 100), ("a", 100), ("b", 100), ("c", 100), ("a", 50)];
        let now = || sim.now().as_nanos() / 1_000_000;
        let time = sim.time();
        let body = |(key, takes)| {
            let (time, now) = (&time, &now);
            async move {
                let started = now();
                time.sleep(ms(takes)).await;
                (key, started, now())
            }
        };
        let ended: Vec<_> = stream::iter(items).partition_by(lanes(2), |item| item.0, body).collect().await;
        let expected =
            [("b", 0, 100), ("b", 100, 200), ("c", 200, 300), ("a", 0, 400), ("a", 400, 500), ("a", 500, 550)];
        assert_eq!(ended, expected);
    });
}

#[test]
fn no_more_is_read_than_lanes_and_look_ahead_hold() {
    sim::run(|sim| async move {
        let read = Cell::new(0);
        let items = stream::iter(0..100).inspect(|_| read.set(read.get() + 1));
        let body = |n| {
            let time = sim.time();
            async move {
                time.sleep(ms(10)).await;
                n
            }
        };
        // One key: one item is worked on, and three are set aside.
        let mut one = Box::pin(items.partition_by(lanes(4), |_| (), body).look_ahead(lanes(3)));
        assert_eq!((one.next().now_or_never(), read.get(), one.busy(), one.set_aside()), (None, 4, 1, 3));
        assert_eq!(one.size_hint(), (100, Some(100)));
        assert_eq!((one.next().await, sim.now().as_nanos()), (Some(0), 10_000_000));
        let rest: Vec<_> = one.collect().await;
        assert_eq!((rest, read.get()), ((1..100).collect(), 100));

        // As many keys as items: what has no lane stays in the stream.
        let read = Cell::new(0);
        let items = stream::iter(0..100).inspect(|_| read.set(read.get() + 1));
        let mut many = Box::pin(items.partition_by(lanes(4), |n| *n, body));
        assert_eq!((many.next().now_or_never(), read.get(), many.busy(), many.set_aside()), (None, 4, 4, 0));
    });
}

#[test]
fn what_is_set_aside_is_handed_out_with_the_stream() {
    sim::run(|_| async move {
        let body = |_: i32| std::future::pending::<()>();
        let mut partitioned = stream::iter(0..9).partition_by(lanes(2), |n| n / 4, body);
        assert_eq!(partitioned.next().now_or_never(), None);
        let rest = partitioned.into_rest();
        // 0 and 4 have begun.
        assert_eq!((rest.set_aside, rest.rest.collect::<Vec<_>>().await), (vec![1, 2, 3], vec![5, 6, 7, 8]));
    });
}

#[test]
fn a_lost_future_of_the_next_result_loses_nothing() {
    sim::run(|sim| async move {
        let time = sim.time();
        let (tx, rx) = queue::unbounded();
        let body = |n| async move {
            wakeful::sleep(ms(10)).await;
            n
        };
        let mut partitioned = Box::pin(rx.into_stream().partition_by(lanes(2), |n| n % 2, body));
        let scope = Scope::new(time.clone());
        let sender = sim.spawn("sender", async move {
            for n in 0..20 {
                tx.send(n).await.unwrap();
                time.sleep(ms(n % 3)).await;
            }
        });
        let (mut seen, mut lost) = ([Vec::new(), Vec::new()], 0);
        loop {
            match scope.move_on_after(ms(3), async |_| partitioned.next().await).await.done() {
                Some(Some(n)) => seen[n as usize % 2].push(n),
                Some(None) => break,
                None => lost += 1,
            }
        }
        sender.await;
        assert_eq!(seen, [0, 1].map(|first| (first..20).step_by(2).collect::<Vec<_>>()));
        assert!(lost > 10, "{lost}");
    });
}

#[test]
fn a_body_that_panics_frees_its_lane_and_the_stream_goes_on() {
    sim::run(|_| async move {
        let body = |n: i32| async move {
            assert_ne!(n, 2, "no two");
            n
        };
        let mut partitioned = Box::pin(stream::iter(0..6).partition_by(lanes(1), |_| (), body));
        let mut seen = Vec::new();
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            while let Some(Some(n)) = partitioned.next().now_or_never() {
                seen.push(n);
            }
        }));
        assert!(panicked.is_err() && partitioned.busy() == 0);
        seen.extend(partitioned.collect::<Vec<_>>().await);
        assert_eq!(seen, [0, 1, 3, 4, 5]);

        // Also one that panics before there is a future.
        let body = |n: i32| {
            assert_ne!(n, 2, "no two");
            std::future::ready(n)
        };
        let mut partitioned = Box::pin(stream::iter(0..4).partition_by(lanes(1), |_| (), body));
        assert_eq!((partitioned.next().await, partitioned.next().await), (Some(0), Some(1)));
        assert!(catch_unwind(AssertUnwindSafe(|| partitioned.next().now_or_never())).is_err());
        assert_eq!((partitioned.next().await, partitioned.next().await), (Some(3), None));
    });
}

#[test]
fn what_always_goes_on_does_not_keep_its_task_from_others() {
    let spin = || async {
        loop {
            futures::pending!();
        }
    };
    let mut none = Box::pin(stream::repeat(()).partition_by(lanes(usize::MAX), |()| (), |()| spin()));
    assert_eq!(none.next().now_or_never(), None::<Option<()>>);
    assert_eq!((none.busy(), none.set_aside()), (1, 127), "after so many it is the others' turn");
}

#[test]
fn each_item_has_its_turn_under_every_schedule() {
    Builder::new().runs(200).check(|sim| async move {
        let (most, keys, count) = (1 + sim.choose(3), 1 + sim.choose(4), sim.choose(30));
        let items: Vec<_> = (0..count).map(|n| (sim.choose(keys), n, sim.choose(4) as u64)).collect();
        let (tx, rx) = queue::unbounded();
        let sender = sim.spawn("sender", {
            let (sim, items) = (sim.clone(), items.clone());
            async move {
                for item in items {
                    tx.send(item).await.unwrap();
                    match sim.choose(4) {
                        0 => sim.time().sleep(ms(sim.choose(4) as u64)).await,
                        1 => sim.yield_now().await,
                        _ => {}
                    }
                }
            }
        });
        let busy = RefCell::new(BTreeMap::new());
        let body = |(key, n, takes)| {
            let (sim, busy) = (&sim, &busy);
            async move {
                assert!(busy.borrow_mut().insert(key, n).is_none(), "two of one key");
                assert!(busy.borrow().len() <= most, "too many keys");
                for _ in 0..takes {
                    match sim.choose(2) {
                        0 => sim.time().sleep(ms(takes)).await,
                        _ => sim.yield_now().await,
                    }
                }
                busy.borrow_mut().remove(&key);
                (key, n)
            }
        };
        let look_ahead = lanes(1 + sim.choose(5));
        let mut all = Box::pin(rx.into_stream().partition_by(lanes(most), |item| item.0, body).look_ahead(look_ahead));
        let mut seen = Vec::new();
        while let Some(ended) = all.next().await {
            seen.push(ended);
            assert!(all.busy() <= most && all.set_aside() <= look_ahead.get());
        }
        sender.await;
        seen.sort_by_key(|(key, _)| *key);
        let mut expected: Vec<_> = items.iter().map(|(key, n, _)| (*key, *n)).collect();
        expected.sort_by_key(|(key, _)| *key);
        assert_eq!(seen, expected, "each once, in the order of its key");
    });
}

#[test]
fn whichever_poll_a_future_of_a_result_is_dropped_at_its_item_goes_on() {
    Builder::new().runs(20).check(|sim| async move {
        let (tx, rx) = queue::unbounded();
        let sender = sim.spawn("sender", {
            let time = sim.time();
            async move {
                for n in 0..6 {
                    tx.send(n).await.unwrap();
                    time.sleep(ms(n % 2)).await;
                }
            }
        });
        let time = sim.time();
        let body = |n: u64| {
            let sleep = time.sleep(ms(5));
            async move {
                sleep.await;
                n
            }
        };
        let mut results = Box::pin(rx.into_stream().partition_by(lanes(2), |n| n % 2, body));
        let mut seen: Vec<_> = sim.cancel_at_each(results.next()).await.flatten().into_iter().collect();
        seen.extend(results.by_ref().collect::<Vec<_>>().await);
        seen.sort_by_key(|n| n % 2);
        assert_eq!(seen, [0, 2, 4, 1, 3, 5]);
        assert_eq!((results.busy(), results.set_aside(), time.pending()), (0, 0, 0));
        sender.await;
    });
}
