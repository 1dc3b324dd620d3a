//! The running state of a firm against its whole history, and against the reference scorer, at every instant.

use greenstar_kernel::{Date, Timestamp};
use greenstar_rating::domain::command::{Command, NewEvent, Order, World, decide};
use greenstar_rating::domain::event::{Event, Meaning};
use greenstar_rating::domain::firm::Rated;
use greenstar_rating::domain::history::events_at;
use greenstar_rating::domain::score::{Assessment, assess};
use proptest::prelude::*;

use crate::comparison::{KINDS, distinct, some_awards, some_event};
use crate::documents::{by, uscc, world};
use crate::facts::{code, date, event, five_star, never, noon, scheme};
use crate::scoring::REFERENCE;

/// What happens next.
#[derive(Clone, Debug)]
enum Act {
    /// An event of some days ago is recorded.
    Record {
        kind: usize,
        number: u8,
        ago: i32,
        site: bool,
        required: bool,
    },
    /// The nth event's rectification is confirmed.
    Confirm(usize),
    /// The nth event is repaired.
    Repair(usize),
}

fn some_act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0..KINDS.len(), 0..5u8, 0..400i32, any::<bool>(), any::<bool>())
            .prop_map(|(kind, number, ago, site, required)| Act::Record { kind, number, ago, site, required }),
        2 => (0..8usize).prop_map(Act::Confirm),
        2 => (0..8usize).prop_map(Act::Repair),
    ]
}

fn start() -> Timestamp {
    noon("2026-06-01")
}

/// Five stars until June 2027.
fn rated() -> World {
    let mut world = world();
    let firm = world.firms.get_mut(&uscc()).unwrap();
    let valid_until = date("2027-06-02").start();
    firm.rated = Some(Rated {
        valid_until,
        ..firm.rated.clone().unwrap()
    });
    firm.rate(scheme(), start()).unwrap();
    world
}

fn rating(world: &World) -> &Rated {
    world.firms[&uscc()].rated.as_ref().unwrap()
}

fn events(world: &World) -> &[Event] {
    &world.firms[&uscc()].events
}

/// A refused command leaves the firm as it was.
fn order(world: &mut World, who: &str, at: Timestamp, command: Command) {
    let before = world.firms[&uscc()].clone();
    let order = Order {
        by: by(who),
        at,
        command,
    };
    if decide(world, &order).is_err() {
        assert_eq!(world.firms[&uscc()], before);
    }
}

/// Every transition that falls due by then is written, late; each is checked at its own instant.
fn pass(world: &mut World, to: Timestamp) {
    while let Some(due) = rating(world)
        .next
        .as_ref()
        .map(|next| next.at)
        .filter(|due| *due <= to)
    {
        order(world, "rating", to, Command::Lapse { uscc: uscc(), due });
        check(world, due, true);
    }
}

/// The running state is what the whole history gives at that instant, and what the reference gives.
fn check(world: &World, at: Timestamp, against_reference: bool) {
    let rated = rating(world);
    let whole = events_at(events(world), at, at.max(rated.rated_at));
    let again = assess(scheme(), &rated.awards, &whole, rated.valid_until, at).unwrap();
    assert_eq!(
        (rated.standing, rated.total),
        (again.standing, again.total),
        "at {at}"
    );
    assert_eq!(rated.categories, again.categories);
    if against_reference {
        let theirs = REFERENCE.score(&rated.awards, &whole, rated.valid_until, at);
        let halves = rated.categories.iter().map(|one| one.points.milli() / 500);
        assert_eq!(
            (rated.standing, halves.collect::<Vec<_>>()),
            (theirs.standing, theirs.categories)
        );
    }
}

fn act(world: &mut World, act: &Act, number: usize, at: Timestamp) {
    let nth = |world: &World, n: usize| {
        let events = events(world);
        (!events.is_empty()).then(|| events[n % events.len()].id.clone())
    };
    match act {
        Act::Record {
            kind,
            number: document,
            ago,
            site,
            required,
        } => {
            // Documents of one number meet where their dates do.
            let on: Date = at.date().plus_days(-(ago / 100 * 100));
            let on = on.min(at.date()).to_string();
            let model = event(KINDS[*kind], &document.to_string(), &on);
            let new = NewEvent {
                uscc: uscc(),
                id: code(&format!("e-{number}")),
                kind: model.kind,
                document: model.document,
                evidence: model.evidence,
                site: site.then(|| "001".to_owned()),
                rectification_required: *required,
            };
            order(world, "rating", at, Command::RecordEvent(new));
        }
        Act::Confirm(n) => {
            if let Some(event) = nth(world, *n) {
                let command = Command::ConfirmRectification { uscc: uscc(), event };
                order(world, "rating/2", at, command);
            }
        }
        Act::Repair(n) => {
            if let Some(event) = nth(world, *n) {
                let reason = "准予修复".to_owned();
                let command = Command::RepairEvent {
                    uscc: uscc(),
                    event,
                    reason,
                };
                order(world, "rating/2", at, command);
            }
        }
    }
}

/// What a score comes to, whatever the order of its parts.
fn outcome(assessment: &Assessment) -> impl PartialEq + std::fmt::Debug + use<> {
    let mut vetoes: Vec<_> = assessment.vetoes.iter().map(|veto| veto.event.clone()).collect();
    vetoes.sort();
    let lines: Vec<_> = assessment
        .lines
        .iter()
        .map(|line| (line.item.clone(), line.points))
        .collect();
    (assessment.standing, assessment.total, lines, vetoes)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn rescoring_the_whole_history_equals_the_running_state_at_every_instant(
        acts in proptest::collection::vec((0..70i32, some_act()), 1..14),
    ) {
        let mut world = rated();
        let mut now = start();
        for (number, (days, next)) in acts.iter().enumerate() {
            for day in 1..=*days {
                let midnight = now.date().plus_days(day).start();
                pass(&mut world, midnight);
                check(&world, midnight, false);
            }
            // No two at one instant.
            now = now.date().plus_days(*days).start().plus(std::time::Duration::from_secs(43_200 + number as u64));
            pass(&mut world, now);
            act(&mut world, next, number, now);
            check(&world, now, true);
        }
        for _ in 0..40 {
            now = now.date().plus_days(40).start();
            pass(&mut world, now);
            check(&world, now, true);
        }
        // And from the end, with all that was ever recorded: every version was what its two times say.
        let rated = rating(&world).clone();
        for version in &world.changes.versions {
            let made = &version.rated;
            let then = events_at(events(&world), made.rated_at, version.recorded_at);
            let again = assess(scheme(), &rated.awards, &then, made.valid_until, made.rated_at).unwrap();
            prop_assert_eq!((made.standing, made.total), (again.standing, again.total));
            prop_assert_eq!(&made.categories, &again.categories);
        }
        // Nobody was told nothing: each version has its notice.
        let told = world.changes.versions.iter().all(|version| {
            let id = format!("v{}", version.rated.version);
            world.notices.contains_key(&(uscc(), id))
        });
        prop_assert!(told);
    }

    #[test]
    fn a_score_does_not_depend_on_the_order_of_its_events_and_awards(
        events in proptest::collection::vec(some_event(), 0..9),
        awards in some_awards(),
        seed in proptest::collection::vec(any::<u16>(), 30),
        day in 0..1500i32,
    ) {
        let events = distinct(events);
        let at = date("2024-02-01").plus_days(day).start();
        let straight = assess(scheme(), &awards, &events, never(), at).unwrap();
        let mut shuffled: Vec<_> = events.into_iter().zip(&seed).collect();
        shuffled.sort_by_key(|(_, seed)| **seed);
        let shuffled: Vec<_> = shuffled.into_iter().map(|(event, _)| event).collect();
        let mut given: Vec<_> = awards.into_iter().zip(seed.iter().rev()).collect();
        given.sort_by_key(|(_, seed)| **seed);
        let given: Vec<_> = given.into_iter().map(|(award, _)| award).collect();
        let other = assess(scheme(), &given, &shuffled, never(), at).unwrap();
        prop_assert_eq!(outcome(&straight), outcome(&other));
    }

    #[test]
    fn a_repaired_or_lapsed_event_counts_nothing(
        events in proptest::collection::vec(some_event(), 1..9),
        day in 0..1500i32,
    ) {
        let events = distinct(events);
        let at = date("2024-02-01").plus_days(day).start();
        let over = |event: &Event| {
            let meaning = Meaning::of(scheme(), &event.kind).unwrap();
            let repaired = meaning.repairable() && event.repaired_at.is_some_and(|repaired| repaired <= at);
            // The gate looks back longer than some windows, and complaints count for those after them.
            let ages = event.document.date.term_end(greenstar_rating::domain::scheme::PENALTY_MONTHS) <= at;
            let counted = scheme().escalations.iter().any(|escalation| escalation.covers(&event.kind));
            let lapsed = !event.counts(meaning, at) && !event.open() && ages && !counted;
            repaired || lapsed
        };
        let rest: Vec<Event> = events.iter().filter(|event| !over(event)).cloned().collect();
        let with = assess(scheme(), &five_star(), &events, never(), at).unwrap();
        let without = assess(scheme(), &five_star(), &rest, never(), at).unwrap();
        prop_assert_eq!(outcome(&with), outcome(&without));
    }
}
