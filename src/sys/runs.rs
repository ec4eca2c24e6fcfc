//! What `tracing` is told of a docket's runs: nothing at all without the feature of that name.

pub(crate) use imp::*;

#[cfg(feature = "tracing")]
mod imp {
    use crate::sys::trace::Span;
    use alloc::string::String;
    use core::time::Duration;
    use tracing::Level;
    use tracing::span::Entered;

    /// A run of a docket's task.
    #[derive(Clone, Copy)]
    pub(crate) struct Run<'a> {
        pub(crate) task: &'a str,
        pub(crate) key: &'a str,
        pub(crate) worker: &'a str,
        pub(crate) attempt: u32,
    }

    impl Span {
        /// Enters the span of a run; `args` is what may be seen of its arguments.
        pub(crate) fn run(&mut self, run: Run<'_>, args: impl FnOnce() -> String) -> Entered<'_> {
            let Run { task, key, worker, attempt } = run;
            let make = || tracing::span!(target: "wakeful::docket", Level::INFO, "run", task, key, worker, attempt, args = %args());
            self.0.get_or_insert_with(make).enter()
        }
    }

    impl Run<'_> {
        /// It begins.
        pub(crate) fn started(self, args: impl FnOnce() -> String) {
            let Run { task, key, worker, attempt } = self;
            tracing::event!(target: "wakeful::docket", Level::DEBUG, task, key, worker, attempt, args = %args(), "run started");
        }

        /// It has ended for good, after this time.
        pub(crate) fn ended(self, how: &'static str, why: Option<&str>, took: Duration) {
            let Run { task, key, worker, attempt } = self;
            match how {
                "done" => {
                    tracing::event!(target: "wakeful::docket", Level::DEBUG, task, key, worker, attempt, how, ?took, "run ended");
                }
                _ => {
                    tracing::event!(target: "wakeful::docket", Level::WARN, task, key, worker, attempt, how, why, ?took, "run ended");
                }
            }
        }

        /// It failed, and is tried again after this time.
        pub(crate) fn retried(self, why: &str, after: Duration, took: Duration) {
            let Run { task, key, worker, attempt } = self;
            tracing::event!(target: "wakeful::docket", Level::INFO, task, key, worker, attempt, why, ?after, ?took, "run retried");
        }

        /// It had no lease any more.
        pub(crate) fn lost(self, took: Duration) {
            let Run { task, key, worker, attempt } = self;
            tracing::event!(target: "wakeful::docket", Level::WARN, task, key, worker, attempt, ?took, "lease lost");
        }
    }

    /// The message of a task that does nothing but say it.
    pub(crate) fn message(message: &str) {
        tracing::event!(target: "wakeful::docket", Level::INFO, "{message}");
    }

    /// Whether what a store did to rows is told.
    pub(crate) const TOLD: bool = true;

    /// What a store did to a row while others looked elsewhere.
    pub(crate) fn fate(task: &str, key: &str, fate: &str) {
        match fate {
            "dead" | "lapsed" => {
                tracing::event!(target: "wakeful::docket", Level::WARN, task, key, fate, "task not finished")
            }
            _ => tracing::event!(target: "wakeful::docket", Level::INFO, task, key, fate, "task not run"),
        }
    }
}

#[cfg(not(feature = "tracing"))]
mod imp {
    use crate::sys::trace::{Entered, Span};
    use alloc::string::String;
    use core::time::Duration;

    /// A run of a docket's task.
    #[derive(Clone, Copy)]
    #[expect(dead_code, reason = "nobody reads what nobody is told")]
    pub(crate) struct Run<'a> {
        pub(crate) task: &'a str,
        pub(crate) key: &'a str,
        pub(crate) worker: &'a str,
        pub(crate) attempt: u32,
    }

    impl Span {
        #[inline(always)]
        pub(crate) fn run(&mut self, _: Run<'_>, _: impl FnOnce() -> String) -> Entered {
            Entered
        }
    }

    impl Run<'_> {
        #[inline(always)]
        pub(crate) fn started(self, _: impl FnOnce() -> String) {}

        #[inline(always)]
        pub(crate) fn ended(self, _: &'static str, _: Option<&str>, _: Duration) {}

        #[inline(always)]
        pub(crate) fn retried(self, _: &str, _: Duration, _: Duration) {}

        #[inline(always)]
        pub(crate) fn lost(self, _: Duration) {}
    }

    #[inline(always)]
    pub(crate) fn message(_: &str) {}

    pub(crate) const TOLD: bool = false;

    #[inline(always)]
    pub(crate) fn fate(_: &str, _: &str, _: &str) {}
}
