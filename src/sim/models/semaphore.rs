//! A weighted semaphore.

use super::line::{Line, State};
use alloc::vec::Vec;

/// Something done to a semaphore.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SemaphoreOp {
    /// So many permits are asked for without waiting.
    TryAcquire(usize),
    /// The future of this number, which waits for so many permits, is polled: for the first time or again.
    Acquire(u64, usize),
    /// So many permits come back, or are added.
    Release(usize),
    /// Up to so many free permits are taken away for good.
    Forget(usize),
    /// So many permits are taken away for good: of the free ones, and the rest as they come back.
    Shrink(usize),
    /// The future of this number is dropped, whether it was polled or not.
    Drop(u64),
    /// The semaphore is closed.
    Close,
}

/// What comes of a [`SemaphoreOp`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SemaphoreAnswer {
    /// It is done: the permits are given, or back.
    Done,
    /// So many permits were taken away.
    Forgot(usize),
    /// There are not enough permits, or others wait for theirs: a `try_` method says so, a future is pending.
    Wait,
    /// The semaphore is closed.
    Closed,
}

/// What a fair semaphore promises whose users may ask for several permits at once.
///
/// Those who wait are served first come, first served, each with all its permits at once: one who asks for many is not
/// overtaken by one who asks for few, and keeps nobody waiting once it is dropped. Permits that were granted to a waiter
/// which is dropped before its next poll go on to the next. Closing refuses whoever waits, or was granted permits and has
/// not been polled since; permits that are held may come back as before.
///
/// The parent module shows [a fuzz target](super#a-fuzz-target), for a queue.
///
/// # Examples
/// ```
/// use wakeful::sim::models::{Semaphore, SemaphoreAnswer, SemaphoreOp};
///
/// let mut semaphore = Semaphore::new(2);
/// assert_eq!(semaphore.step(SemaphoreOp::Acquire(1, 3)), SemaphoreAnswer::Wait);
/// assert_eq!(semaphore.step(SemaphoreOp::Acquire(2, 1)), SemaphoreAnswer::Wait, "nobody is overtaken");
/// assert_eq!(semaphore.step(SemaphoreOp::Drop(1)), SemaphoreAnswer::Done);
/// assert_eq!(semaphore.woken(), [2]);
/// assert_eq!(semaphore.step(SemaphoreOp::Acquire(2, 1)), SemaphoreAnswer::Done);
/// assert_eq!(semaphore.available(), 1);
/// ```
#[derive(Clone, Debug)]
pub struct Semaphore {
    /// Free permits: neither held nor granted.
    free: usize,
    /// Permits that are taken away as they come back.
    owed: usize,
    closed: bool,
    line: Line,
    woken: Vec<u64>,
}

impl Semaphore {
    /// A semaphore with so many permits.
    pub fn new(permits: usize) -> Self {
        Self { free: permits, owed: 0, closed: false, line: Line::default(), woken: Vec::new() }
    }

    /// Takes a step, and says what must come of it.
    pub fn step(&mut self, op: SemaphoreOp) -> SemaphoreAnswer {
        self.woken.clear();
        let answer = match op {
            SemaphoreOp::TryAcquire(permits) => self.acquire(None, permits),
            SemaphoreOp::Acquire(who, permits) => self.acquire(Some(who), permits),
            SemaphoreOp::Release(permits) => {
                self.free += permits;
                SemaphoreAnswer::Done
            }
            SemaphoreOp::Forget(permits) => {
                let forgot = permits.min(self.free);
                self.free -= forgot;
                SemaphoreAnswer::Forgot(forgot)
            }
            SemaphoreOp::Shrink(permits) => {
                self.owed += permits;
                SemaphoreAnswer::Done
            }
            SemaphoreOp::Drop(who) => {
                self.free += self.leave(who);
                SemaphoreAnswer::Done
            }
            SemaphoreOp::Close => {
                self.closed = true;
                SemaphoreAnswer::Done
            }
        };
        let Self { free, owed, closed, line, woken } = self;
        let paid = (*free).min(*owed);
        (*free, *owed) = (*free - paid, *owed - paid);
        line.serve(woken, |asks| match free.checked_sub(asks) {
            _ if *closed => Some(State::Dismissed),
            Some(left) => {
                *free = left;
                Some(State::Granted)
            }
            None => None,
        });
        answer
    }

    /// The futures that the last step woke, in the order in which they came.
    pub fn woken(&self) -> &[u64] {
        &self.woken
    }

    /// How many permits are free: neither held nor granted to one who waited.
    pub fn available(&self) -> usize {
        self.free
    }

    /// How many permits are taken away as soon as they come back.
    pub fn owed(&self) -> usize {
        self.owed
    }

    /// Whether the semaphore is closed.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// How many futures wait, without those that were woken and have not been polled since.
    pub fn waiting(&self) -> usize {
        self.line.waiting()
    }

    fn acquire(&mut self, who: Option<u64>, permits: usize) -> SemaphoreAnswer {
        let state = who.and_then(|who| self.line.state(who));
        if state == Some(State::Waiting) {
            return SemaphoreAnswer::Wait;
        }
        let granted = who.map_or(0, |who| self.leave(who));
        if self.closed {
            self.free += granted;
            return SemaphoreAnswer::Closed;
        }
        if state == Some(State::Granted) {
            return SemaphoreAnswer::Done;
        }
        // None at all are granted always.
        if permits == 0 || self.line.waiting() == 0 && permits <= self.free {
            self.free -= permits;
            return SemaphoreAnswer::Done;
        }
        who.into_iter().for_each(|who| self.line.join(who, permits));
        SemaphoreAnswer::Wait
    }

    /// Takes `who` out of the line: how many permits it was granted.
    fn leave(&mut self, who: u64) -> usize {
        let before = self.line.sum(State::Granted);
        self.line.leave(who);
        before - self.line.sum(State::Granted)
    }
}
