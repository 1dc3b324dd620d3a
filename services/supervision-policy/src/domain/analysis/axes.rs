//! The values of a column, cut into classes that no cell of the tables read together can tell apart.

use std::collections::BTreeSet;

use greenstar_kernel::Timestamp;
use greenstar_tables::{Cell, Column, ColumnKind, RowSet, Table, Test, Value};

use super::TooIntricate;
use crate::domain::catalogue::Catalogue;
use crate::domain::columns::FactColumn;
use crate::domain::facts::{is_district, is_sector};
use crate::domain::matter::{ArgumentDecl, argument_columns};

/// Two tables are read together: a department's and the baseline, or two versions of one.
pub(super) type Rows = [RowSet; 2];

/// One of them; `None`: there is no table, so no row ever holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Side<'a> {
    pub(super) table: Option<&'a Table>,
    pub(super) arguments: &'a [ArgumentDecl],
}

/// A value that stands for its class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sample {
    Absent,
    Boolean(bool),
    Ordered(i64),
    Choice(u16),
    Code(String),
}

impl Sample {
    pub(super) fn value(&self) -> Value<'_> {
        match self {
            Sample::Absent => Value::Absent,
            Sample::Boolean(value) => Value::Boolean(*value),
            Sample::Ordered(value) => Value::Ordered(*value),
            Sample::Choice(value) => Value::Choice(*value),
            Sample::Code(code) => Value::Code(code),
        }
    }
}

/// Values that all cells treat alike.
#[derive(Clone, Debug)]
pub(super) struct Class {
    pub(super) sample: Sample,
    /// Of ordered values the highest.
    pub(super) last: i64,
    pub(super) rows: Rows,
}

/// A column that one of the tables tests.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    pub(super) column: Column,
    /// `None`: an argument.
    pub(super) fact: Option<FactColumn>,
    /// Position in the schema of each table that has the column.
    at: [Option<usize>; 2],
    pub(super) classes: Vec<Class>,
}

impl Axis {
    /// All columns that one of the tables tests, but sets, which the flags' own model reads.
    pub(super) fn all(
        sides: [Side<'_>; 2],
        catalogue: &Catalogue,
        as_of: Timestamp,
    ) -> Result<Vec<Axis>, TooIntricate> {
        let facts = FactColumn::ALL.iter().enumerate();
        let mut columns: Vec<(Column, Option<FactColumn>, [Option<usize>; 2])> = facts
            .map(|(at, fact)| (fact.declare(catalogue), Some(*fact), [Some(at), Some(at)]))
            .collect();
        for (side, Side { arguments, .. }) in sides.iter().enumerate() {
            for (index, column) in argument_columns(arguments).enumerate() {
                let at = FactColumn::ALL.len() + index;
                let known = columns
                    .iter_mut()
                    .find(|(known, fact, at)| fact.is_none() && *known == column && at[side].is_none());
                match known {
                    Some((_, _, known)) => known[side] = Some(at),
                    None if side == 0 => columns.push((column, None, [Some(at), None])),
                    None => columns.push((column, None, [None, Some(at)])),
                }
            }
        }
        let mut axes = Vec::new();
        for (column, fact, at) in columns {
            let cells = cells(sides, at);
            if cells.is_empty() {
                continue;
            }
            let extra = match fact {
                // From the next day on a star is still valid.
                Some(FactColumn::ValidUntil) => Some(i64::from(as_of.date().days()) + 1),
                Some(_) | None => None,
            };
            let samples = samples(&column, fact, &cells, extra);
            if samples.len() > 4096 {
                return Err(TooIntricate);
            }
            let classes = samples.into_iter().map(|(sample, last)| Class {
                rows: rows(sides, at, sample.value()),
                last,
                sample,
            });
            axes.push(Axis {
                classes: classes.collect(),
                column,
                fact,
                at,
            });
        }
        Ok(axes)
    }

    /// The rows of both tables whose cell takes a value.
    pub(super) fn rows(&self, sides: [Side<'_>; 2], value: Value<'_>) -> Rows {
        rows(sides, self.at, value)
    }

    /// Bounds of ordered tests: where one class ends and the next begins.
    pub(super) fn cuts(&self, sides: [Side<'_>; 2]) -> BTreeSet<i64> {
        cuts(&cells(sides, self.at))
    }

    /// What set cells ask for: hit or not.
    pub(super) fn masks(&self, sides: [Side<'_>; 2]) -> BTreeSet<u64> {
        let mut masks = BTreeSet::new();
        for test in cells(sides, self.at).iter().flat_map(|cell| tests(cell)) {
            match test {
                Test::ContainsAny(mask) => masks.insert(*mask),
                Test::EmptySet => masks.insert(u64::MAX),
                Test::Absent | Test::Boolean(_) | Test::Between { .. } | Test::Choice(_) | Test::Under(_) => {
                    false
                }
            };
        }
        masks
    }
}

fn tests(cell: &Cell) -> &[Test] {
    match cell {
        Cell::Any => &[],
        Cell::Tests { tests, .. } => tests,
    }
}

/// The cells of a column in both tables, where it is tested.
fn cells<'a>(sides: [Side<'a>; 2], at: [Option<usize>; 2]) -> Vec<&'a Cell> {
    let mut cells = Vec::new();
    for (side, at) in sides.iter().zip(at) {
        if let (Some(table), Some(at)) = (side.table, at) {
            cells.extend((0..table.rows().len()).filter_map(|row| table.cell(row, at)));
        }
    }
    cells
}

fn rows(sides: [Side<'_>; 2], at: [Option<usize>; 2], value: Value<'_>) -> Rows {
    let side = |index: usize| {
        let (Some(side), Some(at)) = (sides.get(index), at.get(index)) else {
            return RowSet::EMPTY;
        };
        let Some(table) = side.table else {
            return RowSet::EMPTY;
        };
        let mut taking = RowSet::EMPTY;
        for row in 0..table.rows().len() {
            let cell = at.and_then(|at| table.cell(row, at));
            if cell.is_none_or(|cell| cell.holds(value)) {
                taking.insert(row);
            }
        }
        taking
    };
    [side(0), side(1)]
}

fn cuts(cells: &[&Cell]) -> BTreeSet<i64> {
    let mut cuts = BTreeSet::new();
    for test in cells.iter().flat_map(|cell| tests(cell)) {
        if let Test::Between { low, high } = test {
            cuts.extend([*low, high.saturating_add(1)]);
        }
    }
    cuts
}

fn samples(
    column: &Column,
    fact: Option<FactColumn>,
    cells: &[&Cell],
    extra: Option<i64>,
) -> Vec<(Sample, i64)> {
    let mut samples: Vec<(Sample, i64)> = Vec::new();
    let mut range = None;
    match &column.kind {
        ColumnKind::Boolean => samples.extend([(Sample::Boolean(false), 0), (Sample::Boolean(true), 0)]),
        ColumnKind::Choice { values } => {
            let positions = (0..values.len()).filter_map(|value| u16::try_from(value).ok());
            samples.extend(positions.map(|value| (Sample::Choice(value), 0)));
        }
        ColumnKind::Integer { min, max } => range = Some((*min, *max)),
        ColumnKind::Points { min, max } => range = Some((min.milli(), max.milli())),
        ColumnKind::Date { min, max } => range = Some((i64::from(min.days()), i64::from(max.days()))),
        ColumnKind::Tree => {
            let is_code = if fact == Some(FactColumn::District) {
                is_district
            } else {
                is_sector
            };
            let mut nodes: BTreeSet<&str> = BTreeSet::new();
            for test in cells.iter().flat_map(|cell| tests(cell)) {
                if let Test::Under(node) = test {
                    nodes.insert(node);
                }
            }
            let other = other_code(is_code, &nodes);
            let named = nodes
                .iter()
                .filter(|node| is_code(node))
                .map(|node| (*node).to_owned());
            samples.extend(named.chain(other).map(|code| (Sample::Code(code), 0)));
        }
        // Read by the model of flags.
        ColumnKind::Set { .. } => return Vec::new(),
    }
    if let Some((min, max)) = range {
        let mut starts = cuts(cells);
        starts.extend(extra);
        starts.insert(min);
        let starts: Vec<i64> = starts.range(min..=max).copied().collect();
        let ends = starts.iter().skip(1).map(|next| next - 1).chain([max]);
        samples.extend(
            starts
                .iter()
                .zip(ends)
                .map(|(start, end)| (Sample::Ordered(*start), end)),
        );
    }
    if column.optional {
        samples.push((Sample::Absent, 0));
    }
    samples
}

/// A code under none of the nodes, if there is one.
fn other_code(is_code: fn(&str) -> bool, nodes: &BTreeSet<&str>) -> Option<String> {
    let free = |code: &str| is_code(code) && !nodes.iter().any(|node| code.starts_with(node));
    let letters = ('A'..='T').map(|letter| letter.to_string());
    let groups = ('A'..='T').flat_map(|letter| (0..100).map(move |group| format!("{letter}{group:02}")));
    let classes = ('A'..='T').flat_map(|letter| (0..10_000).map(move |class| format!("{letter}{class:04}")));
    let provinces = (11..100).map(|province| format!("{province}0000"));
    let counties = (110_000..1_000_000).map(|county| county.to_string());
    let mut all = letters
        .chain(groups)
        .chain(classes)
        .chain(provinces)
        .chain(counties);
    all.find(|code| free(code))
}
