//! A semaphore against its model; see `models/`.
#![no_main]

#[path = "../models/mod.rs"]
mod models;

use libfuzzer_sys::fuzz_target;
use models::Permits;

fuzz_target!(|bytes: &[u8]| models::run::<Permits>(&models::steps::<Permits>(bytes)));
