//! A circuit breaker beside one that keeps every call in a list.

use super::World;
use arbitrary::Arbitrary;
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::num::NonZeroU32;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use wakeful::resilience::{
    BreakerCause, BreakerChange, BreakerConfig, BreakerState, CircuitBreaker, CircuitOpen, Mark, Window,
};
use wakeful::time::{Instant, ManualClock};

/// One step.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(crate) enum Op {
    /// Begins anew, set up otherwise.
    Begin(Setup, u8),
    /// Somebody calls.
    Call,
    /// A call that has begun ends so.
    End(u8, End),
    /// A call that has begun is dropped.
    Drop(u8),
    Open,
    Trip,
    Close,
    Look,
    Advance(u8),
}

/// How a call ends.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Well,
    Badly,
    Ignored,
    Panic,
}

/// How a breaker is set up.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(crate) struct Setup {
    timed: bool,
    window: u8,
    least: u8,
    failures: u8,
    slow: Option<(u8, u8)>,
    open_for: u8,
    growth: u8,
    longest_open: u8,
    probes: u8,
    longest_probe: u8,
}

/// The numbers of a setup that is valid.
#[derive(Clone, Copy, Debug)]
struct Numbers {
    timed: bool,
    window: u64,
    least: u64,
    failures: u64,
    slow: Option<(u64, u64)>,
    open_for: u64,
    growth: u64,
    longest_open: u64,
    probes: u64,
    longest_probe: u64,
}

fn nz(n: u64) -> NonZeroU32 {
    NonZeroU32::new(n as u32).unwrap()
}

impl Setup {
    fn numbers(self) -> Numbers {
        let window = 1 + u64::from(self.window) % if self.timed { 200 } else { 8 };
        let percent = |byte: u8| 1 + u64::from(byte) % 100;
        let open_for = 1 + u64::from(self.open_for);
        Numbers {
            timed: self.timed,
            window,
            least: 1 + u64::from(self.least) % if self.timed { 6 } else { window },
            failures: percent(self.failures),
            slow: self.slow.map(|(time, rate)| (u64::from(time), percent(rate))),
            open_for,
            growth: 100 + u64::from(self.growth),
            longest_open: open_for + 8 * u64::from(self.longest_open),
            probes: 1 + u64::from(self.probes) % 5,
            longest_probe: 1 + u64::from(self.longest_probe),
        }
    }
}

impl Numbers {
    fn config(self) -> BreakerConfig {
        let nanos = Duration::from_nanos;
        let window = if self.timed { Window::Time(nanos(self.window)) } else { Window::Calls(nz(self.window)) };
        let config = BreakerConfig::new(window)
            .least_calls(nz(self.least))
            .failures(self.failures as u32)
            .open_for(nanos(self.open_for))
            .growing(self.growth as u32, nanos(self.longest_open))
            .probes(nz(self.probes))
            .longest_half_open(nanos(self.longest_probe));
        match self.slow {
            Some((time, percent)) => config.slow(nanos(time), percent as u32),
            None => config,
        }
    }

    fn slice(&self, at: u64) -> u64 {
        at / self.window.div_ceil(10)
    }
}

/// A call that ended: when, and how.
#[derive(Clone, Copy, Debug)]
struct Ended {
    at: u64,
    failed: bool,
    slow: bool,
}

#[derive(Debug)]
enum State {
    Closed(Vec<Ended>),
    Open(u64),
    Half {
        results: Vec<Ended>,
        /// How many are out, and since when any is.
        out: u64,
        since: u64,
    },
}

/// The breaker that keeps every call.
#[derive(Debug)]
struct Model {
    numbers: Numbers,
    state: State,
    generation: u64,
    next_open: u64,
    told: Vec<(BreakerCause, BreakerState)>,
}

const NEVER: u64 = u64::MAX;

impl Model {
    fn new(numbers: Numbers) -> Self {
        let (state, told) = (State::Closed(Vec::new()), Vec::new());
        Self { numbers, state, generation: 0, next_open: numbers.open_for, told }
    }

    fn shown(&self) -> BreakerState {
        match self.state {
            State::Closed(_) => BreakerState::Closed,
            State::Open(until) => BreakerState::Open { until: Instant::from_nanos(until) },
            State::Half { .. } => BreakerState::HalfOpen,
        }
    }

    fn go(&mut self, state: State, cause: BreakerCause) {
        self.state = state;
        self.generation += 1;
        self.told.push((cause, self.shown()));
    }

    fn open(&mut self, now: u64, cause: BreakerCause) {
        self.go(State::Open(now + self.next_open), cause);
        self.next_open = (self.next_open * self.numbers.growth).div_ceil(100).min(self.numbers.longest_open);
    }

    fn close(&mut self, cause: BreakerCause) {
        self.next_open = self.numbers.open_for;
        self.go(State::Closed(Vec::new()), cause);
    }

    fn look(&mut self, now: u64) {
        if let State::Half { out: 1.., since, .. } = self.state {
            let end = since + self.numbers.longest_probe;
            if end <= now {
                self.open(end, BreakerCause::ProbesHang);
            }
        }
    }

    fn admit(&mut self, now: u64) -> Result<u64, u64> {
        self.look(now);
        match self.state {
            State::Open(until) if until > now => return Err(until),
            State::Open(_) => {
                self.go(State::Half { results: Vec::new(), out: 0, since: 0 }, BreakerCause::Waited);
            }
            _ => {}
        }
        if let State::Half { results, out, since } = &mut self.state {
            if results.len() as u64 + *out == self.numbers.probes {
                return Err(now);
            }
            if *out == 0 {
                *since = now;
            }
            *out += 1;
        }
        Ok(self.generation)
    }

    /// What counts of the calls of a closed one.
    fn recent(&self, ended: &[Ended], now: u64) -> Vec<Ended> {
        let Numbers { timed, window, .. } = self.numbers;
        let slice = |at| self.numbers.slice(at);
        match timed {
            true => ended.iter().copied().filter(|e| slice(now) - slice(e.at) < 10).collect(),
            false => ended[ended.len().saturating_sub(window as usize)..].to_vec(),
        }
    }

    /// The rate that is reached if so many go badly of as many calls.
    fn reached(&self, ended: &[Ended], calls: u64, more: u64) -> Option<BreakerCause> {
        let rate = |is: fn(&Ended) -> bool| 100 * (ended.iter().filter(|e| is(e)).count() as u64 + more);
        if rate(|e| e.failed) >= self.numbers.failures * calls {
            return Some(BreakerCause::Failures);
        }
        let (_, percent) = self.numbers.slow?;
        (rate(|e| e.slow) >= percent * calls).then_some(BreakerCause::Slow)
    }

    fn record(&mut self, generation: u64, started: u64, failed: bool, now: u64) {
        if generation != self.generation {
            return;
        }
        self.look(now);
        let slow = self.numbers.slow.is_some_and(|(time, _)| now - started >= time);
        let probes = self.numbers.probes;
        match &mut self.state {
            State::Closed(ended) => {
                ended.push(Ended { at: now, failed, slow });
                let State::Closed(ended) = &self.state else { unreachable!() };
                let recent = self.recent(ended, now);
                let calls = recent.len() as u64;
                if calls >= self.numbers.least {
                    if let Some(cause) = self.reached(&recent, calls, 0) {
                        self.open(now, cause);
                    }
                }
            }
            State::Half { results, out, .. } => {
                *out -= 1;
                results.push(Ended { at: now, failed, slow });
                let results = results.clone();
                if let Some(cause) = self.reached(&results, probes, 0) {
                    self.open(now, cause);
                } else if self.reached(&results, probes, probes - results.len() as u64).is_none() {
                    self.close(BreakerCause::Recovered);
                }
            }
            State::Open(_) => {}
        }
    }

    fn give_back(&mut self, generation: u64, now: u64) {
        if generation != self.generation {
            return;
        }
        self.look(now);
        if let State::Half { out, .. } = &mut self.state {
            *out -= 1;
        }
    }

    fn counts(&self, now: u64) -> (u32, u32, u32) {
        let counted = match &self.state {
            State::Closed(ended) => self.recent(ended, now),
            State::Open(_) => Vec::new(),
            State::Half { results, .. } => results.clone(),
        };
        let count = |is: fn(&Ended) -> bool| counted.iter().filter(|e| is(e)).count() as u32;
        (counted.len() as u32, count(|e| e.failed), count(|e| e.slow))
    }
}

type Calling = dyn Future<Output = Result<(), CircuitOpen>>;

/// A call that has begun.
struct Begun {
    future: Pin<Box<Calling>>,
    end: Rc<Cell<Option<End>>>,
    generation: u64,
    started: u64,
}

/// A breaker and its model.
pub(crate) struct Breakers {
    clock: ManualClock,
    real: CircuitBreaker,
    told: Arc<Mutex<Vec<BreakerChange>>>,
    model: Model,
    begun: Vec<Begun>,
}

impl Breakers {
    fn begin(numbers: Numbers, start: u64) -> Self {
        let (clock, told) = (ManualClock::at(Instant::from_nanos(start)), Arc::new(Mutex::new(Vec::new())));
        let log = told.clone();
        let listener = move |change: &BreakerChange| log.lock().unwrap().push(*change);
        let real = CircuitBreaker::with_listener(&clock.time(), numbers.config(), listener).expect("it is valid");
        Self { clock, real, told, model: Model::new(numbers), begun: Vec::new() }
    }

    fn now(&self) -> u64 {
        self.clock.time().now().as_nanos()
    }

    fn call(&mut self) {
        let now = self.now();
        let (end, real) = (Rc::new(Cell::new(None)), self.real.clone());
        let told = end.clone();
        let mut future: Pin<Box<Calling>> = Box::pin(async move {
            let wait = poll_fn(move |_| match told.get() {
                None => Poll::Pending,
                Some(End::Panic) => resume_unwind(Box::new("planned")),
                Some(end) => Poll::Ready(end),
            });
            let judge = |end: &End| match end {
                End::Well => Some(Mark::Success),
                End::Badly => Some(Mark::Failure),
                End::Ignored | End::Panic => None,
            };
            real.call_with(judge, async || wait.await).await.map(drop)
        });
        match (poll(&mut future), self.model.admit(now)) {
            (Poll::Pending, Ok(generation)) => self.begun.push(Begun { future, end, generation, started: now }),
            (Poll::Ready(Err(open)), Err(retry_at)) => assert_eq!(open.retry_at.as_nanos(), retry_at),
            (polled, must) => panic!("{polled:?} instead of {must:?} at {now}"),
        }
    }

    fn take(&mut self, which: u8) -> Option<Begun> {
        let which = usize::from(which).checked_rem(self.begun.len())?;
        Some(self.begun.swap_remove(which))
    }

    fn end_call(&mut self, mut begun: Begun, end: End) {
        let now = self.now();
        begun.end.set(Some(end));
        let polled = catch_unwind(AssertUnwindSafe(move || poll(&mut begun.future)));
        assert_eq!(polled.ok(), (end != End::Panic).then_some(Poll::Ready(Ok(()))));
        match end {
            End::Ignored => self.model.give_back(begun.generation, now),
            _ => self.model.record(begun.generation, begun.started, end != End::Well, now),
        }
    }
}

fn poll(future: &mut Pin<Box<Calling>>) -> Poll<Result<(), CircuitOpen>> {
    future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

impl World for Breakers {
    type Op = Op;

    fn new() -> Self {
        let numbers = Setup {
            timed: false,
            window: 3,
            least: 3,
            failures: 49,
            slow: None,
            open_for: 9,
            growth: 100,
            longest_open: 10,
            probes: 1,
            longest_probe: 19,
        };
        Self::begin(numbers.numbers(), 0)
    }

    fn step(&mut self, op: Op) {
        let now = self.now();
        match op {
            Op::Begin(setup, seldom) => {
                // Of which few have an effect, so that what follows is long.
                if seldom < 40 {
                    *self = Self::begin(setup.numbers(), u64::from(seldom) * 1_000);
                }
            }
            Op::Call => self.call(),
            Op::End(which, end) => {
                if let Some(begun) = self.take(which) {
                    self.end_call(begun, end);
                }
            }
            Op::Drop(which) => {
                if let Some(begun) = self.take(which) {
                    let generation = begun.generation;
                    drop(begun);
                    self.model.give_back(generation, now);
                }
            }
            Op::Open => {
                self.real.open();
                self.model.go(State::Open(NEVER), BreakerCause::ByHand);
            }
            Op::Trip => {
                self.real.trip();
                self.model.look(now);
                self.model.open(now, BreakerCause::ByHand);
            }
            Op::Close => {
                self.real.close();
                self.model.close(BreakerCause::ByHand);
            }
            Op::Look => {
                let counts = self.real.counts();
                self.model.look(now);
                assert_eq!((counts.calls, counts.failures, counts.slow), self.model.counts(now));
                assert_eq!(self.real.state(), self.model.shown());
            }
            Op::Advance(by) => self.clock.advance(Duration::from_nanos(by.into())),
        }
        let told: Vec<_> = self.told.lock().unwrap().drain(..).collect();
        assert!(told.is_sorted_by_key(|change| change.number));
        assert!(told.iter().map(|change| (change.cause, change.to)).eq(self.model.told.drain(..)), "{told:?}");
        assert_eq!(self.clock.time().pending(), 0);
    }

    fn end(self) {}
}
