//! What goes beside an item, from where it came to who is told of its end.

use super::outcome::{Ended, ItemOutcome, Sink};

/// What tells an item of `T` from others.
pub(super) trait Tag<T> {
    /// That of no item.
    const NONE: Self;

    /// How many items were pulled before this one.
    fn index(&self) -> u64;

    /// The tag of an item that has ended; what stays is of no use any more.
    fn hand_on(&mut self) -> Self;

    /// Whether nobody wants to have the item worked on any more. Who says so wakes the worker's own waker.
    #[inline(always)]
    fn is_given_up(&self) -> bool {
        false
    }

    /// The worker is dropped with an item that has not ended; `item` finds out whether it came back.
    #[inline]
    fn lost(&mut self, _item: impl FnOnce() -> Option<T>) {}
}

/// Where nothing is known of an item but its number.
impl<T> Tag<T> for u64 {
    const NONE: Self = 0;

    #[inline(always)]
    fn index(&self) -> u64 {
        *self
    }

    #[inline(always)]
    fn hand_on(&mut self) -> Self {
        *self
    }
}

/// Who is told of the ends of items that have tags of `G`. Every sink is told by number.
pub(super) trait Outcomes<G, T, O, E> {
    fn tell(&mut self, tag: G, worker: Option<usize>, outcome: ItemOutcome<T, O, E>);

    /// The run is about to rest.
    #[inline]
    fn settle(&mut self) {}
}

impl<K: Sink<T, O, E>, T, O, E> Outcomes<u64, T, O, E> for K {
    #[inline(always)]
    fn tell(&mut self, index: u64, worker: Option<usize>, outcome: ItemOutcome<T, O, E>) {
        self.accept(Ended::new(index, worker, outcome));
    }

    #[inline]
    fn settle(&mut self) {
        Sink::settle(self);
    }
}
