//! How table, baseline and law make one outcome (protocol.md §7).

use greenstar_tables::{Answer, MeasureUse, Row, RowSet, Table};

use super::catalogue::{Catalogue, MeasureClass, MeasureEntry};
use super::columns::Reading;
use super::decide::{AppliedMeasure, DecideError};
use super::gate::{Blocked, Ground};
use super::matter::{Level, Matter, Outcome};
use super::policy::Policy;

/// How the outcome came about: the first three steps. Positions in the matter's outcomes.
#[derive(Debug)]
pub(super) struct Verdict<'a> {
    /// The department's own answer (D); `None` if it has no table.
    pub(super) table: Option<(&'a Table, Answer)>,
    pub(super) department: usize,
    /// What the baseline demands.
    pub(super) baseline: Answer,
    pub(super) raised: usize,
    /// More severe outcomes that the law does not carry, most severe first.
    pub(super) fallen: Vec<(usize, &'a MeasureEntry, Blocked)>,
    pub(super) outcome: usize,
}

/// What goes with a verdict: the fourth step.
#[derive(Debug)]
pub(super) struct Composition<'a> {
    pub(super) verdict: Verdict<'a>,
    pub(super) measures: Vec<AppliedMeasure<'a>>,
    /// Measures that a table asked for and the law does not carry, by position in the catalogue.
    pub(super) blocked: Vec<(usize, Blocked)>,
}

pub(super) fn judge<'a>(
    policy: &'a Policy,
    matter: &'a Matter,
    reading: &Reading<'a>,
) -> Result<Verdict<'a>, DecideError> {
    let table = match &matter.table {
        Some(table) => Some((table, table.evaluate(|column| reading.value(column))?)),
        None => None,
    };
    let answered = table.as_ref().and_then(|(table, answer)| table.outcome(answer));
    let department = answered.unwrap_or(matter.neutral);
    let baseline = policy.baseline.evaluate(|column| reading.value(column))?;
    let floor = policy
        .baseline
        .outcome(&baseline)
        .and_then(|level| Level::ALL.get(level))
        .copied();
    let raised = raise(&matter.outcomes, department, floor.unwrap_or(Level::Favour));
    let (outcome, fallen) = fall(matter, raised, &policy.catalogue, reading);
    Ok(Verdict {
        table,
        department,
        baseline,
        raised,
        fallen,
        outcome,
    })
}

pub(super) fn compose<'a>(
    policy: &'a Policy,
    matter: &'a Matter,
    reading: &Reading<'a>,
) -> Result<Composition<'a>, DecideError> {
    let catalogue = policy.catalogue.as_ref();
    let verdict = judge(policy, matter, reading)?;
    let Verdict {
        table,
        department,
        baseline,
        outcome,
        ..
    } = verdict;

    // Where the department's own outcome fell, its rows up to what is left speak for themselves.
    let spoken = table.map(|(table, answer)| {
        let within = if outcome < department {
            table.answer_within(&answer, outcome)
        } else {
            answer
        };
        (table, within)
    });
    let given = spoken
        .and_then(|(table, answer)| table.outcome(&answer))
        .unwrap_or(matter.neutral);
    let mut joined = Joined {
        catalogue,
        reading,
        favours: outcome <= given,
        measures: Vec::with_capacity(4),
        blocked: Vec::new(),
    };
    if let Some((table, answer)) = &spoken {
        rows_of(table, answer.deciding).for_each(|row| joined.add(&row.measures));
    }
    rows_of(&policy.baseline, baseline.deciding).for_each(|row| joined.add(&row.measures));
    let last = matter.outcome(outcome);
    let carrier = last.carrier.map(|measure| MeasureUse { measure, value: None });
    joined.add(carrier.as_slice());
    joined.add(&last.floor);
    let Joined {
        measures, blocked, ..
    } = joined;
    Ok(Composition {
        verdict,
        measures,
        blocked,
    })
}

/// The rows that decide, or the default row.
pub(super) fn rows_of(table: &Table, deciding: RowSet) -> impl Iterator<Item = &Row> {
    let default = table.default_row().filter(|_| deciding.is_empty());
    deciding
        .iter()
        .filter_map(|row| table.rows().get(row))
        .chain(default)
}

/// The mildest outcome at or above the floor, else the most severe; never milder than D.
pub(super) fn raise(outcomes: &[Outcome], department: usize, floor: Level) -> usize {
    let most_severe = outcomes.len().saturating_sub(1);
    let demanded = outcomes
        .iter()
        .position(|outcome| outcome.level >= floor)
        .unwrap_or(most_severe);
    department.max(demanded)
}

/// The most severe outcome not above `raised` that the law carries.
fn fall<'a>(
    matter: &'a Matter,
    raised: usize,
    catalogue: &'a Catalogue,
    reading: &Reading<'_>,
) -> (usize, Vec<(usize, &'a MeasureEntry, Blocked)>) {
    let mut fallen = Vec::new();
    for position in (0..=raised).rev() {
        let carrier = matter.outcome(position).carrier;
        let Some((entry, gate)) = carrier.and_then(|measure| catalogue.measure(measure)) else {
            return (position, fallen);
        };
        match gate.pass(reading) {
            Ok(_) => return (position, fallen),
            Err(blocked) => fallen.push((position, entry, blocked)),
        }
    }
    (matter.neutral, fallen)
}

/// Measures met so far, joined by code.
struct Joined<'a, 'r> {
    catalogue: &'a Catalogue,
    reading: &'r Reading<'a>,
    /// False: the final outcome is more severe than the department's, so its favours drop.
    favours: bool,
    measures: Vec<AppliedMeasure<'a>>,
    blocked: Vec<(usize, Blocked)>,
}

impl Joined<'_, '_> {
    fn add(&mut self, uses: &[MeasureUse]) {
        for used in uses {
            let Some((entry, gate)) = self.catalogue.measure(used.measure) else {
                continue;
            };
            if entry.class == MeasureClass::Favour && !self.favours {
                continue;
            }
            if let Some(known) = self
                .measures
                .iter_mut()
                .find(|known| known.position == used.measure)
            {
                known.join_value(used.value);
                continue;
            }
            match gate.pass(self.reading) {
                Ok(Ground { flags, ends }) => {
                    let (position, value) = (used.measure, used.value);
                    self.measures.push(AppliedMeasure {
                        position,
                        entry,
                        value,
                        flags,
                        ends,
                    });
                }
                Err(blocked) if !self.blocked.iter().any(|(known, _)| *known == used.measure) => {
                    self.blocked.push((used.measure, blocked));
                }
                Err(_) => {}
            }
        }
    }
}
