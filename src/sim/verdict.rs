//! Failures that are found on the way, by others than the executor.

use super::dump::TaskInfo;
use super::report::FailureKind;
use super::world::Core;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use core::panic::Location;

/// Something by which a run has failed.
pub(super) struct Verdict {
    pub(super) kind: FailureKind,
    pub(super) message: String,
    pub(super) place: Option<&'static Location<'static>>,
    /// Who is concerned; `None`: all.
    pub(super) task: Option<TaskInfo>,
    /// Of which poll the waker is that matters; `None`: of the last.
    pub(super) waker_of: Option<u32>,
}

impl Core {
    /// Notes that what [`always!`](crate::always) says does not hold. The first time counts.
    pub(super) fn broken(&mut self, place: &'static Location<'static>, text: &str, said: &str) {
        if self.verdict.is_none() {
            let task = Some(self.describe(self.current));
            let colon = if said.is_empty() { "" } else { ": " };
            let message = format!("`{text}` does not hold at {place}{colon}{said}");
            let verdict = Verdict { kind: FailureKind::Violation, message, place: Some(place), task, waker_of: None };
            self.verdict = Some(Box::new(verdict));
        }
    }
}
