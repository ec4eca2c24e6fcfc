//! What the environment says of how a test explores.

use super::builder::Builder;
use super::handle::Sim;
use super::replay;
use super::report::Summary;
use crate::sys::thread::variable;
use alloc::format;
use alloc::string::{String, ToString};
use core::future::Future;
use core::str::FromStr;
use core::time::Duration;

const RUNS: &str = "WAKEFUL_SIM_RUNS";
const SEED: &str = "WAKEFUL_SIM_SEED";
const SECONDS: &str = "WAKEFUL_SIM_SECONDS";
const POLLS: &str = "WAKEFUL_SIM_POLLS";
const THREADS: &str = "WAKEFUL_SIM_THREADS";

impl Builder {
    /// Tests `body` under many schedules, as [`explore`](Self::explore) does, and panics with the report of the first run
    /// that fails. Gives the summary of those that did not.
    ///
    /// With `std`, the environment has a say, for all tests alike:
    ///
    /// | variable | overrides |
    /// |---|---|
    /// | `WAKEFUL_SIM`, as the last line of a report says | all: that run alone is made |
    /// | `WAKEFUL_SIM_RUNS` | [`runs`](Self::runs) |
    /// | `WAKEFUL_SIM_SEED` | [`seed`](Self::seed) |
    /// | `WAKEFUL_SIM_SECONDS` | [`time_budget`](Self::time_budget); without `WAKEFUL_SIM_RUNS`, as many runs as there is time for |
    /// | `WAKEFUL_SIM_POLLS` | [`poll_budget`](Self::poll_budget); without `WAKEFUL_SIM_RUNS`, as many runs as there are polls for |
    /// | `WAKEFUL_SIM_THREADS` | [`threads`](Self::threads) |
    ///
    /// # Panics
    /// If a run fails or takes another course when it is repeated, or if a variable can't be read.
    #[track_caller]
    pub fn check<F, Fut>(&self, body: F) -> Summary
    where
        F: Fn(Sim) -> Fut + Sync,
        Fut: Future<Output = ()>,
    {
        let tested = self
            .clone()
            .overridden(variable)
            .and_then(|this| this.explore(body).map_err(|failure| failure.to_string()));
        match tested {
            Ok(summary) => summary,
            Err(said) => panic!("{said}"),
        }
    }

    /// As the variables say that `variable` finds.
    fn overridden(mut self, variable: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let (seconds, polls) = (number(SECONDS, &variable)?, number(POLLS, &variable)?);
        if seconds.is_some() || polls.is_some() {
            self = self.runs(u32::MAX);
        }
        if let Some(seconds) = seconds {
            self = self.time_budget(Duration::from_secs(seconds));
        }
        if let Some(polls) = polls {
            self = self.poll_budget(polls);
        }
        if let Some(runs) = number(RUNS, &variable)? {
            self = self.runs(runs);
        }
        if let Some(seed) = number(SEED, &variable)? {
            self = self.seed(seed);
        }
        if let Some(threads) = number(THREADS, &variable)? {
            self = self.threads(threads);
        }
        if let Some(line) = variable(replay::VARIABLE) {
            self = self.replay(&line).map_err(|error| error.to_string())?.runs(1).repeat_every(0).shrink(0);
            // One run says nothing of what never happens.
            self.judge_marks = false;
        }
        Ok(self)
    }
}

/// The number in the variable `name`, if there is one.
fn number<N: FromStr>(name: &str, variable: impl Fn(&str) -> Option<String>) -> Result<Option<N>, String> {
    let Some(said) = variable(name) else { return Ok(None) };
    let said = said.trim();
    said.parse().map(Some).map_err(|_| format!("{name} should be a number in range, and is `{said}`"))
}

#[cfg(all(test, not(wakeful_loom)))]
mod tests {
    use super::*;
    use crate::sim::Strategy;

    /// The builder as one variable overrides it.
    fn with(name: &'static str, value: &'static str) -> Result<Builder, String> {
        Builder::new().seed(5).overridden(|asked| (asked == name).then(|| value.to_string()))
    }

    #[test]
    fn the_environment_overrides_how_much_is_explored() {
        let plain = Builder::new().overridden(|_| None).unwrap();
        assert_eq!((plain.seed, plain.runs, plain.effort.threads), (0, Builder::RUNS, 1));
        let more = with("WAKEFUL_SIM_RUNS", " 1000").unwrap();
        assert_eq!((more.seed, more.runs, more.shrink), (5, 1000, Builder::SHRINK_RUNS));
        assert_eq!(with("WAKEFUL_SIM_SEED", "17").unwrap().seed, 17);
        assert_eq!(with("WAKEFUL_SIM_THREADS", "0").unwrap().effort.threads, 0);
        let long = with("WAKEFUL_SIM_SECONDS", "30").unwrap();
        assert_eq!((long.runs, long.effort.time), (u32::MAX, Duration::from_secs(30)));
        let many = with("WAKEFUL_SIM_POLLS", "1000000").unwrap();
        assert_eq!((many.runs, many.effort.polls), (u32::MAX, 1_000_000));
        let both =
            Builder::new().overridden(|asked| ["WAKEFUL_SIM_POLLS", RUNS].contains(&asked).then(|| "9".to_string()));
        assert_eq!(both.unwrap().runs, 9, "a number of runs is kept to");
        for (name, value) in [(RUNS, "many"), (SEED, "-1"), (SECONDS, "1.5"), (POLLS, ""), (THREADS, "x")] {
            let said = with(name, value).unwrap_err();
            assert!(said.contains(name) && said.contains(value), "{said}");
        }
    }

    #[test]
    fn the_environment_replays_one_run() {
        let one = with("WAKEFUL_SIM", "seed:17").unwrap();
        assert_eq!((one.seed, one.runs, one.bytes.is_none(), one.strategy), (17, 1, true, Some(Strategy::Random)));
        assert_eq!(one.shrink, 0, "a replay shows what it was asked for");
        let one = with("WAKEFUL_SIM", "pct3/40:17").unwrap();
        assert_eq!((one.seed, one.runs, one.horizon, one.strategy), (17, 1, Some(40), Some(Strategy::Pct(3))));
        let one = with("WAKEFUL_SIM", "WAKEFUL_SIM=bytes:0aff").unwrap();
        assert_eq!((one.seed, one.bytes.unwrap().bytes()), (0, &[10, 255][..]));
        assert!(with("WAKEFUL_SIM", "17").unwrap_err().contains("WAKEFUL_SIM"));
    }
}
