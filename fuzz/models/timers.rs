//! Sleeps on a clock whose driver may be late, against a sorted map.

use arbitrary::Arbitrary;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::time::Duration;
use wakeful::time::{Clock, Instant, Sleep, Time};

/// Fewer than a batch of wakers holds, so that all that are due together are fired before the first waker runs.
const SLEEPS: usize = 24;

/// A distance of any size, small and large alike.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(crate) struct Distance {
    value: u64,
    shift: u8,
}

impl Distance {
    fn nanos(self) -> u64 {
        self.value >> (self.shift % 64)
    }

    /// Twenty minutes at the most, so that the clock does not come to its end at once.
    pub(crate) fn step(self) -> u64 {
        self.nanos() >> 24
    }
}

/// An instant.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(crate) enum At {
    /// Ahead of the clock.
    Ahead(Distance),
    /// Behind it.
    Behind(Distance),
    /// That of another sleep.
    Shared(u8),
    /// A little ahead, so that several meet.
    Near(u8),
    /// The last instant that is reached.
    Last,
    /// Never.
    Never,
}

impl At {
    /// The instant, seen from `now`; `shared` knows that of a place.
    pub(crate) fn resolve(self, now: u64, shared: impl Fn(u8) -> u64) -> u64 {
        match self {
            Self::Ahead(distance) => now.saturating_add(distance.nanos()),
            Self::Behind(distance) => now.saturating_sub(distance.nanos()),
            Self::Shared(place) => shared(place),
            Self::Near(distance) => now.saturating_add(u64::from(distance % 8)),
            Self::Last => u64::MAX - 1,
            Self::Never => u64::MAX,
        }
    }
}

/// A step of the timers.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(crate) enum Op {
    /// Puts a new sleep in a place.
    Make { place: u8, at: At },
    /// Puts a new sleep for a duration in a place; zero often.
    MakeFor { place: u8, wait: Option<Distance> },
    /// Polls a sleep with one of several wakers, some of which drop another sleep when woken.
    Poll { place: u8, waker: u8 },
    /// Moves a sleep.
    Reset { place: u8, at: At },
    /// Drops a sleep.
    Drop { place: u8 },
    /// Moves the clock while the driver sleeps on.
    Late(Distance),
    /// Moves the clock, ringing at every alarm on the way.
    Run(Distance),
    /// Rings: the driver forgets, turns and arms.
    Ring,
    /// Turns by another hand, which arms too.
    Turn,
}

/// The clock and its driver.
struct Hand {
    now: u64,
    /// The least of what the driver was asked for since it last rang.
    least: u64,
}

#[derive(Clone)]
struct HandClock(Arc<Mutex<Hand>>);

impl Clock for HandClock {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.0.lock().unwrap().now)
    }

    fn arm(&self, at: Instant) {
        let mut hand = self.0.lock().unwrap();
        hand.least = hand.least.min(at.as_nanos());
    }
}

type Places = Arc<Mutex<[Option<Pin<Box<Sleep>>>; SLEEPS]>>;

/// What a poll leaves behind: who is to be told, and what the waker does then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Note {
    place: usize,
    waker: u8,
}

impl Note {
    /// The place that the waker empties.
    fn drops(self) -> Option<usize> {
        (self.waker >= 200).then_some(usize::from(self.waker) * 7 % SLEEPS)
    }
}

struct Noting {
    note: Note,
    log: Arc<Mutex<Vec<Note>>>,
    places: Places,
}

impl Wake for Noting {
    fn wake(self: Arc<Self>) {
        self.log.lock().unwrap().push(self.note);
        if let Some(place) = self.note.drops() {
            let gone = self.places.lock().unwrap()[place].take();
            drop(gone);
        }
    }
}

/// What the model knows of a sleep.
#[derive(Clone, Copy, Debug)]
enum State {
    /// Not in the queue, to be ready from the instant on.
    Idle(u64),
    /// In the queue under this deadline and number.
    Waits(u64, u64),
    /// Completed.
    Done(u64),
}

/// The kit's side and the model's.
pub(crate) struct World {
    clock: HandClock,
    time: Time,
    places: Places,
    log: Arc<Mutex<Vec<Note>>>,
    states: [Option<State>; SLEEPS],
    /// Who waits, by deadline and number of registration, with the note of its waker.
    waits: BTreeMap<(u64, u64), Note>,
    number: u64,
    /// Up to where the queue has been turned.
    reached: u64,
}

impl World {
    pub(crate) fn new() -> Self {
        let clock = HandClock(Arc::new(Mutex::new(Hand { now: 0, least: u64::MAX })));
        Self {
            time: Time::new(clock.clone()),
            clock,
            places: Arc::default(),
            log: Arc::default(),
            states: [None; SLEEPS],
            waits: BTreeMap::new(),
            number: 0,
            reached: 0,
        }
    }

    fn now(&self) -> u64 {
        self.clock.0.lock().unwrap().now
    }

    /// Moves the clock on, but not to never: that is no reading of a clock.
    fn set(&self, now: u64) {
        let mut hand = self.clock.0.lock().unwrap();
        hand.now = hand.now.max(now.min(u64::MAX - 1));
    }

    fn at(&self, at: At) -> u64 {
        at.resolve(self.now(), |place| match self.states[usize::from(place) % SLEEPS] {
            Some(State::Idle(at) | State::Waits(at, _) | State::Done(at)) => at,
            None => 0,
        })
    }

    fn take(&self, place: usize) -> Option<Pin<Box<Sleep>>> {
        self.places.lock().unwrap()[place].take()
    }

    fn put(&mut self, place: usize, sleep: Pin<Box<Sleep>>) {
        let old = self.places.lock().unwrap()[place].replace(sleep);
        drop(old);
    }

    fn forget(&mut self, place: usize) {
        if let Some(State::Waits(at, number)) = self.states[place] {
            self.waits.remove(&(at, number));
        }
    }

    /// Compares who was woken with who was due, of whom all must have been woken, in order.
    fn fired(&mut self, held: Option<usize>) {
        let log = std::mem::take(&mut *self.log.lock().unwrap());
        let now = self.now();
        let later = self.waits.split_off(&(now + 1, 0));
        let due = std::mem::replace(&mut self.waits, later);
        assert_eq!(log, due.values().copied().collect::<Vec<_>>(), "woken, and due at {now}");
        self.reached = now;
        for (&(at, _), note) in &due {
            self.states[note.place] = Some(State::Done(at));
        }
        for place in log.iter().filter_map(|note| note.drops()) {
            // The one that is being polled or moved is not in its place.
            if held != Some(place) {
                self.forget(place);
                self.states[place] = None;
            }
        }
    }

    /// As [`fired`](Self::fired) after a call that turns only if it is the earliest of all and due.
    fn may_have_fired(&mut self, held: usize) {
        let quiet = self.log.lock().unwrap().is_empty();
        if !quiet {
            self.fired(Some(held));
        }
    }

    fn ring(&mut self) {
        self.clock.0.lock().unwrap().least = u64::MAX;
        self.turn();
    }

    fn turn(&mut self) {
        let next = self.time.turn();
        self.fired(None);
        assert!(next.is_never() || next.as_nanos() > self.now(), "nothing that is due is left");
        self.clock.arm(next);
    }

    fn make(&mut self, place: usize, sleep: Sleep, state: State) {
        self.put(place, Box::pin(sleep));
        self.forget(place);
        self.states[place] = Some(state);
    }

    fn poll(&mut self, place: usize, waker: u8) {
        let (Some(state), Some(mut sleep)) = (self.states[place], self.take(place)) else { return };
        let note = Note { place, waker };
        match state {
            State::Idle(at) if at > self.reached && at != u64::MAX => {
                self.number += 1;
                self.waits.insert((at, self.number), note);
                self.states[place] = Some(State::Waits(at, self.number));
            }
            State::Idle(at) if at != u64::MAX => self.states[place] = Some(State::Done(at)),
            State::Waits(at, number) => drop(self.waits.insert((at, number), note)),
            _ => {}
        }
        let noting = Noting { note, log: self.log.clone(), places: self.places.clone() };
        let ready = sleep.as_mut().poll(&mut Context::from_waker(&Waker::from(Arc::new(noting)))).is_ready();
        self.may_have_fired(place);
        assert_eq!(ready, matches!(self.states[place], Some(State::Done(_))), "{:?}", self.states[place]);
        assert!(!ready || sleep.deadline().as_nanos() <= self.now(), "never early");
        self.put(place, sleep);
    }

    fn reset(&mut self, place: usize, at: u64) {
        let (Some(state), Some(mut sleep)) = (self.states[place], self.take(place)) else { return };
        self.states[place] = Some(match state {
            State::Waits(from, number) => {
                let note = self.waits.remove(&(from, number)).expect("it waits");
                if at == u64::MAX {
                    State::Idle(at)
                } else {
                    self.number += 1;
                    self.waits.insert((at, self.number), note);
                    State::Waits(at, self.number)
                }
            }
            State::Idle(_) | State::Done(_) => State::Idle(at),
        });
        sleep.as_mut().reset(Instant::from_nanos(at));
        self.may_have_fired(place);
        assert_eq!(sleep.deadline().as_nanos(), at);
        self.put(place, sleep);
    }

    /// Takes one step on both sides.
    pub(crate) fn step(&mut self, op: Op) {
        let index = |place: u8| usize::from(place) % SLEEPS;
        match op {
            Op::Make { place, at } => {
                let at = self.at(at);
                let sleep = self.time.sleep_until(Instant::from_nanos(at));
                self.make(index(place), sleep, State::Idle(at));
            }
            Op::MakeFor { place, wait } => {
                let wait = wait.map_or(0, Distance::nanos);
                let at = self.now().saturating_add(wait);
                let sleep = self.time.sleep(Duration::from_nanos(wait));
                self.make(index(place), sleep, if wait == 0 { State::Done(at) } else { State::Idle(at) });
            }
            Op::Poll { place, waker } => self.poll(index(place), waker),
            Op::Reset { place, at } => {
                let at = self.at(at);
                self.reset(index(place), at);
            }
            Op::Drop { place } => {
                let place = index(place);
                drop(self.take(place));
                self.forget(place);
                self.states[place] = None;
            }
            Op::Late(distance) => self.set(self.now().saturating_add(distance.step())),
            Op::Run(distance) => self.run(self.now().saturating_add(distance.step())),
            Op::Ring => self.ring(),
            Op::Turn => self.turn(),
        }
        self.check();
    }

    fn run(&mut self, to: u64) {
        loop {
            let least = self.clock.0.lock().unwrap().least;
            if least > to || least == u64::MAX {
                break;
            }
            self.set(least);
            self.ring();
        }
        self.set(to);
    }

    fn check(&self) {
        assert!(self.log.lock().unwrap().is_empty(), "woken by nothing");
        assert_eq!(self.time.pending(), self.waits.len());
        let first = self.waits.first_key_value().map_or(u64::MAX, |(&(at, _), _)| at);
        let next = self.time.next().as_nanos();
        // What was moved into the past is due since the queue was last turned.
        assert!(next <= first.max(self.reached), "{next} is later than {first}");
        assert_eq!(next == u64::MAX, self.waits.is_empty());
        let least = self.clock.0.lock().unwrap().least;
        assert!(least <= first, "the driver rings at {least}, the first waits until {first}");
        for (sleep, state) in self.places.lock().unwrap().iter().zip(&self.states) {
            let elapsed = sleep.as_ref().map(|sleep| sleep.is_elapsed());
            assert_eq!(elapsed, state.map(|state| matches!(state, State::Done(_))));
        }
    }

    /// Lets all that wait be woken, and drops the rest.
    pub(crate) fn end(mut self) {
        self.run(u64::MAX - 1);
        self.ring();
        assert_eq!(self.time.pending(), 0);
        self.check();
    }
}
