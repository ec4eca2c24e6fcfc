//! A small ring, in every order of threads.

use super::{RecvError, Slow, Subscriber, Topic, TryRecvError};
use crate::sys::model::{Task, model, spawn};
use core::num::NonZeroUsize;
use core::task::Poll;

fn topic() -> Topic<u32> {
    Topic::new(NonZeroUsize::MIN)
}

fn recv(mut reader: Subscriber<u32>) -> Task<(Result<u32, RecvError>, Subscriber<u32>)> {
    Task::new(async move { (reader.recv().await, reader) })
}

fn publish(topic: &Topic<u32>, n: u32) -> Task<Result<usize, super::PublishError<u32>>> {
    let topic = topic.clone();
    Task::new(async move { topic.publish(n).await })
}

#[test]
fn loom_one_that_waits_is_told_of_a_message() {
    model(|| {
        let topic = topic();
        let mut reader = recv(topic.subscribe(Slow::DropOldest));
        let publisher = spawn({
            let topic = topic.clone();
            move || topic.try_publish(7)
        });
        let first = reader.poll();
        assert_eq!(publisher.join().unwrap(), Ok(1));
        let read = match first {
            Poll::Ready(read) => read,
            Poll::Pending => {
                assert!(reader.woken(), "it waited, and there is a message");
                let Poll::Ready(read) = reader.poll() else { panic!("it was woken for nothing") };
                read
            }
        };
        assert_eq!(read.0, Ok(7));
    });
}

#[test]
fn loom_a_publisher_that_waits_goes_on_when_the_last_reader_reads_or_leaves() {
    model(|| {
        let topic = topic();
        let (mut one, other) = (topic.subscribe(Slow::Wait), topic.subscribe(Slow::Wait));
        topic.try_publish(1).unwrap();
        let mut second = publish(&topic, 2);
        let leaving = spawn(move || drop(other));
        let first = second.poll();
        assert_eq!(one.try_recv(), Ok(1));
        leaving.join().unwrap();
        if first.is_pending() {
            assert!(second.woken(), "there is room");
            assert!(second.poll().is_ready());
        }
        assert_eq!((one.try_recv(), one.try_recv()), (Ok(2), Err(TryRecvError::Empty)));
    });
}

#[test]
fn loom_a_message_that_is_read_by_two_is_taken_out_by_the_last() {
    model(|| {
        let topic = topic();
        let (mut one, mut other) = (topic.subscribe(Slow::Wait), topic.subscribe(Slow::Latest));
        topic.try_publish(1).unwrap();
        let reading = spawn(move || (other.try_recv(), other));
        assert_eq!(one.try_recv(), Ok(1));
        // The other one has read the first, or never will.
        assert_eq!(topic.try_publish(2), Ok(2));
        let (first, mut other) = reading.join().unwrap();
        assert!(matches!(first, Ok(1 | 2)), "{first:?}");
        let second = other.try_recv();
        assert_eq!(second, if first == Ok(1) { Ok(2) } else { Err(TryRecvError::Empty) });
        assert_eq!(one.try_recv(), Ok(2));
    });
}

#[test]
fn loom_who_waits_for_the_end_is_told_by_the_last_who_leaves() {
    model(|| {
        let topic = topic();
        let mut reader = topic.subscribe(Slow::Wait);
        let mut drained = Task::new({
            let topic = topic.clone();
            async move { topic.drained().await }
        });
        let closing = spawn({
            let topic = topic.clone();
            move || topic.close()
        });
        let first = drained.poll();
        let told = reader.try_recv();
        drop(reader);
        assert!(closing.join().unwrap());
        assert!(matches!(told, Err(TryRecvError::Empty | TryRecvError::Closed)));
        assert!(first.is_ready() || drained.woken());
    });
}
