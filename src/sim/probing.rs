//! Polling those who wait once more, to see who could go on: where one can, its wake-up is lost.
//!
//! If nobody is ready and time has not moved, a future that was pending and that nobody has woken is still pending: else
//! what it waits for has happened, and whoever let it happen should have woken it. So a poll that comes back ready proves
//! that. One that comes back pending may have gone on all the same, and woken others: then these go on, and if that ends the
//! wait of one who could not, it is proven too.

use super::builder::{Body, Builder};
use super::dump::TaskInfo;
use super::exec::{Came, Exec};
use super::explore::Trouble;
use super::meta::Meta;
use super::oracle::{Bytes, Source, fold};
use super::report::{Failure, FailureKind};
use super::trace::Recorder;
use super::verdict::Verdict;
use super::world::{Core, ROOT};
use crate::sys::hush::hush;
use crate::sys::thread::catch;
use crate::time::Instant;
use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;

/// How many polls those may take, in all, whom such polls have woken.
const MORE_POLLS: u64 = 10_000;

/// One who waits.
struct Waiting {
    number: u32,
    tenant: u32,
    /// By the waker of which earlier poll it was woken, which does not count.
    in_vain: Option<u32>,
    /// What it was like before it was polled again.
    task: TaskInfo,
}

impl Waiting {
    fn verdict(self) -> Verdict {
        let label = self.task.label();
        let (kind, why) = match self.in_vain {
            Some(_) => (FailureKind::StaleWaker, "only the waker of an earlier poll was used, which does not count"),
            None => (
                FailureKind::LostWakeup,
                "nobody has woken it: a wake-up is lost, or it takes being polled for being woken",
            ),
        };
        let message = format!("polled once more, `{label}` goes on, but {why}");
        Verdict { kind, message, place: None, task: Some(self.task), waker_of: self.in_vain }
    }
}

impl Core {
    /// Those for whom `concerned` is true and who wait, in the order of their spawn paths.
    fn waiting(&self, concerned: impl Fn(u32, &Meta) -> bool) -> Vec<Waiting> {
        let waiting = |number: u32| {
            let meta = &self.metas[number as usize];
            let waits = self.waits_as(number, meta.tenant) && concerned(number, meta);
            let (tenant, in_vain) = (meta.tenant, meta.stale_wake);
            waits.then(|| Waiting { number, tenant, in_vain, task: self.describe(number) })
        };
        self.ready.iter().filter_map(waiting).collect()
    }

    fn is_done(&self, waiting: &Waiting) -> bool {
        let Waiting { number, tenant, .. } = *waiting;
        self.metas[number as usize].tenant != tenant || (number == ROOT && self.root_done)
    }

    /// Begins a poll of one who waits. False: as many as are allowed have been made.
    fn begin_probe(&mut self, number: u32) -> bool {
        if self.steps == self.max_steps {
            return false;
        }
        self.steps += 1;
        (self.current, self.last, self.polling, self.probing) = (number, number, true, true);
        self.woken_last = None;
        let meta = &mut self.metas[number as usize];
        meta.polls = meta.polls.wrapping_add(1);
        if self.twists.fresh {
            (meta.tenant, meta.stale_wake) = (meta.tenant.wrapping_add(1), None);
        }
        self.hash = fold(self.hash, meta.key);
        self.trace(|trace, now| trace.polled(now, number, 0));
        true
    }

    /// What happens from here on only shows what the run could have come to.
    fn begin_aftermath(&mut self) {
        (self.twists.spurious, self.twists.fresh) = (0, false);
        self.source = Source::Bytes(Bytes::new([]));
        self.max_steps = self.steps.saturating_add(MORE_POLLS);
        self.trace(Recorder::close);
    }
}

impl Exec<'_> {
    /// The failure of a run in which those can't go on for whom `concerned` is true: `failure`, or that one of them could.
    ///
    /// They are polled where they are: it is over for them anyway.
    pub(super) fn proven(&mut self, failure: Failure, concerned: impl Fn(u32, &Meta) -> bool) -> Failure {
        self.course = Some(self.take_course());
        let waiting = self.world.core.with(|core| {
            core.begin_aftermath();
            core.waiting(concerned)
        });
        // Other threads had their time.
        (self.fresh, self.is_open, self.watcher) = (false, false, None);
        self.swept.clear();
        let time = self.time.now();
        match hush(|| catch(|| self.first_who_goes_on(waiting))).0 {
            Ok(Some(waiting)) => self.failed(waiting.verdict(), time),
            _ => failure,
        }
    }

    /// Polls one after another, and gives the first who is done by that, or lets others of them be done.
    fn first_who_goes_on(&mut self, mut waiting: Vec<Waiting>) -> Option<Waiting> {
        for at in 0..waiting.len() {
            let number = waiting[at].number;
            // Another waker, so that it does not think that it is registered and need not look.
            self.entries[number as usize].own.change();
            if !self.world.core.with(|core| core.begin_probe(number)) {
                break;
            }
            if self.poll(number) != Came::Done {
                self.waits.clear();
                self.world.core.with(|core| (core.probing, core.verdict) = (false, None));
                self.drive();
            }
            if self.world.core.with(|core| waiting.iter().any(|waiting| core.is_done(waiting))) {
                return Some(waiting.swap_remove(at));
            }
        }
        None
    }

    /// If time is about to move on: polls all who wait, once at each instant. Whether that was done. `lull`: the earliest
    /// instant at which one waits until nobody is ready.
    #[cold]
    pub(super) fn probe_all(&mut self, lull: Option<Instant>) -> bool {
        let now = self.time.now();
        let timer = if self.autojump { self.world.next_timer(&self.time) } else { Instant::NEVER };
        let next = timer.min(lull.unwrap_or(Instant::NEVER));
        if next <= now || next.is_never() || self.probed.replace(now) == Some(now) {
            return false;
        }
        let waiting = self.world.core.with(|core| core.waiting(|_, _| true));
        for waiting in waiting {
            let number = waiting.number;
            let begun = self.world.core.with(|core| {
                // One who was polled before may have woken it, in the usual way.
                core.waits_as(number, waiting.tenant) && core.begin_probe(number)
            });
            if !begun {
                continue;
            }
            if self.fresh {
                self.entries[number as usize].own.renew();
            }
            let came = self.poll(number);
            self.world.core.with(|core| {
                core.probing = false;
                core.polled(number, &mut self.waits, came == Came::Alone);
                if came == Came::Done && core.verdict.is_none() {
                    core.verdict = Some(Box::new(waiting.verdict()));
                }
            });
        }
        true
    }
}

impl Builder {
    /// Of many runs, each `n`-th is made once more with [`probe`](Self::probe) switched on, beginning with the first; 0: none.
    ///
    /// Unless it is set, [`PROBE_EVERY`](Self::PROBE_EVERY), and none where [`spurious`](Self::spurious) is set to 0.
    pub fn probe_every(mut self, n: u32) -> Self {
        self.probe_every = Some(n);
        self
    }

    /// Polls everybody who waits once more before time moves on, and fails with
    /// [`FailureKind::LostWakeup`](super::FailureKind::LostWakeup) if one of them comes back ready: what it waits for has
    /// happened, and nobody had woken it, so that it would have gone on late, or by luck. (Or else it takes being polled for
    /// being woken: see [`spurious`](Self::spurious).)
    ///
    /// That is done in any case to those who can't go on before a [deadlock](super::FailureKind::Deadlock), a
    /// [standstill](super::FailureKind::Standstill) or a [leak](super::FailureKind::Leak) is reported, and throughout one run in [`PROBE_EVERY`](Self::PROBE_EVERY) of many.
    ///
    /// [Each poll has a waker of its own](Self::fresh_wakers) in such runs, unless that is switched off: a future that finds
    /// its task's waker unchanged may not look whether it could go on.
    ///
    /// # Examples
    /// A lost wake-up that a timeout hides:
    /// ```
    /// use core::future::poll_fn;
    /// use core::task::Poll;
    /// use core::time::Duration;
    /// use std::sync::atomic::{AtomicBool, Ordering};
    /// use std::sync::Arc;
    /// use wakeful::cancel::Scope;
    /// use wakeful::sim::{Builder, FailureKind, Sim};
    ///
    /// let body = async |sim: Sim| {
    ///     let (done, scope) = (Arc::new(AtomicBool::new(false)), Scope::new(sim.time()));
    ///     let seen = done.clone();
    ///     let waits = poll_fn(move |cx| match seen.load(Ordering::Relaxed) {
    ///         true => Poll::Ready(()),
    ///         false => Poll::Pending,
    ///     });
    ///     sim.spawn("setter", async move { done.store(true, Ordering::Relaxed) });
    ///     let _ = scope.move_on_after(Duration::from_secs(1), async |_| waits.await).await;
    /// };
    /// assert!(Builder::new().run(body).is_ok());
    /// assert_eq!(Builder::new().probe(true).run(body).unwrap_err().kind(), FailureKind::LostWakeup);
    /// ```
    pub fn probe(mut self, on: bool) -> Self {
        self.twists.probe = on;
        self
    }

    /// After a run that did not fail: makes it again with probes, if that is due.
    pub(super) fn probed(&self, number: u32, body: &Body<'_>) -> Result<(), Failure> {
        let by_default = if self.twists.spurious == Some(0) { 0 } else { Self::PROBE_EVERY };
        let every = self.probe_every.unwrap_or(by_default);
        let due = every != 0 && number % every == 0;
        if !due || self.bytes.is_some() || self.twists.probe {
            return Ok(());
        }
        let this = self.clone().probe(true);
        this.run_one(body).map_err(|failure| this.told(Trouble::Found(failure), body))?;
        Ok(())
    }
}
