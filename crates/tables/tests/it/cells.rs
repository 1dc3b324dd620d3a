//! Cells: what they mean, and that any text is a cell or an error with its place.

use greenstar_tables::{Cell, CellDefect, Test, parse_cell};
use proptest::prelude::*;

use crate::support::{FLAGS, OPEN, POINTS, SCHEMA, SECTOR, STAR, STATE, cell};

fn parse(column: usize, text: &str) -> Result<Cell, greenstar_tables::CellError> {
    parse_cell(text, &SCHEMA.columns()[column])
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

/// Characters that mean something in a cell, and some that never do.
const ALPHABET: &str = "-([)],.<>=\"“”（），≥≤ 　\n\t019aCnotemp\\\u{0}\u{202e}é中🌿";

/// A valid cell of a random column, with some characters dropped, doubled, replaced, added or moved.
fn spoiled() -> impl Strategy<Value = (usize, String)> {
    let alphabet: Vec<char> = ALPHABET.chars().collect();
    let change = (
        0usize..5,
        any::<prop::sample::Index>(),
        prop::sample::select(alphabet),
    );
    let changes = prop::collection::vec(change, 0..6);
    let column = (0usize..6).prop_flat_map(|column| (Just(column), cell(column)));
    (column, changes).prop_map(|((column, text), changes)| {
        let mut chars: Vec<char> = text.chars().collect();
        for (how, at, other) in changes {
            let at = at.index(chars.len() + 1);
            match (how, at < chars.len()) {
                (0, true) => drop(chars.remove(at)),
                (1, true) => chars.insert(at, chars[at]),
                (2, true) => chars[at] = other,
                (3, true) => chars.rotate_left(at),
                _ => chars.insert(at, other),
            }
        }
        (column, chars.into_iter().collect())
    })
}

/// Reads, and holds the reader to its word: a cell that can be written and read again, or an error inside the text.
fn judged(column: usize, text: &str) -> Result<bool, TestCaseError> {
    match parse(column, text) {
        Ok(cell) => {
            let written = cell.display(&SCHEMA.columns()[column]).to_string();
            prop_assert_eq!(
                parse(column, &written),
                Ok(cell),
                "{} was written {}",
                text,
                written
            );
            Ok(true)
        }
        Err(error) => {
            let characters = text.chars().count();
            prop_assert!((1..=characters + 1).contains(&error.character), "{error}");
            prop_assert!(!error.to_string().is_empty());
            Ok(false)
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12_000, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_a_cell_or_an_error_inside_it(text in any::<String>(), column in 0usize..6) {
        judged(column, &text)?;
    }

    #[test]
    fn nearly_right_text_is_a_cell_or_an_error_inside_it(
        text in "(-|not|contains|empty|none|true|[0-9]{1,25}|[\"\\[\\]().,<>=“”（，-]|\"a\"| ){0,12}",
        column in 0usize..6,
    ) {
        judged(column, &text)?;
    }

    #[test]
    fn a_spoiled_cell_is_a_cell_or_an_error_inside_it((column, text) in spoiled()) {
        judged(column, &text)?;
    }

    #[test]
    fn a_cell_that_was_written_is_read_as_the_same(
        (column, text) in (0usize..6).prop_flat_map(|column| (Just(column), cell(column))),
    ) {
        prop_assert!(judged(column, &text)?);
    }
}
