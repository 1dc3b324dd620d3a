//! A bad table is refused with all its defects at once, each with its place.

use greenstar_kernel::Said;
use greenstar_tables::{Defect, Table};

use crate::support::schema;

#[test]
fn all_defects_are_named_at_once_with_their_places() {
    let text = r#"
hit: first
rows:
  - when: { star: ">=6", stars: 5 }
    outcome: MILD
    measures: { praise: }
    reason: { zh: 好, en: good }
  - when: { flags: 'contains("z")' }
    outcome: AWFUL
    measures: { visits: 13, prase: }
    reason: { zh: "", en: bad }
    basis: [{ zh: 依据, en: basis }]
default: { when: { star: 1 }, outcome: MILD, reason: { zh: 其他, en: other } }
"#;
    let errors = Table::from_yaml("licensing", text, &schema()).unwrap_err();
    let said: Vec<String> = errors.0.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "table licensing, row 1, column star, character 3: 6 lies outside 1 to 5, which this column can hold",
            "table licensing, row 1, column stars: no column is called \"stars\"; see the columns that this matter offers",
            "table licensing, row 1, column basis: the row names a measure but no legal basis; add one under basis",
            "table licensing, row 2, column flags, character 10: \"z\" is not a value of this column; it takes a, b, c",
            "table licensing, row 2, column outcome: the matter has no outcome \"AWFUL\"; it has MILD, MIDDLE, SEVERE",
            "table licensing, row 2, column measures: measure visits takes a whole number from 0 to 12",
            "table licensing, row 2, column measures: the catalogue has no measure \"prase\"",
            "table licensing, row 2, column reason: the reason is missing in Chinese or in English",
            "table licensing, default row, column when: the default row holds where no other does; leave its when empty",
        ]
    );
    assert!(
        errors
            .said()
            .zh
            .contains("决策表 licensing，第 1 行，列 star，第 3 个字符")
    );
}

#[test]
fn what_is_no_table_says_where_the_text_breaks() {
    let cases = [
        ("", "missing field"),
        ("hit: best\nrows: []", "unknown variant"),
        ("hit: first\nrows: []\ncolour: red", "unknown field `colour`"),
        (
            "hit: first\nrows: [{ when: { star: 1, star: 2 }, outcome: MILD, reason: { zh: 一, en: one } }]",
            "stands twice",
        ),
        (
            "hit: first\nrows: [{ when: { points: 57.5 }, outcome: MILD, reason: { zh: 一, en: one } }]",
            "put fractions",
        ),
    ];
    for (text, why) in cases {
        let error = Table::from_yaml("t", text, &schema()).unwrap_err().to_string();
        assert!(error.contains(why), "{text}: {error}");
    }
}

#[test]
fn a_table_of_no_or_too_many_rows_is_refused() {
    let row = "  - { when: { star: 5 }, outcome: MILD, reason: { zh: 五, en: five } }\n";
    for count in [0, 241] {
        let rows = if count == 0 {
            "rows: []".to_owned()
        } else {
            format!("rows:\n{}", row.repeat(count))
        };
        let errors = Table::from_yaml("t", &format!("hit: collect\n{rows}"), &schema()).unwrap_err();
        assert_eq!(
            errors.0[0].defect,
            Defect::RowCount {
                found: count,
                limit: 240
            }
        );
    }
}
