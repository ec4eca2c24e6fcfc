//! What the members of a local group share.

use super::kinds::Kind;
use crate::cancel::Scope;
use crate::sys::joint::Label;
use crate::sys::probe::Id;
use crate::sys::row::Rows;
use crate::sys::{Arc, Told};
use crate::task::names::Names;
use crate::task::state::Side;
use crate::task::tally::Tally;
use crate::wait::Caller;
use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::task::Waker;

/// What the members of a group share.
pub(super) struct Shared<'env, E, K: Kind> {
    pub(super) name: Cow<'static, str>,
    /// The group's own scope: that of its body.
    pub(super) scope: Scope,
    /// Of its children, with a scope inside the other.
    pub(super) inner: Arc<Nest>,
    pub(super) state: Told<State<'env, E, K>>,
    /// Lets the group look at those who were spawned.
    pub(super) control: Waker,
    pub(super) id: Id,
}

pub(super) struct State<'env, E, K: Kind> {
    pub(super) tally: Tally<E>,
    pub(super) names: Names,
    /// Where children lie.
    pub(super) rows: Rows,
    /// Spawned, not in the background, and not gone.
    pub(super) alive: usize,
    /// Of those in the background, if there ever were any: with a scope of its own, as they go on while the others are being
    /// cancelled.
    pub(super) back: Option<Arc<Nest>>,
    /// Those in the background that are not gone.
    pub(super) serving: usize,
    /// Those in the background have been cancelled, as there is nobody left that they serve.
    dismissed: bool,
    /// Handshakes that somebody waits for.
    pub(super) starting: usize,
    /// Spawned, and not yet taken in by whoever polls them.
    pub(super) incoming: Vec<Newcomer<'env, E, K>>,
    /// Everybody is gone, or the group was dropped.
    pub(super) over: bool,
}

/// What the children of a side keep.
pub(super) struct Nest {
    /// Around their own.
    pub(super) scope: Scope,
    pub(super) caller: Caller,
}

/// A child with its place.
pub(super) type Newcomer<'env, E, K> = (Place, <K as Kind>::Kid<'env, E>);

/// What a child has in its group.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// The number of its name.
    name: u32,
    pub(super) side: Side,
}

impl<E, K: Kind> Shared<'_, E, K> {
    /// What those in the background keep.
    pub(super) fn back(&self) -> Arc<Nest> {
        if let Some(back) = self.state.read(|state| state.back.clone()) {
            return back;
        }
        let scope = self.scope.child_apart();
        let mut new = Some(Arc::new(Nest { scope, caller: self.inner.caller.clone() }));
        self.state.with(|state| state.back.get_or_insert_with(|| new.take().expect("taken once")).clone())
    }
}

impl<'env, E, K: Kind> State<'env, E, K> {
    pub(super) fn new(tally: Tally<E>) -> Self {
        Self {
            tally,
            names: Names::default(),
            rows: Rows::new(),
            alive: 0,
            back: None,
            serving: 0,
            dismissed: false,
            starting: 0,
            incoming: Vec::new(),
            over: false,
        }
    }

    /// Counts a child in.
    pub(super) fn enter(&mut self, label: &Label, side: Side) -> Place {
        *self.of(side) += 1;
        Place { name: self.names.enter(label), side }
    }

    /// Counts a child out.
    pub(super) fn leave(&mut self, Place { name, side }: Place) {
        *self.of(side) -= 1;
        self.names.leave(name);
    }

    fn of(&mut self, side: Side) -> &mut usize {
        match side {
            Side::Main => &mut self.alive,
            Side::Background => &mut self.serving,
        }
    }

    /// Those in the background, if nobody else is left and they are to be cancelled now. Once.
    pub(super) fn dismiss(&mut self) -> Option<Arc<Nest>> {
        let served = self.alive == 0 && self.starting == 0;
        if !served || self.dismissed || self.serving == 0 {
            return None;
        }
        self.dismissed = true;
        self.back.clone()
    }
}
