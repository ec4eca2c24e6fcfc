//! The executor: polls who is ready, moves time when nobody is, and takes everything down at the end.

use super::ending::Course;
use super::faults::Faults;
use super::footprint::{Footprint, Watcher};
use super::foreign::Foreign;
use super::handle::Sim;
use super::hooks;
use super::marks::Mark;
use super::meta::Meta;
use super::node::Machines;
use super::oracle::{Source, fold};
use super::report::Failure;
use super::spare::Spare;
use super::trace::{Outcome, Recorder, Trace};
use super::twist::{Chance, Dropped, Twists};
use super::wakers::Own;
use super::world::{Incoming, Next, ROOT, World};
use crate::spawn::Task;
use crate::sys::hush::hush;
use crate::sys::probe::{self, Access, Resource, Wait};
use crate::sys::thread::catch;
use crate::sys::{Arc, slot};
use crate::time::{Instant, Time};
use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

/// What a run depends on, besides its body.
pub(super) struct Settings {
    pub(super) seed: u64,
    pub(super) source: Source,
    pub(super) max_steps: u64,
    pub(super) wall: Duration,
    pub(super) allow_leaks: bool,
    /// How many events to record at most.
    pub(super) trace: usize,
    pub(super) twists: Twists,
    /// Whether to note where wakers are cloned.
    pub(super) locates: bool,
    /// The names of tasks that are swept.
    pub(super) swept: Vec<Cow<'static, str>>,
    /// Looks on, if somebody does.
    pub(super) watcher: Option<Box<dyn Watcher>>,
    pub(super) conditions: Conditions,
}

/// What goes on around the program.
#[derive(Clone, Copy, Debug)]
pub(super) struct Conditions {
    pub(super) faults: Option<Faults>,
    /// Whether time moves by itself to the next timer.
    pub(super) autojump: bool,
    /// How long other threads may keep the run waiting; `None`: they may wake nobody.
    pub(super) foreign: Option<Duration>,
}

/// What came of a run that did not fail.
pub(super) struct Ended {
    pub(super) hash: u64,
    pub(super) steps: u64,
    pub(super) choices: u64,
    pub(super) draws: u64,
    pub(super) end: Instant,
    pub(super) cancel_points: u64,
    pub(super) marks: Vec<Mark>,
    pub(super) replay: String,
    pub(super) trace: Option<Trace>,
    /// It was not made to its end.
    pub(super) cut: bool,
}

pub(super) type Root<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// What came of a poll.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Came {
    /// The task is done, or was dropped.
    Done,
    /// It is pending.
    Pending,
    /// It is pending and has left no waker behind.
    Alone,
}

/// What is polled under a number.
pub(super) struct Entry {
    task: Option<Task>,
    pub(super) own: Own,
}

pub(super) struct Exec<'a> {
    pub(super) world: Arc<World>,
    pub(super) time: Time,
    root: Option<Root<'a>>,
    /// By number; the root's entry has no task.
    pub(super) entries: Vec<Entry>,
    incoming: Vec<Incoming>,
    /// What the poll waits for that is under way, or was the last.
    pub(super) waits: Vec<Wait>,
    /// The names of tasks that are swept.
    pub(super) swept: Vec<Cow<'static, str>>,
    machines: Machines,
    pub(super) autojump: bool,
    /// Whether other threads may wake tasks.
    pub(super) is_open: bool,
    pub(super) watcher: Option<Box<dyn Watcher>>,
    print: Footprint,
    allow_leaks: bool,
    /// Whether each poll has a waker of its own.
    pub(super) fresh: bool,
    probes: bool,
    /// The last instant at which all who waited were polled.
    pub(super) probed: Option<Instant>,
    /// What the run had come to when it was over, if anything was done after that.
    pub(super) course: Option<Course>,
}

/// Runs the future that `root` makes, and all that it starts, to the end.
pub(super) fn execute<'a>(settings: Settings, root: &mut dyn FnMut(Sim) -> Root<'a>) -> Result<Ended, Failure> {
    let Settings { seed, source, max_steps, wall, allow_leaks, trace, twists, locates, swept, watcher, conditions } =
        settings;
    let Conditions { faults, autojump, foreign } = conditions;
    let Spare { world, time, entries, incoming } = Spare::take(locates);
    let watched = watcher.is_some();
    world.core.with(|core| {
        core.begin(seed, source, max_steps, wall, twists);
        core.record(trace);
        core.sites = locates.then(Box::default);
        core.watched = watched;
        core.expect(faults);
        core.foreign = Foreign::new(foreign);
    });
    let root = Some(root(Sim::new(world.clone(), time.clone())));
    let (waits, print) = (Vec::new(), Footprint::default());
    let (machines, fresh) = (Machines::default(), twists.fresh);
    let mut exec = Exec {
        world,
        time,
        root,
        entries,
        incoming,
        waits,
        swept,
        machines,
        autojump,
        is_open: foreign.is_some(),
        watcher,
        print,
        allow_leaks,
        fresh,
        // A search by what polls touch does not expect them.
        probes: twists.probe && !watched,
        probed: None,
        course: None,
    };
    exec.adopt(ROOT, 0, None);
    let run = probe::Run::new(exec.is_open);
    // The bottom of a poll stack: scopes around this call have no say inside.
    let ended = probe::during(run, || hooks::enter(exec.world.clone(), || slot::barrier(|| exec.run(max_steps))));
    exec.leave();
    ended
}

impl Exec<'_> {
    fn run(&mut self, max_steps: u64) -> Result<Ended, Failure> {
        let driven = catch(|| self.drive());
        let cut = matches!(driven, Ok(Next::Cut));
        let failure = match driven {
            // It came first, should there be a panic too.
            _ if self.is_judged() => self.judged(),
            Ok(Next::Nobody(_)) => Some(self.deadlock()),
            Ok(Next::Limit) => Some(self.limit(max_steps)),
            Ok(_) if self.allow_leaks || cut => None,
            Ok(_) => self.leak(),
            Err(panic) => Some(self.panicked(panic.as_ref())),
        };
        let end = self.time.now();
        self.world.core.with(|core| core.trace(Recorder::close));
        let failure = match cut {
            true => hush(|| self.take_down(None)).0.and(None),
            false => self.take_down(failure).or_else(|| self.judged()),
        };
        let course = self.course.take().unwrap_or_else(|| self.take_course());
        let Course { hash, steps, choices, draws, cancel_points, dropped, marks, replay, sites } = course;
        let trace = self.world.core.with(|core| core.trace.take());
        let trace = trace.map(|trace| {
            let said = |failure: &Failure| (failure.kind(), failure.message().to_string());
            let concerned = failure.as_ref().map_or(&[][..], Failure::tasks);
            trace.finish(Outcome { failure: failure.as_ref().map(said), replay: replay.clone() }, concerned)
        });
        match failure {
            None => Ok(Ended { hash, steps, choices, draws, end, cancel_points, marks, replay, trace, cut }),
            Some(failure) => {
                let sites = sites.map_or_else(Vec::new, |sites| sites.of(&failure));
                let failure = failure.with_replay(replay).with_course(hash, steps, trace);
                Err(failure.with_dropped(dropped).with_sites(sites))
            }
        }
    }

    /// Polls until nothing can go on, the root is done, or there were too many polls.
    pub(super) fn drive(&mut self) -> Next {
        let (mut polled, mut moved) = (None, None::<(Instant, Instant)>);
        loop {
            let next = self.world.core.with(|core| {
                if let Some((number, came)) = polled.take() {
                    core.polled(number, &mut self.waits, came == Came::Alone);
                }
                if !core.suspects.is_empty() {
                    core.look_for_stranded(self.allow_leaks, |number| &self.entries[number as usize].own);
                }
                if let Some((before, now)) = moved.take() {
                    core.note(now.as_nanos());
                    core.passed(before, now);
                }
                self.machines.look(core);
                if !core.incoming.is_empty() {
                    core::mem::swap(&mut core.incoming, &mut self.incoming);
                }
                core.next()
            });
            if !self.incoming.is_empty() {
                self.adopt_all();
            }
            match next {
                Next::Poll(number) => {
                    if self.fresh {
                        self.entries[number as usize].own.renew();
                    }
                    let came = match self.watcher {
                        None => self.poll(number),
                        Some(_) => self.poll_watched(number),
                    };
                    polled = Some((number, came));
                }
                Next::Nobody(_) if self.is_open && self.world.let_in(false) => {}
                Next::Nobody(lull) if self.probes && self.probe_all(lull) => {}
                Next::Nobody(lull) => {
                    let before = self.time.now();
                    match self.pass(lull) {
                        Some(now) => moved = Some((before, now)),
                        None if self.is_open && self.can_be_woken() && self.world.let_in(true) => {}
                        None => return next,
                    }
                }
                Next::Ended | Next::Limit | Next::Judged | Next::Cut => return next,
            }
        }
    }

    /// Polls a task, or drops it where that is due.
    #[inline]
    pub(super) fn poll(&mut self, number: u32) -> Came {
        let swept = !self.swept.is_empty();
        if swept && self.cancels(number, false) {
            self.waits.clear();
            self.finish(number);
            return Came::Done;
        }
        let Entry { task, own } = &mut self.entries[number as usize];
        let mut cx = Context::from_waker(own.waker());
        let root = &mut self.root;
        let poll = probe::record(&mut self.waits, || match task {
            Some(task) => Pin::new(task).poll(&mut cx),
            None => root.as_mut().map_or(Poll::Pending, |root| root.as_mut().poll(&mut cx)),
        });
        let alone = own.is_alone();
        if poll.is_ready() || (swept && self.cancels(number, true)) {
            self.finish(number);
            return Came::Done;
        }
        if alone { Came::Alone } else { Came::Pending }
    }

    /// Whether a task is dropped that is swept: right after the poll that was just made, or in place of it.
    #[cold]
    fn cancels(&self, number: u32, after: bool) -> bool {
        self.world.core.with(|core| {
            let (Meta { key, polls, .. }, said) = (&core.metas[number as usize], &core.said[number as usize]);
            if number == ROOT || !self.swept.iter().any(|name| *name == *said.name) {
                return false;
            }
            let (id, polls) = (*key, if after { *polls } else { polls.wrapping_sub(1) });
            let (name, made) = (said.name.to_string(), said.made);
            core.cancels(Chance { id, polls, after }, || Dropped { name, made, polls, after })
        })
    }

    /// Polls, and tells the watcher what came of it.
    #[cold]
    fn poll_watched(&mut self, number: u32) -> Came {
        let mut print = core::mem::take(&mut self.print);
        let mut touched = core::mem::take(&mut print.touched);
        let (poll, foreign) = self.world.core.with(|core| {
            let meta = &core.metas[number as usize];
            print.key = meta.key;
            (print.tracked, print.background) = (meta.tracked, meta.background);
            print.root_was_done = core.root_done;
            core.woken.clear();
            (fold(meta.key, meta.polls.into()), meta.foreign)
        });
        let waker = probe::address(self.entries[number as usize].own.waker());
        let (came, kept) = probe::watch(poll, waker, &mut touched, || {
            if foreign {
                Resource::FOREIGN.touch(Access::Write);
            }
            self.poll(number)
        });
        self.world.core.with(|core| {
            print.ended_root = core.root_done && !print.root_was_done;
            core::mem::swap(&mut print.woken, &mut core.woken);
            // Of a task that is done this says nothing any more.
            core.metas[number as usize].foreign |= kept;
        });
        print.touched = touched;
        print.settle();
        if let Some(watcher) = &mut self.watcher {
            watcher.polled(&mut print);
        }
        self.print = print;
        came
    }

    /// Leaves what can be used again to the next run.
    fn leave(self) {
        let Self { world, time, root, entries, incoming, watcher, .. } = self;
        drop((root, watcher));
        Spare { world, time, entries, incoming }.leave();
    }

    #[cold]
    fn finish(&mut self, number: u32) {
        let done = self.entries[number as usize].task.take();
        if number == ROOT {
            self.root = None;
        }
        drop(done);
        self.world.core.with(|core| core.finish(number));
    }

    fn adopt_all(&mut self) {
        let mut incoming = core::mem::take(&mut self.incoming);
        for Incoming { number, tenant, task } in incoming.drain(..) {
            self.adopt(number, tenant, Some(task));
        }
        self.incoming = incoming;
    }

    fn adopt(&mut self, number: u32, tenant: u32, task: Option<Task>) {
        match self.entries.get_mut(number as usize) {
            Some(unused) => {
                unused.own.serve(tenant);
                unused.task = task;
            }
            None => self.entries.push(Entry { task, own: Own::new(&self.world, number, tenant) }),
        }
    }

    /// Moves time on (S5), when nobody is ready, to the next timer or to where one waits for a lull. Gives the time at
    /// which somebody may be ready. `None`: there is neither, or time does not move by itself; it is where it was.
    fn pass(&mut self, lull: Option<Instant>) -> Option<Instant> {
        let mut now = self.world.clock.at();
        let lull = lull.filter(|at| !at.is_never());
        loop {
            let elsewhere = self.machines.next(&self.world);
            // A clock that leapt has made timers due without time moving.
            if elsewhere <= now && self.machines.ring(&self.world, now) > 0 {
                return Some(now);
            }
            let next = self.time.next().min(elsewhere);
            if let Some(at) = lull.filter(|&at| at <= now || at < next) {
                let now = now.max(at);
                self.world.clock.set(now);
                while let Some(waker) = self.world.core.with(|core| core.pop_lull(at)) {
                    waker.wake();
                }
                return Some(now);
            }
            if next.is_never() || !(self.autojump || lull.is_some()) {
                return None;
            }
            // The queue's answer may be too early, on account of a timer that was cancelled. Then nothing fires and the
            // queue is not empty, so time comes to rest at a later timer, or at the lull, before anybody looks at it.
            now = now.max(next);
            self.world.clock.set(now);
            if self.time.turn_counted().1 + self.machines.ring(&self.world, now) > 0 {
                return Some(now);
            }
        }
    }

    /// Drops what is left, children before their parents, in the order in which they were started. A panic in doing so
    /// is a failure, unless there is one.
    fn take_down(&mut self, mut failure: Option<Failure>) -> Option<Failure> {
        let order: Vec<u32> = self.world.core.with(|core| {
            (core.closed, core.polling) = (true, false);
            core::mem::swap(&mut core.incoming, &mut self.incoming);
            core.ready.iter().collect()
        });
        self.adopt_all();
        for number in order {
            self.world.core.with(|core| core.current = number);
            let dropped = match number {
                ROOT => catch(|| self.root = None),
                _ => catch(|| self.entries[number as usize].task = None),
            };
            if let Err(panic) = dropped {
                failure = failure.or_else(|| Some(self.panicked(panic.as_ref())));
            }
        }
        // Of lulls and sleeps that were leaked, the wakers would keep the world for ever.
        drop(self.world.core.with(|core| core::mem::take(&mut core.machines)));
        while let Some(waker) = self.world.core.with(|core| core.pop_lull(Instant::NEVER)) {
            drop(waker);
        }
        failure
    }
}
