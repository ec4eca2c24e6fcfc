//! Random requests to a store, beside a model that looks at every row each time.

use super::support::*;
use ledger::{Model, instant};
use std::collections::BTreeSet;
use wakeful::docket::{Close, Ending, Entry, Existing, Generation, MemoryStore, Store, Strike, Test, When};
use wakeful::sim::{Builder, Rng, Sim};

#[path = "../../fuzz/models/ledger.rs"]
mod ledger;

fn random_entry(rng: &mut Rng, model: &Model) -> Entry {
    let key = ["a", "b", "c", "d", "e", "f", "g"][rng.below(7)];
    let mut gates: BTreeSet<&str> = BTreeSet::new();
    for _ in 0..rng.below(3) {
        gates.insert(["x", "y", "z"][rng.below(3)]);
    }
    let gates = gates.into_iter().map(|name| gate(name, if name == "x" { 1 } else { 2 })).collect();
    let if_newest = Existing::ReplaceIf(model.newest(key).unwrap_or(Generation(0)));
    Entry {
        gates,
        due: When::In(ms([0, 0, 5, 20][rng.below(4)])),
        priority: rng.below(2) as i32,
        deliveries: n(1 + rng.below(2) as u32),
        existing: [Existing::Keep, Existing::Replace, Existing::Follow, if_newest][rng.below(4)],
        ..entry(key)
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
                let entry = random_entry(&mut rng, &model);
                let put = store.put(entry.clone()).await.unwrap();
                model.put(entry.clone(), instant(entry.due, now), &put);
            }
            4 | 5 => {
                let most = 1 + rng.below(3);
                let taken = claims(&store, most).await.taken;
                model.claimed(most, LEASE, now, &taken);
                runs.extend(taken);
            }
            // Some of them were lost meanwhile.
            6..=8 if !runs.is_empty() => {
                let run = runs.remove(rng.below(runs.len()));
                let how = match rng.below(4) {
                    0 => Close::End(Ending::Done(1.into()), None),
                    1 => Close::End(Ending::TimedOut, Some(after(&run.key, ms(5)))),
                    2 => Close::Retry(ms(5), "no".into()),
                    _ => Close::Back,
                };
                let finished = close(&store, &run, how.clone()).await;
                model.finished(&run, how, now + ms(5), now, &finished);
            }
            9 if !runs.is_empty() => {
                let run = &runs[rng.below(runs.len())];
                model.renewed(run, LEASE, now, &renew(&store, run).await);
            }
            10 => {
                let key = ["a", "b", "c", "d"][rng.below(4)];
                match rng.below(8) {
                    0 => model.cleared(store.clear().await.unwrap()),
                    1 | 2 => {
                        let moved = store.reschedule(key, When::In(ms(5))).await.unwrap();
                        model.rescheduled(key, now + ms(5), moved);
                    }
                    _ => model.cancelled(key, &store.cancel(key, ms(0)).await.unwrap()),
                }
            }
            11 if rng.below(3) == 0 => match model.nth_strike(0) {
                Some(strike) if rng.below(2) == 0 => {
                    model.restore(strike);
                    assert_eq!(store.restore(strike).await, Ok(true));
                }
                _ => {
                    let key = ["e", "f"][rng.below(2)];
                    let strike = Strike::field("of", Test::Eq(key.into()));
                    model.strike(store.strike(strike.clone()).await.unwrap(), strike);
                }
            },
            _ => {
                time.sleep(ms([1, 7, 40][rng.below(3)])).await;
                model.lapse(time.now());
            }
        }
        model.compare(&store.scan().await.unwrap());
    }
}

#[test]
fn every_request_is_answered_as_by_a_model_that_looks_at_every_row() {
    Builder::new().runs(400).check(|sim| {
        let store = MemoryStore::new(&sim.time());
        requests(sim, store)
    });
}
