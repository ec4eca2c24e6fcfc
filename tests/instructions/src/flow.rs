//! Topics whose subscribers keep up.

use crate::TIMES;
use std::future::Future;
use std::hint::black_box;
use std::num::NonZeroUsize;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use wakeful::flow::topic::{Slow, Topic};

/// A message is published, and each of so many subscribers reads it.
#[inline(always)]
fn published(subscribers: usize) {
    let topic = Topic::new(NonZeroUsize::new(64).unwrap());
    let mut readers: Vec<_> = (0..subscribers).map(|_| topic.subscribe(Slow::DropOldest)).collect();
    let mut cx = Context::from_waker(Waker::noop());
    for n in 0..TIMES {
        topic.try_publish(black_box(n)).unwrap();
        for reader in &mut readers {
            assert_eq!(pin!(reader.recv()).poll(&mut cx), Poll::Ready(Ok(n)));
        }
    }
}

/// One subscriber.
#[inline(never)]
pub fn publish_read_1() {
    published(1);
}

/// Eight subscribers, of whom seven clone the message.
#[inline(never)]
pub fn publish_read_8() {
    published(8);
}
