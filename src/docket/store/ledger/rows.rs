//! Rows by their generations, which are mostly asked for in the order in which they were given out.

use super::super::types::Generation;
use super::slot::Slot;
use alloc::boxed::Box;
use core::ops::Index;
use foldhash::fast::RandomState;
use hashbrown::HashMap;

/// How many generations are in a page.
const PAGE: u64 = 32;

/// Pages of rows: neighbours are found in the same one, and what is not there costs a pointer.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) pages: HashMap<u64, Box<Page>, RandomState>,
}

#[derive(Debug, Default)]
pub(super) struct Page {
    held: usize,
    /// Boxed, since they are large.
    slots: [Option<Box<Slot>>; PAGE as usize],
}

fn place(generation: Generation) -> (u64, usize) {
    (generation.0 / PAGE, (generation.0 % PAGE) as usize)
}

impl Rows {
    #[inline]
    pub(super) fn get(&self, generation: Generation) -> Option<&Slot> {
        let (page, at) = place(generation);
        self.pages.get(&page)?.slots[at].as_deref()
    }

    #[inline]
    pub(super) fn get_mut(&mut self, generation: Generation) -> Option<&mut Slot> {
        let (page, at) = place(generation);
        self.pages.get_mut(&page)?.slots[at].as_deref_mut()
    }

    /// Under a generation that no other has had.
    pub(super) fn insert(&mut self, slot: Box<Slot>) {
        let (page, at) = place(slot.generation);
        let page = self.pages.entry(page).or_default();
        page.held += 1;
        page.slots[at] = Some(slot);
    }

    pub(super) fn remove(&mut self, generation: Generation) -> Option<Box<Slot>> {
        let (number, at) = place(generation);
        let page = self.pages.get_mut(&number)?;
        let slot = page.slots[at].take()?;
        page.held -= 1;
        if page.held == 0 {
            self.pages.remove(&number);
        }
        Some(slot)
    }

    /// All of them, in no order.
    pub(super) fn values(&self) -> impl Iterator<Item = &Slot> {
        self.pages.values().flat_map(|page| page.slots.iter().flatten()).map(|slot| &**slot)
    }
}

impl Index<Generation> for Rows {
    type Output = Slot;

    fn index(&self, generation: Generation) -> &Slot {
        self.get(generation).expect("what an index names is there")
    }
}
