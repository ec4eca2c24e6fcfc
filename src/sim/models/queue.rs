//! A bounded queue.

use super::line::{Line, State};
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// Something done to a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum QueueOp<T> {
    /// An item is sent without waiting.
    TrySend(T),
    /// An item is taken without waiting.
    TryRecv,
    /// The future of this number, which sends this item, is polled: for the first time or again.
    Send(u64, T),
    /// The future of this number, which waits for a permit, is polled.
    Reserve(u64),
    /// The future of this number, which waits for an item, is polled.
    Recv(u64),
    /// A permit is used.
    Fill(T),
    /// A permit is given back unused.
    Waive,
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
    /// It is done: the item is in the queue, the permit is given.
    Done,
    /// An item was received.
    Item(T),
    /// What the queue held when it was shut down.
    Items(Vec<T>),
    /// There is no room, or no item: a `try_` method says so, a future is pending.
    Wait,
    /// The queue is closed. A sender has its item back.
    Closed,
}

/// What a bounded queue of many senders and receivers promises: the room [`queue`](crate::queue) lists it as Q1 to Q7.
///
/// A [closed](QueueOp::Close) queue gives a value back to each send that has not gone through, honours permits that are
/// out, and is drained; receivers learn that it is closed when neither an item nor a permit is left.
///
/// The parent module shows [a fuzz target](super#a-fuzz-target).
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
    items: VecDeque<T>,
    capacity: usize,
    permits: usize,
    closed: bool,
    senders: Line,
    receivers: Line,
    woken: Vec<u64>,
}

impl<T> Queue<T> {
    /// An empty queue that holds at most `capacity` items.
    pub fn new(capacity: usize) -> Self {
        let (senders, receivers) = (Line::default(), Line::default());
        Self { items: VecDeque::new(), capacity, permits: 0, closed: false, senders, receivers, woken: Vec::new() }
    }

    /// Takes a step, and says what must come of it.
    ///
    /// # Panics
    /// If a permit is used or given back and none is out.
    pub fn step(&mut self, op: QueueOp<T>) -> QueueAnswer<T> {
        self.woken.clear();
        let answer = match op {
            QueueOp::TrySend(item) => self.slot(None).map_done(|| self.items.push_back(item)),
            QueueOp::Send(who, item) => self.slot(Some(who)).map_done(|| self.items.push_back(item)),
            QueueOp::Reserve(who) => self.slot(Some(who)).map_done(|| self.permits += 1),
            QueueOp::TryRecv => self.item(None),
            QueueOp::Recv(who) => self.item(Some(who)),
            QueueOp::Fill(item) => {
                self.end_permit();
                self.items.push_back(item);
                QueueAnswer::Done
            }
            QueueOp::Waive => {
                self.end_permit();
                QueueAnswer::Done
            }
            QueueOp::Drop(who) => {
                self.senders.leave(who);
                self.receivers.leave(who);
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
                QueueAnswer::Items(core::mem::take(&mut self.items).into())
            }
        };
        self.settle();
        answer
    }

    /// The futures that the last step woke: senders first, each side in the order in which they came.
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

    /// What is in the queue, the next one first.
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

    /// How many futures wait, without those that were woken and have not been polled since.
    pub fn waiting(&self) -> usize {
        self.senders.waiting() + self.receivers.waiting()
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

    /// A slot for `who`, or for one who does not wait. While a sender waits there is none to be had: it was offered first.
    fn slot(&mut self, who: Option<u64>) -> QueueAnswer<T> {
        let state = who.and_then(|who| self.senders.state(who));
        if state == Some(State::Waiting) {
            return QueueAnswer::Wait;
        }
        let free = self.used() < self.capacity;
        if let (false, false, None | Some(State::Dismissed)) = (self.closed, free, state) {
            who.into_iter().for_each(|who| self.senders.join(who, 1));
            return QueueAnswer::Wait;
        }
        who.into_iter().for_each(|who| self.senders.leave(who));
        if self.closed { QueueAnswer::Closed } else { QueueAnswer::Done }
    }

    /// An item for `who`, or for one who does not wait. While a receiver waits there is none to be had.
    fn item(&mut self, who: Option<u64>) -> QueueAnswer<T> {
        let state = who.and_then(|who| self.receivers.state(who));
        if state == Some(State::Waiting) {
            return QueueAnswer::Wait;
        }
        let free = self.items.len() > self.receivers.sum(State::Granted);
        who.into_iter().for_each(|who| self.receivers.leave(who));
        let item = (free || state == Some(State::Granted)).then(|| self.items.pop_front()).flatten();
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

    /// Serves who can be served (Q5).
    fn settle(&mut self) {
        let (closed, done) = (self.closed, self.done());
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
