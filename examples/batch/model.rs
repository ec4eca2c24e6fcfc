//! A model of the work: what a file costs and what a byte costs, fitted to what was measured.

use std::fmt;
use std::time::Duration;

/// The line of least squares through (bytes, time) of the files of a row, kept up file by file in constant memory.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fit {
    files: f64,
    mean_bytes: f64,
    mean_nanos: f64,
    /// Σ (bytes − mean)², and Σ (bytes − mean)·(nanos − mean), by Welford's recurrence.
    spread: f64,
    joint: f64,
}

impl Fit {
    /// Counts a file that was done.
    pub(crate) fn add(&mut self, bytes: u64, took: Duration) {
        let (bytes, nanos) = (bytes as f64, took.as_nanos() as f64);
        self.files += 1.0;
        let from_mean = bytes - self.mean_bytes;
        self.mean_bytes += from_mean / self.files;
        self.mean_nanos += (nanos - self.mean_nanos) / self.files;
        self.spread += from_mean * (bytes - self.mean_bytes);
        self.joint += from_mean * (nanos - self.mean_nanos);
    }

    /// The model; none as long as no file was done.
    ///
    /// The line goes through the mean, so the model costs as much in all as what was measured. Neither cost is negative:
    /// if the line says so, the other bears all.
    pub(crate) fn model(&self) -> Option<Model> {
        if self.files == 0.0 {
            return None;
        }
        let slope = if self.spread > 0.0 { self.joint / self.spread } else { 0.0 };
        let per_file = self.mean_nanos - slope * self.mean_bytes;
        Some(match (slope, per_file) {
            (slope, _) if slope <= 0.0 => Model { per_file: self.mean_nanos, per_byte: 0.0 },
            (_, per_file) if per_file < 0.0 => Model { per_file: 0.0, per_byte: self.mean_nanos / self.mean_bytes },
            (per_byte, per_file) => Model { per_file, per_byte },
        })
    }
}

/// What reading costs, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Model {
    pub(crate) per_file: f64,
    pub(crate) per_byte: f64,
}

impl Model {
    /// What a file of so many bytes costs.
    pub(crate) fn cost(&self, bytes: u64) -> Duration {
        Duration::from_nanos((self.per_file + self.per_byte * bytes as f64).round() as u64)
    }
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} µs a file and {:.2} ns a byte", self.per_file / 1e3, self.per_byte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fitted(samples: &[(u64, u64)]) -> Model {
        let mut fit = Fit::default();
        samples.iter().for_each(|&(bytes, nanos)| fit.add(bytes, Duration::from_nanos(nanos)));
        fit.model().unwrap()
    }

    #[test]
    fn nothing_measured_gives_no_model() {
        assert_eq!(Fit::default().model(), None);
    }

    #[test]
    fn an_exact_line_is_found() {
        let model = fitted(&[(0, 500), (100, 700), (1_000, 2_500)]);
        assert!((model.per_file - 500.0).abs() < 1e-6 && (model.per_byte - 2.0).abs() < 1e-9, "{model:?}");
        assert_eq!(model.cost(1_000_000), Duration::from_nanos(2_000_500));
        assert_eq!(model.to_string(), "0.5 µs a file and 2.00 ns a byte");
    }

    #[test]
    fn the_sum_of_costs_is_the_sum_measured_also_where_the_line_would_be_negative() {
        for samples in [
            &[(10, 300), (20, 100), (90, 7_000)][..],
            &[(10, 900), (20, 700), (90, 100)],
            &[(10, 1), (20, 2), (90, 5_000)],
            &[(5, 400), (5, 200)],
            &[(0, 0)],
        ] {
            let model = fitted(samples);
            assert!(model.per_file >= 0.0 && model.per_byte >= 0.0, "{model:?}");
            let measured: u64 = samples.iter().map(|sample| sample.1).sum();
            let modelled: f64 = samples.iter().map(|sample| model.per_file + model.per_byte * sample.0 as f64).sum();
            assert!((modelled - measured as f64).abs() < 1e-6, "{samples:?} {model:?}");
        }
    }
}
