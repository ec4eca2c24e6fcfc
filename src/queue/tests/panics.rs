//! Wakers that panic: nobody is left asleep, and nothing is lost with the unwinding.

use super::*;
use crate::sys::atomic::AtomicBool;
use crate::sys::waker::hooked::{Act, hooked};
use alloc::collections::VecDeque;

struct Panics;

impl Wake for Panics {
    fn wake(_: &Arc<Self>) {
        panic!("a waker that panics");
    }
}

/// Has `future` wait with a waker that panics.
fn bad<F: Future>(future: F) -> Pin<Box<F>> {
    let mut future = Box::pin(future);
    assert!(future.as_mut().poll(&mut Context::from_waker(&waker(Arc::new(Panics)))).is_pending());
    future
}

#[test]
fn nobody_is_left_asleep() {
    let (tx, rx) = queue::<u8>(1);
    let _bad: Vec<_> = (0..3).map(|_| bad(rx.recv())).collect();
    let mut rest: Vec<_> = (0..100).map(|_| Task::waiting(rx.recv())).collect();
    let _worse: Vec<_> = (0..3).map(|_| bad(rx.recv())).collect();
    catch_unwind(AssertUnwindSafe(|| tx.close())).unwrap_err();
    assert!(rest.iter().all(|recv| recv.wakes() == 1));
    assert!(rest.iter_mut().all(|recv| recv.poll() == Ready(Err(RecvError))));
}

#[test]
fn a_receive_keeps_the_item_that_it_has_taken() {
    let (tx, rx) = queue(1);
    for n in [1, 2, 3] {
        tx.try_send(n).unwrap();
        let sends = bad(tx.send(9));
        let got = match n {
            1 => rx.try_recv(),
            2 => now(rx.recv()).map_err(Into::into),
            _ => now(rx.recv_job()).map(Job::finish).map_err(Into::into),
        };
        assert_eq!(got, Ok(n));
        drop(sends);
    }
    let (tx, rx) = queue(3);
    (1..4).for_each(|n| tx.try_send(n).unwrap());
    let (mut taken, sends) = (Vec::new(), [bad(tx.send(4)), bad(tx.send(5))]);
    assert_eq!(now(rx.recv_many(&mut taken, 2)), Ok(2));
    drop(sends);
    (4..6).for_each(|n| tx.try_send(n).unwrap());
    let _sends = [bad(tx.send(6)), bad(tx.send(7)), bad(tx.send(8))];
    assert_eq!(rx.drain(), [3, 4, 5]);
}

#[test]
fn a_waiting_receive_that_is_granted_keeps_its_item() {
    let (tx, rx) = queue(1);
    let mut recv = Task::waiting(rx.recv());
    tx.try_send(1).unwrap();
    let _send = bad(tx.send(2));
    assert_eq!(recv.poll(), Ready(Ok(1)));
}

#[test]
fn a_rendezvous_keeps_the_value_that_it_has_taken() {
    let (tx, rx) = rendezvous();
    let _send = bad(tx.send(1));
    assert_eq!(rx.try_recv(), Ok(1));
    let mut recv = Task::waiting(rx.recv());
    let _send = bad(tx.send(2));
    assert_eq!(recv.poll(), Ready(Ok(2)));
}

#[test]
fn shutting_down_hands_all_over() {
    let (tx, rx) = queue(2);
    tx.try_send(1).unwrap();
    tx.try_send(2).unwrap();
    let _sends = [bad(tx.send(3)), bad(tx.send(4))];
    assert_eq!(rx.shutdown(), [1, 2]);
    let (tx, rx) = queue(1);
    tx.try_send(1).unwrap();
    let (_joins, _sends) = ([bad(tx.join()), bad(rx.join())], [bad(tx.send(2)), bad(tx.send(3))]);
    assert_eq!(tx.shutdown(), [1]);
}

#[test]
fn dropping_handles_and_futures_does_not_panic() {
    let (tx, rx) = queue(1);
    tx.try_send(1).unwrap();
    let sends = [bad(tx.send(2)), bad(tx.send(3)), bad(tx.send(4))];
    drop(rx);
    drop(sends);
    let (tx, rx) = queue::<u8>(1);
    let recvs = [bad(rx.recv()), bad(rx.recv())];
    drop(tx);
    drop(recvs);
    let (tx, rx) = queue(1);
    let recvs = [Task::waiting(rx.recv()), Task::waiting(rx.recv())];
    tx.try_send(1).unwrap();
    let last = bad(rx.recv());
    drop(recvs);
    drop(last);
    let permit = {
        rx.drain();
        tx.try_reserve().unwrap()
    };
    let send = bad(tx.send(2));
    drop(permit);
    drop(send);
    tx.try_send(3).unwrap();
    let job = rx.try_recv_job().unwrap();
    let _join = bad(tx.join());
    drop(job);
}

#[test]
fn what_a_send_has_sent_is_there() {
    let (tx, rx) = queue(3);
    let recv = bad(rx.recv());
    catch_unwind(AssertUnwindSafe(|| tx.try_send(1))).unwrap_err();
    drop(recv);
    assert_eq!(rx.try_recv(), Ok(1));
    let recvs = [bad(rx.recv()), bad(rx.recv())];
    let mut items = VecDeque::from([1, 2, 3]);
    catch_unwind(AssertUnwindSafe(|| tx.try_send_many(&mut items))).unwrap_err();
    drop(recvs);
    assert_eq!((rx.drain(), items.len()), (alloc::vec![1, 2, 3], 0));
}

#[test]
fn a_waker_whose_drop_panics_leaves_the_queue_whole() {
    let armed = Arc::new(AtomicBool::new(false));
    let arm = armed.clone();
    let bad = hooked(move |act| assert!(act != Act::Drop || !arm.load(Ordering::Relaxed), "dropped"));
    let (tx, rx) = queue(1);
    let mut recv = Box::pin(rx.recv());
    assert!(recv.as_mut().poll(&mut Context::from_waker(&bad)).is_pending());
    armed.store(true, Ordering::Relaxed);
    let mut other = Task::new(core::future::poll_fn(|cx| recv.as_mut().poll(cx)));
    catch_unwind(AssertUnwindSafe(|| other.poll())).unwrap_err();
    tx.try_send(1).unwrap();
    assert_eq!((other.wakes(), other.poll()), (1, Ready(Ok(1))));
    armed.store(false, Ordering::Relaxed);
}

/// An item that can't say how urgent it is.
#[derive(Debug)]
struct Unranked;

impl Ranked for Unranked {
    type Rank = u8;

    fn rank(&self) -> u8 {
        panic!("no rank")
    }
}

#[test]
fn a_rank_that_panics_gives_the_room_of_a_permit_back() {
    let (tx, rx) = priority::<Unranked>(NonZeroUsize::MIN);
    let permit = tx.try_reserve().unwrap();
    catch_unwind(AssertUnwindSafe(|| permit.send(Unranked))).unwrap_err();
    let owned = tx.try_reserve_owned().unwrap();
    catch_unwind(AssertUnwindSafe(|| owned.send(Unranked))).unwrap_err();
    drop(tx.try_reserve().unwrap());
    drop(tx);
    assert_eq!(now(rx.recv()).unwrap_err(), RecvError, "no permit is out");
}
