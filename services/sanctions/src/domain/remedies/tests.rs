//! Repairs and appeals over a ledger: each rule by name, and random walks against what must always hold.

use greenstar_kernel::{Document, WorkingDays};
use proptest::prelude::*;

use super::*;
use crate::domain::appeal::{self, AppealStage};
use crate::domain::catalogue::{Catalogue, Law, SHIPPED, Severity};
use crate::domain::flag::{Identity, Site};
use crate::domain::ledger::{Proposal, Step};
use crate::domain::repair::{self, ConditionKind, Findings, RepairStage, RepairState, Subject, options};
use crate::domain::stage::Stage;

const FIRM: &str = "91110115MAX000015J";
/// The third officer: neither proposer nor confirmer.
const THIRD: &str = "enforcement/3";

fn code(raw: &str) -> Code {
    Code::parse(raw).unwrap()
}

fn firm() -> Uscc {
    FIRM.parse().unwrap()
}

/// Noon of a day.
fn at(day: &str) -> Timestamp {
    let day: Date = day.parse().unwrap();
    day.start().plus(std::time::Duration::from_secs(12 * 3600))
}

fn actor(officer: &str) -> Actor {
    Actor {
        department: Department::parse(officer.split('/').next().unwrap()).unwrap(),
        officer: Officer(officer.to_owned()),
    }
}

fn document(number: &str) -> Document {
    Document {
        issuer: "局".into(),
        number: number.into(),
        date: "2026-04-01".parse().unwrap(),
    }
}

fn name(id: &str) -> FlagName {
    FlagName {
        enterprise: firm(),
        id: code(id),
    }
}

/// A ledger, its remedies, and a clock.
struct World {
    ledger: Ledger,
    remedies: Remedies,
    now: Timestamp,
    made: u64,
}

impl World {
    fn on(day: &str) -> World {
        let mut ledger = Ledger::new(Law::default(), []);
        ledger
            .enact(&Catalogue::from_yaml(SHIPPED).unwrap(), at("2026-01-01"))
            .unwrap();
        World {
            ledger,
            remedies: Remedies::default(),
            now: at(day),
            made: 0,
        }
    }

    fn raise(
        &mut self,
        id: &str,
        kind: &str,
        number: &str,
        site: Option<&str>,
        officer: &str,
    ) -> Result<(), Refusal> {
        let proposal = Proposal {
            id: code(id),
            identity: Identity {
                enterprise: firm(),
                document: document(number),
                site: site.map(|site| Site::try_from(site.to_owned()).unwrap()),
                kind: code(kind),
                scope: (kind == "permit-by-deceit").then(|| code("hazardous-waste-permit")),
            },
            severity: None,
            penalties: Vec::new(),
            evidence: Vec::new(),
            reason: String::new(),
        };
        let step = Step::Raise(Box::new(proposal));
        self.ledger.decide(&step, &actor(officer), self.now)?;
        let second = format!("{officer}/2");
        self.ledger
            .decide(&Step::Confirm(name(id)), &actor(&second), self.now)
            .map(drop)
    }

    fn flagged(&mut self, id: &str, kind: &str, number: &str, site: Option<&str>) {
        self.raise(id, kind, number, site, "enforcement").unwrap();
    }

    fn decide(&mut self, remedy: &Remedy) -> Result<Done<Case>, Refusal> {
        self.remedies
            .decide(&mut self.ledger, remedy, self.now, Revision(100))
    }

    fn id(&mut self, what: &str) -> Code {
        self.made += 1;
        code(&format!("{what}-{}", self.made))
    }

    fn apply(&mut self, subject: Subject) -> Result<Repair, Refusal> {
        let application = Application {
            id: self.id("r"),
            enterprise: firm(),
            subject,
            commitment: "we have corrected it".into(),
            evidence: Vec::new(),
        };
        let done = self.decide(&Remedy::Apply(Box::new(application), Party::Enterprise(firm())))?;
        Ok(repair_of(done.case))
    }

    fn apply_by(&mut self, flag: &str) -> Result<Repair, Refusal> {
        self.apply(Subject::Flag(name(flag)))
    }

    fn review(&mut self, repair: &Repair, officer: &str, grant: bool) -> Result<Done<Case>, Refusal> {
        let verdict = if grant {
            repair::Verdict::Grant {
                certificate: self.id("c"),
            }
        } else {
            repair::Verdict::Refuse
        };
        let examination = Examination {
            name: repair.name(),
            verdict,
            findings: Findings {
                corrected: true,
                committed: true,
                others_hold: true,
            },
            opinion: "checked on site".into(),
        };
        self.decide(&Remedy::Review(Box::new(examination), actor(officer)))
    }

    fn file(&mut self, flag: &str) -> Result<Appeal, Refusal> {
        let filing = Filing {
            id: self.id("a"),
            enterprise: firm(),
            flag: name(flag),
            grounds: "it was not us".into(),
            evidence: Vec::new(),
        };
        let done = self.decide(&Remedy::File(Box::new(filing), Party::Enterprise(firm())))?;
        Ok(appeal_of(done.case))
    }

    fn judge(
        &mut self,
        appeal: &Appeal,
        verdict: appeal::Verdict,
        officer: &str,
    ) -> Result<Done<Case>, Refusal> {
        let judgement = Judgement {
            name: appeal.name(),
            verdict,
            opinion: "measured again".into(),
        };
        self.decide(&Remedy::Judge(Box::new(judgement), actor(officer)))
    }

    fn state(&self, flag: &str) -> FlagState {
        self.ledger.flag(&name(flag)).unwrap().state(self.now)
    }

    fn options(&self) -> Vec<repair::RepairOption> {
        options(&self.ledger, &self.remedies, firm(), self.now)
    }

    fn shown(&self) -> String {
        let flags: Vec<&Flag> = self.ledger.flags().collect();
        format!(
            "{flags:?} {:?} {:?}",
            self.remedies.repairs, self.remedies.appeals
        )
    }
}

fn repair_of(case: Case) -> Repair {
    match case {
        Case::Repair(repair) => *repair,
        Case::Appeal(appeal) => panic!("{appeal:?}"),
    }
}

fn appeal_of(case: Case) -> Appeal {
    match case {
        Case::Appeal(appeal) => *appeal,
        Case::Repair(repair) => panic!("{repair:?}"),
    }
}

#[track_caller]
fn remedy<T: std::fmt::Debug>(outcome: Result<T, Refusal>) -> RemedyRefusal {
    match outcome {
        Err(Refusal::Remedy(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

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

/// One move of a random walk; numbers choose among what there is.
#[derive(Clone, Debug)]
enum Move {
    Raise {
        kind: usize,
        number: usize,
        site: usize,
    },
    Lift(usize),
    Days(u32),
    Apply(usize),
    ApplyDocument(usize),
    Review {
        which: usize,
        officer: usize,
        grant: bool,
    },
    WithdrawRepair(usize),
    File(usize),
    Judge {
        which: usize,
        officer: usize,
        verdict: usize,
    },
    WithdrawAppeal(usize),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        3 => (0..5_usize, 0..2_usize, 0..3_usize).prop_map(|(kind, number, site)| Move::Raise { kind, number, site }),
        1 => (0..8_usize).prop_map(Move::Lift),
        2 => (0..120_u32).prop_map(Move::Days),
        3 => (0..8_usize).prop_map(Move::Apply),
        1 => (0..2_usize).prop_map(Move::ApplyDocument),
        3 => (0..8_usize, 0..4_usize, any::<bool>()).prop_map(|(which, officer, grant)| Move::Review { which, officer, grant }),
        1 => (0..8_usize).prop_map(Move::WithdrawRepair),
        3 => (0..8_usize).prop_map(Move::File),
        3 => (0..8_usize, 0..4_usize, 0..4_usize).prop_map(|(which, officer, verdict)| Move::Judge { which, officer, verdict }),
        1 => (0..8_usize).prop_map(Move::WithdrawAppeal),
    ];
    prop::collection::vec(one, 1..40)
}

const KINDS: [&str; 5] = [
    "serious-penalty",
    "ordinary-penalty",
    "online-exceedance",
    "complaint-verified",
    "special-action",
];
const OFFICERS: [&str; 4] = ["enforcement", "enforcement/2", THIRD, "licensing"];
const NUMBERS: [&str; 2] = ["1号", "2号"];

impl World {
    fn pick<T: Clone>(items: impl Iterator<Item = T>, which: usize) -> Option<T> {
        let items: Vec<T> = items.collect();
        items.get(which.checked_rem(items.len())?).cloned()
    }

    fn flag_at(&self, which: usize) -> Option<String> {
        World::pick(self.ledger.flags().map(|flag| flag.id.to_string()), which)
    }

    fn step(&mut self, one: &Move) -> Option<Result<(), Refusal>> {
        let party = Party::Enterprise(firm());
        match one {
            Move::Raise { kind, number, site } => {
                let id = self.id("f").to_string();
                let site = [None, Some("001"), Some("002")][*site];
                Some(self.raise(&id, KINDS[*kind], NUMBERS[*number], site, "enforcement"))
            }
            Move::Lift(which) => {
                let name = name(&self.flag_at(*which)?);
                let step = Step::Lift {
                    name,
                    reason: "x".into(),
                };
                Some(
                    self.ledger
                        .decide(&step, &actor("enforcement"), self.now)
                        .map(drop),
                )
            }
            Move::Days(days) => {
                let day = std::time::Duration::from_secs(86_400);
                self.now = self.now.plus(day * *days);
                None
            }
            Move::Apply(which) => {
                let flag = self.flag_at(*which)?;
                Some(self.apply_by(&flag).map(drop))
            }
            Move::ApplyDocument(number) => Some(
                self.apply(Subject::Document(document(NUMBERS[*number])))
                    .map(drop),
            ),
            Move::Review {
                which,
                officer,
                grant,
            } => {
                let repair = World::pick(self.remedies.repairs.values(), *which)?.clone();
                Some(self.review(&repair, OFFICERS[*officer], *grant).map(drop))
            }
            Move::WithdrawRepair(which) => {
                let name = World::pick(self.remedies.repairs.values(), *which)?.name();
                Some(self.decide(&Remedy::WithdrawRepair(name, party)).map(drop))
            }
            Move::File(which) => {
                let flag = self.flag_at(*which)?;
                Some(self.file(&flag).map(drop))
            }
            Move::Judge {
                which,
                officer,
                verdict,
            } => {
                let appeal = World::pick(self.remedies.appeals.values(), *which)?.clone();
                let verdict = [
                    appeal::Verdict::Dismiss,
                    appeal::Verdict::Annul,
                    appeal::Verdict::Amend(Severity::Minor),
                    appeal::Verdict::Amend(Severity::Ordinary),
                ][*verdict];
                Some(self.judge(&appeal, verdict, OFFICERS[*officer]).map(drop))
            }
            Move::WithdrawAppeal(which) => {
                let name = World::pick(self.remedies.appeals.values(), *which)?.name();
                Some(self.decide(&Remedy::WithdrawAppeal(name, party)).map(drop))
            }
        }
    }

    /// What holds after every step.
    fn check(&self) {
        for flag in self.ledger.flags() {
            let reach = Reach::of(flag.identity.site.as_ref());
            let open = self
                .remedies
                .repairs
                .values()
                .filter(|repair| repair.is_open_on(&flag.identity.document, &reach, &flag.department));
            let (open, appealed) = (open.count(), self.remedies.open_appeal(&flag.name()));
            assert!(open <= 1, "two repairs ask for {}", flag.id);
            if stands(flag, self.now) {
                assert!(
                    open == 0 || appealed.is_none(),
                    "{} is repaired and appealed",
                    flag.id
                );
            }
            match &flag.stage {
                Stage::Repaired { repair, .. } => {
                    let by = self.remedies.repairs.values();
                    let by: Vec<&Repair> = by.filter(|by| by.flags.contains(&flag.id)).collect();
                    let by = by.iter().find(|by| by.name().to_string() == *repair);
                    assert_eq!(by.unwrap().state(), RepairState::Granted);
                }
                Stage::Suspended { suspension, .. } if stands(flag, self.now) => {
                    let appeal = appealed.unwrap();
                    assert!(appeal.suspends && appeal.name().to_string() == suspension.appeal);
                }
                Stage::Proposed
                | Stage::Withdrawn { .. }
                | Stage::InForce { .. }
                | Stage::Suspended { .. }
                | Stage::Lapsed { .. }
                | Stage::Lifted { .. }
                | Stage::Revoked { .. } => {
                    assert!(appealed.is_none_or(|appeal| !appeal.suspends) || !stands(flag, self.now));
                }
            }
        }
        for repair in self.remedies.repairs.values() {
            if let RepairStage::Granted { review, .. } = &repair.stage {
                assert!(review.findings.missing().is_none() && repair.earliest_at <= review.at);
                assert!(review.officer.0 != "enforcement/2" && review.officer.0 != "licensing");
            }
        }
        for appeal in self.remedies.appeals.values() {
            assert!(
                appeal
                    .decision()
                    .is_none_or(|decision| decision.officer.0 == THIRD)
            );
        }
        self.options();
    }
}

proptest! {
    #[test]
    fn whatever_firms_and_officers_do_in_whatever_order(moves in moves()) {
        let mut world = World::on("2026-04-10");
        for one in &moves {
            let before = world.shown();
            if let Some(Err(refusal)) = world.step(one) {
                prop_assert!(
                    world.shown() == before || matches!(one, Move::Raise { .. }),
                    "{one:?} was refused with {refusal:?} and changed something"
                );
            }
            world.check();
        }
    }
}
