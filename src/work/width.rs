//! How many workers there are to be, where that changes.

use super::options::Options;
use crate::sync::watch;
use alloc::boxed::Box;
use core::future::Future;
use core::num::NonZeroUsize;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

/// The next change of what somebody else says.
type Change = Pin<Box<dyn Future<Output = watch::Receiver<NonZeroUsize>> + Send>>;

/// How many workers there are to be, as somebody else says.
pub(super) struct Width(Change);

impl Width {
    /// How many it begins with, and who says so anew, if anybody does.
    pub(super) fn begin(options: &Options) -> (NonZeroUsize, Option<Self>) {
        match options.follows.clone() {
            None => (options.workers, None),
            Some(mut says) => (*says.see(), Some(Self::new(says))),
        }
    }

    fn new(mut says: watch::Receiver<NonZeroUsize>) -> Self {
        Self(Box::pin(async move {
            if says.changed().await.is_err() {
                // Nobody will say anything else.
                core::future::pending::<()>().await;
            }
            says
        }))
    }

    /// What was said anew.
    pub(super) fn poll_change(&mut self, cx: &mut Context<'_>) -> Option<NonZeroUsize> {
        let mut latest = None;
        while let Poll::Ready(mut says) = self.0.as_mut().poll(cx) {
            latest = Some(*says.see());
            *self = Self::new(says);
        }
        latest
    }
}

/// How many it takes to do what is `left` in the time that is, at `mean` nanoseconds each.
pub(super) fn needed(left: usize, mean: u128, time: Duration, most: NonZeroUsize) -> NonZeroUsize {
    let needed = (left as u128).saturating_mul(mean).div_ceil(time.as_nanos().max(1));
    NonZeroUsize::new(usize::try_from(needed).unwrap_or(usize::MAX))
        .map_or(NonZeroUsize::MIN, |needed| needed.min(most))
}
