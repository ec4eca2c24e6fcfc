//! Publish and subscribe: each message goes to all who have subscribed.
//!
//! Each subscriber says what happens when it is [`Slow`]: publishers wait for it, it misses the oldest messages and is told how many,
//! or it reads the latest only. It reads with [`Subscriber::recv`] or as a [stream](Subscriber::into_stream), in a task of its own,
//! so what it does, and its panics, touch nobody else. Dropping it unsubscribes; [`Topic::close`] and [`Topic::drained`] wind all
//! down.
//!
//! # Examples
//! See [`Topic`].

mod error;
mod publish;
mod state;
mod subscribe;

pub use error::{Missed, PublishError, RecvError, TryPublishError, TryRecvError};
pub use publish::{Drained, Publish, Topic};
pub use state::Slow;
pub use subscribe::{Messages, Recv, Subscriber};

#[cfg(test)]
mod loom_tests;
