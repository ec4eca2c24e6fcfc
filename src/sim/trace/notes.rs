//! What the test writes into its recording.

use super::record::Recorder;
use crate::sim::dump::Moment;
use crate::sim::handle::Sim;
use alloc::string::{String, ToString};
use core::fmt;

impl Sim {
    /// Makes a note at this place of the run, for its recording; without one, nothing is done and nothing is printed.
    ///
    /// # Examples
    /// ```
    /// use wakeful::sim::Builder;
    /// use wakeful::sim::trace::What;
    ///
    /// let report = Builder::new().trace(100).run(|sim| async move {
    ///     let item = 7;
    ///     sim.note(format_args!("item {item}"));
    /// });
    /// let trace = report.unwrap().trace.unwrap();
    /// let note = What::Noted { task: Some(0), text: "item 7".into() };
    /// assert!(trace.events().iter().any(|event| event.what == note));
    /// ```
    pub fn note(&self, text: impl fmt::Display) {
        if self.is_recorded() {
            let text = text.to_string();
            self.record(|trace, now| trace.noted(now, text));
        }
    }

    /// Begins a stretch of the run that is marked in its recording, until what is returned is dropped. Without a
    /// recording, nothing is done.
    ///
    /// For what goes on within one task: the items that workers in place have in work, the phases of a request.
    /// Drawings show such stretches below the lane of the task that began them.
    ///
    /// # Examples
    /// ```
    /// use core::time::Duration;
    /// use wakeful::sim::Builder;
    ///
    /// let report = Builder::new().trace(100).run(|sim| async move {
    ///     let upload = sim.span("upload");
    ///     sim.time().sleep(Duration::from_secs(2)).await;
    ///     drop(upload);
    /// });
    /// assert!(report.unwrap().trace.unwrap().to_svg().contains(">upload<"));
    /// ```
    pub fn span(&self, text: impl fmt::Display) -> Span {
        if !self.is_recorded() {
            return Span(None);
        }
        let (text, mut number) = (text.to_string(), 0);
        self.record(|trace, now| number = trace.opened(now, text));
        Span(Some((self.clone(), number)))
    }

    fn is_recorded(&self) -> bool {
        self.world().core.with(|core| core.trace.is_some())
    }

    fn record(&self, tell: impl FnOnce(&mut Recorder, Moment)) {
        self.world().core.with(|core| core.trace(tell));
    }
}

/// A marked stretch of a run, which ends when this is dropped; made by [`Sim::span`].
#[must_use = "it ends when it is dropped"]
pub struct Span(Option<(Sim, u64)>);

impl Drop for Span {
    fn drop(&mut self) {
        if let Some((sim, number)) = &self.0 {
            sim.record(|trace, now| trace.closed(now, *number));
        }
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Span").field("is_recorded", &self.0.is_some()).finish_non_exhaustive()
    }
}

/// A text, of which the end is cut off if it is longer than is kept.
pub(super) fn kept(mut text: String, most: usize) -> String {
    if text.len() > most {
        let end = (0..=most).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
        text.truncate(end);
        text.push_str("...");
    }
    text
}
