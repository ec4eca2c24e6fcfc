//! The future of acquiring from several limits.

use super::all::Composite;
use super::error::AcquireAllError;
use super::stand::{Ask, Decision, How, Stands};
use crate::cancel::Deadline;
use crate::limit::error::AcquireError;
use crate::sync::{self, Permit};
use crate::sys::probe;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::future::Future;
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

/// What several limits have granted: permits of limiters, which are spent, and permits of semaphores, which are given back when
/// this is dropped.
#[must_use = "permits of semaphores go back when it is dropped"]
pub struct Pass<'a> {
    permits: Vec<Permit<'a>>,
}

impl<'a> Pass<'a> {
    pub(super) fn new(permits: Vec<Permit<'a>>) -> Self {
        Self { permits }
    }
}

impl fmt::Debug for Pass<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pass").field("permits", &self.permits).finish()
    }
}

/// Waits for permits of several limits; made by [`Composite::acquire`], [`Composite::acquire_before`] and
/// [`Composite::acquire_in`].
///
/// # Time
/// Ready at the first instant at which all limiters allow it, to the nanosecond in virtual time, else as late as timers are.
///
/// # Fairness
/// First come, first served at each limit, counted for semaphores one after another, and for all limiters from when there are
/// permits of all semaphores.
///
/// # Cancel safety
/// Dropping it before it is ready takes nothing anywhere: its places in line are given up, those behind it move forward at once,
/// and what semaphores have granted goes back to them.
///
/// # Panics
/// If it is polled after it was ready.
#[must_use = "nothing is acquired unless this is awaited"]
pub struct AcquireAll<'a> {
    composite: &'a Composite,
    deadline: Deadline,
    stage: Stage,
    // Lines are left before permits of semaphores go back.
    stands: Stands,
    acquire: Option<Pin<Box<sync::Acquire<'a>>>>,
    permits: Vec<Permit<'a>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It was not polled.
    New,
    Waits,
    Over,
}

impl<'a> AcquireAll<'a> {
    pub(super) fn new(composite: &'a Composite, deadline: Deadline) -> Self {
        let (stands, permits) = (Stands::default(), Vec::new());
        Self { composite, deadline, stage: Stage::New, stands, acquire: None, permits }
    }

    /// Looks whether there is any point in waiting.
    fn begin(&mut self) -> Result<(), AcquireAllError> {
        if self.deadline == Deadline::Cancelled {
            return Err(AcquireError::Cancelled.into());
        }
        self.stands = self.composite.stands()?;
        if !self.composite.semaphores.is_empty() {
            let look = Ask { how: How::Look, deadline: self.deadline };
            if let Decision::Refuse(refusal) = self.stands.decide(look, None) {
                return Err(refusal.of_wait(self.deadline).into());
            }
        }
        Ok(())
    }

    fn step(&mut self, cx: &mut Context<'_>) -> Poll<Result<Pass<'a>, AcquireAllError>> {
        match mem::replace(&mut self.stage, Stage::Waits) {
            Stage::New => self.begin()?,
            Stage::Waits => {}
            Stage::Over => panic!("a wait for permits of several limiters was polled after it was ready"),
        }
        let semaphores = &self.composite.semaphores;
        while let Some((semaphore, count)) = semaphores.get(self.permits.len()) {
            let acquire = self.acquire.get_or_insert_with(|| Box::pin(semaphore.acquire_many(*count)));
            let acquired = ready!(acquire.as_mut().poll(cx));
            self.acquire = None;
            self.permits.push(acquired.map_err(|_| AcquireAllError::Closed)?);
        }
        let ask = Ask { how: How::Wait, deadline: self.deadline };
        match self.stands.decide(ask, Some(cx.waker())) {
            Decision::Take(_) => Poll::Ready(Ok(Pass::new(mem::take(&mut self.permits)))),
            Decision::Refuse(refusal) => Poll::Ready(Err(refusal.of_wait(self.deadline).into())),
            Decision::Wait | Decision::Nothing => {
                probe::waiting("limits", None, u64::MAX);
                Poll::Pending
            }
        }
    }
}

impl<'a> Future for AcquireAll<'a> {
    type Output = Result<Pass<'a>, AcquireAllError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let answer = ready!(this.step(cx));
        this.stage = Stage::Over;
        // Keys go back to the others at once, and so does what is not needed.
        this.stands = Stands::default();
        this.permits.clear();
        Poll::Ready(answer)
    }
}

impl fmt::Debug for AcquireAll<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AcquireAll")
            .field("composite", &self.composite)
            .field("deadline", &self.deadline)
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}
