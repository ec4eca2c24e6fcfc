//! The promises where sends meet receives.

use super::*;
use crate::queue::kind::Rendezvous;

fn pair() -> (Sender<u32, Rendezvous>, Receiver<u32, Rendezvous>) {
    rendezvous()
}

#[test]
fn a_send_is_done_when_a_receiver_has_taken_its_value() {
    let (tx, rx) = pair();
    let mut send = Task::waiting(tx.send(1));
    assert_eq!((tx.len(), tx.capacity(), send.wakes()), (0, 0, 0));
    assert_eq!(rx.try_recv(), Ok(1));
    assert_eq!((send.wakes(), send.poll()), (1, Ready(Ok(()))));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));

    let mut recv = Task::waiting(rx.recv());
    let mut send = Task::waiting(tx.send(2));
    assert_eq!((recv.wakes(), send.wakes(), rx.len()), (1, 0, 0), "the value is the sender's still");
    assert!(send.poll().is_pending());
    assert_eq!(recv.poll(), Ready(Ok(2)));
    assert_eq!((send.wakes(), send.poll()), (1, Ready(Ok(()))));
}

#[test]
fn q1_a_dropped_send_has_sent_nothing_unless_its_value_was_taken() {
    let (tx, rx) = pair();
    let mut recv = Task::waiting(rx.recv());
    drop(Task::waiting(tx.send(1)));
    assert_eq!((recv.wakes(), recv.poll()), (1, Pending), "the offer is gone");
    let send = Task::waiting(tx.send(2));
    assert_eq!((recv.wakes(), recv.poll()), (2, Ready(Ok(2))));
    drop(send);
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty), "taken once");
}

#[test]
fn q1_a_dropped_receive_leaves_the_value_with_its_sender() {
    let (tx, rx) = pair();
    let recv = Task::waiting(rx.recv());
    let mut send = Task::waiting(tx.send(1));
    assert_eq!(recv.wakes(), 1);
    drop(recv);
    assert!(send.poll().is_pending());
    assert_eq!(rx.try_recv(), Ok(1));
}

#[test]
fn try_send_hands_over_to_a_receiver_that_waits_or_to_the_next() {
    let (tx, rx) = pair();
    assert_eq!(tx.try_send(1), Err(TrySendError::Full(1)));
    let first = Task::waiting(rx.recv());
    assert_eq!(tx.try_send(2), Ok(()));
    assert_eq!(tx.try_send(3), Err(TrySendError::Full(3)), "one receiver, one item");
    assert_eq!((first.wakes(), rx.len(), rx.try_recv()), (1, 1, Err(TryRecvError::Empty)));
    let mut second = Task::waiting(rx.recv());
    assert_eq!(tx.try_send(3), Ok(()), "another receiver");
    drop(first);
    assert_eq!((second.wakes(), second.poll(), rx.try_recv()), (1, Ready(Ok(2)), Ok(3)));
    let gone = Task::waiting(rx.recv());
    assert_eq!(tx.try_send(4), Ok(()));
    drop(gone);
    assert_eq!((rx.try_recv(), rx.len()), (Ok(4), 0));
}

#[test]
fn q4_turns_are_passed_on_in_both_lines() {
    let (tx, rx) = pair();
    let first = Task::waiting(rx.recv());
    let mut second = Task::waiting(rx.recv());
    let gone = Task::waiting(tx.send(1));
    let mut stays = Task::waiting(tx.send(2));
    assert_eq!((first.wakes(), second.wakes()), (1, 1));
    drop(gone);
    drop(first);
    assert_eq!(second.poll(), Ready(Ok(2)));
    assert_eq!(stays.poll(), Ready(Ok(())));
}

#[test]
fn q5_a_receiver_whose_offer_is_gone_is_the_first_again() {
    let (tx, rx) = pair();
    let mut first = Task::waiting(rx.recv());
    let mut second = Task::waiting(rx.recv());
    drop(Task::waiting(tx.send(1)));
    assert_eq!((first.wakes(), first.poll()), (1, Pending));
    let _send = Task::waiting(tx.send(2));
    assert_eq!((first.wakes(), second.wakes()), (2, 0));
    assert_eq!((first.poll(), second.poll()), (Ready(Ok(2)), Pending));
}

#[test]
fn q2_q5_senders_and_receivers_are_served_in_order() {
    let (tx, rx) = pair();
    let mut sends: Vec<_> = (0..40).map(|n| Task::waiting(tx.send(n))).collect();
    for n in 0..40 {
        assert_eq!(now(rx.recv()), Ok(n));
        assert!(sends.iter().skip(n as usize + 1).all(|send| send.wakes() == 0));
        assert_eq!(sends[n as usize].poll(), Ready(Ok(())));
    }
    let mut recvs: Vec<_> = (0..40).map(|_| Task::waiting(rx.recv())).collect();
    for (n, recv) in (0..).zip(&mut recvs) {
        let mut send = Task::waiting(tx.send(n));
        assert_eq!((recv.wakes(), recv.poll(), send.poll()), (1, Ready(Ok(n)), Ready(Ok(()))));
    }
}

#[test]
fn q6_closing_gives_values_back_and_ends_receivers() {
    let (tx, rx) = pair();
    let mut sends: Vec<_> = (0..100).map(|n| Task::waiting(tx.send(n))).collect();
    assert_eq!(rx.try_recv(), Ok(0));
    tx.close();
    assert_eq!(sends[0].poll(), Ready(Ok(())), "it was taken before");
    for (n, send) in (0..).zip(&mut sends).skip(1) {
        assert_eq!((send.wakes(), send.poll()), (1, Ready(Err(SendError(n)))));
    }
    assert_eq!((rx.try_recv(), now(rx.recv())), (Err(TryRecvError::Closed), Err(RecvError)));
    assert_eq!(now(tx.send(7)), Err(SendError(7)));

    let (tx, rx) = pair();
    let mut recvs: Vec<_> = (0..100).map(|_| Task::waiting(rx.recv())).collect();
    let mut send = Task::waiting(tx.send(7));
    rx.close();
    assert_eq!(send.poll(), Ready(Err(SendError(7))));
    assert!(recvs.iter_mut().all(|recv| recv.wakes() == 1 && recv.poll() == Ready(Err(RecvError))));
}

#[test]
fn q7_the_last_receiver_gone_gives_values_back() {
    let (tx, rx) = pair();
    let mut send = Task::waiting(tx.send(1));
    drop(rx);
    assert_eq!((send.poll(), tx.try_send(2)), (Ready(Err(SendError(1))), Err(TrySendError::Closed(2))));
    let (tx, rx) = pair();
    let recv = Task::waiting(rx.recv());
    tx.try_send(3).unwrap();
    drop(recv);
    assert_eq!((tx.shutdown(), rx.is_drained()), (alloc::vec![3], true));
}

#[test]
fn q8_jobs_of_a_rendezvous_are_joined() {
    let (tx, rx) = pair();
    let mut send = Task::waiting(tx.send(1));
    now(tx.join());
    let job = now(rx.recv_job()).unwrap();
    let mut join = Task::waiting(tx.join());
    assert_eq!((send.poll(), join.poll()), (Ready(Ok(())), Pending));
    assert_eq!(job.finish(), 1);
    assert_eq!((join.wakes(), join.poll()), (1, Ready(())));
}

#[test]
fn a_batch_takes_from_several_senders() {
    let (tx, rx) = pair();
    let mut sends: Vec<_> = (0..5).map(|n| Task::waiting(tx.send(n))).collect();
    let mut batch = Vec::new();
    assert_eq!((now(rx.recv_many(&mut batch, 3)), rx.try_recv_many(&mut batch, 9)), (Ok(3), Ok(2)));
    assert_eq!(batch, [0, 1, 2, 3, 4]);
    assert!(sends.iter_mut().all(|send| send.poll() == Ready(Ok(()))));
}

#[test]
#[should_panic(expected = "polled after completion")]
fn a_send_polled_after_completion_panics() {
    let (tx, rx) = pair();
    let mut send = Task::waiting(tx.send(1));
    rx.try_recv().unwrap();
    let _ = send.poll();
    let _ = send.poll();
}
