//! The sink-like face of a sender.

use super::*;
use core::future::poll_fn;

/// A sink that is pinned.
fn sink(tx: Sender<u32>) -> Pin<Box<SendSink<u32>>> {
    Box::pin(tx.into_sink())
}

fn cx() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

#[test]
fn room_is_held_once_from_being_ready_until_an_item_is_sent() {
    let (tx, rx) = queue(2);
    let mut sink = sink(tx.clone());
    for _ in 0..3 {
        assert_eq!(sink.as_mut().poll_ready(&mut cx()), Ready(Ok(())));
    }
    tx.try_send(1).unwrap();
    assert_eq!(tx.try_send(9), Err(TrySendError::Full(9)));
    assert_eq!(sink.as_mut().start_send(2), Ok(()));
    assert_eq!(sink.as_mut().poll_flush(&mut cx()), Ready(Ok(())));
    assert_eq!(rx.drain(), [1, 2]);
}

#[test]
fn it_waits_in_line_whoever_polls_it_and_gives_up_its_place_with_itself() {
    let (tx, rx) = queue(1);
    tx.try_send(1).unwrap();
    let mut sink = sink(tx.clone());
    drop(Task::waiting(poll_fn(|cx| sink.as_mut().poll_ready(cx))));
    let mut next = Task::waiting(tx.send(2));
    rx.try_recv().unwrap();
    assert_eq!((next.wakes(), next.poll()), (0, Pending), "the sink is the first");
    drop(sink);
    assert_eq!((next.wakes(), next.poll()), (1, Ready(Ok(()))));
}

#[test]
fn a_closed_sink_gives_back_the_room_that_it_holds_and_is_no_sender_any_more() {
    let (tx, rx) = queue(1);
    let (mut closes, mut stays) = (sink(tx.clone()), sink(tx));
    assert_eq!(closes.as_mut().poll_ready(&mut cx()), Ready(Ok(())));
    let mut waits = Task::waiting(poll_fn(|cx| stays.as_mut().poll_ready(cx)));
    assert_eq!(closes.as_mut().poll_close(&mut cx()), Ready(Ok(())));
    assert!(closes.sender().is_none());
    assert_eq!((waits.wakes(), waits.poll()), (1, Ready(Ok(()))));
    drop(waits);
    assert_eq!(closes.as_mut().poll_ready(&mut cx()), Ready(Err(SendError(()))));
    assert_eq!(closes.as_mut().start_send(1), Err(SendError(1)));
    assert!(!rx.is_closed());
    assert_eq!(stays.as_mut().poll_close(&mut cx()), Ready(Ok(())));
    assert!(rx.is_drained(), "neither holds room, and both are closed");
}

#[test]
fn room_that_is_held_is_honoured_in_a_closed_queue_and_after_that_it_is_refused() {
    let (tx, rx) = queue(2);
    let mut sink = sink(tx);
    assert_eq!(sink.as_mut().poll_ready(&mut cx()), Ready(Ok(())));
    rx.close();
    assert_eq!(sink.as_mut().start_send(1), Ok(()));
    assert_eq!(sink.as_mut().poll_ready(&mut cx()), Ready(Err(SendError(()))));
    assert_eq!((rx.try_recv(), rx.try_recv()), (Ok(1), Err(TryRecvError::Closed)));
}

#[test]
#[should_panic(expected = "`poll_ready` was ready before `start_send`")]
fn an_item_for_which_no_room_is_held_panics() {
    let (tx, _rx) = queue(1);
    let _ = sink(tx).as_mut().start_send(1);
}
