//! A source that gives out what has room.

use super::super::source::Source;
use super::PerKeyRest;
use super::ends::Ends;
use super::groups::{Called, Groups};
use crate::sys::Arc;
use alloc::vec::Vec;
use core::hash::Hash;
use core::task::{Context, Poll};

/// How many items are set aside before others have a turn.
const BUDGET: u32 = 128;

pub(super) struct Keyed<S: Source, F, G> {
    source: S,
    key: F,
    groups: Groups<G, S::Item>,
    ends: Arc<Ends>,
    /// Groups of which items have ended; empty between two polls.
    news: Vec<usize>,
    /// How many were pulled from the source.
    pulled: u64,
    /// How many were given out.
    given: u64,
    is_exhausted: bool,
}

impl<S: Source, F, G: Hash + Eq> Keyed<S, F, G> {
    pub(super) fn new(source: S, key: F, groups: Groups<G, S::Item>, ends: Arc<Ends>) -> Self {
        Self { source, key, groups, ends, news: Vec::new(), pulled: 0, given: 0, is_exhausted: false }
    }

    /// Hears which items have ended. False: none has, and the waker of `cx` is registered for the next one.
    fn look(&mut self, cx: Option<&Context<'_>>) -> bool {
        self.ends.look(&mut self.news, cx.map(|cx| cx.waker().clone()));
        let any = !self.news.is_empty();
        self.news.drain(..).for_each(|group| self.groups.ended(group));
        any
    }

    fn give(&mut self, called: Called<S::Item>) -> Poll<Option<S::Item>> {
        self.ends.start(self.given, called.group, called.position);
        self.given += 1;
        Poll::Ready(Some(called.item))
    }

    /// Gives out what is set aside and has room. Nothing does: the waker is registered for the next one that ends.
    fn poll_called(&mut self, cx: &Context<'_>) -> Poll<Option<S::Item>> {
        // G3.
        while self.groups.aside() > 0 && self.look(Some(cx)) {
            if let Some(called) = self.groups.next_called() {
                return self.give(called);
            }
        }
        Poll::Pending
    }
}

impl<S, F, G> Source for Keyed<S, F, G>
where
    S: Source,
    F: FnMut(&S::Item) -> G,
    G: Hash + Eq,
{
    type Item = S::Item;
    type Rest = PerKeyRest<S::Item, S::Rest>;

    fn poll_pull(&mut self, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        self.look(None);
        if let Some(called) = self.groups.next_called() {
            return self.give(called);
        }
        for _ in 0..BUDGET {
            if self.groups.is_full() || self.is_exhausted && self.groups.aside() > 0 {
                return self.poll_called(cx);
            }
            if self.is_exhausted {
                return Poll::Ready(None);
            }
            match self.source.poll_pull(cx) {
                Poll::Ready(Some(item)) => {
                    let position = self.pulled;
                    self.pulled += 1;
                    let key = (self.key)(&item);
                    if let Some(called) = self.groups.admit(key, item, position) {
                        return self.give(called);
                    }
                }
                Poll::Ready(None) => self.is_exhausted = true,
                Poll::Pending => return self.poll_called(cx),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn poll_ahead(&mut self, cx: &mut Context<'_>) {
        if !self.is_exhausted {
            self.source.poll_ahead(cx);
        }
    }

    fn remaining(&self) -> Option<usize> {
        let left = if self.is_exhausted { 0 } else { self.source.remaining()? };
        Some(left.saturating_add(self.groups.aside()))
    }

    fn into_rest(self) -> Self::Rest {
        PerKeyRest { set_aside: self.groups.into_aside(), rest: self.source.into_rest() }
    }
}
