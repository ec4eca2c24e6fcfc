//! Random requests to a store, beside a model that looks at every row each time.

use super::support::*;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use wakeful::docket::{
    Claimed, Close, Ending, Entry, Existing, Fence, Finished, Gate, Generation, MemoryStore, Put, Renewed, State,
    Store, Strike, StrikeId, Test, When,
};
use wakeful::sim::{Builder, Rng, Sim};
use wakeful::time::Instant;

#[derive(Clone, Debug)]
struct ModelRow {
    entry: Entry,
    due: Instant,
    errors: u32,
    deliveries: u32,
    at: At,
}

#[derive(Clone, PartialEq, Debug)]
enum At {
    Queue,
    Follows,
    Runs { fence: Fence, until: Instant, cancelled: bool },
    Ended(Ending),
}

#[derive(Default)]
struct Model {
    rows: BTreeMap<Generation, ModelRow>,
    strikes: BTreeMap<StrikeId, Strike>,
}

impl Model {
    fn current(&self, key: &str) -> Option<Generation> {
        let of = |row: &ModelRow| row.entry.key == key && matches!(row.at, At::Queue | At::Runs { .. });
        let mut current = self.rows.iter().filter(|(_, row)| of(row));
        let first = current.next().map(|(generation, _)| *generation);
        assert!(current.next().is_none(), "a key has one row");
        first
    }

    fn follower(&self, key: &str) -> Option<Generation> {
        let of = |row: &ModelRow| row.entry.key == key && row.at == At::Follows;
        self.rows.iter().find(|(_, row)| of(row)).map(|(generation, _)| *generation)
    }

    fn runs(&self, generation: Generation) -> bool {
        matches!(self.rows[&generation].at, At::Runs { .. })
    }

    fn struck(&self, entry: &Entry) -> Option<StrikeId> {
        let mut of = self.strikes.iter().filter(|(_, strike)| strike.matches(&entry.name, &entry.args));
        of.next().map(|(id, _)| *id)
    }

    fn end(&mut self, generation: Generation, ending: Ending) {
        let row = self.rows.get_mut(&generation).unwrap();
        assert!(!matches!(row.at, At::Ended(_)), "every row ends once");
        let was_follower = row.at == At::Follows;
        row.at = At::Ended(ending);
        let key = row.entry.key.clone();
        if !was_follower && let Some(follower) = self.follower(&key) {
            self.rows.get_mut(&follower).unwrap().at = At::Queue;
        }
    }

    /// What a store must answer to this put, but for a generation that is new.
    fn put(&mut self, entry: Entry, due: Instant, got: &Put) {
        let row = |entry: &Entry, at| ModelRow { entry: entry.clone(), due, errors: 0, deliveries: 0, at };
        if self.strikes.values().any(|strike| strike.matches(&entry.name, &entry.args)) {
            return assert!(matches!(got, Put::Struck(id) if self.strikes[id].matches(&entry.name, &entry.args)));
        }
        let Some(current) = self.current(&entry.key) else {
            let Put::Added(new) = *got else { panic!("{got:?}") };
            self.rows.insert(new, row(&entry, At::Queue));
            return;
        };
        let (running, follower) = (self.runs(current), self.follower(&entry.key));
        let newest = follower.unwrap_or(current);
        let keep = match entry.existing {
            Existing::Keep => true,
            Existing::Follow => !running || follower.is_some(),
            Existing::Replace | Existing::ReplaceIf(_) => false,
        };
        if keep {
            return assert_eq!(*got, Put::Exists { generation: newest, running });
        }
        let (Put::Replaced(new) | Put::Following(new)) = *got else { panic!("{got:?}") };
        assert_eq!(matches!(got, Put::Following(_)), running);
        for old in follower.into_iter().chain((!running).then_some(current)) {
            self.end(old, Ending::Replaced(new));
        }
        self.rows.insert(new, row(&entry, if running { At::Follows } else { At::Queue }));
    }

    fn lapse(&mut self, now: Instant) {
        let lapsed: Vec<_> = self
            .rows
            .iter()
            .filter_map(|(generation, row)| match row.at {
                At::Runs { until, cancelled, .. } if until <= now => Some((*generation, cancelled)),
                _ => None,
            })
            .collect();
        for (generation, cancelled) in lapsed {
            let row = self.rows.get_mut(&generation).unwrap();
            match row.deliveries {
                _ if cancelled => self.end(generation, Ending::Cancelled),
                cap if cap >= row.entry.deliveries.get() => self.end(generation, Ending::Dead(cap)),
                _ => row.at = At::Queue,
            }
        }
    }

    /// Which rows a claim must take: in order, and past nobody who waits at one of their gates.
    fn claim(&mut self, most: usize, now: Instant) -> Vec<Generation> {
        let rank = |(generation, row): (&Generation, &ModelRow)| (Reverse(row.entry.priority), row.due, *generation);
        let is_due = |(_, row): &(&Generation, &ModelRow)| row.at == At::Queue && row.due <= now;
        let mut due: BTreeSet<_> = self.rows.iter().filter(is_due).map(rank).collect();
        let (mut taken, mut waiting) = (Vec::new(), Vec::new());
        while taken.len() < most
            && let Some(first) = due.pop_first()
        {
            let entry = self.rows[&first.2].entry.clone();
            if let Some(strike) = self.struck(&entry) {
                self.end(first.2, Ending::Struck(strike));
                // What follows comes in its place.
                let next = self.current(&entry.key).and_then(|next| self.rows.get_key_value(&next));
                due.extend(next.filter(is_due).map(rank));
                continue;
            }
            let through = |generation: &Generation, gate: &Gate| self.rows[generation].entry.gates.contains(gate);
            let open = |gate: &Gate| {
                let held = self
                    .rows
                    .values()
                    .filter(|row| matches!(row.at, At::Runs { .. }) && row.entry.gates.contains(gate));
                let now = taken.iter().filter(|generation| through(generation, gate));
                let ahead =
                    waiting.iter().filter(|rank: &&(_, _, Generation)| **rank < first && through(&rank.2, gate));
                held.count() + now.count() + ahead.take(1).count() < limit(&gate.name) as usize
            };
            if entry.gates.iter().all(open) {
                taken.push(first.2);
            } else {
                waiting.push(first);
            }
        }
        taken
    }
}

fn limit(gate: &str) -> u32 {
    if gate == "x" { 1 } else { 2 }
}

fn random_entry(rng: &mut Rng) -> Entry {
    let key = ["a", "b", "c", "d", "e", "f", "g"][rng.below(7)];
    let mut gates: BTreeSet<&str> = BTreeSet::new();
    for _ in 0..rng.below(3) {
        gates.insert(["x", "y", "z"][rng.below(3)]);
    }
    let gates = gates.into_iter().map(|name| gate(name, limit(name))).collect();
    Entry {
        gates,
        due: When::In(ms([0, 0, 5, 20][rng.below(4)])),
        priority: rng.below(2) as i32,
        deliveries: n(1 + rng.below(2) as u32),
        existing: [Existing::Keep, Existing::Replace, Existing::Follow][rng.below(3)],
        ..entry(key)
    }
}

/// How the runs that are known to have been claimed go on: some of them were lost meanwhile.
async fn end_one(store: &impl Store, model: &mut Model, run: Claimed, rng: &mut Rng, now: Instant) {
    let held = matches!(model.rows[&run.generation].at, At::Runs { fence, .. } if fence == run.fence);
    let how = match rng.below(3) {
        0 => Close::End(Ending::Done(1.into()), None),
        1 => Close::Retry(ms(5), "no".into()),
        _ => Close::Back,
    };
    let finished = close(store, &run, how.clone()).await;
    if !held {
        return assert_eq!(finished, Finished::Lost);
    }
    let row = model.rows.get_mut(&run.generation).unwrap();
    let At::Runs { cancelled, .. } = row.at else { unreachable!() };
    match how {
        Close::End(ending, _) => model.end(run.generation, ending),
        _ if cancelled => model.end(run.generation, Ending::Cancelled),
        Close::Retry(after, _) => {
            (row.due, row.at, row.errors, row.deliveries) = (now + after, At::Queue, row.errors + 1, 0);
        }
        Close::Back => (row.at, row.deliveries) = (At::Queue, row.deliveries - 1),
    }
    assert_eq!(finished, Finished::Done(model.current(&run.key)));
}

/// The store's rows are the model's.
async fn compare(store: &impl Store, model: &Model) {
    let snapshot = store.scan().await.unwrap();
    assert_eq!(snapshot.rows.len(), model.rows.len());
    for row in &snapshot.rows {
        let of = &model.rows[&row.generation];
        let same = match (&row.state, &of.at) {
            (State::Future, At::Queue) => of.due > snapshot.now,
            (State::Queued | State::Waiting, At::Queue) => of.due <= snapshot.now,
            (State::Following, At::Follows) => true,
            (State::Running { fence, until, cancelled, .. }, at) => {
                *at == At::Runs { fence: *fence, until: *until, cancelled: *cancelled }
            }
            (State::Ended(ending), At::Ended(expected)) => ending == expected,
            _ => false,
        };
        assert!(same && row.due == of.due, "{row:?} is not {of:?}");
    }
    for gate in &snapshot.gates {
        let holds = |row: &&ModelRow| {
            matches!(row.at, At::Runs { .. }) && row.entry.gates.iter().any(|other| other.name == gate.name)
        };
        assert_eq!(gate.held as usize, model.rows.values().filter(holds).count());
        assert!(gate.held <= limit(&gate.name), "never over a limit");
    }
}

/// Asks a store whose time begins with the run's.
pub(crate) async fn requests(sim: Sim, store: impl Store) {
    let (time, mut rng) = (sim.time(), sim.rng());
    let (mut model, mut runs) = (Model::default(), Vec::new());
    for _ in 0..80 {
        let now = time.now();
        match rng.below(12) {
            0..=3 => {
                let entry = random_entry(&mut rng);
                let When::In(after) = entry.due else { unreachable!() };
                let put = store.put(entry.clone()).await.unwrap();
                model.put(entry, now + after, &put);
            }
            4 | 5 => {
                let most = 1 + rng.below(3);
                let claims = claims(&store, most).await;
                let taken: Vec<_> = claims.taken.iter().map(|run| run.generation).collect();
                assert_eq!(taken, model.claim(most, now));
                for run in claims.taken {
                    let row = model.rows.get_mut(&run.generation).unwrap();
                    row.deliveries += 1;
                    row.at = At::Runs { fence: run.fence, until: now + LEASE, cancelled: false };
                    assert_eq!((run.attempt, run.delivery), (row.errors + 1, row.deliveries));
                    assert!(run.delivery <= row.entry.deliveries.get(), "the cap");
                    runs.push(run);
                }
            }
            6..=8 if !runs.is_empty() => {
                let run = runs.remove(rng.below(runs.len()));
                end_one(&store, &mut model, run, &mut rng, now).await;
            }
            9 if !runs.is_empty() => {
                let run = &runs[rng.below(runs.len())];
                let renewed = renew(&store, run).await;
                match &mut model.rows.get_mut(&run.generation).unwrap().at {
                    At::Runs { fence, until, cancelled } if *fence == run.fence => {
                        assert_eq!(matches!(renewed, Renewed::Cancelled(_)), *cancelled);
                        *until = now + LEASE;
                    }
                    _ => assert_eq!(renewed, Renewed::Lost),
                }
            }
            10 => {
                let key = ["a", "b", "c", "d"][rng.below(4)];
                store.cancel(key, ms(0)).await.unwrap();
                if let Some(follower) = model.follower(key) {
                    model.end(follower, Ending::Cancelled);
                }
                if let Some(current) = model.current(key) {
                    match &mut model.rows.get_mut(&current).unwrap().at {
                        At::Runs { cancelled, .. } => *cancelled = true,
                        _ => model.end(current, Ending::Cancelled),
                    }
                }
            }
            11 if rng.below(3) == 0 => match model.strikes.keys().next().copied() {
                Some(strike) if rng.below(2) == 0 => {
                    model.strikes.remove(&strike);
                    assert_eq!(store.restore(strike).await, Ok(true));
                }
                _ => {
                    let key = ["e", "f"][rng.below(2)];
                    let strike = Strike::field("of", Test::Eq(key.into()));
                    model.strikes.insert(store.strike(strike.clone()).await.unwrap(), strike);
                }
            },
            _ => {
                time.sleep(ms([1, 7, 40][rng.below(3)])).await;
                model.lapse(time.now());
            }
        }
        compare(&store, &model).await;
    }
}

#[test]
fn every_request_is_answered_as_by_a_model_that_looks_at_every_row() {
    Builder::new().runs(400).check(|sim| {
        let store = MemoryStore::new(&sim.time());
        requests(sim, store)
    });
}
