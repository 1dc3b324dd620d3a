//! One flag against a model of its states: what each step does in each of them, whatever came before.

use greenstar_kernel::{Date, Document, Uscc};
use proptest::prelude::*;

use super::*;
use crate::domain::catalogue::{Catalogue, SHIPPED};
use crate::domain::stage::{Review, Suspension};

const DATED: &str = "2026-03-31";

fn day(raw: &str) -> Date {
    raw.parse().unwrap()
}

fn firm() -> Uscc {
    "91110115MAX000015J".parse().unwrap()
}

fn officer(name: &str) -> Actor {
    Actor {
        department: Department::parse("enforcement").unwrap(),
        officer: Officer(name.to_owned()),
    }
}

fn name() -> FlagName {
    FlagName {
        enterprise: firm(),
        id: Code::parse("a").unwrap(),
    }
}

/// With a serious penalty of [`DATED`] in force.
fn ledger(today: Date) -> Ledger {
    let mut ledger = Ledger::new(Law::default(), []);
    ledger.enact(&Catalogue::from_yaml(SHIPPED).unwrap(), today.start());
    let proposal = Proposal {
        id: name().id,
        identity: Identity {
            enterprise: firm(),
            document: Document::typed("局", "1号", day(DATED)),
            site: None,
            kind: Code::parse("serious-penalty").unwrap(),
            scope: None,
        },
        severity: None,
        penalties: Vec::new(),
        evidence: Vec::new(),
        reason: String::new(),
    };
    let raise = Step::Raise(Box::new(proposal));
    ledger.decide(&raise, &officer("1"), today.start()).unwrap();
    let confirm = Step::Confirm(name());
    ledger.decide(&confirm, &officer("2"), today.start()).unwrap();
    ledger
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Suspend,
    Resume,
    Repair,
    Revoke,
    Lift,
    Correct,
    Amend(Severity),
    Lapse,
    Wait { days: i32 },
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => Just(Op::Suspend),
        4 => Just(Op::Resume),
        1 => Just(Op::Repair),
        1 => Just(Op::Revoke),
        1 => Just(Op::Lift),
        1 => Just(Op::Correct),
        2 => proptest::sample::select(&Severity::ALL[..]).prop_map(Op::Amend),
        2 => Just(Op::Lapse),
        3 => (1i32..300).prop_map(|days| Op::Wait { days }),
    ]
}

/// What a clerk would know of the flag.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Card {
    /// Without regard to time.
    state: FlagState,
    severity: Severity,
    lapse_written: bool,
}

impl Card {
    /// First day on which it no longer binds; March has a day that June has not.
    fn end(self) -> Date {
        day(match self.severity {
            Severity::Minor => "2026-07-01",
            Severity::Ordinary => "2027-04-01",
            Severity::Serious => "2029-04-01",
        })
    }

    fn stands(self) -> bool {
        matches!(self.state, FlagState::InForce | FlagState::Suspended)
    }

    fn at(self, today: Date) -> FlagState {
        if self.stands() && (self.lapse_written || self.end() <= today) {
            FlagState::Lapsed
        } else {
            self.state
        }
    }

    /// `None`: it is refused, or there is nothing to do.
    fn after(self, op: Op, today: Date) -> Option<Card> {
        use FlagState as S;
        let now = self.at(today);
        let standing = matches!(now, S::InForce | S::Suspended);
        let to = |state| Some(Card { state, ..self });
        match op {
            Op::Suspend => to(S::Suspended).filter(|_| now == S::InForce),
            Op::Resume => to(S::InForce).filter(|_| now == S::Suspended),
            Op::Repair => to(S::Repaired).filter(|_| standing),
            Op::Lift => to(S::Lifted).filter(|_| standing),
            Op::Correct => to(S::Revoked).filter(|_| standing),
            Op::Revoke => to(S::Revoked).filter(|_| now != S::Revoked),
            Op::Amend(severity) => (standing && severity < self.severity).then_some(Card {
                state: S::InForce,
                severity,
                ..self
            }),
            Op::Lapse => (now == S::Lapsed && !self.lapse_written).then_some(Card {
                lapse_written: true,
                ..self
            }),
            Op::Wait { .. } => Some(self),
        }
    }

    fn published(self, today: Date) -> bool {
        // Serious and ordinary windows are as long as the terms, so a lapsed one is past them, too.
        self.at(today) == FlagState::InForce && self.severity != Severity::Minor
    }
}

fn review(now: Timestamp) -> Review {
    Review {
        by: "3".to_owned(),
        at: now,
        reason: "heard".to_owned(),
        appeal: "appeals/1".to_owned(),
        amended_from: None,
    }
}

/// Whether the ledger did something.
fn take(ledger: &mut Ledger, op: Op, now: Timestamp) -> bool {
    let ending = ending(&officer("3"), "why", now);
    match op {
        Op::Suspend => {
            let suspension = Suspension {
                by: format!("enterprises/{}", firm()),
                at: now,
                appeal: "appeals/1".to_owned(),
            };
            ledger.suspend(&name(), suspension).is_ok()
        }
        Op::Resume => ledger.resume(&name(), review(now)).is_ok(),
        Op::Repair => ledger.repair(&[name()], "repairs/1", &ending).is_ok(),
        Op::Revoke => ledger
            .revoke(&name(), ending, Some("appeals/1".to_owned()))
            .is_ok(),
        Op::Lift => {
            let step = Step::Lift {
                name: name(),
                reason: "why".to_owned(),
            };
            ledger.decide(&step, &officer("1"), now).is_ok()
        }
        Op::Correct => {
            let correction = Correction {
                name: name(),
                id: Code::parse("b").unwrap(),
                enterprise: "91110115MAX000023D".parse().unwrap(),
                reason: "why".to_owned(),
            };
            ledger.correct(&correction, &officer("1"), now).is_ok()
        }
        Op::Amend(severity) => ledger.amend(&name(), severity, review(now)).is_ok(),
        Op::Lapse => ledger.lapse(&name().id, now).is_some(),
        Op::Wait { .. } => true,
    }
}

proptest! {
    #[test]
    fn a_flag_goes_through_its_states_as_on_a_clerks_card(ops in proptest::collection::vec(op(), 1..30)) {
        let mut today = day("2026-04-10");
        let mut ledger = ledger(today);
        let mut card = Card {
            state: FlagState::InForce,
            severity: Severity::Serious,
            lapse_written: false,
        };
        for op in ops {
            if let Op::Wait { days } = op {
                today = today.plus_days(days);
            }
            let now = today.start();
            let before: Vec<Flag> = ledger.flags().cloned().collect();
            let done = take(&mut ledger, op, now);
            match card.after(op, today) {
                Some(after) => {
                    prop_assert!(done, "{op:?} on {today} of {card:?}");
                    card = after;
                }
                None => {
                    prop_assert!(!done, "{op:?} on {today} of {card:?}");
                    prop_assert_eq!(ledger.flags().cloned().collect::<Vec<_>>(), before);
                }
            }
            let flag = ledger.flag(&name()).unwrap();
            prop_assert_eq!(flag.state(now), card.at(today), "{:?} on {}", op, today);
            prop_assert_eq!(flag.severity, card.severity);
            prop_assert_eq!(flag.is_published(now), card.published(today));
            prop_assert!(flag.is_known(), "what was confirmed once stays so");
            prop_assert!(flag.moved_at() <= now);
            let json = serde_json::to_string(flag).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Flag>(&json).unwrap(), flag);
        }
    }
}
