//! The job itself: one generic function, which knows no runtime, no clock and no disk.

use super::files::{self, Digest, File};
use super::model::Fit;
use super::options::Options;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use wakeful::cancel::Scope;
use wakeful::limit::{Limiter, Quota};
use wakeful::work::{Ended, ItemOutcome, Lease, work};

/// What came of the job, once.
///
/// Every file is counted in exactly one of the first five fields.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    pub(crate) done: usize,
    /// Unreadable, or its reading panicked.
    pub(crate) failed: usize,
    /// Begun and cut short, by its own timeout or by the deadline.
    pub(crate) timed_out: usize,
    pub(crate) skipped: usize,
    pub(crate) not_started: usize,
    /// Bytes of the files that were done.
    pub(crate) bytes: u64,
    pub(crate) elapsed: Duration,
    /// Which files failed, and why.
    pub(crate) failures: Vec<(usize, String)>,
    pub(crate) digests: Vec<(usize, Digest)>,
    /// What the files that were done cost.
    pub(crate) fit: Fit,
}

/// What reading a file gave. A model of reading gives no digest.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) digest: Option<Digest>,
    pub(crate) bytes: u64,
}

/// Reads all of `files`, each by `read`, within the scope and the options; calls `tick` whenever one has ended.
///
/// # Cancel safety
/// Dropping it drops the readings that are under way.
pub(crate) async fn job<'f, R, F>(scope: &Scope, files: &'f [File], options: &Options, tick: impl Fn(), read: R) -> Row
where
    R: Fn(&File) -> F,
    F: Future<Output = io::Result<Read>>,
{
    let (time, read) = (scope.time(), &read);
    let body = |file: Lease<&'f File>| async move {
        if let Some(trouble) = &file.trouble {
            return Err(trouble.clone());
        }
        let began = time.now();
        let read = read(&file).await.map_err(|error| error.to_string())?;
        Ok((read, time.now() - began))
    };

    let mut row = Row::default();
    let sink = |ended: Ended<&'f File, (Read, Duration), String>| {
        row.count(ended.index as usize, ended.outcome);
        tick();
    };

    let mut order = work(files).workers(options.workers).deadline_after(options.deadline);
    if let Some(timeout) = options.timeout {
        order = order.item_timeout(timeout);
    }
    if let Some(rate) = options.rate {
        order = order.rate(&Limiter::new(time, Quota::per_second(rate)));
    }
    let report = order.run(scope, body, sink).await;
    row.not_started = report.not_started.expect("a slice knows its length");
    row.elapsed = report.elapsed();
    row
}

impl Row {
    fn count(&mut self, file: usize, outcome: ItemOutcome<&File, (Read, Duration), String>) {
        match outcome {
            ItemOutcome::Done((read, took)) => {
                self.done += 1;
                self.bytes += read.bytes;
                self.fit.add(read.bytes, took);
                self.digests.extend(read.digest.map(|digest| (file, digest)));
            }
            ItemOutcome::Failed { error, .. } => self.fail(file, error),
            ItemOutcome::Panicked { message, .. } => self.fail(file, format!("panicked: {message}")),
            ItemOutcome::TimedOut { .. } | ItemOutcome::Cancelled { .. } => self.timed_out += 1,
            ItemOutcome::Skipped { .. } => self.skipped += 1,
        }
    }

    fn fail(&mut self, file: usize, reason: String) {
        self.failed += 1;
        self.failures.push((file, reason));
    }
}

/// Reads a file for real, on the blocking pool.
///
/// # Cancel safety
/// A reading that is dropped stops before its next piece, and holds its thread until then.
pub(crate) fn read(file: &File) -> impl Future<Output = io::Result<Read>> + Send + use<> {
    let (path, bytes) = (file.path.clone(), file.bytes);
    async move {
        // Gone when this future is: so the thread learns that nobody wants its result.
        let wanted = Arc::new(());
        let still = Arc::downgrade(&wanted);
        let (digest, bytes) =
            blocking::unblock(move || files::digest(&path, bytes, || still.strong_count() > 0)).await?;
        drop(wanted);
        Ok(Read { digest: Some(digest), bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{model::Model, rehearse, runtimes, scratch::Scratch};
    use super::*;
    use std::num::{NonZeroU32, NonZeroUsize};

    const MS: Duration = Duration::from_millis(1);

    /// A file in ten is one that can't be read.
    fn files(count: usize) -> Arc<[File]> {
        let trouble = |n| (n % 10 == 9).then(|| "not a regular file".to_owned());
        (0..count).map(|n| File { path: n.to_string().into(), bytes: 1_000, trouble: trouble(n) }).collect()
    }

    fn options(workers: usize, deadline: Duration) -> Options {
        Options { workers: NonZeroUsize::new(workers).unwrap(), deadline, ..Options::default() }
    }

    /// Each file takes 10 ms.
    const MODEL: Model = Model { per_file: 9_000_000.0, per_byte: 1_000.0 };

    fn counts(row: &Row) -> [usize; 5] {
        [row.done, row.failed, row.timed_out, row.skipped, row.not_started]
    }

    #[test]
    fn a_rehearsal_is_exact() {
        let row = rehearse(files(100), &options(3, 1_000 * MS), MODEL).0;
        assert_eq!(counts(&row), [90, 10, 0, 0, 0]);
        assert_eq!((row.elapsed, row.bytes), (300 * MS, 90_000));
        assert_eq!(row.failures[0], (9, "not a regular file".to_owned()));
        let again = row.fit.model().unwrap();
        assert_eq!(again.cost(1_000), MODEL.cost(1_000));
    }

    #[test]
    fn a_rehearsal_says_how_far_the_deadline_gets() {
        let row = rehearse(files(100), &options(2, 100 * MS), MODEL).0;
        assert_eq!(counts(&row), [20, 2, 0, 0, 78]);
        assert_eq!(row.elapsed, 100 * MS);
        let row = rehearse(files(100), &options(2, 95 * MS), MODEL).0;
        assert_eq!(counts(&row), [18, 2, 2, 0, 78]);
        assert_eq!(row.elapsed, 95 * MS);
    }

    #[test]
    fn a_rate_and_a_timeout_are_kept() {
        let rate = Options { rate: NonZeroU32::new(20), ..options(4, 1_000 * MS) };
        let row = rehearse(files(10), &rate, MODEL).0;
        assert_eq!(counts(&row), [9, 1, 0, 0, 0]);
        assert_eq!(row.elapsed, 450 * MS);
        let timeout = Options { timeout: Some(4 * MS), ..options(1, 1_000 * MS) };
        let row = rehearse(files(10), &timeout, MODEL).0;
        assert_eq!(counts(&row), [0, 1, 9, 0, 0]);
        assert_eq!(row.elapsed, 36 * MS);
    }

    #[test]
    fn a_file_that_is_gone_has_failed_on_every_runtime() {
        let scratch = Scratch::new();
        scratch.write("here", b"content");
        let file = |name| File { path: scratch.path().join(name), bytes: 7, trouble: None };
        let files: Arc<[File]> = [file("gone"), file("here")].into();
        for runtime in &runtimes::ALL {
            let (files, options) = (files.clone(), options(2, Duration::MAX));
            let row = (runtime.run)(Box::pin(super::super::real(files, options, indicatif::ProgressBar::hidden())));
            assert_eq!(counts(&row), [1, 1, 0, 0, 0], "{}", runtime.name);
            let (file, reason) = &row.failures[0];
            assert!(*file == 0 && reason.contains("No such file"), "{reason}");
            assert_eq!((row.digests.len(), row.digests[0].0, row.bytes), (1, 1, 7));
        }
    }
}
