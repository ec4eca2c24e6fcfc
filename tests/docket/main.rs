//! The docket: what every store promises, on each store; the tasks and workers above it.

mod edges;
mod examples;
mod extras;
mod fails;
mod heard;
mod made_up;
mod memory;
mod model;
mod simulated;
mod slow;
#[cfg(feature = "sqlite")]
mod sqlite;
mod suite;
mod support;
mod tasks;
