//! The vectors of the scheme, our own at item level, and the comparison with the reference scorer.

use std::sync::LazyLock;

use greenstar_kernel::{Points, Standing, Star, Timestamp};
use greenstar_rating::domain::event::Event;
use greenstar_rating::domain::score::{Assessment, Award, Gate, Grant, GrantError, assess};
use greenstar_rating::domain::transition::{Cause, next_transition};
use serde_yaml_ng::Value;

use crate::facts::{FILE, code, date, event, five_star, never, noon, points, scheme, ticked};
use crate::reference::Reference;

pub(crate) static REFERENCE: LazyLock<Reference> = LazyLock::new(|| Reference::new(FILE));

fn star(rank: i64) -> Standing {
    Standing::Rated(Star::try_from(rank).unwrap())
}

fn at(awards: &[Award], events: &[Event], on: &str) -> Assessment {
    assess(scheme(), awards, events, never(), noon(on)).unwrap()
}

/// Bonus awards that sum to a raw figure, item by item.
fn filled(category: &str, mut raw: i64) -> Vec<Award> {
    let scheme = scheme();
    let mut awards = Vec::new();
    for item in &scheme.items {
        if scheme.categories[item.category].code.as_str() != category {
            continue;
        }
        let grant = (0..=item.max.milli() / 500).rev().find_map(|steps| {
            let worth = Points::from_milli(steps * 500);
            let conditions = match &item.scoring {
                greenstar_rating::domain::scheme::Scoring::Tiers(tiers) => {
                    Some(tiers.iter().find(|tier| tier.points == worth)?.when.clone())
                }
                _ => None,
            };
            (worth.milli() <= raw * 1000).then(|| match conditions {
                Some(when) => (worth, Grant::Conditions(vec![when])),
                None => (worth, Grant::Points(worth)),
            })
        });
        if let Some((worth, grant)) = grant {
            raw -= worth.milli() / 1000;
            awards.push(crate::facts::award(item.code.as_str(), grant));
        }
    }
    awards
}

/// Events that take so many points from A.
fn deducting(points: i64) -> Vec<Event> {
    let heavy = [
        ("suspension_or_licence_revoked", 12),
        ("eia_condition_not_met", 5),
        ("acceptance_incomplete", 5),
        ("permit_terms_breached", 6),
        ("permit_change_not_filed", 4),
        ("exceedance_over_twofold", 8),
        ("facility_not_running", 4),
        ("manifest_missing", 4),
        ("media_exposure_verified", 3),
        ("disclosure_missing", 3),
        ("cems_valid_rate_under_90", 2),
        ("eia_filing_missing", 2),
        ("label_or_storage_defect", 1),
        ("complaint_verified_minor", 1),
        ("disclosure_late", 1),
    ];
    let (mut left, mut events) = (points, Vec::new());
    for (number, (kind, worth)) in heavy.into_iter().enumerate() {
        if worth <= left {
            left -= worth;
            events.push(event(kind, &number.to_string(), "2026-06-01"));
        }
    }
    assert_eq!(left, 0, "{points}");
    events
}

#[test]
fn the_vectors_of_the_scheme_hold() {
    let file: Value = serde_yaml_ng::from_str(FILE).unwrap();
    let vectors = file["test_vectors"].as_sequence().unwrap();
    assert_eq!(vectors.len(), 9);
    for vector in vectors {
        let name = vector["name"].as_str().unwrap();
        let taken = vector["A_deducted"].as_i64().unwrap();
        // 76 is the sum of all item caps: more events than fit, so the caps are what is tested.
        let mut events = if taken == 76 {
            all_events()
        } else {
            deducting(taken)
        };
        let mut awards = Vec::new();
        for category in ["B", "C", "D", "E"] {
            let raw = vector[category].as_i64().unwrap();
            let most: i64 = scheme()
                .items
                .iter()
                .filter(|item| scheme().categories[item.category].code.as_str() == category)
                .map(|item| item.max.milli() / 1000)
                .sum();
            awards.extend(filled(category, raw.min(most)));
        }
        for veto in vector["vetoes"].as_sequence().into_iter().flatten() {
            events.push(event(veto.as_str().unwrap(), "veto", "2026-06-01"));
        }
        let result = at(&awards, &events, "2026-07-01");
        assert_eq!(
            result.total,
            Points::whole(vector["total"].as_i64().unwrap()),
            "{name}"
        );
        let expected = match &vector["star"] {
            Value::Number(rank) => star(rank.as_i64().unwrap()),
            Value::String(state) if state == "NOT_LISTED" => Standing::NotListed,
            Value::String(state) if state == "VETOED" => Standing::Vetoed,
            other => panic!("{other:?}"),
        };
        assert_eq!(result.standing, expected, "{name}");
    }
}

/// Every kind of event eight times, each with a document of its own.
fn all_events() -> Vec<Event> {
    let mut events = Vec::new();
    for item in &scheme().items {
        if let greenstar_rating::domain::scheme::Scoring::Deduction { rules, .. } = &item.scoring {
            for rule in rules.iter().flat_map(|rule| std::iter::repeat_n(rule, 8)) {
                events.push(event(
                    rule.event.as_str(),
                    &events.len().to_string(),
                    "2026-06-20",
                ));
            }
        }
    }
    events
}

#[test]
fn all_caps_together_take_seventy_six_and_the_category_stops_at_its_floor() {
    let result = at(&[], &all_events(), "2026-07-01");
    let taken: Points = result.lines.iter().map(|line| line.points).sum();
    assert_eq!(taken, Points::whole(-76));
    assert_eq!(result.categories[0].points, Points::ZERO);
}

#[test]
fn a_window_ends_at_midnight_after_its_last_day() {
    let events = [event("exceedance_hourly_average", "1", "2026-01-31")];
    let scheme = scheme();
    let end = date("2026-08-01").start();
    let before = assess(
        scheme,
        &[],
        &events,
        never(),
        Timestamp::from_micros(end.micros() - 1),
    )
    .unwrap();
    assert_eq!(before.total, Points::whole(59));
    assert_eq!(before.lines[2].deductions[0].until, end);
    assert_eq!(
        assess(scheme, &[], &events, never(), end).unwrap().total,
        Points::whole(60)
    );
}

#[test]
fn a_repair_ends_the_deduction_at_once() {
    let mut fine = event("fine_ordinary", "1", "2026-06-01");
    assert_eq!(
        at(&five_star(), std::slice::from_ref(&fine), "2026-07-01").standing,
        star(4)
    );
    fine.repaired_at = Some(noon("2026-07-01"));
    let repaired = at(&five_star(), &[fine], "2026-07-01");
    assert_eq!(
        (repaired.standing, repaired.total, repaired.penalties),
        (star(5), Points::whole(93), 0)
    );
}

#[test]
fn of_the_ticked_tiers_the_highest_counts_and_half_points_stay_half() {
    let both = ticked(
        "B01",
        &["annual_mean_le_70pct_of_limit", "annual_mean_le_50pct_of_limit"],
    );
    assert_eq!(at(&[both], &[], "2026-07-01").total, Points::whole(64));
    let none = ticked("B01", &[]);
    assert_eq!(
        at(
            &[none, points("B02", "1.5"), points("C05", "0.5")],
            &[],
            "2026-07-01"
        )
        .total,
        Points::whole(62)
    );
    assert_eq!(
        at(&[points("B02", "2.5")], &[], "2026-07-01").total,
        Points::from_milli(62_500)
    );
}

#[test]
fn an_award_that_does_not_fit_its_item_is_refused() {
    let scheme = scheme();
    let worth = |item: &str, grant: Grant| grant.worth(scheme, &code(item));
    let half = |raw: &str| Grant::Points(raw.parse().unwrap());
    assert!(matches!(
        worth("B02", half("3.5")),
        Err(GrantError::Points { .. })
    ));
    assert!(matches!(
        worth("B02", half("0.25")),
        Err(GrantError::Points { .. })
    ));
    assert!(matches!(worth("B02", half("-1")), Err(GrantError::Points { .. })));
    assert!(matches!(worth("B01", half("2")), Err(GrantError::Tier { .. })));
    assert!(matches!(
        worth("B01", Grant::Conditions(vec![code("grade_B")])),
        Err(GrantError::Tier { .. })
    ));
    assert!(matches!(
        worth("B02", Grant::Conditions(vec![])),
        Err(GrantError::Tier { .. })
    ));
    assert!(matches!(worth("A01", half("1")), Err(GrantError::ItemUnknown(_))));
    assert!(matches!(worth("Z01", half("1")), Err(GrantError::ItemUnknown(_))));
}

#[test]
fn a_cap_allows_three_stars_and_a_drop_counts_before_it() {
    let capped = at(&five_star(), &[event("V14", "1", "2026-06-01")], "2026-07-01");
    assert_eq!(capped.standing, star(3));
    assert!(matches!(capped.blocked.as_slice(), [Gate::Veto { veto, .. }] if veto.as_str() == "V14"));
    let both = [event("V14", "1", "2026-06-01"), event("V13", "2", "2026-06-01")];
    // 5 - 1 = 4, then at most 3.
    assert_eq!(at(&five_star(), &both, "2026-07-01").standing, star(3));
}

#[test]
fn a_drop_from_three_stars_leaves_the_directory_and_says_so() {
    let dropped = at(&[], &[event("V13", "1", "2026-06-01")], "2026-07-01");
    assert_eq!((dropped.standing, dropped.dropped), (Standing::NotListed, true));
    let below = at(
        &[],
        &[event("permit_terms_breached", "1", "2026-06-01")],
        "2026-07-01",
    );
    assert_eq!((below.standing, below.dropped), (Standing::NotListed, false));
}

#[test]
fn drops_add_up() {
    let two = [event("V13", "1", "2026-06-01"), event("V13", "2", "2026-06-02")];
    assert_eq!(at(&five_star(), &two, "2026-07-01").standing, star(3));
    let three = [two[0].clone(), two[1].clone(), event("V13", "3", "2026-06-03")];
    assert_eq!(
        at(&five_star(), &three, "2026-07-01").standing,
        Standing::NotListed
    );
}

#[test]
fn a_penalty_blocks_five_stars_for_24_months_but_a_warning_does_not() {
    let fine = [event("fine_ordinary", "1", "2026-06-01")];
    // The points are back after 12 months, the gate holds for 24.
    let later = at(&five_star(), &fine, "2027-06-02");
    assert_eq!((later.total, later.standing), (Points::whole(93), star(4)));
    assert!(matches!(
        later.blocked.as_slice(),
        [Gate::Penalties {
            allowed: 0,
            have: 1,
            ..
        }]
    ));
    assert_eq!(at(&five_star(), &fine, "2028-06-02").standing, star(5));
    assert_eq!(
        at(&five_star(), &[event("warning", "1", "2026-06-01")], "2026-07-01").standing,
        star(5)
    );
}

#[test]
fn an_open_rectification_blocks_four_stars_until_it_is_confirmed() {
    let mut order = event("correction_order", "1", "2026-06-01");
    let open = at(&five_star(), std::slice::from_ref(&order), "2026-07-01");
    assert_eq!((open.standing, open.open_rectification), (star(3), true));
    order.rectified_at = Some(noon("2026-06-20"));
    assert_eq!(at(&five_star(), &[order], "2026-07-01").standing, star(5));
}

#[test]
fn one_document_counts_once_where_it_deducts_most() {
    let fine = event("fine_ordinary", "7", "2026-06-01");
    let exceedance = event("exceedance_over_twofold", "7", "2026-06-01");
    let both = at(&[], &[fine.clone(), exceedance.clone()], "2026-07-01");
    assert_eq!(both.total, Points::whole(52));
    assert_eq!(both.lines[2].deductions.len() + both.lines[7].deductions.len(), 1);
    // It is still a penalty.
    assert_eq!(both.penalties, 1);
    // At another site it is another matter.
    let elsewhere = Event {
        site: Some("002".into()),
        ..fine
    };
    assert_eq!(
        at(&[], &[elsewhere, exceedance], "2026-07-01").total,
        Points::whole(47)
    );
}

#[test]
fn a_veto_ends_when_its_months_have_passed_and_the_rectification_is_confirmed() {
    let mut veto = event("V08", "1", "2026-06-01");
    assert_eq!(
        at(&five_star(), std::slice::from_ref(&veto), "2029-01-01").standing,
        Standing::Vetoed
    );
    veto.rectified_at = Some(noon("2026-08-01"));
    assert_eq!(
        at(&five_star(), std::slice::from_ref(&veto), "2027-06-01").standing,
        Standing::Vetoed
    );
    assert_eq!(
        at(&five_star(), std::slice::from_ref(&veto), "2027-06-02").standing,
        star(5)
    );
    veto.rectified_at = None;
    veto.repaired_at = Some(noon("2026-09-01"));
    assert_eq!(at(&five_star(), &[veto], "2026-09-01").standing, star(5));
    let crime = Event {
        repaired_at: Some(noon("2026-09-01")),
        ..event("V01", "1", "2026-06-01")
    };
    assert_eq!(
        at(&five_star(), &[crime], "2026-09-02").standing,
        Standing::Vetoed
    );
}

#[test]
fn validity_ends_in_expired_but_a_veto_outlives_it() {
    let scheme = scheme();
    let end = date("2026-07-01").start();
    let score = |events: &[Event]| assess(scheme, &five_star(), events, end, end).unwrap().standing;
    assert_eq!(score(&[]), Standing::Expired);
    assert_eq!(score(&[event("V08", "1", "2026-06-01")]), Standing::Vetoed);
}

#[test]
fn the_gate_that_blocked_the_next_star_is_named() {
    // A = 56 of 57 although the total is 96.
    let mut awards = five_star();
    awards.extend([
        points("B06", "1"),
        points("C05", "2"),
        points("C06", "1"),
        points("E03", "1"),
    ]);
    let blocked = at(
        &awards,
        &[event("permit_change_not_filed", "1", "2026-06-01")],
        "2026-07-01",
    );
    assert_eq!(blocked.standing, star(4));
    let [
        Gate::Category {
            category,
            needed,
            have,
            ..
        },
    ] = blocked.blocked.as_slice()
    else {
        panic!("{:?}", blocked.blocked)
    };
    assert_eq!(
        (category.as_str(), *needed, *have),
        ("A", Points::whole(57), Points::whole(56))
    );
}

#[test]
fn a_scheme_that_does_not_know_an_event_gives_no_score() {
    let mut foreign = event("warning", "1", "2026-06-01");
    foreign.kind = code("unheard_of");
    assert!(assess(scheme(), &[], &[foreign], never(), noon("2026-07-01")).is_err());
}

#[test]
fn the_next_transition_names_what_ends() {
    let scheme = scheme();
    let events = [event("fine_ordinary", "1", "2026-06-01")];
    let next = |now: &str| {
        next_transition(
            scheme,
            &five_star(),
            &events,
            date("2029-01-01").start(),
            noon(now),
        )
    };
    let window = next("2026-07-01").unwrap().unwrap();
    assert_eq!(
        (window.at, window.standing),
        (date("2027-06-02").start(), star(4))
    );
    assert!(matches!(window.causes.as_slice(), [Cause::Window(_)]));
    assert_eq!(window.cause().en, "\"Fine (ordinary)\" no longer deducts");
    let gate = next("2027-06-02").unwrap().unwrap();
    assert_eq!((gate.at, gate.standing), (date("2028-06-02").start(), star(5)));
    assert!(matches!(gate.causes.as_slice(), [Cause::Penalty(_)]));
    let last = next("2028-06-02").unwrap().unwrap();
    assert_eq!(
        (last.standing, last.causes),
        (Standing::Expired, vec![Cause::Validity])
    );
    assert_eq!(next("2029-01-01").unwrap(), None);
}

/// What ends at the next transition, by event.
fn ending(events: &[Event], now: &str) -> Vec<String> {
    let next = next_transition(scheme(), &five_star(), events, never(), noon(now));
    let causes = next.unwrap().unwrap().causes.into_iter();
    causes
        .map(|cause| match cause {
            Cause::Validity => "validity".to_owned(),
            Cause::Veto(ended) | Cause::Window(ended) | Cause::Penalty(ended) | Cause::Suspension(ended) => {
                ended.event.to_string()
            }
        })
        .collect()
}

#[test]
fn a_cause_is_what_counted_and_all_that_change_the_result_are_named() {
    // Of one document only the heavier counts.
    let fine = event("fine_ordinary", "1", "2026-06-01");
    let breach = event("permit_terms_breached", "1", "2026-06-01");
    assert_eq!(
        ending(&[fine.clone(), breach.clone()], "2026-07-01"),
        ["e-1-permit_terms_breached"]
    );
    // Two documents: both.
    let other = event("manifest_missing", "2", "2026-06-01");
    assert_eq!(
        ending(&[breach, other], "2026-07-01"),
        ["e-1-permit_terms_breached", "e-2-manifest_missing"]
    );
    // A cap beside a strip that goes on changes nothing when it ends.
    let mut cap = event("V14", "3", "2026-06-01");
    cap.rectified_at = Some(noon("2026-06-20"));
    let crime = event("V01", "4", "2026-06-01");
    let disclosure = event("disclosure_late", "5", "2026-06-01");
    assert_eq!(
        ending(&[cap.clone(), crime, disclosure.clone()], "2026-07-01"),
        ["e-5-disclosure_late"]
    );
    assert_eq!(
        ending(&[cap, disclosure], "2026-07-01"),
        ["e-3-V14", "e-5-disclosure_late"]
    );
}

#[test]
fn of_several_complaints_the_later_ones_are_repeats_in_whatever_order_they_were_recorded() {
    let complaint = |id: &str, on: &str| event("complaint_verified_minor", id, on);
    // Recorded newest first.
    let mut events = vec![
        complaint("1", "2026-11-01"),
        complaint("2", "2026-10-01"),
        complaint("3", "2025-11-05"),
    ];
    let line = |events: &[Event], on: &str| {
        let assessed = at(&[], events, on);
        let line = assessed
            .lines
            .iter()
            .find(|line| line.item.as_str() == "A09")
            .unwrap();
        let mut kinds: Vec<_> = line
            .deductions
            .iter()
            .map(|deduction| format!("{} {}", deduction.event, deduction.kind))
            .collect();
        kinds.sort();
        (line.points, kinds)
    };
    let expected = [
        "e-1-complaint_verified_minor complaint_verified_repeat",
        "e-2-complaint_verified_minor complaint_verified_minor",
        "e-3-complaint_verified_minor complaint_verified_minor",
    ];
    assert_eq!(
        line(&events, "2026-11-02"),
        (Points::whole(-5), expected.map(str::to_owned).to_vec())
    );
    events.reverse();
    assert_eq!(line(&events, "2026-11-02").0, Points::whole(-5));
    // The first no longer deducts, but the last is still the third of its year.
    assert_eq!(line(&events, "2026-11-07").0, Points::whole(-4));
    // A repaired one is no complaint any more, so the last is the second.
    events[0].repaired_at = Some(noon("2026-11-03"));
    assert_eq!(line(&events, "2026-11-03").0, Points::whole(-2));
    // A day later than a year after the first it would have been the second as well.
    let apart = [
        complaint("1", "2026-11-06"),
        complaint("2", "2026-10-01"),
        complaint("3", "2025-11-05"),
    ];
    assert_eq!(line(&apart, "2026-11-06").0, Points::whole(-2));
}

#[test]
fn a_veto_that_dropped_the_last_star_is_named() {
    let events = [event("V13", "1", "2026-06-01"), event("V14", "2", "2026-06-01")];
    let dropped = at(&[], &events, "2026-07-01");
    assert!(dropped.dropped);
    assert!(
        matches!(dropped.blocked.as_slice(), [Gate::Drop { veto, stars: 1, .. }] if veto.as_str() == "V13")
    );
    assert!(
        dropped.blocked[0]
            .text()
            .en
            .contains("General environmental emergency")
    );
}
