//! An event bus inside one process: a shop whose orders are published to whoever has to know, on every runtime and in virtual time.
//!
//! Stations publish orders as fast as they can. The ledger must see each, so they wait for it; the audit keeps up as it can and knows
//! how many it missed; the panel shows the latest. Large orders go to handlers as well, one of which fails for some: whoever
//! publishes waits for them, and has their errors. At the end the topic is closed, and all is read to its end before the report.
//!
//! ```text
//! cargo run --release --example bus -- [--orders N] [--stations N] [--runtime NAME]
//! ```

use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::time::Duration;
use wakeful::flow::handlers::{Handlers, HandlersError, Message};
use wakeful::flow::topic::{RecvError, Slow, Subscriber, Topic};
use wakeful::sim;
use wakeful::spawn::{Spawn, Task};
use wakeful::sync::oneshot;
use wakeful::time::Time;

/// Every so many orders are large.
const LARGE: u64 = 1_000;
/// Orders that lie on the bus at once.
const ROOM: NonZeroUsize = NonZeroUsize::new(256).expect("not zero");

#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    /// How many orders each station takes.
    pub(crate) orders: u64,
    pub(crate) stations: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { orders: 50_000, stations: 4 }
    }
}

#[derive(Clone, Copy, Debug)]
struct Order {
    number: u64,
    cents: u64,
}

/// What everybody has seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) published: u64,
    pub(crate) cents: u64,
    pub(crate) booked: u64,
    pub(crate) booked_cents: u64,
    pub(crate) audited: u64,
    pub(crate) missed: u64,
    pub(crate) shown: u64,
    pub(crate) large: u64,
    pub(crate) refused: u64,
    pub(crate) elapsed: Duration,
}

/// Starts a task whose output can be waited for.
fn start<T: Send + Sync + 'static>(
    spawn: &impl Spawn,
    name: &'static str,
    future: impl Future<Output = T> + Send + 'static,
) -> oneshot::Receiver<T> {
    let (tx, rx) = oneshot::channel();
    spawn.spawn(
        Task::new(async move {
            let output = future.await;
            // Nobody listens if the whole was given up.
            let _ = tx.send(output);
        })
        .named(name),
    );
    rx
}

/// Books every order.
async fn ledger(mut orders: Subscriber<Order>) -> (u64, u64) {
    let (mut booked, mut cents) = (0, 0);
    while let Ok(order) = orders.recv().await {
        booked += 1;
        cents += order.cents;
    }
    (booked, cents)
}

/// Looks at as many orders as it can.
async fn audit(mut orders: Subscriber<Order>) -> (u64, u64) {
    let (mut audited, mut missed) = (0, 0);
    loop {
        match orders.recv().await {
            Ok(_) => audited += 1,
            Err(RecvError::Missed(orders)) => missed += orders,
            Err(RecvError::Closed) => return (audited, missed),
        }
    }
}

/// Shows the latest order, a few times a second.
async fn panel(mut orders: Subscriber<Order>, time: Time) -> u64 {
    let mut shown = 0;
    while orders.recv().await.is_ok() {
        shown += 1;
        time.sleep(Duration::from_millis(5)).await;
    }
    shown
}

/// Takes orders and publishes them: how many, for how much, how many of them large, and how many of those refused.
async fn station(options: Options, station: u64, topic: Topic<Order>, large: Handlers<Order, String>) -> [u64; 4] {
    let mut account = [0; 4];
    for n in 0..options.orders {
        let number = station * options.orders + n;
        let order = Order { number, cents: 1 + number % 97 };
        topic.publish(order).await.expect("the shop is open");
        account[0] += 1;
        account[1] += order.cents;
        if number % LARGE == 0 {
            account[2] += 1;
            if let Err(HandlersError::Failed { errors, .. }) = large.publish(order).await {
                account[3] += errors.len() as u64;
            }
        }
    }
    account
}

/// Runs the shop until all stations are done and everybody has seen what they were to see.
async fn shop(options: Options, time: Time, spawn: impl Spawn) -> Account {
    let begun = time.now();
    let (topic, large) = (Topic::new(ROOM), Handlers::new(|error| unreachable!("nothing is posted: {error:?}")));
    let credit = large.on("credit", async |order: Message<Order>| match order.number % (3 * LARGE) {
        0 => Err(format!("order {} is not covered", order.number)),
        _ => Ok(()),
    });
    let greeting = large.on("greeting", async |_: Message<Order>| Ok(()));
    let mut booked = start(&spawn, "ledger", ledger(topic.subscribe(Slow::Wait)));
    let mut audited = start(&spawn, "audit", audit(topic.subscribe(Slow::DropOldest)));
    let mut shown = start(&spawn, "panel", panel(topic.subscribe(Slow::Latest), time.clone()));
    let stations: Vec<_> = (0..options.stations)
        .map(|n| start(&spawn, "station", station(options, n, topic.clone(), large.clone())))
        .collect();
    let mut account = Account::default();
    for mut station in stations {
        let [published, cents, large, refused] = station.recv().await.expect("it ends");
        account.published += published;
        account.cents += cents;
        account.large += large;
        account.refused += refused;
    }
    topic.close();
    topic.drained().await;
    drop((credit, greeting));
    (account.booked, account.booked_cents) = booked.recv().await.expect("it ends");
    (account.audited, account.missed) = audited.recv().await.expect("it ends");
    account.shown = shown.recv().await.expect("it ends");
    account.elapsed = time.now() - begun;
    account
}

/// The names of what [`run`] knows.
pub(crate) const RUNTIMES: [&str; 4] = ["tokio", "smol", "async-std", "virtual time"];

/// Runs the shop on a runtime.
pub(crate) fn run(runtime: &str, options: Options) -> io::Result<Account> {
    match runtime {
        "tokio" => {
            let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build()?;
            let handle = tokio.handle().clone();
            let spawn = move |task: Task| {
                handle.spawn(task);
            };
            Ok(tokio.block_on(shop(options, Time::system(), spawn)))
        }
        "smol" => Ok(smol::block_on(shop(options, Time::system(), |task: Task| smol::spawn(task).detach()))),
        "async-std" => Ok(async_std::task::block_on(shop(options, Time::system(), |task: Task| {
            async_std::task::spawn(task);
        }))),
        "virtual time" => Ok(sim::run(move |sim| async move { shop(options, sim.time(), sim.spawner()).await })),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "there is no such runtime")),
    }
}

/// One line.
pub(crate) fn print(runtime: &str, account: &Account, out: &mut impl Write) -> io::Result<()> {
    let Account { published, cents, booked, audited, missed, shown, large, refused, elapsed, .. } = account;
    writeln!(
        out,
        "{runtime:<12}  {published} orders for {cents} cents in {elapsed:.2?}: {booked} booked; {audited} audited, {missed} missed; \
         shown {shown} times; {large} large, {refused} refused"
    )
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    use lexopt::ValueExt;
    let (mut options, mut only) = (Options::default(), None::<String>);
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            lexopt::Arg::Long("orders") => options.orders = args.value()?.parse()?,
            lexopt::Arg::Long("stations") => options.stations = args.value()?.parse()?,
            lexopt::Arg::Long("runtime") => only = Some(args.value()?.parse()?),
            other => return Err(other.unexpected().into()),
        }
    }
    for runtime in RUNTIMES.into_iter().filter(|runtime| only.as_ref().is_none_or(|only| only == runtime)) {
        print(runtime, &run(runtime, options)?, &mut io::stdout())?;
    }
    Ok(())
}
