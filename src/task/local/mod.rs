//! Groups whose children are polled in the task that runs the group.

mod builder;
mod child;
mod group;
mod handle;
mod run;
mod start;
mod state;

pub use builder::{LocalGroupBuilder, local_group};
pub use group::LocalGroup;
pub use handle::LocalHandle;
pub use kinds::{MaySend, StaysHere};
pub use run::{LocalReport, LocalRun};
pub use start::LocalStart;

/// Whether children may go to other threads.
mod kinds {
    use super::child::{Gone, Kid, Turn};
    use crate::sys::joint::{Runner, Titled};

    /// Marks groups whose children are `Send`, so that the group may be run in a task that goes from thread to thread.
    #[derive(Clone, Copy, Debug)]
    pub struct MaySend;

    /// Marks groups whose children need not be `Send`, and that stay on the thread where they are.
    #[derive(Clone, Copy, Debug)]
    pub struct StaysHere;

    /// Whether the children of a local group are `Send`: [`MaySend`] or [`StaysHere`].
    pub trait Kind: 'static {
        /// A child.
        #[doc(hidden)]
        type Kid<'env, E>: Kid<E>;
    }

    impl Kind for MaySend {
        type Kid<'env, E> = Runner<dyn Titled<Turn, Gone<E>> + Send + Sync + 'env>;
    }

    impl Kind for StaysHere {
        type Kid<'env, E> = Runner<dyn Titled<Turn, Gone<E>> + 'env>;
    }
}
