//! What scenarios are given, and what they watch with.

use futures::channel::oneshot;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;
use wakeful::cancel::Scope;
use wakeful::sim::Sim;
use wakeful::spawn::{Spawn, Task};
use wakeful::time::{Instant, Sleep, Time};

/// A spawner that can be handed around.
pub(crate) trait Spawner: Spawn + Clone + Send + Sync + 'static {}

impl<S: Spawn + Clone + Send + Sync + 'static> Spawner for S {}

/// Longer than any scenario takes: for what must not happen by itself.
pub(crate) const LONG: Duration = Duration::from_secs(100);

/// Milliseconds after which a deadline lies that is to be reached, but not before a task has had its turn, however busy the
/// machine is.
pub(crate) const SOON: u64 = 200;

/// So many milliseconds.
pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// What a scenario is given: the time and the tasks of its runtime.
#[derive(Clone)]
pub(crate) struct Cx<S> {
    pub(crate) time: Time,
    pub(crate) spawner: S,
    pub(crate) start: Instant,
    sim: Option<Sim>,
}

impl<S: Spawner> Cx<S> {
    pub(crate) fn new(time: Time, spawner: S, sim: Option<Sim>) -> Self {
        let start = time.now();
        Self { time, spawner, start, sim }
    }

    /// The instant that many milliseconds after the start.
    pub(crate) fn at(&self, millis: u64) -> Instant {
        self.start + ms(millis)
    }

    /// That so much time has passed since the start: exactly so in the simulator, at least so elsewhere.
    #[track_caller]
    pub(crate) fn assert_at(&self, millis: u64) {
        self.assert_instant(self.time.now(), millis);
    }

    /// That `instant` is so long after the start: exactly so in the simulator, at least so elsewhere.
    #[track_caller]
    pub(crate) fn assert_instant(&self, instant: Instant, millis: u64) {
        let passed = instant - self.start;
        match self.sim {
            Some(_) => assert_eq!(passed, ms(millis), "exactly so much time has passed"),
            None => assert!(passed >= ms(millis), "{passed:?} have passed, {millis} ms are due"),
        }
    }

    /// Whether instants are exact, and what is woken first is polled first among tasks that wait apart in time.
    pub(crate) fn exact(&self) -> bool {
        self.sim.is_some()
    }

    /// Milliseconds until a deadline that is to be reached after what precedes it has begun: [`SOON`] on a real runtime, two in
    /// the simulator.
    pub(crate) fn soon(&self) -> u64 {
        if self.exact() { 2 } else { SOON }
    }

    pub(crate) fn sleep(&self, millis: u64) -> Sleep {
        self.time.sleep(ms(millis))
    }

    /// A scope without a parent.
    pub(crate) fn scope(&self) -> Scope {
        Scope::new(self.time.clone())
    }

    /// Starts a task whose output can be waited for.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        name: &'static str,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Join<T> {
        let (done, wait) = oneshot::channel();
        let task = Task::new(async move {
            let _ = done.send(future.await);
        });
        self.spawner.spawn(task.named(name));
        Join { name, wait }
    }
}

/// Waits for a task.
pub(crate) struct Join<T> {
    name: &'static str,
    wait: oneshot::Receiver<T>,
}

impl<T> Future for Join<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let name = self.name;
        Pin::new(&mut self.wait).poll(cx).map(|done| done.unwrap_or_else(|_| panic!("task {name} was lost")))
    }
}

/// Ends the process with a message if a scenario hangs.
pub(crate) struct Watchdog {
    _alive: mpsc::Sender<()>,
}

impl Watchdog {
    const PATIENCE: Duration = Duration::from_secs(120);

    pub(crate) fn start(name: &'static str) -> Self {
        let (alive, ended) = mpsc::channel::<()>();
        std::thread::spawn(move || {
            if ended.recv_timeout(Self::PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
                eprintln!("{name} hangs");
                std::process::abort();
            }
        });
        Self { _alive: alive }
    }
}

/// Counts what happens; clones count together.
#[derive(Clone, Default)]
pub(crate) struct Counter(Arc<AtomicUsize>);

impl Counter {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    /// Waits until it has counted `count`, however slow the machine is.
    pub(crate) async fn reaches(&self, count: usize) {
        while self.count() < count {
            again().await;
        }
    }

    /// A guard that counts its drop.
    pub(crate) fn on_drop(&self) -> OnDrop<impl FnOnce() + Send + 'static> {
        let counter = self.clone();
        on_drop(move || counter.add())
    }

    /// A waker that counts its wake-ups.
    pub(crate) fn waker(&self) -> Waker {
        let counter = self.clone();
        waker(move || counter.add())
    }
}

/// Calls `f` when it is dropped.
pub(crate) struct OnDrop<F: FnOnce()>(Option<F>);

pub(crate) fn on_drop<F: FnOnce()>(f: F) -> OnDrop<F> {
    OnDrop(Some(f))
}

impl<F: FnOnce()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        if let Some(f) = self.0.take() {
            f();
        }
    }
}

/// A waker that calls `f`.
pub(crate) fn waker(f: impl Fn() + Send + Sync + 'static) -> Waker {
    struct Calls<F>(F);
    impl<F: Fn() + Send + Sync + 'static> Wake for Calls<F> {
        fn wake(self: Arc<Self>) {
            (self.0)();
        }
    }
    Waker::from(Arc::new(Calls(f)))
}

/// A list that clones write into together.
#[derive(Clone)]
pub(crate) struct Log<T>(Arc<Mutex<Vec<T>>>);

impl<T: Clone> Log<T> {
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }

    pub(crate) fn add(&self, entry: T) {
        self.0.lock().unwrap().push(entry);
    }

    pub(crate) fn entries(&self) -> Vec<T> {
        self.0.lock().unwrap().clone()
    }
}

/// A boxed future that may go to another task.
pub(crate) type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Polls a future once.
pub(crate) fn poll<F: Future + ?Sized>(future: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(waker))
}

/// Lets the task be polled once more.
pub(crate) async fn again() {
    let mut polled = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut polled, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// What a future gives, as a result.
pub(crate) async fn ok<T, E>(future: impl Future<Output = T>) -> Result<T, E> {
    Ok(future.await)
}

/// Does something on another thread, and waits for that.
pub(crate) fn elsewhere<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
    std::thread::spawn(f).join().expect("the thread panicked")
}
