//! The events of a recording, put in order for those who draw it: one row after another, and what each task did
//! meanwhile.
//!
//! A row is a poll with all that it did, or what happened between two polls. A place is a row and how far within it: 0
//! is its beginning, `n` its n-th act, and one more than it has acts its end.

use super::event::{Cause, Event, What};
use super::value::Trace;
use crate::sim::dump::{Moment, WaitInfo};
use crate::sim::twist::Dropped;
use crate::time::Instant;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// Something that was done within a row.
pub(super) enum Act<'a> {
    Starts(usize),
    Wakes(usize, Cause),
    Chooses {
        chosen: usize,
        n: usize,
    },
    Notes(&'a str),
    Faults(&'a str),
    /// A stretch begins; by its number it ends.
    Opens {
        span: u64,
        task: Option<usize>,
        text: &'a str,
    },
    Closes(u64),
    Drops(&'a Dropped),
    Moves {
        to: Instant,
    },
}

impl Act<'_> {
    /// The task that is started or woken.
    pub(super) fn readies(&self) -> Option<usize> {
        match *self {
            Act::Starts(task) | Act::Wakes(task, _) => Some(task),
            _ => None,
        }
    }
}

/// How a poll ended.
#[derive(Clone, Copy)]
pub(super) enum End<'a> {
    Waits(Waits<'a>),
    Done,
    Panicked,
    /// The recording tells no end.
    Cut,
}

/// What a task waits for.
#[derive(Clone, Copy)]
pub(super) struct Waits<'a> {
    pub(super) on: &'a [WaitInfo],
    /// For how many things besides.
    pub(super) more: usize,
}

/// A poll of the task `of`.
#[derive(Clone, Copy)]
pub(super) struct Poll<'a> {
    pub(super) of: usize,
    pub(super) among: usize,
    pub(super) end: End<'a>,
}

pub(super) struct Row<'a> {
    /// When it began.
    pub(super) now: Moment,
    /// What the time was before, if it moved on.
    pub(super) from: Option<Instant>,
    pub(super) poll: Option<Poll<'a>>,
    pub(super) acts: Vec<Act<'a>>,
}

impl Row<'_> {
    /// Whether it is nothing but the start of the root.
    pub(super) fn is_start(&self) -> bool {
        self.poll.is_none() && self.acts.iter().all(|act| matches!(act, Act::Starts(_)))
    }

    /// Whether it is a poll of `task`.
    pub(super) fn polls(&self, task: usize) -> bool {
        self.poll.is_some_and(|poll| poll.of == task)
    }

    /// Whether the task that is polled is woken meanwhile, and so ready again.
    pub(super) fn wakes_itself(&self) -> bool {
        let woken = |task| self.acts.iter().any(|act| matches!(*act, Act::Wakes(woken, _) if woken == task));
        self.poll.is_some_and(|poll| woken(poll.of))
    }

    /// Whether the task is dropped on purpose instead of polled, or after that.
    pub(super) fn drops_whole(&self) -> bool {
        self.acts.iter().any(|act| matches!(act, Act::Drops(dropped) if !dropped.name.is_empty()))
    }

    /// Whether it is a poll that did nothing but let others have a turn.
    pub(super) fn yields(&self) -> bool {
        let waits = self.poll.is_some_and(|poll| matches!(poll.end, End::Waits(_)));
        waits && self.acts.len() == 1 && self.wakes_itself()
    }

    /// The instant at its end.
    pub(super) fn until(&self) -> Instant {
        let moved = self.acts.iter().rev().find_map(|act| match act {
            Act::Moves { to } => Some(*to),
            _ => None,
        });
        moved.unwrap_or(self.now.at)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) row: usize,
    pub(super) act: usize,
}

/// What a task does while it is not polled.
#[derive(Clone, Copy)]
pub(super) enum Stay<'a> {
    Waits(Waits<'a>),
    /// It waited when the recording begins.
    Unknown,
    /// It was woken by somebody, or is new.
    Ready(Option<Cause>),
}

pub(super) struct Bar<'a> {
    pub(super) task: usize,
    pub(super) stay: Stay<'a>,
    pub(super) from: Place,
    /// None: up to the end of the run.
    pub(super) to: Option<Place>,
}

/// A stretch that the test marked.
pub(super) struct Stretch<'a> {
    pub(super) span: u64,
    pub(super) task: Option<usize>,
    pub(super) text: &'a str,
    pub(super) from: Place,
    /// None: up to the end of the run.
    pub(super) to: Option<Place>,
    /// Which track of its task's it has: those on one do not overlap.
    pub(super) track: usize,
}

pub(super) struct Story<'a> {
    pub(super) rows: Vec<Row<'a>>,
    /// In the order of their beginnings.
    pub(super) stretches: Vec<Stretch<'a>>,
    /// In the order of their ends.
    pub(super) bars: Vec<Bar<'a>>,
}

impl<'a> Story<'a> {
    pub(super) fn of(trace: &'a Trace) -> Self {
        let rows = rows(trace.events());
        let stretches = stretches(&rows);
        let bars = bars(&rows, trace);
        Self { rows, stretches, bars }
    }

    /// The stretch with this number, if its beginning was recorded.
    pub(super) fn stretch(&self, span: u64) -> Option<&Stretch<'a>> {
        let at = self.stretches.binary_search_by_key(&span, |stretch| stretch.span).ok()?;
        Some(&self.stretches[at])
    }
}

fn rows<'a>(events: &'a [Event]) -> Vec<Row<'a>> {
    let mut rows: Vec<Row<'a>> = Vec::new();
    let (mut moved, mut polling) = (None, false);
    for Event { now, what } in events {
        let act = match what {
            &What::Polled { task, among } => {
                let poll = Some(Poll { of: task, among, end: End::Cut });
                rows.push(Row { now: *now, from: moved.take(), poll, acts: Vec::new() });
                polling = true;
                continue;
            }
            What::Pending { .. } | What::Done { .. } | What::Panicked { .. } => {
                if let Some(Row { poll: Some(poll), .. }) = rows.last_mut().filter(|_| polling) {
                    poll.end = match what {
                        What::Done { .. } => End::Done,
                        What::Pending { waits, more, .. } => End::Waits(Waits { on: waits, more: *more }),
                        _ => End::Panicked,
                    };
                }
                polling = false;
                continue;
            }
            &What::Moved { from } if !polling => {
                moved = Some(from);
                continue;
            }
            What::Moved { .. } => Act::Moves { to: now.at },
            What::Started { task, .. } => Act::Starts(*task),
            What::Woken { task, by } => Act::Wakes(*task, *by),
            What::Chose { chosen, n, .. } => Act::Chooses { chosen: *chosen, n: *n },
            What::Noted { text, .. } => Act::Notes(text),
            What::Fault { text, .. } => Act::Faults(text),
            What::Opened { task, span, text } => Act::Opens { span: *span, task: *task, text },
            What::Closed { span } => Act::Closes(*span),
            What::Dropped { dropped, .. } => Act::Drops(dropped),
        };
        let follows = polling || rows.last().is_some_and(|row| row.poll.is_none() && moved.is_none());
        match rows.last_mut().filter(|_| follows) {
            Some(row) => row.acts.push(act),
            None => rows.push(Row { now: *now, from: moved.take(), poll: None, acts: alloc::vec![act] }),
        }
    }
    rows
}

/// Those of which the beginning was recorded.
fn stretches<'a>(rows: &[Row<'a>]) -> Vec<Stretch<'a>> {
    let mut stretches: Vec<Stretch<'a>> = Vec::new();
    for (row, Row { acts, .. }) in rows.iter().enumerate() {
        for (act, done) in (1..).zip(acts) {
            match *done {
                Act::Opens { span, task, text } => {
                    stretches.push(Stretch { span, task, text, from: Place { row, act }, to: None, track: 0 });
                }
                Act::Closes(span) => {
                    if let Ok(at) = stretches.binary_search_by_key(&span, |stretch| stretch.span) {
                        stretches[at].to = Some(Place { row, act });
                    }
                }
                _ => {}
            }
        }
    }
    // Of each task, until when its tracks are taken.
    let mut taken: BTreeMap<Option<usize>, Vec<Option<Place>>> = BTreeMap::new();
    for Stretch { task, from, to, track, .. } in &mut stretches {
        let taken = taken.entry(*task).or_default();
        *track = taken.iter().position(|until| until.is_some_and(|until| until <= *from)).unwrap_or(taken.len());
        match taken.get_mut(*track) {
            Some(free) => *free = *to,
            None => taken.push(*to),
        }
    }
    stretches
}

fn bars<'a>(rows: &[Row<'a>], trace: &Trace) -> Vec<Bar<'a>> {
    const START: Place = Place { row: 0, act: 0 };
    let mut bars = Vec::new();
    // What each task does, since when. Those whose start was not recorded were there before.
    let mut now: Vec<Option<(Stay<'a>, Place)>> = alloc::vec![Some((Stay::Unknown, START)); trace.tasks().len()];
    for act in rows.iter().flat_map(|row| &row.acts) {
        if let Act::Starts(task) = *act {
            now[task] = None;
        }
    }
    let mut turn = |task: usize, place, next: Option<Stay<'a>>, now: &mut Vec<Option<(Stay<'a>, Place)>>| {
        let before = core::mem::replace(&mut now[task], next.map(|stay| (stay, place)));
        if let Some((stay, from)) = before {
            bars.push(Bar { task, stay, from, to: Some(place) });
        }
    };
    for (row, Row { poll, acts, .. }) in rows.iter().enumerate() {
        let of = poll.map(|poll| poll.of);
        if let Some(of) = of {
            turn(of, Place { row, act: 0 }, None, &mut now);
        }
        let mut again = None;
        for (act, done) in (1..).zip(acts) {
            match *done {
                Act::Starts(task) => turn(task, Place { row, act }, Some(Stay::Ready(None)), &mut now),
                Act::Wakes(task, by) if of == Some(task) => again = Some(by),
                Act::Wakes(task, by) => turn(task, Place { row, act }, Some(Stay::Ready(Some(by))), &mut now),
                _ => {}
            }
        }
        if let Some(poll) = poll {
            let stay = match (poll.end, again) {
                (End::Done | End::Panicked | End::Cut, _) => None,
                (End::Waits(_), Some(by)) => Some(Stay::Ready(Some(by))),
                (End::Waits(waits), None) => Some(Stay::Waits(waits)),
            };
            turn(poll.of, Place { row, act: acts.len() + 1 }, stay, &mut now);
        }
    }
    for (task, left) in now.into_iter().enumerate() {
        bars.extend(left.map(|(stay, from)| Bar { task, stay, from, to: None }));
    }
    bars
}
