//! How many calls at once a service can take, found out from how it answers.

mod aimd;
mod concurrency;
pub(super) mod control;
mod fixed;
mod flight;
mod gradient;
mod vegas;

pub use aimd::Aimd;
pub use concurrency::Concurrency;
pub use control::{Bounds, BoundsError, Control, Feedback};
pub use fixed::Fixed;
pub use flight::{Flight, Launch};
pub use gradient::Gradient2;
pub use vegas::Vegas;
