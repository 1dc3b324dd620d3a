//! What is assumed while nobody decides.

use greenstar_kernel::Standing;

use super::support::{NO_ARGUMENTS, answer, ask, firm, policy, serious_penalty, star, texts, today, with};
use crate::domain::caution::decide_cautiously;
use crate::domain::facts::{Facts, PolluterClass};

const REGIME: &str = "enforcement/inspection-regime";

fn assumed(facts: &Facts, matter: &str) -> String {
    let (policy, unrated) = (policy(), facts.unrated());
    let (department, code) = matter.split_once('/').unwrap();
    let matter = policy.matter(department, code).unwrap();
    let decision = decide_cautiously(&policy, matter, facts, &unrated, NO_ARGUMENTS, today()).unwrap();
    assert_eq!(decision.rating.standing, facts.rating.standing, "it stays known");
    answer(&decision)
}

fn key_polluter(standing: Standing) -> Facts {
    Facts {
        polluter_class: PolluterClass::Key,
        ..firm(standing)
    }
}

#[test]
fn a_star_that_may_be_gone_lowers_no_figure() {
    let three = key_polluter(star(3));
    assert_eq!(
        answer(&ask(&policy(), REGIME, &three, today())),
        "STANDARD off-site-rhythm=4 on-site-cap=1 sampling-ratio=200"
    );
    for standing in [star(3), star(4), star(5), Standing::NotRated] {
        assert_eq!(
            assumed(&key_polluter(standing), REGIME),
            "STANDARD off-site-rhythm=4 on-site-cap=2 sampling-ratio=1000",
            "{standing:?}"
        );
    }
}

#[test]
fn figures_that_were_taken_over_are_explained() {
    let (policy, facts) = (policy(), key_polluter(star(3)));
    let unrated = facts.unrated();
    let matter = policy.matter("enforcement", "inspection-regime").unwrap();
    let decision = decide_cautiously(&policy, matter, &facts, &unrated, NO_ARGUMENTS, today()).unwrap();
    let texts = texts(&decision);
    assert!(
        texts.iter().any(|text| text.contains("A key polluter")),
        "{texts:?}"
    );
}

#[test]
fn a_restriction_stays_that_the_rating_brings() {
    for matter in [REGIME, "licensing/eia-approval", "finance/green-loan"] {
        let vetoed = firm(Standing::Vetoed);
        assert_eq!(
            assumed(&vetoed, matter),
            answer(&ask(&policy(), matter, &vetoed, today())),
            "{matter}"
        );
    }
}

#[test]
fn p10_a_flag_of_a_kind_that_an_edition_dropped_leaves_an_answer_to_assume_and_no_favour() {
    let mut dropped = serious_penalty();
    dropped.kind = greenstar_kernel::Code::parse("of-an-earlier-edition").unwrap();
    for matter in [REGIME, "licensing/eia-approval", "finance/green-loan"] {
        let facts = with(firm(star(5)), dropped.clone());
        assert_eq!(facts.unknown_flag(policy().catalogue(), today()), Some(&dropped));
        assert_eq!(
            assumed(&facts, matter),
            assumed(&firm(star(5)), matter),
            "{matter}"
        );
        let also = with(facts, serious_penalty());
        let flagged = with(firm(star(5)), serious_penalty());
        assert_eq!(assumed(&also, matter), assumed(&flagged, matter), "{matter}");
    }
    let facts = with(firm(star(5)), dropped.clone());
    let ended = dropped.end.unwrap();
    assert_eq!(
        facts.unknown_flag(policy().catalogue(), ended),
        None,
        "it binds no more"
    );
}

#[test]
fn nobody_is_favoured_and_who_is_flagged_is_restricted_as_before() {
    let flagged = with(firm(star(5)), serious_penalty());
    for matter in [REGIME, "licensing/eia-approval", "finance/green-loan"] {
        assert_eq!(
            assumed(&firm(star(5)), matter),
            answer(&ask(&policy(), matter, &firm(Standing::NotRated), today())),
            "{matter}"
        );
        assert_eq!(
            assumed(&flagged, matter),
            answer(&ask(&policy(), matter, &flagged, today())),
            "{matter}"
        );
    }
}
