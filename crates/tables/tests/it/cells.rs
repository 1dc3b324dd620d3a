//! Cells: what they mean, and that any text is a cell or an error with its place.

use greenstar_tables::{Cell, CellDefect, Test, parse_cell};
use proptest::prelude::*;

use crate::support::{FLAGS, OPEN, POINTS, SECTOR, STAR, STATE, schema};

fn parse(column: usize, text: &str) -> Result<Cell, greenstar_tables::CellError> {
    parse_cell(text, &schema().columns()[column])
}

fn one(test: Test) -> Result<Cell, greenstar_tables::CellError> {
    Ok(Cell::Tests {
        negated: false,
        tests: vec![test],
    })
}

fn between(low: i64, high: i64) -> Test {
    Test::Between { low, high }
}

#[test]
fn every_form_reads_as_it_is_written() {
    assert_eq!(parse(STAR, "-"), Ok(Cell::Any));
    assert_eq!(parse(STAR, "4"), one(between(4, 4)));
    assert_eq!(parse(STAR, ">=4"), one(between(4, 5)));
    assert_eq!(parse(STAR, "< 3"), one(between(1, 2)));
    assert_eq!(parse(STAR, "none"), one(Test::Absent));
    assert_eq!(parse(POINTS, "[60..80)"), one(between(60_000, 79_999)));
    assert_eq!(parse(POINTS, "(57.5..100]"), one(between(57_501, 100_000)));
    assert_eq!(parse(OPEN, "true"), one(Test::Boolean(true)));
    assert_eq!(parse(SECTOR, "\"C27\""), one(Test::Under("C27".to_owned())));
    assert_eq!(
        parse(FLAGS, "contains(\"a\",\"c\")"),
        one(Test::ContainsAny(0b101))
    );
    assert_eq!(parse(FLAGS, "empty"), one(Test::EmptySet));
    let not = Ok(Cell::Tests {
        negated: true,
        tests: vec![Test::Choice(0), Test::Choice(2)],
    });
    assert_eq!(parse(STATE, "not(\"RATED\", \"EXPIRED\")"), not);
}

#[test]
fn full_width_punctuation_is_read_as_its_twin() {
    assert_eq!(
        parse(STATE, "not（“RATED”，“EXPIRED”）"),
        parse(STATE, "not(\"RATED\",\"EXPIRED\")")
    );
    assert_eq!(parse(STAR, "≥4"), parse(STAR, ">=4"));
}

#[test]
fn an_error_names_the_character_and_what_to_write() {
    let at = |column, text| {
        let error = parse(column, text).unwrap_err();
        (error.character, error.defect.to_string())
    };
    assert_eq!(at(STAR, "").0, 1);
    assert_eq!(
        at(STAR, ">=6"),
        (3, "6 lies outside 1 to 5, which this column can hold".to_owned())
    );
    assert_eq!(
        at(POINTS, ">=120"),
        (
            3,
            "120 lies outside 0 to 100, which this column can hold".to_owned()
        )
    );
    assert_eq!(at(STAR, ">=4.5"), (3, "\"4.5\" is not a whole number".to_owned()));
    assert_eq!(at(STAR, "<1"), (1, "no value can satisfy this test".to_owned()));
    assert_eq!(
        at(STAR, "[4..2]"),
        (1, "no value can satisfy this test".to_owned())
    );
    assert_eq!(
        at(STAR, "\"5\""),
        (
            1,
            "this column is tested with numbers, e.g. >=3 or [2..4)".to_owned()
        )
    );
    assert_eq!(
        at(STATE, "\"RATED\",\"RATTED\""),
        (
            9,
            "\"RATTED\" is not a value of this column; it takes RATED, VETOED, EXPIRED".to_owned()
        ),
    );
    assert_eq!(
        at(STATE, "none"),
        (
            1,
            "this column always has a value, so none never holds".to_owned()
        )
    );
    assert_eq!(
        at(STATE, "\"RATED"),
        (1, "the text has no closing quotation mark".to_owned())
    );
    assert_eq!(
        at(FLAGS, "contains(\"a\""),
        (13, "the cell ends here; ) is missing".to_owned())
    );
    assert_eq!(at(FLAGS, "empty,empty").0, 6);
    assert_eq!(at(STAR, "5 5").0, 3);
    assert_eq!(at(STAR, "5;4").0, 2);
}

#[test]
fn endless_cells_are_refused() {
    assert_eq!(
        parse(STAR, &"5,".repeat(600)).unwrap_err().defect,
        CellDefect::TooLong
    );
    assert_eq!(
        parse(STAR, &format!("5{}", ",5".repeat(64))).unwrap_err().defect,
        CellDefect::TooLong
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_a_cell_or_an_error_inside_it(text in "\\PC{0,40}", column in 0usize..6) {
        if let Err(error) = parse(column, &text) {
            prop_assert!((1..=text.chars().count() + 1).contains(&error.character));
        }
    }

    #[test]
    fn nearly_right_text_is_a_cell_or_an_error_inside_it(
        text in "(-|not|contains|empty|none|true|[0-9]{1,25}|[\"\\[\\]().,<>=“”（，-]|\"a\"| ){0,12}",
        column in 0usize..6,
    ) {
        if let Err(error) = parse(column, &text) {
            prop_assert!((1..=text.chars().count() + 1).contains(&error.character));
        }
    }
}
