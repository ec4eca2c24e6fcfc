//! Cron expressions.

use super::context::Next;
use super::{Add, Cx, Perpetual, Policy, Rhythm, When};
use crate::sys::ticks::Ticks;
use alloc::borrow::ToOwned;
use alloc::string::String;
use core::error::Error;
use core::fmt;
use core::time::Duration;

/// A cron expression in a time zone: which instants it is true at.
///
/// Five fields: minute, hour, day of the month, month, day of the week; a sixth, before them, is the second. There are names
/// (`MON`, `JAN`), lists, ranges and steps, `L` for the last day, `#` for the n-th of its kind, `W` for the nearest weekday,
/// `@daily` and its like. The zone is by its IANA name; its rules are the system's, or else those of the crate `jiff`.
///
/// # Time
/// What is at one fixed time of the day (`30 2 * * *`) ticks once on each day: when clocks are put forward over it, at the instant
/// of that, and when they are put back over it, the first time. What is at a time of every hour (`30 * * * *`), or at several
/// times of a day (`0,30 2 * * *`, `0 1-3 * * *`), ticks at those that there are, also in both of two hours that are called the
/// same: what clocks are put forward over is left out. As in the open cron pattern specification; Vixie's cron takes lists and
/// ranges for fixed times. What must not be missed on any day is best at one time. A day that a zone leaves out altogether, as
/// Samoa did the 30th of December 2011, is none, and has no tick.
///
/// # Examples
/// ```
/// use core::time::Duration;
/// use wakeful::docket::Cron;
///
/// let nightly = Cron::new("30 2 * * *", "Europe/Berlin")?;
/// let unix = |hours: u64| Duration::from_secs(1_774_648_800 + hours * 3600); // 2026-03-27 22:00 UTC
/// assert_eq!(nightly.after(unix(0)), Some(unix(3) + Duration::from_secs(1800)));
/// assert_eq!(nightly.after(unix(4)), Some(unix(27)), "at three, since there is no half past two");
///
/// let wrong = Cron::new("61 2 * * *", "Europe/Berlin").unwrap_err();
/// assert!(wrong.to_string().starts_with("`61 2 * * *` in `Europe/Berlin` is no schedule: "));
/// # Ok::<(), wakeful::docket::CronError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Cron(Ticks);

impl Cron {
    /// Reads an expression, and looks its zone up.
    ///
    /// # Errors
    /// If the expression or the zone is none, or it is never true.
    pub fn new(expression: &str, zone: &str) -> Result<Self, CronError> {
        let wrong = |why| CronError { expression: expression.to_owned(), zone: zone.to_owned(), why };
        Ticks::new(expression, zone).map(Self).map_err(wrong)
    }

    /// The first tick that is later than this Unix time; none, if there is none any more.
    pub fn after(&self, unix: Duration) -> Option<Duration> {
        self.0.after(unix)
    }
}

/// Something is no schedule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CronError {
    /// The expression.
    pub expression: String,
    /// The time zone.
    pub zone: String,
    /// What is wrong with one of them.
    pub why: String,
}

impl fmt::Display for CronError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` in `{}` is no schedule: {}", self.expression, self.zone, self.why)
    }
}

impl Error for CronError {}

impl Policy {
    /// Repeats it at the ticks of a [cron expression](Cron) in a time zone. Added without a due time, it is due at the next tick;
    /// however a run ends, the next is due at the first tick after now and after the one that it was for.
    ///
    /// So no tick is run twice, whatever the wall clock does meanwhile, and those that were missed are not made up for. The store
    /// needs a wall clock.
    ///
    /// # Examples
    /// ```
    /// use wakeful::docket::Policy;
    ///
    /// const WEEKDAYS: Policy = Policy::new().cron("0 9 * * MON-FRI", "Europe/Berlin");
    /// # assert!(WEEKDAYS.perpetual.is_some());
    /// ```
    pub const fn cron(self, expression: &'static str, zone: &'static str) -> Self {
        let rhythm = Rhythm::Cron { expression, zone };
        Self { perpetual: Some(Perpetual { rhythm, automatic: false }), ..self }
    }

    /// The same, and is added by itself when a worker sees it; the key is the name, and there are no fields.
    pub const fn automatic_cron(self, expression: &'static str, zone: &'static str) -> Self {
        let rhythm = Rhythm::Cron { expression, zone };
        Self { perpetual: Some(Perpetual { rhythm, automatic: true }), ..self }
    }
}

impl<O> Add<O> {
    /// Due at the next tick, once. The store needs a wall clock.
    pub fn at_tick(mut self, cron: &Cron) -> Self {
        self.tick = Some(cron.0.clone());
        self
    }
}

impl Cx {
    /// Runs once more under this key, with the same fields, at the first tick after now and after the Unix time that this run was
    /// for, if it was for one; instead of what the policy says. At no time, if there is no tick any more.
    pub fn again_at_tick(&self, cron: &Cron) {
        self.set_next(Next::Again(None, When::Now, Some(cron.0.clone())));
    }
}
