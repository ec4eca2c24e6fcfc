//! The workloads, each the same for every contender.

use super::contender::{Contender, Waits};
use super::{CAPACITY, OPERATIONS};
use crate::harness::cpu_ns;
use crate::support::poll_once;
use std::hint::black_box;
use std::pin::pin;
use std::task::Poll;

fn read<C: Contender>(rx: &mut C::Rx, expected: u64) {
    let Poll::Ready(value) = poll_once(pin!(C::recv(rx))) else { panic!("it is there") };
    assert_eq!(black_box(value), expected);
}

pub fn publish_read<C: Contender, const READERS: usize>() -> f64 {
    let (tx, mut readers) = C::new(CAPACITY, READERS);
    cpu_ns(OPERATIONS, || {
        for n in 0..OPERATIONS as u64 {
            C::send(&tx, black_box(n));
            for rx in &mut readers {
                read::<C>(rx, n);
            }
        }
    })
}

pub fn wake<C: Contender, const READERS: usize>() -> f64 {
    let (tx, mut readers) = C::new(CAPACITY, READERS);
    cpu_ns(OPERATIONS, || {
        for n in 0..OPERATIONS as u64 {
            let mut waiting: Vec<_> = readers.iter_mut().map(|rx| Box::pin(C::recv(rx))).collect();
            for recv in &mut waiting {
                assert!(poll_once(recv.as_mut()).is_pending());
            }
            C::send(&tx, black_box(n));
            for mut recv in waiting {
                assert!(black_box(poll_once(recv.as_mut())).is_ready());
            }
        }
    })
}

pub fn burst<C: Contender>() -> f64 {
    let (tx, mut readers) = C::new(CAPACITY, 4);
    cpu_ns(OPERATIONS, || {
        for burst in 0..(OPERATIONS / CAPACITY) as u64 {
            let numbers = burst * CAPACITY as u64..(burst + 1) * CAPACITY as u64;
            numbers.clone().for_each(|n| C::send(&tx, black_box(n)));
            for rx in &mut readers {
                numbers.clone().for_each(|n| read::<C>(rx, n));
            }
        }
    })
}

pub fn displace<C: Contender>() -> f64 {
    let (tx, _readers) = C::new(CAPACITY, 1);
    cpu_ns(OPERATIONS, || {
        for n in 0..OPERATIONS as u64 {
            C::send(&tx, black_box(n));
        }
    })
}

pub fn full<W: Waits>() -> f64 {
    let (tx, mut rx) = W::new(1);
    cpu_ns(OPERATIONS, || {
        assert!(poll_once(pin!(W::send(&tx, 0))).is_ready());
        for n in 1..OPERATIONS as u64 {
            let mut send = pin!(W::send(&tx, black_box(n)));
            assert!(poll_once(send.as_mut()).is_pending());
            assert!(black_box(poll_once(pin!(W::recv(&mut rx)))).is_ready());
            assert!(poll_once(send).is_ready());
        }
    })
}
