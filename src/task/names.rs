//! How many children there are of each name.

use crate::sys::joint::Label;
use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// Names with their counts. A name has the same number as long as it is counted.
#[derive(Default)]
pub(super) struct Names {
    list: Vec<(Cow<'static, str>, usize)>,
    numbers: BTreeMap<Cow<'static, str>, u32>,
    /// Numbers that no name has.
    unused: Vec<u32>,
    /// The one that was counted last, unless it is forgotten: often it is the next, too.
    last: u32,
}

impl Names {
    /// Counts one in, and gives the name's number.
    #[inline]
    pub(super) fn enter(&mut self, Label { name, .. }: &Label) -> u32 {
        match self.list.get_mut(self.last as usize) {
            Some((last, count)) if core::ptr::eq::<str>(&**last, &**name) => {
                *count += 1;
                self.last
            }
            _ => self.find(name.clone()),
        }
    }

    fn find(&mut self, name: Cow<'static, str>) -> u32 {
        let number = match self.numbers.get(&name) {
            Some(number) => *number,
            None => {
                let number = self.unused.pop().unwrap_or(self.list.len() as u32);
                let entry = (name.clone(), 0);
                match self.list.get_mut(number as usize) {
                    Some(place) => *place = entry,
                    None => self.list.push(entry),
                }
                self.numbers.insert(name, number);
                number
            }
        };
        self.list[number as usize].1 += 1;
        self.last = number;
        number
    }

    /// Counts one out. A name that was made at run time is forgotten with the last.
    #[inline]
    pub(super) fn leave(&mut self, number: u32) {
        let (name, count) = &mut self.list[number as usize];
        *count -= 1;
        if let (0, Cow::Owned(_)) = (*count, &*name) {
            let name = core::mem::take(name);
            self.numbers.remove(&name);
            self.unused.push(number);
            // An empty name may lie where the one that is left here does.
            if self.last == number {
                self.last = u32::MAX;
            }
        }
    }

    /// Those that are counted.
    pub(super) fn live(&self) -> impl Iterator<Item = (&Cow<'static, str>, usize)> {
        self.list.iter().filter(|(_, count)| *count > 0).map(|(name, count)| (name, *count))
    }
}

#[cfg(all(test, not(wakeful_loom)))]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::{String, ToString};

    fn label(name: impl Into<Cow<'static, str>>) -> Label {
        Label { name: name.into(), made: core::panic::Location::caller() }
    }

    #[test]
    fn names_are_counted_whoever_made_them() {
        let mut names = Names::default();
        let owned = |n: u32| label(format!("job {n}"));
        let numbers: Vec<_> = (0..6).map(|n| names.enter(&owned(n % 3))).collect();
        assert_eq!(numbers, [0, 1, 2, 0, 1, 2]);
        let (a, b) = (names.enter(&label("a")), names.enter(&label("a")));
        assert_eq!((a, b, names.enter(&label("job 0"))), (3, 3, 0));
        names.leave(1);
        names.leave(1);
        names.leave(a);
        let live: Vec<_> = names.live().map(|(name, count)| (name.clone().into_owned(), count)).collect();
        assert_eq!(live, [("job 0".into(), 3), ("job 2".into(), 2), ("a".into(), 1)]);
        assert_eq!(names.enter(&owned(7)), 1, "the number of one that is gone is used again");
        names.leave(b);
        assert_eq!(names.enter(&label("a")), 3, "one of the program's own stays known");
    }

    #[test]
    fn an_empty_name_is_not_taken_for_one_that_was_forgotten() {
        let mut names = Names::default();
        let job = names.enter(&label("job".to_string()));
        names.leave(job);
        let empty = [names.enter(&label("")), names.enter(&label(String::new()))];
        assert_eq!(empty, [job; 2], "a number is used again");
        assert_ne!(names.enter(&label("next")), job);
        let live: Vec<_> = names.live().map(|(name, count)| (&**name, count)).collect();
        assert_eq!(live, [("", 2), ("next", 1)]);
    }
}
