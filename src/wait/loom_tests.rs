use super::*;
use crate::sys::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::sys::model::{Meeting, model, spawn};
use crate::sys::waker::hooked::{Act, hooked};
use crate::sys::{Arc, OnceArc};
use alloc::boxed::Box;
use core::pin::Pin;
use core::task::Waker;

/// One line whose waiters want one permit each; the state counts the permits that nobody has.
struct Permits;

impl Place for Permits {
    type State = usize;
    type Shared = ();
    type Slot = ();
    type Lines = [Line<()>; 1];
    const PASSES_ON: bool = true;

    fn left(held: &mut Held<'_, Self>, departure: Departure, (): &mut (), batch: &mut Batch) {
        if matches!(departure, Departure::Grant(_)) && !held.grant(0, batch) {
            *held.state += 1;
        }
    }
}

type Room = Arc<Hall<Permits>>;
type Guest = Pin<Box<Waiter<Permits, Room>>>;

fn room() -> Room {
    Arc::new(Hall::new((), 0, [Line::new()]))
}

/// Takes a permit, or joins the line.
fn acquire(guest: &Guest, waker: Waker) -> bool {
    let (got, old) = guest.as_ref().with(|seat| {
        if seat.accept() {
            return (true, Some(waker));
        }
        match seat.held.state.checked_sub(1) {
            Some(left) if !seat.is_waiting() => {
                *seat.held.state = left;
                (true, Some(waker))
            }
            _ => (false, seat.join(0, Some(waker))),
        }
    });
    drop(old);
    got
}

fn release(room: &Room) {
    room.wake(|held, batch| {
        if !held.grant(0, batch) {
            *held.state += 1;
        }
    });
}

struct Flag(Arc<AtomicBool>);

impl Flag {
    fn new() -> Self {
        Self(Arc::new(AtomicBool::new(false)))
    }

    fn waker(&self) -> Waker {
        let flag = self.0.clone();
        // Release: partner of the load in `woken`.
        hooked(move |act| {
            if act == Act::Wake {
                flag.store(true, Ordering::Release);
            }
        })
    }

    fn woken(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

#[test]
fn loom_a_join_that_races_with_a_grant_loses_no_wake_up() {
    model(|| {
        let (room, flag) = (room(), Flag::new());
        let granter = spawn({
            let room = room.clone();
            move || release(&room)
        });
        let guest = Box::pin(Waiter::new(room.clone(), ()));
        let got = acquire(&guest, flag.waker());
        let granted = guest.is_granted();
        granter.join().unwrap();
        assert!(got || flag.woken(), "it has the permit or is woken for it");
        assert!(got || guest.as_ref().with(|seat| seat.accept()));
        assert!(!granted || !got);
        drop(guest);
        room.with(|held| assert_eq!((*held.state, held.validate()), (0, 0)));
    });
}

#[test]
fn loom_a_drop_that_races_with_a_grant_passes_it_on() {
    model(|| {
        let (room, flag) = (room(), Flag::new());
        let first: Guest = Box::pin(Waiter::new(room.clone(), ()));
        let second: Guest = Box::pin(Waiter::new(room.clone(), ()));
        assert!(!acquire(&first, Waker::noop().clone()));
        assert!(!acquire(&second, flag.waker()));
        let granter = spawn({
            let room = room.clone();
            move || release(&room)
        });
        drop(first);
        granter.join().unwrap();
        assert!(second.is_granted() && flag.woken(), "one permit, and the one who is left has it");
        drop(second);
        room.with(|held| assert_eq!((*held.state, held.validate()), (1, 0), "and gives it back"));
    });
}

#[test]
fn loom_two_grants_reach_two_waiters_while_a_third_leaves() {
    model(|| {
        let room = room();
        let flags = [Flag::new(), Flag::new()];
        let leaver: Guest = Box::pin(Waiter::new(room.clone(), ()));
        let stay = [Box::pin(Waiter::new(room.clone(), ())), Box::pin(Waiter::new(room.clone(), ()))];
        assert!(!acquire(&stay[0], flags[0].waker()));
        assert!(!acquire(&leaver, Waker::noop().clone()));
        assert!(!acquire(&stay[1], flags[1].waker()));
        let granters = [room.clone(), room.clone()].map(|room| spawn(move || release(&room)));
        drop(leaver);
        granters.into_iter().for_each(|granter| granter.join().unwrap());
        assert!(stay.iter().all(|guest| guest.is_granted()) && flags.iter().all(Flag::woken));
        drop(stay);
        room.with(|held| assert_eq!((*held.state, held.validate()), (2, 0)));
    });
}

/// One line of waiters who leave nothing that anybody else wants.
struct News;

impl Place for News {
    type State = ();
    type Shared = ();
    type Slot = ();
    type Lines = [Line<()>; 1];
    const PASSES_ON: bool = false;

    fn left(_: &mut Held<'_, Self>, _: Departure, (): &mut (), _: &mut Batch) {}
}

#[test]
fn loom_a_waiter_that_is_parted_with_is_there_until_that_is_over() {
    model(|| {
        let hall = Arc::new(Hall::<News>::new((), (), [Line::new()]));
        let guest = Box::pin(Waiter::new(hall.clone(), ()));
        let none = guest.as_ref().with(|seat| seat.join(0, None));
        assert!(none.is_none());
        let gone = Arc::new(AtomicBool::new(false));
        let host = spawn({
            let gone = gone.clone();
            move || hall.with(|held| held.part(0, |()| [0; 3].map(|_| gone.load(Ordering::Relaxed))))
        });
        drop(guest);
        gone.store(true, Ordering::Relaxed);
        let seen = host.join().unwrap();
        assert!(seen.is_none_or(|seen| seen == [false; 3]), "its memory is gone while it is being used");
    });
}

#[test]
fn loom_who_finds_its_grant_without_the_lock_sees_what_was_done_before_and_may_go() {
    model(|| {
        let room = Arc::new(Hall::<News>::new((), (), [Line::new()]));
        let (done, meeting) = (Arc::new(AtomicBool::new(false)), Meeting::new());
        let guest = Box::pin(Waiter::new(room.clone(), ()));
        drop(guest.as_ref().with(|seat| seat.join(0, Some(Waker::noop().clone()))));
        let granter = spawn({
            let (room, done, meeting) = (room.clone(), done.clone(), meeting.clone());
            move || {
                done.store(true, Ordering::Relaxed);
                assert!(room.wake(|held, batch| held.grant(0, batch)));
                meeting.over();
                room
            }
        });
        meeting.begin();
        if guest.is_granted() {
            assert!(done.load(Ordering::Relaxed));
            drop(guest);
        }
        drop(granter.join().unwrap());
    });
}

#[test]
fn loom_of_two_that_fill_a_slot_one_wins_and_both_see_it() {
    struct Counted(usize, Arc<AtomicUsize>);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.1.fetch_add(1, Ordering::Relaxed);
        }
    }
    model(|| {
        let dropped = Arc::new(AtomicUsize::new(0));
        let slot = Arc::new(OnceArc::new());
        let fill = |value: usize| {
            let (slot, dropped) = (slot.clone(), dropped.clone());
            move || slot.get_or_init(|| Arc::new(Counted(value, dropped))).0
        };
        let other = spawn(fill(1));
        let seen = slot.get().map(|counted| counted.0);
        let mine = fill(2)();
        let theirs = other.join().unwrap();
        assert_eq!(mine, theirs);
        assert!(seen.is_none_or(|seen| seen == mine), "what was seen stays");
        assert_eq!(slot.get().map(|counted| counted.0), Some(mine));
        let losers = dropped.load(Ordering::Relaxed);
        assert!(losers <= 1);
        drop(slot);
        assert_eq!(dropped.load(Ordering::Relaxed), losers + 1, "the slot owned one count, and gave it up once");
    });
}
