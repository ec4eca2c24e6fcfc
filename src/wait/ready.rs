//! Who of many in one task may go on: a bit for each member, so that a wake-up of one polls that one alone.
//!
//! Bits lie in blocks, and blocks in rows, which have a bit for each block. A waker is a pointer to its block with the number
//! of its bit in it: members need no allocation of their own.
//!
//! # Invariants
//!
//! - **R1** Whoever sets the first bit of a block sets the block's bit in its row afterwards, and whoever takes a row's bits
//!   takes those of the blocks afterwards. So a bit that is not seen will be.
//! - **R2** A task rests only after it has set `RESTING` in every row and found no other bit there. Whoever sets the first
//!   bit beside `RESTING` rings, and one of those who ring wakes the task. Both are read-modify-writes of one word, so
//!   either the task finds the bit, or the waker finds `RESTING`.
//! - **R3** While the task polls, a wake-up sets its bit, and at most its row's, and costs nothing else.

use crate::sys::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::sys::probe::{self, Access, Resource};
use crate::sys::waker::{Tagged, TaggedWaker, tagged, tagged_ref};
use crate::sys::{Arc, Lock};
use alloc::vec::Vec;
use core::task::Waker;

/// Members of a block.
const MEMBERS: usize = usize::BITS as usize;
/// Blocks of a row.
const BLOCKS: usize = usize::BITS as usize - 1;
/// The bit of a row which says that the task rests.
const RESTING: usize = 1 << BLOCKS;

/// The way to the task.
struct Bell {
    rung: AtomicBool,
    /// The bits of all rows and blocks, for those who look on.
    resource: Resource,
    /// Shared, so that it is cloned under the lock without a waker being cloned.
    task: Lock<Option<Arc<Waker>>>,
}

/// A word of bits, one for each block.
#[repr(align(64))]
struct Row {
    bits: AtomicUsize,
    bell: Arc<Bell>,
}

/// A word of bits, one for each member.
#[repr(align(64))]
struct Block {
    bits: AtomicUsize,
    /// Its bit in the row.
    number: usize,
    row: Arc<Row>,
}

impl Tagged for Row {
    fn wake(this: &Arc<Self>, number: usize) {
        this.bell.resource.touch(Access::Commute);
        // Release: partner of the acquiring swap in `take`; the poll sees what was done before the wake-up. Acquire: partner
        // of the releasing `fetch_or` in `rest`, so that the bell is seen as it was reset.
        if this.bits.fetch_or(1 << number, Ordering::AcqRel) == RESTING {
            this.bell.ring();
        }
    }
}

impl Tagged for Block {
    fn wake(this: &Arc<Self>, number: usize) {
        // R1. Release: partner of the acquiring swap in `take`. Acquire: one who finds a bit leaves the row to whoever set it.
        if this.bits.fetch_or(1 << number, Ordering::AcqRel) == 0 {
            Row::wake(&this.row, this.number);
        } else {
            this.row.bell.resource.touch(Access::Commute);
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

/// Wakes members by their numbers, from wherever it is.
#[derive(Clone)]
pub(crate) struct Caller(Arc<Lock<Vec<Arc<Block>>>>);

impl Caller {
    /// Wakes a member, as its waker does.
    pub(crate) fn wake(&self, member: usize) {
        let block = self.0.with(|blocks| blocks.get(member / MEMBERS).cloned());
        if let Some(block) = block {
            Block::wake(&block, member % MEMBERS);
        }
    }
}

/// The task's side.
pub(crate) struct Ready {
    bell: Arc<Bell>,
    /// The bits of what is not a member.
    control: Arc<Row>,
    rows: Vec<Arc<Row>>,
    blocks: Vec<Arc<Block>>,
    /// The blocks once more, if there is one who wakes by number.
    caller: Option<Caller>,
    task: Option<Arc<Waker>>,
    turn: Turn,
}

/// What was taken, and not given out yet.
struct Turn {
    row: usize,
    /// Bits of the row.
    blocks: usize,
    block: usize,
    /// Bits of the block.
    members: usize,
    /// Rows that the pass has yet to come to.
    left: usize,
}

impl Ready {
    /// Nobody is a member yet. Of what is not a member, number 0 is woken.
    pub(crate) fn new() -> Self {
        let bell = Arc::new(Bell { rung: AtomicBool::new(false), resource: Resource::new(), task: Lock::new(None) });
        let control = Arc::new(Row { bits: AtomicUsize::new(1), bell: bell.clone() });
        let turn = Turn { row: 0, blocks: 0, block: 0, members: 0, left: 0 };
        Self { bell, control, rows: Vec::new(), blocks: Vec::new(), caller: None, task: None, turn }
    }

    /// The waker of what is not a member: number 0, 1, 2, … 30.
    pub(crate) fn control_waker(&self, number: usize) -> Waker {
        tagged(self.control.clone(), number)
    }

    /// What wakes members by their numbers.
    pub(crate) fn caller(&mut self) -> Caller {
        self.caller.get_or_insert_with(|| Caller(Arc::new(Lock::new(self.blocks.clone())))).clone()
    }

    /// Makes room for `member`; members are numbered 0, 1, 2, ….
    #[inline]
    pub(crate) fn reach(&mut self, member: usize) {
        while self.blocks.len() * MEMBERS <= member {
            self.add_block();
        }
    }

    #[cold]
    fn add_block(&mut self) {
        let number = self.blocks.len() % BLOCKS;
        if self.blocks.is_empty() {
            // Most have one of each.
            self.rows.reserve_exact(1);
            self.blocks.reserve_exact(1);
        }
        if number == 0 {
            self.rows.push(Arc::new(Row { bits: AtomicUsize::new(0), bell: self.bell.clone() }));
        }
        let row = self.rows[self.rows.len() - 1].clone();
        let block = Arc::new(Block { bits: AtomicUsize::new(0), number, row });
        if let Some(caller) = &self.caller {
            caller.0.with(|blocks| blocks.push(block.clone()));
        }
        self.blocks.push(block);
    }

    /// The waker of `member`, for which there is [room](Self::reach).
    #[inline]
    pub(crate) fn waker(&self, member: usize) -> TaggedWaker<'_> {
        tagged_ref(&self.blocks[member / MEMBERS], member % MEMBERS)
    }

    /// Begins a poll of the task that `waker` wakes.
    #[inline]
    pub(crate) fn begin(&mut self, waker: &Waker) {
        self.bell.resource.touch(Access::Write);
        if !self.task.as_ref().is_some_and(|task| task.will_wake(waker)) {
            self.keep(waker);
        }
    }

    #[cold]
    fn keep(&mut self, waker: &Waker) {
        probe::keeping(waker);
        let task = Arc::new(waker.clone());
        self.task = Some(task.clone());
        let old = self.bell.task.with(|place| place.replace(task));
        drop(old);
    }

    /// The bits of what is not a member and was woken since this was last asked.
    #[inline]
    pub(crate) fn take_control(&self) -> usize {
        self.control.take()
    }

    /// Whether anything was woken that is not a member, since this was last [taken](Self::take_control).
    #[inline]
    pub(crate) fn has_control(&self) -> bool {
        // Relaxed: what this thread has woken is seen, and there is no telling when another one did.
        self.control.bits.load(Ordering::Relaxed) & !RESTING != 0
    }

    /// Begins a pass over the members that were woken, behind the one that was given out last.
    #[inline]
    pub(crate) fn begin_pass(&mut self) {
        self.turn.left = self.rows.len();
    }

    /// The next member of the pass. What is not asked for stays for the next pass.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<usize> {
        while self.turn.members == 0 {
            self.next_block()?;
        }
        let member = self.turn.members.trailing_zeros() as usize;
        self.turn.members &= self.turn.members - 1;
        Some(self.turn.block * MEMBERS + member)
    }

    fn next_block(&mut self) -> Option<()> {
        let turn = &mut self.turn;
        while turn.blocks == 0 {
            turn.left = turn.left.checked_sub(1)?;
            turn.row = if turn.row + 1 < self.rows.len() { turn.row + 1 } else { 0 };
            turn.blocks = self.rows[turn.row].take();
        }
        turn.block = turn.row * BLOCKS + turn.blocks.trailing_zeros() as usize;
        turn.blocks &= turn.blocks - 1;
        // R1. Acquire: partner of the releasing `fetch_or` in `wake`.
        turn.members = self.blocks[turn.block].bits.swap(0, Ordering::Acquire);
        Some(())
    }

    /// Ends a poll of the task. False: somebody was woken meanwhile, and the poll has to go on.
    #[inline]
    pub(crate) fn rest(&self) -> bool {
        // Relaxed: the releasing `fetch_or` below publishes it.
        self.bell.rung.store(false, Ordering::Relaxed);
        self.turn.members == 0
            && self.turn.blocks == 0
            && core::iter::once(&self.control).chain(&self.rows).all(|row| row.rest())
    }
}

impl Drop for Ready {
    /// Wakers that are left wake nobody, and keep no task.
    fn drop(&mut self) {
        let task = self.bell.task.with(Option::take);
        drop(task);
    }
}

impl Row {
    /// Sets `RESTING`. False: another bit is set too.
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

#[cfg(all(test, not(wakeful_loom)))]
mod tests {
    use super::*;
    use crate::sys::waker::hooked::counter;

    fn pass(ready: &mut Ready) -> Vec<usize> {
        ready.begin_pass();
        core::iter::from_fn(|| ready.next()).collect()
    }

    #[test]
    fn a_wake_up_gives_out_that_member_alone_wherever_it_lies() {
        let mut ready = Ready::new();
        let (woken, task) = counter();
        ready.begin(&task);
        ready.reach(20_000);
        assert_eq!((ready.take_control(), pass(&mut ready).len()), (1, 0));
        let caller = ready.caller();
        ready.reach(30_000);
        caller.wake(30_000);
        caller.wake(90_000);
        assert_eq!(pass(&mut ready), [30_000], "of one that there is no room for, nothing is known");
        for member in [0, 1, 62, 63, 3_968, 3_969, 20_000] {
            assert!(ready.rest());
            let before = woken.load(Ordering::Relaxed);
            let clone = ready.waker(member).clone();
            ready.waker(member).wake_by_ref();
            clone.wake();
            ready.caller().wake(member);
            assert_eq!(woken.load(Ordering::Relaxed), before + 1, "the task is woken once");
            assert_eq!((pass(&mut ready), pass(&mut ready)), (Vec::from([member]), Vec::new()));
        }
    }

    #[test]
    fn what_a_pass_leaves_is_not_forgotten_and_comes_first() {
        let mut ready = Ready::new();
        let (_, task) = counter();
        ready.begin(&task);
        ready.reach(200);
        ready.take_control();
        for member in [3, 5, 70, 190] {
            ready.waker(member).wake_by_ref();
        }
        ready.begin_pass();
        assert_eq!((ready.next(), ready.rest()), (Some(3), false));
        ready.waker(3).wake_by_ref();
        ready.begin_pass();
        assert_eq!(ready.next(), Some(5), "one that wakes itself is not given out before the others");
        let rest: Vec<_> = core::iter::from_fn(|| ready.next()).collect();
        assert_eq!(rest, [70, 190, 3]);
        assert!(ready.rest());
    }

    #[test]
    fn wakers_that_are_left_keep_no_task() {
        let mut ready = Ready::new();
        let (woken, task) = counter();
        ready.begin(&task);
        ready.reach(0);
        assert!(!ready.rest() && ready.take_control() == 1 && ready.rest());
        let (member, control) = (ready.waker(0).clone(), ready.control_waker(1));
        drop((ready, task));
        member.wake();
        control.wake();
        assert_eq!((woken.load(Ordering::Relaxed), Arc::strong_count(&woken)), (0, 1));
    }
}

#[cfg(test)]
mod loom_tests {
    use super::*;
    use crate::sys::model::{model, spawn};
    use crate::sys::waker::hooked::{Act, hooked};

    /// A task that rests while two of its members are woken on other threads: what it did not see wakes it (R1, R2).
    fn no_wake_up_is_lost(threads: usize) {
        model(move || {
            let mut ready = Ready::new();
            ready.reach(1);
            assert_eq!(ready.take_control(), 1);
            let woken = Arc::new(AtomicUsize::new(0));
            let seen = woken.clone();
            let task = hooked(move |act| {
                if act == Act::Wake {
                    seen.fetch_add(1, Ordering::SeqCst);
                }
            });
            ready.begin(&task);
            // What is done before a wake-up; the wake-up alone lets the poll see it.
            let done = Arc::new([0, 1].map(|_| AtomicBool::new(false)));
            let wakers = [0, 1].map(|member| {
                let (waker, done) = (ready.waker(member).clone(), done.clone());
                move || {
                    done[member].store(true, Ordering::Relaxed);
                    waker.wake();
                }
            });
            let others: Vec<_> = match threads {
                1 => Vec::from([spawn(move || wakers.into_iter().for_each(|wake| wake()))]),
                _ => wakers.into_iter().map(spawn).collect(),
            };
            let pass = |ready: &mut Ready| {
                ready.begin_pass();
                let members = core::iter::from_fn(|| ready.next());
                members.inspect(|member| assert!(done[*member].load(Ordering::Relaxed), "not seen")).count()
            };
            let mut found = 0;
            while !ready.rest() {
                found += pass(&mut ready);
            }
            // The task waits from here on: the rest must have rung.
            others.into_iter().for_each(|other| other.join().unwrap());
            let rest = pass(&mut ready);
            assert_eq!(found + rest, 2);
            let woken = woken.load(Ordering::SeqCst);
            assert!(woken <= 2 && (rest == 0 || woken > 0), "{rest} {woken}");
        });
    }

    #[test]
    fn what_is_done_before_a_wake_up_of_no_member_is_seen() {
        model(|| {
            let (ready, done) = (Ready::new(), Arc::new(AtomicBool::new(false)));
            assert_eq!(ready.take_control(), 1);
            let (waker, does) = (ready.control_waker(1), done.clone());
            let other = spawn(move || {
                does.store(true, Ordering::Relaxed);
                waker.wake();
            });
            assert!(ready.take_control() == 0 || done.load(Ordering::Relaxed));
            other.join().unwrap();
        });
    }

    #[test]
    fn no_wake_up_of_one_thread_is_lost() {
        no_wake_up_is_lost(1);
    }

    #[test]
    fn no_wake_up_of_two_threads_is_lost() {
        no_wake_up_is_lost(2);
    }
}
