//! What a run supplies to the code under test besides its time: a spawner and a calendar.

use super::handle::Sim;
use super::meta::Nature;
use super::node::Machine;
use super::world::World;
use crate::spawn::{Spawn, Task};
use crate::sys::Arc;
use crate::time::Wall;
use core::fmt;
use core::time::Duration;

/// Starts tasks in a run; made by [`Sim::spawner`].
#[derive(Clone)]
pub struct Spawner {
    world: Arc<World>,
    nature: Nature,
}

impl Spawner {
    pub(super) fn new(world: Arc<World>, nature: Nature) -> Self {
        Self { world, nature }
    }
}

impl Spawn for Spawner {
    fn spawn(&self, task: Task) {
        self.world.spawn(task, self.nature);
    }
}

impl fmt::Debug for Spawner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spawner").finish_non_exhaustive()
    }
}

/// The calendar of a run or of one of its nodes; made by [`Sim::wall`] and [`Node::wall`](super::Node::wall).
#[derive(Clone)]
pub struct SimWall {
    sim: Sim,
    machine: Option<Arc<Machine>>,
}

impl SimWall {
    pub(super) fn of(sim: Sim, machine: Option<Arc<Machine>>) -> Self {
        Self { sim, machine }
    }
}

impl Wall for SimWall {
    fn unix(&self) -> Duration {
        match &self.machine {
            Some(machine) => machine.unix(),
            None => {
                let now = self.sim.now();
                self.sim.world().core.with(|core| core.calendar(now))
            }
        }
    }
}

impl fmt::Debug for SimWall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SimWall").field(&self.unix()).finish()
    }
}
