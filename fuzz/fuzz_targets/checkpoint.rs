//! A checkpoint, and what is resumed from it, against their model; see `models/`.
#![no_main]

#[path = "../models/mod.rs"]
mod models;

use libfuzzer_sys::fuzz_target;
use models::Checkpoints;

fuzz_target!(|bytes: &[u8]| models::run::<Checkpoints>(&models::steps::<Checkpoints>(bytes)));
