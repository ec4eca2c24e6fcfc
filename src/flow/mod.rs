//! What flows: calls and items that come too often, or too many at once.
//!
//! # Which part do I want?
//!
//! | you want to | for calls | for a stream |
//! |---|---|---|
//! | act once when it has become quiet | [`Debounce`] | [`FlowExt::debounce`] |
//! | act at most once a period, and leave out what is between | [`Throttle`] | [`FlowExt::throttle`] |
//! | act once a period, on what is newest | [`Throttle`] with [`Edge::Trailing`] | [`FlowExt::sample`] |
//! | leave nothing out, and keep a distance in between | [`Spaced`] | [`Limiter::throttle`](crate::limit::Limiter::throttle) |
//! | catch up when slow, by the newest or by a sum | | [`FlowExt::conflate`], [`FlowExt::conflate_with`] |
//! | take several at once, and wait for them no longer than so | | [`FlowExt::windows`] |
//!
//! # What is promised
//!
//! Tests cite these by number.
//!
//! - **F1** Whether and when a call or an item has its turn is a pure function of the instants at which calls were made: in
//!   virtual time it is exact, under every schedule. What is due at the instant at which another comes is not superseded.
//! - **F2** Of calls that are left out each is told so, and why, at once; none waits for what will not come.
//! - **F3** A waiting call that is dropped leaves nothing behind: no timer, no turn, and nothing that was superseded by it.
//! - **F4** A stream's end gives what waits, at once.

mod conflated;
mod debounce;
mod ext;
mod pace;
mod paced;
mod throttle;
mod turns;
mod windowed;

pub use conflated::{Conflated, Newest};
pub use debounce::{Debounce, DebounceConfig};
pub use ext::FlowExt;
pub use pace::Edge;
pub use paced::{Debounced, Paced, Sampled, Throttled};
pub use throttle::{Spaced, Throttle};
pub use turns::Skipped;
pub use windowed::Windowed;

#[cfg(test)]
mod loom_tests;
