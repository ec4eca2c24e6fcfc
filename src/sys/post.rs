//! A value that one party sends to another, once, and the waker of who waits for it, without a lock.
//!
//! What is sent stays where it is until the receiver takes it, or the post is dropped. Sending costs one atomic exchange, a
//! wait one more, and receiving what has come a load.
//!
//! # Invariants
//!
//! - **P1** There is one sender and one receiver, each on one thread at a time. The receiver alone makes `WAITING` or `EMPTY` of
//!   the state, the sender alone `SENT`; once it is `SENT`, the sender does not come back to the value.
//! - **P2** There is a value while the state has `SENT`. It is reached by the sender until then, and by the receiver from then on;
//!   by the sender alone when the state is `GONE`.
//! - **P3** There is a waker while the state is `WAITING`. It is written by the receiver, before it makes `WAITING` of the
//!   state, and after it has seen `EMPTY`: when it is `SENT`, the sender may still be taking the one before. Who finds in an
//!   exchange that it was `WAITING` takes it.
#![expect(unsafe_code, reason = "a value and a waker are reached by one of two parties, as an atomic state says")]

use super::atomic::{AtomicU8, Ordering};
use super::cell::Cell;
use super::probe::{self, Access, Resource};
use core::mem::MaybeUninit;
use core::task::{Context, Poll, Waker};

/// Nothing was sent, and nobody waits.
const EMPTY: u8 = 0;
/// Nothing was sent, and the receiver waits.
const WAITING: u8 = 1;
/// The receiver is gone, with what was sent before.
const GONE: u8 = 2;
/// Something was sent; beside this bit stands its mark.
const SENT: u8 = 1 << 7;

pub(crate) struct Post<T> {
    state: AtomicU8,
    resource: Resource,
    value: Cell<MaybeUninit<T>>,
    waker: Cell<MaybeUninit<Waker>>,
}

// SAFETY: P2 and P3: sender and receiver hand a value and wakers from one to the other.
unsafe impl<T: Send> Send for Post<T> {}
// SAFETY: as above; by P1, nobody looks at a value that somebody else looks at.
unsafe impl<T: Send> Sync for Post<T> {}

/// What became of what was sent.
pub(crate) enum Sent<T> {
    /// It is there, for one who is to be woken by this.
    There(Option<Waker>),
    /// The receiver is gone.
    Back(T),
}

impl<T> Post<T> {
    #[inline]
    pub(crate) fn new() -> Self {
        Self {
            state: AtomicU8::new(EMPTY),
            resource: Resource::new(),
            value: Cell::new(MaybeUninit::uninit()),
            waker: Cell::new(MaybeUninit::uninit()),
        }
    }

    /// Where the value is, if there is one.
    #[inline]
    fn value(&self) -> *mut T {
        self.value.write().cast()
    }

    /// Sends the value, with a mark less than 128.
    ///
    /// # Panics
    /// If one was sent before.
    ///
    /// # Safety
    /// The caller is the sender (P1).
    #[inline]
    pub(super) unsafe fn send(&self, value: T, mark: u8) -> Sent<T> {
        self.resource.touch(Access::Write);
        // Relaxed: the sender alone makes it `SENT`.
        assert!(self.state.load(Ordering::Relaxed) & SENT == 0, "a value is sent once");
        // SAFETY: P2: it is not `SENT`, so the sender has the place, in which there is no value.
        unsafe { self.value().write(value) };
        // Release: partner of the loads and exchanges of the receiver, who then reads the value. Acquire: partner of the exchange
        // in `poll`, in whose waker the sender reads.
        match self.state.swap(SENT | mark, Ordering::AcqRel) {
            // SAFETY: P3: this exchange has found it.
            WAITING => Sent::There(Some(unsafe { self.take_waker() })),
            GONE => {
                // Relaxed: nobody else looks any more.
                self.state.store(GONE, Ordering::Relaxed);
                // SAFETY: P2: it was written above, and the receiver is gone.
                Sent::Back(unsafe { self.value().read() })
            }
            _ => Sent::There(None),
        }
    }

    /// The mark of what was sent, for anybody, unless the receiver is gone.
    #[inline]
    pub(crate) fn mark(&self) -> Option<u8> {
        self.resource.touch(Access::Read);
        // Acquire: who sees that it was sent sees what was done before.
        let state = self.state.load(Ordering::Acquire);
        (state & SENT != 0).then_some(state & !SENT)
    }

    /// What was sent, to be changed.
    ///
    /// # Safety
    /// The caller is the receiver (P1), and has not kept what this gave before.
    #[expect(clippy::mut_from_ref, reason = "the receiver is what makes it exclusive")]
    #[inline]
    pub(super) unsafe fn get_mut(&self) -> Option<&mut T> {
        self.resource.touch(Access::Write);
        // SAFETY: P2, by the contract of this method.
        self.is_sent().then(|| unsafe { &mut *self.value() })
    }

    /// Whether something was sent, for its receiver.
    #[inline]
    fn is_sent(&self) -> bool {
        // Acquire: partner of the exchange in `send`.
        self.state.load(Ordering::Acquire) & SENT != 0
    }

    /// What was sent, to be changed. The waker is kept until it is there.
    ///
    /// # Safety
    /// As that of [`get_mut`](Self::get_mut).
    #[expect(clippy::mut_from_ref, reason = "the receiver is what makes it exclusive")]
    #[inline]
    pub(super) unsafe fn poll(&self, cx: &Context<'_>) -> Poll<&mut T> {
        // SAFETY: by the contract of this method.
        if !self.is_sent() && !unsafe { self.wait(cx.waker()) } {
            return Poll::Pending;
        }
        // SAFETY: by the contract of this method.
        unsafe { self.get_mut() }.map_or(Poll::Pending, Poll::Ready)
    }

    /// Keeps the waker until something is sent. Whether it is there already.
    ///
    /// # Safety
    /// The caller is the receiver (P1).
    #[inline(never)]
    unsafe fn wait(&self, waker: &Waker) -> bool {
        self.resource.touch(Access::Write);
        // Relaxed: what is seen is what the receiver has made of it, or that something was sent, for which `poll` looks anew.
        match self.state.load(Ordering::Relaxed) {
            EMPTY => {}
            WAITING => {
                // SAFETY: P3: there is one, which only the receiver writes. If the sender takes it meanwhile, its words stay there,
                // which are all that is compared.
                if unsafe { &*self.waker.read().cast::<Waker>() }.will_wake(waker) {
                    return false;
                }
                // SAFETY: by the contract of this method.
                if !unsafe { self.forget() } {
                    return true;
                }
            }
            _ => return true,
        }
        probe::keeping(waker);
        let waker = waker.clone();
        // SAFETY: P3: it is `EMPTY`, or was when it became `SENT`: the sender does not look for a waker.
        unsafe { self.waker.write().write(MaybeUninit::new(waker)) };
        // Release: partner of the exchange in `send`. Relaxed: as above.
        match self.state.compare_exchange(EMPTY, WAITING, Ordering::Release, Ordering::Relaxed) {
            Ok(_) => false,
            Err(_) => {
                // SAFETY: P3: it was written above, and has not been given away.
                drop(unsafe { self.take_waker() });
                true
            }
        }
    }

    /// Nobody waits any more. False: something was sent, and the sender may be about to take the waker.
    ///
    /// # Safety
    /// The caller is the receiver (P1).
    pub(super) unsafe fn forget(&self) -> bool {
        self.resource.touch(Access::Write);
        // Acquire: so that a sender who came first is seen. There is nothing to release.
        match self.state.compare_exchange(WAITING, EMPTY, Ordering::Acquire, Ordering::Acquire) {
            Ok(_) => {
                // SAFETY: P3: this exchange has found it.
                drop(unsafe { self.take_waker() });
                true
            }
            Err(state) => state == EMPTY,
        }
    }

    /// The receiver goes, with what was sent.
    ///
    /// # Safety
    /// The caller is the receiver (P1), and has not kept what this gave. It does nothing else afterwards.
    pub(super) unsafe fn leave(&self) -> Option<T> {
        self.resource.touch(Access::Write);
        // AcqRel: partner of the exchange in `send`, both ways.
        match self.state.swap(GONE, Ordering::AcqRel) {
            // SAFETY: P2: it was `SENT`, and nobody looks there again.
            state if state & SENT != 0 => Some(unsafe { self.value().read() }),
            WAITING => {
                // SAFETY: P3: this exchange has found it.
                drop(unsafe { self.take_waker() });
                None
            }
            _ => None,
        }
    }

    /// # Safety
    /// There is a waker, and it is the caller's (P3).
    #[inline]
    unsafe fn take_waker(&self) -> Waker {
        // SAFETY: by the contract of this method.
        unsafe { self.waker.read().cast::<Waker>().read() }
    }
}

impl<T> Drop for Post<T> {
    #[inline]
    fn drop(&mut self) {
        // Relaxed: whoever drops it has it alone.
        match self.state.load(Ordering::Relaxed) {
            // SAFETY: P2.
            state if state & SENT != 0 => unsafe { self.value().drop_in_place() },
            // SAFETY: P3.
            WAITING => drop(unsafe { self.take_waker() }),
            _ => {}
        }
    }
}
