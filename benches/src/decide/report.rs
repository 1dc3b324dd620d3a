//! What a run prints.

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use crate::stats::{median, tidy};

/// Nanoseconds per decision in one round.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Round {
    pub(super) ns: f64,
    pub(super) cedar_ns: f64,
    pub(super) cedar_prepared_ns: f64,
    pub(super) cel_ns: f64,
    pub(super) cel_prepared_ns: f64,
}

/// Everything that was measured, as it is printed on the last line. Keys are the contract of this program.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    yardstick: &'static str,
    optimised: bool,
    /// Random facts on which the three engines agreed.
    agreed_on: u32,
    /// How often each rule decided these; the first is the default.
    decided: [u32; 13],
    decisions: u32,
    ns: f64,
    cedar_ns: f64,
    cedar_prepared_ns: f64,
    cel_ns: f64,
    cel_prepared_ns: f64,
    times_cedar: f64,
    times_cel: f64,
    /// As if the other engine got its facts for nothing.
    times_cedar_prepared: f64,
    times_cel_prepared: f64,
    rounds: Vec<Round>,
}

impl Report {
    pub(super) fn new(agreed_on: u32, decided: [u32; 13], decisions: u32, rounds: Vec<Round>) -> Report {
        let over = |figure: fn(&Round) -> f64| tidy(median(rounds.iter().map(figure)));
        let times =
            |figure: fn(&Round) -> f64| tidy(median(rounds.iter().map(|round| figure(round) / round.ns)));
        Report {
            yardstick: "decide",
            optimised: !cfg!(debug_assertions),
            agreed_on,
            decided,
            decisions,
            ns: over(|round| round.ns),
            cedar_ns: over(|round| round.cedar_ns),
            cedar_prepared_ns: over(|round| round.cedar_prepared_ns),
            cel_ns: over(|round| round.cel_ns),
            cel_prepared_ns: over(|round| round.cel_prepared_ns),
            times_cedar: times(|round| round.cedar_ns),
            times_cel: times(|round| round.cel_ns),
            times_cedar_prepared: times(|round| round.cedar_prepared_ns),
            times_cel_prepared: times(|round| round.cel_prepared_ns),
            rounds,
        }
    }

    /// For people.
    pub(super) fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::ASCII_MARKDOWN);
        table.set_header(["12 rules", "ns/decision", "x ours"]);
        let mut row = |name: &str, ns: f64, times: f64| {
            table.add_row([name.to_owned(), format!("{ns:.1}"), format!("{times:.1}")]);
        };
        row("compiled table, reason and measures", self.ns, 1.0);
        row("cel, shared environment", self.cel_ns, self.times_cel);
        row(
            "cel, facts handed over before",
            self.cel_prepared_ns,
            self.times_cel_prepared,
        );
        row("cedar", self.cedar_ns, self.times_cedar);
        row(
            "cedar, facts handed over before",
            self.cedar_prepared_ns,
            self.times_cedar_prepared,
        );
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        let mut text = format!(
            "{table}\nmedians of {} interleaved rounds; all engines agreed on {} random facts before",
            self.rounds.len(),
            self.agreed_on
        );
        if !self.optimised {
            text.push_str("\nNOT OPTIMISED: a debug build says nothing; run with --profile dist");
        }
        text
    }
}
