//! The end of a run as text: a line for each poll, a column for each task.

use super::event::Cause;
use super::story::{Act, End, Poll, Row, Story};
use super::value::Trace;
use super::words::{cut, line, name, short, waits};
use crate::sim::report::FailureKind;
use crate::time::Instant;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

/// The most columns; of lines there are a heading of two, those of [`ROWS`], the end, and a mark for each gap: 30.
const WIDTH: usize = 100;
/// The most rows.
const ROWS: usize = 22;
/// Of how many stuck tasks the last poll is shown that was before the last rows.
const EARLIER: usize = 4;
/// The most tasks that are shown side by side.
const LANES: usize = 12;
/// Of so many tasks that do something in the rows, it is asked whether there is room for them.
const ACTING: usize = 64;
/// The most characters of a name.
const NAME: usize = 24;

/// The end of the run: its last polls, and of those whom a failure concerns the last polls that came before. At most 30
/// lines of 100 columns.
impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&draw(self))
    }
}

/// What is shown of a run.
struct Picture<'a> {
    trace: &'a Trace,
    story: &'a Story<'a>,
    /// The column of each task that has one. Tasks that do not live at the same time may share it.
    lanes: BTreeMap<usize, usize>,
    /// How each task stands: absent, ready, or waiting.
    stands: Vec<char>,
}

/// A line, but for its time and number.
#[derive(Default)]
struct Line {
    at: String,
    poll: String,
    cells: String,
    /// Who does what.
    does: String,
    /// How it ends, which is told even if that leaves little room for the rest.
    ends: String,
}

fn draw(trace: &Trace) -> String {
    let story = Story::of(trace);
    let concerned = &trace.concerned;
    let shown = choose_rows(&story.rows, concerned);
    let lanes = choose_lanes(&story, trace, &shown);
    let mut stands = alloc::vec!['|'; trace.tasks().len()];
    for act in story.rows.iter().flat_map(|row| &row.acts) {
        if let Act::Starts(task) = *act {
            stands[task] = ' ';
        }
    }
    let lines = Picture { trace, story: &story, lanes, stands }.lines(&shown);
    let seen = lines.iter().filter(|line| !line.poll.is_empty()).count() as u64;
    let which = match trace.end().poll {
        all if all == seen => format!("all {all} polls"),
        all => format!("{seen} of {all} polls"),
    };
    let width = |part: fn(&Line) -> &str| lines.iter().map(|line| part(line).chars().count()).max().unwrap_or(0);
    let (at, poll, cells) = (width(|line| &line.at), width(|line| &line.poll), width(|line| &line.cells));
    let mut text = format!(
        "the end of the run, {which}; WAKEFUL_SIM_TRACE=run.svg draws it\n\
         (* polled, o done, x panicked, | waits, : ready, + started, > or < woken by a poll, v by no poll)"
    );
    for Line { at: instant, poll: number, cells: columns, does, ends } in lines {
        let mut line = format!("  {instant:>at$}  {number:>poll$}  {columns:cells$}  ");
        let room = WIDTH.saturating_sub(line.chars().count() + ends.chars().count() + 2);
        let mut does = does;
        cut(&mut does, room.max(NAME));
        let between = match does.ends_with(':') {
            _ if ends.is_empty() => "",
            true => " ",
            false => "; ",
        };
        line.extend([&*does, between, &*ends]);
        cut(&mut line, WIDTH);
        text.push('\n');
        text.push_str(line.trim_end());
    }
    text
}

/// The last rows, and the last poll of each of the first few whom the failure concerns. Of polls of one task that do
/// nothing but yield, one after another, the last counts.
fn choose_rows(all: &[Row<'_>], concerned: &[usize]) -> BTreeSet<usize> {
    let again = |&n: &usize| {
        let same = |next: &Row<'_>| next.yields() && all[n].poll.is_some_and(|poll| next.polls(poll.of));
        all[n].yields() && all.get(n + 1).is_some_and(same)
    };
    let told = |n: &usize| !again(n) && !all[*n].is_start();
    let tail = |rows: usize| (0..all.len()).rev().filter(told).take(rows);
    let last = |&task: &usize| all.iter().rposition(|row| row.polls(task));
    let first = tail(ROWS).last();
    let mut rows: BTreeSet<usize> =
        concerned.iter().take(LANES).filter_map(last).filter(|&row| Some(row) < first).take(EARLIER).collect();
    rows.extend(tail(ROWS - rows.len()));
    rows
}

/// Columns for those whom the failure concerns, and for those that do something in the rows, the last first, as long as
/// there is room.
fn choose_lanes(story: &Story<'_>, trace: &Trace, shown: &BTreeSet<usize>) -> BTreeMap<usize, usize> {
    let acting = shown.iter().rev().flat_map(|&row| {
        let Row { poll, acts, .. } = &story.rows[row];
        let woken = acts.iter().filter_map(Act::readies);
        poll.iter().map(|poll| poll.of).chain(woken)
    });
    // The rows in which each lives.
    let mut lives = alloc::vec![(0, usize::MAX); trace.tasks().len()];
    for (n, row) in story.rows.iter().enumerate() {
        for act in &row.acts {
            if let Act::Starts(task) = *act {
                lives[task].0 = n;
            }
        }
        if let Some(Poll { of, end: End::Done, .. }) = row.poll {
            lives[of].1 = n;
        }
    }
    let mut chosen: BTreeSet<usize> = BTreeSet::new();
    let lanes = |chosen: &BTreeSet<usize>| {
        let (mut lanes, mut free) = (BTreeMap::new(), Vec::new());
        for &task in chosen {
            let (from, to) = lives[task];
            let lane = free.iter().position(|&until| until < from).unwrap_or(free.len());
            if lane == free.len() {
                free.push(to);
            }
            free[lane] = to;
            lanes.insert(task, lane);
        }
        (lanes, free.len())
    };
    let concerned = trace.concerned.iter().copied();
    let few = concerned.clone().take(LANES / 2);
    for task in few.chain(acting.take(ACTING)).chain(concerned.take(LANES)) {
        if chosen.insert(task) && lanes(&chosen).1 > LANES {
            chosen.remove(&task);
        }
    }
    lanes(&chosen).0
}

impl Picture<'_> {
    fn lines(mut self, shown: &BTreeSet<usize>) -> Vec<Line> {
        let mut lines: Vec<Line> = Vec::new();
        let (mut told, mut skipped, mut yielded) = (None, 0, 0);
        for (n, row) in self.story.rows.iter().enumerate() {
            let (cells, woken) = self.cells(row);
            let here = row.poll.map_or(woken, |poll| self.lanes.contains_key(&poll.of));
            if !(here && shown.contains(&n)) {
                skipped += u64::from(row.poll.is_some());
                yielded = if row.yields() { yielded + 1 } else { 0 };
                continue;
            }
            let (does, mut ends) = (self.does(row), self.ends(row));
            if yielded > 0 && row.yields() {
                skipped -= yielded;
                ends.push_str(&format!(", after {yielded} polls that did the same"));
            }
            if skipped > 0 && !lines.is_empty() {
                lines.push(Line { does: format!("... {skipped} polls ..."), ..Line::default() });
            }
            (skipped, yielded) = (0, 0);
            let at = self.instant(row.now.at, &mut told, row.until());
            let poll = row.poll.map_or(String::new(), |_| row.now.poll.to_string());
            lines.push(Line { at, poll, cells, does, ends });
        }
        // Of a panic, the poll says it.
        if let Some((kind, message)) = self.trace.failure().filter(|(kind, _)| *kind != FailureKind::Panic) {
            let end = self.trace.end().at;
            let at = self.instant(end, &mut told, end);
            let cells = self.mark(|task| self.trace.concerns(task).then_some('X'));
            let does = format!("{kind}: {}", line(message, WIDTH));
            lines.push(Line { at, cells, does, ..Line::default() });
        }
        lines
    }

    /// An instant, if it is not the one told last.
    fn instant(&self, at: Instant, told: &mut Option<Instant>, until: Instant) -> String {
        let new = told.replace(until) != Some(at);
        if new { short(at).to_string() } else { String::new() }
    }

    /// The columns, with a sign for each task for which there is one, else how it stands.
    fn mark(&self, sign: impl Fn(usize) -> Option<char>) -> String {
        let columns = self.lanes.values().max().map_or(0, |last| last * 2 + 1);
        let mut cells = alloc::vec![' '; columns];
        for (&task, &lane) in &self.lanes {
            let sign = sign(task).unwrap_or(self.stands[task]);
            if sign != ' ' {
                cells[lane * 2] = sign;
            }
        }
        cells.into_iter().collect()
    }

    /// The columns of a row, and whether it has anything to tell of them. How the tasks stand is brought up to its end.
    fn cells(&mut self, row: &Row<'_>) -> (String, bool) {
        let of = row.poll.map(|poll| poll.of);
        let lane = |task: usize| self.lanes.get(&task).copied();
        let mut signs: Vec<(usize, char)> = Vec::new();
        for act in &row.acts {
            match *act {
                Act::Starts(task) => signs.push((task, '+')),
                Act::Wakes(task, _) if of == Some(task) => {}
                Act::Wakes(task, Cause::Task(by)) => signs.push((task, if lane(by) < lane(task) { '>' } else { '<' })),
                Act::Wakes(task, _) => signs.push((task, 'v')),
                _ => {}
            }
        }
        if let Some(Poll { of, end, .. }) = row.poll {
            let sign = match end {
                End::Waits(_) | End::Cut => '*',
                End::Done => 'o',
                End::Panicked => 'x',
            };
            signs.push((of, sign));
        }
        let sign = |task| signs.iter().rev().find(|sign| sign.0 == task).map(|sign| sign.1);
        let mut cells: Vec<char> = self.mark(sign).chars().collect();
        if let Some(from) = of.and_then(lane) {
            for to in signs.iter().filter(|sign| sign.1 != 'v').filter_map(|sign| lane(sign.0)) {
                for cell in &mut cells[from.min(to) * 2..=from.max(to) * 2] {
                    *cell = if *cell == ' ' { '-' } else { *cell };
                }
            }
        }
        let told = signs.iter().any(|sign| lane(sign.0).is_some());
        for (task, sign) in signs {
            self.stands[task] = match sign {
                '*' if !row.wakes_itself() => '|',
                'o' | 'x' => ' ',
                _ => ':',
            };
        }
        (cells.into_iter().collect(), told)
    }

    /// Who does what in a row, in words.
    fn does(&self, row: &Row<'_>) -> String {
        let of = row.poll.map(|poll| poll.of);
        let called = |task| name(self.trace, task, NAME);
        let (mut said, mut verb) = (Vec::<String>::new(), "");
        for act in &row.acts {
            let (does, whom) = match *act {
                Act::Wakes(task, _) if of == Some(task) => continue,
                Act::Starts(task) => ("starts ", called(task)),
                Act::Wakes(task, Cause::Task(_)) => ("wakes ", called(task)),
                Act::Wakes(task, Cause::Timer) => ("a timer wakes ", called(task)),
                Act::Wakes(task, Cause::Lull) => ("nobody is ready: on goes ", called(task)),
                Act::Wakes(task, Cause::Nothing) => ("nothing wakes ", called(task)),
                Act::Wakes(task, Cause::Outside) => ("another thread wakes ", called(task)),
                Act::Chooses { chosen, n } => ("chooses ", format!("{chosen} below {n}")),
                Act::Notes(text) => ("notes ", format!("\"{}\"", line(text, WIDTH))),
                Act::Opens { text, .. } => ("begins ", format!("\"{}\"", line(text, NAME))),
                Act::Closes(span) => match self.story.stretch(span) {
                    Some(stretch) => ("ends ", format!("\"{}\"", line(stretch.text, NAME))),
                    None => continue,
                },
                Act::Faults(text) => ("meets a fault, ", format!("\"{}\"", line(text, WIDTH))),
                Act::Drops(dropped) => ("", line(&dropped.to_string(), WIDTH)),
                Act::Moves { to } => ("moves time to ", short(to).to_string()),
            };
            match said.last_mut() {
                Some(last) if verb == does => {
                    last.push_str(", ");
                    last.push_str(&whom);
                }
                _ => said.push(format!("{does}{whom}")),
            }
            verb = does;
        }
        if row.poll.is_some_and(|poll| poll.among == 0) {
            said.insert(0, "is polled though nobody woke it".to_string());
        }
        match of {
            Some(of) if said.is_empty() => format!("{}:", called(of)),
            Some(of) => format!("{}: {}", called(of), said.join("; ")),
            None => said.join("; "),
        }
    }

    /// How the poll of a row ends, in words.
    fn ends(&self, row: &Row<'_>) -> String {
        match row.poll.map(|poll| poll.end) {
            Some(End::Waits(_)) if row.wakes_itself() => "yields".to_string(),
            Some(End::Waits(on)) => format!("waits for {}", waits(on)),
            Some(End::Done) if row.drops_whole() => String::new(),
            Some(End::Done) => "is done".to_string(),
            Some(End::Panicked) => {
                let message = self.trace.failure().map_or("", |(_, message)| message);
                let message = message.split_once("panicked: ").map_or(message, |(_, said)| said);
                format!("panics: {}", line(message, WIDTH))
            }
            Some(End::Cut) | None => String::new(),
        }
    }
}
