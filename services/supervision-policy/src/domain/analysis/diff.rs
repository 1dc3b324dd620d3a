//! What differs between two versions of a policy: in their texts, and in what they answer.

use std::collections::HashSet;

use greenstar_tables::{Answer, RowSet, Table};
use serde_yaml_ng::Value as Yaml;

use super::axes::{Axis, Side};
use super::example::facts;
use super::flags::Flags;
use super::space::{Leaf, leaves};
use super::study::{Spot, and, newer, serious, standing_at, standings};
use super::{Example, TooIntricate};
use crate::domain::catalogue::Catalogue;
use crate::domain::compose::rows_of;
use crate::domain::document::{BASELINE, PolicySource};
use crate::domain::matter::{ArgumentDecl, Level, Matter};
use crate::domain::policy::Policy;

use greenstar_kernel::{Code, RatingState, Timestamp};

/// A difference in the texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextChange {
    /// E.g. `table.rows[3].when.star`
    pub place: String,
    /// Empty: it is new.
    pub before: String,
    /// Empty: it is gone.
    pub after: String,
}

/// A firm that two versions answer differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behaviour {
    /// `departments/{department}/matters/{matter}`, or `departments/baseline`.
    pub matter: String,
    pub example: Example,
    /// Outcome and measures of the department's own table; empty: it does not know the matter.
    pub before: (String, Vec<String>),
    pub after: (String, Vec<String>),
}

/// What differs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    pub changes: Vec<TextChange>,
    pub behaviour: Vec<Behaviour>,
    /// The tables together are too intricate to be compared by what they answer.
    pub intricate: bool,
}

/// Compares the policies of these names, each in its bundle.
pub fn differences(from: (&Policy, &Code), to: (&Policy, &Code), at: Timestamp) -> Difference {
    let mut difference = Difference::default();
    let (Some(old), Some(new)) = (from.0.source_of(from.1), to.0.source_of(to.1)) else {
        return difference;
    };
    let yaml = |source: &PolicySource| serde_yaml_ng::to_value(source).unwrap_or(Yaml::Null);
    texts("", &yaml(&old), &yaml(&new), &mut difference.changes);
    for (matter, sides) in asked((from.0, &old), (to.0, &new)) {
        match sides {
            [Some(before), Some(after)] => {
                let compared = behaviour([before, after], to.0.catalogue(), at, &mut |example, pair| {
                    let [before, after] = pair;
                    difference.behaviour.push(Behaviour {
                        matter: matter.clone(),
                        example,
                        before,
                        after,
                    });
                });
                difference.intricate |= compared.is_err();
            }
            [before, after] => {
                let only = |asked: Option<Asked<'_>>| {
                    asked
                        .map(|asked| (asked.neutral(), Vec::new()))
                        .unwrap_or_default()
                };
                difference.behaviour.push(Behaviour {
                    matter,
                    example: Example::new(),
                    before: only(before),
                    after: only(after),
                });
            }
        }
    }
    difference
}

/// A table with what its answers are called.
#[derive(Clone, Copy, Debug)]
enum Asked<'a> {
    Matter(&'a Matter, &'a Catalogue),
    Baseline(&'a Table, &'a Catalogue),
}

impl<'a> Asked<'a> {
    fn side(self) -> Side<'a> {
        match self {
            Asked::Matter(matter, _) => Side {
                table: matter.table.as_ref(),
                arguments: &matter.arguments,
            },
            Asked::Baseline(table, _) => Side {
                table: Some(table),
                arguments: &[] as &[ArgumentDecl],
            },
        }
    }

    fn catalogue(self) -> &'a Catalogue {
        match self {
            Asked::Matter(_, catalogue) | Asked::Baseline(_, catalogue) => catalogue,
        }
    }

    fn neutral(self) -> String {
        match self {
            Asked::Matter(matter, _) => matter.outcome(matter.neutral).code.as_str().to_owned(),
            Asked::Baseline(..) => Level::Favour.as_str().to_owned(),
        }
    }

    fn answer(self, rows: RowSet) -> (String, Vec<String>) {
        let Some(table) = self.side().table else {
            return (self.neutral(), Vec::new());
        };
        let answer: Answer = table.settle(rows);
        let outcome = table.outcome(&answer).map(|outcome| match self {
            Asked::Matter(matter, _) => matter.outcome(outcome).code.as_str().to_owned(),
            Asked::Baseline(..) => Level::ALL
                .get(outcome)
                .map_or("", |level| level.as_str())
                .to_owned(),
        });
        let mut measures: Vec<(usize, Option<i64>)> = Vec::new();
        for used in rows_of(table, answer.deciding).flat_map(|row| &row.measures) {
            let parameter = self
                .catalogue()
                .measures()
                .get(used.measure)
                .and_then(|entry| entry.parameter());
            match measures.iter_mut().find(|(known, _)| *known == used.measure) {
                None => measures.push((used.measure, used.value)),
                Some((_, known)) => {
                    if let (Some(left), Some(right), Some(parameter)) = (*known, used.value, parameter) {
                        *known = Some(parameter.stricter.of(left, right));
                    }
                }
            }
        }
        let text = |(measure, value): &(usize, Option<i64>)| {
            let entry = self.catalogue().measures().get(*measure);
            let code = entry.map_or("?", |entry| entry.code.as_str());
            value.map_or_else(|| code.to_owned(), |value| format!("{code}={value}"))
        };
        let mut measures: Vec<String> = measures.iter().map(text).collect();
        measures.sort_unstable();
        (outcome.unwrap_or_else(|| self.neutral()), measures)
    }
}

/// Every matter of either version, with what each answers it by.
fn asked<'a>(
    (from, old): (&'a Policy, &PolicySource),
    (to, new): (&'a Policy, &PolicySource),
) -> Vec<(String, [Option<Asked<'a>>; 2])> {
    let of_baseline = |source: &PolicySource| source.department.as_str() == BASELINE;
    if of_baseline(old) && of_baseline(new) {
        let side = |policy: &'a Policy| Some(Asked::Baseline(&policy.baseline, policy.catalogue().as_ref()));
        return vec![(format!("departments/{BASELINE}"), [side(from), side(to)])];
    }
    let matter = |policy: &'a Policy, source: &PolicySource, code: &Code| {
        let found = policy.matter(source.department.as_str(), code.as_str());
        found.map(|matter| Asked::Matter(matter, policy.catalogue().as_ref()))
    };
    let of_old = old
        .matters
        .iter()
        .map(|matter| (old.department.clone(), matter.code.clone()));
    let of_new = new
        .matters
        .iter()
        .map(|matter| (new.department.clone(), matter.code.clone()));
    let mut names = Vec::new();
    for name in of_old.chain(of_new) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let pairs = names.into_iter().map(|(department, code)| {
        let before = matter(from, old, &code).filter(|_| old.department == department);
        let after = matter(to, new, &code).filter(|_| new.department == department);
        (
            format!("departments/{department}/matters/{code}"),
            [before, after],
        )
    });
    pairs.collect()
}

/// One firm for each pair of answers that differ.
fn behaviour(
    asked: [Asked<'_>; 2],
    catalogue: &Catalogue,
    at: Timestamp,
    tell: &mut dyn FnMut(Example, [(String, Vec<String>); 2]),
) -> Result<(), TooIntricate> {
    const MAX_WORK: usize = 3_000_000;
    let sides = asked.map(Asked::side);
    let axes = Axis::all(sides, catalogue, at)?;
    let flags = Flags::of(&axes, sides, catalogue, &[], at)?;
    let leaves = leaves(&axes, i64::from(at.date().days()))?;
    let standings = standings(&axes, sides);
    let serious = serious(&axes, sides, &flags);
    let mut seen = HashSet::new();
    let mut pairs = HashSet::new();
    let mut work = 0;
    for (
        leaf,
        Leaf {
            rows,
            serious: own,
            unknown,
            ended,
            ..
        },
    ) in leaves.iter().enumerate()
    {
        for (state, held) in flags.states.iter().enumerate() {
            let mut left = and(*rows, held.rows);
            if let Some(by_months) = &serious {
                let months = newer(*own, held.serious);
                left = by_months.get(&months).map_or(left, |rows| and(left, *rows));
            }
            for (standing, rows) in standings.iter().enumerate() {
                work += 1;
                if work > MAX_WORK {
                    return Err(TooIntricate);
                }
                let named = standing_at(standing).map(|standing| standing.state());
                if (*unknown && named != Some(RatingState::NotRated))
                    || (*ended && named == Some(RatingState::Rated))
                {
                    continue;
                }
                let rows = and(left, *rows);
                if !seen.insert(rows) {
                    continue;
                }
                let pair = [asked[0].answer(rows[0]), asked[1].answer(rows[1])];
                if pair[0] != pair[1] && pairs.insert(pair.clone()) {
                    let spot = Spot {
                        leaf,
                        state,
                        standing,
                    };
                    tell(facts(&axes, &leaves, &flags, catalogue, spot), pair);
                }
            }
        }
    }
    Ok(())
}

/// Differences of two documents, by place; items of lists count from 1.
fn texts(place: &str, before: &Yaml, after: &Yaml, changes: &mut Vec<TextChange>) {
    if before == after {
        return;
    }
    match (before, after) {
        (Yaml::Mapping(old), Yaml::Mapping(new)) => {
            let inner = |key: &Yaml| {
                let key = key.as_str().map_or_else(|| text(key), str::to_owned);
                if place.is_empty() {
                    key
                } else {
                    format!("{place}.{key}")
                }
            };
            for (key, value) in old {
                texts(&inner(key), value, new.get(key).unwrap_or(&Yaml::Null), changes);
            }
            for (key, value) in new.iter().filter(|(key, _)| !old.contains_key(*key)) {
                texts(&inner(key), &Yaml::Null, value, changes);
            }
        }
        (Yaml::Sequence(old), Yaml::Sequence(new)) => {
            // What stayed at the beginning and the end is not named because something was put between.
            let head = old.iter().zip(new).take_while(|(old, new)| old == new).count();
            let rest = old.len().min(new.len()) - head;
            let both = old.iter().rev().zip(new.iter().rev()).take(rest);
            let tail = both.take_while(|(old, new)| old == new).count();
            let middle = |list: &[Yaml]| list.get(head..list.len() - tail).unwrap_or_default().to_vec();
            let (old, new) = (middle(old), middle(new));
            for index in 0..old.len().max(new.len()) {
                let at = |list: &[Yaml]| list.get(index).cloned().unwrap_or(Yaml::Null);
                texts(
                    &format!("{place}[{}]", head + index + 1),
                    &at(&old),
                    &at(&new),
                    changes,
                );
            }
        }
        (before, after) => changes.push(TextChange {
            place: place.to_owned(),
            before: text(before),
            after: text(after),
        }),
    }
}

/// On one line.
fn text(value: &Yaml) -> String {
    match value {
        Yaml::Null => String::new(),
        Yaml::String(text) => text.clone(),
        value => serde_json::to_string(value).unwrap_or_default(),
    }
}
