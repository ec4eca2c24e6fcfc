//! The promises in every kind that keeps items.

use super::*;
use alloc::collections::VecDeque;
use alloc::rc::Rc;

/// An item of which the first thousand are urgent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Item(u32);

impl Ranked for Item {
    type Rank = Lane<2>;

    fn rank(&self) -> Lane<2> {
        if self.0 < 1000 { Lane::at::<0>() } else { Lane::at::<1>() }
    }
}

type Ends<K> = (Sender<Item, K>, Receiver<Item, K>);

/// Calls a generic check with each kind: how a queue of some capacity is made.
macro_rules! in_every_kind {
    ($check:ident) => {
        $check(|capacity| bounded(nz(capacity)));
        $check(|capacity| lifo(nz(capacity)));
        $check(|capacity| priority(nz(capacity)));
        $check(|capacity| lanes::<Item, 2>(nz(capacity)));
    };
}

fn nz(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).unwrap()
}

fn fill<K: Kind<Item>>(tx: &Sender<Item, K>, items: impl IntoIterator<Item = u32>) {
    items.into_iter().for_each(|n| tx.try_send(Item(n)).unwrap());
}

#[test]
fn q1_dropped_futures_lose_no_item() {
    fn check<K: Buffered<Item>>(queue: fn(usize) -> Ends<K>) {
        let (tx, rx) = queue(3);
        let (mut buffer, mut sent) = (Vec::new(), VecDeque::from([Item(7)]));
        let (one, job) = (Task::waiting(rx.recv()), Task::waiting(rx.recv_job()));
        let many = Task::waiting(rx.recv_many(&mut buffer, 5));
        fill(&tx, [1, 2, 3]);
        let send = Task::waiting(tx.send_many(&mut sent));
        assert_eq!((one.wakes(), job.wakes(), many.wakes()), (1, 1, 1));
        drop((one, job, many, send));
        assert_eq!((rx.len(), buffer, sent), (3, Vec::new(), VecDeque::from([Item(7)])));
        let mut all = rx.drain();
        all.sort_by_key(|item| item.0);
        assert_eq!(all, [Item(1), Item(2), Item(3)]);
    }
    in_every_kind!(check);
}

#[test]
fn q2_each_kind_has_its_order_and_equals_come_as_they_were_sent() {
    let sent = [1001, 1, 1002, 2, 3, 1003];
    let order = |items: Vec<Item>| items.into_iter().map(|item| item.0).collect::<Vec<_>>();
    let (tx, rx) = bounded(nz(6));
    fill(&tx, sent);
    assert_eq!(order(rx.drain()), sent);
    let (tx, rx) = lifo(nz(6));
    fill(&tx, sent);
    assert_eq!(order(rx.shutdown()), [1003, 3, 2, 1002, 1, 1001]);
    let (tx, rx) = priority(nz(6));
    fill(&tx, sent);
    assert_eq!(order(rx.shutdown()), [1, 2, 3, 1001, 1002, 1003]);
    let (tx, rx) = lanes(nz(6));
    fill(&tx, sent);
    assert_eq!(order(rx.drain()), [1, 2, 3, 1001, 1002, 1003]);
}

#[test]
fn q2_ranks_of_every_size_and_sign_are_in_order_and_reverse_turns_them_round() {
    fn first_of<R: Rank + Ord + core::fmt::Debug>(mut ranks: Vec<R>) {
        let (tx, rx) = priority(UNBOUNDED);
        ranks.iter().rev().for_each(|&rank| tx.try_send((rank, ())).unwrap());
        ranks.sort();
        let received: Vec<R> = rx.drain().into_iter().map(|(rank, ())| rank).collect();
        assert_eq!(received, ranks);
    }
    first_of(alloc::vec![0_u8, 255, 7]);
    first_of(alloc::vec![i8::MIN, -1, 0, i8::MAX]);
    first_of(alloc::vec![u64::MAX, 0, 1 << 63]);
    first_of(alloc::vec![i64::MIN, -1, 0, 1, i64::MAX]);
    first_of(alloc::vec![Reverse(isize::MIN), Reverse(3), Reverse(isize::MAX)]);
    first_of(alloc::vec![Reverse(Lane::<3>::at::<2>()), Reverse(Lane::at::<0>())]);
}

#[test]
fn q3_capacity_counts_items_grants_and_permits_and_changes() {
    fn check<K: Buffered<Item>>(queue: fn(usize) -> Ends<K>) {
        let (tx, rx) = queue(3);
        fill(&tx, [1]);
        let permit = tx.try_reserve_owned().unwrap();
        fill(&tx, [2]);
        let mut send = Task::waiting(tx.send(Item(3)));
        rx.try_recv().unwrap();
        assert_eq!(send.wakes(), 1);
        assert!(tx.try_send(Item(9)).unwrap_err().is_full(), "an item, a permit, a grant");
        rx.set_capacity(nz(1));
        assert_eq!(send.poll(), Ready(Ok(())), "what was granted stays");
        let mut late = Task::waiting(tx.send(Item(4)));
        permit.send(Item(5)).unwrap();
        assert_eq!((tx.len(), tx.capacity(), rx.drain().len()), (3, 1, 3));
        assert_eq!((late.wakes(), late.poll()), (1, Ready(Ok(()))));
        tx.set_capacity(UNBOUNDED);
        fill(&tx, 6..100);
        assert_eq!((tx.len(), tx.capacity()), (95, usize::MAX));
    }
    in_every_kind!(check);
}

#[test]
fn q3_shrinking_leaves_a_batch_the_slot_that_it_was_granted() {
    fn check<K: Buffered<Item>>(queue: fn(usize) -> Ends<K>) {
        let (tx, rx) = queue(1);
        let mut items = VecDeque::from([Item(1), Item(2), Item(3)]);
        let mut batch = Task::waiting(tx.send_many(&mut items));
        tx.set_capacity(nz(2));
        assert_eq!(batch.wakes(), 1);
        rx.set_capacity(nz(1));
        assert!(batch.poll().is_pending());
        assert_eq!(tx.len(), 2, "what was granted stays");
        drop(batch);
        assert_eq!(items.len(), 1);
    }
    in_every_kind!(check);
}

#[test]
fn q4_whoever_is_dropped_after_being_chosen_passes_the_turn_on() {
    fn check<K: Buffered<Item>>(queue: fn(usize) -> Ends<K>) {
        let (tx, rx) = queue(1);
        let mut buffer = Vec::new();
        let (first, job) = (Task::waiting(rx.recv()), Task::waiting(rx.recv_job()));
        let many = Task::waiting(rx.recv_many(&mut buffer, 2));
        let mut last = Task::waiting(rx.recv());
        fill(&tx, [1]);
        drop(first);
        assert_eq!((job.wakes(), many.wakes()), (1, 0));
        drop(job);
        assert_eq!((many.wakes(), last.wakes()), (1, 0));
        drop(many);
        assert_eq!((last.wakes(), last.poll()), (1, Ready(Ok(Item(1)))));

        fill(&tx, [2]);
        let mut items = VecDeque::from([Item(3), Item(4)]);
        let (send, reserve) = (Task::waiting(tx.send(Item(3))), Task::waiting(tx.reserve_owned()));
        let many = Task::waiting(tx.send_many(&mut items));
        let mut last = Task::waiting(tx.send(Item(5)));
        rx.try_recv().unwrap();
        drop(send);
        drop(reserve);
        assert_eq!((many.wakes(), last.wakes()), (1, 0));
        drop(many);
        assert_eq!((last.wakes(), last.poll()), (1, Ready(Ok(()))));
    }
    in_every_kind!(check);
}

#[test]
fn q5_who_waits_is_served_first_come_first_served_however_urgent_the_items() {
    fn check<K: Buffered<Item>>(queue: fn(usize) -> Ends<K>) {
        let (tx, rx) = queue(1);
        fill(&tx, [1]);
        let mut sends: Vec<_> = [1003, 2, 1001].into_iter().map(|n| Task::waiting(tx.send(Item(n)))).collect();
        for turn in 0..3 {
            rx.try_recv().unwrap();
            assert!(tx.try_send(Item(0)).unwrap_err().is_full(), "the slot is the first sender's");
            assert!(sends.iter().skip(turn + 1).all(|send| send.wakes() == 0));
            assert_eq!((sends[turn].wakes(), sends[turn].poll()), (1, Ready(Ok(()))));
        }
        rx.try_recv().unwrap();
        let mut recvs: Vec<_> = (0..3).map(|_| Task::waiting(rx.recv())).collect();
        for turn in 0..3 {
            fill(&tx, [turn]);
            let turn = turn as usize;
            assert_eq!(rx.try_recv(), Err(TryRecvError::Empty), "the item is the first receiver's");
            assert_eq!((recvs[turn].wakes(), recvs[turn].poll()), (1, Ready(Ok(Item(turn as u32)))));
        }
    }
    in_every_kind!(check);
}

#[test]
fn q6_closing_refuses_sends_honours_permits_and_drains() {
    fn check<K: Buffered<Item>>(queue: fn(usize) -> Ends<K>) {
        let (tx, rx) = queue(2);
        let permit = now(tx.reserve_owned()).unwrap();
        fill(&tx, [1]);
        let mut items = VecDeque::from([Item(3), Item(4)]);
        let mut granted = Task::waiting(tx.send(Item(2)));
        let mut many = Task::waiting(tx.send_many(&mut items));
        let mut reserve = Task::waiting(tx.reserve());
        assert_eq!(rx.try_recv(), Ok(Item(1)));
        tx.close();
        assert_eq!(granted.poll(), Ready(Err(SendError(Item(2)))));
        assert_eq!(many.poll(), Ready(Err(SendError(()))));
        assert!(matches!(reserve.poll(), Ready(Err(SendError(())))));
        drop((many, reserve));
        assert_eq!(items, [Item(3), Item(4)]);
        assert!(tx.force_send(Item(5)).unwrap_err().is_closed());
        assert!(tx.try_send_many(&mut items).unwrap_err().is_closed());
        let mut first = Task::waiting(rx.recv());
        let mut buffer = Vec::new();
        let mut second = Task::waiting(rx.recv_many(&mut buffer, 2));
        permit.send(Item(6)).unwrap();
        assert_eq!((first.poll(), second.poll()), (Ready(Ok(Item(6))), Ready(Err(RecvError))));
        assert!(rx.is_drained());
        assert_eq!(now(rx.recv_job()).unwrap_err(), RecvError);
        assert_eq!(rx.try_recv_many(&mut buffer_of(0), 1), Err(TryRecvError::Closed));
        assert_eq!(rx.drain(), []);
    }
    in_every_kind!(check);
}

fn buffer_of<T>(room: usize) -> Vec<T> {
    Vec::with_capacity(room)
}

#[test]
fn q7_the_last_of_a_side_closes_and_weak_references_do_not_count() {
    fn check<K: Buffered<Item>>(queue: fn(usize) -> Ends<K>) {
        let (tx, rx) = queue(2);
        fill(&tx, [1]);
        let weak = (tx.downgrade(), rx.downgrade());
        let owned = tx.try_reserve_owned().unwrap();
        drop(tx);
        assert!(!rx.is_closed(), "an owned permit holds a sender");
        owned.send(Item(2)).unwrap();
        assert!(rx.is_closed() && weak.0.upgrade().is_none());
        let second = weak.1.upgrade().unwrap();
        drop(rx);
        assert_eq!(second.len(), 2);
        assert_eq!(second.shutdown().len(), 2);
        drop(second);
        assert!(weak.1.upgrade().is_none());

        let (tx, rx) = queue(2);
        fill(&tx, [1]);
        let mut send_more = VecDeque::from([Item(2), Item(3)]);
        let mut many = Task::waiting(tx.send_many(&mut send_more));
        drop(rx);
        assert_eq!(many.poll(), Ready(Err(SendError(()))));
        drop(many);
        assert_eq!((tx.len(), send_more.len(), tx.unfinished()), (0, 1, 0));
    }
    in_every_kind!(check);
}

#[test]
fn q8_a_job_is_unfinished_until_its_guard_is_finished_or_dropped() {
    fn check<K: Buffered<Item>>(queue: fn(usize) -> Ends<K>) {
        let (tx, rx) = queue(4);
        now(tx.join());
        fill(&tx, [1, 2, 3, 4]);
        let mut joins: Vec<_> = (0..40).map(|_| Task::waiting(tx.join())).collect();
        let plain = rx.try_recv().unwrap();
        assert_eq!(tx.unfinished(), 3, "{plain:?} is finished at the hand-over");
        let mut job = now(rx.recv_job()).unwrap();
        let dropped = rx.try_recv_job().unwrap();
        *job = Item(77);
        assert_eq!((*job, rx.len(), rx.unfinished()), (Item(77), 1, 3));
        let panics = rx.try_recv_job().unwrap();
        drop(dropped);
        assert_eq!(job.finish(), Item(77));
        assert_eq!(rx.unfinished(), 1);
        assert!(joins.iter_mut().all(|join| join.wakes() == 0 && join.poll().is_pending()));
        catch_unwind(AssertUnwindSafe(|| {
            let _panics = panics;
            panic!("in a job");
        }))
        .unwrap_err();
        assert!(joins.iter().all(|join| join.wakes() == 1));
        fill(&tx, [5]);
        assert!(joins.iter_mut().all(|join| join.poll().is_ready()), "it was granted");
        let mut join = Task::waiting(rx.join());
        assert_eq!(rx.shutdown(), [Item(5)]);
        assert_eq!((join.wakes(), join.poll()), (1, Ready(())), "what is handed over is finished");
    }
    in_every_kind!(check);
}

#[test]
fn batches_take_what_there_is_and_leave_what_is_granted() {
    fn check<K: Buffered<Item>>(queue: fn(usize) -> Ends<K>) {
        let (tx, rx) = queue(100);
        let mut items: VecDeque<_> = (0..150).map(Item).collect();
        assert_eq!(tx.try_send_many(&mut items), Ok(100));
        assert_eq!((items.len(), tx.try_send_many(&mut items).unwrap_err()), (50, TrySendError::Full(())));
        assert_eq!(tx.try_send_many(&mut VecDeque::new()), Ok(0));
        let mut rest = Task::waiting(tx.send_many(&mut items));
        let mut batch = Vec::new();
        assert_eq!(rx.try_recv_many(&mut batch, 0), Ok(0));
        assert_eq!(now(rx.recv_many(&mut batch, 30)), Ok(30));
        assert_eq!((rest.wakes(), rest.poll()), (1, Pending), "30 of 50 went in");
        assert_eq!(now(rx.recv_many(&mut batch, 1000)), Ok(100));
        assert_eq!((rest.wakes(), rest.poll()), (2, Ready(Ok(()))));
        drop(rest);
        batch.extend(rx.drain());
        batch.sort_by_key(|item| item.0);
        assert!(items.is_empty() && batch.into_iter().eq((0..150).map(Item)));

        let (mut one, mut many) = (Vec::new(), Vec::new());
        let mut granted = Task::waiting(rx.recv_many(&mut one, 9));
        fill(&tx, [1, 2, 3]);
        assert_eq!((rx.try_recv_many(&mut many, 9), rx.drain()), (Ok(2), Vec::new()), "one is granted");
        assert_eq!(granted.poll(), Ready(Ok(1)));
        assert_eq!(now(rx.recv_many(&mut buffer_of(0), 0)), Ok(0));
    }
    in_every_kind!(check);
}

#[test]
fn a_batch_lets_as_many_senders_in_and_wakes_as_many_receivers() {
    fn check<K: Buffered<Item>>(queue: fn(usize) -> Ends<K>) {
        let (tx, rx) = queue(50);
        let mut recvs: Vec<_> = (0..40).map(|_| Task::waiting(rx.recv())).collect();
        assert_eq!(tx.try_send_many(&mut (0..50).map(Item).collect()), Ok(50));
        assert!(recvs.iter().all(|recv| recv.wakes() == 1));
        let mut sends: Vec<_> = (0..60).map(|n| Task::waiting(tx.send(Item(n)))).collect();
        assert_eq!(rx.drain().len(), 10);
        assert_eq!(sends.iter().filter(|send| send.wakes() == 1).count(), 10);
        assert!(recvs.iter_mut().all(|recv| matches!(recv.poll(), Ready(Ok(_)))));
        let polled: Vec<_> = sends.iter_mut().map(|send| (send.wakes(), send.poll())).collect();
        assert_eq!(polled.iter().filter(|polled| **polled == (1, Ready(Ok(())))).count(), 50);
    }
    in_every_kind!(check);
}

#[test]
fn force_send_hands_back_the_oldest_of_those_that_matter_least() {
    let forced = |order: fn(usize) -> Vec<Option<u32>>| order(3);
    fn force<K: Buffered<Item>>(ends: Ends<K>) -> Vec<Option<u32>> {
        let force = |n| ends.0.force_send(Item(n)).unwrap().map(|item: Item| item.0);
        [1001, 1, 1002, 2, 1003, 3, 4].map(force).into()
    }
    let none = [None; 3];
    let after = |rest: [u32; 4]| none.into_iter().chain(rest.map(Some)).collect::<Vec<_>>();
    assert_eq!(forced(|n| force(bounded(nz(n)))), after([1001, 1, 1002, 2]));
    assert_eq!(forced(|n| force(lifo(nz(n)))), after([1001, 1, 1002, 2]));
    // With 1 and 2 there is 1002; then 1003 comes, and of the two the older goes.
    assert_eq!(forced(|n| force(priority(nz(n)))), after([1001, 1002, 1003, 1]));
    assert_eq!(forced(|n| force(lanes::<Item, 2>(nz(n)))), after([1001, 1002, 1003, 1]));
}

#[test]
fn force_send_leaves_grants_and_permits_alone() {
    fn check<K: Buffered<Item>>(queue: fn(usize) -> Ends<K>) {
        let (tx, rx) = queue(1);
        let permit = tx.try_reserve().unwrap();
        assert_eq!(tx.force_send(Item(1)), Err(TrySendError::Full(Item(1))));
        permit.send(Item(2)).unwrap();
        let mut send = Task::waiting(tx.send(Item(3)));
        assert_eq!(tx.force_send(Item(1)), Ok(Some(Item(2))));
        assert_eq!((send.wakes(), rx.try_recv()), (0, Ok(Item(1))));
        assert_eq!(tx.force_send(Item(4)), Err(TrySendError::Full(Item(4))), "the slot is granted");
        assert_eq!(send.poll(), Ready(Ok(())));
        rx.drain();
        let mut recv = Task::waiting(rx.recv());
        assert_eq!(tx.force_send(Item(5)), Ok(None));
        assert_eq!((recv.wakes(), tx.force_send(Item(6))), (1, Ok(Some(Item(5)))));
        assert_eq!(recv.poll(), Ready(Ok(Item(6))), "a grant is a count");
    }
    in_every_kind!(check);
}

/// An item that looks into its queue whenever code of its own runs.
struct Looks(Rc<dyn Fn()>);

impl Ranked for Looks {
    type Rank = Lane<2>;

    fn rank(&self) -> Lane<2> {
        (self.0)();
        Lane::at::<1>()
    }
}

impl Drop for Looks {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[test]
fn q9_ranks_are_asked_and_items_dropped_outside_the_lock() {
    fn check<K: Buffered<Looks> + 'static>((tx, rx): (Sender<Looks, K>, Receiver<Looks, K>)) {
        let into = tx.downgrade();
        let look: Rc<dyn Fn()> = Rc::new(move || assert!(into.upgrade().is_none_or(|tx| tx.len() <= tx.capacity())));
        let looks = || Looks(look.clone());
        assert!(tx.try_send(looks()).is_ok());
        assert!(tx.try_send_many(&mut VecDeque::from([looks()])).is_ok());
        drop(tx.try_send(looks()));
        drop(tx.force_send(looks()));
        drop(rx.try_recv());
        assert!(now(tx.send(looks())).is_ok());
        tx.set_capacity(nz(3));
        assert!(tx.try_reserve().unwrap().send(looks()).is_ok());
        drop(rx);
        assert_eq!(tx.len(), 0);
    }
    check(priority(nz(2)));
    check(lanes(nz(2)));
}
