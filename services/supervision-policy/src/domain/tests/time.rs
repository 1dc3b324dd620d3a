//! Time inside facts: what lapses does so at its instant, without an event.

use std::sync::Arc;

use greenstar_kernel::{Code, LocalizedText, Standing, Timestamp};

use super::support::{
    answer, ask, catalogue, date, firm, flag, policy, serious_penalty, star, texts, today, with,
};
use crate::domain::catalogue::{Catalogue, CatalogueParts, Severity};
use crate::domain::facts::{Event, Facts, Transition};

const PERMIT: &str = "licensing/pollutant-permit";

fn outcome_at(facts: &Facts, as_of: Timestamp) -> String {
    ask(&policy(), PERMIT, facts, as_of)
        .outcome
        .code
        .as_str()
        .to_owned()
}

fn just_before(instant: Timestamp) -> Timestamp {
    Timestamp::from_micros(instant.micros() - 1)
}

#[test]
fn a_flag_binds_from_its_confirmation_until_its_term_ends() {
    let flag = serious_penalty();
    let (start, end) = (flag.start, flag.end.unwrap());
    let facts = with(firm(star(5)), flag);
    assert_eq!(outcome_at(&facts, just_before(start)), "FAST_TRACK");
    assert_eq!(outcome_at(&facts, start), "STRICT_REVIEW");
    assert_eq!(outcome_at(&facts, just_before(end)), "STRICT_REVIEW");
    assert_eq!(outcome_at(&facts, end), "FAST_TRACK");
}

#[test]
fn a_star_expires_at_its_instant() {
    let end = date("2027-06-30").start();
    let mut facts = firm(star(5));
    facts.rating.valid_until = Some(end);
    assert_eq!(facts.rating.at(just_before(end)).standing, star(5));
    assert_eq!(facts.rating.at(end).standing, Standing::Expired);
    assert_eq!(outcome_at(&facts, end), "STANDARD");
}

#[test]
fn a_veto_does_not_expire_into_a_better_state() {
    let mut facts = firm(Standing::Vetoed);
    facts.rating.valid_until = Some(date("2026-01-01").start());
    assert_eq!(outcome_at(&facts, today()), "STRICT_REVIEW");
}

#[test]
fn the_next_transition_applies_by_time() {
    let at = date("2026-12-01").start();
    let mut facts = firm(star(3));
    facts.rating.next = Some(Transition {
        at,
        standing: star(4),
        total: None,
        categories: [None; 5],
        cause: Arc::new(LocalizedText::new("扣分窗口期届满", "a deduction's window ends")),
    });
    assert_eq!(outcome_at(&facts, just_before(at)), "STANDARD");
    assert_eq!(outcome_at(&facts, at), "FAST_TRACK");
}

#[test]
fn no_measure_rests_on_a_flag_beyond_its_severitys_ceiling() {
    // Shown for five years, but a serious fault carries measures for three.
    let blacklisted = with(
        firm(star(5)),
        flag(
            "environmental-service-blacklist",
            Severity::Serious,
            "2023-01-10",
            60,
        ),
    );
    let policy = policy();
    let within = ask(
        &policy,
        "licensing/eia-approval",
        &blacklisted,
        date("2026-01-10").start(),
    );
    assert_eq!(answer(&within), "STRICT_REVIEW strict-review");
    let beyond = ask(
        &policy,
        "licensing/eia-approval",
        &blacklisted,
        date("2026-01-11").start(),
    );
    assert_eq!(answer(&beyond), "STANDARD");
    assert_eq!(beyond.flags.len(), 1, "it is still in force and named");
    assert!(
        texts(&beyond)
            .iter()
            .any(|text| text.contains("older than its severity allows")),
        "{:?}",
        texts(&beyond)
    );
}

#[test]
fn a_flag_too_mild_carries_nothing() {
    let facts = with(
        firm(star(5)),
        flag("serious-penalty", Severity::Ordinary, "2026-10-08", 12),
    );
    let policy = policy();
    let decision = ask(&policy, PERMIT, &facts, today());
    assert_eq!(answer(&decision), "STANDARD");
    assert!(
        texts(&decision)
            .iter()
            .any(|text| text.contains("not severe enough")),
        "{:?}",
        texts(&decision)
    );
}

fn edited(edit: impl Fn(&mut CatalogueParts)) -> Arc<Catalogue> {
    let mut parts = catalogue().parts().clone();
    edit(&mut parts);
    Arc::new(Catalogue::new(parts).unwrap())
}

fn under(catalogue: Arc<Catalogue>) -> (String, Vec<String>) {
    let policy = policy().under(catalogue).unwrap();
    let facts = with(firm(star(5)), serious_penalty());
    let decision = ask(&policy, PERMIT, &facts, today());
    (answer(&decision), texts(&decision))
}

#[test]
fn a_measure_falls_with_its_entry_and_with_its_bases() {
    let ended = edited(|parts| {
        let entry = parts
            .measures
            .iter_mut()
            .find(|measure| measure.code.as_str() == "strict-review")
            .unwrap();
        entry.until = Some(date("2026-11-23"));
    });
    let (answer, texts) = under(ended);
    assert_eq!(answer, "STANDARD");
    assert!(
        texts
            .iter()
            .any(|text| text.contains("its entry in the catalogue is not in force")),
        "{texts:?}"
    );
    let repealed = edited(|parts| {
        parts
            .bases
            .iter_mut()
            .for_each(|basis| basis.end = Some(date("2026-11-23")))
    });
    let (answer, texts) = under(repealed);
    assert_eq!(answer, "STANDARD");
    assert!(
        texts
            .iter()
            .any(|text| text.contains("none of its legal bases is in force")),
        "{texts:?}"
    );
}

#[test]
fn a_flag_whose_own_bases_have_all_ended_carries_no_measure() {
    // The kind gets a basis of its own, which no measure stands on.
    let standing_on = |end: Option<&str>| {
        edited(|parts| {
            let mut own = parts.bases[0].clone();
            own.code = Code::parse("of-the-kind").unwrap();
            own.end = end.map(date);
            let kind = parts
                .flag_kinds
                .iter_mut()
                .find(|kind| kind.code.as_str() == "serious-penalty");
            kind.unwrap().bases = vec![own.code.clone()];
            parts.bases.push(own);
        })
    };
    let restricted = "STRICT_REVIEW strict-review";
    assert_eq!(under(standing_on(None)).0, restricted);
    assert_eq!(
        under(standing_on(Some("2026-11-24"))).0,
        restricted,
        "its last day"
    );
    let (answer, texts) = under(standing_on(Some("2026-11-23")));
    assert_eq!(answer, "STANDARD");
    assert!(
        texts
            .iter()
            .any(|text| text.contains("none of the legal bases of the flag's kind is in force")),
        "{texts:?}"
    );
}

#[test]
fn a_refusal_needs_a_named_article_in_force() {
    // Another basis without an article stays, of the kind as well; the article itself is repealed.
    let repealed = edited(|parts| {
        let article = parts
            .bases
            .iter_mut()
            .find(|basis| basis.code.as_str() == "licensing-law-79")
            .unwrap();
        article.end = Some(date("2026-11-23"));
        let other = parts
            .bases
            .iter()
            .find(|basis| basis.article.is_none())
            .unwrap()
            .code
            .clone();
        let refusal = parts
            .measures
            .iter_mut()
            .find(|measure| measure.code.as_str() == "refuse-permit")
            .unwrap();
        refusal.bases.push(other.clone());
        let kind = parts
            .flag_kinds
            .iter_mut()
            .find(|kind| kind.code.as_str() == "permit-by-deceit");
        kind.unwrap().bases.push(other);
    });
    let policy = policy().under(repealed).unwrap();
    let facts = with(
        firm(star(5)),
        flag("permit-by-deceit", Severity::Serious, "2026-10-08", 36),
    );
    let decision = ask(&policy, PERMIT, &facts, today());
    assert_eq!(answer(&decision), "STRICT_REVIEW strict-review");
    assert!(
        texts(&decision)
            .iter()
            .any(|text| text.contains("needs a named article")),
        "{:?}",
        texts(&decision)
    );
}

/// When the measure of this code ends, for a firm that is asked about today.
fn told_end(catalogue: Arc<Catalogue>, facts: &Facts, code: &str) -> Option<Timestamp> {
    let policy = policy().under(catalogue).unwrap();
    ask(&policy, PERMIT, facts, today()).measure(code).unwrap().ends
}

#[test]
fn a_measure_is_told_to_end_with_its_flag_its_entry_or_its_bases_whichever_is_first() {
    let flagged = with(firm(star(5)), serious_penalty());
    let vetoed = firm(Standing::Vetoed);
    let code = "strict-review";
    let kept = || edited(|_| ());
    assert_eq!(told_end(kept(), &flagged, code), serious_penalty().end);
    assert_eq!(
        told_end(kept(), &vetoed, code),
        None,
        "by its state, for as long as that"
    );
    let ends_first = Some(date("2027-01-01").start());
    let last = Some(date("2026-12-31"));
    let entry_ends = || {
        edited(|parts| {
            let mut entries = parts.measures.iter_mut();
            entries
                .find(|measure| measure.code.as_str() == code)
                .unwrap()
                .until = last;
        })
    };
    let law_ends = || edited(|parts| parts.bases.iter_mut().for_each(|basis| basis.end = last));
    let kind_ends = edited(|parts| {
        let mut own = parts.bases[0].clone();
        own.code = Code::parse("of-the-kind").unwrap();
        own.end = last;
        let mut kinds = parts.flag_kinds.iter_mut();
        let kind = kinds
            .find(|kind| kind.code.as_str() == "serious-penalty")
            .unwrap();
        kind.bases = vec![own.code.clone()];
        parts.bases.push(own);
    });
    for facts in [&flagged, &vetoed] {
        assert_eq!(told_end(entry_ends(), facts, code), ends_first);
        assert_eq!(told_end(law_ends(), facts, code), ends_first);
    }
    assert_eq!(told_end(kind_ends.clone(), &flagged, code), ends_first);
    assert_eq!(told_end(kind_ends, &vetoed, code), None);
}

#[test]
fn a_law_that_follows_another_without_a_gap_carries_on() {
    let relieved = |from: &str| {
        edited(|parts| {
            let mut next = parts.bases[0].clone();
            next.code = Code::parse("the-next-law").unwrap();
            parts
                .bases
                .iter_mut()
                .for_each(|basis| basis.end = Some(date("2026-12-31")));
            (next.effective, next.end) = (Some(date(from)), None);
            for measure in &mut parts.measures {
                measure.bases.push(next.code.clone());
            }
            parts.bases.push(next);
        })
    };
    let vetoed = firm(Standing::Vetoed);
    assert_eq!(told_end(relieved("2027-01-01"), &vetoed, "strict-review"), None);
    let gap = Some(date("2027-01-01").start());
    assert_eq!(told_end(relieved("2027-01-02"), &vetoed, "strict-review"), gap);
}

#[test]
fn what_takes_a_right_ends_with_its_last_article() {
    let article_ends = edited(|parts| {
        let other = parts.bases.iter().find(|basis| basis.article.is_none()).unwrap();
        let other = other.code.clone();
        for basis in parts.bases.iter_mut().filter(|basis| basis.article.is_some()) {
            basis.end = Some(date("2026-12-31"));
        }
        let mut entries = parts.measures.iter_mut();
        let refusal = entries.find(|measure| measure.code.as_str() == "refuse-permit");
        refusal.unwrap().bases.push(other.clone());
        let mut kinds = parts.flag_kinds.iter_mut();
        let kind = kinds.find(|kind| kind.code.as_str() == "permit-by-deceit");
        kind.unwrap().bases.push(other);
    });
    let deceit = flag("permit-by-deceit", Severity::Serious, "2026-10-08", 36);
    let facts = with(firm(star(5)), deceit);
    let end = told_end(article_ends, &facts, "refuse-permit");
    assert_eq!(end, Some(date("2027-01-01").start()));
}

#[test]
fn facts_survive_their_record() {
    let mut facts = with(firm(star(5)), serious_penalty());
    facts.sector = Some("C2710".parse().unwrap());
    facts.district = Some("110115".parse().unwrap());
    let kind = greenstar_kernel::Code::parse("fine_ordinary").unwrap();
    facts.events = Arc::new([Event {
        kind,
        severity: Severity::Ordinary,
        date: date("2026-01-15"),
    }]);
    let kept = serde_json::to_string(&facts).unwrap();
    assert_eq!(serde_json::from_str::<Facts>(&kept).unwrap(), facts);
}
