//! The ledger against a naive model, and each rule of the gate by name.

use greenstar_kernel::{Date, Document, Uscc};
use proptest::prelude::*;

use super::*;
use crate::domain::catalogue::{Catalogue, SHIPPED};

const FIRM: &str = "91110115MAX000015J";

fn code(raw: &str) -> Code {
    Code::parse(raw).unwrap()
}

fn day(raw: &str) -> Date {
    raw.parse().unwrap()
}

/// Noon of a day.
fn at(raw: &str) -> Timestamp {
    day(raw).start().plus(std::time::Duration::from_secs(12 * 3600))
}

fn actor(officer: &str) -> Actor {
    let department = officer.split('/').next().unwrap();
    Actor {
        department: Department::parse(department).unwrap(),
        officer: Officer(officer.to_owned()),
    }
}

fn ledger_of(yaml: &str) -> Ledger {
    let catalogue = Catalogue::from_yaml(yaml).unwrap();
    let mut ledger = Ledger::new(Law::default(), []);
    ledger.enact(&catalogue, at("2026-01-01")).unwrap();
    ledger
}

fn ledger() -> Ledger {
    ledger_of(SHIPPED)
}

fn firm() -> Uscc {
    FIRM.parse().unwrap()
}

fn proposal(id: &str, kind: &str, dated: &str) -> Proposal {
    Proposal {
        id: code(id),
        identity: Identity {
            enterprise: firm(),
            document: Document {
                issuer: "局".into(),
                number: "1号".into(),
                date: day(dated),
            },
            site: None,
            kind: code(kind),
            scope: (kind == "permit-by-deceit").then(|| code("hazardous-waste-permit")),
        },
        severity: None,
        penalties: Vec::new(),
        evidence: Vec::new(),
        reason: String::new(),
    }
}

fn name(id: &str) -> FlagName {
    FlagName {
        enterprise: firm(),
        id: code(id),
    }
}

fn raise(ledger: &mut Ledger, proposal: Proposal, officer: &str, now: &str) -> Result<Flag, Refusal> {
    ledger.decide(&Step::Raise(Box::new(proposal)), &actor(officer), at(now))
}

#[test]
fn a_proposal_binds_from_its_confirmation_to_the_last_day_of_its_term() {
    let mut ledger = ledger();
    let flag = raise(
        &mut ledger,
        proposal("a", "ordinary-penalty", "2026-03-31"),
        "enforcement",
        "2026-04-02",
    )
    .unwrap();
    assert_eq!(flag.state(at("2026-04-02")), FlagState::Proposed);
    let flag = ledger
        .decide(
            &Step::Confirm(name("a")),
            &actor("enforcement/2"),
            at("2026-04-03"),
        )
        .unwrap();
    assert_eq!(flag.ends_at, day("2027-04-01").start());
    assert_eq!(flag.state(at("2027-03-31")), FlagState::InForce);
    assert_eq!(flag.state(day("2027-04-01").start()), FlagState::Lapsed);
    assert_eq!(
        flag.bases.len(),
        2,
        "the order that ended on 2026-03-31 is no basis any more"
    );
}

#[test]
fn the_catalogue_stops_what_the_law_does_not_carry() {
    let mut ledger = ledger();
    let unknown = raise(
        &mut ledger,
        proposal("a", "bad-manners", "2026-03-01"),
        "enforcement",
        "2026-04-02",
    );
    assert_eq!(
        unknown,
        Err(Refusal::KindUnknown {
            kind: code("bad-manners")
        })
    );

    let foreign = raise(
        &mut ledger,
        proposal("a", "permit-by-deceit", "2026-03-01"),
        "finance",
        "2026-04-02",
    );
    assert!(
        matches!(foreign, Err(Refusal::KindNotYours { .. })),
        "{foreign:?}"
    );

    let mut graver = proposal("a", "ordinary-penalty", "2026-03-01");
    graver.severity = Some(Severity::Serious);
    let graver = raise(&mut ledger, graver, "enforcement", "2026-04-02");
    let allowed = vec![Severity::Ordinary];
    assert_eq!(
        graver,
        Err(Refusal::SeverityNotAllowed {
            kind: code("ordinary-penalty"),
            allowed
        })
    );

    for scope in [None, Some(code("fishing-permit"))] {
        let mut unscoped = proposal("a", "permit-by-deceit", "2026-03-01");
        unscoped.identity.scope = scope;
        let unscoped = raise(&mut ledger, unscoped, "licensing", "2026-04-02");
        assert!(
            matches!(&unscoped, Err(Refusal::ScopeInvalid { allowed, .. }) if allowed.len() == 4),
            "{unscoped:?}"
        );
    }
    let mut scoped = proposal("a", "serious-penalty", "2026-03-01");
    scoped.identity.scope = Some(code("eia-approval"));
    let scoped = raise(&mut ledger, scoped, "enforcement", "2026-04-02");
    assert_eq!(
        scoped,
        Err(Refusal::ScopeInvalid {
            kind: code("serious-penalty"),
            allowed: vec![]
        })
    );

    let early = raise(
        &mut ledger,
        proposal("a", "serious-penalty", "2026-04-03"),
        "enforcement",
        "2026-04-02",
    );
    assert_eq!(
        early,
        Err(Refusal::DateInFuture {
            date: day("2026-04-03"),
            today: day("2026-04-02")
        })
    );

    let late = raise(
        &mut ledger,
        proposal("a", "ordinary-penalty", "2025-04-01"),
        "enforcement",
        "2026-04-02",
    );
    assert_eq!(
        late,
        Err(Refusal::TermEnded {
            end: day("2026-04-02").start()
        })
    );
    assert_eq!(ledger.changed().count(), 0);
}

#[test]
fn a_basis_must_be_law_on_the_documents_day_and_today() {
    let missing = |yaml: &str, dated: &str, now: &str| match raise(
        &mut ledger_of(yaml),
        proposal("a", "serious-penalty", dated),
        "enforcement",
        now,
    ) {
        Err(Refusal::BasisMissing { day, .. }) => Some(day.to_string()),
        Ok(_) => None,
        Err(other) => panic!("{other}"),
    };
    // Only the two orders on repair, which follow one another without a gap.
    let orders = SHIPPED.replace(
        "bases: [environment-law-54, credit-repair",
        "bases: [credit-repair",
    );
    assert_eq!(missing(&orders, "2026-03-31", "2026-04-01"), None);
    assert_eq!(
        missing(&orders, "2023-04-30", "2026-04-01").as_deref(),
        Some("2023-04-30")
    );
    // Only the one that has ended.
    let ended = orders.replace(
        "-58, credit-repair-2026-36]\n    repairable: true # [S17]",
        "-58]\n    repairable: true",
    );
    assert_eq!(missing(&ended, "2026-03-30", "2026-03-31"), None);
    assert_eq!(
        missing(&ended, "2026-03-30", "2026-04-01").as_deref(),
        Some("2026-04-01")
    );
}

#[test]
fn a_proposal_passes_the_gate_again_when_it_is_confirmed() {
    let mut ledger = ledger();
    raise(
        &mut ledger,
        proposal("a", "ordinary-penalty", "2025-04-02"),
        "enforcement",
        "2026-04-01",
    )
    .unwrap();
    let late = ledger.decide(
        &Step::Confirm(name("a")),
        &actor("enforcement/2"),
        at("2026-04-03"),
    );
    assert_eq!(
        late,
        Err(Refusal::TermEnded {
            end: day("2026-04-03").start()
        })
    );

    raise(
        &mut ledger,
        proposal("b", "serious-penalty", "2026-03-02"),
        "enforcement",
        "2026-04-01",
    )
    .unwrap();
    let next = SHIPPED
        .replace("edition: 2026-2", "edition: 2026-3")
        .replace("serious: 36 } # [S17]", "serious: 24 }");
    ledger
        .enact(&Catalogue::from_yaml(&next).unwrap(), at("2026-04-02"))
        .unwrap();
    let flag = ledger
        .decide(
            &Step::Confirm(name("b")),
            &actor("enforcement/2"),
            at("2026-04-03"),
        )
        .unwrap();
    assert_eq!(
        (flag.catalogue.to_string().as_str(), flag.ends_at),
        ("2026-3", day("2028-03-03").start())
    );
}

#[test]
fn an_older_edition_never_replaces_a_newer_one() {
    let mut ledger = ledger();
    assert!(
        ledger
            .enact(&Catalogue::from_yaml(SHIPPED).unwrap(), at("2026-04-02"))
            .is_none()
    );
    let older = SHIPPED.replace("edition: 2026-2", "edition: 2025-9");
    assert!(
        ledger
            .enact(&Catalogue::from_yaml(&older).unwrap(), at("2026-04-02"))
            .is_none()
    );
}

#[test]
fn a_kind_whose_flags_may_stand_is_in_every_later_edition() {
    let mut ledger = ledger();
    let dropping = SHIPPED
        .replace("edition: 2026-2", "edition: 2026-3")
        .replace("code: special-action", "code: special-campaign");
    let dropping = Catalogue::from_yaml(&dropping).unwrap();
    assert!(ledger.enact(&dropping, at("2026-04-02")).is_none());
    let refused = ledger.create_edition(&dropping, None, at("2026-04-02"));
    let Err(Refusal::KindsDropped { kinds, .. }) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(kinds, [code("special-action")]);
}

#[test]
fn the_same_document_at_another_site_is_another_flag() {
    let mut ledger = ledger();
    raise(
        &mut ledger,
        proposal("a", "serious-penalty", "2026-03-01"),
        "enforcement",
        "2026-04-02",
    )
    .unwrap();
    let again = raise(
        &mut ledger,
        proposal("b", "serious-penalty", "2026-03-01"),
        "enforcement/2",
        "2026-04-02",
    );
    assert_eq!(again, Err(Refusal::FlagExists { flag: name("a") }));
    let mut elsewhere = proposal("b", "serious-penalty", "2026-03-01");
    elsewhere.identity.site = Some("002".to_owned().try_into().unwrap());
    raise(&mut ledger, elsewhere, "enforcement", "2026-04-02").unwrap();
}

// ---- the model

#[derive(Clone, Debug)]
enum Op {
    Raise { document: usize, officer: usize },
    Confirm { flag: usize, officer: usize },
    Lift { flag: usize, officer: usize },
    Wait { days: i32 },
}

const OFFICERS: [&str; 4] = ["enforcement", "enforcement/2", "licensing", "licensing/2"];
/// The last one's term ends soon, the others' much later.
const DATED: [&str; 3] = ["2026-03-01", "2026-03-15", "2025-04-20"];

/// What a clerk would write on a card.
#[derive(Debug)]
struct Card {
    document: usize,
    by: usize,
    confirmed: bool,
    lifted: bool,
}

impl Card {
    fn end(&self) -> Date {
        // Twelve months, the last day still counts.
        day(["2027-03-02", "2027-03-16", "2026-04-21"][self.document])
    }

    fn binds(&self, today: Date) -> bool {
        self.confirmed && !self.lifted && today < self.end()
    }

    fn open(&self, today: Date) -> bool {
        !self.lifted && today < self.end()
    }

    fn shows(&self, officer: usize) -> bool {
        self.confirmed || department(self.by) == department(officer)
    }
}

fn department(officer: usize) -> usize {
    officer / 2
}

/// What the model expects: nothing wrong, or the refusal's name.
fn expected(cards: &mut Vec<Card>, op: &Op, today: Date) -> Result<(), &'static str> {
    match *op {
        Op::Wait { .. } => Ok(()),
        Op::Raise { document, officer } => {
            let card = Card {
                document,
                by: officer,
                confirmed: false,
                lifted: false,
            };
            if today >= card.end() {
                return Err("TermEnded");
            }
            if cards
                .iter()
                .any(|other| other.document == document && other.open(today) && other.shows(officer))
            {
                return Err("FlagExists");
            }
            cards.push(card);
            Ok(())
        }
        Op::Confirm { flag, officer } => {
            let card = own(cards, flag, officer)?;
            if card.confirmed || card.lifted {
                return Err("FlagState");
            }
            if card.by == officer {
                return Err("SameOfficer");
            }
            if today >= card.end() {
                return Err("TermEnded");
            }
            let document = card.document;
            if cards
                .iter()
                .any(|other| other.document == document && other.binds(today))
            {
                return Err("FlagExists");
            }
            cards[flag].confirmed = true;
            Ok(())
        }
        Op::Lift { flag, officer } => {
            let card = own(cards, flag, officer)?;
            if card.lifted || (card.confirmed && today >= card.end()) {
                return Err("FlagState");
            }
            card.lifted = true;
            Ok(())
        }
    }
}

fn own(cards: &mut [Card], flag: usize, officer: usize) -> Result<&mut Card, &'static str> {
    let card = cards.get_mut(flag).ok_or("FlagUnknown")?;
    if !card.shows(officer) {
        return Err("FlagHidden");
    }
    if department(card.by) != department(officer) {
        return Err("DepartmentNotAllowed");
    }
    Ok(card)
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => (0usize..3, 0usize..4).prop_map(|(document, officer)| Op::Raise { document, officer }),
        4 => (0usize..4, 0usize..4).prop_map(|(flag, officer)| Op::Confirm { flag, officer }),
        2 => (0usize..4, 0usize..4).prop_map(|(flag, officer)| Op::Lift { flag, officer }),
        1 => (1i32..200).prop_map(|days| Op::Wait { days }),
    ]
}

proptest! {
    #[test]
    fn any_sequence_of_steps_and_days_goes_as_on_a_clerks_cards(ops in proptest::collection::vec(op(), 1..40)) {
        let mut ledger = ledger();
        let mut cards = Vec::new();
        let mut today = day("2026-04-01");
        for op in ops {
            let before: Vec<Flag> = ledger.flags.values().cloned().collect();
            let (step, officer) = match op {
                Op::Wait { days } => {
                    today = today.plus_days(days);
                    continue;
                }
                Op::Raise { document, officer } => {
                    (Step::Raise(Box::new(proposal(&cards.len().to_string(), "ordinary-penalty", DATED[document]))), officer)
                }
                Op::Confirm { flag, officer } => (Step::Confirm(name(&flag.to_string())), officer),
                Op::Lift { flag, officer } => {
                    (Step::Lift { name: name(&flag.to_string()), reason: "r".into() }, officer)
                }
            };
            let now = at(&today.to_string());
            let outcome = ledger.decide(&step, &actor(OFFICERS[officer]), now);
            match expected(&mut cards, &op, today) {
                Ok(()) => prop_assert!(outcome.is_ok(), "{op:?} on {today}: {outcome:?}"),
                Err(refusal) => {
                    let shown = format!("{:?}", outcome.unwrap_err());
                    prop_assert!(shown.starts_with(refusal), "{op:?} on {today}: {shown}, expected {refusal}");
                    prop_assert_eq!(ledger.flags.values().cloned().collect::<Vec<_>>(), before);
                }
            }
            for (index, card) in cards.iter().enumerate() {
                let flag = &ledger.flags[index.to_string().as_str()];
                prop_assert_eq!(flag.state(now) == FlagState::InForce, card.binds(today));
                prop_assert_eq!(flag.is_known(), card.confirmed);
            }
        }
    }
}
