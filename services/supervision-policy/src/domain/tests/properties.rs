//! P6, P8 and the composition over random facts.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use greenstar_kernel::{Month, Standing, Star, Timestamp};
use proptest::prelude::*;

use super::naive;
use super::support::{NO_ARGUMENTS, catalogue, date, event, firm, flag, policy, scoped, with};
use crate::domain::catalogue::{MeasureClass, Severity};
use crate::domain::decide::decide;
use crate::domain::facts::{Event, Facts, Flag, PolluterClass};
use crate::domain::matter::Matter;
use crate::domain::policy::{Document, Policy};
use crate::domain::reason::Reason;
use crate::domain::regime::InspectionRegime;
use crate::domain::shipped;

pub(super) static POLICY: LazyLock<Policy> = LazyLock::new(|| {
    // A fourth department with no table: the baseline alone answers.
    let awards = "
policy: awards-default
version: 1
department: awards
matters: [{ code: award, title: { zh: 评优评先, en: Awards } }]
outcomes:
  - { code: OPEN, level: NEUTRAL, title: { zh: 可以参评, en: Open } }
  - { code: LIMITED, level: RESTRICT, carried_by: award-limit, title: { zh: 限制参评, en: Limited } }
";
    policy()
        .with(&Document {
            name: "awards.yaml".to_owned(),
            text: awards.to_owned(),
        })
        .unwrap()
});

fn any_standing() -> impl Strategy<Value = Standing> {
    prop_oneof![
        5 => prop::sample::select(Star::ALL.to_vec()).prop_map(Standing::Rated),
        1 => Just(Standing::NotRated),
        1 => Just(Standing::NotListed),
        2 => Just(Standing::Vetoed),
        1 => Just(Standing::Suspended),
        1 => Just(Standing::Expired),
    ]
}

fn any_flag() -> impl Strategy<Value = Flag> {
    let kinds: Vec<String> = catalogue()
        .flag_kinds()
        .iter()
        .map(|kind| kind.code.as_str().to_owned())
        .collect();
    let scope = prop::option::weighted(
        0.3,
        prop::sample::select(vec!["pollutant-permit", "hazardous-waste-permit", "elsewhere"]),
    );
    let severity =
        prop_oneof![1 => Just(Severity::Minor), 1 => Just(Severity::Ordinary), 3 => Just(Severity::Serious)];
    (
        prop::sample::select(kinds),
        severity,
        0u16..72,
        prop::sample::select(vec![3u16, 12, 36, 60]),
        scope,
    )
        .prop_map(|(kind, severity, age, term, scope)| {
            let document = date("2026-11-24").minus_months(Month(age)).to_string();
            let flag = flag(&kind, severity, &document, term);
            match scope {
                Some(scope) => scoped(flag, scope),
                None => flag,
            }
        })
}

fn any_event() -> impl Strategy<Value = Event> {
    let kinds = vec![
        "complaint_verified_minor",
        "complaint_verified_repeat",
        "exceedance_hourly_average",
        "exceedance_over_twofold",
        "fine_ordinary",
    ];
    (
        prop::sample::select(kinds),
        prop::sample::select(Severity::ALL.to_vec()),
        -200i32..800,
    )
        .prop_map(|(kind, severity, age)| {
            event(kind, severity, &date("2026-11-24").plus_days(-age).to_string())
        })
}

pub(super) fn any_facts() -> impl Strategy<Value = Facts> {
    (
        any_standing(),
        prop::collection::vec(any_flag(), 0..4),
        prop::collection::vec(any_event(), 0..3),
        prop::sample::select(PolluterClass::ALL.to_vec()),
    )
        .prop_map(|(standing, flags, events, class)| {
            let mut facts = firm(standing);
            facts.flags = flags.into();
            facts.events = events.into();
            facts.polluter_class = class;
            facts
        })
}

pub(super) fn any_instant() -> impl Strategy<Value = Timestamp> {
    (0i32..400).prop_map(|days| date("2026-06-01").plus_days(days).start())
}

/// Position of the outcome, and the measures with their values.
fn decided(matter: &Matter, facts: &Facts, as_of: Timestamp) -> (usize, BTreeMap<String, Option<i64>>) {
    let decision = decide(&POLICY, matter, facts, NO_ARGUMENTS, as_of).unwrap();
    let outcome = matter
        .outcomes()
        .iter()
        .position(|outcome| outcome.code == decision.outcome.code)
        .unwrap();
    let measures = decision
        .measures
        .iter()
        .map(|measure| (measure.entry.code.as_str().to_owned(), measure.value));
    (outcome, measures.collect())
}

/// No outcome more severe, and no figure stricter where both have one.
fn no_stricter(
    better: &(usize, BTreeMap<String, Option<i64>>),
    worse: &(usize, BTreeMap<String, Option<i64>>),
) -> Result<(), TestCaseError> {
    prop_assert!(better.0 <= worse.0, "{:?} {:?}", better, worse);
    for (code, value) in &better.1 {
        if let (Some(better), Some(Some(worse))) = (value, worse.1.get(code)) {
            prop_assert!(better <= worse, "{} {} {}", code, better, worse);
        }
    }
    Ok(())
}

fn triggers(matter: &Matter, facts: &Facts, as_of: Timestamp) -> Vec<String> {
    let decision = decide(&POLICY, matter, facts, NO_ARGUMENTS, as_of).unwrap();
    let regime = InspectionRegime::of(&decision, NO_ARGUMENTS).unwrap();
    let active = regime.always_on.iter().filter(|trigger| trigger.active);
    active.map(|trigger| trigger.code.to_owned()).collect()
}

fn rated_as(facts: &Facts, standing: Standing) -> Facts {
    let mut facts = facts.clone();
    facts.rating.standing = standing;
    facts
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn two_readings_of_the_protocol_compose_the_same(facts in any_facts(), as_of in any_instant()) {
        for matter in POLICY.matters() {
            let decision = decide(&POLICY, matter, &facts, NO_ARGUMENTS, as_of).unwrap();
            let (outcome, measures) = naive::compose(&POLICY, matter, &facts, as_of);
            prop_assert_eq!(decision.outcome.code.as_str(), outcome);
            prop_assert_eq!(decided(matter, &facts, as_of).1, measures);
        }
    }

    #[test]
    fn p8_a_better_standing_never_gets_a_more_severe_answer(facts in any_facts(), as_of in any_instant()) {
        let order = Star::ALL.iter().rev().map(|star| Standing::Rated(*star)).chain([Standing::Vetoed]);
        let order: Vec<Facts> = order.map(|standing| rated_as(&facts, standing)).collect();
        for matter in POLICY.matters() {
            for pair in order.windows(2) {
                no_stricter(&decided(matter, &pair[0], as_of), &decided(matter, &pair[1], as_of))?;
            }
        }
    }

    #[test]
    fn p8_the_states_without_a_star_are_treated_alike(facts in any_facts(), as_of in any_instant()) {
        for matter in POLICY.matters() {
            let wanted = decided(matter, &rated_as(&facts, Standing::NotRated), as_of);
            for state in [Standing::NotListed, Standing::Expired, Standing::Suspended] {
                prop_assert_eq!(&decided(matter, &rated_as(&facts, state), as_of), &wanted);
            }
        }
    }

    #[test]
    fn p8_a_further_flag_never_makes_the_answer_milder(facts in any_facts(), more in any_flag(), as_of in any_instant()) {
        let more = with(facts.clone(), more);
        for matter in POLICY.matters() {
            no_stricter(&decided(matter, &facts, as_of), &decided(matter, &more, as_of))?;
        }
    }

    #[test]
    fn p8_a_further_event_never_makes_the_answer_milder_nor_ends_a_trigger(
        facts in any_facts(), more in any_event(), as_of in any_instant(),
    ) {
        let mut further = facts.clone();
        further.events = facts.events.iter().cloned().chain([more]).collect();
        for matter in POLICY.matters() {
            no_stricter(&decided(matter, &facts, as_of), &decided(matter, &further, as_of))?;
            let (before, after) = (triggers(matter, &facts, as_of), triggers(matter, &further, as_of));
            prop_assert!(before.iter().all(|code| after.contains(code)), "{:?} {:?}", before, after);
        }
    }

    #[test]
    fn what_is_said_to_be_in_the_way_is(facts in any_facts(), as_of in any_instant()) {
        for matter in POLICY.matters() {
            let decision = decide(&POLICY, matter, &facts, NO_ARGUMENTS, as_of).unwrap();
            let Some(better) = decision.reasons.iter().find_map(|reason| match reason {
                Reason::Better(better) => Some(better),
                _ => None,
            }) else {
                continue;
            };
            // Without all of it the better outcome comes, and with any one of the flags it does not.
            let mut freed = facts.clone();
            let in_the_way: Vec<&Flag> = better.flags.iter().map(|(flag, _)| *flag).collect();
            freed.flags = facts.flags.iter().filter(|flag| !in_the_way.contains(flag)).cloned().collect();
            if better.events {
                freed.events = std::sync::Arc::new([]);
            }
            if better.veto {
                freed.rating.standing = Standing::NotRated;
            }
            if let Some(star) = better.star {
                freed.rating.standing = Standing::Rated(star);
            }
            let (reached, _) = decided(matter, &freed, as_of);
            let (now, _) = decided(matter, &facts, as_of);
            prop_assert!(reached < now);
            prop_assert_eq!(&matter.outcomes()[reached].code, &better.outcome.code);
            for flag in in_the_way {
                prop_assert!(decided(matter, &with(freed.clone(), flag.clone()), as_of).0 >= now);
            }
        }
    }

    #[test]
    fn p6_every_measure_has_a_basis_in_force_and_something_that_carries_it(facts in any_facts(), as_of in any_instant()) {
        for matter in POLICY.matters() {
            let decision = decide(&POLICY, matter, &facts, NO_ARGUMENTS, as_of).unwrap();
            for measure in &decision.measures {
                prop_assert!(decision.bases(measure).next().is_some());
                let named = decision.bases(measure).any(|basis| basis.article.is_some());
                prop_assert!(measure.entry.class != MeasureClass::Rights || named);
                prop_assert!(measure.ends.is_none_or(|ends| as_of < ends));
                for flag in decision.carriers(measure) {
                    prop_assert!(flag.in_force(as_of) && flag.counts_in(matter.code()));
                }
            }
        }
    }

    #[test]
    fn p7_the_same_question_gets_the_same_answer(facts in any_facts(), as_of in any_instant()) {
        let again: Facts = serde_json::from_str(&serde_json::to_string(&facts).unwrap()).unwrap();
        for matter in POLICY.matters() {
            let texts = |facts: &Facts| {
                let decision = decide(&POLICY, matter, facts, NO_ARGUMENTS, as_of).unwrap();
                decision.reasons.iter().map(|reason| reason.text()).collect::<Vec<_>>()
            };
            prop_assert_eq!(decided(matter, &facts, as_of), decided(matter, &again, as_of));
            prop_assert_eq!(texts(&facts), texts(&again));
        }
    }
}

proptest! {
    /// What an author mistypes is refused or still a policy; it never ends the process.
    #[test]
    fn a_mistyped_policy_is_refused_or_sound(
        which in 0usize..4,
        at in any::<prop::sample::Index>(),
        cut in 0usize..4,
        typed in "[-:,{}\\[\\]()\"'#&*!|>%@`a-z0-9\n ]{0,3}",
    ) {
        let mut document = shipped::documents().swap_remove(which);
        let chars: Vec<char> = document.text.chars().collect();
        let at = at.index(chars.len());
        let rest = chars.iter().skip(at + cut);
        document.text = chars.iter().take(at).copied().chain(typed.chars()).chain(rest.copied()).collect();
        if let Err(errors) = POLICY.with(&document) {
            prop_assert!(!errors.0.is_empty());
        }
    }
}
