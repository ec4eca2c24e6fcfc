//! Stores that fail: who adds many is told exactly which are there, and what runs outlasts that for a while.

use super::support::ms;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;
use wakeful::cancel::Scope;
use wakeful::docket::{
    AddError, Agenda, Answer, Cancelled, Claim, Claims, Close, Docket, Ending, Entry, EventKind, Fence, Finished,
    Generation, MemoryStore, Put, Registry, Renewal, Renewed, Row, Scatter, Sleep, Snapshot, State, Store, StoreError,
    Strike, StrikeId, Topic, Trace, When, WorkerError,
};
use wakeful::sim::{self, Sim};
use wakeful::time::Instant;

/// In memory, until it has been put into so often, and while it is not down.
#[derive(Clone)]
struct Shaky {
    store: MemoryStore,
    room: Arc<AtomicUsize>,
    is_down: Arc<AtomicBool>,
    /// Whether it can't tell of changes.
    is_dumb: Arc<AtomicBool>,
}

impl Shaky {
    fn new(sim: &Sim, room: usize) -> Self {
        let [is_down, is_dumb] = [false; 2].map(|is| Arc::new(AtomicBool::new(is)));
        Self { store: MemoryStore::new(&sim.time()), room: Arc::new(AtomicUsize::new(room)), is_down, is_dumb }
    }

    fn ask<'a, T>(&'a self, question: impl FnOnce(&'a MemoryStore) -> Answer<'a, T>) -> Answer<'a, T> {
        match self.is_down.load(Relaxed) {
            false => question(&self.store),
            true => Answer::ready(Err(down())),
        }
    }
}

/// The disk is full.
fn full() -> StoreError {
    StoreError::Failed("full".into())
}

/// It is being started anew.
fn down() -> StoreError {
    StoreError::Failed("down".into())
}

impl Store for Shaky {
    fn put(&self, entry: Entry) -> Answer<'_, Put> {
        match self.room.fetch_update(Relaxed, Relaxed, |room| room.checked_sub(1)) {
            Ok(_) => self.ask(|store| store.put(entry)),
            Err(_) => Answer::ready(Err(full())),
        }
    }

    fn cancel(&self, key: &str, grace: Duration) -> Answer<'_, Cancelled> {
        self.ask(|store| store.cancel(key, grace))
    }

    fn reschedule(&self, key: &str, due: When) -> Answer<'_, bool> {
        self.ask(|store| store.reschedule(key, due))
    }

    fn clear(&self) -> Answer<'_, usize> {
        self.ask(MemoryStore::clear)
    }

    fn claim(&self, claim: &Claim) -> Answer<'_, Claims> {
        self.ask(|store| store.claim(claim))
    }

    fn renew(&self, renewal: &Renewal) -> Answer<'_, Vec<Renewed>> {
        self.ask(|store| store.renew(renewal))
    }

    fn finish(&self, key: &str, fence: Fence, close: Close) -> Answer<'_, Finished> {
        self.ask(|store| store.finish(key, fence, close))
    }

    fn strike(&self, strike: Strike) -> Answer<'_, StrikeId> {
        self.ask(|store| store.strike(strike))
    }

    fn restore(&self, strike: StrikeId) -> Answer<'_, bool> {
        self.ask(|store| store.restore(strike))
    }

    fn look(&self, key: &str, generation: Option<Generation>) -> Answer<'_, Option<Row>> {
        self.ask(|store| store.look(key, generation))
    }

    fn scan(&self) -> Answer<'_, Snapshot> {
        self.ask(MemoryStore::scan)
    }

    fn changed(&self, topic: Topic, seen: u64) -> Answer<'_, u64> {
        match self.is_dumb.load(Relaxed) {
            false => self.ask(|store| store.changed(topic, seen)),
            true => Answer::ready(Err(down())),
        }
    }
}

/// A docket whose store has room for so many.
fn docket(sim: &Sim, room: usize) -> Docket {
    Docket::on(Shaky::new(sim, room), &sim.time(), Registry::new().builtins().unwrap())
}

/// The generations that the store has.
async fn there(docket: &Docket) -> Vec<Generation> {
    docket.snapshot().await.unwrap().rows.iter().map(|row| row.generation).collect()
}

#[test]
fn an_agenda_that_a_store_takes_in_part_says_which_part() {
    sim::run(|sim| async move {
        let mut agenda = Agenda::new();
        for n in 0..4 {
            agenda.task(&Sleep::of(ms(n))).unwrap().task(&Trace::with("t")).unwrap();
        }
        for room in 0..8 {
            let docket = docket(&sim, room);
            let error = agenda.scatter(&docket, Scatter::over(ms(70))).await.unwrap_err();
            assert_eq!((error.at, &error.error), (room, &AddError::Store(full())));
            let added: Vec<_> = error.added.iter().map(|handle| handle.generation()).collect();
            assert_eq!(added, there(&docket).await, "those and no others");
            assert_eq!(added.len(), room);
        }
        let handles = agenda.scatter(&docket(&sim, 8), Scatter::over(ms(70))).await.unwrap();
        assert_eq!(handles.len(), 8);
    });
}

#[test]
fn a_batch_that_a_store_takes_in_part_says_of_each_whether_it_is_there() {
    sim::run(|sim| async move {
        for room in 0..4 {
            let docket = docket(&sim, room);
            let added = docket.add_all((0..3).map(|n| docket.add(&Sleep::of(ms(n))).unwrap())).await;
            let (are_there, failed) = added.split_at(room.min(3));
            let added: Vec<_> = are_there.iter().map(|added| added.as_ref().unwrap().handle.generation()).collect();
            assert_eq!(added, there(&docket).await);
            for one in failed {
                assert_eq!(one.as_ref().unwrap_err(), &AddError::Store(full()));
            }
        }
    });
}

/// The default lease is 30 s, prolonged each ten; a failed request is repeated after 15/16, 15/8, 15/4 and 15/2 of a second.
#[test]
fn what_runs_outlasts_a_store_that_is_down_for_less_than_half_a_lease() {
    sim::run(|sim| async move {
        let store = Shaky::new(&sim, usize::MAX);
        let docket = Docket::on(store.clone(), &sim.time(), Registry::new().builtins().unwrap());
        let handle = docket.add(&Sleep::of(ms(100_000))).unwrap().send().await.unwrap().handle;
        let time = sim.time();
        sim.spawn("operator", async move {
            for (from, to) in [(25_000, 37_000), (60_000, 72_000), (95_000, 107_000)] {
                time.sleep_until(Instant::EPOCH + ms(from)).await;
                store.is_down.store(true, Relaxed);
                time.sleep_until(Instant::EPOCH + ms(to)).await;
                store.is_down.store(false, Relaxed);
            }
        });
        let begun = Arc::new(AtomicUsize::new(0));
        let worker = docket.worker("w").listen({
            let begun = begun.clone();
            move |event| {
                if event.kind == EventKind::Begun {
                    begun.fetch_add(1, Relaxed);
                }
            }
        });
        worker.until_finished(&Scope::new(sim.time())).await.unwrap();
        assert_eq!(sim.now(), Instant::EPOCH + Duration::from_micros(114_062_500), "told at the last try");
        assert!(handle.result().await.is_ok());
        assert_eq!(begun.load(Relaxed), 1, "it ran once");
    });
}

#[test]
fn a_store_that_stays_down_ends_its_worker_before_leases_lapse() {
    sim::run(|sim| async move {
        let store = Shaky::new(&sim, usize::MAX);
        let docket = Docket::on(store.clone(), &sim.time(), Registry::new().builtins().unwrap());
        docket.add(&Sleep::of(ms(100_000))).unwrap().send().await.unwrap();
        let time = sim.time();
        sim.spawn("operator", async move {
            time.sleep(ms(25_000)).await;
            store.is_down.store(true, Relaxed);
        });
        let ended = docket.worker("w").run(&Scope::new(sim.time())).await;
        assert_eq!(ended, Err(WorkerError::Store(down())));
        assert_eq!(sim.now(), Instant::EPOCH + Duration::from_micros(44_062_500), "of a lease until 50 s");
    });
}

#[test]
fn a_store_that_can_not_tell_of_changes_is_asked_now_and_then() {
    sim::run(|sim| async move {
        let store = Shaky::new(&sim, usize::MAX);
        store.is_dumb.store(true, Relaxed);
        let docket = Docket::on(store, &sim.time(), Registry::new().builtins().unwrap());
        let scope = Scope::new(sim.time());
        let worker = docket.worker("w");
        let task = sim.spawn("worker", {
            let scope = scope.clone();
            async move { worker.run(&scope).await }
        });
        sim.time().sleep(ms(1_000)).await;
        let handle = docket.add(&Sleep::of(ms(500))).unwrap().send().await.unwrap().handle;
        sim.time().sleep(ms(2_000)).await;
        assert!(matches!(handle.row().await.unwrap().unwrap().state, State::Ended(Ending::Done(_))));
        scope.cancel_with_grace("over", ms(100));
        assert_eq!(task.await, Ok(()));
    });
}

#[test]
fn a_worker_that_winds_down_does_not_wait_for_a_store_that_is_down() {
    sim::run(|sim| async move {
        let store = Shaky::new(&sim, usize::MAX);
        store.is_dumb.store(true, Relaxed);
        let docket = Docket::on(store.clone(), &sim.time(), Registry::new().builtins().unwrap());
        let scope = Scope::new(sim.time());
        let (worker, inside) = (docket.worker("w"), scope.clone());
        let task = sim.spawn("worker", async move { worker.run(&inside).await });
        sim.time().sleep(ms(5_000)).await;
        store.is_down.store(true, Relaxed);
        sim.time().sleep(ms(1_000)).await;
        scope.cancel_with_grace("over", ms(10_000));
        assert_eq!(task.await, Ok(()));
        assert_eq!(sim.now(), Instant::EPOCH + ms(6_000), "though it asks again at 6.5625 s");
    });
}
