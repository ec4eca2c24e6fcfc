//! SQLite behind a pool of connections: calls that block are made on other threads, and a transaction happens as a whole or
//! not at all, whatever becomes of who runs it.
//!
//! | what ends it | what becomes of the transaction | and of its connection |
//! |---|---|---|
//! | the body returns `Ok` | it is committed, under a shield: whether it was is always known | it goes back |
//! | the body returns an error | it is rolled back | it goes back |
//! | its scope is cancelled | the statement that runs is interrupted, and it is rolled back, under a shield | it goes back |
//! | its future is dropped, or panics | SQLite rolls it back, since its connection is closed | it is not lent again |

use futures::future::{Either, select};
use rusqlite::Connection;
use std::cell::Cell;
use std::fmt;
use std::future::poll_fn;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;
use wakeful::cancel::{Cancelled, Scope};
use wakeful::spawn::Offload;
use wakeful::sync::Semaphore;
use wakeful::task::{OffloadError, offload};
use wakeful::work::{GetError, Manage, Pooled, ResourcePool, Usage};

/// How often a statement looks whether it is to stop, in steps of SQLite's machine: some thousand times a second.
const STEPS: std::ffi::c_int = 10_000;

/// How long the end of a transaction is waited for, once nobody waits for the rest.
const LAST_CALL: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(crate) enum Failure {
    Sql(rusqlite::Error),
    /// The thread has not done its work.
    Thread(OffloadError),
    /// There is no connection, for this reason.
    NoConnection(&'static str),
    Cancelled(Cancelled),
    /// What the program itself has against it.
    Refused(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sql(error) => write!(f, "SQLite: {error}"),
            Self::Thread(error) => write!(f, "a call that blocks: {error}"),
            Self::NoConnection(why) => write!(f, "no connection: {why}"),
            Self::Cancelled(cancelled) => write!(f, "{cancelled}"),
            Self::Refused(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Failure {}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<OffloadError> for Failure {
    fn from(error: OffloadError) -> Self {
        Self::Thread(error)
    }
}

impl From<Cancelled> for Failure {
    fn from(cancelled: Cancelled) -> Self {
        Self::Cancelled(cancelled)
    }
}

/// A connection, unless a thread has it.
pub(crate) struct Wire(Option<Connection>);

/// Makes and cleans connections.
pub(crate) struct Connections<P> {
    file: PathBuf,
    threads: P,
    /// What the pool does for itself is done in here.
    scope: Scope,
}

impl<P: Offload> Manage for Connections<P> {
    type Object = Wire;
    type Error = Failure;

    async fn create(&self) -> Result<Wire, Failure> {
        let file = self.file.clone();
        let open = move || {
            let connection = Connection::open(file)?;
            // Readers and the writer don't wait for one another then.
            connection.pragma_update(None, "journal_mode", "wal")?;
            connection.pragma_update(None, "foreign_keys", "on")?;
            // Other programs may write too.
            connection.busy_timeout(LAST_CALL)?;
            Ok::<_, rusqlite::Error>(connection)
        };
        Ok(Wire(Some(offload(&self.scope, &self.threads, "open", open).await??)))
    }

    async fn recycle(&self, wire: &mut Wire, _: &Usage) -> Result<(), Failure> {
        self.finish(&self.scope, wire, end("ROLLBACK")).await
    }

    fn is_broken(&self, wire: &mut Wire) -> bool {
        wire.0.is_none()
    }
}

/// Ends the transaction, if there is one: SQLite itself rolls some back.
fn end(how: &'static str) -> impl FnOnce(&mut Connection) -> rusqlite::Result<()> + Send + 'static {
    move |connection| if connection.is_autocommit() { Ok(()) } else { connection.execute_batch(how) }
}

impl<P: Offload> Connections<P> {
    /// Runs `work` on a thread. If the scope is cancelled, a statement that runs is interrupted, and the connection comes back all the same.
    async fn call<T: Send + 'static>(
        &self,
        scope: &Scope,
        wire: &mut Wire,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Failure> {
        scope.check()?;
        let stop = Arc::new(AtomicBool::new(false));
        let stops = async {
            let cancelled = scope.cancelled().await;
            stop.store(true, Ordering::Relaxed);
            cancelled
        };
        let stopped = stop.clone();
        let work = move |connection: &mut Connection| {
            connection.progress_handler(STEPS, Some(move || stopped.load(Ordering::Relaxed)))?;
            let result = work(connection);
            connection.progress_handler(0, None::<fn() -> bool>)?;
            result
        };
        match select(pin!(self.finish(scope, wire, work)), pin!(stops)).await {
            Either::Left((result, _)) => result,
            Either::Right((cancelled, call)) => {
                // It may have come to its end all the same, and is to be rolled back in either case.
                drop(call.await);
                Err(cancelled.into())
            }
        }
    }

    /// Runs `work` on a thread, and does not give it up when the scope is cancelled.
    async fn finish<T: Send + 'static>(
        &self,
        scope: &Scope,
        wire: &mut Wire,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Failure> {
        let Some(mut connection) = wire.0.take() else { return Err(Failure::NoConnection("a thread has it")) };
        let work = move || {
            let result = work(&mut connection);
            (connection, result)
        };
        let shielded = scope.shield(LAST_CALL, async |s| offload(s, &self.threads, "call", work).await);
        let (connection, result) = shielded.await.into_result()??;
        wire.0 = Some(connection);
        Ok(result?)
    }
}

/// A connection, lent to the body of a transaction.
pub(crate) struct Session<'a, P> {
    connections: &'a Connections<P>,
    scope: &'a Scope,
    wire: &'a mut Wire,
    /// Whether a thread has the connection.
    calling: &'a Cell<bool>,
}

/// Gives `body` up when the scope is cancelled, but not while a thread has its connection.
async fn unless_cancelled<T>(
    scope: &Scope,
    calling: &Cell<bool>,
    body: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let (mut body, mut cancelled) = (pin!(body), pin!(scope.cancelled()));
    poll_fn(|cx| match body.as_mut().poll(cx) {
        Poll::Pending if !calling.get() => cancelled.as_mut().poll(cx).map(|cancelled| Err(cancelled.into())),
        polled => polled,
    })
    .await
}

impl<P: Offload> Session<'_, P> {
    /// Runs `work` on a thread.
    pub(crate) async fn call<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Failure> {
        self.calling.set(true);
        let result = self.connections.call(self.scope, self.wire, work).await;
        self.calling.set(false);
        result
    }
}

/// A database in a file.
pub(crate) struct Store<P: Offload> {
    pool: ResourcePool<Connections<P>>,
    /// SQLite has one writer at a time: who waits here, in order, does not hold a connection and is not told that it is busy.
    writer: Semaphore,
}

impl<P: Offload> Store<P> {
    /// No connection is opened before one is needed.
    pub(crate) fn new(scope: &Scope, threads: P, file: PathBuf, connections: NonZeroUsize) -> Self {
        let manage = Connections { file, threads, scope: scope.clone() };
        let pool = ResourcePool::builder(scope.time(), manage).max_size(connections).build();
        Self { pool, writer: Semaphore::new(1) }
    }

    pub(crate) fn pool(&self) -> &ResourcePool<Connections<P>> {
        &self.pool
    }

    async fn get(&self, scope: &Scope) -> Result<Pooled<Connections<P>>, Failure> {
        scope.run(self.pool.get()).await.into_result()?.map_err(|error| match error {
            GetError::Create(failure) => failure,
            _ => Failure::NoConnection("the pool is closed"),
        })
    }

    /// Reads, beside others.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        scope: &Scope,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Failure> {
        let pooled = self.get(scope).await?;
        pooled.lend(async |wire| self.pool.manager().call(scope, wire, work).await).await
    }

    /// Runs `body` in a transaction.
    pub(crate) async fn transaction<T>(
        &self,
        scope: &Scope,
        body: impl AsyncFnOnce(&mut Session<'_, P>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let _turn = scope.run(self.writer.acquire()).await.into_result()?.expect("nobody closes it");
        let (pooled, connections) = (self.get(scope).await?, self.pool.manager());
        // The shield keeps what is here when the scope is cancelled, but for the body, which is given up.
        // Should this future be dropped, `lend` drops the connection.
        let shielded = scope.shield(LAST_CALL, async |shield| {
            let lent = pooled.lend(async |wire| {
                let calling = Cell::new(false);
                let mut session = Session { connections, scope, wire, calling: &calling };
                let said = match session.call(|connection| connection.execute_batch("BEGIN IMMEDIATE")).await {
                    Ok(()) => unless_cancelled(scope, &calling, body(&mut session)).await,
                    Err(failure) => Err(failure),
                };
                let committed = match said {
                    Ok(value) => connections.finish(shield, wire, end("COMMIT")).await.map(|()| value),
                    Err(failure) => Err(failure),
                };
                if committed.is_err() {
                    // Should even that fail, it is dropped, or rolled back before it is lent again.
                    drop(connections.finish(shield, wire, end("ROLLBACK")).await);
                }
                committed
            });
            lent.await
        });
        shielded.await.into_result()?
    }
}
