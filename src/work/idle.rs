//! Which workers have nothing to do.

use alloc::vec::Vec;

/// Workers that share a word of bits.
const IN_A_WORD: usize = usize::BITS as usize;

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
        let word = worker / IN_A_WORD;
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        self.words[word] |= 1 << (worker % IN_A_WORD);
        self.low = self.low.min(word);
    }

    #[inline]
    pub(super) fn remove(&mut self, worker: usize) {
        self.words[worker / IN_A_WORD] &= !(1 << (worker % IN_A_WORD));
    }

    #[inline]
    pub(super) fn first(&mut self) -> Option<usize> {
        while let Some(word) = self.words.get(self.low) {
            if *word != 0 {
                return Some(self.low * IN_A_WORD + word.trailing_zeros() as usize);
            }
            self.low += 1;
        }
        None
    }
}
