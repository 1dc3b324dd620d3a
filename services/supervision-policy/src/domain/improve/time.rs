//! What time alone brings.

use std::collections::BTreeSet;

use greenstar_kernel::{Month, Timestamp};

use super::Question;
use super::levers::Tests;
use crate::domain::columns::FactColumn;
use crate::domain::decide::DecideError;
use crate::domain::facts::Facts;

/// So many instants are looked at.
const AHEAD: usize = 1_000;

/// Instants after the question's at which something that is known begins or ends, in order. Between two of them
/// nothing changes but by an event.
pub(super) fn instants(question: &Question<'_>, facts: &Facts) -> Vec<Timestamp> {
    let tests = Tests(question);
    let catalogue = &question.policy.catalogue;
    let mut instants = BTreeSet::new();
    instants.extend(facts.rating.valid_until);
    instants.extend(facts.rating.next.as_ref().map(|next| next.at));
    let windows: Vec<Month> = tests.event_windows().collect();
    let since = [
        FactColumn::MonthsSinceSerious,
        FactColumn::MonthsSinceComplaint,
        FactColumn::MonthsSinceExceedance,
    ];
    let since: Vec<Month> = since
        .into_iter()
        .flat_map(|fact| tests.month_cuts(fact))
        .collect();
    for event in facts.events.iter() {
        let months = windows.iter().chain(&since);
        instants.extend(months.map(|months| event.date.term_end(*months)));
    }
    let ages: Vec<Month> = tests.month_cuts(FactColumn::FlagAgeMonths).chain(since).collect();
    for flag in facts.flags.iter() {
        instants.extend([flag.start]);
        instants.extend(flag.end);
        instants.extend([catalogue.ceiling(flag.severity, flag.document.date)]);
        instants.extend(ages.iter().map(|months| flag.document.date.term_end(*months)));
    }
    if let Some(rated_at) = facts.rating.rated_at {
        let ages = tests.month_cuts(FactColumn::RatingAgeMonths);
        instants.extend(ages.map(|months| rated_at.date().plus_months(months).start()));
    }
    let parts = catalogue.parts();
    let entries = parts.measures.iter().map(|entry| (entry.from, entry.until));
    let bases = parts.bases.iter().map(|basis| (basis.effective, basis.end));
    for (first, last) in entries.chain(bases) {
        instants.extend(first.map(|first| first.start()));
        instants.extend(last.map(|last| last.plus_days(1).start()));
    }
    let to_come = instants.into_iter().filter(|instant| *instant > question.as_of);
    to_come.take(AHEAD).collect()
}

/// The first of these instants at which the outcome is milder, and which it is.
pub(super) fn first_milder(
    question: &Question<'_>,
    facts: &Facts,
    outcome: usize,
    instants: &[Timestamp],
) -> Result<Option<(Timestamp, usize)>, DecideError> {
    for instant in instants {
        let given = question.outcome(facts, *instant)?;
        if given < outcome {
            return Ok(Some((*instant, given)));
        }
    }
    Ok(None)
}
