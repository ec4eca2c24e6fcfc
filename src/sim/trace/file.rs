//! Recordings that the environment asks for, and those of runs that are made once more for that.

use super::value::Trace;
use crate::sim::builder::{Body, Builder};
use crate::sim::report::{Failure, FailureKind, Report, Summary};
use crate::sys::file;
use crate::sys::hush::hush;
use alloc::string::String;

/// The variable that names the file.
const VARIABLE: &str = "WAKEFUL_SIM_TRACE";

/// A file for recordings, and how it is written.
#[derive(Clone, Copy)]
struct File {
    path: &'static str,
    write: fn(&Trace) -> String,
}

impl File {
    /// The file that the environment names, if it names one.
    ///
    /// # Panics
    /// If its ending says nothing.
    fn named() -> Option<Self> {
        let path = file::named(VARIABLE)?;
        let write = match path.rsplit_once('.') {
            Some((_, "svg")) => Trace::to_svg,
            Some((_, "json")) => Trace::to_chrome,
            _ => panic!("{VARIABLE}={path} should end in .svg or .json"),
        };
        Some(Self { path, write })
    }

    fn write(self, trace: Option<&Trace>, failed: bool) {
        let Self { path, write } = self;
        let written = trace.map(|trace| file::write(path, failed, || write(trace)));
        if let Some(Err(error)) = written {
            panic!("{VARIABLE}={path} can't be written: {error}");
        }
    }
}

impl Builder {
    /// Makes a run by `run`, with a recording for the file that the environment names, if it does.
    pub(in crate::sim) fn recorded(
        &self,
        run: &mut dyn FnMut(&Self) -> Result<Report<()>, Failure>,
    ) -> Result<Report<()>, Failure> {
        let Some(file) = File::named().filter(|_| self.minds_file) else { return run(self) };
        let outcome = run(&self.clone().trace(self.trace.max(Trace::EVENTS)));
        let (trace, failed) = match &outcome {
            Ok(report) => (report.trace.as_ref(), false),
            Err(failure) => (failure.trace(), true),
        };
        file.write(trace, failed);
        outcome
    }

    /// Makes many runs by `explore`, and after that the last one again if a recording of it is wanted, or the one that
    /// failed in any case.
    pub(in crate::sim) fn recorded_last(
        &self,
        body: &Body<'_>,
        explore: &dyn Fn(&Self) -> Result<Summary, Failure>,
    ) -> Result<Summary, Failure> {
        let file = File::named().filter(|_| self.minds_file);
        let mut plain = self.clone();
        (plain.trace, plain.minds_file) = (0, false);
        let again = |line: &str, events: usize, locates: bool| {
            let mut this = plain.clone().replay(line).ok()?.trace(events);
            this.locates = locates;
            Some(hush(|| this.run_one(body)).0)
        };
        let wanted = if file.is_some() { self.trace.max(Trace::EVENTS) } else { self.trace };
        match explore(&plain) {
            Ok(mut summary) => {
                if wanted > 0 {
                    let report = again(&summary.last.0, wanted, false).and_then(Result::ok);
                    let report = report.filter(|report| report.hash == summary.last.1);
                    summary.trace = report.and_then(|report| report.trace);
                }
                if let Some(file) = file {
                    file.write(summary.trace.as_ref(), false);
                }
                Ok(summary)
            }
            // There is no run that could be made again, or it would take another course.
            Err(failure) if matches!(failure.kind(), FailureKind::Nondeterminism | FailureKind::NeverHit) => {
                Err(failure)
            }
            Err(mut failure) => {
                let told = match failure.steps() > Self::SHRINK_POLLS && wanted == 0 {
                    true => None,
                    false => again(failure.replay(), wanted.max(Trace::EVENTS), true),
                };
                if let Some(Err(told)) = told {
                    failure = failure.told_by(told);
                }
                if let Some(file) = file {
                    file.write(failure.trace(), true);
                }
                Err(failure)
            }
        }
    }
}
