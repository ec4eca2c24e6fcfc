//! Follows the links of a site that lies in a folder, and names those that lead nowhere.
//!
//! Whoever reads a page spawns a task for each link that it finds: nobody knows beforehand how many there will be, or when
//! the last is done. The group does. If time runs out, what has been found by then is printed, and no task is left.
//!
//! The example `scraper` follows links over HTTP, depth by depth, and keeps to limits for each host.
//!
//! ```text
//! cargo run --example crawler -- FOLDER [--start PAGE] [--at-once PAGES] [--deadline MILLISECONDS]
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use wakeful::cancel::Scope;
use wakeful::spawn::{Job, Task};
use wakeful::sync::Semaphore;
use wakeful::task::{GroupError, OffloadError, TaskGroup, group, offload};
use wakeful::time::Time;

/// What is asked for.
pub(crate) struct Options {
    pub(crate) folder: PathBuf,
    pub(crate) start: PathBuf,
    /// How many pages are read side by side.
    pub(crate) at_once: NonZeroUsize,
    pub(crate) deadline: Duration,
}

impl Options {
    pub(crate) fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            start: "index.html".into(),
            at_once: NonZeroUsize::new(8).expect("eight"),
            deadline: Duration::from_secs(10),
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    use lexopt::ValueExt;
    let mut options = Options::new("");
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            lexopt::Arg::Long("start") => options.start = args.value()?.into(),
            lexopt::Arg::Long("at-once") => options.at_once = args.value()?.parse()?,
            lexopt::Arg::Long("deadline") => options.deadline = Duration::from_millis(args.value()?.parse()?),
            lexopt::Arg::Value(folder) if options.folder.as_os_str().is_empty() => options.folder = folder.into(),
            other => return Err(other.unexpected().into()),
        }
    }
    run(&options, &mut io::stdout())?;
    Ok(())
}

/// The whole example.
pub(crate) fn run(options: &Options, out: &mut impl Write) -> io::Result<()> {
    let site = Arc::new(Site {
        folder: options.folder.clone(),
        reading: Semaphore::new(options.at_once.get()),
        found: Mutex::new(Found::default()),
    });
    let scope = Scope::new(Time::system());
    let outcome = smol::block_on(
        group(|task: Task| smol::spawn(task).detach()).named("crawler").deadline_after(options.deadline).run(
            &scope,
            async |g| {
                site.visit(&g, Path::new(""), options.start.clone());
                Ok(())
            },
        ),
    );
    let found = site.found();
    writeln!(out, "{} pages, {} read", found.pages.len(), found.read)?;
    for page in &found.missing {
        let from: Vec<_> = found.pages[page].iter().map(|page| page.display().to_string()).collect();
        writeln!(out, "{} is not there, linked from {}", page.display(), from.join(", "))?;
    }
    match outcome {
        Ok(()) => Ok(()),
        Err(GroupError::Cancelled(why)) => writeln!(out, "not all were read: {why}"),
        Err(failed) => Err(io::Error::other(failed.to_string())),
    }
}

struct Site {
    folder: PathBuf,
    reading: Semaphore,
    found: Mutex<Found>,
}

#[derive(Default)]
struct Found {
    /// Those that somebody visits or has visited, and where the links to them were found.
    pages: BTreeMap<PathBuf, BTreeSet<PathBuf>>,
    read: usize,
    /// Those that are not there.
    missing: BTreeSet<PathBuf>,
}

impl Site {
    fn found(&self) -> MutexGuard<'_, Found> {
        self.found.lock().expect("nobody panics who has it")
    }

    /// Spawns a task that visits `page`, unless somebody does.
    fn visit(self: &Arc<Self>, g: &TaskGroup<io::Error>, from: &Path, page: PathBuf) {
        let is_new = {
            let mut found = self.found();
            let sources = found.pages.entry(page.clone()).or_default();
            sources.insert(from.to_owned()) && sources.len() == 1
        };
        if is_new {
            let (site, inner) = (self.clone(), g.clone());
            let name = page.display().to_string();
            // The error would say that the group is over, which it is not while its children spawn.
            drop(g.spawn(name, async move { site.read(&inner, &page).await }));
        }
    }

    /// Reads a page, and visits those that it links to.
    async fn read(self: &Arc<Self>, g: &TaskGroup<io::Error>, page: &Path) -> io::Result<()> {
        let permit = self.reading.acquire().await.map_err(io::Error::other)?;
        let path = self.folder.join(page);
        let blocking = |job: Job| blocking::unblock(|| job.run()).detach();
        let text = match offload(g.scope(), &blocking, "read", || std::fs::read_to_string(path)).await {
            Ok(text) => text,
            // The scope is cancelled, and this with it.
            Err(OffloadError::Cancelled(_)) => return Ok(()),
            Err(error) => return Err(io::Error::other(error)),
        };
        drop(permit);
        match text {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.found().missing.insert(page.to_owned());
            }
            text => {
                let text = text?;
                self.found().read += 1;
                for link in links(&text).filter_map(|link| beside(page, link)) {
                    self.visit(g, page, link);
                }
            }
        }
        Ok(())
    }
}

/// What a page links to.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("href=\"").skip(1).filter_map(|rest| rest.split_once('"')).map(|(link, _)| link)
}

/// The page that `link` on `page` leads to; nothing, if it leads elsewhere.
fn beside(page: &Path, link: &str) -> Option<PathBuf> {
    let link = link.split(['#', '?']).next().filter(|link| !link.is_empty() && !link.contains(':'))?;
    let mut path = page.parent().map(Path::to_owned).unwrap_or_default();
    for part in Path::new(link).components() {
        match part {
            Component::Normal(name) => path.push(name),
            Component::ParentDir => {
                path.pop();
            }
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => path.clear(),
        }
    }
    Some(path)
}
