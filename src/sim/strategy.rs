//! How schedules are looked for: the strategies, and the two oracles that need to know who is ready.

use super::oracle::{Bytes, Kind, Oracle, Random, Rng, Source};
use super::view::ReadyView;
use crate::sys::mix::mix;
use alloc::vec::Vec;
use core::cmp::Reverse;

/// How the schedules of runs are chosen.
///
/// | strategy | finds best | replay line |
/// |---|---|---|
/// | [`Random`](Self::Random) | what many orders bring about | `seed:17` |
/// | [`Walk`](Self::Walk) | what needs some tasks far ahead of others | `walk:17` |
/// | [`Pct`](Self::Pct) | what few pre-emptions at the right places bring about, in long runs too | `pct3:17` |
/// | [`Exhaustive`](Self::Exhaustive) | everything, where there is little to choose | `bytes:0001` |
/// | [`SleepSets`](Self::SleepSets) | the same, where much of that makes no difference | `bytes:0001` |
/// | [`Preemptions`](Self::Preemptions) | everything that few pre-emptions bring about | `bytes:0001` |
/// | [`Portfolio`](Self::Portfolio) | whatever one of these finds | that of the one |
///
/// # Examples
/// ```
/// use wakeful::sim::{Builder, Strategy};
///
/// let report = Builder::new().seed(17).strategy(Strategy::Pct(3)).run(|sim| async move {
///     let (a, b) = (sim.spawn("a", async { 1 }), sim.spawn("b", async { 2 }));
///     a.await + b.await
/// });
/// assert_eq!(report.unwrap().replay, "WAKEFUL_SIM=pct3:17");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Strategy {
    /// Each of the ready tasks with the same probability: [`Random`](super::Random).
    Random,
    /// A random walk that prefers tasks with many polls left: [`Walk`](super::Walk).
    Walk,
    /// Random priorities that change at few places: [`Pct`](super::Pct), of this depth.
    Pct(u8),
    /// Random, PCT of depth 2, walk, PCT of depth 3, in turns: which one, the seed says. And in turns of these four, nothing
    /// else; [wakers of their own](super::Builder::fresh_wakers) for all polls; nothing else; and both that and
    /// [polls for nothing](super::Builder::spurious).
    Portfolio,
    /// Of many runs, each makes other choices, depth first, until none are left; a single run makes all choices 0.
    ///
    /// Values of [`Sim::choose`](super::Sim::choose) are choices too. The seed stays the same. The number of runs grows
    /// fast: two tasks of five polls each have 252 schedules, three of four polls 34,650.
    /// [`Builder::runs`](super::Builder::runs) ends the search, and [`Summary::coverage`](super::Summary::coverage), which
    /// [`Builder::explore`](super::Builder::explore) gives, says whether it came to its own end.
    ///
    /// # Examples
    /// ```
    /// use wakeful::sim::{Builder, Coverage, Strategy};
    ///
    /// let search = Builder::new().strategy(Strategy::Exhaustive).runs(1_000);
    /// let summary = search.explore(|sim| async move { assert!(sim.choose(4) + 4 * sim.choose(4) < 16) }).unwrap();
    /// assert_eq!((summary.runs, summary.traces, summary.coverage), (16, 16, Coverage::Complete));
    /// ```
    Exhaustive,
    /// As [`Exhaustive`](Self::Exhaustive), but for schedules that are like others: where two polls have nothing to do with
    /// each other, one order of them is enough.
    ///
    /// What a poll touches is known as far as the kit's primitives, [`Tracked`](super::Tracked), wakes and the simulator
    /// itself say it. So it is believed of tasks only that have promised to share nothing else
    /// ([`Sim::tracked`](super::Sim::tracked)): the others are taken to have to do with each other always.
    /// Those that would repeat what is known are cut on the way, and counted apart
    /// ([`Summary::cut`](super::Summary::cut)): of a run that is cut, tasks are dropped where they are, and panics of that
    /// mean nothing.
    ///
    /// Sleep sets: P. Godefroid, "Using Partial Orders to Improve Automatic Verification Methods" (CAV 1990).
    ///
    /// # Examples
    /// ```
    /// use wakeful::sim::{Builder, Coverage, Strategy};
    ///
    /// let search = Builder::new().strategy(Strategy::SleepSets);
    /// let summary = search.explore(|sim| async move {
    ///     for _ in 0..3 {
    ///         let task = sim.clone();
    ///         sim.tracked().spawn("on its own", async move { task.yield_now().await });
    ///     }
    ///     sim.idle().await;
    /// });
    /// let summary = summary.unwrap();
    /// assert_eq!((summary.runs, summary.coverage), (1, Coverage::Tracked));
    /// ```
    SleepSets,
    /// As [`Exhaustive`](Self::Exhaustive), but only schedules with at most so many pre-emptions: first those with none, then
    /// those with one, and so on.
    ///
    /// A pre-emption is to poll another task while the one polled last is ready again, having woken itself, as one does that
    /// yields. To go on with another where a task waits costs nothing. A task that is polled 64 times in a row, having
    /// woken itself, while others are ready, is taken to spin: then another is polled, which is no pre-emption.
    ///
    /// For what is too large for all schedules: many bugs need one pre-emption or two, at the right place. Runs of
    /// earlier rounds are made again in later ones, to find the way; these are not counted.
    ///
    /// It is not to be had together with [`SleepSets`](Self::SleepSets): what sleeps in one run for having been tried in
    /// another may have been given up there for having too many pre-emptions, so both together miss schedules that each
    /// alone finds.
    ///
    /// M. Musuvathi and S. Qadeer, "Iterative Context Bounding for Systematic Testing of Multithreaded Programs" (PLDI 2007).
    ///
    /// # Examples
    /// ```
    /// use wakeful::sim::{Builder, Coverage, Strategy};
    ///
    /// let search = Builder::new().strategy(Strategy::Preemptions(1)).runs(1_000);
    /// let summary = search.explore(|sim| async move {
    ///     for _ in 0..2 {
    ///         let task = sim.clone();
    ///         sim.spawn("of three polls", async move {
    ///             task.yield_now().await;
    ///             task.yield_now().await;
    ///         });
    ///     }
    ///     sim.idle().await;
    /// });
    /// let summary = summary.unwrap();
    /// // aaabbb and bbbaaa; abbbaa, aabbba, baaabb and bbaaab.
    /// assert_eq!((summary.runs, summary.coverage), (2 + 4, Coverage::Preemptions(1)));
    /// ```
    Preemptions(u32),
}

impl Strategy {
    /// The one that a run of `seed` uses.
    pub(super) fn of(self, seed: u64) -> Self {
        match (self, seed % 4) {
            (Self::Portfolio, 0) => Self::Random,
            (Self::Portfolio, 1) => Self::Pct(2),
            (Self::Portfolio, 2) => Self::Walk,
            (Self::Portfolio, _) => Self::Pct(3),
            (one, _) => one,
        }
    }

    pub(super) fn source(self, seed: u64, horizon: Option<u64>) -> Source {
        match self.of(seed) {
            Self::Walk => Source::Walk(Walk::new(seed)),
            Self::Pct(depth) => {
                let oracle = Pct::new(seed, depth);
                Source::Pct(match horizon {
                    Some(choices) => oracle.over(choices),
                    None => oracle,
                })
            }
            Self::Exhaustive | Self::SleepSets | Self::Preemptions(_) => Source::Bytes(Bytes::new([])),
            Self::Random | Self::Portfolio => Source::Random(Random::new(seed)),
        }
    }
}

/// A random walk over schedules: a ready task is chosen with a probability in proportion to the polls that it is thought
/// to have left.
///
/// If the estimates are true and tasks do not wait for each other, all schedules are equally likely; choosing among the
/// ready tasks alike, as [`Random`](super::Random) does, makes those rare in which one task is far ahead. How many polls a
/// task will take is not known: unless [`expecting`](Self::expecting) says it, a power of two up to 128 is drawn for each
/// task. A task that takes more than that counts as if it had one left.
#[derive(Clone, Debug)]
pub struct Walk {
    rng: Rng,
    seed: u64,
    polls: Option<u32>,
}

impl Walk {
    /// The oracle of `seed`.
    pub const fn new(seed: u64) -> Self {
        let seed = mix(seed ^ 0x0077_616c_6b20_6f6e);
        Self { rng: Rng::new(seed), seed, polls: None }
    }

    /// Expects that each task takes so many polls.
    pub const fn expecting(mut self, polls: u32) -> Self {
        self.polls = Some(polls);
        self
    }
}

impl Oracle for Walk {
    fn choose(&mut self, _: Kind, n: usize) -> usize {
        self.rng.below(n)
    }

    fn choose_task(&mut self, ready: &ReadyView<'_>) -> usize {
        let Self { seed, polls, .. } = *self;
        let weights = || {
            ready.tasks().map(move |task| {
                let expected = polls.unwrap_or_else(|| 1 << (mix(task.key ^ seed) % 8));
                expected.saturating_sub(task.polls).max(1) as usize
            })
        };
        let mut left = self.rng.below(weights().sum());
        let chosen = weights().position(|weight| match left.checked_sub(weight) {
            Some(rest) => {
                left = rest;
                false
            }
            None => true,
        });
        chosen.unwrap_or(0)
    }
}

/// Probabilistic concurrency testing: each task has a random priority, the ready one with the highest is polled, and at
/// depth − 1 random places the one that would be polled falls below all others.
///
/// A bug has depth d if it comes about as soon as d pairs of events happen in the right order. In a program of n tasks and
/// k choices, each run of depth d finds such a bug with a probability of at least 1/(n·kᵈ⁻¹), if the changes are spread
/// [`over`](Self::over) k.
///
/// Only polls that were chosen among two or more ready tasks are counted. A task that wakes itself, as one does that
/// yields or spins, falls below all others: else one that waits in this way for another would keep that from going on.
/// Tasks that wake each other for ever may starve others too: so a run that is [`PATIENCE`](Self::PATIENCE) times as long
/// as expected is continued at random. Where tasks wake themselves or the run is that long, the bound does not hold.
///
/// Each choice looks at all ready tasks.
///
/// S. Burckhardt, P. Kothari, M. Musuvathi and S. Nagarakatte, "A Randomized Scheduler with Probabilistic Guarantees of
/// Finding Bugs" (ASPLOS 2010).
#[derive(Clone, Debug)]
pub struct Pct {
    rng: Rng,
    seed: u64,
    depth: u8,
    horizon: Option<u64>,
    /// At which choices the one with the highest priority falls, and how low; the next one last.
    changes: Vec<(u64, u8)>,
    asked: u64,
    /// Who fell, by key. The others have the priority (1, some hash of the key).
    fallen: Vec<(u64, (i64, u64))>,
    lowest: i64,
}

impl Pct {
    /// Over how many choices the places are spread unless [`over`](Self::over) says it.
    pub const HORIZON: u64 = 128;

    /// A run that goes on for so many times more choices is continued at random.
    pub const PATIENCE: u64 = 16;

    /// The oracle of `seed` with `depth` − 1 changes; a depth of 0 is one of 1.
    pub fn new(seed: u64, depth: u8) -> Self {
        let seed = mix(seed ^ 0x7063_7420_7063_7420);
        let (rng, changes, fallen) = (Rng::new(seed), Vec::new(), Vec::new());
        Self { rng, seed, depth, horizon: None, changes, asked: 0, fallen, lowest: 0 }.spread()
    }

    /// Spreads the changes over the first `choices` choices among tasks, at least one.
    pub fn over(mut self, choices: u64) -> Self {
        self.horizon = Some(choices);
        self.spread()
    }

    fn spread(mut self) -> Self {
        self.rng = Rng::new(self.seed);
        let choices = self.changes_until();
        self.changes = (1..self.depth).map(|low| (1 + self.rng.below(choices as usize) as u64, low)).collect();
        self.changes.sort_unstable_by_key(|&change| Reverse(change));
        self
    }

    fn changes_until(&self) -> u64 {
        self.horizon.unwrap_or(Self::HORIZON).max(1)
    }

    pub(super) fn depth(&self) -> u8 {
        self.depth
    }

    pub(super) fn horizon(&self) -> Option<u64> {
        self.horizon
    }

    /// Where it stands, or would, among those who fell.
    fn place_of(&self, key: u64) -> Result<usize, usize> {
        self.fallen.binary_search_by_key(&key, |&(key, _)| key)
    }

    fn fall(&mut self, key: u64, low: (i64, u64)) {
        match self.place_of(key) {
            Ok(at) => self.fallen[at].1 = low,
            Err(at) => self.fallen.insert(at, (key, low)),
        }
    }

    /// The one with the highest priority: its number and its key.
    fn highest(&self, ready: &ReadyView<'_>) -> (usize, u64) {
        let priority = |key: u64| match self.place_of(key) {
            Ok(at) => self.fallen[at].1,
            Err(_) => (1, mix(key ^ self.seed)),
        };
        let keys = ready.tasks().map(|task| task.key).enumerate();
        keys.max_by_key(|&(_, key)| priority(key)).unwrap_or((0, 0))
    }
}

impl Oracle for Pct {
    fn choose(&mut self, _: Kind, n: usize) -> usize {
        self.rng.below(n)
    }

    fn choose_task(&mut self, ready: &ReadyView<'_>) -> usize {
        self.asked += 1;
        if self.asked > self.changes_until().saturating_mul(Self::PATIENCE) {
            return self.rng.below(ready.count());
        }
        if let Some(spinner) = ready.who_woke_itself() {
            self.lowest -= 1;
            self.fall(spinner, (self.lowest, 0));
        }
        while let Some(&(_, low)) = self.changes.last().filter(|change| change.0 == self.asked) {
            self.changes.pop();
            let (_, key) = self.highest(ready);
            self.fall(key, (0, low.into()));
        }
        self.highest(ready).0
    }
}
