//! Objects that are lent: `wakeful::work::ResourcePool` beside asyncband's pool, bb8 and deadpool.
//!
//! The objects are numbers, made at once and always fit to be lent again; all of them are made before. One thread (CPU).
//!
//! - `pool.get`: get one of four that are idle, by a future that is ready at once, and give it back.
//! - `pool.contended`: sixteen tasks want four objects; each holds one while the others have a turn, and wants another.
//!
//! Ours counts what it lends and keeps the least idle, as bb8 does; deadpool keeps when each was made and lent by the clock, as
//! ours would if it were to drop those that are too old. bb8 sets a timer of tokio's for each that is got.

mod asyncband;
mod bb8;
mod deadpool;
mod ours;

use std::cell::Cell;
use std::fmt::Debug;
use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::task::Poll;

use crate::harness::{Bench, Row, Target, cpu_ns};
use crate::support::{block_on, poll_once};
use crate::tasks::{self, Task, take_turns};

/// Operations of one round.
const OPERATIONS: usize = 50_000;

/// Objects of a pool.
const OBJECTS: usize = 4;

/// Tasks that want them.
const TASKS: usize = 16;

/// Makes all objects, by holding them all.
fn fill<F: Future<Output = Result<T, E>>, T, E: Debug>(get: impl Fn() -> F) {
    let held: Vec<T> = (0..OBJECTS).map(|_| block_on(get()).expect("one can be made")).collect();
    drop(held);
}

fn get<F: Future<Output = Result<T, E>>, T, E: Debug>(get: impl Fn() -> F) -> f64 {
    fill(&get);
    cpu_ns(OPERATIONS, || {
        for _ in 0..OPERATIONS {
            let Poll::Ready(object) = poll_once(pin!(get())) else { panic!("there are idle ones") };
            drop(black_box(object.expect("it is fit")));
        }
    })
}

fn contended<F: Future<Output = Result<T, E>>, T, E: Debug>(get: impl Fn() -> F) -> f64 {
    fill(&get);
    let turns = [const { Cell::new(0) }; TASKS];
    let left = Cell::new(OPERATIONS);
    let cost = cpu_ns(OPERATIONS, || {
        tasks::run(turns.iter().map(|turns| Box::pin(take_turns(&get, &left, turns)) as Task<'_>).collect());
    });
    assert!(turns.iter().all(|turns| turns.get() > 0), "nobody is starved");
    cost
}

pub fn run(bench: &mut Bench) {
    let mut row = |name, target, ours, rivals: &[_]| {
        bench.row(&Row { name, unit: "ns", rounds: 31, target: Target::Ratio(target), ours, rivals });
    };
    row("pool.get", 0.50, ours::get, &[("asyncband", asyncband::get), ("bb8", bb8::get), ("deadpool", deadpool::get)]);
    row(
        "pool.contended",
        0.80,
        ours::contended,
        &[("asyncband", asyncband::contended), ("bb8", bb8::contended), ("deadpool", deadpool::contended)],
    );
}
