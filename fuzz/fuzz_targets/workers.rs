//! A worker pool against a model; see `models/`.
#![no_main]

#[path = "../models/mod.rs"]
mod models;

use libfuzzer_sys::fuzz_target;
use models::Workers;

fuzz_target!(|bytes: &[u8]| models::run::<Workers>(&models::steps::<Workers>(bytes)));
