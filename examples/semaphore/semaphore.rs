//! A semaphore as it is often written, in some sixty lines, with a bug that is often made.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

/// Counts permits; those who wait are served in order.
#[derive(Clone)]
pub(crate) struct Semaphore(Arc<Mutex<State>>);

struct State {
    free: usize,
    waiting: VecDeque<(u64, Waker)>,
    /// Those who were given a permit while they waited, and have not looked since.
    given: Vec<u64>,
    next: u64,
    fixed: bool,
}

impl Semaphore {
    pub(crate) fn new(permits: usize, fixed: bool) -> Self {
        let state = State { free: permits, waiting: VecDeque::new(), given: Vec::new(), next: 0, fixed };
        Self(Arc::new(Mutex::new(state)))
    }

    /// Waits for a permit.
    pub(crate) fn acquire(&self) -> Acquire {
        Acquire { semaphore: self.clone(), place: None }
    }

    /// Gives a permit to the first in line, or keeps it.
    fn release(&self) {
        let mut state = self.0.lock().unwrap();
        let Some((place, waker)) = state.waiting.pop_front() else {
            state.free += 1;
            return;
        };
        state.given.push(place);
        drop(state);
        waker.wake();
    }
}

/// One permit, given back when it is dropped.
pub(crate) struct Permit(Semaphore);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.release();
    }
}

pub(crate) struct Acquire {
    semaphore: Semaphore,
    /// Its place in line, once it waits.
    place: Option<u64>,
}

impl Future for Acquire {
    type Output = Permit;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Permit> {
        let semaphore = self.semaphore.clone();
        let mut state = semaphore.0.lock().unwrap();
        match self.place {
            Some(place) => match state.given.iter().position(|&given| given == place) {
                Some(at) => drop(state.given.swap_remove(at)),
                None => {
                    let waiting = state.waiting.iter_mut().find(|waiting| waiting.0 == place);
                    waiting.expect("it is in line").1 = cx.waker().clone();
                    return Poll::Pending;
                }
            },
            None if state.free > 0 => state.free -= 1,
            None => {
                let place = state.next;
                state.next += 1;
                state.waiting.push_back((place, cx.waker().clone()));
                self.place = Some(place);
                return Poll::Pending;
            }
        }
        self.place = None;
        drop(state);
        Poll::Ready(Permit(semaphore))
    }
}

impl Drop for Acquire {
    /// Leaves the line. The bug: a permit that it was given and has not taken is nobody's from here on.
    fn drop(&mut self) {
        let Some(place) = self.place else { return };
        let mut state = self.semaphore.0.lock().unwrap();
        state.waiting.retain(|waiting| waiting.0 != place);
        let given = state.given.contains(&place);
        let passes_on = given && state.fixed;
        drop(state);
        if passes_on {
            self.semaphore.release();
        }
    }
}
