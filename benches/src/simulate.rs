//! `greenstar-bench simulate`: how long it takes to say whom a candidate would hit, over everybody.

use std::sync::Mutex;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use comfy_table::{CellAlignment, Table, presets};
use greenstar_kernel::{Clock as _, SystemClock};
use greenstar_supervision_policy::domain::shipped;
use serde::Serialize;

use crate::people::{self, People};
use crate::view::median;

/// Settings of `simulate`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    people: people::Options,
    /// Rounds; in each, every candidate is tried once.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
}

/// A shipped policy with one text replaced.
struct Candidate {
    name: &'static str,
    from: &'static str,
    to: &'static str,
}

const CANDIDATES: [Candidate; 3] = [
    Candidate {
        name: "licensing",
        from: "outcome: FAST_TRACK\n      measures: { fast-track: }\n",
        to: "outcome: STANDARD\n",
    },
    Candidate {
        name: "enforcement",
        from: "sampling-ratio: 50,",
        to: "sampling-ratio: 100,",
    },
    Candidate {
        name: "baseline",
        from: "default:\n    outcome: FAVOUR",
        to: "default:\n    outcome: NEUTRAL",
    },
];

/// Everything that was measured, as it is printed on the last line. Keys are the contract of this program.
#[derive(Debug, Serialize)]
struct Report {
    yardstick: &'static str,
    optimised: bool,
    enterprises: usize,
    /// Of the slowest candidate: both versions, compiling and sealing the population included.
    seconds: f64,
    /// Times at which more had been evaluated than before, of that candidate.
    progress: usize,
    candidates: Vec<Measured>,
}

#[derive(Debug, Serialize)]
struct Measured {
    candidate: &'static str,
    matters: usize,
    /// Median and greatest of the rounds.
    seconds: f64,
    slowest_seconds: f64,
    progress: usize,
    evaluated: u64,
    outcome_changed: u64,
    measures_changed: u64,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let people = People::new(options.people, SystemClock::new().now())?;
    let all = people.all()?;
    let yard = people.yard()?;
    yard.rate(
        (0..)
            .zip(&all)
            .map(|(number, uscc)| (*uscc, people.facts(number))),
    )?;
    yard.raise(
        (0..)
            .zip(&all)
            .filter_map(|(number, uscc)| Some((*uscc, people.flag(number, uscc)?))),
    );
    yard.fold();

    let mut texts = Vec::new();
    for candidate in &CANDIDATES {
        let shipped = shipped::documents().into_iter();
        let shipped = shipped.map(|document| document.text);
        let mut own = shipped.filter(|text| text.contains(&format!("\ndepartment: {}\n", candidate.name)));
        let text = own.next().context("no shipped policy is of this department")?;
        ensure!(
            text.contains(candidate.from),
            "the shipped policy of {} has another text",
            candidate.name
        );
        texts.push(text.replace(candidate.from, candidate.to));
    }
    let mut seconds: Vec<Vec<f64>> = CANDIDATES.iter().map(|_| Vec::new()).collect();
    let mut measured: Vec<Option<Measured>> = CANDIDATES.iter().map(|_| None).collect();
    for _ in 0..options.rounds {
        for (((candidate, text), seconds), measured) in
            CANDIDATES.iter().zip(&texts).zip(&mut seconds).zip(&mut measured)
        {
            // How far it was, and how often it was farther.
            let told = Mutex::new((0, 0));
            let began = Instant::now();
            let (impact, count) = yard.simulate(text, |done| {
                if let Ok(mut told) = told.lock()
                    && done > told.0
                {
                    *told = (done, told.1 + 1);
                }
            })?;
            seconds.push(began.elapsed().as_secs_f64());
            ensure!(
                impact.evaluated == count as u64,
                "{} of {count} were evaluated",
                impact.evaluated
            );
            let changed = impact.outcome_changed + impact.measures_changed;
            ensure!(changed > 0, "{} changes nobody", candidate.name);
            let mut matters: Vec<&str> = impact.moves.iter().map(|moved| &*moved.matter).collect();
            matters.dedup();
            let progress = told.lock().map_or(0, |told| told.1);
            *measured = Some(Measured {
                candidate: candidate.name,
                matters: matters.len(),
                seconds: rounded(median(seconds.clone())),
                slowest_seconds: rounded(seconds.iter().copied().fold(0.0, f64::max)),
                progress,
                evaluated: impact.evaluated,
                outcome_changed: impact.outcome_changed,
                measures_changed: impact.measures_changed,
            });
        }
    }
    let candidates: Vec<Measured> = measured.into_iter().flatten().collect();
    let slowest = candidates.iter().max_by(|a, b| a.seconds.total_cmp(&b.seconds));
    let report = Report {
        yardstick: "simulate",
        optimised: cfg!(not(debug_assertions)),
        enterprises: all.len(),
        seconds: slowest.map_or(f64::NAN, |slowest| slowest.seconds),
        progress: slowest.map_or(0, |slowest| slowest.progress),
        candidates,
    };
    println!("{}", report.table());
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}

impl Report {
    fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(presets::UTF8_FULL_CONDENSED);
        table.set_header([
            "candidate",
            "matters",
            "seconds",
            "goal",
            "progress",
            "evaluated",
            "changed",
        ]);
        for measured in &self.candidates {
            table.add_row([
                measured.candidate.to_owned(),
                measured.matters.to_string(),
                format!("{:.3}", measured.seconds),
                "≤ 0.5".to_owned(),
                measured.progress.to_string(),
                measured.evaluated.to_string(),
                (measured.outcome_changed + measured.measures_changed).to_string(),
            ]);
        }
        for column in 1..7 {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        if !self.optimised {
            table.add_row(["a debug build: the times say nothing"]);
        }
        table
    }
}

fn rounded(seconds: f64) -> f64 {
    (seconds * 1e4).round() / 1e4
}
