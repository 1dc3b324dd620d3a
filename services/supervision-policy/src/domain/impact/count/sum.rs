//! The counts of parts, added and named.

use std::collections::BTreeMap;

use super::super::super::matter::Outcome;
use super::super::super::policy::Policy;
use super::super::answers::{Answer, Answers};
use super::super::comparison::Comparison;
use super::super::result::{Conflict, Grouping, Impact, InGroup, Move};
use super::super::visits::visits_of;
use super::{ALL, Cell, Count, Group, Numbers, Ways, outcomes};

/// Outcome before and after, by severity, of one matter.
type FromTo = (String, [Option<usize>; 2]);

/// A count and who is named with it.
type Named = (u64, Vec<usize>);

impl Impact {
    /// Adds the counts of parts.
    pub fn of(comparison: &Comparison<'_>, parts: &[Count<'_, '_>]) -> Impact {
        let mut impact = Impact::default();
        let mut moves: BTreeMap<FromTo, (String, String, Named)> = BTreeMap::new();
        let mut groups: BTreeMap<(Grouping, String), Ways> = BTreeMap::new();
        let mut conflicts: BTreeMap<(usize, usize), Named> = BTreeMap::new();
        let mut sample = 0;
        for part in parts {
            sample = sample.max(part.sample);
            impact.evaluated += part.evaluated;
            impact.outcome_changed += part.outcome_changed;
            impact.measures_changed += part.measures_changed;
            impact.skipped += part.skipped;
            for (pair, cells) in part.cells.iter().enumerate() {
                for ((place, numbers), cell) in cells {
                    impact.add(comparison, part, (pair, *place, *numbers), cell, &mut moves);
                }
            }
            for (group, ways) in &part.groups {
                let counted = groups.entry(named(comparison, group)).or_default();
                counted.milder += ways.milder;
                counted.severer += ways.severer;
            }
            for (measures, met) in &part.conflicts {
                let counted = conflicts.entry(*measures).or_default();
                counted.0 += met.count;
                counted.1.extend(&met.sample);
            }
        }
        let first = |mut all: Vec<usize>| {
            all.sort_unstable();
            all.truncate(sample);
            all
        };
        impact.moves = moves
            .into_iter()
            .map(|((matter, _), (from, to, (count, sample)))| Move {
                matter,
                from,
                to,
                count,
                sample: first(sample),
            })
            .collect();
        impact.groups = groups
            .into_iter()
            .map(|((grouping, group), Ways { milder, severer })| InGroup {
                grouping,
                group,
                milder,
                severer,
            })
            .collect();
        let code = |at: usize| measure(comparison.before, at);
        impact.conflicts = conflicts
            .into_iter()
            .map(|((one, other), (count, sample))| Conflict {
                measure: code(one),
                other: code(other),
                count,
                sample: first(sample),
            })
            .collect();
        impact
    }

    fn add(
        &mut self,
        comparison: &Comparison<'_>,
        part: &Count<'_, '_>,
        (at, place, [was, is]): (usize, usize, Numbers),
        cell: &Cell,
        moves: &mut BTreeMap<FromTo, (String, String, Named)>,
    ) {
        let Some(pair) = comparison.pairs.get(at) else {
            return;
        };
        let answer =
            |answers: &'_ [Answers<'_>], number: Option<usize>| answers.get(at)?.get(number?).cloned();
        let (was, is) = (answer(&part.before, was), answer(&part.after, is));
        let [from, to] = outcomes(comparison, at, [was.as_ref(), is.as_ref()]);
        let code =
            |outcome: Option<&Outcome>| outcome.map_or_else(String::new, |outcome| outcome.code.to_string());
        let matters = if place == ALL {
            0..pair.names.len()
        } else {
            place..place + 1
        };
        for name in pair.names.get(matters.clone()).unwrap_or_default() {
            let severity = [&was, &is].map(|answer| answer.as_ref().map(|answer| answer.outcome));
            let moved = moves.entry((name.clone(), severity));
            let (_, _, (count, sample)) = moved.or_insert_with(|| (code(from), code(to), Named::default()));
            *count += cell.count;
            sample.extend(&cell.sample);
        }
        if pair.is_regime {
            let matters = i64::try_from(matters.len()).unwrap_or(1);
            let times = i64::try_from(cell.count)
                .unwrap_or(i64::MAX)
                .saturating_mul(matters);
            let visits = |answer: &Option<Answer>, policy: &Policy| {
                let each = answer
                    .as_ref()
                    .map_or(0, |answer| visits_of(answer, policy.catalogue()));
                each.saturating_mul(times)
            };
            self.visits_before = self.visits_before.saturating_add(visits(&was, comparison.before));
            self.visits_after = self.visits_after.saturating_add(visits(&is, comparison.after));
        }
    }
}

fn measure(policy: &Policy, at: usize) -> String {
    let entry = policy.catalogue().measures().get(at);
    entry.map_or_else(String::new, |entry| entry.code.to_string())
}

fn named(comparison: &Comparison<'_>, group: &Group) -> (Grouping, String) {
    let code = |code: Option<String>| code.unwrap_or_default();
    match group {
        Group::Department(at) => {
            let department = comparison.departments.get(*at);
            (Grouping::Department, code(department.map(ToString::to_string)))
        }
        Group::District(district) => (Grouping::District, code(district.map(|code| code.to_string()))),
        Group::Sector(sector) => (Grouping::Sector, code(sector.map(|code| code.to_string()))),
        Group::Standing(standing) => {
            let star = standing.star().map(|star| star.get().to_string());
            let state = || standing.state().as_str().to_owned();
            (Grouping::Star, star.unwrap_or_else(state))
        }
    }
}
