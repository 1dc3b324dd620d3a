//! A decision: facts, a matter and an instant in; outcome, measures and reasons out.

use greenstar_kernel::{Code, LocalizedText, Said, Timestamp};
use greenstar_tables::{RowSet, Table, WrongValue};

use super::better::better;
use super::catalogue::{FlagKind, LegalBasis, MeasureEntry};
use super::columns::Reading;
use super::compose::{Composition, Verdict, compose};
use super::facts::{Facts, Flag, RatingNow};
use super::matter::{Arguments, Matter, Outcome};
use super::policy::Policy;
use super::reason::{Reason, RuleRow};

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
    /// When the law or the last that carries it ends, as far as that is known; `None`: open. A star, a state and the
    /// regime carry it without an end.
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
    let Settled {
        mut decision,
        reading,
        outcome,
    } = settle(policy, matter, reading)?;
    let better = better(policy, matter, &reading, outcome)?;
    decision.reasons.extend(better.map(Reason::Better));
    Ok(decision)
}

/// A decision that does not say what was in the way of a better one.
#[derive(Debug)]
pub(super) struct Settled<'a> {
    pub(super) decision: Decision<'a>,
    reading: Reading<'a>,
    /// Position of the outcome in the matter's.
    pub(super) outcome: usize,
}

pub(super) fn settle<'a>(
    policy: &'a Policy,
    matter: &'a Matter,
    reading: Reading<'a>,
) -> Result<Settled<'a>, DecideError> {
    let (facts, as_of) = (reading.facts, reading.as_of);
    let composition = compose(policy, matter, &reading)?;
    let outcome = composition.verdict.outcome;
    let reasons = reasons(policy, matter, &composition);
    let kinds = policy.catalogue.flag_kinds();
    let named = reading.flags.iter().filter_map(|active| {
        Some(NamedFlag {
            flag: facts.flags.get(active.index)?,
            kind: kinds.get(active.kind)?,
            counts: active.counts,
        })
    });
    let flags = named.collect();
    let decision = Decision {
        policy,
        matter,
        facts,
        also: None,
        as_of,
        outcome: matter.outcome(outcome),
        measures: composition.measures,
        reasons,
        flags,
        rating: reading.rating,
    };
    Ok(Settled {
        decision,
        reading,
        outcome,
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

fn reasons<'a>(policy: &'a Policy, matter: &'a Matter, composition: &Composition<'a>) -> Vec<Reason<'a>> {
    let Verdict {
        table,
        department,
        baseline,
        raised,
        fallen,
        ..
    } = &composition.verdict;
    let mut reasons = Vec::with_capacity(2);
    match table {
        Some((table, answer)) => reasons.extend(rule_rows(table, answer.deciding).map(Reason::Row)),
        None => reasons.push(Reason::NoTable),
    }
    if raised > department {
        let (from, to) = (matter.outcome(*department), matter.outcome(*raised));
        let rows = rule_rows(&policy.baseline, baseline.deciding);
        reasons.extend(rows.map(|row| Reason::Baseline { row, from, to }));
    }
    for (position, measure, blocked) in fallen {
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
        if !fallen.iter().any(|(_, carrier, _)| carrier.code == measure.code) {
            reasons.push(Reason::MeasureGate {
                measure,
                blocked: *blocked,
            });
        }
    }
    reasons
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
