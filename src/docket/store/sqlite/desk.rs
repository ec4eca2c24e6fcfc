//! The connection's desk: one piece of work at a time, on a thread that may block, in the order of asking.

use super::tx::Seat;
use crate::docket::StoreError;
use crate::spawn::{Job, Offload};
use crate::sync::oneshot;
use crate::sys::thread::catch;
use crate::sys::{Arc, Told};
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use core::mem;

type Work = Box<dyn FnOnce(&mut Seat) + Send>;

/// Where the connection is when nobody uses it, and the work that waits for it.
struct Desk {
    /// Boxed: what moves under the lock is small.
    seat: Option<Box<Seat>>,
    waiting: VecDeque<Work>,
}

/// The desk, and the threads for it.
pub(super) struct Clerk {
    desk: Arc<Told<Desk>>,
    pool: Box<dyn Offload + Send + Sync>,
}

/// Whoever has the connection. When it is dropped the connection is back, and nobody waits in vain.
struct Turn {
    desk: Arc<Told<Desk>>,
    seat: Option<Box<Seat>>,
}

impl Clerk {
    pub(super) fn new(seat: Seat, pool: Box<dyn Offload + Send + Sync>) -> Self {
        let desk = Desk { seat: Some(Box::new(seat)), waiting: VecDeque::new() };
        Self { desk: Arc::new(Told::new(desk)), pool }
    }

    /// Has this done with the connection, and waits for what it gives.
    pub(super) async fn ask<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Seat) -> Result<R, StoreError> + Send + 'static,
    ) -> Result<R, StoreError> {
        let (done, mut reply) = oneshot::channel();
        let work: Work = Box::new(move |seat| {
            // Who asked may be gone.
            drop(done.send(work(seat)));
        });
        let seat = self.desk.with(|desk| {
            desk.waiting.push_back(work);
            desk.seat.take()
        });
        if let Some(seat) = seat {
            let turn = Turn { desk: self.desk.clone(), seat: Some(seat) };
            self.pool.offload(Job::new("docket", move || turn.work()));
        }
        match reply.recv().await {
            Ok(reply) => reply,
            Err(_) => Err(StoreError::Failed("the work was dropped by the threads that it was given to".into())),
        }
    }
}

impl Turn {
    /// Works until nothing waits.
    fn work(mut self) {
        while let Some(work) = self.next() {
            let Some(seat) = &mut self.seat else { return };
            // What panics has no reply, which its asker is told. The transaction is rolled back by then.
            drop(catch(|| work(seat)));
        }
    }

    /// What is next, or the connection goes back.
    fn next(&mut self) -> Option<Work> {
        self.desk.with(|desk| {
            let work = desk.waiting.pop_front();
            if work.is_none() {
                desk.seat = self.seat.take();
            }
            work
        })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let Some(seat) = self.seat.take() else { return };
        let dropped = self.desk.with(|desk| {
            desk.seat = Some(seat);
            mem::take(&mut desk.waiting)
        });
        drop(dropped);
    }
}
