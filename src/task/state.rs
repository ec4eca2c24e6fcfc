//! What the members of a spawned group share.
//!
//! The rules of this file stand in the room's invariants T1 to T5.

use super::names::Names;
use super::outcome::{Cause, Refusal};
use super::seats::Seats;
use super::tally::{How, Policy, Tally, Verdict};
use super::watch::Watch;
use crate::cancel::{KeepOpen, Reason, Scope};
use crate::spawn::{Panic, Spawn};
use crate::sys::Arc;
use crate::sys::atomic::{AtomicUsize, Ordering};
use crate::sys::joint::Label;
use crate::sys::probe::{self, Id};
use crate::sys::row::{self, Rows};
use crate::sys::thread::contain;
use crate::wait::{self, Batch, Departure, Hall, Held, Line};
use alloc::borrow::Cow;
use alloc::boxed::Box;
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

impl<E> wait::Place for Members<E> {
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
    pub(super) names: Names,
    /// By side.
    seats: [Seats; 2],
    /// Where children lie.
    rows: Rows,
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
    /// Keeps the scopes around a group that was dropped from moving on.
    open: Option<KeepOpen>,
}

/// What a child has in its group.
#[derive(Clone, Copy)]
pub(super) struct Place {
    seat: u32,
    name: u32,
    pub(super) side: Side,
}

/// What has to be done outside the lock.
struct Chores {
    verdict: Verdict,
    dismiss: bool,
    /// Cancels those in the background, the last part of dismissing them.
    release: bool,
    over: bool,
}

impl Chores {
    #[inline]
    fn any(&self) -> bool {
        self.dismiss || self.release || self.over || self.verdict != Verdict::GoOn
    }
}

impl<E> Core<E> {
    pub(super) fn open(
        spawner: Box<dyn Spawn + Send + Sync>,
        name: Cow<'static, str>,
        policy: Policy,
        scope: Scope,
        id: Id,
    ) -> Arc<Self> {
        let scopes = [scope.child_node(), Scope::new(scope.time().clone())];
        let watches = [Watch::new(), Watch::new()];
        let shared = Shared { spawner, name, scope, scopes, watches, epoch: AtomicUsize::new(0), id };
        let state = State {
            tally: Tally::new(policy),
            names: Names::default(),
            seats: Default::default(),
            rows: Rows::new(),
            alive: [0; 2],
            starting: 0,
            body_gone: false,
            dismissed: false,
            over: false,
            open: None,
        };
        Arc::new(Hall::new(shared, state, [Line::new()]))
    }

    /// Lets a child in, and takes room for it.
    pub(super) fn admit<J>(
        &self,
        label: &Label,
        side: Side,
        starting: bool,
    ) -> Result<(Place, row::Place<J>), Refusal> {
        let scope = &self.shared.scope;
        // Rule j. In a scope that is cancelled already, the child is not begun.
        let drains = scope.is_draining() && !scope.is_cancelled();
        self.with(|held| {
            let state = &mut *held.state;
            match (state.over, drains) {
                (true, _) => return Err(Refusal::Over),
                (false, true) => return Err(Refusal::Draining),
                (false, false) => {}
            }
            state.alive[side as usize] += 1;
            state.starting += usize::from(starting);
            let place = Place { seat: state.seats[side as usize].take(), name: state.names.enter(label), side };
            Ok((place, state.rows.take()))
        })
    }

    /// Notes how a child's task is woken. Gives the epoch in which it was noted, and what is to be dropped outside.
    pub(super) fn register(&self, place: Place, waker: Waker) -> (usize, Option<Waker>) {
        probe::keeping(&waker);
        self.with(|held| {
            let old = held.state.seats[place.side as usize].at(place.seat).replace(waker);
            // Relaxed: written under the lock.
            (held.shared.epoch.load(Ordering::Relaxed), old)
        })
    }

    /// Wakes one child.
    pub(super) fn wake_child(&self, place: Place) {
        self.wake(|held, batch| {
            take_waker(held.state.seats[place.side as usize].at(place.seat), batch);
            next_epoch(held.shared);
        });
    }

    /// Wakes all children of a side.
    pub(super) fn wake_side(&self, side: Side) {
        let mut at = 0;
        self.wake_to_end(|held, batch| {
            next_epoch(held.shared);
            let seats = &mut held.state.seats[side as usize];
            while at < seats.count() && !batch.is_full() {
                take_waker(seats.at(at), batch);
                at += 1;
            }
            at < seats.count()
        });
    }

    /// The body panicked when it was dropped.
    pub(super) fn body_panicked(&self, panic: Panic) {
        self.with(|held| held.state.tally.body_failed(Cause::Panic(panic)));
    }

    /// Counts a child out (T2).
    pub(super) fn ended(&self, place: Place, label: &Label, how: How<E>) {
        let (chores, waker) = self.with(|held| {
            let (state, side) = (&mut *held.state, place.side);
            let waker = state.seats[side as usize].give_back(place.seat);
            state.names.leave(place.name);
            state.alive[side as usize] -= 1;
            let verdict = state.tally.ended(|| label, side == Side::Main, how);
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

    /// Keeps an error of a child whose end is counted otherwise, or was before.
    pub(super) fn failed_late(&self, label: Label, error: E) {
        let chores = self.with(|held| {
            let verdict = held.state.tally.failed(label, Cause::Error(error));
            held.state.look(verdict)
        });
        self.attend(chores);
    }

    /// Lets the scopes around the group wait for its end.
    pub(super) fn keep_open(&self) {
        let open = self.shared.scope.keep_open();
        let unused = self.with(|held| match held.state.over {
            true => Some(open),
            false => held.state.open.replace(open),
        });
        drop(unused);
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

    /// Does what follows from a change; should a waker panic, the rest while that unwinds.
    #[inline]
    fn attend(&self, chores: Chores) {
        if chores.any() {
            self.attend_to(chores);
        }
    }

    #[cold]
    fn attend_to(&self, chores: Chores) {
        struct Rest<'a, E>(&'a Core<E>, Chores);
        impl<E> Drop for Rest<'_, E> {
            fn drop(&mut self) {
                while self.1.any() {
                    contain(|| self.0.do_next(&mut self.1));
                }
            }
        }
        let mut rest = Rest(self, chores);
        rest.0.do_next(&mut rest.1);
    }

    fn do_next(&self, chores: &mut Chores) {
        let Shared { scope, scopes, watches, .. } = &self.shared;
        let why = || scope.cause().map_or(Reason::parent(), |cause| cause.reason().clone());
        match core::mem::replace(&mut chores.verdict, Verdict::GoOn) {
            Verdict::GoOn => {}
            Verdict::CancelAll(reason) => {
                scope.cancel(*reason);
            }
            Verdict::CancelMain(reason) => {
                scopes[Side::Main as usize].cancel(*reason);
            }
        }
        if core::mem::take(&mut chores.dismiss) {
            chores.release = true;
            // Whom those in the background spawn from now on is not begun.
            scopes[Side::Main as usize].cancel(why());
        }
        if core::mem::take(&mut chores.release) {
            scopes[Side::Background as usize].cancel(why());
        }
        if core::mem::take(&mut chores.over) {
            watches.iter().for_each(Watch::stop);
            drop(self.with(|held| held.state.open.take()));
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
        Chores { verdict, dismiss, release: false, over }
    }
}

fn take_waker(seat: &mut Option<Waker>, batch: &mut Batch) {
    if let Some(waker) = seat.take() {
        batch.push(waker);
    }
}

fn next_epoch(shared: &Shared) {
    // Release: partner of the load of a child that looks whether its waker is still noted; what was done before its waker
    // is taken, it sees.
    let next = shared.epoch.load(Ordering::Relaxed).wrapping_add(1);
    shared.epoch.store(next, Ordering::Release);
}
