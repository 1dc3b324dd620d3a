//! The example that the suite exists for (design.md, protocol.md §7).

use greenstar_kernel::Standing;

use super::support::{
    NO_ARGUMENTS, answer, ask, firm, flag, policy, scoped, serious_penalty, star, texts, today, with,
};
use crate::domain::catalogue::{MeasureClass, Severity};
use crate::domain::facts::{Facts, PolluterClass};
use crate::domain::reason::ReasonKind;
use crate::domain::regime::InspectionRegime;

const PERMIT: &str = "licensing/pollutant-permit";
const LOAN: &str = "finance/green-loan";
const REGIME: &str = "enforcement/inspection-regime";

fn answers(facts: &Facts) -> [String; 3] {
    let policy = policy();
    [PERMIT, LOAN, REGIME].map(|matter| answer(&ask(&policy, matter, facts, today())))
}

#[test]
fn a_five_star_firm_is_favoured_everywhere() {
    assert_eq!(
        answers(&firm(star(5))),
        [
            "FAST_TRACK fast-track tolerant-acceptance",
            "PRIORITY priority-credit-advice",
            "EXEMPT off-site-rhythm=4 on-site-cap=0 routine-inspection-exemption sampling-ratio=0",
        ]
    );
}

#[test]
fn a_serious_penalty_restricts_everywhere_and_no_further_than_the_law() {
    let facts = with(firm(star(5)), serious_penalty());
    assert_eq!(
        answers(&facts),
        [
            "STRICT_REVIEW strict-review",
            "PRUDENT prudent-lending-advice",
            "KEY key-supervision off-site-rhythm=12 on-site-cap=4 sampling-ratio=1000",
        ]
    );
}

#[test]
fn all_three_departments_name_the_flag_its_basis_and_its_term() {
    let (policy, facts) = (policy(), with(firm(star(5)), serious_penalty()));
    for matter in [PERMIT, LOAN, REGIME] {
        let decision = ask(&policy, matter, &facts, today());
        let [named] = decision.flags.as_slice() else {
            panic!("one flag, got {:?}", decision.flags)
        };
        assert!(named.counts);
        assert_eq!(named.kind.code.as_str(), "serious-penalty");
        assert!(
            named.flag.bases.iter().any(|basis| basis.article.is_some()),
            "{:?}",
            named.flag.bases
        );
        assert_eq!(
            named.flag.end,
            Some(named.flag.document.date.term_end(greenstar_kernel::Month(36)))
        );
        let carrying = decision
            .measures
            .iter()
            .filter(|measure| measure.ends == named.flag.end);
        assert!(carrying.count() > 0, "{matter}");
        for measure in &decision.measures {
            assert!(
                decision.bases(measure).count() > 0,
                "{matter} {}",
                measure.entry.code
            );
        }
    }
}

#[test]
fn a_permit_obtained_by_deceit_is_refused_for_that_kind_and_for_no_other() {
    let deceit = flag("permit-by-deceit", Severity::Serious, "2026-10-08", 36);
    let facts = with(firm(star(5)), scoped(deceit, "hazardous-waste-permit"));
    let policy = policy();
    let refused = ask(&policy, "licensing/hazardous-waste-permit", &facts, today());
    assert_eq!(answer(&refused), "REFUSE refuse-permit");
    let refusal = refused.measure("refuse-permit").unwrap();
    assert_eq!(refusal.entry.class, MeasureClass::Rights);
    assert!(refused.bases(refusal).any(|basis| {
        basis
            .article
            .as_ref()
            .is_some_and(|article| article.en == "art. 79")
    }));
    let other = ask(&policy, PERMIT, &facts, today());
    assert_eq!(answer(&other), "FAST_TRACK fast-track tolerant-acceptance");
    assert!(
        !other.flags[0].counts,
        "the flag is named, and does not count here"
    );
    assert_eq!(
        answer(&ask(&policy, LOAN, &facts, today())),
        "PRIORITY priority-credit-advice"
    );
}

#[test]
fn when_its_flags_are_gone_all_is_as_before() {
    let before = answers(&firm(star(5)));
    let mut facts = with(firm(star(5)), serious_penalty());
    facts.flags = std::sync::Arc::new([]);
    assert_eq!(answers(&facts), before);
}

#[test]
fn each_star_has_its_tier() {
    let policy = policy();
    let tier = |standing| {
        ask(&policy, LOAN, &firm(standing), today())
            .outcome
            .code
            .as_str()
            .to_owned()
    };
    assert_eq!(
        [5, 4, 3, 2, 1].map(|rank| tier(star(rank))),
        ["PRIORITY", "ELIGIBLE", "STANDARD", "STANDARD", "STANDARD"]
    );
    for neutral in [
        Standing::NotRated,
        Standing::NotListed,
        Standing::Suspended,
        Standing::Expired,
    ] {
        assert_eq!(tier(neutral), "STANDARD");
    }
    assert_eq!(tier(Standing::Vetoed), "PRUDENT");
    assert_eq!(
        ask(&policy, LOAN, &Facts::unknown(), today())
            .outcome
            .code
            .as_str(),
        "STANDARD"
    );
}

#[test]
fn finance_gets_advice_and_never_a_figure() {
    let policy = policy();
    for facts in [
        firm(star(5)),
        firm(Standing::Vetoed),
        with(firm(star(5)), serious_penalty()),
    ] {
        for measure in &ask(&policy, LOAN, &facts, today()).measures {
            assert!(matches!(
                measure.entry.class,
                MeasureClass::Favour | MeasureClass::Advice
            ));
            assert_eq!(measure.value, None);
        }
    }
}

fn regime_of(facts: &Facts) -> (bool, Option<i64>, Vec<String>) {
    let policy = policy();
    let decision = ask(&policy, REGIME, facts, today());
    let regime = InspectionRegime::of(&decision, NO_ARGUMENTS).unwrap();
    assert_eq!(regime.always_on.len(), 5);
    let active = regime.always_on.iter().filter(|trigger| trigger.active);
    (
        regime.routine_on_site_exempt,
        regime.sampling_per_mille,
        active.map(|trigger| trigger.code.to_owned()).collect(),
    )
}

#[test]
fn the_exemption_covers_routine_visits_and_ends_with_a_trigger() {
    assert_eq!(regime_of(&firm(star(5))), (true, Some(0), Vec::new()));
    let complaint = with(
        firm(star(5)),
        flag("complaint-verified", Severity::Minor, "2026-11-02", 3),
    );
    assert_eq!(
        regime_of(&complaint),
        (false, Some(50), vec!["complaint-verified".to_owned()])
    );
    let special = with(
        firm(star(5)),
        flag("special-action", Severity::Minor, "2026-11-02", 3),
    );
    assert_eq!(
        regime_of(&special),
        (true, Some(0), vec!["special-action".to_owned()])
    );
    let penalty = with(firm(star(5)), serious_penalty());
    assert_eq!(
        regime_of(&penalty),
        (false, Some(1000), vec!["follow-up".to_owned()])
    );
}

#[test]
fn a_hazardous_waste_operator_is_visited_every_year_whatever_its_star() {
    let mut facts = firm(star(5));
    facts.polluter_class = PolluterClass::HazardousWasteOperator;
    assert_eq!(
        regime_of(&facts),
        (false, Some(1000), vec!["mandatory-class".to_owned()])
    );
}

#[test]
fn a_three_star_firm_is_told_what_the_fast_track_takes() {
    let (policy, facts) = (policy(), firm(star(3)));
    let decision = ask(&policy, PERMIT, &facts, today());
    assert_eq!(
        texts(&decision),
        [
            "Handled by the standard procedure",
            "\"Fast track\" does not apply: it takes at least 4 stars, it has 3"
        ]
    );
    let blocked = decision.reasons.last().unwrap();
    assert_eq!(
        (blocked.kind(), blocked.row().as_deref()),
        (ReasonKind::Blocked, Some("licensing-default/5"))
    );
}
