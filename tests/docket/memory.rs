//! The suite on the store in memory.

use super::suite;
use std::time::Duration;
use wakeful::docket::MemoryStore;

#[test]
fn the_store_in_memory_keeps_what_stores_promise() {
    for (name, scenario) in suite::all::<MemoryStore>() {
        println!("{name}");
        wakeful::sim::check(|sim| {
            sim.set_wall(Duration::from_secs(86_400));
            scenario(MemoryStore::with_wall(&sim.time(), sim.wall()), sim.time())
        });
    }
}
