//! The bitmap of ready tasks against a plain list.

use super::oracle::Rng;
use super::ready::Ready;
use alloc::vec::Vec;

/// The same, the slow way: all tasks in order, each with its flag.
struct Model(Vec<(u32, bool)>);

impl Model {
    fn at(&self, task: u32) -> usize {
        self.0.iter().position(|&(other, _)| other == task).unwrap()
    }

    fn count(&self) -> usize {
        self.0.iter().filter(|&&(_, ready)| ready).count()
    }

    fn take(&mut self, cursor: u32, k: usize) -> u32 {
        let (after, len) = (self.at(cursor) + 1, self.0.len());
        let ready: Vec<usize> = (after..after + len).map(|n| n % len).filter(|&n| self.0[n].1).collect();
        self.0[ready[k]].1 = false;
        self.0[ready[k]].0
    }
}

/// Random operations; tasks are started by `parent` of all that live.
fn against_the_model(seed: u64, most: usize, parent: impl Fn(&mut Rng, &Model) -> u32) {
    let mut rng = Rng::new(seed);
    let (mut ready, mut model) = (Ready::new(), Model(alloc::vec![(0, false)]));
    let mut unused = Vec::new();
    let (mut fresh, mut cursor) = (1, 0);
    for step in 0..6_000 {
        let live = model.0.len();
        let grow = if step < 4_000 { 6 } else { 1 };
        match rng.below(10 + grow) {
            0..=3 => {
                let task = model.0[rng.below(live)].0;
                let at = model.at(task);
                assert_eq!(ready.set(task), !model.0[at].1);
                model.0[at].1 = true;
            }
            4..=6 if model.count() > 0 => {
                let k = rng.below(model.count());
                assert_eq!(ready.after(cursor).count(), model.count());
                let next = ready.after(cursor).nth(k);
                let task = ready.take(cursor, k);
                assert_eq!((task, next), (model.take(cursor, k), Some(task)));
                cursor = task;
            }
            7..=9 if live > 1 => {
                let at = rng.below(live - 1);
                let task = model.0[at].0;
                let before = ready.remove(task);
                assert_eq!(before, model.0[(at + live - 1) % live].0);
                model.0.remove(at);
                unused.push(task);
                if cursor == task {
                    cursor = before;
                }
            }
            10.. if live < most => {
                let next = parent(&mut rng, &model);
                let task = unused.pop().unwrap_or_else(|| {
                    fresh += 1;
                    fresh - 1
                });
                ready.insert(task, next);
                model.0.insert(model.at(next), (task, false));
            }
            _ => {}
        }
        assert_eq!(ready.count(), model.count());
        if step % 64 == 0 {
            assert!(ready.iter().eq(model.0.iter().map(|&(task, _)| task)));
            assert!(model.0.iter().all(|&(task, set)| ready.is_set(task) == set));
        }
    }
}

#[test]
fn children_of_one_parent_stand_in_the_order_of_their_start() {
    against_the_model(1, 40, |_, _| 0);
    against_the_model(2, 2_000, |_, _| 0);
}

#[test]
fn a_tree_of_tasks_keeps_its_order_while_blocks_split_and_vanish() {
    for seed in 3..6 {
        against_the_model(seed, 2_000, |rng, model| model.0[rng.below(model.0.len())].0);
    }
}

#[test]
fn many_words_are_counted_in_groups() {
    let mut ready = Ready::new();
    for task in 1..=10_000 {
        ready.insert(task, 0);
        ready.set(task);
    }
    let mut cursor = 0;
    for n in 0..10_000 {
        cursor = ready.take(cursor, 0);
        assert_eq!(cursor, n + 1, "0 lets all take turns in order");
    }
    for task in (1..=10_000).rev() {
        ready.set(task);
    }
    assert_eq!(ready.take(0, 9_999), 10_000);
    assert_eq!(ready.take(9_000, 999), 1, "round the end");
}
