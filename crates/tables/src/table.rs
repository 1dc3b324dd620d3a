//! A table that was checked against its schema, compiled to bit sets over cut points.
//!
//! Every column cuts its values into classes that no cell of the table can tell apart; for each
//! class it holds the rows whose cell takes it. A decision is the AND of one such set a column.

use greenstar_kernel::LocalizedText;

use crate::cell::{Cell, Test};
use crate::rows::RowSet;
use crate::schema::{Column, ColumnKind, Value};
use crate::source::HitPolicy;

/// A checked and compiled decision table.
#[derive(Clone, Debug)]
pub struct Table {
    pub(crate) name: String,
    pub(crate) hit: HitPolicy,
    pub(crate) rows: Vec<Row>,
    pub(crate) default: Option<Row>,
    /// Every row.
    pub(crate) all: RowSet,
    /// Columns that at least one row tests, in the schema's order.
    pub(crate) columns: Vec<TestedColumn>,
    /// The cells as written, by row: position of the column in the schema, text.
    pub(crate) texts: Vec<Vec<(usize, String)>>,
}

/// What a row answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Position in the schema's outcomes; higher is more severe.
    pub outcome: usize,
    pub measures: Vec<MeasureUse>,
    pub reason: LocalizedText,
    pub basis: Vec<LocalizedText>,
}

/// A measure that a row names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MeasureUse {
    /// Position in the schema's measures.
    pub measure: usize,
    pub value: Option<i64>,
}

/// A column as the table tests it.
#[derive(Clone, Debug)]
pub(crate) struct TestedColumn {
    /// Position in the schema.
    pub(crate) column: usize,
    /// One cell a row.
    pub(crate) cells: Vec<Cell>,
    /// Rows that take an absent value.
    pub(crate) absent: RowSet,
    pub(crate) index: Index,
    /// Of a tree: its nodes of at most eight bytes, as numbers, longest first. Codes of the standards are as short.
    short: Vec<Short>,
}

/// A node of a tree that can be compared in one step.
#[derive(Clone, Debug)]
struct Short {
    word: u64,
    /// The bytes that the node has.
    mask: u64,
    length: usize,
    rows: RowSet,
}

/// How many cuts are not above the value. Counting a few takes no guess of the processor, halving does.
#[inline]
fn class(cuts: &[i64], value: i64) -> usize {
    if cuts.len() <= 16 {
        cuts.iter().map(|cut| usize::from(*cut <= value)).sum()
    } else {
        cuts.partition_point(|cut| *cut <= value)
    }
}

/// The bytes of a code in a number, the first on top; `None` if there are more than eight.
#[inline]
fn word(code: &str) -> Option<u64> {
    let unused = u32::try_from(8usize.checked_sub(code.len())?).ok()?;
    let bytes = code
        .bytes()
        .fold(0, |word: u64, byte| word << 8 | u64::from(byte));
    Some(bytes.checked_shl(unused * 8).unwrap_or(0))
}

/// From a value to the rows that take it.
#[derive(Clone, Debug)]
pub(crate) enum Index {
    Boolean {
        no: RowSet,
        yes: RowSet,
    },
    /// Class `k` holds the values from `cuts[k - 1]` up to but not including `cuts[k]`.
    Ordered {
        cuts: Vec<i64>,
        rows: Vec<RowSet>,
    },
    Choice(Vec<RowSet>),
    /// Each test splits the sets in two; the rows are the AND over all tests.
    Set(Vec<Split>),
    /// Named nodes, longest first, and everything else.
    Tree {
        nodes: Vec<(String, RowSet)>,
        other: RowSet,
    },
}

#[derive(Clone, Debug)]
pub(crate) struct Split {
    pub(crate) mask: u64,
    /// Rows that take a set with one of the mask's values.
    pub(crate) hit: RowSet,
    pub(crate) miss: RowSet,
}

/// Which rows hold and which of them decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    pub matched: RowSet,
    /// By the hit policy; empty if no row holds, and then the default row decides if there is one.
    pub deciding: RowSet,
}

/// The host gave a value that its column cannot hold: a fault of the host, never "no match".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a value of the wrong type was given for column {column}")]
pub struct WrongValue {
    /// Position in the schema.
    pub column: usize,
}

impl Table {
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn hit(&self) -> HitPolicy {
        self.hit
    }

    #[inline]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    #[inline]
    pub fn default_row(&self) -> Option<&Row> {
        self.default.as_ref()
    }

    /// A cell as its author wrote it; `None` where the row leaves the column open.
    pub fn cell_text(&self, row: usize, column: usize) -> Option<&str> {
        let (_, text) = self.texts.get(row)?.iter().find(|(at, _)| *at == column)?;
        Some(text)
    }

    /// What a cell means, trees included; `None` where no row tests the column.
    pub fn cell(&self, row: usize, column: usize) -> Option<&Cell> {
        self.columns
            .iter()
            .find(|tested| tested.column == column)?
            .cells
            .get(row)
    }

    /// Evaluates; `value` is asked once for each tested column. Allocates nothing.
    pub fn evaluate<'v>(&self, value: impl Fn(usize) -> Value<'v>) -> Result<Answer, WrongValue> {
        let mut matched = self.all;
        for column in &self.columns {
            matched &= column.rows(value(column.column))?;
        }
        Ok(self.answer(matched))
    }

    /// The same by interpretation of the cells: slow, plain, and the judge of [`Table::evaluate`].
    pub fn evaluate_naively<'v>(&self, value: impl Fn(usize) -> Value<'v>) -> Answer {
        let mut matched = RowSet::EMPTY;
        for row in 0..self.rows.len() {
            let holds = |column: &TestedColumn| {
                column
                    .cells
                    .get(row)
                    .is_some_and(|cell| cell.holds(value(column.column)))
            };
            if self.columns.iter().all(holds) {
                matched.insert(row);
            }
        }
        self.answer(matched)
    }

    /// The answer as if the rows of more severe outcomes were not there: what the table says once
    /// its own outcome has fallen.
    pub fn answer_within(&self, answer: &Answer, most_severe: usize) -> Answer {
        let mut matched = answer.matched;
        for row in answer.matched.iter() {
            if self.rows.get(row).is_some_and(|row| row.outcome > most_severe) {
                matched = matched.without(RowSet::of(row));
            }
        }
        self.answer(matched)
    }

    /// Which of the rows that hold decide; rows that the table does not have are left out.
    pub fn settle(&self, matched: RowSet) -> Answer {
        self.answer(matched & self.all)
    }

    #[inline]
    fn answer(&self, matched: RowSet) -> Answer {
        let deciding = match self.hit {
            HitPolicy::Collect => matched,
            HitPolicy::First | HitPolicy::Unique => matched.first().map(RowSet::of).unwrap_or_default(),
            HitPolicy::Strictest => self.strictest_of(matched),
        };
        Answer { matched, deciding }
    }

    #[inline]
    fn strictest_of(&self, matched: RowSet) -> RowSet {
        let mut worst = 0;
        let mut deciding = RowSet::EMPTY;
        for row in matched.iter() {
            let outcome = self.rows.get(row).map_or(0, |row| row.outcome);
            if outcome > worst {
                worst = outcome;
                deciding = RowSet::EMPTY;
            }
            if outcome == worst {
                deciding.insert(row);
            }
        }
        deciding
    }

    /// The most severe outcome of an answer's deciding rows, or the default row's.
    #[inline]
    pub fn outcome(&self, answer: &Answer) -> Option<usize> {
        let decided = answer
            .deciding
            .iter()
            .filter_map(|row| self.rows.get(row))
            .map(|row| row.outcome)
            .max();
        decided.or_else(|| self.default.as_ref().map(|row| row.outcome))
    }
}

impl TestedColumn {
    pub(crate) fn new(position: usize, column: &Column, cells: Vec<Cell>) -> TestedColumn {
        let taking = |value: Value<'_>| {
            let mut rows = RowSet::EMPTY;
            cells
                .iter()
                .enumerate()
                .filter(|(_, cell)| cell.holds(value))
                .for_each(|(row, _)| rows.insert(row));
            rows
        };
        let tests = || {
            cells.iter().flat_map(|cell| match cell {
                Cell::Any => &[][..],
                Cell::Tests { tests, .. } => tests.as_slice(),
            })
        };
        let absent = taking(Value::Absent);
        let index = match &column.kind {
            ColumnKind::Boolean => Index::Boolean {
                no: taking(Value::Boolean(false)),
                yes: taking(Value::Boolean(true)),
            },
            ColumnKind::Choice { values } => {
                let choices = (0..values.len()).filter_map(|value| u16::try_from(value).ok());
                Index::Choice(choices.map(|value| taking(Value::Choice(value))).collect())
            }
            ColumnKind::Tree => {
                let mut nodes: Vec<&String> = tests()
                    .filter_map(|test| {
                        if let Test::Under(node) = test {
                            Some(node)
                        } else {
                            None
                        }
                    })
                    .collect();
                nodes.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
                nodes.dedup();
                let nodes = nodes
                    .into_iter()
                    .map(|node| (node.clone(), taking(Value::Code(node))))
                    .collect();
                Index::Tree {
                    nodes,
                    other: taking(Value::Code("")),
                }
            }
            ColumnKind::Set { .. } => Index::Set(splits(&cells)),
            ColumnKind::Integer { .. } | ColumnKind::Points { .. } | ColumnKind::Date { .. } => {
                let bounds = tests().filter_map(|test| {
                    if let Test::Between { low, high } = test {
                        Some([*low, high.saturating_add(1)])
                    } else {
                        None
                    }
                });
                let mut cuts: Vec<i64> = bounds.flatten().collect();
                cuts.sort_unstable();
                cuts.dedup();
                let below = cuts.first().map_or(0, |cut| cut.saturating_sub(1));
                let starts = std::iter::once(below).chain(cuts.iter().copied());
                Index::Ordered {
                    rows: starts.map(|value| taking(Value::Ordered(value))).collect(),
                    cuts,
                }
            }
        };
        let short = match &index {
            Index::Tree { nodes, .. } => nodes.iter().filter_map(Short::of).collect(),
            Index::Boolean { .. } | Index::Ordered { .. } | Index::Choice(_) | Index::Set(_) => Vec::new(),
        };
        TestedColumn {
            column: position,
            cells,
            absent,
            index,
            short,
        }
    }

    #[inline]
    pub(crate) fn rows(&self, value: Value<'_>) -> Result<RowSet, WrongValue> {
        let wrong = WrongValue { column: self.column };
        match (value, &self.index) {
            (Value::Absent, _) => Ok(self.absent),
            (Value::Boolean(value), Index::Boolean { no, yes }) => Ok(if value { *yes } else { *no }),
            (Value::Ordered(value), Index::Ordered { cuts, rows }) => {
                rows.get(class(cuts, value)).copied().ok_or(wrong)
            }
            (Value::Choice(value), Index::Choice(rows)) => rows.get(usize::from(value)).copied().ok_or(wrong),
            (Value::Set(value), Index::Set(splits)) => {
                let mut rows = RowSet::ALL;
                for split in splits {
                    rows &= if value & split.mask != 0 {
                        split.hit
                    } else {
                        split.miss
                    };
                }
                Ok(rows)
            }
            (Value::Code(value), Index::Tree { nodes, other }) => Ok(match word(value) {
                // Longer nodes are no beginning of it.
                Some(word) => {
                    let mut short = self.short.iter();
                    short
                        .find(|node| word & node.mask == node.word && node.length <= value.len())
                        .map_or(*other, |node| node.rows)
                }
                None => {
                    let mut nodes = nodes.iter();
                    nodes
                        .find(|(node, _)| value.starts_with(node.as_str()))
                        .map_or(*other, |(_, rows)| *rows)
                }
            }),
            (
                Value::Boolean(_) | Value::Ordered(_) | Value::Choice(_) | Value::Set(_) | Value::Code(_),
                Index::Boolean { .. }
                | Index::Ordered { .. }
                | Index::Choice(_)
                | Index::Set(_)
                | Index::Tree { .. },
            ) => Err(wrong),
        }
    }
}

/// The topmost bytes, at most eight.
fn mask(bytes: usize) -> u64 {
    (0..bytes).fold(0, |mask, _| mask >> 8 | 0xff << 56)
}

impl Short {
    fn of((node, rows): &(String, RowSet)) -> Option<Short> {
        Some(Short {
            word: word(node)?,
            mask: mask(node.len()),
            length: node.len(),
            rows: *rows,
        })
    }
}

/// One split for each distinct mask; a set cell has one test, so rows meet by AND.
fn splits(cells: &[Cell]) -> Vec<Split> {
    let mut splits: Vec<Split> = Vec::new();
    let all = RowSet::first_rows(cells.len());
    for (row, cell) in cells.iter().enumerate() {
        let Cell::Tests { negated, tests } = cell else {
            continue;
        };
        for test in tests {
            let (mask, wants_hit) = match test {
                Test::ContainsAny(mask) => (*mask, !negated),
                Test::EmptySet => (u64::MAX, *negated),
                Test::Absent | Test::Boolean(_) | Test::Between { .. } | Test::Choice(_) | Test::Under(_) => {
                    continue;
                }
            };
            if !splits.iter().any(|split| split.mask == mask) {
                splits.push(Split {
                    mask,
                    hit: all,
                    miss: all,
                });
            }
            for split in splits.iter_mut().filter(|split| split.mask == mask) {
                let side = if wants_hit {
                    &mut split.miss
                } else {
                    &mut split.hit
                };
                *side = side.without(RowSet::of(row));
            }
        }
    }
    splits
}
