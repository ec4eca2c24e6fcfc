//! Timers and cancel scopes against models; see `models/`.
#![no_main]

#[path = "../models/mod.rs"]
mod models;

use libfuzzer_sys::fuzz_target;
use models::TimersScopes;

fuzz_target!(|bytes: &[u8]| models::run::<TimersScopes>(&models::steps::<TimersScopes>(bytes)));
