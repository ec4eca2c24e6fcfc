//! Closing, from both sides: Q6 and Q7.

use super::*;

#[test]
fn q6_closing_gives_values_back_to_sends_that_wait_or_were_granted() {
    let (tx, rx) = queue(1);
    tx.try_send(0).unwrap();
    let mut granted = Task::waiting(tx.send(1));
    let mut many: Vec<_> = (2..100).map(|n| Task::waiting(tx.send(n))).collect();
    let mut reserve = Task::waiting(tx.reserve());
    assert_eq!(rx.try_recv(), Ok(0));
    assert_eq!(granted.wakes(), 1);
    rx.close();
    assert!(tx.is_closed() && rx.is_closed());
    assert_eq!(granted.poll(), Ready(Err(SendError(1))));
    for (n, send) in (2..).zip(&mut many) {
        assert_eq!((send.wakes(), send.poll()), (1, Ready(Err(SendError(n)))));
    }
    assert_eq!(reserve.poll().map(|r| r.map(drop)), Ready(Err(SendError(()))));
    assert_eq!(tx.try_send(7), Err(TrySendError::Closed(7)));
    assert_eq!(now(tx.send(8)), Err(SendError(8)));
    assert_eq!(now(rx.recv()), Err(RecvError));
}

#[test]
fn q6_a_permit_that_is_out_is_honoured() {
    let (tx, rx) = queue(2);
    let (used, dropped) = (tx.try_reserve().unwrap(), tx.try_reserve().unwrap());
    tx.close();
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty), "its item may come yet");
    let mut first = Task::waiting(rx.recv());
    let mut rest: Vec<_> = (0..100).map(|_| Task::waiting(rx.recv())).collect();
    used.send(1).unwrap();
    assert_eq!((first.wakes(), first.poll()), (1, Ready(Ok(1))));
    assert!(rest.iter_mut().all(|recv| recv.wakes() == 0 && recv.poll().is_pending()));
    drop(dropped);
    assert!(rest.iter_mut().all(|recv| recv.wakes() == 1 && recv.poll() == Ready(Err(RecvError))));
}

#[test]
fn q6_whoever_takes_the_last_item_wakes_the_rest() {
    let (tx, rx) = queue(1);
    let mut first = Task::waiting(rx.recv());
    let mut rest: Vec<_> = (0..100).map(|_| Task::waiting(rx.recv())).collect();
    tx.try_send(1).unwrap();
    tx.close();
    assert!(rest.iter().all(|recv| recv.wakes() == 0), "the granted one may yet pass its item on");
    assert_eq!(first.poll(), Ready(Ok(1)));
    assert!(rest.iter_mut().all(|recv| recv.wakes() == 1 && recv.poll() == Ready(Err(RecvError))));
}

#[test]
fn q6_an_item_passed_on_after_closing_is_received() {
    let (tx, rx) = queue(1);
    let first = Task::waiting(rx.recv());
    let mut second = Task::waiting(rx.recv());
    tx.try_send(1).unwrap();
    drop(tx);
    drop(first);
    assert_eq!((second.wakes(), second.poll()), (1, Ready(Ok(1))));
}

#[test]
fn q7_the_last_sender_gone_closes() {
    let (tx, rx) = queue(1);
    let weak = tx.downgrade();
    let second = weak.upgrade().unwrap();
    assert!(second.same(&tx));
    tx.try_send(1).unwrap();
    drop(tx);
    assert!(!rx.is_closed());
    let third = second.clone();
    drop(second);
    assert!(!rx.is_closed());
    drop(third);
    assert!(rx.is_closed() && weak.upgrade().is_none());
    assert_eq!((rx.try_recv(), rx.try_recv()), (Ok(1), Err(TryRecvError::Closed)));
}

/// An item that looks into its queue when it is dropped.
struct Looks(Sender<Looks>, Arc<AtomicUsize>);

impl Drop for Looks {
    fn drop(&mut self) {
        let len = self.0.len();
        assert_eq!(len, 0, "taken out before it is dropped");
        self.1.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn q7_the_last_receiver_gone_hands_values_back_and_drops_the_rest_outside_the_lock() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let count = || dropped.load(Ordering::Relaxed);
    let (tx, rx) = queue(2);
    let looks = || Looks(tx.clone(), dropped.clone());
    assert!(tx.try_send(looks()).is_ok());
    let permit = tx.try_reserve().unwrap();
    let mut send = Task::waiting(tx.send(looks()));
    let other = rx.clone();
    assert!(other.same(&rx));
    drop(rx);
    assert!(!tx.is_closed());
    drop(other);
    assert_eq!((count(), tx.len()), (1, 0));
    let Ready(Err(SendError(value))) = send.poll() else { panic!("the value comes back") };
    let SendError(unsent) = permit.send(value).unwrap_err();
    assert_eq!(count(), 1);
    drop(unsent);
    assert_eq!(count(), 2);
}

#[test]
fn q7_shutdown_hands_all_items_over() {
    let (tx, rx) = queue(2);
    let mut recv = Task::waiting(rx.recv());
    let mut other = Task::waiting(rx.recv());
    let permit = tx.try_reserve().unwrap();
    tx.try_send(1).unwrap();
    assert_eq!(recv.wakes(), 1);
    assert_eq!(tx.shutdown(), [1]);
    assert!(recv.poll().is_pending(), "the permit's item may come yet");
    permit.send(2).unwrap();
    assert_eq!((recv.wakes(), recv.poll()), (2, Ready(Ok(2))), "its turn had come before that of the other");
    assert_eq!((other.wakes(), other.poll()), (1, Ready(Err(RecvError))));
    assert!(rx.shutdown().is_empty());
}

#[test]
fn q7_claims_of_before_a_shutdown_lose_no_later_item() {
    let (tx, rx) = queue(3);
    let mut claims: Vec<_> = (0..2).map(|_| Task::waiting(rx.recv())).collect();
    let permit = tx.try_reserve().unwrap();
    tx.try_send(1).unwrap();
    tx.try_send(2).unwrap();
    assert_eq!(rx.shutdown(), [1, 2]);
    let mut last = Task::waiting(rx.recv());
    permit.send(3).unwrap();
    drop(claims.pop());
    drop(claims.pop());
    assert_eq!((last.wakes(), last.poll()), (1, Ready(Ok(3))));
}
