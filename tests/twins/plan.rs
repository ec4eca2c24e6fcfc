//! Programs, as data.

use std::sync::Arc;
use std::time::Duration;
use wakeful::sim::Sim;
use wakeful::task::Policy;

/// What a task does.
#[derive(Debug)]
pub(crate) enum Node {
    Sleep(Duration),
    Fail(Duration),
    Panic(Duration),
    InTurn(Vec<Arc<Self>>),
    Together(Arc<Self>, Arc<Self>),
    MoveOn(Duration, Arc<Self>),
    /// With this budget.
    Shield(Duration, Arc<Self>),
    /// What is done if it is cut short takes a while, and has a budget.
    Cleanup(Arc<Self>, Duration, Duration),
    /// Acts after a while on the scope that is so many further out.
    Act(Duration, usize, Act),
    /// Spawns a sibling after a while.
    Sibling(Duration, Arc<Child>),
    Group(Arc<Plan>),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    Cancel,
    Grace(Duration),
    Deadline(Duration),
}

#[derive(Debug)]
pub(crate) struct Child {
    pub(crate) number: usize,
    pub(crate) background: bool,
    pub(crate) node: Arc<Node>,
}

/// What a group's body does, one after the other; handles are named by their places.
#[derive(Debug)]
pub(crate) enum Step {
    Spawn(Arc<Child>),
    Start(Arc<Child>, Handshake),
    Cancel(usize),
    Join(usize),
    Forget(usize),
    CancelOnDrop(usize),
    Do(Arc<Node>),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Handshake {
    pub(crate) takes: Duration,
    /// The child does not say that it has started.
    pub(crate) silent: bool,
    /// The body waits no longer.
    pub(crate) patience: Option<Duration>,
}

/// A group.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) number: usize,
    /// It is a group of tasks in both runs.
    pub(crate) alike: bool,
    pub(crate) policy: Policy,
    pub(crate) deadline: Option<Duration>,
    pub(crate) steps: Vec<Step>,
}

/// How deep groups and other nodes nest.
const DEPTH: usize = 3;

/// Draws programs.
pub(crate) struct Draw<'a> {
    sim: &'a Sim,
    /// Whether there are shields and cleanups. They are in the background of some groups, whose runs are all that some tasks do:
    /// where a group is local, they keep what is around it, which goes on.
    pub(crate) shields: bool,
    /// Such a group is around what is drawn, which is then of another kind in the two runs.
    within: bool,
    /// The group has a background.
    serves: bool,
    /// What is drawn belongs to a child there.
    behind: bool,
    /// Groups and children so far.
    made: usize,
    /// Nodes that may have others inside them.
    left: usize,
    waits: u64,
}

impl<'a> Draw<'a> {
    pub(crate) fn new(sim: &'a Sim) -> Self {
        Self {
            sim,
            shields: sim.choose(2) == 0,
            within: false,
            serves: false,
            behind: false,
            made: 0,
            left: 14,
            waits: 0,
        }
    }

    fn choose(&self, n: usize) -> usize {
        self.sim.choose(n)
    }

    fn one_in(&self, n: usize) -> bool {
        self.choose(n) == 0
    }

    fn number(&mut self) -> usize {
        self.made += 1;
        self.made
    }

    /// Some milliseconds, and nanoseconds by which it differs from all others and from sums of them.
    fn wait(&mut self) -> Duration {
        self.waits += 1;
        let own = (1 << self.waits.min(19)) % 999_983 + self.waits * 37;
        Duration::from_nanos((1 + self.choose(100) as u64) * 1_000_000 + own)
    }

    fn node(&mut self, depth: usize) -> Arc<Node> {
        let leaf = depth == 0 || self.left == 0;
        self.left = self.left.saturating_sub(1);
        let kinds = if leaf { 10 } else { 22 + if self.shields && self.behind { 5 } else { 0 } };
        Arc::new(match self.choose(kinds) {
            4 => Node::Fail(self.wait()),
            5 if self.one_in(2) => Node::Panic(self.wait()),
            6 | 7 => {
                let act = match self.choose(4) {
                    0 | 1 => Act::Cancel,
                    2 => Act::Grace(self.wait()),
                    _ => Act::Deadline(self.wait()),
                };
                Node::Act(self.wait(), self.choose(4), act)
            }
            8 | 9 => Node::Sibling(self.wait(), self.child(depth.saturating_sub(1))),
            10 | 11 => Node::MoveOn(self.wait(), self.node(depth - 1)),
            12 => Node::Together(self.node(depth - 1), self.node(depth - 1)),
            13..=16 => Node::InTurn((0..1 + self.choose(3)).map(|_| self.node(depth - 1)).collect()),
            17..=21 => Node::Group(self.plan(depth - 1, !self.shields)),
            22..=24 => Node::Shield(self.wait(), self.node(depth - 1)),
            25 | 26 => Node::Cleanup(self.node(depth - 1), self.wait(), self.wait()),
            _ => Node::Sleep(self.wait()),
        })
    }

    /// A task that runs a group with shields in its background, and does nothing else.
    fn shielding(&mut self, depth: usize) -> Arc<Node> {
        let group = Arc::new(Node::Group(self.plan(depth - 1, true)));
        (0..self.choose(3)).fold(group, |node, _| Arc::new(Node::MoveOn(self.wait(), node)))
    }

    fn child(&mut self, depth: usize) -> Arc<Child> {
        let background = self.serves && self.one_in(if self.shields { 2 } else { 4 });
        self.child_of(depth, background)
    }

    fn child_of(&mut self, depth: usize, background: bool) -> Arc<Child> {
        let (number, around) = (self.number(), core::mem::replace(&mut self.behind, background));
        let shields = self.shields && !self.within && depth > 0 && self.one_in(2);
        let child = Child { number, background, node: if shields { self.shielding(depth) } else { self.node(depth) } };
        self.behind = around;
        Arc::new(child)
    }

    fn step(&mut self, depth: usize) -> Step {
        match self.choose(10) {
            0..=3 => Step::Spawn(self.child(depth)),
            4 => {
                let patience = self.one_in(3).then(|| self.wait());
                let handshake = Handshake { takes: self.wait(), silent: self.one_in(3), patience };
                Step::Start(self.child_of(depth, false), handshake)
            }
            5 => Step::Cancel(self.choose(3)),
            6 => Step::Join(self.choose(3)),
            7 if self.one_in(2) => Step::Forget(self.choose(3)),
            7 => Step::CancelOnDrop(self.choose(3)),
            _ => Step::Do(self.node(depth)),
        }
    }

    /// The outermost group.
    pub(crate) fn program(&mut self) -> Arc<Plan> {
        self.plan(DEPTH, !self.shields)
    }

    fn plan(&mut self, depth: usize, serves: bool) -> Arc<Plan> {
        let number = self.number();
        let policy = [Policy::FailFast, Policy::Supervise, Policy::FirstDone, Policy::FirstOk][self.choose(4)];
        let deadline = self.one_in(4).then(|| self.wait());
        let within = self.within || serves;
        let around = (self.within, self.serves, self.behind);
        (self.within, self.serves, self.behind) = (within, serves, false);
        let steps = (0..1 + self.choose(6)).map(|_| self.step(depth)).collect();
        (self.within, self.serves, self.behind) = around;
        Arc::new(Plan { number, alike: !within, policy, deadline, steps })
    }
}
