//! Spans and events for `tracing`: nothing at all without the feature of that name.
//!
//! Rooms say here what happens, outside every lock, since a subscriber is foreign code. What it costs to say is paid only if
//! somebody listens: values come by closures.

pub(crate) use imp::*;

#[cfg(feature = "tracing")]
mod imp {
    use crate::sys::joint::Label;
    use core::fmt::{Debug, Display};
    use core::panic::Location;
    use tracing::Level;
    use tracing::span::Entered;

    /// The span of something that is polled again and again; made with the first poll.
    pub(crate) struct Span(pub(in crate::sys) Option<tracing::Span>);

    impl Span {
        /// None yet.
        pub(crate) const fn new() -> Self {
            Self(None)
        }

        /// None ever.
        pub(crate) const fn none() -> Self {
            Self(Some(tracing::Span::none()))
        }

        /// Enters the span of a group.
        pub(crate) fn group(&mut self, name: &str) -> Entered<'_> {
            let make = || tracing::span!(target: "wakeful::task", Level::INFO, "group", name);
            self.0.get_or_insert_with(make).enter()
        }

        /// Enters the span of a group's child.
        pub(crate) fn child(&mut self, name: &str, made: &'static Location<'static>) -> Entered<'_> {
            let make = || tracing::span!(target: "wakeful::task", Level::INFO, "child", name, made = %made);
            self.0.get_or_insert_with(make).enter()
        }

        /// Enters the span of a body that runs in a scope, which has this deadline in nanoseconds; `u64::MAX` if it has none.
        pub(crate) fn scope(&mut self, deadline: impl FnOnce() -> u64) -> Entered<'_> {
            let deadline = || Some(deadline()).filter(|at| *at != u64::MAX);
            let make = || {
                let (deadline, reason) = (deadline(), tracing::field::Empty);
                tracing::span!(target: "wakeful::cancel", Level::DEBUG, "scope", deadline, reason)
            };
            self.0.get_or_insert_with(make).enter()
        }

        /// Notes why the body was cut short.
        pub(crate) fn cut(&self, reason: &impl Display) {
            if let Some(span) = &self.0 {
                span.record("reason", tracing::field::display(reason));
            }
        }

        /// Enters the span of an item's body.
        pub(crate) fn item(&mut self, index: u64) -> Entered<'_> {
            let make = || tracing::span!(target: "wakeful::work", Level::DEBUG, "item", index);
            self.0.get_or_insert_with(make).enter()
        }
    }

    /// A scope was cancelled.
    pub(crate) fn scope_cancelled<R: Display>(reason: impl FnOnce() -> Option<R>) {
        if tracing::enabled!(target: "wakeful::cancel", Level::DEBUG) {
            if let Some(reason) = reason() {
                tracing::event!(target: "wakeful::cancel", Level::DEBUG, reason = %reason, "scope cancelled");
            }
        }
    }

    /// A child of a group has ended, well (`done`) or not.
    pub(crate) fn child_ended<'a>(group: &str, label: impl FnOnce() -> &'a Label, how: &'static str) {
        let Label { name, made } = label();
        let name = &**name;
        match how {
            "done" | "cancelled" => {
                tracing::event!(target: "wakeful::task", Level::DEBUG, group, name, how, "child ended");
            }
            _ => tracing::event!(target: "wakeful::task", Level::WARN, group, name, made = %made, how, "child ended"),
        }
    }

    /// A group is over, with so many failures of its body and its children.
    pub(crate) fn group_ended(name: &str, failures: usize, is_cancelled: bool) {
        match failures {
            0 => {
                let cancelled = is_cancelled;
                tracing::event!(target: "wakeful::task", Level::DEBUG, name, cancelled, "group ended");
            }
            _ => tracing::event!(target: "wakeful::task", Level::WARN, name, failures, "group ended"),
        }
    }

    /// An item of a run of work has ended, well (`done`) or not.
    pub(crate) fn item_ended(index: u64, how: &'static str) {
        match how {
            "done" => tracing::event!(target: "wakeful::work", Level::DEBUG, index, how, "item ended"),
            _ => tracing::event!(target: "wakeful::work", Level::INFO, index, how, "item ended"),
        }
    }

    /// Somebody waits for permits of a limiter, until this instant in nanoseconds; `u64::MAX` if that is not known.
    pub(crate) fn limiter_waits(permits: u32, due: u64) {
        let due = (due != u64::MAX).then_some(due);
        tracing::event!(target: "wakeful::limit", Level::DEBUG, permits, due, "limiter waits");
    }

    /// A limiter has refused permits.
    pub(crate) fn limiter_refused(permits: u32, why: &impl Display) {
        tracing::event!(target: "wakeful::limit", Level::INFO, permits, why = %why, "limiter refused");
    }

    /// A limit of calls in flight has changed.
    pub(crate) fn concurrency_changed(limit: u32) {
        tracing::event!(target: "wakeful::limit", Level::DEBUG, limit, "concurrency changed");
    }

    /// Somebody waits for room in a bulkhead.
    pub(crate) fn bulkhead_waits() {
        tracing::event!(target: "wakeful::resilience", Level::DEBUG, "bulkhead waits");
    }

    /// A bulkhead has turned somebody away.
    pub(crate) fn bulkhead_refused(why: &impl Display) {
        tracing::event!(target: "wakeful::resilience", Level::INFO, why = %why, "bulkhead refused");
    }

    /// The state of a breaker has changed.
    pub(crate) fn breaker_changed(from: &impl Debug, to: &impl Debug, cause: &impl Debug) {
        tracing::event!(target: "wakeful::resilience", Level::WARN, ?from, ?to, ?cause, "breaker changed");
    }
}

#[cfg(not(feature = "tracing"))]
mod imp {
    use crate::sys::joint::Label;
    use core::fmt::{Debug, Display};
    use core::panic::Location;

    /// Nothing: nobody listens.
    pub(crate) struct Span;

    /// Nothing: nobody listens.
    pub(crate) struct Entered;

    impl Span {
        pub(crate) const fn new() -> Self {
            Self
        }

        pub(crate) const fn none() -> Self {
            Self
        }

        #[inline(always)]
        pub(crate) fn group(&mut self, _: &str) -> Entered {
            Entered
        }

        #[inline(always)]
        pub(crate) fn child(&mut self, _: &str, _: &'static Location<'static>) -> Entered {
            Entered
        }

        #[inline(always)]
        pub(crate) fn scope(&mut self, _: impl FnOnce() -> u64) -> Entered {
            Entered
        }

        #[inline(always)]
        pub(crate) fn cut(&self, _: &impl Display) {}

        #[inline(always)]
        pub(crate) fn item(&mut self, _: u64) -> Entered {
            Entered
        }
    }

    #[inline(always)]
    pub(crate) fn scope_cancelled<R: Display>(_: impl FnOnce() -> Option<R>) {}

    #[inline(always)]
    pub(crate) fn child_ended<'a>(_: &str, _: impl FnOnce() -> &'a Label, _: &'static str) {}

    #[inline(always)]
    pub(crate) fn group_ended(_: &str, _: usize, _: bool) {}

    #[inline(always)]
    pub(crate) fn item_ended(_: u64, _: &'static str) {}

    #[inline(always)]
    pub(crate) fn limiter_waits(_: u32, _: u64) {}

    #[inline(always)]
    pub(crate) fn limiter_refused(_: u32, _: &impl Display) {}

    #[inline(always)]
    pub(crate) fn concurrency_changed(_: u32) {}

    #[inline(always)]
    pub(crate) fn bulkhead_waits() {}

    #[inline(always)]
    pub(crate) fn bulkhead_refused(_: &impl Display) {}

    #[inline(always)]
    pub(crate) fn breaker_changed(_: &impl Debug, _: &impl Debug, _: &impl Debug) {}
}
