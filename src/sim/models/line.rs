//! Who waits, in order, and who was served and has not been polled since.

use alloc::vec::Vec;

/// What a waiter may find at its next poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Waiting,
    Granted,
    Dismissed,
}

/// A waiter: its number, what it asks for, and what it may find.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiter {
    pub(super) who: u64,
    pub(super) asks: usize,
    pub(super) state: State,
}

/// Those who were told to wait, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Line(pub(super) Vec<Waiter>);

impl Line {
    pub(super) fn state(&self, who: u64) -> Option<State> {
        self.0.iter().find(|waiter| waiter.who == who).map(|waiter| waiter.state)
    }

    /// How much those who are in this state ask for.
    pub(super) fn sum(&self, state: State) -> usize {
        self.0.iter().filter(|waiter| waiter.state == state).map(|waiter| waiter.asks).sum()
    }

    pub(super) fn waiting(&self) -> usize {
        self.0.iter().filter(|waiter| waiter.state == State::Waiting).count()
    }

    /// Puts `who` at the end.
    pub(super) fn join(&mut self, who: u64, asks: usize) {
        self.leave(who);
        self.0.push(Waiter { who, asks, state: State::Waiting });
    }

    /// Puts `who`, whose turn had come in vain, at the head.
    pub(super) fn join_first(&mut self, who: u64, asks: usize) {
        self.leave(who);
        self.0.insert(0, Waiter { who, asks, state: State::Waiting });
    }

    /// Serves `who`, who waits, out of turn.
    pub(super) fn grant(&mut self, who: u64, woken: &mut Vec<u64>) {
        if let Some(waiter) = self.0.iter_mut().find(|waiter| waiter.who == who) {
            waiter.state = State::Granted;
            woken.push(who);
        }
    }

    pub(super) fn leave(&mut self, who: u64) {
        self.0.retain(|waiter| waiter.who != who);
    }

    /// Serves those who wait, first come, first served, as long as `serve` gives them a new state.
    pub(super) fn serve(&mut self, woken: &mut Vec<u64>, mut serve: impl FnMut(usize) -> Option<State>) {
        for waiter in self.0.iter_mut().filter(|waiter| waiter.state == State::Waiting) {
            let Some(state) = serve(waiter.asks) else { return };
            waiter.state = state;
            woken.push(waiter.who);
        }
    }
}
