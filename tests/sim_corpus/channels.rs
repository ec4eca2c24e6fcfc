//! Messages that are lost, overtaken, or meant for somebody else, and ends that are not noticed.

use crate::{Bug, ms};
use futures::channel::oneshot;
use futures::lock::Mutex as AsyncMutex;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::num::NonZeroUsize;
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
