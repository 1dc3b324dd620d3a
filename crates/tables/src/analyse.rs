//! Exact findings about a table: gaps, contradictions, rows that never decide.
//!
//! All questions are one: *is there a point that these rows take and those do not?* The columns'
//! classes make the space finite; the search walks it column by column and remembers, for each
//! column, the sets of rows it has already seen, so that equal rests are searched once.

use std::cell::Cell;
use std::collections::HashSet;

use crate::cell::Cell as TableCell;
use crate::error::{Defect, Example, Place, TableError, TableErrors};
use crate::rows::RowSet;
use crate::schema::{Column, ColumnKind, Schema, Value};
use crate::source::HitPolicy;
use crate::table::{Index, Row, Table, TestedColumn};

/// Steps of all searches over a table, well below a second; a table beyond is refused as too
/// intricate, never half analysed.
const MAX_STEPS: usize = 500_000;
/// Ways in which the cells of one set column can tell sets apart.
const MAX_CLASSES: usize = 4096;
/// Gaps reported at once.
const MAX_GAPS: usize = 8;

impl Table {
    /// Refuses a table that leaves a case without an answer, whose rows contradict one another
    /// (hit policy `unique`), or that has a row which can never decide.
    ///
    /// `schema` is the one that the table was built with.
    pub fn analyse(&self, schema: &Schema) -> Result<(), TableErrors> {
        let mut errors = Vec::new();
        let complete = Space::of(self, schema).and_then(|space| space.findings(self, &mut errors));
        if complete.is_none() {
            errors.push((None, Defect::TooComplex));
        }
        if errors.is_empty() {
            return Ok(());
        }
        let place = |row| Place {
            row,
            ..Place::table(&self.name)
        };
        Err(TableErrors(
            errors
                .into_iter()
                .map(|(row, defect)| TableError {
                    place: place(row),
                    defect,
                })
                .collect(),
        ))
    }
}

impl Table {
    fn stricter_than(&self, outcome: usize) -> RowSet {
        let mut stricter = RowSet::EMPTY;
        let rows = self
            .rows
            .iter()
            .enumerate()
            .filter(|(_, row)| row.outcome > outcome);
        rows.for_each(|(position, _)| stricter.insert(position));
        stricter
    }
}

/// The table's rows, followed by the schema's exclusions as further rows.
struct Space<'a> {
    dimensions: Vec<Dimension<'a>>,
    rows: RowSet,
    excluded: RowSet,
    steps: Cell<usize>,
}

struct Dimension<'a> {
    column: &'a Column,
    /// False: only an exclusion asks for it, so that it says nothing about the table.
    tested: bool,
    /// Different sets of rows, each with a value that has it.
    classes: Vec<(RowSet, String)>,
}

/// A point of the space as far as it was chosen: one class a column.
type Point = Vec<usize>;

impl<'a> Space<'a> {
    /// `None` if a column has too many classes.
    fn of(table: &Table, schema: &'a Schema) -> Option<Space<'a>> {
        let count = table.rows.len();
        let total = count + schema.exclusions.len();
        let mut dimensions = Vec::new();
        for (position, column) in schema.columns.iter().enumerate() {
            let own = table.columns.iter().find(|tested| tested.column == position);
            let mut cells = match own {
                Some(tested) => tested.cells.clone(),
                None => vec![TableCell::Any; count],
            };
            for exclusion in &schema.exclusions {
                let cell = exclusion
                    .iter()
                    .find(|(at, _)| *at == position)
                    .map(|(_, cell)| cell.clone());
                cells.push(cell.unwrap_or(TableCell::Any));
            }
            if cells.iter().all(|cell| *cell == TableCell::Any) {
                continue;
            }
            let tested = TestedColumn::new(position, column, cells);
            dimensions.push(Dimension {
                column,
                tested: own.is_some(),
                classes: classes(&tested, column)?,
            });
        }
        let rows = RowSet::first_rows(count);
        let excluded = RowSet::first_rows(total).without(rows);
        Some(Space {
            dimensions,
            rows,
            excluded,
            steps: Cell::new(0),
        })
    }

    /// `None` if a search became too large. Findings stand in the order of the rows.
    fn findings(&self, table: &Table, errors: &mut Vec<(Option<usize>, Defect)>) -> Option<()> {
        let total = matches!(
            table.hit,
            HitPolicy::Unique | HitPolicy::First | HitPolicy::Strictest
        );
        if total && table.default.is_none() {
            let mut search = Search::new(self, RowSet::EMPTY, self.rows | self.excluded, MAX_GAPS);
            search.run()?;
            for point in &search.found {
                errors.push((
                    None,
                    Defect::Gap {
                        example: self.show(point),
                    },
                ));
            }
        }
        let mut disagree = RowSet::EMPTY;
        if table.hit == HitPolicy::Unique {
            for (first, left) in table.rows.iter().enumerate() {
                for (second, right) in table.rows.iter().enumerate().skip(first + 1) {
                    if self.overlap((first, left), (second, right), errors)? {
                        disagree.insert(second);
                    }
                }
            }
        }
        for (position, row) in table.rows.iter().enumerate() {
            // Rows that decide instead wherever they hold as well.
            let prior = match table.hit {
                HitPolicy::First | HitPolicy::Unique => RowSet::first_rows(position),
                HitPolicy::Strictest => table.stricter_than(row.outcome),
                HitPolicy::Collect => RowSet::EMPTY,
            };
            if self.point(RowSet::of(position), self.excluded)?.is_none() {
                errors.push((Some(position + 1), Defect::Unreachable { row: position + 1 }));
            } else if !disagree.contains(position) {
                self.masked(position, prior, errors)?;
            }
        }
        errors.sort_by_key(|(row, _)| *row);
        Some(())
    }

    fn masked(&self, row: usize, before: RowSet, errors: &mut Vec<(Option<usize>, Defect)>) -> Option<()> {
        if before.is_empty() {
            return Some(());
        }
        if self.point(RowSet::of(row), before | self.excluded)?.is_some() {
            return Some(());
        }
        // Reachable, yet it never decides: at any point of it one of those takes it.
        if let Some(point) = self.point(RowSet::of(row), self.excluded)? {
            let by = (self.rows_at(&point) & before).first().unwrap_or(0);
            let defect = Defect::Masked {
                row: row + 1,
                by: by + 1,
                example: self.show(&point),
            };
            errors.push((Some(row + 1), defect));
        }
        Some(())
    }

    /// Whether they hold together and disagree.
    fn overlap(
        &self,
        (first, left): (usize, &Row),
        (second, right): (usize, &Row),
        errors: &mut Vec<(Option<usize>, Defect)>,
    ) -> Option<bool> {
        let listed = |one: &Row, other: &Row| one.measures.iter().all(|used| other.measures.contains(used));
        if left.outcome == right.outcome && listed(left, right) && listed(right, left) {
            return Some(false);
        }
        if let Some(point) = self.point(RowSet::of(first) | RowSet::of(second), self.excluded)? {
            let (first, second) = (first + 1, second + 1);
            errors.push((
                Some(second),
                Defect::Overlap {
                    first,
                    second,
                    example: self.show(&point),
                },
            ));
            return Some(true);
        }
        Some(false)
    }

    /// A point that all of `require` take and none of `forbid` does.
    fn point(&self, require: RowSet, forbid: RowSet) -> Option<Option<Point>> {
        let mut search = Search::new(self, require, forbid, 1);
        search.run()?;
        Some(search.found.pop())
    }

    fn rows_at(&self, point: &Point) -> RowSet {
        let mut rows = self.rows | self.excluded;
        for (dimension, class) in self.dimensions.iter().zip(point) {
            rows &= dimension
                .classes
                .get(*class)
                .map_or(RowSet::EMPTY, |(rows, _)| *rows);
        }
        rows
    }

    fn show(&self, point: &Point) -> Example {
        let chosen = self
            .dimensions
            .iter()
            .zip(point)
            .filter(|(dimension, _)| dimension.tested)
            .filter_map(|(dimension, class)| {
                let (_, witness) = dimension.classes.get(*class)?;
                Some((dimension.column.name.clone(), witness.clone()))
            });
        Example(chosen.collect())
    }
}

struct Search<'a> {
    space: &'a Space<'a>,
    require: RowSet,
    forbid: RowSet,
    limit: usize,
    seen: HashSet<(usize, RowSet)>,
    point: Point,
    found: Vec<Point>,
}

impl<'a> Search<'a> {
    fn new(space: &'a Space<'a>, require: RowSet, forbid: RowSet, limit: usize) -> Search<'a> {
        Search {
            space,
            require,
            forbid,
            limit,
            seen: HashSet::new(),
            point: Vec::new(),
            found: Vec::new(),
        }
    }

    fn run(&mut self) -> Option<()> {
        self.from(0, self.require | self.forbid)
    }

    /// `alive`: the rows among those asked about that take all classes chosen so far.
    fn from(&mut self, depth: usize, alive: RowSet) -> Option<()> {
        let space = self.space;
        space.steps.set(space.steps.get() + 1);
        if space.steps.get() > MAX_STEPS {
            return None;
        }
        if self.found.len() >= self.limit || !alive.holds_all(self.require) {
            return Some(());
        }
        if !self.seen.insert((depth, alive)) {
            return Some(());
        }
        let Some(dimension) = space.dimensions.get(depth) else {
            if (alive & self.forbid).is_empty() {
                self.found.push(self.point.clone());
            }
            return Some(());
        };
        for (class, (rows, _)) in dimension.classes.iter().enumerate() {
            self.point.push(class);
            let searched = self.from(depth + 1, alive & *rows);
            self.point.pop();
            searched?;
        }
        Some(())
    }
}

/// The classes of a column, equal ones once.
fn classes(tested: &TestedColumn, column: &Column) -> Option<Vec<(RowSet, String)>> {
    let mut classes: Vec<(RowSet, String)> = Vec::new();
    let mut add = |rows: RowSet, witness: String| {
        if !classes.iter().any(|(seen, _)| *seen == rows) {
            classes.push((rows, witness));
        }
    };
    match &tested.index {
        Index::Boolean { no, yes } => {
            add(*no, column.show(Value::Boolean(false)));
            add(*yes, column.show(Value::Boolean(true)));
        }
        Index::Choice(rows) => {
            for (value, rows) in rows.iter().enumerate() {
                add(
                    *rows,
                    column.show(Value::Choice(u16::try_from(value).unwrap_or(u16::MAX))),
                );
            }
        }
        Index::Ordered { cuts, rows } => {
            let (min, max) = column.range().unwrap_or((i64::MIN, i64::MAX));
            let starts = std::iter::once(min).chain(cuts.iter().copied());
            let ends = cuts
                .iter()
                .map(|cut| cut.saturating_sub(1))
                .chain(std::iter::once(max));
            for ((start, end), rows) in starts.zip(ends).zip(rows) {
                if start.max(min) <= end.min(max) {
                    add(*rows, column.show(Value::Ordered(start.max(min))));
                }
            }
        }
        Index::Tree { nodes, other } => {
            nodes
                .iter()
                .for_each(|(node, rows)| add(*rows, column.show(Value::Code(node))));
            add(*other, "any other code".to_owned());
        }
        Index::Set(splits) => {
            let values = if let ColumnKind::Set { values } = &column.kind {
                values.len().min(64)
            } else {
                0
            };
            for set in distinguishable(splits.iter().map(|split| split.mask), values)? {
                if let Ok(rows) = tested.rows(Value::Set(set)) {
                    add(rows, column.show(Value::Set(set)));
                }
            }
        }
    }
    if column.optional {
        add(tested.absent, column.show(Value::Absent));
    }
    Some(classes)
}

/// One set of values for each way in which the masks can be hit, grown value by value.
fn distinguishable(masks: impl Iterator<Item = u64>, values: usize) -> Option<Vec<u64>> {
    let masks: Vec<u64> = masks.collect();
    let pattern = |set: u64| masks.iter().map(|mask| set & mask != 0).collect::<Vec<bool>>();
    let mut seen = HashSet::from([pattern(0)]);
    let mut sets = vec![0u64];
    for value in 0..values {
        for index in 0..sets.len() {
            let grown = sets.get(index).copied().unwrap_or(0) | 1 << value;
            if seen.insert(pattern(grown)) {
                sets.push(grown);
            }
            if sets.len() > MAX_CLASSES {
                return None;
            }
        }
    }
    Some(sets)
}
