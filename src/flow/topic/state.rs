//! What the lock guards: a ring of messages that all subscribers read.
//!
//! # Invariants
//!
//! - **T1** Message `n` is in cell `n & mask` from when it is published until it is evicted, which is when nobody is to read it any
//!   more, or when message `n + capacity` is published. A subscriber is a number: that of the message that it reads next.
//! - **T2** Of a message in the ring, `left` says how many are to read it whatever comes, and `held` how many of them it has to wait
//!   for. Those who read the latest only are not among them: `fresh` says how many of those have not read the last message.
//! - **T3** Message `n` is published only when nobody holds message `n - capacity`. Publishers that wait for that lay their
//!   messages down in line, and whoever lets one go puts its message into the ring: none is overtaken.
//! - **T4** A message enters and leaves the ring by moves alone. It is cloned, and dropped, where the lock is free: for a reader that is
//!   not its last it is moved into a shell, of which that reader takes a share, and the last reader takes it out again. A shell of
//!   which all shares have come back stays in its cell, empty, for the next message.

use crate::sys::Arc;
use crate::sys::atomic::{AtomicUsize, Ordering};
use crate::sys::probe;
use crate::sys::shell::{Share, Shell, Taken};
use crate::sys::thread::contain;
use crate::wait::{Batch, Departure, Hall, Held, Line, Place};
use alloc::boxed::Box;
use core::marker::PhantomData;
use core::mem;

/// Subscribers that wait for a message.
pub(super) const READERS: usize = 0;
/// Publishers that wait for room.
pub(super) const PUBLISHERS: usize = 1;
/// Those who wait until no subscriber is left.
pub(super) const ENDED: usize = 2;

/// What a subscriber does when it is slower than the messages come.
///
/// | | for |
/// |---|---|
/// | `Wait` | what must see everything: accounts, storage, replicas |
/// | `DropOldest` | what may miss something, but has to know: metrics, logs, caches to be reloaded |
/// | `Latest` | what shows a state: progress, positions, configuration |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Slow {
    /// It misses nothing: publishers wait for it.
    #[default]
    Wait,
    /// It misses the oldest messages, and is told how many.
    DropOldest,
    /// It reads the latest message only.
    Latest,
}

/// Where messages lie.
pub(super) struct Hub<T>(PhantomData<T>);

pub(super) type Topical<T> = Hall<Hub<T>>;

pub(super) struct Shared {
    /// The handles of those who may publish.
    pub(super) publishers: AtomicUsize,
    /// How many messages there have been, as of lately: whether there is one need not be asked under the lock.
    pub(super) hint: AtomicUsize,
    pub(super) id: probe::Id,
}

struct Cell<T> {
    /// A message of which nobody has had a share.
    message: Option<T>,
    /// One of which somebody has, or nothing (T4).
    shell: Shell<T>,
    left: usize,
    held: usize,
}

pub(super) struct State<T> {
    ring: Box<[Cell<T>]>,
    capacity: u64,
    /// How many messages there have been: the number of the next.
    next: u64,
    /// Subscribers that are to read every message, or know what they missed.
    each: usize,
    /// Those among them whom publishers wait for.
    waited: usize,
    /// Subscribers that read the latest only.
    latest: usize,
    /// Those of them that have not read the last message.
    fresh: usize,
    pub(super) closed: bool,
    /// Subscribers that have not been told of the end.
    live: usize,
}

/// What waiters bring.
pub(super) enum Brought<T> {
    /// The number of the message that a subscriber waits for.
    Reader(u64),
    /// The message of a publisher.
    Message(T),
    /// What was a message goes to so many.
    Done(usize),
    /// Somebody who waits for the end.
    Nothing,
}

/// What is on its way out of the lock.
pub(super) enum Out<T> {
    Message(T),
    /// A share of one.
    Share(Share<T>),
}

impl<T: Clone> Out<T> {
    /// The message; outside the lock.
    #[inline]
    pub(super) fn into_message(self) -> T {
        match self {
            Self::Message(message) => message,
            Self::Share(share) => (*share).clone(),
        }
    }
}

impl<T> Place for Hub<T> {
    type State = State<T>;
    type Shared = Shared;
    type Slot = Brought<T>;
    type Lines = [Line<Brought<T>>; 3];
    const PASSES_ON: bool = false;

    fn left(_: &mut Held<'_, Self>, _: Departure, _: &mut Brought<T>, _: &mut Batch) {}
}

#[track_caller]
pub(super) fn hub<T>(capacity: usize) -> Arc<Topical<T>> {
    let cells = capacity.checked_next_power_of_two().expect("there is no room for so many messages");
    let ring = (0..cells).map(|_| Cell { message: None, shell: Shell::new(), left: 0, held: 0 }).collect();
    let state = State {
        ring,
        capacity: capacity as u64,
        next: 0,
        each: 0,
        waited: 0,
        latest: 0,
        fresh: 0,
        closed: false,
        live: 0,
    };
    let shared = Shared { publishers: AtomicUsize::new(1), hint: AtomicUsize::new(0), id: probe::Id::new() };
    Arc::new(Hall::new(shared, state, [Line::new(), Line::new(), Line::new()]))
}

impl<T> Cell<T> {
    /// Takes the message out, or leaves it to those who have a share of it.
    #[inline]
    fn empty(&mut self) -> Option<Out<T>> {
        match self.message.take() {
            Some(message) => Some(Out::Message(message)),
            None => self.shell.take().map(|taken| match taken {
                Taken::Whole(message) => Out::Message(message),
                Taken::Shared(share) => Out::Share(share),
            }),
        }
    }

    /// Puts a message into an empty cell.
    #[inline]
    fn fill(&mut self, message: T) {
        debug_assert!(self.message.is_none());
        mem::forget(self.message.replace(message));
    }

    /// A share of the message.
    #[inline]
    fn share(&mut self) -> Option<Out<T>> {
        match self.shell.share() {
            Some(share) => Some(share),
            None => self.message.take().map(|message| self.shell.lay(message)),
        }
        .map(Out::Share)
    }
}

/// What a subscriber finds.
pub(super) enum Found<T> {
    Message(Out<T>),
    Missed(u64),
    Nothing,
    End,
}

/// What became of a message.
pub(super) enum Put {
    /// It goes to so many. True: there are more to be woken.
    Done(usize, bool),
    Full,
    Closed,
}

impl<T> State<T> {
    #[inline]
    fn cell(&mut self, message: u64) -> &mut Cell<T> {
        let mask = self.ring.len() - 1;
        &mut self.ring[message as usize & mask]
    }

    /// How many subscribers there are.
    #[inline]
    pub(super) fn readers(&self) -> usize {
        self.each + self.latest
    }

    /// The first message that may still be in the ring.
    #[inline]
    fn first(&self) -> u64 {
        self.next.saturating_sub(self.capacity)
    }

    /// Whether nobody has to read message `n`, which is in the ring (T2).
    #[inline]
    fn is_read(&mut self, n: u64) -> bool {
        self.cell(n).left == 0 && (self.fresh == 0 || n + 1 != self.next)
    }

    /// The cell of the message that the next one displaces; at first, one that nothing has been in.
    #[inline]
    fn displaced(&mut self) -> &mut Cell<T> {
        self.cell(self.next.wrapping_sub(self.capacity))
    }

    /// Whether the next message would displace one that is held (T3).
    #[inline]
    fn is_full(&mut self) -> bool {
        self.displaced().held > 0
    }

    /// Publishes a message for which there is room, and of which there is a reader.
    #[inline(always)]
    fn push(&mut self, message: T, outs: &mut Outs<T>) {
        debug_assert!(self.readers() > 0);
        if let Some(last) = self.next.checked_sub(1) {
            // Those who read the latest only don't read the one before any more.
            if mem::take(&mut self.fresh) > 0 && self.cell(last).left == 0 {
                outs.0[0] = self.cell(last).empty();
            }
        }
        let oldest = self.displaced();
        if mem::take(&mut oldest.left) > 0 {
            debug_assert!(outs.0[1].is_none());
            mem::forget(mem::replace(&mut outs.0[1], oldest.empty()));
        }
        let (n, each, waited) = (self.next, self.each, self.waited);
        let cell = self.cell(n);
        (cell.left, cell.held) = (each, waited);
        cell.fill(message);
        self.next += 1;
        self.fresh = self.latest;
    }

    /// What the reader `at`, which is slow in this way, finds; it is moved on.
    #[inline(always)]
    fn read(&mut self, at: &mut u64, slow: Slow) -> Found<T> {
        if *at == self.next {
            return if self.closed { Found::End } else { Found::Nothing };
        }
        let last = self.next - 1;
        let n = match slow {
            Slow::Latest => {
                self.fresh -= 1;
                last
            }
            Slow::DropOldest if *at < self.first() => {
                let missed = self.first() - *at;
                *at += missed;
                return Found::Missed(missed);
            }
            _ => *at,
        };
        *at = n + 1;
        let fresh = self.fresh;
        let cell = self.cell(n);
        cell.left -= usize::from(slow != Slow::Latest);
        cell.held -= usize::from(slow == Slow::Wait);
        // T2: those who read the latest only are to read the last message as long as they are fresh.
        let is_last = cell.left == 0 && !(n == last && fresh > 0);
        let out = if is_last { cell.empty() } else { cell.share() };
        // There is one in each cell that anybody is to read (T1).
        out.map_or(Found::Nothing, Found::Message)
    }

    /// Gives up messages before `end` that the reader `at` has not read, up to one that nobody else is to read.
    fn forgo(&mut self, at: &mut u64, end: u64, slow: Slow) -> Option<Out<T>> {
        *at = if slow == Slow::Latest { end.max(1) - 1 } else { (*at).max(self.first()) }.max(*at);
        while *at < end {
            let n = *at;
            *at += 1;
            match slow {
                // Of a later one it was not counted among the readers.
                Slow::Latest if self.next == end => self.fresh -= 1,
                Slow::Latest => return None,
                Slow::DropOldest => self.cell(n).left -= 1,
                Slow::Wait => {
                    let cell = self.cell(n);
                    cell.left -= 1;
                    cell.held -= 1;
                }
            }
            if self.is_read(n) {
                return self.cell(n).empty();
            }
        }
        None
    }
}

/// What a publishing displaces: the last message, of which none but those who read the latest had been left, and the oldest. To be
/// dropped where the lock is free.
pub(super) struct Outs<T>([Option<Out<T>>; 2]);

impl<T> Default for Outs<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Outs<T> {
    #[inline]
    pub(super) fn new() -> Self {
        Self([None, None])
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }
}

impl<T> Held<'_, Hub<T>> {
    /// As [`publish_now`](Self::publish_now), where it is not the shortest way that counts.
    #[inline(never)]
    pub(super) fn publish(&mut self, message: &mut Option<T>, outs: &mut Outs<T>, batch: &mut Batch) -> Put {
        self.publish_now(message, outs, batch)
    }

    /// Publishes what is in `message`, unless others wait to or there is no room.
    #[inline(always)]
    pub(super) fn publish_now(&mut self, message: &mut Option<T>, outs: &mut Outs<T>, batch: &mut Batch) -> Put {
        if self.state.closed {
            return Put::Closed;
        }
        if !self.is_empty(PUBLISHERS) || self.state.is_full() {
            return Put::Full;
        }
        let readers = self.state.readers();
        if readers == 0 {
            return Put::Done(0, false);
        }
        match message.take() {
            Some(message) => self.state.push(message, outs),
            None => return Put::Done(0, false),
        }
        Put::Done(readers, self.announce(batch))
    }

    /// Wakes those who wait for a message that is there. True: the batch is full, and there may be more.
    #[inline(always)]
    pub(super) fn announce(&mut self, batch: &mut Batch) -> bool {
        // Relaxed: it is a hint.
        self.shared.hint.store(self.state.next as usize, Ordering::Relaxed);
        !self.is_empty(READERS) && self.announce_all(batch)
    }

    #[inline(never)]
    fn announce_all(&mut self, batch: &mut Batch) -> bool {
        let next = self.state.next;
        let closed = self.state.closed;
        while matches!(self.first(READERS), Some(Brought::Reader(at)) if closed || *at < next) {
            if batch.is_full() {
                return true;
            }
            self.grant(READERS, batch);
        }
        false
    }

    /// Reads for a subscriber that misses the oldest: what is known of it makes this half as long as [`read`](Self::read).
    #[inline(always)]
    pub(super) fn read_oldest(&mut self, at: &mut u64) -> Found<T> {
        self.state.read(at, Slow::DropOldest)
    }

    /// Reads for a subscriber.
    #[inline(never)]
    pub(super) fn read(&mut self, at: &mut u64, slow: Slow) -> Found<T> {
        self.state.read(at, slow)
    }

    /// Whether a publisher waits and may go on.
    #[inline]
    pub(super) fn has_room_for_who_waits(&mut self) -> bool {
        !self.is_empty(PUBLISHERS) && !self.state.closed && !self.state.is_full()
    }

    /// Puts the message of the first publisher that waits into the ring, if one waits and there is room (T3). True: there is
    /// more to do.
    #[inline]
    pub(super) fn admit(&mut self, outs: &mut Outs<T>, batch: &mut Batch) -> bool {
        self.has_room_for_who_waits() && self.admit_first(outs, batch)
    }

    #[inline(never)]
    fn admit_first(&mut self, outs: &mut Outs<T>, batch: &mut Batch) -> bool {
        let readers = self.state.readers();
        if let Some(brought) = self.first(PUBLISHERS) {
            // With nobody to read it, it stays with its publisher.
            if readers > 0 {
                if let Brought::Message(message) = mem::replace(brought, Brought::Done(readers)) {
                    self.state.push(message, outs);
                }
            }
        }
        self.grant(PUBLISHERS, batch);
        self.announce(batch) || self.has_room_for_who_waits()
    }

    /// Counts a subscriber in, and gives the number of the first message that it reads.
    pub(super) fn enter(&mut self, slow: Slow) -> u64 {
        let state = &mut *self.state;
        state.live += 1;
        state.latest += usize::from(slow == Slow::Latest);
        state.each += usize::from(slow != Slow::Latest);
        state.waited += usize::from(slow == Slow::Wait);
        state.next
    }

    /// Counts a subscriber out, and gives the number of the first message that it would not have read.
    pub(super) fn exit(&mut self, slow: Slow) -> u64 {
        let state = &mut *self.state;
        state.latest -= usize::from(slow == Slow::Latest);
        state.each -= usize::from(slow != Slow::Latest);
        state.waited -= usize::from(slow == Slow::Wait);
        state.next
    }

    /// Notes that a subscriber has been told of the end, or is gone. True: it was the last.
    pub(super) fn end(&mut self) -> bool {
        self.state.live -= 1;
        self.is_drained()
    }

    /// Whether there will be no message, and nobody is left who has not seen all.
    pub(super) fn is_drained(&self) -> bool {
        self.state.closed && self.state.live == 0
    }

    /// Lets those go who wait until no subscriber is left. True: the batch is full, and there may be more.
    pub(super) fn release(&mut self, batch: &mut Batch) -> bool {
        while !batch.is_full() {
            if !self.grant(ENDED, batch) {
                return false;
            }
        }
        true
    }

    /// Gives up one message that a subscriber has not read. None: there is no other.
    pub(super) fn forgo(&mut self, at: &mut u64, end: u64, slow: Slow) -> Option<Out<T>> {
        self.state.forgo(at, end, slow)
    }
}

impl<T> Hall<Hub<T>> {
    /// Goes on with what a read began: lets publishers go on while there is room for them, and wakes whom that concerns. Lets no
    /// waker's panic out.
    #[cold]
    pub(super) fn settle(&self) {
        let mut more = true;
        while more {
            let mut outs = Outs::new();
            contain(|| {
                more = self.wake(|held, batch| {
                    held.admit(&mut outs, batch) || held.announce(batch) || held.is_drained() && held.release(batch)
                });
            });
            contain(|| drop(outs));
        }
    }
}
