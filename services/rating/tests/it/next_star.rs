//! The smallest change for the next star, against brute force and on its own cases.

use greenstar_kernel::{Points, Standing, Star};
use greenstar_rating::domain::event::Event;
use greenstar_rating::domain::next_star::{NextStar, next_star};
use greenstar_rating::domain::scheme::Scoring;
use greenstar_rating::domain::score::{Award, Gate, Grant, assess};

use crate::facts::{award, date, event, five_star, never, noon, points, scheme, ticked};

const TODAY: &str = "2026-11-24";

fn found(awards: &[Award], events: &[Event]) -> Option<NextStar> {
    next_star(scheme(), awards, events, never(), noon(TODAY)).unwrap()
}

fn rank(awards: &[Award], events: &[Event]) -> u8 {
    let assessed = assess(scheme(), awards, events, never(), noon(TODAY)).unwrap();
    assessed.standing.star().map_or(0, Star::get)
}

/// Every higher value of every bonus item, with what it costs.
fn options(awards: &[Award]) -> Vec<Vec<(Points, Award)>> {
    let now = assess(scheme(), awards, &[], never(), noon(TODAY)).unwrap();
    let items = scheme().items.iter().zip(&now.lines);
    let options = items.map(|(item, line)| {
        let grants: Vec<(Points, Grant)> = match &item.scoring {
            Scoring::Deduction { .. } | Scoring::Marks => Vec::new(),
            Scoring::Steps => (1..=item.max.milli() / 500)
                .map(|halves| Points::from_milli(halves * 500))
                .map(|points| (points, Grant::Points(points)))
                .collect(),
            Scoring::Tiers(tiers) => tiers
                .iter()
                .map(|tier| (tier.points, Grant::Conditions(vec![tier.when.clone()])))
                .collect(),
        };
        let higher = grants.into_iter().filter(|(points, _)| *points > line.points);
        higher
            .map(|(points, grant)| (points - line.points, award(item.code.as_str(), grant)))
            .collect()
    });
    options.filter(|options: &Vec<_>| !options.is_empty()).collect()
}

/// The fewest of at most two items, and the fewest points.
fn by_brute_force(awards: &[Award], events: &[Event]) -> Option<(usize, Points)> {
    let before = rank(awards, events);
    let helps = |more: &[&Award]| {
        let all: Vec<Award> = awards.iter().chain(more.iter().copied()).cloned().collect();
        rank(&all, events) > before
    };
    let options = options(awards);
    let single = options.iter().flatten().filter(|(_, award)| helps(&[award]));
    if let Some(cost) = single.map(|(cost, _)| *cost).min() {
        return Some((1, cost));
    }
    let mut best = None;
    for (at, left) in options.iter().enumerate() {
        for (first, second) in left.iter().flat_map(|first| {
            options[at + 1..]
                .iter()
                .flatten()
                .map(move |second| (first, second))
        }) {
            let cost = first.0 + second.0;
            if best.is_none_or(|best| cost < best) && helps(&[&first.1, &second.1]) {
                best = Some(cost);
            }
        }
    }
    best.map(|cost| (2, cost))
}

#[test]
fn the_raises_are_the_smallest_that_brute_force_finds() {
    let without = |left: &[&str]| -> Vec<Award> {
        let kept = five_star().into_iter();
        kept.filter(|award| !left.contains(&award.item.as_str()))
            .collect()
    };
    let cases: [(Vec<Award>, Vec<Event>); 5] = [
        (without(&["B01", "E02"]), Vec::new()),
        (without(&["B01", "C01", "E01"]), Vec::new()),
        (
            without(&["C01", "C02"]),
            vec![event("label_or_storage_defect", "1", "2026-06-01")],
        ),
        (
            vec![points("B02", "3"), points("C01", "3"), points("D01", "2")],
            Vec::new(),
        ),
        (vec![ticked("B05", &["grade_A_or_leading"])], Vec::new()),
    ];
    for (awards, events) in cases {
        let found = found(&awards, &events).unwrap();
        let cost: Points = found.raises.iter().map(|raise| raise.to - raise.from).sum();
        assert!(found.enough, "{found:?}");
        match by_brute_force(&awards, &events) {
            Some(smallest) => assert_eq!((found.raises.len(), cost), smallest, "{found:?}"),
            None => assert!(found.raises.len() > 2, "{found:?}"),
        }
        let raised = found.raises.iter();
        let raised = raised.map(|raise| award(raise.item.as_str(), raise.grant.clone()));
        let raised: Vec<Award> = awards.iter().cloned().chain(raised).collect();
        let before = rank(&awards, &events);
        assert_eq!(rank(&raised, &events), found.star.get());
        assert!(found.star.get() > before);
    }
}

#[test]
fn there_is_nothing_above_the_highest_star() {
    assert_eq!(rank(&five_star(), &[]), 5);
    assert_eq!(found(&five_star(), &[]), None);
}

#[test]
fn what_only_time_gives_back_is_named_with_its_end_and_points_are_not_said_to_be_enough() {
    // Six points off A: five stars take 57 of 60 there.
    let events = [event("permit_terms_breached", "1", "2026-06-01")];
    let assessed = assess(scheme(), &five_star(), &events, never(), noon(TODAY)).unwrap();
    assert_ne!(assessed.standing, Standing::Rated(Star::try_from(5).unwrap()));
    let found = found(&five_star(), &events).unwrap();
    assert!(!found.enough && found.star.get() == 5, "{found:?}");
    assert!(
        found
            .gates
            .iter()
            .any(|gate| matches!(gate, Gate::Category { category, .. } if category.as_str() == "A"))
    );
    let wait = found.waits.first().unwrap();
    assert_eq!(wait.event, events[0].id);
    let by_itself = found.by_itself.unwrap();
    assert!(
        found.waits.iter().any(|wait| wait.until == Some(by_itself)),
        "{found:?}"
    );
    let just_before = greenstar_kernel::Timestamp::from_micros(by_itself.micros() - 1);
    let star_at = |at| {
        assess(scheme(), &five_star(), &events, never(), at)
            .unwrap()
            .standing
    };
    assert_eq!(star_at(by_itself), Standing::Rated(Star::try_from(5).unwrap()));
    assert_ne!(star_at(just_before), star_at(by_itself));
    assert!(by_itself > date("2026-11-24").start());
}

#[test]
fn items_with_the_most_room_come_first_and_no_more_counts_than_the_cap_lets() {
    let found = found(&[points("E01", "2")], &[]).unwrap();
    let usable: Vec<Points> = found.rooms.iter().map(|room| room.usable).collect();
    assert!(usable.is_sorted_by(|left, right| left >= right), "{usable:?}");
    for room in &found.rooms {
        assert!(room.points < room.max && room.usable <= room.max - room.points);
    }
}
