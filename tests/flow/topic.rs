//! Publish and subscribe: each subscriber sees what its policy promises.

use crate::ms;
use futures::{FutureExt, StreamExt};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use wakeful::flow::topic::{Missed, PublishError, RecvError, Slow, Subscriber, Topic, TryPublishError, TryRecvError};
use wakeful::sim::{self, Builder, Sim};

fn topic<T>(capacity: usize) -> Topic<T> {
    Topic::new(NonZeroUsize::new(capacity).unwrap())
}

#[test]
fn one_that_waits_holds_publishers_back_and_misses_nothing() {
    let topic = topic(3);
    let mut slow = topic.subscribe(Slow::Wait);
    let mut fast = topic.subscribe(Slow::Wait);
    for n in 0..3 {
        assert_eq!(topic.try_publish(n), Ok(2));
        assert_eq!(fast.try_recv(), Ok(n));
    }
    assert_eq!(topic.try_publish(3), Err(TryPublishError::Full(3)));
    let mut publishes = [3, 4, 5].map(|n| Box::pin(topic.publish(n)));
    assert!(publishes.iter_mut().all(|publish| publish.now_or_never().is_none()));
    assert_eq!(fast.try_recv(), Err(TryRecvError::Empty));
    // Room for one: it is published there and then, and nobody overtakes those who wait.
    assert_eq!(slow.try_recv(), Ok(0));
    assert_eq!((fast.try_recv(), fast.try_recv()), (Ok(3), Err(TryRecvError::Empty)));
    assert_eq!(topic.try_publish(6), Err(TryPublishError::Full(6)));
    assert_eq!(publishes[0].as_mut().now_or_never(), Some(Ok(2)));
    assert_eq!(publishes[1].as_mut().now_or_never(), None);
    // One that is dropped is not published, and the next moves up.
    publishes[1].set(topic.publish(7));
    assert_eq!((slow.try_recv(), slow.try_recv()), (Ok(1), Ok(2)));
    assert_eq!(publishes[2].as_mut().now_or_never(), Some(Ok(2)));
    assert_eq!([(); 3].map(|()| slow.try_recv()), [Ok(3), Ok(5), Err(TryRecvError::Empty)]);
}

#[test]
fn one_that_drops_the_oldest_is_told_how_many_it_missed() {
    for (capacity, missed) in [(1, 4), (2, 3), (3, 2), (4, 1)] {
        let topic = topic(capacity);
        let mut reader = topic.subscribe(Slow::DropOldest);
        for n in 0..5 {
            assert_eq!(topic.try_publish(n), Ok(1));
        }
        assert_eq!(reader.try_recv(), Err(TryRecvError::Missed(missed)));
        for n in missed..5 {
            assert_eq!(reader.try_recv(), Ok(n));
        }
        assert_eq!(reader.try_recv(), Err(TryRecvError::Empty));
    }
}

#[test]
fn one_that_reads_the_latest_gets_each_at_most_once_and_no_other() {
    let topic = topic(8);
    let mut reader = topic.subscribe(Slow::Latest);
    assert_eq!(reader.try_recv(), Err(TryRecvError::Empty));
    for n in 0..5 {
        topic.try_publish(n).unwrap();
    }
    assert_eq!((reader.try_recv(), reader.try_recv()), (Ok(4), Err(TryRecvError::Empty)));
    topic.try_publish(5).unwrap();
    topic.close();
    assert_eq!((reader.try_recv(), reader.try_recv()), (Ok(5), Err(TryRecvError::Closed)));
}

#[test]
fn closing_gives_waiting_messages_back_and_lets_subscribers_read_what_is_there() {
    sim::check(|sim| async move {
        let topic = topic(1);
        let reader = topic.subscribe(Slow::Wait);
        let mut stream = Box::pin(reader.into_stream());
        topic.publish(1).await.unwrap();
        let mut waiting = Box::pin(topic.publish(2));
        assert!(waiting.as_mut().now_or_never().is_none());
        assert!(topic.close() && !topic.close());
        assert_eq!(waiting.await, Err(PublishError(2)));
        assert_eq!(topic.publish(3).await, Err(PublishError(3)));
        let drained = sim.spawn("drained", {
            let topic = topic.clone();
            async move { topic.drained().await }
        });
        assert_eq!(stream.next().await, Some(Ok(1)));
        assert!(!drained.is_finished());
        assert_eq!(stream.next().await, None);
        drained.await;
        assert_eq!(stream.next().await, None);
    });
}

#[test]
fn a_stream_says_what_was_missed_and_goes_on() {
    sim::run(|_| async move {
        let topic = topic(2);
        let stream = topic.subscribe(Slow::DropOldest).into_stream();
        for n in 0..4 {
            topic.publish(n).await.unwrap();
        }
        drop(topic);
        assert_eq!(stream.collect::<Vec<_>>().await, [Err(Missed(2)), Ok(2), Ok(3)]);
    });
}

/// Counts how many of it there are, and looks at its topic whenever it is cloned or dropped.
struct Reentrant {
    alive: Arc<AtomicUsize>,
    home: Arc<Mutex<Option<Topic<Reentrant>>>>,
}

impl Reentrant {
    fn new(alive: &Arc<AtomicUsize>, home: &Arc<Mutex<Option<Topic<Self>>>>) -> Self {
        alive.fetch_add(1, Ordering::Relaxed);
        Self { alive: alive.clone(), home: home.clone() }
    }

    fn look(&self) {
        if let Some(topic) = &*self.home.lock().unwrap() {
            // It would wait for ever if the lock were held.
            assert!(topic.subscribers() < 9);
        }
    }
}

impl Clone for Reentrant {
    fn clone(&self) -> Self {
        self.look();
        Self::new(&self.alive, &self.home)
    }
}

impl Drop for Reentrant {
    fn drop(&mut self) {
        self.look();
        self.alive.fetch_sub(1, Ordering::Relaxed);
    }
}

#[test]
fn messages_are_cloned_and_dropped_where_the_lock_is_free_and_as_soon_as_nobody_reads_them() {
    let (alive, home) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(None)));
    let count = || alive.load(Ordering::Relaxed);
    let topic = topic(4);
    *home.lock().unwrap() = Some(topic.clone());
    let publish = || topic.try_publish(Reentrant::new(&alive, &home)).ok().unwrap();

    assert_eq!((publish(), count()), (0, 0), "nobody reads it");
    let mut each = topic.subscribe(Slow::DropOldest);
    let mut latest = topic.subscribe(Slow::Latest);
    assert_eq!((publish(), count()), (2, 1));
    drop(each.try_recv().ok().unwrap());
    assert_eq!(count(), 1, "the latest is still to be read");
    publish();
    assert_eq!(count(), 1, "the one before is not the latest any more");
    drop(latest.try_recv().ok().unwrap());
    assert_eq!(count(), 1);
    drop(each.try_recv().ok().unwrap());
    assert_eq!(count(), 0);
    for _ in 0..9 {
        publish();
    }
    assert_eq!(count(), 4, "what is displaced is dropped");
    drop(each);
    assert_eq!(count(), 1);
    drop(latest);
    assert_eq!(count(), 0);

    // A shared message outlives what displaces it.
    let mut readers = [Slow::Wait, Slow::DropOldest].map(|slow| topic.subscribe(slow));
    publish();
    let kept = readers[0].try_recv().ok().unwrap();
    (0..4).for_each(|_| {
        publish();
        readers[0].try_recv().ok().unwrap();
    });
    assert_eq!(count(), 5);
    drop((kept, readers));
    assert_eq!(count(), 0);
    *home.lock().unwrap() = None;
}

/// A message of the simulation.
struct Message {
    publisher: usize,
    n: usize,
    alive: Arc<AtomicUsize>,
}

impl Message {
    fn new(publisher: usize, n: usize, alive: &Arc<AtomicUsize>) -> Self {
        alive.fetch_add(1, Ordering::Relaxed);
        Self { publisher, n, alive: alive.clone() }
    }
}

impl Clone for Message {
    fn clone(&self) -> Self {
        Self::new(self.publisher, self.n, &self.alive)
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::Relaxed);
    }
}

type Id = (usize, usize);

/// What a subscriber has seen: messages, and how many were missed in between; and whether it read to the end.
type Seen = (Slow, Vec<Result<Id, u64>>, bool);

const POLICIES: [Slow; 3] = [Slow::Wait, Slow::DropOldest, Slow::Latest];

/// Reads until the end, or until it has had enough, as slowly as it likes; recvs are dropped now and then.
async fn subscriber(sim: Sim, mut reader: Subscriber<Message>, enough: usize, speed: usize) -> Seen {
    let (mut seen, slow) = (Vec::new(), reader.slow());
    while seen.len() < enough {
        if sim.choose(4) == 0 {
            // Given up at its first poll, unless there is one.
            match reader.recv().now_or_never() {
                Some(Ok(message)) => seen.push(Ok((message.publisher, message.n))),
                Some(Err(RecvError::Missed(missed))) => seen.push(Err(missed)),
                Some(Err(RecvError::Closed)) => return (slow, seen, true),
                None => sim.yield_now().await,
            }
            continue;
        }
        match reader.recv().await {
            Ok(message) => seen.push(Ok((message.publisher, message.n))),
            Err(RecvError::Missed(missed)) => seen.push(Err(missed)),
            Err(RecvError::Closed) => return (slow, seen, true),
        }
        if speed > 0 && sim.choose(2) == 0 {
            sim.time().sleep(ms(sim.choose(speed) as u64)).await;
        }
    }
    (slow, seen, false)
}

/// Publishes so many, and tells which were, and which may have been.
async fn publisher(sim: Sim, topic: Topic<Message>, me: usize, alive: Arc<AtomicUsize>) -> (Vec<Id>, Vec<Id>) {
    let (mut sure, mut maybe) = (Vec::new(), Vec::new());
    for n in 0..6 + sim.choose(6) {
        let id = (me, n);
        let publish = topic.publish(Message::new(me, n, &alive));
        match sim.choose(6) {
            0 => {
                let cut = futures::future::select(Box::pin(publish), Box::pin(sim.time().sleep(ms(2)))).await;
                match cut {
                    futures::future::Either::Left((Ok(_), _)) => sure.push(id),
                    futures::future::Either::Left((Err(_), _)) => return (sure, maybe),
                    futures::future::Either::Right(_) => maybe.push(id),
                }
            }
            _ => match publish.await {
                Ok(_) => sure.push(id),
                Err(PublishError(message)) => {
                    assert_eq!((message.publisher, message.n), id, "it is handed back");
                    return (sure, maybe);
                }
            },
        }
        if sim.choose(3) == 0 {
            sim.time().sleep(ms(sim.choose(3) as u64)).await;
        }
    }
    (sure, maybe)
}

/// Holds what a subscriber has seen against the order of all messages.
fn hold_against(order: &[Id], (slow, seen, to_the_end): &Seen, from_start: bool) {
    let index = |id: &Id| order.iter().position(|other| other == id).expect("it was published");
    let mut at = if from_start { Some(0) } else { None };
    for (n, read) in seen.iter().enumerate() {
        match (read, slow) {
            (Ok(id), Slow::Latest) => {
                assert!(at.is_none_or(|at| index(id) >= at), "back in time");
                at = Some(index(id) + 1);
            }
            (Ok(id), _) => {
                assert!(at.is_none_or(|at| index(id) == at), "{slow:?} saw {id:?} at {at:?} of {order:?}");
                at = Some(index(id) + 1);
            }
            (Err(missed), Slow::DropOldest) => {
                assert!(*missed > 0 && !matches!(seen.get(n + 1), Some(Err(0))));
                at = at.map(|at| at + *missed as usize);
            }
            (Err(missed), _) => panic!("{slow:?} missed {missed}"),
        }
    }
    if *to_the_end {
        assert!(at.is_none_or(|at| at == order.len()), "{slow:?} ended at {at:?} of {}", order.len());
    }
}

async fn much(sim: Sim) {
    let alive = Arc::new(AtomicUsize::new(0));
    let topic = topic::<Message>(1 + sim.choose(5));
    let recorder = sim.spawn("recorder", subscriber(sim.clone(), topic.subscribe(Slow::Wait), usize::MAX, 0));
    let mut early = Vec::new();
    for _ in 0..1 + sim.choose(4) {
        let enough = if sim.choose(3) == 0 { sim.choose(8) } else { usize::MAX };
        let reader = topic.subscribe(POLICIES[sim.choose(3)]);
        early.push(sim.spawn("subscriber", subscriber(sim.clone(), reader, enough, sim.choose(4))));
    }
    let publishers: Vec<_> = (0..1 + sim.choose(3))
        .map(|me| sim.spawn("publisher", publisher(sim.clone(), topic.clone(), me, alive.clone())))
        .collect();
    let mut late = Vec::new();
    for _ in 0..sim.choose(3) {
        sim.time().sleep(ms(sim.choose(6) as u64)).await;
        let reader = topic.subscribe(POLICIES[sim.choose(3)]);
        late.push(sim.spawn("late", subscriber(sim.clone(), reader, usize::MAX, sim.choose(4))));
    }
    if sim.choose(4) == 0 {
        sim.time().sleep(ms(sim.choose(12) as u64)).await;
        topic.close();
    }
    let (mut sure, mut maybe) = (Vec::new(), Vec::new());
    for publisher in publishers {
        let (published, perhaps) = publisher.await;
        assert!(published.is_sorted());
        sure.extend(published);
        maybe.extend(perhaps);
    }
    topic.close();
    topic.drained().await;

    let recorded = recorder.await;
    let order: Vec<Id> = recorded.1.iter().map(|read| read.expect("it misses nothing")).collect();
    for (n, id) in order.iter().enumerate() {
        assert!(!order[..n].contains(id), "{id:?} twice");
        assert!(!order[n..].iter().any(|later| later.0 == id.0 && later.1 < id.1), "{order:?}: not in its order");
        assert!(sure.contains(id) || maybe.contains(id), "{id:?} was refused");
    }
    assert!(sure.iter().all(|id| order.contains(id)), "{sure:?} of {order:?}");
    for subscriber in early {
        hold_against(&order, &subscriber.await, true);
    }
    for subscriber in late {
        hold_against(&order, &subscriber.await, false);
    }
    assert_eq!(alive.load(Ordering::Relaxed), 0, "all are gone");
    assert_eq!((topic.subscribers(), sim.time().pending()), (0, 0));
}

#[test]
fn each_subscriber_sees_what_its_policy_promises_under_every_schedule() {
    let summary = Builder::new().runs(500).repeat_every(50).check(much);
    assert!(2 * summary.traces > summary.runs as usize);
}

#[test]
#[should_panic = "there is no room for so many messages"]
fn a_topic_that_no_memory_holds_is_refused() {
    drop(topic::<u8>(usize::MAX));
}

/// Panics when it is dropped, unless it is a clone.
#[derive(Debug)]
struct Grudging {
    original: bool,
}

impl Clone for Grudging {
    fn clone(&self) -> Self {
        Self { original: false }
    }
}

impl Drop for Grudging {
    fn drop(&mut self) {
        assert!(!self.original, "the original is dropped");
    }
}

#[test]
fn the_drop_of_a_displaced_message_does_not_take_along_what_was_just_read_of_it() {
    let topic = topic(1);
    let (mut one, mut other) = (topic.subscribe(Slow::Wait), topic.subscribe(Slow::DropOldest));
    topic.try_publish(Grudging { original: true }).unwrap();
    let mut next = Box::pin(topic.publish(Grudging { original: false }));
    assert!((&mut next).now_or_never().is_none());
    // This makes room for the next message, which displaces the first while that is cloned.
    assert!(one.try_recv().is_ok());
    assert!(matches!(next.now_or_never(), Some(Ok(2))));
    assert!(matches!(other.try_recv(), Err(TryRecvError::Missed(1))));
    assert!(one.try_recv().is_ok() && other.try_recv().is_ok());
}
