//! Checkpoints as text.

use super::Checkpoint;
use alloc::string::{String, ToString};
use core::error::Error;
use core::fmt;
use core::str::FromStr;

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.low)?;
        for range in self.above() {
            match range.end - 1 {
                last if last == range.start => write!(f, " {last}")?,
                last => write!(f, " {}-{last}", range.start)?,
            }
        }
        Ok(())
    }
}

impl FromStr for Checkpoint {
    type Err = ParseCheckpointError;

    /// Reads what [`Display`](fmt::Display) writes, and nothing else, but for white space around it.
    fn from_str(text: &str) -> Result<Self, ParseCheckpointError> {
        let trimmed = text.trim();
        let mut at = text.len() - text.trim_start().len();
        let mut checkpoint = Self::new();
        for (n, part) in trimmed.split(' ').enumerate() {
            let wrong = |what| ParseCheckpointError { part: part.to_string(), at, what };
            if n == 0 {
                // All items may be finished; the mark is behind them then.
                checkpoint.low = digits(part).ok_or_else(|| wrong(Wrong::Number))?;
            } else {
                let (first, last) = part.split_once('-').unwrap_or((part, part));
                let (Some(first), Some(last)) = (number(first), number(last)) else {
                    return Err(wrong(Wrong::Range));
                };
                if first <= checkpoint.end() {
                    return Err(wrong(Wrong::Order));
                }
                if part.contains('-') && last <= first {
                    return Err(wrong(Wrong::Range));
                }
                checkpoint.above.insert(first, last + 1);
            }
            at += part.len() + 1;
        }
        Ok(checkpoint)
    }
}

/// The number of an item: not the largest.
fn number(text: &str) -> Option<u64> {
    digits(text).filter(|number| *number != u64::MAX)
}

/// Digits, without a sign and without zeros in front.
fn digits(text: &str) -> Option<u64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| is_plain)
}

/// The text is no [`Checkpoint`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseCheckpointError {
    part: String,
    at: usize,
    what: Wrong,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    Number,
    Range,
    Order,
}

impl fmt::Display for ParseCheckpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { part, at, what } = self;
        write!(f, "not a checkpoint: `{part}` at byte {at} ")?;
        f.write_str(match what {
            Wrong::Number => "is not the number of an item",
            Wrong::Range => "is neither the number of an item nor a range of two, like 7-9",
            Wrong::Order => "does not come after what is before it, with a gap",
        })
    }
}

impl Error for ParseCheckpointError {}
