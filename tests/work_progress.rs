//! Batch work that says how far it has come.

use std::num::{NonZeroU64, NonZeroUsize};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use wakeful::cancel::Scope;
use wakeful::sim::{self, Builder, Rng, Sim};
use wakeful::time::{Instant, Time};
use wakeful::work::{Collect, Count, Ended, Lease, Progress, Progressing, Sink, work};

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Takes 10 ms; every fifth fails.
async fn body(item: Lease<u64>) -> Result<u64, ()> {
    wakeful::sleep(ms(10)).await;
    if *item % 5 == 4 { Err(()) } else { Ok(*item) }
}

#[test]
fn it_is_told_after_each_item_or_so_many_or_a_period_and_at_the_end() {
    sim::check(|sim| async move {
        let (scope, three) = (Scope::new(sim.time()), NonZeroU64::new(3).unwrap());
        for (every, period, expected) in [
            (None, None, (1..=10).collect::<Vec<_>>()),
            (Some(three), None, vec![3, 6, 9, 10]),
            (None, Some(ms(40)), vec![4, 8, 10]),
            (Some(three), Some(ms(40)), vec![3, 6, 9, 10]),
            (Some(three), Some(ms(20)), vec![2, 4, 6, 8, 10]),
            (None, Some(Duration::ZERO), (1..=10).collect()),
            (None, Some(Duration::MAX), vec![10]),
        ] {
            let mut told = Vec::new();
            let mut sink = Progressing::new(&sim.time(), Collect::new(), |progress: &Progress| {
                assert_eq!(progress.elapsed, ms(10 * progress.count.total()));
                assert_eq!(progress.remaining, Some(10 - progress.count.total()));
                told.push(progress.count.total());
            })
            .total(10);
            if let Some(every) = every {
                sink = sink.every(every);
            }
            if let Some(period) = period {
                sink = sink.every_period(period);
            }
            let report = work(0..10).run(&scope, body, &mut sink).await;
            assert_eq!(sink.progress().count, report.count);
            assert_eq!((sink.into_sink().as_slice().len(), told), (10, expected), "{every:?} {period:?}");
        }
    });
}

#[test]
fn the_time_left_is_told_by_the_mean_so_far() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        let mut lines = Vec::new();
        let sink = Progressing::new(&sim.time(), Count::new(), |progress: &Progress| {
            lines.push((progress.to_string(), progress.time_left()));
        });
        assert_eq!(sink.progress().time_left(), None);
        // More end than were said to come.
        let sink = sink.total(4).every(NonZeroU64::new(2).unwrap());
        work(0..5).run(&scope, body, sink).await;
        let line = |done: u32, left: u32, at: u32| {
            format!(
                "{done} done, 0 failed, 0 panicked, 0 timed out, 0 cancelled, 0 skipped, {left} to go after 0.0{at}s"
            )
        };
        assert_eq!(lines, [(line(2, 2, 20), Some(ms(20))), (line(4, 0, 40), Some(ms(0)))]);
    });
}

/// Below `n`, of a source of random numbers.
fn below(rng: &mut Rng, n: u64) -> u64 {
    rng.next_u64() % n
}

/// Notes when each item ended.
#[derive(Default)]
struct Noted {
    ends: Vec<Instant>,
    count: Count,
}

/// A sink that notes, at a clock.
struct Notes(Time, Arc<Mutex<Noted>>);

impl Sink<u64, u64, u64> for Notes {
    fn accept(&mut self, ended: Ended<u64, u64, u64>) {
        let mut noted = self.1.lock().unwrap();
        noted.ends.push(self.0.now());
        noted.count.accept(ended);
    }
}

/// How many had ended whenever it had to be told, of items that ended at these instants.
fn must_tell(begun: Instant, ends: &[Instant], every: Option<u64>, period: Option<Duration>, total: u64) -> Vec<u64> {
    let (mut told, mut untold, mut last) = (Vec::new(), 0, begun);
    for (ended, at) in (1..).zip(ends) {
        untold += 1;
        let enough = every.map_or(period.is_none(), |every| untold >= every);
        if enough || ended == total || period.is_some_and(|period| *at >= last + period) {
            told.push(ended);
            (untold, last) = (0, *at);
        }
    }
    told
}

/// Runs with random numbers of everything, on tasks or in place, maybe dropped half-way: each item that has ended is handed on,
/// and told of when it has to be.
async fn much(sim: Sim) {
    let mut rng = sim.rng();
    let (scope, items) = (Scope::new(sim.time()), below(&mut rng, 40));
    let workers = NonZeroUsize::new(1 + below(&mut rng, 5) as usize).unwrap();
    let every = (below(&mut rng, 2) == 0).then(|| 1 + below(&mut rng, 6));
    let period = (below(&mut rng, 2) == 0).then(|| ms(below(&mut rng, 60)));
    let (given_up, begun) = (ms(below(&mut rng, 300)), sim.now());
    let (noted, told) = (Arc::<Mutex<Noted>>::default(), Arc::new(Mutex::new(Vec::new())));
    let tell = {
        let (noted, told, time) = (noted.clone(), told.clone(), sim.time());
        move |progress: &Progress| {
            assert_eq!((progress.elapsed, progress.count), (time.now() - begun, noted.lock().unwrap().count));
            assert_eq!(progress.remaining, Some(items - progress.count.total()));
            told.lock().unwrap().push(progress.count.total());
        }
    };
    let mut sink = Progressing::new(&sim.time(), Notes(sim.time(), noted.clone()), tell).total(items);
    if let Some(every) = every {
        sink = sink.every(NonZeroU64::new(every).unwrap());
    }
    if let Some(period) = period {
        sink = sink.every_period(period);
    }
    let set = work(0..items).workers(workers).deadline_after(ms(200)).item_timeout(ms(40));
    let (spawned, time) = (below(&mut rng, 2) == 0, sim.time());
    let rng = Mutex::new(rng);
    let body = move |item: Lease<u64>| {
        let [pause, end] = [(); 2].map(|()| below(&mut rng.lock().unwrap(), 1000));
        let time = time.clone();
        async move {
            if pause < 800 {
                time.sleep(ms(pause / 16)).await;
            }
            match end {
                0..100 => panic!("item {}", *item),
                100..250 => Err(*item),
                _ => Ok(*item),
            }
        }
    };
    let report = scope.move_on_after(given_up, async |s| match spawned {
        true => set.run_on(sim.spawner(), s, body, sink).await.0.count,
        false => set.run(s, body, sink).await.count,
    });
    let count = report.await.done();
    sim.time().sleep(ms(400)).await;
    let noted = noted.lock().unwrap();
    assert!(count.is_none_or(|count| count == noted.count), "what was told is what is reported");
    assert_eq!(*told.lock().unwrap(), must_tell(begun, &noted.ends, every, period, items));
}

#[test]
fn it_is_told_when_it_has_to_be_whatever_happens() {
    let summary = Builder::new().runs(300).repeat_every(50).check(much);
    assert!(2 * summary.traces > summary.runs as usize);
}
