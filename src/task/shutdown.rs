//! Knowing what runs, and ending it in order.
//!
//! # How it works
//!
//! A phase is a scope, and the names of those who run in it. Shutting a phase down winds its scope down with a grace: whoever
//! is gone by then was drained. At the end of the grace the scope is cancelled, so that bodies are dropped: whoever is gone
//! within the force limit was forced. The rest is lost, and the next phase begins.

use super::names::Names;
use super::offload::{OffloadError, offload};
use super::outcome::{Refusal, SpawnError};
use crate::cancel::{Outcome, OwnedRun, Reason, Scope};
use crate::spawn::Offload;
use crate::sync::Event;
use crate::sys::joint::Label;
use crate::sys::thread::contain;
use crate::sys::{Arc, Told};
use crate::time::Instant;
use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;
use core::future::Future;
use core::panic::Location;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use pin_project_lite::pin_project;

/// Counts by name.
pub type ByName = BTreeMap<Cow<'static, str>, usize>;

/// What runs in a program, in the phases in which it is to be shut down. Cheap to clone.
///
/// For the end of a whole program, or of a part of it that was started piece by piece: first nothing new is taken in, then
/// what is there may finish, then what serves it is ended. Tasks whose results matter to one another belong into a
/// [`group`](super::group()), and the group into a phase.
///
/// # Examples
/// ```
/// use core::time::Duration;
/// use wakeful::cancel::Scope;
/// use wakeful::task::Registry;
///
/// wakeful::sim::run(|sim| async move {
///     let (second, time) = (Duration::from_secs(1), sim.time());
///     let registry = Registry::new(&Scope::new(sim.time()));
///     let requests = registry.phase("requests", 5 * second, second);
///     let database = registry.phase("database", second, second);
///     for seconds in [3, 60] {
///         let request = requests.track("request", time.sleep(seconds * second)).unwrap();
///         drop(sim.spawn("request", request));
///     }
///     let draining = database.scope().draining();
///     drop(sim.spawn("pool", database.track("pool", draining).unwrap()));
///
///     time.sleep(second).await;
///     let report = registry.shutdown("the example is over").await;
///     assert_eq!(report.to_string(), "requests: 1 drained, 1 forced (request); database: 1 drained");
///     assert_eq!(sim.now().as_nanos(), 6_000_000_000);
/// });
/// ```
#[derive(Clone)]
pub struct Registry(Arc<Phases>);

struct Phases {
    scope: Scope,
    state: Told<State>,
}

struct State {
    /// In the order in which they are shut down.
    list: Vec<Phase>,
    /// All of them were shut down, and why.
    over: Option<Reason>,
}

impl Registry {
    /// A registry without phases, whose scopes will lie inside `scope`.
    pub fn new(scope: &Scope) -> Self {
        Self(Arc::new(Phases { scope: scope.child(), state: Told::new(State { list: Vec::new(), over: None }) }))
    }

    /// Adds a phase, which is shut down after those that were added before it: who is in it has `drain` to finish, and
    /// another `force` to be gone after having been cut short. Either may be [`Duration::MAX`], which is for ever.
    ///
    /// A phase that is added when all were shut down takes nobody in.
    pub fn phase(&self, name: impl Into<Cow<'static, str>>, drain: Duration, force: Duration) -> Phase {
        let phase = Phase(Arc::new(Inner {
            name: name.into(),
            scope: self.0.scope.child(),
            drain,
            force,
            gone: Event::new(),
            members: Told::new(Members::default()),
        }));
        let over = self.0.state.with(|state| {
            state.list.push(phase.clone());
            state.over.clone()
        });
        if let Some(reason) = over {
            phase.begin(&reason);
        }
        phase
    }

    /// The scope around those of all phases. To cancel it is to cut all of them short at once.
    pub fn scope(&self) -> &Scope {
        &self.0.scope
    }

    /// Who is there: how many of each name, by phase.
    pub fn live(&self) -> Vec<(Cow<'static, str>, ByName)> {
        self.phases().iter().map(|phase| (phase.0.name.clone(), phase.live())).collect()
    }

    fn phases(&self) -> Vec<Phase> {
        self.0.state.read(|state| state.list.clone())
    }

    /// Shuts the phases down, one after another, and reports who was drained, forced and lost.
    ///
    /// A phase whose turn has not come works on, and takes others in: it may be needed by those before it.
    ///
    /// # Time
    /// A phase takes no longer than its two limits together, and the whole no longer than all of them.
    ///
    /// # Cancel safety
    /// Dropping it leaves the phase at work in its grace, at whose end it is cut short, and those behind it running. Called
    /// again, it goes on where it was; several may wait for it.
    pub async fn shutdown(&self, reason: impl Into<Reason>) -> ShutdownReport {
        let reason = reason.into();
        let mut report = ShutdownReport { phases: Vec::new() };
        while let Some(phase) = self.next_phase(report.phases.len(), &reason) {
            report.phases.push(phase.shutdown(&reason).await);
        }
        report
    }

    /// The phase of this number; if there is none, there will be none.
    fn next_phase(&self, number: usize, reason: &Reason) -> Option<Phase> {
        self.0.state.with(|state| {
            let next = state.list.get(number).cloned();
            if next.is_none() {
                state.over.get_or_insert_with(|| reason.clone());
            }
            next
        })
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("phases", &self.phases()).finish_non_exhaustive()
    }
}

/// Those who are shut down together; made by [`Registry::phase`]. Cheap to clone.
#[derive(Clone)]
pub struct Phase(Arc<Inner>);

struct Inner {
    name: Cow<'static, str>,
    scope: Scope,
    drain: Duration,
    force: Duration,
    /// Nobody is there, and nobody will be.
    gone: Event,
    members: Told<Members>,
}

#[derive(Default)]
struct Members {
    names: Names,
    alive: usize,
    /// Nobody is taken in.
    closed: bool,
    /// The end of the grace, once it has begun.
    ends: Option<Instant>,
    /// Who has gone since the phase was closed: in time, and after having been cut short.
    left: [ByName; 2],
}

impl Phase {
    /// The phase's name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The scope that its members run in. What cooperates watches [`draining`](Scope::draining) of it.
    pub fn scope(&self) -> &Scope {
        &self.0.scope
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.members.read(|members| members.alive)
    }

    /// Whether nobody is there.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Who is there: how many of each name.
    pub fn live(&self) -> ByName {
        self.0.members.read(Members::live)
    }

    /// Takes somebody in by name, until what is returned is dropped: for what is not a future of ours, as a thread.
    ///
    /// # Errors
    /// If the phase is being shut down, or was.
    #[track_caller]
    pub fn enter(&self, name: impl Into<Cow<'static, str>>) -> Result<Presence, Refusal> {
        let label = Label { name: name.into(), made: Location::caller() };
        let entered = self.0.members.with(|members| {
            if members.closed {
                return None;
            }
            members.alive += 1;
            Some(members.names.enter(&label))
        });
        match entered {
            Some(number) => Ok(Presence { phase: self.clone(), name: label.name, number, cut: None }),
            None => Err(Refusal::Draining),
        }
    }

    /// Takes a future in, to be run in the phase's scope, as a task on whichever runtime or as a part of one.
    ///
    /// # Errors
    /// With the future, if the phase is being shut down, or was.
    #[track_caller]
    pub fn track<F: Future>(&self, name: impl Into<Cow<'static, str>>, future: F) -> Result<Tracked<F>, SpawnError<F>> {
        match self.enter(name) {
            Ok(presence) => {
                let scope = self.0.scope.child();
                Ok(Tracked { run: Some(OwnedRun::new(scope, future)), presence: Some(presence) })
            }
            Err(refusal) => Err(SpawnError::new(future, refusal)),
        }
    }

    /// Does `work`, which blocks, on a thread of `pool`, as [`offload`] does. It is counted until it is done, whether anybody
    /// waits for it or not: what blocks for too long is in the report, as lost.
    ///
    /// Not for a member that has work left when the phase winds down, such as one that empties a queue: nothing is begun
    /// then. That takes [`offload`] with the phase's [scope](Self::scope), and is counted as the member that it is.
    ///
    /// # Cancel safety
    /// Dropping it abandons the work: it is done all the same, once it was polled, and its result is dropped.
    ///
    /// # Errors
    /// [`OffloadError`], if there is no result. Nothing is begun in a phase that is being shut down.
    ///
    /// # Examples
    /// ```
    /// use core::time::Duration;
    /// use wakeful::cancel::Scope;
    /// use wakeful::task::Registry;
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let (second, registry) = (Duration::from_secs(1), Registry::new(&Scope::new(sim.time())));
    ///     let (phase, disk) = (registry.phase("files", second, second), sim.offloader(9 * second));
    ///     let writes = phase.clone();
    ///     let task = sim.spawn("writer", async move { writes.offload(&disk, "write", || ()).await });
    ///     sim.idle().await;
    ///     let report = registry.shutdown("the example is over").await;
    ///     assert_eq!(report.to_string(), "files: 1 lost (write)");
    ///     assert!(task.await.is_err(), "the result was abandoned");
    /// });
    /// ```
    pub async fn offload<T, P>(
        &self,
        pool: &P,
        name: impl Into<Cow<'static, str>>,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, OffloadError>
    where
        T: Send + 'static,
        P: Offload + ?Sized,
    {
        let name = name.into();
        let Ok(presence) = self.enter(name.clone()) else { return Err(OffloadError::Refused) };
        let work = move || {
            let _presence = presence;
            work()
        };
        offload(&self.0.scope, pool, name, work).await
    }

    fn close(&self) {
        let empty = self.0.members.with(|members| {
            members.closed = true;
            members.alive == 0
        });
        if empty {
            self.0.gone.set();
        }
    }

    /// Begins the grace, or finds out when it ends.
    fn begin(&self, reason: &Reason) -> Instant {
        self.close();
        let inner = &*self.0;
        let ends = inner.scope.now() + inner.drain;
        let (ends, first) = inner.members.with(|members| match members.ends {
            Some(ends) => (ends, false),
            None => (*members.ends.insert(ends), true),
        });
        if first {
            inner.scope.cancel_with_grace(reason.clone(), inner.drain);
        }
        ends
    }

    async fn shutdown(&self, reason: &Reason) -> PhaseReport {
        let inner = &*self.0;
        let ends = self.begin(reason);
        // Not in the phase's own scope, nor in the registry's, which may be cancelled.
        let waiting = Scope::new(inner.scope.time().clone());
        if waiting.move_on_at(ends, async |_| inner.gone.wait().await).await.is_cancelled() {
            inner.scope.cancel(reason.clone());
            let _ = waiting.move_on_at(ends + inner.force, async |_| inner.gone.wait().await).await;
        }
        inner.members.read(|members| {
            let [drained, forced] = members.left.clone();
            PhaseReport { name: inner.name.clone(), drained, forced, lost: members.live() }
        })
    }
}

impl Members {
    fn live(&self) -> ByName {
        self.names.live().map(|(name, count)| (name.clone(), count)).collect()
    }
}

impl fmt::Debug for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Phase").field("name", &self.name()).field("live", &self.live()).finish_non_exhaustive()
    }
}

/// Somebody in a phase, who is gone when this is dropped; made by [`Phase::enter`].
#[must_use = "whoever it stands for is gone when it is dropped"]
pub struct Presence {
    phase: Phase,
    name: Cow<'static, str>,
    number: u32,
    /// Whether it is known to have been cut short, or not to have been.
    cut: Option<bool>,
}

impl Drop for Presence {
    fn drop(&mut self) {
        let inner = &*self.phase.0;
        let forced = self.cut.unwrap_or_else(|| inner.scope.is_cancelled());
        let name = core::mem::take(&mut self.name);
        let last = inner.members.with(|members| {
            members.names.leave(self.number);
            members.alive -= 1;
            if members.closed {
                *members.left[usize::from(forced)].entry(name).or_default() += 1;
            }
            members.closed && members.alive == 0
        });
        if last {
            // A drop may be part of an unwinding, which a second panic would turn into the end of the process.
            contain(|| inner.gone.set());
        }
    }
}

impl fmt::Debug for Presence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presence").field("phase", &self.phase.name()).field("name", &self.name).finish_non_exhaustive()
    }
}

pin_project! {
    /// A future that is counted in a phase, and runs in its scope; made by [`Phase::track`].
    ///
    /// It gives the outcome: cut short, if the phase was shut down before it was done.
    ///
    /// # Cancel safety
    /// Dropping it drops the future, which is counted out then.
    #[must_use = "it does nothing unless it is awaited"]
    pub struct Tracked<F>
    where
        F: Future,
    {
        #[pin]
        run: Option<OwnedRun<F>>,
        // After the run, which is gone when this is counted out.
        presence: Option<Presence>,
    }
}

impl<F: Future> Future for Tracked<F> {
    type Output = Outcome<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let run = this.run.as_mut().as_pin_mut().expect("a tracked future was polled after it was done");
        let polled = run.poll(cx);
        if let Poll::Ready(outcome) = &polled {
            this.run.set(None);
            if let Some(mut presence) = this.presence.take() {
                presence.cut = Some(outcome.is_cancelled());
            }
        }
        polled
    }
}

impl<F: Future> fmt::Debug for Tracked<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracked").field("presence", &self.presence).finish_non_exhaustive()
    }
}

/// What came of shutting down; made by [`Registry::shutdown`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// The phases, in order.
    pub phases: Vec<PhaseReport>,
}

impl ShutdownReport {
    /// Whether everybody finished by themselves.
    pub fn is_clean(&self) -> bool {
        self.phases.iter().all(|phase| phase.forced.is_empty() && phase.lost.is_empty())
    }
}

/// What came of shutting one phase down. Everybody who was there when its turn came is in one place.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PhaseReport {
    /// The phase's name.
    pub name: Cow<'static, str>,
    /// Who was gone before the grace was over.
    pub drained: ByName,
    /// Who was gone within the force limit, after having been cut short.
    pub forced: ByName,
    /// Who was still there: tasks that are not polled, futures that block, work on a thread.
    pub lost: ByName,
}

impl fmt::Display for ShutdownReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, phase) in self.phases.iter().enumerate() {
            f.write_str(if number > 0 { "; " } else { "" })?;
            phase.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for PhaseReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, drained, forced, lost } = self;
        write!(f, "{name}: ")?;
        let mut first = true;
        for (what, who, named) in [("drained", drained, false), ("forced", forced, true), ("lost", lost, true)] {
            let count: usize = who.values().sum();
            if count == 0 {
                continue;
            }
            write!(f, "{}{count} {what}", if first { "" } else { ", " })?;
            first = false;
            if named {
                f.write_str(" (")?;
                for (number, (name, count)) in who.iter().enumerate() {
                    f.write_str(if number > 0 { ", " } else { "" })?;
                    match count {
                        1 => write!(f, "{name}")?,
                        _ => write!(f, "{count} {name}")?,
                    }
                }
                f.write_str(")")?;
            }
        }
        if first { f.write_str("nobody there") } else { Ok(()) }
    }
}
