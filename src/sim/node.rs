//! Nodes: machines of a run, each with a clock of its own that may be wrong.

use super::clock::SimClock;
use super::handle::Sim;
use super::join::JoinHandle;
use super::meta::Nature;
use super::oracle::fold;
use super::skew::Skew;
use super::supply::{SimWall, Spawner};
use super::world::{Core, World};
use crate::sys::probe::{Access, Resource};
use crate::sys::{Arc, Lock};
use crate::time::{Clock, Instant, Time};
use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::future::Future;
use core::num::NonZeroU32;
use core::time::Duration;

/// A machine of a run: a name, tasks, a clock with a timer queue of its own, and a calendar; made by [`Sim::node`].
///
/// Its clock is right at first: it reads what the run's reads. Then the test may let it run fast or slow, leap, fall back,
/// tick coarsely, and its timers ring late. All of it is computed in whole nanoseconds: a timer rings at the first virtual
/// instant at which the node's clock has reached its deadline, exactly. Give the code under test the node's
/// [`time`](Self::time), [`wall`](Self::wall) and [`spawner`](Self::spawner), and reports name the node with its tasks.
///
/// Cheap to clone.
///
/// # Examples
/// ```
/// use core::num::NonZeroU32;
/// use core::time::Duration;
///
/// wakeful::sim::run(|sim| async move {
///     let node = sim.node("fast");
///     node.set_rate(1_010_000, NonZeroU32::new(1_000_000).unwrap()); // by one percent
///     node.time().sleep(Duration::from_secs(101)).await;
///     assert_eq!(node.now().as_nanos(), 101_000_000_000);
///     assert_eq!(sim.now().as_nanos(), 100_000_000_000);
/// });
/// ```
#[derive(Clone)]
pub struct Node {
    sim: Sim,
    machine: Arc<Machine>,
    number: u32,
}

/// What a run knows of a node.
pub(super) struct Machine {
    pub(super) name: String,
    /// Stands for it, the same in all runs.
    key: u64,
    pub(super) time: Time,
    state: Arc<Lock<State>>,
}

struct State {
    skew: Skew,
    /// By how much timers may be late.
    late: u64,
    /// The deadline for which the alarm is set, and by how much it is late.
    alarm: Option<(u64, u64)>,
    /// How many alarms were set that could have been late.
    alarms: u32,
    /// What the calendar reads, and what the clock reads then.
    wall: (Duration, Instant),
}

/// The clock of a node.
struct NodeClock {
    world: SimClock,
    state: Arc<Lock<State>>,
}

impl Clock for NodeClock {
    fn now(&self) -> Instant {
        Resource::CLOCK.touch(Access::Read);
        let now = self.world.at().as_nanos();
        Instant::from_nanos(self.state.with(|state| state.skew.read(now)))
    }

    /// Nothing: the executor asks the timer queue when nobody is ready.
    fn arm(&self, _: Instant) {}
}

impl Sim {
    /// Makes a node with a clock that is right.
    pub fn node(&self, name: impl Into<String>) -> Node {
        let (world, now) = (self.world(), self.now());
        let wall = (self.world().core.with(|core| core.calendar(now)), now);
        let state = State { skew: Skew::TRUE, late: 0, alarm: None, alarms: 0, wall };
        let state = Arc::new(Lock::new(state));
        let clock = NodeClock { world: world.clock.clone(), state: state.clone() };
        let (name, time) = (name.into(), Time::new(clock));
        let (machine, number) = world.core.with(|core| {
            let number = core.machines.len() as u32 + 1;
            let key = name.bytes().fold(number.into(), |key, byte| fold(key, byte.into()));
            let machine = Arc::new(Machine { name, key, time, state });
            core.machines.push(machine.clone());
            (machine, number)
        });
        Node { sim: self.clone(), machine, number }
    }
}

impl Node {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.machine.name
    }

    /// Its time, to be given to the code under test.
    pub fn time(&self) -> Time {
        self.machine.time.clone()
    }

    /// What its clock reads.
    pub fn now(&self) -> Instant {
        self.machine.time.now()
    }

    /// Its calendar, to be given to the code under test. It moves as the node's clock does.
    pub fn wall(&self) -> SimWall {
        SimWall::of(self.sim.clone(), Some(self.machine.clone()))
    }

    /// Sets its calendar: it is `unix` after the Unix epoch at present. Timers are not touched.
    pub fn set_wall(&self, unix: Duration) {
        let now = self.now();
        Resource::CLOCK.touch(Access::Write);
        self.machine.state.with(|state| state.wall = (unix, now));
    }

    /// What starts tasks on this node, to be given to the code under test.
    pub fn spawner(&self) -> Spawner {
        Spawner::new(self.sim.world().clone(), self.nature(false))
    }

    /// Starts a task on this node, as [`Sim::spawn`] does. Its children are on the same node, if they are not started on
    /// another one.
    #[track_caller]
    pub fn spawn<T: Send + 'static>(
        &self,
        name: impl Into<Cow<'static, str>>,
        future: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        self.sim.start(name.into(), future, self.nature(false))
    }

    /// Starts a task on this node that may still wait when the root is done, as [`Sim::spawn_background`] does.
    #[track_caller]
    pub fn spawn_background<T: Send + 'static>(
        &self,
        name: impl Into<Cow<'static, str>>,
        future: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        self.sim.start(name.into(), future, self.nature(true))
    }

    fn nature(&self, background: bool) -> Nature {
        Nature { background, node: self.number, ..self.sim.nature() }
    }

    /// Lets its clock count `nanos` nanoseconds in `per` of the virtual time, from now on: 1,000,050 in 1,000,000 is 50 ppm
    /// fast, 0 is standing still. Whatever fraction of a nanosecond was under way is dropped.
    pub fn set_rate(&self, nanos: u32, per: NonZeroU32) {
        self.change(|skew, now| skew.set_rate(now, nanos, per.get()));
    }

    /// Lets its clock tick every `grain`: it reads multiples of that, rounded down, and timers ring at ticks. The default is
    /// a nanosecond, and so is zero.
    pub fn set_grain(&self, grain: Duration) {
        let grain = crate::time::nanos(grain).max(1);
        self.change(|skew, now| skew.set_grain(now, grain));
    }

    /// Lets its clock leap ahead, calendar and all, as when the machine was asleep: all timers that this makes due ring
    /// together when nobody is ready, at this same virtual instant.
    pub fn jump(&self, by: Duration) {
        self.change(|skew, now| skew.leap(now, crate::time::nanos(by)));
    }

    /// Lets its clock fall back, calendar and all, to its epoch at the most.
    ///
    /// That breaks what a [`Clock`] promises, as broken machines do. Who waits goes on waiting for the clock to come to that
    /// point again; but the timer queue keeps to the furthest instant for which it has rung, so a sleep that is begun now and
    /// ends before that is over at once.
    pub fn jump_back(&self, by: Duration) {
        self.change(|skew, now| skew.fall(now, crate::time::nanos(by)));
    }

    /// Lets its timers ring late from now on: each time the oracle chooses whether they ring when they are due, or `by`
    /// later in virtual time, as those of a machine under load. Zero, the default, is always on time.
    ///
    /// It is a fault: it is taken away first when a failure is made small, and ends when [faults](super::Faults) stop.
    pub fn set_late(&self, by: Duration) {
        Resource::CLOCK.touch(Access::Write);
        self.machine.state.with(|state| (state.late, state.alarm) = (crate::time::nanos(by), None));
    }

    fn change(&self, change: impl FnOnce(&mut Skew, u64)) {
        Resource::CLOCK.touch(Access::Write);
        let world = self.sim.world();
        let now = world.clock.at().as_nanos();
        self.machine.state.with(|state| change(&mut state.skew, now));
        let reads = self.machine.time.now().as_nanos();
        world.core.with(|core| core.note(reads));
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("name", &self.name()).field("now", &self.now()).finish_non_exhaustive()
    }
}

impl Machine {
    /// The calendar's reading.
    pub(super) fn unix(&self) -> Duration {
        let now = self.time.now();
        let (unix, at) = self.state.with(|state| state.wall);
        if now < at { unix.saturating_sub(at - now) } else { unix.saturating_add(now - at) }
    }

    /// The first virtual instant at which its clock has reached `local`.
    pub(super) fn reach(&self, local: Instant) -> Instant {
        Instant::from_nanos(self.state.with(|state| state.skew.reach(local.as_nanos())))
    }

    /// The virtual instant at which its alarm rings, if it is set.
    fn alarm(&self, world: &World) -> Instant {
        let next = self.time.next();
        if next.is_never() {
            return Instant::NEVER;
        }
        let (set, late, nth) = self.state.with(|state| (state.alarm, state.late, state.alarms));
        let late = match set {
            Some((deadline, late)) if deadline == next.as_nanos() => late,
            _ if late == 0 => 0,
            _ => {
                let late = if world.core.with(|core| core.is_late(self.key, nth)) { late } else { 0 };
                self.state
                    .with(|state| (state.alarm, state.alarms) = (Some((next.as_nanos(), late)), nth.wrapping_add(1)));
                late
            }
        };
        self.reach(next) + Duration::from_nanos(late)
    }
}

impl World {
    /// When the first timer is due: of those of `time` and of all nodes.
    pub(super) fn next_timer(&self, time: &Time) -> Instant {
        let machines = self.core.with(|core| core.machines.clone());
        let elsewhere = machines.iter().map(|machine| machine.reach(machine.time.earliest()));
        elsewhere.fold(time.earliest(), Instant::min)
    }
}

impl Core {
    /// The name of the node of this number; empty if there is none.
    pub(super) fn node_name(&self, number: u32) -> String {
        let machine = (number as usize).checked_sub(1).and_then(|index| self.machines.get(index));
        machine.map(|machine| machine.name.clone()).unwrap_or_default()
    }

    /// Whether the timers of the node with this key ring late, for the `nth` time.
    fn is_late(&mut self, key: u64, nth: u32) -> bool {
        !self.weather.has_stopped(self.steps) && self.choose_fault(2, key, nth)
    }
}

/// All nodes of a run, as the executor sees them.
#[derive(Default)]
pub(super) struct Machines(Vec<Arc<Machine>>);

impl Machines {
    /// Takes note of new ones.
    #[inline]
    pub(super) fn look(&mut self, core: &Core) {
        if self.0.len() < core.machines.len() {
            self.0.extend_from_slice(&core.machines[self.0.len()..]);
        }
    }

    /// When the first alarm rings.
    pub(super) fn next(&self, world: &World) -> Instant {
        self.0.iter().map(|machine| machine.alarm(world)).min().unwrap_or(Instant::NEVER)
    }

    /// Rings the alarms that are due by `now`. Gives how many timers were fired.
    pub(super) fn ring(&self, world: &World, now: Instant) -> usize {
        let ring = |machine: &Arc<Machine>| {
            if machine.alarm(world) > now {
                return 0;
            }
            machine.state.with(|state| state.alarm = None);
            machine.time.turn_counted().1
        };
        self.0.iter().map(ring).sum()
    }
}
