//! Queues that keep items.

use super::line::{Line, State};
use alloc::vec::Vec;

/// Something done to a queue.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum QueueOp<T> {
    /// An item is sent without waiting.
    TrySend(T),
    /// Items are sent without waiting, as many as there is room for.
    TrySendMany(Vec<T>),
    /// An item is sent without waiting, in place of another one if there is no room.
    ForceSend(T),
    /// An item is taken without waiting.
    TryRecv,
    /// An item is taken as a job without waiting.
    TryRecvJob,
    /// Up to so many items are taken without waiting.
    TryRecvMany(usize),
    /// The future of this number, which sends this item, is polled: for the first time or again.
    Send(u64, T),
    /// The future of this number, which has these items still to send, is polled.
    SendMany(u64, Vec<T>),
    /// The future of this number, which waits for a permit, is polled.
    Reserve(u64),
    /// The future of this number, which waits for an item, is polled.
    Recv(u64),
    /// The future of this number, which waits for an item that stays unfinished, is polled.
    RecvJob(u64),
    /// The future of this number, which takes up to so many items at once, is polled.
    RecvMany(u64, usize),
    /// The future of this number, which waits until nothing is unfinished, is polled.
    Join(u64),
    /// A permit is used.
    Fill(T),
    /// A permit is given back unused.
    Waive,
    /// A job is finished.
    Finish,
    /// The future of this number is dropped, whether it was polled or not.
    Drop(u64),
    /// The capacity is changed.
    Resize(usize),
    /// The queue is closed: explicitly, or because the last sender is gone.
    Close,
    /// The queue is closed and what is in it taken out: explicitly, or because the last receiver is gone.
    Shutdown,
}

/// What comes of a [`QueueOp`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum QueueAnswer<T> {
    /// It is done: the item is in the queue, the permit is given, nothing is unfinished.
    Done,
    /// An item was received, or had to make room for another.
    Item(T),
    /// Items that were received, or what the queue held when it was shut down.
    Items(Vec<T>),
    /// So many items were sent. If that is not all, a future is pending.
    Sent(usize),
    /// There is no room, or no item: a `try_` method says so, a future is pending.
    Wait,
    /// The queue is closed. A sender has its item back.
    Closed,
}

/// Which item comes next.
#[derive(Clone, Copy, Debug)]
enum Order<T> {
    Fifo,
    Lifo,
    /// The lowest number, and among equals the oldest.
    Ranked(fn(&T) -> u64),
}

/// What a queue of many senders and receivers promises: the room [`queue`](crate::queue) lists it as Q1 to Q8.
///
/// A [closed](QueueOp::Close) queue gives a value back to each send that has not gone through, honours permits that are
/// out, and is drained; receivers learn that it is closed when neither an item nor a permit is left.
///
/// The parent module shows [a fuzz target](super#a-fuzz-target). A queue without room is a [`Rendezvous`](super::Rendezvous).
///
/// # Examples
/// ```
/// use wakeful::sim::models::{Queue, QueueAnswer, QueueOp};
///
/// let mut queue = Queue::new(1);
/// assert_eq!(queue.step(QueueOp::Recv(7)), QueueAnswer::Wait);
/// assert_eq!(queue.step(QueueOp::TrySend("a")), QueueAnswer::Done);
/// assert_eq!(queue.woken(), [7]);
/// assert_eq!(queue.step(QueueOp::TryRecv), QueueAnswer::Wait, "the item is for the one who waited");
/// assert_eq!(queue.step(QueueOp::Recv(7)), QueueAnswer::Item("a"));
/// ```
#[derive(Clone, Debug)]
pub struct Queue<T> {
    /// The oldest first.
    items: Vec<T>,
    order: Order<T>,
    capacity: usize,
    permits: usize,
    jobs: usize,
    closed: bool,
    senders: Line,
    receivers: Line,
    joiners: Line,
    woken: Vec<u64>,
}

impl<T> Queue<T> {
    /// An empty queue that holds at most `capacity` items, first in, first out.
    pub fn new(capacity: usize) -> Self {
        Self::ordered(Order::Fifo, capacity)
    }

    /// An empty queue that holds at most `capacity` items, last in, first out.
    pub fn lifo(capacity: usize) -> Self {
        Self::ordered(Order::Lifo, capacity)
    }

    /// An empty queue that holds at most `capacity` items: the one with the lowest rank first, and the oldest among equals.
    pub fn ranked(capacity: usize, rank: fn(&T) -> u64) -> Self {
        Self::ordered(Order::Ranked(rank), capacity)
    }

    fn ordered(order: Order<T>, capacity: usize) -> Self {
        let (senders, receivers, joiners) = Default::default();
        let (items, woken) = (Vec::new(), Vec::new());
        Self { items, order, capacity, permits: 0, jobs: 0, closed: false, senders, receivers, joiners, woken }
    }

    /// Takes a step, and says what must come of it.
    ///
    /// # Panics
    /// If a permit is used or given back, or a job finished, and none is out.
    pub fn step(&mut self, op: QueueOp<T>) -> QueueAnswer<T> {
        self.woken.clear();
        let answer = match op {
            QueueOp::TrySend(item) => self.slot(None).map_done(|| self.items.push(item)),
            QueueOp::Send(who, item) => self.slot(Some(who)).map_done(|| self.items.push(item)),
            QueueOp::TrySendMany(items) => self.send_many(None, items),
            QueueOp::SendMany(who, items) => self.send_many(Some(who), items),
            QueueOp::ForceSend(item) => self.force(item),
            QueueOp::Reserve(who) => self.slot(Some(who)).map_done(|| self.permits += 1),
            QueueOp::TryRecv => self.item(None),
            QueueOp::Recv(who) => self.item(Some(who)),
            QueueOp::TryRecvJob => self.job(None),
            QueueOp::RecvJob(who) => self.job(Some(who)),
            QueueOp::TryRecvMany(limit) => self.receive_many(None, limit),
            QueueOp::RecvMany(who, limit) => self.receive_many(Some(who), limit),
            QueueOp::Join(who) => self.join(who),
            QueueOp::Fill(item) => {
                self.end_permit();
                self.items.push(item);
                QueueAnswer::Done
            }
            QueueOp::Waive => {
                self.end_permit();
                QueueAnswer::Done
            }
            QueueOp::Finish => {
                assert!(self.jobs > 0, "a job is finished, and none is out");
                self.jobs -= 1;
                QueueAnswer::Done
            }
            QueueOp::Drop(who) => {
                [&mut self.senders, &mut self.receivers, &mut self.joiners]
                    .into_iter()
                    .for_each(|line| line.leave(who));
                QueueAnswer::Done
            }
            QueueOp::Resize(capacity) => {
                self.capacity = capacity;
                QueueAnswer::Done
            }
            QueueOp::Close => {
                self.closed = true;
                QueueAnswer::Done
            }
            QueueOp::Shutdown => {
                self.closed = true;
                QueueAnswer::Items(core::iter::from_fn(|| self.pop()).collect())
            }
        };
        self.settle();
        answer
    }

    /// The futures that the last step woke: senders first, then receivers, then those who join, each in the order in which
    /// they came.
    pub fn woken(&self) -> &[u64] {
        &self.woken
    }

    /// How many items are in the queue.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is no item in the queue.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// What is in the queue, the oldest first.
    pub fn items(&self) -> impl Iterator<Item = &T> {
        self.items.iter()
    }

    /// Whether the queue is closed.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// How many permits are out.
    pub fn permits(&self) -> usize {
        self.permits
    }

    /// How many items are in the queue, or were taken as jobs and are not finished.
    pub fn unfinished(&self) -> usize {
        self.items.len() + self.jobs
    }

    /// How many futures wait, without those that were woken and have not been polled since.
    pub fn waiting(&self) -> usize {
        self.senders.waiting() + self.receivers.waiting() + self.joiners.waiting()
    }

    /// Items, permits, and slots granted to those who waited (Q3).
    fn used(&self) -> usize {
        self.items.len() + self.permits + self.senders.sum(State::Granted)
    }

    fn done(&self) -> bool {
        self.closed && self.items.is_empty() && self.permits == 0
    }

    fn end_permit(&mut self) {
        assert!(self.permits > 0, "a permit is used or given back, and none is out");
        self.permits -= 1;
    }

    /// Where the next item is.
    fn next(&self) -> Option<usize> {
        match self.order {
            Order::Fifo => (!self.items.is_empty()).then_some(0),
            Order::Lifo => self.items.len().checked_sub(1),
            Order::Ranked(rank) => (0..self.items.len()).min_by_key(|at| (rank(&self.items[*at]), *at)),
        }
    }

    fn pop(&mut self) -> Option<T> {
        self.next().map(|at| self.items.remove(at))
    }

    /// A slot for `who`, or for one who does not wait. While a sender waits there is none to be had: it was offered first.
    fn slot(&mut self, who: Option<u64>) -> QueueAnswer<T> {
        let state = who.and_then(|who| self.senders.state(who));
        if state == Some(State::Waiting) {
            return QueueAnswer::Wait;
        }
        let free = self.used() < self.capacity && self.senders.waiting() == 0;
        if let (false, false, None | Some(State::Dismissed)) = (self.closed, free, state) {
            who.into_iter().for_each(|who| self.senders.join(who, 1));
            return QueueAnswer::Wait;
        }
        who.into_iter().for_each(|who| self.senders.leave(who));
        if self.closed { QueueAnswer::Closed } else { QueueAnswer::Done }
    }

    /// As many slots as there are, one after another; for the rest `who` waits.
    fn send_many(&mut self, who: Option<u64>, items: Vec<T>) -> QueueAnswer<T> {
        let mut sent = 0;
        for item in items {
            match self.slot(who) {
                QueueAnswer::Done => self.items.push(item),
                other if sent == 0 => return other,
                _ => break,
            }
            sent += 1;
        }
        QueueAnswer::Sent(sent)
    }

    fn force(&mut self, item: T) -> QueueAnswer<T> {
        match self.slot(None) {
            QueueAnswer::Done => {
                self.items.push(item);
                QueueAnswer::Done
            }
            QueueAnswer::Wait if !self.items.is_empty() => {
                self.items.push(item);
                let least = match self.order {
                    Order::Fifo | Order::Lifo => 0,
                    Order::Ranked(rank) => {
                        let most = self.items.iter().map(rank).max();
                        self.items.iter().position(|item| Some(rank(item)) == most).unwrap_or(0)
                    }
                };
                QueueAnswer::Item(self.items.remove(least))
            }
            other => other,
        }
    }

    /// An item for `who`, or for one who does not wait. While a receiver waits there is none to be had.
    fn item(&mut self, who: Option<u64>) -> QueueAnswer<T> {
        let state = who.and_then(|who| self.receivers.state(who));
        if state == Some(State::Waiting) {
            return QueueAnswer::Wait;
        }
        let free = self.items.len() > self.receivers.sum(State::Granted) && self.receivers.waiting() == 0;
        who.into_iter().for_each(|who| self.receivers.leave(who));
        let item = if free || state == Some(State::Granted) { self.pop() } else { None };
        match (item, self.done(), who) {
            (Some(item), ..) => QueueAnswer::Item(item),
            (None, true, _) => QueueAnswer::Closed,
            (None, false, Some(who)) => {
                match state {
                    // The item that it was granted was taken out by a shutdown.
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

    /// The first item as any other; then those that belong to nobody.
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

    /// Serves who can be served (Q5, Q8).
    fn settle(&mut self) {
        let (closed, done, finished) = (self.closed, self.done(), self.unfinished() == 0);
        let mut free = self.capacity.saturating_sub(self.used());
        let mut items = self.items.len().saturating_sub(self.receivers.sum(State::Granted));
        self.senders.serve(&mut self.woken, |_| match free {
            _ if closed => Some(State::Dismissed),
            0 => None,
            _ => {
                free -= 1;
                Some(State::Granted)
            }
        });
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

impl<T> QueueAnswer<T> {
    /// Itself, after `f` if it is [`Done`](Self::Done).
    fn map_done(self, f: impl FnOnce()) -> Self {
        if matches!(self, Self::Done) {
            f();
        }
        self
    }
}
