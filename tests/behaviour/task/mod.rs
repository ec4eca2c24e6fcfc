//! Groups of tasks.

pub(crate) mod background;
pub(crate) mod failing;
pub(crate) mod groups;
pub(crate) mod leaving;
pub(crate) mod local;
pub(crate) mod local_background;
pub(crate) mod local_starting;
pub(crate) mod shutdown;
pub(crate) mod starting;
pub(crate) mod waiting;
