//! Where a task stands among all that were started.

use core::fmt;

/// Which child of which child a task is, as reports print it: the last few steps of the way.
#[derive(Clone, Copy)]
pub(super) struct Path {
    depth: usize,
    steps: [u32; Self::KEPT],
}

impl Path {
    const KEPT: usize = 5;
    pub(super) const ROOT: Self = Self { depth: 0, steps: [0; Self::KEPT] };

    pub(super) fn child(mut self, index: u32) -> Self {
        if self.depth >= Self::KEPT {
            self.steps.rotate_left(1);
        }
        self.steps[self.depth.min(Self::KEPT - 1)] = index;
        self.depth += 1;
        self
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.depth > Self::KEPT { "..." } else { "" })?;
        for (n, step) in self.steps.iter().take(self.depth).enumerate() {
            write!(f, "{}{step}", if n == 0 { "" } else { "." })?;
        }
        Ok(())
    }
}
