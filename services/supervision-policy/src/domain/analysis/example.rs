//! Counterexamples in the form of a case's facts, so that anybody can put them down as one.

use greenstar_tables::{Column, ColumnKind};

use super::Example;
use super::axes::{Axis, Sample};
use super::composed::Composed;
use super::flags::{Flags, Held};
use super::space::Leaf;
use super::study::{Spot, Study, newer, standing_at};
use crate::domain::catalogue::{Catalogue, Severity};
use crate::domain::columns::FactColumn;
use crate::domain::matter::Matter;

pub(super) fn example(study: &Study<'_>, spot: Spot) -> Example {
    let mut example = facts(
        &study.axes,
        &study.leaves,
        &study.flags,
        study.policy.catalogue(),
        spot,
    );
    if let Some(later) = study.later {
        example.push(("at".to_owned(), later.date().to_string()));
    }
    example
}

/// The firm at a spot: only what one of the tables or a gate asks for.
pub(super) fn facts(
    axes: &[Axis],
    leaves: &[Leaf],
    flags: &Flags,
    catalogue: &Catalogue,
    spot: Spot,
) -> Example {
    let mut example = Example::new();
    if let Some(standing) = standing_at(spot.standing) {
        example.push(match standing.star() {
            Some(star) => ("star".to_owned(), star.to_string()),
            None => ("state".to_owned(), standing.state().as_str().to_owned()),
        });
    }
    let state = flags.states.get(spot.state);
    if let Some(state) = state
        && (flags.tested || !state.held.is_empty())
    {
        let by_department = axes
            .iter()
            .any(|axis| axis.fact == Some(FactColumn::FlagDepartments));
        let held: Vec<String> = state
            .held
            .iter()
            .map(|flag| held_text(flag, by_department, catalogue))
            .collect();
        example.push(("flags".to_owned(), format!("[{}]", held.join(", "))));
    }
    for (at, sample) in leaves.get(spot.leaf).iter().flat_map(|leaf| &leaf.point) {
        let Some(axis) = axes.get(*at) else {
            continue;
        };
        let text = if axis.fact == Some(FactColumn::MonthsSinceSerious) {
            let own = leaves.get(spot.leaf).and_then(|leaf| leaf.serious);
            let months = newer(own, state.and_then(|state| state.serious));
            months.map_or_else(|| "none".to_owned(), |months| months.to_string())
        } else {
            text(&axis.column, sample)
        };
        example.push((axis.column.name.clone(), text));
    }
    example
}

fn held_text(flag: &Held, by_department: bool, catalogue: &Catalogue) -> String {
    let kind = catalogue
        .flag_kinds()
        .get(flag.kind)
        .map_or("?", |kind| kind.code.as_str());
    let mut more = String::new();
    if flag.severity != Severity::Serious {
        more.push_str(&format!(", severity: {}", flag.severity.as_str().to_lowercase()));
    }
    if flag.age > 0 {
        more.push_str(&format!(", age_months: {}", flag.age));
    }
    if by_department {
        let named = catalogue.departments().get(flag.department);
        more.push_str(&format!(
            ", department: {}",
            named.map_or("another-body", |named| named.as_str())
        ));
    }
    if more.is_empty() {
        kind.to_owned()
    } else {
        format!("{{ kind: {kind}{more} }}")
    }
}

/// A value without the quotation marks of a cell.
fn text(column: &Column, sample: &Sample) -> String {
    match (sample, &column.kind) {
        (Sample::Choice(position), ColumnKind::Choice { values }) => {
            values.get(usize::from(*position)).cloned().unwrap_or_default()
        }
        (Sample::Code(code), _) => code.clone(),
        (Sample::Absent | Sample::Boolean(_) | Sample::Ordered(_) | Sample::Choice(_), _) => {
            column.show(sample.value())
        }
    }
}

/// `REDUCED on-site-cap=1`
pub(super) fn answer_text(matter: &Matter, catalogue: &Catalogue, answer: &Composed) -> String {
    let mut text = matter.outcome(answer.outcome).code.as_str().to_owned();
    for (measure, value) in &answer.measures {
        let code = catalogue
            .measures()
            .get(*measure)
            .map_or("?", |entry| entry.code.as_str());
        match value {
            Some(value) => text.push_str(&format!(" {code}={value}")),
            None => text.push_str(&format!(" {code}")),
        }
    }
    text
}
