//! Where workers that are tasks leave what became of items.

use super::outcome::{Count, Ended, Sink};
use crate::sys::Told;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// The sink, and what it has not been told yet. Whoever finds it taken leaves what he has to say to who has it.
pub(super) struct Outbox<K, T, O, E>(Told<Inner<K, T, O, E>>);

struct Inner<K, T, O, E> {
    sink: Place<K>,
    /// What was left there for who has the sink.
    left: VecDeque<Ended<T, O, E>>,
    count: Count,
    per_worker: Vec<u64>,
}

enum Place<K> {
    Here(K),
    Taken,
    /// It has panicked.
    Broken,
}

impl<K: Sink<T, O, E>, T, O, E> Outbox<K, T, O, E> {
    pub(super) fn new(sink: K) -> Self {
        let count = Count::new();
        Self(Told::new(Inner { sink: Place::Here(sink), left: VecDeque::new(), count, per_worker: Vec::new() }))
    }

    /// Tells the sink, or who has it.
    pub(super) fn tell(&self, ended: Ended<T, O, E>) {
        let mut next = Some(ended);
        let mut sink = match self.0.with(|inner| inner.take(&mut next)) {
            Some(sink) => Guard { outbox: self, sink: Some(sink) },
            None => return,
        };
        while let (Some(ended), Some(to)) = (next.take(), &mut sink.sink) {
            to.accept(ended);
            self.0.with(|inner| match inner.left.pop_front() {
                Some(left) => next = Some(left),
                None => inner.sink = sink.sink.take().map_or(Place::Broken, Place::Here),
            });
        }
    }

    /// The sink, if it is well, and what was counted.
    pub(super) fn empty(&self) -> (Option<K>, Count, Vec<u64>) {
        self.0.with(|inner| {
            let sink = match core::mem::replace(&mut inner.sink, Place::Taken) {
                Place::Here(sink) => Some(sink),
                Place::Taken | Place::Broken => None,
            };
            (sink, inner.count, core::mem::take(&mut inner.per_worker))
        })
    }
}

impl<K, T, O, E> Inner<K, T, O, E> {
    /// Counts what `ended`, and gives the sink out with it; leaves it there, if somebody has the sink.
    fn take(&mut self, ended: &mut Option<Ended<T, O, E>>) -> Option<K> {
        let one = ended.as_ref()?;
        self.count.add(&one.outcome);
        if let Some(worker) = one.worker {
            if worker >= self.per_worker.len() {
                self.per_worker.resize(worker + 1, 0);
            }
            self.per_worker[worker] += 1;
        }
        match core::mem::replace(&mut self.sink, Place::Taken) {
            Place::Here(sink) => return Some(sink),
            Place::Taken => self.left.extend(ended.take()),
            Place::Broken => self.sink = Place::Broken,
        }
        None
    }
}

/// Somebody has the sink. If that unwinds, nobody has it any more.
struct Guard<'a, K, T, O, E> {
    outbox: &'a Outbox<K, T, O, E>,
    sink: Option<K>,
}

impl<K, T, O, E> Drop for Guard<'_, K, T, O, E> {
    fn drop(&mut self) {
        if self.sink.is_some() {
            let left = self.outbox.0.with(|inner| {
                inner.sink = Place::Broken;
                core::mem::take(&mut inner.left)
            });
            drop(left);
        }
    }
}
