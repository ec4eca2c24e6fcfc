//! What becomes of rows while no worker has them: told to whoever listens, and to `tracing`.

use super::types::{Ending, Entry, StrikeId};
use crate::docket::{Event, EventKind};
use crate::sys::{Arc, Told, runs};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem;

/// Who [listens](super::Store::listen) at a store: false, when nobody does any more.
pub type Listener = Box<dyn Fn(&Event) -> bool + Send + Sync>;

/// What is to be told when the lock is free.
#[derive(Debug, Default)]
pub(super) struct Fates {
    /// Whether somebody listens, or did.
    pub(super) is_heard: bool,
    events: Vec<Event>,
}

impl Fates {
    /// Takes what there is.
    pub(super) fn take(&mut self) -> Self {
        Self { is_heard: self.is_heard, events: mem::take(&mut self.events) }
    }

    /// A row has ended in the store.
    pub(super) fn ended(&mut self, ending: &Ending, event: impl FnOnce(EventKind) -> Event) {
        let is_told = matches!(ending, Ending::Struck(_) | Ending::Dropped(_) | Ending::Dead(_));
        if self.is_heard || (runs::TOLD && is_told) {
            self.events.push(event(EventKind::Ended(ending.clone())));
        }
    }

    /// A run was lost, and another one takes its place.
    pub(super) fn lapsed(&mut self, event: impl FnOnce(EventKind) -> Event) {
        if self.is_heard || runs::TOLD {
            self.events.push(event(EventKind::Lapsed));
        }
    }

    /// What was to come under a key is struck.
    pub(super) fn refused(&mut self, next: &Entry, strike: StrikeId) {
        if self.is_heard {
            self.events.push(Event::refused(&next.name, &next.key, strike));
        }
    }
}

/// Those who listen.
pub(super) struct Listeners(Told<Vec<Arc<Listener>>>);

impl Listeners {
    /// None.
    pub(super) fn new() -> Self {
        Self(Told::new(Vec::new()))
    }

    /// Whether somebody listens.
    pub(super) fn are_there(&self) -> bool {
        self.0.read(|all| !all.is_empty())
    }

    pub(super) fn add(&self, listener: Listener) {
        let listener = Arc::new(listener);
        self.0.with(|all| all.push(listener));
    }

    /// Tells of them, outside of every lock.
    pub(super) fn tell(&self, fates: Fates) {
        if fates.events.is_empty() {
            return;
        }
        let mut all = self.0.read(Vec::clone);
        for event in &fates.events {
            if let Some(fate) = event.kind.fate() {
                runs::fate(&event.name, &event.key, fate);
            }
            all.retain(|listener| {
                let goes_on = listener(event);
                if !goes_on {
                    self.remove(listener);
                }
                goes_on
            });
        }
    }

    fn remove(&self, gone: &Arc<Listener>) {
        let removed = self.0.with(|all| {
            let at = all.iter().position(|one| Arc::ptr_eq(one, gone));
            at.map(|at| all.swap_remove(at))
        });
        drop(removed);
    }
}
