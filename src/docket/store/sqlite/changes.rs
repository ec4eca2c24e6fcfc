//! Who waits for changes, of this process or of others.

use super::super::types::Generation;
use super::runs::is_over;
use super::tx::{Fault, Meta, Seat, unsigned};
use crate::docket::StoreError;
use crate::sync::{Event, Notify};
use crate::sys::{Arc, Told};
use crate::time::Instant;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

/// A topic that has a number.
#[derive(Clone, Copy)]
pub(super) enum Counted {
    Work,
    Orders,
}

pub(super) struct Changes {
    numbers: Told<Numbers>,
    work: Notify,
    orders: Notify,
    /// What is set when a row ends, for rows that somebody waits for.
    ends: Told<BTreeMap<Generation, Arc<Event>>>,
}

/// The latest that are known here.
struct Numbers {
    work: u64,
    orders: u64,
    /// When others were last looked for.
    looked: Instant,
}

impl Changes {
    pub(super) fn new(meta: Meta, now: Instant) -> Self {
        let numbers = Numbers { work: unsigned(meta.work), orders: unsigned(meta.orders), looked: now };
        let (work, orders) = (Notify::new(), Notify::new());
        Self { numbers: Told::new(numbers), work, orders, ends: Told::new(BTreeMap::new()) }
    }

    pub(super) fn number(&self, of: Counted) -> u64 {
        self.numbers.read(|numbers| match of {
            Counted::Work => numbers.work,
            Counted::Orders => numbers.orders,
        })
    }

    pub(super) fn of(&self, counted: Counted) -> &Notify {
        match counted {
            Counted::Work => &self.work,
            Counted::Orders => &self.orders,
        }
    }

    /// What is set when this row ends: to be had before the row is looked at, so that no end is missed.
    pub(super) fn end(&self, generation: Generation) -> Arc<Event> {
        self.ends.with(|ends| ends.entry(generation).or_default().clone())
    }

    /// Tells whoever waits.
    pub(super) fn tell(&self, meta: Meta, ended: impl IntoIterator<Item = Generation>) {
        let (work, orders) = (unsigned(meta.work), unsigned(meta.orders));
        let (more_work, more_orders) = self.numbers.with(|numbers| {
            let more = (work > numbers.work, orders > numbers.orders);
            (numbers.work, numbers.orders) = (numbers.work.max(work), numbers.orders.max(orders));
            more
        });
        if more_work {
            self.work.notify_all();
        }
        if more_orders {
            self.orders.notify_all();
        }
        for generation in ended {
            let event = self.ends.with(|ends| ends.remove(&generation));
            if let Some(event) = event {
                event.set();
            }
        }
    }

    /// Whether it is time to look for what others did; once for all who wait.
    pub(super) fn is_time(&self, now: Instant, every: Duration) -> bool {
        self.numbers.with(|numbers| {
            let is_time = now.since(numbers.looked) >= every;
            if is_time {
                numbers.looked = now;
            }
            is_time
        })
    }

    /// Looks for what others did.
    pub(super) fn look(&self, seat: &mut Seat) -> Result<(), StoreError> {
        let version = seat.sql.pragma_query_value(None, "data_version", |row| row.get(0));
        let version = version.map_err(|error| Fault::from(error).0)?;
        if version == seat.data_version {
            return Ok(());
        }
        let awaited: Vec<Generation> = self.ends.read(|ends| ends.keys().copied().collect());
        self.look_at(seat, awaited)?;
        seat.data_version = version;
        Ok(())
    }

    /// Looks at the numbers, and at whether these rows have ended.
    pub(super) fn look_at(
        &self,
        seat: &mut Seat,
        awaited: impl IntoIterator<Item = Generation>,
    ) -> Result<(), StoreError> {
        let look = || -> Result<_, Fault> {
            let mut ended = Vec::new();
            for generation in awaited {
                if is_over(&seat.sql, generation)? {
                    ended.push(generation);
                }
            }
            Ok((Meta::load(&seat.sql)?, ended))
        };
        let (meta, ended) = look().map_err(|fault| fault.0)?;
        self.tell(meta, ended);
        Ok(())
    }
}
