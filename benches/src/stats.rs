//! What is computed from the rounds. Machines are noisy: a figure is the median over the rounds, a ratio the
//! median of the ratios within each round, where both sides met the same neighbours.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::load::Closed;

/// Microseconds between the instant at which a request was due and its reply.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Latency {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
}

/// One mode in one round.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Figures {
    /// Replies per second, closed loop.
    pub(crate) per_second: f64,
    /// Processor time of the server process per reply, closed loop, µs.
    pub(crate) cpu_us: f64,
    /// The same of the load's process: what the server has to share the machine with.
    pub(crate) load_cpu_us: f64,
    /// Share of the machine's processor time that load and server had in the closed loop: far below 1 somebody
    /// else was busy, or the server waited.
    pub(crate) machine_share: f64,
    /// Open loop, µs.
    pub(crate) latency_us: Latency,
}

impl Figures {
    pub(crate) fn new(closed: &Closed, open: &Histogram<u64>, cores: usize) -> Figures {
        #[expect(clippy::cast_precision_loss, reason = "counts of a run of minutes")]
        let (replies, cores) = (closed.replies as f64, cores as f64);
        let seconds = closed.elapsed.as_secs_f64();
        Figures {
            per_second: tidy(replies / seconds),
            cpu_us: tidy(micros(closed.cpu) / replies),
            load_cpu_us: tidy(micros(closed.load_cpu) / replies),
            machine_share: tidy((closed.cpu + closed.load_cpu).as_secs_f64() / (seconds * cores)),
            latency_us: Latency {
                p50: tidy(micros(Duration::from_nanos(open.value_at_quantile(0.5)))),
                p99: tidy(micros(Duration::from_nanos(open.value_at_quantile(0.99)))),
                p999: tidy(micros(Duration::from_nanos(open.value_at_quantile(0.999)))),
            },
        }
    }
}

/// One mode over all rounds.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Summary {
    #[serde(flatten)]
    pub(crate) median: Figures,
    /// Least and greatest replies per second of a round: how noisy the machine was.
    pub(crate) per_second_range: [f64; 2],
    pub(crate) rounds: Vec<Figures>,
}

impl Summary {
    /// Of at least one round.
    pub(crate) fn of(rounds: Vec<Figures>) -> Summary {
        let over = |figure: fn(&Figures) -> f64| median(rounds.iter().map(figure));
        let median = Figures {
            per_second: over(|f| f.per_second),
            cpu_us: over(|f| f.cpu_us),
            load_cpu_us: over(|f| f.load_cpu_us),
            machine_share: over(|f| f.machine_share),
            latency_us: Latency {
                p50: over(|f| f.latency_us.p50),
                p99: over(|f| f.latency_us.p99),
                p999: over(|f| f.latency_us.p999),
            },
        };
        let rates = || rounds.iter().map(|f| f.per_second);
        let range = [rates().fold(f64::INFINITY, f64::min), rates().fold(0.0, f64::max)];
        Summary {
            median,
            per_second_range: range,
            rounds,
        }
    }
}

/// Median over the rounds of ours / ceiling within the round.
pub(crate) fn ratio(ours: &Summary, ceiling: &Summary, figure: fn(&Figures) -> f64) -> f64 {
    let ratios = ours
        .rounds
        .iter()
        .zip(&ceiling.rounds)
        .map(|(ours, ceiling)| figure(ours) / figure(ceiling));
    tidy(median(ratios))
}

/// The middle value; of an even number, the mean of the two in the middle. NaN of none.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.get(middle.wrapping_sub(1)), values.get(middle)) {
        (Some(below), Some(above)) if values.len().is_multiple_of(2) => f64::midpoint(*below, *above),
        (_, Some(above)) => *above,
        (_, None) => f64::NAN,
    }
}

/// Three decimals: more would be noise.
pub(crate) fn tidy(figure: f64) -> f64 {
    (figure * 1e3).round() / 1e3
}

pub(crate) fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(per_second: f64) -> Figures {
        Figures {
            per_second,
            cpu_us: 1e6 / per_second,
            load_cpu_us: 9.0,
            machine_share: 1.0,
            latency_us: Latency {
                p50: 1.0,
                p99: 2.0,
                p999: 3.0,
            },
        }
    }

    #[test]
    fn the_median_is_the_middle_value_in_any_order() {
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 1.0, 3.0, 2.0]), 2.5);
        assert_eq!(median([7.0]), 7.0);
        assert!(median([]).is_nan());
    }

    #[test]
    fn a_ratio_is_taken_within_each_round() {
        // The machine halves its speed after the first round; ours is at 0.8 of the ceiling throughout.
        let ceiling = Summary::of(vec![round(100.0), round(50.0), round(50.0)]);
        let ours = Summary::of(vec![round(80.0), round(40.0), round(40.0)]);

        assert!((ratio(&ours, &ceiling, |f| f.per_second) - 0.8).abs() < 1e-9);
        assert!((ratio(&ours, &ceiling, |f| f.cpu_us) - 1.25).abs() < 1e-9);
        assert_eq!(ceiling.per_second_range, [50.0, 100.0]);
    }

    #[test]
    fn figures_are_per_reply_and_per_second() {
        let closed = Closed {
            replies: 1000,
            elapsed: Duration::from_millis(500),
            cpu: Duration::from_millis(10),
            load_cpu: Duration::from_millis(20),
        };
        let mut open = Histogram::<u64>::new(3).unwrap();
        (1..=1000).for_each(|n| open.record(n * 1000).unwrap());

        let figures = Figures::new(&closed, &open, 2);

        assert!((figures.per_second - 2000.0).abs() < 1e-6);
        assert!((figures.cpu_us - 10.0).abs() < 1e-6);
        assert!((figures.load_cpu_us - 20.0).abs() < 1e-6);
        assert!((figures.machine_share - 0.03).abs() < 1e-6);
        assert!((figures.latency_us.p50 - 500.0).abs() < 2.0);
        assert!((figures.latency_us.p99 - 990.0).abs() < 2.0);
    }
}
