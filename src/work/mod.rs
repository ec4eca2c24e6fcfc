//! Work on many items, against a deadline, with every item accounted for.

mod builder;
mod crew;
mod lease;
mod outcome;
mod ready;
mod report;
mod run;
mod source;

pub use builder::{Work, work};
pub use lease::Lease;
pub use outcome::{Collect, Count, Ended, ItemOutcome, Sink};
pub use report::{Report, Stop};
pub use source::{FromIter, FromQueue, FromStream, IntoSource, Source, by};
