//! A queue against its model; see `models/`.
#![no_main]

#[path = "../models/mod.rs"]
mod models;

use libfuzzer_sys::fuzz_target;
use models::Queues;
use wakeful::queue::Lifo;

fuzz_target!(|bytes: &[u8]| models::run::<Queues<Lifo>>(&models::steps::<Queues<Lifo>>(bytes)));
