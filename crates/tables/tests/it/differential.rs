//! The compiled table is judged by the plain interpreter.

use greenstar_tables::{HitPolicy, Table};
use proptest::prelude::*;

use crate::support::{facts, schema, table};

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn a_compiled_table_answers_as_its_cells_read(
        source in table(6, 1..14),
        cases in prop::collection::vec(facts(), 40),
    ) {
        let table = Table::build("t", &source, &schema()).unwrap();
        for facts in &cases {
            let compiled = table.evaluate(|column| facts.value(column)).unwrap();
            prop_assert_eq!(compiled, table.evaluate_naively(|column| facts.value(column)));
            if source.hit != HitPolicy::Collect && source.hit != HitPolicy::Strictest {
                prop_assert!(compiled.deciding.len() <= 1);
            }
            prop_assert!(compiled.matched.holds_all(compiled.deciding));
        }
    }

    /// The nearest row is one that fails in no more columns than any other, and in those only.
    #[test]
    fn the_nearest_row_fails_where_it_says(source in table(6, 1..10), facts in facts()) {
        let schema = schema();
        let table = Table::build("t", &source, &schema).unwrap();
        let candidates = greenstar_tables::RowSet::first_rows(source.rows.len());
        let nearest = table.nearest(candidates, |column| facts.value(column)).unwrap().unwrap();
        let failures = |row: usize| -> Vec<usize> {
            let when = &source.rows[row].when.0;
            (0..when.len())
                .filter(|column| {
                    let cell = greenstar_tables::parse_cell(&when[*column].1.0, &schema.columns()[*column]).unwrap();
                    !cell.holds(facts.value(*column))
                })
                .collect()
        };
        let tested: Vec<usize> = table.tested().collect();
        let said: Vec<usize> =
            (0..tested.len()).filter(|bit| nearest.failed >> bit & 1 == 1).map(|bit| tested[bit]).collect();
        prop_assert_eq!(&said, &failures(nearest.row));
        for row in 0..source.rows.len() {
            prop_assert!(failures(row).len() >= said.len());
        }
    }
}

#[test]
fn a_value_of_the_wrong_type_is_a_fault_and_no_miss() {
    let text = "hit: first\nrows: [{ when: { star: 5 }, outcome: MILD, reason: { zh: 五, en: five } }]";
    let table = Table::from_yaml("t", text, &schema()).unwrap();
    assert!(
        table
            .evaluate(|_| greenstar_tables::Value::Boolean(true))
            .is_err()
    );
}
