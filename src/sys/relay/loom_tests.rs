use super::*;
use crate::sys::cell::Cell;
use crate::sys::model::{model, spawn};
use crate::sys::{Arc, Lock};

/// A number that loom sees being reached, as what is handed on is moved and reached without an atomic operation.
struct Number(Cell<usize>);

// SAFETY: whoever has it has it alone, which is what is tested.
unsafe impl Send for Number {}

impl Number {
    fn add(&mut self, more: usize) -> usize {
        // SAFETY: borrowed alone.
        self.0.writing(|place| unsafe { *place += more });
        // SAFETY: as above.
        self.0.reading(|place| unsafe { *place })
    }
}

type Shared = Arc<(Relay<Number>, Lock<usize>)>;

fn shared() -> Shared {
    Arc::new((Relay::new(Number(Cell::new(0))), Lock::new(0)))
}

/// Adds one to what is there, or to what is left for who has it, of which he sees.
fn add(shared: &Shared) {
    let (relay, left) = &**shared;
    let taken = relay.try_take().or_else(|| {
        left.with(|left| {
            relay.mark(true);
            let taken = relay.take();
            *left += usize::from(taken.is_none());
            taken
        })
    });
    let Some(mut goods) = taken else { return };
    goods.add(1);
    let Err(mut goods) = relay.try_put(goods) else { return };
    left.with(|left| {
        goods.add(core::mem::take(left));
        relay.mark(false);
        relay.put(goods);
    });
}

fn sum(shared: &Shared) -> Option<usize> {
    shared.0.try_take().map(|mut goods| goods.add(0))
}

#[test]
fn loom_who_finds_it_taken_leaves_what_who_has_it_sees() {
    model(|| {
        let shared = shared();
        let others = [(); 2].map(|()| {
            let shared = shared.clone();
            spawn(move || add(&shared))
        });
        add(&shared);
        others.into_iter().for_each(|other| other.join().unwrap());
        assert_eq!(sum(&shared), Some(3));
    });
}

#[test]
fn loom_a_mark_keeps_it_for_those_who_have_the_lock() {
    model(|| {
        let shared = shared();
        let other = spawn({
            let shared = shared.clone();
            move || {
                add(&shared);
                add(&shared);
            }
        });
        let (relay, lock) = &*shared;
        let taken = lock.with(|_| {
            relay.mark(true);
            relay.take()
        });
        if let Some(mut goods) = taken {
            assert!(relay.try_take().is_none() && !relay.is_there());
            goods.add(1);
            let Err(mut goods) = relay.try_put(goods) else { panic!("it is marked") };
            lock.with(|left| {
                goods.add(core::mem::take(left));
                relay.put(goods);
                assert!(relay.is_marked() && relay.is_there());
                relay.mark(false);
            });
        }
        other.join().unwrap();
        assert_eq!(lock.with(|left| *left), 0, "nothing is left there that nobody sees");
        assert!(sum(&shared).is_some_and(|sum| sum == 2 || sum == 3));
    });
}
