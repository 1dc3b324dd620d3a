//! `decide`: what a decision of twelve rules costs in the process, beside general policy engines on the equal policy.

mod cedar;
mod cel;
mod facts;
mod ours;
mod report;
mod rules;

use std::hint::black_box;

use anyhow::ensure;

use self::cedar::Cedar;
use self::cel::Cel;
use self::facts::{Facts, Numbers};
use self::ours::Ours;
use self::report::{Report, Round};
use crate::child::own_cpu;

/// What is measured, and how long.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Interleaved rounds.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// Decisions of the slowest engine in a round; the others make more.
    #[arg(long, default_value_t = 4000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    decisions: u32,
    /// Random facts on which all engines must agree before anything is measured.
    #[arg(long, default_value_t = 20_000)]
    agree_on: u32,
}

/// Different facts that a round goes through: more than a branch predictor learns by heart.
const FACTS: usize = 4096;
/// How many times as many decisions the faster engines make in a round.
const CEL: u32 = 4;
const OURS: u32 = 100;

/// Measures and prints.
///
/// # Errors
/// An engine refuses the policy, or two engines disagree.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let engines = Engines {
        ours: Ours::new()?,
        cedar: Cedar::new()?,
        cel: Cel::new()?,
    };
    let rows = engines.agree(options.agree_on)?;
    let mut numbers = Numbers(2);
    let facts: Vec<Facts> = (0..FACTS).map(|_| numbers.facts()).collect();
    let mut rounds = Vec::new();
    // The first warms up.
    for round in 0..=options.rounds {
        let measured = engines.round(&facts, options.decisions)?;
        if round > 0 {
            rounds.push(measured);
        }
    }
    let report = Report::new(options.agree_on, rows, options.decisions, rounds);
    println!("{}", report.table());
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}

#[derive(Debug)]
struct Engines {
    ours: Ours,
    cedar: Cedar,
    cel: Cel,
}

impl Engines {
    /// How often each rule decided; all engines say so.
    fn agree(&self, count: u32) -> anyhow::Result<[u32; 13]> {
        let mut numbers = Numbers(1);
        let mut rows = [0; 13];
        for _ in 0..count {
            let facts = numbers.facts();
            let ours = self.ours.decide(&facts)?.row;
            let cedar = self.cedar.decide(&self.cedar.request(&facts)?)?;
            let cel = self.cel.decide(&self.cel.context(&facts))?;
            ensure!(
                ours == cedar && ours == cel,
                "the engines disagree about {facts:?}: table {ours}, cedar {cedar}, cel {cel}"
            );
            if let Some(count) = rows.get_mut(ours) {
                *count += 1;
            }
        }
        Ok(rows)
    }

    fn round(&self, facts: &[Facts], decisions: u32) -> anyhow::Result<Round> {
        let ours = timed(facts, decisions * OURS, |facts| {
            let answer = self.ours.decide(black_box(facts))?;
            black_box((answer.row, answer.decided.outcome));
            black_box((&answer.decided.reason, &answer.decided.basis));
            for measure in &answer.decided.measures {
                black_box(*measure);
            }
            Ok(())
        })?;
        let cel = timed(facts, decisions * CEL, |facts| {
            black_box(self.cel.decide(&self.cel.context(black_box(facts)))?);
            Ok(())
        })?;
        let contexts: Vec<_> = facts.iter().map(|facts| self.cel.context(facts)).collect();
        let cel_prepared = timed(&contexts, decisions * CEL, |context| {
            black_box(self.cel.decide(black_box(context))?);
            Ok(())
        })?;
        let cedar = timed(facts, decisions, |facts| {
            black_box(self.cedar.decide(&self.cedar.request(black_box(facts))?)?);
            Ok(())
        })?;
        let requests = facts.iter().map(|facts| self.cedar.request(facts));
        let requests: Vec<_> = requests.collect::<anyhow::Result<_>>()?;
        let cedar_prepared = timed(&requests, decisions, |request| {
            black_box(self.cedar.decide(black_box(request))?);
            Ok(())
        })?;
        Ok(Round {
            ns: ours,
            cedar_ns: cedar,
            cedar_prepared_ns: cedar_prepared,
            cel_ns: cel,
            cel_prepared_ns: cel_prepared,
        })
    }
}

/// Nanoseconds of processor time per decision, so that a busy machine costs noise and not a factor.
fn timed<T>(
    cases: &[T],
    decisions: u32,
    mut decide: impl FnMut(&T) -> anyhow::Result<()>,
) -> anyhow::Result<f64> {
    let many = usize::try_from(decisions)?;
    let begin = own_cpu();
    for case in cases.iter().cycle().take(many) {
        decide(case)?;
    }
    let taken = own_cpu().saturating_sub(begin);
    Ok(taken.as_secs_f64() * 1e9 / f64::from(decisions))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_engines_read_the_policy_alike_and_every_rule_decides_sometimes() {
        let engines = Engines {
            ours: Ours::new().unwrap(),
            cedar: Cedar::new().unwrap(),
            cel: Cel::new().unwrap(),
        };
        let rows = engines.agree(3000).unwrap();
        assert!(rows.iter().all(|count| *count > 0), "{rows:?}");
    }
}
