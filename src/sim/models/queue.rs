//! Queues that keep items.

use super::line::{Line, State};
use super::takers::{Stock, Takers};
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
    stock: Kept<T>,
    takers: Takers,
}

/// What is in the queue, and who waits to put more in.
#[derive(Clone, Debug)]
struct Kept<T> {
    /// The oldest first.
    items: Vec<T>,
    order: Order<T>,
    capacity: usize,
    permits: usize,
    closed: bool,
    senders: Line,
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
        let stock = Kept { items: Vec::new(), order, capacity, permits: 0, closed: false, senders: Line::default() };
        Self { stock, takers: Takers::default() }
    }

    /// Takes a step, and says what must come of it.
    ///
    /// # Panics
    /// If a permit is used or given back, or a job finished, and none is out.
    pub fn step(&mut self, op: QueueOp<T>) -> QueueAnswer<T> {
        let Self { stock, takers } = self;
        takers.woken.clear();
        let answer = match op {
            QueueOp::TrySend(item) => stock.slot(None).map_done(|| stock.items.push(item)),
            QueueOp::Send(who, item) => stock.slot(Some(who)).map_done(|| stock.items.push(item)),
            QueueOp::TrySendMany(items) => stock.send_many(None, items),
            QueueOp::SendMany(who, items) => stock.send_many(Some(who), items),
            QueueOp::ForceSend(item) => stock.force(item),
            QueueOp::Reserve(who) => stock.slot(Some(who)).map_done(|| stock.permits += 1),
            QueueOp::TryRecv => takers.item(None, stock),
            QueueOp::Recv(who) => takers.item(Some(who), stock),
            QueueOp::TryRecvJob => takers.job(None, stock),
            QueueOp::RecvJob(who) => takers.job(Some(who), stock),
            QueueOp::TryRecvMany(limit) => takers.many(None, limit, stock),
            QueueOp::RecvMany(who, limit) => takers.many(Some(who), limit, stock),
            QueueOp::Join(who) => takers.join(who, stock),
            QueueOp::Fill(item) => {
                stock.end_permit();
                stock.items.push(item);
                QueueAnswer::Done
            }
            QueueOp::Waive => {
                stock.end_permit();
                QueueAnswer::Done
            }
            QueueOp::Finish => {
                takers.finish();
                QueueAnswer::Done
            }
            QueueOp::Drop(who) => {
                stock.senders.leave(who);
                takers.leave(who);
                QueueAnswer::Done
            }
            QueueOp::Resize(capacity) => {
                stock.capacity = capacity;
                QueueAnswer::Done
            }
            QueueOp::Close => {
                stock.closed = true;
                QueueAnswer::Done
            }
            QueueOp::Shutdown => {
                stock.closed = true;
                QueueAnswer::Items(core::iter::from_fn(|| stock.pop()).collect())
            }
        };
        stock.settle(&mut takers.woken);
        takers.settle(stock);
        answer
    }

    /// The futures that the last step woke: senders first, then receivers, then those who join, each in the order in which
    /// they came.
    pub fn woken(&self) -> &[u64] {
        &self.takers.woken
    }

    /// How many items are in the queue.
    pub fn len(&self) -> usize {
        self.stock.items.len()
    }

    /// Whether there is no item in the queue.
    pub fn is_empty(&self) -> bool {
        self.stock.items.is_empty()
    }

    /// What is in the queue, the oldest first.
    pub fn items(&self) -> impl Iterator<Item = &T> {
        self.stock.items.iter()
    }

    /// Whether the queue is closed.
    pub fn is_closed(&self) -> bool {
        self.stock.closed
    }

    /// How many permits are out.
    pub fn permits(&self) -> usize {
        self.stock.permits
    }

    /// How many items are in the queue, or were taken as jobs and are not finished.
    pub fn unfinished(&self) -> usize {
        self.takers.unfinished(&self.stock)
    }

    /// How many futures wait, without those that were woken and have not been polled since.
    pub fn waiting(&self) -> usize {
        self.stock.senders.waiting() + self.takers.waiting()
    }
}

impl<T> Stock<T> for Kept<T> {
    fn count(&self) -> usize {
        self.items.len()
    }

    fn kept(&self) -> usize {
        self.items.len()
    }

    fn take(&mut self, _: &mut Vec<u64>) -> Option<T> {
        self.pop()
    }

    fn is_done(&self) -> bool {
        self.closed && self.items.is_empty() && self.permits == 0
    }
}

impl<T> Kept<T> {
    /// Items, permits, and slots granted to those who waited (Q3).
    fn used(&self) -> usize {
        self.items.len() + self.permits + self.senders.sum(State::Granted)
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

    /// Serves senders that can be served (Q5).
    fn settle(&mut self, woken: &mut Vec<u64>) {
        let (closed, mut free) = (self.closed, self.capacity.saturating_sub(self.used()));
        self.senders.serve(woken, |_| match free {
            _ if closed => Some(State::Dismissed),
            0 => None,
            _ => {
                free -= 1;
                Some(State::Granted)
            }
        });
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
