//! A circuit breaker against its model; see `models/`.
#![no_main]

#[path = "../models/mod.rs"]
mod models;

use libfuzzer_sys::fuzz_target;
use models::Breakers;

fuzz_target!(|bytes: &[u8]| models::run::<Breakers>(&models::steps::<Breakers>(bytes)));
