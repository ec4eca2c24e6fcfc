//! Events, signals and watched values against models; see `models/`.
#![no_main]

#[path = "../models/mod.rs"]
mod models;

use libfuzzer_sys::fuzz_target;
use models::Signals;

fuzz_target!(|bytes: &[u8]| models::run::<Signals>(&models::steps::<Signals>(bytes)));
