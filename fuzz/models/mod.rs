//! Typed operations, and what they must do according to models that are simple enough to be right.
//!
//! The fuzzer makes the operations of its bytes; `tests/models.rs` makes the same ones of seeded random bytes and of the
//! committed corpus.
#![allow(dead_code, unused_imports, reason = "each target takes one of the worlds")]

mod breaker;
mod capacity;
mod checkpoint;
mod composite;
mod keyed;
mod ledger;
mod limiter;
mod queues;
mod retries;
mod rules;
mod scopes;
mod semaphore;
mod signals;
mod tasks;
mod timers;
mod topics;
mod waiting;
mod workers;

pub(crate) use breaker::Breakers;
pub(crate) use capacity::Tokens;
pub(crate) use checkpoint::Checkpoints;
pub(crate) use composite::Composites;
pub(crate) use keyed::Keyed;
pub(crate) use limiter::Limits;
pub(crate) use queues::Queues;
pub(crate) use retries::Retries;
pub(crate) use semaphore::Permits;
pub(crate) use signals::Signals;
pub(crate) use tasks::Tasks;
pub(crate) use topics::Topics;
pub(crate) use workers::Workers;

use arbitrary::{Arbitrary, Unstructured};
use std::fmt::Debug;

/// Something of the kit and its model, side by side.
pub(crate) trait World {
    /// One step.
    type Op: for<'a> Arbitrary<'a> + Copy + Debug;

    fn new() -> Self;

    /// Takes a step on both, and compares.
    fn step(&mut self, op: Self::Op);

    /// Compares once more, at the end.
    fn end(self);
}

/// The steps that `bytes` stand for, one after another until they are used up.
pub(crate) fn steps<W: World>(bytes: &[u8]) -> Vec<W::Op> {
    let mut bytes = Unstructured::new(bytes);
    let next = || if bytes.is_empty() { None } else { W::Op::arbitrary(&mut bytes).ok() };
    std::iter::from_fn(next).collect()
}

/// Takes each step, on the kit and on the model, and compares after each.
///
/// # Panics
/// When the kit and the model disagree.
pub(crate) fn run<W: World>(ops: &[W::Op]) {
    let mut world = W::new();
    ops.iter().for_each(|op| world.step(*op));
    world.end();
}

/// Timers and scopes.
pub(crate) struct TimersScopes {
    timers: timers::World,
    scopes: scopes::World,
}

/// A step of one of the two.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(crate) enum TimersScopesOp {
    /// A step of the timers.
    Timers(timers::Op),
    /// A step of the scopes.
    Scopes(scopes::Op),
}

impl World for TimersScopes {
    type Op = TimersScopesOp;

    fn new() -> Self {
        Self { timers: timers::World::new(), scopes: scopes::World::new() }
    }

    fn step(&mut self, op: TimersScopesOp) {
        match op {
            TimersScopesOp::Timers(op) => self.timers.step(op),
            TimersScopesOp::Scopes(op) => self.scopes.step(op),
        }
    }

    fn end(self) {
        self.timers.end();
        self.scopes.end();
    }
}
