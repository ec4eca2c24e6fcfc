//! Many tasks at once, spread over a while.

use super::{AddError, Docket, Handle, Task};
use crate::sys::mix;
use crate::time::nanos;
use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::error::Error;
use core::fmt;
use core::time::Duration;
use serde::Serialize;
use serde_json::Value;

/// Tasks to be added together, spread evenly over a window. It may be used again.
///
/// # Examples
/// ```
/// use core::time::Duration;
/// use wakeful::docket::{Agenda, Cx, Docket, Policy, Registry, Scatter};
///
/// wakeful::sim::run(|sim| async move {
///     let run = async |n: u32, _: Cx| Ok::<_, String>(n);
///     let docket = Docket::new(&sim.time(), Registry::new().closure("n", Policy::new(), run).unwrap());
///     let mut agenda = Agenda::new();
///     for n in 0..3u32 {
///         agenda.raw("n", n).unwrap();
///     }
///     let minute = Duration::from_secs(60);
///     let handles = agenda.scatter(&docket, Scatter::over(minute)).await.unwrap();
///     let mut due = Vec::new();
///     for handle in &handles {
///         due.push(handle.row().await.unwrap().unwrap().due - sim.now());
///     }
///     assert_eq!(due, [Duration::ZERO, minute / 2, minute]);
/// });
/// ```
#[derive(Clone, Debug, Default)]
pub struct Agenda {
    tasks: Vec<(String, Value)>,
}

impl Agenda {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a task up, behind the others.
    ///
    /// # Errors
    /// If its fields can't be written down.
    pub fn task<T: Task>(&mut self, task: &T) -> Result<&mut Self, AddError> {
        self.raw(T::NAME, task)
    }

    /// The same by name.
    ///
    /// # Errors
    /// If the fields can't be written down.
    pub fn raw(&mut self, name: &str, args: impl Serialize) -> Result<&mut Self, AddError> {
        let why = |error: serde_json::Error| AddError::Args { name: name.to_owned(), why: error.to_string() };
        self.tasks.push((name.to_owned(), serde_json::to_value(args).map_err(why)?));
        Ok(self)
    }

    /// How many tasks it has.
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Forgets them all. What was added stays added.
    pub fn clear(&mut self) {
        self.tasks.clear();
    }

    /// Adds them all, each under a key of its own, and gives their handles in order.
    ///
    /// # Cancel safety
    /// The first ones may be added, and the others not.
    ///
    /// # Errors
    /// A task that the docket doesn't know, or that can't have such fields, is found before anything is added. If the store
    /// fails half-way, or a task is struck, the error has the handles of those that were added.
    pub async fn scatter(&self, docket: &Docket, scatter: Scatter) -> Result<Vec<Handle<Value>>, ScatterError> {
        let refuse = |at: usize, error: AddError| ScatterError { at, error, added: Vec::new() };
        let build =
            |(at, (name, args)): (usize, &(String, Value))| docket.raw(name, args).map_err(|error| refuse(at, error));
        let adds = self.tasks.iter().enumerate().map(build).collect::<Result<Vec<_>, _>>()?;
        let mut added = Vec::with_capacity(adds.len());
        for ((at, add), due) in adds.into_iter().enumerate().zip(scatter.dues(self.len())) {
            match add.after(due).send().await {
                Ok(one) => added.push(one.handle),
                Err(error) => return Err(ScatterError { at, error, added }),
            }
        }
        Ok(added)
    }
}

/// Over which window tasks are spread.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Scatter {
    start: Duration,
    over: Duration,
    jitter: Duration,
    seed: u64,
}

impl Scatter {
    /// Evenly from now to the end of this time: the first now, the last at the end; a single one in the middle.
    pub const fn over(over: Duration) -> Self {
        Self { start: Duration::ZERO, over, jitter: Duration::ZERO, seed: 0 }
    }

    /// Begins so long from now.
    pub const fn start(self, start: Duration) -> Self {
        Self { start, ..self }
    }

    /// Moves each at random by up to this time, earlier or later: none before the start, and none past another.
    pub const fn jitter(self, jitter: Duration) -> Self {
        Self { jitter, ..self }
    }

    /// Decides what is random.
    pub const fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// When each of so many is due, from now.
    ///
    /// # Examples
    /// ```
    /// use core::time::Duration;
    /// use wakeful::docket::Scatter;
    ///
    /// let secs = Duration::from_secs;
    /// let scatter = Scatter::over(secs(60)).start(secs(10));
    /// assert!(scatter.dues(4).eq([10, 30, 50, 70].map(secs)));
    /// assert!(scatter.dues(1).eq([secs(40)]), "in the middle");
    /// let jittered: Vec<_> = scatter.jitter(secs(15)).seed(7).dues(4).collect();
    /// assert!(jittered.is_sorted() && jittered[0] >= secs(10));
    /// assert!(jittered.iter().zip(scatter.dues(4)).all(|(a, b)| a.abs_diff(b) <= secs(15)));
    /// ```
    pub fn dues(self, tasks: usize) -> impl Iterator<Item = Duration> {
        // More than half of the range of time moves everything to an end of it.
        let (over, jitter) = (nanos(self.over), nanos(self.jitter).min(u64::MAX / 2));
        let mut random = self.seed;
        let mut last = 0;
        (0..tasks as u64).map(move |n| {
            let even = match tasks as u64 - 1 {
                0 => over / 2,
                gaps => (u128::from(over) * u128::from(n) / u128::from(gaps)) as u64,
            };
            // From 0 to twice the jitter, each as likely.
            let moved = (u128::from(mix::next(&mut random)) * (2 * u128::from(jitter) + 1)) >> 64;
            let jittered = (u128::from(even) + moved).saturating_sub(u128::from(jitter));
            last = last.max(u64::try_from(jittered).unwrap_or(u64::MAX));
            self.start.saturating_add(Duration::from_nanos(last))
        })
    }
}

/// Not all tasks of an agenda were added.
#[derive(Clone, Debug)]
pub struct ScatterError {
    /// Which one was not, counted from zero; those after it were not tried.
    pub at: usize,
    /// Why.
    pub error: AddError,
    /// Those before it, which were.
    pub added: Vec<Handle<Value>>,
}

impl fmt::Display for ScatterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task {} of the agenda was not added: {}", self.at, self.error)
    }
}

impl Error for ScatterError {}
