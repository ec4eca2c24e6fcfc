//! Groups against a model.

use super::groups::{Called, Groups};
use crate::sys::mix;
use alloc::vec::Vec;

/// Draws of one seed.
struct Draws(u64);

impl Draws {
    fn below(&mut self, n: u64) -> u64 {
        mix::next(&mut self.0) % n
    }
}

/// The plainest thing that does the same: items in their order, each set aside, called or worked on.
struct Model {
    most: usize,
    aside: Vec<(u64, u64)>,
    busy: Vec<(u64, u64)>,
    /// Keys of items that have ended, in order, for which one that is set aside has room.
    called: Vec<u64>,
}

impl Model {
    fn busy(&self, key: u64) -> usize {
        let worked_on = self.busy.iter().filter(|(k, _)| *k == key).count();
        worked_on + self.called.iter().filter(|k| **k == key).count()
    }

    fn admit(&mut self, key: u64, at: u64) -> Option<u64> {
        let started = self.busy(key) < self.most;
        if started { &mut self.busy } else { &mut self.aside }.push((key, at));
        started.then_some(at)
    }

    fn ended(&mut self, at: u64) {
        let (key, _) = self.busy.remove(self.busy.iter().position(|(_, a)| *a == at).unwrap());
        let called = self.called.iter().filter(|k| **k == key).count();
        if self.aside.iter().filter(|(k, _)| *k == key).count() > called {
            self.called.push(key);
        }
    }

    fn next_called(&mut self) -> Option<u64> {
        if self.called.is_empty() {
            return None;
        }
        let key = self.called.remove(0);
        let first = self.aside.iter().position(|(k, _)| *k == key).unwrap();
        let (key, at) = self.aside.remove(first);
        self.busy.push((key, at));
        Some(at)
    }
}

#[test]
fn groups_do_what_a_list_of_all_items_does() {
    for seed in 0..300 {
        let mut draws = Draws(seed);
        let (most, look_ahead, keys) = (1 + draws.below(3), 1 + draws.below(8), 1 + draws.below(5));
        let (most, look_ahead) = (most as usize, look_ahead as usize);
        let mut groups = Groups::new(most, look_ahead);
        let mut model = Model { most, aside: Vec::new(), busy: Vec::new(), called: Vec::new() };
        let mut running: Vec<Called<u64>> = Vec::new();
        let mut at = 0;
        for _ in 0..200 {
            match draws.below(3) {
                0 if !groups.is_full() => {
                    let key = draws.below(keys);
                    let started = groups.admit(key, at, at);
                    assert_eq!(started.as_ref().map(|called| called.item), model.admit(key, at), "seed {seed}");
                    running.extend(started);
                    at += 1;
                }
                1 if !running.is_empty() => {
                    let ended = running.swap_remove(draws.below(running.len() as u64) as usize);
                    groups.ended(ended.group);
                    model.ended(ended.item);
                }
                _ => {
                    let called = groups.next_called();
                    assert_eq!(called.as_ref().map(|called| called.position), model.next_called(), "seed {seed}");
                    running.extend(called);
                }
            }
            assert_eq!(groups.aside(), model.aside.len(), "seed {seed}");
            assert!(groups.aside() <= look_ahead);
            let mut known: Vec<u64> = model.busy.iter().map(|(key, _)| *key).chain(model.called.clone()).collect();
            known.sort_unstable();
            known.dedup();
            assert_eq!(groups.keys(), known.len(), "G4, seed {seed}");
        }
        let aside: Vec<u64> = model.aside.iter().map(|(_, at)| *at).collect();
        assert_eq!(groups.into_aside(), aside, "seed {seed}");
    }
}

#[test]
fn keys_whose_hashes_collide_are_told_apart() {
    #[derive(PartialEq, Eq)]
    struct Same(u32);

    impl core::hash::Hash for Same {
        fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
            state.write_u8(0);
        }
    }

    let mut groups = Groups::new(1, 10);
    let first = groups.admit(Same(1), 'a', 0).unwrap();
    let second = groups.admit(Same(2), 'b', 1).unwrap();
    assert_eq!(groups.admit(Same(1), 'c', 2), None);
    assert_eq!(groups.admit(Same(2), 'd', 3), None);
    groups.ended(second.group);
    assert_eq!(groups.next_called().map(|called| called.item), Some('d'));
    groups.ended(first.group);
    assert_eq!(groups.next_called().map(|called| called.item), Some('c'));
    assert_eq!(groups.keys(), 2);
}
