//! Repairs and appeals over a ledger: each rule by name.

mod walk;
mod world;

use greenstar_kernel::WorkingDays;

use super::*;
use crate::domain::appeal::{self, AppealStage};
use crate::domain::catalogue::Severity;
use crate::domain::flag::Identity;
use crate::domain::ledger::{Proposal, Step};
use crate::domain::repair::{self, ConditionKind, Findings, RepairState, Subject};
use world::*;

#[test]
fn a_repair_by_flag_ends_all_flags_of_the_document_and_site_and_no_other() {
    let mut world = World::on("2026-04-10");
    world.flagged("whole", "ordinary-penalty", "1号", None);
    world.flagged("one", "ordinary-penalty", "1号", Some("001"));
    world.flagged("one-serious", "serious-penalty", "1号", Some("001"));
    world.flagged("two", "ordinary-penalty", "1号", Some("002"));
    world.flagged("other", "ordinary-penalty", "2号", Some("001"));

    // The ordinary penalty's three months have passed, but not the serious one's year: the longest window holds.
    world.now = at("2026-08-01");
    let early = remedy(world.apply_by("one"));
    assert_eq!(
        early,
        RemedyRefusal::TooEarly {
            earliest: "2027-04-02".parse::<Date>().unwrap().start()
        }
    );
    assert_eq!(world.apply_by("two").unwrap().flags, [code("two")]);

    world.now = "2027-04-02".parse::<Date>().unwrap().start();
    // That is the instant at which the ordinary ones lapse.
    let repair = world.apply_by("one-serious").unwrap();
    assert_eq!(repair.flags, [code("one-serious")]);
    world.review(&repair, THIRD, true).unwrap();
    assert_eq!(world.state("one-serious"), FlagState::Repaired);
    assert_eq!(world.state("other"), FlagState::Lapsed);
}

#[test]
fn a_repair_by_document_covers_every_site() {
    let mut world = World::on("2026-04-10");
    world.flagged("whole", "ordinary-penalty", "1号", None);
    world.flagged("one", "ordinary-penalty", "1号", Some("001"));
    world.now = at("2026-07-02");
    let repair = world.apply(Subject::Document(document("1号"))).unwrap();
    assert_eq!(repair.flags, [code("one"), code("whole")]);
    assert_eq!(repair.due_at, repair.applied_at.date().deadline(WorkingDays(10)));

    let done = world.review(&repair, THIRD, true).unwrap();
    assert_eq!(done.flags.len(), 2);
    let granted = repair_of(done.case);
    // Two flags before it, from revision 100 on.
    assert_eq!(granted.certificate().unwrap().1, Revision(102));
    assert_eq!(world.state("whole"), FlagState::Repaired);
    assert_eq!(world.state("one"), FlagState::Repaired);
    // Once more, by either.
    assert_eq!(
        remedy(world.apply_by("one")),
        RemedyRefusal::RepairExists {
            repair: granted.name(),
            state: RepairState::Granted
        }
    );
    let again = remedy(world.apply(Subject::Document(document("1号"))));
    assert!(matches!(again, RemedyRefusal::RepairExists { .. }), "{again:?}");
}

#[test]
fn flags_that_were_raised_after_the_application_end_with_it() {
    let mut world = World::on("2026-04-10");
    world.flagged("a", "online-exceedance", "1号", None);
    let repair = world.apply_by("a").unwrap();
    world.flagged("b", "complaint-verified", "1号", None);
    let granted = repair_of(world.review(&repair, THIRD, true).unwrap().case);
    assert_eq!(granted.flags, [code("a"), code("b")]);
    assert_eq!(world.state("b"), FlagState::Repaired);
}

#[test]
fn a_flag_that_came_later_and_has_no_repair_stops_the_grant() {
    let mut world = World::on("2026-04-10");
    world.flagged("a", "online-exceedance", "1号", None);
    let repair = world.apply_by("a").unwrap();
    world.flagged("b", "special-action", "1号", None);
    let before = world.shown();
    let refused = remedy(world.review(&repair, THIRD, true));
    assert!(
        matches!(refused, RemedyRefusal::NotRepairable { .. }),
        "{refused:?}"
    );
    assert_eq!(world.shown(), before);
    assert_eq!(
        repair_of(world.review(&repair, THIRD, false).unwrap().case).state(),
        RepairState::Refused
    );
    // One can apply again after a refusal; here the law is still in the way.
    assert!(matches!(
        remedy(world.apply_by("a")),
        RemedyRefusal::NotRepairable { .. }
    ));
}

#[test]
fn each_body_repairs_its_own_flags_of_a_document() {
    let mut world = World::on("2026-04-10");
    world.flagged("ours", "ordinary-penalty", "1号", None);
    world
        .raise("theirs", "serious-penalty", "1号", None, "licensing")
        .unwrap();
    world.now = at("2026-07-10");
    let several = remedy(world.apply(Subject::Document(document("1号"))));
    assert!(
        matches!(&several, RemedyRefusal::SeveralBodies { departments } if departments.len() == 2),
        "{several:?}"
    );
    let repair = world.apply_by("ours").unwrap();
    let wrong = remedy(world.review(&repair, "licensing/3", true));
    assert!(
        matches!(wrong, RemedyRefusal::NotTheRecognisingBody { .. }),
        "{wrong:?}"
    );
    world.review(&repair, THIRD, true).unwrap();
    assert_eq!(world.state("theirs"), FlagState::InForce);
}

#[test]
fn who_confirmed_does_not_review_and_a_grant_takes_every_condition() {
    let mut world = World::on("2026-04-10");
    world.flagged("a", "online-exceedance", "1号", None);
    let repair = world.apply_by("a").unwrap();
    for grant in [true, false] {
        let own = remedy(world.review(&repair, "enforcement/2", grant));
        assert!(matches!(own, RemedyRefusal::ReviewsOwn { .. }), "{own:?}");
    }
    for (findings, missing) in [
        ((false, true, true), ConditionKind::Corrected),
        ((true, false, true), ConditionKind::Commitment),
        ((true, true, false), ConditionKind::Other),
    ] {
        let (corrected, committed, others_hold) = findings;
        let examination = Examination {
            name: repair.name(),
            verdict: repair::Verdict::Grant {
                certificate: code("c"),
            },
            findings: Findings {
                corrected,
                committed,
                others_hold,
            },
            opinion: "not yet".into(),
        };
        let refused = remedy(world.decide(&Remedy::Review(Box::new(examination), actor(THIRD))));
        assert_eq!(refused, RemedyRefusal::Condition { condition: missing });
    }
    // The one who raised it may.
    world.review(&repair, "enforcement", true).unwrap();
}

#[test]
fn an_officer_acts_for_a_firm_only_where_his_department_recognised_the_fault() {
    let mut world = World::on("2026-04-10");
    world.flagged("a", "online-exceedance", "1号", None);
    let by_flag = || Subject::Flag(name("a"));
    let by_document = || Subject::Document(document("1号"));
    let foreign = RemedyRefusal::NotTheRecognisingBody {
        department: Department::parse("enforcement").unwrap(),
    };
    let finance = || on_behalf("finance");
    let before = world.shown();
    assert_eq!(remedy(world.file_as("a", finance())), foreign);
    assert_eq!(remedy(world.apply_as(by_flag(), finance())), foreign);
    assert_eq!(remedy(world.apply_as(by_document(), finance())), foreign);
    assert_eq!(world.shown(), before);

    // Not even what is open or was done is told to others.
    let appeal = world.file_as("a", on_behalf("enforcement")).unwrap();
    assert_eq!(remedy(world.file_as("a", finance())), foreign);
    assert_eq!(remedy(world.apply_as(by_flag(), finance())), foreign);
    assert_eq!(remedy(world.apply_as(by_document(), finance())), foreign);
    world
        .decide(&Remedy::WithdrawAppeal(appeal.name(), on_behalf("enforcement")))
        .unwrap();
    let repair = world.apply_as(by_document(), on_behalf("enforcement")).unwrap();
    assert_eq!(remedy(world.file_as("a", finance())), foreign);
    assert_eq!(remedy(world.apply_as(by_flag(), finance())), foreign);
    world.review(&repair, THIRD, true).unwrap();
    assert_eq!(
        remedy(world.apply_as(by_document(), finance())),
        RemedyRefusal::NothingInForce { state: None }
    );
    let own = remedy(world.apply_as(by_document(), on_behalf("enforcement")));
    assert!(matches!(own, RemedyRefusal::RepairExists { .. }), "{own:?}");
}

#[test]
fn who_asked_on_the_firms_behalf_does_not_decide() {
    let mut world = World::on("2026-04-10");
    world.flagged("a", "online-exceedance", "1号", None);
    world.flagged("b", "serious-penalty", "2号", None);
    let repair = world
        .apply_as(Subject::Flag(name("a")), on_behalf(THIRD))
        .unwrap();
    for grant in [true, false] {
        let own = remedy(world.review(&repair, THIRD, grant));
        assert!(matches!(own, RemedyRefusal::ReviewsOwn { .. }), "{own:?}");
    }
    world.review(&repair, "enforcement/4", true).unwrap();

    let appeal = world.file_as("b", on_behalf(THIRD)).unwrap();
    for verdict in [appeal::Verdict::Dismiss, appeal::Verdict::Annul] {
        let own = remedy(world.judge(&appeal, verdict, THIRD));
        assert!(matches!(own, RemedyRefusal::JudgesOwn { .. }), "{own:?}");
    }
    world
        .judge(&appeal, appeal::Verdict::Annul, "enforcement/4")
        .unwrap();
}

#[test]
fn who_had_a_hand_in_a_flag_that_falls_with_it_does_not_annul() {
    let mut world = World::on("2026-04-10");
    world.flagged("a", "serious-penalty", "1号", None);
    // Raised by the third, confirmed by the third's second.
    world.raise("b", "ordinary-penalty", "1号", None, THIRD).unwrap();
    let appeal = world.file("a").unwrap();
    for officer in [THIRD, "enforcement/3/2"] {
        let own = remedy(world.judge(&appeal, appeal::Verdict::Annul, officer));
        assert!(matches!(own, RemedyRefusal::JudgesOwn { .. }), "{own:?}");
    }
    // To dismiss it touches the one flag only.
    world.judge(&appeal, appeal::Verdict::Dismiss, THIRD).unwrap();
}

#[test]
fn options_say_what_can_be_done_about_each_document_and_when() {
    let mut world = World::on("2026-04-10");
    world.flagged("a", "serious-penalty", "1号", None);
    world.flagged("b", "ordinary-penalty", "1号", None);
    world.flagged("c", "permit-by-deceit", "2号", None);
    world.flagged("d", "online-exceedance", "3号", None);
    let shown = world.options();
    assert_eq!(shown.len(), 3);
    let of = |number: &str| {
        shown
            .iter()
            .find(|option| option.document.number == number)
            .unwrap()
    };
    let first = of("1号");
    assert_eq!(first.flags.len(), 2);
    assert_eq!(first.severity, Severity::Serious);
    let april: Date = "2027-04-02".parse().unwrap();
    assert_eq!(first.earliest_at, Some(april.start()));
    assert!(first.why.en.contains("2027-04-02") && first.why.zh.contains("2027-04-02"));
    assert!(!first.conditions.iter().any(|condition| condition.holds));
    let never = of("2号");
    assert_eq!((never.earliest_at, never.conditions.len()), (None, 0));
    assert!(never.why.en.contains("no repair"));
    assert!(
        of("3号").conditions[0].holds,
        "a minor fault can be repaired at once"
    );

    let repair = world.apply_by("d").unwrap();
    let shown = world.options();
    let open = shown
        .iter()
        .find(|option| option.document.number == "3号")
        .unwrap();
    assert_eq!(open.open, Some(repair.name()));
    assert!(open.why.zh.contains("正在审核"), "{}", open.why.zh);
    world.now = repair.due_at;
    assert!(repair.overdue(world.now));
    let shown = world.options();
    let late = shown
        .iter()
        .find(|option| option.document.number == "3号")
        .unwrap();
    assert!(late.why.en.contains("late"), "{}", late.why.en);
}

#[test]
fn an_appeal_suspends_only_where_the_catalogue_says_so_and_a_dismissal_binds_again() {
    let mut world = World::on("2026-04-10");
    world.flagged("a", "online-exceedance", "1号", None);
    world.flagged("b", "serious-penalty", "2号", None);
    let suspending = world.file("a").unwrap();
    let plain = world.file("b").unwrap();
    assert_eq!((suspending.suspends, plain.suspends), (true, false));
    assert_eq!(
        (world.state("a"), world.state("b")),
        (FlagState::Suspended, FlagState::InForce)
    );
    assert_eq!(suspending.due_at, world.now.date().deadline(WorkingDays(15)));
    for officer in ["enforcement", "enforcement/2"] {
        let own = remedy(world.judge(&suspending, appeal::Verdict::Dismiss, officer));
        assert!(matches!(own, RemedyRefusal::JudgesOwn { .. }), "{own:?}");
    }
    world.judge(&suspending, appeal::Verdict::Dismiss, THIRD).unwrap();
    world.judge(&plain, appeal::Verdict::Dismiss, THIRD).unwrap();
    assert_eq!(
        (world.state("a"), world.state("b")),
        (FlagState::InForce, FlagState::InForce)
    );
    let again = remedy(world.file("a"));
    assert!(matches!(again, RemedyRefusal::AppealExists { .. }), "{again:?}");
}

#[test]
fn an_annulment_takes_along_what_else_stood_on_the_document() {
    let mut world = World::on("2026-04-10");
    world.flagged("a", "serious-penalty", "1号", None);
    world.flagged("b", "ordinary-penalty", "1号", None);
    world.flagged("c", "ordinary-penalty", "1号", Some("001"));
    let appeal = world.file("a").unwrap();
    let done = world.judge(&appeal, appeal::Verdict::Annul, THIRD).unwrap();
    assert_eq!(done.flags.len(), 2);
    assert_eq!(
        (world.state("a"), world.state("b")),
        (FlagState::Revoked, FlagState::Revoked)
    );
    assert_eq!(world.state("c"), FlagState::InForce);
}

#[test]
fn an_amendment_makes_a_flag_milder_and_nothing_else() {
    let mut world = World::on("2026-04-10");
    world.flagged("a", "serious-penalty", "1号", None);
    let appeal = world.file("a").unwrap();
    let not_milder = world.judge(&appeal, appeal::Verdict::Amend(Severity::Serious), THIRD);
    assert!(
        matches!(not_milder, Err(Refusal::SeverityNotAllowed { .. })),
        "{not_milder:?}"
    );
    let done = world
        .judge(&appeal, appeal::Verdict::Amend(Severity::Ordinary), THIRD)
        .unwrap();
    assert_eq!(done.flags[0].severity, Severity::Ordinary);
    let stage = appeal_of(done.case).stage;
    assert!(matches!(
        stage,
        AppealStage::Amended {
            severity: Severity::Ordinary,
            ..
        }
    ));
}

#[test]
fn an_appeal_comes_in_time_and_against_what_binds() {
    let mut world = World::on("2026-04-10");
    world.flagged("a", "serious-penalty", "1号", None);
    world.flagged("b", "serious-penalty", "2号", None);
    world
        .ledger
        .decide(
            &Step::Lift {
                name: name("b"),
                reason: "paid".into(),
            },
            &actor("enforcement"),
            world.now,
        )
        .unwrap();
    let ended = remedy(world.file("b"));
    assert_eq!(
        ended,
        RemedyRefusal::NothingInForce {
            state: Some(FlagState::Lifted)
        }
    );
    // Sixty days after 2026-04-10: the last one is 2026-06-09.
    let until = "2026-06-10".parse::<Date>().unwrap().start();
    world.now = until;
    assert_eq!(remedy(world.file("a")), RemedyRefusal::AppealOutOfTime { until });
    world.now = Timestamp::from_micros(until.micros() - 1);
    world.file("a").unwrap();
}

#[test]
fn a_firm_asks_for_one_thing_at_a_time() {
    let mut world = World::on("2026-04-10");
    world.flagged("a", "online-exceedance", "1号", None);
    let repair = world.apply_by("a").unwrap();
    assert!(matches!(
        remedy(world.file("a")),
        RemedyRefusal::UnderRepair { .. }
    ));
    let party = Party::Enterprise(firm());
    world
        .decide(&Remedy::WithdrawRepair(repair.name(), party.clone()))
        .unwrap();
    let appeal = world.file("a").unwrap();
    assert!(matches!(
        remedy(world.apply_by("a")),
        RemedyRefusal::UnderAppeal { .. }
    ));
    world
        .decide(&Remedy::WithdrawAppeal(appeal.name(), party))
        .unwrap();
    assert_eq!(world.state("a"), FlagState::InForce);
    world.apply_by("a").unwrap();
}

#[test]
fn a_document_that_was_repaired_is_not_flagged_again_and_one_that_was_annulled_not_so() {
    let mut world = World::on("2026-04-10");
    world.flagged("a", "online-exceedance", "1号", None);
    world.flagged("b", "online-exceedance", "2号", None);
    let repair = world.apply_by("a").unwrap();
    world.review(&repair, THIRD, true).unwrap();
    let appeal = world.file("b").unwrap();
    world.judge(&appeal, appeal::Verdict::Annul, THIRD).unwrap();
    for number in ["1号", "2号"] {
        let again = world.raise("again", "online-exceedance", number, None, "enforcement");
        assert!(matches!(again, Err(Refusal::Settled { .. })), "{again:?}");
    }
    // A repair acts on the document, so no other kind brings it back; an appeal may have annulled the kind alone.
    let other = world.raise("other", "complaint-verified", "1号", None, "enforcement");
    assert!(matches!(other, Err(Refusal::Settled { .. })), "{other:?}");
    world.flagged("c", "complaint-verified", "2号", None);
    world.flagged("d", "online-exceedance", "3号", None);
}

#[test]
fn a_suspended_flag_whose_term_ended_does_not_come_back() {
    let mut world = World::on("2026-04-10");
    world.flagged("a", "online-exceedance", "1号", None);
    let appeal = world.file("a").unwrap();
    world.now = at("2026-07-02");
    assert_eq!(world.state("a"), FlagState::Lapsed);
    let done = world.judge(&appeal, appeal::Verdict::Dismiss, THIRD).unwrap();
    assert!(done.flags.is_empty());
    assert_eq!(world.state("a"), FlagState::Lapsed);
}

#[test]
fn proposals_are_not_there_for_the_firm() {
    let mut world = World::on("2026-04-10");
    world.flagged("a", "online-exceedance", "1号", None);
    let proposal = Proposal {
        id: code("p"),
        identity: Identity {
            enterprise: firm(),
            document: document("9号"),
            site: None,
            kind: code("online-exceedance"),
            scope: None,
        },
        severity: None,
        penalties: Vec::new(),
        evidence: Vec::new(),
        reason: String::new(),
    };
    let step = Step::Raise(Box::new(proposal));
    world
        .ledger
        .decide(&step, &actor("enforcement"), world.now)
        .unwrap();
    for outcome in [world.apply_by("p").map(drop), world.file("p").map(drop)] {
        assert!(matches!(outcome, Err(Refusal::FlagHidden { .. })), "{outcome:?}");
    }
    let by_document = remedy(world.apply(Subject::Document(document("9号"))));
    assert_eq!(by_document, RemedyRefusal::NothingInForce { state: None });
}
