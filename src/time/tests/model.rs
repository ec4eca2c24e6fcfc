//! The wheel against a sorted map, with its invariants looked at after every step.

use super::*;
use crate::sys::WHEEL_BITS;
use crate::sys::model::Random;
use crate::time::wheel::Wheel;
use alloc::collections::BTreeMap;

/// T1, T4 and T5, and that the links hold; gives how many wait.
fn check(wheel: &Wheel) -> usize {
    let slots = 1 << WHEEL_BITS;
    wheel.with(|held| {
        let reached = held.state.reached;
        let mut firsts = BTreeMap::<usize, u64>::new();
        let mut count = 0;
        held.each(|line, &at| {
            count += 1;
            let first = firsts.entry(line).or_insert(at);
            *first = at.min(*first);
            if at <= reached {
                assert_eq!(line, held.state.lines() - 1, "T1: what is due is in the last line");
            } else {
                let level = (63 - (at ^ reached).leading_zeros()) / WHEEL_BITS;
                let slot = (at >> (level * WHEEL_BITS)) as usize % slots;
                assert_eq!(line, level as usize * slots + slot, "T1: {at} seen from {reached}");
            }
        });
        for line in 0..held.state.lines() - 1 {
            assert_eq!(held.state.is_marked(line), !held.is_empty(line), "T4: line {line}");
        }
        for (line, first) in firsts {
            assert!(line == held.state.lines() - 1 || held.state.earliest(line) <= first, "T5: line {line}");
        }
        assert_eq!(held.state.pending(), count);
        count
    })
}

/// A deadline some way ahead of `now`, with distances of all sizes alike, often enough shared.
fn deadline(random: &mut Random, now: u64) -> u64 {
    let distance = random.next() >> random.below(64);
    match random.below(8) {
        0 => u64::MAX,
        1 => u64::MAX - 1,
        2 => now.saturating_sub(distance),
        3 => now.saturating_add(distance) | 0xff,
        _ => now.saturating_add(distance),
    }
}

#[test]
fn the_wheel_agrees_with_a_sorted_map() {
    const SLEEPS: usize = 60;
    for seed in 0..150 {
        let mut random = Random(seed);
        let start = if seed % 2 == 0 { 0 } else { random.next() >> random.below(64) };
        let clock = ManualClock::at(at(start));
        let (time, log) = (clock.time(), Log::new(&clock.time()));
        let mut sleeps: Vec<Pinned> = (0..SLEEPS).map(|_| sleep(&time, 0)).collect();
        // Who waits, by deadline and registration, and the key of each.
        let mut waits = BTreeMap::<(u64, usize), usize>::new();
        let mut keys: Vec<Option<(u64, usize)>> = [None; SLEEPS].into();
        for step in 0..300 {
            let now = time.now().as_nanos();
            let n = random.below(SLEEPS);
            let mut expected = Vec::new();
            match random.below(10) {
                0..=3 => {
                    let to = deadline(&mut random, now);
                    let waited = keys[n].take().map(|key| waits.remove(&key)).is_some();
                    sleeps[n].as_mut().reset(at(to));
                    if waited && to <= now {
                        expected.push((now, n));
                    }
                    if !waited || to == u64::MAX {
                        assert_eq!(poll_with(&mut sleeps[n], &log.waker(n)), to <= now && to != u64::MAX);
                    }
                    if to > now && to != u64::MAX {
                        keys[n] = Some((to, step));
                        waits.insert((to, step), n);
                    }
                }
                4 => {
                    sleeps[n] = sleep(&time, 0);
                    keys[n].take().map(|key| waits.remove(&key));
                }
                5 => drop(poll_with(&mut sleeps[n], &log.waker(n))),
                kind => {
                    let to = match (kind, waits.first_key_value()) {
                        (6 | 7, Some((&(first, _), _))) => first - random.below(2) as u64,
                        _ => now.saturating_add(random.next() >> (8 + random.below(56))).min(u64::MAX - 1),
                    };
                    let jump = random.below(3) == 0;
                    if jump {
                        clock.jump_to(at(to))
                    } else {
                        clock.advance_to(at(to))
                    }
                    let later = waits.split_off(&(to.saturating_add(1), 0));
                    for ((due, _), n) in core::mem::replace(&mut waits, later) {
                        expected.push((if jump { to.max(now) } else { due }, n));
                        keys[n] = None;
                    }
                }
            }
            assert_eq!(log.take(), expected, "seed {seed}, step {step}");
            assert_eq!(check(time.wheel()), waits.len(), "seed {seed}, step {step}");
            let first = waits.first_key_value().map_or(u64::MAX, |(&(first, _), _)| first);
            assert_eq!(time.earliest().as_nanos(), first, "seed {seed}, step {step}");
            let next = time.next().as_nanos();
            assert!(next <= first, "seed {seed}, step {step}: {next} is later than {first}");
            assert!(next == u64::MAX || next > time.now().as_nanos(), "nothing is due");
            assert_eq!(next == u64::MAX, waits.is_empty());
        }
    }
}
