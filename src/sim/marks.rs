//! How often the places in code were reached that are marked, and whether what was to happen ever did.

use super::report::{Failure, FailureKind};
use crate::time::Instant;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::panic::Location;

/// The kinds of marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum MarkKind {
    /// [`always!`](crate::always)
    Always,
    /// [`sometimes!`](crate::sometimes)
    Sometimes,
    /// [`reachable!`](crate::reachable)
    Reachable,
    /// [`buggify!`](crate::buggify)
    Buggify,
}

impl fmt::Display for MarkKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Always => "always",
            Self::Sometimes => "sometimes",
            Self::Reachable => "reachable",
            Self::Buggify => "buggify",
        })
    }
}

/// A marked place in the code, and how often runs came by.
///
/// # Examples
/// ```
/// use wakeful::sim::Builder;
///
/// let summary = Builder::new().runs(10).explore(async |_| wakeful::reachable!("the end")).unwrap();
/// let [mark] = &summary.marks[..] else { panic!() };
/// assert_eq!((mark.text, mark.reached, mark.hit), ("the end", 10, 10));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mark {
    /// Which macro it is.
    pub kind: MarkKind,
    /// Its text, or for want of one its condition.
    pub text: &'static str,
    /// Where it stands.
    pub place: &'static Location<'static>,
    /// How often it was reached.
    pub reached: u64,
    /// How often its condition was true, or the fault came.
    pub hit: u64,
}

impl Mark {
    /// Whether a test answers for it: its file's path is relative, as cargo has it for the files of a workspace.
    fn is_at_home(&self) -> bool {
        let file = self.place.file();
        !file.starts_with(['/', '\\']) && !file.contains(":\\") && !file.contains(":/")
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, text, place, reached, hit } = self;
        write!(f, "{kind} at {place}: {hit} of {reached} times")?;
        if text.is_empty() { Ok(()) } else { write!(f, ": {text}") }
    }
}

/// Marks by place.
#[derive(Debug, Default)]
pub(super) struct Marks(BTreeMap<Key, Mark>);

/// One line may hold several marks, and one place several texts where a macro wraps the macro.
type Key = (&'static Location<'static>, &'static str);

impl Marks {
    pub(super) const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Notes that a mark was reached.
    pub(super) fn count(&mut self, kind: MarkKind, place: &'static Location<'static>, text: &'static str, hit: bool) {
        self.add(&Mark { kind, text, place, reached: 1, hit: hit.into() });
    }

    /// Adds what is known of a mark.
    pub(super) fn add(&mut self, mark: &Mark) {
        let known = self.0.entry((mark.place, mark.text)).or_insert(Mark { reached: 0, hit: 0, ..*mark });
        known.reached += mark.reached;
        known.hit += mark.hit;
    }

    /// All of them, in the order of their places.
    pub(super) fn list(self) -> Vec<Mark> {
        self.0.into_values().collect()
    }

    /// The first [`sometimes!`](crate::sometimes) that never was, or the first of `wanted` that was not hit.
    pub(super) fn judge(&self, runs: u32, wanted: &[&str]) -> Result<(), Failure> {
        let mut marks = self.0.values();
        if let Some(Mark { text, place, reached, .. }) =
            marks.find(|mark| mark.kind == MarkKind::Sometimes && mark.hit == 0 && mark.is_at_home())
        {
            let said = format!("`{text}` at {place}, evaluated {reached} times and never true");
            return Err(never(runs, said, Some(place)));
        }
        for wanted in wanted {
            let mut seen = self.0.values().filter(|mark| mark.text == *wanted).peekable();
            let first = seen.peek().copied();
            if seen.any(|mark| mark.hit > 0) {
                continue;
            }
            let said = match first {
                Some(Mark { place, reached, .. }) => format!("`{wanted}` at {place}, reached {reached} times"),
                None => format!("`{wanted}`, the text of no mark that was reached"),
            };
            return Err(never(runs, said, first.map(|mark| mark.place)));
        }
        Ok(())
    }
}

fn never(runs: u32, said: String, place: Option<&'static Location<'static>>) -> Failure {
    let more = format!("WAKEFUL_SIM_RUNS={}", u64::from(runs).saturating_mul(10));
    let message = if runs == 1 { format!("in 1 run: {said}") } else { format!("in {runs} runs: {said}") };
    Failure::new(FailureKind::NeverHit, message, Instant::EPOCH, Vec::new()).with_place(place).with_replay(more)
}
