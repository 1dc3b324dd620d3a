//! What the host offers to a table: columns with their types, outcomes, measures.

use greenstar_kernel::{Date, Points};

use crate::cell::{self, Cell};
use crate::error::CellError;
use crate::tree::Tree;

/// A value as the host hands it to a table, in the form of its column's kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// There is none, e.g. no star. Only a cell `none` or `-` matches it.
    Absent,
    Boolean(bool),
    /// An integer; milli-points; or days since 1970-01-01, by the column's kind.
    Ordered(i64),
    /// Position in the column's list of values.
    Choice(u16),
    /// One bit for each position in the column's list of values.
    Set(u64),
    /// A code of a tree, e.g. `C2710`.
    Code(&'a str),
}

/// The type of a column: which cells it takes and which values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    /// `true`, `false`
    Boolean,
    /// `>=3`, `[2..4)`, `5`
    Integer { min: i64, max: i64 },
    /// As integers, written as decimals: `>=57.5`.
    Points { min: Points, max: Points },
    /// As integers, written `2026-03-31`.
    Date { min: Date, max: Date },
    /// `"RATED","VETOED"`
    Choice { values: Vec<String> },
    /// `contains("serious-penalty")`, `empty`; at most 64 values.
    Set { values: Vec<String> },
    /// Codes that contain one another by prefix: `"C27"` holds for `C2710`.
    Tree,
}

/// One input column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub kind: ColumnKind,
    /// Whether there may be no value.
    pub optional: bool,
}

/// A measure that a row may name, in the host's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeasureDecl {
    pub code: String,
    /// The closed range of its parameter; `None` where it takes none.
    pub parameter: Option<(i64, i64)>,
}

/// Everything a table is checked against.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schema {
    pub(crate) columns: Vec<Column>,
    pub(crate) outcomes: Vec<String>,
    pub(crate) measures: Vec<MeasureDecl>,
    pub(crate) exclusions: Vec<Vec<(usize, Cell)>>,
    /// By position of the column.
    pub(crate) trees: Vec<(usize, Tree)>,
}

/// Why an exclusion is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadExclusion {
    #[error("no column is called {0:?}")]
    UnknownColumn(String),
    #[error("the cell cannot be read")]
    Cell(#[source] CellError),
    #[error("more than 16 exclusions")]
    TooMany,
}

impl Schema {
    /// Outcomes are given mildest first. A set is never absent: it is empty.
    pub fn new(mut columns: Vec<Column>, outcomes: Vec<String>, measures: Vec<MeasureDecl>) -> Schema {
        for column in &mut columns {
            column.optional &= !matches!(column.kind, ColumnKind::Set { .. });
        }
        Schema {
            columns,
            outcomes,
            measures,
            exclusions: Vec::new(),
            trees: Vec::new(),
        }
    }

    /// States that no facts can be in all of these cells at once, e.g. a star without the state
    /// `RATED`: the analysis finds no gaps and overlaps there.
    pub fn exclude(&mut self, cells: &[(&str, &str)]) -> Result<(), BadExclusion> {
        if self.exclusions.len() >= 16 {
            return Err(BadExclusion::TooMany);
        }
        let mut parsed = Vec::new();
        for (name, text) in cells {
            let (index, column) = self
                .column(name)
                .ok_or_else(|| BadExclusion::UnknownColumn((*name).to_owned()))?;
            parsed.push((index, cell::parse(text, column).map_err(BadExclusion::Cell)?));
        }
        self.exclusions.push(parsed);
        Ok(())
    }

    /// Adds links to the codes of a column. False: there is no such column, or it has no codes.
    pub fn grow(&mut self, name: &str, tree: Tree) -> bool {
        let column = self
            .column(name)
            .filter(|(_, column)| column.kind == ColumnKind::Tree);
        let position = column.map(|(position, _)| position);
        self.trees.extend(position.map(|position| (position, tree)));
        position.is_some()
    }

    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    pub fn outcomes(&self) -> &[String] {
        &self.outcomes
    }

    pub(crate) fn column(&self, name: &str) -> Option<(usize, &Column)> {
        self.columns
            .iter()
            .enumerate()
            .find(|(_, column)| column.name == name)
    }
}

impl Column {
    /// The lowest and highest value of an ordered column.
    pub(crate) fn range(&self) -> Option<(i64, i64)> {
        match &self.kind {
            ColumnKind::Integer { min, max } => Some((*min, *max)),
            ColumnKind::Points { min, max } => Some((min.milli(), max.milli())),
            ColumnKind::Date { min, max } => Some((i64::from(min.days()), i64::from(max.days()))),
            ColumnKind::Boolean | ColumnKind::Choice { .. } | ColumnKind::Set { .. } | ColumnKind::Tree => {
                None
            }
        }
    }

    /// A value as an officer would write it.
    pub fn show(&self, value: Value<'_>) -> String {
        match value {
            Value::Absent => "none".to_owned(),
            Value::Boolean(value) => value.to_string(),
            Value::Code(code) => format!("\"{code}\""),
            Value::Ordered(number) => self.show_number(number),
            Value::Choice(index) => format!("\"{}\"", self.name_of(usize::from(index))),
            Value::Set(0) => "empty".to_owned(),
            Value::Set(bits) => {
                let names: Vec<String> = (0..64)
                    .filter(|bit| bits >> bit & 1 == 1)
                    .map(|bit| format!("\"{}\"", self.name_of(bit)))
                    .collect();
                names.join(",")
            }
        }
    }

    pub(crate) fn show_number(&self, number: i64) -> String {
        match &self.kind {
            ColumnKind::Points { .. } => Points::from_milli(number).to_string(),
            ColumnKind::Date { .. } => match (Date::new(1970, 1, 1), i32::try_from(number)) {
                (Some(epoch), Ok(days)) => epoch.plus_days(days).to_string(),
                (None, _) | (_, Err(_)) => number.to_string(),
            },
            ColumnKind::Boolean
            | ColumnKind::Integer { .. }
            | ColumnKind::Choice { .. }
            | ColumnKind::Set { .. }
            | ColumnKind::Tree => number.to_string(),
        }
    }

    fn name_of(&self, index: usize) -> &str {
        match &self.kind {
            ColumnKind::Choice { values } | ColumnKind::Set { values } => {
                values.get(index).map_or("?", String::as_str)
            }
            ColumnKind::Boolean
            | ColumnKind::Integer { .. }
            | ColumnKind::Points { .. }
            | ColumnKind::Date { .. }
            | ColumnKind::Tree => "?",
        }
    }
}
