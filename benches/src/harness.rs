//! How a row is measured and printed.
//!
//! A contender is a function that does one round of the workload and returns the round's figure. The rounds of all
//! contenders are interleaved, a different one first each time, so that a slow spell of the machine falls on all
//! alike; the first round of each only warms up. The figure of a contender is the median of its rounds.
//!
//! Costs of one thread are CPU time of the whole process, which leaves out other programs and counts what a contender
//! does on helper threads. Costs of several threads, and lateness, are wall time.
//!
//! The allocator keeps what it is given back. If it did not, what a round frees at the top of the heap would go to the system, and
//! come back page by page in the next one: a row would then measure what lies behind it by chance. And before each round it
//! merges the small pieces that it was given back, which it puts off until something large is asked for: who asks for one
//! large piece would else pay for the ten thousand small ones of the contender before.
//!
//! Each round runs at another place of the stack. Where it lies beside what else is read, a clock's page above all, modulo a page,
//! costs some contenders a third more at some places and others at others; a process that stayed at one place would show
//! that in place of the work.

use std::hint::black_box;
use std::time::Instant;

/// What a row's figure is held against.
#[derive(Clone, Copy)]
pub enum Target {
    /// Ours divided by the best rival's.
    Ratio(f64),
    /// Ours alone, in the row's unit.
    AtMost(f64),
    /// Ours alone, in the row's unit, where more is better.
    AtLeast(f64),
    /// Ours alone, in per cent, where the nearer to 100 the better.
    Between(f64, f64),
}

/// A name, and the function that does one round of the workload.
pub type Contender<'a> = (&'a str, fn() -> f64);

/// One workload and those who do it.
pub struct Row<'a> {
    pub name: &'a str,
    /// The unit of the figures.
    pub unit: &'a str,
    pub rounds: usize,
    pub target: Target,
    pub ours: fn() -> f64,
    pub rivals: &'a [Contender<'a>],
}

/// The rows asked for, and how they came out.
pub struct Bench {
    filters: Vec<String>,
    ok: usize,
    short: Vec<String>,
}

impl Bench {
    /// Takes the texts that a row's name must hold, one of them, from the command line; without any, every row runs.
    pub fn from_arguments() -> Self {
        let filters = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
        keep_heap();
        Self { filters, ok: 0, short: Vec::new() }
    }

    /// Prints the versions of `rivals` that this binary was built with.
    pub fn print_versions(&self, rivals: &[&str]) {
        let versions: Vec<String> = rivals.iter().map(|name| format!("{name} {}", version(name))).collect();
        println!("rivals: {}", versions.join(", "));
    }

    /// Measures `row` and prints its lines, if it was asked for.
    pub fn row(&mut self, row: &Row<'_>) {
        self.row_beside(row, &[]);
    }

    /// As [`row`](Self::row), with some that are shown but not compared with, since they starve somebody, lose something, break
    /// their bound, or do less than is asked for.
    pub fn row_beside(&mut self, row: &Row<'_>, aside: &[Contender<'_>]) {
        if !self.filters.is_empty() && !self.filters.iter().any(|filter| row.name.contains(filter)) {
            return;
        }
        let contenders: Vec<Contender<'_>> = [&[("ours", row.ours)], row.rivals, aside].concat();
        let mut rounds = vec![Vec::with_capacity(row.rounds); contenders.len()];
        for (_, warm_up) in &contenders {
            warm_up();
        }
        for round in 0..row.rounds {
            for turn in 0..contenders.len() {
                let contender = (round + turn) % contenders.len();
                tidy_heap();
                let figure = at_depth(round * STEP % PAGE, contenders[contender].1);
                rounds[contender].push(figure);
            }
        }
        for figures in &mut rounds {
            figures.sort_by(f64::total_cmp);
        }
        let median = |contender: usize| quantile(&rounds[contender], 0.5);
        let ours = median(0);
        let worth = |contender: &usize| match row.target {
            Target::AtLeast(_) => -median(*contender),
            Target::Between(..) => (median(*contender) - 100.0).abs(),
            _ => median(*contender),
        };
        let best = (1..=row.rivals.len()).min_by(|a, b| worth(a).total_cmp(&worth(b))).expect("a rival");
        // Where both do without.
        let ratio = if ours == median(best) { 1.0 } else { ours / median(best) };
        let (target, reached) = match row.target {
            Target::Ratio(limit) => (format!("{limit:.2}"), (ratio * 100.0).round() <= (limit * 100.0).round()),
            Target::AtMost(limit) => (format!("{limit}{}", row.unit), ours <= limit),
            Target::AtLeast(limit) => (format!("{limit}{}", row.unit), ours >= limit),
            Target::Between(low, high) => (format!("{low}–{high}{}", row.unit), (low..=high).contains(&ours)),
        };
        println!(
            "RATIO {} ours={ours:.1} best={}:{:.1} ratio={ratio:.2} target={target} {}",
            row.name,
            contenders[best].0,
            median(best),
            if reached { "ok" } else { "short" },
        );
        let details: Vec<String> = contenders
            .iter()
            .zip(&rounds)
            .map(|((name, _), figures)| {
                let [low, mid, high] = [0.25, 0.5, 0.75].map(|part| quantile(figures, part));
                let note = if aside.iter().any(|(aside, _)| aside == name) { ", not compared" } else { "" };
                format!("{name} {mid:.1} ({low:.1}–{high:.1}{note})")
            })
            .collect();
        println!("      {}, {} rounds: {}", row.unit, row.rounds, details.join(", "));
        if reached {
            self.ok += 1;
        } else {
            self.short.push(row.name.to_owned());
        }
    }

    /// Prints how many rows reached their targets, and names the others.
    pub fn print_summary(&self) {
        println!(
            "{} ok, {} short{}",
            self.ok,
            self.short.len(),
            match self.short.as_slice() {
                [] => String::new(),
                names => format!(": {}", names.join(", ")),
            }
        );
    }
}

/// The version of the package `name` in this package's lock file; the newest, where others bring older ones.
fn version(name: &str) -> &'static str {
    let lock = include_str!("../Cargo.lock");
    let entry = lock.rsplit("[[package]]").find(|entry| entry.contains(&format!("name = \"{name}\"\n")));
    let version = entry.and_then(|entry| entry.split("version = \"").nth(1)?.split('"').next());
    version.expect("a locked rival")
}

/// The value below which `part` of the sorted `figures` lie.
pub fn quantile(figures: &[f64], part: f64) -> f64 {
    figures[((figures.len() - 1) as f64 * part).round() as usize]
}

/// CPU nanoseconds of the process that `work` takes, divided by `operations`.
pub fn cpu_ns(operations: usize, work: impl FnOnce()) -> f64 {
    let start = process_cpu_ns();
    work();
    (process_cpu_ns() - start) as f64 / operations as f64
}

/// Wall nanoseconds that `work` takes, divided by `operations`.
pub fn wall_ns(operations: usize, work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_nanos() as f64 / operations as f64
}

fn process_cpu_ns() -> i64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is valid for a write of one `timespec`.
    let status = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    assert_eq!(status, 0, "the process has a CPU clock");
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

/// What lies this far apart is told apart by its address modulo a page alone.
const PAGE: usize = 4096;

/// How far below the last one a round runs: all rounds of a row are spread over a page.
const STEP: usize = 272;

/// Calls `work` at about `bytes` below the present end of the stack.
#[inline(never)]
fn at_depth(bytes: usize, work: fn() -> f64) -> f64 {
    const FRAME: usize = 64;
    let frame = black_box([0_u8; FRAME]);
    let figure = if bytes < FRAME { work() } else { at_depth(bytes - FRAME, work) };
    black_box(frame);
    figure
}

/// Has the allocator merge small pieces, as it does when a large one is asked for.
fn tidy_heap() {
    drop(black_box(Vec::<u8>::with_capacity(64 << 10)));
}

/// Has the allocator keep what it is given back, but for what is larger than any round needs.
fn keep_heap() {
    for (what, bytes) in [(libc::M_TRIM_THRESHOLD, 1 << 30), (libc::M_MMAP_THRESHOLD, 32 << 20)] {
        // SAFETY: `mallopt` takes numbers, and only sets the allocator's parameters.
        assert_eq!(unsafe { libc::mallopt(what, bytes) }, 1, "the allocator has this parameter");
    }
}

/// Bytes of the heap in use, the allocator's own headers included, and those that it has mapped for one allocation each.
pub fn heap_bytes() -> usize {
    // SAFETY: `mallinfo2` takes no argument and only reads the allocator's counters.
    let info = unsafe { libc::mallinfo2() };
    info.uordblks + info.hblkhd
}
