//! The requests and replies of stores.

use crate::docket::Strike;
use crate::time::Instant;
use alloc::string::String;
use alloc::vec::Vec;
use core::error::Error;
use core::fmt;
use core::num::NonZeroU32;
use core::time::Duration;
use serde_json::Value;

/// Which of the rows that a key had: greater is newer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Generation(pub u64);

impl Generation {
    /// The key that a store makes up for a row of this task that has none.
    pub fn key_of(self, name: &str) -> String {
        // With room at once: it is made for most tasks that are added.
        let mut key = String::with_capacity(name.len() + 8);
        key.push_str(name);
        key.push('#');
        push(&mut key, self.0);
        key
    }
}

/// Writes a number behind a text.
pub(in crate::docket) fn push(text: &mut String, number: u64) {
    let (mut digits, mut at, mut rest) = ([0; 20], 20, number);
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    text.push_str(core::str::from_utf8(&digits[at..]).expect("digits are text"));
}

/// Which claim of a row: what a run shows when it prolongs its lease or ends.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Fence(pub u64);

/// Which strike.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct StrikeId(pub u64);

/// An instant, in words that need no common clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum When {
    /// At once.
    Now,
    /// After this time by the store's clock.
    In(Duration),
    /// At this Unix time, by the store's [`Wall`](crate::time::Wall) clock. It is looked at once, when the row is added.
    At(Duration),
}

/// How many may go through a gate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rule {
    /// So many at once.
    AtMost(NonZeroU32),
    /// So many at once, and then one each `every / burst`: any `every` sees no more than twice the burst, an idle gate lets in
    /// the burst. A burst of one is a cooldown. Only runs that begin count, not those that wait. It is the generic cell rate
    /// algorithm, as in [`Gcra`](crate::limit::Gcra).
    Rate {
        /// How many at once, after a pause.
        burst: NonZeroU32,
        /// In which time that many come anew.
        every: Duration,
    },
}

/// What becomes of a row that is due and can't go through a gate.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Excess {
    /// It waits for its turn.
    #[default]
    Wait,
    /// It ends as [`Ending::Dropped`].
    Drop,
}

/// A limit that a row is under. Rows that name the same gate share its places.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Gate {
    /// Whose places they are: the limit's scope, and the value that it is for.
    pub name: String,
    /// How many.
    pub rule: Rule,
    /// What becomes of the others.
    pub excess: Excess,
}

/// What a put does if its key has a row that is queued or running.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Existing {
    /// Leaves it as it is.
    #[default]
    Keep,
    /// Takes the place of what is queued; follows what runs, in place of what was to follow.
    Replace,
    /// As `Replace`, if the newest row is of this generation.
    ReplaceIf(Generation),
    /// Leaves what is queued; follows what runs, unless something follows already.
    Follow,
}

/// Puts off what is queued with each put of the same key, until they have settled: debouncing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settle {
    /// For how long there must be no other put.
    pub quiet: Duration,
    /// After which time it is due anyway, counted from the first put.
    pub at_most: Duration,
}

/// What is put.
#[derive(Clone, PartialEq, Debug)]
pub struct Entry {
    /// The task's name.
    pub name: String,
    /// What it is known by: one row at a time. Empty: the store makes one up, of the name, `#` and the generation.
    pub key: String,
    /// The task's fields.
    pub args: Value,
    /// When it is due. With [`settle`](Self::settle) that decides.
    pub due: When,
    /// Greater goes first, among those that are due.
    pub priority: i32,
    /// The limits that it is under, all of which must let it in at once.
    pub gates: Vec<Gate>,
    /// How often it is claimed at most, if runs are lost: by crashes, not by errors.
    pub deliveries: NonZeroU32,
    /// How long its end is remembered.
    pub keep: Duration,
    /// What happens if the key has a row.
    pub existing: Existing,
    /// Whether puts are put off until they have settled.
    pub settle: Option<Settle>,
}

impl Entry {
    /// Due at once, under no limits, claimed once at most, its end not kept, and left alone if the key has a row.
    pub fn new(name: impl Into<String>, key: impl Into<String>, args: Value) -> Self {
        Self {
            name: name.into(),
            key: key.into(),
            args,
            due: When::Now,
            priority: 0,
            gates: Vec::new(),
            deliveries: NonZeroU32::MIN,
            keep: Duration::ZERO,
            existing: Existing::Keep,
            settle: None,
        }
    }
}

impl Entry {
    /// The Unix time that it is put for, if it is one.
    pub(super) fn planned(&self) -> Option<Duration> {
        match self.due {
            When::At(unix) if self.settle.is_none() => Some(unix),
            _ => None,
        }
    }
}

/// What became of a put.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Put {
    /// It is queued.
    Added(Generation),
    /// It took the place of what was queued.
    Replaced(Generation),
    /// It comes after what runs.
    Following(Generation),
    /// There was one, and nothing was changed.
    Exists {
        /// Of what is there.
        generation: Generation,
        /// Whether that runs.
        running: bool,
    },
    /// It was to take the place of a row, and nothing is queued or running under the key.
    Gone,
    /// It is struck.
    Struck(StrikeId),
}

/// What a cancel met.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cancelled {
    /// It was queued, and is ended.
    Queued(Generation),
    /// It runs, and is told.
    Running(Generation),
    /// Neither queued nor running.
    Unknown,
}

/// Who asks for work.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Claim {
    /// Who.
    pub worker: String,
    /// Which tasks it knows.
    pub names: Vec<String>,
    /// How many it takes at most.
    pub most: usize,
    /// For how long, if it doesn't renew.
    pub lease: Duration,
}

/// A row that was claimed.
#[derive(Clone, PartialEq, Debug)]
pub struct Claimed {
    /// Its key.
    pub key: String,
    /// Which row of the key.
    pub generation: Generation,
    /// What to show when it ends.
    pub fence: Fence,
    /// The task's name.
    pub name: String,
    /// The task's fields.
    pub args: Value,
    /// Which attempt this is, from 1: one more with each error that was retried.
    pub attempt: u32,
    /// How often it was claimed since the last error, from 1.
    pub delivery: u32,
    /// How long ago it was due.
    pub late: Duration,
    /// How long ago it was first due: before all retries.
    pub age: Duration,
    /// The Unix time that it was put or moved to, if it was one: what the wall clock has done since changes nothing in it.
    pub planned: Option<Duration>,
}

/// What a claim took, and when there may be more.
#[derive(Clone, PartialEq, Debug)]
pub struct Claims {
    /// What was taken, in order.
    pub taken: Vec<Claimed>,
    /// After which time another claim may find more though nothing is changed until then.
    pub again: Duration,
    /// The number of [`Topic::Work`] as of this claim, to wait for the next one.
    pub seen: u64,
}

/// A worker's word that its runs go on.
#[derive(Clone, PartialEq, Debug)]
pub struct Renewal {
    /// For how long from now.
    pub lease: Duration,
    /// Which runs, and how far each is, if that is to be written down.
    pub runs: Vec<(String, Fence, Option<Value>)>,
}

/// How a run stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Renewed {
    /// It goes on.
    Held,
    /// It is to end, within this time from now.
    Cancelled(Duration),
    /// It is no longer this run's.
    Lost,
}

/// How a run ends.
#[derive(Clone, PartialEq, Debug)]
pub enum Close {
    /// For good. What comes next under the key, if nothing follows by then and nobody has cancelled it.
    End(Ending, Option<Entry>),
    /// It is to be tried again, after this time; with the error, in case somebody looks. A run that was cancelled meanwhile
    /// ends as [`Ending::Cancelled`].
    Retry(Duration, String),
    /// It did not begin, and goes back to the queue as if it had not been claimed.
    Back,
}

/// What became of a finish.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Finished {
    /// It is done; with what is queued under the key now.
    Done(Option<Generation>),
    /// The row was no longer this run's, and nothing was changed.
    Lost,
}

/// How a row ended.
#[derive(Clone, PartialEq, Debug)]
pub enum Ending {
    /// Well, with its output.
    Done(Value),
    /// With an error that was not retried any more.
    Failed(String),
    /// With a panic.
    Panicked(String),
    /// Its time was over.
    TimedOut,
    /// Somebody cancelled it.
    Cancelled,
    /// Another took its place before it ran.
    Replaced(Generation),
    /// It was struck before it ran.
    Struck(StrikeId),
    /// This gate was closed, and it was not to wait.
    Dropped(String),
    /// So many runs were lost that it is not tried again.
    Dead(u32),
}

impl Ending {
    /// In a word.
    pub(in crate::docket) fn word(&self) -> &'static str {
        match self {
            Self::Done(_) => "done",
            Self::Failed(_) => "failed",
            Self::Panicked(_) => "panicked",
            Self::TimedOut => "timed out",
            Self::Cancelled => "cancelled",
            Self::Replaced(_) => "replaced",
            Self::Struck(_) => "struck",
            Self::Dropped(_) => "dropped",
            Self::Dead(_) => "dead",
        }
    }

    /// With which error or panic.
    pub(in crate::docket) fn why(&self) -> Option<&str> {
        match self {
            Self::Failed(why) | Self::Panicked(why) => Some(why),
            _ => None,
        }
    }
}

/// Where a row is.
#[derive(Clone, PartialEq, Debug)]
pub enum State {
    /// Not due yet.
    Future,
    /// Due.
    Queued,
    /// Due, and not let in by its gates.
    Waiting,
    /// Claimed.
    Running {
        /// By whom.
        worker: String,
        /// Its fence.
        fence: Fence,
        /// Until when, if the worker doesn't renew.
        until: Instant,
        /// Whether it is to end.
        cancelled: bool,
    },
    /// It comes after what runs under the key.
    Following,
    /// Over.
    Ended(Ending),
}

/// A row, as somebody sees it who looks on.
#[derive(Clone, PartialEq, Debug)]
pub struct Row {
    /// Its key.
    pub key: String,
    /// Which of the key.
    pub generation: Generation,
    /// The task's name.
    pub name: String,
    /// The task's fields.
    pub args: Value,
    /// When it is due, or was.
    pub due: Instant,
    /// Its priority.
    pub priority: i32,
    /// How many attempts have begun.
    pub attempts: u32,
    /// The error of the last attempt, if that is retried.
    pub last_error: Option<String>,
    /// How far it is, if it says so.
    pub progress: Option<Value>,
    /// Where it is.
    pub state: State,
}

/// How a gate is used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GateUse {
    /// Which.
    pub name: String,
    /// How many hold it: of a rate, how many run.
    pub held: u32,
    /// How many wait for it.
    pub waiting: usize,
}

/// All that is in a store.
#[derive(Clone, PartialEq, Debug)]
pub struct Snapshot {
    /// The store's time.
    pub now: Instant,
    /// The rows, in the order of adding.
    pub rows: Vec<Row>,
    /// The gates that are held or waited for, by name.
    pub gates: Vec<GateUse>,
    /// The strikes, in the order of adding.
    pub strikes: Vec<(StrikeId, Strike)>,
}

/// What may change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Topic {
    /// A claim may find more than before, or all tasks of a name have ended.
    Work,
    /// A run is to end.
    Orders,
    /// This row has ended.
    End(Generation),
}

/// A store could not do it.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no wall clock, and the entry is due at a date.
    NoWall,
    /// An entry has two gates of this name.
    SameGate(String),
    /// What keeps the rows failed.
    Failed(String),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoWall => f.write_str("due at a date, and the store has no wall clock"),
            Self::SameGate(gate) => write!(f, "two gates are named `{gate}`"),
            Self::Failed(why) => write!(f, "the store failed: {why}"),
        }
    }
}

impl Error for StoreError {}
