//! Items with their rules and tiers, and the kinds of event that turn into others.

use std::collections::{BTreeMap, BTreeSet};

use greenstar_kernel::{Code, LocalizedText, Points};

use super::check::{defined, evidence, months, points, unique, within, wrong};
use super::raw;
use super::{Category, Escalation, Item, Mode, Rule, STEP, SchemeError, SchemeProblem, Scoring, Tier, Veto};

pub(super) fn items(
    file: &raw::File,
    categories: &[Category],
    known: &BTreeSet<&Code>,
    vetoes: &[Veto],
) -> Result<Vec<Item>, SchemeError> {
    unique("items", file.items.iter().map(|item| &item.code))?;
    let mut items = Vec::with_capacity(file.items.len());
    for (position, raw) in file.items.iter().enumerate() {
        let place = format!("items[{position}]");
        let category = categories
            .iter()
            .position(|category| category.code == raw.category)
            .ok_or_else(|| {
                wrong(
                    format!("{place}.category"),
                    SchemeProblem::Undefined {
                        kind: "category",
                        code: raw.category.clone(),
                    },
                )
            })?;
        if categories.get(category).map(|category| category.mode) != Some(raw.mode) {
            return Err(wrong(format!("{place}.mode"), SchemeProblem::Mode));
        }
        let max = points(&format!("{place}.max"), raw.max)?;
        within(&format!("{place}.max"), max, STEP, file.scheme.max_total.0)?;
        let scoring = match raw.mode {
            Mode::Deduction if raw.tiers.is_empty() => {
                for (at, code) in raw.veto.iter().enumerate() {
                    let holds = vetoes.iter().any(|veto| veto.code == *code);
                    defined(&format!("{place}.veto[{at}]"), "veto", code, holds)?;
                }
                let rules = rules(&place, raw, max, &file.scheme)?;
                Scoring::Deduction {
                    rules,
                    vetoes: raw.veto.clone(),
                }
            }
            Mode::Bonus if raw.rules.is_empty() && raw.veto.is_empty() => match raw.tiers.as_slice() {
                [] => Scoring::Steps,
                raw => Scoring::Tiers(tiers(&place, raw, max)?),
            },
            Mode::Deduction | Mode::Bonus => return Err(wrong(place, SchemeProblem::Mode)),
        };
        items.push(Item {
            code: raw.code.clone(),
            category,
            name: LocalizedText::new(raw.zh.clone(), raw.en.clone()),
            seed: raw.seed,
            max,
            evidence: evidence(&place, &raw.evidence, known)?,
            scoring,
        });
    }
    Ok(items)
}

fn rules(item: &str, raw: &raw::Item, max: Points, head: &raw::Head) -> Result<Vec<Rule>, SchemeError> {
    unique(&format!("{item}.rules"), raw.rules.iter().map(|rule| &rule.event))?;
    let mut rules = Vec::with_capacity(raw.rules.len());
    for (position, rule) in raw.rules.iter().enumerate() {
        let place = format!("{item}.rules[{position}]");
        let (zh, en) = (rule.zh.clone(), rule.en.clone());
        let title = LocalizedText::new(
            zh.unwrap_or_else(|| format!("{}（{}）", raw.zh, rule.event)),
            en.unwrap_or_else(|| format!("{} ({})", raw.en, rule.event)),
        );
        rules.push(Rule {
            event: rule.event.clone(),
            title,
            severity: rule.severity,
            points: within(&place, points(&place, rule.points)?, STEP, max)?,
            window: months(&format!("{place}.window_months"), rule.window_months)?,
            penalty: rule.penalty,
            gated: rule.penalty && !head.penalty_gate_excludes.contains(&rule.event),
            rectify: head.always_rectify.contains(&rule.event),
            note: rule.note.clone(),
        });
    }
    Ok(rules)
}

fn tiers(item: &str, raw: &[raw::Tier], max: Points) -> Result<Vec<Tier>, SchemeError> {
    let list = format!("{item}.tiers");
    unique(&list, raw.iter().map(|tier| &tier.when))?;
    let mut tiers: Vec<Tier> = Vec::with_capacity(raw.len());
    for (position, tier) in raw.iter().enumerate() {
        let place = format!("{list}[{position}]");
        let points = within(&place, points(&place, tier.points)?, STEP, max)?;
        if tiers.last().is_some_and(|before| before.points >= points) {
            return Err(wrong(list, SchemeProblem::Order("the smallest tier up")));
        }
        tiers.push(Tier {
            when: tier.when.clone(),
            points,
        });
    }
    Ok(tiers)
}

/// Where each kind of event counts: in one item only.
pub(super) fn index(items: &[Item]) -> Result<BTreeMap<Code, (usize, usize)>, SchemeError> {
    let mut index = BTreeMap::new();
    for (position, item) in items.iter().enumerate() {
        let Scoring::Deduction { rules, .. } = &item.scoring else {
            continue;
        };
        for (at, rule) in rules.iter().enumerate() {
            if index.insert(rule.event.clone(), (position, at)).is_some() {
                let place = format!("items[{position}].rules[{at}]");
                return Err(wrong(place, SchemeProblem::Duplicate(rule.event.clone())));
            }
        }
    }
    Ok(index)
}

pub(super) fn escalations(
    raw: &[raw::Escalation],
    rules: &BTreeMap<Code, (usize, usize)>,
) -> Result<Vec<Escalation>, SchemeError> {
    let mut escalations: Vec<Escalation> = Vec::with_capacity(raw.len());
    for (position, escalation) in raw.iter().enumerate() {
        let place = format!("scheme.escalations[{position}]");
        for code in [&escalation.from, &escalation.to] {
            defined(&place, "event", code, rules.contains_key(code))?;
            // What an event counts as has one answer.
            if escalation.from == escalation.to || escalations.iter().any(|known| known.covers(code)) {
                return Err(wrong(place, SchemeProblem::Duplicate(code.clone())));
            }
        }
        escalations.push(Escalation {
            from: escalation.from.clone(),
            to: escalation.to.clone(),
            nth: within(&format!("{place}.nth"), escalation.nth, 2, 100)?,
            within: months(&format!("{place}.within_months"), escalation.within_months)?,
        });
    }
    Ok(escalations)
}
