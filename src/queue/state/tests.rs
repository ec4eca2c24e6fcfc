//! How far the numbers go.

use super::super::kind::Fifo;
use super::*;

/// Sets all slots aside, as so many permits do, which would take too long to make.
fn hold_all(held: &mut Held<'_, Room<u8, Fifo>>) -> usize {
    let most = held.state.limit.unsigned_abs();
    held.state.permits += most - 1;
    held.state.limit = 1;
    assert!(matches!(held.hold_slot(false), Found::Done(())));
    assert!(matches!(held.hold_slot(false), Found::Nothing));
    most
}

#[test]
fn a_queue_that_shrinks_below_its_permits_is_open() {
    let queue = queue::<u8, Fifo>(usize::MAX);
    queue.with(|held| {
        let most = hold_all(held);
        for capacity in [usize::MAX / 2, 1, 0] {
            held.resize(capacity);
            assert!(!held.state.is_closed() && !held.may_send(), "{capacity}");
        }
        held.resize(1);
        held.state.permits -= most - 1;
        held.state.limit += isize::try_from(most - 1).unwrap();
        assert!(!held.may_send(), "one is out still");
        let _ = held.waive();
        assert!(held.may_send());
    });
}

#[test]
fn a_closed_queue_to_which_all_permits_come_back_is_closed() {
    let queue = queue::<u8, Fifo>(usize::MAX);
    queue.with(|held| {
        let most = hold_all(held);
        held.close();
        held.resize(usize::MAX);
        assert!(held.state.is_closed() && !held.state.is_done(), "permits are out");
        held.state.permits -= most - 1;
        held.state.limit += isize::try_from(most - 1).unwrap();
        let _ = held.waive();
        assert!(held.state.is_done() && !held.may_send());
    });
}
