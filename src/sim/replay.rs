//! The line that names a run: `WAKEFUL_SIM=seed:17`, `WAKEFUL_SIM=bytes:0a01`, or both parts with a comma.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write as _};

/// The name of the environment variable, and how a line begins.
pub(super) const VARIABLE: &str = "WAKEFUL_SIM";

/// What a line says.
pub(super) struct Line {
    pub(super) seed: u64,
    pub(super) bytes: Option<Vec<u8>>,
}

/// A replay line that can't be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayError(String);

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{VARIABLE} should read seed:NUMBER, bytes:HEX or seed:NUMBER,bytes:HEX; {}", self.0)
    }
}

impl core::error::Error for ReplayError {}

/// Prints the line of a run. Zeros at the end of the bytes are left out: they are what an oracle reads beyond the end.
pub(super) fn print(seed: u64, bytes: Option<&[u8]>) -> String {
    let mut line = format!("{VARIABLE}=");
    let Some(bytes) = bytes else {
        let _ = write!(line, "seed:{seed}");
        return line;
    };
    if seed != 0 {
        let _ = write!(line, "seed:{seed},");
    }
    line.push_str("bytes:");
    let used = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    for byte in &bytes[..used] {
        let _ = write!(line, "{byte:02x}");
    }
    line
}

/// Reads a line, with or without the variable's name in front.
pub(super) fn parse(line: &str) -> Result<Line, ReplayError> {
    let mut said = Line { seed: 0, bytes: None };
    let line = line.trim();
    let line = line.strip_prefix(VARIABLE).and_then(|rest| rest.strip_prefix('=')).unwrap_or(line);
    for part in line.split(',') {
        match part.split_once(':') {
            Some(("seed", seed)) => {
                said.seed = seed.parse().map_err(|_| ReplayError(format!("`{seed}` is not a number below 2^64")))?;
            }
            Some(("bytes", hex)) => {
                said.bytes = Some(unhex(hex).ok_or_else(|| ReplayError(format!("`{hex}` is not pairs of hex digits")))?)
            }
            _ => return Err(ReplayError(format!("`{part}` is neither"))),
        }
    }
    Ok(said)
}

fn unhex(hex: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = hex.chars().map(|c| c.to_digit(16).map(|digit| digit as u8)).collect();
    let digits = digits?;
    (digits.len() % 2 == 0).then(|| digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_line_reads_back_as_it_was_printed() {
        for (seed, bytes) in [(0, None), (u64::MAX, None), (0, Some(&[][..])), (7, Some(&[0, 255, 1][..]))] {
            let said = parse(&print(seed, bytes)).unwrap();
            assert_eq!((said.seed, said.bytes.as_deref()), (seed, bytes));
        }
        assert_eq!(print(0, Some(&[1, 0, 0])), "WAKEFUL_SIM=bytes:01");
    }

    #[test]
    fn a_wrong_line_is_refused_with_its_wrong_part() {
        for (line, part) in [("seed:x", "`x`"), ("bytes:0", "`0`"), ("bytes:é0", "`é0`"), ("17", "`17`"), ("", "``")]
        {
            let error = parse(line).err().unwrap().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
