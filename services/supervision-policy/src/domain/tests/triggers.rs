//! What always brings an inspector: flags, and events that were recorded at the rating.

use std::sync::Arc;

use greenstar_kernel::Timestamp;

use super::support::{NO_ARGUMENTS, ask, date, event, firm, flag, policy, star, today, with};
use crate::domain::catalogue::Severity;
use crate::domain::facts::{Event, Facts};
use crate::domain::regime::InspectionRegime;

const REGIME: &str = "enforcement/inspection-regime";

fn five_star(events: &[Event]) -> Facts {
    let mut facts = firm(star(5));
    facts.events = Arc::from(events);
    facts
}

/// The outcome, and the triggers that apply.
fn regime(facts: &Facts, as_of: Timestamp) -> (String, Vec<String>) {
    let policy = policy();
    let decision = ask(&policy, REGIME, facts, as_of);
    let regime = InspectionRegime::of(&decision, NO_ARGUMENTS).unwrap();
    let mut codes: Vec<&str> = regime.always_on.iter().map(|trigger| trigger.code).collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), regime.always_on.len(), "each stands once");
    assert_eq!(
        regime.routine_on_site_exempt,
        decision.outcome.code.as_str() == "EXEMPT"
    );
    let active = regime.always_on.iter().filter(|trigger| trigger.active);
    (
        decision.outcome.code.as_str().to_owned(),
        active.map(|trigger| trigger.code.to_owned()).collect(),
    )
}

fn answer(outcome: &str, triggers: &[&str]) -> (String, Vec<String>) {
    (
        outcome.to_owned(),
        triggers.iter().map(|code| (*code).to_owned()).collect(),
    )
}

#[test]
fn an_event_at_the_rating_sets_its_trigger_and_takes_the_exemption_away() {
    for (kind, severity, triggers) in [
        (
            "complaint_verified_minor",
            Severity::Minor,
            &["complaint-verified"][..],
        ),
        (
            "complaint_verified_repeat",
            Severity::Ordinary,
            &["complaint-verified"],
        ),
        (
            "exceedance_hourly_average",
            Severity::Minor,
            &["online-exceedance"],
        ),
        (
            "exceedance_daily_average",
            Severity::Ordinary,
            &["online-exceedance"],
        ),
        (
            "exceedance_over_twofold",
            Severity::Serious,
            &["online-exceedance", "follow-up"],
        ),
    ] {
        let facts = five_star(&[event(kind, severity, "2026-11-02")]);
        assert_eq!(regime(&facts, today()), answer("REDUCED", triggers), "{kind}");
    }
    // Others are the rating's business.
    let other = five_star(&[event("execution_report_late", Severity::Minor, "2026-11-02")]);
    assert_eq!(regime(&other, today()), answer("EXEMPT", &[]));
}

#[test]
fn its_window_ends_by_time_when_the_last_day_is_over_in_shanghai() {
    let complaint = five_star(&[event("complaint_verified_minor", Severity::Minor, "2025-11-24")]);
    let end = date("2026-11-25").start();
    let just_before = Timestamp::from_micros(end.micros() - 1);
    assert_eq!(end.to_string(), "2026-11-24T16:00:00Z");
    assert_eq!(
        regime(&complaint, just_before),
        answer("REDUCED", &["complaint-verified"])
    );
    assert_eq!(regime(&complaint, end), answer("EXEMPT", &[]));

    let exceedance = five_star(&[event("exceedance_hourly_average", Severity::Minor, "2026-08-31")]);
    // No 31 February.
    let end = date("2027-03-01").start();
    let just_before = Timestamp::from_micros(end.micros() - 1);
    assert_eq!(
        regime(&exceedance, just_before),
        answer("REDUCED", &["online-exceedance"])
    );
    assert_eq!(regime(&exceedance, end), answer("EXEMPT", &[]));
}

#[test]
fn the_last_of_several_events_counts() {
    let facts = five_star(&[
        event("complaint_verified_minor", Severity::Minor, "2026-10-01"),
        event("complaint_verified_minor", Severity::Minor, "2024-10-01"),
    ]);
    assert_eq!(
        regime(&facts, today()),
        answer("REDUCED", &["complaint-verified"])
    );
}

#[test]
fn a_flag_and_an_event_give_one_trigger() {
    let facts = with(
        five_star(&[event("complaint_verified_minor", Severity::Minor, "2026-11-02")]),
        flag("complaint-verified", Severity::Minor, "2026-11-02", 3),
    );
    assert_eq!(
        regime(&facts, today()),
        answer("REDUCED", &["complaint-verified"])
    );
    // The event's window is the longer one.
    assert_eq!(
        regime(&facts, date("2027-02-03").start()),
        answer("REDUCED", &["complaint-verified"])
    );
}

#[test]
fn after_repair_all_is_as_before() {
    let before = five_star(&[]);
    let mut facts = five_star(&[
        event("complaint_verified_repeat", Severity::Ordinary, "2026-11-02"),
        event("exceedance_daily_average", Severity::Ordinary, "2026-11-02"),
    ]);
    assert_eq!(
        regime(&facts, today()),
        answer("REDUCED", &["complaint-verified", "online-exceedance"])
    );
    // Rating tells of events that were not repaired only.
    facts.events = Arc::new([]);
    assert_eq!(regime(&facts, today()), regime(&before, today()));
    assert_eq!(regime(&before, today()), answer("EXEMPT", &[]));
}
