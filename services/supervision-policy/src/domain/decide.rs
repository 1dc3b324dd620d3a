//! A decision: facts, a matter and an instant in; outcome, measures and reasons out.

use greenstar_kernel::{Code, LocalizedText, Said, Timestamp};
use greenstar_tables::{RowSet, Table, WrongValue};

use super::catalogue::{FlagKind, LegalBasis, MeasureEntry};
use super::columns::{FactColumn, Reading};
use super::compose::{Composition, compose};
use super::facts::{Facts, Flag, RatingNow};
use super::matter::{Arguments, Matter, Outcome};
use super::policy::Policy;
use super::reason::{FailedTest, Reason, RuleRow};

/// An answer, borrowed from the policy and the facts that it was computed from.
#[derive(Debug)]
pub struct Decision<'a> {
    pub policy: &'a Policy,
    pub matter: &'a Matter,
    pub facts: &'a Facts,
    /// The facts of the second answer that went into this one, if it was decided cautiously.
    pub also: Option<&'a Facts>,
    pub as_of: Timestamp,
    pub outcome: &'a Outcome,
    pub measures: Vec<AppliedMeasure<'a>>,
    pub reasons: Vec<Reason<'a>>,
    /// All flags in force, those that count in other matters only too.
    pub flags: Vec<NamedFlag<'a>>,
    /// The rating at `as_of`.
    pub rating: RatingNow,
}

/// A measure that the law carries.
#[derive(Debug)]
pub struct AppliedMeasure<'a> {
    /// In the catalogue.
    pub(super) position: usize,
    pub entry: &'a MeasureEntry,
    /// Of the entry's parameter.
    pub value: Option<i64>,
    /// Positions in the facts' flags that carry it; the star, the state or the ordinary regime may too.
    pub(super) flags: Vec<usize>,
    /// When the last of its flags stops carrying it; `None` where star, state or regime carry it.
    pub ends: Option<Timestamp>,
}

impl AppliedMeasure<'_> {
    /// Keeps the stricter value.
    pub(super) fn join_value(&mut self, other: Option<i64>) {
        self.value = match (self.value, other, self.entry.parameter()) {
            (Some(left), Some(right), Some(parameter)) => Some(parameter.stricter.of(left, right)),
            (left, right, _) => left.or(right),
        };
    }
}

/// A flag in force.
#[derive(Debug)]
pub struct NamedFlag<'a> {
    pub flag: &'a Flag,
    pub kind: &'a FlagKind,
    /// Whether it counts in this matter; false where it is narrowed to another one.
    pub counts: bool,
}

/// Why no decision could be computed: a failure of ours, never a verdict.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecideError {
    /// Unknown is never clear (P10): the catalogue in use is older than the flag.
    #[error("a flag has the kind {0}, which the catalogue in use does not have; ask again in a moment")]
    FlagKindUnknown(Code),
    #[error("the arguments were read for another matter")]
    Arguments(#[source] WrongValue),
}

impl From<WrongValue> for DecideError {
    fn from(error: WrongValue) -> DecideError {
        DecideError::Arguments(error)
    }
}

impl Said for DecideError {
    fn said(&self) -> LocalizedText {
        let zh = match self {
            DecideError::FlagKindUnknown(kind) => format!("标记种类 {kind} 不在当前措施目录中，请稍后重试"),
            DecideError::Arguments(_) => "参数与所问事项不符".to_owned(),
        };
        LocalizedText::new(zh, self.to_string())
    }
}

/// Decides one matter for one enterprise at one instant. Pure: the same input gives the same answer
/// for ever, which is what a replay relies on.
pub fn decide<'a>(
    policy: &'a Policy,
    matter: &'a Matter,
    facts: &'a Facts,
    arguments: &'a Arguments,
    as_of: Timestamp,
) -> Result<Decision<'a>, DecideError> {
    let reading = Reading::of(facts, arguments, matter, &policy.catalogue, as_of)?;
    let composition = compose(policy, matter, &reading)?;
    let outcome = matter.outcome(composition.outcome);
    let reasons = reasons(policy, matter, &reading, &composition)?;
    let kinds = policy.catalogue.flag_kinds();
    let named = reading.flags.iter().filter_map(|active| {
        Some(NamedFlag {
            flag: facts.flags.get(active.index)?,
            kind: kinds.get(active.kind)?,
            counts: active.counts,
        })
    });
    let flags = named.collect();
    let measures = composition.measures;
    Ok(Decision {
        policy,
        matter,
        facts,
        also: None,
        as_of,
        outcome,
        measures,
        reasons,
        flags,
        rating: reading.rating,
    })
}

impl<'a> Decision<'a> {
    /// The legal bases of a measure that are in force.
    pub fn bases(&self, measure: &AppliedMeasure<'a>) -> impl Iterator<Item = &'a LegalBasis> {
        self.policy.catalogue.bases_of(measure.position, self.as_of)
    }

    /// The flags that carry a measure.
    pub fn carriers(&self, measure: &AppliedMeasure<'a>) -> impl Iterator<Item = &'a Flag> {
        let facts = self.facts;
        measure.flags.iter().filter_map(|index| facts.flags.get(*index))
    }

    pub fn measure(&self, code: &str) -> Option<&AppliedMeasure<'a>> {
        self.measures
            .iter()
            .find(|measure| measure.entry.code.as_str() == code)
    }
}

fn reasons<'a>(
    policy: &'a Policy,
    matter: &'a Matter,
    reading: &Reading<'a>,
    composition: &Composition<'a>,
) -> Result<Vec<Reason<'a>>, DecideError> {
    let mut reasons = Vec::with_capacity(2);
    match &composition.table {
        Some((table, answer)) => reasons.extend(rule_rows(table, answer.deciding).map(Reason::Row)),
        None => reasons.push(Reason::NoTable),
    }
    if composition.raised > composition.department {
        let (from, to) = (
            matter.outcome(composition.department),
            matter.outcome(composition.raised),
        );
        let rows = rule_rows(&policy.baseline, composition.baseline.deciding);
        reasons.extend(rows.map(|row| Reason::Baseline { row, from, to }));
    }
    for (position, measure, blocked) in &composition.fallen {
        let outcome = matter.outcome(*position);
        reasons.push(Reason::OutcomeGate {
            outcome,
            measure,
            blocked: *blocked,
        });
    }
    for (position, blocked) in &composition.blocked {
        let Some((measure, _)) = policy.catalogue.measure(*position) else {
            continue;
        };
        // A carrier was named with its outcome already.
        if !composition
            .fallen
            .iter()
            .any(|(_, carrier, _)| carrier.code == measure.code)
        {
            reasons.push(Reason::MeasureGate {
                measure,
                blocked: *blocked,
            });
        }
    }
    if composition.raised == composition.department
        && let Some((table, answer)) = composition.table
    {
        reasons.extend(better(
            policy,
            matter,
            reading,
            table,
            answer.matched,
            composition.outcome,
        )?);
    }
    Ok(reasons)
}

/// Rows by number, or the default row as 0.
fn rule_rows(table: &Table, deciding: RowSet) -> impl Iterator<Item = RuleRow<'_>> {
    let default = table
        .default_row()
        .filter(|_| deciding.is_empty())
        .map(|row| (0, row));
    let rows = deciding
        .iter()
        .filter_map(|row| Some((row + 1, table.rows().get(row)?)));
    rows.chain(default).map(|(number, row)| RuleRow {
        table: table.name(),
        number,
        text: &row.reason,
        basis: &row.basis,
    })
}

/// What a better outcome would have taken: the nearest row that gives one; of several, the least demanding, which
/// officers write last. Only rows that ask for a star are advice: nobody is to get a flag, or into another list.
fn better<'a>(
    policy: &'a Policy,
    matter: &'a Matter,
    reading: &Reading<'a>,
    table: &'a Table,
    matched: RowSet,
    outcome: usize,
) -> Result<Option<Reason<'a>>, DecideError> {
    let cell = |row: usize, wanted: FactColumn| {
        let column = FactColumn::ALL.iter().position(|column| *column == wanted)?;
        table.cell_text(row, column)
    };
    let asks_for_flags =
        |row: usize| cell(row, FactColumn::Flags).is_some_and(|cell| cell.starts_with("contains"));
    let asks_for_a_star = |row: usize| cell(row, FactColumn::Star).is_some_and(|cell| cell != "-");
    let mut candidates = RowSet::EMPTY;
    for (row, rule) in table.rows().iter().enumerate() {
        if rule.outcome < outcome && asks_for_a_star(row) && !asks_for_flags(row) {
            candidates.insert(row);
        }
    }
    if !(candidates & matched).is_empty() {
        // It holds, and a stricter or earlier row decides: that row is named already.
        return Ok(None);
    }
    let Some(miss) = table.nearest(candidates, |column| reading.value(column))? else {
        return Ok(None);
    };
    let Some(wanted) = table
        .rows()
        .get(miss.row)
        .and_then(|row| matter.outcomes.get(row.outcome))
    else {
        return Ok(None);
    };
    let failed = table
        .tested()
        .enumerate()
        .filter(|(position, _)| *position < 64 && miss.failed >> position & 1 == 1)
        .filter_map(|(_, column)| {
            let text = table.cell_text(miss.row, column)?;
            Some(FailedTest {
                column,
                wanted: text,
                found: reading.value(column),
            })
        });
    let failed = failed.collect();
    let number = miss.row + 1;
    Ok(Some(Reason::Better {
        policy,
        matter,
        outcome: wanted,
        table: table.name(),
        number,
        failed,
    }))
}

/// The title of a column of a matter's tables.
pub(super) fn column_title(matter: &Matter, column: usize) -> LocalizedText {
    match FactColumn::ALL.get(column) {
        Some(fact) => fact.title(),
        None => match matter.arguments.get(column - FactColumn::ALL.len()) {
            Some(argument) => argument.title.clone(),
            None => LocalizedText::new("", ""),
        },
    }
}
