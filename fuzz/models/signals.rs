//! An event, a notify and a watched value beside models of what is remembered.

use super::World;
use super::waiting::{Places, Waiting, assert_woken, place};
use arbitrary::Arbitrary;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use wakeful::sync::watch::{self, RecvError};
use wakeful::sync::{Event, Notify};

/// One step.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(crate) enum Op {
    Event(Act),
    Notify(Act),
    Watch(Act),
}

/// What is done; for some of the three it is the like of what the name says.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(crate) enum Act {
    /// Set; notify one; send.
    Tell,
    /// Reset; notify all; the last sender goes.
    Other,
    /// A future is put in a place, where another may have been.
    Start(u8),
    Poll(u8, bool),
    /// Enable; see.
    Early(u8),
    Drop(u8),
}

/// An event, and who waits for it.
struct Events {
    real: Event,
    set: bool,
    places: Places<dyn Future<Output = ()>>,
    /// Who waits, and who was let go.
    waiting: BTreeMap<u64, bool>,
    woken: Vec<u64>,
}

impl Events {
    fn step(&mut self, act: Act, who: u64) {
        self.woken.clear();
        match act {
            Act::Tell => {
                self.real.set();
                self.set = true;
                for (who, go) in self.waiting.iter_mut().filter(|(_, go)| !**go) {
                    *go = true;
                    self.woken.push(*who);
                }
            }
            Act::Other | Act::Early(_) => assert_eq!(self.real.reset(), std::mem::take(&mut self.set)),
            Act::Start(at) => {
                let real = self.real.clone();
                let wait = async move { real.wait().await };
                if let Some(old) = place(&mut self.places, at).replace(Waiting::new(who, Box::pin(wait))) {
                    self.waiting.remove(&old.who);
                }
            }
            Act::Poll(at, new_waker) => {
                let place = place(&mut self.places, at);
                let Some(waiting) = place else { return };
                let ready = self.set || self.waiting.get(&waiting.who) == Some(&true);
                assert_eq!(waiting.poll(new_waker).is_ready(), ready);
                if ready {
                    self.waiting.remove(&waiting.who);
                    *place = None;
                } else {
                    self.waiting.insert(waiting.who, false);
                }
            }
            Act::Drop(at) => {
                if let Some(old) = place(&mut self.places, at).take() {
                    self.waiting.remove(&old.who);
                }
            }
        }
        assert_eq!(self.real.is_set(), self.set);
        assert_woken(&self.places, &self.woken);
    }
}

/// How a future was notified.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    Alone,
    WithAll,
}

/// A notify, what is kept, and who waits.
struct Notifies {
    signal: bool,
    rounds: u64,
    /// Who waits, in order, and whether with a waker.
    line: Vec<(u64, bool)>,
    notified: BTreeMap<u64, How>,
    /// How often all had been notified when this one was made.
    born: BTreeMap<u64, u64>,
    woken: Vec<u64>,
    places: Places<dyn Future<Output = ()>>,
    /// What the next poll of the future in each place does.
    doings: [Rc<Cell<Doing>>; 6],
    real: Notify,
}

/// What a poll does with a [`Notified`](wakeful::sync::Notified).
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
enum Doing {
    /// Makes it.
    #[default]
    Make,
    /// Enables it.
    Enable,
    /// Has enabled it, and this came of it.
    Enabled(bool),
    /// Polls it.
    Poll,
}

/// Makes, enables and polls a future as it is told.
async fn notified(real: Notify, doing: Rc<Cell<Doing>>) {
    let mut notified = pin!(real.notified());
    poll_fn(|cx| match doing.get() {
        Doing::Make | Doing::Enabled(_) => Poll::Pending,
        Doing::Enable => {
            doing.set(Doing::Enabled(notified.as_mut().enable()));
            Poll::Pending
        }
        Doing::Poll => notified.as_mut().poll(cx),
    })
    .await;
}

impl Notifies {
    /// Gives a signal to the first in line, or keeps it.
    fn give(&mut self) {
        if self.line.is_empty() {
            self.signal = true;
            return;
        }
        let (who, waker) = self.line.remove(0);
        self.notified.insert(who, How::Alone);
        self.woken.extend(waker.then_some(who));
    }

    fn leave(&mut self, who: u64) {
        self.line.retain(|(waits, _)| *waits != who);
        self.born.remove(&who);
        if self.notified.remove(&who) == Some(How::Alone) {
            self.give();
        }
    }

    /// Whether one that looks at this moment has been notified; if not, it is in line now.
    fn look(&mut self, who: u64, with_waker: bool) -> Option<How> {
        if let Some(how) = self.notified.get(&who) {
            return Some(*how);
        }
        if let Some(waits) = self.line.iter_mut().find(|(waits, _)| *waits == who) {
            waits.1 |= with_waker;
            return None;
        }
        if self.born[&who] != self.rounds {
            return Some(How::WithAll);
        }
        if self.line.is_empty() && std::mem::take(&mut self.signal) {
            return Some(How::Alone);
        }
        self.line.push((who, with_waker));
        None
    }

    fn step(&mut self, act: Act, who: u64) {
        self.woken.clear();
        match act {
            Act::Tell => {
                self.real.notify_one();
                self.give();
            }
            Act::Other => {
                self.real.notify_all();
                self.rounds += 1;
                for (who, waker) in self.line.drain(..) {
                    self.notified.insert(who, How::WithAll);
                    self.woken.extend(waker.then_some(who));
                }
            }
            Act::Start(at) => {
                let (real, doing) = (self.real.clone(), Rc::new(Cell::new(Doing::Make)));
                self.doings[usize::from(at) % 6] = doing.clone();
                let mut waiting: Waiting<dyn Future<Output = ()>> = Waiting::new(who, Box::pin(notified(real, doing)));
                assert!(waiting.poll(false).is_pending());
                let old = place(&mut self.places, at).replace(waiting);
                self.born.insert(who, self.rounds);
                if let Some(old) = old {
                    let who = old.who;
                    drop(old);
                    self.leave(who);
                }
            }
            Act::Poll(at, new_waker) => {
                let Some(who) = place(&mut self.places, at).as_ref().map(|waiting| waiting.who) else { return };
                let expected = self.look(who, true);
                self.doings[usize::from(at) % 6].set(Doing::Poll);
                let place = place(&mut self.places, at);
                let polled = place.as_mut().map(|waiting| waiting.poll(new_waker));
                assert_eq!(polled == Some(Poll::Ready(())), expected.is_some());
                if expected.is_some() {
                    *place = None;
                    self.notified.remove(&who);
                    self.leave(who);
                }
            }
            Act::Early(at) => {
                let Some(who) = place(&mut self.places, at).as_ref().map(|waiting| waiting.who) else { return };
                let expected = self.look(who, false);
                let doing = &self.doings[usize::from(at) % 6];
                doing.set(Doing::Enable);
                let polled = place(&mut self.places, at).as_mut().map(|waiting| waiting.poll(false));
                assert_eq!(polled, Some(Poll::Pending));
                assert_eq!(doing.get(), Doing::Enabled(expected.is_some()));
                if let Some(how) = expected {
                    self.notified.insert(who, how);
                }
            }
            Act::Drop(at) => {
                if let Some(old) = place(&mut self.places, at).take() {
                    let who = old.who;
                    drop(old);
                    self.leave(who);
                }
            }
        }
        assert_woken(&self.places, &self.woken);
    }
}

type Changed = dyn Future<Output = (watch::Receiver<u64>, Result<u64, RecvError>)>;

/// A watched number, which counts the sendings, and who waits for a newer one.
struct Watched {
    tx: Option<watch::Sender<u64>>,
    rx: watch::Receiver<u64>,
    latest: u64,
    /// What the receiver in a future has seen, and whether it waits.
    seen: BTreeMap<u64, (u64, bool)>,
    places: Places<Changed>,
    woken: Vec<u64>,
}

impl Watched {
    fn wake_all(&mut self) {
        for (who, (_, waits)) in &mut self.seen {
            if std::mem::take(waits) {
                self.woken.push(*who);
            }
        }
    }

    fn step(&mut self, act: Act, who: u64) {
        self.woken.clear();
        match act {
            Act::Tell => {
                let Some(tx) = &self.tx else { return };
                self.latest += 1;
                tx.send(self.latest).expect("there is a receiver");
                self.wake_all();
            }
            Act::Other if self.latest > 20 => {
                if self.tx.take().is_some() {
                    self.wake_all();
                }
            }
            Act::Other => {}
            Act::Early(_) => assert_eq!(*self.rx.see(), self.latest),
            Act::Start(at) => {
                let mut rx = self.rx.clone();
                let seen = if rx.has_changed() { 0 } else { self.latest };
                // What an unseen value is, the receiver does not tell: it counts as older than any.
                let changed = async move {
                    let value = rx.changed().await.map(|value| *value);
                    (rx, value)
                };
                if let Some(old) = place(&mut self.places, at).replace(Waiting::new(who, Box::pin(changed))) {
                    self.seen.remove(&old.who);
                }
                self.seen.insert(who, (seen, false));
            }
            Act::Poll(at, new_waker) => {
                let place = place(&mut self.places, at);
                let Some(waiting) = place else { return };
                let (seen, waits) = self.seen.get_mut(&waiting.who).expect("it was started");
                let expected = match (*seen != self.latest, &self.tx) {
                    (true, _) => Some(Ok(self.latest)),
                    (false, None) => Some(Err(RecvError)),
                    (false, Some(_)) => None,
                };
                let polled = match waiting.poll(new_waker) {
                    Poll::Ready((rx, value)) => {
                        assert!(!rx.has_changed());
                        Some(value)
                    }
                    Poll::Pending => None,
                };
                assert_eq!(polled, expected);
                *waits = polled.is_none();
                if polled.is_some() {
                    self.seen.remove(&waiting.who);
                    *place = None;
                }
            }
            Act::Drop(at) => {
                if let Some(old) = place(&mut self.places, at).take() {
                    self.seen.remove(&old.who);
                }
            }
        }
        assert_eq!(*self.rx.latest(), self.latest);
        assert_woken(&self.places, &self.woken);
    }
}

/// All three and their models.
pub(crate) struct Signals {
    next: u64,
    events: Events,
    notifies: Notifies,
    watched: Watched,
}

impl World for Signals {
    type Op = Op;

    fn new() -> Self {
        let (tx, rx) = watch::channel(0);
        let events = Events {
            real: Event::new(),
            set: false,
            places: Default::default(),
            waiting: BTreeMap::new(),
            woken: Vec::new(),
        };
        let notifies = Notifies {
            signal: false,
            rounds: 0,
            line: Vec::new(),
            notified: BTreeMap::new(),
            born: BTreeMap::new(),
            woken: Vec::new(),
            places: Default::default(),
            doings: Default::default(),
            real: Notify::new(),
        };
        let watched = Watched {
            tx: Some(tx),
            rx,
            latest: 0,
            seen: BTreeMap::new(),
            places: Default::default(),
            woken: Vec::new(),
        };
        Self { next: 0, events, notifies, watched }
    }

    fn step(&mut self, op: Op) {
        let who = self.next;
        self.next += 1;
        match op {
            Op::Event(act) => self.events.step(act, who),
            Op::Notify(act) => self.notifies.step(act, who),
            Op::Watch(act) => self.watched.step(act, who),
        }
    }

    fn end(self) {}
}
