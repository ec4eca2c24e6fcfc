//! What is printed about the rows.

use super::files::File;
use super::job::Row;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

/// Lays out the table, line by line, so that each row can be shown as soon as it is there.
#[derive(Debug)]
pub(crate) struct Table {
    count: usize,
}

impl Table {
    /// A table about so many files.
    pub(crate) fn new(files: usize) -> Self {
        Self { count: files.to_string().len() }
    }

    fn line(&self, name: &str, counts: [&str; 5], rates: [&str; 3]) -> String {
        let mut line = format!("{name:<20}");
        for (title, cell) in TITLES.iter().zip(counts) {
            let width = title.len().max(self.count);
            write!(line, "  {cell:>width$}").expect("a string takes all");
        }
        for cell in rates {
            write!(line, "  {cell:>10}").expect("a string takes all");
        }
        line
    }

    /// The titles of the columns.
    pub(crate) fn head(&self) -> String {
        self.line("runtime", TITLES, ["elapsed", "files/s", "MB/s"])
    }

    /// A row.
    pub(crate) fn row(&self, name: &str, row: &Row) -> String {
        let counts = [row.done, row.failed, row.timed_out, row.skipped, row.not_started].map(|n| n.to_string());
        let seconds = row.elapsed.as_secs_f64();
        let per_second = |n: f64, digits| if n == 0.0 { "-".into() } else { format!("{:.digits$}", n / seconds) };
        let files = per_second(row.done as f64, 0);
        let megabytes = per_second(row.bytes as f64 / 1e6, 1);
        self.line(name, counts.each_ref().map(String::as_str), [&took(row.elapsed), &files, &megabytes])
    }

    /// A row that could not be made.
    pub(crate) fn gap(&self, name: &str) -> String {
        self.line(name, ["-"; 5], ["-"; 3])
    }
}

const TITLES: [&str; 5] = ["done", "failed", "timed out", "skipped", "not started"];

/// A duration in the unit that suits it.
pub(crate) fn took(duration: Duration) -> String {
    match duration.as_nanos() {
        0..1_000_000 => format!("{:.1} µs", duration.as_secs_f64() * 1e6),
        1_000_000..1_000_000_000 => format!("{:.1} ms", duration.as_secs_f64() * 1e3),
        _ => format!("{:.3} s", duration.as_secs_f64()),
    }
}

/// Says whether the digests agree wherever two rows finished the same file; the error names the files where they don't.
pub(crate) fn agreement(rows: &[(&str, Row)], files: &[File]) -> Result<String, String> {
    let mut by_file = BTreeMap::<usize, Vec<_>>::new();
    for (name, row) in rows {
        for &(file, digest) in &row.digests {
            by_file.entry(file).or_default().push((*name, digest));
        }
    }
    by_file.retain(|_, digests| digests.len() > 1);
    let agreeing = by_file.values().filter(|digests| digests.iter().all(|(_, digest)| *digest == digests[0].1)).count();
    let all = by_file.len();
    if agreeing == all {
        return Ok(match all {
            0 => "digests: no file was finished by two runtimes, so there is nothing to compare".into(),
            1 => "digests agree on the one file that two runtimes or more finished".into(),
            _ => format!("digests agree on all {all} files that two runtimes or more finished"),
        });
    }
    let mut said = format!("digests DISAGREE on {} of {all} files that two runtimes or more finished:", all - agreeing);
    by_file.retain(|_, digests| digests.iter().any(|(_, digest)| *digest != digests[0].1));
    for (file, digests) in by_file.into_iter().take(LISTED) {
        write!(said, "\n  {}", shown(&files[file].path)).expect("a string takes all");
        for (name, digest) in digests {
            let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            write!(said, "\n    {hex}  {name}").expect("a string takes all");
        }
    }
    if all - agreeing > LISTED {
        write!(said, "\n  {} more", all - agreeing - LISTED).expect("a string takes all");
    }
    Err(said)
}

/// How many files are listed that failed, or whose digests differ.
const LISTED: usize = 50;

/// The files that failed, each once, with the reason and where it failed.
pub(crate) fn failures(rows: &[(&str, Row)], files: &[File]) -> Vec<String> {
    let mut by_file = BTreeMap::<(usize, &str), Vec<&str>>::new();
    for (name, row) in rows {
        for (file, reason) in &row.failures {
            by_file.entry((*file, reason)).or_default().push(name);
        }
    }
    let all = by_file.len();
    let line = |((file, reason), names): ((usize, &str), Vec<&str>)| {
        let everywhere = names.len() == rows.len();
        let whither = if everywhere { String::new() } else { format!(" (on {})", names.join(", ")) };
        format!("failed: {}: {reason}{whither}", shown(&files[file].path))
    };
    let mut lines: Vec<_> = by_file.into_iter().take(LISTED).map(line).collect();
    if all > LISTED {
        lines.push(format!("failed: {} more", all - LISTED));
    }
    lines
}

/// A path as it is, or quoted where it is empty, not Unicode, or holds what would upset a terminal.
pub(crate) fn shown(path: &Path) -> String {
    match path.to_str() {
        Some(plain) if !plain.is_empty() && !plain.chars().any(char::is_control) => plain.to_owned(),
        _ => format!("{path:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> File {
        File { path: path.into(), bytes: 0, trouble: None }
    }

    #[test]
    fn columns_stand_under_their_titles_also_for_a_million_files() {
        for files in [3, 1_234_567, 12_345_678_901] {
            let table = Table::new(files);
            let row = Row {
                done: files,
                bytes: 2_000_000,
                elapsed: Duration::from_secs(1_000),
                not_started: files,
                ..Row::default()
            };
            let lines = [table.head(), table.row("tokio-current-thread", &row), table.gap("rehearsal")];
            let ends = |line: &str| line.chars().count();
            assert_eq!(ends(&lines[0]), ends(&lines[1]));
            assert_eq!(ends(&lines[0]), ends(&lines[2]));
        }
        let row = Row { done: 3, bytes: 2_000_000, elapsed: Duration::from_millis(500), ..Row::default() };
        let cells = Table::new(3).row("smol", &row);
        let cells: Vec<_> = cells.split_whitespace().collect();
        assert_eq!(cells, ["smol", "3", "0", "0", "0", "0", "500.0", "ms", "6", "4.0"]);
    }

    #[test]
    fn digests_are_compared_where_two_rows_have_them() {
        let row = |digests: &[(usize, u8)]| Row {
            digests: digests.iter().map(|&(file, digest)| (file, [digest; 32])).collect(),
            ..Row::default()
        };
        let files = [file("a"), file("b"), file("c")];
        let said = agreement(&[("x", row(&[(0, 1), (1, 2)])), ("y", row(&[(0, 1), (2, 3)]))], &files);
        assert_eq!(said.unwrap(), "digests agree on the one file that two runtimes or more finished");
        let said = agreement(&[("x", row(&[(0, 1)])), ("y", row(&[(2, 3)]))], &files);
        assert!(said.unwrap().contains("nothing to compare"));
        let said = agreement(&[("x", row(&[(0, 1), (1, 2)])), ("y", row(&[(0, 1), (1, 9)]))], &files).unwrap_err();
        assert!(said.starts_with("digests DISAGREE on 1 of 2 files"), "{said}");
        assert!(said.contains("\n  b\n    0202"), "{said}");
        assert!(!said.contains("\n  a"), "{said}");
    }

    #[test]
    fn a_failure_is_listed_once_with_where_it_happened() {
        let row = |failures: &[(usize, &str)]| Row {
            failures: failures.iter().map(|&(file, reason)| (file, reason.to_owned())).collect(),
            ..Row::default()
        };
        let files = [file("a"), file("b\u{1b}[2J")];
        let lines = failures(&[("x", row(&[(0, "gone"), (1, "shut")])), ("y", row(&[(0, "gone")]))], &files);
        assert_eq!(lines, ["failed: a: gone", r#"failed: "b\u{1b}[2J": shut (on x)"#]);
        let many: Vec<_> = (0..60).map(|n| file(&n.to_string())).collect();
        let all: Vec<_> = (0..60).map(|n| (n, "gone")).collect();
        let lines = failures(&[("x", row(&all))], &many);
        assert_eq!((lines.len(), lines[50].as_str()), (51, "failed: 10 more"));
        assert_eq!((shown(Path::new("")), shown(Path::new("a b"))), (r#""""#.to_owned(), "a b".to_owned()));
    }
}
