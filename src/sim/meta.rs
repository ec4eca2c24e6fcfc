//! What is known of a task besides its future.

use super::dump::Moment;
use super::oracle::Rng;
use super::path::Path;
use crate::sys::mix::mix;
use crate::sys::probe::Wait;
use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::panic::Location;

/// What the simulator goes by.
pub(super) struct Meta {
    /// Made of the spawn path alone (S3).
    pub(super) key: u64,
    pub(super) polls: u32,
    pub(super) rng: Rng,
    /// Tells the tenants of one number apart, so that a waker of an earlier one is harmless.
    pub(super) tenant: u32,
    /// The first that it was, where each poll makes it another.
    pub(super) born: u32,
    /// Of which earlier poll somebody used the waker since the last one.
    pub(super) stale_wake: Option<u32>,
    pub(super) children: u32,
    /// How many futures to be swept it made.
    pub(super) swept: u32,
    pub(super) path: Path,
    pub(super) background: bool,
    /// Whether it promised to share nothing that can't be seen.
    pub(super) tracked: bool,
    /// The number of the node that it is on, from 1 on; 0: on none.
    pub(super) node: u32,
    /// Whether wakers that are not the simulator's lead to it.
    pub(super) foreign: bool,
    /// Since when it is ready, if it is; else when it was polled last.
    pub(super) since: Moment,
}

impl Meta {
    pub(super) fn new(key: u64, seed: u64, tenant: u32, path: Path, nature: Nature) -> Self {
        let Nature { background, tracked, node, .. } = nature;
        let rng = Rng::new(mix(key ^ mix(seed)));
        Self {
            key,
            polls: 0,
            rng,
            tenant,
            born: tenant,
            stale_wake: None,
            children: 0,
            swept: 0,
            path,
            background,
            tracked,
            node,
            foreign: false,
            since: Moment::START,
        }
    }
}

/// What reports say of a task besides. The buffer serves one tenant of a number after another.
#[derive(Default)]
pub(super) struct Said {
    pub(super) name: Cow<'static, str>,
    pub(super) made: Option<&'static Location<'static>>,
    /// The number of the handle by which others wait for its end; 0 if there is none.
    pub(super) handle: u32,
    /// What its last poll waited for.
    pub(super) waits: Vec<Wait>,
}

impl Said {
    pub(super) fn renew(&mut self, name: Cow<'static, str>, made: Option<&'static Location<'static>>, handle: u32) {
        (self.name, self.made, self.handle) = (name, made, handle);
        self.waits.clear();
    }
}

/// What a task is started as.
#[derive(Clone, Copy)]
pub(super) struct Nature {
    pub(super) background: bool,
    pub(super) tracked: bool,
    /// The number of the node that it is on, from 1 on; 0: on none.
    pub(super) node: u32,
    /// The number of its handle; 0: it has none.
    pub(super) handle: u32,
}

impl Nature {
    pub(super) const ROOT: Self = Self { background: false, tracked: false, node: 0, handle: 0 };
}
