//! A store that fails half-way: who adds many is told exactly which are there.

use super::support::ms;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;
use wakeful::docket::{
    AddError, Agenda, Answer, Cancelled, Claim, Claims, Close, Docket, Entry, Fence, Finished, Generation, MemoryStore,
    Put, Registry, Renewal, Renewed, Row, Scatter, Sleep, Snapshot, Store, StoreError, Strike, StrikeId, Topic, Trace,
    When,
};
use wakeful::sim::{self, Sim};

/// In memory, until it has been put into so often.
#[derive(Clone)]
struct Full {
    store: MemoryStore,
    room: Arc<AtomicUsize>,
}

/// The disk is full.
fn full() -> StoreError {
    StoreError::Failed("full".into())
}

impl Store for Full {
    fn put(&self, entry: Entry) -> Answer<'_, Put> {
        match self.room.fetch_update(Relaxed, Relaxed, |room| room.checked_sub(1)) {
            Ok(_) => self.store.put(entry),
            Err(_) => Answer::ready(Err(full())),
        }
    }

    fn cancel(&self, key: &str, grace: Duration) -> Answer<'_, Cancelled> {
        self.store.cancel(key, grace)
    }

    fn reschedule(&self, key: &str, due: When) -> Answer<'_, bool> {
        self.store.reschedule(key, due)
    }

    fn clear(&self) -> Answer<'_, usize> {
        self.store.clear()
    }

    fn claim(&self, claim: &Claim) -> Answer<'_, Claims> {
        self.store.claim(claim)
    }

    fn renew(&self, renewal: &Renewal) -> Answer<'_, Vec<Renewed>> {
        self.store.renew(renewal)
    }

    fn finish(&self, key: &str, fence: Fence, close: Close) -> Answer<'_, Finished> {
        self.store.finish(key, fence, close)
    }

    fn strike(&self, strike: Strike) -> Answer<'_, StrikeId> {
        self.store.strike(strike)
    }

    fn restore(&self, strike: StrikeId) -> Answer<'_, bool> {
        self.store.restore(strike)
    }

    fn look(&self, key: &str, generation: Option<Generation>) -> Answer<'_, Option<Row>> {
        self.store.look(key, generation)
    }

    fn scan(&self) -> Answer<'_, Snapshot> {
        self.store.scan()
    }

    fn changed(&self, topic: Topic, seen: u64) -> Answer<'_, u64> {
        self.store.changed(topic, seen)
    }
}

/// A docket whose store has room for so many.
fn docket(sim: &Sim, room: usize) -> Docket {
    let store = Full { store: MemoryStore::new(&sim.time()), room: Arc::new(AtomicUsize::new(room)) };
    Docket::on(store, &sim.time(), Registry::new().builtins().unwrap())
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
