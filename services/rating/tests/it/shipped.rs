//! The shipped schemes of other places, against the facts that are known of them.

use std::collections::BTreeMap;

use greenstar_kernel::{Points, Standing, Star, Timestamp};
use greenstar_rating::domain::event::{Event, Meaning, Suspension};
use greenstar_rating::domain::scheme::{Scheme, Scoring, Window};
use greenstar_rating::domain::score::{Assessment, Award, Grant, assess};
use greenstar_rating::domain::transition::{Cause, next_transition};
use greenstar_rating::{DEFAULT_SCHEME, OTHER_SCHEMES};

use crate::facts::{code, date, event, never, noon, points};

fn shipped(id: &str) -> Scheme {
    let file = OTHER_SCHEMES
        .into_iter()
        .find(|file| file.contains(&format!("id: {id}\n")))
        .unwrap();
    Scheme::proved(file).unwrap()
}

/// An event of any scheme, with a document of its own.
fn of(scheme: &Scheme, kind: &str, number: &str, on: &str) -> Event {
    let meaning = Meaning::of(scheme, &code(kind)).unwrap();
    Event {
        id: code(number),
        kind: code(kind),
        severity: meaning.severity(),
        rectification_required: false,
        ..event("warning", number, on)
    }
}

fn score(scheme: &Scheme, awards: &[Award], events: &[Event], at: Timestamp) -> Assessment {
    assess(scheme, awards, events, never(), at).unwrap()
}

fn label(scheme: &Scheme, assessment: &Assessment) -> String {
    let star = assessment.standing.star().unwrap();
    scheme.grade(star).unwrap().color.clone().unwrap().to_string()
}

#[test]
fn every_shipped_scheme_is_proved() {
    Scheme::proved(DEFAULT_SCHEME).unwrap();
    for file in OTHER_SCHEMES {
        if let Err(faults) = Scheme::proved(file) {
            panic!("{faults}");
        }
    }
}

#[test]
fn jiangsu_starts_with_nine_blue_points_and_a_fine_for_exceedance_takes_three_for_half_a_year() {
    let scheme = shipped("jiangsu-twelve-points");
    let clean = score(&scheme, &[], &[], noon("2026-06-01"));
    assert_eq!(
        (clean.total, label(&scheme, &clean).as_str()),
        (Points::whole(9), "blue")
    );
    let fined = [of(&scheme, "exceedance_fine", "f1", "2026-06-01")];
    let then = score(&scheme, &[], &fined, noon("2026-12-01"));
    assert_eq!(
        (then.total, label(&scheme, &then).as_str()),
        (Points::whole(6), "blue")
    );
    let next = next_transition(&scheme, &[], &fined, never(), noon("2026-06-02"))
        .unwrap()
        .unwrap();
    assert_eq!(
        (next.at, next.total),
        (date("2026-12-02").start(), Points::whole(9))
    );
}

#[test]
fn jiangsu_colours_follow_the_points_and_a_crime_takes_all_twelve() {
    let scheme = shipped("jiangsu-twelve-points");
    let kept = [points("J05", "1"), points("J06", "2")];
    // What the events take, what the commitment gives, and the colour.
    for (kinds, awards, total, color) in [
        (vec![], &kept[..], 12, "green"),
        (vec![], &kept[1..], 11, "green"),
        (vec!["permit_paperwork_lapse"], &kept[..], 11, "green"),
        (vec![], &kept[..1], 10, "blue"),
        (vec!["exceedance_fine"], &[], 6, "blue"),
        (
            vec!["facility_not_running", "facility_not_running"],
            &[],
            5,
            "yellow",
        ),
        (vec!["no_permit_discharge"], &[], 3, "yellow"),
        (vec!["exceedance_grave", "permit_paperwork_lapse"], &[], 2, "red"),
        (vec!["exceedance_fine", "built_without_eia"], &[], 1, "red"),
        (vec!["no_permit_discharge", "exceedance_fine"], &[], 0, "black"),
        (vec!["environmental_crime"], &kept[..], 0, "black"),
    ] {
        let events: Vec<Event> = kinds
            .iter()
            .enumerate()
            .map(|(number, kind)| of(&scheme, kind, &format!("e{number}"), "2026-05-01"))
            .collect();
        let found = score(&scheme, awards, &events, noon("2026-06-01"));
        assert_eq!(
            (found.total, label(&scheme, &found).as_str()),
            (Points::whole(total), color),
            "{kinds:?}"
        );
    }
    let half = assess(&scheme, &[points("J06", "1.5")], &[], never(), noon("2026-06-01"));
    assert!(half.is_err(), "points of this scheme are whole");
}

#[test]
fn shandong_counts_from_nothing_each_year_anew() {
    let scheme = shipped("shandong-negative-list");
    let at = noon("2026-11-30");
    let taken = |assessment: &Assessment| Points::whole(12) - assessment.total;
    let clean = score(&scheme, &[], &[], at);
    assert_eq!(
        (taken(&clean), label(&scheme, &clean).as_str()),
        (Points::ZERO, "green")
    );
    let mut events = Vec::new();
    for (kind, listed, color) in [
        ("warning", 1, "yellow"),
        ("fine_ordinary", 4, "yellow"),
        ("supervised_rectification", 10, "yellow"),
        ("correction_order", 11, "yellow"),
        ("warning", 12, "red"),
    ] {
        let number = format!("d{}", events.len());
        events.push(of(&scheme, kind, &number, "2026-03-01"));
        let found = score(&scheme, &[], &events, at);
        assert_eq!(
            (taken(&found), label(&scheme, &found).as_str()),
            (Points::whole(listed), color)
        );
    }
    // All of it falls away with the year, by time alone.
    let next = next_transition(&scheme, &[], &events, never(), at)
        .unwrap()
        .unwrap();
    assert_eq!(next.at, date("2027-01-01").start());
    let star = Star::try_from(3).unwrap();
    assert_eq!(
        (next.standing, next.total),
        (Standing::Rated(star), Points::whole(12))
    );
    assert_eq!(
        score(&scheme, &[], &events, noon("2026-12-31")).total,
        Points::ZERO
    );
}

#[test]
fn shaanxi_starts_with_seventy_and_has_thirty_two_indicators() {
    let scheme = shipped("shaanxi-base-70");
    assert_eq!(scheme.items.len(), 32);
    let at = noon("2026-06-01");
    let clean = score(&scheme, &[], &[], at);
    assert_eq!(
        (clean.total, label(&scheme, &clean).as_str()),
        (Points::whole(70), "blue")
    );
    let good: Vec<Award> = ["X26", "X27", "X28", "X29"].map(|item| points(item, "5")).into();
    let best = score(&scheme, &good, &[], at);
    assert_eq!(
        (best.total, label(&scheme, &best).as_str()),
        (Points::whole(90), "green")
    );
    let fined = [
        of(&scheme, "fine_ordinary", "f", "2026-05-01"),
        of(&scheme, "eia_breach", "e", "2026-05-01"),
    ];
    let warned = score(&scheme, &[], &fined, at);
    assert_eq!(
        (warned.total, label(&scheme, &warned).as_str()),
        (Points::whole(55), "yellow")
    );
    let worse = [
        of(&scheme, "data_forged", "g", "2026-05-01"),
        of(&scheme, "fine_ordinary", "f", "2026-05-01"),
        of(&scheme, "eia_breach", "e", "2026-05-01"),
    ];
    let bad = score(&scheme, &[], &worse, at);
    assert_eq!(
        (bad.total, label(&scheme, &bad).as_str()),
        (Points::whole(35), "red")
    );
    assert_eq!(scheme.process_days["public_comment"], "10WD");
}

#[test]
fn the_national_measures_weigh_twenty_one_indicators() {
    let scheme = shipped("national-21-indicators");
    assert_eq!(scheme.items.len(), 21);
    let mut groups: BTreeMap<&str, Points> = BTreeMap::new();
    for item in &scheme.items {
        *groups
            .entry(scheme.categories[item.category].code.as_str())
            .or_default() += item.max;
    }
    let percent =
        [("A", 29), ("B", 5), ("C", 54), ("D", 12)].map(|(group, weight)| (group, Points::whole(weight)));
    assert_eq!(groups, percent.into());
    // Single weights that sources give.
    for (item, weight) in [
        ("N01", 15),
        ("N02", 5),
        ("N03", 5),
        ("N04", 4),
        ("N05", 2),
        ("N15", 10),
        ("N17", 15),
    ] {
        assert_eq!(
            scheme.item(&code(item)).unwrap().max,
            Points::whole(weight),
            "{item}"
        );
    }
    let marked = |mark: &str| -> Vec<Award> {
        let marks = scheme.items.iter().filter(|item| item.scoring == Scoring::Marks);
        marks.map(|item| points(item.code.as_str(), mark)).collect()
    };
    let at = noon("2026-06-01");
    for (mark, total, color) in [
        ("100", "100", "green"),
        ("87", "88.95", "blue"),
        ("60", "66", "yellow"),
        ("50", "57.5", "red"),
    ] {
        let found = score(&scheme, &marked(mark), &[], at);
        assert_eq!(
            (found.total.to_string().as_str(), label(&scheme, &found).as_str()),
            (total, color)
        );
    }
    let emergency = [of(&scheme, "R11", "v", "2026-05-01")];
    assert_eq!(
        label(&scheme, &score(&scheme, &marked("100"), &emergency, at)),
        "blue"
    );
    let crime = [of(&scheme, "R01", "v", "2026-05-01")];
    assert_eq!(label(&scheme, &score(&scheme, &marked("100"), &crime, at)), "red");
    assert!(
        Grant::Points("100.5".parse().unwrap())
            .worth(&scheme, &code("N01"))
            .is_err()
    );
    assert!(
        Grant::Points("87.5".parse().unwrap())
            .worth(&scheme, &code("N01"))
            .is_err()
    );
}

#[test]
fn points_rest_while_an_agreed_plan_runs_and_come_back_when_it_ends_by_time() {
    let scheme = Scheme::parse(DEFAULT_SCHEME).unwrap();
    let mut lapse = event("ledger_incomplete", "1", "2026-05-01");
    let mut fine = event("fine_ordinary", "2", "2026-05-01");
    for event in [&mut lapse, &mut fine] {
        event.suspensions.push(Suspension {
            plan: code("p1"),
            from: noon("2026-06-01"),
            until: date("2026-09-01").start(),
        });
    }
    let events = [lapse, fine];
    let total = |on: &str| score(&scheme, &[], &events, noon(on)).total;
    assert_eq!(total("2026-05-31"), Points::whole(54));
    // The scheme lets the points of a ledger rest, and not those of a fine.
    assert_eq!(total("2026-06-01"), Points::whole(55));
    assert_eq!(total("2026-09-01"), Points::whole(54));
    let next = next_transition(&scheme, &[], &events, never(), noon("2026-06-01"))
        .unwrap()
        .unwrap();
    assert_eq!(
        (next.at, next.total),
        (date("2026-09-01").start(), Points::whole(54))
    );
    assert!(
        matches!(next.causes.as_slice(), [Cause::Suspension(ended)] if ended.kind.as_str() == "ledger_incomplete")
    );
    let (_, rule) = scheme.rule(&code("ledger_incomplete")).unwrap();
    assert!(rule.suspendable && matches!(rule.window, Window::Months(_)));
}
