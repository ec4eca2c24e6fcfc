//! Who waits for permits, and the one timer that grants them.
//!
//! # Invariants
//!
//! - **G1** `queued` is the sum of the permits for which the line waits, and `dated` the number of those in it who have a
//!   deadline.
//! - **G2** When a call ends, the first in line is not due at the latest instant that the limiter was told, and `want` is
//!   the instant at which it will be; `u64::MAX` if nobody waits.
//! - **G3** When nobody is in [`follow`], the timer is set to `want`. `set` is what it was last set to, `u64::MAX` once it
//!   rang.
//! - **G4** Whoever takes the sleep out of the state has it alone, and puts it back; those who change `want` meanwhile
//!   leave the setting to it. So the timer queue is reached outside the limiter's lock.
//! - **G5** What was granted stands in `word`, where anybody may change it, unless that is [`TAKEN`]: then in the book, for
//!   whoever has the lock. As long as anybody waits, or anything is imposed, it is taken.
//! - **G6** `tail`, if it is there, is the book as it will be when all in line have been granted when they are due.
//! - **G7** `delayed` if any in line may be due later than when they came: who has a deadline may have to be turned away then.
//! - **G8** The first in line, if it waits at other limiters too, stays there when it is due, and has been `told` so; then
//!   `want` is its deadline. What it takes is up to `composite/`.

use super::book::{Book, Receipt};
use super::decide::{Algorithm, most};
use super::error::TryAcquireError;
use super::quick::{Decision, Quick};
use super::timer::{Timer, follow};
use crate::cancel::Deadline;
use crate::sys::probe::{self, Access};
use crate::sys::{Arc, Reading, Stamp};
use crate::time::{Instant, Time};
use crate::wait::{Batch, Departure, Hall, Held, Line, Place};
use alloc::boxed::Box;
use core::marker::PhantomData;

/// The one line of a limiter.
pub(super) const LINE: usize = 0;

/// The word of a limiter whose book is to be looked into.
const TAKEN: u64 = Quick::TAKEN;

/// A limiter: shared by its handles.
pub(super) type Gate<A> = Hall<Limit<A>>;

/// What waits at a limiter.
pub(super) struct Limit<A>(PhantomData<A>);

/// What is reached without the lock.
pub(super) struct Shared {
    pub(super) time: Time,
    /// How its clock is read, without a way to it.
    reading: Reading,
    pub(super) id: probe::Id,
    quick: Quick,
    word: Stamp,
    /// The latest instant that it was told while the word was not taken, and maybe later ones, but for threads that met.
    latest: Stamp,
}

/// What the lock guards.
pub(super) struct State<A: Algorithm> {
    pub(super) book: Book<A>,
    tail: Option<Box<Tail<A>>>,
    pub(super) latest: u64,
    queued: u64,
    dated: usize,
    delayed: bool,
    pub(super) want: u64,
    pub(super) set: u64,
    pub(super) timer: Timer,
}

impl Shared {
    /// The present instant of the clock.
    #[inline]
    pub(super) fn now(&self) -> Instant {
        match self.reading.nanos() {
            Some(nanos) => Instant::from_nanos(nanos),
            None => asked(&self.time),
        }
    }
}

/// The present instant of a clock that is read in a way of its own. Beside the path that is short, it is kept out of it.
#[inline(never)]
fn asked(time: &Time) -> Instant {
    time.now()
}

impl<A: Algorithm> State<A> {
    /// Somebody is not in line any more.
    fn discount(&mut self, permits: u32, dated: bool) {
        self.queued -= u64::from(permits);
        self.dated -= usize::from(dated);
    }

    /// The turns of those in line may come later than was reckoned.
    pub(super) fn postpone(&mut self) {
        self.tail = None;
        self.delayed = true;
    }
}

/// The book as it will be, and the instant at which the last in line will be granted.
struct Tail<A: Algorithm> {
    book: Book<A>,
    at: u64,
}

impl<A: Algorithm> Tail<A> {
    /// When somebody who comes at `now` is granted `permits`.
    fn due(&self, permits: u32, now: u64) -> u64 {
        self.book.due(permits, self.at.max(now))
    }

    /// Adds somebody who came at `since`, unless it will be turned away.
    fn add(&mut self, wish: &Wish) {
        if wish.permits > self.book.algorithm.burst() {
            return;
        }
        let due = self.due(wish.permits, wish.since);
        if due == u64::MAX {
            // It will never be granted; so nobody behind it will, unless it is turned away.
            self.at = if wish.is_dated() { self.at } else { due };
        } else if wish.deadline.allows(Instant::from_nanos(due)) {
            self.book.grant(wish.permits, wish.since, due);
            self.at = due;
        }
    }
}

/// What a waiter brings, and what came of it.
pub(super) struct Wish {
    pub(super) permits: u32,
    /// When it came, or would have come.
    pub(super) since: u64,
    /// Before which a grant is of use.
    pub(super) deadline: Deadline,
    /// Whether it waits at other limiters too, and takes its permits of all of them together.
    together: bool,
    /// Whether it knows that it is due (G8).
    pub(super) told: bool,
    pub(super) verdict: Verdict,
}

/// What came of a wish.
#[derive(Clone, Copy)]
pub(super) enum Verdict {
    /// Nothing yet.
    None,
    Granted(Receipt),
    /// It was turned away: its turn would have come at this instant.
    TooLate(u64),
    /// It was turned away: the burst has become as small as this.
    Exceeds(u32),
}

impl Wish {
    pub(super) fn new(permits: u32, deadline: Deadline) -> Self {
        Self { permits, since: 0, deadline, together: false, told: false, verdict: Verdict::None }
    }

    /// The same, of one who wants permits of other limiters together with these.
    pub(super) fn together(permits: u32, deadline: Deadline) -> Self {
        Self { together: true, ..Self::new(permits, deadline) }
    }

    fn is_dated(&self) -> bool {
        self.deadline != Deadline::Never
    }
}

impl<A: Algorithm> Place for Limit<A> {
    type State = State<A>;
    type Shared = Shared;
    type Slot = Wish;
    type Lines = [Line<Wish>; 1];
    const PASSES_ON: bool = true;

    /// Callers settle afterwards.
    fn left(held: &mut Held<'_, Self>, departure: Departure, wish: &mut Wish, _: &mut Batch) {
        held.state.tail = None;
        match (departure, wish.verdict) {
            (Departure::Line(_), _) => held.state.discount(wish.permits, wish.is_dated()),
            (Departure::Grant(_), Verdict::Granted(receipt)) => {
                held.take_over();
                let now = held.state.latest;
                held.state.book.refund(wish.permits, receipt, now);
            }
            _ => {}
        }
    }
}

/// A limiter that has granted nothing.
#[track_caller]
pub(super) fn gate<A: Algorithm>(time: Time, algorithm: A) -> Arc<Gate<A>> {
    let now = time.now().as_nanos();
    let quick = algorithm.quick(now).filter(|_| Stamp::IS_WORD);
    let book = Book::new(algorithm);
    let word = quick.and_then(|_| book.pack(now)).unwrap_or(TAKEN);
    let quick = quick.unwrap_or(Quick::NONE);
    let state = State {
        book,
        tail: None,
        latest: now,
        queued: 0,
        dated: 0,
        delayed: false,
        want: u64::MAX,
        set: u64::MAX,
        timer: Timer::None,
    };
    let reading = time.reading();
    let shared = Shared { time, reading, id: probe::Id::new(), quick, word: Stamp::new(word), latest: Stamp::new(now) };
    Arc::new(Hall::new(shared, state, [Line::new()]))
}

impl<A: Algorithm> Hall<Limit<A>> {
    /// A reading of the clock, or the latest that was told while the word was not taken (L7).
    #[inline]
    pub(super) fn told(&self, now: Instant) -> Instant {
        now.max(Instant::from_nanos(self.shared.latest.get()))
    }

    /// Grants `permits` or refuses them by the word alone, if that can be done.
    #[inline]
    pub(super) fn decide(&self, permits: u32, now: Instant) -> Decision {
        if !Stamp::IS_WORD {
            return Decision::Unknown;
        }
        let quick = &self.shared.quick;
        self.touch(Access::Write);
        if !quick.has(permits) {
            return Decision::Unknown;
        }
        let (latest, mut now) = (self.shared.latest.get(), now.as_nanos());
        // Branched to: a decision that took the larger one would wait for the latest, which the one before it has only just told.
        if now < latest {
            now = latest;
        } else {
            self.shared.latest.set(now);
        }
        let Some(ask) = quick.ask(permits, now) else { return Decision::Unknown };
        let mut word = self.shared.word.get();
        while let Some(next) = ask.granted(word) {
            match self.shared.word.exchange(word, next) {
                Ok(()) => return Decision::Granted(next),
                Err(seen) => word = seen,
            }
        }
        // None at all are granted always.
        if word == TAKEN || permits == 0 { Decision::Unknown } else { Decision::NotYet(quick.due(ask, word)) }
    }
}

/// What is left to do outside the lock.
#[derive(Clone, Copy, Default)]
#[must_use = "others are to be woken, or the timer set"]
pub(super) struct Todo {
    /// The batch was full: settle again.
    pub(super) more: bool,
    /// The timer is to be set.
    pub(super) set: bool,
}

impl<A: Algorithm> Held<'_, Limit<A>> {
    /// Has the book say what was granted (G5).
    #[inline]
    pub(super) fn take_over(&mut self) {
        if Stamp::IS_WORD && self.shared.word.get() != TAKEN {
            self.state.book.unpack(self.shared.word.swap(TAKEN), self.shared.quick.origin);
            self.state.latest = self.state.latest.max(self.shared.latest.get());
        }
    }

    /// Has the word say what was granted, if it can (G5).
    #[inline]
    pub(super) fn hand_over(&mut self) {
        let quick = &self.shared.quick;
        let (book, latest) = (&self.state.book, self.state.latest);
        if Stamp::IS_WORD && self.shared.word.get() == TAKEN && book.is_plain() && quick.reaches(latest) {
            if let Some(word) = book.pack(quick.origin) {
                self.shared.latest.set(latest);
                self.shared.word.set(word);
            }
        }
    }

    /// Begins a call with a reading of the clock, and gives the latest (L7). Whoever is due goes before the caller. Every
    /// call ends with [`close`](Self::close).
    pub(super) fn open(&mut self, now: Instant, batch: &mut Batch) -> u64 {
        self.take_over();
        let latest = self.state.latest.max(now.as_nanos());
        self.state.latest = latest;
        if self.state.book.pass(latest) {
            self.state.postpone();
        }
        self.settle(latest, batch);
        latest
    }

    /// Ends a call: says when the next is due (G2), and lets go of the book (G5).
    pub(super) fn close(&mut self, now: u64, batch: &mut Batch) -> Todo {
        let more = self.settle(now, batch);
        if self.is_empty(LINE) {
            self.state.want = u64::MAX;
            self.state.tail = None;
            self.state.delayed = false;
            self.hand_over();
        }
        let set = self.state.want != self.state.set && !matches!(self.state.timer, Timer::Out);
        Todo { more, set }
    }

    /// The most permits at once.
    pub(super) fn burst(&self) -> u32 {
        self.state.book.algorithm.burst()
    }

    /// Grants `permits` to a newcomer, if nobody waits and it is allowed.
    #[inline]
    pub(super) fn take(&mut self, permits: u32, now: u64) -> Option<Receipt> {
        let ready = permits <= self.burst() && self.is_empty(LINE) && self.state.book.is_ready(permits, now);
        ready.then(|| {
            let since = self.state.book.arrival(now);
            self.state.book.grant(permits, since, now)
        })
    }

    /// Whether a newcomer could have `permits`, or when.
    pub(super) fn look(&mut self, permits: u32, now: u64) -> Result<(), TryAcquireError> {
        let burst = self.burst();
        if permits > burst {
            return Err(TryAcquireError::ExceedsBurst { permits, burst });
        }
        if permits == 0 || self.is_empty(LINE) && self.state.book.is_ready(permits, now) {
            return Ok(());
        }
        // Later than now, also behind somebody who is due and waits at other limiters too (G8).
        let earliest = self.due(permits, now).max(now.saturating_add(1));
        Err(TryAcquireError::NotYet { earliest: Instant::from_nanos(earliest) })
    }

    /// As [`take`](Self::take), and says when to come back.
    pub(super) fn try_take(&mut self, permits: u32, now: u64) -> Result<Receipt, TryAcquireError> {
        match self.take(permits, now) {
            Some(receipt) => Ok(receipt),
            None => self.look(permits, now).map(|()| Receipt::NONE),
        }
    }

    /// The first instant at which a newcomer could have `permits`.
    pub(super) fn due(&mut self, permits: u32, now: u64) -> u64 {
        if self.is_empty(LINE) {
            return self.state.book.due(permits, now);
        }
        if let Some(due) = self.due_behind(permits) {
            return due.max(now);
        }
        let tail = self.state.tail.take().unwrap_or_else(|| {
            let mut tail = Box::new(Tail { book: self.state.book.clone(), at: now });
            self.each_of(LINE, |wish| tail.add(wish));
            tail
        });
        let due = tail.due(permits, now);
        self.state.tail = Some(tail);
        due
    }

    /// When a newcomer could have `permits`, if the sum of what is waited for is enough to know.
    fn due_behind(&self, permits: u32) -> Option<u64> {
        if self.state.delayed && self.state.dated > 0 {
            return None;
        }
        self.state.book.due_behind(self.state.queued, permits)
    }

    /// Whether [`due`](Self::due) takes constant time.
    pub(super) fn is_due_known(&self) -> bool {
        self.is_empty(LINE) || self.state.tail.is_some() || self.due_behind(1).is_some()
    }

    /// For how many permits the line waits.
    pub(super) fn queued(&self) -> u64 {
        self.state.queued
    }

    /// How many more may be waited for than do already.
    pub(super) fn has_room(&self, permits: u32) -> bool {
        self.state.queued + u64::from(permits) <= self.state.book.algorithm.backlog()
    }

    /// Counts a waiter that is about to join.
    pub(super) fn count(&mut self, wish: &mut Wish, now: u64) {
        wish.since = self.state.book.arrival(now);
        self.state.queued += u64::from(wish.permits);
        self.state.dated += usize::from(wish.is_dated());
        if let Some(tail) = &mut self.state.tail {
            tail.add(wish);
        }
    }

    /// Grants whoever is due at `now`, and turns away first ones whose turn comes too late for them. True: the batch is full.
    fn settle(&mut self, now: u64, batch: &mut Batch) -> bool {
        let on_time = now == self.state.want;
        loop {
            let Some(wish) = self.first(LINE) else { return false };
            let (permits, since, deadline, dated) = (wish.permits, wish.since, wish.deadline, wish.is_dated());
            let together = wish.together;
            let (due, burst) = (self.state.book.due(permits, now), self.burst());
            let refusal = match deadline.allows(Instant::from_nanos(due)) {
                _ if permits > burst => Some(Verdict::Exceeds(burst)),
                true => None,
                false => Some(Verdict::TooLate(due)),
            };
            if together && refusal.is_none() {
                return self.tell_first(due, now, batch);
            }
            if due > now && refusal.is_none() {
                self.state.want = due;
                return false;
            }
            if batch.is_full() {
                self.state.want = now;
                return true;
            }
            if let Some(refusal) = refusal {
                self.decide_first(refusal);
                self.dismiss(LINE, batch);
                self.state.tail = None;
            } else {
                if !on_time && !self.state.book.is_credited(since, now) {
                    self.state.postpone();
                }
                let receipt = self.state.book.grant(permits, since, now);
                self.decide_first(Verdict::Granted(receipt));
                self.grant(LINE, batch);
            }
            self.state.discount(permits, dated);
        }
    }

    fn decide_first(&mut self, verdict: Verdict) {
        if let Some(wish) = self.first(LINE) {
            wish.verdict = verdict;
        }
    }

    /// Turns away who wants more than the burst, which has changed. True: the batch is full.
    pub(super) fn turn_away_large(&mut self, batch: &mut Batch) -> bool {
        let (burst, mut gone, mut dated) = (self.burst(), 0, 0);
        let more = self.dismiss_where(LINE, batch, |wish| {
            let large = wish.permits > burst;
            if large {
                wish.verdict = Verdict::Exceeds(burst);
                gone += u64::from(wish.permits);
                dated += usize::from(wish.is_dated());
            }
            large
        });
        self.state.queued -= gone;
        self.state.dated -= dated;
        more
    }

    /// How many permits could be had at `now`.
    pub(super) fn available(&self, now: u64) -> u32 {
        if !self.is_empty(LINE) {
            return 0;
        }
        most(self.burst(), |permits| self.state.book.is_ready(permits, now))
    }
}

/// Runs `f` under the lock, with the latest reading of the clock, when those have been served who were due.
pub(super) fn enter<A: Algorithm, R>(
    gate: &Arc<Gate<A>>,
    now: Instant,
    f: impl FnOnce(&mut Held<'_, Limit<A>>, u64) -> R,
) -> R {
    let mut batch = Batch::new();
    let (r, todo) = gate.with(|held| {
        let now = held.open(now, &mut batch);
        let r = f(held, now);
        (r, held.close(now, &mut batch))
    });
    follow(gate, &mut batch, todo);
    r
}

/// Changes what was granted or is allowed, at a reading of the clock, and re-times whoever waits.
pub(super) fn adjust<A: Algorithm, R>(gate: &Arc<Gate<A>>, f: impl FnOnce(&mut Book<A>, u64) -> R) -> R {
    enter(gate, gate.shared.now(), |held, now| {
        held.state.postpone();
        f(&mut held.state.book, now)
    })
}
