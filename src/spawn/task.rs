//! A future on its way to an executor.

use alloc::borrow::Cow;
use alloc::boxed::Box;
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

/// A boxed future with a name and the place where it was made; itself a future.
///
/// A runtime's own function takes it as it is; the name is for reports, such as the simulator's of a deadlock.
///
/// # Cancel safety
/// Dropping it drops the future that it holds.
#[must_use = "a task does nothing unless it is spawned or awaited"]
pub struct Task {
    name: Cow<'static, str>,
    made: &'static Location<'static>,
    future: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Task {
    /// A task without a name.
    #[track_caller]
    pub fn new(future: impl Future<Output = ()> + Send + 'static) -> Self {
        Self { name: Cow::Borrowed(""), made: Location::caller(), future: Box::pin(future) }
    }

    /// Gives it a name, for reports.
    pub fn named(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.name = name.into();
        self
    }

    /// Its name; empty if it has none.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The place where it was made.
    pub fn made(&self) -> &'static Location<'static> {
        self.made
    }
}

crate::sys::with_sim! {
    impl Task {
        /// Its name, to be kept without copying it if it is static.
        pub(crate) fn name_to_keep(&self) -> Cow<'static, str> {
            self.name.clone()
        }
    }
}

impl Future for Task {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.future.as_mut().poll(cx)
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").field("name", &self.name).field("made", &format_args!("{}", self.made)).finish()
    }
}
