//! What is kept of a task that was added.

use super::{Answer, Docket, Ending, Generation, Row, State, StoreError, Topic};
use crate::cancel::Scope;
use crate::sys::Arc;
use crate::sys::once::OnceArc;
use alloc::string::String;
use core::error::Error;
use core::fmt;
use core::marker::PhantomData;
use core::time::Duration;
use serde::de::DeserializeOwned;

/// A task that was added: where it is, and what it gives. Dropping it changes nothing.
pub struct Handle<O> {
    docket: Docket,
    key: Key,
    generation: Generation,
    output: PhantomData<fn() -> O>,
}

/// A key, or of what it is made up as soon as somebody asks for it: most tasks that have none are never asked.
pub(super) enum Key {
    Given(String),
    MadeUp(Arc<str>, OnceArc<String>),
}

impl Key {
    pub(super) fn made_up(name: Arc<str>) -> Self {
        Self::MadeUp(name, OnceArc::new())
    }
}

impl Clone for Key {
    fn clone(&self) -> Self {
        match self {
            Self::Given(key) => Self::Given(key.clone()),
            Self::MadeUp(name, _) => Self::made_up(name.clone()),
        }
    }
}

impl<O> Handle<O> {
    pub(super) fn new(docket: Docket, key: Key, generation: Generation) -> Self {
        Self { docket, key, generation, output: PhantomData }
    }

    /// Its key.
    pub fn key(&self) -> &str {
        match &self.key {
            Key::Given(key) => key,
            Key::MadeUp(name, made) => loop {
                if let Some(key) = made.get() {
                    break key;
                }
                drop(made.get_or_init(|| Arc::new(self.generation.key_of(name))));
            },
        }
    }

    /// Which row of the key.
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// Its row: where it is, how many attempts have begun, how far it is. None, if its end is no longer remembered.
    ///
    /// # Errors
    /// If the store can't.
    pub fn row(&self) -> Answer<'_, Option<Row>> {
        self.docket.store().look(self.key(), Some(self.generation))
    }

    /// Waits for its end, but no longer than so long.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    ///
    /// # Errors
    /// As [`result`](Self::result), and [`NoResult::NotYet`].
    pub async fn result_within(&self, timeout: Duration) -> Result<O, NoResult>
    where
        O: DeserializeOwned,
    {
        let scope = Scope::new(self.docket.time().clone());
        scope.move_on_after(timeout, async |_| self.result().await).await.done().unwrap_or(Err(NoResult::NotYet))
    }

    /// Waits for its end. Within a scope that has a deadline, [`move_on_after`](Scope::move_on_after) bounds that; without one
    /// [`result_within`](Self::result_within) does.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    ///
    /// # Errors
    /// If it ended otherwise than well, or that is no longer remembered, or the store can't.
    pub async fn result(&self) -> Result<O, NoResult>
    where
        O: DeserializeOwned,
    {
        self.docket.store().changed(Topic::End(self.generation), 0).await.map_err(NoResult::Store)?;
        let row = self.row().await.map_err(NoResult::Store)?;
        match row.map(|row| row.state) {
            Some(State::Ended(Ending::Done(output))) => serde_json::from_value(output).map_err(|_| NoResult::Unlike),
            Some(State::Ended(ending)) => Err(NoResult::Ended(ending)),
            _ => Err(NoResult::Forgotten),
        }
    }
}

impl<O> Clone for Handle<O> {
    fn clone(&self) -> Self {
        Self::new(self.docket.clone(), self.key.clone(), self.generation)
    }
}

impl<O> fmt::Debug for Handle<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("key", &self.key()).field("generation", &self.generation).finish_non_exhaustive()
    }
}

/// There is no result.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum NoResult {
    /// It ended otherwise.
    Ended(Ending),
    /// It has not ended in time.
    NotYet,
    /// How it ended is no longer remembered.
    Forgotten,
    /// The output is not of this type.
    Unlike,
    /// The store can't.
    Store(StoreError),
}

impl fmt::Display for NoResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended(Ending::Failed(error)) => write!(f, "it failed: {error}"),
            Self::Ended(ending) => write!(f, "it ended otherwise: {ending:?}"),
            Self::NotYet => f.write_str("it has not ended in time"),
            Self::Forgotten => f.write_str("how it ended is no longer remembered"),
            Self::Unlike => f.write_str("the output is of another type"),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl Error for NoResult {}
