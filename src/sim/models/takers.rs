//! The receiving side of queues, wherever their items are.

use super::line::{Line, State};
use super::queue::QueueAnswer;
use alloc::vec::Vec;

/// Where the items are that receivers take.
pub(super) trait Stock<T> {
    /// How many there are.
    fn count(&self) -> usize;

    /// How many of them are in the queue.
    fn kept(&self) -> usize;

    /// Takes the next one out, and tells whose turn has come by that.
    fn take(&mut self, woken: &mut Vec<u64>) -> Option<T>;

    /// Whether nothing can come any more.
    fn is_done(&self) -> bool;
}

/// Those who receive, and those who wait until nothing is unfinished.
#[derive(Clone, Debug, Default)]
pub(super) struct Takers {
    receivers: Line,
    joiners: Line,
    jobs: usize,
    /// The futures that this step wakes.
    pub(super) woken: Vec<u64>,
}

impl Takers {
    /// How many items of `stock` are in the queue, or were taken as jobs and are not finished.
    pub(super) fn unfinished<T>(&self, stock: &impl Stock<T>) -> usize {
        stock.kept() + self.jobs
    }

    pub(super) fn waiting(&self) -> usize {
        self.receivers.waiting() + self.joiners.waiting()
    }

    /// Whether receivers wait.
    pub(super) fn are_wanted(&self) -> bool {
        self.receivers.waiting() > 0
    }

    pub(super) fn leave(&mut self, who: u64) {
        self.receivers.leave(who);
        self.joiners.leave(who);
    }

    /// An item for `who`, or for one who does not wait. While a receiver waits there is none to be had.
    pub(super) fn item<T>(&mut self, who: Option<u64>, stock: &mut impl Stock<T>) -> QueueAnswer<T> {
        let state = who.and_then(|who| self.receivers.state(who));
        if state == Some(State::Waiting) {
            return QueueAnswer::Wait;
        }
        let free = stock.count() > self.receivers.sum(State::Granted) && !self.are_wanted();
        who.into_iter().for_each(|who| self.receivers.leave(who));
        let item = if free || state == Some(State::Granted) { stock.take(&mut self.woken) } else { None };
        match (item, stock.is_done(), who) {
            (Some(item), ..) => QueueAnswer::Item(item),
            (None, true, _) => QueueAnswer::Closed,
            (None, false, Some(who)) => {
                match state {
                    // What it was granted was taken out by a shutdown, or its offer is gone.
                    Some(State::Granted) => self.receivers.join_first(who, 1),
                    _ => self.receivers.join(who, 1),
                }
                QueueAnswer::Wait
            }
            (None, false, None) => QueueAnswer::Wait,
        }
    }

    pub(super) fn job<T>(&mut self, who: Option<u64>, stock: &mut impl Stock<T>) -> QueueAnswer<T> {
        let answer = self.item(who, stock);
        self.jobs += usize::from(matches!(answer, QueueAnswer::Item(_)));
        answer
    }

    pub(super) fn finish(&mut self) {
        assert!(self.jobs > 0, "a job is finished, and none is out");
        self.jobs -= 1;
    }

    /// The first item as any other; then those that belong to nobody.
    pub(super) fn many<T>(&mut self, who: Option<u64>, limit: usize, stock: &mut impl Stock<T>) -> QueueAnswer<T> {
        let mut items = Vec::new();
        if limit > 0 {
            match self.item(who, stock) {
                QueueAnswer::Item(item) => items.push(item),
                other => return other,
            }
        }
        while items.len() < limit {
            let QueueAnswer::Item(item) = self.item(None, stock) else { break };
            items.push(item);
        }
        QueueAnswer::Items(items)
    }

    pub(super) fn join<T>(&mut self, who: u64, stock: &impl Stock<T>) -> QueueAnswer<T> {
        let state = self.joiners.state(who);
        if state == Some(State::Granted) || (state.is_none() && self.unfinished(stock) == 0) {
            self.joiners.leave(who);
            return QueueAnswer::Done;
        }
        if state.is_none() {
            self.joiners.join(who, 1);
        }
        QueueAnswer::Wait
    }

    /// Serves who can be served (Q5, Q8).
    pub(super) fn settle<T>(&mut self, stock: &impl Stock<T>) {
        let (done, finished) = (stock.is_done(), self.unfinished(stock) == 0);
        let mut items = stock.count().saturating_sub(self.receivers.sum(State::Granted));
        self.receivers.serve(&mut self.woken, |_| match items {
            0 => done.then_some(State::Dismissed),
            _ => {
                items -= 1;
                Some(State::Granted)
            }
        });
        self.joiners.serve(&mut self.woken, |_| finished.then_some(State::Granted));
    }
}
