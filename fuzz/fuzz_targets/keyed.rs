//! A keyed limiter against its model; see `models/`.
#![no_main]

#[path = "../models/mod.rs"]
mod models;

use libfuzzer_sys::fuzz_target;
use models::Keyed;

fuzz_target!(|bytes: &[u8]| models::run::<Keyed>(&models::steps::<Keyed>(bytes)));
