//! Pure decisions of a group: what an ending counts as, and whom it cancels.

use super::outcome::{Cause, Failure, GroupCount};
use crate::cancel::Reason;
use crate::spawn::Panic;
use crate::sys::joint::Label;
use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// When a group cancels its children.
///
/// A body that fails or panics cancels them all, under every policy. Whatever the policy, nobody is left behind: the group
/// ends when every child is gone, and all errors are kept.
///
/// | policy | what cancels the other children | the result is an error if |
/// |---|---|---|
/// | `FailFast` | a child that fails, panics or is lost; the body is cancelled too | anything failed |
/// | `Supervise` | nothing | anything failed |
/// | `FirstDone` | the first child to end by itself | that one failed or panicked |
/// | `FirstOk` | the first child to return `Ok` | none did, and something failed |
///
/// Under the last two the body goes on, to take the first one's result from its handle; children in the background have no
/// say, but for their panics.
///
/// # Examples
/// ```
/// use core::time::Duration;
/// use wakeful::cancel::Scope;
/// use wakeful::task::{Policy, group};
///
/// wakeful::sim::run(|sim| async move {
///     let (scope, time) = (Scope::new(sim.time()), sim.time());
///     let answer = group(sim.spawner())
///         .policy(Policy::FirstOk)
///         .run(&scope, async |g| {
///             let ask = |name, seconds| {
///                 let time = time.clone();
///                 g.spawn(name, async move {
///                     time.sleep(Duration::from_secs(seconds)).await;
///                     if seconds < 2 { Err("no idea") } else { Ok(seconds) }
///                 })
///             };
///             let (hasty, slow, slower) = (ask("a", 1).unwrap(), ask("b", 2).unwrap(), ask("c", 9).unwrap());
///             assert!(hasty.await.is_err());
///             assert!(slower.await.is_err(), "cancelled by the one before it");
///             Ok(slow.await.unwrap())
///         })
///         .await;
///     assert_eq!(answer.unwrap(), 2);
///     assert_eq!(sim.now().as_nanos(), 2_000_000_000);
/// });
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Policy {
    /// The first failure cancels the group.
    #[default]
    FailFast,
    /// Children fail by themselves.
    Supervise,
    /// The first child to end by itself, whether well or not, cancels the other children.
    FirstDone,
    /// The first child to return `Ok` cancels the other children.
    FirstOk,
}

/// How a child ended. In two words, whatever an error is, as most ends are passed on without a look at them.
pub(super) enum How<E> {
    Done,
    Cancelled,
    /// Cancelled by a scope around its own.
    CutFromAbove,
    Lost,
    Failed(Box<Fault<E>>),
}

/// What went wrong with a child.
pub(super) enum Fault<E> {
    /// The error went elsewhere, if there is none.
    Error(Option<E>),
    /// With an error that was returned before, and is kept beside it.
    Panic(Panic, Option<E>),
}

impl<E> How<E> {
    /// Takes it out of its place.
    #[inline]
    pub(super) fn take(&mut self) -> Self {
        core::mem::replace(self, Self::Done)
    }

    /// As the counts of a group name it.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Cancelled | Self::CutFromAbove => "cancelled",
            Self::Lost => "lost",
            Self::Failed(fault) => match &**fault {
                Fault::Error(_) => "failed",
                Fault::Panic(..) => "panicked",
            },
        }
    }
}

/// What follows from an ending. Mostly nothing, so the rest is apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    GoOn,
    /// The body and the main children.
    CancelAll(Box<Reason>),
    CancelMain(Box<Reason>),
}

impl Verdict {
    #[cold]
    pub(super) fn cancel_all(reason: Reason) -> Self {
        Self::CancelAll(Box::new(reason))
    }
}

/// What a group knows of how its children ended.
pub(super) struct Tally<E> {
    policy: Policy,
    pub(super) count: GroupCount,
    failures: Vec<Failure<E>>,
    /// A main child was cut short by a scope around its own, and not because another was first.
    cut: bool,
    /// The child that the policy waits for has ended, and whether it returned `Ok`.
    first: Option<bool>,
}

impl<E> Tally<E> {
    pub(super) fn new(policy: Policy) -> Self {
        Self { policy, count: GroupCount::default(), failures: Vec::new(), cut: false, first: None }
    }

    /// Counts a child that ended.
    #[inline]
    pub(super) fn ended<'a>(&mut self, label: impl FnOnce() -> &'a Label, is_main: bool, how: How<E>) -> Verdict {
        match how {
            How::Done => {
                self.count.done += 1;
                let decides = matches!(self.policy, Policy::FirstDone | Policy::FirstOk);
                if decides && is_main && self.first.is_none() { self.first(true) } else { Verdict::GoOn }
            }
            How::Cancelled | How::CutFromAbove => {
                // Those in the background are dismissed when nobody else is left, whatever ends the group (T3). Once there is a
                // first one, that is what the others were cancelled for, whatever befalls the group while they linger.
                self.cut |= matches!(how, How::CutFromAbove) && is_main && self.first.is_none();
                self.count.cancelled += 1;
                Verdict::GoOn
            }
            How::Lost => {
                self.count.lost += 1;
                self.failed(label().clone(), Cause::Lost)
            }
            How::Failed(fault) => self.ended_badly(label(), is_main, *fault),
        }
    }

    #[cold]
    fn ended_badly(&mut self, label: &Label, is_main: bool, fault: Fault<E>) -> Verdict {
        let (error, panic) = match fault {
            Fault::Error(error) => {
                self.count.failed += 1;
                (error, None)
            }
            Fault::Panic(panic, error) => {
                self.count.panicked += 1;
                (error, Some(panic))
            }
        };
        let decides = self.policy == Policy::FirstDone && is_main && self.first.is_none();
        let mut verdict = if decides { self.first(false) } else { Verdict::GoOn };
        for cause in error.map(Cause::Error).into_iter().chain(panic.map(Cause::Panic)) {
            match self.failed(label.clone(), cause) {
                Verdict::GoOn => {}
                stronger => verdict = stronger,
            }
        }
        verdict
    }

    /// Keeps a failure of a child that has been counted.
    pub(super) fn failed(&mut self, label: Label, cause: Cause<E>) -> Verdict {
        let verdict = match self.policy {
            Policy::FailFast => Verdict::cancel_all(sibling_failed(label.name.clone())),
            _ => Verdict::GoOn,
        };
        self.failures.push(Failure::new(Some(label), cause));
        verdict
    }

    #[cold]
    fn first(&mut self, is_ok: bool) -> Verdict {
        self.first = Some(is_ok);
        Verdict::CancelMain(Box::new(Reason::explicit("another child was first")))
    }

    /// Notes that the body failed: the group is cancelled, whatever the policy.
    pub(super) fn body_failed(&mut self, cause: Cause<E>) -> Verdict {
        self.failures.push(Failure::new(None, cause));
        Verdict::cancel_all(sibling_failed(Cow::Borrowed("the body")))
    }

    /// What there is to report when all are gone.
    pub(super) fn close(&mut self) -> Sums<E> {
        // The first child, which the policy waited for, returned `Ok`.
        let won = self.first == Some(true);
        Sums { failures: core::mem::take(&mut self.failures), count: self.count, cut: self.cut, won }
    }

    /// How many failures there are.
    pub(super) fn failures(&self) -> usize {
        self.failures.len()
    }

    /// Takes the first panic out of the failures but so many.
    pub(super) fn take_panic(&mut self, known: usize) -> Option<Panic> {
        let at = self.failures.iter().skip(known).position(Failure::is_panic)?;
        match self.failures.remove(known + at).into_cause() {
            Cause::Panic(panic) => Some(panic),
            _ => unreachable!("looked at above"),
        }
    }
}

/// How the members of a group ended, all together.
pub(super) struct Sums<E> {
    pub(super) failures: Vec<Failure<E>>,
    pub(super) count: GroupCount,
    pub(super) cut: bool,
    pub(super) won: bool,
}

fn sibling_failed(name: Cow<'static, str>) -> Reason {
    match &*name {
        "" => Reason::sibling_failed(),
        _ => Reason::sibling_failed().with_text(name),
    }
}
