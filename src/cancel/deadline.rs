//! Deadlines: moving them, looking at the clock, and what is left.

use super::outcome::{Cancelled, Deadline};
use super::reach::Way;
use super::scope::Scope;
use super::tree::{self, CANCELLED, SHIELD};
use super::view::{View, expire};
use crate::time::Instant;

impl Scope {
    /// Looks whether to go on, with the clock: for computations that do not wait.
    ///
    /// # Errors
    /// When this scope or one around it is cancelled or past its deadline; the outermost such scope gives the reason.
    ///
    /// # Examples
    /// ```
    /// use wakeful::cancel::{Cancelled, Scope};
    ///
    /// fn sum(scope: &Scope, numbers: &[u64]) -> Result<u64, Cancelled> {
    ///     let mut sum = 0;
    ///     for some in numbers.chunks(1_000) {
    ///         scope.check()?;
    ///         sum += some.iter().sum::<u64>();
    ///     }
    ///     Ok(sum)
    /// }
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let scope = Scope::new(sim.time()).child_at(sim.now());
    ///     assert!(!scope.is_cancelled(), "flags are all that this reads, and nobody has looked at the clock");
    ///     assert!(sum(&scope, &[1, 2, 3]).is_err());
    ///     assert!(scope.is_cancelled());
    /// });
    /// ```
    #[inline]
    pub fn check(&self) -> Result<(), Cancelled> {
        match self.view().plain() {
            Some(Instant::NEVER) => Ok(()),
            end => self.check_clock(end),
        }
    }

    fn check_clock(&self, end: Option<Instant>) -> Result<(), Cancelled> {
        // Where there are flags on the way, but no deadline, the clock has nothing to say.
        let now = if end.is_none() && self.reach().is_never() { Instant::EPOCH } else { self.now() };
        if end.is_some_and(|end| end > now) { Ok(()) } else { self.settle(now) }
    }

    /// Whether there is nothing that could keep a body from beginning here, at `now`, if that is known.
    #[inline]
    pub(super) fn is_clear(&self, now: Option<Instant>) -> bool {
        let end = self.view().plain();
        end.is_some_and(|end| end.is_never() || now.is_some_and(|now| end > now))
    }

    /// As [`check`](Self::check), with a reading of the clock.
    #[inline]
    pub(super) fn check_at(&self, now: Instant) -> Result<(), Cancelled> {
        match self.view().plain() {
            Some(end) if end > now => Ok(()),
            _ => self.settle(now),
        }
    }

    /// Cancels, of this scope and those around it, all whose end has been reached at `now`, and says whether this one is.
    #[cold]
    fn settle(&self, now: Instant) -> Result<(), Cancelled> {
        let mut over = false;
        let mut way = Way::DIRECT;
        for view in self.view().path() {
            let flags = view.flags();
            let (flagged, ends) = (flags & CANCELLED != 0, view.ends(flags));
            // Never is not reached, also by a clock at the end of time.
            let late = ends <= now && !ends.is_never();
            if late && !flagged {
                expire(view);
            }
            if way.is_direct() {
                over |= flagged || late;
            } else if late && way.reached(ends) <= now {
                self.uncover_up_to(view);
                over = true;
            }
            way = view.way(flags, way);
        }
        if over { self.outermost().map_or(Ok(()), Err) } else { Ok(()) }
    }

    /// Takes away the shields that a cancellation of `end` has passed on its way here.
    #[cold]
    fn uncover_up_to(&self, end: View<'_>) {
        for view in self.view().path().take_while(|view| !view.same(end)) {
            match view {
                View::Shared(branch) if view.flags() & SHIELD != 0 => tree::uncover(branch, Some(passes(view))),
                _ => {}
            }
        }
    }

    /// When this scope is, or was, cancelled: by itself, or from around it and through shields.
    pub(super) fn reach(&self) -> Instant {
        if let Some(end) = self.view().plain() {
            return end;
        }
        reach(self.view())
    }

    /// The scope's own deadline; never, if it has none.
    pub fn deadline(&self) -> Instant {
        self.view().deadline()
    }

    /// Moves the scope's own deadline, earlier or later. Moving it later never un-cancels; moving it to an instant that has passed
    /// cancels the scope now.
    ///
    /// # Examples
    /// Time that is granted anew with each sign of life:
    /// ```
    /// use core::time::Duration;
    /// use wakeful::cancel::Scope;
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let scope = Scope::new(sim.time());
    ///     let patience = Duration::from_secs(1);
    ///     let outcome = scope.move_on_after(patience, async |s| {
    ///         for pause in [400, 800, 1200] {
    ///             s.sleep(Duration::from_millis(pause)).await;
    ///             s.set_deadline(s.now() + patience);
    ///         }
    ///     }).await;
    ///     assert!(outcome.is_cancelled());
    ///     assert_eq!(scope.now().as_nanos(), 2_200_000_000);
    /// });
    /// ```
    pub fn set_deadline(&self, at: Instant) {
        tree::set_deadline(&self.branch(), at, || self.now());
    }

    /// How much time is left here: the earliest deadline of this scope and those around it.
    ///
    /// A deadline that has been reached, but by nobody noticed, is still given as `At`. During a
    /// [grace](Self::cancel_with_grace) its end counts as a deadline. Inside a [shield](Self::shield) what comes from further
    /// out counts as late as the shield lets it through.
    ///
    /// # Examples
    /// Not beginning what would be late:
    /// ```
    /// use core::time::Duration;
    /// use wakeful::cancel::{Deadline, Scope};
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let (scope, second) = (Scope::new(sim.time()).child_after(Duration::from_secs(5)), Duration::from_secs(1));
    ///     let mut rounds = 0;
    ///     while scope.effective_deadline().allows(scope.now() + 2 * second) {
    ///         scope.sleep(2 * second).await; // a round
    ///         rounds += 1;
    ///     }
    ///     assert_eq!((rounds, sim.now().as_nanos()), (2, 4_000_000_000));
    ///     scope.cancel("enough");
    ///     assert_eq!(scope.effective_deadline(), Deadline::Cancelled);
    /// });
    /// ```
    pub fn effective_deadline(&self) -> Deadline {
        if self.is_cancelled() { Deadline::Cancelled } else { self.reach().into() }
    }
}

/// When a scope is, or was, cancelled, by itself, or from around it and through shields.
fn reach(scope: View<'_>) -> Instant {
    scope.ends(scope.flags()).min(passes(scope))
}

/// When that which is further out comes, or came, through a scope, which may be a shield.
pub(super) fn passes(scope: View<'_>) -> Instant {
    let (mut earliest, mut way) = (Instant::NEVER, scope.way(scope.flags(), Way::DIRECT));
    for view in scope.path().skip(1) {
        let flags = view.flags();
        earliest = earliest.min(way.reached(view.ends(flags)));
        way = view.way(flags, way);
    }
    earliest
}
