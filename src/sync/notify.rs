//! A signal that passes: to one who waits, or to all.
//!
//! # Invariants
//!
//! - **N1** `word` holds `WAITING` exactly while somebody is in line, as of the last time that the lock was left, and above
//!   it how many signals for one were given that nobody has taken.
//! - **N2** While `WAITING` is set, only the holder of the lock takes signals; so nobody overtakes those in line.
//! - **N3** Whoever adds a signal and finds `WAITING` set settles: hands out what signals there are. When a call ends, there
//!   is no signal beside a line, unless somebody else is about to settle.
//! - **N4** Signals that nobody waits for count as one.

use super::line::{self, ALONE, LINE, Outgoing};
use crate::sys::Arc;
use crate::sys::atomic::{AtomicUsize, Ordering};
use crate::sys::probe::{self, Access};
use crate::wait::{Batch, Departure, Hall, Held, Line, Place, Seen, Waiter};
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use pin_project_lite::pin_project;

/// Somebody is in line.
const WAITING: usize = 1;
/// One signal.
const SIGNAL: usize = 2;
/// So many signals that they have to be counted as one before there are too many.
const MANY: usize = 1 << (usize::BITS - 1);

/// What waits for signals.
struct Signals;

struct Shared {
    word: AtomicUsize,
    /// How often all were notified: changed under the lock.
    rounds: AtomicUsize,
    id: probe::Id,
}

impl Place for Signals {
    /// How often all were notified.
    type State = u64;
    type Shared = Shared;
    /// How often all had been notified when this one joined.
    type Slot = u64;
    type Lines = [Line<u64>; 1];
    const PASSES_ON: bool = true;

    fn left(held: &mut Held<'_, Self>, departure: Departure, round: &mut u64, batch: &mut Batch) {
        if matches!(departure, Departure::Grant(_)) && *round == ALONE && !line::choose(held, LINE, batch) {
            // Release: as the signal that is given back.
            held.shared.word.fetch_add(SIGNAL, Ordering::Release);
        }
        held.tell();
    }
}

impl Held<'_, Signals> {
    /// Keeps N1 after somebody left the line.
    #[inline]
    fn tell(&mut self) {
        // Relaxed, twice: the bit is changed under the lock only, and tells nothing but that there is no line.
        if self.is_empty(LINE) && self.shared.word.load(Ordering::Relaxed) & WAITING != 0 {
            self.shared.word.fetch_and(!WAITING, Ordering::Relaxed);
        }
    }

    /// Hands out the signals there are (N3), until `out` is full. True: more are left to hand out.
    fn settle(&mut self, out: &mut impl Outgoing) -> bool {
        // Acquire: partner of the releasing adds of those who notified, which goes on to those who are woken.
        let mut signals = self.shared.word.fetch_and(WAITING, Ordering::Acquire) / SIGNAL;
        while signals > 0 && !out.is_full() && line::choose(self, LINE, out) {
            signals -= 1;
        }
        let more = !self.is_empty(LINE);
        // Release: as the signals that are put back.
        match signals {
            0 => {}
            _ if more => drop(self.shared.word.fetch_add(signals * SIGNAL, Ordering::Release)),
            _ => drop(self.shared.word.fetch_add(SIGNAL, Ordering::Release)),
        }
        self.tell();
        more && signals > 0
    }

    /// Lets go whoever joined before round `until`. True: there are more.
    fn let_go(&mut self, until: u64, out: &mut impl Outgoing) -> bool {
        let more = line::let_go(self, LINE, until, out);
        self.tell();
        more
    }

    /// Takes the signal, or says that somebody waits (N1).
    fn take_or_wait(&mut self) -> bool {
        let mut word = self.shared.word.load(Ordering::Relaxed);
        while word & WAITING == 0 {
            let (taken, new) = if word == 0 { (false, WAITING) } else { (true, 0) };
            // Acquire: partner of the releasing add of whoever notified.
            match self.shared.word.compare_exchange_weak(word, new, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return taken,
                Err(now) => word = now,
            }
        }
        false
    }
}

impl Hall<Signals> {
    /// Takes the signal, if there is one and nobody waits.
    #[inline]
    fn take(&self) -> bool {
        let mut word = self.look().word.load(Ordering::Relaxed);
        while word >= SIGNAL && word & WAITING == 0 {
            // Acquire: partner of the releasing add of whoever notified.
            self.touch(Access::Write);
            match self.shared.word.compare_exchange_weak(word, 0, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
        false
    }

    fn rounds(&self) -> usize {
        // Acquire: partner of the releasing store in `notify_all`.
        self.look().rounds.load(Ordering::Acquire)
    }

    #[inline(never)]
    fn settle(&self) {
        let mut first = None;
        let more = self.with(|held| held.settle(&mut first));
        line::wake(self, first, more, |held, batch| held.settle(batch));
    }
}

/// A signal for one of those who wait, or for all. Clones are the same.
///
/// For "look again": the state itself is elsewhere, under a lock of its own or in atomics. A signal for one that nobody
/// waits for is kept for the next who comes, but only one; a signal for all is not kept. For a state that stays, take
/// [`Event`](super::Event); to wait for a condition on what a mutex guards, [`Condition`](super::Condition); to hand out a
/// number of things, [`Semaphore`](super::Semaphore).
///
/// # Fairness
/// First come, first served, counted from the first poll. Who is notified can't be overtaken by who comes later.
///
/// # Examples
/// ```
/// use std::sync::Mutex;
/// use std::sync::Arc;
/// use wakeful::sync::Notify;
///
/// #[derive(Clone, Default)]
/// struct Inbox {
///     mail: Arc<Mutex<Vec<&'static str>>>,
///     arrived: Notify,
/// }
///
/// impl Inbox {
///     fn put(&self, letter: &'static str) {
///         self.mail.lock().unwrap().push(letter);
///         self.arrived.notify_one();
///     }
///
///     async fn take(&self) -> Vec<&'static str> {
///         loop {
///             let mail = std::mem::take(&mut *self.mail.lock().unwrap());
///             if !mail.is_empty() {
///                 return mail;
///             }
///             self.arrived.notified().await;
///         }
///     }
/// }
///
/// wakeful::sim::check(|sim| async move {
///     let inbox = Inbox::default();
///     let postman = inbox.clone();
///     sim.spawn("postman", async move { postman.put("a letter") });
///     assert_eq!(inbox.take().await, ["a letter"]);
/// });
/// ```
#[derive(Clone)]
pub struct Notify {
    signals: Arc<Hall<Signals>>,
}

impl Notify {
    /// One that nobody has notified.
    #[track_caller]
    #[must_use]
    pub fn new() -> Self {
        let shared = Shared { word: AtomicUsize::new(0), rounds: AtomicUsize::new(0), id: probe::Id::new() };
        Self { signals: Arc::new(Hall::new(shared, 0, [Line::new()])) }
    }

    /// Wakes the first of those who wait. If nobody waits, the next who comes goes on at once; a second signal is not kept
    /// then.
    ///
    /// # Examples
    /// ```
    /// use wakeful::sync::Notify;
    ///
    /// wakeful::sim::run(|_| async move {
    ///     let notify = Notify::new();
    ///     notify.notify_one();
    ///     notify.notified().await;
    /// });
    /// ```
    #[inline]
    pub fn notify_one(&self) {
        // Release: partner of the acquiring exchange of whoever takes the signal.
        self.signals.touch(Access::Write);
        let word = self.signals.shared.word.fetch_add(SIGNAL, Ordering::Release);
        if word & (WAITING | MANY) != 0 {
            self.signals.settle();
        }
    }

    /// Wakes all who wait, those included that were made before and not polled yet. Nothing is kept for who comes later.
    ///
    /// # Examples
    /// ```
    /// use wakeful::sync::Notify;
    ///
    /// wakeful::sim::run(|_| async move {
    ///     let notify = Notify::new();
    ///     let notified = notify.notified();
    ///     // Look at the state here: what changes from now on is heard of.
    ///     notify.notify_all();
    ///     notified.await;
    /// });
    /// ```
    pub fn notify_all(&self) {
        let mut first = None;
        let (until, more) = self.signals.with(|held| {
            *held.state += 1;
            let until = *held.state;
            // Release: partner of the acquiring load of whoever is not in line.
            held.shared.rounds.store(until as usize, Ordering::Release);
            (until, held.let_go(until, &mut first))
        });
        line::wake(&self.signals, first, more, |held, batch| held.let_go(until, batch));
    }

    /// Waits to be notified.
    ///
    /// A [`notify_all`](Self::notify_all) counts from this call on, a [`notify_one`](Self::notify_one) from the first poll
    /// or from [`Notified::enable`].
    #[inline]
    pub fn notified(&self) -> Notified<'_> {
        Notified { born: self.signals.rounds(), waiter: Waiter::new(&*self.signals, 0), seen: Seen::NONE }
    }
}

impl Default for Notify {
    #[track_caller]
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.signals.look().word.load(Ordering::Relaxed);
        f.debug_struct("Notify").field("signal", &(word >= SIGNAL)).field("awaited", &(word & WAITING != 0)).finish()
    }
}

pin_project! {
    /// Waits for a signal; made by [`Notify::notified`].
    ///
    /// # Fairness
    /// First come, first served, counted from the first poll or from [`enable`](Self::enable).
    ///
    /// # Cancel safety
    /// Dropping it gives up its place in line. A signal for one that it was given and has not returned goes to the next in
    /// line, or is kept for who comes next.
    #[must_use = "it waits for nothing unless it is awaited"]
    pub struct Notified<'a> {
        #[pin]
        waiter: Waiter<Signals, &'a Hall<Signals>>,
        seen: Seen,
        born: usize,
    }
}

impl Notified<'_> {
    /// Joins the line without waiting, or takes a signal that is there. True: it has been notified.
    ///
    /// For several who wait for signals for one: each enables its future, then looks at the state, then awaits the future.
    /// So each signal given since then reaches another one of them, instead of being kept only once.
    ///
    /// # Examples
    /// ```
    /// use core::pin::pin;
    /// use wakeful::sync::Notify;
    ///
    /// wakeful::sim::run(|_| async move {
    ///     let notify = Notify::new();
    ///     let (mut first, mut second) = (pin!(notify.notified()), pin!(notify.notified()));
    ///     assert!(!first.as_mut().enable() && !second.as_mut().enable());
    ///     notify.notify_one();
    ///     notify.notify_one();
    ///     first.await;
    ///     second.await;
    /// });
    /// ```
    pub fn enable(self: Pin<&mut Self>) -> bool {
        let this = self.project();
        let signals = *this.waiter.as_ref().home();
        if this.waiter.is_granted() {
            return true;
        }
        this.waiter.as_ref().with(|seat| {
            if seat.is_waiting() || seat.is_granted() {
                return seat.is_granted();
            }
            let round = *seat.held.state;
            let with_all = signals.rounds() != *this.born;
            let alone = !with_all && seat.held.take_or_wait();
            *seat.slot() = if alone { ALONE } else { round };
            if alone || with_all {
                seat.grant();
            } else {
                // Without a waker, so there is none to be dropped.
                let none = seat.join(LINE, None);
                debug_assert!(none.is_none());
            }
            alone || with_all
        })
    }
}

impl Future for Notified<'_> {
    type Output = ();

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let signals = *this.waiter.as_ref().home();
        if this.waiter.as_mut().accept() {
            return Poll::Ready(());
        }
        let born = *this.born;
        let waiter = this.waiter.as_ref();
        if !waiter.is_waiting() && (signals.rounds() != born || signals.take()) {
            return Poll::Ready(());
        }
        let notified = line::look_or_join(waiter, this.seen, cx, LINE, |seat, granted| {
            *seat.slot() = *seat.held.state;
            (granted || signals.rounds() != born || seat.held.take_or_wait()).then_some(())
        });
        match notified {
            Some(()) => Poll::Ready(()),
            None => {
                probe::waiting("notify", Some(signals.shared.id), u64::MAX);
                Poll::Pending
            }
        }
    }
}

impl fmt::Debug for Notified<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notified").field("waiting", &self.waiter.is_waiting()).finish_non_exhaustive()
    }
}
