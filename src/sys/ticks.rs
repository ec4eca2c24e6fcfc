//! The ticks of a cron expression in a time zone: no expression is one without the feature `cron`.

pub(crate) use imp::*;

#[cfg(feature = "cron")]
mod imp {
    use crate::sys::Arc;
    use alloc::format;
    use alloc::string::{String, ToString};
    use core::time::Duration;
    use croner::JobType;
    use jiff::Timestamp;
    use jiff::tz::TimeZone;

    /// When an expression is true.
    #[derive(Clone, Debug)]
    pub(crate) struct Ticks {
        cron: Arc<croner::Cron>,
        zone: TimeZone,
    }

    impl Ticks {
        /// Reads an expression, and looks its zone up.
        pub(crate) fn new(expression: &str, zone: &str) -> Result<Self, String> {
            let cron: croner::Cron =
                expression.parse().map_err(|error: croner::errors::CronError| error.to_string())?;
            let zone = TimeZone::get(zone).map_err(|_| format!("there is no time zone `{zone}`"))?;
            let ticks = Self { cron: Arc::new(cron), zone };
            match ticks.after(Duration::ZERO) {
                Some(_) => Ok(ticks),
                None => Err(String::from("it is never true")),
            }
        }

        /// The first tick after this Unix time; none, if there is none before the end of the calendar.
        pub(crate) fn after(&self, unix: Duration) -> Option<Duration> {
            let from = Timestamp::UNIX_EPOCH.checked_add(unix).ok()?;
            let found = self.cron.find_next_occurrence(&from.to_zoned(self.zone.clone()), false);
            let tick = found.map(|tick| tick.timestamp()).ok().or_else(|| self.beyond_a_leap(from))?;
            // Whatever the calendar does, a tick is not before itself.
            Duration::try_from(tick.as_duration()).ok().filter(|tick| *tick > unix)
        }

        /// The same, where there is none before clocks are put forward by more than `SEEN`.
        ///
        /// A search that meets a fixed time in such a leap gives up, as one does that finds nothing at all. So it begins again
        /// where the leap ends.
        fn beyond_a_leap(&self, from: Timestamp) -> Option<Timestamp> {
            const SEEN: i32 = 2 * 60 * 60;
            if self.cron.determine_job_type() != JobType::FixedTime {
                return None;
            }
            self.zone.following(from).find_map(|change| {
                let end = change.timestamp();
                let before = self.zone.to_offset(end.checked_sub(Duration::from_nanos(1)).ok()?);
                if change.offset().seconds() - before.seconds() <= SEEN {
                    return None;
                }
                // What the leap leaves out of the day on which it ends is made up for; of a day that is left out, nothing is.
                let first = change.offset().to_datetime(end);
                let left_out = before.to_datetime(end).max(first.date().at(0, 0, 0, 0));
                if self.cron.find_next_occurrence(&left_out, true).is_ok_and(|tick| tick < first) {
                    return Some(end);
                }
                let found = self.cron.find_next_occurrence(&end.to_zoned(self.zone.clone()), true);
                found.ok().map(|tick| tick.timestamp())
            })
        }
    }
}

#[cfg(not(feature = "cron"))]
mod imp {
    use alloc::string::String;
    use core::time::Duration;

    /// There are none.
    #[derive(Clone, Debug)]
    pub(crate) enum Ticks {}

    impl Ticks {
        pub(crate) fn new(_: &str, _: &str) -> Result<Self, String> {
            Err(String::from("the feature `cron` is off"))
        }

        pub(crate) fn after(&self, _: Duration) -> Option<Duration> {
            match *self {}
        }
    }
}
