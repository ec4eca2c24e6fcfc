//! Checkpoints beside a set of all that is finished.

use super::*;
use crate::sys::mix;
use alloc::collections::BTreeSet;
use alloc::string::ToString;
use alloc::vec::Vec;

#[test]
fn it_says_what_a_set_says_and_holds_no_more_than_the_gaps() {
    for seed in 0..200 {
        let (mut state, mut checkpoint, mut set) = (seed, Checkpoint::new(), BTreeSet::new());
        for _ in 0..100 {
            let index = mix::next(&mut state) % 40;
            assert_eq!(checkpoint.finish(index), set.insert(index));
            assert_eq!(checkpoint.finished(), set.len() as u64);
            assert_eq!(checkpoint.low_water_mark(), (0..).find(|index| !set.contains(index)).unwrap());
            assert!((0..42).all(|index| checkpoint.is_finished(index) == set.contains(&index)));
            let mut end = checkpoint.low_water_mark();
            for range in checkpoint.above() {
                assert!(range.start > end && range.end > range.start, "C1: {checkpoint}");
                end = range.end;
            }
            assert_eq!(checkpoint.to_string().parse(), Ok(checkpoint.clone()));
        }
    }
}

#[test]
fn what_is_not_a_checkpoint_is_refused_with_the_part_that_is_wrong() {
    let number = "is not the number of an item";
    let range = "is neither the number of an item nor a range of two, like 7-9";
    let order = "does not come after what is before it, with a gap";
    let wrong: &[(&str, &str, usize, &str)] = &[
        ("", "", 0, number),
        ("x", "x", 0, number),
        ("-1", "-1", 0, number),
        ("+1", "+1", 0, number),
        ("01", "01", 0, number),
        ("1-2", "1-2", 0, number),
        ("18446744073709551616", "18446744073709551616", 0, number),
        ("3  5", "", 2, range),
        (" 3 x", "x", 3, range),
        ("3 5-", "5-", 2, range),
        ("3 5-5", "5-5", 2, range),
        ("3 7-5", "7-5", 2, range),
        ("3 5-6-7", "5-6-7", 2, range),
        ("3 3", "3", 2, order),
        ("3 2", "2", 2, order),
        ("3 5-6 7", "7", 6, order),
        ("3 5-18446744073709551615", "5-18446744073709551615", 2, range),
        ("18446744073709551615 18446744073709551615", "18446744073709551615", 21, range),
    ];
    for &(text, part, at, what) in wrong {
        let error = text.parse::<Checkpoint>().unwrap_err();
        assert_eq!(error.to_string(), alloc::format!("not a checkpoint: `{part}` at byte {at} {what}"), "{text:?}");
    }
    let largest = "18446744073709551612 18446744073709551614\n".parse::<Checkpoint>().unwrap();
    assert!(largest.is_finished(u64::MAX - 1) && !largest.is_finished(u64::MAX));
    assert_eq!(largest.finished(), u64::MAX - 2);
}

#[test]
fn one_in_which_all_that_can_be_is_finished_can_be_read_again() {
    let mut all: Checkpoint = "18446744073709551613".parse().unwrap();
    assert!(all.finish(u64::MAX - 1) && all.finish(u64::MAX - 2));
    assert_eq!((all.low_water_mark(), all.finished()), (u64::MAX, u64::MAX));
    assert_eq!(all.to_string().parse(), Ok(all));
}

#[test]
fn what_a_resumed_source_gives_is_what_is_not_finished_and_it_knows_how_much() {
    use crate::work::Source;
    use core::task::{Context, Poll, Waker};
    for text in ["0", "3", "3 5 8-9", "0 1", "12", "9 11-400"] {
        let from: Checkpoint = text.parse().unwrap();
        let mut source = resume(0..10_u64, &from);
        let mut expected: Vec<_> = (0..10).filter(|index| !from.is_finished(*index)).collect();
        expected.reverse();
        loop {
            assert_eq!(source.remaining(), Some(expected.len()), "{text}");
            let pulled = source.poll_pull(&mut Context::from_waker(Waker::noop()));
            assert_eq!(pulled, Poll::Ready(expected.pop()), "{text}");
            if pulled == Poll::Ready(None) {
                break;
            }
        }
    }
}
