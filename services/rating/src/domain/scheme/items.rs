//! Items with their rules and tiers, and the kinds of event that turn into others.

use std::collections::{BTreeMap, BTreeSet};

use greenstar_kernel::{Code, LocalizedText, Points};

use super::check::{defined, evidence, fits, months, points, unique, within};
use super::fault::Faults;
use super::raw;
use super::{Category, Escalation, Item, Mode, Rule, SchemeProblem, Scoring, Tier, Veto, Window};

pub(super) fn items(
    faults: &mut Faults,
    file: &raw::File,
    categories: &[Category],
    known: &BTreeSet<&Code>,
    vetoes: &[Veto],
    step: Points,
) -> Vec<Item> {
    unique(faults, "items", file.items.iter().map(|item| &item.code));
    let mut items = Vec::with_capacity(file.items.len());
    for (position, raw) in file.items.iter().enumerate() {
        let place = format!("items[{position}]");
        let category = categories
            .iter()
            .position(|category| category.code == raw.category);
        let holds = category.is_some();
        defined(
            faults,
            &format!("{place}.category"),
            "category",
            &raw.category,
            holds,
        );
        let Some(category) = category else { continue };
        let mode = categories.get(category).map(|category| category.mode);
        let allowed = mode.is_some_and(|mode| fits(mode, raw.mode));
        faults.check(allowed, format!("{place}.mode"), || SchemeProblem::Mode);
        let at = format!("{place}.max");
        let max = points(faults, &at, raw.max, step);
        within(faults, &at, max, step, file.scheme.max_total.0);
        let scoring = match raw.mode {
            Mode::Deduction if raw.tiers.is_empty() && !raw.marks => {
                for (at, code) in raw.veto.iter().enumerate() {
                    let holds = vetoes.iter().any(|veto| veto.code == *code);
                    defined(faults, &format!("{place}.veto[{at}]"), "veto", code, holds);
                }
                Scoring::Deduction {
                    rules: rules(faults, &place, raw, max, &file.scheme, step),
                    vetoes: raw.veto.clone(),
                }
            }
            Mode::Bonus if raw.rules.is_empty() && raw.veto.is_empty() => {
                match (raw.marks, raw.tiers.as_slice()) {
                    (true, []) => Scoring::Marks,
                    (false, []) => Scoring::Steps,
                    (false, tiered) => Scoring::Tiers(tiers(faults, &place, tiered, max, step)),
                    (true, _) => {
                        faults.add(&place, SchemeProblem::Mode);
                        continue;
                    }
                }
            }
            Mode::Deduction | Mode::Bonus | Mode::Mixed => {
                faults.add(&place, SchemeProblem::Mode);
                continue;
            }
        };
        items.push(Item {
            code: raw.code.clone(),
            category,
            name: LocalizedText::new(raw.zh.clone(), raw.en.clone()),
            seed: raw.seed,
            max,
            evidence: evidence(faults, &place, &raw.evidence, known),
            scoring,
        });
    }
    items
}

fn rules(
    faults: &mut Faults,
    item: &str,
    raw: &raw::Item,
    max: Points,
    head: &raw::Head,
    step: Points,
) -> Vec<Rule> {
    unique(
        faults,
        &format!("{item}.rules"),
        raw.rules.iter().map(|rule| &rule.event),
    );
    let mut rules = Vec::with_capacity(raw.rules.len());
    for (position, rule) in raw.rules.iter().enumerate() {
        let place = format!("{item}.rules[{position}]");
        let (zh, en) = (rule.zh.clone(), rule.en.clone());
        let title = LocalizedText::new(
            zh.unwrap_or_else(|| format!("{}（{}）", raw.zh, rule.event)),
            en.unwrap_or_else(|| format!("{} ({})", raw.en, rule.event)),
        );
        let at = format!("{place}.points");
        let taken = points(faults, &at, rule.points, step);
        within(faults, &at, taken, step, max);
        // The shipped proposal says so for every scheme: a warning is a penalty that the gate does not count.
        let excluded = match &head.penalty_gate_excludes {
            Some(codes) => codes.contains(&rule.event),
            None => rule.event.as_str() == "warning",
        };
        rules.push(Rule {
            event: rule.event.clone(),
            title,
            severity: rule.severity,
            points: taken,
            window: window(faults, &place, rule),
            penalty: rule.penalty,
            gated: rule.penalty && !excluded,
            rectify: head.always_rectify.contains(&rule.event),
            suspendable: head.suspended_while_rectifying.contains(&rule.event),
            note: rule.note.clone(),
        });
    }
    rules
}

fn window(faults: &mut Faults, place: &str, rule: &raw::Rule) -> Window {
    match (rule.window_months, rule.window) {
        (Some(window), None) => {
            months(faults, &format!("{place}.window_months"), window);
            Window::Months(window)
        }
        (None, Some(raw::NamedWindow::CalendarYear)) => Window::CalendarYear,
        (Some(_), Some(_)) | (None, None) => {
            let what = "one of window_months and window: calendar_year";
            faults.add(format!("{place}.window"), SchemeProblem::Unsupported(what));
            Window::CalendarYear
        }
    }
}

fn tiers(faults: &mut Faults, item: &str, raw: &[raw::Tier], max: Points, step: Points) -> Vec<Tier> {
    let list = format!("{item}.tiers");
    unique(faults, &list, raw.iter().map(|tier| &tier.when));
    let mut tiers: Vec<Tier> = Vec::with_capacity(raw.len());
    for (position, tier) in raw.iter().enumerate() {
        let place = format!("{list}[{position}].points");
        let points = points(faults, &place, tier.points, step);
        within(faults, &place, points, step, max);
        let rises = tiers.last().is_none_or(|before| before.points < points);
        faults.check(rises, &list, || SchemeProblem::Order("the smallest tier up"));
        tiers.push(Tier {
            when: tier.when.clone(),
            points,
        });
    }
    tiers
}

/// Where each kind of event counts: in one item only.
pub(super) fn index(faults: &mut Faults, items: &[Item]) -> BTreeMap<Code, (usize, usize)> {
    let mut index = BTreeMap::new();
    for (position, item) in items.iter().enumerate() {
        let Scoring::Deduction { rules, .. } = &item.scoring else {
            continue;
        };
        for (at, rule) in rules.iter().enumerate() {
            let new = index.insert(rule.event.clone(), (position, at)).is_none();
            faults.check(new, format!("items[{position}].rules[{at}]"), || {
                SchemeProblem::Duplicate(rule.event.clone())
            });
        }
    }
    index
}

pub(super) fn escalations(
    faults: &mut Faults,
    raw: &[raw::Escalation],
    rules: &BTreeMap<Code, (usize, usize)>,
) -> Vec<Escalation> {
    let mut escalations: Vec<Escalation> = Vec::with_capacity(raw.len());
    for (position, escalation) in raw.iter().enumerate() {
        let place = format!("scheme.escalations[{position}]");
        for code in [&escalation.from, &escalation.to] {
            defined(faults, &place, "event", code, rules.contains_key(code));
            // What an event counts as has one answer.
            let twice =
                escalation.from == escalation.to || escalations.iter().any(|known| known.covers(code));
            faults.check(!twice, &place, || SchemeProblem::Duplicate(code.clone()));
        }
        within(faults, &format!("{place}.nth"), escalation.nth, 2, 100);
        months(
            faults,
            &format!("{place}.within_months"),
            escalation.within_months,
        );
        escalations.push(Escalation {
            from: escalation.from.clone(),
            to: escalation.to.clone(),
            nth: escalation.nth,
            within: escalation.within_months,
        });
    }
    escalations
}
