//! The file of counts.

use std::process::ExitCode;

/// How far a count may be off, in hundredths of it.
const TOLERANCE: f64 = 5.0;

/// What the file says of a row.
#[derive(Clone, Copy)]
struct Entry<'a> {
    row: &'a str,
    count: f64,
    /// The most that it may be, or `-`.
    limit: &'a str,
}

fn entries(file: &str) -> impl Iterator<Item = Entry<'_>> {
    let lines = file.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| match *line.split_whitespace().collect::<Vec<_>>() {
        [row, count, limit] => Entry { row, count: count.parse().expect("a count"), limit },
        _ => panic!("not a row, a count and a limit: `{line}`"),
    })
}

/// Prints each row, and how far off it is. Fails if one is too far off, over its limit, or in one place only.
pub fn compare(measured: &[(&str, f64)], file: &str) -> ExitCode {
    let entries: Vec<_> = entries(file).collect();
    let mut wrong = 0;
    for (row, count) in measured {
        let verdict = match entries.iter().find(|entry| entry.row == *row) {
            None => "WRONG: not in the file".to_owned(),
            Some(entry) => {
                let off = (count / entry.count - 1.0) * 100.0;
                let over = entry.limit.parse().is_ok_and(|limit: f64| *count > limit);
                let say = if over {
                    "WRONG: over its limit"
                } else if off.abs() > TOLERANCE {
                    "WRONG"
                } else {
                    "ok"
                };
                format!("in the file {:.1}, {off:+.1} %, limit {}: {say}", entry.count, entry.limit)
            }
        };
        wrong += usize::from(verdict.contains("WRONG"));
        println!("INSTRUCTIONS {row} {count:.1}, {verdict}");
    }
    for entry in entries.iter().filter(|entry| measured.iter().all(|(row, _)| *row != entry.row)) {
        println!("INSTRUCTIONS {}, WRONG: in the file, but not measured", entry.row);
        wrong += 1;
    }
    println!("{} rows, {wrong} wrong", measured.len());
    if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The file as it should be: its comments and limits with the counts as `measured`.
pub fn write(measured: &[(&str, f64)], file: &str) -> String {
    let comments = file.lines().take_while(|line| line.starts_with('#')).map(|line| format!("{line}\n"));
    let rows = measured.iter().map(|(row, count)| {
        let limit = entries(file).find(|entry| entry.row == *row).map_or("-", |entry| entry.limit);
        format!("{row} {count:.1} {limit}\n")
    });
    comments.chain(rows).collect()
}
