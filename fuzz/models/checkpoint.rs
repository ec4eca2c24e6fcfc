//! A checkpoint beside a set of what is finished, and what is resumed from it.

use super::World;
use arbitrary::Arbitrary;
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::future::ready;
use std::num::{NonZeroU64, NonZeroUsize};
use std::task::{Context, Poll, Waker};
use wakeful::cancel::Scope;
use wakeful::spawn::block_on;
use wakeful::time::ManualClock;
use wakeful::work::{Checkpoint, Checkpointing, Count, Lease, Source, resume, work};

/// So many items are looked at.
const WINDOW: u64 = 40;

/// One step.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(crate) enum Op {
    Finish(u8),
    /// It is written down and read again.
    Save,
    /// What is written down is damaged in one place before it is read.
    Damage(u8, u8),
    /// Text of the characters that occur in checkpoints is read.
    Read([u8; 10]),
    /// What is not finished of so many items is pulled.
    Resume(u8, u8),
    /// A run over so many items by some workers, in which those with a bit fail, and which is saved every few items.
    Run(u8, u64, u8, u8),
    /// Anew, where there are no larger numbers.
    Last,
}

/// A checkpoint and the set.
pub(crate) struct Checkpoints {
    real: Checkpoint,
    /// All before it are finished; the set is of those behind.
    begins: u64,
    set: BTreeSet<u64>,
}

impl Checkpoints {
    /// How many there are from the beginning of the window on, at most.
    fn room(&self) -> u64 {
        WINDOW.min(u64::MAX - self.begins)
    }

    fn compare(&self) {
        let Self { real, begins, set } = self;
        assert_eq!(real.finished(), begins + set.len() as u64);
        assert_eq!(real.low_water_mark(), (*begins..u64::MAX).find(|index| !set.contains(index)).unwrap_or(u64::MAX));
        for index in *begins..begins + self.room() {
            assert_eq!(real.is_finished(index), set.contains(&index), "{index} in {real}");
        }
        let mut end = real.low_water_mark();
        for range in real.above() {
            assert!(end < range.start && range.start < range.end, "{real}: a gap before each range");
            end = range.end;
        }
    }

    /// Those of the first `len` that are not finished.
    fn left(&self, len: u64) -> Vec<u64> {
        (self.begins..self.begins + len).filter(|index| !self.set.contains(index)).collect()
    }

    fn pull(&self, len: u64, leap: u64) {
        // From anywhere up to the mark.
        let first = self.begins + leap % (self.real.low_water_mark() - self.begins + 1);
        let end = (self.begins + len).max(first);
        let mut left = self.left(end - self.begins).into_iter();
        let mut source = resume(first..end, &self.real).beginning_at(first);
        loop {
            assert_eq!(source.remaining(), Some(left.len()), "{}", self.real);
            let pulled = source.poll_pull(&mut Context::from_waker(Waker::noop()));
            assert_eq!(pulled, Poll::Ready(left.next()), "{}", self.real);
            if pulled == Poll::Ready(None) {
                return;
            }
        }
    }

    fn run(&mut self, len: u64, fails: u64, workers: usize, every: u64) {
        let left = self.left(len);
        let expected: Vec<u64> = left.iter().copied().filter(|item| fails >> (item - self.begins) & 1 == 0).collect();
        let (mut saved, mut saves) = (self.real.clone(), 0);
        let save = |checkpoint: &Checkpoint| {
            saves += 1;
            saved.clone_from(checkpoint);
            Ok::<_, Infallible>(())
        };
        let sink = Checkpointing::new(self.real.clone(), Count::new(), save);
        let mut sink = sink.every(NonZeroU64::new(every).expect("not zero"));
        let begins = self.begins;
        let body =
            |item: Lease<u64>| ready(if fails >> (*item - begins) & 1 == 0 { Ok(*item) } else { Err("it is to fail") });
        let items = resume(begins..begins + len, &self.real).beginning_at(begins);
        let run = work(items).workers(NonZeroUsize::new(workers).expect("not zero"));
        let report = block_on(run.run(&Scope::new(ManualClock::new().time()), body, &mut sink));
        let finished = sink.finish();
        assert_eq!(report.count, finished.sink);
        assert_eq!((report.pulled(), report.count.done), (left.len() as u64, expected.len() as u64));
        assert_eq!(saved, finished.checkpoint, "it is saved at the end");
        assert_eq!(saves, (expected.len() as u64).div_ceil(every));
        self.real = finished.checkpoint;
        self.set.extend(expected);
    }
}

/// What is read is what would be written, or it is refused.
fn read(text: &str) {
    match text.parse::<Checkpoint>() {
        Ok(checkpoint) => assert_eq!(checkpoint.to_string(), text.trim()),
        Err(error) => assert!(error.to_string().starts_with("not a checkpoint: `")),
    }
}

impl World for Checkpoints {
    type Op = Op;

    fn new() -> Self {
        Self { real: Checkpoint::new(), begins: 0, set: BTreeSet::new() }
    }

    fn step(&mut self, op: Op) {
        let room = self.room();
        match op {
            Op::Finish(index) => {
                let index = self.begins + u64::from(index) % room;
                assert_eq!(self.real.finish(index), self.set.insert(index));
            }
            Op::Save => {
                let read: Checkpoint = self.real.to_string().parse().expect("what was written can be read");
                assert_eq!(read, self.real);
                self.real = read;
            }
            Op::Damage(at, byte) => {
                let mut text = self.real.to_string().into_bytes();
                let at = usize::from(at) % text.len();
                text[at] = byte;
                read(&String::from_utf8_lossy(&text));
            }
            Op::Read(bytes) => {
                let text: String =
                    bytes.iter().map(|byte| char::from(b"0123456789  --\n+"[usize::from(byte % 16)])).collect();
                read(&text);
            }
            Op::Resume(len, leap) => self.pull(u64::from(len) % (room + 1), leap.into()),
            Op::Run(len, fails, workers, every) => {
                self.run(u64::from(len) % (room + 1), fails, 1 + usize::from(workers % 4), 1 + u64::from(every % 5));
            }
            Op::Last => {
                self.begins = u64::MAX - WINDOW / 2;
                self.real = self.begins.to_string().parse().expect("a low-water mark");
                self.set.clear();
            }
        }
        self.compare();
    }

    fn end(mut self) {
        self.step(Op::Save);
        let all = self.room();
        self.pull(all, 0);
    }
}
