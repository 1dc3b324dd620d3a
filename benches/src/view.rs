//! `greenstar-bench view`: what a view of many enterprises takes, and how fast one is found in it, beside a bare map.

use std::collections::HashMap;
use std::hint::black_box;
use std::time::Instant;

use anyhow::ensure;
use comfy_table::{CellAlignment, Table, presets};
use foldhash::fast::RandomState;
use greenstar_kernel::{Clock as _, SystemClock, Uscc};
use greenstar_supervision_policy::yardstick::Reader;
use serde::Serialize;

use crate::people::{self, People};

/// Settings of `view`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    people: people::Options,
    /// Rounds of look-ups; in each, everybody is looked up once on either side.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
}

/// Everything that was measured, as it is printed on the last line. Keys are the contract of this program.
#[derive(Debug, Serialize)]
struct Report {
    yardstick: &'static str,
    optimised: bool,
    enterprises: usize,
    flags: usize,
    /// Rows, their index, and what few enterprises have beside: what their containers hold, over enterprises.
    bytes_per_enterprise: f64,
    /// Packed flags and their index, over flags.
    bytes_per_flag: f64,
    /// What the whole process grew by over enterprises and over flags, as the system counts it. The allocator's own
    /// slack is in it, and pages that it has not given back.
    resident_per_enterprise: f64,
    resident_per_flag: f64,
    /// The most that the process grew by while a twentieth of the enterprises was folded in, as the system counts it.
    peak_fold_bytes: u64,
    fold_ms: f64,
    /// Finding an enterprise and its flags; in a view that was folded, and in one that is just before it.
    lookup_ns: f64,
    lookup_unfolded_ns: f64,
    /// The same, with all its facts made ready for a decision.
    facts_ns: f64,
    /// In a `std::collections::HashMap` with foldhash, from the same codes to a number.
    bare_ns: f64,
    /// `lookup_ns` / `bare_ns`, the median of the ratios within each round.
    lookup_ratio: f64,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let people = People::new(options.people, SystemClock::new().now())?;
    let all = people.all()?;
    let yard = people.yard()?;

    let before = resident()?;
    yard.rate(
        (0..)
            .zip(&all)
            .map(|(number, uscc)| (*uscc, people.facts(number))),
    )?;
    yard.fold();
    let rated = resident()?;
    let flagged = || {
        (0..)
            .zip(&all)
            .filter_map(|(number, uscc)| Some((*uscc, people.flag(number, uscc)?)))
    };
    let flags = flagged().count();
    yard.raise(flagged());
    yard.fold();
    let raised = resident()?;
    let [ratings_bytes, flags_bytes] = yard.bytes();

    let mut bare: HashMap<[u8; 18], u32, RandomState> = HashMap::default();
    bare.extend(all.iter().map(Uscc::as_bytes).copied().zip(0..));
    let mut asked = all.clone();
    shuffle(&mut asked);
    let reader = yard
        .reader()
        .ok_or_else(|| anyhow::anyhow!("the view is empty"))?;
    let (mut finds, mut plain, mut ready) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        plain.push(each(&asked, |uscc| bare.contains_key(uscc.as_bytes()))?);
        finds.push(each(&asked, |uscc| reader.finds(uscc))?);
        ready.push(each(&asked, |uscc| facts(&reader, uscc))?);
    }
    let ratios = finds.iter().zip(&plain).map(|(ours, bare)| ours / bare).collect();
    drop(reader);

    let twentieth = all.len() / 20;
    yard.change(
        (0..)
            .zip(&all)
            .step_by(20)
            .take(twentieth)
            .map(|(number, uscc)| (*uscc, people.facts(number + 1))),
    );
    let reader = yard
        .reader()
        .ok_or_else(|| anyhow::anyhow!("the view is empty"))?;
    let unfolded = each(&asked, |uscc| reader.finds(uscc))?;
    drop(reader);
    forget_peak()?;
    let (start, began) = (resident()?, Instant::now());
    yard.fold();
    let fold_ms = began.elapsed().as_secs_f64() * 1e3;
    let peak = peak()?;

    let per = |bytes: u64, count: usize| tenths(as_f64(bytes) / as_f64(count.max(1) as u64));
    let report = Report {
        yardstick: "view",
        optimised: cfg!(not(debug_assertions)),
        enterprises: all.len(),
        flags,
        bytes_per_enterprise: per(ratings_bytes as u64, all.len()),
        bytes_per_flag: per(flags_bytes as u64, flags),
        resident_per_enterprise: per(rated.saturating_sub(before), all.len()),
        resident_per_flag: per(raised.saturating_sub(rated), flags),
        peak_fold_bytes: peak.saturating_sub(start),
        fold_ms: tenths(fold_ms),
        lookup_ns: tenths(median(finds)),
        lookup_unfolded_ns: tenths(unfolded),
        facts_ns: tenths(median(ready)),
        bare_ns: tenths(median(plain)),
        lookup_ratio: (median(ratios) * 100.0).round() / 100.0,
    };
    println!("{}", report.table());
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}

impl Report {
    fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(presets::UTF8_FULL_CONDENSED);
        table.set_header(["", "measured", "goal"]);
        let rows = [
            (
                "bytes per enterprise without flags",
                self.bytes_per_enterprise,
                "≤ 96",
            ),
            ("bytes per flag", self.bytes_per_flag, "≤ 128"),
            ("resident bytes per enterprise", self.resident_per_enterprise, ""),
            (
                "peak of a fold, MiB",
                tenths(as_f64(self.peak_fold_bytes) / 1_048_576.0),
                "stated",
            ),
            ("fold, ms", self.fold_ms, ""),
            ("look-up, ns", self.lookup_ns, ""),
            ("look-up before a fold, ns", self.lookup_unfolded_ns, ""),
            ("look-up with facts, ns", self.facts_ns, ""),
            ("bare map, ns", self.bare_ns, ""),
            ("look-up / bare map", self.lookup_ratio, "≤ 1.5"),
        ];
        for (what, measured, goal) in rows {
            table.add_row([what.to_owned(), measured.to_string(), goal.to_owned()]);
        }
        if let Some(column) = table.column_mut(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        if !self.optimised {
            table.add_row(["a debug build: the times say nothing", "", ""]);
        }
        table
    }
}

fn facts(reader: &Reader, uscc: &Uscc) -> bool {
    black_box(reader.facts(uscc)).is_some_and(|facts| facts.known)
}

/// Nanoseconds for one, over all.
fn each(asked: &[Uscc], find: impl Fn(&Uscc) -> bool) -> anyhow::Result<f64> {
    let began = Instant::now();
    let found = asked.iter().filter(|uscc| find(black_box(uscc))).count();
    let took = began.elapsed();
    ensure!(found == asked.len(), "{found} of {} were found", asked.len());
    Ok(took.as_secs_f64() * 1e9 / as_f64(asked.len() as u64))
}

/// The same order in every run, and none that the memory was laid out by.
fn shuffle(all: &mut [Uscc]) {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    for last in (1..all.len()).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let other = usize::try_from(state % (last as u64 + 1)).unwrap_or(0);
        all.swap(last, other);
    }
}

pub(crate) fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
}

fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[expect(clippy::cast_precision_loss, reason = "bytes and counts of one machine")]
fn as_f64(value: u64) -> f64 {
    value as f64
}

fn status(key: &str) -> anyhow::Result<u64> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix(key));
    let kilobytes = line.and_then(|line| line.split_whitespace().next());
    let kilobytes: u64 = kilobytes.unwrap_or_default().parse()?;
    Ok(kilobytes * 1_024)
}

fn resident() -> anyhow::Result<u64> {
    status("VmRSS:")
}

fn peak() -> anyhow::Result<u64> {
    status("VmHWM:")
}

/// The peak is counted from here on.
fn forget_peak() -> anyhow::Result<()> {
    Ok(std::fs::write("/proc/self/clear_refs", "5")?)
}
