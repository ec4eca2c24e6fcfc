//! Where workers that are tasks leave what became of items.

use super::outcome::{Count, Ended, Sink};
use crate::sys::Told;
use crate::sys::relay::{Goods, Relay};
use crate::sys::thread::{Patience, contain};
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// The sink, and what it has not been told yet. Whoever finds it taken leaves what he has to say to who has it.
///
/// Invariant: while something is left there, the sink is marked, so who has it does not put it back unless he has looked.
pub(super) struct Outbox<K, T, O, E> {
    sink: Relay<K>,
    rest: Told<Rest<T, O, E>>,
}

struct Rest<T, O, E> {
    /// What was left there for who has the sink.
    left: VecDeque<Ended<T, O, E>>,
    /// The sink has panicked.
    is_broken: bool,
    count: Count,
    per_worker: Vec<u64>,
}

impl<K: Sink<T, O, E>, T, O, E> Outbox<K, T, O, E> {
    pub(super) fn new(sink: K) -> Self {
        let rest = Rest { left: VecDeque::new(), is_broken: false, count: Count::new(), per_worker: Vec::new() };
        Self { sink: Relay::new(sink), rest: Told::new(rest) }
    }

    /// Tells the sink, or who has it.
    #[inline]
    pub(super) fn tell(&self, ended: Ended<T, O, E>) {
        self.rest.touch();
        match self.sink.try_take() {
            Some(sink) => self.hand(sink).tell(ended),
            None => self.leave(ended),
        }
    }

    #[inline(always)]
    fn hand(&self, sink: Box<Goods<K>>) -> Hand<'_, K, T, O, E> {
        Hand { outbox: self, sink: Some(sink) }
    }

    /// Leaves it there, if somebody has the sink.
    #[cold]
    fn leave(&self, ended: Ended<T, O, E>) {
        // Under a lock two threads would meet once more, where telling the sink is over in no time.
        let mut patience = Patience::little();
        while patience.wait() {
            if let Some(sink) = self.sink.try_take() {
                return self.hand(sink).tell(ended);
            }
        }
        let mut ended = Some(ended);
        let sink = self.rest.with(|rest| {
            if rest.is_broken {
                return None;
            }
            self.sink.mark(true);
            // It may have come back before there was a mark.
            let sink = self.sink.take();
            if sink.is_none() {
                rest.left.extend(ended.take());
            }
            sink
        });
        if let (Some(sink), Some(ended)) = (sink, ended) {
            self.hand(sink).tell(ended);
        }
    }

    /// Counts what a worker has told.
    pub(super) fn count(&self, worker: usize, count: &Count) {
        let given = count.total() - count.skipped;
        self.rest.with(|rest| {
            rest.count.add_all(count);
            if given != 0 && worker >= rest.per_worker.len() {
                rest.per_worker.resize(worker + 1, 0);
            }
            if let Some(all) = rest.per_worker.get_mut(worker) {
                *all += given;
            }
        });
    }

    /// The sink, if it is well, and what was counted.
    pub(super) fn empty(&self) -> (Option<K>, Count, Vec<u64>) {
        let (sink, count, per_worker) =
            self.rest.with(|rest| (self.sink.take(), rest.count, core::mem::take(&mut rest.per_worker)));
        (sink.map(|sink| sink.into_inner()), count, per_worker)
    }
}

/// The sink, in somebody's hands. If that unwinds, nobody has it any more.
struct Hand<'a, K, T, O, E> {
    outbox: &'a Outbox<K, T, O, E>,
    sink: Option<Box<Goods<K>>>,
}

impl<K: Sink<T, O, E>, T, O, E> Hand<'_, K, T, O, E> {
    /// Tells the sink this and what others leave there meanwhile, and puts it back.
    #[inline]
    fn tell(mut self, ended: Ended<T, O, E>) {
        let mut next = Some(ended);
        while let (Some(ended), Some(sink)) = (next.take(), &mut self.sink) {
            sink.accept(ended);
            next = self.put_back();
        }
    }

    /// Puts the sink back, unless there is something that it is to be told before.
    #[inline]
    fn put_back(&mut self) -> Option<Ended<T, O, E>> {
        match self.outbox.sink.try_put(self.sink.take()?) {
            Ok(()) => None,
            Err(sink) => self.look(sink),
        }
    }

    #[cold]
    fn look(&mut self, sink: Box<Goods<K>>) -> Option<Ended<T, O, E>> {
        self.outbox.rest.with(|rest| {
            let left = rest.left.pop_front();
            match left.is_some() {
                true => self.sink = Some(sink),
                false => {
                    self.outbox.sink.mark(false);
                    self.outbox.sink.put(sink);
                }
            }
            left
        })
    }
}

impl<K, T, O, E> Drop for Hand<'_, K, T, O, E> {
    #[inline]
    fn drop(&mut self) {
        if self.sink.is_some() {
            let left = self.outbox.rest.with(|rest| {
                rest.is_broken = true;
                core::mem::take(&mut rest.left)
            });
            // This unwinds already.
            contain(|| drop(left));
        }
    }
}
