//! A crew of workers, as one might find it anywhere: on `async-channel` and `event-listener`, with a way to sleep and a way to
//! start tasks that it is given. It knows nothing of `wakeful`.

use async_channel::{Receiver, Sender};
use event_listener::Event;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub(crate) type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What a crew needs to know of the world.
#[derive(Clone)]
pub(crate) struct World {
    /// Waits for so long.
    pub(crate) sleep: Arc<dyn Fn(Duration) -> Boxed<()> + Send + Sync>,
    /// Starts a task.
    pub(crate) spawn: Arc<dyn Fn(Boxed<()>) + Send + Sync>,
}

/// Does an order: the number of the order, and whether it was done.
pub(crate) type Work = Arc<dyn Fn(u32) -> Boxed<bool> + Send + Sync>;

/// How often an order is tried.
pub(crate) const ATTEMPTS: u32 = 4;

/// Workers, and the line of orders that they take from.
#[derive(Clone)]
pub(crate) struct Crew {
    orders: Sender<u32>,
    shared: Arc<Shared>,
}

struct Shared {
    /// How many have not gone home.
    working: AtomicUsize,
    /// Somebody has gone home.
    gone: Event,
    done: Mutex<Vec<u32>>,
    given_up: Mutex<Vec<u32>>,
    /// Whether one who goes home tells only one of those who wait for that.
    mistake: bool,
}

impl Crew {
    /// Starts the workers. With `mistake`, not everybody is told when the last one has gone home.
    pub(crate) fn start(world: &World, workers: usize, work: &Work, mistake: bool) -> Self {
        let (orders, line) = async_channel::bounded(2);
        let (done, given_up) = (Mutex::default(), Mutex::default());
        let shared = Shared { working: AtomicUsize::new(workers), gone: Event::new(), done, given_up, mistake };
        let shared = Arc::new(shared);
        for _ in 0..workers {
            let worker = worker(world.clone(), line.clone(), work.clone(), shared.clone());
            (world.spawn)(Box::pin(worker));
        }
        Self { orders, shared }
    }

    /// Puts an order into the line, as soon as there is room.
    pub(crate) async fn order(&self, number: u32) {
        let _ = self.orders.send(number).await;
    }

    /// Takes no more orders.
    pub(crate) fn close(&self) {
        self.orders.close();
    }

    /// Waits until all have gone home.
    pub(crate) async fn all_gone(&self) {
        while self.shared.working.load(Ordering::SeqCst) > 0 {
            let gone = self.shared.gone.listen();
            // One may have gone before this began to listen.
            if self.shared.working.load(Ordering::SeqCst) > 0 {
                gone.await;
            }
        }
    }

    /// The orders that were done and those that were given up.
    pub(crate) fn outcome(&self) -> (Vec<u32>, Vec<u32>) {
        let sorted = |orders: &Mutex<Vec<u32>>| {
            let mut orders = orders.lock().unwrap().clone();
            orders.sort_unstable();
            orders
        };
        (sorted(&self.shared.done), sorted(&self.shared.given_up))
    }
}

async fn worker(world: World, line: Receiver<u32>, work: Work, shared: Arc<Shared>) {
    while let Ok(order) = line.recv().await {
        let mut pause = Duration::from_millis(10);
        let mut attempt = 1;
        let orders = loop {
            if work(order).await {
                break &shared.done;
            }
            if attempt == ATTEMPTS {
                break &shared.given_up;
            }
            (world.sleep)(pause).await;
            (attempt, pause) = (attempt + 1, pause * 2);
        };
        orders.lock().unwrap().push(order);
    }
    shared.working.fetch_sub(1, Ordering::SeqCst);
    shared.gone.notify(if shared.mistake { 1 } else { usize::MAX });
}
