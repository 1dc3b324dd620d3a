//! Composition a second time, word by word from protocol.md §7: which rows decide, how an outcome rises and falls,
//! the gate, and how measures join. Loaded policies, column values and single cells are those of the first.

use std::collections::BTreeMap;

use greenstar_kernel::Timestamp;
use greenstar_tables::{HitPolicy, MeasureUse, Row, Table};

use super::support::NO_ARGUMENTS;
use crate::domain::catalogue::{MeasureClass, MeasureEntry, Stricter, Support};
use crate::domain::columns::Reading;
use crate::domain::facts::Facts;
use crate::domain::matter::{Level, Matter};
use crate::domain::policy::Policy;

/// Outcome code and measures with their values.
pub(super) type Answer = (String, BTreeMap<String, Option<i64>>);

pub(super) fn compose(policy: &Policy, matter: &Matter, facts: &Facts, as_of: Timestamp) -> Answer {
    let reading = Reading::of(facts, NO_ARGUMENTS, matter, policy.catalogue(), as_of).unwrap();
    let outcomes = matter.outcomes();
    let neutral = outcomes
        .iter()
        .position(|outcome| outcome.level == Level::Neutral)
        .unwrap();

    // 1. D = the department table's outcome; no table: the neutral outcome.
    let rows_within = |limit: usize| match &matter.table {
        Some(table) => deciding(table, &reading, limit),
        None => Vec::new(),
    };
    let own_rows = rows_within(outcomes.len());
    let d = own_rows.iter().map(|row| row.outcome).max().unwrap_or(neutral);
    // 2. The baseline gives a level; D is raised to the mildest outcome at or above it.
    let base_rows = deciding(&policy.baseline, &reading, Level::ALL.len());
    let level = base_rows
        .iter()
        .map(|row| Level::ALL[row.outcome])
        .max()
        .unwrap_or(Level::Favour);
    let mut raised = d;
    while outcomes[raised].level < level && raised + 1 < outcomes.len() {
        raised += 1;
    }
    // 3. The most severe outcome not above that whose carrying measure passes the gate.
    let entry = |measure: usize| &policy.catalogue().measures()[measure];
    let mut last = raised;
    while let Some(carrier) = outcomes[last].carrier {
        if passes(policy, entry(carrier), facts, matter, as_of) {
            break;
        }
        last -= 1;
    }
    // 4. Measures join by code, the stricter value; favours drop if the final outcome is more severe. An
    // outcome that fell takes its rows with it: those of the remaining ones speak.
    let own_rows = if last < d { rows_within(last) } else { own_rows };
    let given = own_rows.iter().map(|row| row.outcome).max().unwrap_or(neutral);
    let mut uses: Vec<MeasureUse> = own_rows
        .iter()
        .chain(&base_rows)
        .flat_map(|row| row.measures.clone())
        .collect();
    uses.extend(
        outcomes[last]
            .carrier
            .map(|measure| MeasureUse { measure, value: None }),
    );
    uses.extend(outcomes[last].floor.iter().copied());
    let mut joined: BTreeMap<String, Option<i64>> = BTreeMap::new();
    for used in uses {
        let entry = entry(used.measure);
        let dropped = entry.class == MeasureClass::Favour && last > given;
        if dropped || !passes(policy, entry, facts, matter, as_of) {
            continue;
        }
        let slot = joined.entry(entry.code.as_str().to_owned()).or_insert(used.value);
        if let (Some(left), Some(right)) = (*slot, used.value) {
            let higher = entry.parameters[0].stricter == Stricter::Higher;
            *slot = Some(if higher == (left > right) { left } else { right });
        }
    }
    (outcomes[last].code.as_str().to_owned(), joined)
}

fn deciding(table: &Table, reading: &Reading<'_>, limit: usize) -> Vec<Row> {
    let matched = table.evaluate_naively(|column| reading.value(column)).matched;
    let rows = matched.iter().map(|row| table.rows()[row].clone());
    let rows: Vec<Row> = rows.filter(|row| row.outcome <= limit).collect();
    let worst = rows.iter().map(|row| row.outcome).max();
    let deciding: Vec<Row> = match table.hit() {
        HitPolicy::First | HitPolicy::Unique => rows.into_iter().take(1).collect(),
        HitPolicy::Strictest => rows
            .into_iter()
            .filter(|row| Some(row.outcome) == worst)
            .collect(),
        HitPolicy::Collect => rows,
    };
    if deciding.is_empty() {
        table.default_row().cloned().into_iter().collect()
    } else {
        deciding
    }
}

fn passes(policy: &Policy, entry: &MeasureEntry, facts: &Facts, matter: &Matter, as_of: Timestamp) -> bool {
    let today = as_of.date();
    let starts = entry.from.is_none_or(|from| from <= today);
    let goes_on = entry.until.is_none_or(|until| today <= until);
    let mut bases = 0;
    let mut articles = 0;
    for code in &entry.bases {
        let basis = policy.catalogue().basis(code).unwrap();
        let holds =
            basis.effective.is_none_or(|day| day <= today) && basis.end.is_none_or(|day| today <= day);
        bases += i32::from(holds);
        articles += i32::from(holds && basis.article.is_some());
    }
    let standing = facts.rating.at(as_of).standing;
    let supported = entry.supports.iter().any(|support| match support {
        Support::Always => true,
        Support::Star { star } => standing.star() == Some(*star),
        Support::State { state } => standing.state() == *state,
        Support::Flag { kind, least } => facts.flags.iter().any(|flag| {
            flag.kind == *kind
                && flag.severity >= *least
                && flag.start <= as_of
                && flag.end.is_none_or(|end| as_of < end)
                && flag.scope.as_ref().is_none_or(|scope| scope == matter.code())
                && as_of < policy.catalogue().ceiling(flag.severity, flag.document.date)
        }),
    });
    let named = entry.class != MeasureClass::Rights || articles > 0;
    starts && goes_on && bases > 0 && named && supported
}
