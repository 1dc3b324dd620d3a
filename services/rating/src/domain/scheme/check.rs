//! From the file as written to a scheme that holds together, or the first place where it does not.

use std::collections::BTreeSet;
use std::fmt::Display;

use greenstar_kernel::{Code, LocalizedText, Month, Points, RatingState};

use super::items::{escalations, index, items};
use super::raw::{self, Number};
use super::{
    Category, Effect, EvidenceKind, Grade, Publicity, STEP, Scheme, SchemeError, SchemeKey, SchemeProblem,
    Veto,
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

pub(super) fn checked(file: raw::File) -> Result<Scheme, SchemeError> {
    let head = &file.scheme;
    let key = SchemeKey::new(head.id.clone(), &head.version)
        .ok_or_else(|| wrong("scheme.version", SchemeProblem::Version))?;
    supported(
        "scheme.event_clock",
        head.event_clock == "decision_date",
        "decision_date",
    )?;
    supported(
        "scheme.repaired_event",
        head.repaired_event == "stops_counting",
        "stops_counting",
    )?;
    supported(
        "calculation_order",
        file.calculation_order == ORDER,
        "the order A, B to E, thresholds, drop, cap, strip",
    )?;
    supported(
        "rating_states",
        file.rating_states
            .iter()
            .map(String::as_str)
            .eq(RatingState::ALL.map(RatingState::as_str)),
        "the six rating states, RATED first",
    )?;
    supported(
        "round_states",
        file.round_states
            .iter()
            .map(String::as_str)
            .eq(RoundState::ALL.map(RoundState::as_str)),
        "the eight round states, DRAFT first",
    )?;
    supported(
        "below_threshold.state",
        file.below_threshold.state == "NOT_LISTED",
        "NOT_LISTED",
    )?;
    months("scheme.evaluation_cycle_months", head.evaluation_cycle_months)?;
    months(
        "process_days.rating_valid_months",
        file.process_days.rating_valid_months,
    )?;
    let max_total = points("scheme.max_total", head.max_total)?;

    let severities = &head.severity_map;
    let publicity = [
        publicity("scheme.severity_map.minor", &severities.minor)?,
        publicity("scheme.severity_map.ordinary", &severities.ordinary)?,
        publicity("scheme.severity_map.serious", &severities.serious)?,
    ];
    let evidence_kinds = evidence_kinds(&file.evidence_kinds)?;
    let known: BTreeSet<&Code> = evidence_kinds.iter().map(|kind| &kind.code).collect();
    let categories = categories(&file.categories, max_total)?;
    let vetoes = vetoes(&file.vetoes, &known, &file.stars)?;
    let items = items(&file, &categories, &known, &vetoes)?;
    let rules = index(&items)?;
    for (list, codes) in [
        ("penalty_gate_excludes", &head.penalty_gate_excludes),
        ("always_rectify", &head.always_rectify),
    ] {
        for (position, code) in codes.iter().enumerate() {
            defined(
                &format!("scheme.{list}[{position}]"),
                "event",
                code,
                rules.contains_key(code),
            )?;
        }
    }
    let escalations = escalations(&head.escalations, &rules)?;
    let grades = grades(&file.stars, &categories, max_total)?;
    let below = &file.below_threshold;
    let below_en = below
        .en
        .clone()
        .or_else(|| below.note.clone())
        .unwrap_or_else(|| "not listed".to_owned());

    Ok(Scheme {
        key,
        district: head.jurisdiction.gb2260.clone(),
        district_name: LocalizedText::new(head.jurisdiction.zh.clone(), head.jurisdiction.en.clone()),
        cycle: head.evaluation_cycle_months,
        max_total,
        categories,
        items,
        vetoes,
        grades,
        below: LocalizedText::new(below.zh.clone(), below_en),
        escalations,
        valid: file.process_days.rating_valid_months,
        process_days: file.process_days.days,
        evidence_kinds,
        publicity,
        rules,
    })
}

pub(super) fn wrong(place: impl Into<String>, problem: SchemeProblem) -> SchemeError {
    SchemeError {
        place: place.into(),
        problem,
    }
}

fn supported(place: &str, holds: bool, what: &'static str) -> Result<(), SchemeError> {
    if holds {
        Ok(())
    } else {
        Err(wrong(place, SchemeProblem::Unsupported(what)))
    }
}

pub(super) fn defined(place: &str, kind: &'static str, code: &Code, holds: bool) -> Result<(), SchemeError> {
    if holds {
        Ok(())
    } else {
        Err(wrong(
            place,
            SchemeProblem::Undefined {
                kind,
                code: code.clone(),
            },
        ))
    }
}

pub(super) fn within<T: PartialOrd + Display>(
    place: &str,
    got: T,
    least: T,
    most: T,
) -> Result<T, SchemeError> {
    if got >= least && got <= most {
        return Ok(got);
    }
    let (got, least, most) = (got.to_string(), least.to_string(), most.to_string());
    Err(wrong(place, SchemeProblem::Range { got, least, most }))
}

pub(super) fn points(place: &str, raw: Number) -> Result<Points, SchemeError> {
    let Number(points) = raw;
    if points.is_negative() || points.milli() % STEP.milli() != 0 {
        return Err(wrong(place, SchemeProblem::Step(points)));
    }
    Ok(points)
}

pub(super) fn months(place: &str, months: Month) -> Result<Month, SchemeError> {
    within(place, months.0, 1, MAX_MONTHS.0).map(Month)
}

/// Every code once.
pub(super) fn unique<'a>(list: &str, codes: impl Iterator<Item = &'a Code>) -> Result<(), SchemeError> {
    let mut seen = BTreeSet::new();
    for (position, code) in codes.enumerate() {
        if !seen.insert(code) {
            return Err(wrong(
                format!("{list}[{position}]"),
                SchemeProblem::Duplicate(code.clone()),
            ));
        }
    }
    if seen.is_empty() {
        Err(wrong(list, SchemeProblem::Empty))
    } else {
        Ok(())
    }
}

fn publicity(place: &str, raw: &raw::Publicity) -> Result<Publicity, SchemeError> {
    within(
        &format!("{place}.max_public"),
        raw.max_public.0,
        raw.min_public.0,
        MAX_MONTHS.0,
    )?;
    Ok(Publicity {
        zh: raw.zh.clone(),
        publish: raw.publish,
        min: raw.min_public,
        max: raw.max_public,
    })
}

fn evidence_kinds(raw: &[raw::EvidenceKind]) -> Result<Vec<EvidenceKind>, SchemeError> {
    unique("evidence_kinds", raw.iter().map(|kind| &kind.code))?;
    Ok(raw
        .iter()
        .map(|kind| EvidenceKind {
            code: kind.code.clone(),
            name: kind.name(),
            issuer: kind.issuer,
        })
        .collect())
}

pub(super) fn evidence(
    place: &str,
    codes: &[Code],
    known: &BTreeSet<&Code>,
) -> Result<Vec<Code>, SchemeError> {
    let place = format!("{place}.evidence");
    unique(&place, codes.iter())?;
    for (position, code) in codes.iter().enumerate() {
        defined(
            &format!("{place}[{position}]"),
            "evidence kind",
            code,
            known.contains(code),
        )?;
    }
    Ok(codes.to_vec())
}

fn categories(raw: &[raw::Category], max_total: Points) -> Result<Vec<Category>, SchemeError> {
    unique("categories", raw.iter().map(|category| &category.code))?;
    let mut categories = Vec::with_capacity(raw.len());
    for (position, category) in raw.iter().enumerate() {
        let place = format!("categories[{position}]");
        let cap = points(&format!("{place}.cap"), category.cap)?;
        let base = within(
            &format!("{place}.base"),
            points(&place, category.base)?,
            Points::ZERO,
            cap,
        )?;
        let floor = within(
            &format!("{place}.floor"),
            points(&place, category.floor)?,
            Points::ZERO,
            base,
        )?;
        let (name, mode) = (
            LocalizedText::new(category.zh.clone(), category.en.clone()),
            category.mode,
        );
        categories.push(Category {
            code: category.code.clone(),
            name,
            mode,
            base,
            floor,
            cap,
        });
    }
    let sum: Points = categories.iter().map(|category| category.cap).sum();
    if sum == max_total {
        Ok(categories)
    } else {
        Err(wrong("categories", SchemeProblem::Caps(sum)))
    }
}

fn vetoes(
    raw: &[raw::Veto],
    known: &BTreeSet<&Code>,
    grades: &[raw::Grade],
) -> Result<Vec<Veto>, SchemeError> {
    unique("vetoes", raw.iter().map(|veto| &veto.code))?;
    let mut vetoes = Vec::with_capacity(raw.len());
    for (position, veto) in raw.iter().enumerate() {
        let place = format!("vetoes[{position}]");
        let effect = match (veto.effect, veto.max_star, veto.stars) {
            (raw::Effect::Strip, None, None) => Effect::Strip,
            (raw::Effect::Cap, Some(star), None) => {
                if !grades.iter().any(|grade| grade.star == star) {
                    return Err(wrong(format!("{place}.max_star"), SchemeProblem::Effect));
                }
                Effect::Cap(star)
            }
            (raw::Effect::Drop, None, Some(stars)) => {
                Effect::Drop(within(&format!("{place}.stars"), stars, 1, 5)?)
            }
            (raw::Effect::Strip | raw::Effect::Cap | raw::Effect::Drop, _, _) => {
                return Err(wrong(place, SchemeProblem::Effect));
            }
        };
        vetoes.push(Veto {
            code: veto.code.clone(),
            name: LocalizedText::new(veto.zh.clone(), veto.en.clone()),
            effect,
            min: months(&format!("{place}.min_months"), veto.min_months)?,
            repairable: veto.repairable,
            basis: veto.basis.clone(),
            evidence: evidence(&place, &veto.evidence, known)?,
            note: veto.note.clone(),
        });
    }
    Ok(vetoes)
}

fn grades(raw: &[raw::Grade], categories: &[Category], max_total: Points) -> Result<Vec<Grade>, SchemeError> {
    let mut grades: Vec<Grade> = Vec::with_capacity(raw.len());
    for (position, grade) in raw.iter().enumerate() {
        let place = format!("stars[{position}]");
        let mut min_each = Vec::new();
        // `min_A` is the short form of `min_each: { A: … }`.
        let short = Code::parse("A").ok().zip(grade.min_a);
        for (code, least) in short
            .into_iter()
            .chain(grade.min_each.iter().map(|(code, n)| (code.clone(), *n)))
        {
            let at = categories.iter().position(|category| category.code == code);
            let (Some(at), Some(category)) = (at, at.and_then(|at| categories.get(at))) else {
                return Err(wrong(
                    place,
                    SchemeProblem::Undefined {
                        kind: "category",
                        code,
                    },
                ));
            };
            if min_each.iter().any(|(seen, _)| *seen == at) {
                return Err(wrong(place, SchemeProblem::Duplicate(code)));
            }
            let least = points(&place, least)?;
            min_each.push((
                at,
                within(&format!("{place}.min_{code}"), least, Points::ZERO, category.cap)?,
            ));
        }
        let least = points(&place, grade.min_total)?;
        let next = Grade {
            star: grade.star,
            name: LocalizedText::new(
                grade.zh.clone(),
                grade
                    .en
                    .clone()
                    .unwrap_or_else(|| format!("{} stars", grade.star)),
            ),
            min_total: within(&format!("{place}.min_total"), least, Points::ZERO, max_total)?,
            min_each,
            max_penalties: grade.max_penalties_24m,
            allows_open_rectification: grade.open_rectification,
        };
        if let Some(above) = grades.last() {
            // Without steps between, "minus one star" has one meaning.
            if i64::from(above.star) - 1 != i64::from(next.star) {
                return Err(wrong(
                    place,
                    SchemeProblem::Order("the highest star down, without gaps"),
                ));
            }
            if easier(above, &next) {
                return Err(wrong(place, SchemeProblem::Easier));
            }
        }
        grades.push(next);
    }
    match grades.first() {
        Some(_) => Ok(grades),
        None => Err(wrong("stars", SchemeProblem::Empty)),
    }
}

/// Whether a firm could reach the upper star without reaching the lower one.
fn easier(upper: &Grade, lower: &Grade) -> bool {
    let least = |category: usize| {
        upper
            .min_each
            .iter()
            .find(|(at, _)| *at == category)
            .map_or(Points::ZERO, |(_, least)| *least)
    };
    upper.min_total < lower.min_total
        || lower
            .min_each
            .iter()
            .any(|(category, needed)| least(*category) < *needed)
        || lower
            .max_penalties
            .is_some_and(|allowed| upper.max_penalties.is_none_or(|more| more > allowed))
        || (!lower.allows_open_rectification && upper.allows_open_rectification)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::scheme::{Item, Scoring};
    use greenstar_kernel::Star;

    const FILE: &str = include_str!("../../../data/schemes/daxing-green-credit.yaml");

    fn refused(from: &str, to: &str) -> (String, SchemeProblem) {
        assert!(FILE.contains(from), "{from}");
        let error = Scheme::parse(&FILE.replacen(from, to, 1)).unwrap_err();
        (error.place, error.problem)
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
            Scoring::Steps | Scoring::Tiers(_) => true,
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
                proptest::prop_assert!(!error.place.is_empty());
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
            matches!(refused("points: 1,  window", "points: 1.25,  window"), (place, SchemeProblem::Step(_))
            if place == "items[1].rules[0]")
        );
        assert!(
            matches!(refused("points: 12, window", "points: 13, window"), (place, SchemeProblem::Range { .. })
            if place == "items[7].rules[4]")
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
            (_, SchemeProblem::Range { .. })
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
