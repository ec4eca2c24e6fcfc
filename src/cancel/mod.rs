//! Cancel scopes: deadlines and cancelling that reach everything inside a scope, on any executor.
//!
//! A [`Scope`] knows its time, its deadline, whether and why it is cancelled, and its parent. It is passed explicitly, to
//! bodies that receive it; with `std` the innermost scope of the running poll is also [current](current()) by itself.
//!
//! # Which part do I want?
//!
//! | you want to | use |
//! |---|---|
//! | give up after a while and go on | [`Scope::move_on_after`], [`Scope::move_on_at`] |
//! | make lateness an error | [`Scope::fail_after`], [`Scope::fail_at`] |
//! | do so around a future that knows of no scope | [`move_on_after`], [`fail_after`], … |
//! | cancel from elsewhere | [`Scope::child`], [`Scope::run`], [`Scope::cancel`] |
//! | know how much time is left | [`Scope::effective_deadline`] |
//! | look in between, in a long computation | [`Scope::check`] |
//! | wait for the cancelling itself | [`Scope::cancelled`] |
//! | wind down first, within limits | [`Scope::cancel_with_grace`], [`Scope::draining`] |
//! | not be cut short in the middle | [`Scope::shield`], [`shield`] |
//! | clean up after being cut short, and wait while doing so | [`Run::cleanup`] |
//! | clean up whoever drops the future | [`defer`] |
//! | say or know why | [`Reason`], [`Scope::cause`], [`Cancelled`] |
//!
//! # Rules
//!
//! - **a** Cancelling drops the body. A run looks at the flag before the first poll and after each `Pending`.
//! - **b** A body is never started in a scope that is cancelled or past its deadline, or below such a scope; that of a shield
//!   is. Once started, a body that is ready wins, at the instant of the deadline too.
//! - **c** [`cancel_called`](Scope::cancel_called) is not "caught": [`Outcome::Cancelled`] says that the body was cut short.
//! - **d** The first recorded reason stays. [`FailError::TimedOut`] needs the scope's own deadline as its first reason.
//! - **e** Along one poll stack the outermost cancelled scope wins: a run inside it stays pending, and is dropped with the
//!   body. A run that is not being polled by the run of a cancelled ancestor (it is in another task, or behind a foreign
//!   executor's or our own `block_on`) resolves itself, with the ancestor's reason. The same holds for a run that may
//!   not begin. Nothing waits for ever.
//! - **f** Moving a deadline later never un-cancels. `after` counts from entry. [`is_cancelled`](Scope::is_cancelled) reads
//!   flags, never the clock; [`check`](Scope::check) reads it.
//! - **g** The effective deadline is the earliest of the scope and its ancestors; "cancelled" is a value of its own. Through a
//!   shield an ancestor's deadline counts as later by the budget, and "cancelled" as the end of the budget.
//! - **h** A shield hides ancestors only, from the future that it wraps and from scopes inside its own, and no longer than
//!   that future takes. Its budget counts from the instant at which it first holds a cancellation back, and may be changed
//!   meanwhile. A cancelled run keeps a body in which a shield holds.
//! - **i** A shield holds against scopes, not against whoever drops the future.
//! - **j** A grace refuses what is new: [`is_draining`](Scope::is_draining) is true, [`is_cancelled`](Scope::is_cancelled) is not,
//!   what has begun may begin scopes of its own, and the effective deadline is the end of the grace, at which the scope is
//!   cancelled.
//! - **k** No waker, alarm or value of the user is touched under a lock.
//!
//! # How it works
//!
//! A scope made by a timeout lives inside that timeout's future, a child inside its one handle. It turns into a node of the
//! shared tree, one allocation, when somebody clones it, cancels it, moves its deadline, or waits where it may be cancelled
//! meanwhile. Cancelling sets one flag and then walks down those branches in which somebody waits; asking walks up. The
//! invariants stand in `inline.rs` and `tree.rs`.

mod cleanup;
mod deadline;
mod defer;
mod grace;
mod hold;
mod inline;
mod outcome;
mod reach;
mod reason;
mod run;
mod scope;
mod shield;
mod stay;
mod sweep;
mod timeouts;
mod tree;
mod view;
mod ward;
mod watch;

pub use cleanup::Cleanup;
pub use defer::{Deferred, defer};
pub use grace::{UnlessDraining, UntilDraining};
pub use hold::KeepOpen;
pub(crate) use hold::Service;
pub use outcome::{Cancelled, Deadline, FailError, Outcome};
pub use reason::{Reason, ReasonKind};
pub(crate) use run::Bodies;
pub use run::Run;
pub(crate) use scope::Nested;
pub use scope::Scope;
pub use shield::NotAShield;
pub(crate) use stay::Stay;
pub(crate) use ward::{OwnedRun, Ward};
pub use watch::UntilCancelled;

crate::sys::with_system_clock! {
    mod ambient;
    pub use ambient::{
        Fail, MoveOn, Shield, current, effective_deadline, fail_after, fail_at, move_on_after, move_on_at, now, shield, sleep,
        sleep_until,
    };
}

#[cfg(all(test, not(wakeful_loom)))]
mod hostile_tests;
#[cfg(test)]
mod loom_tests;
#[cfg(all(test, feature = "std", not(wakeful_loom)))]
mod relying_tests;
#[cfg(all(test, not(wakeful_loom)))]
mod tests;
#[cfg(all(test, feature = "std", not(wakeful_loom)))]
mod unwinding_tests;
