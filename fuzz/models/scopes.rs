//! Cancel scopes, and who waits for their end, against a plain tree of flags, deadlines, graces and shields.

use crate::models::timers::{At, Distance};
use arbitrary::Arbitrary;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;
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
    /// Begins to wait for a scope's grace; nothing happens before the first poll.
    Draining { scope: u8, place: u8 },
    /// Begins to run a body in a shield; at its first poll a handle to the shield's scope is put in a place.
    Shield { scope: u8, place: u8, handle: u8, budget: Option<Distance> },
    /// Changes a shield's budget.
    Budget { place: u8, budget: Option<Distance> },
    /// Begins a scope's grace, or shortens it.
    Grace { place: u8, text: u8, grace: Option<Distance> },
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
    /// Why it was cancelled, and when.
    why: Option<(Why, u64)>,
    /// With what it will be cancelled when its grace ends, and when that is.
    grace: Option<(Why, u64)>,
    /// When it was entered, and its budget, if it is a shield.
    shield: Option<(u64, u64)>,
    /// Whether the shield holds.
    covers: bool,
    /// When it was taken away.
    passed: Option<u64>,
}

impl Node {
    fn new(parent: Option<usize>, deadline: u64) -> Self {
        Self { parent, deadline, why: None, grace: None, shield: None, covers: false, passed: None }
    }

    /// When it is, or was, cancelled by itself.
    fn ends(&self) -> u64 {
        let grace = self.grace.map_or(u64::MAX, |(_, end)| end);
        self.why.map_or(self.deadline.min(grace), |(_, since)| since)
    }

    fn cancel(&mut self, why: Why, since: u64) {
        if self.why.is_none() {
            self.why = Some((self.grace.map_or(why, |(why, _)| why), since));
        }
    }

    /// When what comes from further out at `at` is through. `is_hidden`: a shield further in holds, which holds that back from when
    /// this one let it through.
    fn through(&self, at: u64, is_hidden: bool) -> u64 {
        match (self.shield, self.passed) {
            (Some((entered, budget)), _) if self.covers => at.max(entered).saturating_add(budget),
            (_, Some(passed)) if is_hidden => at.max(passed),
            _ => at,
        }
    }

    /// Takes the shield away.
    fn uncover(&mut self, now: u64) {
        if self.covers {
            (self.covers, self.passed) = (false, Some(now));
        }
    }
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
    Draining(Reason),
}

/// What waits.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Wait,
    Draining,
    Run,
    /// Runs in a shield with this budget, whose handle goes to this place.
    Shield {
        handle: usize,
        budget: u64,
    },
}

/// One that waits or runs.
struct Waiting {
    future: Pin<Box<dyn Future<Output = End>>>,
    /// Its scope; for a shield, from the first poll on, that of the shield.
    node: usize,
    kind: Kind,
    /// The handle to the shield's scope, once its body has begun.
    inside: Arc<Mutex<Option<Scope>>>,
    /// The body's switch, if it is a run.
    finish: Option<Arc<AtomicBool>>,
    /// The waker of the last poll.
    told: Option<Arc<Told>>,
    /// Whether it had been woken before the last step.
    woken: bool,
}

impl Waiting {
    fn new(
        future: Pin<Box<dyn Future<Output = End>>>,
        node: usize,
        kind: Kind,
        finish: Option<Arc<AtomicBool>>,
    ) -> Self {
        Self { future, node, kind, inside: Arc::default(), finish, told: None, woken: false }
    }
}

/// A body, and the switch that makes it ready.
fn body() -> (Arc<AtomicBool>, impl Future<Output = ()>) {
    let finish = Arc::new(AtomicBool::new(false));
    let finished = finish.clone();
    (finish, poll_fn(move |_| if finished.load(Ordering::Relaxed) { Poll::Ready(()) } else { Poll::Pending }))
}

fn end(outcome: Outcome<()>) -> End {
    match outcome {
        Outcome::Done(()) => End::Done,
        Outcome::Cancelled(cancelled) => End::Cancelled(cancelled),
    }
}

fn same_reason(reason: Option<Reason>, why: Option<Why>) {
    match (reason, why) {
        (Some(reason), Some(why)) => assert!(why.is(&reason), "{why:?}, not {reason:?}"),
        (reason, why) => assert!(reason.is_none() && why.is_none(), "{why:?}, not {reason:?}"),
    }
}

/// The kit's side and the model's.
pub(crate) struct World {
    clock: ManualClock,
    nodes: Vec<Node>,
    scopes: [Option<(Scope, usize)>; SCOPES],
    waits: [Option<Waiting>; WAITS],
    /// Whether a shield was over in this step, which wakes those inside.
    shield_ended: bool,
}

impl World {
    pub(crate) fn new() -> Self {
        let clock = ManualClock::new();
        let (scopes, waits) = ([const { None }; SCOPES], [const { None }; WAITS]);
        let mut world = Self { clock, nodes: Vec::new(), scopes, waits, shield_ended: false };
        world.root(0);
        world
    }

    fn now(&self) -> u64 {
        self.clock.time().now().as_nanos()
    }

    fn root(&mut self, place: usize) {
        self.nodes.push(Node::new(None, u64::MAX));
        self.scopes[place] = Some((Scope::new(self.clock.time()), self.nodes.len() - 1));
    }

    /// From the node up to its root.
    fn up(&self, node: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(Some(node), |&node| self.nodes[node].parent)
    }

    /// From the node up to its root, or to the first shield that holds.
    fn visible(&self, node: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(Some(node), |&node| {
            let node = &self.nodes[node];
            node.parent.filter(|_| !node.covers)
        })
    }

    fn is_flagged(&self, node: usize) -> bool {
        self.visible(node).any(|node| self.nodes[node].why.is_some())
    }

    /// Whether a shield hides something from it.
    fn is_shielded(&self, node: usize) -> bool {
        self.visible(node).any(|node| self.nodes[node].covers)
    }

    /// When that which comes to the outer end of a path at `at`, or came, is through all of it.
    fn through(&self, path: &[usize], at: u64) -> u64 {
        path.iter().enumerate().rev().fold(at, |at, (further_in, &node)| {
            let is_hidden = path[..further_in].iter().any(|&inner| self.nodes[inner].covers);
            self.nodes[node].through(at, is_hidden)
        })
    }

    /// When each of those further out ends for the inner end of its path.
    fn reached(&self, node: usize) -> Vec<u64> {
        let path: Vec<usize> = self.up(node).collect();
        let ends = path.iter().enumerate().map(|(outer, &at)| self.through(&path[..outer], self.nodes[at].ends()));
        ends.collect()
    }

    /// When it is, or was, cancelled, by itself or from further out.
    fn reach(&self, node: usize) -> u64 {
        self.reached(node).into_iter().min().expect("its own end")
    }

    /// When that which is further out is through it.
    fn passes(&self, node: usize) -> u64 {
        self.reached(node).into_iter().skip(1).min().unwrap_or(u64::MAX)
    }

    /// Whether it is cancelled or its time is over, noticed or not.
    fn is_over(&self, node: usize) -> bool {
        self.is_flagged(node) || self.reach(node) <= self.now()
    }

    /// What looking at the clock does; for a scope that has no end there is no need to.
    fn expire(&mut self, node: usize) {
        let now = if self.reach(node) == u64::MAX { 0 } else { self.now() };
        let path: Vec<usize> = self.up(node).collect();
        // The shields as they were before.
        let spent = self.reached(node).into_iter().rposition(|at| at <= now).unwrap_or(0);
        let passes: Vec<u64> = path.iter().map(|&at| self.passes(at)).collect();
        for (outer, (&at, passes)) in path.iter().zip(passes).enumerate() {
            let node = &mut self.nodes[at];
            let ends = node.ends();
            if ends <= now {
                node.cancel(Why::Deadline(node.deadline), ends);
            }
            if outer < spent {
                node.uncover(passes);
            }
        }
    }

    /// The outermost flagged scope's reason, and whether it is that of the node itself.
    fn outermost(&self, node: usize) -> Option<(Why, bool)> {
        let flagged = self.visible(node).filter_map(|at| Some((self.nodes[at].why?.0, at == node)));
        flagged.last()
    }

    /// Why nothing new is to be begun.
    fn draining(&self, node: usize) -> Option<Why> {
        let why = |node: &Node| node.why.or(node.grace).map(|(why, _)| why);
        self.visible(node).filter_map(|at| why(&self.nodes[at])).last()
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
        let first = waiting.told.is_none();
        if let (Kind::Shield { budget, .. }, true) = (waiting.kind, first) {
            let shield = Some((self.now(), budget));
            self.nodes.push(Node { shield, covers: true, ..Node::new(Some(waiting.node), u64::MAX) });
            waiting.node = self.nodes.len() - 1;
        }
        let node = waiting.node;
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
        let wins = finished && !(begins && self.is_over(node));
        let drains = waiting.kind == Kind::Draining && self.draining(node).is_some();
        if begins || !wins && !drains && !self.is_flagged(node) && self.reach(node) <= self.now() {
            self.expire(node);
        }
        if let (Kind::Shield { handle, .. }, Some(scope)) = (waiting.kind, waiting.inside.lock().unwrap().take()) {
            self.scopes[handle] = Some((scope, node));
        }
        match polled {
            Poll::Ready(end) => {
                match end {
                    End::Done => assert!(wins, "the body is not ready, or was not to begin"),
                    End::Cancelled(cancelled) => {
                        assert!(!wins, "a body that is ready wins");
                        self.same(node, &cancelled);
                    }
                    End::Draining(reason) => {
                        assert!(self.draining(node).is_some_and(|why| why.is(&reason)), "not {reason:?}");
                    }
                }
                self.over(&waiting);
            }
            Poll::Pending => {
                assert!(!wins && !self.is_over(node), "nothing waits in a scope that is over");
                assert!(waiting.kind != Kind::Draining || self.draining(node).is_none());
                self.waits[place] = Some(waiting);
            }
        }
    }

    /// What a shield hides it hides no longer than the future lives that it wraps.
    fn over(&mut self, waiting: &Waiting) {
        if matches!(waiting.kind, Kind::Shield { .. }) && waiting.told.is_some() {
            let now = self.now();
            self.nodes[waiting.node].uncover(now);
            self.shield_ended = true;
        }
    }

    /// Puts one that waits in a place, in which another may have been.
    fn begin(&mut self, place: usize, waiting: Option<Waiting>) {
        if let Some(before) = std::mem::replace(&mut self.waits[place], waiting) {
            self.over(&before);
        }
    }

    /// Takes one step on both sides.
    pub(crate) fn step(&mut self, op: Op) {
        let at = |place: u8| usize::from(place) % SCOPES;
        let wait = |place: u8| usize::from(place) % WAITS;
        let span = |distance: Option<Distance>| distance.map_or(u64::MAX, Distance::step);
        let get =
            |world: &Self, place: u8| world.scopes[at(place)].as_ref().map(|(scope, node)| (scope.clone(), *node));
        let mut may_wake_early = false;
        self.shield_ended = false;
        match op {
            Op::Root { place } => self.root(at(place)),
            Op::Child { of, place, at: deadline } => {
                let Some((scope, parent)) = get(self, of) else { return };
                let deadline = deadline.map_or(u64::MAX, |at| self.at(at));
                let child = match deadline {
                    u64::MAX => scope.child(),
                    deadline => scope.child_at(Instant::from_nanos(deadline)),
                };
                self.nodes.push(Node::new(Some(parent), deadline));
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
                let (now, node) = (self.now(), &mut self.nodes[node]);
                let before = std::mem::replace(&mut node.deadline, deadline);
                if deadline < before.min(now) {
                    node.cancel(Why::Deadline(deadline), before.min(now));
                }
                may_wake_early = true;
            }
            Op::Cancel { place, text } => {
                let Some((scope, node)) = get(self, place) else { return };
                let text = usize::from(text) % TEXTS.len();
                assert_eq!(scope.cancel(TEXTS[text]), self.nodes[node].why.is_none());
                let now = self.now();
                self.nodes[node].cancel(Why::Text(text), now);
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
            Op::Grace { place, text, grace } => {
                let Some((scope, node)) = get(self, place) else { return };
                let (now, text, grace) = (self.now(), usize::from(text) % TEXTS.len(), span(grace));
                let end = now.saturating_add(grace);
                let first = scope.cancel_with_grace(TEXTS[text], Duration::from_nanos(grace));
                let node = &mut self.nodes[node];
                assert_eq!(first, node.why.is_none() && (node.grace.is_none() || grace == 0));
                match &mut node.grace {
                    _ if node.why.is_some() => {}
                    _ if grace == 0 => node.cancel(Why::Text(text), now),
                    Some((_, begun)) => *begun = end.min(*begun),
                    none => *none = Some((Why::Text(text), end)),
                }
                may_wake_early = true;
            }
            Op::Budget { place, budget } => {
                let Some((scope, node)) = get(self, place) else { return };
                let budget = span(budget);
                let set = scope.set_budget(Duration::from_nanos(budget));
                assert_eq!(set.is_ok(), self.nodes[node].shield.is_some());
                if let Some((_, before)) = &mut self.nodes[node].shield {
                    let is_less = budget < std::mem::replace(before, budget);
                    let (now, passes) = (self.now(), self.passes(node));
                    if is_less && passes <= now && passes != u64::MAX {
                        self.nodes[node].uncover(now);
                    }
                }
                may_wake_early = true;
            }
            Op::Wait { scope, place } => {
                let Some((scope, node)) = get(self, scope) else { return };
                let future = Box::pin(async move { End::Cancelled(scope.cancelled().await) });
                self.begin(wait(place), Some(Waiting::new(future, node, Kind::Wait, None)));
            }
            Op::Draining { scope, place } => {
                let Some((scope, node)) = get(self, scope) else { return };
                let future = Box::pin(async move { End::Draining(scope.draining().await) });
                self.begin(wait(place), Some(Waiting::new(future, node, Kind::Draining, None)));
            }
            Op::Run { scope, place } => {
                let Some((scope, node)) = get(self, scope) else { return };
                let (finish, body) = body();
                let future = Box::pin(async move { end(scope.run(body).await) });
                self.begin(wait(place), Some(Waiting::new(future, node, Kind::Run, Some(finish))));
            }
            Op::Shield { scope, place, handle, budget } => {
                let Some((scope, node)) = get(self, scope) else { return };
                let (finish, body) = body();
                let (budget, inside) = (span(budget), Arc::new(Mutex::new(None)));
                let out = inside.clone();
                let future = Box::pin(async move {
                    let body = async move |s: &Scope| {
                        *out.lock().unwrap() = Some(s.clone());
                        body.await;
                    };
                    end(scope.shield(Duration::from_nanos(budget), body).await)
                });
                let kind = Kind::Shield { handle: at(handle), budget };
                self.begin(wait(place), Some(Waiting { inside, ..Waiting::new(future, node, kind, Some(finish)) }));
            }
            Op::Finish { place } => {
                if let Some(finish) = self.waits[wait(place)].as_ref().and_then(|waiting| waiting.finish.as_ref()) {
                    finish.store(true, Ordering::Relaxed);
                }
            }
            Op::Poll { place, fresh } => self.poll(wait(place), fresh),
            Op::DropWait { place } => self.begin(wait(place), None),
            Op::Advance(distance) => {
                self.clock.advance_to(Instant::from_nanos(self.now() + distance.step()));
                may_wake_early = true;
            }
            Op::Jump(distance) => {
                self.clock.jump_to(Instant::from_nanos(self.now() + distance.step()));
                may_wake_early = true;
            }
        }
        self.check(may_wake_early || self.shield_ended);
    }

    /// Compares what can be asked; no wake-up is lost, and none comes for nothing unless a deadline was moved, or something
    /// changed that a shield hides.
    fn check(&mut self, may_wake_early: bool) {
        for (scope, node) in self.scopes.iter().flatten() {
            let Node { deadline, why, shield, .. } = self.nodes[*node];
            assert_eq!(scope.deadline().as_nanos(), deadline);
            assert_eq!(scope.cancel_called(), why.is_some());
            assert_eq!(scope.budget(), shield.map(|(_, budget)| Duration::from_nanos(budget)));
            same_reason(scope.reason(), why.map(|(why, _)| why));
            let draining = self.draining(*node);
            assert_eq!(scope.is_draining(), draining.is_some());
            same_reason(scope.drain_reason(), draining);
            let flagged = self.is_flagged(*node);
            assert_eq!(scope.is_cancelled(), flagged);
            let effective = match self.reach(*node) {
                _ if flagged => Deadline::Cancelled,
                u64::MAX => Deadline::Never,
                at => Deadline::At(Instant::from_nanos(at)),
            };
            assert_eq!(scope.effective_deadline(), effective);
        }
        let look = |waiting: &Waiting| {
            let drains = waiting.kind == Kind::Draining && self.draining(waiting.node).is_some();
            (self.is_over(waiting.node) || drains, self.is_shielded(waiting.node))
        };
        let seen = self.waits.each_ref().map(|waiting| waiting.as_ref().map(look));
        for (waiting, seen) in self.waits.iter_mut().zip(seen) {
            let Some(waiting) = waiting else { continue };
            let (Some(told), Some((over, shielded))) = (&waiting.told, seen) else { continue };
            let woken = told.0.load(Ordering::Relaxed);
            assert!(woken || !over, "woken when its scope is over");
            assert!(!woken || over || may_wake_early || shielded || waiting.woken, "woken for nothing");
            waiting.woken = woken;
        }
    }

    /// Drops all that waits and looks that nothing of it is left.
    pub(crate) fn end(mut self) {
        self.waits = [const { None }; WAITS];
        assert_eq!(self.clock.time().pending(), 0);
    }
}
