//! What comes out of a scope: deadlines, outcomes, errors.

use super::reason::{Reason, ReasonKind};
use crate::time::Instant;
use core::fmt;

/// The error of what was cut short, or not begun, because its scope is cancelled.
///
/// # Examples
/// ```
/// use wakeful::cancel::{ReasonKind, Scope};
///
/// wakeful::sim::run(|sim| async move {
///     let program = Scope::new(sim.time());
///     let request = program.child();
///     program.cancel("enough");
///     let cancelled = request.run(async {}).await.into_result().unwrap_err();
///     assert_eq!(cancelled.kind(), ReasonKind::Parent);
///     assert_eq!(cancelled.reason().text(), Some("enough"));
///     assert_eq!(request.cause(), Some(cancelled));
/// });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cancelled {
    pub(super) reason: Reason,
    pub(super) own: bool,
}

impl Cancelled {
    /// Why: the reason of the scope itself, or that of the outermost cancelled one around it.
    pub fn reason(&self) -> &Reason {
        &self.reason
    }

    /// Why, as this scope sees it: [`ReasonKind::Parent`] if a scope around it took it along, for whatever reason.
    pub fn kind(&self) -> ReasonKind {
        if self.own { self.reason.kind() } else { ReasonKind::Parent }
    }

    /// Whether the scope itself was cancelled, rather than one around it.
    pub fn is_own(&self) -> bool {
        self.own
    }

    /// Whether the scope's own deadline is the reason.
    pub fn is_timeout(&self) -> bool {
        self.own && self.reason.kind() == ReasonKind::Deadline
    }
}

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whose = if self.own { "cancelled" } else { "cancelled from outside" };
        write!(f, "{whose}: {}", self.reason)
    }
}

impl core::error::Error for Cancelled {}

/// The error of [`fail_at`](super::Scope::fail_at) and [`fail_after`](super::Scope::fail_after).
///
/// # Examples
/// ```
/// use core::time::Duration;
/// use wakeful::cancel::{FailError, Scope};
///
/// wakeful::sim::run(|sim| async move {
///     let scope = Scope::new(sim.time());
///     let late = scope.fail_after(Duration::from_secs(2), async |s| s.sleep(Duration::MAX).await).await;
///     let Err(FailError::TimedOut(at)) = late else { unreachable!() };
///     assert_eq!(at, sim.now());
///
///     let second = Duration::from_secs(1);
///     let outer = scope.move_on_after(second, async |s| s.fail_after(2 * second, async |_| "at once").await).await;
///     assert_eq!(outer.done(), Some(Ok("at once")));
///
///     scope.cancel("enough");
///     let refused = scope.fail_after(second, async |_| "never begun").await.unwrap_err();
///     assert_eq!(refused.to_string(), "cancelled from outside: enough");
/// });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FailError {
    /// The scope's own deadline, given here, was reached before anything else cancelled it.
    TimedOut(Instant),
    /// It was cancelled for another reason, or from outside.
    Cancelled(Cancelled),
}

impl From<Cancelled> for FailError {
    fn from(cancelled: Cancelled) -> Self {
        match cancelled.reason.instant() {
            Some(at) if cancelled.own => Self::TimedOut(at),
            _ => Self::Cancelled(cancelled),
        }
    }
}

impl fmt::Display for FailError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut(at) => write!(f, "timed out: the deadline {at} was reached"),
            Self::Cancelled(cancelled) => cancelled.fmt(f),
        }
    }
}

impl core::error::Error for FailError {}

/// How a body ended.
///
/// It says what became of the body, not of its scope: a body that came to its end is done, even if the scope was cancelled
/// meanwhile. With `?` in mind, take [`into_result`](Self::into_result).
///
/// # Examples
/// ```
/// use core::time::Duration;
/// use wakeful::cancel::{Outcome, Scope};
///
/// wakeful::sim::run(|sim| async move {
///     let scope = Scope::new(sim.time());
///     match scope.move_on_after(Duration::from_secs(1), async |s| s.sleep(Duration::MAX).await).await {
///         Outcome::Done(()) => unreachable!("it sleeps for ever"),
///         Outcome::Cancelled(why) => assert!(why.is_timeout()),
///     }
///     let stubborn = scope.child();
///     let done = stubborn.run(async { stubborn.cancel("too late") }).await;
///     assert_eq!(done, Outcome::Done(true));
/// });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a body that was cut short has no result"]
pub enum Outcome<T> {
    /// It came to its end.
    Done(T),
    /// It was cut short, or never begun.
    Cancelled(Cancelled),
}

impl<T> Outcome<T> {
    /// The body's result, if it came to its end.
    pub fn done(self) -> Option<T> {
        match self {
            Self::Done(value) => Some(value),
            Self::Cancelled(_) => None,
        }
    }

    /// Whether the body was cut short or never begun.
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled(_))
    }

    /// The result, or why there is none.
    ///
    /// # Errors
    /// When the body was cut short or never begun.
    pub fn into_result(self) -> Result<T, Cancelled> {
        match self {
            Self::Done(value) => Ok(value),
            Self::Cancelled(cancelled) => Err(cancelled),
        }
    }

    /// Turns the body's result into another.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Outcome<U> {
        match self {
            Self::Done(value) => Outcome::Done(f(value)),
            Self::Cancelled(cancelled) => Outcome::Cancelled(cancelled),
        }
    }
}

/// How much time a scope has, from [`Scope::effective_deadline`](super::Scope::effective_deadline).
///
/// The order is that of urgency: `Cancelled < At(earlier) < At(later) < Never`.
///
/// # Examples
/// ```
/// use wakeful::cancel::Deadline;
/// use wakeful::time::Instant;
///
/// let at = Instant::from_nanos(1_000);
/// assert!(Deadline::Cancelled < Deadline::At(at) && Deadline::At(at) < Deadline::Never);
/// assert!(Deadline::At(at).allows(Instant::from_nanos(999)));
/// assert!(!Deadline::At(at).allows(at));
/// assert_eq!(Deadline::from(Instant::NEVER), Deadline::Never);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Deadline {
    /// None: it is cancelled already.
    Cancelled,
    /// Until this instant.
    At(Instant),
    /// No end.
    Never,
}

impl Deadline {
    /// Whether something that will be ready at `at` is ready in time: before the deadline.
    pub fn allows(self, at: Instant) -> bool {
        match self {
            Self::Cancelled => false,
            Self::At(deadline) => at < deadline,
            Self::Never => true,
        }
    }
}

impl From<Instant> for Deadline {
    fn from(at: Instant) -> Self {
        if at.is_never() { Self::Never } else { Self::At(at) }
    }
}
