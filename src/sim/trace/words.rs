//! How times, names and waits are written where there is little room.

use super::event::Cause;
use super::story::Waits;
use super::value::Trace;
use crate::sim::dump::WaitInfo;
use crate::time::Instant;
use alloc::format;
use alloc::string::{String, ToString};
use core::fmt::{self, Write as _};

/// Nanoseconds in the largest unit of which there is one, exactly: `1.5s`, `250ms`, `3us`.
pub(super) struct Short(pub(super) u64);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, name, digits) = match self.0 {
            0 => return f.write_str("0s"),
            u64::MAX => return f.write_str("never"),
            1..1_000 => (1, "ns", 0),
            1_000..1_000_000 => (1_000, "us", 3),
            1_000_000..1_000_000_000 => (1_000_000, "ms", 6),
            _ => (1_000_000_000, "s", 9),
        };
        write!(f, "{}", self.0 / unit)?;
        let rest = format!("{:0digits$}", self.0 % unit);
        match rest.trim_end_matches('0') {
            "" => {}
            rest => write!(f, ".{rest}")?,
        }
        f.write_str(name)
    }
}

/// An instant, as long after the epoch.
pub(super) fn short(at: Instant) -> Short {
    Short(at.as_nanos())
}

/// Whether a character upsets lines: a control character, or one that turns the direction of what follows.
fn upsets(c: char) -> bool {
    let turns = ['\u{200e}', '\u{200f}', '\u{2028}', '\u{2029}', '\u{feff}'];
    c.is_control()
        || turns.contains(&c)
        || ('\u{202a}'..='\u{202e}').contains(&c)
        || ('\u{2066}'..='\u{2069}').contains(&c)
}

/// A text on one line: what would upset it is escaped, and of what is longer than `most` characters the end is cut off.
pub(super) fn line(text: &str, most: usize) -> String {
    let mut line = String::new();
    for c in text.chars() {
        match c {
            '\n' => line.push_str("\\n"),
            c if upsets(c) => {
                let _ = write!(line, "{}", c.escape_unicode());
            }
            c => line.push(c),
        }
    }
    cut(&mut line, most);
    line
}

/// Cuts a text off after `most` characters; its end then shows it.
pub(super) fn cut(text: &mut String, most: usize) {
    if text.chars().nth(most).is_some() {
        let end = text.char_indices().nth(most.saturating_sub(2)).map_or(0, |(at, _)| at);
        text.truncate(end);
        text.push_str("..");
    }
}

/// A task by its name, or the file and line where it was made; before it its node, if it is on one.
pub(super) fn name(trace: &Trace, task: usize, most: usize) -> String {
    let task = &trace.tasks()[task];
    let node = if task.node.is_empty() { String::new() } else { format!("{}/", task.node) };
    match task.made {
        Some(made) if task.name.is_empty() => {
            let file = made.file().rsplit(['/', '\\']).next().unwrap_or_default();
            line(&format!("{node}{file}:{}", made.line()), most)
        }
        _ => line(&format!("{node}{}", task.name), most),
    }
}

/// What is waited for, in a few words.
pub(super) fn waits(waits: Waits<'_>) -> String {
    let Waits { on, more } = waits;
    if on.is_empty() {
        return "something not the kit's".to_string();
    }
    let mut said = String::new();
    for (n, WaitInfo { what, id, until, task }) in on.iter().enumerate() {
        said.push_str(if n == 0 { "" } else { " / " });
        match (task, id) {
            (Some(task), _) => said.push_str(&format!("the end of {}", line(task, 40))),
            (None, Some((number, _))) => said.push_str(&format!("{what} #{number}")),
            (None, None) => said.push_str(what),
        }
        if !until.is_never() {
            let _ = write!(said, " until {}", short(*until));
        }
    }
    if more > 0 {
        let _ = write!(said, " / {more} more");
    }
    said
}

/// Who woke a task.
pub(super) fn cause(trace: &Trace, by: Cause) -> String {
    match by {
        Cause::Task(by) => name(trace, by, 40),
        Cause::Timer => "a timer".to_string(),
        Cause::Lull => "a lull: nobody else was ready".to_string(),
        Cause::Nothing => "nothing: it is woken to no purpose".to_string(),
        Cause::Outside => "another thread".to_string(),
    }
}
