//! Scopes that hide what is further out, for as long as their budget lasts.

use super::deadline::passes;
use super::hold::{self, Kind};
use super::outcome::Outcome;
use super::reach::Cover;
use super::run::Run;
use super::scope::Scope;
use super::stay::refuse;
use super::sweep::sweep;
use super::tree::{self, Branch, SHIELD};
use super::view::View;
use crate::sys::Arc;
use crate::sys::thread::contain;
use core::fmt;
use core::future::Future;
use core::pin::pin;
use core::time::Duration;

/// A shield in use: its scope hides what is further out, and the runs around it keep their bodies, until this is dropped.
pub(super) struct Shelter {
    scope: Scope,
    /// The innermost run around it when it was last listed with those around it.
    within: Option<usize>,
}

impl Shelter {
    /// A shield inside `scope`, from now on.
    pub(super) fn new(scope: &Scope, budget: Duration) -> Self {
        let cover = Cover { entered: scope.now(), budget };
        Self { scope: Scope::of(tree::shield(scope.branch(), cover)), within: None }
    }

    pub(super) fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Counts the budget from now on, at which nobody is inside yet.
    pub(super) fn enter(&self) {
        tree::enter(&self.scope.branch(), self.scope.now());
    }

    /// To be called at each poll: the runs that are polling around it may be others than the last time.
    pub(super) fn place(&mut self) {
        self.place_with(|_| {});
    }

    /// The same for what is done after a run of the scope around it, which ends by itself then.
    pub(super) fn place_for(&mut self, run: usize) {
        self.place_with(|node| {
            let scope = node.shared.parent().expect("a shield is inside a scope");
            hold::list(scope, run, Kind::Cleanup, node);
        });
    }

    fn place_with(&mut self, also: impl FnOnce(&Arc<Branch>)) {
        hold::place_anew(&mut self.within, Kind::Shield, || self.scope.branch(), also);
    }
}

impl Drop for Shelter {
    /// A drop may be part of an unwinding, which a second panic would turn into the end of the process.
    fn drop(&mut self) {
        contain(|| {
            let branch = self.scope.branch();
            // There may be shields further in if somebody else has the scope.
            let others = Arc::strong_count(&branch) > 2;
            tree::uncover(&branch, others.then(|| self.scope.now()));
        });
    }
}

/// The error of [`Scope::set_budget`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAShield;

impl fmt::Display for NotAShield {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the scope is no shield: only the scope that the body of `shield` receives has a budget")
    }
}

impl core::error::Error for NotAShield {}

impl Scope {
    /// Runs `body` in a scope inside this one that hides the cancelling of this scope and of those around it for `budget`.
    ///
    /// For what must not be cut short in the middle: a commit, a farewell to a peer, giving something back. The budget counts
    /// from the instant at which the shield first holds a cancelling back, or from its beginning, if the scope is cancelled
    /// already: a shield is begun all the same. [`Duration::MAX`] is no limit. The inner scope's own
    /// [`cancel`](Self::cancel) and deadline act as ever.
    ///
    /// While it holds, runs further out that are cancelled keep their bodies: the poll stack of this future, whole, goes on
    /// until the shield is over and then ends at the next `Pending`. Tasks elsewhere whose scopes lie inside the shield's are
    /// covered for the same time; those that lie beside it are not. Nobody waits longer than the budget, also if this future is
    /// kept and not polled any more.
    ///
    /// # Time
    /// Counted by the scope's clock. Inside, the [effective deadline](Self::effective_deadline) takes the budget into
    /// account.
    ///
    /// # Cancel safety
    /// A shield holds against the scopes of this crate. It can't hold against whoever drops the future, a `select!`, an
    /// abort, a runtime that ends: the body is dropped with it. What must survive that is to be
    /// [deferred](super::defer) to a task.
    ///
    /// # Examples
    /// ```
    /// use core::time::Duration;
    /// use wakeful::cancel::{Deadline, Scope};
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let (scope, second) = (Scope::new(sim.time()), Duration::from_secs(1));
    ///     let outcome = scope.move_on_after(second, async |s| {
    ///         s.shield(5 * second, async |s| {
    ///             assert_eq!(s.effective_deadline(), Deadline::At(sim.now() + 6 * second));
    ///             s.sleep(3 * second).await; // a farewell that takes longer than there is time
    ///         }).await.done().expect("within the budget");
    ///         s.sleep(second).await;
    ///         unreachable!("what follows the shield is not protected");
    ///     }).await;
    ///     assert!(outcome.is_cancelled());
    ///     assert_eq!(sim.now().as_nanos(), 3_000_000_000);
    /// });
    /// ```
    ///
    /// A part of it that is to end when the scope outside is cancelled watches that scope by itself. (A [run](Self::run) of that
    /// scope would not do: the outermost that is cancelled ends its body as a whole, and that one waits for the shield.)
    /// ```
    /// use core::pin::pin;
    /// use core::time::Duration;
    /// use futures::future::{Either, select};
    /// use wakeful::cancel::Scope;
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let (scope, second) = (Scope::new(sim.time()), Duration::from_secs(1));
    ///     let outcome = scope.move_on_after(second, async |outer| {
    ///         outer.shield(10 * second, async |s| {
    ///             let answer = pin!(s.sleep(8 * second)); // nobody waits for it when time is up
    ///             assert!(matches!(select(answer, pin!(outer.cancelled())).await, Either::Right(_)));
    ///             s.sleep(second).await; // what must not be cut short
    ///         }).await
    ///     }).await;
    ///     assert_eq!(outcome.done().and_then(|shield| shield.done()), Some(())); // and it has come to its end
    ///     assert_eq!(sim.now().as_nanos(), 2_000_000_000);
    /// });
    /// ```
    pub async fn shield<T>(&self, budget: Duration, body: impl AsyncFnOnce(&Scope) -> T) -> Outcome<T> {
        let mut shelter = Shelter::new(self, budget);
        shelter.place();
        let scope = shelter.scope().clone();
        if scope.check().is_err() {
            return refuse(&scope).await;
        }
        let mut run = pin!(Run::checked(&scope, body(&scope)));
        core::future::poll_fn(|cx| {
            shelter.place();
            run.as_mut().poll(cx)
        })
        .await
    }

    /// Changes the budget of a shield: of the scope that the body of [`shield`](Self::shield) receives.
    ///
    /// It may be raised and lowered at any time, also while the shield holds something back, and by whoever has a handle. It
    /// counts from the same instant as before. What has come through the shield has come through for good.
    ///
    /// # Errors
    /// [`NotAShield`], if the scope is none.
    ///
    /// # Examples
    /// ```
    /// use core::time::Duration;
    /// use wakeful::cancel::{NotAShield, Scope};
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let (scope, second) = (Scope::new(sim.time()), Duration::from_secs(1));
    ///     assert_eq!(scope.set_budget(second), Err(NotAShield));
    ///     scope.cancel("over");
    ///     let outcome = scope.shield(2 * second, async |s| {
    ///         s.sleep(second).await;
    ///         s.set_budget(3 * second).unwrap();
    ///         s.sleep(9 * second).await;
    ///     });
    ///     assert!(outcome.await.is_cancelled());
    ///     assert_eq!(sim.now().as_nanos(), 3_000_000_000);
    /// });
    /// ```
    pub fn set_budget(&self, budget: Duration) -> Result<(), NotAShield> {
        let branch = self.branch();
        let before = tree::set_budget(&branch, budget).ok_or(NotAShield)?;
        if budget < before {
            self.overdue(&branch);
            sweep(&branch);
        }
        Ok(())
    }

    /// Takes a shield away whose budget is used up, since it was made smaller: what it held back comes through now.
    fn overdue(&self, branch: &Branch) {
        if branch.look().flags() & SHIELD == 0 {
            return;
        }
        let (now, passes) = (self.now(), passes(View::Shared(branch)));
        if passes <= now && !passes.is_never() {
            tree::uncover(branch, Some(now));
        }
    }

    /// The budget of a shield; none, if the scope is no shield.
    pub fn budget(&self) -> Option<Duration> {
        tree::cover(&self.branch()).map(|cover| cover.budget)
    }
}
