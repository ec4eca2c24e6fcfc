//! A topic and its model; see `models/`.
#![no_main]

#[path = "../models/mod.rs"]
mod models;

use libfuzzer_sys::fuzz_target;
use models::Topics;

fuzz_target!(|bytes: &[u8]| models::run::<Topics>(&models::steps::<Topics>(bytes)));
