//! The desk at which workers are given items: by which rules, and what is noted of each.

use super::crew::{Polled, Seat};
use super::durations::Durations;
use super::intake::Feed;
use super::lease::Lease;
use super::options::{OnError, Options};
use super::outcome::{Count, ItemOutcome};
use super::report::Stop;
use super::tag::{Outcomes, Tag};
use super::width;
use crate::cancel::{Reason, Scope};
use crate::sys::trace;
use crate::time::Instant;
use crate::wait::Ready;
use core::future::Future;
use core::num::NonZeroUsize;
use core::task::{Context, Poll, Waker};
use core::time::Duration;

/// What a worker is given, by which rules, and where its outcomes go.
pub(super) struct Desk<'p, N, F, K> {
    pub(super) options: &'p Options,
    /// The one inside the caller's that bodies run in, which ends at the run's deadline.
    pub(super) scope: &'p Scope,
    pub(super) feed: N,
    pub(super) body: F,
    pub(super) outlet: Outlet<K>,
    pub(super) control: Waker,
    /// The latest reading of the clock, if anything is timed.
    pub(super) now: Instant,
    /// The first instant at which nothing is started any more.
    pub(super) closes: Instant,
    /// Whether the clock is of any interest.
    pub(super) is_timed: bool,
    /// That it is of none, and no permit is needed before a pull. Such a run has loops of its own, which ask for neither: a
    /// seventh fewer instructions an item.
    pub(super) is_plain: bool,
    /// What items come from has registered the control waker, or the scope is cancelled.
    pub(super) blocked: bool,
    pub(super) stop: Option<Stop>,
    /// The instant from which on nothing is started, whatever items take.
    pub(super) last_start: Instant,
    /// How long items took, if anybody wants to know.
    pub(super) durations: Option<Durations>,
}

/// Where outcomes go.
pub(super) struct Outlet<K> {
    pub(super) sink: K,
    /// Of all but what was done.
    pub(super) count: Count,
}

impl<K> Outlet<K> {
    #[inline(always)]
    pub(super) fn end<G: Tag<T>, T, O, E>(&mut self, tag: G, worker: Option<usize>, outcome: ItemOutcome<T, O, E>)
    where
        K: Outcomes<G, T, O, E>,
    {
        self.count.add(&outcome);
        trace::item_ended(tag.index(), outcome.word());
        self.sink.tell(tag, worker, outcome);
    }

    /// The same where that is all there is to do: how many were done is found at the end, from how many were given out.
    #[inline(always)]
    fn done<G: Tag<T>, T, O, E>(&mut self, tag: G, worker: usize, result: O)
    where
        K: Outcomes<G, T, O, E>,
    {
        let outcome = ItemOutcome::Done(result);
        trace::item_ended(tag.index(), outcome.word());
        self.sink.tell(tag, Some(worker), outcome);
    }
}

/// The first instant at which less than `min_time`, or nothing, is left until `deadline`.
pub(super) fn closing(deadline: Instant, min_time: Duration) -> Instant {
    match deadline.is_never() {
        true => deadline,
        false if deadline - Instant::EPOCH < min_time => Instant::EPOCH,
        false => deadline - min_time.saturating_sub(Duration::from_nanos(1)),
    }
}

impl<N: Feed, F, K> Desk<'_, N, F, K> {
    /// Starts nothing more for want of time; an empty source is the better reason.
    #[cold]
    pub(super) fn out_of_time(&mut self) {
        self.stop = Some(self.feed.out_of_time());
    }

    /// Counts and tells the end of an item, if a poll has come to one.
    #[inline(always)]
    pub(super) fn end<const PLAIN: bool, O, E>(
        &mut self,
        polled: Polled<N::Tag, N::Item, O, E>,
        worker: usize,
        started: impl FnOnce() -> Instant,
    ) where
        K: Outcomes<N::Tag, N::Item, O, E>,
    {
        match polled {
            Polled::Pending => {}
            // Written once for all outcomes, this takes a tenth more instructions an item.
            Polled::Done(tag, result) if PLAIN || self.durations.is_none() => {
                self.outlet.done(tag, worker, result);
            }
            Polled::Done(tag, result) => self.end_otherwise(tag, Some(worker), started(), ItemOutcome::Done(result)),
            Polled::Ended((tag, outcome)) => self.end_otherwise(tag, Some(worker), started(), outcome),
        }
    }

    /// The same of any outcome. Cold, as is a permit before a pull, so that the loop that starts items is in one piece.
    #[cold]
    #[inline(never)]
    pub(super) fn end_otherwise<O, E>(
        &mut self,
        tag: N::Tag,
        worker: Option<usize>,
        started: Instant,
        outcome: ItemOutcome<N::Item, O, E>,
    ) where
        K: Outcomes<N::Tag, N::Item, O, E>,
    {
        if self.options.on_error != OnError::Collect && outcome.is_error() {
            self.stop_for(tag.index());
        }
        if self.durations.is_some() && matches!(outcome, ItemOutcome::Done(_) | ItemOutcome::Failed { .. }) {
            self.observe(started);
        }
        self.outlet.end(tag, worker, outcome);
    }

    #[cold]
    fn stop_for(&mut self, index: u64) {
        // One that ended the run for its own sake may be followed by others, and comes before what they lead to.
        if !matches!(self.stop, Some(Stop::Failed { .. })) {
            let stop = Stop::Failed { index };
            self.feed.halt(&stop, self.options.on_error == OnError::CancelRest);
            self.stop = Some(stop);
        }
        if self.options.on_error == OnError::CancelRest {
            self.scope.cancel(Reason::sibling_failed());
        }
    }

    /// Notes how long an item took, and until when the next ones may begin by that.
    #[cold]
    fn observe(&mut self, started: Instant) {
        let Some(durations) = &mut self.durations else { return };
        self.now = self.scope.now();
        let took = self.now - started;
        durations.add(took);
        self.feed.took(took, self.time_left());
        self.close();
    }

    /// Says anew from when on nothing is started.
    pub(super) fn close(&mut self) {
        let mut least = self.options.min_time;
        if let (Some(observed), Some(durations)) = (self.options.observed, &self.durations) {
            if durations.count() >= observed.after {
                least = least.max(durations.quantile(observed.percent));
            }
        }
        let closes = closing(self.last_start, least);
        if closes != self.closes {
            self.closes = closes;
            // A permit was asked for with the one of then.
            self.feed.ask_anew();
            self.blocked = self.scope.is_cancelled();
        }
    }

    /// As many workers as it takes to be done in time, if everything goes on as it did.
    pub(super) fn needed(&self, most: NonZeroUsize) -> Option<usize> {
        let (left, mean) = (self.feed.remaining()?, self.durations.as_ref()?.mean()?);
        Some(width::needed(left, mean, self.time_left()?, most).get())
    }

    /// How long items may still be started, if there is a deadline.
    fn time_left(&self) -> Option<Duration> {
        (!self.last_start.is_never()).then(|| self.last_start - self.now)
    }

    /// Whether nothing has been found so far that forbids to pull.
    #[inline]
    pub(super) fn is_open(&self) -> bool {
        self.stop.is_none() && !self.blocked
    }

    /// Reads the clock. Whether nothing may be started any more.
    fn is_late(&mut self) -> bool {
        self.now = self.scope.now();
        self.now >= self.closes
    }

    /// Whether the scope was cancelled. Whoever does that wakes the control waker, which was registered when the poll began.
    #[inline]
    pub(super) fn is_cut(&self, ready: &Ready) -> bool {
        ready.has_control() && self.scope.is_cancelled()
    }

    /// Gives a worker that has nothing to do one item after another, as long as bodies are ready at once. Whether it has
    /// something to do now; if not, there is nothing to be given at present. `OFTEN` as in [`Seat::poll`], `PLAIN` as
    /// [`is_plain`](Self::is_plain) has it.
    #[inline(always)]
    pub(super) fn fill<const OFTEN: bool, const PLAIN: bool, Fut, O, E>(
        &mut self,
        seat: &mut Seat<'_, N::Tag, N::Item, Fut>,
        budget: &mut u32,
    ) -> bool
    where
        F: Fn(Lease<N::Item>) -> Fut,
        Fut: Future<Output = Result<O, E>>,
        K: Outcomes<N::Tag, N::Item, O, E>,
    {
        loop {
            if *budget == 0 || self.is_cut(seat.ready) {
                // If it is cut, the round ends with that, and says why.
                return false;
            }
            if !PLAIN && self.now >= self.closes {
                self.out_of_time();
                return false;
            }
            let (tag, item) = match self.feed.poll_feed::<PLAIN>(&mut Context::from_waker(&self.control), self.closes) {
                Poll::Ready(Ok(pulled)) => pulled,
                Poll::Ready(Err(stop)) => {
                    self.stop = Some(stop);
                    return false;
                }
                Poll::Pending => {
                    self.blocked = true;
                    return false;
                }
            };
            *budget -= 1;
            // D3.
            if !PLAIN && self.is_timed && self.is_late() || self.is_cut(seat.ready) {
                self.end_otherwise(tag, None, self.now, ItemOutcome::Skipped { item });
                continue;
            }
            match seat.start::<OFTEN, PLAIN>(tag, self.now, item, &self.body) {
                Polled::Pending => return true,
                polled => self.end::<PLAIN, _, _>(polled, seat.number, || seat.started()),
            }
            if self.stop.is_some() {
                return false;
            }
        }
    }
}
