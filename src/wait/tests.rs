use super::*;
use crate::sys::model::Random;
use crate::sys::waker::hooked::{Act, hooked};
use crate::sys::{Arc, Lock};
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::panic::AssertUnwindSafe;
use core::pin::Pin;
use core::task::Waker;
use std::panic::catch_unwind;

/// Three lines whose waiters bring a number; a grant that is given up goes to the next in its line.
struct Counter;

impl Place for Counter {
    type State = Vec<(u32, Departure)>;
    type Shared = ();
    type Slot = u32;
    type Lines = [Line<u32>; 3];
    const PASSES_ON: bool = true;

    fn left(held: &mut Held<'_, Self>, departure: Departure, slot: &mut u32, batch: &mut Batch) {
        held.state.push((*slot, departure));
        if let Departure::Grant(line) = departure {
            held.grant(line, batch);
        }
    }
}

type Room = Arc<Hall<Counter>>;
type Guest = Pin<Box<Waiter<Counter, Room>>>;

fn room() -> Room {
    Arc::new(Hall::new((), Vec::new(), [const { Line::new() }; 3]))
}

fn guest(room: &Room, number: u32) -> Guest {
    Box::pin(Waiter::new(room.clone(), number))
}

fn join(guest: &Guest, line: usize, waker: Waker) {
    let old = guest.as_ref().with(|seat| seat.join(line, Some(waker)));
    drop(old);
}

fn leave(guest: &Guest) {
    let mut batch = Batch::new();
    let old = guest.as_ref().with(|seat| seat.leave(&mut batch));
    batch.fire();
    drop(old);
}

/// Grants the first `count` of `line`.
fn grant(room: &Room, line: usize, count: usize) {
    let mut left = count;
    room.wake_all(|held, batch| {
        while left > 0 && !batch.is_full() {
            left = if held.grant(line, batch) { left - 1 } else { 0 };
        }
        left > 0
    });
}

fn waiting(room: &Room) -> usize {
    room.with(|held| held.validate())
}

/// Who was woken, in order.
#[derive(Clone)]
struct Log(Arc<Lock<Vec<u32>>>);

impl Log {
    fn new() -> Self {
        Self(Arc::new(Lock::new(Vec::new())))
    }

    fn push(&self, number: u32) {
        self.0.with(|log| log.push(number));
    }

    fn waker(&self, number: u32) -> Waker {
        let log = self.clone();
        hooked(move |act| {
            if act == Act::Wake {
                log.push(number);
            }
        })
    }

    fn take(&self) -> Vec<u32> {
        self.0.with(core::mem::take)
    }
}

#[test]
fn waiters_are_granted_in_the_order_in_which_they_joined() {
    let (room, log) = (room(), Log::new());
    let guests: Vec<Guest> = (0..5).map(|n| guest(&room, n)).collect();
    for n in [3, 0, 4, 1, 2] {
        join(&guests[n as usize], 1, log.waker(n));
    }
    grant(&room, 1, 2);
    assert_eq!(log.take(), [3, 0]);
    assert!(guests[3].is_granted() && !guests[3].is_waiting() && guests[4].is_waiting());
    grant(&room, 1, 9);
    assert_eq!(log.take(), [4, 1, 2]);
    assert!(guests[0].as_ref().with(|seat| seat.accept()), "the grant is there");
    assert!(!guests[0].as_ref().with(|seat| seat.accept()), "and is taken once");
}

#[test]
fn one_that_goes_first_has_the_next_turn_and_the_others_keep_their_order() {
    for before in 0..4 {
        let (room, log) = (room(), Log::new());
        let guests: Vec<Guest> = (0..=before).map(|n| guest(&room, n)).collect();
        (0..=before).for_each(|n| join(&guests[n as usize], 1, log.waker(n)));
        guests[before as usize].as_ref().with(|seat| seat.go_first(1));
        grant(&room, 1, 9);
        assert!(log.take().into_iter().eq([before].into_iter().chain(0..before)));
    }
}

#[test]
fn those_are_dismissed_who_are_named_wherever_they_stand() {
    for gone in 0..1_u32 << 5 {
        let (room, log) = (room(), Log::new());
        let guests: Vec<Guest> = (0..5).map(|n| guest(&room, n)).collect();
        (0..5).for_each(|n| join(&guests[n as usize], 1, log.waker(n)));
        room.wake_all(|held, batch| held.dismiss_where(1, batch, |n| gone >> *n & 1 == 1));
        let leaves = |n: &u32| gone >> n & 1 == 1;
        assert_eq!(log.take(), (0..5).filter(leaves).collect::<Vec<_>>());
        assert!(guests.iter().zip(0..).all(|(guest, n)| !guest.is_granted() && guest.is_waiting() != leaves(&n)));
        assert_eq!(waiting(&room), 5 - gone.count_ones() as usize);
        grant(&room, 1, 5);
        assert_eq!(log.take(), (0..5).filter(|n| !leaves(n)).collect::<Vec<_>>(), "the others are in order");
    }
    let (room, log) = (room(), Log::new());
    let guests: Vec<Guest> = (0..100).map(|n| guest(&room, n)).collect();
    (0..100).for_each(|n| join(&guests[n as usize], 0, log.waker(n)));
    room.wake_all(|held, batch| held.dismiss_where(0, batch, |n| *n % 2 == 1));
    assert_eq!((log.take().len(), waiting(&room)), (50, 50), "in several batches");
}

#[test]
fn waiters_leave_in_any_order() {
    let orders = [[0, 1, 2, 3], [3, 2, 1, 0], [1, 2, 0, 3], [2, 0, 3, 1]];
    for order in orders {
        let room = room();
        let mut guests: Vec<Option<Guest>> = (0..4).map(|n| Some(guest(&room, n))).collect();
        guests.iter().flatten().for_each(|guest| join(guest, 0, Waker::noop().clone()));
        for (gone, n) in order.into_iter().enumerate() {
            assert_eq!(waiting(&room), 4 - gone);
            guests[n] = None;
        }
        assert_eq!(waiting(&room), 0);
        let left: Vec<_> = order.map(|n| (n as u32, Departure::Line(0))).into();
        room.with(|held| assert_eq!(*held.state, left));
    }
}

#[test]
fn lines_agree_with_a_model_of_queues() {
    const GUESTS: usize = 12;
    for seed in 0..200 {
        let mut random = Random(seed);
        let (room, log) = (room(), Log::new());
        let mut guests: Vec<Guest> = (0..GUESTS).map(|n| guest(&room, n as u32)).collect();
        let mut lines = [const { VecDeque::<usize>::new() }; 3];
        let mut granted: [Option<usize>; GUESTS] = [None; GUESTS];
        for step in 0..200 {
            let (n, line) = (random.below(GUESTS), random.below(3));
            let mut woken = Vec::new();
            // The one whose grant is given up passes it on.
            let leave_model =
                |lines: &mut [VecDeque<usize>; 3], granted: &mut [Option<usize>], woken: &mut Vec<u32>| {
                    lines.iter_mut().for_each(|line| line.retain(|&waits| waits != n));
                    if let Some(next) = granted[n].take().and_then(|line| Some((line, lines[line].pop_front()?))) {
                        granted[next.1] = Some(next.0);
                        woken.push(next.1 as u32);
                    }
                };
            match random.below(7) {
                0..=2 => {
                    join(&guests[n], line, log.waker(n as u32));
                    lines.iter_mut().for_each(|line| line.retain(|&waits| waits != n));
                    lines[line].push_back(n);
                    granted[n] = None;
                }
                3 => {
                    grant(&room, line, 1);
                    if let Some(first) = lines[line].pop_front() {
                        granted[first] = Some(line);
                        woken.push(first as u32);
                    }
                }
                4 => {
                    leave(&guests[n]);
                    leave_model(&mut lines, &mut granted, &mut woken);
                }
                5 => {
                    guests[n] = guest(&room, n as u32);
                    leave_model(&mut lines, &mut granted, &mut woken);
                }
                _ => {
                    let to = random.below(3);
                    room.with(|held| held.shift(line, to));
                    if let Some(first) = lines[line].pop_front() {
                        lines[to].push_back(first);
                    }
                }
            }
            assert_eq!(log.take(), woken, "seed {seed}, step {step}");
            let mut seen = [const { Vec::new() }; 3];
            room.with(|held| held.each(|line, slot| seen[line].push(*slot as usize)));
            assert_eq!(seen.map(VecDeque::from), lines, "seed {seed}, step {step}");
            for (n, guest) in guests.iter().enumerate() {
                assert_eq!(guest.is_granted(), granted[n].is_some(), "seed {seed}, step {step}, guest {n}");
            }
        }
    }
}

#[test]
fn more_waiters_than_a_batch_holds_are_woken_in_order() {
    let (room, log) = (room(), Log::new());
    let guests: Vec<Guest> = (0..100).map(|n| guest(&room, n)).collect();
    guests.iter().zip(0..).for_each(|(guest, n)| join(guest, 2, log.waker(n)));
    let mut locked = 0;
    room.wake_all(|held, batch| {
        locked += 1;
        while !batch.is_full() {
            if !held.grant(2, batch) {
                return false;
            }
        }
        true
    });
    assert_eq!(log.take(), (0..100).collect::<Vec<_>>());
    assert_eq!(locked, 4, "the lock is left after each 32");
}

#[test]
fn a_waker_may_enter_the_hall_that_fires_it() {
    let (room, log) = (room(), Log::new());
    let first = guest(&room, 1);
    let second = Arc::new(Lock::new(Some(guest(&room, 2))));
    let third = guest(&room, 3);
    let waker = {
        let (room, log, second) = (room.clone(), log.clone(), second.clone());
        hooked(move |act| {
            if act == Act::Wake {
                log.push(1);
                // Drops another waiter, and grants from inside the wake-up.
                let gone = second.with(Option::take);
                drop(gone);
                grant(&room, 0, 1);
            }
        })
    };
    join(&first, 0, waker);
    let waker = log.waker(2);
    second.with(|second| join(second.as_ref().expect("there"), 0, waker));
    join(&third, 0, log.waker(3));
    grant(&room, 0, 1);
    assert_eq!(log.take(), [1, 3]);
    assert_eq!(waiting(&room), 0);
    room.with(|held| assert_eq!(*held.state, [(2, Departure::Line(0))]));
}

/// W5: each of these would dead-lock if it happened under the lock.
#[test]
fn no_waker_is_cloned_woken_or_dropped_under_the_lock() {
    let (room, acts) = (room(), Arc::new(Lock::new(Vec::new())));
    let waker = {
        let (room, acts) = (room.clone(), acts.clone());
        hooked(move |act| {
            room.with(|held| held.validate());
            acts.with(|acts| acts.push(act));
        })
    };
    let seen = || acts.with(core::mem::take);
    let mut guests: Vec<Guest> = (0..3).map(|n| guest(&room, n)).collect();
    guests.iter().for_each(|guest| join(guest, 0, waker.clone()));
    assert_eq!(seen(), [Act::Clone; 3]);
    let other = waker.clone();
    let old = guests[0].as_ref().with(|seat| seat.set_waker(other));
    assert!(old.is_some_and(|old| old.will_wake(&waker)));
    assert_eq!(seen(), [Act::Clone, Act::Drop]);
    join(&guests[0], 1, waker.clone());
    assert_eq!(seen(), [Act::Clone, Act::Drop], "the old waker is given back");
    grant(&room, 0, 1);
    assert_eq!(seen(), [Act::Wake]);
    leave(&guests[2]);
    assert_eq!(seen(), [Act::Drop]);
    guests.clear();
    assert_eq!(seen(), [Act::Drop], "the one that still waited");
    let last = guest(&room, 9);
    join(&last, 0, waker.clone());
    room.wake(|held, batch| assert!(held.dismiss(0, batch)));
    assert_eq!(seen(), [Act::Clone, Act::Wake]);
    assert!(!last.is_waiting() && !last.is_granted(), "dismissed without a grant");
}

#[test]
fn a_waker_that_panics_does_not_keep_the_others_from_being_woken() {
    let (room, log) = (room(), Log::new());
    let guests: Vec<Guest> = (0..4).map(|n| guest(&room, n)).collect();
    join(&guests[0], 0, log.waker(0));
    join(&guests[1], 0, hooked(|act| assert_ne!(act, Act::Wake, "a waker that panics")));
    join(&guests[2], 0, log.waker(2));
    join(&guests[3], 0, log.waker(3));
    assert!(catch_unwind(AssertUnwindSafe(|| grant(&room, 0, 4))).is_err(), "the panic goes to whoever granted");
    let mut woken = log.take();
    woken.sort_unstable();
    assert_eq!(woken, [0, 2, 3]);
    assert!(guests.iter().all(|guest| guest.is_granted()));
    assert_eq!(waiting(&room), 0);
}

#[test]
fn a_dropped_waiter_passes_its_grant_on() {
    let (room, log) = (room(), Log::new());
    let first = guest(&room, 1);
    let second = guest(&room, 2);
    join(&first, 2, log.waker(1));
    join(&second, 2, log.waker(2));
    grant(&room, 2, 1);
    assert_eq!(log.take(), [1]);
    drop(first);
    assert_eq!(log.take(), [2]);
    assert!(second.is_granted());
    assert!(second.as_ref().with(|seat| seat.accept()));
    drop(second);
    room.with(|held| assert_eq!(*held.state, [(1, Departure::Grant(2))], "a grant that was taken is not passed on"));
}

#[test]
fn a_waiter_can_be_granted_where_it_stands_and_used_again() {
    let room = room();
    let mut guest = guest(&room, 7);
    guest.as_ref().with(|seat| {
        assert_eq!((seat.line(), *seat.slot()), (None, 7));
        seat.grant();
    });
    assert!(guest.is_granted());
    assert!(guest.as_mut().accept() && !guest.is_granted());
    assert!(!guest.as_mut().accept(), "a grant is taken once");
    guest.as_ref().with(|seat| *seat.slot() = 8);
    join(&guest, 1, Waker::noop().clone());
    assert_eq!(room.with(|held| held.first(1).copied()), Some(8));
    assert_eq!(guest.as_ref().with(|seat| seat.line()), Some(1));
    assert!(room.with(|held| held.is_single(1) && held.is_empty(0)));
}

#[test]
fn seen_knows_its_waker() {
    let (one, two) = (hooked(drop), hooked(drop));
    let seen = Seen::of(&one);
    assert!(seen.is(&one) && seen.is(&one.clone()) && !seen.is(&two));
    assert!(!Seen::NONE.is(&one));
}
