//! What the members of a spawned group share.
//!
//! The rules of this file stand in the room's invariants T1 to T5.

use super::outcome::{Cause, Label};
use super::tally::{How, Policy, Tally, Verdict};
use super::watch::Watch;
use crate::cancel::{Reason, Scope};
use crate::spawn::{Panic, Spawn};
use crate::sys::Arc;
use crate::sys::atomic::{AtomicUsize, Ordering};
use crate::sys::probe::Id;
use crate::wait::{Batch, Departure, Hall, Held, Line, Place};
use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::marker::PhantomData;
use core::task::Waker;

/// Those who wait until the group is over.
pub(super) const WAITERS: usize = 0;

/// The children of one kind: those that the group waits for, or those that serve them meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Main = 0,
    Background = 1,
}

/// What a group's hall is.
pub(super) struct Members<E>(PhantomData<fn(E)>);

pub(super) type Core<E> = Hall<Members<E>>;

impl<E> Place for Members<E> {
    type State = State<E>;
    type Shared = Shared;
    type Slot = ();
    type Lines = [Line<()>; 1];
    const PASSES_ON: bool = false;

    fn left(_: &mut Held<'_, Self>, _: Departure, (): &mut (), _: &mut Batch) {}
}

/// What is reached without the lock.
pub(super) struct Shared {
    pub(super) spawner: Box<dyn Spawn + Send + Sync>,
    pub(super) name: Cow<'static, str>,
    /// The group's own scope: that of its body, and around that of its main children.
    pub(super) scope: Scope,
    /// The scopes that children lie in, by side.
    pub(super) scopes: [Scope; 2],
    pub(super) watches: [Watch; 2],
    /// Changes, under the lock, whenever wakers are taken out of entries (T4).
    pub(super) epoch: AtomicUsize,
    pub(super) id: Id,
}

/// What the lock guards.
pub(super) struct State<E> {
    pub(super) tally: Tally<E>,
    entries: Vec<Entry>,
    /// The first unused entry of a list, or the number of entries.
    unused: usize,
    /// By side.
    pub(super) alive: [usize; 2],
    /// Handshakes that somebody waits for.
    pub(super) starting: usize,
    /// The body has ended, or was dropped.
    pub(super) body_gone: bool,
    /// Those in the background have been cancelled, as there is nobody left that they serve.
    dismissed: bool,
    /// Everybody is gone (T1).
    pub(super) over: bool,
}

enum Entry {
    /// The next unused one.
    Unused(usize),
    Child {
        label: Label,
        side: Side,
        waker: Option<Waker>,
    },
}

/// What has to be done outside the lock.
struct Chores {
    verdict: Verdict,
    dismiss: bool,
    over: bool,
}

impl<E> Core<E> {
    pub(super) fn open(
        spawner: Box<dyn Spawn + Send + Sync>,
        name: Cow<'static, str>,
        policy: Policy,
        scope: Scope,
        id: Id,
    ) -> Arc<Self> {
        let scopes = [scope.child(), Scope::new(scope.time().clone())];
        let watches = [Watch::new(), Watch::new()];
        let shared = Shared { spawner, name, scope, scopes, watches, epoch: AtomicUsize::new(0), id };
        let state = State {
            tally: Tally::new(policy),
            entries: Vec::new(),
            unused: 0,
            alive: [0; 2],
            starting: 0,
            body_gone: false,
            dismissed: false,
            over: false,
        };
        Arc::new(Hall::new(shared, state, [Line::new()]))
    }

    /// Lets a child in, and gives it the number of its entry. `Err`: the group is over.
    pub(super) fn admit(&self, label: Label, side: Side, starting: bool) -> Result<usize, Label> {
        self.with(|held| {
            let state = &mut *held.state;
            if state.over {
                return Err(label);
            }
            state.alive[side as usize] += 1;
            state.starting += usize::from(starting);
            let index = state.unused;
            let entry = Entry::Child { label, side, waker: None };
            match state.entries.get_mut(index) {
                None => {
                    state.entries.push(entry);
                    state.unused = state.entries.len();
                }
                Some(place) => {
                    let Entry::Unused(next) = core::mem::replace(place, entry) else { unreachable!("on the list") };
                    state.unused = next;
                }
            }
            Ok(index)
        })
    }

    /// Notes how a child's task is woken. Gives the epoch in which it was noted, and what is to be dropped outside.
    pub(super) fn register(&self, index: usize, waker: Waker) -> (usize, Option<Waker>) {
        self.with(|held| {
            let Entry::Child { waker: place, .. } = &mut held.state.entries[index] else {
                unreachable!("a child that is alive has an entry")
            };
            let old = place.replace(waker);
            // Relaxed: written under the lock.
            (held.shared.epoch.load(Ordering::Relaxed), old)
        })
    }

    /// Wakes one child.
    pub(super) fn wake_child(&self, index: usize) {
        self.wake(|held, batch| {
            if let Some(Entry::Child { waker, .. }) = held.state.entries.get_mut(index) {
                take_waker(waker, batch);
                next_epoch(held.shared);
            }
        });
    }

    /// Wakes all children of a side.
    pub(super) fn wake_side(&self, wanted: Side) {
        let mut at = 0;
        self.wake_to_end(|held, batch| {
            next_epoch(held.shared);
            while let (Some(entry), false) = (held.state.entries.get_mut(at), batch.is_full()) {
                match entry {
                    Entry::Child { side, waker, .. } if *side == wanted => take_waker(waker, batch),
                    _ => {}
                }
                at += 1;
            }
            at < held.state.entries.len()
        });
    }

    /// The body panicked when it was dropped.
    pub(super) fn body_panicked(&self, panic: Panic) {
        self.with(|held| held.state.tally.body_failed(Cause::Panic(panic)));
    }

    /// Counts a child out (T2).
    pub(super) fn ended(&self, index: usize, how: How<E>) {
        let (chores, waker) = self.with(|held| {
            let state = &mut *held.state;
            let unused = Entry::Unused(state.unused);
            let Entry::Child { label, side, waker } = core::mem::replace(&mut state.entries[index], unused) else {
                unreachable!("a child ends once")
            };
            state.unused = index;
            state.alive[side as usize] -= 1;
            let verdict = state.tally.ended(label, side == Side::Main, how);
            (state.look(verdict), waker)
        });
        drop(waker);
        self.attend(chores);
    }

    /// The body has ended, or is dropped; `verdict` says whom that cancels.
    pub(super) fn body_gone(&self, decide: impl FnOnce(&mut Tally<E>) -> Verdict) {
        let chores = self.with(|held| {
            held.state.body_gone = true;
            let verdict = decide(&mut held.state.tally);
            held.state.look(verdict)
        });
        self.attend(chores);
    }

    /// An error that went elsewhere has come back; its child has been counted.
    pub(super) fn failed_late(&self, label: Label, error: E) {
        let chores = self.with(|held| {
            let verdict = held.state.tally.failed(label, Cause::Error(error));
            held.state.look(verdict)
        });
        self.attend(chores);
    }

    /// Nobody waits for this handshake any more.
    pub(super) fn started(&self) {
        let chores = self.with(|held| {
            held.state.starting -= 1;
            held.state.look(Verdict::GoOn)
        });
        self.attend(chores);
    }

    /// Whether everybody is gone.
    pub(super) fn is_over(&self) -> bool {
        self.with(|held| held.state.over)
    }

    /// Calls `f` with the label and side of each child that is there.
    pub(super) fn each(&self, mut f: impl FnMut(&Label)) {
        self.with(|held| {
            for entry in &held.state.entries {
                if let Entry::Child { label, .. } = entry {
                    f(label);
                }
            }
        });
    }

    /// Does what follows from a change; should a waker panic, the rest while that unwinds.
    fn attend(&self, chores: Chores) {
        struct Rest<'a, E>(&'a Core<E>, Chores);
        impl<E> Drop for Rest<'_, E> {
            fn drop(&mut self) {
                self.0.do_next(&mut self.1);
            }
        }
        let mut rest = Rest(self, chores);
        rest.0.do_next(&mut rest.1);
    }

    fn do_next(&self, chores: &mut Chores) {
        let Shared { scope, scopes, watches, .. } = &self.shared;
        match core::mem::replace(&mut chores.verdict, Verdict::GoOn) {
            Verdict::GoOn => {}
            Verdict::CancelAll(reason) => {
                scope.cancel(reason);
            }
            Verdict::CancelMain(reason) => {
                scopes[Side::Main as usize].cancel(reason);
            }
        }
        if core::mem::take(&mut chores.dismiss) {
            let reason = scope.cause().map_or(Reason::parent(), |cause| cause.reason().clone());
            // Whom those in the background spawn from now on is not begun.
            scopes[Side::Main as usize].cancel(reason.clone());
            scopes[Side::Background as usize].cancel(reason);
        }
        if core::mem::take(&mut chores.over) {
            watches.iter().for_each(Watch::stop);
            self.wake_to_end(|held, batch| {
                while !batch.is_full() {
                    if !held.grant(WAITERS, batch) {
                        return false;
                    }
                }
                true
            });
        }
    }
}

impl<E> State<E> {
    /// Looks what follows from a change (T1, T3).
    fn look(&mut self, verdict: Verdict) -> Chores {
        let served = self.body_gone && self.alive[Side::Main as usize] == 0 && self.starting == 0;
        let dismiss = served && !self.dismissed && self.alive[Side::Background as usize] > 0;
        self.dismissed |= dismiss;
        let over = served && !self.over && self.alive == [0; 2];
        self.over |= over;
        Chores { verdict, dismiss, over }
    }
}

fn take_waker(place: &mut Option<Waker>, batch: &mut Batch) {
    if let Some(waker) = place.take() {
        batch.push(waker);
    }
}

fn next_epoch(shared: &Shared) {
    // Release: partner of the load of a child that looks whether its waker is still noted; what was done before its waker
    // is taken, it sees.
    let next = shared.epoch.load(Ordering::Relaxed).wrapping_add(1);
    shared.epoch.store(next, Ordering::Release);
}
