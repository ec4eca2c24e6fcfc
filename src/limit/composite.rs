//! Several limits at once, all or nothing.

mod acquire;
mod all;
mod error;
mod source;
mod stand;

pub use acquire::{AcquireAll, Pass};
pub use all::Composite;
pub use error::{AcquireAllError, TryAcquireAllError};
