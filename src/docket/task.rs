//! What a task is, and what is laid down for all runs of one.

use super::{Cx, Excess, Rule, Settle};
use crate::resilience::Verdict;
use core::fmt;
use core::future::Future;
use core::num::NonZeroU32;
use core::time::Duration;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A task as a plain type: its fields are the arguments.
///
/// # Examples
/// ```
/// use core::time::Duration;
/// use serde::{Deserialize, Serialize};
/// use wakeful::docket::{Cx, Limit, Policy, Task};
/// use wakeful::resilience::{Exponential, Schedule};
///
/// #[derive(Serialize, Deserialize)]
/// struct SendMail {
///     user: u64,
///     text: String,
/// }
///
/// impl Task for SendMail {
///     const NAME: &'static str = "send_mail";
///     const POLICY: Policy = Policy::new()
///         .timeout(Duration::from_secs(30))
///         .retry(|error, seed| {
///             Exponential::new(Duration::from_secs(1)).up_to(5).delays(seed).nth(error)
///         })
///         .limits(&[Limit::at_most(1).per("user")]);
///     type Output = usize;
///     type Error = String;
///
///     async fn run(self, cx: Cx) -> Result<usize, String> {
///         cx.scope().sleep(Duration::from_millis(20)).await;
///         Ok(self.text.len())
///     }
/// }
/// ```
pub trait Task: Serialize + DeserializeOwned + Send + 'static {
    /// What it is called in stores: it has to stay the same as long as rows of it are kept.
    const NAME: &'static str;
    /// What holds for all runs.
    const POLICY: Policy = Policy::new();
    /// What a run gives.
    type Output: Serialize + DeserializeOwned + Send + 'static;
    /// Why a run fails.
    type Error: fmt::Display + Send;

    /// One attempt.
    fn run(self, cx: Cx) -> impl Future<Output = Result<Self::Output, Self::Error>> + Send;

    /// Whether an error is worth another attempt, as far as the policy grants one.
    fn verdict(_error: &Self::Error) -> Verdict {
        Verdict::Retry
    }
}

/// The delay after the error of this number, from zero, for a seed; none: it is not tried again.
pub type Delays = fn(error: usize, seed: u64) -> Option<Duration>;

/// What holds for all runs of a task.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// How long an attempt may take. Without a bound, unless it is set.
    pub timeout: Duration,
    /// When it is tried again after an error. Never, unless it is set.
    pub delays: Delays,
    /// Greater goes first. 0, unless it is set.
    pub priority: i32,
    /// How often it is claimed at most if runs are lost in crashes. 3, unless it is set.
    pub deliveries: NonZeroU32,
    /// How long its end, with the output, is remembered. An hour, unless it is set.
    pub keep: Duration,
    /// Limits, all of which must hold. None, unless they are set.
    pub limits: &'static [Limit],
    /// Whether adds of one key are put off until they have settled. Not, unless it is set.
    pub settle: Option<Settle>,
    /// Which arguments are seen in logs, and how. None, unless they are set.
    pub log: &'static [Show],
    /// How it repeats. Not, unless it is set.
    pub perpetual: Option<Perpetual>,
}

/// What is seen of a field in logs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Show {
    /// Its value, as JSON.
    Value(&'static str),
    /// How long it is only: of text in characters, of lists and maps in entries. Of others, nothing but that they are there.
    Length(&'static str),
}

impl Show {
    /// Of which field.
    pub const fn field(self) -> &'static str {
        match self {
            Self::Value(field) | Self::Length(field) => field,
        }
    }
}

/// How a task repeats.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Perpetual {
    /// When.
    pub rhythm: Rhythm,
    /// Whether a worker that sees none of it adds one, whose key is the name.
    pub automatic: bool,
}

/// When a task that repeats is due again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Rhythm {
    /// So long after it was due.
    Every(Duration),
    /// At the ticks of a cron expression; read when the task is registered, with the feature `cron`.
    Cron {
        /// The expression.
        expression: &'static str,
        /// The time zone that it is in, by its IANA name.
        zone: &'static str,
    },
}

impl Policy {
    /// Everything as it is unless it is set.
    pub const fn new() -> Self {
        Self {
            timeout: Duration::MAX,
            delays: |_, _| None,
            priority: 0,
            deliveries: NonZeroU32::MIN.saturating_add(2),
            keep: Duration::from_secs(3600),
            limits: &[],
            settle: None,
            log: &[],
            perpetual: None,
        }
    }

    /// Bounds each attempt. A run may [extend](Cx::extend) its own.
    pub const fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Tries again after errors, panics, and timeouts, each time after the delay that this gives: what a
    /// [`Schedule`](crate::resilience::Schedule) gives, for instance.
    pub const fn retry(self, delays: Delays) -> Self {
        Self { delays, ..self }
    }

    /// Goes before what has a lower priority, and is due.
    pub const fn priority(self, priority: i32) -> Self {
        Self { priority, ..self }
    }

    /// Is claimed so often at most, if runs are lost.
    pub const fn deliveries(self, deliveries: NonZeroU32) -> Self {
        Self { deliveries, ..self }
    }

    /// Remembers ends for so long.
    pub const fn keep(self, keep: Duration) -> Self {
        Self { keep, ..self }
    }

    /// Puts it under limits, all of which must hold.
    pub const fn limits(self, limits: &'static [Limit]) -> Self {
        Self { limits, ..self }
    }

    /// Puts what is added off until no other add of the same key has come for `quiet`; no longer than `at_most` after the first. It
    /// is as if [each add](super::Add::settle) said so: this alone decides when it is due, and what becomes of one that is queued. What
    /// an add says of either, by [`after`](super::Add::after), [`at`](super::Add::at), [`replace`](super::Add::replace) or
    /// [`follow`](super::Add::follow) for instance, and the ticks of a cron expression do not count for it.
    pub const fn settle(self, quiet: Duration, at_most: Duration) -> Self {
        Self { settle: Some(Settle { quiet, at_most }), ..self }
    }

    /// Shows these fields in logs; all others stay hidden there. What is logged is told with the feature `tracing`.
    ///
    /// # Examples
    /// ```
    /// use wakeful::docket::{Policy, Show};
    ///
    /// const POLICY: Policy = Policy::new().log(&[Show::Value("user"), Show::Length("text")]);
    /// # assert_eq!(POLICY.log.len(), 2);
    /// ```
    pub const fn log(self, log: &'static [Show]) -> Self {
        Self { log, ..self }
    }

    /// Repeats it: however a run ends, the next is due `every` after it was due, or at once if that is over. Late runs are not
    /// made up for. A cancelled run is the last one.
    pub const fn every(self, every: Duration) -> Self {
        Self { perpetual: Some(Perpetual { rhythm: Rhythm::Every(every), automatic: false }), ..self }
    }

    /// Repeats it, and begins by itself when a worker sees it; the key is the name, and there are no fields.
    pub const fn automatic(self, every: Duration) -> Self {
        Self { perpetual: Some(Perpetual { rhythm: Rhythm::Every(every), automatic: true }), ..self }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::new()
    }
}

/// A limit on runs, by the value of a field or for all of them together.
///
/// A task may have several, rates in different times too. Two of the same kind for the same field are one too many: to add the
/// task is an error.
///
/// # Fairness
/// Those that can run are served in the order of priority, due time and adding. At each limit one place is kept for the first
/// that waits there, even if it has to wait for another limit too: so nobody who needs several starves.
///
/// # Examples
/// ```
/// use core::time::Duration;
/// use wakeful::docket::Limit;
///
/// const LIMITS: &[Limit] = &[
///     Limit::at_most(2).per("customer"),
///     Limit::at_most(10).shared("database"),
///     Limit::rate(5, Duration::from_secs(1)).per("customer"),
///     Limit::cooldown(Duration::from_secs(60)).per("report").dropping(),
/// ];
/// # assert_eq!(LIMITS.len(), 4);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limit {
    /// For each value of this field by itself; none: for all runs.
    pub field: Option<&'static str>,
    /// With all tasks that name the same scope; none: for this task by itself.
    pub scope: Option<&'static str>,
    /// How many.
    pub rule: Rule,
    /// What becomes of the others.
    pub excess: Excess,
}

impl Limit {
    const fn new(rule: Rule) -> Self {
        Self { field: None, scope: None, rule, excess: Excess::Wait }
    }

    /// So many at once.
    ///
    /// # Panics
    /// If it is none.
    pub const fn at_most(most: u32) -> Self {
        Self::new(Rule::AtMost(NonZeroU32::new(most).expect("a limit of none")))
    }

    /// So many begin in each `every`.
    ///
    /// # Panics
    /// If it is none.
    pub const fn rate(burst: u32, every: Duration) -> Self {
        Self::new(Rule::Rate { burst: NonZeroU32::new(burst).expect("a rate of none"), every })
    }

    /// After one has begun, no other for so long.
    pub const fn cooldown(every: Duration) -> Self {
        Self::rate(1, every)
    }

    /// For each value of a field by itself. Values keep their types: `1` is not `"1"`.
    pub const fn per(self, field: &'static str) -> Self {
        Self { field: Some(field), ..self }
    }

    /// With all tasks that name this scope, whatever their fields are called. Rates are shared by those that are in the same time.
    pub const fn shared(self, scope: &'static str) -> Self {
        Self { scope: Some(scope), ..self }
    }

    /// Ends what can't run at once as [dropped](super::Ending::Dropped), rather than having it wait.
    pub const fn dropping(self) -> Self {
        Self { excess: Excess::Drop, ..self }
    }
}
