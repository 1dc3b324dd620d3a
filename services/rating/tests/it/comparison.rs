//! Random firms: the scorer and the reference scorer agree, and time alone brings what was announced.

use greenstar_kernel::{Points, Timestamp};
use greenstar_rating::domain::event::Event;
use greenstar_rating::domain::scheme::Scheme;
use greenstar_rating::domain::score::{Award, Grant, assess};
use greenstar_rating::domain::transition::next_transition;
use proptest::prelude::*;

use crate::facts::{code, date, event, five_star, never, scheme};
use crate::scoring::REFERENCE;

pub(crate) const KINDS: [&str; 25] = [
    "eia_filing_missing",
    "acceptance_incomplete",
    "execution_report_late",
    "permit_terms_breached",
    "exceedance_hourly_average",
    "exceedance_daily_average",
    "exceedance_over_twofold",
    "quota_usage_over_95pct_unreported",
    "facility_maintenance_lapse",
    "facility_not_running",
    "cems_valid_rate_under_90",
    "label_or_storage_defect",
    "manifest_missing",
    "correction_order",
    "warning",
    "fine_ordinary",
    "seizure_or_production_limit",
    "complaint_verified_minor",
    "complaint_verified_repeat",
    "media_exposure_verified",
    "V01",
    "V08",
    "V11",
    "V13",
    "V14",
];

prop_compose! {
    pub(crate) fn some_event()(
        kind in 0..KINDS.len(),
        number in 0..6u8,
        days in 0..900i32,
        site in proptest::option::weighted(0.3, Just("001".to_owned())),
        rectified in proptest::option::weighted(0.6, 0..400i32),
        repaired in proptest::option::weighted(0.2, 0..400i32),
        required in proptest::bool::weighted(0.3),
    ) -> Event {
        // Six numbers and three dates, so that documents meet.
        let on = date("2024-01-31").plus_days(days / 300 * 300).to_string();
        let mut made = event(KINDS[kind], &number.to_string(), &on);
        let moment = |after: i32| made.document.date.plus_days(after).start();
        made.rectified_at = rectified.map(moment);
        made.repaired_at = repaired.map(moment);
        made.rectification_required |= required;
        made.site = site;
        made
    }
}

pub(crate) fn some_awards() -> impl Strategy<Value = Vec<Award>> {
    proptest::collection::vec(0..=8i64, 20).prop_map(|steps| {
        let scheme = scheme();
        let mut awards = Vec::new();
        let bonus = scheme.items.iter().filter(|item| item.code.as_str() > "B");
        for (item, steps) in bonus.zip(steps) {
            let grant = match &item.scoring {
                greenstar_rating::domain::scheme::Scoring::Tiers(tiers) => Grant::Conditions(
                    tiers
                        .iter()
                        .take(usize::try_from(steps).unwrap() / 3)
                        .map(|tier| tier.when.clone())
                        .collect(),
                ),
                _ => Grant::Points(Points::from_milli(steps * 500).min(item.max)),
            };
            awards.push(crate::facts::award(item.code.as_str(), grant));
        }
        awards
    })
}

/// A document with one kind stands once: the domain refuses it a second time.
pub(crate) fn distinct(mut events: Vec<Event>) -> Vec<Event> {
    let mut kept: Vec<Event> = Vec::new();
    events.retain(|event| {
        let fresh = !kept
            .iter()
            .any(|known| known.kind == event.kind && known.same_document(event));
        kept.extend(fresh.then(|| event.clone()));
        fresh
    });
    events
}

fn compare(scheme: &Scheme, awards: &[Award], events: &[Event], valid: Timestamp, at: Timestamp) {
    let ours = assess(scheme, awards, events, valid, at).unwrap();
    let theirs = REFERENCE.score(awards, events, valid, at);
    let halves: Vec<i64> = ours
        .categories
        .iter()
        .map(|category| category.points.milli() / 500)
        .collect();
    assert_eq!((ours.standing, halves), (theirs.standing, theirs.categories));
    assert_eq!(
        ours.total.milli() / 500,
        ours.categories
            .iter()
            .map(|c| c.points.milli() / 500)
            .sum::<i64>()
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(160))]

    #[test]
    fn the_scorer_agrees_with_the_reference(
        events in proptest::collection::vec(some_event(), 0..9),
        awards in some_awards(),
        day in 0..1500i32,
        valid in 900..1500i32,
    ) {
        let events = distinct(events);
        let start = date("2026-12-01");
        let valid = date("2024-06-01").plus_days(valid).start();
        compare(scheme(), &awards, &events, valid, start.plus_days(day - 300).start());
    }

    /// Who typed what first is no part of a score.
    #[test]
    fn any_order_of_recording_gives_the_same_score(
        complaints in proptest::collection::vec((0..24i32, 0..4u8, any::<bool>(), any::<bool>()), 0..10),
        seed in proptest::collection::vec(any::<u16>(), 10),
        day in 0..500i32,
    ) {
        let kind = |repeat| if repeat { "complaint_verified_repeat" } else { "complaint_verified_minor" };
        let recorded = |order: &[(i32, u8, bool, bool)]| {
            // Ids grow in the order of recording.
            let numbered = order.iter().enumerate().flat_map(|(at, (weeks, number, repeat, exposed))| {
                let on = date("2025-06-01").plus_days(weeks * 28).to_string();
                let mut made = event(kind(*repeat), &number.to_string(), &on);
                made.id = code(&format!("e-{at:03}"));
                // The same paper in another item, where it may take as much.
                let also = exposed.then(|| event("media_exposure_verified", &number.to_string(), &on));
                [Some(made), also].into_iter().flatten()
            });
            distinct(numbered.collect())
        };
        let mut shuffled: Vec<_> = complaints.iter().copied().zip(seed).collect();
        shuffled.sort_by_key(|(_, seed)| *seed);
        let shuffled: Vec<_> = shuffled.into_iter().map(|(one, _)| one).collect();
        let now = date("2026-06-01").plus_days(day).start();
        let score = |events: &[Event]| {
            let assessed = assess(scheme(), &five_star(), events, never(), now).unwrap();
            (assessed.standing, assessed.categories)
        };
        prop_assert_eq!(score(&recorded(&complaints)), score(&recorded(&shuffled)));
        compare(scheme(), &five_star(), &recorded(&shuffled), never(), now);
    }

    /// Going from transition to transition gives, at every instant, what scoring at that instant gives.
    #[test]
    fn transitions_applied_by_time_equal_scoring_at_that_time(
        events in proptest::collection::vec(some_event(), 0..7),
        awards in some_awards(),
        valid in 1..1200i32,
        probes in proptest::collection::vec(0..2000i32, 12),
    ) {
        let scheme = scheme();
        let events = distinct(events);
        // Later than every confirmation and repair: from here on only time changes anything.
        let start = date("2027-09-01");
        let (now, valid) = (start.start(), start.plus_days(valid).start());
        let first = assess(scheme, &awards, &events, valid, now).unwrap();
        let mut states = vec![(now, first.standing, first.total)];
        while let Some(next) =
            next_transition(scheme, &awards, &events, valid, states.last().unwrap().0).unwrap()
        {
            prop_assert!(next.at > states.last().unwrap().0);
            states.push((next.at, next.standing, next.total));
        }
        for day in probes {
            let at = start.plus_days(day).start();
            let scored = assess(scheme, &awards, &events, valid, at).unwrap();
            let applied = states.iter().rev().find(|state| state.0 <= at).unwrap();
            prop_assert_eq!((applied.1, applied.2), (scored.standing, scored.total));
        }
    }
}
