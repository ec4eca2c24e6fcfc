//! A queue against its model; see `models/`.
#![no_main]

#[path = "../models/mod.rs"]
mod models;

use libfuzzer_sys::fuzz_target;
use models::Queues;
use wakeful::queue::Lanes;

fuzz_target!(|bytes: &[u8]| models::run::<Queues<Lanes<3>>>(&models::steps::<Queues<Lanes<3>>>(bytes)));
