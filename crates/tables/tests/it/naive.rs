//! The meaning of a table a second time, word by word from docs/policies.md: cells are kept as they are meant, not as
//! they are written, so that not even the reader of cells is shared with what is judged.

use greenstar_tables::{HitPolicy, Value};

/// A test as it is meant.
#[derive(Clone, Debug)]
pub(crate) enum Meant {
    None,
    Is(bool),
    /// Bounds with whether they are included; in the column's own unit.
    Range {
        low: Option<(i64, bool)>,
        high: Option<(i64, bool)>,
    },
    /// Position in the column's values.
    Value(u16),
    Code(String),
    Contains(Vec<u32>),
    Empty,
}

/// A cell as it is meant.
#[derive(Clone, Debug)]
pub(crate) enum MeantCell {
    Open,
    AnyOf(Vec<Meant>),
    Not(Vec<Meant>),
}

/// Child → parent, by code.
pub(crate) type Parents = Vec<(String, String)>;

impl MeantCell {
    pub(crate) fn holds(&self, value: Value<'_>, parents: &Parents) -> bool {
        match self {
            // A column that a row does not name is open.
            MeantCell::Open => true,
            // Any of them.
            MeantCell::AnyOf(tests) => tests.iter().any(|test| test.holds(value, parents)),
            // There is a value, and none of these.
            MeantCell::Not(tests) => {
                value != Value::Absent && tests.iter().all(|test| !test.holds(value, parents))
            }
        }
    }
}

impl Meant {
    fn holds(&self, value: Value<'_>, parents: &Parents) -> bool {
        match (self, value) {
            (Meant::None, value) => value == Value::Absent,
            (_, Value::Absent) => false,
            (Meant::Is(wanted), Value::Boolean(found)) => *wanted == found,
            (Meant::Range { low, high }, Value::Ordered(found)) => {
                let above = low.is_none_or(|(low, with)| found > low || (with && found == low));
                let below = high.is_none_or(|(high, with)| found < high || (with && found == high));
                above && below
            }
            (Meant::Value(wanted), Value::Choice(found)) => *wanted == found,
            (Meant::Code(wanted), Value::Code(found)) => lies_under(found, wanted, parents),
            // At least one of them.
            (Meant::Contains(wanted), Value::Set(found)) => wanted.iter().any(|bit| found >> bit & 1 == 1),
            // Nothing at all.
            (Meant::Empty, Value::Set(found)) => found == 0,
            (test, value) => panic!("{test:?} does not fit {value:?}"),
        }
    }
}

/// By walking up: a code lies under its own beginnings, under its parent, and under whatever these lie under.
fn lies_under(code: &str, wanted: &str, parents: &Parents) -> bool {
    let grouped = code.chars().any(|c| c.is_ascii_lowercase());
    if code == wanted || (!grouped && code.starts_with(wanted)) {
        return true;
    }
    parents
        .iter()
        .filter(|(child, _)| code == child || (!grouped && code.starts_with(child.as_str())))
        .any(|(_, parent)| lies_under(parent, wanted, parents))
}

/// Rows that hold and rows that decide, from 0.
pub(crate) fn answer(
    hit: HitPolicy,
    rows: &[(Vec<MeantCell>, usize)],
    value: impl Fn(usize) -> Value<'static>,
    parents: &Parents,
) -> (Vec<usize>, Vec<usize>) {
    let mut matched = Vec::new();
    for (row, (cells, _)) in rows.iter().enumerate() {
        let mut cells = cells.iter().enumerate();
        if cells.all(|(column, cell)| cell.holds(value(column), parents)) {
            matched.push(row);
        }
    }
    let worst = matched.iter().map(|row| rows[*row].1).max();
    let deciding = match hit {
        // The one row that holds; the first that holds.
        HitPolicy::Unique | HitPolicy::First => matched.iter().copied().take(1).collect(),
        // Those of the most severe outcome.
        HitPolicy::Strictest => {
            let of_worst = matched.iter().filter(|row| Some(rows[**row].1) == worst);
            of_worst.copied().collect()
        }
        // All that hold.
        HitPolicy::Collect => matched.clone(),
    };
    (matched, deciding)
}
