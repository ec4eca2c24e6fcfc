//! Not calling what is known to fail.

mod call;
mod config;
mod handle;
mod keyed;
mod machine;
mod window;

pub use call::{Call, CircuitOpen, Mark};
pub use config::{BreakerConfig, BreakerConfigError, Window};
pub use handle::CircuitBreaker;
pub use keyed::CircuitBreakers;
pub use machine::{BreakerCause, BreakerChange, BreakerState};
pub use window::BreakerCounts;
