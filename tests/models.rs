//! The operations of the fuzz targets as ordinary tests: of seeded random bytes, and of the committed corpus.

#[path = "../fuzz/models/mod.rs"]
mod models;

use models::{
    Breakers, Checkpoints, Composites, Keyed, Limits, Permits, Queues, Retries, Signals, Tasks, TimersScopes, Tokens,
    Topics, Workers, World,
};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use wakeful::queue::{Fifo, Lanes, Lifo, Priority, Rendezvous};

/// Runs what `bytes` say. On a failure prints where they came from and the steps.
fn run<W: World>(bytes: &[u8], origin: &str) {
    let ops = models::steps::<W>(bytes);
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| models::run::<W>(&ops))) {
        eprintln!("{origin}: {ops:#?}");
        std::panic::resume_unwind(panic);
    }
}

/// Bytes that look random, the same for the same seed: Sebastiano Vigna's SplitMix64.
fn bytes(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ z >> 31).to_le_bytes()
    };
    std::iter::repeat_with(&mut next).flatten().take(len).collect()
}

/// Runs so many seeds, each of so many bytes.
fn random_steps<W: World>(seeds: u64, len: usize) {
    for seed in 0..seeds {
        run::<W>(&bytes(seed, len), &format!("seed {seed}"));
    }
}

/// Runs the committed corpus of the fuzz target `name`.
fn corpus<W: World>(name: &str) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let mut seen = 0;
    for entry in std::fs::read_dir(corpus).expect("the corpus is committed") {
        let path = entry.expect("a readable folder").path();
        run::<W>(&std::fs::read(&path).expect("a readable file"), &path.display().to_string());
        seen += 1;
    }
    assert!(seen > 0, "the corpus is not empty");
}

#[test]
fn timers_and_scopes_agree_with_their_models_for_random_steps() {
    random_steps::<TimersScopes>(1_000, 8_000);
}

#[test]
fn worker_pools_agree_with_their_model_for_random_steps() {
    random_steps::<Workers>(500, 600);
}

#[test]
fn worker_pools_agree_with_their_model_for_the_corpus() {
    corpus::<Workers>("workers");
}

#[test]
fn timers_and_scopes_agree_with_their_models_for_the_corpus() {
    corpus::<TimersScopes>("timers_scopes");
}

/// A queue of one kind: random steps, and the corpus of its fuzz target.
fn queue<W: World>(seeds: u64, name: &str) {
    random_steps::<W>(seeds, 1_000);
    corpus::<W>(name);
}

#[test]
fn a_queue_agrees_with_its_model() {
    queue::<Queues<Fifo>>(3_000, "queue_fifo");
}

#[test]
fn queues_that_order_their_items_agree_with_their_models() {
    queue::<Queues<Lifo>>(1_000, "queue_lifo");
    queue::<Queues<Priority>>(1_000, "queue_priority");
    queue::<Queues<Lanes<3>>>(1_000, "queue_lanes");
}

#[test]
fn a_rendezvous_agrees_with_its_model() {
    queue::<Queues<Rendezvous>>(3_000, "queue_rendezvous");
}

#[test]
fn a_semaphore_agrees_with_its_model() {
    random_steps::<Permits>(3_000, 600);
    corpus::<Permits>("semaphore");
}

#[test]
fn a_topic_agrees_with_its_model() {
    random_steps::<Topics>(3_000, 600);
    corpus::<Topics>("topics");
}

#[test]
fn a_capacity_limiter_agrees_with_its_model() {
    random_steps::<Tokens>(3_000, 600);
    corpus::<Tokens>("capacity");
}

#[test]
fn a_limiter_agrees_with_its_model_by_every_algorithm() {
    random_steps::<Limits>(3_000, 1_000);
    corpus::<Limits>("limiter");
}

#[test]
fn composites_agree_with_their_model() {
    random_steps::<Composites>(3_000, 600);
    corpus::<Composites>("composite");
}

#[test]
fn a_keyed_limiter_agrees_with_a_plain_one_for_each_key() {
    random_steps::<Keyed>(2_000, 1_000);
    corpus::<Keyed>("keyed");
}

#[test]
fn events_signals_and_watched_values_agree_with_their_models() {
    random_steps::<Signals>(3_000, 1_000);
    corpus::<Signals>("signals");
}

#[test]
fn schedules_and_retry_after_agree_with_their_models() {
    random_steps::<Retries>(3_000, 1_000);
    corpus::<Retries>("retries");
}

#[test]
fn a_circuit_breaker_agrees_with_its_model() {
    random_steps::<Breakers>(3_000, 1_500);
    corpus::<Breakers>("breaker");
}

#[test]
fn a_checkpoint_agrees_with_its_model() {
    random_steps::<Checkpoints>(1_500, 300);
    corpus::<Checkpoints>("checkpoint");
}

#[test]
fn a_store_of_tasks_agrees_with_its_model() {
    random_steps::<Tasks>(500, 400);
    corpus::<Tasks>("tasks");
}
