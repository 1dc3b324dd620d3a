//! The compiled table is judged by a plain reading of the guide, on a million random tables and facts.

use greenstar_kernel::{Date, LocalizedText, Points};
use greenstar_tables::{
    CellText, Column, ColumnKind, HitPolicy, Pairs, RowSource, Schema, Table, TableSource, Tree, Value,
};

use crate::naive::{self, Meant, MeantCell, Parents};
use crate::support;

/// Numbers that look random and are the same in every run (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % end as u64) as usize
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn of<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())].clone()
    }
}

/// Codes of facts and of cells; a group is written in lower case.
const CODES: [&str; 12] = [
    "C",
    "C2",
    "C27",
    "C2710",
    "C28",
    "C2811",
    "D",
    "D44",
    "D4411",
    "E",
    "C27101234",
    "C27101234567",
];
const GROUPS: [&str; 2] = ["heavy", "light"];
const OUTCOMES: usize = 4;

/// Every kind of column, with and without a value that may be missing.
fn columns(numbers: &mut Numbers) -> Vec<Column> {
    let names = |count: usize| (0..count).map(|n| format!("v{n}")).collect();
    let day = |raw: &str| raw.parse::<Date>().unwrap();
    (0..1 + numbers.below(7))
        .map(|index| {
            let kind = match numbers.below(7) {
                0 => ColumnKind::Boolean,
                1 => ColumnKind::Integer { min: -3, max: 5 },
                2 => ColumnKind::Points {
                    min: Points::ZERO,
                    max: Points::whole(3),
                },
                3 => ColumnKind::Date {
                    min: day("2026-02-25"),
                    max: day("2026-03-05"),
                },
                4 => ColumnKind::Choice {
                    values: names(1 + numbers.below(5)),
                },
                5 => ColumnKind::Set {
                    values: names(1 + numbers.below(5)),
                },
                _ => ColumnKind::Tree,
            };
            Column {
                name: format!("c{index}"),
                kind,
                optional: numbers.chance(50),
            }
        })
        .collect()
}

/// Links that hold no circle: groups over codes and over one another, and codes over codes of another letter.
fn parents(numbers: &mut Numbers) -> Parents {
    let links = [
        ("C28", "heavy"),
        ("D", "heavy"),
        ("E", "light"),
        ("C2811", "light"),
        ("E", "D44"),
        ("heavy", "C27"),
        ("light", "heavy"),
    ];
    let kept: Vec<_> = links.iter().filter(|_| numbers.chance(40)).collect();
    let named = |(child, parent): &&(&str, &str)| ((*child).to_owned(), (*parent).to_owned());
    // The last link of a code counts, as a mapping has one parent a child.
    let mut parents: Parents = Vec::new();
    for (child, parent) in kept.iter().map(named) {
        parents.retain(|(known, _)| *known != child);
        parents.push((child, parent));
    }
    // A group has parts.
    for group in ["light", "heavy"] {
        if !parents.iter().any(|(_, parent)| parent == group) {
            parents.retain(|(child, _)| child != group);
        }
    }
    parents
}

fn tree(parents: &Parents) -> Tree {
    let mut links: Vec<(String, CellText)> = Vec::new();
    for (child, parent) in parents {
        links.push((child.clone(), CellText(parent.clone())));
    }
    for group in GROUPS {
        let is_parent = parents.iter().any(|(_, parent)| parent == group);
        if is_parent && !parents.iter().any(|(child, _)| child == group) {
            links.push((group.to_owned(), CellText("-".to_owned())));
        }
    }
    Tree::new(&Pairs(links), |text| {
        text.starts_with(|c: char| c.is_ascii_uppercase())
    })
    .unwrap()
}

fn written(column: &Column, value: i64) -> String {
    column.show(Value::Ordered(value))
}

/// A value that lies in the column's range, often at an end of it.
fn number(column: &Column, numbers: &mut Numbers) -> i64 {
    match &column.kind {
        ColumnKind::Integer { min, max } => min + numbers.below((max - min + 1) as usize) as i64,
        ColumnKind::Points { max, .. } => {
            let step = if numbers.chance(80) { 500 } else { 1 };
            (numbers.below(max.milli() as usize / step + 1) * step) as i64
        }
        ColumnKind::Date { min, max } => {
            i64::from(min.days()) + numbers.below((max.days() - min.days() + 1) as usize) as i64
        }
        other => panic!("{other:?} has no numbers"),
    }
}

/// A test, as it is written and as it is meant.
fn test(column: &Column, numbers: &mut Numbers) -> (String, Meant) {
    if column.optional && !matches!(column.kind, ColumnKind::Set { .. }) && numbers.chance(15) {
        return ("none".to_owned(), Meant::None);
    }
    match &column.kind {
        ColumnKind::Boolean => {
            let value = numbers.chance(50);
            (value.to_string(), Meant::Is(value))
        }
        ColumnKind::Choice { values } => {
            let value = numbers.below(values.len());
            (format!("\"{}\"", values[value]), Meant::Value(value as u16))
        }
        ColumnKind::Set { values } => {
            if numbers.chance(25) {
                return ("empty".to_owned(), Meant::Empty);
            }
            let wanted: Vec<usize> = (0..1 + numbers.below(3))
                .map(|_| numbers.below(values.len()))
                .collect();
            let texts: Vec<String> = wanted.iter().map(|bit| format!("\"{}\"", values[*bit])).collect();
            let bits = wanted.iter().map(|bit| *bit as u32).collect();
            (format!("contains({})", texts.join(",")), Meant::Contains(bits))
        }
        ColumnKind::Tree => {
            let code = if numbers.chance(25) {
                numbers.of(&GROUPS)
            } else {
                numbers.of(&CODES)
            };
            (format!("\"{code}\""), Meant::Code(code.to_owned()))
        }
        ColumnKind::Integer { .. } | ColumnKind::Points { .. } | ColumnKind::Date { .. } => {
            let (one, other) = (number(column, numbers), number(column, numbers));
            let (low, high) = (one.min(other), one.max(other));
            let (from, to) = (written(column, low), written(column, high));
            let range = |low, high| Meant::Range { low, high };
            match numbers.below(9) {
                0 => (format!(">={from}"), range(Some((low, true)), None)),
                1 => (format!(">{from}"), range(Some((low, false)), None)),
                2 => (format!("<={from}"), range(None, Some((low, true)))),
                3 => (format!("< {from}"), range(None, Some((low, false)))),
                4 => (
                    format!("[{from}..{to}]"),
                    range(Some((low, true)), Some((high, true))),
                ),
                5 => (
                    format!("({from}..{to}]"),
                    range(Some((low, false)), Some((high, true))),
                ),
                6 => (
                    format!("[{from} .. {to})"),
                    range(Some((low, true)), Some((high, false))),
                ),
                7 => (
                    format!("({from}..{to})"),
                    range(Some((low, false)), Some((high, false))),
                ),
                _ => (from, range(Some((low, true)), Some((low, true)))),
            }
        }
    }
}

fn cell(column: &Column, numbers: &mut Numbers) -> (String, MeantCell) {
    if numbers.chance(40) {
        return ("-".to_owned(), MeantCell::Open);
    }
    // A set takes one test only.
    let count = match column.kind {
        ColumnKind::Set { .. } => 1,
        _ => 1 + numbers.below(3),
    };
    let tests: Vec<(String, Meant)> = (0..count).map(|_| test(column, numbers)).collect();
    let texts: Vec<&str> = tests.iter().map(|(text, _)| text.as_str()).collect();
    let text = texts.join(numbers.of(&[",", ", ", "，"]));
    let meant = tests.iter().map(|(_, meant)| meant.clone()).collect();
    let (text, meant) = if numbers.chance(30) {
        (format!("not({text})"), MeantCell::Not(meant))
    } else {
        (text, MeantCell::AnyOf(meant))
    };
    // A test that nothing satisfies is refused, so it is not in any table.
    match greenstar_tables::parse_cell(&text, column) {
        Ok(_) => (text, meant),
        Err(error) if error.defect == greenstar_tables::CellDefect::NeverTrue => {
            ("-".to_owned(), MeantCell::Open)
        }
        Err(error) => panic!("{text} for {column:?}: {error}"),
    }
}

fn value(column: &Column, numbers: &mut Numbers) -> Value<'static> {
    if column.optional && numbers.chance(20) {
        return Value::Absent;
    }
    match &column.kind {
        ColumnKind::Boolean => Value::Boolean(numbers.chance(50)),
        ColumnKind::Choice { values } => Value::Choice(numbers.below(values.len()) as u16),
        ColumnKind::Set { values } => Value::Set(numbers.below(1 << values.len()) as u64),
        ColumnKind::Tree => Value::Code(numbers.of(&CODES)),
        ColumnKind::Integer { .. } | ColumnKind::Points { .. } | ColumnKind::Date { .. } => {
            Value::Ordered(number(column, numbers))
        }
    }
}

fn judge(tables: usize, cases: usize, seed: u64) {
    let mut numbers = Numbers(seed);
    let text = LocalizedText::new("理由", "reason");
    let outcomes: Vec<String> = (0..OUTCOMES).map(|outcome| format!("O{outcome}")).collect();
    let (mut held, mut several) = (0u64, 0u64);
    for at in 0..tables {
        let mut schema = Schema::new(columns(&mut numbers), outcomes.clone(), Vec::new());
        let columns = schema.columns().to_vec();
        let parents = parents(&mut numbers);
        for column in &columns {
            schema.grow(&column.name, tree(&parents));
        }
        let count = if numbers.chance(3) {
            70
        } else {
            1 + numbers.below(12)
        };
        let mut rows = Vec::new();
        let mut meant = Vec::new();
        for _ in 0..count {
            let cells: Vec<(String, MeantCell)> =
                columns.iter().map(|column| cell(column, &mut numbers)).collect();
            let outcome = numbers.below(OUTCOMES);
            let named = columns.iter().zip(&cells);
            rows.push(RowSource {
                when: Pairs(
                    named
                        .map(|(column, (text, _))| (column.name.clone(), CellText(text.clone())))
                        .collect(),
                ),
                outcome: outcomes[outcome].clone(),
                measures: Pairs::default(),
                reason: text.clone(),
                basis: Vec::new(),
            });
            meant.push((cells.into_iter().map(|(_, meant)| meant).collect(), outcome));
        }
        let hit = numbers.of(&[
            HitPolicy::Unique,
            HitPolicy::First,
            HitPolicy::Strictest,
            HitPolicy::Collect,
        ]);
        let source = TableSource {
            hit,
            rows,
            default: None,
        };
        let table =
            Table::build("t", &source, &schema).unwrap_or_else(|errors| panic!("{errors}\n{source:#?}"));
        for _ in 0..cases {
            let values: Vec<Value<'static>> =
                columns.iter().map(|column| value(column, &mut numbers)).collect();
            let answer = table.evaluate(|column| values[column]).unwrap();
            let (matched, deciding) = naive::answer(hit, &meant, |column| values[column], &parents);
            let rows = |set: greenstar_tables::RowSet| set.iter().collect::<Vec<usize>>();
            assert!(
                rows(answer.matched) == matched && rows(answer.deciding) == deciding,
                "table {at} of seed {seed}: compiled {answer:?}, read {matched:?} {deciding:?}\n\
                 {values:?}\n{parents:?}\n{source:#?}"
            );
            let worst = deciding.iter().map(|row| meant[*row].1).max();
            assert_eq!(table.outcome(&answer), worst);
            held += u64::from(!matched.is_empty());
            several += u64::from(matched.len() > 1);
        }
    }
    // Tables that never hold would prove nothing.
    let all = (tables * cases) as u64;
    assert!(
        held > all / 4 && several > all / 10,
        "{held} and {several} of {all}"
    );
}

#[test]
fn a_compiled_table_answers_as_the_guide_reads_on_a_million_cases() {
    judge(10_000, 100, 1);
}

#[test]
fn a_value_of_the_wrong_type_is_a_fault_and_no_miss() {
    let text = "hit: first\nrows: [{ when: { star: 5 }, outcome: MILD, reason: { zh: 五, en: five } }]";
    let table = Table::from_yaml("t", text, &support::schema()).unwrap();
    assert!(table.evaluate(|_| Value::Boolean(true)).is_err());
}
