//! What comes in: permits, pulls, and why there are no more.

use super::report::Stop;
use super::source::Source;
use super::tag::Tag;
use crate::limit::{Admit, Limiter};
use crate::time::Instant;
use crate::wait::Ready;
use alloc::boxed::Box;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

/// The next item and its tag, or why there is none any more.
pub(super) type Fed<G, T> = Poll<Result<(G, T), Stop>>;

/// Where a run's items come from, each with its tag.
pub(super) trait Feed {
    type Item;
    /// What goes beside an item.
    type Tag: Tag<Self::Item>;

    /// The run begins, whose wakers these are.
    fn begin(&mut self, _: &mut Ready) {}

    /// The next item, or why there is none any more. Nothing is waited for that comes at `closes` or later. `PLAIN`:
    /// [`is_plain`](Self::is_plain) is true.
    fn poll_feed<const PLAIN: bool>(&mut self, cx: &mut Context<'_>, closes: Instant) -> Fed<Self::Tag, Self::Item>;

    /// Whether no permit is needed before a pull, or that is not this one's business.
    fn is_plain(&self) -> bool {
        true
    }

    /// Goes on with what is fetched ahead.
    fn poll_ahead(&mut self, cx: &mut Context<'_>);

    /// The run is about to rest.
    fn settle(&mut self) {}

    /// What was asked for is to be asked for anew, as the instant from which on nothing is started has changed.
    fn ask_anew(&mut self);

    /// Nothing more is to be started by anybody who shares what items come from, and what runs is to be cancelled or not.
    fn halt(&mut self, _: &Stop, _cancel: bool) {}

    /// An item that came from here took so long, with a result or an error, and others may be started for so long. Told only
    /// where somebody wants to know.
    fn took(&mut self, _: Duration, _time: Option<Duration>) {}

    /// How many items are left, where that is known.
    fn remaining(&self) -> Option<usize>;

    /// Why nothing is started when it is too late to.
    fn out_of_time(&mut self) -> Stop;
}

/// A source, and the limiter before it.
pub(super) struct Intake<S> {
    source: S,
    toll: Option<Toll>,
    pulled: u64,
    exhausted: bool,
}

/// A permit is taken before each pull.
pub(super) struct Toll {
    limiter: Limiter,
    turn: Pin<Box<Option<Admit>>>,
    pub(super) has_permit: bool,
}

impl<S: Source> Intake<S> {
    pub(super) fn new(source: S, limiter: Option<Limiter>) -> Self {
        Self { source, toll: limiter.map(Toll::new), pulled: 0, exhausted: false }
    }

    /// How many items are left, where that is known, and what is left of the source.
    pub(super) fn into_rest(self) -> (Option<usize>, S::Rest) {
        let left = if self.exhausted { Some(0) } else { self.source.remaining() };
        (left, self.source.into_rest())
    }

    /// Waits for a permit, where there is none yet. Something: nothing is to be pulled, and why.
    #[cold]
    #[inline(never)]
    fn poll_toll(&mut self, cx: &mut Context<'_>, closes: Instant) -> Option<Poll<Stop>> {
        let Some(toll) = &mut self.toll else { unreachable!("asked before") };
        if !toll.has_permit && self.source.remaining() == Some(0) {
            self.exhausted = true;
            return Some(Poll::Ready(Stop::Exhausted));
        }
        match toll.poll_paid(cx, closes) {
            Poll::Ready(true) => None,
            Poll::Ready(false) => Some(Poll::Ready(Stop::OutOfTime)),
            Poll::Pending => Some(Poll::Pending),
        }
    }
}

impl<S: Source> Feed for Intake<S> {
    type Item = S::Item;
    type Tag = u64;

    #[inline]
    fn poll_feed<const PLAIN: bool>(&mut self, cx: &mut Context<'_>, closes: Instant) -> Fed<u64, S::Item> {
        let has_toll = !PLAIN && self.toll.is_some();
        if has_toll {
            if let Some(waits) = self.poll_toll(cx, closes) {
                return waits.map(Err);
            }
        }
        match self.source.poll_pull(cx) {
            Poll::Ready(Some(item)) => {
                if has_toll {
                    self.toll.as_mut().expect("it was there").has_permit = false;
                }
                let index = self.pulled;
                self.pulled += 1;
                Poll::Ready(Ok((index, item)))
            }
            Poll::Ready(None) => {
                self.exhausted = true;
                Poll::Ready(Err(Stop::Exhausted))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    #[inline]
    fn is_plain(&self) -> bool {
        self.toll.is_none()
    }

    #[inline]
    fn poll_ahead(&mut self, cx: &mut Context<'_>) {
        if !self.exhausted {
            self.source.poll_ahead(cx);
        }
    }

    #[inline]
    fn settle(&mut self) {
        self.source.settle();
    }

    fn ask_anew(&mut self) {
        if let Some(toll) = &mut self.toll {
            toll.ask_anew();
        }
    }

    fn remaining(&self) -> Option<usize> {
        self.source.remaining()
    }

    fn out_of_time(&mut self) -> Stop {
        match self.source.remaining() {
            Some(0) => Stop::Exhausted,
            _ => Stop::OutOfTime,
        }
    }
}

impl Toll {
    pub(super) fn new(limiter: Limiter) -> Self {
        Self { limiter, turn: Box::pin(None), has_permit: false }
    }

    /// Forgets for when a permit was asked for.
    pub(super) fn ask_anew(&mut self) {
        self.turn.set(None);
    }

    /// Waits for a permit, where there is none yet. False: it would come too late.
    pub(super) fn poll_paid(&mut self, cx: &mut Context<'_>, closes: Instant) -> Poll<bool> {
        if self.has_permit {
            return Poll::Ready(true);
        }
        if self.turn.is_none() {
            self.turn.set(Some(self.limiter.admit_before(closes)));
        }
        let Some(turn) = self.turn.as_mut().as_pin_mut() else { unreachable!("set above") };
        let Poll::Ready(granted) = turn.poll(cx) else { return Poll::Pending };
        self.turn.set(None);
        self.has_permit = granted.is_ok();
        Poll::Ready(self.has_permit)
    }
}
