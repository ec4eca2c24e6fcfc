//! A queue without room.

use super::line::{Line, State};
use super::queue::{QueueAnswer, QueueOp};
use super::takers::{Stock, Takers};
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
    stock: Offers<T>,
    takers: Takers,
}

/// What there is to be taken, and who offers it.
#[derive(Clone, Debug)]
struct Offers<T> {
    /// What was handed to receivers that waited, and has not been taken.
    handed: Vec<T>,
    /// What senders that wait offer, in order.
    offers: Vec<(u64, T)>,
    closed: bool,
    senders: Line,
}

impl<T> Default for Rendezvous<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Rendezvous<T> {
    /// One at which nobody waits.
    pub fn new() -> Self {
        let stock = Offers { handed: Vec::new(), offers: Vec::new(), closed: false, senders: Line::default() };
        Self { stock, takers: Takers::default() }
    }

    /// Takes a step, and says what must come of it.
    ///
    /// # Panics
    /// If a job is finished and none is out, or on a step for which there would have to be room.
    pub fn step(&mut self, op: QueueOp<T>) -> QueueAnswer<T> {
        let Self { stock, takers } = self;
        takers.woken.clear();
        let answer = match op {
            QueueOp::TrySend(_) if stock.closed => QueueAnswer::Closed,
            QueueOp::TrySend(_) if !takers.are_wanted() => QueueAnswer::Wait,
            QueueOp::TrySend(item) => {
                stock.handed.push(item);
                QueueAnswer::Done
            }
            QueueOp::Send(who, item) => stock.send(who, item),
            QueueOp::TryRecv => takers.item(None, stock),
            QueueOp::Recv(who) => takers.item(Some(who), stock),
            QueueOp::TryRecvJob => takers.job(None, stock),
            QueueOp::RecvJob(who) => takers.job(Some(who), stock),
            QueueOp::TryRecvMany(limit) => takers.many(None, limit, stock),
            QueueOp::RecvMany(who, limit) => takers.many(Some(who), limit, stock),
            QueueOp::Join(who) => takers.join(who, stock),
            QueueOp::Finish => {
                takers.finish();
                QueueAnswer::Done
            }
            QueueOp::Drop(who) => {
                stock.senders.leave(who);
                stock.offers.retain(|offer| offer.0 != who);
                takers.leave(who);
                QueueAnswer::Done
            }
            QueueOp::Close => {
                stock.close();
                QueueAnswer::Done
            }
            QueueOp::Shutdown => {
                stock.close();
                QueueAnswer::Items(core::mem::take(&mut stock.handed))
            }
            QueueOp::TrySendMany(_)
            | QueueOp::SendMany(..)
            | QueueOp::ForceSend(_)
            | QueueOp::Reserve(_)
            | QueueOp::Fill(_)
            | QueueOp::Waive
            | QueueOp::Resize(_) => panic!("a rendezvous has no room"),
        };
        let closed = stock.closed;
        stock.senders.serve(&mut takers.woken, |_| closed.then_some(State::Dismissed));
        takers.settle(stock);
        answer
    }

    /// The futures that the last step woke.
    pub fn woken(&self) -> &[u64] {
        &self.takers.woken
    }

    /// How many items were handed over and have not been taken.
    pub fn len(&self) -> usize {
        self.stock.handed.len()
    }

    /// Whether no item was handed over that has not been taken.
    pub fn is_empty(&self) -> bool {
        self.stock.handed.is_empty()
    }

    /// Whether it is closed.
    pub fn is_closed(&self) -> bool {
        self.stock.closed
    }

    /// How many items were handed over and have not been taken, or were taken as jobs and are not finished.
    pub fn unfinished(&self) -> usize {
        self.takers.unfinished(&self.stock)
    }

    /// How many futures wait, without those that were woken and have not been polled since.
    pub fn waiting(&self) -> usize {
        self.stock.senders.waiting() + self.takers.waiting()
    }
}

impl<T> Stock<T> for Offers<T> {
    fn count(&self) -> usize {
        self.handed.len() + self.offers.len()
    }

    fn kept(&self) -> usize {
        self.handed.len()
    }

    /// What was handed over first, then what is offered: its sender is done.
    fn take(&mut self, woken: &mut Vec<u64>) -> Option<T> {
        if !self.handed.is_empty() {
            return Some(self.handed.remove(0));
        }
        if self.offers.is_empty() {
            return None;
        }
        let (who, item) = self.offers.remove(0);
        self.senders.grant(who, woken);
        Some(item)
    }

    fn is_done(&self) -> bool {
        self.closed && self.handed.is_empty()
    }
}

impl<T> Offers<T> {
    fn close(&mut self) {
        self.closed = true;
        self.offers.clear();
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
}
