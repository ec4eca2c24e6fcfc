//! The service: what comes in, what becomes of it, and how it ends.

use super::backend::Backend;
use super::net::{Lines, Net, Writer};
use super::signals::{Asked, Signals};
use futures::future::{Either, join, select};
use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use wakeful::cancel::{Reason, Scope, current};
use wakeful::limit::{Limiter, Quota};
use wakeful::queue::{self, Receiver, Sender};
use wakeful::spawn::Task;
use wakeful::sync::{OwnedPermit, Permit, Semaphore};
use wakeful::task::{Phase, Presence, Registry, ShutdownReport, SpawnError, Tracked};
use wakeful::time::Time;
use wakeful::work::{Count, ItemOutcome, Lease, Refused, WorkerPool, periodic, worker_pool};

/// Connections at a time; who comes then waits to be accepted.
const CONNECTIONS: usize = 1_000;

/// What a connection has to write its last answers once the grace is over, and others to go in order.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What is asked for.
pub(crate) struct Config {
    pub(crate) listen: String,
    pub(crate) backend: String,
    pub(crate) workers: NonZeroUsize,
    pub(crate) queue: NonZeroUsize,
    pub(crate) rate: NonZeroU32,
    pub(crate) timeout: Duration,
    pub(crate) grace: Duration,
    pub(crate) status: Duration,
    pub(crate) log: Option<PathBuf>,
}

/// Runs it until it is asked to end.
pub(crate) async fn run<N: Net>(net: N, config: Config, mut signals: Signals) -> io::Result<Stopped> {
    let program = Scope::new(Time::system());
    let registry = Registry::new(&program);
    let (service, asked) = {
        let start = pin!(Service::start(net, &config, &registry));
        match select(start, pin!(signals.next())).await {
            // Nothing was accepted, so nothing is to be waited for.
            Either::Right((asked, _)) => return Ok(Stopped::before_it_was_ready(asked?)),
            Either::Left((service, asked)) => (service?, asked.await?),
        }
    };
    let mut again = None;
    let reason = Reason::shutdown().with_text(asked.to_string());
    // Said after the shutdown has begun, which it does with its first poll: from then on no request is read.
    let said = async {
        println!("{asked}: stopping, {} queued, {} running", service.pool.queued(), service.pool.running());
    };
    let mut shutdown = pin!(join(registry.shutdown(reason), said));
    let (phases, ()) = match select(shutdown.as_mut(), pin!(signals.next())).await {
        Either::Left((phases, _)) => phases,
        Either::Right((second, _)) => {
            let second = *again.insert(second?);
            registry.scope().cancel(Reason::shutdown().with_text(second.to_string()));
            shutdown.await
        }
    };
    // It is over by now, or what is left of it is to be.
    let requests = service.pool.drain(Duration::ZERO).await.count;
    Ok(Stopped { asked, again, requests, counts: service.counts.clone(), phases: Some(phases) })
}

type Pool = WorkerPool<String, String, String>;

struct Service<N> {
    net: N,
    limiter: Limiter,
    pool: Pool,
    backend: Backend<N>,
    seats: Semaphore,
    counts: Arc<Counts>,
    /// Who reads requests.
    intake: Phase,
    /// Who works on them, waits for them and writes their answers.
    requests: Phase,
    log: Sender<String>,
}

/// What the pool does not count.
#[derive(Debug, Default)]
struct Counts {
    too_fast: AtomicU64,
    too_many: AtomicU64,
    too_late: AtomicU64,
    answered: AtomicU64,
    /// Answers whose client had gone.
    unheard: AtomicU64,
    logged: AtomicU64,
}

impl<N: Net> Service<N> {
    async fn start(net: N, config: &Config, registry: &Registry) -> io::Result<Arc<Self>> {
        let (scope, time) = (registry.scope(), registry.scope().time());
        let log = match &config.log {
            Some(path) => Some(File::options().create(true).append(true).open(path)?),
            None => None,
        };
        let backend = Backend::new(net.clone(), time, config.backend.clone(), config.timeout);
        backend.ready(scope).await?;

        // In this order they end. The log is written as long as anybody has something to log.
        let intake = registry.phase("intake", LAST_WORDS, LAST_WORDS);
        let requests = registry.phase("requests", config.grace.saturating_add(LAST_WORDS), LAST_WORDS);
        let background = registry.phase("background", LAST_WORDS, LAST_WORDS);

        // The pool lies in no phase's scope: one that winds down would have it start nothing more, not even what is queued.
        let asks = backend.clone();
        let work = move |request: Lease<String>| {
            let backend = asks.clone();
            async move {
                let scope = current().expect("workers have one");
                backend.ask(&scope, &request).await
            }
        };
        let pool = worker_pool(work).workers(config.workers).capacity(config.queue).spawn_on(net.clone(), scope);
        let (log_sender, log_lines) = queue::bounded(NonZeroUsize::new(1_000).expect("not zero"));
        let service = Arc::new(Self {
            limiter: Limiter::new(time, Quota::per_second(config.rate).burst(config.rate)),
            pool: pool.clone(),
            backend,
            seats: Semaphore::new(CONNECTIONS),
            counts: Arc::default(),
            intake: intake.clone(),
            requests: requests.clone(),
            log: log_sender,
            net,
        });

        let (winds_down, grace) = (requests.scope().draining(), config.grace);
        service.spawn(requests.track("workers", async move {
            winds_down.await;
            pool.drain(grace).await;
        }));
        service.spawn(background.track("log", write_log(log, log_lines, background.clone(), service.counts.clone())));
        service.spawn(background.track("status", status(service.clone(), background.clone(), config.status)));

        let (listener, address) = service.net.listen(&config.listen).await?;
        service.spawn(intake.track("listener", service.clone().accept(listener)));
        println!("listening on {address}");
        io::stdout().flush()?;
        Ok(service)
    }

    /// Lets a member of a phase run; one that came too late is dropped.
    fn spawn<F>(&self, member: Result<Tracked<F>, SpawnError<F>>)
    where
        F: Future + Send + 'static,
        F::Output: Send,
    {
        if let Ok(member) = member {
            self.net.spawn(Task::new(async move { drop(member.await) }));
        }
    }

    async fn accept(self: Arc<Self>, listener: N::Listener) {
        let next = async || (self.seats.acquire().await.map(Permit::into_owned), N::accept(&listener).await);
        while let Some((Ok(seat), client)) = self.intake.scope().unless_draining(next()).await {
            match client {
                Ok((lines, writer)) => {
                    let Ok(reading) = self.intake.enter("connection") else { return };
                    let serve = self.clone().serve(lines, writer, reading, seat);
                    self.spawn(self.requests.track("connection", serve));
                }
                // Of most the client is the cause. Where it is that there are no more files, others have to end first.
                Err(error) => {
                    eprintln!("not accepted: {error}");
                    self.intake.scope().sleep(Duration::from_millis(20)).await;
                }
            }
        }
    }

    /// Serves a connection. It is part of the intake as long as it reads requests, and ends when it has written all answers.
    async fn serve(self: Arc<Self>, mut lines: N::Lines, mut writer: N::Writer, reading: Presence, _seat: OwnedPermit) {
        let (answers, written) = queue::bounded(NonZeroUsize::new(64).expect("not zero"));
        let read = async {
            self.read(&mut lines, answers).await;
            drop(reading);
        };
        join(read, self.write(written, &mut writer)).await;
        // A connection that is closed before everything was read that has come is reset, and the client may lose answers that
        // it has not read yet. So it hears first that there are no more, and has a while to go.
        let leave = async |_: &Scope| {
            if writer.close().await.is_ok() {
                while let Ok(Some(_)) = lines.next().await {}
            }
        };
        let _ = self.requests.scope().move_on_after(LAST_WORDS / 2, leave).await;
    }

    /// Reads requests until there are no more, or no more are read.
    async fn read(&self, lines: &mut N::Lines, answers: Sender<Answer>) {
        while let Some(Ok(Some(line))) = self.intake.scope().unless_draining(lines.next()).await {
            let (name, text) = line.split_once(' ').unwrap_or((&line, ""));
            if let Err(why) = self.take(name, text, &answers) {
                let refused = Answer { line: format!("{name} refused: {why}\n"), accepted: false };
                if answers.send(refused).await.is_err() {
                    return;
                }
            }
        }
    }

    /// Accepts a request, or says why not. Whoever sends it is never waited for, so that all get an answer at once.
    fn take(&self, name: &str, text: &str, answers: &Sender<Answer>) -> Result<(), String> {
        if let Err(refused) = self.limiter.try_acquire(1) {
            self.counts.too_fast.fetch_add(1, Relaxed);
            let pause = refused.earliest().map_or(Duration::MAX, |earliest| earliest - self.intake.scope().now());
            return Err(format!("too many requests a second, try again in {} ms", pause.as_millis() + 1));
        }
        let ticket = self.pool.try_submit(text.to_owned()).map_err(|refused| {
            let count = match refused.why {
                Refused::Full { .. } => &self.counts.too_many,
                _ => &self.counts.too_late,
            };
            count.fetch_add(1, Relaxed);
            refused.why.to_string()
        })?;
        let (name, answers, log) = (name.to_owned(), answers.clone(), self.log.clone());
        self.spawn(self.requests.track("request", async move {
            let line = match ticket.await {
                ItemOutcome::Done(answer) => format!("{name} done: {answer}\n"),
                ItemOutcome::Failed { error, .. } => format!("{name} failed: {error}\n"),
                ItemOutcome::Panicked { message, .. } => format!("{name} failed: {message}\n"),
                ItemOutcome::TimedOut { .. } => format!("{name} failed: timed out\n"),
                ItemOutcome::Cancelled { .. } => format!("{name} cancelled: the service stops\n"),
                ItemOutcome::Skipped { .. } => format!("{name} not begun: the service stops\n"),
            };
            // Neither waits for a client that does not read: the log first.
            drop(log.send(line.clone()).await);
            drop(answers.send(Answer { line, accepted: true }).await);
        }));
        Ok(())
    }

    /// Writes the answers of a connection, until nobody is left who has one.
    async fn write(&self, answers: Receiver<Answer>, writer: &mut N::Writer) {
        let mut gone = false;
        while let Ok(answer) = answers.recv().await {
            gone = gone || writer.write(&answer.line).await.is_err();
            if answer.accepted {
                let count = if gone { &self.counts.unheard } else { &self.counts.answered };
                count.fetch_add(1, Relaxed);
            }
        }
    }
}

struct Answer {
    line: String,
    /// Whether it is that of a request that was accepted.
    accepted: bool,
}

/// Writes down what became of requests, many lines at a time, on a thread that may block. When its phase winds down all others
/// have gone: what there is then is all that there will be.
async fn write_log(file: Option<File>, lines: Receiver<String>, phase: Phase, counts: Arc<Counts>) {
    let mut file = file.map(Arc::new);
    let mut batch = Vec::new();
    loop {
        match phase.scope().unless_draining(lines.recv_many(&mut batch, 100)).await {
            Some(Ok(_)) => {}
            Some(Err(_)) => return,
            None => {
                lines.close();
                if lines.recv_many(&mut batch, usize::MAX).await.is_err() {
                    return;
                }
            }
        }
        counts.logged.fetch_add(batch.len() as u64, Relaxed);
        let text = batch.drain(..).collect::<String>();
        let Some(log) = file.clone() else { continue };
        if let Err(error) = blocking::unblock(move || (&*log).write_all(text.as_bytes())).await {
            eprintln!("the log is given up: {error}");
            file = None;
        }
    }
}

/// Says how things stand, again and again.
async fn status<N: Net>(service: Arc<Service<N>>, phase: Phase, every: Duration) {
    let say = |_| async {
        let (pool, healthy) = (&service.pool, service.backend.is_healthy());
        let health = if healthy { "well" } else { "left alone" };
        eprintln!("{} queued, {} running, {}; the back end is {health}", pool.queued(), pool.running(), pool.count());
        Ok::<_, std::convert::Infallible>(())
    };
    periodic(every, say).first_after(every).run(phase.scope()).await;
}

/// What became of the service.
#[derive(Debug)]
pub(crate) struct Stopped {
    asked: Asked,
    /// The second signal.
    again: Option<Asked>,
    requests: Count,
    counts: Arc<Counts>,
    /// None: it was not ready yet.
    phases: Option<ShutdownReport>,
}

impl Stopped {
    fn before_it_was_ready(asked: Asked) -> Self {
        Self { asked, again: None, requests: Count::new(), counts: Arc::default(), phases: None }
    }

    fn unanswered(&self) -> u64 {
        self.requests.total() - self.counts.answered.load(Relaxed) - self.counts.unheard.load(Relaxed)
    }

    /// The status of the process.
    pub(crate) fn status(&self) -> u8 {
        let cut = self.requests.cancelled + self.requests.skipped + self.unanswered();
        let clean = self.phases.as_ref().is_none_or(ShutdownReport::is_clean);
        self.again.map_or(u8::from(cut > 0 || !clean), Asked::status)
    }
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |count: &AtomicU64| count.load(Relaxed);
        let counts = &*self.counts;
        let Some(phases) = &self.phases else {
            return write!(f, "stopped by {} before it was ready", self.asked);
        };
        match self.again {
            None => writeln!(f, "stopped by {}", self.asked)?,
            Some(again) => writeln!(f, "stopped by {}, and cut short by {again}", self.asked)?,
        }
        let (fast, many, late) = (count(&counts.too_fast), count(&counts.too_many), count(&counts.too_late));
        writeln!(f, "refused: {fast} too fast, {many} too many, {late} too late")?;
        writeln!(f, "accepted: {} ({})", self.requests.total(), self.requests)?;
        let (answered, unheard, logged) = (count(&counts.answered), count(&counts.unheard), count(&counts.logged));
        let unanswered = self.unanswered();
        writeln!(
            f,
            "answers: {answered} written, {unheard} to clients that had gone, {unanswered} not; {logged} logged"
        )?;
        write!(f, "{phases}")
    }
}
