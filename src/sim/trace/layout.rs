//! Where things stand in the drawing of a run: rows from left to right, a lane for each task.

use super::event::{Event, What};
use super::story::{Act, Place, Row, Story};
use super::value::Trace;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

/// How wide the rows should be together, in pixels: at least and at most.
const NARROW: f32 = 900.0;
const WIDE: f32 = 2_200.0;
/// How far rows may be stretched and pressed together for that.
const STRETCHED: f32 = 4.0;
const PRESSED: f32 = 0.2;
/// How far, before that, the places are pressed together where time moves on.
const CLOSED: f32 = 0.2;
/// How wide a poll is, by nature; and a place where others than polls wake tasks.
const POLL: f32 = 18.0;
const WAKES: f32 = 8.0;
/// What is added for each act of a poll, up to so many.
const ACT: f32 = 4.0;
const SPREAD: usize = 12;
/// How wide it is where time moves on, for the shortest time; what is added when it is twice as long; and the most.
const MOVES: f32 = 30.0;
const DOUBLED: f32 = 6.0;
const MOVES_MOST: f32 = 110.0;
/// How much room there is after the last row, for what tasks wait for at the end.
const AFTER: f32 = 60.0;
/// The most lanes.
pub(super) const LANES: usize = 200;

/// A lane's height, and what is added above it if there are notes or faults.
pub(super) const LANE: f32 = 26.0;
pub(super) const NOTES: f32 = 15.0;
/// The height of a track of stretches, and the most tracks of a task.
pub(super) const TRACK: f32 = 14.0;
pub(super) const TRACKS: usize = 24;

/// A row that is drawn: where time moves on before it, and where it begins and ends.
#[derive(Clone, Copy)]
pub(super) struct Column {
    pub(super) moves: f32,
    pub(super) from: f32,
    pub(super) to: f32,
}

/// The lane of a task.
pub(super) struct Lane {
    pub(super) task: usize,
    /// Where the middle of its bars is.
    pub(super) y: f32,
    pub(super) notes: bool,
}

pub(super) struct Layout {
    /// How many rows are left out at the beginning.
    pub(super) skipped: usize,
    /// Those that are not left out.
    pub(super) columns: Vec<Column>,
    pub(super) lanes: Vec<Lane>,
    /// How many tasks have no lane though there is something of them.
    pub(super) hidden: usize,
    /// By task, which lane it has.
    of: Vec<Option<usize>>,
    pub(super) left: f32,
    pub(super) right: f32,
    pub(super) bottom: f32,
    acts: Vec<usize>,
}

impl Layout {
    /// Rows begin at `left`, lanes at `top`.
    pub(super) fn of(trace: &Trace, story: &Story<'_>, left: f32, top: f32) -> Self {
        let natural: Vec<(f32, f32)> = natural(&story.rows);
        let sums = |widths: &[(f32, f32)]| widths.iter().fold((0.0, 0.0), |(a, b), (moves, own)| (a + moves, b + own));
        let (mut skipped, (mut moves, mut own)) = (0, sums(&natural));
        while (moves * CLOSED + own) * PRESSED > WIDE {
            // In parts, so that the sums are not taken for each row of a long run.
            skipped += (natural.len() - skipped).div_ceil(20);
            (moves, own) = sums(&natural[skipped..]);
        }
        let closed = if moves > 0.0 { ((WIDE - own) / moves).clamp(CLOSED, 1.0) } else { 1.0 };
        let all = (moves * closed + own).max(1.0);
        let scale = (NARROW / all).clamp(1.0, STRETCHED).min((WIDE / all).max(PRESSED));
        let (mut at, mut columns) = (left, Vec::new());
        for (moves, own) in &natural[skipped..] {
            let from = at + moves * closed * scale;
            columns.push(Column { moves: at, from, to: from + own * scale });
            at = from + own * scale;
        }
        let acts = story.rows.iter().map(|row| row.acts.len()).collect();
        let (mut lanes, hidden) = lanes(trace, &story.rows[skipped..], skipped > 0 || trace.dropped() > 0);
        let noting: BTreeSet<usize> = story.rows[skipped..].iter().filter_map(noting).collect();
        let mut tracks = BTreeMap::<usize, usize>::new();
        for stretch in &story.stretches {
            let most = stretch.task.map(|task| tracks.entry(task).or_default());
            most.into_iter().for_each(|most| *most = (*most).max(stretch.track + 1));
        }
        let (mut y, mut of) = (top, alloc::vec![None; trace.tasks().len()]);
        for (n, lane) in lanes.iter_mut().enumerate() {
            lane.notes = noting.contains(&lane.task);
            y += if lane.notes { NOTES } else { 0.0 };
            lane.y = y + LANE / 2.0;
            y += LANE + TRACK * tracks.get(&lane.task).copied().unwrap_or(0).min(TRACKS) as f32;
            of[lane.task] = Some(n);
        }
        let after = if story.bars.iter().any(|bar| bar.to.is_none()) { AFTER } else { 6.0 };
        Self { skipped, columns, lanes, hidden, of, left, right: at + after, bottom: y, acts }
    }

    /// The column of a row, if it is drawn.
    pub(super) fn column(&self, row: usize) -> Option<Column> {
        self.columns.get(row.checked_sub(self.skipped)?).copied()
    }

    /// Where a place is: the left edge, if it is left out.
    pub(super) fn x(&self, Place { row, act }: Place) -> f32 {
        let Some(column) = self.column(row) else { return self.left };
        let acts = self.acts[row];
        column.from + mark(column, acts) * act as f32 / (acts + 1) as f32
    }

    pub(super) fn lane(&self, task: usize) -> Option<&Lane> {
        self.of[task].map(|lane| &self.lanes[lane])
    }
}

/// How wide the mark of a poll is that has so many acts: they have some room.
pub(super) fn mark(Column { from, to, .. }: Column, acts: usize) -> f32 {
    ((to - from) * 0.8).min(14.0 + ACT * acts.min(SPREAD) as f32)
}

/// For each row, how wide it is where time moves on before it, and how wide it is itself.
fn natural(rows: &[Row<'_>]) -> Vec<(f32, f32)> {
    let gap = |row: &Row<'_>| row.from.map(|from| (row.now.at.as_nanos() - from.as_nanos()).max(1));
    let least = rows.iter().filter_map(gap).min().unwrap_or(1);
    let width = |gap: u64| (MOVES + DOUBLED * (gap / least).ilog2() as f32).min(MOVES_MOST);
    let own = |row: &Row<'_>| match row.poll {
        Some(_) => POLL + ACT * row.acts.len().min(SPREAD) as f32,
        None if row.is_start() => 0.0,
        None => WAKES,
    };
    rows.iter().map(|row| (gap(row).map_or(0.0, width), own(row))).collect()
}

/// A lane for each task that is there in these rows; where there are too many, for those whom a failure concerns, and
/// for those that do something last.
fn lanes(trace: &Trace, rows: &[Row<'_>], cut: bool) -> (Vec<Lane>, usize) {
    let mut seen = BTreeSet::new();
    let mut lately: Vec<usize> = trace.concerned.clone();
    for row in rows.iter().rev() {
        lately.extend(row.poll.iter().map(|poll| poll.of));
        lately.extend(row.acts.iter().filter_map(Act::readies));
    }
    if cut {
        // Those that only wait all the time are there, too.
        let done = |event: &Event| if let What::Done { task } = event.what { Some(task) } else { None };
        let done: BTreeSet<usize> = trace.events().iter().filter_map(done).collect();
        lately.extend((0..trace.tasks().len()).filter(|task| !done.contains(task)));
    }
    let count = lately.iter().copied().collect::<BTreeSet<_>>().len();
    for task in lately {
        if seen.len() < LANES {
            seen.insert(task);
        }
    }
    let hidden = count - seen.len();
    (seen.into_iter().map(|task| Lane { task, y: 0.0, notes: false }).collect(), hidden)
}

/// Who makes a note in a row, or meets a fault.
fn noting(row: &Row<'_>) -> Option<usize> {
    let noted = row.acts.iter().any(|act| matches!(act, Act::Notes(_) | Act::Faults(_)));
    row.poll.filter(|_| noted).map(|poll| poll.of)
}
