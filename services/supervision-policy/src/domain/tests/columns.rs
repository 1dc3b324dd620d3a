//! Columns and trees as policies use them: flags by severity, source and age, events, codes that a department groups.

use greenstar_kernel::{Department, Said};

use super::support::{answer, ask, catalogue, date, event, firm, flag, policy, scoped, star, today, with};
use crate::domain::catalogue::Severity;
use crate::domain::facts::{Facts, Flag};
use crate::domain::policy::{Document, Policy, PolicyDefect, PolicyErrors};

/// A policy of one matter `awards/award` that answers LIMITED where these cells hold.
fn limited_where(cells: &str, extra: &str) -> Result<Policy, PolicyErrors> {
    let text = format!(
        "policy: awards\nversion: 1\ndepartment: awards\n{extra}
matters: [{{ code: award, title: {{ zh: 评优评先, en: Awards }} }}]
outcomes:
  - {{ code: OPEN, level: NEUTRAL, title: {{ zh: 可以参评, en: Open }} }}
  - {{ code: WATCHED, level: WATCH, carried_by: strict-review, title: {{ zh: 从严, en: Watched }} }}
table:
  hit: first
  rows: [{{ when: {{ {cells} }}, outcome: WATCHED, reason: {{ zh: 是, en: it holds }} }}]
  default: {{ outcome: OPEN, reason: {{ zh: 否, en: it does not }} }}
"
    );
    policy().with(&Document {
        name: "draft.yaml".to_owned(),
        text,
    })
}

/// Whether the cells hold, by the row that decided.
fn holds(policy: &Policy, facts: &Facts) -> bool {
    let decision = ask(policy, "awards/award", facts, today());
    match decision
        .reasons
        .first()
        .and_then(|reason| reason.row())
        .as_deref()
    {
        Some("awards/1") => true,
        Some("awards/default") => false,
        other => panic!("{other:?} decided: {}", answer(&decision)),
    }
}

fn raised_by(mut flag: Flag, department: &str) -> Flag {
    flag.department = Department::parse(department).unwrap();
    flag
}

fn ordinary(document: &str) -> Flag {
    flag("ordinary-penalty", Severity::Ordinary, document, 12)
}

#[test]
fn flags_are_tested_by_severity_source_and_age() {
    let both = with(
        with(firm(star(3)), ordinary("2026-05-24")),
        raised_by(
            flag("serious-penalty", Severity::Serious, "2025-02-10", 36),
            "water-affairs",
        ),
    );
    let cases = [
        ("flag_severities: 'contains(\"ORDINARY\")'", true),
        ("flag_severities: 'contains(\"MINOR\")'", false),
        ("flag_severities: empty", false),
        ("flag_departments: 'contains(\"water-affairs\")'", true),
        ("flag_departments: 'contains(\"licensing\")'", false),
        ("flag_departments: 'not(contains(\"enforcement\"))'", false),
        // Six months after 24 May its last day still runs.
        ("flag_age_months: 5", true),
        ("flag_age_months: none", false),
        (
            "worst_severity: '\"SERIOUS\"', flag_severities: 'contains(\"ORDINARY\")'",
            true,
        ),
    ];
    for (cells, expected) in cases {
        assert_eq!(
            holds(&limited_where(cells, "").unwrap(), &both),
            expected,
            "{cells}"
        );
    }
    let clean = firm(star(3));
    for cells in [
        "flag_severities: empty",
        "flag_departments: empty",
        "flag_age_months: none",
    ] {
        assert!(holds(&limited_where(cells, "").unwrap(), &clean), "{cells}");
    }
    // Of another matter only, so it does not count here.
    let elsewhere = with(firm(star(3)), scoped(ordinary("2026-05-24"), "pollutant-permit"));
    assert!(holds(
        &limited_where("flag_departments: empty", "").unwrap(),
        &elsewhere
    ));
}

#[test]
fn p10_a_flag_of_a_department_that_the_catalogue_does_not_name_is_seen() {
    let policy = limited_where("flag_departments: 'contains(\"OTHER\")'", "").unwrap();
    assert!(!holds(&policy, &with(firm(star(3)), ordinary("2026-05-24"))));
    assert!(holds(
        &policy,
        &with(firm(star(3)), raised_by(ordinary("2026-05-24"), "space-agency"))
    ));
    let named = catalogue()
        .departments()
        .iter()
        .any(|known| known.as_str() == "space-agency");
    assert!(!named);
}

#[test]
fn events_are_counted_in_windows_of_three_months_to_three_years() {
    let mut facts = firm(star(3));
    facts.events = [
        "2026-11-01",
        "2026-08-24",
        "2026-08-23",
        "2024-01-01",
        "2023-11-23",
    ]
    .map(|day| event("complaint_verified", Severity::Minor, day))
    .into();
    for cells in ["events_3m: 2", "events_6m: 3", "events_24m: 3", "events_36m: 4"] {
        assert!(holds(&limited_where(cells, "").unwrap(), &facts), "{cells}");
    }
    assert!(date("2023-11-23") < today().date());
}

#[test]
fn a_department_groups_codes_as_it_sees_them() {
    let trees = "trees: { sector: { HEAVY: '-', C31: HEAVY, C32: HEAVY, G54: C32 }, district: { SOUTH: '-', 110115: SOUTH } }";
    let at = |sector: &str, district: &str| {
        let mut facts = firm(star(3));
        facts.sector = Some(sector.parse().unwrap());
        facts.district = Some(district.parse().unwrap());
        facts
    };
    let heavy = limited_where("sector: '\"HEAVY\"', district: '\"SOUTH\"'", trees).unwrap();
    assert!(holds(&heavy, &at("C3110", "110115")));
    assert!(holds(&heavy, &at("G5412", "110115")));
    assert!(!holds(&heavy, &at("C3310", "110115")));
    assert!(!holds(&heavy, &at("C3110", "110106")));
    let light = limited_where("sector: 'not(\"HEAVY\")'", trees).unwrap();
    assert!(!holds(&light, &at("C3110", "110115")));
    assert!(holds(&light, &at("C2710", "110115")));
}

#[test]
fn a_tree_that_is_none_is_refused_with_its_circle() {
    let refused = |trees: &str| {
        let PolicyErrors(errors) = limited_where("star: 1", trees).unwrap_err();
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(matches!(errors[0].defect, PolicyDefect::Tree { .. }));
        assert!(!errors[0].said().zh.is_empty());
        errors[0].to_string()
    };
    assert_eq!(
        refused("trees: { sector: { C27: C271 } }"),
        "policy awards: tree sector: the codes run in a circle: C27 > C271 > C27"
    );
    assert_eq!(
        refused("trees: { district: { 110115: SOUTH } }"),
        "policy awards: tree district: 110115 lies under SOUTH, which is neither a code nor a group of this tree"
    );
}
