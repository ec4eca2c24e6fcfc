//! The promises of the room's front door, by number, with futures polled by hand.

mod any;
mod closing;
mod kinds;
#[cfg(all(test, feature = "std"))]
mod panics;
mod rendezvous;
mod sink;

use super::*;
use crate::sys::Arc;
use crate::sys::atomic::{AtomicUsize, Ordering};
use crate::sys::waker::{Wake, waker};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cell::Cell;
use core::cmp::Reverse;
use core::future::Future;
use core::num::NonZeroUsize;
use core::pin::Pin;
use core::task::Poll::{Pending, Ready};
use core::task::{Context, Poll, Waker};
use futures_core::Stream;
use futures_core::stream::FusedStream;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Counts its wake-ups.
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(this: &Arc<Self>) {
        this.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A future with a waker of its own.
struct Task<F> {
    future: Pin<Box<F>>,
    count: Arc<Count>,
    waker: Waker,
}

impl<F: Future> Task<F> {
    fn new(future: F) -> Self {
        let count = Arc::new(Count(AtomicUsize::new(0)));
        Self { future: Box::pin(future), waker: waker(count.clone()), count }
    }

    /// A future that waits already.
    fn waiting(future: F) -> Self {
        let mut task = Self::new(future);
        assert!(task.poll().is_pending());
        task
    }

    fn poll(&mut self) -> Poll<F::Output> {
        self.future.as_mut().poll(&mut Context::from_waker(&self.waker))
    }

    fn wakes(&self) -> usize {
        self.count.0.load(Ordering::Relaxed)
    }
}

fn queue<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    bounded(NonZeroUsize::new(capacity).unwrap())
}

fn now<F: Future>(future: F) -> F::Output {
    match Task::new(future).poll() {
        Ready(output) => output,
        Pending => panic!("has to wait"),
    }
}

#[test]
fn handles_and_futures_go_to_other_threads() {
    fn is<T: Send + Sync>(_: &T) {}
    let (tx, rx) = queue::<Cell<u8>>(1);
    is(&tx);
    is(&rx);
    is(&tx.downgrade());
    is(&tx.try_reserve().unwrap());
    is(&tx.reserve());
    is(&rx.recv());
    is(&rx.clone().into_stream());
    fn goes<T: Send>(_: &T) {}
    goes(&tx.send(Cell::new(1)));
}

#[test]
fn what_there_is_room_for_is_sent_at_once() {
    let (tx, rx) = queue(2);
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(tx.try_send(1), Ok(()));
    assert_eq!(now(tx.send(2)), Ok(()));
    assert_eq!((tx.len(), rx.is_empty(), tx.capacity()), (2, false, 2));
    assert_eq!(tx.try_send(3), Err(TrySendError::Full(3)));
    assert_eq!(tx.try_reserve().unwrap_err(), TrySendError::Full(()));
    assert_eq!(now(rx.recv()), Ok(1));
    assert_eq!(rx.try_recv(), Ok(2));
    drop(tx);
    assert_eq!(rx.try_recv(), Err(TryRecvError::Closed));
    assert_eq!(now(rx.recv()), Err(RecvError));
}

#[test]
fn q1_a_dropped_receiver_future_loses_no_item() {
    let (tx, rx) = queue(1);
    let waits = Task::waiting(rx.recv());
    tx.try_send(1).unwrap();
    assert_eq!(waits.wakes(), 1);
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty), "it was granted");
    drop(waits);
    assert_eq!(rx.try_recv(), Ok(1));
}

#[test]
fn q2_items_of_a_producer_arrive_in_its_order() {
    let (tx, rx) = queue(1);
    tx.try_send(0).unwrap();
    let mut sends: Vec<_> = (1..50).map(|n| Task::waiting(tx.send(n))).collect();
    for n in 0..50 {
        assert_eq!(now(rx.recv()), Ok(n));
        if let Some(send) = sends.get_mut(n) {
            assert_eq!(send.poll(), Ready(Ok(())));
        }
    }
}

#[test]
fn q3_capacity_counts_items_grants_and_permits() {
    let (tx, rx) = queue(3);
    tx.try_send(1).unwrap();
    let permit = tx.try_reserve().unwrap();
    tx.try_send(2).unwrap();
    let mut send = Task::waiting(tx.send(3));
    assert_eq!(rx.try_recv(), Ok(1));
    assert_eq!(send.wakes(), 1);
    assert_eq!(tx.try_send(9), Err(TrySendError::Full(9)), "an item, a permit, a grant");
    assert_eq!(send.poll(), Ready(Ok(())));
    permit.send(4).unwrap();
    assert_eq!(tx.try_send(9), Err(TrySendError::Full(9)));
    assert_eq!(rx.shutdown(), [2, 3, 4]);
}

#[test]
fn q3_shrinking_revokes_nothing_and_grants_nothing_until_below() {
    let (tx, rx) = queue(3);
    (0..3).for_each(|n| tx.try_send(n).unwrap());
    let mut granted = Task::waiting(tx.send(3));
    let mut waits = Task::waiting(tx.send(4));
    rx.try_recv().unwrap();
    tx.set_capacity(NonZeroUsize::MIN);
    assert_eq!(granted.poll(), Ready(Ok(())), "what was granted stays");
    rx.try_recv().unwrap();
    rx.try_recv().unwrap();
    assert_eq!((tx.len(), waits.wakes()), (1, 0));
    assert_eq!(rx.try_recv(), Ok(3));
    assert_eq!((waits.wakes(), waits.poll()), (1, Ready(Ok(()))));
    assert_eq!(tx.capacity(), 1);
}

#[test]
fn q3_growing_lets_in_all_that_fit() {
    let (tx, rx) = queue(1);
    tx.try_send(0).unwrap();
    let mut sends: Vec<_> = (1..=100).map(|n| Task::waiting(tx.send(n))).collect();
    rx.set_capacity(NonZeroUsize::new(91).unwrap());
    assert_eq!(sends.iter().map(Task::wakes).sum::<usize>(), 90);
    assert!(sends.iter_mut().take(90).all(|send| send.poll() == Ready(Ok(()))));
    assert!(sends[90].poll().is_pending());
    assert_eq!(tx.len(), 91);
}

#[test]
fn q4_dropped_granted_receiver_passes_its_item_on() {
    let (tx, rx) = queue(2);
    let first = Task::waiting(rx.recv());
    let mut second = Task::waiting(rx.recv());
    tx.try_send(1).unwrap();
    assert_eq!((first.wakes(), second.wakes()), (1, 0));
    drop(first);
    assert_eq!((second.wakes(), second.poll()), (1, Ready(Ok(1))));
}

#[test]
fn q4_dropped_granted_sender_passes_its_slot_on() {
    let (tx, rx) = queue(1);
    tx.try_send(0).unwrap();
    let first = Task::waiting(tx.send(1));
    let second = Task::waiting(tx.reserve());
    let mut third = Task::waiting(tx.send(3));
    rx.try_recv().unwrap();
    assert_eq!((first.wakes(), second.wakes(), third.wakes()), (1, 0, 0));
    drop(first);
    assert_eq!((second.wakes(), third.wakes()), (1, 0));
    drop(second);
    assert_eq!((third.wakes(), third.poll()), (1, Ready(Ok(()))));
}

#[test]
fn q4_dropped_permit_passes_its_slot_on() {
    let (tx, _rx) = queue(1);
    let permit = now(tx.reserve()).unwrap();
    let mut send = Task::waiting(tx.send(1));
    drop(permit);
    assert_eq!((send.wakes(), send.poll()), (1, Ready(Ok(()))));
}

#[test]
fn q4_a_waiter_dropped_in_line_leaves_the_others_their_places() {
    let (tx, rx) = queue(1);
    let first = Task::waiting(rx.recv());
    let second = Task::waiting(rx.recv());
    let third = Task::waiting(rx.recv());
    drop(second);
    assert_eq!(rx.queue().with(|held| held.validate()), 2);
    tx.try_send(1).unwrap();
    assert_eq!((first.wakes(), third.wakes()), (1, 0));
}

#[test]
fn q4_the_waker_of_the_last_poll_is_woken() {
    let (tx, rx) = queue(1);
    let mut recv = Task::waiting(rx.recv());
    let other = Task::new(core::future::ready(()));
    assert!(recv.future.as_mut().poll(&mut Context::from_waker(&other.waker)).is_pending());
    tx.try_send(1).unwrap();
    assert_eq!((recv.wakes(), other.wakes()), (0, 1));
    assert_eq!(recv.poll(), Ready(Ok(1)));
}

#[test]
fn q5_newcomers_cannot_take_what_was_granted() {
    let (tx, rx) = queue(1);
    let mut recv = Task::waiting(rx.recv());
    tx.try_send(1).unwrap();
    let mut late = Task::waiting(rx.recv());
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    let mut send = Task::waiting(tx.send(2));
    assert_eq!(recv.poll(), Ready(Ok(1)));
    assert_eq!(tx.try_send(3), Err(TrySendError::Full(3)), "the slot is the waiting sender's");
    assert_eq!((send.wakes(), send.poll()), (1, Ready(Ok(()))));
    assert_eq!((late.wakes(), late.poll()), (1, Ready(Ok(2))));
}

#[test]
fn q5_waiters_are_served_first_come_first_served() {
    let (tx, rx) = queue(1);
    let mut all: Vec<_> = (0..40).map(|_| Task::waiting(rx.recv())).collect();
    for n in 0..40 {
        now(tx.send(n)).unwrap();
        assert_eq!(all[n].poll(), Ready(Ok(n)));
        assert!(all.iter().skip(n + 1).all(|task| task.wakes() == 0));
    }
}

/// A waker that tries to overtake those who are still in line.
struct Overtakes(Sender<u8>, AtomicUsize);

impl Wake for Overtakes {
    fn wake(this: &Arc<Self>) {
        if this.0.try_send(9) == Err(TrySendError::Full(9)) {
            this.1.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[test]
fn q5_newcomers_do_not_overtake_a_long_line_that_is_being_let_in() {
    let (tx, _rx) = queue(1);
    tx.try_send(0).unwrap();
    let overtakes = Arc::new(Overtakes(tx.clone(), AtomicUsize::new(0)));
    let mut first = Box::pin(tx.send(1));
    assert!(first.as_mut().poll(&mut Context::from_waker(&waker(overtakes.clone()))).is_pending());
    let _rest: Vec<_> = (0..99).map(|_| Task::waiting(tx.send(2))).collect();
    tx.set_capacity(NonZeroUsize::new(100).unwrap());
    assert_eq!(overtakes.1.load(Ordering::Relaxed), 1);
}

/// A waker that tries to take what those are to have who are still in line.
struct Snatches(Receiver<u8>, AtomicUsize);

impl Wake for Snatches {
    fn wake(this: &Arc<Self>) {
        let (rx, mut items) = (&this.0, Vec::new());
        let one_by_one = rx.try_recv() == Err(TryRecvError::Empty);
        if one_by_one && rx.try_recv_many(&mut items, 9).is_err() && rx.drain().is_empty() {
            this.1.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[test]
fn q5_newcomers_take_nothing_while_a_long_line_is_being_served() {
    let (tx, rx) = queue(100);
    let snatches = Arc::new(Snatches(rx.clone(), AtomicUsize::new(0)));
    let mut first = Box::pin(rx.recv());
    assert!(first.as_mut().poll(&mut Context::from_waker(&waker(snatches.clone()))).is_pending());
    let mut rest: Vec<_> = (1..100).map(|_| Task::waiting(rx.recv())).collect();
    assert_eq!(tx.try_send_many(&mut (0..100).collect()), Ok(100));
    assert_eq!(snatches.1.load(Ordering::Relaxed), 1);
    assert!(first.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
    assert!((1..).zip(&mut rest).all(|(n, recv)| recv.poll() == Ready(Ok(n))));
}

/// A waker that does something to the queue when it is woken, and again when it is dropped.
struct Reenters(Receiver<u8>, Sender<u8>);

impl Wake for Reenters {
    fn wake(this: &Arc<Self>) {
        let _ = this.1.try_send(7);
        let _ = this.0.try_recv();
    }
}

impl Drop for Reenters {
    fn drop(&mut self) {
        let _ = self.0.len();
    }
}

#[test]
fn q9_a_waker_may_reenter_the_queue_that_wakes_or_drops_it() {
    let (tx, rx) = queue(1);
    let reenters = || waker(Arc::new(Reenters(rx.clone(), tx.clone())));
    let mut recv = Box::pin(rx.recv());
    assert!(recv.as_mut().poll(&mut Context::from_waker(&reenters())).is_pending());
    assert!(recv.as_mut().poll(&mut Context::from_waker(&reenters())).is_pending());
    tx.try_send(1).unwrap();
    assert!(recv.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
    let mut recv = Box::pin(rx.recv());
    while rx.try_recv().is_ok() {}
    assert!(recv.as_mut().poll(&mut Context::from_waker(&reenters())).is_pending());
    drop(recv);
}

#[test]
fn a_stream_ends_when_the_queue_does() {
    let (tx, rx) = queue(2);
    let mut items = Box::pin(rx.into_stream());
    let next =
        |items: &mut Pin<Box<Items<i32>>>, waker: &Waker| items.as_mut().poll_next(&mut Context::from_waker(waker));
    let task = Task::new(core::future::ready(()));
    assert_eq!(next(&mut items, &task.waker), Pending);
    tx.try_send(1).unwrap();
    tx.try_send(2).unwrap();
    assert_eq!(task.wakes(), 1);
    assert_eq!(next(&mut items, &task.waker), Ready(Some(1)));
    assert_eq!(next(&mut items, &task.waker), Ready(Some(2)));
    assert_eq!(next(&mut items, &task.waker), Pending);
    assert!(!items.is_terminated());
    drop(tx);
    assert_eq!(task.wakes(), 2);
    assert_eq!(next(&mut items, &task.waker), Ready(None));
    assert!(items.is_terminated());
    assert!(items.receiver().is_closed());
}

#[test]
fn a_queue_of_one_fits_160_bytes() {
    use crate::sys::probe::{Id, Resource};
    // Those who look on are not there where it matters.
    let watched = size_of::<Id>() + size_of::<Resource>();
    let (counts, item) = (2 * size_of::<usize>(), 8);
    assert!(size_of::<state::Queue<u64, Fifo>>() - watched + counts + item <= 160);
}

#[test]
#[should_panic(expected = "polled after completion")]
fn a_send_polled_after_completion_panics() {
    let (tx, _rx) = queue(2);
    let mut send = Task::new(tx.send(1));
    let _ = send.poll();
    let _ = send.poll();
}
