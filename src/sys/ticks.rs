//! The ticks of a cron expression in a time zone: no expression is one without the feature `cron`.

pub(crate) use imp::*;

#[cfg(feature = "cron")]
mod imp {
    use crate::sys::Arc;
    use alloc::format;
    use alloc::string::{String, ToString};
    use core::time::Duration;
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
            let from = Timestamp::UNIX_EPOCH.checked_add(unix).ok()?.to_zoned(self.zone.clone());
            let tick = self.cron.find_next_occurrence(&from, false).ok()?.timestamp();
            // Whatever the calendar does, a tick is not before itself.
            Duration::try_from(tick.as_duration()).ok().filter(|tick| *tick > unix)
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
