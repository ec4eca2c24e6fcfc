//! A queue without room.

use super::line::{Line, State};
use super::queue::{QueueAnswer, QueueOp};
use alloc::vec::Vec;

/// What a queue without room promises: a send is done when a receiver has taken its value.
///
/// Its steps and answers are those of a [`Queue`](super::Queue). It has no room to reserve, no capacity to change, and sends
/// one value at a time.
///
/// # Examples
/// ```
/// use wakeful::sim::models::{QueueAnswer, QueueOp, Rendezvous};
///
/// let mut queue = Rendezvous::new();
/// assert_eq!(queue.step(QueueOp::Send(1, "a")), QueueAnswer::Wait);
/// assert_eq!(queue.step(QueueOp::TryRecv), QueueAnswer::Item("a"));
/// assert_eq!(queue.woken(), [1]);
/// assert_eq!(queue.step(QueueOp::Send(1, "a")), QueueAnswer::Done);
/// ```
#[derive(Clone, Debug)]
pub struct Rendezvous<T> {
    /// What was handed to receivers that waited, and has not been taken.
    handed: Vec<T>,
    /// What senders that wait offer, in order.
    offers: Vec<(u64, T)>,
    jobs: usize,
    closed: bool,
    senders: Line,
    receivers: Line,
    joiners: Line,
    woken: Vec<u64>,
}

impl<T> Default for Rendezvous<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Rendezvous<T> {
    /// One at which nobody waits.
    pub fn new() -> Self {
        let (senders, receivers, joiners) = Default::default();
        let (handed, offers, woken) = (Vec::new(), Vec::new(), Vec::new());
        Self { handed, offers, jobs: 0, closed: false, senders, receivers, joiners, woken }
    }

    /// Takes a step, and says what must come of it.
    ///
    /// # Panics
    /// If a job is finished and none is out, or on a step for which there would have to be room.
    pub fn step(&mut self, op: QueueOp<T>) -> QueueAnswer<T> {
        self.woken.clear();
        let answer = match op {
            QueueOp::TrySend(item) => match (self.closed, self.receivers.waiting()) {
                (true, _) => QueueAnswer::Closed,
                (false, 0) => QueueAnswer::Wait,
                (false, _) => {
                    self.handed.push(item);
                    QueueAnswer::Done
                }
            },
            QueueOp::Send(who, item) => self.send(who, item),
            QueueOp::TryRecv => self.item(None),
            QueueOp::Recv(who) => self.item(Some(who)),
            QueueOp::TryRecvJob => self.job(None),
            QueueOp::RecvJob(who) => self.job(Some(who)),
            QueueOp::TryRecvMany(limit) => self.receive_many(None, limit),
            QueueOp::RecvMany(who, limit) => self.receive_many(Some(who), limit),
            QueueOp::Join(who) => self.join(who),
            QueueOp::Finish => {
                assert!(self.jobs > 0, "a job is finished, and none is out");
                self.jobs -= 1;
                QueueAnswer::Done
            }
            QueueOp::Drop(who) => {
                [&mut self.senders, &mut self.receivers, &mut self.joiners]
                    .into_iter()
                    .for_each(|line| line.leave(who));
                self.offers.retain(|offer| offer.0 != who);
                QueueAnswer::Done
            }
            QueueOp::Close => {
                self.close();
                QueueAnswer::Done
            }
            QueueOp::Shutdown => {
                self.close();
                QueueAnswer::Items(core::mem::take(&mut self.handed))
            }
            QueueOp::TrySendMany(_)
            | QueueOp::SendMany(..)
            | QueueOp::ForceSend(_)
            | QueueOp::Reserve(_)
            | QueueOp::Fill(_)
            | QueueOp::Waive
            | QueueOp::Resize(_) => panic!("a rendezvous has no room"),
        };
        self.settle();
        answer
    }

    /// The futures that the last step woke.
    pub fn woken(&self) -> &[u64] {
        &self.woken
    }

    /// How many items were handed over and have not been taken.
    pub fn len(&self) -> usize {
        self.handed.len()
    }

    /// Whether no item was handed over that has not been taken.
    pub fn is_empty(&self) -> bool {
        self.handed.is_empty()
    }

    /// Whether it is closed.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// How many items were handed over and have not been taken, or were taken as jobs and are not finished.
    pub fn unfinished(&self) -> usize {
        self.handed.len() + self.jobs
    }

    /// How many futures wait, without those that were woken and have not been polled since.
    pub fn waiting(&self) -> usize {
        self.senders.waiting() + self.receivers.waiting() + self.joiners.waiting()
    }

    fn close(&mut self) {
        self.closed = true;
        self.offers.clear();
    }

    fn done(&self) -> bool {
        self.closed && self.handed.is_empty()
    }

    fn send(&mut self, who: u64, item: T) -> QueueAnswer<T> {
        let state = self.senders.state(who);
        match state {
            Some(State::Waiting) => QueueAnswer::Wait,
            Some(State::Granted) => {
                self.senders.leave(who);
                QueueAnswer::Done
            }
            None if !self.closed => {
                self.senders.join(who, 1);
                self.offers.push((who, item));
                QueueAnswer::Wait
            }
            Some(State::Dismissed) | None => {
                self.senders.leave(who);
                QueueAnswer::Closed
            }
        }
    }

    /// What was handed over first, then what is offered: its sender is done.
    fn pop(&mut self) -> Option<T> {
        if !self.handed.is_empty() {
            return Some(self.handed.remove(0));
        }
        if self.offers.is_empty() {
            return None;
        }
        let (who, item) = self.offers.remove(0);
        self.senders.grant(who, &mut self.woken);
        Some(item)
    }

    fn item(&mut self, who: Option<u64>) -> QueueAnswer<T> {
        let state = who.and_then(|who| self.receivers.state(who));
        if state == Some(State::Waiting) {
            return QueueAnswer::Wait;
        }
        let items = self.handed.len() + self.offers.len();
        let free = items > self.receivers.sum(State::Granted) && self.receivers.waiting() == 0;
        who.into_iter().for_each(|who| self.receivers.leave(who));
        let item = if free || state == Some(State::Granted) { self.pop() } else { None };
        match (item, self.done(), who) {
            (Some(item), ..) => QueueAnswer::Item(item),
            (None, true, _) => QueueAnswer::Closed,
            (None, false, Some(who)) => {
                match state {
                    // The sender that offered what it was granted is gone.
                    Some(State::Granted) => self.receivers.join_first(who, 1),
                    _ => self.receivers.join(who, 1),
                }
                QueueAnswer::Wait
            }
            (None, false, None) => QueueAnswer::Wait,
        }
    }

    fn job(&mut self, who: Option<u64>) -> QueueAnswer<T> {
        let answer = self.item(who);
        self.jobs += usize::from(matches!(answer, QueueAnswer::Item(_)));
        answer
    }

    fn receive_many(&mut self, who: Option<u64>, limit: usize) -> QueueAnswer<T> {
        let mut items = Vec::new();
        if limit > 0 {
            match self.item(who) {
                QueueAnswer::Item(item) => items.push(item),
                other => return other,
            }
        }
        while items.len() < limit {
            let QueueAnswer::Item(item) = self.item(None) else { break };
            items.push(item);
        }
        QueueAnswer::Items(items)
    }

    fn join(&mut self, who: u64) -> QueueAnswer<T> {
        let state = self.joiners.state(who);
        if state == Some(State::Granted) || (state.is_none() && self.unfinished() == 0) {
            self.joiners.leave(who);
            return QueueAnswer::Done;
        }
        if state.is_none() {
            self.joiners.join(who, 1);
        }
        QueueAnswer::Wait
    }

    fn settle(&mut self) {
        let (closed, done, finished) = (self.closed, self.done(), self.unfinished() == 0);
        let mut items = (self.handed.len() + self.offers.len()).saturating_sub(self.receivers.sum(State::Granted));
        self.senders.serve(&mut self.woken, |_| closed.then_some(State::Dismissed));
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
