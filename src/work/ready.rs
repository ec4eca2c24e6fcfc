//! Who may go on: a bit for each worker, so that a wake-up of one polls that one alone.
//!
//! # Invariants
//!
//! - **R1** A run rests only after it has set `RESTING` in every block and found no worker's bit there. Whoever sets a bit
//!   beside `RESTING` rings, and one of those who ring wakes the task. Both are read-modify-writes of one word, so either the
//!   run finds the bit, or the waker finds `RESTING`.
//! - **R2** While the run polls, a wake-up sets its bit and costs nothing else.

use crate::sys::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::sys::probe::{self, Access, Resource};
use crate::sys::waker::{Wake, waker};
use crate::sys::{Arc, Lock};
use alloc::vec::Vec;
use core::task::Waker;

/// Workers that share a word of bits.
const IN_A_BLOCK: usize = usize::BITS as usize - 1;
/// The bit of a block which says that the run rests.
const RESTING: usize = 1 << IN_A_BLOCK;

/// The way to the run's task.
struct Bell {
    rung: AtomicBool,
    /// The bits of all blocks, for those who look on.
    resource: Resource,
    /// Shared, so that it is cloned under the lock without a waker being cloned.
    task: Lock<Option<Arc<Waker>>>,
}

struct Block {
    bits: AtomicUsize,
    bell: Arc<Bell>,
}

/// What one waker sets.
struct Flag {
    block: Arc<Block>,
    bit: usize,
}

impl Wake for Flag {
    fn wake(this: &Arc<Self>) {
        this.block.bell.resource.touch(Access::Commute);
        // Release: partner of the acquiring swap in `take`; the poll sees what was done before the wake-up. Acquire: partner
        // of the releasing `fetch_or` in `rest`, so that the bell is seen as it was reset.
        let before = this.block.bits.fetch_or(this.bit, Ordering::AcqRel);
        if before & (RESTING | this.bit) == RESTING {
            this.block.bell.ring();
        }
    }
}

impl Bell {
    fn ring(&self) {
        // AcqRel: orders those who ring, so that the one who wakes the task sees the task of the latest poll.
        if !self.rung.swap(true, Ordering::AcqRel) {
            let task = self.task.with(|task| task.clone());
            if let Some(task) = task {
                probe::firing(&task);
                task.wake_by_ref();
            }
        }
    }
}

/// The run's side.
pub(super) struct Ready {
    bell: Arc<Bell>,
    /// The one of what is not a worker: the source, the timers, the limiter, the scope.
    control: Arc<Block>,
    blocks: Vec<Arc<Block>>,
    task: Option<Arc<Waker>>,
}

impl Ready {
    pub(super) fn new() -> Self {
        let bell = Arc::new(Bell { rung: AtomicBool::new(false), resource: Resource::new(), task: Lock::new(None) });
        let control = Arc::new(Block { bits: AtomicUsize::new(1), bell: bell.clone() });
        Self { bell, control, blocks: Vec::new(), task: None }
    }

    /// The waker of what is not a worker.
    pub(super) fn control_waker(&self) -> Waker {
        waker(Arc::new(Flag { block: self.control.clone(), bit: 1 }))
    }

    /// The waker of `worker`, which is asked for in order: 0, 1, 2, ….
    pub(super) fn waker(&mut self, worker: usize) -> Waker {
        let (block, bit) = (worker / IN_A_BLOCK, 1 << (worker % IN_A_BLOCK));
        if block == self.blocks.len() {
            self.blocks.push(Arc::new(Block { bits: AtomicUsize::new(0), bell: self.bell.clone() }));
        }
        waker(Arc::new(Flag { block: self.blocks[block].clone(), bit }))
    }

    /// Begins a poll of the run by the task that `waker` wakes.
    #[inline]
    pub(super) fn begin(&mut self, waker: &Waker) {
        self.bell.resource.touch(Access::Write);
        if !self.task.as_ref().is_some_and(|task| task.will_wake(waker)) {
            probe::keeping(waker);
            let task = Arc::new(waker.clone());
            self.task = Some(task.clone());
            let old = self.bell.task.with(|place| place.replace(task));
            drop(old);
        }
    }

    /// Whether something that is not a worker was woken since this was last asked.
    #[inline]
    pub(super) fn take_control(&self) -> bool {
        self.control.take() != 0
    }

    /// How many words of bits there are.
    pub(super) fn blocks(&self) -> usize {
        self.blocks.len()
    }

    /// The workers of a block that were woken since this was last asked.
    #[inline]
    pub(super) fn take(&self, block: usize) -> Bits {
        Bits { first: block * IN_A_BLOCK, bits: self.blocks[block].take() }
    }

    /// Sets the bits again that were taken and not acted upon.
    pub(super) fn put_back(&self, block: usize, bits: Bits) {
        // Relaxed: nobody but the run acts upon them, and the budget that ran out wakes it.
        self.blocks[block].bits.fetch_or(bits.bits, Ordering::Relaxed);
    }

    /// Ends a poll of the run. False: somebody was woken meanwhile, and the poll has to go on.
    #[inline]
    pub(super) fn rest(&self) -> bool {
        // Relaxed: the releasing `fetch_or` below publishes it.
        self.bell.rung.store(false, Ordering::Relaxed);
        core::iter::once(&self.control).chain(&self.blocks).all(|block| block.rest())
    }
}

impl Block {
    /// Sets `RESTING`. False: a worker's bit is set too.
    #[inline]
    fn rest(&self) -> bool {
        // Release: partner of the `fetch_or` in `wake`.
        self.bits.fetch_or(RESTING, Ordering::AcqRel) & !RESTING == 0
    }

    #[inline]
    fn take(&self) -> usize {
        // Relaxed: if a bit is missed here, `rest` finds it.
        if self.bits.load(Ordering::Relaxed) == 0 {
            return 0;
        }
        // Acquire: partner of the releasing `fetch_or` in `wake`.
        self.bits.swap(0, Ordering::Acquire) & !RESTING
    }
}

/// Workers of one block, the lowest first.
pub(super) struct Bits {
    first: usize,
    bits: usize,
}

impl Iterator for Bits {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        if self.bits == 0 {
            return None;
        }
        let lowest = self.bits.trailing_zeros() as usize;
        self.bits &= self.bits - 1;
        Some(self.first + lowest)
    }
}

/// The workers that have nothing to do, the lowest first.
pub(super) struct Idle {
    words: Vec<usize>,
    /// No word below this one has a bit.
    low: usize,
}

impl Idle {
    pub(super) fn new() -> Self {
        Self { words: Vec::new(), low: 0 }
    }

    #[inline]
    pub(super) fn insert(&mut self, worker: usize) {
        let word = worker / IN_A_BLOCK;
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        self.words[word] |= 1 << (worker % IN_A_BLOCK);
        self.low = self.low.min(word);
    }

    #[inline]
    pub(super) fn remove(&mut self, worker: usize) {
        self.words[worker / IN_A_BLOCK] &= !(1 << (worker % IN_A_BLOCK));
    }

    #[inline]
    pub(super) fn first(&mut self) -> Option<usize> {
        while let Some(word) = self.words.get(self.low) {
            if *word != 0 {
                return Some(self.low * IN_A_BLOCK + word.trailing_zeros() as usize);
            }
            self.low += 1;
        }
        None
    }
}

#[cfg(test)]
mod loom_tests {
    use super::*;
    use crate::sys::model::{model, spawn};
    use crate::sys::waker::hooked::{Act, hooked};

    /// A run that rests while two workers are woken on another thread: what it did not see wakes its task (R1).
    #[test]
    fn no_wake_up_is_lost() {
        model(|| {
            let mut ready = Ready::new();
            assert!(ready.take_control());
            let woken = Arc::new(AtomicUsize::new(0));
            let seen = woken.clone();
            let task = hooked(move |act| {
                if act == Act::Wake {
                    seen.fetch_add(1, Ordering::SeqCst);
                }
            });
            ready.begin(&task);
            let wakers = [ready.waker(0), ready.waker(1)];
            let other = spawn(move || wakers.iter().for_each(Waker::wake_by_ref));
            let mut found = 0;
            while !ready.rest() {
                found += ready.take(0).count();
            }
            // The run waits from here on: the rest must have rung.
            other.join().unwrap();
            let rest = ready.take(0).count();
            assert_eq!(found + rest, 2);
            let woken = woken.load(Ordering::SeqCst);
            assert!(woken <= 2 && (rest == 0 || woken > 0), "{rest} {woken}");
        });
    }
}
