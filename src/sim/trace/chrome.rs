//! A recording for trace viewers.

use super::escape::Json;
use super::event::Cause;
use super::story::{Act, Bar, End, Place, Row, Stay, Story, Stretch};
use super::value::Trace;
use super::words::{cause, short, waits};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::{self, Write as _};

/// The process of the tasks that are on no node. Those of nodes follow.
const PID: usize = 1;
/// The thread of what no task does: time that moves on, timers that ring. Tasks follow.
const CLOCK: usize = 0;
/// The shortest that a poll is drawn, in nanoseconds.
const SHORTEST: u64 = 10;
/// How many polls as long as the longest fill the whole run.
const FINEST: u64 = 500;

impl Trace {
    /// The run in the Trace Event Format, for [Perfetto](https://ui.perfetto.dev) and `chrome://tracing`: a thread for
    /// each task, in a process for each node; slices for polls and for what a task does between them; arrows for
    /// wake-ups and starts. Stretches ([`Sim::span`](crate::sim::Sim::span)) have threads of their own.
    ///
    /// # Time
    /// Its time is virtual. As a poll takes no virtual time, it is given some here: the polls of one instant follow
    /// each other from that instant on, and take at most half of the time up to the next instant, and at most a
    /// five-hundredth of the run each. No event is shown before its instant, and the first of an instant is shown at it
    /// exactly, unless so many polls are made within so short a time that they would be shorter than 10 ns. The exact
    /// instant of a poll is among its arguments.
    ///
    /// Source of the format: "Trace Event Format", Google, 2016.
    pub fn to_chrome(&self) -> String {
        let story = Story::of(self);
        let (mut out, nodes) = Out::of(self, &story);
        out.head(&nodes);
        story.stretches.iter().for_each(|stretch| out.stretch(stretch));
        story.bars.iter().for_each(|bar| out.stay(bar));
        story.rows.iter().enumerate().for_each(|(n, row)| out.row(n, row));
        if self.failure().is_some() {
            out.event("i", CLOCK, out.end(), &out.outcome(), "failure", "\"s\":\"g\"");
        }
        out.text.push_str("\n]}\n");
        out.text
    }
}

/// The tracks of stretches, in their order, each with its place in it.
fn tracks(story: &Story<'_>) -> BTreeMap<(Option<usize>, usize), usize> {
    let tracks: BTreeSet<_> = story.stretches.iter().map(|stretch| (stretch.task, stretch.track)).collect();
    tracks.into_iter().zip(0..).collect()
}

const fn thread(task: usize) -> usize {
    task + 1
}

/// Where each row is drawn: from when on, and for how long, in nanoseconds.
fn times(rows: &[Row<'_>]) -> Vec<(u64, u64)> {
    let instant = |row: &Row<'_>| row.now.at.as_nanos();
    let all = rows.last().map_or(0, instant) - rows.first().map_or(0, instant);
    let longest = if all == 0 { 1_000 } else { all / FINEST };
    let (mut times, mut free) = (Vec::new(), 0);
    for same in rows.chunk_by(|a, b| a.now.at == b.now.at) {
        let (at, next) = (instant(&same[0]), rows.get(times.len() + same.len()).map_or(u64::MAX, instant));
        let share = (next - at) / 2 / same.len() as u64;
        for row in same {
            let length = if row.is_start() { 0 } else { share.min(longest).max(SHORTEST) };
            let start = at.max(free);
            times.push((start, length));
            free = start.saturating_add(length);
        }
    }
    times
}

/// Nanoseconds as the format has them: microseconds.
struct Micros(u64);

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1_000, self.0 % 1_000)
    }
}

struct Out<'a> {
    trace: &'a Trace,
    rows: &'a [Row<'a>],
    times: Vec<(u64, u64)>,
    /// The process of each thread.
    pids: Vec<usize>,
    tracks: BTreeMap<(Option<usize>, usize), usize>,
    /// The rows in which each task is polled.
    polls: Vec<Vec<usize>>,
    text: String,
    flows: u64,
}

impl<'a> Out<'a> {
    /// With nothing written yet; and the names of the nodes, in the order of their processes.
    fn of(trace: &'a Trace, story: &'a Story<'a>) -> (Self, Vec<&'a str>) {
        let mut nodes: Vec<&str> = Vec::new();
        let mut pid = |node| match (node, nodes.iter().position(|&known| known == node)) {
            ("", _) => PID,
            (_, Some(known)) => PID + 1 + known,
            (_, None) => {
                nodes.push(node);
                PID + nodes.len()
            }
        };
        let mut pids = alloc::vec![PID];
        pids.extend(trace.tasks().iter().map(|task| pid(&task.node)));
        let tracks = tracks(story);
        let of_tracks: Vec<usize> = tracks.keys().map(|&(task, _)| pids[task.map_or(CLOCK, thread)]).collect();
        pids.extend(of_tracks);
        let mut polls = alloc::vec![Vec::new(); trace.tasks().len()];
        for (row, of) in story.rows.iter().enumerate().filter_map(|(n, row)| Some((n, row.poll?.of))) {
            polls[of].push(row);
        }
        let (rows, times, text) = (&story.rows, times(&story.rows), String::new());
        (Self { trace, rows, times, pids, tracks, polls, text, flows: 0 }, nodes)
    }

    fn outcome(&self) -> String {
        self.trace.failure().map_or("done".to_string(), |(kind, message)| format!("{kind}: {message}"))
    }

    /// The thread of a track: they follow the tasks.
    fn track(&self, nth: usize) -> usize {
        thread(self.trace.tasks().len()) + nth
    }

    /// What stands before the events, and the names of processes and threads.
    fn head(&mut self, nodes: &[&str]) {
        let _ = writeln!(
            self.text,
            "{{\"displayTimeUnit\":\"ns\",\"otherData\":{{\"outcome\":{},\"replay\":{},\"events dropped\":{},\"time\":\
             \"virtual; polls take none, and are drawn from their instant on\"}},\"traceEvents\":[",
            Json(&self.outcome()),
            Json(self.trace.replay()),
            self.trace.dropped()
        );
        for (pid, name) in (PID..).zip(core::iter::once(&"simulation").chain(nodes)) {
            let comma = if pid == PID { "" } else { ",\n" };
            let head = format!("\"ph\":\"M\",\"pid\":{pid},\"name\":\"process_name\"");
            let _ = write!(self.text, "{comma}{{{head},\"args\":{{\"name\":{}}}}}", Json(name));
        }
        self.thread(CLOCK, "(time)");
        for (task, told) in self.trace.tasks().iter().enumerate() {
            let path = if told.path.is_empty() { String::new() } else { format!(" [{}]", told.path) };
            self.thread(thread(task), &format!("{}{path}", told.label()));
        }
        let tracks: Vec<_> = self.tracks.iter().map(|(&key, &nth)| (key, nth)).collect();
        for ((task, track), nth) in tracks {
            let of = task.map_or("(time)".to_string(), |task| self.trace.tasks()[task].label());
            self.thread(self.track(nth), &format!("{of} ({})", track + 1));
        }
    }

    fn stretch(&mut self, stretch: &Stretch<'_>) {
        let tid = self.track(self.tracks[&(stretch.task, stretch.track)]);
        let to = stretch.to.map_or(self.end(), |place| self.time(place));
        self.slice(tid, self.time(stretch.from), to, stretch.text, "span", &[]);
    }

    fn thread(&mut self, tid: usize, name: &str) {
        let (name, pid) = (Json(name), self.pids[tid]);
        let _ = write!(
            self.text,
            ",\n{{\"ph\":\"M\",\"pid\":{pid},\"tid\":{tid},\"name\":\"thread_name\",\"args\":{{\"name\":{name}}}}},\n\
             {{\"ph\":\"M\",\"pid\":{pid},\"tid\":{tid},\"name\":\"thread_sort_index\",\"args\":{{\"sort_index\":{tid}}}}}"
        );
    }

    fn event(&mut self, ph: &str, tid: usize, ts: u64, name: &str, cat: &str, rest: &str) {
        let (ts, name, pid) = (Micros(ts), Json(name), self.pids[tid]);
        let head = format!("\"ph\":\"{ph}\",\"pid\":{pid},\"tid\":{tid},\"ts\":{ts},\"name\":{name},\"cat\":\"{cat}\"");
        let _ = write!(self.text, ",\n{{{head},{rest}}}");
    }

    fn slice(&mut self, tid: usize, from: u64, to: u64, name: &str, cat: &str, args: &[(&str, &str)]) {
        if to > from {
            let mut rest = format!("\"dur\":{},\"args\":{{", Micros(to - from));
            for (n, (key, value)) in args.iter().enumerate() {
                let _ = write!(rest, "{}{}:{}", if n == 0 { "" } else { "," }, Json(key), Json(value));
            }
            rest.push('}');
            self.event("X", tid, from, name, cat, &rest);
        }
    }

    /// An arrow from one thread, at a time, to another.
    fn arrow(&mut self, cat: &str, from: (usize, u64), to: (usize, u64)) {
        self.flows += 1;
        let id = format!("\"id\":{}", self.flows);
        self.event("s", from.0, from.1, cat, cat, &id);
        self.event("f", to.0, to.1, cat, cat, &format!("{id},\"bp\":\"e\""));
    }

    fn time(&self, Place { row, act }: Place) -> u64 {
        // Of a recording without a row, all is at its end.
        let Some(&(start, length)) = self.times.get(row) else { return self.end() };
        start + length * act as u64 / (self.rows[row].acts.len() as u64 + 1)
    }

    fn end(&self) -> u64 {
        let last = self.times.last().map_or(0, |(start, length)| start + length);
        last.max(self.trace.end().at.as_nanos())
    }

    fn stay(&mut self, bar: &Bar<'_>) {
        let (tid, from) = (thread(bar.task), self.time(bar.from));
        let to = bar.to.map_or(self.end(), |place| self.time(place));
        match bar.stay {
            Stay::Waits(on) => {
                let made: Vec<String> =
                    on.on.iter().filter_map(|wait| wait.id.map(|(_, made)| made.to_string())).collect();
                let made = made.join(", ");
                let args = if made.is_empty() { &[][..] } else { &[("made at", made.as_str())] };
                self.slice(tid, from, to, &waits(on), "wait", args);
            }
            Stay::Unknown => self.slice(tid, from, to, "waits", "wait", &[]),
            Stay::Ready(None) => self.slice(tid, from, to, "ready", "ready", &[("since", "it was started")]),
            Stay::Ready(Some(by)) => {
                self.slice(tid, from, to, "ready", "ready", &[("woken by", &cause(self.trace, by))])
            }
        }
    }

    fn row(&mut self, n: usize, row: &Row<'_>) {
        let ((start, length), at) = (self.times[n], short(row.now.at).to_string());
        if let Some(from) = row.from {
            let free = n.checked_sub(1).map_or(from.as_nanos(), |before| self.times[before].0 + self.times[before].1);
            self.slice(CLOCK, free, start, &format!("time moves on to {at}"), "time", &[]);
        }
        let Some(poll) = row.poll else {
            self.slice(CLOCK, start, start + length, "wakes", "time", &[("at", &at)]);
            return self.acts(n, row, CLOCK);
        };
        let then = match poll.end {
            End::Waits(_) if row.wakes_itself() => "is ready again".to_string(),
            End::Waits(on) => format!("waits for {}", waits(on)),
            End::Done => "is done".to_string(),
            End::Panicked => "panics".to_string(),
            End::Cut => "not recorded".to_string(),
        };
        let args = [("at", at.as_str()), ("ready tasks", &poll.among.to_string()), ("then", &then)];
        let tid = thread(poll.of);
        self.slice(tid, start, start + length, &format!("poll {}", row.now.poll), "poll", &args);
        self.acts(n, row, tid);
    }

    /// What was done in a row, by the thread `tid`.
    fn acts(&mut self, n: usize, row: &Row<'_>, tid: usize) {
        for (act, done) in (1..).zip(&row.acts) {
            let at = self.time(Place { row: n, act });
            let (cat, says) = match *done {
                Act::Starts(task) if row.poll.is_some() => {
                    self.leads_to("start", (tid, at), n, task);
                    continue;
                }
                // Another thread has no place here from which an arrow could come.
                Act::Wakes(_, Cause::Outside) | Act::Starts(_) | Act::Opens { .. } | Act::Closes(_) => continue,
                Act::Wakes(task, _) => {
                    self.leads_to("wake", (tid, at), n, task);
                    continue;
                }
                Act::Chooses { chosen, n } => ("choice", format!("chooses {chosen} below {n}")),
                Act::Notes(text) => ("note", text.to_string()),
                Act::Faults(text) => ("fault", format!("fault: {text}")),
                Act::Moves { to } => ("time", format!("moves time to {}", short(to))),
                Act::Drops(dropped) => ("drop", dropped.to_string()),
            };
            self.event("i", tid, at, &says, cat, "\"s\":\"t\"");
        }
    }

    /// An arrow to the poll of `task` that follows a row, if there is one: into it, so that it can't be taken for one
    /// to the slice that ends there.
    fn leads_to(&mut self, cat: &str, from: (usize, u64), row: usize, task: usize) {
        let polls = &self.polls[task];
        if let Some(&next) = polls.get(polls.partition_point(|&poll| poll <= row)) {
            self.arrow(cat, from, (thread(task), self.times[next].0 + 1));
        }
    }
}
