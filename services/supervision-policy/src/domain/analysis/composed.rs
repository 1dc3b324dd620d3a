//! What table, baseline and law make together (protocol.md §7), from the rows that hold and the gates that are open,
//! without a firm's facts. A test holds it against the decisions themselves.

use greenstar_tables::{RowSet, Table};

use crate::domain::catalogue::{Catalogue, MeasureClass};
use crate::domain::compose::{raise, rows_of};
use crate::domain::matter::{Level, Matter};

use super::axes::Rows;

/// An answer, with the rows that made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Composed {
    /// Position in the matter's outcomes.
    pub(super) outcome: usize,
    /// By position in the catalogue.
    pub(super) measures: Vec<(usize, Option<i64>)>,
    /// Rows of the department's table that decide; empty is its default.
    pub(super) own: RowSet,
    /// Those that speak once an outcome has fallen.
    pub(super) spoken: RowSet,
    /// Rows of the baseline.
    pub(super) base: RowSet,
}

/// `rows`: those that hold, of the department's table and of the baseline. `passes`: whether the law carries a measure.
pub(super) fn compose(
    matter: &Matter,
    baseline: &Table,
    catalogue: &Catalogue,
    rows: Rows,
    passes: impl Fn(usize) -> bool,
) -> Composed {
    let answer = matter.table.as_ref().map(|table| (table, table.settle(rows[0])));
    let department = answer
        .and_then(|(table, answer)| table.outcome(&answer))
        .unwrap_or(matter.neutral);
    let base = baseline.settle(rows[1]);
    let floor = baseline
        .outcome(&base)
        .and_then(|level| Level::ALL.get(level))
        .copied();
    let raised = raise(&matter.outcomes, department, floor.unwrap_or(Level::Favour));
    let carried = |position: &usize| matter.outcome(*position).carrier.is_none_or(&passes);
    let outcome = (0..=raised).rev().find(carried).unwrap_or(matter.neutral);

    let spoken = answer.map(|(table, answer)| {
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
    let mut measures: Vec<(usize, Option<i64>)> = Vec::new();
    let mut add = |measure: usize, value: Option<i64>| {
        let Some(entry) = catalogue.measures().get(measure) else {
            return;
        };
        if (entry.class == MeasureClass::Favour && outcome > given) || !passes(measure) {
            return;
        }
        match measures.iter_mut().find(|(known, _)| *known == measure) {
            None => measures.push((measure, value)),
            Some((_, known)) => {
                *known = match (*known, value, entry.parameter()) {
                    (Some(left), Some(right), Some(parameter)) => Some(parameter.stricter.of(left, right)),
                    (left, right, _) => left.or(right),
                }
            }
        }
    };
    let own = spoken
        .iter()
        .flat_map(|(table, answer)| rows_of(table, answer.deciding));
    for row in own.chain(rows_of(baseline, base.deciding)) {
        row.measures.iter().for_each(|used| add(used.measure, used.value));
    }
    let last = matter.outcome(outcome);
    if let Some(carrier) = last.carrier {
        add(carrier, None);
    }
    last.floor.iter().for_each(|used| add(used.measure, used.value));
    measures.sort_unstable();
    let deciding = |answer: Option<(&Table, greenstar_tables::Answer)>| {
        answer.map_or(RowSet::EMPTY, |(_, answer)| answer.deciding)
    };
    Composed {
        outcome,
        measures,
        own: deciding(answer),
        spoken: deciding(spoken),
        base: base.deciding,
    }
}

/// How one answer treats a firm worse than another that should be no milder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Worse {
    Outcome,
    /// A stricter figure of this measure.
    Figure(usize),
    /// The same outcome, and a measure that the other is spared.
    Burden(usize),
    /// The same outcome, without a favour that the other gets.
    Favour(usize),
}

/// Whether `better` is treated worse than `worse` in anything.
pub(super) fn worse(better: &Composed, worse: &Composed, catalogue: &Catalogue) -> Option<Worse> {
    if better.outcome > worse.outcome {
        return Some(Worse::Outcome);
    }
    let value = |answer: &Composed, measure: usize| {
        let found = answer.measures.iter().find(|(known, _)| *known == measure);
        found.map(|(_, value)| *value)
    };
    for (measure, left) in &better.measures {
        let parameter = catalogue
            .measures()
            .get(*measure)
            .and_then(|entry| entry.parameter());
        let right = value(worse, *measure).flatten();
        if let (Some(left), Some(right), Some(parameter)) = (*left, right, parameter)
            && left != right
            && parameter.stricter.of(left, right) == left
        {
            return Some(Worse::Figure(*measure));
        }
    }
    if better.outcome < worse.outcome {
        return None;
    }
    // A figure may be a relief, so only measures without one are burdens or favours by themselves.
    let plain = |measure: usize, favour: bool| {
        let entry = catalogue.measures().get(measure);
        entry.is_some_and(|entry| {
            entry.parameter().is_none() && (entry.class == MeasureClass::Favour) == favour
        })
    };
    let missing = |from: &Composed, to: &Composed, favour: bool| {
        let mut measures = from.measures.iter().map(|(measure, _)| *measure);
        measures.find(|measure| plain(*measure, favour) && value(to, *measure).is_none())
    };
    missing(better, worse, false)
        .map(Worse::Burden)
        .or_else(|| missing(worse, better, true).map(Worse::Favour))
}
