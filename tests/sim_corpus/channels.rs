//! Messages that are lost, overtaken, or meant for somebody else, and ends that are not noticed.

use crate::{Bug, ms};
use futures::channel::oneshot;
use futures::lock::Mutex as AsyncMutex;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use wakeful::cancel::Scope;
use wakeful::queue;
use wakeful::sim::{FailureKind, Sim};

pub(crate) const BUGS: &[&Bug] = &[
    &Bug {
        name: "receive that loses its item when dropped",
        kinds: &[FailureKind::Panic],
        runs: 10,
        points: 1,
        settings: |builder| builder,
        body: |sim, fixed| Box::pin(cancel_unsafe_receive(sim, fixed)),
    },
    &Bug {
        name: "item handed to a receiver that is gone",
        kinds: &[FailureKind::Panic],
        runs: 10,
        points: 2,
        settings: |builder| builder.sweep("first"),
        body: |sim, fixed| Box::pin(handed_to_nobody(sim, fixed)),
    },
    &Bug {
        name: "half a message is left by a sender that is gone",
        kinds: &[FailureKind::Panic],
        runs: 10,
        points: 1,
        settings: |builder| builder,
        body: |sim, fixed| Box::pin(half_a_message(sim, fixed)),
    },
    &Bug {
        name: "missed close: one of two readers is told",
        kinds: &[FailureKind::LostWakeup],
        runs: 40,
        points: 4,
        settings: |builder| builder,
        body: |sim, fixed| Box::pin(missed_close(sim, fixed)),
    },
    &Bug {
        name: "double completion of one request",
        kinds: &[FailureKind::Panic],
        runs: 20,
        points: 2,
        settings: |builder| builder,
        body: |sim, fixed| Box::pin(double_completion(sim, fixed)),
    },
    &Bug {
        name: "error behind the message that says stop",
        kinds: &[FailureKind::Panic],
        runs: 20,
        points: 2,
        settings: |builder| builder,
        body: |sim, fixed| Box::pin(lost_error(sim, fixed)),
    },
    &Bug {
        name: "items overtake one that is sent later by a task",
        kinds: &[FailureKind::Panic],
        runs: 30,
        points: 3,
        settings: |builder| builder,
        body: |sim, fixed| Box::pin(overtaking(sim, fixed)),
    },
    &Bug {
        name: "answer read by another caller",
        kinds: &[FailureKind::Panic],
        runs: 60,
        points: 3,
        settings: |builder| builder,
        body: |sim, fixed| Box::pin(answer_of_another(sim, fixed)),
    },
];

/// A reader with a deadline for each item. It keeps what it received after a look elsewhere; the twin, at once.
async fn cancel_unsafe_receive(sim: Sim, fixed: bool) {
    let (tx, rx) = queue::bounded(NonZeroUsize::new(4).unwrap());
    let time = sim.time();
    sim.spawn("producer", async move {
        for n in 0..4 {
            time.sleep(ms(5)).await;
            tx.send(n).await.unwrap();
        }
    });
    let (mut got, mut open) = (Vec::new(), true);
    while open {
        let scope = Scope::new(sim.time());
        let outcome = scope.move_on_after(ms(5), async |_| {
            let item = rx.recv().await;
            if fixed {
                got.extend(item);
            }
            sim.yield_now().await;
            if !fixed {
                got.extend(item);
            }
            item.is_ok()
        });
        open = outcome.await.into_result().unwrap_or(true);
    }
    assert_eq!(got, [0, 1, 2, 3], "all that was sent arrives");
}

/// A place in line, into which an item is put.
type Place = Arc<Mutex<(Option<u32>, Option<Waker>)>>;

/// Two receivers wait in line for an item that is handed to the first of them. One that is dropped leaves the line in the
/// twin only, where it also hands on what it had been handed.
async fn handed_to_nobody(sim: Sim, fixed: bool) {
    struct Leave(Place, Arc<Mutex<VecDeque<Place>>>, bool);
    impl Drop for Leave {
        fn drop(&mut self) {
            if self.2 {
                self.1.lock().unwrap().retain(|place| !Arc::ptr_eq(place, &self.0));
                let item = self.0.lock().unwrap().0.take();
                item.into_iter().for_each(|item| hand(&self.1, item));
            }
        }
    }
    fn hand(line: &Mutex<VecDeque<Place>>, item: u32) {
        let first = line.lock().unwrap().pop_front();
        let waker = first.and_then(|place| {
            let (handed, waker) = &mut *place.lock().unwrap();
            *handed = Some(item);
            waker.take()
        });
        waker.into_iter().for_each(Waker::wake);
    }
    let line: Arc<Mutex<VecDeque<Place>>> = Arc::default();
    let received = Arc::new(AtomicUsize::new(0));
    let [first, second] = ["first", "second"].map(|name| {
        let (line, received) = (line.clone(), received.clone());
        sim.spawn(name, async move {
            let leave = Leave(Arc::default(), line.clone(), fixed);
            line.lock().unwrap().push_back(leave.0.clone());
            poll_fn(|cx| {
                let (handed, waker) = &mut *leave.0.lock().unwrap();
                *waker = Some(cx.waker().clone());
                handed.take().map_or(Poll::Pending, Poll::Ready)
            })
            .await;
            received.fetch_add(1, SeqCst);
        })
    });
    sim.idle().await;
    hand(&line, 1);
    sim.idle().await;
    assert_eq!(received.load(SeqCst), 1, "one of them has it");
    // Whoever is left may go.
    hand(&line, 2);
    first.outcome().await;
    second.await;
}

/// A message is written in two parts; in the twin, when both are there.
async fn half_a_message(sim: Sim, fixed: bool) {
    let written = Mutex::new(Vec::new());
    for number in 0..2 {
        let write = async {
            if !fixed {
                written.lock().unwrap().push(("head", number));
            }
            sim.yield_now().await;
            let mut written = written.lock().unwrap();
            if fixed {
                written.push(("head", number));
            }
            written.push(("body", number));
        };
        sim.cancel_at_each(write).await;
    }
    let written = written.into_inner().unwrap();
    let whole = written.chunks(2).all(|parts| matches!(parts, [("head", a), ("body", b)] if a == b));
    assert!(whole, "each message is whole\n{written:?}");
}

/// What readers share: items, whether there will be more, and who waits for that.
#[derive(Default)]
struct Inbox {
    items: VecDeque<u32>,
    closed: bool,
    waiting: VecDeque<Waker>,
}

async fn missed_close(sim: Sim, fixed: bool) {
    let inbox: Arc<Mutex<Inbox>> = Arc::default();
    let readers = ["one", "two"].map(|name| {
        let (inbox, task) = (inbox.clone(), sim.clone());
        sim.spawn(name, async move {
            while poll_fn(|cx| {
                let mut inbox = inbox.lock().unwrap();
                match inbox.items.pop_front() {
                    Some(_) => return Poll::Ready(true),
                    None if inbox.closed => return Poll::Ready(false),
                    None => inbox.waiting.push_back(cx.waker().clone()),
                }
                Poll::Pending
            })
            .await
            {
                task.yield_now().await;
            }
        })
    });
    for item in 0..3 {
        sim.yield_now().await;
        let woken = {
            let mut inbox = inbox.lock().unwrap();
            inbox.items.push_back(item);
            std::mem::take(&mut inbox.waiting)
        };
        woken.into_iter().for_each(Waker::wake);
    }
    for _ in 0..sim.choose(3) {
        sim.yield_now().await;
    }
    // Each that waits has to be told, and the twin tells each.
    let woken: Vec<Waker> = {
        let mut inbox = inbox.lock().unwrap();
        inbox.closed = true;
        let told = if fixed { inbox.waiting.len() } else { inbox.waiting.len().min(1) };
        inbox.waiting.drain(..told).collect()
    };
    woken.into_iter().for_each(Waker::wake);
    for reader in readers {
        reader.await;
    }
}

/// Two ask the same of two servers, and the first answer counts. Whether it was given is looked at before the answer is
/// made; in the twin, when it is given.
async fn double_completion(sim: Sim, fixed: bool) {
    let (tx, rx) = oneshot::channel();
    let request = Arc::new(Mutex::new(Some(tx)));
    for name in ["near", "far"] {
        let (request, task) = (request.clone(), sim.clone());
        sim.spawn(name, async move {
            if request.lock().unwrap().is_none() {
                return;
            }
            for _ in 0..task.choose(3) {
                task.yield_now().await;
            }
            let taken = request.lock().unwrap().take();
            match taken {
                Some(request) => drop(request.send(name)),
                None => assert!(fixed, "it has been answered"),
            }
        });
    }
    assert!(rx.await.is_ok());
}

/// What workers say.
enum Said {
    Failed(&'static str),
    /// There is nothing more to come, says the one who hands out work. In the twin, that all have hung up says it.
    Stop,
}

async fn lost_error(sim: Sim, fixed: bool) {
    let (tx, rx) = queue::bounded(NonZeroUsize::new(8).unwrap());
    for (name, steps) in [("quick", 1), ("slow", 2)] {
        let (tx, task) = (tx.clone(), sim.clone());
        sim.spawn(name, async move {
            for _ in 0..steps {
                task.yield_now().await;
            }
            // Nobody may be listening any more.
            let _ = tx.send(Said::Failed(name)).await;
        });
    }
    for _ in 0..4 {
        sim.yield_now().await;
    }
    if !fixed {
        assert!(tx.try_send(Said::Stop).is_ok());
    }
    drop(tx);
    let mut failed = Vec::new();
    while let Ok(Said::Failed(name)) = rx.recv().await {
        failed.push(name);
    }
    assert_eq!(failed.len(), 2, "each error is seen\n{failed:?}");
}

/// A producer that must not wait leaves an item that finds no room to a task. The twin waits.
async fn overtaking(sim: Sim, fixed: bool) {
    let (tx, rx) = queue::bounded(NonZeroUsize::MIN);
    let task = sim.clone();
    sim.spawn("producer", async move {
        for n in 0..4 {
            if fixed {
                tx.send(n).await.unwrap();
            } else if tx.try_send(n).is_err() {
                let tx = tx.clone();
                task.spawn("sends later", async move { tx.send(n).await.unwrap() });
            }
            task.yield_now().await;
        }
    });
    let mut got = Vec::new();
    while let Ok(n) = rx.recv().await {
        got.push(n);
    }
    assert!(got.is_sorted(), "in order: {got:?}");
}

/// Two callers with one connection. Each sends its question and reads the next answer; in the twin, nobody else's question
/// is sent in between.
async fn answer_of_another(sim: Sim, fixed: bool) {
    let capacity = NonZeroUsize::new(4).unwrap();
    let ((ask, asked), (reply, replies)) = (queue::bounded::<u32>(capacity), queue::bounded::<u32>(capacity));
    sim.spawn("server", async move {
        while let Ok(question) = asked.recv().await {
            reply.send(question * 10).await.unwrap();
        }
    });
    let connection = Arc::new(AsyncMutex::new(()));
    let callers = [1, 2].map(|question| {
        let (ask, replies, connection) = (ask.clone(), replies.clone(), connection.clone());
        sim.spawn(format!("caller {question}"), async move {
            let exclusive = if fixed { Some(connection.lock().await) } else { None };
            ask.send(question).await.unwrap();
            assert_eq!(replies.recv().await, Ok(question * 10), "the answer to its own question");
            drop(exclusive);
        })
    });
    drop(ask);
    for caller in callers {
        caller.await;
    }
}
