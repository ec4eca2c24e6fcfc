//! Who decides: one method, and the oracles of every day.

use super::points::Tracer;
use super::replay;
use super::search::AnySearch;
use super::strategy::{Pct, Strategy, Walk};
use super::twist::{Chance, Twists};
use super::view::{ReadyView, WaitingView};
use crate::sys::{Arc, mix};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// What a choice decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// Which of the ready tasks is polled next.
    ///
    /// They are counted in the order of their spawn paths (children in the order in which they were started, then their
    /// parent), going round, from the one that follows the task chosen last. So an oracle that always answers 0 lets
    /// everybody take turns.
    Task,
    /// A value that the test asked for with [`Sim::choose`](super::Sim::choose).
    Data,
    /// Whether a future that is swept ([`Sim::cancel_at_each`](super::Sim::cancel_at_each)) is dropped here: 1, or goes on: 0.
    ///
    /// After one was dropped, this is not asked again in that run.
    Cancel,
    /// Whether something goes wrong: 1 says yes, all else no. So one in `n` random answers does.
    ///
    /// First whether a place that can fail is enabled in this run, then, each time it is asked, whether it does.
    Fault,
    /// Whether a task that waits is woken for nothing: 1 says yes, all else no. Then which, if several wait, counted in the
    /// order of their spawn paths.
    Spurious,
}

/// Decides everything that a run leaves open.
///
/// A run is a function of its body and the answers of its oracle. It is asked only where there are two or more
/// possibilities. Every `FnMut(Kind, usize) -> usize` is an oracle.
///
/// It is called under the simulator's lock: it must not call back into the simulator.
pub trait Oracle {
    /// One of the numbers below `n`, which is at least 2.
    fn choose(&mut self, kind: Kind, n: usize) -> usize;

    /// Which of the ready tasks is polled next, as a number below [`ReadyView::count`], for an oracle that wants to know who
    /// they are. Unless it is overridden, it is what [`choose`](Self::choose) says of [`Kind::Task`].
    #[inline]
    fn choose_task(&mut self, ready: &ReadyView<'_>) -> usize {
        self.choose(Kind::Task, ready.count())
    }
}

impl<F: FnMut(Kind, usize) -> usize> Oracle for F {
    fn choose(&mut self, kind: Kind, n: usize) -> usize {
        self(kind, n)
    }
}

/// A small generator of random numbers, for tests; not for secrets.
///
/// SplitMix64: G. Steele, D. Lea and C. Flood, "Fast Splittable Pseudorandom Number Generators" (OOPSLA 2014), with
/// D. Stafford's mixing constants ("Mix13").
///
/// # Examples
/// ```
/// use wakeful::sim::Rng;
///
/// let (mut a, mut b) = (Rng::new(7), Rng::new(7));
/// assert_eq!(a.next_u64(), b.next_u64());
/// assert!(a.below(10) < 10);
/// ```
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// The generator of `seed`.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    #[inline]
    pub const fn next_u64(&mut self) -> u64 {
        mix::next(&mut self.0)
    }

    /// A number below `n`, each as likely as the others up to a share of n/2⁶⁴; 0 if `n` is 0.
    ///
    /// By a multiplication instead of a division: D. Lemire, "Fast Random Integer Generation in an Interval" (2019).
    #[inline]
    pub const fn below(&mut self, n: usize) -> usize {
        ((self.next_u64() as u128 * n as u128) >> 64) as usize
    }
}

/// The hash of `into` and `x` after it: both halves of a long product, folded.
#[inline]
pub(super) const fn fold(into: u64, x: u64) -> u64 {
    let product = (into ^ x ^ mix::GAMMA) as u128 * 0xd6e8_feb8_6659_fd93_u128;
    (product as u64) ^ ((product >> 64) as u64).rotate_left(23) ^ into.rotate_left(29)
}

/// Chooses at random, by a seed.
#[derive(Clone, Debug)]
pub struct Random(Rng);

impl Random {
    /// The oracle of `seed`. Seeds that lie close together give unrelated runs.
    pub const fn new(seed: u64) -> Self {
        Self(Rng::new(mix::mix(seed ^ 0x7363_6865_6475_6c65)))
    }
}

impl Oracle for Random {
    #[inline]
    fn choose(&mut self, _: Kind, n: usize) -> usize {
        self.0.below(n)
    }
}

/// Reads its choices from bytes: the input of a fuzzer, or the record of an earlier run.
///
/// A choice among up to 256 takes one byte, among up to 65,536 two, and so on (little end first), modulo `n`. When the
/// bytes are used up, the answer is always 0. So every run of any oracle is also a run of some bytes, and cutting them
/// short or setting some to zero makes a simpler run.
#[derive(Clone)]
pub struct Bytes {
    bytes: Arc<[u8]>,
    at: usize,
}

/// How many bytes a choice among `n` takes.
const fn width(n: usize) -> usize {
    match (n as u64).saturating_sub(1) {
        0..=0xff => 1,
        0x100..=0xffff => 2,
        0x1_0000..=0xffff_ffff => 4,
        _ => 8,
    }
}

impl Bytes {
    /// An oracle that reads `bytes`.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self { bytes: Arc::from(bytes.into()), at: 0 }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Adds to `bytes` what makes an oracle that reads them choose `chosen` among `n`.
    pub(super) fn write(bytes: &mut Vec<u8>, n: usize, chosen: usize) {
        bytes.extend_from_slice(&(chosen as u64).to_le_bytes()[..width(n)]);
    }
}

impl Oracle for Bytes {
    fn choose(&mut self, _: Kind, n: usize) -> usize {
        let width = width(n);
        let rest = self.bytes.get(self.at..).unwrap_or(&[]);
        let mut value = [0; 8];
        let given = width.min(rest.len());
        value[..given].copy_from_slice(&rest[..given]);
        self.at += given;
        (u64::from_le_bytes(value) % n as u64) as usize
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bytes").field("len", &self.bytes.len()).field("at", &self.at).finish()
    }
}

/// The oracle of one run. Those of the kit are called directly; of others a record is kept.
pub(super) enum Source {
    Random(Random),
    Bytes(Bytes),
    Walk(Walk),
    Pct(Pct),
    Other { oracle: Box<dyn Oracle + Send>, record: Vec<u8> },
    Traced(Box<Tracer>),
    Search(Box<dyn AnySearch>),
}

impl Source {
    /// A value below `n`, for the task with this key.
    ///
    /// # Panics
    /// If an oracle that is not the kit's answers with a number that is not below `n`.
    pub(super) fn choose_data(&mut self, n: usize, task: u64) -> usize {
        match self {
            Self::Random(oracle) => oracle.choose(Kind::Data, n),
            Self::Bytes(oracle) => oracle.choose(Kind::Data, n),
            Self::Walk(oracle) => oracle.choose(Kind::Data, n),
            Self::Pct(oracle) => oracle.choose(Kind::Data, n),
            Self::Other { oracle, record } => note(record, n, oracle.choose(Kind::Data, n)),
            Self::Traced(tracer) => tracer.choose_data(n, task),
            Self::Search(search) => search.choose_data(n),
        }
    }

    /// Whether it is asked also where one task is ready alone.
    pub(super) fn is_told_all(&self) -> bool {
        matches!(self, Self::Search(search) if search.watches())
    }

    /// Who is polled next. `None`: the run is to be cut.
    ///
    /// # Panics
    /// As [`choose_data`](Self::choose_data).
    pub(super) fn choose_task(&mut self, ready: &ReadyView<'_>) -> Option<usize> {
        Some(match self {
            Self::Random(oracle) => oracle.choose_task(ready),
            Self::Bytes(oracle) => oracle.choose_task(ready),
            Self::Walk(oracle) => oracle.choose_task(ready),
            Self::Pct(oracle) => oracle.choose_task(ready),
            Self::Other { oracle, record } => note(record, ready.count(), oracle.choose_task(ready)),
            Self::Traced(tracer) => tracer.choose_task(ready),
            Self::Search(search) => return search.choose_task(ready),
        })
    }

    /// Whether a chance to cancel is taken. An oracle that only has a seed leaves it to the run, which says `planned`.
    ///
    /// # Panics
    /// As [`choose_data`](Self::choose_data).
    pub(super) fn choose_cancel(&mut self, planned: bool, chance: Chance) -> bool {
        match self {
            Self::Random(_) | Self::Walk(_) | Self::Pct(_) => planned,
            Self::Bytes(oracle) => oracle.choose(Kind::Cancel, 2) == 1,
            Self::Other { oracle, record } => note(record, 2, oracle.choose(Kind::Cancel, 2)) == 1,
            Self::Traced(tracer) => tracer.choose_cancel(planned, chance),
            Self::Search(search) => search.choose_data(2) == 1,
        }
    }

    /// Whether something goes wrong that does so one in `n` times; `here` and `nth` stand for the place of the choice.
    ///
    /// # Panics
    /// As [`choose_data`](Self::choose_data).
    pub(super) fn choose_fault(&mut self, n: usize, here: u64, nth: u32) -> bool {
        let chosen = match self {
            Self::Random(oracle) => oracle.choose(Kind::Fault, n),
            Self::Bytes(oracle) => oracle.choose(Kind::Fault, n),
            Self::Walk(oracle) => oracle.choose(Kind::Fault, n),
            Self::Pct(oracle) => oracle.choose(Kind::Fault, n),
            Self::Other { oracle, record } => note(record, n, oracle.choose(Kind::Fault, n)),
            Self::Traced(tracer) => tracer.choose_fault(n, here, nth).into(),
            // All answers but 1 are the same run, and bytes for `n` are as wide as for 2.
            Self::Search(search) => search.choose_data(2),
        };
        chosen == 1
    }

    /// Who of those that wait is woken for nothing, which happens one in `n` times; after so many polls of the task with this key.
    ///
    /// # Panics
    /// As [`choose_data`](Self::choose_data).
    pub(super) fn choose_spurious(&mut self, n: usize, waiting: &WaitingView<'_>, after: (u64, u32)) -> Option<usize> {
        let n = match self {
            Self::Traced(tracer) => return tracer.choose_spurious(n, waiting, after),
            // What it leaves out, it leaves out on account of what polls touch, and such a poll may be any.
            Self::Search(search) if search.watches() => return None,
            // All answers but 1 are the same run, and bytes for `n` are as wide as for 2.
            Self::Search(_) => 2,
            _ => n,
        };
        let mut choose = |n: usize| match self {
            Self::Random(oracle) => oracle.choose(Kind::Spurious, n),
            Self::Bytes(oracle) => oracle.choose(Kind::Spurious, n),
            Self::Walk(oracle) => oracle.choose(Kind::Spurious, n),
            Self::Pct(oracle) => oracle.choose(Kind::Spurious, n),
            Self::Other { oracle, record } => note(record, n, oracle.choose(Kind::Spurious, n)),
            Self::Traced(_) => 0,
            Self::Search(search) => search.choose_data(n),
        };
        (choose(n) == 1).then(|| if waiting.count > 1 { choose(waiting.count) } else { 0 })
    }

    /// The line that replays a run with these twists whose tasks' random streams are of `seed`.
    pub(super) fn line(&self, seed: u64, twists: Twists) -> String {
        let searched;
        let (strategy, horizon, bytes) = match self {
            Self::Random(_) => (Strategy::Random, None, None),
            Self::Bytes(oracle) => (Strategy::Random, None, Some(oracle.bytes())),
            Self::Walk(_) => (Strategy::Walk, None, None),
            Self::Pct(oracle) => (Strategy::Pct(oracle.depth()), oracle.horizon(), None),
            Self::Other { record, .. } => (Strategy::Random, None, Some(&record[..])),
            Self::Traced(tracer) => (Strategy::Random, None, Some(tracer.record())),
            Self::Search(search) => {
                searched = search.record();
                (Strategy::Random, None, Some(&searched[..]))
            }
        };
        let twists = if bytes.is_some() { twists.beside_bytes() } else { twists };
        replay::print(seed, strategy, horizon, bytes, twists)
    }
}

/// Adds to `record` what was chosen among `n`.
fn note(record: &mut Vec<u8>, n: usize, chosen: usize) -> usize {
    assert!(chosen < n, "the oracle chose {chosen} among {n}");
    Bytes::write(record, n, chosen);
    chosen
}
