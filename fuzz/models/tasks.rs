//! The store in memory of a docket's tasks, beside a model that looks at every row.

use super::World;
use super::ledger::{Model, instant};
use arbitrary::Arbitrary;
use std::num::NonZeroU32;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use wakeful::docket::{
    Answer, Claim, Claimed, Close, Ending, Entry, Excess, Existing, Gate, Generation, MemoryStore, Renewal, Rule,
    Store, Strike, Test, Value, When,
};
use wakeful::time::{Instant, ManualClock};

/// The lease of claims, in milliseconds.
const LEASE: u64 = 20;
/// The last one may be made up for another, too.
const KEYS: [&str; 6] = ["", "a", "b", "c", "d", "t#9"];
const NAMES: [&str; 2] = ["t", "u"];

/// One step. Numbers stand for one of what there is.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(crate) enum Op {
    Put(Task),
    /// Many at once.
    PutAll(Task, Task, Task),
    /// Up to three.
    Claim(u8),
    /// Ends a run that was claimed at some time: it may be lost by now.
    Finish(u8, How),
    Renew(u8),
    Cancel(u8, u8),
    Reschedule(u8, u8),
    Clear(bool),
    /// Seldom, so that something is left to run.
    Strike(Strikes, u8),
    Restore(u8),
    /// Lets so many milliseconds pass.
    Pass(u8),
}

/// What is put.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(crate) struct Task {
    key: u8,
    name: bool,
    /// Which of three gates: the first has one place, the others two.
    gates: u8,
    due: u8,
    priority: bool,
    deliveries: bool,
    existing: Exists,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Exists {
    Keep,
    Replace,
    /// The newest one, or one before.
    ReplaceIf(bool),
    Follow,
}

/// How a run ends.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(crate) enum How {
    Done,
    Again(u8),
    Retry(u8),
    Back,
}

/// What is struck.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(crate) enum Strikes {
    Name(bool),
    Key(u8),
    /// All whose priority is so.
    Priority(bool, bool),
}

pub(crate) struct Tasks {
    clock: ManualClock,
    store: MemoryStore,
    /// All that were claimed and not finished by who claimed them.
    runs: Vec<Claimed>,
    model: Model,
}

/// What the store in memory answers at once.
fn now<T>(answer: Answer<'_, T>) -> T {
    let Poll::Ready(reply) = pin!(answer).poll(&mut Context::from_waker(Waker::noop())) else { panic!("later") };
    reply.unwrap()
}

fn one<T>(of: &[T], number: u8) -> Option<&T> {
    of.get(usize::from(number).checked_rem(of.len())?)
}

fn key(number: u8) -> &'static str {
    KEYS[usize::from(number) % KEYS.len()]
}

/// Soon, mostly.
fn ms(number: u8) -> Duration {
    Duration::from_millis(u64::from(number % 32))
}

fn gates(bits: u8) -> Vec<Gate> {
    let gate = |(at, name): (usize, &str)| {
        let rule = Rule::AtMost(NonZeroU32::new(if at == 0 { 1 } else { 2 }).unwrap());
        (bits & 1 << at != 0).then(|| Gate { name: name.into(), rule, excess: Excess::Wait })
    };
    ["x", "y", "z"].into_iter().enumerate().filter_map(gate).collect()
}

impl Tasks {
    fn time(&self) -> Instant {
        self.clock.time().now()
    }

    fn entry(&self, task: Task) -> Entry {
        let (key, urgent) = (key(task.key), i32::from(task.priority));
        let args = Value::from_iter([("of", Value::from(key)), ("urgent", Value::from(urgent))]);
        let existing = match task.existing {
            Exists::Keep => Existing::Keep,
            Exists::Replace => Existing::Replace,
            Exists::ReplaceIf(newest) => {
                let of = self.model.newest(key).map_or(0, |newest| newest.0);
                Existing::ReplaceIf(Generation(of.saturating_sub(u64::from(!newest))))
            }
            Exists::Follow => Existing::Follow,
        };
        Entry {
            gates: gates(task.gates),
            due: When::In(ms(task.due)),
            priority: urgent,
            deliveries: NonZeroU32::MIN.saturating_add(task.deliveries.into()),
            existing,
            keep: Duration::MAX,
            ..Entry::new(NAMES[usize::from(task.name)], key, args)
        }
    }

    fn finish(&mut self, number: u8, how: How) {
        let Some(run) = one(&self.runs, number).cloned() else { return };
        self.runs.retain(|other| other.fence != run.fence);
        let due = if let How::Again(after) = how { When::In(ms(after)) } else { When::Now };
        let next =
            || Entry { due, keep: Duration::MAX, ..Entry::new(run.name.clone(), run.key.clone(), run.args.clone()) };
        let close = match how {
            How::Done => Close::End(Ending::Done(Value::Null), None),
            How::Again(_) => Close::End(Ending::TimedOut, Some(next())),
            How::Retry(after) => Close::Retry(ms(after), "no".into()),
            How::Back => Close::Back,
        };
        let finished = now(self.store.finish(&run.key, run.fence, close.clone()));
        self.model.finished(&run, close, instant(due, self.time()), self.time(), &finished);
    }
}

impl World for Tasks {
    type Op = Op;

    fn new() -> Self {
        let clock = ManualClock::new();
        Self { store: MemoryStore::new(&clock.time()), clock, runs: Vec::new(), model: Model::default() }
    }

    fn step(&mut self, op: Op) {
        match op {
            Op::Put(task) => {
                let entry = self.entry(task);
                let put = now(self.store.put(entry.clone()));
                self.model.put(entry.clone(), instant(entry.due, self.time()), &put);
            }
            Op::PutAll(one, two, three) => {
                let entries = [one, two, three].map(|task| self.entry(task));
                let (puts, failed) = now(self.store.put_all(entries.to_vec()));
                assert_eq!((puts.len(), failed), (3, None));
                for (entry, put) in entries.into_iter().zip(puts) {
                    let due = instant(entry.due, self.time());
                    self.model.put(entry, due, &put);
                }
            }
            Op::Claim(most) => {
                let (names, lease) = (NAMES.map(String::from).into(), Duration::from_millis(LEASE));
                let claim = Claim { worker: "w".into(), names, most: usize::from(most % 4), lease };
                let taken = now(self.store.claim(&claim)).taken;
                self.model.claimed(claim.most, lease, self.time(), &taken);
                self.runs.extend(taken);
            }
            Op::Finish(number, how) => self.finish(number, how),
            Op::Renew(number) => {
                let Some(run) = one(&self.runs, number) else { return };
                let lease = Duration::from_millis(LEASE);
                let renewal = Renewal { lease, runs: vec![(run.key.clone(), run.fence, None)] };
                let renewed = now(self.store.renew(&renewal));
                self.model.renewed(run, lease, self.clock.time().now(), &renewed[0]);
            }
            Op::Cancel(number, grace) => {
                let cancelled = now(self.store.cancel(key(number), ms(grace)));
                self.model.cancelled(key(number), &cancelled);
            }
            Op::Reschedule(number, due) => {
                let due = When::In(ms(due));
                let moved = now(self.store.reschedule(key(number), due));
                self.model.rescheduled(key(number), instant(due, self.time()), moved);
            }
            Op::Clear(really) => {
                if really {
                    self.model.cleared(now(self.store.clear()));
                }
            }
            Op::Strike(_, seldom) if seldom % 4 > 0 => return,
            Op::Strike(what, _) => {
                let strike = match what {
                    Strikes::Name(name) => Strike::task(NAMES[usize::from(name)]),
                    Strikes::Key(number) => Strike::field("of", Test::Eq(key(number).into())),
                    Strikes::Priority(name, urgent) => {
                        let test = Test::Ge(i32::from(urgent).into());
                        Strike::field("urgent", test).of(NAMES[usize::from(name)])
                    }
                };
                self.model.strike(now(self.store.strike(strike.clone())), strike);
            }
            Op::Restore(number) => {
                let Some(id) = self.model.nth_strike(usize::from(number)) else { return };
                assert!(now(self.store.restore(id)));
                self.model.restore(id);
                assert!(!now(self.store.restore(id)), "once");
            }
            Op::Pass(by) => {
                self.clock.advance(ms(by));
                self.model.lapse(self.time());
            }
        }
        self.model.compare(&now(self.store.scan()));
    }

    /// Nothing is lost: when nothing is struck any more and all are run, all have ended.
    fn end(mut self) {
        while let Some(id) = self.model.nth_strike(0) {
            assert!(now(self.store.restore(id)));
            self.model.restore(id);
        }
        let names = NAMES.map(String::from);
        for _ in 0..10_000 {
            if now(self.store.is_finished(&names)) {
                return;
            }
            self.step(Op::Claim(3));
            while !self.runs.is_empty() {
                self.finish(0, How::Done);
            }
            self.step(Op::Pass(31));
        }
        panic!("something never ends");
    }
}
