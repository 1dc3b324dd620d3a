//! The flags that a firm can have, as far as the tables and the gates of the law can tell them apart.
//!
//! What a set of flags does is the join of what each does, so that the states form a half lattice: from none, one
//! flag after another, until nothing new comes.

use std::collections::{BTreeSet, HashMap, HashSet};

use greenstar_kernel::{Month, Timestamp};
use greenstar_tables::{RowSet, Value};

use super::TooIntricate;
use super::axes::{Axis, Rows, Side};
use crate::domain::catalogue::{Catalogue, Severity};
use crate::domain::columns::FactColumn;

/// States that are told apart; a table with more is too intricate.
const MAX_STATES: usize = 2048;
/// Kinds of single flags that are told apart.
const MAX_FLAGS: usize = 512;
/// Months beyond are read as this.
const MAX_MONTHS: i64 = 120;

/// A flag in force that counts in the matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    /// Position in the catalogue's kinds.
    pub(super) kind: usize,
    pub(super) severity: Severity,
    /// Position in the catalogue's departments; one beyond the last for any other.
    pub(super) department: usize,
    /// Whole months since its document.
    pub(super) age: i64,
}

/// What is seen of a set of flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Seen {
    /// Whether there is one; of the masks of the flags' cells those that are hit.
    any: bool,
    kinds: u128,
    reaches_all: bool,
    worst: Option<Severity>,
    severities: u8,
    departments: u128,
    newest: Option<i64>,
    serious: Option<i64>,
    carried: u128,
}

impl Seen {
    fn join(self, other: Seen) -> Seen {
        let newer = |left: Option<i64>, right: Option<i64>| match (left, right) {
            (Some(left), Some(right)) => Some(left.min(right)),
            (left, right) => left.or(right),
        };
        Seen {
            any: self.any || other.any,
            kinds: self.kinds | other.kinds,
            reaches_all: self.reaches_all || other.reaches_all,
            worst: self.worst.max(other.worst),
            severities: self.severities | other.severities,
            departments: self.departments | other.departments,
            newest: newer(self.newest, other.newest),
            serious: newer(self.serious, other.serious),
            carried: self.carried | other.carried,
        }
    }
}

/// A set of flags that stands for all that do the same.
#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) held: Vec<Held>,
    /// Rows that the flags' columns take.
    pub(super) rows: Rows,
    /// Months since the newest serious one; looked at only if a table asks.
    pub(super) serious: Option<i64>,
    /// Of the measures in question those that a flag carries, by position.
    pub(super) carried: u128,
    /// States with one flag more, and that flag.
    pub(super) further: Vec<(usize, Held)>,
}

/// All states, none first.
#[derive(Clone, Debug)]
pub(super) struct Flags {
    pub(super) states: Vec<State>,
    /// Whether a table asks for anything about flags.
    pub(super) tested: bool,
}

impl Flags {
    /// `measures`: positions in the catalogue of those whose gates are looked at, at most 128.
    pub(super) fn of(
        axes: &[Axis],
        sides: [Side<'_>; 2],
        catalogue: &Catalogue,
        measures: &[usize],
        as_of: Timestamp,
    ) -> Result<Flags, TooIntricate> {
        let view = View::of(axes, sides);
        let single = view.single(catalogue, measures, as_of)?;
        let mut known: HashMap<Seen, usize> = HashMap::from([(Seen::default(), 0)]);
        let mut found: Vec<(Seen, Vec<Held>)> = vec![(Seen::default(), Vec::new())];
        let mut further: Vec<Vec<(usize, Held)>> = Vec::new();
        while let Some((seen, held)) = found.get(further.len()).cloned() {
            let mut next: Vec<(usize, Held)> = Vec::new();
            for (one, flag) in &single {
                let joined = seen.join(*one);
                if joined == seen {
                    continue;
                }
                let at = *known.entry(joined).or_insert_with(|| {
                    let more = held.iter().copied().chain([*flag]);
                    found.push((joined, more.collect()));
                    found.len() - 1
                });
                if !next.iter().any(|(known, _)| *known == at) {
                    next.push((at, *flag));
                }
            }
            if found.len() > MAX_STATES {
                return Err(TooIntricate);
            }
            further.push(next);
        }
        let states = found
            .into_iter()
            .zip(further)
            .map(|((seen, held), further)| State {
                rows: view.rows(&held, sides, catalogue),
                held,
                serious: seen.serious,
                carried: seen.carried,
                further,
            });
        Ok(Flags {
            states: states.collect(),
            tested: !view.asked.is_empty(),
        })
    }
}

/// What the tables ask about flags.
struct View<'a> {
    asked: Vec<&'a Axis>,
    kinds: Vec<u64>,
    departments: Vec<u64>,
    ages: BTreeSet<i64>,
    serious: bool,
}

impl<'a> View<'a> {
    fn of(axes: &'a [Axis], sides: [Side<'_>; 2]) -> View<'a> {
        let of_flags = |axis: &&Axis| match axis.fact {
            Some(
                FactColumn::Flags
                | FactColumn::ReachesAll
                | FactColumn::WorstSeverity
                | FactColumn::FlagSeverities
                | FactColumn::FlagDepartments
                | FactColumn::FlagAgeMonths,
            ) => true,
            Some(_) | None => false,
        };
        let find = |fact: FactColumn| axes.iter().find(|axis| axis.fact == Some(fact));
        let masks = |fact| find(fact).map(|axis| axis.masks(sides)).unwrap_or_default();
        let mut ages = BTreeSet::from([0]);
        for fact in [FactColumn::FlagAgeMonths, FactColumn::MonthsSinceSerious] {
            ages.extend(find(fact).map(|axis| axis.cuts(sides)).unwrap_or_default());
        }
        View {
            asked: axes.iter().filter(of_flags).collect(),
            kinds: masks(FactColumn::Flags).into_iter().collect(),
            departments: masks(FactColumn::FlagDepartments).into_iter().collect(),
            ages,
            serious: find(FactColumn::MonthsSinceSerious).is_some(),
        }
    }

    fn asks(&self, fact: FactColumn) -> bool {
        self.asked.iter().any(|axis| axis.fact == Some(fact))
    }

    /// Every flag, those that do the same once: the plainest first, serious and new.
    fn single(
        &self,
        catalogue: &Catalogue,
        measures: &[usize],
        as_of: Timestamp,
    ) -> Result<Vec<(Seen, Held)>, TooIntricate> {
        if self.kinds.len() > 128 || self.departments.len() > 128 || measures.len() > 128 {
            return Err(TooIntricate);
        }
        let mut known = HashSet::new();
        let mut single = Vec::new();
        for kind in 0..catalogue.flag_kinds().len() {
            for severity in Severity::ALL.into_iter().rev() {
                let ceiling = months(catalogue, severity);
                let ages = self.ages.iter().copied().chain([ceiling]);
                let ages: BTreeSet<i64> = ages.filter(|age| (0..=MAX_MONTHS).contains(age)).collect();
                for age in ages {
                    let departments = if self.departments.is_empty() {
                        0..1
                    } else {
                        0..catalogue.departments().len() + 1
                    };
                    for department in departments {
                        let flag = Held {
                            kind,
                            severity,
                            department,
                            age,
                        };
                        let seen = self.seen(flag, catalogue, measures, as_of);
                        if known.insert(seen) {
                            single.push((seen, flag));
                        }
                    }
                    if single.len() > MAX_FLAGS {
                        return Err(TooIntricate);
                    }
                }
            }
        }
        Ok(single)
    }

    fn seen(&self, flag: Held, catalogue: &Catalogue, measures: &[usize], as_of: Timestamp) -> Seen {
        let bits = |masks: &[u64], value: usize| {
            let hit = |(_, mask): &(usize, &u64)| **mask >> (value % 64) & 1 == 1;
            let hits = masks.iter().enumerate().filter(hit);
            hits.fold(0u128, |bits, (index, _)| bits | 1 << index)
        };
        let reaches_all = catalogue
            .flag_kinds()
            .get(flag.kind)
            .is_some_and(|kind| kind.reaches_all);
        let mut carried = 0;
        if flag.age < months(catalogue, flag.severity) {
            for (index, measure) in measures.iter().enumerate() {
                let gate = catalogue.measure(*measure).map(|(_, gate)| gate);
                if gate.is_some_and(|gate| gate.by_flag(flag.kind, flag.severity, as_of)) {
                    carried |= 1 << index;
                }
            }
        }
        let serious = self.serious && flag.severity == Severity::Serious;
        Seen {
            any: !self.asked.is_empty(),
            kinds: bits(&self.kinds, flag.kind),
            reaches_all: reaches_all && self.asks(FactColumn::ReachesAll),
            worst: Some(flag.severity).filter(|_| self.asks(FactColumn::WorstSeverity)),
            severities: u8::from(self.asks(FactColumn::FlagSeverities)) << flag.severity as u8,
            departments: bits(&self.departments, flag.department),
            newest: Some(flag.age).filter(|_| self.asks(FactColumn::FlagAgeMonths)),
            serious: Some(flag.age).filter(|_| serious),
            carried,
        }
    }

    fn rows(&self, held: &[Held], sides: [Side<'_>; 2], catalogue: &Catalogue) -> Rows {
        let set = |of: &dyn Fn(&Held) -> usize| {
            let bits = held.iter().fold(0u64, |bits, flag| bits | 1 << (of(flag) % 64));
            Value::Set(bits)
        };
        let mut rows = [RowSet::first_rows(256), RowSet::first_rows(256)];
        for axis in &self.asked {
            let value = match axis.fact {
                Some(FactColumn::Flags) => set(&|flag| flag.kind),
                Some(FactColumn::FlagSeverities) => set(&|flag| flag.severity as usize),
                Some(FactColumn::FlagDepartments) => set(&|flag| flag.department),
                Some(FactColumn::WorstSeverity) => {
                    let worst = held.iter().map(|flag| flag.severity).max();
                    worst.map_or(Value::Absent, |worst| Value::Choice(worst as u16))
                }
                Some(FactColumn::FlagAgeMonths) => {
                    let newest = held.iter().map(|flag| flag.age).min();
                    newest.map_or(Value::Absent, Value::Ordered)
                }
                Some(_) | None => {
                    let kinds = catalogue.flag_kinds();
                    let reaches = |flag: &Held| kinds.get(flag.kind).is_some_and(|kind| kind.reaches_all);
                    Value::Boolean(held.iter().any(reaches))
                }
            };
            let [first, second] = axis.rows(sides, value);
            rows = [rows[0] & first, rows[1] & second];
        }
        rows
    }
}

/// From this age on no measure rests on a flag of that severity.
fn months(catalogue: &Catalogue, severity: Severity) -> i64 {
    let ceilings = &catalogue.parts().ceilings;
    let Month(months) = match severity {
        Severity::Minor => ceilings.minor,
        Severity::Ordinary => ceilings.ordinary,
        Severity::Serious => ceilings.serious,
    };
    i64::from(months)
}
