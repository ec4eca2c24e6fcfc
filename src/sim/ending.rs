//! What a run has come to, and the failures that its end can be.

use super::dump::TaskInfo;
use super::exec::Exec;
use super::marks::Mark;
use super::meta::Meta;
use super::report::{Failure, FailureKind};
use super::sites::Sites;
use super::twist::Dropped;
use super::verdict::Verdict;
use super::world::ROOT;
use crate::time::Instant;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::any::Any;

/// What was counted and kept in a run.
pub(super) struct Course {
    pub(super) hash: u64,
    pub(super) steps: u64,
    pub(super) choices: u64,
    pub(super) draws: u64,
    pub(super) cancel_points: u64,
    pub(super) dropped: Option<Dropped>,
    pub(super) marks: Vec<Mark>,
    pub(super) replay: String,
    pub(super) sites: Option<Box<Sites>>,
}

impl Exec<'_> {
    /// What the run has come to.
    pub(super) fn take_course(&self) -> Course {
        self.world.core.with(|core| Course {
            hash: core.hash,
            steps: core.steps,
            choices: core.choices,
            draws: core.draws(),
            cancel_points: core.cancel_points,
            dropped: core.dropped.take(),
            marks: core::mem::take(&mut core.marks).list(),
            replay: core.source.line(core.seed(), core.twists),
            sites: core.sites.take(),
        })
    }

    fn failure(&self, kind: FailureKind, message: String, tasks: Vec<TaskInfo>) -> Failure {
        Failure::new(kind, message, self.time.now(), tasks)
    }

    pub(super) fn deadlock(&mut self) -> Failure {
        let next = self.world.next_timer(&self.time);
        if !self.autojump && !next.is_never() {
            let message = format!("nobody is ready, and time does not move by itself; the next timer rings at {next}");
            let failure = self.failure(FailureKind::Standstill, message, self.tasks(|_, _| true));
            return self.proven(failure, |_, _| true);
        }
        let tasks = self.tasks(|_, _| true);
        let mut message = "nobody is ready, no timer is left, and the root is not done".to_string();
        if let Some(astray) = tasks.iter().find(|task| sleeps_elsewhere(task, self.time.now())) {
            let label = astray.label();
            message +=
                &format!("; the sleep of `{label}` has no timer here: by another clock, as outside every scope?");
        }
        let failure = self.failure(FailureKind::Deadlock, message, tasks);
        self.proven(failure, |_, _| true)
    }

    pub(super) fn limit(&self, max_steps: u64) -> Failure {
        if let Some((stopped, polls)) = self.world.core.with(|core| core.weather.overrun(max_steps)) {
            let message = format!("faults stopped after {stopped} polls, and {polls} polls later the run is not over");
            return self.failure(FailureKind::Liveness, message, self.tasks(|_, _| true));
        }
        let message = format!("{max_steps} polls, as many as are allowed, and the run is not over");
        self.failure(FailureKind::StepLimit, message, self.tasks(|_, _| true))
    }

    /// Whether another thread may have a waker of a task that waits, or has just woken one and has it no more.
    pub(super) fn can_be_woken(&self) -> bool {
        let lives = self.world.core.with(|core| core.ready.iter().collect::<Vec<u32>>());
        let is_left = lives.iter().any(|&number| !self.entries[number as usize].own.is_alone());
        is_left || self.world.core.with(|core| core.foreign.has_wakes())
    }

    pub(super) fn is_judged(&self) -> bool {
        self.world.core.with(|core| core.verdict.is_some())
    }

    /// The failure that was found on the way, if one was.
    pub(super) fn judged(&self) -> Option<Failure> {
        let verdict = self.world.core.with(|core| core.verdict.take())?;
        Some(self.failed(*verdict, self.time.now()))
    }

    pub(super) fn failed(&self, verdict: Verdict, time: Instant) -> Failure {
        let Verdict { kind, message, place, task, waker_of } = verdict;
        let tasks = task.map_or_else(|| self.tasks(|_, _| true), |task| alloc::vec![task]);
        Failure::new(kind, message, time, tasks).with_place(place).with_waker_of(waker_of)
    }

    pub(super) fn leak(&mut self) -> Option<Failure> {
        let left_over = |number, meta: &Meta| number != ROOT && !meta.background;
        let message = match self.tasks(left_over).len() {
            0 => return None,
            1 => "the root is done, and 1 task is left over".to_string(),
            n => format!("the root is done, and {n} tasks are left over"),
        };
        let failure = self.failure(FailureKind::Leak, message, self.tasks(left_over));
        Some(self.proven(failure, left_over))
    }

    pub(super) fn panicked(&self, panic: &(dyn Any + Send)) -> Failure {
        let current = self.world.core.with(|core| core.current);
        let said = panic.downcast_ref::<String>().map(String::as_str);
        let said = said.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a value that is not a text");
        let task = self.world.core.with(|core| {
            core.trace(|trace, now| trace.panicked(now, current));
            core.describe(current)
        });
        let message = format!("`{}` panicked: {said}", task.label());
        self.failure(FailureKind::Panic, message, alloc::vec![task])
    }

    /// Those for whom `wanted` is true: the root first, the others in the order of their spawn paths.
    fn tasks(&self, wanted: impl Fn(u32, &Meta) -> bool) -> Vec<TaskInfo> {
        self.world.core.with(|core| core.dump(wanted))
    }
}

/// Whether the last poll of a task came to a sleep that is not over, though no timer is left: it was dropped in that poll, or is by
/// a clock that is not of this run.
fn sleeps_elsewhere(task: &TaskInfo, now: Instant) -> bool {
    task.waits.iter().any(|wait| wait.what == "sleep" && !wait.until.is_never() && wait.until > now)
}
