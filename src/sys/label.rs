//! What reports call a future.

use alloc::borrow::Cow;
use core::fmt;
use core::panic::Location;

/// What reports call a future.
#[derive(Clone, Debug)]
pub struct Label {
    /// Empty: it has none.
    pub(crate) name: Cow<'static, str>,
    pub(crate) made: &'static Location<'static>,
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.name {
            "" => write!(f, "made at {}", self.made),
            name => write!(f, "`{name}`"),
        }
    }
}

/// What has a label.
pub trait Labelled {
    fn label(&self) -> &Label;
    fn label_mut(&mut self) -> &mut Label;
}

impl Labelled for Label {
    fn label(&self) -> &Label {
        self
    }

    fn label_mut(&mut self) -> &mut Label {
        self
    }
}
