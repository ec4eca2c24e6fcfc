//! Schedules and `Retry-After` against their models; see `models/`.
#![no_main]

#[path = "../models/mod.rs"]
mod models;

use libfuzzer_sys::fuzz_target;
use models::Retries;

fuzz_target!(|bytes: &[u8]| models::run::<Retries>(&models::steps::<Retries>(bytes)));
