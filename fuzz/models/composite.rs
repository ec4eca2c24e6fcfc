//! Composites of two limiters and a semaphore, and those who want one limiter alone, beside rules and lines.
//!
//! Late grants are charged when they are made, so that what is granted when says it all.

use super::World;
use super::limiter::{Seldom, at, nz, quota};
use super::rules::{Kind, Numbers, Rule};
use super::waiting::{Phase, Places, Waiting, assert_woken, place, spending};
use arbitrary::Arbitrary;
use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use wakeful::limit::{
    AcquireAllError, AcquireError, Carry, Composite, Gcra, Limiter, TryAcquireAllError, TryAcquireError,
};
use wakeful::sync::Semaphore;
use wakeful::time::ManualClock;

/// Permits of the semaphore.
const TOTAL: usize = 2;

/// One step.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(crate) enum Op {
    /// Begins anew with other numbers.
    Begin(Seldom, u8),
    /// What is wanted of all, and in which way that is said.
    TryAcquire(u8, u8),
    /// The same, for one limiter alone.
    TryOne(bool, u8),
    /// A future of a composite is put in a place, where another may have been, and polled.
    Ask(u8, u8, u8),
    /// The same, for one limiter alone.
    AskOne(u8, bool, u8),
    Poll(u8, bool),
    Drop(u8),
    /// A pass is given back.
    Release(u8),
    Available(bool),
    Refund(bool, u8),
    Penalize(bool, u8),
    Open(bool),
    Reconfigure(bool, u8, bool),
    /// Time passes, and timers ring when they are due.
    Advance(u8),
    /// Time passes at once, and timers ring late.
    Jump(u8),
}

/// Numbers for a byte; nothing is charged in the past.
fn numbers(byte: u8) -> Numbers {
    let (permits, period) = [(1, 20), (3, 20), (3, 200), (7, 50), (5, 2)][usize::from(byte) % 5];
    Numbers { permits, period, burst: 1 + u32::from(byte) / 5 % 5, credit: 0 }
}

/// How many are wanted of each limiter, and of the semaphore.
#[derive(Clone, Copy, Debug)]
struct Want {
    limits: [u32; 2],
    semaphore: usize,
    /// Whether that is named, though nothing may be wanted of it.
    names_semaphore: bool,
}

impl Want {
    fn of(byte: u8, how: u8) -> Self {
        let limits = [byte % 4, byte / 4 % 4].map(u32::from);
        let semaphore = usize::from(byte / 16) % (TOTAL + 1);
        Self { limits, semaphore, names_semaphore: semaphore > 0 || how & 4 == 0 }
    }

    fn one(which: bool, byte: u8) -> (usize, u32) {
        (usize::from(which), 1 + u32::from(byte) % 4)
    }
}

/// A place in a line.
#[derive(Clone, Copy)]
struct Wish {
    who: u64,
    permits: u32,
    /// Whether it waits elsewhere too, and then whether it knows that its turn has come here.
    told: Option<bool>,
    /// Whether it was not woken here since it was polled.
    sleeps: bool,
}

/// A limiter as it must be.
struct Model {
    rule: Rule,
    /// Nothing is granted before this.
    closed_until: Option<u64>,
    latest: u64,
    line: VecDeque<Wish>,
}

/// Who was granted what they waited for, or can't ever be.
type Verdicts = BTreeMap<u64, Result<(), AcquireError>>;

impl Model {
    fn new(numbers: Numbers) -> Self {
        Self { rule: Rule::new(Kind::Bucket, numbers), closed_until: None, latest: 0, line: VecDeque::new() }
    }

    fn exceeds(&self, permits: u32) -> Option<AcquireError> {
        let burst = self.rule.numbers.burst;
        (permits > burst).then_some(AcquireError::ExceedsBurst { permits, burst })
    }

    fn due(&self, permits: u32, from: u64) -> u64 {
        self.rule.due(permits, self.closed_until.map_or(from, |until| until.max(from)))
    }

    fn can(&self, permits: u32) -> bool {
        self.line.is_empty() && self.due(permits, self.latest) <= self.latest
    }

    fn grant(&mut self, permits: u32) {
        self.rule.charge(permits, self.latest);
    }

    /// When its timer rings.
    fn want(&self) -> u64 {
        match self.line.front() {
            Some(Wish { told: Some(true), .. }) | None => u64::MAX,
            Some(first) => self.due(first.permits, self.latest),
        }
    }

    /// It is told the time; those who are due go first.
    fn tell(&mut self, now: u64, verdicts: &mut Verdicts, woken: &mut Vec<u64>) {
        self.latest = self.latest.max(now);
        self.closed_until = self.closed_until.filter(|until| *until > self.latest);
        while let Some(first) = self.line.front().copied() {
            let is_due = self.due(first.permits, self.latest) <= self.latest;
            let verdict = match (self.exceeds(first.permits), first.told) {
                (Some(error), _) => Err(error),
                (None, Some(told)) => {
                    self.line[0].told = Some(is_due);
                    if is_due && !told && std::mem::take(&mut self.line[0].sleeps) {
                        woken.push(first.who);
                    }
                    return;
                }
                (None, None) if is_due => {
                    self.grant(first.permits);
                    Ok(())
                }
                (None, None) => return,
            };
            self.line.pop_front();
            verdicts.insert(first.who, verdict);
            woken.extend(first.sleeps.then_some(first.who));
        }
    }

    /// Turns away who wants more than there can be.
    fn turn_away(&mut self, verdicts: &mut Verdicts, woken: &mut Vec<u64>) {
        for wish in std::mem::take(&mut self.line) {
            match self.exceeds(wish.permits) {
                Some(error) => {
                    verdicts.insert(wish.who, Err(error));
                    woken.extend(wish.sleeps.then_some(wish.who));
                }
                None => self.line.push_back(wish),
            }
        }
    }

    fn leave(&mut self, who: u64) -> bool {
        let place = self.line.iter().position(|wish| wish.who == who);
        place.is_some_and(|place| self.line.remove(place).is_some())
    }
}

/// What a future wants, and how far it is.
enum Asked {
    One(usize, u32),
    All(Want, Rc<Cell<Phase>>, Stage),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    New,
    Semaphore,
    Limits,
}

type Asking = dyn Future<Output = Result<(), AcquireAllError>>;

/// A pass that is held.
struct Held {
    future: Waiting<Asking>,
    phase: Rc<Cell<Phase>>,
    permits: usize,
}

/// The limits, composites of them, and their models.
pub(crate) struct Composites {
    clock: ManualClock,
    limiters: [Limiter; 2],
    semaphore: Semaphore,
    models: [Model; 2],
    /// Permits of the semaphore that are there, and who waits for how many; and who was given some, and has not been polled.
    there: usize,
    queue: VecDeque<(u64, usize)>,
    given: Vec<u64>,
    verdicts: Verdicts,
    woken: Vec<u64>,
    next: u64,
    places: Places<Asking>,
    asked: BTreeMap<u64, Asked>,
    held: Vec<Held>,
}

impl Composites {
    fn begin(bytes: [u8; 2]) -> Self {
        let clock = ManualClock::new();
        let (limiters, models) = (
            bytes.map(|byte| Limiter::new(&clock.time(), quota(numbers(byte)))),
            bytes.map(|byte| Model::new(numbers(byte))),
        );
        let (queue, given, verdicts, woken, places, asked, held) = Default::default();
        let semaphore = Semaphore::new(TOTAL);
        Self {
            clock,
            limiters,
            semaphore,
            models,
            there: TOTAL,
            queue,
            given,
            verdicts,
            woken,
            next: 0,
            places,
            asked,
            held,
        }
    }

    fn now(&self) -> u64 {
        self.clock.time().now().as_nanos()
    }

    /// The limits in one order or the other, each of them named once or twice.
    fn composite(&self, want: Want, how: u8) -> Composite {
        let mut composite = Composite::new();
        let order = if how & 1 == 0 { [0, 1, 2] } else { [2, 1, 0] };
        for n in order {
            composite = match n {
                2 if want.names_semaphore => composite.semaphore(&self.semaphore, want.semaphore),
                2 => composite,
                n if how & 2 == 0 || want.limits[n] == 0 => composite.limiter(&self.limiters[n], want.limits[n]),
                n => composite.limiter(&self.limiters[n], want.limits[n] - 1).limiter(&self.limiters[n], 1),
            };
        }
        composite
    }

    fn tell(&mut self, n: usize, now: u64) {
        self.models[n].tell(now, &mut self.verdicts, &mut self.woken);
    }

    /// Which limiters something is wanted of.
    fn wanted(want: Want) -> impl Iterator<Item = (usize, u32)> + Clone {
        want.limits.into_iter().enumerate().filter(|(_, permits)| *permits > 0)
    }

    /// Why what is wanted can't ever be had: of several reasons the greatest.
    fn exceeds(&self, want: Want) -> Option<AcquireError> {
        let reasons = Self::wanted(want).filter_map(|(n, permits)| self.models[n].exceeds(permits));
        reasons.max_by_key(|error| match error {
            AcquireError::ExceedsBurst { permits, burst } => (*permits, *burst),
            error => panic!("{error}"),
        })
    }

    fn give(&mut self) {
        while let Some((who, count)) = self.queue.front().copied().filter(|(_, count)| *count <= self.there) {
            self.there -= count;
            self.queue.pop_front();
            self.given.push(who);
            self.woken.push(who);
        }
    }

    fn give_back(&mut self, permits: usize) {
        self.there += permits;
        self.give();
    }

    /// What the poll of a composite's future must come to.
    fn ask(&mut self, who: u64, want: Want, stage: Stage) -> (Stage, Option<Result<(), AcquireError>>) {
        let now = self.now();
        // Before it waits for a semaphore, all is looked at.
        if stage == Stage::New && want.names_semaphore {
            Self::wanted(want).for_each(|(n, _)| self.tell(n, now));
            if let Some(error) = self.exceeds(want) {
                return (stage, Some(Err(error)));
            }
        }
        if stage != Stage::Limits && want.semaphore > 0 {
            let given = self.given.iter().position(|given| *given == who);
            match given {
                Some(place) => drop(self.given.swap_remove(place)),
                None if stage == Stage::New && self.queue.is_empty() && want.semaphore <= self.there => {
                    self.there -= want.semaphore;
                }
                None => {
                    if stage == Stage::New {
                        self.queue.push_back((who, want.semaphore));
                    }
                    return (Stage::Semaphore, None);
                }
            }
        }
        Self::wanted(want).for_each(|(n, _)| self.tell(n, now));
        let waits = |model: &Model| model.line.iter().any(|wish| wish.who == who);
        let refused = Self::wanted(want).filter(|(n, _)| !waits(&self.models[*n]));
        let refused = refused.fold(Want { limits: [0; 2], ..want }, |mut sum, (n, permits)| {
            sum.limits[n] = permits;
            sum
        });
        self.verdicts.remove(&who);
        let refusal = self.exceeds(refused);
        let ready = Self::wanted(want).all(|(n, permits)| match self.models[n].line.front() {
            Some(first) => first.who == who && first.told == Some(true),
            None => self.models[n].can(permits),
        });
        for (n, permits) in Self::wanted(want) {
            let model = &mut self.models[n];
            if refusal.is_some() || ready {
                model.leave(who);
                if ready && refusal.is_none() {
                    model.grant(permits);
                }
            } else if let Some(wish) = model.line.iter_mut().find(|wish| wish.who == who) {
                wish.sleeps = true;
            } else {
                let told = Some(model.can(permits));
                model.line.push_back(Wish { who, permits, told, sleeps: true });
            }
        }
        Self::wanted(want).for_each(|(n, _)| self.tell(n, now));
        if refusal.is_some() {
            self.give_back(want.semaphore);
        }
        (Stage::Limits, refusal.map(Err).or(ready.then_some(Ok(()))))
    }

    fn poll(&mut self, place_at: u8, new_waker: bool) {
        let now = self.now();
        let Some(waiting) = place(&mut self.places, place_at) else { return };
        let who = waiting.who;
        let polled = waiting.poll(new_waker);
        let (answer, must) = match self.asked.remove(&who).expect("it was asked") {
            Asked::One(n, permits) => {
                let waits = self.models[n].line.iter().any(|wish| wish.who == who);
                let must = match self.verdicts.remove(&who) {
                    _ if waits => None,
                    Some(verdict) => Some(verdict),
                    None => match self.models[n].exceeds(permits) {
                        Some(error) => Some(Err(error)),
                        None => {
                            self.tell(n, now);
                            let can = self.models[n].can(permits);
                            if can {
                                self.models[n].grant(permits);
                                // Whoever is told the time does so once more when it has taken.
                                self.tell(n, now);
                            } else {
                                self.models[n].line.push_back(Wish { who, permits, told: None, sleeps: true });
                            }
                            can.then_some(Ok(()))
                        }
                    },
                };
                if must.is_none() {
                    self.asked.insert(who, Asked::One(n, permits));
                }
                let answer = if let Poll::Ready(result) = polled { Some(result) } else { None };
                (answer, must)
            }
            Asked::All(want, phase, stage) => {
                let (stage, must) = self.ask(who, want, stage);
                let answer = match polled {
                    Poll::Ready(result) => Some(result),
                    Poll::Pending => (phase.get() == Phase::Held).then_some(Ok(())),
                };
                match must {
                    None => drop(self.asked.insert(who, Asked::All(want, phase, stage))),
                    Some(Err(_)) => {}
                    Some(Ok(())) => {
                        let future = place(&mut self.places, place_at).take().expect("it was polled");
                        self.held.push(Held { future, phase, permits: want.semaphore });
                    }
                }
                (answer, must)
            }
        };
        assert_eq!(answer, must.map(|result| result.map_err(AcquireAllError::Limit)), "future {who} at {now}");
        match must {
            None => {
                // It may have been told while it was polled, which it need not be.
                let waiting = place(&mut self.places, place_at).as_ref().expect("it waits");
                waiting.was_woken();
                self.woken.retain(|woken| *woken != who);
            }
            Some(_) => {
                *place(&mut self.places, place_at) = None;
                self.woken.retain(|woken| *woken != who);
            }
        }
    }

    fn put(&mut self, place_at: u8, asked: Asked, future: Pin<Box<Asking>>) {
        self.take(Op::Drop(place_at));
        let who = self.next;
        self.next += 1;
        self.asked.insert(who, asked);
        *place(&mut self.places, place_at) = Some(Waiting::new(who, future));
        self.poll(place_at, false);
    }

    /// A future is gone that has been polled.
    fn leave(&mut self, who: u64) {
        let now = self.now();
        match self.asked.remove(&who).expect("it was asked") {
            Asked::One(n, permits) => {
                if self.models[n].leave(who) {
                    self.tell(n, now);
                } else if let Some(Ok(())) = self.verdicts.remove(&who) {
                    unreachable!("{permits} are given back by the caller");
                }
            }
            Asked::All(want, _, Stage::Limits) => {
                for (n, _) in Self::wanted(want) {
                    if self.models[n].leave(who) {
                        self.tell(n, now);
                    }
                }
                self.verdicts.remove(&who);
                self.give_back(want.semaphore);
            }
            Asked::All(want, ..) => {
                if let Some(place) = self.given.iter().position(|given| *given == who) {
                    self.given.swap_remove(place);
                    self.give_back(want.semaphore);
                }
                self.queue.retain(|(waiting, _)| *waiting != who);
                self.give();
            }
        }
    }

    /// A limiter is told the time, what it allows changes, and whoever is due then is granted.
    fn adjust(&mut self, n: usize, adjust: impl FnOnce(&mut Model)) {
        let now = self.now();
        self.tell(n, now);
        adjust(&mut self.models[n]);
        self.tell(n, now);
    }

    fn take(&mut self, op: Op) {
        let now = self.now();
        let later = |byte: u8| now + u64::from(byte);
        match op {
            Op::Begin(a, b) => {
                if let Some(a) = a.get() {
                    *self = Self::begin([a, b]);
                }
            }
            Op::TryAcquire(byte, how) => {
                let want = Want::of(byte, how);
                let composite = self.composite(want, how);
                let answer = composite.try_acquire().map(drop);
                if want.semaphore > 0 && !(self.queue.is_empty() && want.semaphore <= self.there) {
                    assert_eq!(answer, Err(TryAcquireAllError::NoPermits));
                    return;
                }
                Self::wanted(want).for_each(|(n, _)| self.tell(n, now));
                let ready = Self::wanted(want).all(|(n, permits)| self.models[n].can(permits));
                match (self.exceeds(want), answer) {
                    (Some(AcquireError::ExceedsBurst { permits, burst }), answer) => {
                        let exceeds = TryAcquireError::ExceedsBurst { permits, burst };
                        assert_eq!(answer, Err(TryAcquireAllError::Limit(exceeds)));
                    }
                    (_, Err(TryAcquireAllError::Limit(TryAcquireError::NotYet { earliest }))) if !ready => {
                        let models = Self::wanted(want).map(|(n, permits)| (&self.models[n], permits));
                        let exactly = models.clone().all(|(model, _)| model.line.is_empty());
                        let due = models.map(|(model, permits)| model.due(permits, model.latest)).max();
                        assert!(earliest > at(now), "not yet, but now");
                        assert!(!exactly || Some(earliest) == due.map(at), "{earliest} for {due:?}");
                    }
                    (_, answer) => {
                        assert_eq!((answer, ready), (Ok(()), true));
                        for (n, permits) in Self::wanted(want) {
                            self.models[n].grant(permits);
                            self.tell(n, now);
                        }
                    }
                }
            }
            Op::TryOne(which, byte) => {
                let (n, permits) = Want::one(which, byte);
                let answer = self.limiters[n].try_acquire(permits);
                self.tell(n, now);
                let model = &mut self.models[n];
                match (model.exceeds(permits), answer) {
                    (Some(AcquireError::ExceedsBurst { permits, burst }), answer) => {
                        assert_eq!(answer, Err(TryAcquireError::ExceedsBurst { permits, burst }));
                    }
                    (_, answer) if model.can(permits) => {
                        assert_eq!(answer, Ok(()));
                        model.grant(permits);
                    }
                    (_, answer) => {
                        let Err(TryAcquireError::NotYet { earliest }) = answer else { panic!("{answer:?}") };
                        assert!(earliest > at(now), "not yet, but now");
                        let due = at(model.due(permits, model.latest));
                        assert!(!model.line.is_empty() || earliest == due, "{earliest} for {due}");
                    }
                }
            }
            Op::Ask(place_at, byte, how) => {
                let want = Want::of(byte, how);
                let (composite, phase) = (self.composite(want, how), Rc::new(Cell::new(Phase::Waits)));
                let held = phase.clone();
                let future = Box::pin(async move {
                    let _pass = composite.acquire().await?;
                    spending(&held).await;
                    Ok(())
                });
                self.put(place_at, Asked::All(want, phase, Stage::New), future);
            }
            Op::AskOne(place_at, which, byte) => {
                let (n, permits) = Want::one(which, byte);
                let limiter = self.limiters[n].clone();
                let future = Box::pin(async move { Ok(limiter.acquire(permits).await?) });
                self.put(place_at, Asked::One(n, permits), future);
            }
            Op::Poll(place_at, new_waker) => self.poll(place_at, new_waker),
            Op::Drop(place_at) => {
                let Some(waiting) = place(&mut self.places, place_at).as_ref() else { return };
                let who = waiting.who;
                // What was granted to it alone, and is not seen by it, would go back by where it stands; here it is seen first.
                if let (Some(Asked::One(..)), Some(Ok(()))) = (self.asked.get(&who), self.verdicts.get(&who)) {
                    return self.poll(place_at, false);
                }
                *place(&mut self.places, place_at) = None;
                self.woken.retain(|woken| *woken != who);
                self.leave(who);
            }
            Op::Release(which) => {
                let Some(which) = usize::from(which).checked_rem(self.held.len()) else { return };
                let Held { mut future, phase, permits } = self.held.swap_remove(which);
                phase.set(Phase::Spend(0));
                assert_eq!(future.poll(false), Poll::Ready(Ok(())));
                self.give_back(permits);
            }
            Op::Available(which) => {
                let n = usize::from(which);
                let answer = self.limiters[n].available();
                self.tell(n, now);
                let model = &self.models[n];
                let can = |permits: &u32| model.can(*permits);
                assert_eq!(answer, (1..=model.rule.numbers.burst).take_while(can).count() as u32);
            }
            Op::Refund(which, permits) => {
                let n = usize::from(which);
                self.limiters[n].refund(permits.into());
                self.adjust(n, |model| model.rule.give_back_latest(permits.into(), model.latest));
            }
            Op::Penalize(which, until) => {
                let n = usize::from(which);
                self.limiters[n].penalize_until(at(later(until)));
                self.adjust(n, |model| {
                    if later(until) > model.latest {
                        model.closed_until = model.closed_until.max(Some(later(until)));
                    }
                });
            }
            Op::Open(which) => {
                let n = usize::from(which);
                self.limiters[n].open();
                self.adjust(n, |model| model.closed_until = None);
            }
            Op::Reconfigure(which, byte, fraction) => {
                let (n, numbers) = (usize::from(which), numbers(byte));
                let carry = if fraction { Carry::Fraction } else { Carry::Clamp };
                self.limiters[n].reconfigure(Gcra::new(quota(numbers)), carry);
                self.tell(n, now);
                let Self { models, verdicts, woken, .. } = self;
                models[n].rule.change(numbers, carry, models[n].latest);
                models[n].tell(now, verdicts, woken);
                models[n].turn_away(verdicts, woken);
                models[n].tell(now, verdicts, woken);
            }
            Op::Advance(by) => {
                self.clock.advance_to(at(later(by)));
                for n in 0..2 {
                    while self.models[n].want() <= later(by) {
                        let want = self.models[n].want();
                        self.tell(n, want);
                    }
                }
            }
            Op::Jump(by) => {
                self.clock.jump_to(at(later(by)));
                for n in 0..2 {
                    if self.models[n].want() <= later(by) {
                        self.tell(n, later(by));
                    }
                }
            }
        }
    }
}

impl World for Composites {
    type Op = Op;

    fn new() -> Self {
        Self::begin([0, 7])
    }

    fn step(&mut self, op: Op) {
        self.take(op);
        assert_woken(&self.places, &self.woken);
        self.woken.clear();
        assert_eq!(self.semaphore.available(), self.there);
        let timers = self.models.iter().filter(|model| model.want() != u64::MAX).count();
        assert_eq!(self.clock.time().pending(), timers, "one timer, if anybody can be granted anything");
    }

    fn end(self) {
        let Self { clock, semaphore, places, held, .. } = self;
        drop(places);
        drop(held);
        assert_eq!((clock.time().pending(), semaphore.available()), (0, TOTAL));
    }
}
