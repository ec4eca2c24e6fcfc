//! The recorder: keeps the last events of a run that is under way.
//!
//! Under the simulator's lock it is told of tasks by their numbers, which one after another may bear; it counts them as
//! they come. A task is forgotten with the last event that names it, so what is kept is bounded by the limit and by how
//! many tasks live.

use super::event::{Cause, Event, TraceTask, What};
use super::notes::kept;
use super::value::{Outcome, Trace};
use crate::sim::dump::{Moment, TaskInfo, WaitInfo};
use crate::sim::twist::Dropped;
use crate::sys::probe::Wait;
use crate::time::Instant;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;
use core::panic::Location;

/// What the executor is about between the events.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::sim) enum Phase {
    /// It polls this task, by its place among those that were started.
    Poll(usize),
    /// It wakes those who wait for a lull.
    Lull,
    /// It wakes somebody for nothing.
    Spurious,
    /// It lets wake-ups of other threads in.
    Outside,
    /// Nothing in particular, or it lets timers ring.
    Timers,
}

pub(in crate::sim) struct Recorder {
    limit: usize,
    events: VecDeque<Event>,
    dropped: u64,
    /// Those that live, and those that some event names.
    tasks: BTreeMap<usize, TraceTask>,
    started: usize,
    /// How many stretches were begun.
    opened: u64,
    /// Who bears each number, with the number of its handle.
    bearers: Vec<Option<(usize, u32)>>,
    /// Which task each handle waits for, as long as it lives.
    handles: BTreeMap<u32, usize>,
    phase: Phase,
    at: Instant,
    /// When the run was over. What comes after that is not told.
    end: Option<Moment>,
}

impl Recorder {
    /// One that keeps `limit` events.
    pub(in crate::sim) fn new(limit: usize) -> Self {
        let (events, tasks, bearers, handles) = (VecDeque::new(), BTreeMap::new(), Vec::new(), BTreeMap::new());
        Self {
            limit,
            events,
            dropped: 0,
            tasks,
            started: 0,
            opened: 0,
            bearers,
            handles,
            phase: Phase::Timers,
            at: Instant::EPOCH,
            end: None,
        }
    }

    fn push(&mut self, now: Moment, what: What) {
        if now.at != self.at {
            let from = core::mem::replace(&mut self.at, now.at);
            self.push(now, What::Moved { from });
        }
        if self.events.len() == self.limit {
            self.dropped += 1;
            if let Some(Event { what: What::Done { task }, .. }) = self.events.pop_front() {
                self.tasks.remove(&task);
            }
        }
        self.events.push_back(Event { now, what });
    }

    pub(in crate::sim) fn is_open(&self) -> bool {
        self.end.is_none()
    }

    /// The run is over: nothing is told any more.
    pub(in crate::sim) fn close(&mut self, now: Moment) {
        self.end.get_or_insert(now);
    }

    fn bearer(&self, number: u32) -> Option<usize> {
        self.bearers.get(number as usize).copied().flatten().map(|(task, _)| task)
    }

    fn running(&self) -> Option<usize> {
        match self.phase {
            Phase::Poll(task) => Some(task),
            Phase::Lull | Phase::Spurious | Phase::Outside | Phase::Timers => None,
        }
    }

    pub(in crate::sim) fn started(&mut self, now: Moment, number: u32, handle: u32, task: TraceTask) {
        let index = self.started;
        self.started += 1;
        self.tasks.insert(index, task);
        if handle != 0 {
            self.handles.insert(handle, index);
        }
        let number = number as usize;
        self.bearers.resize(self.bearers.len().max(number + 1), None);
        self.bearers[number] = Some((index, handle));
        self.push(now, What::Started { task: index, by: self.running() });
    }

    pub(in crate::sim) fn woken(&mut self, now: Moment, number: u32) {
        let Some(task) = self.bearer(number) else { return };
        let by = match self.phase {
            Phase::Poll(by) => Cause::Task(by),
            Phase::Lull => Cause::Lull,
            Phase::Spurious => Cause::Nothing,
            Phase::Outside => Cause::Outside,
            Phase::Timers => Cause::Timer,
        };
        self.push(now, What::Woken { task, by });
    }

    pub(in crate::sim) fn polled(&mut self, now: Moment, number: u32, among: usize) {
        let Some(task) = self.bearer(number) else { return };
        self.phase = Phase::Poll(task);
        self.push(now, What::Polled { task, among });
    }

    pub(in crate::sim) fn pending(&mut self, now: Moment, waits: &[Wait]) {
        if let Some(task) = self.running() {
            self.phase = Phase::Timers;
            let more = waits.len().saturating_sub(Trace::WAITS);
            let label = |id| self.handles.get(&id).and_then(|task| self.tasks.get(task)).map(TraceTask::label);
            let waits = waits.iter().take(Trace::WAITS).map(|wait| WaitInfo::of(wait, label)).collect();
            self.push(now, What::Pending { task, waits, more });
        }
    }

    pub(in crate::sim) fn done(&mut self, now: Moment, number: u32) {
        let Some((task, handle)) = self.bearers.get_mut(number as usize).and_then(Option::take) else { return };
        self.handles.remove(&handle);
        self.phase = Phase::Timers;
        self.push(now, What::Done { task });
    }

    pub(in crate::sim) fn panicked(&mut self, now: Moment, number: u32) {
        if let Some(task) = self.bearer(number) {
            self.phase = Phase::Timers;
            self.push(now, What::Panicked { task });
        }
    }

    pub(in crate::sim) fn chose(&mut self, now: Moment, chosen: usize, n: usize) {
        if let Some(task) = self.running() {
            self.push(now, What::Chose { task, chosen, n });
        }
    }

    pub(in crate::sim) fn dropped(&mut self, now: Moment, dropped: Dropped) {
        if let Some(task) = self.running() {
            self.push(now, What::Dropped { task, dropped });
        }
    }

    pub(in crate::sim) fn noted(&mut self, now: Moment, text: String) {
        self.push(now, What::Noted { task: self.running(), text: kept(text, Trace::NOTE) });
    }

    /// Begins a stretch, and gives its number.
    pub(in crate::sim) fn opened(&mut self, now: Moment, text: String) -> u64 {
        self.opened += 1;
        let span = self.opened;
        self.push(now, What::Opened { task: self.running(), span, text: kept(text, Trace::NOTE) });
        span
    }

    pub(in crate::sim) fn closed(&mut self, now: Moment, span: u64) {
        self.push(now, What::Closed { span });
    }

    pub(in crate::sim) fn fault(&mut self, now: Moment, text: &'static str, place: &'static Location<'static>) {
        self.push(now, What::Fault { task: self.running(), text, place });
    }

    /// What the executor is about from now on. Gives what it was about.
    pub(in crate::sim) fn enter(&mut self, phase: Phase) -> Phase {
        core::mem::replace(&mut self.phase, phase)
    }

    /// The recording, with the tasks that are left counted anew.
    pub(in crate::sim) fn finish(self, outcome: Outcome, concerned: &[TaskInfo]) -> Trace {
        let Self { events, tasks, bearers, dropped, end, .. } = self;
        let end = end.unwrap_or(Moment::START);
        let numbers: BTreeMap<usize, usize> = tasks.keys().copied().zip(0..).collect();
        let renumbered = |event: Event| event.renumbered(|task| numbers[&task]);
        let events = events.into_iter().map(renumbered).collect();
        let concerned: BTreeSet<(&str, &str)> = concerned.iter().map(|info| (&*info.path, &*info.name)).collect();
        let concerns = |&task: &usize| {
            let TraceTask { name, path, .. } = &tasks[&task];
            concerned.contains(&(path.as_str(), name.as_str()))
        };
        let mut concerned: Vec<usize> = bearers.into_iter().flatten().map(|(task, _)| task).filter(concerns).collect();
        concerned.sort_unstable();
        concerned.iter_mut().for_each(|task| *task = numbers[&*task]);
        Trace { tasks: tasks.into_values().collect(), events, dropped, end, outcome, concerned }
    }
}

impl Event {
    /// The same with other numbers for the tasks.
    fn renumbered(mut self, new: impl Fn(usize) -> usize) -> Self {
        let renumber = |task: &mut usize| *task = new(*task);
        match &mut self.what {
            What::Started { task, by } => {
                renumber(task);
                by.iter_mut().for_each(renumber);
            }
            What::Woken { task, by } => {
                renumber(task);
                if let Cause::Task(by) = by {
                    renumber(by);
                }
            }
            What::Noted { task, .. } | What::Fault { task, .. } | What::Opened { task, .. } => {
                task.iter_mut().for_each(renumber)
            }
            What::Polled { task, .. }
            | What::Pending { task, .. }
            | What::Done { task }
            | What::Panicked { task }
            | What::Chose { task, .. }
            | What::Dropped { task, .. } => renumber(task),
            What::Moved { .. } | What::Closed { .. } => {}
        }
        self
    }
}

#[cfg(all(test, not(wakeful_loom)))]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_kept_of_tasks_that_are_gone_with_their_events() {
        let mut recorder = Recorder::new(10);
        let task = |name: &str| TraceTask {
            name: name.into(),
            path: String::new(),
            node: String::new(),
            made: None,
            background: false,
        };
        recorder.started(Moment::START, 0, 0, task("root"));
        for n in 1..1_000 {
            recorder.started(Moment::START, 1, n, task("one of many"));
            recorder.polled(Moment::START, 1, 1);
            recorder.done(Moment::START, 1);
        }
        assert_eq!((recorder.events.len(), recorder.handles.len(), recorder.bearers.len()), (10, 0, 2));
        // The root, of which all events are gone, and those that ten events name.
        assert!(recorder.tasks.len() <= 5, "{}", recorder.tasks.len());
        let trace = recorder.finish(Outcome { failure: None, replay: String::new() }, &[]);
        assert_eq!(trace.tasks()[0].name, "root");
    }
}
