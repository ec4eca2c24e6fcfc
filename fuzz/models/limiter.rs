//! A limiter beside a rule, a line and what was imposed.

use super::World;
use super::rules::{Kind, Numbers, Rule};
use super::waiting::{Phase, Places, Waiting, assert_woken, place, spending};
use arbitrary::Arbitrary;
use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;
use wakeful::limit::{
    AcquireError, Algorithm, Carry, FixedWindow, Gcra, LeakyBucket, LeakyQueue, Limiter, Quota, SlidingCounter,
    SlidingLog, TryAcquireError,
};
use wakeful::time::{Instant, ManualClock};

/// One step.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(crate) enum Op {
    /// Begins anew with another algorithm, at an instant of a clock of its own.
    Begin(u8, u8, Seldom),
    TryAcquire(u8),
    /// The reading that it is told lies so far from the clock's.
    TryAcquireAt(i8, u8),
    /// Some of what is reserved is spent.
    TryReserve(u8, u8),
    /// A future is put in a place, where another may have been, maybe with a deadline; it reserves or acquires.
    Start(u8, u8, Option<u8>, bool),
    /// The same, and it is polled.
    Ask(u8, u8, Option<u8>, bool),
    Poll(u8, bool),
    Drop(u8),
    /// So many of a reservation are spent, the others go back.
    Commit(u8, u8),
    Peek(u8),
    Available,
    Refund(u8),
    Observe(u8, u8),
    Penalize(u8),
    Open,
    Reconfigure(u8, bool),
    /// Time passes, and timers ring when they are due.
    Advance(u8),
    /// Time passes at once, and timers ring late.
    Jump(u8),
}

/// A byte of which few have an effect, so that what follows is long.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(crate) struct Seldom(u8);

impl Seldom {
    pub(crate) fn get(self) -> Option<u8> {
        (self.0 < 24).then_some(self.0)
    }
}

type Acquiring = dyn Future<Output = Result<(), AcquireError>>;

/// What a limiter does, whatever its algorithm.
trait Real {
    fn try_acquire_at(&self, now: Option<Instant>, permits: u32) -> Result<(), TryAcquireError>;
    fn try_reserve(&self, permits: u32, spend: u32) -> Result<(), TryAcquireError>;
    fn acquire(&self, permits: u32, deadline: Option<Instant>) -> Pin<Box<Acquiring>>;
    fn reserve(&self, permits: u32, deadline: Option<Instant>, phase: Rc<Cell<Phase>>) -> Pin<Box<Acquiring>>;
    fn peek(&self, permits: u32) -> Result<(), TryAcquireError>;
    fn available(&self) -> u32;
    fn refund(&self, permits: u32);
    fn observe(&self, remaining: u32, reset: Instant);
    fn penalize_until(&self, until: Instant);
    fn open(&self);
    fn reconfigure(&self, numbers: Numbers, carry: Carry);
}

struct By<A: Algorithm> {
    limiter: Limiter<A>,
    made: fn(Numbers) -> A,
}

impl<A: Algorithm> Real for By<A> {
    fn try_acquire_at(&self, now: Option<Instant>, permits: u32) -> Result<(), TryAcquireError> {
        match now {
            Some(now) => self.limiter.try_acquire_at(now, permits),
            None => self.limiter.try_acquire(permits),
        }
    }

    fn try_reserve(&self, permits: u32, spend: u32) -> Result<(), TryAcquireError> {
        self.limiter.try_reserve(permits).map(|reserved| reserved.commit_only(spend))
    }

    fn acquire(&self, permits: u32, deadline: Option<Instant>) -> Pin<Box<Acquiring>> {
        let limiter = self.limiter.clone();
        Box::pin(async move {
            match deadline {
                Some(deadline) => limiter.acquire_before(permits, deadline).await,
                None => limiter.acquire(permits).await,
            }
        })
    }

    /// Holds what it reserved until it is told how much to spend.
    fn reserve(&self, permits: u32, deadline: Option<Instant>, phase: Rc<Cell<Phase>>) -> Pin<Box<Acquiring>> {
        let limiter = self.limiter.clone();
        Box::pin(async move {
            let reserved = match deadline {
                Some(deadline) => limiter.acquire_before(permits, deadline).reserving().await?,
                None => limiter.reserve(permits).await?,
            };
            assert_eq!(reserved.permits(), permits);
            reserved.commit_only(spending(&phase).await);
            Ok(())
        })
    }

    fn peek(&self, permits: u32) -> Result<(), TryAcquireError> {
        self.limiter.peek(permits)
    }

    fn available(&self) -> u32 {
        self.limiter.available()
    }

    fn refund(&self, permits: u32) {
        self.limiter.refund(permits);
    }

    fn observe(&self, remaining: u32, reset: Instant) {
        self.limiter.observe(remaining, reset);
    }

    fn penalize_until(&self, until: Instant) {
        self.limiter.penalize_until(until);
    }

    fn open(&self) {
        self.limiter.open();
    }

    fn reconfigure(&self, numbers: Numbers, carry: Carry) {
        self.limiter.reconfigure((self.made)(numbers), carry);
    }
}

const YEAR: u64 = 31_557_600_000_000_000;

pub(crate) fn nz(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).unwrap()
}

/// Numbers for a byte.
fn numbers(byte: u8) -> Numbers {
    let (permits, period) =
        [(1, 20), (3, 20), (3, 200), (7, 50), (1, 1), (5, 2), (1, 50 * YEAR)][usize::from(byte) % 7];
    let (burst, credit) = (1 + u32::from(byte) / 7 % 6, [0, 15, 20_000_000][usize::from(byte) / 42 % 3]);
    Numbers { permits, period, burst, credit }
}

pub(crate) fn quota(numbers: Numbers) -> Quota {
    let quota = Quota::new(nz(numbers.permits), Duration::from_nanos(numbers.period)).unwrap();
    quota.burst(nz(numbers.burst)).credit(Duration::from_nanos(numbers.credit))
}

/// A limiter by the `n`th algorithm, and its kind.
fn real(n: u8, numbers: Numbers, clock: &ManualClock) -> (Box<dyn Real>, Kind) {
    fn by<A: Algorithm>(made: fn(Numbers) -> A, numbers: Numbers, clock: &ManualClock) -> Box<dyn Real> {
        Box::new(By { limiter: Limiter::with(&clock.time(), made(numbers)), made })
    }
    fn window(numbers: Numbers) -> (NonZeroU32, Duration) {
        (nz(numbers.burst), Duration::from_nanos(numbers.period))
    }
    match n % 6 {
        0 => (by(|n| Gcra::new(quota(n)), numbers, clock), Kind::Bucket),
        1 => (by(|n| LeakyBucket::new(quota(n)), numbers, clock), Kind::Bucket),
        2 => (by(|n| LeakyQueue::new(quota(n)), numbers, clock), Kind::Queue),
        3 => {
            let made = |n| {
                let (permits, window) = window(n);
                FixedWindow::new(permits, window).unwrap().aligned(at(Numbers::EDGE))
            };
            (by(made, numbers, clock), Kind::Fixed)
        }
        4 => {
            let made = |n| {
                let (permits, window) = window(n);
                SlidingCounter::new(permits, window).unwrap()
            };
            (by(made, numbers, clock), Kind::Counter)
        }
        _ => {
            let made = |n| {
                let (permits, window) = window(n);
                SlidingLog::new(permits, window).unwrap()
            };
            (by(made, numbers, clock), Kind::Log)
        }
    }
}

pub(crate) fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

/// Who waits.
#[derive(Clone, Copy)]
struct Wish {
    who: u64,
    permits: u32,
    since: u64,
    deadline: Option<u64>,
}

impl Wish {
    fn allows(&self, at: u64) -> bool {
        self.deadline.is_none_or(|deadline| at < deadline)
    }
}

/// What it takes to give something back: where it stands, and how often the numbers had changed.
type Receipt = ((u128, u128), u64);

/// What must be.
struct Model {
    rule: Rule,
    /// At most so many until an instant.
    cap: Option<(u32, u64)>,
    /// When the last cap ended, or the numbers changed.
    floor: u64,
    /// How late the latest grant was, as far as that is made up for.
    lag: u64,
    changes: u64,
    latest: u64,
    line: VecDeque<Wish>,
    /// What came of those who waited, and have not been polled since.
    verdicts: BTreeMap<u64, Result<(u32, Receipt), AcquireError>>,
    woken: Vec<u64>,
}

impl Model {
    fn new(kind: Kind, numbers: Numbers, now: u64) -> Self {
        let (line, verdicts, woken) = Default::default();
        Self {
            rule: Rule::new(kind, numbers),
            cap: None,
            floor: 0,
            lag: 0,
            changes: 0,
            latest: now,
            line,
            verdicts,
            woken,
        }
    }

    fn burst(&self) -> u32 {
        self.rule.numbers.burst
    }

    fn due(&self, permits: u32, from: u64) -> u64 {
        let from = self.cap.filter(|(left, _)| permits > *left).map_or(from, |(_, until)| until.max(from));
        self.rule.due(permits, from)
    }

    fn grant(&mut self, permits: u32, since: u64, now: u64) -> Receipt {
        self.pass(now);
        if let Some((left, _)) = &mut self.cap {
            *left -= permits;
        }
        let credit = self.rule.credit();
        let from = since.max(self.floor).max(now.saturating_sub(credit));
        let late = now - self.rule.due(permits, from).min(now);
        self.lag = if late > credit / 16_384 { late } else { 0 };
        (self.rule.charge(permits, from), self.changes)
    }

    /// When one who comes now would have come if nothing had been late. How long all of the burst has been there is lost.
    fn arrival(&mut self, now: u64) -> u64 {
        let came = now - self.lag;
        let full = self.rule.due(self.burst(), 0);
        self.lag -= came.saturating_sub(full).min(self.lag);
        now - self.lag
    }

    /// What was imposed ends by itself.
    fn pass(&mut self, now: u64) {
        if self.cap.is_some_and(|(_, until)| until <= now) {
            self.lift(now);
        }
    }

    fn lift(&mut self, now: u64) {
        if let Some((_, until)) = self.cap.take() {
            self.floor = until.min(now);
        }
    }

    fn give_back(&mut self, permits: u32, (mark, changes): Receipt) {
        if changes == self.changes {
            self.rule.give_back(permits, mark, self.latest);
        }
    }

    /// It is told the time; those who are due go first.
    fn tell(&mut self, now: u64) -> u64 {
        self.latest = self.latest.max(now);
        self.pass(self.latest);
        self.settle();
        self.latest
    }

    fn settle(&mut self) {
        let now = self.latest;
        while let Some(first) = self.line.front().copied() {
            let due = self.due(first.permits, now);
            let verdict = if first.permits > self.burst() {
                Err(AcquireError::ExceedsBurst { permits: first.permits, burst: self.burst() })
            } else if !first.allows(due) {
                Err(AcquireError::TooLate { earliest: at(due), deadline: at(first.deadline.unwrap()) })
            } else if due <= now {
                Ok((first.permits, self.grant(first.permits, first.since, now)))
            } else {
                return;
            };
            self.line.pop_front();
            self.decide(first.who, verdict);
        }
    }

    fn decide(&mut self, who: u64, verdict: Result<(u32, Receipt), AcquireError>) {
        self.verdicts.insert(who, verdict);
        self.woken.push(who);
    }

    /// When the timer rings.
    fn want(&self) -> u64 {
        self.line.front().map_or(u64::MAX, |first| self.due(first.permits, self.latest))
    }

    /// When a newcomer could have `permits`, if all who wait are granted when they are due.
    fn due_behind(&self, permits: u32) -> u64 {
        let (rule, line) = (self.rule.clone(), self.line.clone());
        let mut then = Self { rule, line, verdicts: BTreeMap::new(), woken: Vec::new(), ..*self };
        while let Some(first) = then.line.front().copied() {
            // Who is turned away in between has no part in it.
            match then.due(first.permits, then.latest) {
                u64::MAX if first.deadline.is_none() => return u64::MAX,
                due if first.allows(due) => then.latest = due,
                _ => {}
            }
            then.settle();
        }
        then.due(permits, then.latest)
    }

    fn look(&self, permits: u32) -> Result<(), TryAcquireError> {
        if permits > self.burst() {
            return Err(TryAcquireError::ExceedsBurst { permits, burst: self.burst() });
        }
        match self.due_behind(permits) {
            due if due <= self.latest && self.line.is_empty() => Ok(()),
            due => Err(TryAcquireError::NotYet { earliest: at(due) }),
        }
    }

    fn try_acquire(&mut self, permits: u32, now: u64) -> Result<Receipt, TryAcquireError> {
        let now = self.tell(now);
        self.look(permits)?;
        let since = self.arrival(now);
        Ok(self.grant(permits, since, now))
    }

    /// The first poll of a future. None: it waits.
    fn acquire(&mut self, wish: Wish, now: u64) -> Option<Result<Receipt, AcquireError>> {
        let (permits, burst) = (wish.permits, self.burst());
        if permits > burst {
            return Some(Err(AcquireError::ExceedsBurst { permits, burst }));
        }
        let now = self.tell(now);
        let due = self.due_behind(permits);
        if wish.allows(now) && due <= now && self.line.is_empty() {
            let since = self.arrival(now);
            return Some(Ok(self.grant(permits, since, now)));
        }
        let queued = self.line.iter().map(|wish| u64::from(wish.permits)).sum();
        if queued + u64::from(permits) > self.rule.backlog() {
            return Some(Err(AcquireError::Full { permits, queued }));
        }
        if !wish.allows(due) {
            return Some(Err(AcquireError::TooLate { earliest: at(due), deadline: at(wish.deadline.unwrap()) }));
        }
        let since = self.arrival(now);
        self.line.push_back(Wish { since, ..wish });
        None
    }

    /// A future that was polled is dropped.
    fn leave(&mut self, who: u64, now: u64) {
        let waits = self.line.iter().position(|wish| wish.who == who);
        match (waits, self.verdicts.remove(&who)) {
            (Some(place), _) => drop(self.line.remove(place)),
            (None, Some(Ok((permits, receipt)))) => self.give_back(permits, receipt),
            // Who was turned away leaves nothing behind.
            (None, Some(Err(_)) | None) => return,
        }
        self.tell(now);
    }

    fn impose(&mut self, left: u32, until: u64) {
        if until > self.latest {
            self.cap = Some(match self.cap {
                Some(cap) if left > cap.0 => cap,
                Some(cap) => (left, until.max(cap.1)),
                None => (left, until),
            });
        }
    }

    fn change(&mut self, numbers: Numbers, carry: Carry) {
        self.rule.change(numbers, carry, self.latest);
        (self.lag, self.floor) = (0, self.latest);
        self.changes += 1;
        self.settle();
        let (burst, line) = (numbers.burst, std::mem::take(&mut self.line));
        for wish in line {
            if wish.permits > burst {
                self.decide(wish.who, Err(AcquireError::ExceedsBurst { permits: wish.permits, burst }));
            } else {
                self.line.push_back(wish);
            }
        }
    }
}

/// A future, what it asks for, and how far it is if it reserves.
struct Asked {
    permits: u32,
    deadline: Option<u64>,
    phase: Option<Rc<Cell<Phase>>>,
}

/// A reservation that is held.
struct Reserved {
    future: Waiting<Acquiring>,
    phase: Rc<Cell<Phase>>,
    permits: u32,
    receipt: Receipt,
}

/// A limiter and its model.
pub(crate) struct Limits {
    clock: ManualClock,
    real: Box<dyn Real>,
    model: Model,
    next: u64,
    places: Places<Acquiring>,
    asked: BTreeMap<u64, Asked>,
    held: Vec<Reserved>,
}

impl Limits {
    fn begin(algorithm: u8, byte: u8, start: u8) -> Self {
        // Of all time there are 584 years.
        let start = [0, 1_000_000_000, 500 * YEAR][usize::from(start) % 3];
        let (clock, numbers) = (ManualClock::at(at(start)), numbers(byte));
        let (real, kind) = real(algorithm, numbers, &clock);
        let model = Model::new(kind, numbers, start);
        let (places, asked, held) = Default::default();
        Self { clock, real, model, next: 0, places, asked, held }
    }

    fn now(&self) -> u64 {
        self.clock.time().now().as_nanos()
    }

    fn leave(&mut self, who: u64) {
        self.asked.remove(&who);
        self.model.leave(who, self.now());
    }

    fn poll(&mut self, place_at: u8, new_waker: bool) {
        let now = self.now();
        let Some(waiting) = place(&mut self.places, place_at) else { return };
        let who = waiting.who;
        let Asked { permits, deadline, phase } = &self.asked[&who];
        let (permits, deadline) = (*permits, *deadline);
        let polled = waiting.poll(new_waker);
        let is_held = phase.as_ref().is_some_and(|phase| phase.get() == Phase::Held);
        let answer = match polled {
            Poll::Ready(result) => Some(result),
            Poll::Pending => is_held.then_some(Ok(())),
        };
        let waits = self.model.line.iter().any(|wish| wish.who == who);
        let must = match self.model.verdicts.remove(&who) {
            _ if waits => None,
            Some(verdict) => Some(verdict.map(|(_, receipt)| receipt)),
            None => self.model.acquire(Wish { who, permits, since: now, deadline }, now),
        };
        assert_eq!(answer, must.map(|result| result.map(drop)), "{permits} before {deadline:?} at {now}");
        let Some(result) = must else { return };
        let future = place(&mut self.places, place_at).take().unwrap();
        let phase = self.asked.remove(&who).unwrap().phase;
        if let (Ok(receipt), Some(phase)) = (result, phase) {
            self.held.push(Reserved { future, phase, permits, receipt });
        }
    }

    /// Some of what `reserved` holds is spent, the rest goes back.
    fn commit(&mut self, reserved: Reserved, spend: u32) {
        let Reserved { mut future, phase, permits, receipt } = reserved;
        phase.set(Phase::Spend(spend));
        assert_eq!(future.poll(false), Poll::Ready(Ok(())));
        self.reserved(permits, receipt, spend);
    }

    fn reserved(&mut self, permits: u32, receipt: Receipt, spend: u32) {
        if permits > spend {
            self.model.tell(self.now());
            self.model.give_back(permits - spend, receipt);
            self.model.settle();
        }
    }

    /// The limiter is told the time, what it allows changes, and whoever is due then is granted.
    fn adjust(&mut self, adjust: impl FnOnce(&mut Model)) {
        self.model.tell(self.now());
        adjust(&mut self.model);
        self.model.settle();
    }

    fn take(&mut self, op: Op) {
        let now = self.now();
        let permits = |byte| 1 + u32::from(byte) % 7;
        let later = |byte: u8| now + u64::from(byte);
        match op {
            Op::Begin(algorithm, numbers, start) => {
                let Some(start) = start.get() else { return };
                *self = Self::begin(algorithm, numbers, start);
            }
            Op::TryAcquire(n) => {
                let answer = self.real.try_acquire_at(None, permits(n));
                assert_eq!(answer, self.model.try_acquire(permits(n), now).map(drop));
            }
            Op::TryAcquireAt(offset, n) => {
                let told = now.saturating_add_signed(offset.into());
                let answer = self.real.try_acquire_at(Some(at(told)), permits(n));
                assert_eq!(answer, self.model.try_acquire(permits(n), told).map(drop));
            }
            Op::TryReserve(n, spend) => {
                let (permits, spend) = (permits(n), u32::from(spend) % 8);
                let answer = self.real.try_reserve(permits, spend);
                let must = self.model.try_acquire(permits, now);
                assert_eq!(answer, must.map(drop));
                if let Ok(receipt) = must {
                    self.reserved(permits, receipt, spend);
                }
            }
            Op::Start(place_at, n, deadline, reserves) => {
                let (permits, deadline, who) = (permits(n), deadline.map(later), self.next);
                self.next += 1;
                let phase = reserves.then(|| Rc::new(Cell::new(Phase::Waits)));
                let future = match &phase {
                    Some(phase) => self.real.reserve(permits, deadline.map(at), phase.clone()),
                    None => self.real.acquire(permits, deadline.map(at)),
                };
                self.take(Op::Drop(place_at));
                self.asked.insert(who, Asked { permits, deadline, phase });
                *place(&mut self.places, place_at) = Some(Waiting::new(who, future));
            }
            Op::Ask(place_at, n, deadline, reserves) => {
                self.take(Op::Start(place_at, n, deadline, reserves));
                self.poll(place_at, false);
            }
            Op::Poll(place_at, new_waker) => self.poll(place_at, new_waker),
            Op::Drop(place_at) => {
                let Some(waiting) = place(&mut self.places, place_at).take() else { return };
                let who = waiting.who;
                drop(waiting);
                self.leave(who);
            }
            Op::Commit(which, spend) => {
                let Some(which) = usize::from(which).checked_rem(self.held.len()) else { return };
                let reserved = self.held.swap_remove(which);
                self.commit(reserved, u32::from(spend) % 8);
            }
            Op::Peek(n) => {
                let answer = self.real.peek(permits(n));
                self.model.tell(now);
                assert_eq!(answer, self.model.look(permits(n)));
            }
            Op::Available => {
                let answer = self.real.available();
                self.model.tell(now);
                let can = |n: &u32| self.model.look(*n).is_ok();
                assert_eq!(answer, (1..=self.model.burst()).take_while(can).count() as u32);
            }
            Op::Refund(n) => {
                self.real.refund(n.into());
                self.adjust(|model| model.rule.give_back_latest(n.into(), model.latest));
            }
            Op::Observe(left, until) => {
                let left = u32::from(left) % 8;
                self.real.observe(left, at(later(until)));
                self.adjust(|model| model.impose(left, later(until)));
            }
            Op::Penalize(until) => {
                // The last one is for ever: closed.
                let until = if until == u8::MAX { u64::MAX } else { later(until) };
                self.real.penalize_until(at(until));
                self.adjust(|model| model.impose(0, until));
            }
            Op::Open => {
                self.real.open();
                self.adjust(|model| model.lift(model.latest));
            }
            Op::Reconfigure(byte, fraction) => {
                let carry = if fraction { Carry::Fraction } else { Carry::Clamp };
                self.real.reconfigure(numbers(byte), carry);
                self.adjust(|model| model.change(numbers(byte), carry));
            }
            Op::Advance(by) => {
                self.clock.advance_to(at(later(by)));
                while self.model.want() <= later(by) {
                    self.model.tell(self.model.want());
                }
            }
            Op::Jump(by) => {
                self.clock.jump_to(at(later(by)));
                if self.model.want() <= later(by) {
                    self.model.tell(later(by));
                }
            }
        }
    }
}

impl World for Limits {
    type Op = Op;

    fn new() -> Self {
        Self::begin(0, 0, 0)
    }

    fn step(&mut self, op: Op) {
        self.take(op);
        assert_woken(&self.places, &self.model.woken);
        self.model.woken.clear();
        let timers = usize::from(self.model.want() != u64::MAX);
        assert_eq!(self.clock.time().pending(), timers, "one timer, if anybody can be granted anything");
    }

    fn end(self) {
        let Self { clock, real, places, held, .. } = self;
        drop(places);
        drop(held);
        assert_eq!(clock.time().pending(), 0);
        drop(real);
    }
}
