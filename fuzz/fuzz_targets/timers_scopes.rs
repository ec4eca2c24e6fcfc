//! Timers and cancel scopes against models; see `models/`.
#![no_main]

#[path = "../models/mod.rs"]
mod models;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| models::run(&models::steps(bytes)));
