//! What `writes` prints: a table for people, and as the last line one JSON object for programs.

use std::time::Duration;

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use super::verify::Found;
use crate::machine;
use crate::stats::{median, micros, tidy};

/// Everything that was measured, as it is printed on the last line. Keys are the contract of this program.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) yardstick: &'static str,
    pub(crate) settings: Settings,
    pub(crate) postgres: Engine,
    pub(crate) sqlite: Engine,
    /// Flags per second / bare commits per second.
    pub(crate) ratio_postgres: f64,
    pub(crate) ratio_sqlite: f64,
    /// The logs were read to their ends: no revision is missing, and every acknowledged flag is there once.
    pub(crate) gapless: bool,
    /// Share of the machine that others had, the median of all rounds.
    pub(crate) others_share: f64,
}

/// How it was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Settings {
    pub(crate) rounds: usize,
    pub(crate) seconds: f64,
    pub(crate) writers: usize,
    pub(crate) connections: usize,
    pub(crate) cores: usize,
    pub(crate) optimised: bool,
    /// True: SQLite wrote to memory.
    pub(crate) data_in_memory: bool,
}

/// One window of flags.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Figures {
    pub(crate) per_second: f64,
    /// Processor time of the service's process for a flag, µs; a server of PostgreSQL comes on top.
    pub(crate) cpu_us: f64,
    /// The same of the writers.
    pub(crate) load_cpu_us: f64,
}

impl Figures {
    #[expect(clippy::cast_precision_loss, reason = "counts of a run of minutes")]
    pub(crate) fn new(flags: u64, elapsed: Duration, cpu: Duration, load_cpu: Duration) -> Figures {
        let flags = flags as f64;
        Figures {
            per_second: tidy(flags / elapsed.as_secs_f64()),
            cpu_us: tidy(micros(cpu) / flags),
            load_cpu_us: tidy(micros(load_cpu) / flags),
        }
    }
}

/// Both windows of one engine in one round.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Round {
    pub(crate) bare_per_second: f64,
    #[serde(flatten)]
    pub(crate) flags: Figures,
    pub(crate) others_share: f64,
}

impl Round {
    pub(crate) fn ratio(&self) -> f64 {
        self.flags.per_second / self.bare_per_second
    }
}

/// One engine over all rounds: medians, and what its log holds.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Engine {
    pub(crate) bare_per_second: f64,
    #[serde(flatten)]
    pub(crate) flags: Figures,
    pub(crate) acknowledged: u64,
    /// Flags that shared a commit, on average.
    pub(crate) flags_per_commit: f64,
    pub(crate) head: u64,
    pub(crate) rounds: Vec<Round>,
}

impl Engine {
    #[expect(clippy::cast_precision_loss, reason = "counts of a run of minutes")]
    pub(crate) fn of(rounds: Vec<Round>, found: Found) -> Engine {
        let over = |figure: fn(&Round) -> f64| tidy(median(rounds.iter().map(figure)));
        Engine {
            bare_per_second: over(|round| round.bare_per_second),
            flags: Figures {
                per_second: over(|round| round.flags.per_second),
                cpu_us: over(|round| round.flags.cpu_us),
                load_cpu_us: over(|round| round.flags.load_cpu_us),
            },
            acknowledged: found.acknowledged,
            flags_per_commit: tidy(found.flags as f64 / found.commits.max(1) as f64),
            head: found.head,
            rounds,
        }
    }

    /// The median of the ratios within each round.
    fn ratio(&self) -> f64 {
        tidy(median(self.rounds.iter().map(Round::ratio)))
    }
}

impl Report {
    pub(crate) fn new(settings: Settings, postgres: Engine, sqlite: Engine) -> Report {
        let rounds = postgres.rounds.iter().chain(&sqlite.rounds);
        Report {
            yardstick: "writes",
            settings,
            ratio_postgres: postgres.ratio(),
            ratio_sqlite: sqlite.ratio(),
            gapless: true,
            others_share: tidy(median(rounds.map(|round| round.others_share))),
            postgres,
            sqlite,
        }
    }

    /// For people.
    pub(crate) fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::ASCII_MARKDOWN);
        table.set_header([
            "RaiseFlag",
            "bare commits/s",
            "flags/s",
            "x bare",
            "flags a commit",
            "CPU us/flag",
            "acknowledged",
        ]);
        let mut row = |name: &str, engine: &Engine, ratio: f64| {
            table.add_row([
                name.to_owned(),
                format!("{:.0}", engine.bare_per_second),
                format!("{:.0}", engine.flags.per_second),
                format!("{ratio:.2}"),
                format!("{:.1}", engine.flags_per_commit),
                format!("{:.1}", engine.flags.cpu_us),
                engine.acknowledged.to_string(),
            ]);
        };
        row("PostgreSQL", &self.postgres, self.ratio_postgres);
        row("SQLite FULL", &self.sqlite, self.ratio_sqlite);
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        let Settings {
            rounds,
            seconds,
            writers,
            connections,
            cores,
            optimised,
            data_in_memory,
        } = &self.settings;
        let mut text = format!(
            "{table}\nmedians of {rounds} interleaved rounds of {seconds} s; {writers} writers over {connections} \
             gRPC connections on loopback, each flag another one with a request id;\nwriters, service and PostgreSQL \
             are processes of their own on the same {cores} cores; the logs are gapless and hold every acknowledged \
             flag once"
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

    fn engine(bare: [f64; 3], flags: [f64; 3]) -> Engine {
        let round = |(bare_per_second, per_second)| Round {
            bare_per_second,
            flags: Figures {
                per_second,
                cpu_us: 50.0,
                load_cpu_us: 10.0,
            },
            others_share: 0.02,
        };
        let rounds = bare.into_iter().zip(flags).map(round).collect();
        let found = Found {
            acknowledged: 300,
            flags: 300,
            commits: 10,
            head: 301,
        };
        Engine::of(rounds, found)
    }

    fn report() -> Report {
        let settings = Settings {
            rounds: 3,
            seconds: 3.0,
            writers: 64,
            connections: 8,
            cores: 2,
            optimised: true,
            data_in_memory: false,
        };
        let postgres = engine([1_000.0, 500.0, 1_000.0], [4_000.0, 2_500.0, 6_000.0]);
        Report::new(settings, postgres, engine([500.0; 3], [2_000.0; 3]))
    }

    #[test]
    fn a_ratio_is_the_median_of_the_ratios_within_each_round() {
        let report = report();
        assert!((report.ratio_postgres - 5.0).abs() < 1e-9);
        assert!((report.ratio_sqlite - 4.0).abs() < 1e-9);
        assert!((report.postgres.flags_per_commit - 30.0).abs() < 1e-9);
    }

    #[test]
    fn the_json_is_one_line_with_all_figures_and_the_ratios() {
        let line = serde_json::to_string(&report()).unwrap();
        assert!(!line.contains('\n'));
        let json: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(json["ratio_postgres"], 5.0);
        assert_eq!(json["ratio_sqlite"], 4.0);
        assert_eq!(json["sqlite"]["per_second"], 2_000.0);
        assert_eq!(json["postgres"]["rounds"][1]["per_second"], 2_500.0);
        assert_eq!(json["gapless"], true);
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
