//! From what an officer wrote to a checked table: all defects at once, each with its place.

use crate::cell::{self, Cell};
use crate::error::{Defect, Place, TableError, TableErrors};
use crate::rows::{MAX_ROWS, RowSet};
use crate::schema::Schema;
use crate::source::{RowSource, TableSource};
use crate::table::{MeasureUse, Row, Table, TestedColumn};

impl Table {
    /// Checks a table against what its host offers, and compiles it. Whether its rows leave gaps
    /// or contradict one another is for [`Table::analyse`] to say.
    pub fn build(name: &str, source: &TableSource, schema: &Schema) -> Result<Table, TableErrors> {
        let mut checker = Checker {
            name,
            schema,
            errors: Vec::new(),
        };
        let table = checker.table(source);
        if checker.errors.is_empty() {
            Ok(table)
        } else {
            Err(TableErrors(checker.errors))
        }
    }

    /// Reads YAML, then as [`Table::build`].
    pub fn from_yaml(name: &str, text: &str, schema: &Schema) -> Result<Table, TableErrors> {
        let source = TableSource::from_yaml(text).map_err(|why| {
            TableErrors(vec![TableError {
                place: Place::table(name),
                defect: Defect::Unreadable(why),
            }])
        })?;
        Table::build(name, &source, schema)
    }
}

struct Checker<'a> {
    name: &'a str,
    schema: &'a Schema,
    errors: Vec<TableError>,
}

impl Checker<'_> {
    fn table(&mut self, source: &TableSource) -> Table {
        let count = source.rows.len();
        if count == 0 || count > MAX_ROWS {
            let defect = Defect::RowCount {
                found: count,
                limit: MAX_ROWS,
            };
            self.errors.push(TableError {
                place: Place::table(self.name),
                defect,
            });
        }
        let mut cells = vec![vec![Cell::Any; count]; self.schema.columns.len()];
        let mut rows = Vec::with_capacity(count);
        let mut texts = vec![Vec::new(); count];
        for (index, row) in source.rows.iter().enumerate() {
            for (column, text) in &row.when.0 {
                if let Some((position, cell)) = self.cell(index + 1, column, &text.0)
                    && let Some(slot) = cells.get_mut(position).and_then(|cells| cells.get_mut(index))
                {
                    *slot = cell;
                    if let Some(texts) = texts.get_mut(index) {
                        texts.push((position, text.0.clone()));
                    }
                }
            }
            rows.push(self.row(index + 1, row));
        }
        let default = source.default.as_ref().map(|row| {
            if !row.when.0.is_empty() {
                self.report(0, Some("when"), Defect::DefaultWithCells);
            }
            self.row(0, row)
        });
        let tested = cells.into_iter().zip(&self.schema.columns).enumerate();
        let columns = tested
            .filter(|(_, (cells, _))| cells.iter().any(|cell| *cell != Cell::Any))
            .map(|(position, (cells, column))| TestedColumn::new(position, column, cells))
            .collect();
        Table {
            name: self.name.to_owned(),
            hit: source.hit,
            rows,
            default,
            all: RowSet::first_rows(count),
            columns,
            texts,
        }
    }

    fn cell(&mut self, row: usize, column: &str, text: &str) -> Option<(usize, Cell)> {
        let Some((position, declared)) = self.schema.column(column) else {
            self.report(row, Some(column), Defect::UnknownColumn(column.to_owned()));
            return None;
        };
        match cell::parse(text, declared) {
            Ok(mut cell) => {
                let trees = self.schema.trees.iter().filter(|(at, _)| *at == position);
                trees.for_each(|(_, tree)| tree.widen(&mut cell));
                Some((position, cell))
            }
            Err(error) => {
                let place = Place {
                    character: Some(error.character),
                    ..self.place(row, Some(column))
                };
                self.errors.push(TableError {
                    place,
                    defect: Defect::Cell(error.defect),
                });
                None
            }
        }
    }

    fn row(&mut self, row: usize, source: &RowSource) -> Row {
        let outcome = self
            .schema
            .outcomes
            .iter()
            .position(|outcome| *outcome == source.outcome);
        if outcome.is_none() {
            let known = self.schema.outcomes.join(", ");
            let defect = Defect::UnknownOutcome {
                found: source.outcome.clone(),
                known,
            };
            self.report(row, Some("outcome"), defect);
        }
        let mut measures = Vec::with_capacity(source.measures.0.len());
        for (code, value) in &source.measures.0 {
            measures.extend(self.measure(row, code, *value));
        }
        if !source.measures.0.is_empty() && source.basis.is_empty() {
            self.report(row, Some("basis"), Defect::MeasureWithoutBasis);
        }
        if source
            .basis
            .iter()
            .any(|basis| basis.zh.trim().is_empty() || basis.en.trim().is_empty())
        {
            self.report(row, Some("basis"), Defect::BasisEmpty);
        }
        if source.reason.zh.trim().is_empty() || source.reason.en.trim().is_empty() {
            self.report(row, Some("reason"), Defect::ReasonMissing);
        }
        Row {
            outcome: outcome.unwrap_or(0),
            measures,
            reason: source.reason.clone(),
            basis: source.basis.clone(),
        }
    }

    fn measure(&mut self, row: usize, code: &str, value: Option<i64>) -> Option<MeasureUse> {
        let known = self
            .schema
            .measures
            .iter()
            .position(|measure| measure.code == code);
        let Some(measure) = known else {
            self.report(row, Some("measures"), Defect::UnknownMeasure(code.to_owned()));
            return None;
        };
        let parameter = self
            .schema
            .measures
            .get(measure)
            .and_then(|measure| measure.parameter);
        let defect = match (parameter, value) {
            (Some((low, high)), Some(value)) if (low..=high).contains(&value) => None,
            (Some((low, high)), Some(_) | None) => Some(Defect::Parameter {
                measure: code.to_owned(),
                low,
                high,
            }),
            (None, Some(_)) => Some(Defect::NoParameter(code.to_owned())),
            (None, None) => None,
        };
        match defect {
            Some(defect) => {
                self.report(row, Some("measures"), defect);
                None
            }
            None => Some(MeasureUse { measure, value }),
        }
    }

    fn report(&mut self, row: usize, column: Option<&str>, defect: Defect) {
        let place = self.place(row, column);
        self.errors.push(TableError { place, defect });
    }

    fn place(&self, row: usize, column: Option<&str>) -> Place {
        Place {
            table: self.name.to_owned(),
            row: Some(row),
            column: column.map(str::to_owned),
            character: None,
        }
    }
}
