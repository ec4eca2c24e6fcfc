//! All schedules, one after another: a depth-first search through the choices.
//!
//! A run follows the choices of the run before up to the last one at which there is something else to try, tries that, and
//! makes new choices beyond it. What there is to try is said by the [`Rules`] of the search: here those of the plain one,
//! which tries everything.

use super::footprint::{Footprint, Watcher};
use super::oracle::{Bytes, Source};
use super::report::Coverage;
use super::view::ReadyView;
use crate::sys::{Arc, Lock};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// What was chosen, and among how many.
pub(super) struct Node<T> {
    pub(super) n: usize,
    pub(super) chosen: usize,
    /// What the rules keep of a choice among tasks; nothing of a value.
    pub(super) task: Option<T>,
}

/// The choices of a run, in their order.
pub(super) struct Path<T> {
    nodes: Vec<Node<T>>,
    at: usize,
    diverged: bool,
}

impl<T> Path<T> {
    /// The next choice, among `n`: that of the run before, if this one `fits` it, or beyond its end that which `make` says.
    /// `None`: `make` said none.
    pub(super) fn choose(
        &mut self,
        n: usize,
        fits: impl FnOnce(Option<&T>) -> bool,
        make: impl FnOnce() -> Option<(usize, Option<T>)>,
    ) -> Option<usize> {
        let chosen = match self.nodes.get(self.at) {
            Some(node) if node.n == n && fits(node.task.as_ref()) => node.chosen,
            Some(_) => {
                self.diverged = true;
                return Some(0);
            }
            None => {
                let (chosen, task) = make()?;
                self.nodes.push(Node { n, chosen, task });
                chosen
            }
        };
        self.at += 1;
        Some(chosen)
    }

    fn choose_data(&mut self, n: usize) -> usize {
        self.choose(n, |task| task.is_none(), || Some((0, None))).unwrap_or(0)
    }

    /// How many choices have been made in this run.
    pub(super) fn len(&self) -> usize {
        self.at
    }

    /// What is kept of the choice with this number.
    pub(super) fn task(&mut self, at: usize) -> Option<&mut T> {
        self.nodes.get_mut(at)?.task.as_mut()
    }

    /// Goes back to the last choice at which there is something else to try: at those among tasks, `next` says what. False:
    /// there is nothing.
    pub(super) fn advance(&mut self, mut next: impl FnMut(&mut Node<T>) -> Option<usize>) -> bool {
        self.at = 0;
        while let Some(last) = self.nodes.last_mut() {
            let next = match last.task {
                None => Some(last.chosen + 1).filter(|&next| next < last.n),
                Some(_) => next(last),
            };
            if let Some(next) = next {
                last.chosen = next;
                return true;
            }
            self.nodes.pop();
        }
        false
    }
}

/// What a search tries.
pub(super) trait Rules: Send + 'static {
    /// What is kept of a choice among tasks.
    type Choice: Send;

    /// Whether the rules are told of every poll, also where one task is ready alone.
    const WATCHES: bool = false;

    /// Who is polled next. `None`: the run is to be cut.
    fn choose_task(&mut self, path: &mut Path<Self::Choice>, ready: &ReadyView<'_>) -> Option<usize>;

    /// Looks at what a poll did, which may be taken.
    fn polled(&mut self, _: &mut Path<Self::Choice>, _: &mut Footprint) {}

    /// Goes on to the next run. False: that was the last.
    fn advance(&mut self, path: &mut Path<Self::Choice>) -> bool;

    /// What has been covered once there are no more runs.
    fn coverage(&self) -> Coverage;

    /// Whether this run, which is over, was made before.
    fn repeats(&self) -> bool {
        false
    }
}

/// A search; its clones are the oracles and the watchers of its runs, which must be made one after another.
pub(super) struct Search<R: Rules>(Arc<Lock<(R, Path<R::Choice>)>>);

impl<R: Rules> Search<R> {
    pub(super) fn new(rules: R) -> Self {
        Self(Arc::new(Lock::new((rules, Path { nodes: Vec::new(), at: 0, diverged: false }))))
    }
}

impl<R: Rules> Clone for Search<R> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<R: Rules> Watcher for Search<R> {
    fn polled(&mut self, print: &mut Footprint) {
        self.0.with(|(rules, path)| rules.polled(path, print));
    }
}

/// A search by whatever rules.
pub(super) trait AnySearch: Send {
    /// The oracle of this run.
    fn source(&self) -> Source;

    /// Who looks on at this run.
    fn watcher(&self) -> Option<Box<dyn Watcher>>;

    /// Whether it is asked also where one task is ready alone.
    fn watches(&self) -> bool;

    fn choose_task(&self, ready: &ReadyView<'_>) -> Option<usize>;

    fn choose_data(&self, n: usize) -> usize;

    /// Whether the run asked for other choices than one that began with the same answers.
    fn diverged(&self) -> bool;

    /// The choices of this run.
    fn record(&self) -> Vec<u8>;

    fn advance(&self) -> bool;

    fn coverage(&self) -> Coverage;

    fn repeats(&self) -> bool;
}

impl<R: Rules> AnySearch for Search<R> {
    fn source(&self) -> Source {
        Source::Search(Box::new(self.clone()))
    }

    fn watcher(&self) -> Option<Box<dyn Watcher>> {
        R::WATCHES.then(|| Box::new(self.clone()) as Box<dyn Watcher>)
    }

    fn watches(&self) -> bool {
        R::WATCHES
    }

    fn choose_task(&self, ready: &ReadyView<'_>) -> Option<usize> {
        self.0.with(|(rules, path)| rules.choose_task(path, ready))
    }

    fn choose_data(&self, n: usize) -> usize {
        self.0.with(|(_, path)| path.choose_data(n))
    }

    fn diverged(&self) -> bool {
        self.0.with(|(_, path)| path.diverged || path.at < path.nodes.len())
    }

    fn record(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.0.with(|(_, path)| path.nodes.iter().for_each(|node| Bytes::write(&mut bytes, node.n, node.chosen)));
        bytes
    }

    fn advance(&self) -> bool {
        self.0.with(|(rules, path)| rules.advance(path))
    }

    fn coverage(&self) -> Coverage {
        self.0.with(|(rules, _)| rules.coverage())
    }

    fn repeats(&self) -> bool {
        self.0.with(|(rules, _)| rules.repeats())
    }
}

/// Everything, the smallest choices first.
pub(super) struct Plain;

impl Rules for Plain {
    type Choice = ();

    fn choose_task(&mut self, path: &mut Path<()>, ready: &ReadyView<'_>) -> Option<usize> {
        path.choose(ready.count(), |task| task.is_some(), || Some((0, Some(()))))
    }

    fn advance(&mut self, path: &mut Path<()>) -> bool {
        path.advance(|node| Some(node.chosen + 1).filter(|&next| next < node.n))
    }

    fn coverage(&self) -> Coverage {
        Coverage::Complete
    }
}
