//! A topic beside a list of all messages, and where each subscriber stands in it.

use super::World;
use super::waiting::{Places, Waiting, assert_woken, place};
use arbitrary::Arbitrary;
use futures_core::Stream;
use std::collections::BTreeMap;
use std::future::Future;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use wakeful::flow::topic::{Messages, Missed, PublishError, Slow, Topic, TryPublishError};

/// One step.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(crate) enum Op {
    /// A subscriber takes a place, where another may have been.
    Subscribe(u8, u8),
    Unsubscribe(u8),
    Read(u8, bool),
    TryPublish,
    /// A future that publishes is put in a place, where another may have been.
    Start(u8),
    Poll(u8, bool),
    Drop(u8),
    Close,
}

const CAPACITY: u64 = 3;

/// Its clones are counted.
#[derive(Clone, Debug)]
struct Message(u64, Arc<()>);

type Publishing = dyn Future<Output = Result<usize, PublishError<Message>>>;

/// The next message of a stream, and then the one after it.
struct Next(Pin<Box<Messages<Message>>>);

impl Future for Next {
    type Output = Option<Result<u64, Missed>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll_next(cx).map(|read| read.map(|read| read.map(|message| message.0)))
    }
}

#[derive(Clone, Copy)]
struct Reader {
    who: u64,
    slow: Slow,
    /// The number of the message that it reads next.
    at: u64,
    waits: bool,
}

/// What must be.
struct Model {
    /// What was published while somebody was there to read it.
    all: Vec<u64>,
    closed: bool,
    readers: [Option<Reader>; 6],
    /// The futures that wait, with their messages.
    line: Vec<(u64, u64)>,
    /// The messages of futures that were not polled yet.
    begun: BTreeMap<u64, u64>,
    /// What those will hear that wait no more, and the messages that are theirs still.
    told: BTreeMap<u64, (Result<usize, ()>, Option<u64>)>,
    woken: Vec<u64>,
}

impl Model {
    fn next(&self) -> u64 {
        self.all.len() as u64
    }

    fn first(&self) -> u64 {
        self.next().saturating_sub(CAPACITY)
    }

    fn readers(&self) -> usize {
        self.readers.iter().flatten().count()
    }

    fn is_full(&self) -> bool {
        let holds = |reader: &Reader| reader.slow == Slow::Wait && reader.at + CAPACITY <= self.next();
        self.readers.iter().flatten().any(holds)
    }

    /// Publishes, and says how many are to read it.
    fn publish(&mut self, id: u64) -> usize {
        let readers = self.readers();
        if readers > 0 {
            self.all.push(id);
        }
        for reader in self.readers.iter_mut().flatten() {
            if std::mem::take(&mut reader.waits) {
                self.woken.push(reader.who);
            }
        }
        readers
    }

    /// Lets publishers go on for whom there is room.
    fn settle(&mut self) {
        while !self.line.is_empty() && !self.is_full() {
            let (who, id) = self.line.remove(0);
            let readers = self.publish(id);
            self.told.insert(who, (Ok(readers), (readers == 0).then_some(id)));
            self.woken.push(who);
        }
    }

    /// What reader number `at` reads, if it does not wait.
    fn read(&mut self, at: usize) -> Poll<Option<Result<u64, u64>>> {
        let (next, first) = (self.next(), self.first());
        let Some(reader) = &mut self.readers[at] else { unreachable!("it was looked for") };
        if reader.at == next {
            reader.waits = !self.closed;
            return if self.closed { Poll::Ready(None) } else { Poll::Pending };
        }
        match reader.slow {
            Slow::Latest => reader.at = next - 1,
            Slow::DropOldest if reader.at < first => {
                let missed = first - std::mem::replace(&mut reader.at, first);
                return Poll::Ready(Some(Err(missed)));
            }
            _ => {}
        }
        reader.at += 1;
        Poll::Ready(Some(Ok(self.all[reader.at as usize - 1])))
    }

    /// How many messages there must be: those that somebody is to read, and those of publishers (F7).
    fn kept(&self) -> usize {
        let is_kept = |n: &u64| {
            let is_to_read =
                |reader: &Reader| reader.at <= *n && (reader.slow != Slow::Latest || *n + 1 == self.next());
            self.readers.iter().flatten().any(is_to_read)
        };
        let theirs = self.told.values().filter(|(_, message)| message.is_some()).count();
        (self.first()..self.next()).filter(is_kept).count() + self.line.len() + self.begun.len() + theirs
    }

    fn leave(&mut self, who: u64) {
        self.line.retain(|(waits, _)| *waits != who);
        self.begun.remove(&who);
        self.told.remove(&who);
    }
}

/// A topic and its model.
pub(crate) struct Topics {
    real: Topic<Message>,
    model: Model,
    next: u64,
    counted: Arc<()>,
    publishing: Places<Publishing>,
    reading: Places<Next>,
}

impl Topics {
    fn message(&mut self) -> Message {
        self.next += 1;
        Message(self.next, self.counted.clone())
    }
}

impl World for Topics {
    type Op = Op;

    fn new() -> Self {
        let model = Model {
            all: Vec::new(),
            closed: false,
            readers: [None; 6],
            line: Vec::new(),
            begun: BTreeMap::new(),
            told: BTreeMap::new(),
            woken: Vec::new(),
        };
        let real = Topic::new(NonZeroUsize::new(CAPACITY as usize).unwrap());
        let (publishing, reading) = (Default::default(), Default::default());
        Self { real, model, next: 0, counted: Arc::new(()), publishing, reading }
    }

    fn step(&mut self, op: Op) {
        self.model.woken.clear();
        match op {
            Op::Subscribe(at, slow) => {
                let slow = [Slow::Wait, Slow::DropOldest, Slow::Latest][usize::from(slow) % 3];
                self.next += 1;
                let (who, place) = (self.next, place(&mut self.reading, at));
                // The one that was there goes first.
                *place = None;
                self.model.readers[usize::from(at) % 6] = None;
                self.model.settle();
                *place = Some(Waiting::new(who, Box::pin(Next(Box::pin(self.real.subscribe(slow).into_stream())))));
                let reader = Reader { who, slow, at: self.model.next(), waits: false };
                self.model.readers[usize::from(at) % 6] = Some(reader);
            }
            Op::Unsubscribe(at) => {
                *place(&mut self.reading, at) = None;
                self.model.readers[usize::from(at) % 6] = None;
            }
            Op::Read(at, new_waker) => {
                let Some(reading) = place(&mut self.reading, at) else { return };
                let expected = self.model.read(usize::from(at) % 6);
                let got = reading.poll(new_waker);
                assert_eq!(got.map(|read| read.map(|read| read.map_err(|Missed(missed)| missed))), expected);
            }
            Op::TryPublish => {
                let message = self.message();
                let model = &mut self.model;
                let expected = match (model.closed, model.line.is_empty() && !model.is_full()) {
                    (true, _) => Err(true),
                    (false, false) => Err(false),
                    (false, true) => Ok(model.publish(message.0)),
                };
                let got = self.real.try_publish(message).map_err(|error| matches!(error, TryPublishError::Closed(_)));
                assert_eq!(got, expected);
            }
            Op::Start(at) => {
                let (message, real) = (self.message(), self.real.clone());
                let (who, id) = (message.0, message.0);
                let publish = async move { real.publish(message).await };
                if let Some(old) = place(&mut self.publishing, at).replace(Waiting::new(who, Box::pin(publish))) {
                    self.model.leave(old.who);
                }
                self.model.begun.insert(who, id);
            }
            Op::Poll(at, new_waker) => {
                let (model, place) = (&mut self.model, place(&mut self.publishing, at));
                let Some(waiting) = place else { return };
                let who = waiting.who;
                let expected = if let Some(id) = model.begun.remove(&who) {
                    match (model.closed, model.line.is_empty() && !model.is_full()) {
                        (true, _) => Poll::Ready(Err(())),
                        (false, true) => Poll::Ready(Ok(model.publish(id))),
                        (false, false) => {
                            model.line.push((who, id));
                            Poll::Pending
                        }
                    }
                } else {
                    model.told.remove(&who).map_or(Poll::Pending, |(told, _)| Poll::Ready(told))
                };
                let got = waiting.poll(new_waker).map_err(|PublishError(message)| assert_eq!(message.0, who));
                assert_eq!(got, expected);
                if got.is_ready() {
                    *place = None;
                }
            }
            Op::Drop(at) => {
                let Some(waiting) = place(&mut self.publishing, at).take() else { return };
                self.model.leave(waiting.who);
            }
            Op::Close => {
                assert_eq!(self.real.close(), !std::mem::replace(&mut self.model.closed, true));
                let model = &mut self.model;
                for (who, id) in std::mem::take(&mut model.line) {
                    model.told.insert(who, (Err(()), Some(id)));
                    model.woken.push(who);
                }
                for reader in model.readers.iter_mut().flatten() {
                    if std::mem::take(&mut reader.waits) {
                        model.woken.push(reader.who);
                    }
                }
            }
        }
        self.model.settle();
        assert_woken(&self.publishing, &self.model.woken);
        assert_woken(&self.reading, &self.model.woken);
        assert_eq!((self.real.subscribers(), self.real.is_closed()), (self.model.readers(), self.model.closed));
        assert_eq!(Arc::strong_count(&self.counted) - 1, self.model.kept());
    }

    fn end(self) {
        let Self { real, counted, publishing, reading, .. } = self;
        drop(reading);
        drop(publishing);
        assert_eq!((real.subscribers(), Arc::strong_count(&counted)), (0, 1));
    }
}
