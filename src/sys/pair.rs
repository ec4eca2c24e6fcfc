//! The two ends of one value that is sent once, in one allocation, without a lock.
//!
//! A value that is sent before anybody waits costs one atomic exchange; one for which somebody waits costs one more, and the
//! waiting another. To receive what has come is a load, and who goes last frees the block by what it has seen.
//!
//! # Invariants
//!
//! - **N1** There is one sender and one receiver, and whatever they change, they change by an exclusive borrow of their end. The
//!   bits `ENDED`, `SENT`, `SENDER_WAITS` and `SENDER_LEFT` are set by the sender, `CLOSED`, `RECEIVER_WAITS` and `RECEIVER_LEFT` by the
//!   receiver, each when it is not set. None is ever unset, but for one that says that somebody waits, by whoever set it and as long
//!   as the other has not set the bit that is waited for.
//! - **N2** The place of the value is the sender's until it sets `ENDED`. It sets `SENT` with it if there is a value; unless it finds
//!   `CLOSED` then, in which case it takes the value back, the value is the receiver's. The receiver is `over` when it has taken the
//!   value, or has found that there will be none; it does not look at the place then.
//! - **N3** The receiver keeps its waker in its place and sets `RECEIVER_WAITS` then; `ENDED` is what it waits for. Who sets the second
//!   of both bits, and so finds the other, takes the waker. The same holds for the sender, `SENDER_WAITS` and `CLOSED`.
//! - **N4** The sender sets `SENDER_LEFT` with or after `ENDED`, the receiver `RECEIVER_LEFT` with or after `CLOSED`, unless it is `over`.
//!   Neither reaches the block afterwards, but who finds that the other has left: that one frees it, in which there is neither a
//!   value nor a waker by then.
#![expect(
    unsafe_code,
    reason = "a value, wakers and the block are one party's or the other's, as an atomic state says"
)]

use super::atomic::{AtomicU8, Ordering};
use super::probe::{self, Access, Id, Resource};
use super::spot::Spot;
use super::thread::contain;
use alloc::boxed::Box;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ptr::NonNull;
use core::task::{Context, Poll, Waker};

/// The sender has sent, or will not.
const ENDED: u8 = 1;
/// The sender has sent.
const SENT: u8 = 1 << 1;
/// The sender waits for `CLOSED`.
const SENDER_WAITS: u8 = 1 << 2;
/// The sender does not come back.
const SENDER_LEFT: u8 = 1 << 3;
/// What is not sent yet will not be received.
const CLOSED: u8 = 1 << 4;
/// The receiver waits for `ENDED`.
const RECEIVER_WAITS: u8 = 1 << 5;
/// The receiver does not come back.
const RECEIVER_LEFT: u8 = 1 << 6;

struct Block<T, S> {
    state: AtomicU8,
    resource: Resource,
    id: Id,
    value: Spot<T>,
    /// The receiver's.
    receiver: Spot<Waker>,
    /// The sender's.
    sender: Spot<Waker>,
    /// What both look at.
    shared: S,
}

impl<T, S> Block<T, S> {
    /// Keeps the waker in `place` until the other end sets the bit `until`; false: it has done so. The bit `waits` says that it
    /// waits.
    ///
    /// # Safety
    /// The caller is the end whose place and bit these are (N3).
    #[inline]
    unsafe fn wait(&self, place: &Spot<Waker>, waits: u8, until: u8, waker: &Waker) -> bool {
        self.resource.touch(Access::Write);
        // Relaxed: the bit is the caller's own.
        if self.state.load(Ordering::Relaxed) & waits != 0 {
            // SAFETY: N3: the caller has put one there, and nobody else puts another.
            if unsafe { place.look(|kept| kept.will_wake(waker)) } {
                return true;
            }
        }
        probe::keeping(waker);
        let waker = waker.clone();
        // SAFETY: by the contract of this method.
        if !unsafe { self.forget(place, waits, until) } {
            return false;
        }
        // SAFETY: N3: it does not wait, so the place is the caller's.
        unsafe { place.write(waker) };
        // AcqRel: partner of the other end's exchange that sets `until`, both ways.
        if self.state.fetch_add(waits, Ordering::AcqRel) & until == 0 {
            return true;
        }
        // SAFETY: N3: this was the second bit.
        drop(unsafe { place.take() });
        false
    }

    /// Does not keep a waker any more; false: the other end has set the bit `until`.
    ///
    /// # Safety
    /// As that of [`wait`](Self::wait).
    #[inline]
    unsafe fn forget(&self, place: &Spot<Waker>, waits: u8, until: u8) -> bool {
        // Acquire, also below: who sees that the other end has set it sees what that did before.
        let mut state = self.state.load(Ordering::Acquire);
        while state & waits != 0 {
            if state & until != 0 {
                return false;
            }
            // Relaxed, if it succeeds: there is nothing to be seen by others, nor of them.
            match self.state.compare_exchange(state, state & !waits, Ordering::Relaxed, Ordering::Acquire) {
                Ok(_) => {
                    // SAFETY: N3: the bit is unset while the other one is not set, so the waker is the caller's.
                    drop(unsafe { place.take() });
                    return true;
                }
                Err(changed) => state = changed,
            }
        }
        true
    }
}

/// Where the block is, which is there until this end has left (N4).
struct End<T, S>(NonNull<Block<T, S>>, PhantomData<Box<Block<T, S>>>);

impl<T, S> End<T, S> {
    #[inline(always)]
    fn block(&self) -> &Block<T, S> {
        // SAFETY: N4.
        unsafe { self.0.as_ref() }
    }

    /// Sets the bit `mine`, and frees the block if the bit `other` is set.
    ///
    /// # Safety
    /// The end leaves, and `mine` says so (N4).
    #[inline]
    unsafe fn leave(&self, mine: u8, other: u8) {
        // AcqRel: partner of the same of the other end, whose accesses come before this one frees the block.
        if self.block().state.fetch_add(mine, Ordering::AcqRel) & other != 0 {
            // SAFETY: N4: the other end has left.
            unsafe { self.free() };
        }
    }

    /// # Safety
    /// One end has left, the other one calls this as the last (N4).
    #[inline]
    unsafe fn free(&self) {
        let block = self.block();
        block.value.close();
        block.receiver.close();
        block.sender.close();
        // SAFETY: it was made by a box, and by the contract of this method nobody reaches it any more.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

/// Sends, once.
pub(crate) struct SendEnd<T, S = ()>(End<T, S>);

/// Receives, once.
pub(crate) struct RecvEnd<T, S = ()> {
    end: End<T, S>,
    /// There is nothing to receive any more.
    over: bool,
}

// SAFETY: N2, N3: the ends move a value of `T` and wakers from one to the other, and share the rest.
unsafe impl<T: Send, S: Send + Sync> Send for End<T, S> {}
// SAFETY: by a shared borrow an end reaches the state and what is shared only.
unsafe impl<T: Send, S: Send + Sync> Sync for End<T, S> {}

/// Both ends.
#[track_caller]
#[inline]
pub(crate) fn pair<T>() -> (SendEnd<T>, RecvEnd<T>) {
    pair_with(())
}

/// Both ends, and what both look at.
#[track_caller]
#[inline]
pub(crate) fn pair_with<T, S>(shared: S) -> (SendEnd<T, S>, RecvEnd<T, S>) {
    let block = Box::new(Block {
        state: AtomicU8::new(0),
        resource: Resource::new(),
        id: Id::new(),
        value: Spot::new(),
        receiver: Spot::new(),
        sender: Spot::new(),
        shared,
    });
    let block = NonNull::from(Box::leak(block));
    (SendEnd(End(block, PhantomData)), RecvEnd { end: End(block, PhantomData), over: false })
}

/// An end that waits for the other one.
pub(crate) trait Waits {
    /// Does not wait any more.
    fn forget(&mut self);

    /// Which pair it is of, for those who look on.
    fn id(&self) -> Id;
}

/// Wakes, and lets no panic out.
#[inline]
fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        contain(|| {
            probe::firing(&waker);
            waker.wake();
        });
    }
}

impl<T, S> SendEnd<T, S> {
    /// Sends the value, and wakes who waits for it. An error: it is not received any more.
    #[inline]
    pub(crate) fn send(self, value: T) -> Result<(), T> {
        self.send_in_silence(value).map(wake)
    }

    /// Sends the value, and gives the waker of who waits for it. An error: it is not received any more.
    #[inline]
    pub(crate) fn send_in_silence(self, value: T) -> Result<Option<Waker>, T> {
        let this = ManuallyDrop::new(self);
        let block = this.0.block();
        // SAFETY: N2: nothing has ended yet.
        unsafe { block.value.write(value) };
        // SAFETY: the drop of this end, which would do so too, is not run.
        match unsafe { this.end(SENT) } {
            (None, waker) => Ok(waker),
            (Some(back), _) => Err(back),
        }
    }

    /// What both ends look at.
    #[inline(always)]
    pub(crate) fn shared(&self) -> &S {
        &self.0.block().shared
    }

    /// Sets `ENDED` with the bit `sent`, and leaves. Gives the value back, if there was one that nobody takes, and who waits.
    ///
    /// # Safety
    /// It is the last that this end does. With `SENT` there is a value in its place.
    #[inline]
    unsafe fn end(&self, sent: u8) -> (Option<T>, Option<Waker>) {
        let block = self.0.block();
        block.resource.touch(Access::Write);
        let all = ENDED | sent | SENDER_LEFT;
        // Relaxed, if that fails: what there is instead is found out by another exchange. Release: partner of the loads of the
        // receiver.
        if block.state.load(Ordering::Relaxed) == 0
            && block.state.compare_exchange(0, all, Ordering::Release, Ordering::Relaxed).is_ok()
        {
            return (None, None);
        }
        // A wait for the receiver to close that was leaked is over: the receiver may go without closing.
        // The drop of its waker may panic, and the receiver is to be told all the same.
        contain(|| {
            // SAFETY: these are of this end.
            unsafe { block.forget(&block.sender, SENDER_WAITS, CLOSED) };
        });
        // AcqRel: partner of the loads and exchanges of the receiver, both ways.
        let before = block.state.fetch_add(ENDED | sent, Ordering::AcqRel);
        // SAFETY: N2: this has found it closed, with a value in its place.
        let back = (before & CLOSED != 0 && sent != 0).then(|| unsafe { block.value.take() });
        // SAFETY: N3: this was the second bit.
        let waker = (before & RECEIVER_WAITS != 0).then(|| unsafe { block.receiver.take() });
        // SAFETY: by the contract of this method.
        unsafe { self.0.leave(SENDER_LEFT, RECEIVER_LEFT) };
        (back, waker)
    }

    /// Whether nothing is received any more.
    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        let block = self.0.block();
        block.resource.touch(Access::Read);
        // Acquire: who sees that it is closed sees what was done before.
        block.state.load(Ordering::Acquire) & CLOSED != 0
    }

    /// Waits until nothing is received any more. The waker is kept until then, or until it is [forgotten](Waits::forget).
    pub(crate) fn poll_closed(&mut self, cx: &Context<'_>) -> Poll<()> {
        let block = self.0.block();
        // SAFETY: these are of this end.
        match !self.is_closed() && unsafe { block.wait(&block.sender, SENDER_WAITS, CLOSED, cx.waker()) } {
            true => Poll::Pending,
            false => Poll::Ready(()),
        }
    }
}

impl<T, S> Waits for SendEnd<T, S> {
    fn forget(&mut self) {
        let block = self.0.block();
        block.resource.touch(Access::Write);
        // SAFETY: these are of this end.
        unsafe { block.forget(&block.sender, SENDER_WAITS, CLOSED) };
    }

    fn id(&self) -> Id {
        self.0.block().id
    }
}

impl<T, S> Drop for SendEnd<T, S> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: it is being dropped.
        let (_, waker) = unsafe { self.end(0) };
        wake(waker);
    }
}

impl<T, S> RecvEnd<T, S> {
    /// What both ends look at.
    #[inline(always)]
    pub(crate) fn shared(&self) -> &S {
        &self.end.block().shared
    }

    /// What was sent, or that nothing will be. Pending: it may still come.
    #[inline]
    pub(crate) fn take(&mut self) -> Poll<Option<T>> {
        if self.over {
            return Poll::Ready(None);
        }
        let block = self.end.block();
        block.resource.touch(Access::Write);
        // Acquire: partner of the exchanges of the sender that set it.
        let state = block.state.load(Ordering::Acquire);
        if state & ENDED == 0 {
            return Poll::Pending;
        }
        self.over = true;
        // SAFETY: N2: it is the receiver's, who was not over.
        Poll::Ready((state & SENT != 0).then(|| unsafe { block.value.take() }))
    }

    /// As [`take`](Self::take). The waker is kept until there is something, or until it is [forgotten](Waits::forget).
    #[inline]
    pub(crate) fn poll(&mut self, cx: &Context<'_>) -> Poll<Option<T>> {
        let taken = self.take();
        if taken.is_ready() {
            return taken;
        }
        let block = self.end.block();
        // SAFETY: these are of this end.
        match unsafe { block.wait(&block.receiver, RECEIVER_WAITS, ENDED, cx.waker()) } {
            true => Poll::Pending,
            false => self.take(),
        }
    }

    /// Has nothing sent any more; gives the waker of a sender that waits for that.
    pub(crate) fn close(&mut self) -> Option<Waker> {
        let block = self.end.block();
        block.resource.touch(Access::Write);
        // Relaxed: the receiver alone sets it.
        if self.over || block.state.load(Ordering::Relaxed) & CLOSED != 0 {
            return None;
        }
        // AcqRel: partner of the exchanges of the sender, both ways.
        let before = block.state.fetch_add(CLOSED, Ordering::AcqRel);
        self.over = before & SENT == 0;
        // SAFETY: N3: this was the second bit.
        (before & SENDER_WAITS != 0).then(|| unsafe { block.sender.take() })
    }

    /// Whether there is a value to receive, and whether nothing will be sent any more.
    pub(crate) fn looks(&self) -> (bool, bool) {
        let block = self.end.block();
        block.resource.touch(Access::Read);
        // Acquire: as in `take`.
        let state = block.state.load(Ordering::Acquire);
        (!self.over && state & SENT != 0, state & ENDED != 0)
    }

    /// Leaves a block which the sender has not been seen to leave.
    #[cold]
    fn leave(&mut self) {
        let block = self.end.block();
        // Relaxed: an exchange finds out what there is.
        let state = block.state.load(Ordering::Relaxed);
        // Nobody waits for anything: this may close and leave at once.
        if state == 0
            && block.state.compare_exchange(0, CLOSED | RECEIVER_LEFT, Ordering::Release, Ordering::Relaxed).is_ok()
        {
            return;
        }
        // Nobody is to be woken any more, and the sender, who would find the waker, may be under a lock. Its drop may panic, and the
        // sender is to be told all the same.
        contain(|| {
            // SAFETY: these are of this end.
            unsafe { block.forget(&block.receiver, RECEIVER_WAITS, ENDED) };
        });
        let waker = self.close();
        let value = match self.over {
            true => None,
            // SAFETY: N2: it was sent before this was closed, and is the receiver's, who was not over.
            false => Some(unsafe { self.end.block().value.take() }),
        };
        // SAFETY: it is being dropped.
        unsafe { self.end.leave(RECEIVER_LEFT, SENDER_LEFT) };
        wake(waker);
        drop(value);
    }
}

impl<T, S> Waits for RecvEnd<T, S> {
    fn forget(&mut self) {
        let block = self.end.block();
        block.resource.touch(Access::Write);
        // SAFETY: these are of this end.
        unsafe { block.forget(&block.receiver, RECEIVER_WAITS, ENDED) };
    }

    fn id(&self) -> Id {
        self.end.block().id
    }
}

impl<T, S> Drop for RecvEnd<T, S> {
    #[inline]
    fn drop(&mut self) {
        let block = self.end.block();
        block.resource.touch(Access::Write);
        // Acquire: partner of the exchange by which the sender left.
        let state = block.state.load(Ordering::Acquire);
        if state & SENDER_LEFT == 0 {
            return self.leave();
        }
        // SAFETY: N2: it is the receiver's, who was not over.
        let value = (!self.over && state & SENT != 0).then(|| unsafe { block.value.take() });
        // SAFETY: N4: the sender has left, and this is being dropped.
        unsafe { self.end.free() };
        drop(value);
    }
}

#[cfg(test)]
mod loom_tests;
