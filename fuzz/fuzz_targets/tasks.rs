//! The store of a docket's tasks against a model; see `models/`.
#![no_main]

#[path = "../models/mod.rs"]
mod models;

use libfuzzer_sys::fuzz_target;
use models::Tasks;

fuzz_target!(|bytes: &[u8]| models::run::<Tasks>(&models::steps::<Tasks>(bytes)));
