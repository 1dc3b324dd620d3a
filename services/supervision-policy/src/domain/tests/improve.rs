//! The smallest change, against brute force and on the shipped policies.

use greenstar_kernel::{Points, Standing, Star};
use proptest::prelude::*;

use super::analysis::{document, row};
use super::brute::{small_policy, small_world};
use super::support::{NO_ARGUMENTS, date, event, firm, flag, policy, star, today, with};
use crate::domain::catalogue::Severity;
use crate::domain::columns::Reading;
use crate::domain::compose::judge;
use crate::domain::facts::Facts;
use crate::domain::improve::{Improvement, Set, Verdict, What, improve};
use crate::domain::matter::Matter;
use crate::domain::policy::Policy;

fn half(halves: i64) -> Points {
    Points::from_milli(halves * 500)
}

fn outcome(policy: &Policy, matter: &Matter, facts: &Facts) -> usize {
    let reading = Reading::of(facts, NO_ARGUMENTS, matter, policy.catalogue(), today()).unwrap();
    judge(policy, matter, &reading).unwrap().outcome
}

/// Changes, stars to gain, and points to gain.
type Size = (usize, u8, Points);

/// The smallest of all that helps, by trying everything.
fn by_brute_force(policy: &Policy, matter: &Matter, facts: &Facts) -> Option<Size> {
    let now = outcome(policy, matter, facts);
    let have = facts.rating.standing.star().map_or(0, Star::get);
    let mut standings = vec![(facts.rating.standing, 0, 0)];
    if facts.rating.standing == Standing::Vetoed {
        standings.push((Standing::NotRated, 1, 1));
    }
    for to in Star::ALL.into_iter().filter(|to| to.get() > have) {
        standings.push((Standing::Rated(to), 1, to.get() - have));
    }
    let subsets = |length: usize| {
        (0..1usize << length).map(move |bits| (0..length).filter(move |at| bits >> at & 1 == 1))
    };
    let [_, b, ..] = facts.rating.categories;
    let (total, b) = (facts.rating.total.unwrap(), b.unwrap());
    let mut best: Option<Size> = None;
    for (standing, changes, stars) in standings {
        for (own, any) in (0..8).flat_map(|own| (0..8).map(move |any| (own, any))) {
            for closed in [false, true] {
                if closed && !facts.open_rectification {
                    continue;
                }
                for flags in subsets(facts.flags.len()) {
                    let flags: Vec<usize> = flags.collect();
                    for events in subsets(facts.events.len()) {
                        let events: Vec<usize> = events.collect();
                        let mut changed = facts.clone();
                        changed.rating.standing = standing;
                        changed.rating.categories[1] = Some(b + half(own));
                        changed.rating.total = Some(total + half(own) + half(any));
                        changed.open_rectification &= !closed;
                        let kept = facts.flags.iter().enumerate();
                        let kept = kept.filter(|(at, _)| !flags.contains(at));
                        changed.flags = kept.map(|(_, flag)| flag.clone()).collect();
                        let kept = facts.events.iter().enumerate();
                        let kept = kept.filter(|(at, _)| !events.contains(at));
                        changed.events = kept.map(|(_, event)| event.clone()).collect();
                        let points = usize::from(own > 0) + usize::from(any > 0);
                        let changes = changes + points + usize::from(closed) + flags.len() + events.len();
                        let size = (changes, stars, half(own) + half(any));
                        if best.is_none_or(|best| size < best) && outcome(policy, matter, &changed) < now {
                            best = Some(size);
                        }
                    }
                }
            }
        }
    }
    best
}

fn size(set: &Set<'_>, facts: &Facts) -> Size {
    let (mut stars, mut points, mut total) = (0, Points::ZERO, None);
    for change in &set.changes {
        match &change.what {
            What::Star { from, to } => stars += to.get() - from.star().map_or(0, Star::get),
            What::Veto => stars += 1,
            What::Category { from, to, .. } => points += *to - *from,
            What::Total { to, .. } => total = Some(*to),
            What::Flag { .. } | What::Rectification | What::Event(_) => {}
        }
    }
    let gained = total.map_or(points, |to| to - facts.rating.total.unwrap());
    (set.changes.len(), stars, gained)
}

fn any_row() -> impl Strategy<Value = String> {
    let cell = |cells: &'static [&'static str]| prop::sample::select(cells);
    let cells = (
        cell(&["-", "-", "5", ">=4", ">=2", "none"]),
        cell(&["-", "-", "contains(\"a\")", "not(contains(\"a\"))", "empty"]),
        cell(&["-", "-", "false", "true"]),
        cell(&["-", "-", ">=61", "[60..61)", ">=62", "<62"]),
        cell(&["-", "-", ">=1", ">=2", "<1.5", "[1..1.5]"]),
        cell(&["-", "-", "0", "<=1"]),
    );
    let outcome = cell(&["FINE", "PLAIN", "WATCHED", "LIMITED"]);
    (cells, outcome).prop_map(|((star, flags, open, points, own, events), outcome)| {
        let cells = format!(
            "star: '{star}', flags: '{flags}', open_rectification: '{open}', points: '{points}', \
             points_b: '{own}', events_12m: '{events}'"
        );
        row(&cells, outcome, "")
    })
}

fn any_firm() -> impl Strategy<Value = Facts> {
    let standing = prop::sample::select(vec![
        Standing::NotRated,
        Standing::Vetoed,
        Standing::Expired,
        star(1),
        star(3),
        star(4),
        star(5),
    ]);
    let flags = prop::collection::vec((any::<bool>(), prop::sample::select(vec![0u8, 1, 2])), 0..3);
    (standing, 118i64..123, 0i64..4, any::<bool>(), flags, 0usize..3).prop_map(
        |(standing, total, own, open, flags, events)| {
            let mut facts = firm(standing);
            facts.rating.total = Some(half(total));
            facts.rating.categories[1] = Some(half(own));
            facts.open_rectification = open;
            facts.flags = flags
                .into_iter()
                .map(|(is_a, severity)| {
                    // Kinds of the small world, on a document of the shipped one.
                    let mut flag = super::support::serious_penalty();
                    let kind = if is_a { "a" } else { "b" };
                    flag.kind = super::analysis::code(kind);
                    flag.severity = *Severity::ALL.get(usize::from(severity)).unwrap();
                    flag
                })
                .collect();
            facts.events = (0..events)
                .map(|at| event("penalty", Severity::Ordinary, ["2026-03-01", "2026-09-01"][at]))
                .collect();
            facts
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, max_global_rejects: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn the_smallest_change_is_the_one_that_brute_force_finds(
        hit in prop::sample::select(vec!["first", "strictest"]),
        rows in prop::collection::vec(any_row(), 1..4),
        facts in any_firm(),
    ) {
        let compiled = small_world().with(&document(&small_policy(hit, &rows)));
        prop_assume!(compiled.is_ok());
        let policy = compiled.unwrap();
        let matter = policy.matter("small", "m").unwrap();
        let now = outcome(&policy, matter, &facts);
        let found = improve(&policy, matter, &facts, NO_ARGUMENTS, today()).unwrap();
        let smallest = by_brute_force(&policy, matter, &facts);
        let verdict = match (now, smallest) {
            (0, _) => Verdict::Best,
            (_, Some(_)) => Verdict::Improvable,
            (_, None) => Verdict::NothingHelps,
        };
        prop_assert_eq!(found.verdict, verdict);
        prop_assert_eq!(found.sets.first().map(|set| size(set, &facts)), smallest.filter(|_| now > 0));
        for set in &found.sets {
            let given = matter.outcomes().iter().position(|outcome| outcome == set.outcome).unwrap();
            prop_assert!(given < now);
        }
    }
}

fn found<'a>(policy: &'a Policy, matter: &str, facts: &'a Facts) -> Improvement<'a> {
    let (department, code) = matter.split_once('/').unwrap();
    let matter = policy.matter(department, code).unwrap();
    improve(policy, matter, facts, NO_ARGUMENTS, today()).unwrap()
}

/// Outcome and English sentences of each set.
fn said(found: &Improvement<'_>) -> Vec<(String, Vec<String>)> {
    let sets = found.sets.iter().map(|set| {
        let changes = set.changes.iter().map(|change| change.said(true).en);
        (set.outcome.code.to_string(), changes.collect())
    });
    sets.collect()
}

#[test]
fn a_serious_penalty_is_to_be_repaired_and_the_first_day_is_named() {
    let policy = policy();
    let facts = with(firm(star(3)), super::support::serious_penalty());
    let found = found(&policy, "finance/green-loan", &facts);
    assert_eq!(found.outcome.code.as_str(), "PRUDENT");
    let [set] = found.sets.as_slice() else {
        panic!("{found:?}")
    };
    let [change] = set.changes.as_slice() else {
        panic!("{set:?}")
    };
    assert_eq!(set.outcome.code.as_str(), "STANDARD");
    let What::Flag { repair, .. } = &change.what else {
        panic!("{change:?}")
    };
    assert_eq!(
        *repair,
        Some(date("2027-10-09")),
        "the least publicity is twelve months"
    );
    let end = date("2029-10-09").start();
    assert_eq!(change.by_itself, Some(end));
    assert_eq!(found.by_itself.map(|(at, _)| at), Some(end));
    let words = change.said(true);
    assert!(
        words.en.contains("2027-10-09") && words.en.contains("2029-10-09"),
        "{}",
        words.en
    );
    assert!(
        words.zh.contains("2027-10-09") && words.zh.contains("2029-10-08"),
        "{}",
        words.zh
    );
}

#[test]
fn the_best_outcome_says_so_and_time_is_not_needed() {
    let policy = policy();
    let facts = firm(star(5));
    let found = found(&policy, "finance/green-loan", &facts);
    assert_eq!(
        (found.verdict, found.sets.len(), found.by_itself),
        (Verdict::Best, 0, None)
    );
    assert!(found.said().zh.contains("最有利"));
}

#[test]
fn both_a_star_and_a_flag_stand_in_the_way_and_a_further_star_is_not_asked_for() {
    let policy = policy();
    let facts = with(
        firm(star(3)),
        flag("ordinary-penalty", Severity::Ordinary, "2026-10-08", 12),
    );
    let found = found(&policy, "finance/green-loan", &facts);
    let sets = said(&found);
    let [(outcome, steps)] = sets.as_slice() else {
        panic!("{sets:?}")
    };
    assert_eq!(outcome, "ELIGIBLE");
    let [first, second] = steps.as_slice() else {
        panic!("{steps:?}")
    };
    assert!(
        first.starts_with("a rating of at least 4 stars instead of 3"),
        "{first}"
    );
    assert!(
        second.contains("2027-01-09"),
        "three months of publicity: {second}"
    );
}

#[test]
fn what_the_rating_is_made_of_is_not_told_to_those_who_may_not_know() {
    let policy = policy();
    let facts = firm(Standing::Vetoed);
    let found = found(&policy, "finance/green-loan", &facts);
    let sets = said(&found);
    assert_eq!(
        sets.first().map(|(outcome, _)| outcome.as_str()),
        Some("STANDARD")
    );
    let change = found.sets.first().and_then(|set| set.changes.first()).unwrap();
    assert!(!change.is_open() && change.said(false).en.contains("veto"));
}
