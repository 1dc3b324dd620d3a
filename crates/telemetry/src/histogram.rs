//! Durations counted by bound, without locks.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Nanoseconds. OpenTelemetry advises 5 ms to 10 s for calls; ours take a tenth of a millisecond, so there are finer
/// ones below.
const BOUNDS: [u64; 19] = [
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    75_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    750_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    7_500_000_000,
    10_000_000_000,
];

/// How long things took.
#[derive(Debug, Default)]
pub struct Histogram {
    /// One for each bound, and one for what is above the last.
    counts: [AtomicU64; BOUNDS.len() + 1],
    /// Nanoseconds; wraps after 584 years.
    sum: AtomicU64,
}

/// A [`Histogram`] at an instant.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// How many fell at or below each bound and above the one before; the last: above all bounds.
    pub(crate) counts: Vec<u64>,
    /// Seconds.
    pub(crate) sum: f64,
}

impl Histogram {
    /// Counts one.
    pub fn record(&self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let at = BOUNDS.partition_point(|bound| *bound < nanos);
        if let Some(count) = self.counts.get(at) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.sum.fetch_add(nanos, Ordering::Relaxed);
    }

    /// As it is now.
    pub fn snapshot(&self) -> Snapshot {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Snapshot {
            counts: self.counts.iter().map(read).collect(),
            sum: Duration::from_nanos(read(&self.sum)).as_secs_f64(),
        }
    }
}

impl Snapshot {
    /// Upper bounds in seconds; one fewer than there are counts.
    pub(crate) fn bounds() -> impl Iterator<Item = f64> {
        BOUNDS
            .iter()
            .map(|nanos| Duration::from_nanos(*nanos).as_secs_f64())
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_on_a_bound_counts_below_it() {
        let histogram = Histogram::default();
        for micros in [1, 100, 101, 20_000_000] {
            histogram.record(Duration::from_micros(micros));
        }
        let seen = histogram.snapshot();
        assert_eq!((seen.counts[0], seen.counts[1], seen.counts[19]), (2, 1, 1));
        assert_eq!(seen.count(), 4);
        assert!((seen.sum - 20.000_202).abs() < 1e-9);
    }
}
