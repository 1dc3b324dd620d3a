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
