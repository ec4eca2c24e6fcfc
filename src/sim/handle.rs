//! What a body is given.

use super::dump::Dump;
use super::join::{Finishing, JoinHandle};
use super::lull::{Lull, YieldNow};
use super::meta::Nature;
use super::oracle::Rng;
use super::supply::{SimWall, Spawner};
use super::sweep::CancelAtEach;
use super::world::{ROOT, World};
use crate::spawn::Task;
use crate::sys::Arc;
use crate::sys::probe::{Access, Resource};
use crate::time::{Instant, Time};
use alloc::borrow::Cow;
use core::fmt;
use core::future::Future;
use core::time::Duration;

/// The handle to a run, which the body receives: its time, its tasks, its choices. Cheap to clone, and may go into tasks.
///
/// After the run it does no harm: what is spawned then is dropped at once.
#[derive(Clone)]
pub struct Sim {
    world: Arc<World>,
    time: Time,
    /// Whether the tasks that it starts are tracked.
    tracked: bool,
}

impl Sim {
    pub(super) fn new(world: Arc<World>, time: Time) -> Self {
        Self { world, time, tracked: false }
    }

    pub(super) fn world(&self) -> &Arc<World> {
        &self.world
    }

    /// The virtual time, to be given to the code under test.
    pub fn time(&self) -> Time {
        self.time.clone()
    }

    /// The present instant; a run begins at [`Instant::EPOCH`].
    pub fn now(&self) -> Instant {
        self.time.now()
    }

    /// Starts a task, as a child of the one that calls this.
    ///
    /// It must be done when the root is, or soon after without time moving on; else the run fails with
    /// [`FailureKind::Leak`](super::FailureKind::Leak). A child of a background task is in the background too.
    #[track_caller]
    pub fn spawn<T: Send + 'static>(
        &self,
        name: impl Into<Cow<'static, str>>,
        future: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        self.start(name.into(), future, self.nature())
    }

    /// Starts a task that does not keep the world alive: it may still wait when the root is done.
    ///
    /// # Examples
    /// ```
    /// use core::time::Duration;
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let mut beat = sim.time().interval(Duration::from_secs(1));
    ///     sim.spawn_background("heart", async move {
    ///         loop {
    ///             beat.tick().await;
    ///         }
    ///     });
    ///     sim.time().sleep(Duration::from_secs(5)).await;
    /// });
    /// ```
    #[track_caller]
    pub fn spawn_background<T: Send + 'static>(
        &self,
        name: impl Into<Cow<'static, str>>,
        future: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        self.start(name.into(), future, Nature { background: true, ..self.nature() })
    }

    /// What the tasks are that it starts.
    pub(super) fn nature(&self) -> Nature {
        Nature { background: false, tracked: self.tracked, ..Nature::ROOT }
    }

    #[track_caller]
    pub(super) fn start<T: Send + 'static>(
        &self,
        name: Cow<'static, str>,
        future: impl Future<Output = T> + Send + 'static,
        nature: Nature,
    ) -> JoinHandle<T> {
        let (handle, finish) = JoinHandle::new();
        let task = Task::new(Finishing::new(future, finish)).named(name);
        self.world.spawn(task, Nature { handle: handle.number(), ..nature });
        handle
    }

    /// The same handle, but each task that it starts, by itself, its clones or its [`spawner`](Self::spawner), comes with a
    /// promise: all that the task shares with others, it shares through the kit's primitives or through
    /// [`Tracked`](super::Tracked).
    ///
    /// Then [`Strategy::SleepSets`](super::Strategy::SleepSets) knows which of its polls have to do with which of others.
    /// Other runs are not changed by it. The promise is not checked: a search that relies on one which is not kept
    /// misses schedules. What breaks it: channels and locks that are not the kit's, `static`s, a combinator with wakers of
    /// its own, unless the kit keeps and wakes these.
    ///
    /// # Examples
    /// ```
    /// use core::num::NonZeroUsize;
    /// use wakeful::queue;
    /// use wakeful::sim::{Builder, Coverage, Strategy};
    ///
    /// let search = Builder::new().strategy(Strategy::SleepSets);
    /// let summary = search.explore(|sim| async move {
    ///     let sim = sim.tracked();
    ///     let (tx, rx) = queue::bounded(NonZeroUsize::MIN);
    ///     sim.spawn("producer", async move { tx.send(1).await.unwrap() });
    ///     let consumer = sim.spawn("consumer", async move { rx.recv().await.unwrap() });
    ///     assert_eq!(consumer.await, 1);
    /// });
    /// assert_eq!(summary.unwrap().coverage, Coverage::Tracked);
    /// ```
    #[must_use = "it is the handle returned that starts tracked tasks"]
    pub fn tracked(&self) -> Self {
        Self { tracked: true, ..self.clone() }
    }

    /// What starts tasks in this run, to be given to the code under test.
    ///
    /// # Examples
    /// ```
    /// use wakeful::spawn::{Spawn, Task};
    ///
    /// fn start(spawner: &impl Spawn) {
    ///     spawner.spawn(Task::new(async { /* ... */ }).named("greeter"));
    /// }
    ///
    /// wakeful::sim::run(|sim| async move { start(&sim.spawner()) });
    /// ```
    pub fn spawner(&self) -> Spawner {
        Spawner::new(self.world.clone(), self.nature())
    }

    /// The same, of tasks that may be under way when the root is done.
    pub(super) fn background_spawner(&self) -> Spawner {
        Spawner::new(self.world.clone(), Nature { background: true, ..self.nature() })
    }

    /// Waits until nobody else is ready, without time moving on. Those who wait for this together go on together.
    ///
    /// # Cancel safety
    /// Dropping it loses nothing.
    pub fn idle(&self) -> Lull {
        Lull::new(self.clone(), self.now(), "idle")
    }

    /// Lets `duration` pass from this call on, all timers ring in order and everybody run in between: it is over when the time is reached
    /// and nobody else is ready. Two advances equal their sum.
    ///
    /// Time moves by itself when nobody is ready; this is for a test that wants to look at a world that has come to rest.
    ///
    /// # Cancel safety
    /// Dropping it loses nothing.
    ///
    /// # Examples
    /// ```
    /// use core::time::Duration;
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let time = sim.time();
    ///     let task = sim.spawn("sleeper", async move { time.sleep(Duration::from_secs(2)).await });
    ///     sim.advance(Duration::from_secs(1)).await;
    ///     assert!(!task.is_finished());
    ///     sim.advance(Duration::from_secs(1)).await;
    ///     assert!(task.is_finished());
    /// });
    /// ```
    pub fn advance(&self, duration: Duration) -> Lull {
        Lull::new(self.clone(), self.now() + duration, "advance")
    }

    /// Moves time by `duration` in one step, as when a machine was asleep: waits until nobody else is ready, moves time,
    /// wakes all whose time has come by then, and waits until nobody else is ready again.
    ///
    /// # Cancel safety
    /// Dropping it before time was moved leaves time as it is; later, it loses nothing.
    pub async fn jump(&self, duration: Duration) {
        self.idle().await;
        let end = Instant::NEVER.as_nanos() - 1;
        let at = (self.now() + duration).as_nanos().min(end);
        self.world.moved(Instant::from_nanos(at));
        self.world.ring(|| self.time.turn());
        self.idle().await;
    }

    /// When the next timer is due, of all that are being waited for, on [nodes](super::Node) too; `None` if there is none. One
    /// that is [late](super::Node::set_late) was due before now.
    ///
    /// # Examples
    /// ```
    /// use core::time::Duration;
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     assert_eq!(sim.next_timer(), None);
    ///     let time = sim.time();
    ///     let task = sim.spawn("sleeper", async move { time.sleep(Duration::from_secs(2)).await });
    ///     sim.idle().await;
    ///     assert_eq!(sim.next_timer(), Some(sim.now() + Duration::from_secs(2)));
    ///     task.await;
    /// });
    /// ```
    pub fn next_timer(&self) -> Option<Instant> {
        Resource::CLOCK.touch(Access::Read);
        let next = self.world.next_timer(&self.time);
        (!next.is_never()).then_some(next)
    }

    /// Lets others have a turn: the task is ready again at once, and the oracle chooses.
    ///
    /// # Cancel safety
    /// Dropping it loses nothing.
    pub fn yield_now(&self) -> YieldNow {
        YieldNow::new()
    }

    /// Runs `future`, or drops it at one of its polls: so a test sees what is left when something is cancelled anywhere.
    ///
    /// Many runs ([`check`](super::check), [`Builder::explore`](super::Builder::explore)) sweep it: each run is repeated once for
    /// every chance to drop a future that was made with this, under the same schedule up to there. The chances are before
    /// its first poll; right after each of its polls; and in place of each next one, when it was woken and may have been granted what
    /// it waits for. Then the body gets `None`, and the rest goes on and has to hold what it always holds. In the other runs
    /// it gets `Some` output. A failure says what was dropped and at which poll ([`Failure::dropped`](super::Failure::dropped)).
    ///
    /// One thing is dropped in a run, at most. Where bytes, an oracle of the user's or an exhaustive search makes the choices, it also
    /// decides this ([`Kind::Cancel`](super::Kind::Cancel)); in a single run of a strategy nothing is dropped. Whole tasks are
    /// swept by [`Builder::sweep`](super::Builder::sweep).
    ///
    /// # Panics
    /// The future that it gives, if it is polled after it was ready.
    ///
    /// # Examples
    /// ```
    /// use core::num::NonZeroUsize;
    /// use wakeful::queue;
    ///
    /// // An item is sent or not: whichever it is, the body learns it, unless it drops the future.
    /// wakeful::sim::check(|sim| async move {
    ///     let (tx, rx) = queue::bounded(NonZeroUsize::MIN);
    ///     tx.send(0).await.unwrap();
    ///     let receiver = sim.spawn("receiver", async move {
    ///         let mut got = 0;
    ///         while rx.recv().await.is_ok() {
    ///             got += 1;
    ///         }
    ///         got
    ///     });
    ///     let sent = sim.cancel_at_each(tx.send(1)).await;
    ///     drop(tx);
    ///     assert_eq!(receiver.await, if sent.is_some() { 2 } else { 1 });
    /// });
    /// ```
    #[track_caller]
    pub fn cancel_at_each<F: Future>(&self, future: F) -> CancelAtEach<F> {
        CancelAtEach::new(self.clone(), future)
    }

    /// A number below `n` that the oracle chooses: data for the test to explore, as schedules are.
    ///
    /// # Panics
    /// If `n` is 0.
    #[track_caller]
    pub fn choose(&self, n: usize) -> usize {
        assert!(n > 0, "there is nothing to choose among");
        self.world.core.with(|core| {
            let chosen = core.choose_data(n);
            core.note(chosen as u64);
            chosen
        })
    }

    /// Stops the faults of [`Builder::faults`](super::Builder::faults): from here on the run must come to its end within
    /// what [`Faults::finish_within`](super::Faults::finish_within) allows.
    pub fn stop_faults(&self) {
        self.world.core.with(|core| core.stop_faults());
    }

    /// The next number of the random stream of the task that calls this.
    ///
    /// Each task has a stream of its own, made of the seed and the task's spawn path, so what one draws does not depend
    /// on how often others draw, nor on the schedule.
    pub fn random(&self) -> u64 {
        self.world.core.with(|core| core.random())
    }

    /// A generator of its own, made of [`random`](Self::random).
    pub fn rng(&self) -> Rng {
        Rng::new(self.random())
    }

    /// All tasks that are not done: their names, states, and what each waits for, since when.
    ///
    /// # Examples
    /// ```
    /// use core::time::Duration;
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let sleep = sim.time().sleep(Duration::from_secs(2));
    ///     let task = sim.spawn("sleeper", sleep);
    ///     sim.idle().await;
    ///     let dump = sim.dump();
    ///     assert_eq!(dump.tasks[1].waits[0].what, "sleep");
    ///     assert_eq!(
    ///         dump.to_string(),
    ///         "2 tasks at 0.000000000s, poll 3\n  \
    ///          root: runs, in poll 3\n  \
    ///          sleeper [0]: waits for sleep until 2.000000000s, since 0.000000000s, poll 2",
    ///     );
    ///     task.await;
    /// });
    /// ```
    pub fn dump(&self) -> Dump {
        Resource::ALL.touch(Access::Read);
        self.world.core.with(|core| {
            let tasks = core.dump(|number, _| number != ROOT || !core.root_done);
            Dump { now: core.moment(), tasks }
        })
    }

    /// The seed of this run.
    pub fn seed(&self) -> u64 {
        self.world.core.with(|core| core.seed())
    }

    /// The calendar of this run, to be given to the code under test. It begins at the Unix epoch, or where
    /// [`Builder::wall`](super::Builder::wall) says, and moves with the virtual time.
    pub fn wall(&self) -> SimWall {
        SimWall::of(self.clone(), None)
    }

    /// Sets the calendar: it is `unix` after the Unix epoch at present. Timers are not touched.
    ///
    /// # Examples
    /// ```
    /// use core::time::Duration;
    /// use wakeful::time::Wall;
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     sim.set_wall(Duration::from_secs(1_000_000_000));
    ///     sim.time().sleep(Duration::from_secs(60)).await;
    ///     assert_eq!(sim.wall().unix(), Duration::from_secs(1_000_000_060));
    /// });
    /// ```
    pub fn set_wall(&self, unix: Duration) {
        let now = self.now();
        Resource::CLOCK.touch(Access::Write);
        self.world.core.with(|core| core.wall = (unix, now));
    }
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sim").field("seed", &self.seed()).field("now", &self.now()).finish_non_exhaustive()
    }
}
