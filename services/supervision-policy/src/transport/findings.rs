//! What a check says, as the contract says it. No `_` arm: a new variant must choose its words here.

use std::collections::BTreeMap;

use greenstar_kernel::{LocalizedText, Said as _};
use greenstar_proto::common::v1::ErrorReason;
use greenstar_proto::supervision::v1 as pb;
use greenstar_tables::{Defect, Example as Case, TableError};

use super::convert::text;
use crate::domain::analysis::{CaseResult, Coverage, Example, Finding, FindingKind};
use crate::domain::policy::{PolicyDefect, PolicyError};
use crate::workbook::Places;

/// The reason of a fault.
pub(super) fn reason(defect: &PolicyDefect) -> ErrorReason {
    use ErrorReason as R;
    match defect {
        PolicyDefect::Table(error) => match &error.defect {
            Defect::UnknownColumn(_) => R::TableColumnUnknown,
            Defect::UnknownOutcome { .. } => R::OutcomeUnknown,
            Defect::UnknownMeasure(_) => R::MeasureUnknown,
            Defect::MeasureWithoutBasis | Defect::BasisEmpty => R::MeasureWithoutBasis,
            Defect::Gap { .. } => R::TableGap,
            Defect::Overlap { .. } | Defect::Masked { .. } => R::TableOverlap,
            Defect::Unreadable(_)
            | Defect::RowCount { .. }
            | Defect::Cell(_)
            | Defect::Parameter { .. }
            | Defect::NoParameter(_)
            | Defect::ReasonMissing
            | Defect::DefaultWithCells
            | Defect::Unreachable { .. }
            | Defect::TooComplex => R::TableMalformed,
        },
        PolicyDefect::Found(finding) => of_kind(finding.kind),
        PolicyDefect::MeasureUnknown { .. } => R::MeasureUnknown,
        PolicyDefect::Tree { bad, .. } => match bad {
            greenstar_tables::BadTree::Cyclic(_) => R::TreeCyclic,
            greenstar_tables::BadTree::TooLarge(_)
            | greenstar_tables::BadTree::UnknownParent { .. }
            | greenstar_tables::BadTree::UnknownChild(_) => R::TableMalformed,
        },
        PolicyDefect::Unreadable(_)
        | PolicyDefect::NoBaseline
        | PolicyDefect::SecondBaseline
        | PolicyDefect::BaselineShape
        | PolicyDefect::PolicyTwice(_)
        | PolicyDefect::NoMatter
        | PolicyDefect::MatterTwice(_)
        | PolicyDefect::OutcomeTwice(_)
        | PolicyDefect::NeutralCount(_)
        | PolicyDefect::NotAscending(_)
        | PolicyDefect::CarrierMissing(_)
        | PolicyDefect::CarrierNotNeeded(_)
        | PolicyDefect::FloorParameter { .. }
        | PolicyDefect::NotAdvice(_)
        | PolicyDefect::ArgumentTwice(_)
        | PolicyDefect::MaskedTested(_)
        | PolicyDefect::TooPatient(_) => R::TableMalformed,
    }
}

/// Remarks have the reason that they would have as faults.
fn of_kind(kind: FindingKind) -> ErrorReason {
    match kind {
        FindingKind::Malformed
        | FindingKind::Intricate
        | FindingKind::Interference
        | FindingKind::Uncovered => ErrorReason::TableMalformed,
        FindingKind::Unfair | FindingKind::Declared => ErrorReason::TableUnfair,
        FindingKind::BeyondLaw => ErrorReason::MeasureBeyondLaw,
        FindingKind::CaseFailed => ErrorReason::CaseFailed,
    }
}

/// What is known of a fault besides its words.
pub(super) fn metadata(error: &PolicyError) -> Vec<(&'static str, String)> {
    let numbers = |rows: &[usize]| {
        let rows: Vec<String> = rows.iter().map(ToString::to_string).collect();
        rows.join(", ")
    };
    let metadata = match &error.defect {
        PolicyDefect::Table(TableError { place, defect }) => {
            let (rows, case, _) = about(defect);
            let mut metadata = vec![
                ("table", place.table.clone()),
                ("row", place.row.map_or_else(String::new, |row| row.to_string())),
                ("column", place.column.clone().unwrap_or_default()),
                (
                    "position",
                    place.character.map_or_else(String::new, |at| at.to_string()),
                ),
                ("rows", numbers(&rows)),
                (
                    "counterexample",
                    case.map(ToString::to_string).unwrap_or_default(),
                ),
            ];
            match defect {
                Defect::UnknownOutcome { found, .. } => metadata.push(("outcome", found.clone())),
                Defect::UnknownMeasure(measure) => metadata.push(("measure", measure.clone())),
                Defect::UnknownColumn(column) => metadata.push(("column", column.clone())),
                Defect::Unreadable(_)
                | Defect::RowCount { .. }
                | Defect::Cell(_)
                | Defect::Parameter { .. }
                | Defect::NoParameter(_)
                | Defect::MeasureWithoutBasis
                | Defect::ReasonMissing
                | Defect::BasisEmpty
                | Defect::DefaultWithCells
                | Defect::Gap { .. }
                | Defect::Overlap { .. }
                | Defect::Masked { .. }
                | Defect::Unreachable { .. }
                | Defect::TooComplex => {}
            }
            metadata
        }
        PolicyDefect::Found(finding) => {
            let subject = match finding.kind {
                FindingKind::BeyondLaw => "measure",
                FindingKind::CaseFailed => "case",
                FindingKind::Interference => "matter",
                FindingKind::Malformed
                | FindingKind::Intricate
                | FindingKind::Unfair
                | FindingKind::Declared
                | FindingKind::Uncovered => "subject",
            };
            let shown = |example: &Example| {
                let facts: Vec<String> = example
                    .iter()
                    .map(|(column, value)| format!("{column} = {value}"))
                    .collect();
                facts.join(", ")
            };
            let row = match finding.kind {
                FindingKind::BeyondLaw => numbers(&finding.rows),
                FindingKind::Malformed
                | FindingKind::Intricate
                | FindingKind::Unfair
                | FindingKind::Declared
                | FindingKind::Interference
                | FindingKind::CaseFailed
                | FindingKind::Uncovered => String::new(),
            };
            vec![
                ("table", error.policy.clone()),
                ("row", row),
                ("rows", numbers(&finding.rows)),
                (subject, finding.subject.clone()),
                ("counterexample", shown(&finding.counterexample)),
                ("compared_with", shown(&finding.compared_with)),
            ]
        }
        PolicyDefect::Tree { tree, bad } => match bad {
            greenstar_tables::BadTree::Cyclic(circle) => {
                vec![
                    ("table", error.policy.clone()),
                    ("tree", (*tree).to_owned()),
                    ("cycle", circle.join(" > ")),
                ]
            }
            greenstar_tables::BadTree::TooLarge(_)
            | greenstar_tables::BadTree::UnknownParent { .. }
            | greenstar_tables::BadTree::UnknownChild(_) => {
                vec![("table", error.policy.clone()), ("tree", (*tree).to_owned())]
            }
        },
        PolicyDefect::Unreadable(_)
        | PolicyDefect::MeasureUnknown { .. }
        | PolicyDefect::NoBaseline
        | PolicyDefect::SecondBaseline
        | PolicyDefect::BaselineShape
        | PolicyDefect::PolicyTwice(_)
        | PolicyDefect::NoMatter
        | PolicyDefect::MatterTwice(_)
        | PolicyDefect::OutcomeTwice(_)
        | PolicyDefect::NeutralCount(_)
        | PolicyDefect::NotAscending(_)
        | PolicyDefect::CarrierMissing(_)
        | PolicyDefect::CarrierNotNeeded(_)
        | PolicyDefect::FloorParameter { .. }
        | PolicyDefect::NotAdvice(_)
        | PolicyDefect::ArgumentTwice(_)
        | PolicyDefect::MaskedTested(_)
        | PolicyDefect::TooPatient(_) => vec![("table", error.policy.clone())],
    };
    metadata
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .collect()
}

/// Rows that a defect is about, a case that shows it, and its kind.
fn about(defect: &Defect) -> (Vec<usize>, Option<&Case>, pb::FindingKind) {
    use pb::FindingKind as K;
    match defect {
        Defect::Gap { example } => (Vec::new(), Some(example), K::Gap),
        Defect::Overlap {
            first,
            second,
            example,
        } => (vec![*first, *second], Some(example), K::Overlap),
        Defect::Masked { row, by, example } => (vec![*by, *row], Some(example), K::Masked),
        Defect::Unreachable { row } => (vec![*row], None, K::Unreachable),
        Defect::UnknownColumn(_) | Defect::UnknownOutcome { .. } | Defect::UnknownMeasure(_) => {
            (Vec::new(), None, K::UnknownWord)
        }
        Defect::Unreadable(_)
        | Defect::RowCount { .. }
        | Defect::Cell(_)
        | Defect::Parameter { .. }
        | Defect::NoParameter(_)
        | Defect::MeasureWithoutBasis
        | Defect::ReasonMissing
        | Defect::BasisEmpty
        | Defect::DefaultWithCells
        | Defect::TooComplex => (Vec::new(), None, K::Malformed),
    }
}

/// A fault of a policy in full.
pub(super) fn of_error(error: &PolicyError, places: &Places) -> pb::Finding {
    let said = error.said();
    let reason = name(reason(&error.defect));
    match &error.defect {
        PolicyDefect::Found(finding) => of(finding, places),
        PolicyDefect::Table(TableError { place, defect }) => {
            let (mut rows, case, kind) = about(defect);
            if rows.is_empty() {
                rows.extend(place.row);
            }
            let sheet = if place.table.ends_with("/triggers") {
                "triggers"
            } else {
                "table"
            };
            let row = place.row.and_then(|row| u32::try_from(row).ok());
            let cell = row.and_then(|row| places.cell(sheet, row, place.column.as_deref()));
            pb::Finding {
                kind: kind.into(),
                fault: true,
                reason,
                text: Some(text(&said)),
                place: cell.map_or_else(|| in_document(sheet, place), str::to_owned),
                rows: numbers(&rows),
                counterexample: case
                    .map(|case| case.0.iter().cloned().collect())
                    .unwrap_or_default(),
                compared_with: BTreeMap::new(),
            }
        }
        defect => {
            let kind = if matches!(defect, PolicyDefect::MeasureUnknown { .. }) {
                pb::FindingKind::UnknownWord
            } else {
                pb::FindingKind::Malformed
            };
            pb::Finding {
                kind: kind.into(),
                fault: true,
                reason,
                text: Some(text(&said)),
                ..Default::default()
            }
        }
    }
}

/// `table.rows[3].when.star`
fn in_document(sheet: &str, place: &greenstar_tables::Place) -> String {
    let row = match place.row {
        None => return sheet.to_owned(),
        Some(0) => format!("{sheet}.default"),
        Some(row) => format!("{sheet}.rows[{row}]"),
    };
    match place.column.as_deref() {
        None => row,
        Some(field @ ("outcome" | "measures" | "basis" | "reason" | "when")) => format!("{row}.{field}"),
        Some(column) => format!("{row}.when.{column}"),
    }
}

/// A finding of the analysis.
pub(super) fn of(finding: &Finding, places: &Places) -> pb::Finding {
    let kind = match finding.kind {
        FindingKind::Malformed | FindingKind::Intricate => pb::FindingKind::Malformed,
        FindingKind::Unfair => pb::FindingKind::Unfair,
        FindingKind::Declared => pb::FindingKind::Declared,
        FindingKind::BeyondLaw => pb::FindingKind::BeyondLaw,
        FindingKind::Interference => pb::FindingKind::Interference,
        FindingKind::CaseFailed => pb::FindingKind::CaseFailed,
        FindingKind::Uncovered => pb::FindingKind::Uncovered,
    };
    let row = finding
        .rows
        .iter()
        .find(|row| **row > 0)
        .and_then(|row| u32::try_from(*row).ok());
    let cell = row
        .filter(|_| finding.place.starts_with("table"))
        .and_then(|row| {
            places.cell(
                "table",
                row,
                finding.place.rsplit_once('.').map(|(_, field)| field),
            )
        });
    pb::Finding {
        kind: kind.into(),
        fault: finding.kind.is_fault(),
        reason: name(of_kind(finding.kind)),
        text: Some(text(&finding.text)),
        place: cell.unwrap_or(&finding.place).to_owned(),
        rows: numbers(&finding.rows),
        counterexample: finding.counterexample.iter().cloned().collect(),
        compared_with: finding.compared_with.iter().cloned().collect(),
    }
}

pub(super) fn case(case: &CaseResult) -> pb::CaseResult {
    let LocalizedText { zh, en } = &case.difference;
    pb::CaseResult {
        name: case.name.clone(),
        passed: case.passed,
        outcome: case.outcome.clone(),
        rows: numbers(&case.rows),
        measures: case.measures.clone(),
        difference: (!zh.is_empty() || !en.is_empty()).then(|| text(&case.difference)),
    }
}

pub(super) fn coverage(coverage: &Coverage) -> pb::Coverage {
    let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    pb::Coverage {
        rows: number(coverage.rows),
        covered: number(coverage.rows.saturating_sub(coverage.uncovered.len())),
        uncovered: numbers(&coverage.uncovered),
    }
}

fn numbers(rows: &[usize]) -> Vec<u32> {
    rows.iter()
        .map(|row| u32::try_from(*row).unwrap_or(u32::MAX))
        .collect()
}

/// By name, without the prefix of the contract's enum.
fn name(reason: ErrorReason) -> String {
    let name = reason.as_str_name();
    name.strip_prefix("ERROR_REASON_").unwrap_or(name).to_owned()
}
