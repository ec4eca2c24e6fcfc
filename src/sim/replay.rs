//! The line that names a run: `WAKEFUL_SIM=seed:17`, `WAKEFUL_SIM=bytes:0a01`, or both parts with a comma; of a strategy
//! that is not the plain one, `walk:17`, `pct3:17`, `pct3/40:17`. Behind it stand the twists: `cancel:5`, `spurious:8`, `fresh`, `probe`.

use super::strategy::Strategy;
use super::twist::Twists;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write as _};

/// The name of the environment variable, and how a line begins.
pub(super) const VARIABLE: &str = "WAKEFUL_SIM";

/// What a line says.
pub(super) struct Line {
    pub(super) seed: u64,
    pub(super) strategy: Strategy,
    pub(super) horizon: Option<u64>,
    pub(super) bytes: Option<Vec<u8>>,
    pub(super) twists: Twists,
}

/// A replay line that can't be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayError(String);

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{VARIABLE} should read seed:NUMBER, walk:NUMBER, pctDEPTH:NUMBER, pctDEPTH/HORIZON:NUMBER, \
             bytes:HEX or seed:NUMBER,bytes:HEX, and behind it, perhaps, ,cancel:NUMBER ,spurious:NUMBER ,fresh ,probe; {}",
            self.0
        )
    }
}

impl core::error::Error for ReplayError {}

/// Prints the line of a run. Zeros at the end of the bytes are left out: they are what an oracle reads beyond the end.
pub(super) fn print(
    seed: u64,
    strategy: Strategy,
    horizon: Option<u64>,
    bytes: Option<&[u8]>,
    twists: Twists,
) -> String {
    // As long as most, since a line is made of each run.
    let mut line = String::with_capacity(48);
    line.push_str(VARIABLE);
    line.push('=');
    let Some(bytes) = bytes else {
        match (strategy, horizon) {
            (Strategy::Walk, _) => line.push_str("walk:"),
            (Strategy::Pct(depth), horizon) => {
                line.push_str("pct");
                digits(&mut line, depth.into());
                if let Some(horizon) = horizon {
                    line.push('/');
                    digits(&mut line, horizon);
                }
                line.push(':');
            }
            // The runs of a search have bytes.
            (_, _) => line.push_str("seed:"),
        }
        digits(&mut line, seed);
        if twists != Twists::NONE {
            let _ = write!(line, "{twists}");
        }
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
    let _ = write!(line, "{twists}");
    line
}

/// Adds a number: what `write!` does takes longer than some polls.
fn digits(line: &mut String, number: u64) {
    if number > 9 {
        digits(line, number / 10);
    }
    line.push((b'0' + (number % 10) as u8) as char);
}

/// Reads a line, with or without the variable's name in front.
pub(super) fn parse(line: &str) -> Result<Line, ReplayError> {
    let mut said = Line { seed: 0, strategy: Strategy::Random, horizon: None, bytes: None, twists: Twists::NONE };
    let number = |text: &str| text.parse().map_err(|_| ReplayError(format!("`{text}` is not a number below 2^64")));
    let line = line.trim();
    let line = line.strip_prefix(VARIABLE).and_then(|rest| rest.strip_prefix('=')).unwrap_or(line);
    for part in line.split(',') {
        match part.split_once(':') {
            Some(("seed", seed)) => said.seed = number(seed)?,
            Some(("cancel", nth)) => said.twists.cancel = number(nth)?,
            Some(("spurious", n)) => {
                let among = n.parse().map_err(|_| ReplayError(format!("`{n}` is not a number below 256")));
                said.twists.spurious = among?;
            }
            None if part == "fresh" => said.twists.fresh = true,
            None if part == "probe" => said.twists.probe = true,
            Some(("walk", seed)) => (said.strategy, said.seed) = (Strategy::Walk, number(seed)?),
            Some(("bytes", hex)) => {
                said.bytes = Some(unhex(hex).ok_or_else(|| ReplayError(format!("`{hex}` is not pairs of hex digits")))?)
            }
            Some((name, seed)) if name.starts_with("pct") => {
                let (depth, horizon) = match name[3..].split_once('/') {
                    Some((depth, horizon)) => (depth, Some(number(horizon)?)),
                    None => (&name[3..], None),
                };
                let depth = depth.parse().map_err(|_| ReplayError(format!("`{depth}` is not a depth")))?;
                (said.strategy, said.horizon, said.seed) = (Strategy::Pct(depth), horizon, number(seed)?);
            }
            _ => return Err(ReplayError(format!("`{part}` is none of these"))),
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
            let twists = Twists { cancel: seed % 3, spurious: (seed % 5) as u8, fresh: seed % 7 == 0, probe: seed > 0 };
            let said = parse(&print(seed, Strategy::Random, None, bytes, twists)).unwrap();
            assert_eq!((said.seed, said.bytes.as_deref(), said.twists), (seed, bytes, twists));
        }
        assert_eq!(print(0, Strategy::Random, None, Some(&[1, 0, 0]), Twists::NONE), "WAKEFUL_SIM=bytes:01");
        for (strategy, horizon, line) in [
            (Strategy::Random, None, "WAKEFUL_SIM=seed:17"),
            (Strategy::Walk, None, "WAKEFUL_SIM=walk:17"),
            (Strategy::Pct(3), None, "WAKEFUL_SIM=pct3:17"),
            (Strategy::Pct(3), Some(40), "WAKEFUL_SIM=pct3/40:17"),
        ] {
            assert_eq!(print(17, strategy, horizon, None, Twists::NONE), line);
            let said = parse(line).unwrap();
            assert_eq!((said.seed, said.strategy, said.horizon, said.bytes), (17, strategy, horizon, None));
        }
    }

    #[test]
    fn a_wrong_line_is_refused_with_its_wrong_part() {
        for (line, part) in [
            ("seed:x", "`x`"),
            ("bytes:0", "`0`"),
            ("bytes:é0", "`é0`"),
            ("17", "`17`"),
            ("", "``"),
            ("walk:", "``"),
            ("seed:1,cancel:x", "`x`"),
            ("seed:1,spurious:300", "`300`"),
            ("seed:1,fresher", "`fresher`"),
            ("pct:1", "``"),
            ("pct3/:1", "``"),
            ("pct3/4:é", "`é`"),
        ] {
            let error = parse(line).err().unwrap().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
