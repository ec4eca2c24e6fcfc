//! A limiter against its model; see `models/`.
#![no_main]

#[path = "../models/mod.rs"]
mod models;

use libfuzzer_sys::fuzz_target;
use models::Limits;

fuzz_target!(|bytes: &[u8]| models::run::<Limits>(&models::steps::<Limits>(bytes)));
