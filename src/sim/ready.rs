//! Who is ready: a bitmap of two levels over the tasks in the order of their spawn paths.
//!
//! Tasks stand in blocks of up to 64, blocks in a row; a word a block says who of it is ready, a count for every 16
//! words how many are. Since a bit is either set or not, wakes commute. A new task comes directly before its parent, so the
//! order is: children in the order in which they were started, then their parent. That depends on spawn paths alone,
//! not on the schedule that led there.
//!
//! # Invariants
//!
//! - **R1** Each task that was inserted stands in one block, at the place that `places` says; places below `len` of a
//!   block are taken, the others are not and their bits are clear.
//! - **R2** `order` lists the blocks in use; the block at `order[rank]` has that `rank`, and its bits are `words[rank]`.
//! - **R3** `groups[g]` is the number of bits set in `words[16 * g..16 * g + 16]`, and `count` that of all.

use alloc::vec::Vec;

/// Tasks in a block: bits in a word.
const SIZE: usize = 64;
/// Words in a group.
const GROUP: usize = 16;

#[derive(Clone, Copy)]
struct Place {
    block: u32,
    bit: u32,
}

struct Block {
    rank: usize,
    len: usize,
    tasks: [u32; SIZE],
}

/// Its default is nothing yet but memory to come: see [`renew`](Ready::renew).
#[derive(Default)]
pub(super) struct Ready {
    places: Vec<Place>,
    blocks: Vec<Block>,
    unused: Vec<u32>,
    order: Vec<u32>,
    words: Vec<u64>,
    groups: Vec<u32>,
    count: usize,
}

/// The bits below `bit`.
#[inline]
fn below(bit: u32) -> u64 {
    (1 << bit) - 1
}

/// One in each byte.
const ONES: u64 = 0x0101_0101_0101_0101;

/// The number of the `k`-th set bit of a byte, of more than `k`: in a table, since a loop as long as `k` is random would be
/// guessed wrong each time.
static NTH: [[u8; 8]; 256] = {
    let mut table = [[0; 8]; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut bit, mut k) = (0, 0);
        while bit < 8 {
            if byte >> bit & 1 == 1 {
                table[byte][k] = bit;
                k += 1;
            }
            bit += 1;
        }
        byte += 1;
    }
    table
};

/// The number of the `k`-th set bit, of more than `k`.
#[inline]
fn select(word: u64, k: u32) -> u32 {
    if k == 0 {
        return word.trailing_zeros();
    }
    // The number of set bits in each byte, then in each byte and those below it.
    let pairs = word - ((word >> 1) & 0x5555_5555_5555_5555);
    let nibbles = (pairs & 0x3333_3333_3333_3333) + ((pairs >> 2) & 0x3333_3333_3333_3333);
    let bytes = (nibbles + (nibbles >> 4)) & 0x0f0f_0f0f_0f0f_0f0f;
    let sums = bytes.wrapping_mul(ONES);
    // The top bit of each byte up to whose end there are more than `k`; no sum is above 64, so nothing is carried.
    let more = (sums + u64::from(0x7f - k) * ONES) & ONES << 7;
    let shift = more.trailing_zeros() & !7;
    let before = (sums << 8 >> shift) as u8;
    let byte = (word >> shift) as u8;
    shift + u32::from(NTH[usize::from(byte)][(k as usize - usize::from(before)) & 7])
}

impl Ready {
    /// With task 0 alone, which is never removed; it is not ready.
    #[cfg(test)]
    pub(super) fn new() -> Self {
        let mut ready = Self::default();
        ready.renew();
        ready
    }

    /// Becomes as new: task 0 is there alone, which is never removed, and is not ready.
    pub(super) fn renew(&mut self) {
        let Self { places, blocks, unused, order, words, groups, count } = self;
        places.clear();
        places.push(Place { block: 0, bit: 0 });
        blocks.clear();
        blocks.push(Block { rank: 0, len: 1, tasks: [0; SIZE] });
        unused.clear();
        order.clear();
        order.push(0);
        words.clear();
        words.push(0);
        groups.clear();
        groups.push(0);
        *count = 0;
    }

    /// How many are ready.
    #[inline]
    pub(super) fn count(&self) -> usize {
        self.count
    }

    #[inline]
    fn spot(&self, task: u32) -> (usize, u32) {
        let place = self.places[task as usize];
        (self.blocks[place.block as usize].rank, place.bit)
    }

    /// Whether `task` is ready.
    pub(super) fn is_set(&self, task: u32) -> bool {
        let (rank, bit) = self.spot(task);
        self.words[rank] >> bit & 1 == 1
    }

    /// Makes `task` ready. False: it was.
    #[inline]
    pub(super) fn set(&mut self, task: u32) -> bool {
        let (rank, bit) = self.spot(task);
        let fresh = self.words[rank] >> bit & 1 == 0;
        if fresh {
            self.words[rank] |= 1 << bit;
            self.groups[rank / GROUP] += 1;
            self.count += 1;
        }
        fresh
    }

    /// Takes out the ready task that is `k`-th after `cursor`, going round; there are more than `k`.
    #[inline(always)]
    pub(super) fn take(&mut self, cursor: u32, k: usize) -> u32 {
        let (rank, bit) = self.spot(cursor);
        if self.words.len() > 1 {
            return self.take_of_many(rank, bit, k);
        }
        // Turned so that the first bit is the one that follows the cursor's.
        let turn = bit + 1;
        let bit = (select(self.words[0].rotate_right(turn), k as u32) + turn) % u64::BITS;
        self.unset(0, bit)
    }

    /// The same where there are several words, the cursor being that `bit` of that `rank`.
    fn take_of_many(&mut self, mut rank: usize, bit: u32, k: usize) -> u32 {
        let after = self.words[rank] & !(below(bit) << 1 | 1);
        // Where one is ready alone, as after a sleep, nothing need be counted.
        let ones = if k == 0 { usize::from(after != 0) } else { after.count_ones() as usize };
        let bit = if k < ones {
            select(after, k as u32)
        } else {
            let k = self.walk(&mut rank, k - ones);
            select(self.words[rank], k as u32)
        };
        self.unset(rank, bit)
    }

    /// Clears a bit that is set. Gives whose it is.
    #[inline(always)]
    fn unset(&mut self, rank: usize, bit: u32) -> u32 {
        self.words[rank] &= !(1 << bit);
        self.groups[rank / GROUP] -= 1;
        self.count -= 1;
        self.blocks[self.order[rank] as usize].tasks[bit as usize]
    }

    /// Those who are ready, in the order in which [`take`](Self::take) counts them from `cursor`.
    pub(super) fn after(&self, cursor: u32) -> After<'_> {
        let (rank, bit) = self.spot(cursor);
        let earlier = below(bit) << 1 | 1;
        After { ready: self, rank, word: self.words[rank] & !earlier, words: self.words.len(), earlier }
    }

    /// Goes on from `rank` to the word that has the `k`-th ready task after it; gives its number within the word. Coming
    /// round to where it began, `k` is less than the ones that were not passed, so these are found and no others.
    #[inline]
    fn walk(&self, rank: &mut usize, mut k: usize) -> usize {
        loop {
            *rank += 1;
            if *rank >= self.words.len() {
                *rank = 0;
            }
            if *rank % GROUP == 0 && self.groups[*rank / GROUP] as usize <= k {
                k -= self.groups[*rank / GROUP] as usize;
                *rank += GROUP - 1;
                continue;
            }
            let word = self.words[*rank];
            let ones = if k == 0 { usize::from(word != 0) } else { word.count_ones() as usize };
            if k < ones {
                return k;
            }
            k -= ones;
        }
    }

    /// Puts `task`, which is not ready, directly before `next`.
    pub(super) fn insert(&mut self, task: u32, next: u32) {
        if self.blocks[self.places[next as usize].block as usize].len == SIZE {
            self.split(next);
        }
        let Place { block, bit } = self.places[next as usize];
        let Block { rank, len, tasks } = &mut self.blocks[block as usize];
        let (at, word) = (bit as usize, self.words[*rank]);
        self.words[*rank] = (word & below(bit)) | (word & !below(bit)) << 1;
        tasks.copy_within(at..*len, at + 1);
        tasks[at] = task;
        *len += 1;
        if self.places.len() <= task as usize {
            self.places.resize(task as usize + 1, Place { block, bit });
        }
        for (bit, &task) in tasks.iter().enumerate().take(*len).skip(at) {
            self.places[task as usize] = Place { block, bit: bit as u32 };
        }
    }

    /// Makes room in the full block of `next`. Where it stands near the end, as the parent of many children does, only
    /// the end moves out, so blocks that are filled one after another stay full.
    fn split(&mut self, next: u32) {
        let Place { block, bit } = self.places[next as usize];
        let at = if bit as usize >= SIZE - SIZE / 4 { bit as usize } else { SIZE / 2 };
        let fresh = self.unused.pop().unwrap_or(self.blocks.len() as u32);
        let old = &mut self.blocks[block as usize];
        let rank = old.rank + 1;
        let mut right = Block { rank, len: SIZE - at, tasks: [0; SIZE] };
        right.tasks[..SIZE - at].copy_from_slice(&old.tasks[at..]);
        old.len = at;
        for (bit, &task) in right.tasks[..right.len].iter().enumerate() {
            self.places[task as usize] = Place { block: fresh, bit: bit as u32 };
        }
        let word = self.words[rank - 1];
        self.words[rank - 1] = word & below(at as u32);
        self.words.insert(rank, word >> at);
        self.order.insert(rank, fresh);
        match self.blocks.get_mut(fresh as usize) {
            Some(unused) => *unused = right,
            None => self.blocks.push(right),
        }
        self.renumber(rank);
    }

    /// Restores R2 and R3 for the blocks from `rank` on.
    fn renumber(&mut self, rank: usize) {
        for (rank, &block) in self.order.iter().enumerate().skip(rank) {
            self.blocks[block as usize].rank = rank;
        }
        let group = rank / GROUP;
        self.groups.truncate(group);
        let ones = |words: &[u64]| words.iter().map(|word| word.count_ones()).sum::<u32>();
        self.groups.extend(self.words[group * GROUP..].chunks(GROUP).map(ones));
    }

    /// Takes `task` out, which is not task 0. Gives the one before it, or the last if it was the first.
    pub(super) fn remove(&mut self, task: u32) -> u32 {
        let Place { block, bit } = self.places[task as usize];
        let Block { rank, len, tasks } = &mut self.blocks[block as usize];
        let (rank, at, word) = (*rank, bit as usize, self.words[*rank]);
        if word >> bit & 1 == 1 {
            self.groups[rank / GROUP] -= 1;
            self.count -= 1;
        }
        self.words[rank] = (word & below(bit)) | (word >> 1 & !below(bit));
        tasks.copy_within(at + 1..*len, at);
        *len -= 1;
        let left = *len;
        for (bit, &task) in tasks.iter().enumerate().take(left).skip(at) {
            self.places[task as usize].bit = bit as u32;
        }
        let (before, last) = match at {
            0 => {
                let rank = if rank == 0 { self.order.len() - 1 } else { rank - 1 };
                let block = &self.blocks[self.order[rank] as usize];
                (block, block.len - 1)
            }
            _ => (&self.blocks[block as usize], at - 1),
        };
        let before = before.tasks[last];
        if left == 0 {
            self.order.remove(rank);
            self.words.remove(rank);
            self.unused.push(block);
            self.renumber(rank);
        }
        before
    }

    /// All tasks, ready or not, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = u32> {
        self.order.iter().flat_map(|&block| {
            let block = &self.blocks[block as usize];
            block.tasks[..block.len].iter().copied()
        })
    }
}

/// Goes round once through those who are ready.
pub(super) struct After<'a> {
    ready: &'a Ready,
    /// Where in the round it is, and who is left in that word.
    rank: usize,
    word: u64,
    /// How many words there are still to come, the last being the rest of the first.
    words: usize,
    /// Those bits of the first word that come last.
    earlier: u64,
}

impl Iterator for After<'_> {
    type Item = u32;

    #[inline]
    fn next(&mut self) -> Option<u32> {
        let Self { ready, .. } = *self;
        while self.word == 0 {
            self.words = self.words.checked_sub(1)?;
            self.rank += 1;
            if self.rank == ready.words.len() {
                self.rank = 0;
            }
            self.word = ready.words[self.rank] & if self.words == 0 { self.earlier } else { !0 };
        }
        let bit = self.word.trailing_zeros();
        self.word &= self.word - 1;
        Some(ready.blocks[ready.order[self.rank] as usize].tasks[bit as usize])
    }
}
