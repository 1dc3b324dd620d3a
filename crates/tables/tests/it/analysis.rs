//! The analyser is judged by brute force over every point of a small space.

use greenstar_tables::{
    CellText, Column, ColumnKind, Defect, Example, HitPolicy, Schema, Table, TableErrors, TableSource, Value,
};
use proptest::prelude::*;

use crate::support::{Facts, row_of, schema, table};

/// Points are enough of a space to tell all cells of the generator apart.
fn all_points() -> Vec<Facts> {
    let mut points = Vec::new();
    for star in std::iter::once(None).chain((1..=5).map(Some)) {
        for open in [false, true] {
            for state in 0..3 {
                for flags in 0..8 {
                    for sector in [None, Some("X"), Some("C"), Some("C27"), Some("C2710"), Some("D")] {
                        points.push(Facts {
                            star,
                            open,
                            state,
                            flags,
                            sector: sector.map(str::to_owned),
                            points: None,
                        });
                    }
                }
            }
        }
    }
    points
}

/// A star stands exactly where the state is RATED.
fn excluding_schema() -> Schema {
    let mut schema = schema();
    schema
        .exclude(&[("star", "none"), ("state", "\"RATED\"")])
        .unwrap();
    schema
        .exclude(&[("star", "not(none)"), ("state", "not(\"RATED\")")])
        .unwrap();
    schema
}

fn possible(facts: &Facts) -> bool {
    facts.star.is_some() == (facts.state == 0)
}

fn shows(example: &Example, schema: &Schema, facts: &Facts) -> bool {
    example.0.iter().all(|(name, text)| {
        let position = schema
            .columns()
            .iter()
            .position(|column| column.name == *name)
            .unwrap();
        let shown = schema.columns()[position].show(facts.value(position));
        shown == *text || (text == "any other code" && facts.value(position) == Value::Code("X"))
    })
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Findings {
    gap: bool,
    unreachable: Vec<usize>,
    masked: Vec<usize>,
    overlaps: Vec<(usize, usize)>,
}

fn by_brute_force(table: &Table, source: &TableSource, points: &[Facts]) -> Findings {
    let matched: Vec<_> = points
        .iter()
        .map(|point| table.evaluate_naively(|column| point.value(column)).matched)
        .collect();
    let rows = source.rows.len();
    let reachable = |row: usize| matched.iter().any(|set| set.contains(row));
    let total = source.hit != HitPolicy::Collect && source.default.is_none();
    let mut findings = Findings {
        gap: total && matched.iter().any(|set| set.is_empty()),
        ..Findings::default()
    };
    findings.unreachable = (0..rows)
        .filter(|row| !reachable(*row))
        .map(|row| row + 1)
        .collect();
    if source.hit == HitPolicy::Unique {
        for a in 0..rows {
            for b in a + 1..rows {
                let disagree = source.rows[a].outcome != source.rows[b].outcome;
                if disagree && matched.iter().any(|set| set.contains(a) && set.contains(b)) {
                    findings.overlaps.push((a + 1, b + 1));
                }
            }
        }
    }
    let disagrees = |row: usize| findings.overlaps.iter().any(|(_, second)| *second == row + 1);
    let decides = |row: usize| {
        matched
            .iter()
            .filter(|set| set.contains(row))
            .any(|set| match source.hit {
                HitPolicy::First | HitPolicy::Unique => set.first() == Some(row),
                HitPolicy::Strictest => set
                    .iter()
                    .all(|other| severity(source, other) <= severity(source, row)),
                HitPolicy::Collect => true,
            })
    };
    findings.masked = (0..rows)
        .filter(|row| reachable(*row) && !decides(*row) && !disagrees(*row))
        .map(|row| row + 1)
        .collect();
    findings
}

fn severity(source: &TableSource, row: usize) -> usize {
    let schema = schema();
    let outcome = |outcome: &String| *outcome == source.rows[row].outcome;
    schema.outcomes().iter().position(outcome).unwrap()
}

/// What the analyser says, each counterexample tried out.
fn by_analysis(
    found: Result<(), TableErrors>,
    table: &Table,
    schema: &Schema,
    points: &[Facts],
) -> Result<Findings, TestCaseError> {
    let mut findings = Findings::default();
    let rows_at = |example: &Example| {
        let point = points.iter().find(|point| shows(example, schema, point));
        point.map(|point| table.evaluate_naively(|column| point.value(column)).matched)
    };
    for error in found.err().map(|errors| errors.0).unwrap_or_default() {
        match error.defect {
            Defect::Gap { example } => {
                prop_assert!(
                    rows_at(&example).is_some_and(|rows| rows.is_empty()),
                    "no gap: {}",
                    example
                );
                findings.gap = true;
            }
            Defect::Unreachable { row } => findings.unreachable.push(row),
            Defect::Masked { row, by, example } => {
                let rows = rows_at(&example).unwrap();
                prop_assert!(rows.contains(row - 1) && rows.contains(by - 1), "{}", example);
                findings.masked.push(row);
            }
            Defect::Overlap {
                first,
                second,
                example,
            } => {
                let rows = rows_at(&example).unwrap();
                prop_assert!(
                    rows.contains(first - 1) && rows.contains(second - 1),
                    "{}",
                    example
                );
                findings.overlaps.push((first, second));
            }
            other => return Err(TestCaseError::fail(format!("unexpected {other}"))),
        }
    }
    findings.overlaps.sort_unstable();
    Ok(findings)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn the_analyser_finds_what_brute_force_finds(source in table(5, 1..7)) {
        let schema = schema();
        let table = Table::build("t", &source, &schema).unwrap();
        let points = all_points();
        let said = by_analysis(table.analyse(&schema), &table, &schema, &points)?;
        prop_assert_eq!(said, by_brute_force(&table, &source, &points));
    }

    #[test]
    fn impossible_facts_are_neither_gaps_nor_overlaps(source in table(3, 1..7)) {
        let schema = excluding_schema();
        let table = Table::build("t", &source, &schema).unwrap();
        let points: Vec<Facts> = all_points().into_iter().filter(possible).collect();
        let said = by_analysis(table.analyse(&schema), &table, &schema, &points)?;
        prop_assert_eq!(said, by_brute_force(&table, &source, &points));
    }
}

fn analysed(hit: HitPolicy, rows: &[(&str, usize)]) -> String {
    let rows = rows
        .iter()
        .map(|(star, outcome)| row_of(&[(*star).to_owned()], *outcome))
        .collect();
    let source = TableSource {
        hit,
        rows,
        default: None,
    };
    let table = Table::build("t", &source, &schema()).unwrap();
    table
        .analyse(&schema())
        .err()
        .map(|errors| errors.to_string())
        .unwrap_or_default()
}

#[test]
fn a_gap_names_a_star_that_no_row_covers() {
    let said = analysed(HitPolicy::Unique, &[(">=4", 0), ("none", 1), ("<3", 2)]);
    assert_eq!(said, "table t: no row covers star = 3; add a row or a default");
}

#[test]
fn an_overlap_names_both_rows_and_a_star_where_they_disagree() {
    let said = analysed(HitPolicy::Unique, &[(">=4", 0), ("none,<=4", 1)]);
    assert_eq!(
        said,
        "table t, row 2: rows 1 and 2 both hold for star = 4 and disagree"
    );
}

#[test]
fn rows_that_agree_may_overlap() {
    assert_eq!(analysed(HitPolicy::Unique, &[(">=4", 1), ("none,<=4", 1)]), "");
}

#[test]
fn a_row_behind_others_that_take_all_of_it_is_masked() {
    let said = analysed(
        HitPolicy::First,
        &[(">=4", 0), ("<4", 1), ("[3..4]", 2), ("none", 1)],
    );
    assert!(
        said.starts_with("table t, row 3: row 3 never decides: row "),
        "{said}"
    );
}

#[test]
fn a_row_that_a_stricter_one_always_joins_is_masked() {
    let said = analysed(
        HitPolicy::Strictest,
        &[("none", 0), ("[4..5]", 1), (">=3", 2), ("<3", 0)],
    );
    assert_eq!(
        said,
        "table t, row 2: row 2 never decides: row 3 takes star = 4 before it; narrow that one or remove this"
    );
}

#[test]
fn a_sound_table_raises_no_finding() {
    for hit in [
        HitPolicy::Unique,
        HitPolicy::First,
        HitPolicy::Strictest,
        HitPolicy::Collect,
    ] {
        assert_eq!(
            analysed(hit, &[("5", 0), ("[1..5)", 1), ("none", 2)]),
            "",
            "{hit:?}"
        );
    }
}

/// Rows that meet in a tangle of boxes: the search would take longer than anybody waits.
#[test]
fn a_table_too_intricate_is_refused_and_not_half_analysed() {
    let column = |index: usize| Column {
        name: format!("c{index}"),
        kind: ColumnKind::Integer { min: 0, max: 99 },
        optional: false,
    };
    let schema = Schema::new(
        (0..16).map(column).collect(),
        vec!["A".to_owned(), "B".to_owned()],
        Vec::new(),
    );
    let mut state = 7u64;
    let mut next = move |below: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut rows = Vec::new();
    for _ in 0..240 {
        let mut row = row_of(&[], 0);
        row.outcome = "A".to_owned();
        for index in 0..16 {
            let low = next(50);
            row.when
                .0
                .push((format!("c{index}"), CellText(format!("[{low}..{}]", low + 49))));
        }
        rows.push(row);
    }
    let source = TableSource {
        hit: HitPolicy::First,
        rows,
        default: None,
    };
    let table = Table::build("t", &source, &schema).unwrap();
    let TableErrors(errors) = table.analyse(&schema).unwrap_err();
    assert!(
        errors.iter().any(|error| error.defect == Defect::TooComplex),
        "{errors:?}"
    );
}
