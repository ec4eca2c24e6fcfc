//! Items that are set aside, in as many lines as there are groups.

use alloc::vec::Vec;

/// No place.
const NONE: usize = usize::MAX;

/// The items of all lines, in places that are used again: what it takes is what most of them have taken at once.
pub(super) struct Aside<T> {
    places: Vec<Place<T>>,
    /// The first of those that are empty, each of which knows the next.
    empty: usize,
    len: usize,
}

struct Place<T> {
    /// The item, and how many were pulled from the source before it.
    held: Option<(u64, T)>,
    next: usize,
}

/// One line: its first place and its last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    first: usize,
    last: usize,
}

impl Line {
    pub(super) const fn new() -> Self {
        Self { first: NONE, last: NONE }
    }
}

impl<T> Aside<T> {
    pub(super) fn new() -> Self {
        Self { places: Vec::new(), empty: NONE, len: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Puts an item at the end of a line.
    pub(super) fn push(&mut self, line: &mut Line, position: u64, item: T) {
        let place = Place { held: Some((position, item)), next: NONE };
        let at = match self.places.get_mut(self.empty) {
            Some(empty) => {
                let at = self.empty;
                self.empty = empty.next;
                *empty = place;
                at
            }
            None => {
                self.places.push(place);
                self.places.len() - 1
            }
        };
        match self.places.get_mut(line.last) {
            Some(last) => last.next = at,
            None => line.first = at,
        }
        line.last = at;
        self.len += 1;
    }

    /// Takes the first item of a line.
    pub(super) fn pop(&mut self, line: &mut Line) -> Option<(u64, T)> {
        let at = line.first;
        let first = self.places.get_mut(at)?;
        let held = first.held.take();
        (line.first, first.next, self.empty) = (first.next, self.empty, at);
        if line.first == NONE {
            line.last = NONE;
        }
        self.len -= 1;
        held
    }

    /// All that there are, in the order in which they were pulled.
    pub(super) fn into_items(self) -> Vec<T> {
        let mut all: Vec<_> = self.places.into_iter().filter_map(|place| place.held).collect();
        all.sort_by_key(|(position, _)| *position);
        all.into_iter().map(|(_, item)| item).collect()
    }
}
