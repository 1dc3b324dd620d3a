//! The rows of a table beside one case: which decided, which held as well, and which came close.

use greenstar_kernel::Timestamp;
use greenstar_tables::{Column, Row, Table};

use super::columns::{FactColumn, Reading};
use super::decide::DecideError;
use super::facts::Facts;
use super::matter::{Arguments, Level, Matter, argument_columns};
use super::policy::Policy;

/// A row that held, or nearly did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beside<'a> {
    /// From 1; 0 is the default row.
    pub number: usize,
    pub row: &'a Row,
    /// Its outcome, as its table writes it.
    pub outcome: &'a str,
    pub nearness: Nearness,
}

/// How near a row came to deciding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Nearness {
    /// It held and decided.
    Decided,
    /// It held; another took precedence.
    Preceded,
    /// All of its conditions held but this one.
    Nearly(Unmet),
}

/// A condition that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmet {
    pub column: String,
    /// As its author wrote it.
    pub wanted: String,
    /// As an author would write it.
    pub found: String,
}

impl Unmet {
    /// Whether what was found may be shown to a department about a firm without a star: neither points nor events are,
    /// which say why it has none (docs/adr/0003). A column that is not named here is held back.
    pub fn is_no_reason_for_a_missing_star(&self, matter: &Matter) -> bool {
        let shown = [
            FactColumn::Star,
            FactColumn::State,
            FactColumn::RatingAgeMonths,
            FactColumn::ValidUntil,
            FactColumn::Known,
            FactColumn::Flags,
            FactColumn::ReachesAll,
            FactColumn::WorstSeverity,
            FactColumn::FlagSeverities,
            FactColumn::FlagDepartments,
            FactColumn::FlagAgeMonths,
            FactColumn::Sector,
            FactColumn::District,
            FactColumn::PolluterClass,
        ];
        shown.iter().any(|column| column.name() == self.column)
            || matter
                .arguments
                .iter()
                .any(|declared| declared.name.as_str() == self.column)
    }
}

/// The rows of both tables beside one case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows<'a> {
    /// Of the department's table; empty where it has none.
    pub table: Vec<Beside<'a>>,
    pub baseline: Vec<Beside<'a>>,
}

/// Looks at every row. With `unrated`, the matter was decided cautiously, by those facts as well, and a row counts by
/// the case that it came nearer to. A flag whose kind the catalogue does not have is set aside, as it was then.
///
/// # Errors
/// The arguments were read for another matter.
pub fn rows<'a>(
    policy: &'a Policy,
    matter: &'a Matter,
    facts: &Facts,
    unrated: Option<&Facts>,
    arguments: &Arguments,
    as_of: Timestamp,
) -> Result<Rows<'a>, DecideError> {
    let readings: Vec<Reading<'_>> = [Some(facts), unrated]
        .into_iter()
        .flatten()
        .map(|facts| Reading::of_known(facts, arguments, matter, &policy.catalogue, as_of))
        .collect();
    let facts = FactColumn::ALL.iter();
    let mut columns: Vec<Column> = facts.map(|column| column.declare(&policy.catalogue)).collect();
    let levels: Vec<&str> = Level::ALL.iter().map(|level| level.as_str()).collect();
    let baseline = beside(&policy.baseline, &columns, &levels, &readings)?;
    columns.extend(argument_columns(&matter.arguments));
    let outcomes: Vec<&str> = matter
        .outcomes
        .iter()
        .map(|outcome| outcome.code.as_str())
        .collect();
    let table = match &matter.table {
        Some(table) => beside(table, &columns, &outcomes, &readings)?,
        None => Vec::new(),
    };
    Ok(Rows { table, baseline })
}

fn beside<'a>(
    table: &'a Table,
    columns: &[Column],
    outcomes: &[&'a str],
    readings: &[Reading<'_>],
) -> Result<Vec<Beside<'a>>, DecideError> {
    let answers = readings
        .iter()
        .map(|reading| table.evaluate(|column| reading.value(column)))
        .collect::<Result<Vec<_>, _>>()?;
    let nearness = |row: usize| {
        if answers.iter().any(|answer| answer.deciding.contains(row)) {
            return Some(Nearness::Decided);
        }
        if answers.iter().any(|answer| answer.matched.contains(row)) {
            return Some(Nearness::Preceded);
        }
        let mut unmet = readings
            .iter()
            .filter_map(|reading| only_unmet(table, columns, reading, row));
        unmet.next().map(Nearness::Nearly)
    };
    let by_default = answers.iter().any(|answer| answer.deciding.is_empty());
    let default = table.default_row().filter(|_| by_default);
    let rows = table.rows().iter().enumerate();
    let rows = rows.filter_map(|(at, row)| Some((at + 1, row, nearness(at)?)));
    let all = rows.chain(default.map(|row| (0, row, Nearness::Decided)));
    let all = all.map(|(number, row, nearness)| Beside {
        number,
        row,
        outcome: outcomes.get(row.outcome).copied().unwrap_or_default(),
        nearness,
    });
    Ok(all.collect())
}

/// The condition of a row that does not hold, if all others do.
fn only_unmet(table: &Table, columns: &[Column], reading: &Reading<'_>, row: usize) -> Option<Unmet> {
    let mut unmet = columns.iter().enumerate().filter(|(at, _)| {
        let cell = table.cell(row, *at);
        cell.is_some_and(|cell| !cell.holds(reading.value(*at)))
    });
    let (at, column) = unmet.next()?;
    if unmet.next().is_some() {
        return None;
    }
    Some(Unmet {
        column: column.name.clone(),
        wanted: table.cell_text(row, at).unwrap_or_default().to_owned(),
        found: column.show(reading.value(at)),
    })
}
