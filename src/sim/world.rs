//! What a run shares with its handles and wakers: who is ready, who is who, and what was chosen.

use super::clock::SimClock;
use super::dump::Moment;
use super::faults::Weather;
use super::foreign::Foreign;
use super::marks::Marks;
use super::meta::{Meta, Nature, Said};
use super::node::Machine;
use super::oracle::{Kind, Oracle, Random, Source, fold};
use super::path::Path;
use super::ready::Ready;
use super::sites::Sites;
use super::trace::{Phase, Recorder, TraceTask};
use super::twist::{Dropped, Twists};
use super::verdict::Verdict;
use super::view::ReadyView;
use crate::spawn::Task;
use crate::sys::mix::mix;
use crate::sys::probe::Wait;
use crate::sys::thread::Home;
use crate::sys::{Arc, Lock};
use crate::time::Instant;
use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::mem;
use core::task::Waker;
use core::time::Duration;

/// The root's number.
pub(super) const ROOT: u32 = 0;

/// A task on its way to the executor.
pub(super) struct Incoming {
    pub(super) number: u32,
    pub(super) tenant: u32,
    pub(super) task: Task,
}

/// What the executor does next.
pub(super) enum Next {
    Poll(u32),
    /// Nobody is ready; the earliest instant at which one waits for that, if one does.
    Nobody(Option<Instant>),
    /// The root is done, and so are all others that can go on without time.
    Ended,
    /// As many polls as are allowed have been made.
    Limit,
    /// The oracle has seen enough.
    Cut,
    /// There is a verdict.
    Judged,
}

pub(super) struct Core {
    pub(super) ready: Ready,
    pub(super) metas: Vec<Meta>,
    pub(super) said: Vec<Said>,
    pub(super) incoming: Vec<Incoming>,
    pub(super) source: Source,
    /// The task that is polled or was polled last; the root if that one is done.
    pub(super) current: u32,
    /// Whether the current task is being polled.
    pub(super) polling: bool,
    pub(super) steps: u64,
    pub(super) clock: SimClock,
    /// How often the oracle chose among tasks.
    pub(super) choices: u64,
    /// What was drawn besides.
    pub(super) draws: u64,
    pub(super) hash: u64,
    /// The calendar's reading at an instant.
    pub(super) wall: (Duration, Instant),
    pub(super) root_done: bool,
    /// Nothing is polled any more, and nothing is started.
    pub(super) closed: bool,
    /// Whether it is noted who is woken.
    pub(super) watched: bool,
    /// The keys of those who were woken, ready or not.
    pub(super) woken: Vec<u64>,
    /// Those who wait until nobody is ready at an instant.
    pub(super) lulls: BTreeMap<(Instant, u64), Waker>,
    pub(super) lull: u64,
    pub(super) unused: Vec<u32>,
    /// The task chosen last, where the round of the next choice begins. One that was ready alone was not chosen: so a task
    /// that waits for lulls does not change what others do.
    cursor: u32,
    /// The task polled last. If it is done since then, it is not `current` any more, or it is the root.
    pub(super) last: u32,
    /// The keys of all ready tasks, by exclusive or, so that the order of wakes leaves no trace (S4).
    keys: u64,
    /// How many that are not in the background are ready.
    foreground: usize,
    /// Who was made ready last since a poll was begun.
    pub(super) woken_last: Option<u32>,
    /// Those who may have lost their last waker.
    pub(super) suspects: Vec<(u32, u32)>,
    /// Whether somebody was woken for nothing and not polled since.
    pub(super) woke_for_nothing: bool,
    /// Whether a poll is only to show who can go on: then nothing is dropped or goes wrong on purpose.
    pub(super) probing: bool,
    /// Where wakers were cloned, if anybody asked for it.
    pub(super) sites: Option<Box<Sites>>,
    seed: u64,
    pub(super) max_steps: u64,
    told_all: bool,
    /// Records what happens, if anybody asked for it.
    pub(super) trace: Option<Box<Recorder>>,
    pub(super) twists: Twists,
    /// How many chances to cancel there were until one was taken.
    pub(super) cancel_points: u64,
    pub(super) dropped: Option<Dropped>,
    pub(super) machines: Vec<Arc<Machine>>,
    pub(super) foreign: Foreign,
    pub(super) marks: Marks,
    pub(super) weather: Weather,
    /// Why the run has failed, though nobody panicked.
    pub(super) verdict: Option<Box<Verdict>>,
}

impl Core {
    /// Of nobody; no run has begun.
    pub(super) fn new(clock: SimClock) -> Self {
        Self {
            ready: Ready::default(),
            metas: Vec::new(),
            said: Vec::new(),
            incoming: Vec::new(),
            source: Source::Random(Random::new(0)),
            current: ROOT,
            polling: false,
            steps: 0,
            clock,
            choices: 0,
            draws: 0,
            hash: 0,
            wall: (Duration::ZERO, Instant::EPOCH),
            root_done: false,
            closed: false,
            watched: false,
            woken: Vec::new(),
            lulls: BTreeMap::new(),
            lull: 0,
            unused: Vec::new(),
            cursor: ROOT,
            last: ROOT,
            keys: 0,
            foreground: 0,
            woken_last: None,
            suspects: Vec::new(),
            woke_for_nothing: false,
            probing: false,
            sites: None,
            seed: 0,
            max_steps: 0,
            told_all: false,
            trace: None,
            twists: Twists::NONE,
            cancel_points: 0,
            dropped: None,
            machines: Vec::new(),
            foreign: Foreign::new(None),
            marks: Marks::new(),
            weather: Weather::new(None),
            verdict: None,
        }
    }

    /// Begins a run with the root.
    pub(super) fn begin(&mut self, seed: u64, source: Source, max_steps: u64, wall: Duration, twists: Twists) {
        self.told_all = source.is_told_all();
        (self.seed, self.source, self.max_steps, self.twists) = (seed, source, max_steps, twists);
        self.wall = (wall, Instant::EPOCH);
        self.ready.renew();
        self.metas.push(Meta::new(mix(1), seed, 0, Path::ROOT, Nature::ROOT));
        self.say(ROOT).renew(Cow::Borrowed("root"), None, 0);
        self.wake(ROOT, 0);
    }

    /// As new, but for its buffers: a run is over. The source, which may be the user's, is to be dropped outside the lock.
    pub(super) fn renew(&mut self) -> Source {
        let fresh = Self::new(self.clock.clone());
        let Self { ready, metas, said, incoming, suspects, unused, woken, source, .. } = mem::replace(self, fresh);
        (self.ready, self.metas, self.said, self.incoming) = (ready, metas, said, incoming);
        (self.suspects, self.unused, self.woken) = (suspects, unused, woken);
        self.metas.clear();
        self.said.iter_mut().for_each(|said| said.renew(Cow::Borrowed(""), None, 0));
        self.incoming.clear();
        self.suspects.clear();
        self.unused.clear();
        self.woken.clear();
        source
    }

    /// Where it is kept what is said of a number.
    fn say(&mut self, number: u32) -> &mut Said {
        if self.said.len() <= number as usize {
            self.said.push(Said::default());
        }
        &mut self.said[number as usize]
    }

    pub(super) fn seed(&self) -> u64 {
        self.seed
    }

    /// Adds `x`, an instant or a number drawn, to the trace.
    #[inline]
    pub(super) fn note(&mut self, x: u64) {
        self.hash = fold(self.hash, x);
    }

    /// A value below `n`, which is not 0 (S2).
    pub(super) fn choose_data(&mut self, n: usize) -> usize {
        if n < 2 {
            return 0;
        }
        self.draws += 1;
        let chosen = self.source.choose_data(n, self.metas[self.current as usize].key);
        self.trace(|trace, now| trace.chose(now, chosen, n));
        chosen
    }

    /// Whether something goes wrong that does so one in `n` times, of at least two; `here` and `nth` stand for the choice.
    pub(super) fn choose_fault(&mut self, n: usize, here: u64, nth: u32) -> bool {
        self.draws += 1;
        self.source.choose_fault(n, here, nth)
    }

    /// Which of the ready tasks is next, of which there are several (S2), or one that the kit's own search is told of. `None`:
    /// the run is to be cut.
    #[inline]
    fn choose_task(&mut self) -> Option<usize> {
        self.choices += u64::from(self.ready.count() > 1);
        let Self { ready, metas, cursor, last, current, source, .. } = self;
        if let Source::Random(oracle) = source {
            return Some(oracle.choose(Kind::Task, ready.count()));
        }
        let view = ReadyView { ready, metas, cursor: *cursor, last: *last, lives: *last == *current };
        source.choose_task(&view)
    }

    /// What the calendar reads at `now`.
    pub(super) fn calendar(&self, now: Instant) -> Duration {
        let (unix, at) = self.wall;
        unix.saturating_add(now - at)
    }

    /// How many numbers were drawn: choices, and numbers of the tasks' random streams.
    pub(super) fn draws(&self) -> u64 {
        self.choices + self.draws
    }

    /// The next number of the current task's stream.
    pub(super) fn random(&mut self) -> u64 {
        let value = self.metas[self.current as usize].rng.next_u64();
        self.draws += 1;
        self.note(value);
        value
    }

    /// This instant, and how many polls were begun.
    pub(super) fn moment(&self) -> Moment {
        Moment { at: self.clock.at(), poll: self.steps }
    }

    /// Records what happens from now on: `events` of it at most, nothing if that is 0.
    pub(super) fn record(&mut self, events: usize) {
        if events > 0 {
            self.trace = Some(Box::new(Recorder::new(events)));
            self.trace_start(ROOT);
        }
    }

    /// Tells the recorder, if there is one.
    #[inline]
    pub(super) fn trace(&mut self, tell: impl FnOnce(&mut Recorder, Moment)) {
        if let Some(trace) = self.trace.as_mut().filter(|trace| trace.is_open()) {
            tell(trace, Moment { at: self.clock.at(), poll: self.steps });
        }
    }

    /// Tells the recorder, if there is one, what the executor is about.
    pub(super) fn enter(&mut self, phase: Phase) {
        if let Some(trace) = &mut self.trace {
            trace.enter(phase);
        }
    }

    fn trace_start(&mut self, number: u32) {
        if self.trace.is_some() {
            let (Meta { path, background, node, .. }, Said { name, made, handle, .. }) =
                (&self.metas[number as usize], &self.said[number as usize]);
            let (name, path, node, handle) = (name.to_string(), path.to_string(), self.node_name(*node), *handle);
            let task = TraceTask { name, path, node, made: *made, background: *background };
            self.trace(|trace, now| trace.started(now, number, handle, task));
        }
    }

    /// Makes a task ready, if it is still the one that was meant (S4).
    #[inline]
    pub(super) fn wake(&mut self, number: u32, tenant: u32) {
        if self.set_ready(number, tenant) {
            self.trace(|trace, now| trace.woken(now, number));
        } else if self.twists.fresh {
            self.note_stale_wake(number, tenant);
        }
    }

    /// The same, of which no recording tells. Whether it was not ready.
    #[inline(always)]
    pub(super) fn set_ready(&mut self, number: u32, tenant: u32) -> bool {
        let meta = &mut self.metas[number as usize];
        if meta.tenant != tenant {
            return false;
        }
        if self.watched {
            self.woken.push(meta.key);
        }
        if self.ready.set(number) {
            self.woken_last = Some(number);
            meta.since = Moment { at: self.clock.at(), poll: self.steps };
            self.keys ^= meta.key;
            self.foreground += usize::from(!meta.background);
            return true;
        }
        false
    }

    /// What comes next; a task to poll is then the current one.
    #[inline]
    pub(super) fn next(&mut self) -> Next {
        self.polling = false;
        if self.verdict.is_some() {
            return Next::Judged;
        }
        if self.twists.spurious != 0 {
            self.wake_for_nothing();
        }
        let n = self.ready.count();
        if self.root_done && self.foreground == 0 {
            return Next::Ended;
        }
        if n == 0 {
            return Next::Nobody(self.lulls.first_key_value().map(|(&(at, _), _)| at));
        }
        if self.steps == self.max_steps {
            return Next::Limit;
        }
        let k = if n > 1 || self.told_all { self.choose_task() } else { Some(0) };
        let Some(k) = k else { return Next::Cut };
        self.steps += 1;
        let number = self.ready.take(self.cursor, k);
        if n > 1 {
            self.cursor = number;
        }
        let meta = &mut self.metas[number as usize];
        meta.polls = meta.polls.wrapping_add(1);
        if self.twists.fresh {
            (meta.tenant, meta.stale_wake) = (meta.tenant.wrapping_add(1), None);
        }
        meta.since = Moment { at: self.clock.at(), poll: self.steps };
        self.hash = fold(fold(self.hash, self.keys), meta.key);
        self.keys ^= meta.key;
        self.foreground -= usize::from(!meta.background);
        self.current = number;
        self.last = number;
        self.woken_last = None;
        self.polling = true;
        self.trace(|trace, now| trace.polled(now, number, n));
        Next::Poll(number)
    }

    /// Keeps what the task's last poll waits for; `alone`: it is pending and left no waker behind.
    #[inline]
    pub(super) fn polled(&mut self, number: u32, waits: &mut Vec<Wait>, alone: bool) {
        if alone && self.woken_last != Some(number) && !self.ready.is_set(number) {
            self.suspects.push((number, self.metas[number as usize].tenant));
        }
        let kept = &mut self.said[number as usize].waits;
        if kept.is_empty() && waits.is_empty() && self.trace.is_none() {
            return;
        }
        self.keep_waits(number, waits);
    }

    fn keep_waits(&mut self, number: u32, waits: &mut Vec<Wait>) {
        self.trace(|trace, now| trace.pending(now, waits));
        mem::swap(&mut self.said[number as usize].waits, waits);
    }

    /// Gives `task` a number and a place before the current task, whose child it is.
    fn admit(&mut self, task: Task, nature: Nature) {
        let parent = &mut self.metas[self.current as usize];
        let key = mix(parent.key ^ fold(parent.key, u64::from(parent.children)));
        let path = parent.path.child(parent.children);
        let background = nature.background || parent.background;
        let node = if nature.node == 0 { parent.node } else { nature.node };
        parent.children += 1;
        let number = self.unused.pop().unwrap_or(self.metas.len() as u32);
        let tenant = self.metas.get(number as usize).map_or(0, |old| old.tenant);
        let meta = Meta::new(key, self.seed, tenant, path, Nature { background, node, ..nature });
        match self.metas.get_mut(number as usize) {
            Some(unused) => *unused = meta,
            None => self.metas.push(meta),
        }
        self.say(number).renew(task.name_to_keep(), Some(task.made()), nature.handle);
        self.ready.insert(number, self.current);
        self.set_ready(number, tenant);
        self.trace_start(number);
        self.incoming.push(Incoming { number, tenant, task });
    }

    /// Forgets a task that is done.
    pub(super) fn finish(&mut self, number: u32) {
        self.trace(|trace, now| trace.done(now, number));
        if number == ROOT {
            self.root_done = true;
            return;
        }
        let meta = &mut self.metas[number as usize];
        meta.tenant = meta.tenant.wrapping_add(1);
        if self.ready.is_set(number) {
            self.keys ^= meta.key;
            self.foreground -= usize::from(!meta.background);
        }
        let before = self.ready.remove(number);
        if self.cursor == number {
            self.cursor = before;
        }
        self.current = ROOT;
        self.unused.push(number);
    }
}

/// What a run shares with its handles and wakers.
pub(super) struct World {
    pub(super) core: Lock<Core>,
    pub(super) clock: SimClock,
    /// Whether it is noted where wakers are cloned.
    pub(super) locates: bool,
    /// The thread of the runs, of which there is one at a time.
    pub(super) home: Home,
}

impl World {
    pub(super) fn spawn(&self, task: Task, nature: Nature) {
        let refused = self.core.with(|core| {
            if core.closed {
                return Some(task);
            }
            core.admit(task, nature);
            None
        });
        drop(refused);
    }

    /// Sets the clock, and says so in the trace.
    pub(super) fn moved(&self, at: Instant) {
        self.clock.set(at);
        self.core.with(|core| core.note(at.as_nanos()));
    }
}

impl World {
    /// Lets timers ring, by `turn`, in the midst of a poll.
    pub(super) fn ring<R>(&self, turn: impl FnOnce() -> R) -> R {
        let enter = |phase| self.core.with(|core| core.trace.as_mut().map(|trace| trace.enter(phase)));
        let before = enter(Phase::Timers);
        let rung = turn();
        before.map(enter);
        rung
    }
}
