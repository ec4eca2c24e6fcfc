//! A source and a sink that workers hand to one another: they are one worker's at a time, and whoever finds the sink taken leaves
//! what he has to say to who has it.
//!
//! The source is put back by whoever has it (P1), and whoever puts it back, or leaves without having taken it, calls the first one
//! in line, so that it does not lie there while somebody waits (P2).
//!
//! Between threads a lock costs more than most items do. As long as nobody stands in line, and nothing else is to be known of a
//! turn, the source is taken and put back without one; it is marked while there is something to be known, under the lock.

use super::{Member, Stock, Team, note_stop, oversee};
use crate::cancel::{Reason, Scope};
use crate::spawn::{Panic, Spawn};
use crate::sys::atomic::{AtomicBool, Ordering};
use crate::sys::relay::{Goods, Relay};
use crate::sys::thread::{Patience, catch, contain};
use crate::sys::{Arc, Told};
use crate::time::Instant;
use crate::work::crowd::Crowd;
use crate::work::intake::{Fed, Feed, Intake};
use crate::work::lease::Lease;
use crate::work::options::Options;
use crate::work::outbox::Outbox;
use crate::work::outcome::{Count, Ended, ItemOutcome, Sink};
use crate::work::report::{Report, Stop};
use crate::work::source::Source;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use core::future::Future;
use core::task::{Context, Poll, Waker};
use core::time::Duration;

/// The source and the sink of all workers.
pub(super) struct Common<S: Source, K, O, E> {
    /// There, unless somebody pulls.
    pub(super) intake: Relay<Intake<S>>,
    pub(super) turn: Told<Turn>,
    pub(super) outbox: Outbox<K, S::Item, O, E>,
}

/// The source, for one whose turn it is, or why nobody pulls any more.
type Turned<S> = Poll<Result<Held<S>, Stop>>;

type Held<S> = Box<Goods<Intake<S>>>;

/// What is to be known of whose turn it is to pull.
pub(super) struct Turn {
    /// Who waits for it, by the place at which he stands: in order, and none is given twice.
    pub(super) line: VecDeque<(u64, Waker)>,
    next_place: u64,
    /// How many of those who stood there were called, and have not come yet.
    called: usize,
    /// How many items were left when it was put back, if anybody wants to know.
    left: Option<usize>,
    /// The first reason why nothing more is started.
    stop: Option<Stop>,
    /// Of whoever has it and waits for an item: he is to put it back when nothing more is started.
    pending: Option<Waker>,
}

impl<S: Source, K: Sink<S::Item, O, E>, O, E> Common<S, K, O, E> {
    pub(super) fn new(intake: Intake<S>, sink: K) -> Self {
        let turn = Turn { line: VecDeque::new(), next_place: 0, called: 0, left: None, stop: None, pending: None };
        Self { intake: Relay::new(intake), turn: Told::new(turn), outbox: Outbox::new(sink) }
    }

    /// Changes what is to be known, under the lock, and marks the source if there is something.
    fn change<R>(&self, f: impl FnOnce(&mut Turn, &Relay<Intake<S>>) -> R) -> R {
        self.turn.with(|turn| {
            let r = f(turn, &self.intake);
            self.intake.mark(turn.is_to_be_known());
            r
        })
    }
}

impl<S: Source, K: Sink<S::Item, O, E>, O, E> Stock for Common<S, K, O, E> {
    type Feed = Line<S, K, O, E>;
    type Teller = Teller<S, K, O, E>;

    fn equip(team: &Arc<Team<Self>>, number: usize) -> (Self::Feed, Self::Teller) {
        let told = Arc::new(AtomicBool::new(true));
        let teller = Teller { team: team.clone(), number, told: told.clone(), count: Count::new() };
        let team = team.clone();
        (Line { team, number, is_new: true, place: None, held: None, index: 0, told, leaves: false }, teller)
    }

    fn stop(&self, stop: &Stop) {
        let (_old, pending) = self.change(|turn, _| (note_stop(&mut turn.stop, stop), turn.pending.take()));
        if let Some(waker) = pending {
            contain(|| waker.wake());
        }
        self.call_all();
    }

    fn is_stopped(&self) -> bool {
        self.turn.read(|turn| turn.stop.is_some())
    }

    fn call_all(&self) {
        let line = self.turn.with(|turn| {
            turn.called += turn.line.len();
            core::mem::take(&mut turn.line)
        });
        line.into_iter().for_each(|(_, waker)| contain(|| waker.wake()));
    }
}

impl<S: Source, K: Sink<S::Item, O, E>, O, E> Member for Line<S, K, O, E> {
    fn has_left(&self) -> bool {
        self.leaves
    }
}

/// A worker's way to the source.
pub(super) struct Line<S: Source, K: Sink<S::Item, O, E>, O, E> {
    team: Arc<Team<Common<S, K, O, E>>>,
    number: usize,
    /// It has not asked for an item yet.
    is_new: bool,
    /// Where it stands in line, or stood when it was called, if it has not come since.
    place: Option<u64>,
    /// While it is this one's turn.
    held: Option<Held<S>>,
    /// P3. The item that the worker has, or had last.
    index: u64,
    told: Arc<AtomicBool>,
    /// P5.
    leaves: bool,
}

/// A worker's way to the sink.
pub(super) struct Teller<S: Source, K: Sink<S::Item, O, E>, O, E> {
    team: Arc<Team<Common<S, K, O, E>>>,
    number: usize,
    told: Arc<AtomicBool>,
    /// What this one has told.
    count: Count,
}

impl<S: Source, K: Sink<S::Item, O, E>, O, E> Sink<S::Item, O, E> for Teller<S, K, O, E> {
    fn accept(&mut self, mut ended: Ended<S::Item, O, E>) {
        // Relaxed: the feed of the same task reads it.
        self.told.store(true, Ordering::Relaxed);
        self.count.add(&ended.outcome);
        ended.worker = ended.worker.map(|_| self.number);
        self.team.stock.outbox.tell(ended);
    }
}

impl<S: Source, K: Sink<S::Item, O, E>, O, E> Drop for Teller<S, K, O, E> {
    fn drop(&mut self) {
        self.team.stock.outbox.count(self.number, &self.count);
    }
}

impl<S: Source, K: Sink<S::Item, O, E>, O, E> Line<S, K, O, E> {
    /// Takes the source, or stands in line for it.
    #[inline]
    fn poll_turn(&mut self, cx: &Context<'_>) -> Turned<S> {
        if let Some(intake) = self.held.take() {
            return match self.team.stock.turn.read(|turn| turn.stop.clone()) {
                None => Poll::Ready(Ok(intake)),
                Some(stop) => {
                    self.put_back(intake);
                    Poll::Ready(Err(stop))
                }
            };
        }
        let common = &self.team.stock;
        common.turn.touch();
        match self.place {
            None => match common.intake.try_take() {
                Some(intake) => Poll::Ready(Ok(intake)),
                None => self.wait_turn(cx),
            },
            // Who stood in line is to leave it.
            Some(_) => self.wait_turn(cx),
        }
    }

    #[cold]
    fn wait_turn(&mut self, cx: &Context<'_>) -> Turned<S> {
        let common = &self.team.stock;
        // To stand in line costs a turn of the executor, where a pull on another thread is over in no time.
        let mut patience = Patience::new();
        loop {
            if self.place.is_none() && !common.intake.is_marked() {
                if let Some(intake) = common.intake.try_take() {
                    return Poll::Ready(Ok(intake));
                }
            } else {
                let (is_pending, came) =
                    common.change(|turn, intake| (turn.pending.is_some(), turn.come(intake, &mut self.place)));
                if let (polled @ Poll::Ready(_), _old) = came {
                    return polled;
                }
                if is_pending {
                    break;
                }
            }
            if !patience.wait() {
                break;
            }
        }
        let mut waker = Some(cx.waker().clone());
        let (polled, _old) = common.change(|turn, intake| {
            // From here on whoever puts it back sees that there is somebody.
            intake.mark(true);
            match turn.come(intake, &mut self.place) {
                (Poll::Pending, _) => (Poll::Pending, turn.stand(&mut self.place, &mut waker)),
                ready => ready,
            }
        });
        polled
    }

    /// Notes how many items are left, after a pull or a look ahead: the source is not asked by who leaves with it, which may be in
    /// a drop.
    #[inline]
    fn note_left(&self, intake: &Held<S>) {
        if self.team.to_meet.is_some() {
            let left = intake.remaining();
            self.team.stock.turn.with(|turn| turn.left = left);
        }
    }

    /// P2. Whether nobody waits for it.
    #[inline]
    fn put_back(&self, intake: Held<S>) -> bool {
        let common = &self.team.stock;
        common.turn.touch();
        match common.intake.try_put(intake) {
            Ok(()) => true,
            Err(intake) => self.put_back_and_call(intake),
        }
    }

    #[cold]
    fn put_back_and_call(&self, intake: Held<S>) -> bool {
        let (next, nobody_waits, _old) = self.team.stock.change(|turn, place| {
            place.put(intake);
            let old = turn.pending.take();
            (turn.next(true), turn.called == 0, old)
        });
        next.into_iter().for_each(|waker| contain(|| waker.wake()));
        nobody_waits
    }

    fn poll_pull(&mut self, cx: &mut Context<'_>, closes: Instant) -> Fed<u64, S::Item> {
        let mut intake = match self.poll_turn(cx) {
            Poll::Ready(Ok(intake)) => intake,
            Poll::Ready(Err(stop)) => return Poll::Ready(Err(stop)),
            Poll::Pending => {
                self.team.asked(self.number, &mut self.is_new, false);
                // Those in line may have been called to leave before this one stood there.
                if self.team.is_elastic && self.team.crowd.read(Crowd::is_too_many) {
                    cx.waker().wake_by_ref();
                }
                return Poll::Pending;
            }
        };
        let pulled = intake.poll_feed::<false>(cx, closes);
        match &pulled {
            Poll::Pending => {
                // It is this one whom the source will wake.
                self.held = Some(intake);
                let mut waker = Some(cx.waker().clone());
                let (stop, _old) = self.team.stock.change(|turn, _| match &turn.stop {
                    Some(stop) => (Some(stop.clone()), None),
                    None => (None, core::mem::replace(&mut turn.pending, waker.take())),
                });
                if let Some(stop) = stop {
                    if let Some(intake) = self.held.take() {
                        self.put_back(intake);
                    }
                    return Poll::Ready(Err(stop));
                }
                self.team.asked(self.number, &mut self.is_new, false);
                return Poll::Pending;
            }
            Poll::Ready(Ok((index, _))) => {
                self.index = *index;
                // Relaxed: of this task alone.
                self.told.store(false, Ordering::Relaxed);
            }
            Poll::Ready(Err(stop)) => self.team.stock.stop(stop),
        }
        self.note_left(&intake);
        let nobody_waits = self.put_back(intake);
        self.team.asked(self.number, &mut self.is_new, nobody_waits);
        pulled
    }

    /// P5. Whether this one has left.
    fn is_excused(&mut self) -> bool {
        self.leaves = self.team.excuse(self.number);
        if self.leaves {
            if let Some(intake) = self.held.take() {
                self.put_back(intake);
            }
        }
        self.leaves
    }
}

impl Turn {
    /// Whether who takes the source, or puts it back, is to look here.
    fn is_to_be_known(&self) -> bool {
        self.stop.is_some() || self.pending.is_some() || self.called != 0 || !self.line.is_empty()
    }

    /// P2. Whom to call, if the source is there.
    fn next(&mut self, is_there: bool) -> Option<Waker> {
        let (_, next) = if is_there { self.line.pop_front()? } else { return None };
        self.called += 1;
        Some(next)
    }

    /// One who stood at `place` comes for the source: if it is his turn, he stands there no longer, and has his waker back.
    fn come<S: Source>(&mut self, intake: &Relay<Intake<S>>, place: &mut Option<u64>) -> (Turned<S>, Option<Waker>) {
        let came = match &self.stop {
            Some(stop) => Err(stop.clone()),
            None => match intake.take() {
                Some(intake) => Ok(intake),
                None => return (Poll::Pending, None),
            },
        };
        (Poll::Ready(came), self.leave(place))
    }

    /// One who stood at `place` waits no longer.
    fn leave(&mut self, place: &mut Option<u64>) -> Option<Waker> {
        match self.line.binary_search_by_key(&place.take()?, |(place, _)| *place) {
            Ok(at) => self.line.remove(at).map(|(_, waker)| waker),
            Err(_) => {
                self.called -= 1;
                None
            }
        }
    }

    /// One waits, at the place where he stands already, if he does. The waker that stood there before.
    fn stand(&mut self, place: &mut Option<u64>, waker: &mut Option<Waker>) -> Option<Waker> {
        let waker = waker.take()?;
        if let Some(stands) = *place {
            if let Ok(at) = self.line.binary_search_by_key(&stands, |(place, _)| *place) {
                return Some(core::mem::replace(&mut self.line[at].1, waker));
            }
            self.called -= 1;
        }
        *place = Some(self.next_place);
        self.line.push_back((self.next_place, waker));
        self.next_place += 1;
        None
    }
}

impl<S: Source, K: Sink<S::Item, O, E>, O, E> Feed for Line<S, K, O, E> {
    type Item = S::Item;
    type Tag = u64;

    fn poll_feed<const PLAIN: bool>(&mut self, cx: &mut Context<'_>, closes: Instant) -> Fed<u64, S::Item> {
        if self.team.is_elastic && self.is_excused() {
            return Poll::Ready(Err(Stop::Lost));
        }
        self.poll_pull(cx, closes)
    }

    fn poll_ahead(&mut self, cx: &mut Context<'_>) {
        if let Some(intake) = &mut self.held {
            return intake.poll_ahead(cx);
        }
        let common = &self.team.stock;
        let taken = common.turn.with(|turn| if turn.stop.is_none() { common.intake.take() } else { None });
        if let Some(mut intake) = taken {
            intake.poll_ahead(cx);
            self.note_left(&intake);
            self.put_back(intake);
        }
    }

    fn ask_anew(&mut self) {
        if let Some(intake) = &mut self.held {
            intake.ask_anew();
        }
    }

    fn took(&mut self, took: Duration, time: Option<Duration>) {
        let left = self.team.stock.turn.read(|turn| turn.left);
        if let (Some(most), Some(left), Some(time)) = (self.team.to_meet, left, time) {
            let resized = self.team.change(|crowd| crowd.took(took, left, time, most));
            self.team.resized(resized);
        }
    }

    /// Nobody knows how many of them are this worker's.
    fn remaining(&self) -> Option<usize> {
        None
    }

    fn out_of_time(&mut self) -> Stop {
        let common = &self.team.stock;
        let intake = self.held.take().or_else(|| common.turn.with(|_| common.intake.take()));
        let Some(mut intake) = intake else { return Stop::OutOfTime };
        let stop = intake.out_of_time();
        self.put_back(intake);
        stop
    }

    fn halt(&mut self, stop: &Stop, cancel: bool) {
        self.team.stock.stop(stop);
        if cancel {
            self.team.scope.cancel(Reason::sibling_failed());
        }
    }
}

impl<S: Source, K: Sink<S::Item, O, E>, O, E> Drop for Line<S, K, O, E> {
    fn drop(&mut self) {
        if let Some(intake) = self.held.take() {
            self.put_back(intake);
        }
        let (_old, next) =
            self.team.stock.change(|turn, intake| (turn.leave(&mut self.place), turn.next(intake.is_there())));
        next.into_iter().for_each(|waker| contain(|| waker.wake()));
        if !self.told.load(Ordering::Relaxed) {
            let (_, mut teller) = Common::equip(&self.team, self.number);
            let ended = Ended::new(self.index, Some(self.number), ItemOutcome::Cancelled { item: None });
            if let Err(panic) = catch(|| teller.accept(ended)) {
                self.team.panicked(Panic::new(panic));
            }
        }
    }
}

/// A run whose workers are tasks, over a source.
pub(in crate::work) async fn run_on<P, S, F, Fut, O, E, K>(
    spawner: P,
    source: S,
    options: Options,
    outer: &Scope,
    body: F,
    sink: K,
) -> (Report<S::Rest>, K)
where
    P: Spawn,
    S: Source + Send + 'static,
    S::Item: Send + 'static,
    F: Fn(Lease<S::Item>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<O, E>> + Send + 'static,
    O: Send + 'static,
    E: Send + 'static,
    K: Sink<S::Item, O, E> + Send + 'static,
{
    let started = outer.now();
    let deadline = options.limit.deadline(started);
    let common = Common::new(Intake::new(source, options.limiter.clone()), sink);
    let team = oversee(spawner, common, options, deadline, outer, body).await;
    let (intake, stop) = team.stock.turn.with(|turn| (team.stock.intake.take(), turn.stop.take()));
    let (sink, count, per_worker) = team.stock.outbox.empty();
    let (Some(intake), Some(sink)) = (intake, sink) else {
        unreachable!("all who take them have put them back, but those who panic")
    };
    let (not_started, rest) = intake.into_inner().into_rest();
    let stop = match stop.unwrap_or(Stop::Lost) {
        // Whoever did not have the source could not know that it was empty, which is the better reason.
        Stop::OutOfTime if not_started == Some(0) => Stop::Exhausted,
        stop => stop,
    };
    (Report { count, not_started, per_worker, started, ended: outer.now(), stop, rest }, sink)
}
