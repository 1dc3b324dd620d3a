//! One matter under one state of the law: every answer that it can give, and to whom.

use std::collections::{BTreeSet, HashMap, HashSet};

use greenstar_kernel::{RatingState, Standing, Star, Timestamp};
use greenstar_tables::{RowSet, Value};

use super::axes::{Axis, Rows, Side};
use super::composed::{Composed, compose};
use super::example::example;
use super::finding::Finding;
use super::flags::Flags;
use super::pairs::{Pairs, Relation};
use super::space::{Leaf, leaves};
use super::{Example, TooIntricate};
use crate::domain::columns::FactColumn;
use crate::domain::document::UnfairSource;
use crate::domain::matter::Matter;
use crate::domain::policy::Policy;

/// Answers and comparisons that are looked at.
const MAX_WORK: usize = 6_000_000;
/// Changes of the law ahead that are looked at.
const MAX_LAWS: usize = 8;

/// Best first; from [`ALIKE`] on those that are treated alike.
const STANDINGS: [Standing; 10] = {
    let [one, two, three, four, five] = Star::ALL;
    [
        Standing::Rated(five),
        Standing::Rated(four),
        Standing::Rated(three),
        Standing::Rated(two),
        Standing::Rated(one),
        Standing::Vetoed,
        Standing::NotRated,
        Standing::NotListed,
        Standing::Suspended,
        Standing::Expired,
    ]
};
const ALIKE: usize = 6;

/// Positions in leaves, states and standings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) leaf: usize,
    pub(super) state: usize,
    pub(super) standing: usize,
}

#[derive(Debug)]
pub(super) struct Study<'a> {
    pub(super) policy: &'a Policy,
    pub(super) matter: &'a Matter,
    /// Named in counterexamples if it is not the instant of the question.
    pub(super) later: Option<Timestamp>,
    pub(super) axes: Vec<Axis>,
    pub(super) flags: Flags,
    pub(super) leaves: Vec<Leaf>,
    standings: Vec<Rows>,
    /// Rows that take so many months since a serious fault.
    serious: Option<HashMap<Option<i64>, Rows>>,
    /// In the catalogue, those whose gates matter.
    measures: Vec<usize>,
    /// Of them, by standing, those that it carries; and those whose entry and bases are in force.
    by_standing: Vec<u128>,
    stands: u128,
    /// Each different answer, with the measures that pass there and the first firm that gets it.
    pub(super) answers: Vec<(Composed, u128, Spot)>,
    known: HashMap<(Rows, u128), usize>,
    work: usize,
}

impl<'a> Study<'a> {
    /// Studies a matter as the law is at `from`, and once for each change that the catalogue has coming.
    pub(super) fn all(
        policy: &'a Policy,
        matter: &'a Matter,
        from: Timestamp,
        mut look: impl FnMut(&mut Study<'a>) -> Result<(), TooIntricate>,
    ) -> Result<(), TooIntricate> {
        let measures = measures(policy, matter);
        let mut laws = HashSet::new();
        for as_of in instants(policy, &measures, from) {
            let mut study = Study::of(policy, matter, measures.clone(), as_of, from)?;
            let carried: Vec<u128> = study.flags.states.iter().map(|state| state.carried).collect();
            if laws.insert((study.stands, study.by_standing.clone(), carried)) {
                look(&mut study)?;
            }
        }
        Ok(())
    }

    fn of(
        policy: &'a Policy,
        matter: &'a Matter,
        measures: Vec<usize>,
        as_of: Timestamp,
        from: Timestamp,
    ) -> Result<Study<'a>, TooIntricate> {
        let catalogue = policy.catalogue().as_ref();
        let sides = [
            Side {
                table: matter.table.as_ref(),
                arguments: &matter.arguments,
            },
            Side {
                table: Some(&policy.baseline),
                arguments: &[],
            },
        ];
        let axes = Axis::all(sides, catalogue, as_of)?;
        let flags = Flags::of(&axes, sides, catalogue, &measures, as_of)?;
        let leaves = leaves(&axes, i64::from(as_of.date().days()))?;
        let gates = || {
            measures
                .iter()
                .enumerate()
                .filter_map(|(index, measure)| catalogue.measure(*measure).map(|(_, gate)| (index, gate)))
        };
        let stands = gates().filter(|(_, gate)| gate.stands(as_of));
        let stands = stands.fold(0u128, |bits, (index, _)| bits | 1 << index);
        let by_standing = STANDINGS.iter().map(|standing| {
            let carries = gates().filter(|(_, gate)| gate.by_standing(*standing));
            carries.fold(0u128, |bits, (index, _)| bits | 1 << index)
        });
        Ok(Study {
            policy,
            matter,
            later: Some(as_of).filter(|as_of| *as_of > from),
            standings: standings(&axes, sides),
            serious: serious(&axes, sides, &flags),
            flags,
            leaves,
            by_standing: by_standing.collect(),
            stands,
            measures,
            axes,
            answers: Vec::new(),
            known: HashMap::new(),
            work: 0,
        })
    }

    /// Whether the law carries a measure where this answer was given.
    pub(super) fn passes(&self, bits: u128, measure: usize) -> bool {
        let index = self.measures.iter().position(|known| *known == measure);
        index.is_some_and(|index| bits >> index & 1 == 1)
    }

    fn answer(&mut self, rows: Rows, bits: u128, spot: Spot) -> usize {
        if let Some(known) = self.known.get(&(rows, bits)) {
            return *known;
        }
        let catalogue = self.policy.catalogue();
        let composed = compose(self.matter, &self.policy.baseline, catalogue, rows, |measure| {
            self.passes(bits, measure)
        });
        self.answers.push((composed, bits, spot));
        self.known.insert((rows, bits), self.answers.len() - 1);
        self.answers.len() - 1
    }

    /// Looks at every firm, and tells where P8 is broken.
    pub(super) fn unfair(
        &mut self,
        declared: &[Vec<UnfairSource>; 2],
        of_baseline: bool,
        findings: &mut Vec<Finding>,
    ) -> Result<(), TooIntricate> {
        let mut pairs = Pairs::default();
        for leaf in 0..self.leaves.len() {
            self.look_at(leaf, &mut pairs)?;
        }
        for (unfair, seen) in pairs.found {
            let finding = self.told(unfair, seen, declared, of_baseline);
            // What is so today is not told again of a later law.
            let facts = |finding: &Finding| -> Example {
                let facts = finding.counterexample.iter().filter(|(name, _)| name != "at");
                facts.cloned().collect()
            };
            let same = |known: &Finding| {
                known.kind == finding.kind && known.rows == finding.rows && facts(known) == facts(&finding)
            };
            if !findings.iter().any(same) {
                findings.push(finding);
            }
        }
        Ok(())
    }

    fn look_at(&mut self, leaf: usize, pairs: &mut Pairs) -> Result<(), TooIntricate> {
        let Some(Leaf {
            rows,
            serious,
            unknown,
            ended,
            ..
        }) = self.leaves.get(leaf).cloned()
        else {
            return Ok(());
        };
        // States that this leaf cannot tell apart are one.
        let mut classes: HashMap<(Rows, u128), usize> = HashMap::new();
        let mut members: Vec<(Rows, u128, usize)> = Vec::new();
        let mut class_of: Vec<usize> = Vec::with_capacity(self.flags.states.len());
        for (index, state) in self.flags.states.iter().enumerate() {
            let mut left = and(rows, state.rows);
            if let Some(by_months) = &self.serious {
                let months = newer(serious, state.serious);
                left = by_months.get(&months).map_or(left, |rows| and(left, *rows));
            }
            let class = *classes.entry((left, state.carried)).or_insert_with(|| {
                members.push((left, state.carried, index));
                members.len() - 1
            });
            class_of.push(class);
        }
        let mut given: Vec<[Option<usize>; 10]> = Vec::with_capacity(members.len());
        for (left, carried, state) in &members {
            let mut by_standing = [None; 10];
            for (standing, slot) in by_standing.iter_mut().enumerate() {
                let named = STANDINGS.get(standing);
                let rated = named.is_some_and(|standing| standing.state() == RatingState::Rated);
                let unrated = named.is_some_and(|standing| standing.state() == RatingState::NotRated);
                if (unknown && !unrated) || (ended && rated) {
                    continue;
                }
                let rows = self
                    .standings
                    .get(standing)
                    .map_or(*left, |rows| and(*left, *rows));
                let carries = self.by_standing.get(standing).copied().unwrap_or(0);
                let spot = Spot {
                    leaf,
                    state: *state,
                    standing,
                };
                *slot = Some(self.answer(rows, self.stands & (carries | carried), spot));
                self.work += 1;
            }
            given.push(by_standing);
        }
        for (class, by_standing) in given.iter().enumerate() {
            let state = members.get(class).map_or(0, |(_, _, state)| *state);
            let spot = |standing| Spot {
                leaf,
                state,
                standing,
            };
            for (high, better) in by_standing.iter().enumerate().take(ALIKE) {
                for (low, worse) in by_standing.iter().enumerate().take(ALIKE).skip(high + 1) {
                    if let (Some(better), Some(worse)) = (better, worse) {
                        pairs.compare(
                            self,
                            (*better, spot(high)),
                            (*worse, spot(low)),
                            Relation::Standing,
                        );
                    }
                }
            }
            let mut alike = by_standing
                .iter()
                .enumerate()
                .skip(ALIKE)
                .filter_map(|(at, id)| Some((at, (*id)?)));
            if let Some((first, one)) = alike.next() {
                for (second, other) in alike {
                    pairs.compare(self, (one, spot(first)), (other, spot(second)), Relation::Alike);
                }
            }
            self.work += 20;
        }
        let mut compared: HashSet<(usize, usize)> = HashSet::new();
        for (index, state) in self.flags.states.iter().enumerate() {
            for (further, _) in &state.further {
                let (Some(before), Some(after)) = (class_of.get(index), class_of.get(*further)) else {
                    continue;
                };
                self.work += 1;
                if before == after || !compared.insert((*before, *after)) {
                    continue;
                }
                let (Some(milder), Some(stricter)) = (given.get(*before), given.get(*after)) else {
                    continue;
                };
                self.work += 10;
                for (standing, pair) in milder.iter().zip(stricter).enumerate() {
                    if let (Some(without), Some(with)) = pair {
                        let spot = |state| Spot {
                            leaf,
                            state,
                            standing,
                        };
                        let (without, with) = ((*without, spot(index)), (*with, spot(*further)));
                        pairs.compare(self, without, with, Relation::Flag);
                    }
                }
            }
        }
        if self.work > MAX_WORK {
            Err(TooIntricate)
        } else {
            Ok(())
        }
    }

    /// The firm at a spot, as a case would have it.
    pub(super) fn example(&self, spot: Spot) -> Example {
        example(self, spot)
    }
}

pub(super) fn and(left: Rows, right: Rows) -> Rows {
    [left[0] & right[0], left[1] & right[1]]
}

pub(super) fn newer(left: Option<i64>, right: Option<i64>) -> Option<i64> {
    match (left, right) {
        (Some(left), Some(right)) => Some(left.min(right)),
        (left, right) => left.or(right),
    }
}

/// The rows that each standing takes.
pub(super) fn standings(axes: &[Axis], sides: [Side<'_>; 2]) -> Vec<Rows> {
    let all = RowSet::first_rows(256);
    let of = |standing: &Standing| {
        let mut rows = [all, all];
        for axis in axes {
            let value = match axis.fact {
                Some(FactColumn::Star) => standing
                    .star()
                    .map_or(Value::Absent, |star| Value::Ordered(i64::from(star))),
                Some(FactColumn::State) => {
                    let position = RatingState::ALL
                        .iter()
                        .position(|state| *state == standing.state());
                    let position = position.and_then(|position| u16::try_from(position).ok());
                    position.map_or(Value::Absent, Value::Choice)
                }
                Some(_) | None => continue,
            };
            rows = and(rows, axis.rows(sides, value));
        }
        rows
    };
    STANDINGS.iter().map(of).collect()
}

/// The rows that each number of months since a serious fault takes, if a table asks.
pub(super) fn serious(
    axes: &[Axis],
    sides: [Side<'_>; 2],
    flags: &Flags,
) -> Option<HashMap<Option<i64>, Rows>> {
    let axis = axes
        .iter()
        .find(|axis| axis.fact == Some(FactColumn::MonthsSinceSerious))?;
    let own = axis.cuts(sides);
    let of_flags = flags.states.iter().filter_map(|state| state.serious);
    let months: BTreeSet<i64> = own.into_iter().chain(of_flags).chain([0]).collect();
    let mut rows: HashMap<Option<i64>, Rows> = months
        .into_iter()
        .map(|months| (Some(months), axis.rows(sides, Value::Ordered(months))))
        .collect();
    rows.insert(None, axis.rows(sides, Value::Absent));
    Some(rows)
}

pub(super) fn standing_at(position: usize) -> Option<Standing> {
    STANDINGS.get(position).copied()
}

/// Positions in the catalogue of every measure that the matter or the baseline can ask for.
fn measures(policy: &Policy, matter: &Matter) -> Vec<usize> {
    let tables = matter.table.iter().chain([&policy.baseline]);
    let rows = tables.flat_map(|table| table.rows().iter().chain(table.default_row()));
    let of_rows = rows.flat_map(|row| row.measures.iter().map(|used| used.measure));
    let of_outcomes = matter.outcomes.iter().flat_map(|outcome| {
        let floor = outcome.floor.iter().map(|used| used.measure);
        outcome.carrier.into_iter().chain(floor)
    });
    let all: BTreeSet<usize> = of_rows.chain(of_outcomes).collect();
    all.into_iter().collect()
}

/// `from`, and each later instant at which the law changes for one of the measures or for a kind of flag.
fn instants(policy: &Policy, measures: &[usize], from: Timestamp) -> Vec<Timestamp> {
    let catalogue = policy.catalogue();
    let parts = catalogue.parts();
    let entries = measures
        .iter()
        .filter_map(|measure| catalogue.measures().get(*measure));
    let of_entries = entries
        .clone()
        .flat_map(|entry| [entry.from, entry.until.map(|last| last.plus_days(1))]);
    let of_kinds = parts.flag_kinds.iter().flat_map(|kind| &kind.bases);
    let codes = entries.flat_map(|entry| &entry.bases).chain(of_kinds);
    let bases = codes.filter_map(|code| catalogue.basis(code));
    let of_bases = bases.flat_map(|basis| [basis.effective, basis.end.map(|last| last.plus_days(1))]);
    let later = of_entries.chain(of_bases).flatten().map(|day| day.start());
    let later: BTreeSet<Timestamp> = later.filter(|instant| *instant > from).collect();
    std::iter::once(from).chain(later).take(MAX_LAWS).collect()
}
