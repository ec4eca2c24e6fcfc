//! A future on its way to an executor.

use crate::sys::joint::{self, Label, alone};
use alloc::borrow::Cow;
use core::fmt;
use core::future::Future;
use core::panic::Location;
use core::pin::Pin;
use core::task::{Context, Poll};

/// Starts tasks. Every `Fn(Task)` does.
///
/// To be taken by code that starts tasks of its own, so that its caller chooses the runtime. Code that only waits needs none.
///
/// The task is to be polled until it is done, or dropped when the executor ends; nothing is expected of it otherwise.
///
/// # Examples
/// ```
/// use wakeful::spawn::{Spawn, Task};
///
/// fn start(spawner: &impl Spawn) {
///     spawner.spawn(Task::new(async { /* ... */ }).named("greeter"));
/// }
///
/// start(&|task: Task| std::mem::drop(task));
/// ```
pub trait Spawn {
    /// Starts `task`.
    fn spawn(&self, task: Task);
}

impl<F: Fn(Task)> Spawn for F {
    fn spawn(&self, task: Task) {
        self(task);
    }
}

/// A future with a name and the place where it was made, in an allocation of its own; itself a future.
///
/// A runtime's own function takes it as it is; the name is for reports, such as the simulator's of a deadlock.
///
/// # Cancel safety
/// Dropping it drops the future that it holds.
#[must_use = "a task does nothing unless it is spawned or awaited"]
pub struct Task {
    runner: joint::Task,
}

impl Task {
    /// A task without a name.
    #[track_caller]
    pub fn new(future: impl Future<Output = ()> + Send + 'static) -> Self {
        Self::of(alone(Label { name: Cow::Borrowed(""), made: Location::caller() }, future))
    }

    /// A task whose future lies beside what it shares with others.
    pub(crate) fn of(runner: joint::Task) -> Self {
        Self { runner }
    }

    /// Gives it a name, for reports.
    pub fn named(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        let name = name.into();
        match self.runner.label_mut() {
            Some(label) => {
                label.name = name;
                self
            }
            // Others may be looking at the name that it has.
            None => Self::of(alone(Label { name, made: self.made() }, self)),
        }
    }

    /// Its name; empty if it has none.
    pub fn name(&self) -> &str {
        &self.runner.label().name
    }

    /// The place where it was made.
    pub fn made(&self) -> &'static Location<'static> {
        self.runner.label().made
    }
}

crate::sys::with_sim! {
    impl Task {
        /// Its name, to be kept without copying it if it is static.
        pub(crate) fn name_to_keep(&self) -> Cow<'static, str> {
            self.runner.label().name.clone()
        }
    }
}

impl Future for Task {
    type Output = ();

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.runner).poll(cx)
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").field("name", &self.name()).field("made", &format_args!("{}", self.made())).finish()
    }
}
