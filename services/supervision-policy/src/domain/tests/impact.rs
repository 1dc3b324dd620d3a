//! What a candidate would change, against deciding everything twice and counting by hand.

use std::collections::{BTreeMap, BTreeSet};

use greenstar_kernel::{Code, Timestamp};
use proptest::prelude::*;

use super::properties::{POLICY, any_facts, any_instant};
use super::support::NO_ARGUMENTS;
use crate::domain::decide::decide;
use crate::domain::facts::Facts;
use crate::domain::impact::{
    Comparison, ComparisonError, Conflict, Count, Grouping, Impact, InGroup, Move, routine_visits,
};
use crate::domain::matter::{ArgumentError, Matter};
use crate::domain::policy::{Document, Policy};
use crate::domain::regime::InspectionRegime;

const LICENSING: &str = include_str!("../../../data/licensing.yaml");
const ENFORCEMENT: &str = include_str!("../../../data/enforcement.yaml");
const BASELINE: &str = include_str!("../../../data/baseline.yaml");
/// What four stars are given.
const FOUR_STARS: &str = "outcome: FAST_TRACK\n      measures: { fast-track: }\n";
/// Nobody is told by a shipped policy to be treated well and strictly at once; this one does.
const AWARDS: &str = "
policy: awards-default
version: 2
department: awards
matters: [{ code: award, title: { zh: 评优评先, en: Awards } }]
outcomes:
  - { code: OPEN, level: NEUTRAL, title: { zh: 可以参评, en: Open } }
  - { code: LIMITED, level: RESTRICT, carried_by: award-limit, title: { zh: 限制参评, en: Limited } }
table:
  hit: first
  rows:
    - when: { star: '>=4' }
      outcome: OPEN
      measures: { fast-track: , strict-review: }
      reason: { zh: 一, en: one }
      basis: [{ zh: 国发〔2016〕33号, en: 'Guofa [2016] No. 33' }]
  default: { outcome: OPEN, reason: { zh: 其他, en: other } }
";

/// The policy's name, and its text.
fn candidates() -> Vec<(&'static str, String)> {
    let replaced = |text: &str, from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    };
    vec![
        (
            "licensing-default",
            replaced(LICENSING, FOUR_STARS, "outcome: STANDARD\n"),
        ),
        (
            "enforcement-default",
            replaced(ENFORCEMENT, "sampling-ratio: 50,", "sampling-ratio: 150,"),
        ),
        (
            "enforcement-default",
            replaced(ENFORCEMENT, "{ star: \">=4\", flags", "{ star: \">=3\", flags")
                .replace("star: 3,", "star: 2,"),
        ),
        (
            "baseline",
            replaced(BASELINE, "outcome: WATCH", "outcome: RESTRICT"),
        ),
        ("awards-default", AWARDS.to_owned()),
        (
            "park-default",
            AWARDS
                .replace("awards", "park")
                .replace("code: award,", "code: park-entry,"),
        ),
    ]
}

fn with(text: &str) -> Policy {
    let document = Document {
        name: "candidate".to_owned(),
        text: text.to_owned(),
    };
    POLICY.with(&document).unwrap_or_else(|errors| panic!("{errors}"))
}

/// Outcome with its severity, measures with their values, expected visits.
type Told = (String, (u8, usize), BTreeMap<String, Option<i64>>, i64);

fn told(policy: &Policy, matter: &Matter, facts: &Facts, as_of: Timestamp) -> Told {
    let decision = decide(policy, matter, facts, NO_ARGUMENTS, as_of).unwrap();
    let outcome = decision.outcome.code.to_string();
    let position = matter
        .outcomes()
        .iter()
        .position(|known| known.code == decision.outcome.code);
    let measures = decision.measures.iter();
    let measures = measures.map(|measure| (measure.entry.code.to_string(), measure.value));
    let visits = if matter.code().as_str() == "inspection-regime" {
        let regime = InspectionRegime::of(&decision, NO_ARGUMENTS).unwrap();
        routine_visits(
            regime.routine_on_site_exempt,
            regime.on_site_cap_per_year,
            regime.sampling_per_mille,
        )
    } else {
        0
    };
    let severity = (decision.outcome.level as u8, position.unwrap());
    (outcome, severity, measures.collect(), visits)
}

/// By deciding everything.
fn by_hand(after: &Policy, candidate: &str, population: &[Facts], as_of: Timestamp) -> Impact {
    let before: &Policy = &POLICY;
    let mut own: BTreeSet<String> = BTreeSet::new();
    for info in before.infos().iter().chain(after.infos()) {
        if candidate == "baseline" || info.name.as_str() == candidate {
            own.extend(info.matters.iter().cloned());
        }
    }
    let all: BTreeSet<String> = before
        .matters()
        .iter()
        .chain(after.matters())
        .map(Matter::name)
        .collect();
    let find = |policy: &'_ Policy, name: &str, facts: &Facts| {
        let matter = policy.matters().iter().find(|matter| matter.name() == name);
        matter.map(|matter| told(policy, matter, facts, as_of))
    };
    let mut impact = Impact::default();
    let mut moves: BTreeMap<_, Move> = BTreeMap::new();
    let mut groups: BTreeMap<(Grouping, String), [u64; 2]> = BTreeMap::new();
    let mut conflicts: BTreeMap<(usize, usize), Conflict> = BTreeMap::new();
    for (at, facts) in population.iter().enumerate() {
        let (mut outcome, mut measures) = (false, false);
        let mut ways: BTreeMap<&str, [bool; 2]> = BTreeMap::new();
        for name in &own {
            let (was, is) = (find(before, name, facts), find(after, name, facts));
            let code = |told: &Option<Told>| told.as_ref().map(|told| told.0.clone()).unwrap_or_default();
            let met = |told: &Option<Told>| told.as_ref().map(|told| told.2.clone()).unwrap_or_default();
            let changed = (code(&was) != code(&is), met(&was) != met(&is));
            let key = [&was, &is].map(|told| told.as_ref().map(|told| told.1.1));
            let moved = moves.entry((name.clone(), key)).or_insert_with(|| Move {
                matter: name.clone(),
                from: code(&was),
                to: code(&is),
                count: 0,
                sample: Vec::new(),
            });
            moved.count += 1;
            if changed.0 || changed.1 {
                moved.sample.push(at);
            }
            outcome |= changed.0;
            measures |= changed.1;
            if let (Some(was), Some(is), true) = (&was, &is, changed.0) {
                let department = name.split('/').nth(1).unwrap();
                let [milder, severer] = ways.entry(department).or_default();
                *milder |= is.1 < was.1;
                *severer |= is.1 > was.1;
            }
            impact.visits_before += was.map_or(0, |told| told.3);
            impact.visits_after += is.map_or(0, |told| told.3);
        }
        impact.evaluated += 1;
        impact.outcome_changed += u64::from(outcome);
        impact.measures_changed += u64::from(measures && !outcome);
        let any = |at: usize| ways.values().any(|ways| ways[at]);
        let sector = facts.sector.map(|code| code.as_str()[..3].to_owned());
        let standing = facts.rating.at(as_of).standing;
        let star = match standing.star() {
            Some(star) => star.get().to_string(),
            None => standing.state().as_str().to_owned(),
        };
        let district = facts.district.map(|code| code.to_string());
        let mut in_groups = vec![
            (Grouping::District, district.unwrap_or_default(), [any(0), any(1)]),
            (Grouping::Sector, sector.unwrap_or_default(), [any(0), any(1)]),
            (Grouping::Star, star, [any(0), any(1)]),
        ];
        for (department, ways) in &ways {
            in_groups.push((Grouping::Department, (*department).to_owned(), *ways));
        }
        for (grouping, group, [milder, severer]) in in_groups {
            if milder || severer {
                let counted = groups.entry((grouping, group)).or_default();
                counted[0] += u64::from(milder);
                counted[1] += u64::from(severer);
            }
        }
        let meeting = |policy: &Policy| -> BTreeSet<String> {
            let told = all.iter().filter_map(|name| find(policy, name, facts));
            told.flat_map(|told| told.2.into_keys()).collect()
        };
        let (was, is) = (meeting(before), meeting(after));
        let entries = POLICY.catalogue().measures();
        for (one, entry) in entries.iter().enumerate() {
            for (other, entry_of_other) in entries.iter().enumerate().skip(one + 1) {
                let excludes = entry.excludes.contains(&entry_of_other.code)
                    || entry_of_other.excludes.contains(&entry.code);
                let both = |met: &BTreeSet<String>| {
                    met.contains(entry.code.as_str()) && met.contains(entry_of_other.code.as_str())
                };
                if excludes && both(&is) && !both(&was) {
                    let conflict = conflicts.entry((one, other)).or_insert_with(|| Conflict {
                        measure: entry.code.to_string(),
                        other: entry_of_other.code.to_string(),
                        count: 0,
                        sample: Vec::new(),
                    });
                    conflict.count += 1;
                    conflict.sample.push(at);
                }
            }
        }
    }
    impact.moves = moves.into_values().collect();
    impact.conflicts = conflicts.into_values().collect();
    let groups = groups.into_iter();
    impact.groups = groups
        .map(|((grouping, group), [milder, severer])| InGroup {
            grouping,
            group,
            milder,
            severer,
        })
        .collect();
    impact
}

fn placed((mut facts, sector, district): (Facts, usize, usize)) -> Facts {
    facts.sector = ["C2710", "C2611", "D44", ""][sector].parse().ok();
    facts.district = ["110115", "110106", ""][district].parse().ok();
    facts
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_is_counted_in_bulk_is_what_deciding_everything_twice_gives(
        population in prop::collection::vec((any_facts(), 0usize..4, 0usize..3).prop_map(placed), 1..60),
        candidate in 0usize..6,
        as_of in any_instant(),
        cut in 0usize..60,
    ) {
        let (name, text) = candidates().swap_remove(candidate);
        let after = with(&text);
        let name = Code::parse(name).unwrap();
        let comparison = Comparison::new(&POLICY, &after, &name, None, &BTreeMap::new()).unwrap();
        let (first, last) = population.split_at(cut.min(population.len()));
        let mut parts = [Count::new(&comparison, 1_000), Count::new(&comparison, 1_000)];
        for (at, facts) in first.iter().enumerate() {
            parts[0].see(at, facts, as_of);
        }
        for (at, facts) in last.iter().enumerate() {
            parts[1].see(first.len() + at, facts, as_of);
        }
        prop_assert_eq!(Impact::of(&comparison, &parts), by_hand(&after, name.as_str(), &population, as_of));
    }
}

#[test]
fn a_sample_names_the_first_of_the_changed() {
    let after = with(&LICENSING.replace(FOUR_STARS, "outcome: STANDARD\n"));
    let name = Code::parse("licensing-default").unwrap();
    let comparison = Comparison::new(&POLICY, &after, &name, Some("eia-approval"), &BTreeMap::new()).unwrap();
    let as_of = super::support::today();
    let mut parts = [Count::new(&comparison, 3), Count::new(&comparison, 3)];
    for position in 0..40 {
        let facts = super::support::firm(super::support::star(4 + i64::from(position % 2 == 0)));
        parts[position / 7 % 2].see(position, &facts, as_of);
    }
    let impact = Impact::of(&comparison, &parts);
    let moved = |from: &str, to: &str| {
        let of = |moved: &&Move| moved.from == from && moved.to == to;
        impact
            .moves
            .iter()
            .find(of)
            .map(|moved| (moved.count, moved.sample.clone()))
    };
    assert_eq!(moved("FAST_TRACK", "STANDARD"), Some((20, vec![1, 3, 5])));
    assert_eq!(moved("FAST_TRACK", "FAST_TRACK"), Some((20, Vec::new())));
    assert_eq!((impact.evaluated, impact.outcome_changed), (40, 20));
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let after = with(LICENSING);
    let name = Code::parse("licensing-default").unwrap();
    let compare = |matter, arguments: &[(&str, &str)]| {
        let arguments = arguments
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Comparison::new(&POLICY, &after, &name, matter, &arguments.collect()).err()
    };
    assert_eq!(compare(None, &[]), None);
    assert_eq!(
        compare(Some("green-loan"), &[]),
        Some(ComparisonError::MatterUnknown)
    );
    let unknown = ArgumentError::Unknown("colour".to_owned());
    assert_eq!(
        compare(None, &[("colour", "green")]),
        Some(ComparisonError::Arguments(unknown))
    );
}
