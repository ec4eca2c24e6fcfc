//! Composites of limits against their model; see `models/`.
#![no_main]

#[path = "../models/mod.rs"]
mod models;

use libfuzzer_sys::fuzz_target;
use models::Composites;

fuzz_target!(|bytes: &[u8]| models::run::<Composites>(&models::steps::<Composites>(bytes)));
