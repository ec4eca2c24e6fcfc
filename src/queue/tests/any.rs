//! Several queues at once.

use super::*;

fn pairs<const N: usize>() -> ([Sender<u32>; N], Receivers<u32>) {
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..N).map(|_| queue(4)).unzip();
    (senders.try_into().unwrap(), Receivers::new(receivers))
}

/// Who waits in all lines together.
fn waiting(all: &Receivers<u32>) -> usize {
    (0..all.len()).map(|n| all.get(n).unwrap().queue().with(|held| held.validate())).sum()
}

#[test]
fn queues_that_are_never_empty_have_their_turns_in_rotation() {
    let (senders, mut all) = pairs::<3>();
    for round in 0..20 {
        senders.iter().for_each(|tx| while tx.try_send(round).is_ok() {});
        assert_eq!(now(all.recv()).unwrap().0, round as usize % 3);
    }
    senders[1].close();
    let turns: Vec<usize> = (0..6).map(|_| all.try_recv().unwrap().0).collect();
    assert_eq!(turns, [2, 0, 1, 2, 0, 1]);
}

#[test]
fn q1_one_item_is_taken_and_what_else_was_granted_goes_on() {
    let ([one, two], mut all) = pairs();
    let other = all.get(1).unwrap().clone();
    let mut waits = Task::waiting(all.recv());
    let mut next = Task::waiting(other.recv());
    two.try_send(2).unwrap();
    one.try_send(1).unwrap();
    assert_eq!((waits.wakes(), next.wakes()), (2, 0), "granted by both");
    assert_eq!(waits.poll(), Ready(Ok((0, 1))));
    assert_eq!((next.wakes(), next.poll()), (1, Ready(Ok(2))), "the second grant goes to the next in line");
    drop(waits);
    assert_eq!(waiting(&all), 0);
}

#[test]
fn q4_dropped_it_gives_up_its_places_and_grants() {
    let ([one, two], mut all) = pairs();
    let (rest_one, rest_two) = (all.get(0).unwrap().clone(), all.get(1).unwrap().clone());
    let waits = Task::waiting(all.recv());
    let mut next = Task::waiting(rest_one.recv());
    one.try_send(1).unwrap();
    drop(waits);
    assert_eq!((next.wakes(), next.poll()), (1, Ready(Ok(1))));
    two.try_send(2).unwrap();
    assert_eq!(rest_two.try_recv(), Ok(2), "nobody waits there any more");
    assert_eq!(waiting(&all), 0);
}

#[test]
fn q5_in_each_line_it_is_first_come_first_served() {
    let ([one, _two], mut all) = pairs();
    let other = all.get(0).unwrap().clone();
    let mut first = Task::waiting(other.recv());
    let mut waits = Task::waiting(all.recv());
    one.try_send(1).unwrap();
    assert_eq!((first.wakes(), waits.wakes(), first.poll()), (1, 0, Ready(Ok(1))));
    one.try_send(2).unwrap();
    assert_eq!((waits.wakes(), waits.poll()), (1, Ready(Ok((0, 2)))));
}

#[test]
fn q6_queues_that_are_over_are_passed_by_and_the_last_ends_it() {
    let ([one, two], mut all) = pairs();
    one.try_send(1).unwrap();
    drop(one);
    assert_eq!(now(all.recv()), Ok((0, 1)));
    let mut waits = Task::waiting(all.recv());
    two.try_send(2).unwrap();
    assert_eq!((waits.wakes(), waits.poll()), (1, Ready(Ok((1, 2)))));
    drop(waits);
    assert_eq!(all.try_recv(), Err(TryRecvError::Empty));
    let mut waits = Task::waiting(all.recv());
    drop(two);
    assert_eq!((waits.wakes(), waits.poll()), (1, Ready(Err(RecvError))));
    drop(waits);
    assert_eq!((all.try_recv(), all.is_terminated()), (Err(TryRecvError::Closed), true));
    let mut none = Receivers::<u32>::new([]);
    assert_eq!((none.is_empty(), now(none.recv())), (true, Err(RecvError)));
}

#[test]
fn the_wakers_of_the_last_poll_are_woken_in_every_line() {
    let ([_one, two], mut all) = pairs();
    let mut recv = Box::pin(all.recv());
    let mut wait = |task: &mut Task<core::future::Ready<()>>| {
        assert!(recv.as_mut().poll(&mut Context::from_waker(&task.waker)).is_pending());
    };
    let (mut old, mut new) = (Task::new(core::future::ready(())), Task::new(core::future::ready(())));
    wait(&mut old);
    wait(&mut new);
    two.try_send(1).unwrap();
    assert_eq!((old.wakes(), new.wakes()), (0, 1));
}

#[test]
fn a_set_may_grow_and_is_a_stream_that_keeps_its_places() {
    let ([one, two], mut all) = pairs();
    let (three, rx) = queue(1);
    assert_eq!((all.push(rx), all.len()), (2, 3));
    let mut task = Task::new(core::future::poll_fn(|cx| Pin::new(&mut all).poll_next(cx)));
    assert!(task.poll().is_pending());
    three.try_send(3).unwrap();
    assert_eq!((task.wakes(), task.poll()), (1, Ready(Some(3))));
    assert!(task.poll().is_pending());
    drop(task);
    assert_eq!(waiting(&all), 3);
    one.try_send(1).unwrap();
    assert_eq!(all.get(0).unwrap().try_recv(), Err(TryRecvError::Empty), "it is granted");
    drop((one, two, three));
    let mut task = Task::new(core::future::poll_fn(|cx| Pin::new(&mut all).poll_next(cx)));
    assert_eq!((task.poll(), task.poll()), (Ready(Some(1)), Ready(None)));
}

#[test]
fn a_rendezvous_gives_one_value_and_the_others_stay_with_their_senders() {
    let (tx, rx) = rendezvous();
    let (other, other_rx) = rendezvous();
    let mut all = Receivers::new([rx, other_rx]);
    let mut waits = Task::waiting(all.recv());
    let (mut first, mut second) = (Task::waiting(tx.send(1)), Task::waiting(other.send(2)));
    assert_eq!(waits.poll(), Ready(Ok((0, 1))));
    assert_eq!((first.poll(), second.poll()), (Ready(Ok(())), Pending));
    drop(waits);
    assert_eq!(now(all.recv()), Ok((1, 2)));
}

#[test]
fn what_a_stream_was_granted_is_there_for_its_own_set() {
    let ([one, two], mut all) = pairs();
    let mut task = Task::new(core::future::poll_fn(|cx| Pin::new(&mut all).poll_next(cx)));
    assert!(task.poll().is_pending());
    one.try_send(1).unwrap();
    drop(task);
    assert_eq!(all.try_recv(), Ok((0, 1)));
    let mut task = Task::new(core::future::poll_fn(|cx| Pin::new(&mut all).poll_next(cx)));
    assert!(task.poll().is_pending());
    two.try_send(2).unwrap();
    drop((one, two, task));
    assert_eq!(all.try_recv(), Ok((1, 2)));
    assert_eq!(all.try_recv(), Err(TryRecvError::Closed));
}
