//! From the file as written to a scheme that holds together, or every place where it does not.

use std::collections::BTreeSet;
use std::fmt::Display;

use greenstar_kernel::{Code, LocalizedText, Month, Points, RatingState};

use super::fault::Faults;
use super::grades::grades;
use super::items::{escalations, index, items};
use super::procedure::procedure;
use super::raw::{self, Number};
use super::{
    Category, Effect, EvidenceKind, Item, Mode, Publicity, STEP, Scheme, SchemeFaults, SchemeKey,
    SchemeProblem, Veto,
};
use crate::domain::round::RoundState;

/// The order in which the scorer works; a file that wants another one is refused, not misread.
const ORDER: [&str; 7] = [
    "category_A",
    "categories_B_to_E_with_caps",
    "thresholds",
    "drop",
    "cap",
    "veto_strip_sets_the_state",
    "deliberation_may_confirm_or_lower_with_reason",
];
const MAX_MONTHS: Month = Month(600);
/// Nobody splits points finer than this.
const FINEST_STEP: Points = Points::from_milli(10);
const MOST_POINTS: Points = Points::whole(10_000);

pub(super) fn checked(file: raw::File) -> Result<Scheme, SchemeFaults> {
    let mut faults = Faults::default();
    let head = &file.scheme;
    let key = SchemeKey::new(head.id.clone(), &head.version);
    faults.check(key.is_some(), "scheme.version", || SchemeProblem::Version);
    if let Some(step) = head.step {
        within(
            &mut faults,
            "scheme.step",
            step.0,
            FINEST_STEP,
            Points::whole(100),
        );
    }
    let step = head.step.map_or(STEP, |step| step.0.max(FINEST_STEP));
    words(&mut faults, &file);
    months(
        &mut faults,
        "scheme.evaluation_cycle_months",
        head.evaluation_cycle_months,
    );
    let days = &file.process_days;
    months(
        &mut faults,
        "process_days.rating_valid_months",
        days.rating_valid_months,
    );
    let max_total = points(&mut faults, "scheme.max_total", head.max_total, step);
    within(&mut faults, "scheme.max_total", max_total, step, MOST_POINTS);

    let severities = &head.severity_map;
    let publicity = [
        publicity(&mut faults, "scheme.severity_map.minor", &severities.minor),
        publicity(&mut faults, "scheme.severity_map.ordinary", &severities.ordinary),
        publicity(&mut faults, "scheme.severity_map.serious", &severities.serious),
    ];
    let evidence_kinds = evidence_kinds(&mut faults, &file.evidence_kinds);
    let known: BTreeSet<&Code> = evidence_kinds.iter().map(|kind| &kind.code).collect();
    let categories = categories(&mut faults, &file.categories, max_total, step);
    let vetoes = vetoes(&mut faults, &file.vetoes, &known, &file.stars);
    let items = items(&mut faults, &file, &categories, &known, &vetoes, step);
    idle_caps(&mut faults, &categories, &items);
    let rules = index(&mut faults, &items);
    let excluded = head.penalty_gate_excludes.as_deref().unwrap_or_default();
    for (list, codes) in [
        ("penalty_gate_excludes", excluded),
        ("always_rectify", &head.always_rectify),
        ("suspended_while_rectifying", &head.suspended_while_rectifying),
    ] {
        for (position, code) in codes.iter().enumerate() {
            let place = format!("scheme.{list}[{position}]");
            defined(&mut faults, &place, "event", code, rules.contains_key(code));
        }
    }
    let escalations = escalations(&mut faults, &head.escalations, &rules);
    let grades = grades(&mut faults, &file.stars, &categories, step);
    let below = &file.below_threshold;
    let below_en = below
        .en
        .clone()
        .or_else(|| below.note.clone())
        .unwrap_or_else(|| "not listed".to_owned());
    let procedure = procedure(&mut faults, &file.process_days.days, file.procedure.as_ref());
    let Some(key) = key else {
        return Err(faults.into_faults());
    };
    let scheme = Scheme {
        key,
        district: head.jurisdiction.gb2260.clone(),
        district_name: LocalizedText::new(head.jurisdiction.zh.clone(), head.jurisdiction.en.clone()),
        cycle: head.evaluation_cycle_months,
        max_total,
        step,
        offsets: head.bonus_may_offset.clone(),
        categories,
        items,
        vetoes,
        grades,
        below: LocalizedText::new(below.zh.clone(), below_en),
        escalations,
        valid: days.rating_valid_months,
        procedure,
        process_days: days.days.clone(),
        evidence_kinds,
        publicity,
        rules,
    };
    faults.into_result(scheme)
}

/// What a file may say in one way only.
fn words(faults: &mut Faults, file: &raw::File) {
    let head = &file.scheme;
    let states = |written: &Option<Vec<String>>, known: Vec<&str>| {
        let written = written.as_deref();
        written.is_none_or(|written| written.iter().map(String::as_str).eq(known))
    };
    let known = RatingState::ALL.map(RatingState::as_str).to_vec();
    let rating_states = states(&file.rating_states, known);
    let known = RoundState::ALL.map(RoundState::as_str).to_vec();
    let round_states = states(&file.round_states, known);
    let order = states(&file.calculation_order, ORDER.to_vec());
    for (place, holds, what) in [
        (
            "scheme.event_clock",
            head.event_clock == "decision_date",
            "decision_date",
        ),
        (
            "scheme.repaired_event",
            head.repaired_event == "stops_counting",
            "stops_counting",
        ),
        (
            "calculation_order",
            order,
            "the order A, B to E, thresholds, drop, cap, strip",
        ),
        (
            "rating_states",
            rating_states,
            "the six rating states, RATED first",
        ),
        (
            "round_states",
            round_states,
            "the eight round states, DRAFT first",
        ),
        (
            "below_threshold.state",
            file.below_threshold.state == "NOT_LISTED",
            "NOT_LISTED",
        ),
    ] {
        faults.check(holds, place, || SchemeProblem::Unsupported(what));
    }
}

pub(super) fn defined(
    faults: &mut Faults,
    place: &str,
    kind: &'static str,
    code: &Code,
    holds: bool,
) -> bool {
    faults.check(holds, place, || SchemeProblem::Undefined {
        kind,
        code: code.clone(),
    })
}

pub(super) fn within<T: PartialOrd + Display>(
    faults: &mut Faults,
    place: &str,
    got: T,
    least: T,
    most: T,
) -> bool {
    let holds = got >= least && got <= most;
    faults.check(holds, place, || SchemeProblem::Range {
        got: got.to_string(),
        least: least.to_string(),
        most: most.to_string(),
    })
}

pub(super) fn points(faults: &mut Faults, place: &str, raw: Number, step: Points) -> Points {
    let Number(got) = raw;
    let holds = !got.is_negative() && got.milli() % step.milli() == 0;
    faults.check(holds, place, || SchemeProblem::Step { got, step });
    got
}

pub(super) fn months(faults: &mut Faults, place: &str, months: Month) -> bool {
    within(faults, place, months.0, 1, MAX_MONTHS.0)
}

/// Every code once, and at least one.
pub(super) fn unique<'a>(faults: &mut Faults, list: &str, codes: impl Iterator<Item = &'a Code>) {
    let mut seen = BTreeSet::new();
    for (position, code) in codes.enumerate() {
        faults.check(seen.insert(code), format!("{list}[{position}]"), || {
            SchemeProblem::Duplicate(code.clone())
        });
    }
    faults.check(!seen.is_empty(), list, || SchemeProblem::Empty);
}

fn publicity(faults: &mut Faults, place: &str, raw: &raw::Publicity) -> Publicity {
    let most = raw.max_public.0;
    within(
        faults,
        &format!("{place}.max_public"),
        most,
        raw.min_public.0,
        MAX_MONTHS.0,
    );
    Publicity {
        zh: raw.zh.clone(),
        publish: raw.publish,
        min: raw.min_public,
        max: raw.max_public,
    }
}

fn evidence_kinds(faults: &mut Faults, raw: &[raw::EvidenceKind]) -> Vec<EvidenceKind> {
    unique(faults, "evidence_kinds", raw.iter().map(|kind| &kind.code));
    raw.iter()
        .map(|kind| EvidenceKind {
            code: kind.code.clone(),
            name: kind.name(),
            issuer: kind.issuer,
        })
        .collect()
}

pub(super) fn evidence(
    faults: &mut Faults,
    place: &str,
    codes: &[Code],
    known: &BTreeSet<&Code>,
) -> Vec<Code> {
    let place = format!("{place}.evidence");
    unique(faults, &place, codes.iter());
    for (position, code) in codes.iter().enumerate() {
        let place = format!("{place}[{position}]");
        defined(faults, &place, "evidence kind", code, known.contains(code));
    }
    codes.to_vec()
}

fn categories(faults: &mut Faults, raw: &[raw::Category], max_total: Points, step: Points) -> Vec<Category> {
    unique(faults, "categories", raw.iter().map(|category| &category.code));
    let mut categories = Vec::with_capacity(raw.len());
    for (position, category) in raw.iter().enumerate() {
        let place = format!("categories[{position}]");
        let cap = points(faults, &format!("{place}.cap"), category.cap, step);
        let at = format!("{place}.base");
        let base = points(faults, &at, category.base, step);
        within(faults, &at, base, Points::ZERO, cap);
        let at = format!("{place}.floor");
        let floor = points(faults, &at, category.floor, step);
        within(faults, &at, floor, Points::ZERO, base);
        categories.push(Category {
            code: category.code.clone(),
            name: LocalizedText::new(category.zh.clone(), category.en.clone()),
            mode: category.mode,
            base,
            floor,
            cap,
        });
    }
    let sum: Points = categories.iter().map(|category| category.cap).sum();
    faults.check(sum == max_total, "categories", || SchemeProblem::Caps(sum));
    categories
}

/// A cap is a promise of points: base and items can fill it.
fn idle_caps(faults: &mut Faults, categories: &[Category], items: &[Item]) {
    for (position, category) in categories.iter().enumerate() {
        let of_it = items.iter().filter(|item| item.category == position);
        let most = of_it.fold(category.base, |sum, item| sum + item.gives());
        let cap = category.cap;
        faults.check(cap <= most, format!("categories[{position}].cap"), || {
            SchemeProblem::CapIdle { cap, most }
        });
    }
}

fn vetoes(
    faults: &mut Faults,
    raw: &[raw::Veto],
    known: &BTreeSet<&Code>,
    grades: &[raw::Grade],
) -> Vec<Veto> {
    if !raw.is_empty() {
        unique(faults, "vetoes", raw.iter().map(|veto| &veto.code));
    }
    let mut vetoes = Vec::with_capacity(raw.len());
    for (position, veto) in raw.iter().enumerate() {
        let place = format!("vetoes[{position}]");
        let effect = match (veto.effect, veto.max_star, veto.stars) {
            (raw::Effect::Strip, None, None) => Effect::Strip,
            (raw::Effect::Cap, Some(star), None) => {
                let exists = grades.iter().any(|grade| grade.star == star);
                faults.check(exists, format!("{place}.max_star"), || SchemeProblem::Effect);
                Effect::Cap(star)
            }
            (raw::Effect::Drop, None, Some(stars)) => {
                within(faults, &format!("{place}.stars"), stars, 1, 5);
                Effect::Drop(stars)
            }
            (raw::Effect::Strip | raw::Effect::Cap | raw::Effect::Drop, _, _) => {
                faults.add(&place, SchemeProblem::Effect);
                Effect::Strip
            }
        };
        months(faults, &format!("{place}.min_months"), veto.min_months);
        vetoes.push(Veto {
            code: veto.code.clone(),
            name: LocalizedText::new(veto.zh.clone(), veto.en.clone()),
            effect,
            min: veto.min_months,
            repairable: veto.repairable,
            basis: veto.basis.clone(),
            evidence: evidence(faults, &place, &veto.evidence, known),
            note: veto.note.clone(),
        });
    }
    vetoes
}

/// Whether an item may stand in a category.
pub(super) fn fits(category: Mode, item: Mode) -> bool {
    match (category, item) {
        (Mode::Mixed, Mode::Deduction | Mode::Bonus)
        | (Mode::Deduction, Mode::Deduction)
        | (Mode::Bonus, Mode::Bonus) => true,
        (Mode::Mixed | Mode::Deduction | Mode::Bonus, Mode::Mixed)
        | (Mode::Deduction, Mode::Bonus)
        | (Mode::Bonus, Mode::Deduction) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::scheme::{Item, Scoring};
    use greenstar_kernel::Star;

    const FILE: &str = include_str!("../../../data/schemes/daxing-green-credit.yaml");

    fn faults(from: &str, to: &str) -> Vec<crate::domain::scheme::SchemeFault> {
        assert!(FILE.contains(from), "{from}");
        Scheme::proved(&FILE.replacen(from, to, 1)).unwrap_err().0
    }

    fn refused(from: &str, to: &str) -> (String, SchemeProblem) {
        let first = faults(from, to).swap_remove(0);
        (first.place, first.problem)
    }

    #[test]
    fn the_whole_file_is_read() {
        let scheme = Scheme::parse(FILE).unwrap();
        assert_eq!(scheme.key.to_string(), "daxing-green-credit@2021.1-proposal");
        assert_eq!(
            (
                scheme.items.len(),
                scheme.vetoes.len(),
                scheme.evidence_kinds.len()
            ),
            (30, 15, 21)
        );
        assert_eq!(
            scheme
                .grades
                .iter()
                .map(|grade| grade.star.get())
                .collect::<Vec<_>>(),
            [5, 4, 3]
        );
        assert_eq!(scheme.valid, Month(12));
        let titled = |item: &Item| match &item.scoring {
            Scoring::Deduction { rules, .. } => rules.iter().all(|rule| !rule.title.en.contains('_')),
            Scoring::Steps | Scoring::Tiers(_) | Scoring::Marks => true,
        };
        assert!(scheme.items.iter().all(titled));
        let (item, rule) = scheme.rule(&Code::parse("warning").unwrap()).unwrap();
        assert_eq!(
            (item.code.as_str(), rule.penalty, rule.gated),
            ("A08", true, false)
        );
        assert_eq!(scheme.vetoes[13].effect, Effect::Cap(Star::try_from(3).unwrap()));
        assert!(!scheme.vetoes[0].repairable);
        assert_eq!(scheme.process_days["public_comment"], "10WD");
    }

    #[test]
    fn a_rule_without_a_title_is_called_by_its_item_and_code() {
        let scheme = Scheme::parse(&FILE.replacen("warning, zh: 警告, en: Warning,", "warning,", 1)).unwrap();
        let (_, rule) = scheme.rule(&Code::parse("warning").unwrap()).unwrap();
        assert_eq!(rule.title.zh, "行政处罚与行政命令（warning）");
        assert_eq!(rule.title.en, "Administrative penalties and orders (warning)");
    }

    #[test]
    fn a_kind_that_escalates_twice_is_refused() {
        let one =
            "- { from: complaint_verified_minor, to: complaint_verified_repeat, nth: 3, within_months: 12 }";
        let other =
            "- { from: complaint_verified_repeat, to: media_exposure_verified, nth: 2, within_months: 6 }";
        let (place, problem) = refused(one, &format!("{one}\n    {other}"));
        assert_eq!(place, "scheme.escalations[1]");
        assert!(matches!(problem, SchemeProblem::Duplicate(_)));
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(48))]

        /// An officer's slip of the pen is an error with a place, never a panic.
        #[test]
        fn a_damaged_file_is_read_or_refused(at in 0..FILE.lines().count(), with in "\\PC{0,30}", keep in 0..60usize) {
            let damaged = |(position, line): (usize, &str)| {
                if position == at { line.chars().take(keep).collect::<String>() + &with } else { line.to_owned() }
            };
            let file: Vec<String> = FILE.lines().enumerate().map(damaged).collect();
            if let Err(error) = Scheme::parse(&file.join("\n")) {
                proptest::prop_assert!(error.0.iter().all(|fault| !fault.place.is_empty()));
            }
        }
    }

    #[test]
    fn a_wrong_scheme_is_refused_with_its_place() {
        assert!(matches!(
            refused("max_total: 100", "max_total: 99"),
            (_, SchemeProblem::Caps(_))
        ));
        assert!(
            matches!(refused("points: 1,  window", "points: 1.25,  window"), (place, SchemeProblem::Step { .. })
            if place == "items[1].rules[0].points")
        );
        assert!(
            matches!(refused("points: 12, window", "points: 13, window"), (place, SchemeProblem::Range { .. })
            if place == "items[7].rules[4].points")
        );
        assert!(
            matches!(refused("code: B02", "code: B01"), (place, SchemeProblem::Duplicate(_))
            if place == "items[11]")
        );
        assert!(
            matches!(refused("evidence: [MON, CEMS, PEN]", "evidence: [MON, CEMS, XXX]"),
            (place, SchemeProblem::Undefined { .. }) if place == "items[2].evidence[2]")
        );
        assert!(matches!(
            refused("veto: [V05]", "veto: [V55]"),
            (_, SchemeProblem::Undefined { .. })
        ));
        assert!(matches!(
            refused("event: disclosure_late", "event: warning"),
            (_, SchemeProblem::Duplicate(_))
        ));
        assert!(
            matches!(refused("effect: cap, max_star: 3", "effect: cap"), (place, SchemeProblem::Effect)
            if place == "vetoes[13]")
        );
        assert!(matches!(
            refused("effect: cap, max_star: 3", "effect: cap, max_star: 2"),
            (_, SchemeProblem::Effect)
        ));
        assert!(matches!(
            refused("star: 5, zh", "star: 4, zh"),
            (_, SchemeProblem::Order(_))
        ));
        assert!(matches!(
            refused("min_total: 60", "min_total: 80"),
            (_, SchemeProblem::Easier)
        ));
        assert!(matches!(
            refused("min_A: 57", "min_A: 61"),
            (_, SchemeProblem::Unreachable { .. })
        ));
        assert!(matches!(
            refused("star: 3, zh", "star: 6, zh"),
            (_, SchemeProblem::Unreadable(_))
        ));
        assert!(matches!(
            refused("window_months: 36", "window_monthz: 36"),
            (_, SchemeProblem::Unreadable(_))
        ));
        assert!(matches!(
            refused("window_months: 36", "window_months: 0"),
            (_, SchemeProblem::Range { .. })
        ));
        assert!(matches!(
            refused("[category_A, cat", "[cat"),
            (_, SchemeProblem::Unsupported(_))
        ));
        assert!(matches!(
            refused(
                "points: 2 }, { when: annual_mean_le_50",
                "points: 4 }, { when: annual_mean_le_50"
            ),
            (_, SchemeProblem::Order(_))
        ));
        assert!(matches!(
            refused(
                "D01, category: D, mode: bonus",
                "D01, category: D, mode: deduction"
            ),
            (_, SchemeProblem::Mode)
        ));
    }
}
