//! Leaving out what is finished.

use super::super::source::{IntoSource, Source};
use super::Checkpoint;
use core::task::{Context, Poll};

/// How many items are left out before others have a turn.
const BUDGET: u32 = 128;

/// The items of `source` that are not finished, by a checkpoint of an earlier run.
///
/// It pulls all of them, and drops those that are finished. A source that can begin somewhere, such as a file that can be
/// sought in, had better begin at the [low-water mark](Checkpoint::low_water_mark) itself: see [`Resumed::beginning_at`].
///
/// The run has to pull from this very source, since it counts what it pulls: what puts items together or leaves some out goes
/// inside of it, as in `resume(chunks(..), ..)`, and has to do so in the same way in every run. Around it, the wrong items would
/// be said to be finished.
///
/// # Examples
/// See [`Checkpointing`](super::Checkpointing).
pub fn resume<M, S: IntoSource<M>>(source: S, from: &Checkpoint) -> Resumed<S::Source> {
    Resumed { source: source.into_source(), from: from.clone(), next: 0, ahead: from.finished() }
}

/// A source without what is finished; made by [`resume`].
#[derive(Clone, Debug)]
pub struct Resumed<S> {
    source: S,
    from: Checkpoint,
    /// The index of what the source gives next.
    next: u64,
    /// How many are finished from that one on.
    ahead: u64,
}

impl<S> Resumed<S> {
    /// Says that the source was brought on already: the first item that it gives has this index. It has to be the
    /// [low-water mark](Checkpoint::low_water_mark) at the most.
    ///
    /// # Panics
    /// If it is more: items that are not finished would be left out.
    ///
    /// # Examples
    /// ```
    /// use wakeful::work::{Checkpoint, Source, resume};
    ///
    /// let from: Checkpoint = "1000 1002".parse().unwrap();
    /// let lines = 1_000..1_010; // as from a file that was sought in
    /// assert_eq!(resume(lines, &from).beginning_at(1_000).remaining(), Some(9));
    /// ```
    #[must_use]
    #[track_caller]
    pub fn beginning_at(mut self, index: u64) -> Self {
        let low = self.from.low;
        assert!(index <= low, "a source that begins at {index} leaves out what is from {low} on");
        self.next = index;
        self.ahead = self.from.finished() - index;
        self
    }
}

impl<S: Source> Source for Resumed<S> {
    type Item = S::Item;
    type Rest = S::Rest;

    fn poll_pull(&mut self, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        for _ in 0..BUDGET {
            let Poll::Ready(item) = self.source.poll_pull(cx) else { return Poll::Pending };
            let Some(item) = item else { return Poll::Ready(None) };
            let index = self.next;
            self.next += 1;
            if !self.from.is_finished(index) {
                return Poll::Ready(Some(item));
            }
            self.ahead -= 1;
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn poll_ahead(&mut self, cx: &mut Context<'_>) {
        self.source.poll_ahead(cx);
    }

    fn remaining(&self) -> Option<usize> {
        let all = self.source.remaining()?;
        let end = self.next.saturating_add(u64::try_from(all).unwrap_or(u64::MAX));
        let finished = if self.from.end() <= end { self.ahead } else { self.from.finished_in(self.next..end) };
        Some(all - usize::try_from(finished).unwrap_or(usize::MAX).min(all))
    }

    fn into_rest(self) -> S::Rest {
        self.source.into_rest()
    }
}
