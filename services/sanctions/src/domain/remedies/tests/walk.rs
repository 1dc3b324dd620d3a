//! Random walks: what firms and officers do in whatever order, against what must always hold.

use proptest::prelude::*;

use super::world::{THIRD, World, actor, document, firm, name};
use crate::domain::appeal;
use crate::domain::catalogue::Severity;
use crate::domain::ledger::Step;
use crate::domain::refusal::Refusal;
use crate::domain::remedies::{Party, Reach, Remedy, Repair, stands};
use crate::domain::repair::{RepairStage, RepairState, Subject};
use crate::domain::stage::Stage;

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
