//! What a run has to wait for although its scope is cancelled or its body is done: shields inside its body, local groups there
//! that have somebody in the background, and groups that were left behind.
//!
//! # Invariants
//!
//! - **H1** A hold is a node below the scopes whose runs it concerns. It is in force while its flag `SHIELD` is raised.
//! - **H2** Each scope around a hold lists it with the number of the run concerned: one that was polling on the same stack,
//!   or was dropping its body, when the hold was placed. Its flag `HOLDS` is raised while the list is not empty.
//! - **H3** Who waits for a hold stands in the line `WAITERS` of its node, and looks at the flag after joining; whoever lowers
//!   the flag sweeps the node afterwards.
//! - **H4** While somebody is in the background of a local group, the runs around the group keep it, so that those are cancelled
//!   last, and may do what they have to. Runs in the group's own scope end by themselves then: the others wait for them.
//! - **H5** Nobody waits for what is not polled any more: not for a shield longer than its budget, whether it is polled or not, and
//!   for a group no longer than it is polled when it is woken.

use super::reach::Cover;
use super::scope::Scope;
use super::sweep::{join, sweep};
use super::tree::{self, APART, Branch, HOLDS, SHIELD, TreeWaiter, WAITERS};
use super::view::View;
use super::watch::set_sleep;
use crate::sys::slot;
use crate::sys::thread::contain;
use crate::sys::{Arc, Weak};
use crate::time::{Instant, Sleep, Time};
use crate::wait::Seen;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Waker};
use pin_project_lite::pin_project;

/// An entry in a scope's list.
pub(super) struct Hold {
    run: usize,
    kind: Kind,
    node: Weak<Branch>,
}

/// What a hold keeps from happening.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The run does not drop its body.
    Shield,
    /// Nor here, as there is somebody in the background of a local group, whose scope the node hangs on; but it is left to
    /// those who run in that group's scope to end themselves (H4).
    Service,
    /// The run does not end.
    Group,
    /// Nothing; it says that the run ends by itself, whatever is cancelled around it, since something is done afterwards.
    Cleanup,
}

/// Lists the hold `node` with each run on this stack whose scope is around it (H2); those that keep bodies, up to a scope that
/// stands apart.
pub(super) fn place(node: &Arc<Branch>, kind: Kind) {
    let mut at = node.shared.parent();
    while let Some(scope) = at {
        if kind != Kind::Group && scope.look().flags() & APART != 0 {
            return;
        }
        let is = |host: &Scope| View::Shared(scope).is(host);
        slot::each_run(&scope.shared.mark, is, |run| list(scope, run, kind, node));
        at = scope.shared.parent();
    }
}

/// Lists a hold as [`place`] does, unless that has been done: the innermost run around it is `within` still. `also` lists it
/// further.
pub(super) fn place_anew(
    within: &mut Option<usize>,
    kind: Kind,
    node: impl FnOnce() -> Arc<Branch>,
    also: impl FnOnce(&Arc<Branch>),
) {
    let now = slot::innermost::<Scope>();
    if *within != Some(now) {
        let (node, moved) = (node(), within.replace(now).is_some());
        if moved {
            lift(&node);
        }
        place(&node, kind);
        also(&node);
        if moved {
            // The runs that it was in may wait for it, and need not any more.
            sweep(&node);
        }
    }
}

/// Lists the hold `node` with a run of `scope`.
pub(super) fn list(scope: &Branch, run: usize, kind: Kind, node: &Arc<Branch>) {
    let hold = Hold { run, kind, node: Arc::downgrade(node) };
    scope.with(|held| {
        held.state.holds().push(hold);
        held.shared.change(HOLDS, 0);
    });
}

/// Takes the hold `node` off all lists.
pub(super) fn lift(node: &Branch) {
    let mut at = node.shared.parent();
    while let Some(scope) = at {
        remove(scope, |hold| core::ptr::eq(hold.node.as_ptr(), node));
        at = scope.shared.parent();
    }
}

/// Forgets what is listed with a run that is over.
pub(super) fn forget(scope: &Scope, run: usize) {
    if let View::Shared(branch) = scope.view() {
        remove(branch, |hold| hold.run == run);
    }
}

/// Takes the hold `node` off the list for one run, which has waited enough for it.
pub(super) fn pass(scope: &Scope, run: usize, node: &Branch) {
    if let View::Shared(branch) = scope.view() {
        remove(branch, |hold| hold.run == run && core::ptr::eq(hold.node.as_ptr(), node));
    }
}

fn remove(scope: &Branch, is: impl Fn(&Hold) -> bool) {
    while scope.look().flags() & HOLDS != 0 {
        // Dropped outside the lock, as it may free the node.
        let removed = scope.with(|held| {
            let holds = held.state.holds();
            let removed = holds.iter().position(&is).map(|at| holds.swap_remove(at));
            let rest = if holds.is_empty() { HOLDS } else { 0 };
            held.shared.change(0, rest);
            removed
        });
        if removed.is_none() {
            return;
        }
    }
}

/// The holds in force that concern a run of `view`.
pub(super) fn of_run(view: View<'_>, run: usize) -> impl Iterator<Item = (Kind, Arc<Branch>)> {
    let found: Vec<(Kind, Weak<Branch>)> = match view {
        View::Shared(branch) if branch.look().flags() & HOLDS != 0 => branch.with(|held| {
            let holds = held.state.holds().iter();
            holds.filter(|hold| hold.run == run).map(|hold| (hold.kind, hold.node.clone())).collect()
        }),
        _ => Vec::new(),
    };
    found.into_iter().filter_map(|(kind, node)| Some((kind, node.upgrade()?))).filter(|(_, node)| is_in_force(node))
}

fn is_in_force(node: &Branch) -> bool {
    node.look().flags() & SHIELD != 0
}

/// Waits for holds, with a place in line that is made when it is first needed.
pub(super) struct Rest(Option<Pin<Box<Spot>>>);

pin_project! {
    struct Spot {
        #[pin]
        waiter: TreeWaiter,
        seen: Seen,
        // The polls that were counted when it was last looked, and for how many polls of this one they have been that many.
        polls: Option<usize>,
        idle: u8,
        // The end of a budget.
        #[pin]
        end: Option<Sleep>,
    }
}

/// How often one who waits for a group wakes it, and is polled himself, without the group being polled.
const PATIENCE: u8 = 64;

/// What became of waiting for a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rested {
    /// The waker is registered; it was not before.
    Began,
    /// It was registered before.
    GoesOn,
    /// The hold is not in force any more.
    Over,
}

impl Rest {
    pub(super) const fn new() -> Self {
        Self(None)
    }

    /// Registers `waker` until `node` is not in force any more (H3).
    pub(super) fn poll(&mut self, node: Arc<Branch>, waker: &Waker) -> Rested {
        let right = self.0.as_ref().is_some_and(|spot| core::ptr::eq(&**spot.waiter.home(), &*node));
        if !right {
            let waiter = TreeWaiter::new(node, None);
            self.0 = Some(Box::pin(Spot { waiter, seen: Seen::NONE, polls: None, idle: 0, end: None }));
        }
        let spot = self.0.as_mut().expect("made above").as_mut().project();
        let waiter = spot.waiter.as_ref();
        if !(waiter.is_waiting() && spot.seen.is(waker)) {
            let waker = waker.clone();
            *spot.seen = Seen::of(&waker);
            let old = waiter.with(|seat| match seat.is_waiting() {
                true => seat.set_waker(waker),
                false => join(seat, WAITERS, Some(waker)),
            });
            drop(old);
        }
        match (is_in_force(waiter.home()), right) {
            (true, true) => Rested::GoesOn,
            (true, false) => Rested::Began,
            (false, _) => Rested::Over,
        }
    }

    /// Whether it is `end`, for the hold that this was [polled](Self::poll) for just now. If not, the waker is registered for that.
    pub(super) fn is_over_at(&mut self, end: Instant, time: &Time, cx: &mut Context<'_>) -> bool {
        let Some(spot) = self.0.as_mut() else { return false };
        let mut spot = spot.as_mut().project();
        set_sleep(spot.end.as_mut(), || time, end);
        spot.end.as_pin_mut().is_some_and(|end| end.poll(cx).is_ready())
    }

    /// Whether the group whose hold this was [polled](Self::poll) for just now is not polled any more. If that is not sure, group
    /// and waker are woken.
    pub(super) fn is_in_vain(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(spot) = self.0.as_mut() else { return false };
        let spot = spot.as_mut().project();
        let node = spot.waiter.home();
        let polls = tree::polls(node);
        if spot.polls.replace(polls) != Some(polls) {
            *spot.idle = 0;
            return false;
        }
        if *spot.idle == PATIENCE {
            return true;
        }
        *spot.idle += 1;
        sweep(node);
        cx.waker().wake_by_ref();
        false
    }

    pub(super) fn clear(&mut self) {
        self.0 = None;
    }
}

/// Keeps the runs around it from ending, as long as it lives; made by [`Scope::keep_open`].
#[must_use = "the runs end without waiting once this is dropped"]
pub struct KeepOpen(Arc<Branch>);

impl Drop for KeepOpen {
    /// A drop may be part of an unwinding, which a second panic would turn into the end of the process.
    fn drop(&mut self) {
        contain(|| tree::uncover(&self.0, None));
    }
}

/// What a local group has while somebody is in its background: runs around it keep their bodies, so that it ends as a group of
/// tasks does, those in the background last, with what they have to do.
pub(crate) struct Service {
    /// By which the group is woken.
    line: Rest,
    open: KeepOpen,
    /// The innermost run around it when it was last listed with those around it.
    within: Option<usize>,
}

impl Service {
    /// In the group of this scope.
    pub(crate) fn new(scope: &Scope) -> Self {
        Self { line: Rest::new(), open: KeepOpen(tree::shield(scope.branch(), Cover::NONE)), within: None }
    }

    /// To be called at each poll of the group, outside those of its members. `control` lets the group be polled.
    pub(crate) fn place(&mut self, control: &Waker) {
        let node = &self.open.0;
        place_anew(&mut self.within, Kind::Service, || node.clone(), |_| {});
        tree::count_poll(node);
        self.line.poll(node.clone(), control);
    }
}

impl fmt::Debug for KeepOpen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeepOpen").finish_non_exhaustive()
    }
}

impl Scope {
    /// Keeps the runs of this scope, and of those around it, from ending before what is returned is dropped: those that are
    /// polling, or dropping their bodies, where this is called. Their bodies end when it is time; it is the moving on that
    /// waits.
    ///
    /// For whoever starts tasks and is dropped before they are gone: a group does this in its destructor, so that nothing
    /// which follows the scope meets what was left behind. Where no run is on the way, there is nobody to wait.
    ///
    /// # Examples
    /// ```
    /// use core::time::Duration;
    /// use wakeful::cancel::{KeepOpen, Scope};
    /// use wakeful::sim::Sim;
    ///
    /// /// Starts a task, and leaves it behind.
    /// struct Starts(Scope, Sim);
    /// impl Drop for Starts {
    ///     fn drop(&mut self) {
    ///         let (open, sleep): (KeepOpen, _) = (self.0.keep_open(), self.1.time().sleep(Duration::from_secs(2)));
    ///         drop(self.1.spawn("left behind", async move {
    ///             sleep.await;
    ///             drop(open);
    ///         }));
    ///     }
    /// }
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let (scope, second) = (Scope::new(sim.time()), Duration::from_secs(1));
    ///     let outcome = scope.move_on_after(second, async |s| {
    ///         let _starts = Starts(s.clone(), sim.clone());
    ///         std::future::pending::<()>().await;
    ///     });
    ///     assert!(outcome.await.is_cancelled());
    ///     assert_eq!(sim.now().as_nanos(), 3_000_000_000, "one second later the body ends, and what it started after two more");
    /// });
    /// ```
    pub fn keep_open(&self) -> KeepOpen {
        let node = tree::shield(self.branch(), Cover::NONE);
        place(&node, Kind::Group);
        KeepOpen(node)
    }
}
