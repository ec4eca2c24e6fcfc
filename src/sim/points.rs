//! A schedule as the points at which it departs from the plain one, in which all take turns.
//!
//! A point says "after this task's n-th poll, run that one". It means the same when other points are taken away, which
//! the place in a row of bytes does not: so schedules can be made smaller point by point.

use super::oracle::{Bytes, Source};
use super::twist::Chance;
use super::view::{ReadyView, WaitingView};
use crate::sys::{Arc, Lock};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// Where a choice is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// Among tasks, after so many polls of the task with this key, which was polled last.
    After(u64, u32),
    /// Of a value, by the task with this key, which asked so often before.
    Data(u64, u32),
    /// To drop the future with this id after so many polls: right after the last of them (true), or in place of the next.
    Cancel(u64, u32, bool),
    /// Whether something goes wrong at what this key stands for, which asked so often before.
    Fault(u64, u32),
    /// To wake somebody for nothing, after so many polls of the task with this key, which was polled last.
    Spurious(u64, u32),
}

/// The classes of points, in the order in which a failure is freed of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// What was done to the program: something was dropped, went wrong, or was polled for nothing.
    Twist,
    /// Who was next.
    Task,
    /// What the test asked for.
    Data,
}

impl Class {
    pub(super) const ALL: [Self; 3] = [Self::Twist, Self::Task, Self::Data];
}

/// A choice that is not 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Point {
    pub(super) place: Place,
    /// The key of the task that is run or woken, or the value; 1 where something is dropped or goes wrong.
    pub(super) then: u64,
}

impl Point {
    pub(super) fn class(&self) -> Class {
        match self.place {
            Place::After(..) => Class::Task,
            Place::Data(..) => Class::Data,
            Place::Cancel(..) | Place::Fault(..) | Place::Spurious(..) => Class::Twist,
        }
    }
}

/// Makes the choices of another oracle, or those that points say, and keeps the points at which they are not 0.
pub(super) struct Tracer {
    oracle: Followed,
    /// How often each task asked for a value.
    asked: BTreeMap<u64, u32>,
    record: Vec<u8>,
    trace: Trace,
}

/// The points of a run in their order; shared with the one who wants to know.
pub(super) type Trace = Arc<Lock<Vec<Point>>>;

enum Followed {
    Source(Source),
    Points(BTreeMap<Place, u64>),
}

impl Tracer {
    pub(super) fn of(source: Source, trace: Trace) -> Self {
        Self { oracle: Followed::Source(source), asked: BTreeMap::new(), record: Vec::new(), trace }
    }

    pub(super) fn along(points: impl Iterator<Item = Point>, trace: Trace) -> Self {
        let points = points.map(|point| (point.place, point.then)).collect();
        Self { oracle: Followed::Points(points), asked: BTreeMap::new(), record: Vec::new(), trace }
    }

    pub(super) fn choose_task(&mut self, ready: &ReadyView<'_>) -> usize {
        let (key, polls) = ready.last();
        let place = Place::After(key, polls);
        let chosen = match &mut self.oracle {
            // What is cut did not fail, so nobody traces it.
            Followed::Source(source) => source.choose_task(ready).unwrap_or(0),
            Followed::Points(points) => {
                let wanted = points.get(&place);
                wanted.and_then(|&key| ready.tasks().position(|task| task.key == key)).unwrap_or(0)
            }
        };
        if let Some(task) = ready.tasks().nth(chosen).filter(|_| chosen != 0) {
            self.keep(Point { place, then: task.key });
        }
        Bytes::write(&mut self.record, ready.count(), chosen);
        chosen
    }

    pub(super) fn choose_data(&mut self, n: usize, key: u64) -> usize {
        let asked = self.asked.entry(key).or_default();
        let place = Place::Data(key, *asked);
        *asked += 1;
        let chosen = match &mut self.oracle {
            Followed::Source(source) => source.choose_data(n, key),
            Followed::Points(points) => points.get(&place).map_or(0, |&value| value as usize).min(n - 1),
        };
        if chosen != 0 {
            self.keep(Point { place, then: chosen as u64 });
        }
        Bytes::write(&mut self.record, n, chosen);
        chosen
    }

    pub(super) fn choose_cancel(&mut self, planned: bool, chance: Chance) -> bool {
        let place = Place::Cancel(chance.id, chance.polls, chance.after);
        let taken = match &mut self.oracle {
            Followed::Source(source) => source.choose_cancel(planned, chance),
            Followed::Points(points) => points.contains_key(&place),
        };
        self.keep_twist(place, 2, taken)
    }

    pub(super) fn choose_fault(&mut self, n: usize, here: u64, nth: u32) -> bool {
        let place = Place::Fault(here, nth);
        let fires = match &mut self.oracle {
            Followed::Source(source) => source.choose_fault(n, here, nth),
            Followed::Points(points) => points.contains_key(&place),
        };
        self.keep_twist(place, n, fires)
    }

    pub(super) fn choose_spurious(&mut self, n: usize, waiting: &WaitingView<'_>, after: (u64, u32)) -> Option<usize> {
        let place = Place::Spurious(after.0, after.1);
        let woken = match &mut self.oracle {
            Followed::Source(source) => source.choose_spurious(n, waiting, after),
            Followed::Points(points) => {
                points.get(&place).and_then(|key| waiting.keys().position(|waits| waits == *key))
            }
        };
        Bytes::write(&mut self.record, n, woken.is_some().into());
        if let Some(woken) = woken {
            let then = waiting.keys().nth(woken).expect("one of those that wait");
            self.keep(Point { place, then });
            if waiting.count > 1 {
                Bytes::write(&mut self.record, waiting.count, woken);
            }
        }
        woken
    }

    /// Keeps whether something is done to the program at a place, which an oracle chose among `n`.
    fn keep_twist(&mut self, place: Place, n: usize, done: bool) -> bool {
        if done {
            self.keep(Point { place, then: 1 });
        }
        Bytes::write(&mut self.record, n, done.into());
        done
    }

    fn keep(&self, point: Point) {
        self.trace.with(|trace| trace.push(point));
    }

    /// All choices, as bytes.
    pub(super) fn record(&self) -> &[u8] {
        &self.record
    }
}
