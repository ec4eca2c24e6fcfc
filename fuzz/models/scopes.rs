//! Cancel scopes, and who waits for their end, against a plain tree of flags and deadlines.

use crate::models::timers::{At, Distance};
use arbitrary::Arbitrary;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use wakeful::cancel::{Cancelled, Deadline, Outcome, Reason, Scope};
use wakeful::time::{Instant, ManualClock};

const SCOPES: usize = 12;
const WAITS: usize = 8;
const TEXTS: [&str; 3] = ["enough", "hung up", "shutting down"];

/// A step of the scopes.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(crate) enum Op {
    /// Puts a scope without a parent in a place.
    Root { place: u8 },
    /// Puts a scope inside another in a place.
    Child { of: u8, place: u8, at: Option<At> },
    /// Puts another handle to a scope in a place.
    Clone { of: u8, place: u8 },
    /// Puts a handle to a scope's parent in a place.
    Parent { of: u8, place: u8 },
    /// Moves a scope's own deadline.
    Deadline { place: u8, at: At },
    /// Cancels a scope.
    Cancel { place: u8, text: u8 },
    /// Looks at the clock.
    Check { place: u8 },
    /// Drops a handle.
    Drop { place: u8 },
    /// Begins to wait for a scope's end; nothing happens before the first poll.
    Wait { scope: u8, place: u8 },
    /// Begins to run a body in a scope; nothing happens before the first poll.
    Run { scope: u8, place: u8 },
    /// Lets a body be ready from its next poll on.
    Finish { place: u8 },
    /// Polls one that waits or runs, with a new waker or the one of the last poll.
    Poll { place: u8, fresh: bool },
    /// Drops one that waits or runs.
    DropWait { place: u8 },
    /// Moves the clock, stopping at each deadline.
    Advance(Distance),
    /// Moves the clock in one step.
    Jump(Distance),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    Text(usize),
    Deadline(u64),
}

impl Why {
    fn is(self, reason: &Reason) -> bool {
        match self {
            Self::Text(text) => *reason == Reason::from(TEXTS[text]),
            Self::Deadline(at) => {
                reason.text().is_none()
                    && reason.to_string() == format!("the deadline {} was reached", Instant::from_nanos(at))
            }
        }
    }
}

/// What the model knows of a scope. Nodes stay for the length of the run.
struct Node {
    parent: Option<usize>,
    deadline: u64,
    why: Option<Why>,
}

struct Told(AtomicBool);

impl Wake for Told {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// How a wait or a run ended.
enum End {
    Done,
    Cancelled(Cancelled),
}

/// One that waits or runs.
struct Waiting {
    future: Pin<Box<dyn Future<Output = End>>>,
    node: usize,
    /// The body's switch, if it is a run.
    finish: Option<Arc<AtomicBool>>,
    /// The waker of the last poll.
    told: Option<Arc<Told>>,
    /// Whether it had been woken before the last step.
    woken: bool,
}

/// The kit's side and the model's.
pub(crate) struct World {
    clock: ManualClock,
    nodes: Vec<Node>,
    scopes: [Option<(Scope, usize)>; SCOPES],
    waits: [Option<Waiting>; WAITS],
}

impl World {
    pub(crate) fn new() -> Self {
        let clock = ManualClock::new();
        let mut world =
            Self { clock, nodes: Vec::new(), scopes: [const { None }; SCOPES], waits: [const { None }; WAITS] };
        world.root(0);
        world
    }

    fn now(&self) -> u64 {
        self.clock.time().now().as_nanos()
    }

    fn root(&mut self, place: usize) {
        self.nodes.push(Node { parent: None, deadline: u64::MAX, why: None });
        self.scopes[place] = Some((Scope::new(self.clock.time()), self.nodes.len() - 1));
    }

    /// From the node up to its root.
    fn up(&self, node: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(Some(node), |&node| self.nodes[node].parent)
    }

    fn is_flagged(&self, node: usize) -> bool {
        self.up(node).any(|node| self.nodes[node].why.is_some())
    }

    /// Whether it is cancelled or its time is over, noticed or not.
    fn is_over(&self, node: usize) -> bool {
        let now = self.now();
        self.is_flagged(node) || self.up(node).any(|node| self.nodes[node].deadline <= now)
    }

    /// What looking at the clock does.
    fn expire(&mut self, node: usize) {
        let now = self.now();
        let path: Vec<usize> = self.up(node).collect();
        for node in path {
            let node = &mut self.nodes[node];
            if node.deadline <= now {
                node.why.get_or_insert(Why::Deadline(node.deadline));
            }
        }
    }

    /// The outermost flagged scope's reason, and whether it is that of the node itself.
    fn outermost(&self, node: usize) -> Option<(Why, bool)> {
        let flagged = self.up(node).filter_map(|at| Some((self.nodes[at].why?, at == node)));
        flagged.last()
    }

    fn same(&self, node: usize, cancelled: &Cancelled) {
        let (why, own) = self.outermost(node).expect("the model sees a reason too");
        assert!(why.is(cancelled.reason()), "{why:?}, not {cancelled:?}");
        assert_eq!(cancelled.is_own(), own);
        assert_eq!(cancelled.is_timeout(), own && matches!(why, Why::Deadline(_)));
    }

    fn at(&self, at: At) -> u64 {
        let shared = |place: u8| {
            let scope = self.scopes[usize::from(place) % SCOPES].as_ref();
            scope.map_or(0, |&(_, node)| self.nodes[node].deadline)
        };
        at.resolve(self.now(), shared)
    }

    fn poll(&mut self, place: usize, fresh: bool) {
        let Some(mut waiting) = self.waits[place].take() else { return };
        let node = waiting.node;
        let first = waiting.told.is_none();
        let told = match &waiting.told {
            Some(told) if !fresh => told.clone(),
            _ => Arc::new(Told(AtomicBool::new(false))),
        };
        told.0.store(false, Ordering::Relaxed);
        let waker = Waker::from(told.clone());
        let polled = waiting.future.as_mut().poll(&mut Context::from_waker(&waker));
        let finished = waiting.finish.as_ref().is_some_and(|finish| finish.load(Ordering::Relaxed));
        waiting.told = Some(told);
        waiting.woken = false;
        // Rule b: a run looks at the clock before it begins. A body that has begun and is ready wins.
        let begins = waiting.finish.is_some() && first;
        if finished && !(begins && self.is_over(node)) {
            assert!(matches!(polled, Poll::Ready(End::Done)), "a body that is ready wins");
            return;
        }
        if begins || !self.is_flagged(node) {
            self.expire(node);
        }
        match polled {
            Poll::Ready(End::Cancelled(cancelled)) => self.same(node, &cancelled),
            Poll::Ready(End::Done) => panic!("the body is not ready, or was not to begin"),
            Poll::Pending => {
                assert!(!self.is_over(node), "nothing waits in a scope that is over");
                self.waits[place] = Some(waiting);
            }
        }
    }

    /// Takes one step on both sides.
    pub(crate) fn step(&mut self, op: Op) {
        let at = |place: u8| usize::from(place) % SCOPES;
        let wait = |place: u8| usize::from(place) % WAITS;
        let get =
            |world: &Self, place: u8| world.scopes[at(place)].as_ref().map(|(scope, node)| (scope.clone(), *node));
        let mut may_wake_early = false;
        match op {
            Op::Root { place } => self.root(at(place)),
            Op::Child { of, place, at: deadline } => {
                let Some((scope, parent)) = get(self, of) else { return };
                let deadline = deadline.map_or(u64::MAX, |at| self.at(at));
                let child = match deadline {
                    u64::MAX => scope.child(),
                    deadline => scope.child_at(Instant::from_nanos(deadline)),
                };
                self.nodes.push(Node { parent: Some(parent), deadline, why: None });
                self.scopes[at(place)] = Some((child, self.nodes.len() - 1));
            }
            Op::Clone { of, place } => self.scopes[at(place)] = get(self, of),
            Op::Parent { of, place } => {
                let Some((scope, node)) = get(self, of) else { return };
                let parent = scope.parent();
                assert_eq!(parent.is_some(), self.nodes[node].parent.is_some());
                self.scopes[at(place)] = parent.zip(self.nodes[node].parent);
            }
            Op::Deadline { place, at } => {
                let Some((scope, node)) = get(self, place) else { return };
                let deadline = self.at(at);
                scope.set_deadline(Instant::from_nanos(deadline));
                self.nodes[node].deadline = deadline;
                may_wake_early = true;
            }
            Op::Cancel { place, text } => {
                let Some((scope, node)) = get(self, place) else { return };
                let text = usize::from(text) % TEXTS.len();
                assert_eq!(scope.cancel(TEXTS[text]), self.nodes[node].why.is_none());
                self.nodes[node].why.get_or_insert(Why::Text(text));
            }
            Op::Check { place } => {
                let Some((scope, node)) = get(self, place) else { return };
                let checked = scope.check();
                self.expire(node);
                match checked {
                    Ok(()) => assert!(!self.is_flagged(node)),
                    Err(cancelled) => self.same(node, &cancelled),
                }
            }
            Op::Drop { place } => self.scopes[at(place)] = None,
            Op::Wait { scope, place } => {
                let Some((scope, node)) = get(self, scope) else { return };
                let future = Box::pin(async move { End::Cancelled(scope.cancelled().await) });
                self.waits[wait(place)] = Some(Waiting { future, node, finish: None, told: None, woken: false });
            }
            Op::Run { scope, place } => {
                let Some((scope, node)) = get(self, scope) else { return };
                let finish = Arc::new(AtomicBool::new(false));
                let finished = finish.clone();
                let body =
                    poll_fn(move |_| if finished.load(Ordering::Relaxed) { Poll::Ready(()) } else { Poll::Pending });
                let future = Box::pin(async move {
                    match scope.run(body).await {
                        Outcome::Done(()) => End::Done,
                        Outcome::Cancelled(cancelled) => End::Cancelled(cancelled),
                    }
                });
                self.waits[wait(place)] =
                    Some(Waiting { future, node, finish: Some(finish), told: None, woken: false });
            }
            Op::Finish { place } => {
                if let Some(finish) = self.waits[wait(place)].as_ref().and_then(|waiting| waiting.finish.as_ref()) {
                    finish.store(true, Ordering::Relaxed);
                }
            }
            Op::Poll { place, fresh } => self.poll(wait(place), fresh),
            Op::DropWait { place } => self.waits[wait(place)] = None,
            Op::Advance(distance) => {
                self.clock.advance_to(Instant::from_nanos(self.now() + distance.step()));
                may_wake_early = true;
            }
            Op::Jump(distance) => {
                self.clock.jump_to(Instant::from_nanos(self.now() + distance.step()));
                may_wake_early = true;
            }
        }
        self.check(may_wake_early);
    }

    /// Compares what can be asked; no wake-up is lost, and none comes for nothing unless a deadline was moved.
    fn check(&mut self, may_wake_early: bool) {
        for (scope, node) in self.scopes.iter().flatten() {
            let Node { deadline, why, .. } = self.nodes[*node];
            assert_eq!(scope.deadline().as_nanos(), deadline);
            assert_eq!(scope.cancel_called(), why.is_some());
            match (scope.reason(), why) {
                (Some(reason), Some(why)) => assert!(why.is(&reason), "{why:?}, not {reason:?}"),
                (reason, why) => assert!(reason.is_none() && why.is_none(), "{why:?}, not {reason:?}"),
            }
            let flagged = self.is_flagged(*node);
            assert_eq!(scope.is_cancelled(), flagged);
            let earliest = self.up(*node).map(|node| self.nodes[node].deadline).min().expect("itself");
            let effective = match earliest {
                _ if flagged => Deadline::Cancelled,
                u64::MAX => Deadline::Never,
                at => Deadline::At(Instant::from_nanos(at)),
            };
            assert_eq!(scope.effective_deadline(), effective);
        }
        let over = self.waits.each_ref().map(|waiting| waiting.as_ref().is_some_and(|w| self.is_over(w.node)));
        for (waiting, over) in self.waits.iter_mut().zip(over) {
            let Some((waiting, told)) = waiting.as_mut().and_then(|w| w.told.clone().map(|told| (w, told))) else {
                continue;
            };
            let woken = told.0.load(Ordering::Relaxed);
            assert!(woken || !over, "woken when its scope is over");
            assert!(!woken || over || may_wake_early || waiting.woken, "woken for nothing");
            waiting.woken = woken;
        }
    }

    /// Drops all that waits and looks that nothing of it is left.
    pub(crate) fn end(mut self) {
        self.waits = [const { None }; WAITS];
        assert_eq!(self.clock.time().pending(), 0);
    }
}
