//! Typed operations, and what they must do according to models that are simple enough to be right.
//!
//! The fuzzer makes the operations of its bytes; `tests/models.rs` makes the same ones of seeded random bytes and of the
//! committed corpus.

mod scopes;
mod timers;

use arbitrary::{Arbitrary, Unstructured};

/// One step.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(crate) enum Op {
    /// A step of the timers.
    Timers(timers::Op),
    /// A step of the scopes.
    Scopes(scopes::Op),
}

/// The steps that `bytes` stand for, one after another until they are used up.
pub(crate) fn steps(bytes: &[u8]) -> Vec<Op> {
    let mut bytes = Unstructured::new(bytes);
    let next = || if bytes.is_empty() { None } else { Op::arbitrary(&mut bytes).ok() };
    std::iter::from_fn(next).collect()
}

/// Takes each step, on the kit and on the models, and compares after each.
///
/// # Panics
/// When the kit and a model disagree.
pub(crate) fn run(ops: &[Op]) {
    let mut timers = timers::World::new();
    let mut scopes = scopes::World::new();
    for &op in ops {
        match op {
            Op::Timers(op) => timers.step(op),
            Op::Scopes(op) => scopes.step(op),
        }
    }
    timers.end();
    scopes.end();
}
