//! Who may go on: a bit for each worker, so that a wake-up of one polls that one alone.
//!
//! # Invariants
//!
//! - **R1** A waker sets its bit first and rings second; the run forgets the ringing first and reads the bits second. So a
//!   bit that the run did not see rings after it forgot, and wakes its task.
//! - **R2** While the run polls, the bell counts as rung: what bodies wake meanwhile costs the task nothing.

use crate::sys::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::sys::waker::{Wake, waker};
use crate::sys::{Arc, Lock};
use alloc::vec::Vec;
use core::task::Waker;

/// Workers that share a word of bits.
const IN_A_BLOCK: usize = usize::BITS as usize;

/// The way to the run's task.
struct Bell {
    rung: AtomicBool,
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
        // SeqCst: as a release, partner of the acquiring swap in `take`: the poll sees what was done before the wake-up. And
        // partner of the store in `rest` (R1).
        if this.block.bits.fetch_or(this.bit, Ordering::SeqCst) & this.bit == 0 {
            this.block.bell.ring();
        }
    }
}

impl Bell {
    fn ring(&self) {
        // SeqCst: partner of the store in `Ready::rest` (R1). The load spares an exchange while the run polls (R2).
        if !self.rung.load(Ordering::SeqCst) && !self.rung.swap(true, Ordering::SeqCst) {
            let task = self.task.with(|task| task.clone());
            if let Some(task) = task {
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
        let bell = Arc::new(Bell { rung: AtomicBool::new(true), task: Lock::new(None) });
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
        if !self.task.as_ref().is_some_and(|task| task.will_wake(waker)) {
            let task = Arc::new(waker.clone());
            self.task = Some(task.clone());
            let old = self.bell.task.with(|place| place.replace(task));
            drop(old);
        }
        // R2. Relaxed: `rest` orders what matters.
        self.bell.rung.store(true, Ordering::Relaxed);
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
        // SeqCst, here and in the loads that follow: partner of the exchange in `wake` and the load in `ring`. Either the
        // waker sees this store, or this sees its bit (R1).
        self.bell.rung.store(false, Ordering::SeqCst);
        let any = core::iter::once(&self.control).chain(&self.blocks).any(|block| block.any());
        if any {
            self.bell.rung.store(true, Ordering::Relaxed);
        }
        !any
    }
}

impl Block {
    #[inline]
    fn any(&self) -> bool {
        self.bits.load(Ordering::SeqCst) != 0
    }

    #[inline]
    fn take(&self) -> usize {
        // Acquire: partner of the releasing `fetch_or` in `wake`.
        if self.any() { self.bits.swap(0, Ordering::Acquire) } else { 0 }
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
            // The run waits from here on: the rest must have rung, once.
            other.join().unwrap();
            let rest = ready.take(0).count();
            assert_eq!(found + rest, 2);
            assert_eq!(woken.load(Ordering::SeqCst), usize::from(rest > 0));
        });
    }
}
