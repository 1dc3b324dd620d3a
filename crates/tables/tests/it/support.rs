//! A schema with a column of every kind, and random tables and facts over it.

use std::sync::LazyLock;

use greenstar_kernel::{LocalizedText, Points};
use greenstar_tables::{
    CellText, Column, ColumnKind, HitPolicy, MeasureDecl, Pairs, RowSource, Schema, TableSource, Value,
    parse_cell,
};
use proptest::prelude::*;

pub(crate) const STAR: usize = 0;
pub(crate) const OPEN: usize = 1;
pub(crate) const STATE: usize = 2;
pub(crate) const FLAGS: usize = 3;
pub(crate) const SECTOR: usize = 4;
pub(crate) const POINTS: usize = 5;

/// Made once, for tests of many cases.
pub(crate) static SCHEMA: LazyLock<Schema> = LazyLock::new(schema);

pub(crate) fn schema() -> Schema {
    let names = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
    let column = |name: &str, kind, optional| Column {
        name: name.to_owned(),
        kind,
        optional,
    };
    Schema::new(
        vec![
            column("star", ColumnKind::Integer { min: 1, max: 5 }, true),
            column("open", ColumnKind::Boolean, false),
            column(
                "state",
                ColumnKind::Choice {
                    values: names(&["RATED", "VETOED", "EXPIRED"]),
                },
                false,
            ),
            column(
                "flags",
                ColumnKind::Set {
                    values: names(&["a", "b", "c"]),
                },
                false,
            ),
            column("sector", ColumnKind::Tree, true),
            column(
                "points",
                ColumnKind::Points {
                    min: Points::ZERO,
                    max: Points::whole(100),
                },
                true,
            ),
        ],
        names(&["MILD", "MIDDLE", "SEVERE"]),
        vec![
            MeasureDecl {
                code: "praise".to_owned(),
                parameter: None,
            },
            MeasureDecl {
                code: "visits".to_owned(),
                parameter: Some((0, 12)),
            },
        ],
    )
}

/// One value for each column of [`schema`].
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) star: Option<i64>,
    pub(crate) open: bool,
    pub(crate) state: u16,
    pub(crate) flags: u64,
    pub(crate) sector: Option<String>,
    pub(crate) points: Option<i64>,
}

impl Facts {
    pub(crate) fn value(&self, column: usize) -> Value<'_> {
        match column {
            STAR => self.star.map_or(Value::Absent, Value::Ordered),
            OPEN => Value::Boolean(self.open),
            STATE => Value::Choice(self.state),
            FLAGS => Value::Set(self.flags),
            SECTOR => self.sector.as_deref().map_or(Value::Absent, Value::Code),
            POINTS => self.points.map_or(Value::Absent, Value::Ordered),
            other => panic!("no column {other}"),
        }
    }
}

fn list(tests: impl Strategy<Value = String> + Clone + 'static) -> BoxedStrategy<String> {
    let joined = prop::collection::vec(tests, 1..3).prop_map(|tests| tests.join(","));
    prop_oneof![joined.clone(), joined.prop_map(|tests| format!("not({tests})"))].boxed()
}

fn ordered(low: i64, high: i64) -> BoxedStrategy<String> {
    let one = (low..=high, low..=high, 0usize..9).prop_map(|(a, b, form)| {
        let (a, b) = (a.min(b), a.max(b));
        match form {
            0 => format!(">={a}"),
            1 => format!(">{a}"),
            2 => format!("<={a}"),
            3 => format!("<{a}"),
            4 => format!("[{a}..{b}]"),
            5 => format!("({a}..{b}]"),
            6 => format!("[{a}..{b})"),
            7 => "none".to_owned(),
            _ => a.to_string(),
        }
    });
    list(one)
}

/// A cell for a column; a cell that means nothing becomes `-`.
pub(crate) fn cell(column: usize) -> BoxedStrategy<String> {
    let written = match column {
        STAR => ordered(1, 5),
        OPEN => prop::sample::select(vec!["true", "false"])
            .prop_map(str::to_owned)
            .boxed(),
        STATE => {
            list(prop::sample::select(vec!["\"RATED\"", "\"VETOED\"", "\"EXPIRED\""]).prop_map(str::to_owned))
        }
        FLAGS => {
            let some = prop::sample::subsequence(vec!["\"a\"", "\"b\"", "\"c\""], 1..=3);
            let contains = some.prop_map(|some| format!("contains({})", some.join(",")));
            let plain = prop_oneof![4 => contains, 1 => Just("empty".to_owned())];
            prop_oneof![plain.clone(), plain.prop_map(|plain| format!("not({plain})"))].boxed()
        }
        SECTOR => list(
            prop::sample::select(vec!["\"C\"", "\"C27\"", "\"C2710\"", "\"D\"", "none"])
                .prop_map(str::to_owned),
        ),
        _ => ordered(0, 100),
    };
    written
        .prop_map(move |text| match parse_cell(&text, &SCHEMA.columns()[column]) {
            Ok(_) => text,
            Err(_) => "-".to_owned(),
        })
        .boxed()
}

/// A table over the first `columns` columns.
pub(crate) fn table(columns: usize, rows: std::ops::Range<usize>) -> impl Strategy<Value = TableSource> {
    let when = (0..columns)
        .map(|column| prop_oneof![2 => Just("-".to_owned()), 3 => cell(column)])
        .collect::<Vec<_>>();
    let row = (when, 0usize..3);
    let hit = prop::sample::select(vec![
        HitPolicy::Unique,
        HitPolicy::First,
        HitPolicy::Strictest,
        HitPolicy::Collect,
    ]);
    (hit, prop::collection::vec(row, rows), any::<bool>()).prop_map(|(hit, rows, with_default)| TableSource {
        hit,
        rows: rows
            .into_iter()
            .map(|(cells, outcome)| row_of(&cells, outcome))
            .collect(),
        default: with_default.then(|| row_of(&[], 0)),
    })
}

pub(crate) fn row_of(cells: &[String], outcome: usize) -> RowSource {
    let schema = schema();
    let named = schema.columns().iter().zip(cells);
    RowSource {
        when: Pairs(
            named
                .map(|(column, cell)| (column.name.clone(), CellText(cell.clone())))
                .collect(),
        ),
        outcome: schema.outcomes()[outcome].clone(),
        measures: Pairs::default(),
        reason: LocalizedText::new("理由", "reason"),
        basis: Vec::new(),
    }
}
