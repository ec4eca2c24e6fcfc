//! Runs that are ended at any instant, and go on where they were.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::num::{NonZeroU64, NonZeroUsize};
use std::pin::pin;
use std::time::Duration;
use wakeful::cancel::Scope;
use wakeful::sim::{self, Builder, Sim};
use wakeful::work::{Checkpoint, Checkpointing, Collect, Count, Ended, ItemOutcome, Lease, resume, work};

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn n(n: u64) -> NonZeroUsize {
    NonZeroUsize::new(n as usize).unwrap()
}

/// One job of many runs. Each is ended early, as by a kill, after which nothing is saved, or by the drop of its future; the last one
/// has all the time that it needs. Indexes, if they were wrong, would be those of items that are done twice or never.
async fn job(sim: Sim) {
    let scope = Scope::new(sim.time());
    let items = sim.choose(30) as u64;
    let disk = RefCell::new(Checkpoint::new().to_string());
    let done: RefCell<BTreeMap<u64, u32>> = RefCell::default();
    // Items that were done, and are not saved when the process is killed.
    let mut lost = 0;
    for round in 0.. {
        let (is_last, is_killed) = (round == 4, sim.choose(2) == 0);
        let (killed, fails) = (Cell::new(false), Cell::new(false));
        let from: Checkpoint = disk.borrow().parse().unwrap();
        assert!((0..items).all(|item| !from.is_finished(item) || done.borrow().contains_key(&item)), "C2");
        let known: RefCell<BTreeSet<u64>> = RefCell::new((0..items).filter(|item| from.is_finished(*item)).collect());
        let save = |checkpoint: &Checkpoint| {
            if killed.get() || sim.choose(8) == 0 {
                fails.set(true);
                return Err("the disk is full");
            }
            fails.set(false);
            disk.replace(checkpoint.to_string());
            Ok(())
        };
        let note = |ended: Ended<u64, u64, ()>| {
            if let ItemOutcome::Done(item) = ended.outcome {
                *done.borrow_mut().entry(item).or_default() += 1;
                known.borrow_mut().insert(item);
            }
        };
        let every = 1 + sim.choose(4) as u64;
        let mut sink = Checkpointing::new(from.clone(), note, save).every(NonZeroU64::new(every).unwrap());
        let sim = &sim;
        let body = |item: Lease<u64>| {
            let (takes, fails) = (sim.choose(9) as u64, !is_last && sim.choose(6) == 0);
            async move {
                sim.time().sleep(ms(takes)).await;
                if fails { Err(()) } else { Ok(*item) }
            }
        };
        let run = work(resume(0..items, &from)).workers(n(1 + sim.choose(4) as u64)).run(&scope, body, &mut sink);
        let ends = sim.time().sleep(if is_last { Duration::MAX } else { ms(sim.choose(40) as u64) });
        drop(futures::future::select(pin!(run), pin!(ends)).await);
        let now = sink.checkpoint().clone();
        assert!((0..items).all(|item| now.is_finished(item) == known.borrow().contains(&item)), "C3");
        killed.set(is_killed && !is_last);
        drop(sink);
        let saved: Checkpoint = disk.borrow().parse().unwrap();
        lost += now.finished() - saved.finished();
        assert!(killed.get() || fails.get() || saved == now, "what is dropped saves the rest");
        if is_last {
            break;
        }
    }
    let done = done.into_inner();
    assert_eq!(done.len() as u64, items, "each is done");
    let again: u64 = done.values().map(|times| u64::from(*times) - 1).sum();
    assert!(again <= lost, "{again} done again, {lost} not saved");
}

#[test]
fn each_item_is_done_and_again_only_if_it_was_not_saved() {
    Builder::new().runs(1_500).check(job);
}

#[test]
fn it_is_saved_as_often_as_it_is_said_and_at_the_end() {
    sim::check(|sim| async move {
        let (scope, saves) = (Scope::new(sim.time()), RefCell::new(Vec::new()));
        let save = |checkpoint: &Checkpoint| {
            saves.borrow_mut().push((sim.now().as_nanos() / 1_000_000, checkpoint.to_string()));
            Ok::<_, Infallible>(())
        };
        let body = |item: Lease<u64>| {
            let sleep = sim.time().sleep(ms(*item));
            async move { (sleep.await, Ok::<_, ()>(())).1 }
        };
        let five = || Checkpointing::new(Checkpoint::new(), Count::new(), save).every(NonZeroU64::new(5).unwrap());
        work(vec![10; 12]).run(&scope, body, five()).await;
        assert_eq!(saves.take(), [(50, "5".into()), (100, "10".into()), (120, "12".into())]);
        // By the time too: it counts anew from each.
        let mut sink = five().every_period(&sim.time(), ms(25));
        let start = sim.now();
        let report = work(vec![10; 8]).run(&scope, body, &mut sink).await;
        let took: Vec<_> =
            saves.take().into_iter().map(|(at, text)| (at - start.as_nanos() / 1_000_000, text)).collect();
        assert_eq!(took, [(30, "3".into()), (60, "6".into())]);
        let finished = sink.finish();
        assert_eq!((finished.sink, finished.error), (report.count, None));
        assert_eq!((finished.checkpoint.to_string(), saves.take().len()), ("8".into(), 1));
    });
}

#[test]
fn errors_are_tried_again_unless_they_are_final() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        let body = |item: Lease<u64>| std::future::ready(if *item % 3 == 1 { Err(()) } else { Ok(*item) });
        let save = |_: &Checkpoint| Ok::<_, Infallible>(());
        let mut sink = Checkpointing::new(Checkpoint::new(), Count::new(), save);
        work(0..9).run(&scope, body, &mut sink).await;
        let first = sink.finish().checkpoint;
        assert_eq!(first.to_string(), "1 2-3 5-6 8");
        let mut sink = Checkpointing::new(first.clone(), Collect::new(), save).errors_are_final();
        let report = work(resume(0..9, &first)).run(&scope, body, &mut sink).await;
        assert_eq!((report.count.failed, report.rest), (3, 9..9));
        let finished = sink.finish();
        assert_eq!((finished.checkpoint.to_string(), finished.sink.as_slice().len()), ("9".into(), 3));
    });
}

#[test]
fn an_error_of_the_disk_is_tried_again_and_told_at_the_end() {
    sim::check(|sim| async move {
        let (scope, left) = (Scope::new(sim.time()), Cell::new(2));
        let save = |_: &Checkpoint| {
            left.set(left.get() - 1);
            if left.get() == 1 { Ok(()) } else { Err(left.get()) }
        };
        let mut sink = Checkpointing::new(Checkpoint::new(), Count::new(), save).every(NonZeroU64::new(2).unwrap());
        let body = |_: Lease<u64>| std::future::ready(Ok::<_, ()>(()));
        work(0..4).run(&scope, body, &mut sink).await;
        // With the second item, the fourth, and, since that failed, at the end.
        let finished = sink.finish();
        assert_eq!((left.get(), finished.error, finished.checkpoint.to_string()), (-1, Some(-1), "4".into()));
    });
}

#[test]
fn many_finished_items_are_left_out_a_few_at_a_time() {
    sim::check(|sim| async move {
        let (scope, others) = (Scope::new(sim.time()), Cell::new(0));
        let from: Checkpoint = "10000".parse().unwrap();
        let body = |item: Lease<u64>| std::future::ready(Ok::<_, ()>(*item));
        let run = work(resume(0..10_001, &from)).run(&scope, body, Count::new());
        let beside = async {
            loop {
                others.set(others.get() + 1);
                sim.yield_now().await;
            }
        };
        let futures::future::Either::Left((report, _)) = futures::future::select(pin!(run), pin!(beside)).await;
        assert_eq!((report.count.done, report.stop.to_string()), (1, "the source is exhausted".into()));
        // 128 at a time are left out, four times in a poll.
        assert!((19..=20).contains(&others.get()), "{}", others.get());
    });
}

#[test]
fn items_that_are_set_aside_for_their_key_are_not_taken_for_finished() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        let save = |_: &Checkpoint| Ok::<_, Infallible>(());
        let body = |item: Lease<u64>| {
            let sleep = sim.time().sleep(ms(10));
            async move { (sleep.await, Ok::<_, ()>(*item)).1 }
        };
        // All but the last three are of one key, one at a time.
        let key = |item: &u64| item.max(&6).to_owned();
        let (mut from, mut done) = ("1 4".parse::<Checkpoint>().unwrap(), vec![0, 4]);
        while from.low_water_mark() < 10 {
            let note = |ended: Ended<u64, u64, ()>| done.extend(ended.outcome.done());
            let mut sink = Checkpointing::new(from.clone(), note, save);
            let set = work(resume(0..10, &from)).workers(n(4)).deadline_after(ms(15)).per_key(n(1), key);
            set.run(&scope, body, &mut sink).await;
            from = sink.finish().checkpoint;
            done.sort_unstable();
            assert!(done.iter().all(|item| from.is_finished(*item)) && from.finished() == done.len() as u64, "{from}");
        }
        assert_eq!(done, (0..10).collect::<Vec<_>>());
    });
}
