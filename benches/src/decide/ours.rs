//! The policy as a compiled table.

use anyhow::anyhow;
use greenstar_kernel::Points;
use greenstar_tables::{Column, ColumnKind, MeasureDecl, Row, Schema, Table, Value};

use super::facts::Facts;
use super::rules::{CLASSES, FLAGS, MEASURES, OUTCOMES, RULES, Rule, STATES};

/// The columns that the rules test, in this order.
fn columns() -> Vec<Column> {
    let names = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
    let count = ColumnKind::Integer { min: 0, max: 120 };
    let star = ColumnKind::Integer { min: 1, max: 5 };
    let states = ColumnKind::Choice {
        values: names(&STATES),
    };
    let flags = ColumnKind::Set {
        values: names(&FLAGS),
    };
    let (min, max) = (Points::ZERO, Points::whole(100));
    let classes = ColumnKind::Choice {
        values: names(&CLASSES),
    };
    let columns = [
        ("star", star, true),
        ("state", states, false),
        ("flags", flags, false),
        ("points", ColumnKind::Points { min, max }, true),
        ("rating_age_months", count.clone(), true),
        ("sector", ColumnKind::Tree, true),
        ("district", ColumnKind::Tree, true),
        ("polluter_class", classes, false),
        ("open_rectification", ColumnKind::Boolean, false),
        ("events_12m", count, false),
    ];
    let columns = columns.into_iter().map(|(name, kind, optional)| Column {
        name: name.to_owned(),
        kind,
        optional,
    });
    columns.collect()
}

#[inline]
fn value(facts: &Facts, column: usize) -> Value<'static> {
    let ordered = |number: Option<i64>| number.map_or(Value::Absent, Value::Ordered);
    let code = |code: Option<&'static str>| code.map_or(Value::Absent, Value::Code);
    match column {
        0 => ordered(facts.star),
        1 => Value::Choice(facts.state),
        2 => Value::Set(facts.flags),
        3 => ordered(facts.points),
        4 => ordered(facts.rating_age_months),
        5 => code(facts.sector),
        6 => code(facts.district),
        7 => Value::Choice(facts.polluter_class),
        8 => Value::Boolean(facts.open_rectification),
        9 => Value::Ordered(facts.events_12m),
        _ => Value::Absent,
    }
}

/// The policy, ready to answer.
#[derive(Debug)]
pub(super) struct Ours {
    table: Table,
}

/// Outcome, reason, basis and measures, borrowed from the table.
#[derive(Debug)]
pub(super) struct Answer<'t> {
    /// From 1; 0 is the default row.
    pub(super) row: usize,
    pub(super) decided: &'t Row,
}

impl Ours {
    /// Checked and analysed as a policy that an officer hands in.
    pub(super) fn new() -> anyhow::Result<Ours> {
        let measures = MEASURES.iter().map(|(code, most)| MeasureDecl {
            code: (*code).to_owned(),
            parameter: most.map(|most| (0, most)),
        });
        let outcomes = OUTCOMES.iter().map(|outcome| (*outcome).to_owned()).collect();
        let schema = Schema::new(columns(), outcomes, measures.collect());
        let mut text = String::from("hit: first\nrows:\n");
        for Rule {
            cells,
            outcome,
            measures,
            ..
        } in &RULES
        {
            text.push_str(&format!(
                "  - {{ when: {{ {cells} }}, outcome: {outcome}, measures: {{ {measures} }}, \
                 reason: {{ zh: 理由, en: reason }}, basis: [{{ zh: 依据, en: basis }}] }}\n"
            ));
        }
        text.push_str("default: { outcome: STANDARD, reason: { zh: 其他情形, en: all other cases } }\n");
        let table = Table::from_yaml("rules", &text, &schema)?;
        table.analyse(&schema)?;
        Ok(Ours { table })
    }

    #[inline]
    pub(super) fn decide(&self, facts: &Facts) -> anyhow::Result<Answer<'_>> {
        let answer = self.table.evaluate(|column| value(facts, column))?;
        let row = answer.deciding.first();
        let decided = match row {
            Some(row) => self.table.rows().get(row),
            None => self.table.default_row(),
        };
        Ok(Answer {
            row: row.map_or(0, |row| row + 1),
            decided: decided.ok_or_else(|| anyhow!("no row decided"))?,
        })
    }
}
