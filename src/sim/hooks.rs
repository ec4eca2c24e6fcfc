//! What the macros call that mark places in code: [`always!`](crate::always), [`sometimes!`](crate::sometimes),
//! [`reachable!`](crate::reachable), [`buggify!`](crate::buggify).

use super::marks::MarkKind;
use super::world::World;
use crate::sys::Arc;
use crate::sys::stage::{self, stage};
use alloc::string::ToString;
use core::fmt::Arguments;
use core::panic::Location;

stage!(RUN: World);

/// Runs `f`, a run in `world`, in which marks are seen.
pub(super) fn enter<R>(world: Arc<World>, f: impl FnOnce() -> R) -> R {
    stage::enter(&RUN, world, f)
}

/// Whether a run is under way on this thread.
#[inline]
pub fn watched() -> bool {
    stage::is_set(&RUN)
}

/// Fails the run if `holds` is not true.
#[track_caller]
pub fn always(holds: bool, text: &'static str, said: Arguments<'_>) {
    let place = Location::caller();
    if let Some(world) = stage::current(&RUN) {
        // Not under the lock: it may be the user's code that says it.
        let said = (!holds).then(|| said.to_string());
        world.core.with(|core| {
            core.marks.count(MarkKind::Always, place, text, holds);
            if let Some(said) = &said {
                core.broken(place, text, said);
            }
        });
    }
}

/// Counts an evaluation.
#[track_caller]
pub fn sometimes(holds: bool, text: &'static str) {
    count(MarkKind::Sometimes, Location::caller(), text, holds);
}

/// Counts a visit.
#[track_caller]
pub fn reachable(text: &'static str) {
    count(MarkKind::Reachable, Location::caller(), text, true);
}

fn count(kind: MarkKind, place: &'static Location<'static>, text: &'static str, hit: bool) {
    if let Some(world) = stage::current(&RUN) {
        world.core.with(|core| core.marks.count(kind, place, text, hit));
    }
}

/// Asks whether there is a fault here.
#[track_caller]
pub fn fault(text: &'static str) -> bool {
    let place = Location::caller();
    stage::current(&RUN).is_some_and(|world| {
        world.core.with(|core| {
            let fires = core.fault(place);
            core.marks.count(MarkKind::Buggify, place, text, fires);
            if fires {
                core.trace(|trace, now| trace.fault(now, text, place));
            }
            fires
        })
    })
}
