//! What threads may do to each other, in every order.

use super::*;
use crate::sys::Arc;
use crate::sys::atomic::{AtomicBool, Ordering};
use crate::sys::model::{Task, model, spawn};
use core::num::NonZeroUsize;
use core::task::Poll::{Pending, Ready};

fn queue(capacity: usize) -> (Sender<u8>, Receiver<u8>) {
    bounded(NonZeroUsize::new(capacity).unwrap())
}

fn recv(rx: &Receiver<u8>) -> Task<Result<u8, RecvError>> {
    let rx = rx.clone();
    Task::new(async move { rx.recv().await })
}

fn send(tx: &Sender<u8>, value: u8) -> Task<Result<(), SendError<u8>>> {
    let tx = tx.clone();
    Task::new(async move { tx.send(value).await })
}

/// Sends, by a sender that is not the last: whose going would wake receivers, too.
fn sends(tx: &Sender<u8>, value: u8) -> impl FnOnce() -> Result<(), TrySendError<u8>> + Send + use<> {
    let tx = tx.clone();
    move || tx.try_send(value)
}

#[test]
fn loom_a_send_that_races_with_a_receive_wakes_it() {
    model(|| {
        let (tx, rx) = queue(1);
        let mut task = recv(&rx);
        let sender = spawn(sends(&tx, 7));
        let first = task.poll();
        assert_eq!(sender.join().unwrap(), Ok(()));
        assert_eq!(task.finish(first), Ok(7));
    });
}

#[test]
fn loom_a_receive_that_races_with_a_waiting_send_lets_it_in() {
    model(|| {
        let (tx, rx) = queue(1);
        tx.try_send(1).unwrap();
        let mut task = send(&tx, 2);
        let receiver = spawn({
            let rx = rx.clone();
            move || rx.try_recv()
        });
        let first = task.poll();
        assert_eq!(receiver.join().unwrap(), Ok(1));
        assert_eq!(task.finish(first), Ok(()));
        assert_eq!(rx.try_recv(), Ok(2));
    });
}

#[test]
fn loom_a_poll_with_another_waker_that_races_with_a_grant_loses_no_wake_up() {
    model(|| {
        let (tx, rx) = queue(1);
        let mut task = recv(&rx).waiting();
        let sender = spawn(sends(&tx, 7));
        let again = task.poll();
        assert_eq!(sender.join().unwrap(), Ok(()));
        assert_eq!(task.finish(again), Ok(7));
    });
}

#[test]
fn loom_a_receiver_dropped_while_it_is_granted_passes_its_item_on() {
    model(|| {
        let (tx, rx) = queue(1);
        let leaver = recv(&rx).waiting();
        let stays = recv(&rx).waiting();
        let sender = spawn(sends(&tx, 7));
        drop(leaver);
        assert_eq!(sender.join().unwrap(), Ok(()));
        assert_eq!(stays.finish(Pending), Ok(7));
    });
}

#[test]
fn loom_a_sender_dropped_while_it_is_granted_passes_its_slot_on() {
    model(|| {
        let (tx, rx) = queue(1);
        tx.try_send(1).unwrap();
        let leaver = send(&tx, 2).waiting();
        let stays = send(&tx, 3).waiting();
        let receiver = spawn({
            let rx = rx.clone();
            move || rx.try_recv()
        });
        drop(leaver);
        assert_eq!(receiver.join().unwrap(), Ok(1));
        assert_eq!(stays.finish(Pending), Ok(()));
        assert_eq!(rx.try_recv(), Ok(3));
    });
}

#[test]
fn loom_closing_while_a_slot_is_granted_gives_the_value_back() {
    model(|| {
        let (tx, rx) = queue(1);
        tx.try_send(1).unwrap();
        let waits = send(&tx, 2).waiting();
        let closer = spawn({
            let rx = rx.clone();
            move || rx.close()
        });
        assert_eq!(rx.try_recv(), Ok(1));
        closer.join().unwrap();
        assert_eq!(waits.finish(Pending), Err(SendError(2)));
        assert_eq!(rx.try_recv(), Err(TryRecvError::Closed));
    });
}

#[test]
fn loom_a_send_that_races_with_closing_is_received_or_refused() {
    model(|| {
        let (tx, rx) = queue(1);
        let waits = recv(&rx).waiting();
        let closer = spawn(move || rx.close());
        let sent = tx.try_send(7);
        closer.join().unwrap();
        let expected = if sent.is_ok() { Ok(7) } else { Err(RecvError) };
        assert_eq!(waits.finish(Pending), expected);
    });
}

#[test]
fn loom_a_permit_dropped_after_closing_ends_those_who_wait() {
    model(|| {
        let (tx, rx) = queue(1);
        let rx = (recv(&rx), rx);
        let dropper = spawn({
            let tx = tx.clone();
            move || {
                let permit = tx.try_reserve().unwrap();
                tx.close();
                drop(permit);
            }
        });
        let mut task = rx.0;
        let first = task.poll();
        dropper.join().unwrap();
        assert_eq!(task.finish(first), Err(RecvError));
    });
}

#[test]
fn loom_whoever_takes_the_last_item_ends_the_rest() {
    model(|| {
        let (tx, rx) = queue(1);
        let mut first = recv(&rx).waiting();
        let mut second = recv(&rx);
        tx.try_send(7).unwrap();
        drop(tx);
        let taker = spawn(move || first.poll());
        let polled = second.poll();
        assert_eq!(taker.join().unwrap(), Ready(Ok(7)));
        assert_eq!(second.finish(polled), Err(RecvError));
    });
}

#[test]
fn loom_who_joins_while_the_last_job_ends_is_told() {
    model(|| {
        let (tx, rx) = queue(1);
        tx.try_send(7).unwrap();
        let worker = spawn({
            let rx = rx.clone();
            move || rx.try_recv_job().map(|job| job.finish()).is_ok()
        });
        let mut joins = Task::new({
            let rx = rx.clone();
            async move { rx.join().await }
        });
        let first = joins.poll();
        assert!(worker.join().unwrap());
        joins.finish(first);
    });
}

#[test]
fn loom_the_last_of_two_senders_dropped_at_once_closes() {
    model(|| {
        let (tx, rx) = queue(1);
        let waits = recv(&rx).waiting();
        let weak = tx.downgrade();
        let other = tx.clone();
        let dropper = spawn(move || drop(other));
        drop(tx);
        let late = weak.upgrade().map(|tx| tx.try_send(7));
        dropper.join().unwrap();
        assert!(rx.is_closed() && weak.upgrade().is_none());
        let expected = if late.is_some() { Ok(7) } else { Err(RecvError) };
        assert_eq!(waits.finish(Pending), expected);
    });
}

#[test]
fn loom_a_hint_never_hides_what_a_thread_was_told_of() {
    model(|| {
        let (tx, rx) = queue(1);
        let told = Arc::new(AtomicBool::new(false));
        let sender = spawn({
            let told = told.clone();
            move || {
                tx.try_send(7).unwrap();
                // Release: partner of the load below.
                told.store(true, Ordering::Release);
                tx
            }
        });
        let knew = told.load(Ordering::Acquire);
        let got = rx.try_recv();
        assert!(got == Ok(7) || !knew, "told of an item, and found none");
        drop(sender.join().unwrap());
        assert_eq!(rx.try_recv(), if got.is_ok() { Err(TryRecvError::Closed) } else { Ok(7) });
    });
}

#[test]
fn loom_a_permit_used_while_the_last_receiver_goes_loses_no_value() {
    model(|| {
        let (tx, rx) = bounded(NonZeroUsize::MIN);
        let value = Arc::new(());
        let dropper = spawn(move || drop(rx));
        let permit = tx.try_reserve();
        let sent = match permit {
            Ok(permit) => permit.send(value.clone()).is_ok(),
            Err(error) => !error.is_closed(),
        };
        dropper.join().unwrap();
        assert!(tx.is_closed());
        // Sent or refused, the queue keeps nothing that nobody can receive.
        assert_eq!((Arc::strong_count(&value), tx.len()), (1, 0), "sent: {sent}");
    });
}
