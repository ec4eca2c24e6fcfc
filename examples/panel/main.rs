//! A panel in the terminal that shows a batch while it runs: workers, queue, rate, limit, time left, outcomes.
//!
//! ```text
//! cargo run --example panel -- [--items N] [--workers N] [--queue N] [--rate N] [--deadline SECONDS]
//! ```
//!
//! Everything that it shows its parts say of themselves: the [`WorkerPool`](wakeful::work::WorkerPool) how many items are in
//! its queue, are worked on, and have ended in which way, the [`Limiter`](wakeful::limit::Limiter) what it would grant, the
//! [`Scope`](wakeful::cancel::Scope) when its time is up. So the panel looks when it likes, and the batch knows nothing of it.
//! Whatever becomes of either, the terminal is as it was afterwards.
//!
//! `q`, Escape and Ctrl-C stop the batch, as SIGINT, SIGTERM and SIGHUP do; `+` and `-` change how many workers there are.

pub(crate) mod batch;
pub(crate) mod screen;
#[cfg(unix)]
mod signals;

use batch::{Batch, Options, Standing};
use futures::future::{Either, select};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use screen::{Rates, draw};
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use wakeful::queue::{self, Receiver, Sender};
use wakeful::spawn::Task;
use wakeful::time::Time;
use wakeful::work::Count;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(100);

/// What somebody at the keyboard wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    Stop,
    Hire(isize),
    /// Another look: the terminal has another size.
    Look,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = options()?;
    let screen = Screen::open()?;
    let count = {
        let mut terminal = Terminal::new(CrosstermBackend::new(io::stdout()))?;
        let (wishes, wanted) = queue::unbounded();
        #[cfg(unix)]
        smol::spawn(signals::listen(signals::ending()?, wishes.clone())).detach();
        let keys = std::thread::spawn(move || listen(&wishes));
        let time = Time::system();
        let batch = Batch::start(|task: Task| smol::spawn(task).detach(), &time, options);
        let count = smol::block_on(watch(&batch, &time, &wanted, |now, rates| {
            terminal.draw(|frame| draw(frame, now, rates)).map(drop)
        }));
        drop(wanted);
        keys.join().expect("it does not panic")?;
        count?
    };
    drop(screen);
    println!("{count}");
    Ok(())
}

fn options() -> Result<Options, lexopt::Error> {
    use lexopt::{Arg, ValueExt};
    let mut options = Options::default();
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            Arg::Long("items") => options.items = args.value()?.parse()?,
            Arg::Long("workers") => options.workers = args.value()?.parse()?,
            Arg::Long("queue") => options.queue = args.value()?.parse()?,
            Arg::Long("rate") => options.rate = args.value()?.parse()?,
            Arg::Long("deadline") => options.deadline = Duration::from_secs(args.value()?.parse()?),
            other => return Err(other.unexpected()),
        }
    }
    Ok(options)
}

/// The terminal in the state that the panel needs, until it is dropped, be it by a panic.
///
/// What panics say is kept until then: a body's, which the pool contains, would be written into the panel, and anybody else's
/// would go with it.
struct Screen {
    said: Arc<Mutex<Vec<String>>>,
}

impl Screen {
    fn open() -> io::Result<Self> {
        drop(ratatui::try_init()?);
        let said = Arc::default();
        let keeps: Arc<Mutex<Vec<String>>> = Arc::clone(&said);
        // In place of the one that `try_init` has set, which gives the terminal back at each panic, contained or not.
        std::panic::set_hook(Box::new(move |panic| {
            keeps.lock().unwrap_or_else(PoisonError::into_inner).push(panic.to_string());
        }));
        Ok(Self { said })
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
        for line in &*self.said.lock().unwrap_or_else(PoisonError::into_inner) {
            eprintln!("{line}");
        }
    }
}

/// Listens to the keyboard, on a thread of its own, until nobody wants to know.
fn listen(wishes: &Sender<Wish>) -> io::Result<()> {
    while !wishes.is_closed() {
        if event::poll(LOOK)? {
            if let Some(wish) = wish(&event::read()?) {
                let _ = wishes.try_send(wish);
            }
        }
    }
    Ok(())
}

fn wish(event: &Event) -> Option<Wish> {
    match event {
        Event::Resize(..) => Some(Wish::Look),
        Event::Key(key) if key.kind == KeyEventKind::Press => match key.code {
            KeyCode::Char('c') if key.modifiers == KeyModifiers::CONTROL => Some(Wish::Stop),
            KeyCode::Char('q') | KeyCode::Esc => Some(Wish::Stop),
            KeyCode::Char('+') => Some(Wish::Hire(1)),
            KeyCode::Char('-') => Some(Wish::Hire(-1)),
            _ => None,
        },
        _ => None,
    }
}

/// Runs the batch, and shows how it stands every tenth of a second, until it is over.
pub(crate) async fn watch(
    batch: &Batch,
    time: &Time,
    wishes: &Receiver<Wish>,
    mut show: impl FnMut(&Standing, &Rates) -> io::Result<()>,
) -> io::Result<Count> {
    let (mut rates, mut looks) = (Rates::default(), time.interval(LOOK));
    let mut run = pin!(batch.run());
    loop {
        let next = async {
            match select(pin!(looks.tick()), pin!(wishes.recv())).await {
                Either::Left(_) => None,
                Either::Right((wish, _)) => Some(wish.unwrap_or(Wish::Stop)),
            }
        };
        match select(run.as_mut(), pin!(next)).await {
            Either::Left((count, _)) => {
                rates.add(count.total());
                show(&batch.standing(), &rates)?;
                return Ok(count);
            }
            Either::Right((None, _)) => rates.add(batch.pool.count().total()),
            Either::Right((Some(Wish::Stop), _)) => batch.stop().await,
            Either::Right((Some(Wish::Hire(more)), _)) => batch.hire(more),
            Either::Right((Some(Wish::Look), _)) => {}
        }
        show(&batch.standing(), &rates)?;
    }
}
