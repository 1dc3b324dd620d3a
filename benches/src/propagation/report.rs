//! What `propagation` prints: a table for people, and as the last line one JSON object for programs.

use std::fmt;

use anyhow::ensure;
use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use crate::machine;
use crate::stats::{median, tidy};

/// Everything that was measured, as it is printed on the last line. Keys are the contract of this program.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) yardstick: &'static str,
    pub(crate) settings: Settings,
    /// From the commit's return to applied in the view of the last policy replica.
    pub(crate) replicas: Pair,
    /// From the commit's return to the first answer with the flag in it, asked for with the confirmation's token.
    pub(crate) first_restricted: Spread,
    /// From the commit's return to the last of the subscribers.
    pub(crate) subscribers: Pair,
    /// One process: from the start of the transaction to applied in the view.
    pub(crate) embedded: Pair,
    pub(crate) embedded_from_commit: Spread,
    pub(crate) embedded_from_call: Spread,
    /// The suite / the yardstick: 1 is as soon as machinery that does no work of ours.
    pub(crate) ratio_p50: f64,
    pub(crate) ratio_p99: f64,
    pub(crate) ratio_200_p50: f64,
    pub(crate) ratio_200_p99: f64,
    /// Of the medians.
    pub(crate) ratio_embedded: f64,
    pub(crate) ratio_embedded_p99: f64,
    /// Share of the machine that others had, the median of all rounds.
    pub(crate) others_share: f64,
    pub(crate) rounds: Vec<Round>,
}

/// How it was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Settings {
    pub(crate) rounds: usize,
    pub(crate) seconds: f64,
    pub(crate) rate: u32,
    pub(crate) subscribers: usize,
    pub(crate) subscribers_rate: u32,
    pub(crate) policy_replicas: usize,
    pub(crate) sanctions_replicas: usize,
    pub(crate) cores: usize,
    pub(crate) optimised: bool,
    /// True: SQLite wrote to memory.
    pub(crate) data_in_memory: bool,
}

/// Delays of one window, µs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) events: usize,
}

impl Spread {
    /// Of at least one delay in ns.
    pub(crate) fn of(mut nanos: Vec<u64>) -> anyhow::Result<Spread> {
        ensure!(!nanos.is_empty(), "nothing was measured");
        nanos.sort_unstable();
        #[expect(clippy::cast_precision_loss, reason = "ns of a run of minutes")]
        let at = |percent: usize| {
            let place = (nanos.len() * percent).div_ceil(100).max(1) - 1;
            tidy(nanos.get(place).copied().unwrap_or(0) as f64 / 1e3)
        };
        Ok(Spread {
            p50_us: at(50),
            p99_us: at(99),
            events: nanos.len(),
        })
    }

    /// The medians of p50 and of p99.
    fn median(spreads: &[Spread]) -> Spread {
        let over = |part: fn(&Spread) -> f64| tidy(median(spreads.iter().map(part)));
        Spread {
            p50_us: over(|spread| spread.p50_us),
            p99_us: over(|spread| spread.p99_us),
            events: spreads.iter().map(|spread| spread.events).sum(),
        }
    }
}

/// The yardstick and the suite.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Pair {
    pub(crate) bare: Spread,
    pub(crate) suite: Spread,
}

impl Pair {
    /// Medians over the rounds of suite / yardstick within the round: of p50, of p99.
    fn ratios(rounds: &[Round], figure: fn(&Round) -> Pair) -> [f64; 2] {
        let ratio = |part: fn(Spread) -> f64| {
            let within = rounds.iter().map(|round| {
                let Pair { bare, suite } = figure(round);
                part(suite) / part(bare)
            });
            tidy(median(within))
        };
        [ratio(|spread| spread.p50_us), ratio(|spread| spread.p99_us)]
    }
}

/// All windows of one round.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Round {
    pub(crate) replicas: Pair,
    pub(crate) first_restricted: Spread,
    pub(crate) subscribers: Pair,
    pub(crate) embedded: Pair,
    pub(crate) embedded_from_commit: Spread,
    pub(crate) embedded_from_call: Spread,
    pub(crate) others_share: f64,
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut pair = |name: &str, Pair { bare, suite }: &Pair| {
            write!(
                f,
                "{name} {:.0}/{:.0} bare {:.0}/{:.0} us; ",
                suite.p50_us, suite.p99_us, bare.p50_us, bare.p99_us
            )
        };
        pair("replicas", &self.replicas)?;
        pair("subscribers", &self.subscribers)?;
        pair("embedded", &self.embedded)?;
        write!(f, "others had {:.2}", self.others_share)
    }
}

impl Report {
    /// Of at least one round.
    pub(crate) fn new(settings: Settings, rounds: Vec<Round>) -> Report {
        let [ratio_p50, ratio_p99] = Pair::ratios(&rounds, |round| round.replicas);
        let [ratio_200_p50, ratio_200_p99] = Pair::ratios(&rounds, |round| round.subscribers);
        let [ratio_embedded, ratio_embedded_p99] = Pair::ratios(&rounds, |round| round.embedded);
        // For reading; the ratios are for judging.
        let over = |figure: fn(&Round) -> Spread| {
            let spreads: Vec<Spread> = rounds.iter().map(figure).collect();
            Spread::median(&spreads)
        };
        Report {
            yardstick: "propagation",
            settings,
            replicas: Pair {
                bare: over(|round| round.replicas.bare),
                suite: over(|round| round.replicas.suite),
            },
            first_restricted: over(|round| round.first_restricted),
            subscribers: Pair {
                bare: over(|round| round.subscribers.bare),
                suite: over(|round| round.subscribers.suite),
            },
            embedded: Pair {
                bare: over(|round| round.embedded.bare),
                suite: over(|round| round.embedded.suite),
            },
            embedded_from_commit: over(|round| round.embedded_from_commit),
            embedded_from_call: over(|round| round.embedded_from_call),
            ratio_p50,
            ratio_p99,
            ratio_200_p50,
            ratio_200_p99,
            ratio_embedded,
            ratio_embedded_p99,
            others_share: tidy(median(rounds.iter().map(|round| round.others_share))),
            rounds,
        }
    }

    /// For people.
    pub(crate) fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::ASCII_MARKDOWN);
        table.set_header(["a confirmed flag", "p50 us", "p99 us", "x bare p50", "x bare p99"]);
        let mut row = |name: String, Spread { p50_us, p99_us, .. }: Spread, ratios: Option<[f64; 2]>| {
            let ratio = |at: usize| {
                let ratio = ratios.and_then(|ratios| ratios.get(at).copied());
                ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"))
            };
            table.add_row([
                name,
                format!("{p50_us:.0}"),
                format!("{p99_us:.0}"),
                ratio(0),
                ratio(1),
            ]);
        };
        let Settings {
            rounds,
            seconds,
            rate,
            subscribers,
            subscribers_rate,
            policy_replicas,
            sanctions_replicas,
            cores,
            optimised,
            data_in_memory,
        } = &self.settings;
        row(
            format!("bare push, last of {policy_replicas}"),
            self.replicas.bare,
            None,
        );
        row(
            format!("applied in the view of the last of {policy_replicas}"),
            self.replicas.suite,
            Some([self.ratio_p50, self.ratio_p99]),
        );
        row("first restricted answer".to_owned(), self.first_restricted, None);
        row(
            format!("bare push, last of {subscribers}"),
            self.subscribers.bare,
            None,
        );
        row(
            format!("last of {subscribers} subscribers"),
            self.subscribers.suite,
            Some([self.ratio_200_p50, self.ratio_200_p99]),
        );
        row("bare commit and send".to_owned(), self.embedded.bare, None);
        row(
            "embedded: transaction to view".to_owned(),
            self.embedded.suite,
            Some([self.ratio_embedded, self.ratio_embedded_p99]),
        );
        row(
            "embedded: commit's return to view".to_owned(),
            self.embedded_from_commit,
            None,
        );
        row("embedded: call to view".to_owned(), self.embedded_from_call, None);
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        let mut text = format!(
            "{table}\nmedians of {rounds} interleaved rounds of {seconds} s; {rate} flags/s, with {subscribers} \
             subscribers {subscribers_rate}/s; counted from the commit's return unless it says otherwise;\n\
             {sanctions_replicas} sanctions and {policy_replicas} policy replicas on PostgreSQL and Redis, \
             {sanctions_replicas} bare sources and {policy_replicas} receivers on the same two: processes of their \
             own on the same {cores} cores"
        );
        if !optimised {
            text.push_str("\nNOT OPTIMISED: a debug build says nothing; run with --profile dist");
        }
        if self.others_share > machine::QUIET {
            let share = self.others_share;
            text.push_str(&format!(
                "\nBUSY MACHINE: others had {share:.2} of the processors; run on a quiet one"
            ));
        }
        if *data_in_memory {
            text.push_str("\nDATA IN MEMORY: SQLite did not write to a disk; choose another --data");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(p50_us: f64) -> Spread {
        Spread {
            p50_us,
            p99_us: p50_us * 3.0,
            events: 100,
        }
    }

    fn round(bare: f64, suite: f64) -> Round {
        let pair = Pair {
            bare: spread(bare),
            suite: spread(suite),
        };
        Round {
            replicas: pair,
            first_restricted: spread(suite),
            subscribers: pair,
            embedded: pair,
            embedded_from_commit: spread(suite),
            embedded_from_call: spread(suite),
            others_share: 0.01,
        }
    }

    fn report() -> Report {
        let settings = Settings {
            rounds: 3,
            seconds: 5.0,
            rate: 200,
            subscribers: 200,
            subscribers_rate: 50,
            policy_replicas: 3,
            sanctions_replicas: 2,
            cores: 2,
            optimised: true,
            data_in_memory: false,
        };
        // The machine is half as fast in the second round.
        Report::new(
            settings,
            vec![round(100.0, 150.0), round(200.0, 300.0), round(100.0, 150.0)],
        )
    }

    #[test]
    fn a_spread_is_of_the_worst_in_a_hundred() {
        let spread = Spread::of((1..=200).map(|us| us * 1_000).collect()).unwrap();
        assert!((spread.p50_us - 100.0).abs() < 1e-9);
        assert!((spread.p99_us - 198.0).abs() < 1e-9);
        assert!(Spread::of(Vec::new()).is_err());
    }

    #[test]
    fn the_json_is_one_line_with_all_figures_and_the_ratios() {
        let line = serde_json::to_string(&report()).unwrap();
        assert!(!line.contains('\n'));
        let json: serde_json::Value = serde_json::from_str(&line).unwrap();
        for ratio in [
            "ratio_p50",
            "ratio_p99",
            "ratio_200_p50",
            "ratio_200_p99",
            "ratio_embedded",
        ] {
            assert_eq!(json[ratio], 1.5, "{ratio}");
        }
        assert_eq!(json["replicas"]["suite"]["p99_us"], 450.0);
        assert_eq!(json["first_restricted"]["events"], 300);
    }

    #[test]
    fn the_table_warns_of_runs_that_prove_nothing() {
        let mut report = report();
        assert!(!report.table().contains("BUSY MACHINE"));
        report.settings.optimised = false;
        report.settings.data_in_memory = true;
        report.others_share = 0.4;
        for warning in ["NOT OPTIMISED", "BUSY MACHINE", "DATA IN MEMORY"] {
            assert!(report.table().contains(warning), "{warning}");
        }
    }
}
