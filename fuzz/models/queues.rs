//! Queues of every kind beside the models that are public.

use super::World;
use super::waiting::{Places, Waiting, assert_woken, place};
use arbitrary::Arbitrary;
use std::collections::VecDeque;
use std::future::Future;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use wakeful::queue::{
    self, Buffered, Fifo, Job, Kind, Lane, Lanes, Lifo, OwnedPermit, Priority, Ranked, Receiver, RecvError, Rendezvous,
    SendError, Sender, TryRecvError, TrySendError,
};
use wakeful::sim::models::{self, QueueAnswer, QueueOp};

/// One step.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(crate) enum Op {
    TrySend,
    TryRecv,
    TryRecvJob,
    TryRecvMany(u8),
    Drain,
    /// A future is put in a place, where another may have been.
    Start(u8, What),
    Poll(u8, bool),
    Drop(u8),
    Finish(u8),
    DropJob(u8),
    CloneSender,
    CloneReceiver,
    DropSender(u8),
    DropReceiver(u8),
    Close(u8),
    Shutdown(u8),
    Room(RoomOp),
}

/// A step of a queue that has room.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(crate) enum RoomOp {
    TrySendMany(u8),
    ForceSend,
    TryReserve,
    /// A permit that is taken and used at once.
    TryReserveAndFill,
    Fill(u8),
    Waive(u8),
    Resize(u8),
}

/// A future.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(crate) enum What {
    Send,
    Recv,
    RecvJob,
    RecvMany(u8),
    Join,
    Reserve,
    SendMany(u8),
}

/// An item, counted while it lives.
pub(crate) struct Item(u32, #[expect(dead_code, reason = "it counts")] Arc<()>);

fn rank(number: &u32) -> u64 {
    u64::from(number % 3)
}

impl Ranked for Item {
    type Rank = Lane<3>;

    fn rank(&self) -> Lane<3> {
        Lane::new(rank(&self.0) as usize).expect("one of three")
    }
}

/// A kind, and the model of it.
pub(crate) trait Flavour: Kind<Item> + 'static {
    fn queue(capacity: NonZeroUsize) -> (Tx<Self>, Rx<Self>);
    fn model(capacity: usize) -> Model;

    /// Takes a step for which there has to be room. False: there is none.
    fn room(_: &mut Queues<Self>, _: RoomOp) -> bool {
        false
    }

    /// A future that needs room.
    fn reserve(_: &Tx<Self>) -> Option<Pin<Box<Waits<Self>>>> {
        None
    }
    fn send_many(_: &Tx<Self>, _: VecDeque<Item>) -> Option<Pin<Box<Waits<Self>>>> {
        None
    }
}

type Tx<F> = Sender<Item, F>;
type Rx<F> = Receiver<Item, F>;
type Waits<F> = dyn Future<Output = Out<F>>;

/// What comes of a future.
pub(crate) enum Out<K: Kind<Item>> {
    Sent(Result<(), SendError<Item>>),
    SentMany(Result<(), SendError<()>>),
    Permit(Result<OwnedPermit<Item, K>, SendError<()>>),
    Item(Result<Item, RecvError>),
    Job(Result<Job<Item, K>, RecvError>),
    Items(Result<usize, RecvError>, Vec<Item>),
    Joined,
}

/// What stands in a place.
#[derive(Clone)]
enum Task {
    Send(u32),
    SendMany(VecDeque<u32>),
    Reserve,
    Recv,
    RecvJob,
    RecvMany(usize),
    Join,
}

impl Task {
    /// Whether the future holds a sender; else it holds a receiver.
    fn sends(&self) -> bool {
        matches!(self, Self::Send(_) | Self::SendMany(_) | Self::Reserve)
    }
}

pub(crate) enum Model {
    Queue(models::Queue<u32>),
    Rendezvous(models::Rendezvous<u32>),
}

macro_rules! either {
    ($model:expr, $inner:ident => $e:expr) => {
        match $model {
            Model::Queue($inner) => $e,
            Model::Rendezvous($inner) => $e,
        }
    };
}

/// Makes a flavour of a kind that has room.
macro_rules! with_room {
    ($($kind:ty: $make:expr, $model:expr;)*) => { $(
        impl Flavour for $kind {
            fn queue(capacity: NonZeroUsize) -> (Tx<Self>, Rx<Self>) {
                $make(capacity)
            }
            fn model(capacity: usize) -> Model {
                Model::Queue($model(capacity))
            }
            fn room(world: &mut Queues<Self>, op: RoomOp) -> bool {
                world.room(op)
            }
            fn reserve(tx: &Tx<Self>) -> Option<Pin<Box<Waits<Self>>>> {
                let reserve = tx.reserve_owned();
                Some(Box::pin(async move { Out::Permit(reserve.await) }))
            }
            fn send_many(tx: &Tx<Self>, mut items: VecDeque<Item>) -> Option<Pin<Box<Waits<Self>>>> {
                let tx = tx.clone();
                Some(Box::pin(async move { Out::SentMany(tx.send_many(&mut items).await) }))
            }
        }
    )* };
}

with_room! {
    Fifo: queue::bounded, models::Queue::new;
    Lifo: queue::lifo, models::Queue::lifo;
    Priority: queue::priority, |capacity| models::Queue::ranked(capacity, rank);
    Lanes<3>: queue::lanes, |capacity| models::Queue::ranked(capacity, rank);
}

impl Flavour for Rendezvous {
    fn queue(_: NonZeroUsize) -> (Tx<Self>, Rx<Self>) {
        queue::rendezvous()
    }
    fn model(_: usize) -> Model {
        Model::Rendezvous(models::Rendezvous::new())
    }
}

/// A queue and its model.
pub(crate) struct Queues<F: Flavour> {
    senders: Vec<Tx<F>>,
    receivers: Vec<Rx<F>>,
    permits: Vec<OwnedPermit<Item, F>>,
    jobs: Vec<Job<Item, F>>,
    model: Model,
    /// The last receiver is gone.
    deserted: bool,
    places: Places<Waits<F>>,
    tasks: [Option<Task>; 6],
    next: u64,
    alive: Arc<()>,
    /// Who must have been woken by this step.
    woken: Vec<u64>,
}

fn room(capacity: u8) -> NonZeroUsize {
    NonZeroUsize::new(1 + usize::from(capacity) % 5).expect("not zero")
}

fn numbers(items: &[Item]) -> Vec<u32> {
    items.iter().map(|item| item.0).collect()
}

fn received(result: &Result<Item, TryRecvError>) -> QueueAnswer<u32> {
    match result {
        Ok(item) => QueueAnswer::Item(item.0),
        Err(TryRecvError::Empty) => QueueAnswer::Wait,
        Err(TryRecvError::Closed) => QueueAnswer::Closed,
    }
}

fn refused<T>(error: &TrySendError<T>) -> QueueAnswer<u32> {
    if error.is_full() { QueueAnswer::Wait } else { QueueAnswer::Closed }
}

impl<F: Flavour> Queues<F> {
    fn item(&mut self) -> Item {
        self.next += 1;
        Item(self.next as u32, self.alive.clone())
    }

    fn answer(&mut self, op: QueueOp<u32>, answer: QueueAnswer<u32>) {
        let said = format!("{op:?}");
        assert_eq!(either!(&mut self.model, model => model.step(op)), answer, "{said}");
        self.woken.extend(either!(&self.model, model => model.woken()));
    }

    /// The item that came back is the one that was sent.
    fn refuse(&mut self, number: u32, error: &TrySendError<Item>) -> QueueAnswer<u32> {
        let (TrySendError::Full(back) | TrySendError::Closed(back)) = error;
        assert_eq!(back.0, number);
        refused(error)
    }

    fn start(&mut self, at: u8, what: What) {
        let (tx, rx) = (self.senders.first().cloned(), self.receivers.first().cloned());
        let (future, task): (Pin<Box<Waits<F>>>, Task) = match (what, tx, rx) {
            (What::Send, Some(tx), _) => {
                let item = self.item();
                let number = item.0;
                (Box::pin(async move { Out::Sent(tx.send(item).await) }), Task::Send(number))
            }
            (What::SendMany(count), Some(tx), _) => {
                let items: VecDeque<Item> = (0..count % 6).map(|_| self.item()).collect();
                let numbers = items.iter().map(|item| item.0).collect();
                let Some(future) = F::send_many(&tx, items) else { return };
                (future, Task::SendMany(numbers))
            }
            (What::Reserve, Some(tx), _) => {
                let Some(future) = F::reserve(&tx) else { return };
                (future, Task::Reserve)
            }
            (What::Recv, _, Some(rx)) => (Box::pin(async move { Out::Item(rx.recv().await) }), Task::Recv),
            (What::RecvJob, _, Some(rx)) => (Box::pin(async move { Out::Job(rx.recv_job().await) }), Task::RecvJob),
            (What::RecvMany(limit), _, Some(rx)) => {
                let limit = usize::from(limit) % 4;
                let future = async move {
                    let mut buffer = Vec::new();
                    let count = rx.recv_many(&mut buffer, limit).await;
                    Out::Items(count, buffer)
                };
                (Box::pin(future), Task::RecvMany(limit))
            }
            (What::Join, _, Some(rx)) => {
                let future = async move {
                    rx.join().await;
                    Out::Joined
                };
                (Box::pin(future), Task::Join)
            }
            _ => return,
        };
        self.next += 1;
        self.remove(at);
        *place(&mut self.places, at) = Some(Waiting::new(self.next, future));
        self.tasks[usize::from(at) % 6] = Some(task);
    }

    fn remove(&mut self, at: u8) {
        self.tasks[usize::from(at) % 6] = None;
        if let Some(waiting) = place(&mut self.places, at).take() {
            let who = waiting.who;
            drop(waiting);
            self.answer(QueueOp::Drop(who), QueueAnswer::Done);
            self.count_handles();
        }
    }

    /// Closes the model if the last handle of a side is gone.
    fn count_handles(&mut self) {
        let sending = self.tasks.iter().flatten().filter(|task| task.sends()).count();
        let receiving = self.tasks.iter().flatten().count() - sending;
        if self.senders.len() + self.permits.len() + sending == 0 && !either!(&self.model, model => model.is_closed()) {
            self.answer(QueueOp::Close, QueueAnswer::Done);
        }
        if self.receivers.len() + receiving == 0 && !self.deserted {
            self.deserted = true;
            // What is in the queue is dropped.
            let op = QueueOp::Shutdown;
            either!(&mut self.model, model => model.step(op));
            self.woken.extend(either!(&self.model, model => model.woken()));
        }
    }

    fn poll(&mut self, at: u8, new_waker: bool) {
        let index = usize::from(at) % 6;
        let Some(waiting) = place(&mut self.places, at) else { return };
        let who = waiting.who;
        let polled = waiting.poll(new_waker);
        let task = self.tasks[index].clone().expect("a future has its task");
        let ready = polled.is_ready();
        match (task, polled) {
            (Task::Send(number), polled) => {
                let answer = match polled {
                    Poll::Ready(Out::Sent(Ok(()))) => QueueAnswer::Done,
                    Poll::Ready(Out::Sent(Err(SendError(back)))) => {
                        assert_eq!(back.0, number);
                        QueueAnswer::Closed
                    }
                    _ => QueueAnswer::Wait,
                };
                self.answer(QueueOp::Send(who, number), answer);
            }
            (Task::SendMany(mut left), polled) => {
                let items = left.iter().copied().collect();
                let answer = either!(&mut self.model, model => model.step(QueueOp::SendMany(who, items)));
                self.woken.extend(either!(&self.model, model => model.woken()));
                match answer {
                    QueueAnswer::Sent(count) => drop(left.drain(..count)),
                    QueueAnswer::Wait | QueueAnswer::Closed => {}
                    other => panic!("{other:?} of sending many"),
                }
                match polled {
                    Poll::Ready(Out::SentMany(Ok(()))) => assert!(left.is_empty()),
                    Poll::Ready(_) => assert_eq!(answer, QueueAnswer::Closed),
                    Poll::Pending => assert!(!left.is_empty() && answer != QueueAnswer::Closed),
                }
                self.tasks[index] = Some(Task::SendMany(left));
            }
            (Task::Reserve, polled) => {
                let answer = match polled {
                    Poll::Ready(Out::Permit(Ok(permit))) => {
                        self.permits.push(permit);
                        QueueAnswer::Done
                    }
                    Poll::Ready(_) => QueueAnswer::Closed,
                    Poll::Pending => QueueAnswer::Wait,
                };
                self.answer(QueueOp::Reserve(who), answer);
            }
            (Task::Recv, polled) => {
                let answer = match polled {
                    Poll::Ready(Out::Item(Ok(item))) => QueueAnswer::Item(item.0),
                    Poll::Ready(_) => QueueAnswer::Closed,
                    Poll::Pending => QueueAnswer::Wait,
                };
                self.answer(QueueOp::Recv(who), answer);
            }
            (Task::RecvJob, polled) => {
                let answer = match polled {
                    Poll::Ready(Out::Job(Ok(job))) => {
                        let number = job.0;
                        self.jobs.push(job);
                        QueueAnswer::Item(number)
                    }
                    Poll::Ready(_) => QueueAnswer::Closed,
                    Poll::Pending => QueueAnswer::Wait,
                };
                self.answer(QueueOp::RecvJob(who), answer);
            }
            (Task::RecvMany(limit), polled) => {
                let answer = match polled {
                    Poll::Ready(Out::Items(Ok(count), items)) => {
                        assert_eq!(count, items.len());
                        QueueAnswer::Items(numbers(&items))
                    }
                    Poll::Ready(_) => QueueAnswer::Closed,
                    Poll::Pending => QueueAnswer::Wait,
                };
                self.answer(QueueOp::RecvMany(who, limit), answer);
            }
            (Task::Join, polled) => {
                self.answer(QueueOp::Join(who), if polled.is_ready() { QueueAnswer::Done } else { QueueAnswer::Wait });
            }
        }
        if ready {
            self.tasks[index] = None;
            *place(&mut self.places, at) = None;
            self.count_handles();
        }
    }

    fn finish(&mut self, at: u8, drops: bool) {
        if self.jobs.is_empty() {
            return;
        }
        let job = self.jobs.swap_remove(usize::from(at) % self.jobs.len());
        if drops {
            drop(job);
        } else {
            let number = job.0;
            assert_eq!(job.finish().0, number);
        }
        self.answer(QueueOp::Finish, QueueAnswer::Done);
    }
}

impl<F: Flavour + Buffered<Item>> Queues<F> {
    fn room(&mut self, op: RoomOp) -> bool {
        let Some(tx) = self.senders.first().cloned() else { return self.room_of_permits(op) };
        match op {
            RoomOp::TrySendMany(count) => {
                let mut items: VecDeque<Item> = (0..count % 6).map(|_| self.item()).collect();
                let all: Vec<u32> = items.iter().map(|item| item.0).collect();
                let answer = match tx.try_send_many(&mut items) {
                    Ok(sent) => QueueAnswer::Sent(sent),
                    Err(error) => refused(&error),
                };
                let left = items.len();
                assert!(items.iter().map(|item| item.0).eq(all[all.len() - left..].iter().copied()));
                self.answer(QueueOp::TrySendMany(all), answer);
            }
            RoomOp::ForceSend => {
                let item = self.item();
                let number = item.0;
                let answer = match tx.force_send(item) {
                    Ok(None) => QueueAnswer::Done,
                    Ok(Some(displaced)) => QueueAnswer::Item(displaced.0),
                    Err(error) => self.refuse(number, &error),
                };
                self.answer(QueueOp::ForceSend(number), answer);
            }
            RoomOp::TryReserve | RoomOp::TryReserveAndFill => {
                let who = u64::MAX;
                let item = self.item();
                let number = item.0;
                match tx.try_reserve() {
                    Ok(permit) if matches!(op, RoomOp::TryReserveAndFill) => {
                        assert_eq!(
                            permit.send(item).map_err(|SendError(back)| back.0).err(),
                            self.deserted.then_some(number)
                        );
                        self.answer(QueueOp::Reserve(who), QueueAnswer::Done);
                        self.answer(QueueOp::Fill(number), QueueAnswer::Done);
                    }
                    Ok(permit) => {
                        drop(permit);
                        self.answer(QueueOp::Reserve(who), QueueAnswer::Done);
                        self.answer(QueueOp::Waive, QueueAnswer::Done);
                    }
                    Err(error) => {
                        self.answer(QueueOp::Reserve(who), refused(&error));
                        self.answer(QueueOp::Drop(who), QueueAnswer::Done);
                    }
                }
            }
            RoomOp::Resize(capacity) => {
                tx.set_capacity(room(capacity));
                assert_eq!(tx.capacity(), room(capacity).get());
                self.answer(QueueOp::Resize(room(capacity).get()), QueueAnswer::Done);
            }
            RoomOp::Fill(_) | RoomOp::Waive(_) => return self.room_of_permits(op),
        }
        true
    }

    fn room_of_permits(&mut self, op: RoomOp) -> bool {
        let (RoomOp::Fill(at) | RoomOp::Waive(at)) = op else { return false };
        if self.permits.is_empty() {
            return false;
        }
        let permit = self.permits.swap_remove(usize::from(at) % self.permits.len());
        let item = self.item();
        let number = item.0;
        match op {
            RoomOp::Fill(_) => match permit.send(item) {
                Ok(()) => self.answer(QueueOp::Fill(number), QueueAnswer::Done),
                Err(SendError(back)) => {
                    assert!(self.deserted && back.0 == number, "only if nobody can receive");
                    self.answer(QueueOp::Waive, QueueAnswer::Done);
                }
            },
            _ => {
                drop(permit);
                self.answer(QueueOp::Waive, QueueAnswer::Done);
            }
        }
        self.count_handles();
        true
    }
}

impl<F: Flavour> World for Queues<F> {
    type Op = Op;

    fn new() -> Self {
        let (tx, rx) = F::queue(room(1));
        Self {
            senders: vec![tx],
            receivers: vec![rx],
            permits: Vec::new(),
            jobs: Vec::new(),
            model: F::model(room(1).get()),
            deserted: false,
            places: Default::default(),
            tasks: Default::default(),
            next: 0,
            alive: Arc::new(()),
            woken: Vec::new(),
        }
    }

    fn step(&mut self, op: Op) {
        self.woken.clear();
        let (tx, rx) = (self.senders.first().cloned(), self.receivers.first().cloned());
        match (op, tx, rx) {
            (Op::TrySend, Some(tx), _) => {
                let item = self.item();
                let number = item.0;
                let answer = match tx.try_send(item) {
                    Ok(()) => QueueAnswer::Done,
                    Err(error) => self.refuse(number, &error),
                };
                self.answer(QueueOp::TrySend(number), answer);
            }
            (Op::TryRecv, _, Some(rx)) => self.answer(QueueOp::TryRecv, received(&rx.try_recv())),
            (Op::TryRecvJob, _, Some(rx)) => {
                let answer = match rx.try_recv_job() {
                    Ok(job) => {
                        let number = job.0;
                        self.jobs.push(job);
                        QueueAnswer::Item(number)
                    }
                    Err(error) => received(&Err(error)),
                };
                self.answer(QueueOp::TryRecvJob, answer);
            }
            (Op::TryRecvMany(limit), _, Some(rx)) => {
                let (mut buffer, limit) = (Vec::new(), usize::from(limit) % 4);
                let answer = match rx.try_recv_many(&mut buffer, limit) {
                    Ok(count) => {
                        assert_eq!(count, buffer.len());
                        QueueAnswer::Items(numbers(&buffer))
                    }
                    Err(error) => received(&Err(error)),
                };
                self.answer(QueueOp::TryRecvMany(limit), answer);
            }
            (Op::Drain, _, Some(rx)) => {
                let items = numbers(&rx.drain());
                // An empty queue is no error here.
                let answer = either!(&mut self.model, model => model.step(QueueOp::TryRecvMany(usize::MAX)));
                self.woken.extend(either!(&self.model, model => model.woken()));
                match answer {
                    QueueAnswer::Items(drained) => assert_eq!(drained, items),
                    _ => assert!(items.is_empty()),
                }
            }
            (Op::Start(at, what), ..) => self.start(at, what),
            (Op::Poll(at, new_waker), ..) => self.poll(at, new_waker),
            (Op::Drop(at), ..) => self.remove(at),
            (Op::Finish(at), ..) => self.finish(at, false),
            (Op::DropJob(at), ..) => self.finish(at, true),
            (Op::CloneSender, Some(tx), _) if self.senders.len() < 4 => self.senders.push(tx),
            (Op::CloneReceiver, _, Some(rx)) if self.receivers.len() < 4 => self.receivers.push(rx),
            (Op::DropSender(often), Some(tx), _) if often < 40 || self.senders.len() > 1 => {
                drop((tx, self.senders.pop()));
                self.count_handles();
            }
            (Op::DropReceiver(often), _, Some(rx)) if often < 40 || self.receivers.len() > 1 => {
                drop((rx, self.receivers.pop()));
                self.count_handles();
            }
            // Not too often, as little happens afterwards.
            (Op::Close(often), Some(tx), _) if often < 20 => {
                tx.close();
                self.answer(QueueOp::Close, QueueAnswer::Done);
            }
            (Op::Shutdown(often), _, Some(rx)) if often < 12 => {
                let items = numbers(&rx.shutdown());
                self.answer(QueueOp::Shutdown, QueueAnswer::Items(items));
            }
            (Op::Room(op), ..) => drop(F::room(self, op)),
            _ => {}
        }
        assert_woken(&self.places, &self.woken);
        let handle = self.receivers.first().map(|rx| (rx.len(), rx.is_closed(), rx.unfinished()));
        let model = either!(&self.model, model => (model.len(), model.is_closed(), model.unfinished()));
        assert!(handle.is_none_or(|handle| handle == model), "{handle:?}, and the model says {model:?}");
        let handle = self.senders.first().map(|tx| (tx.len(), tx.is_closed(), tx.unfinished()));
        assert!(handle.is_none_or(|handle| handle == model), "{handle:?}, and the model says {model:?}");
        if let Model::Queue(model) = &self.model {
            let kept = self.tasks.iter().flatten().map(|task| match task {
                Task::Send(_) => 1,
                Task::SendMany(left) => left.len(),
                _ => 0,
            });
            let alive = model.len() + kept.sum::<usize>() + self.jobs.len();
            assert_eq!(Arc::strong_count(&self.alive) - 1, alive, "items that are alive");
        }
    }

    fn end(self) {
        let Self { senders, receivers, permits, jobs, places, alive, .. } = self;
        drop((places, permits, jobs));
        drop((senders, receivers));
        assert_eq!(Arc::strong_count(&alive), 1, "no item is left");
    }
}
