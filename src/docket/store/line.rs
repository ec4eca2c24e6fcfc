//! An ordered set for what mostly comes in order, and goes from the front.

use alloc::collections::{BTreeSet, VecDeque};

/// Items in order, each once.
///
/// What comes behind or before all of `run` goes to an end of it, and all else to `rest`; what is taken out of the midst of `run` stays
/// there as long as it is in `gone`.
///
/// - **N1** `run` is in order; its ends are not in `gone`, and all that is in `gone` is in `run`.
/// - **N2** No item is in `run` and in `rest`.
/// - **N3** No more than half of `run` is gone.
#[derive(Debug)]
pub(super) struct Line<T> {
    run: VecDeque<T>,
    rest: BTreeSet<T>,
    gone: BTreeSet<T>,
}

impl<T> Default for Line<T> {
    fn default() -> Self {
        Self { run: VecDeque::new(), rest: BTreeSet::new(), gone: BTreeSet::new() }
    }
}

impl<T: Ord + Copy> Line<T> {
    /// Takes in what is not there yet.
    #[inline]
    pub(super) fn insert(&mut self, item: T) {
        debug_assert!(!self.contains(&item), "once");
        if self.run.back().is_none_or(|last| *last < item) {
            self.run.push_back(item);
        } else if self.run.front().is_some_and(|first| item < *first) {
            self.run.push_front(item);
        } else if self.gone.is_empty() || !self.gone.remove(&item) {
            self.rest.insert(item);
        }
    }

    pub(super) fn contains(&self, item: &T) -> bool {
        let is_in_run = || self.run.binary_search(item).is_ok() && !self.gone.contains(item);
        self.run.front() == Some(item) || self.rest.contains(item) || is_in_run()
    }

    /// Takes an item out; false if it isn't there.
    #[inline]
    pub(super) fn remove(&mut self, item: &T) -> bool {
        if self.run.front() == Some(item) {
            self.pop_front();
            return true;
        }
        self.remove_between(item)
    }

    fn remove_between(&mut self, item: &T) -> bool {
        if self.rest.remove(item) {
            return true;
        }
        if self.run.back() == Some(item) {
            self.run.pop_back();
        } else if self.run.binary_search(item).is_err() || !self.gone.insert(*item) {
            return false;
        }
        self.tidy();
        true
    }

    fn pop_front(&mut self) {
        self.run.pop_front();
        self.tidy();
    }

    /// Keeps N1 and N3.
    #[inline]
    fn tidy(&mut self) {
        if !self.gone.is_empty() {
            self.sweep();
        }
    }

    fn sweep(&mut self) {
        while self.run.front().is_some_and(|first| self.gone.remove(first)) {
            self.run.pop_front();
        }
        while self.run.back().is_some_and(|last| self.gone.remove(last)) {
            self.run.pop_back();
        }
        if self.gone.len() > self.run.len() / 2 {
            let gone = core::mem::take(&mut self.gone);
            self.run.retain(|item| !gone.contains(item));
        }
    }

    #[inline]
    pub(super) fn first(&self) -> Option<&T> {
        match (self.run.front(), self.rest.first()) {
            (Some(run), Some(rest)) => Some(run.min(rest)),
            (run, rest) => run.or(rest),
        }
    }

    /// Takes the first out if it passes.
    #[inline]
    pub(super) fn pop_first_if(&mut self, passes: impl FnOnce(&T) -> bool) -> Option<T> {
        let first = *self.first().filter(|first| passes(first))?;
        if self.run.front() == Some(&first) {
            self.pop_front();
        } else {
            self.rest.pop_first();
        }
        Some(first)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.run.is_empty() && self.rest.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.run.len() - self.gone.len() + self.rest.len()
    }

    /// All of them in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        let mut run = self.run.iter().filter(|item| self.gone.is_empty() || !self.gone.contains(*item)).peekable();
        let mut rest = self.rest.iter().peekable();
        core::iter::from_fn(move || match (run.peek(), rest.peek()) {
            (Some(a), Some(b)) if b < a => rest.next(),
            (None, _) => rest.next(),
            _ => run.next(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::mix;

    /// Whatever is done, it is what a plain set is.
    #[test]
    fn a_line_is_a_set_in_order() {
        for seed in 0..64 {
            let (mut random, mut line, mut plain) = (seed, Line::default(), BTreeSet::new());
            let mut below = |n: u64| mix::next(&mut random) % n;
            let mut last = 0;
            for _ in 0..500 {
                match below(8) {
                    0..3 => {
                        last += below(3);
                        if plain.insert(last) {
                            line.insert(last);
                        }
                    }
                    3 => {
                        let item = below(last + 2);
                        assert_eq!(line.contains(&item), plain.contains(&item));
                        if plain.insert(item) {
                            line.insert(item);
                        }
                    }
                    4..7 if seed % 2 == 0 => {
                        let item = below(last + 2);
                        assert_eq!(line.remove(&item), plain.remove(&item));
                    }
                    4 => {
                        let odd = |first: &u64| first % 4 != 3;
                        let first = plain.first().copied().filter(odd);
                        plain.retain(|item| Some(*item) != first);
                        assert_eq!(line.pop_first_if(odd), first);
                    }
                    5 => {
                        let end = plain.last().copied().unwrap_or(0);
                        assert_eq!(line.remove(&end), plain.remove(&end));
                    }
                    _ => {
                        let first = plain.first().copied().unwrap_or(0);
                        assert_eq!(line.remove(&first), plain.remove(&first));
                    }
                }
                assert_eq!((line.first(), line.len(), line.is_empty()), (plain.first(), plain.len(), plain.is_empty()));
                assert!(line.iter().eq(plain.iter()));
                let (run, gone) = (&line.run, &line.gone);
                assert!(run.iter().is_sorted() && gone.len() <= run.len() / 2, "N1, N3");
                assert!([run.front(), run.back()].into_iter().flatten().all(|end| !gone.contains(end)), "N1");
                assert!(run.iter().all(|item| !line.rest.contains(item)), "N2");
            }
        }
    }
}
