//! What a firm has against a flag: a repair once the fault is corrected, an appeal if it never was one. One at a
//! time, for they say opposite things of the same flag.

mod refusal;

use std::collections::{BTreeMap, BTreeSet};

use greenstar_kernel::{Code, Date, Department, Officer, Revision, Timestamp, Uscc};
use serde::{Deserialize, Serialize};

use super::appeal::{Appeal, AppealName, AppealState, Filing, Judgement};
use super::flag::{Flag, FlagName};
use super::ledger::{Actor, Ledger};
use super::refusal::Refusal;
use super::repair::{Application, Examination, Reach, Repair, RepairName};
use super::stage::FlagState;

pub use refusal::RemedyRefusal;

/// Who acts for a firm: itself, or an officer on its behalf.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Party {
    Enterprise(Uscc),
    Officer {
        department: Department,
        officer: Officer,
    },
}

impl Party {
    /// Whether it is the firm itself, or of the body that has its case.
    pub fn is_of(&self, enterprise: &Uscc, body: &Department) -> bool {
        match self {
            Party::Enterprise(uscc) => uscc == enterprise,
            Party::Officer { department, .. } => department == body,
        }
    }

    /// As it is named in records.
    pub fn principal(&self) -> String {
        match self {
            Party::Enterprise(uscc) => format!("enterprises/{uscc}"),
            Party::Officer { officer, .. } => officer.0.clone(),
        }
    }

    /// Whether the one who acts is this officer.
    pub(super) fn is_officer(&self, actor: &Officer) -> bool {
        match self {
            Party::Enterprise(_) => false,
            Party::Officer { officer, .. } => officer == actor,
        }
    }

    /// A flag that it may act on: its own, or of the body whose officer acts for the firm. A proposal is its
    /// department's own business.
    pub(super) fn flag<'a>(&self, ledger: &'a Ledger, name: &FlagName) -> Result<&'a Flag, Refusal> {
        let flag = ledger.flag(name)?;
        let of_body = match self {
            Party::Enterprise(_) => flag.is_known(),
            Party::Officer { department, .. } => *department == flag.department,
        };
        if of_body {
            Ok(flag)
        } else if flag.is_known() {
            let department = flag.department.clone();
            Err(RemedyRefusal::NotTheRecognisingBody { department }.into())
        } else {
            Err(Refusal::FlagHidden { flag: name.clone() })
        }
    }
}

/// One step.
#[derive(Clone, Debug)]
pub enum Remedy {
    Apply(Box<Application>, Party),
    Review(Box<Examination>, Actor),
    WithdrawRepair(RepairName, Party),
    File(Box<Filing>, Party),
    Judge(Box<Judgement>, Actor),
    WithdrawAppeal(AppealName, Party),
}

impl Remedy {
    pub fn enterprise(&self) -> Uscc {
        match self {
            Remedy::Apply(application, _) => application.enterprise,
            Remedy::Review(examination, _) => examination.name.enterprise,
            Remedy::File(filing, _) => filing.enterprise,
            Remedy::Judge(judgement, _) => judgement.name.enterprise,
            Remedy::WithdrawRepair(name, _) => name.enterprise,
            Remedy::WithdrawAppeal(name, _) => name.enterprise,
        }
    }
}

/// What a step did: the case as it left it, and each flag that it changed.
#[derive(Clone, Debug)]
pub struct Done<C> {
    pub case: C,
    pub flags: Vec<Flag>,
}

impl<C> Done<C> {
    pub(super) fn alone(case: C) -> Done<C> {
        Done {
            case,
            flags: Vec::new(),
        }
    }
}

/// A repair or an appeal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Case {
    Repair(Box<Repair>),
    Appeal(Box<Appeal>),
}

/// The repairs and appeals that a batch of commands looks at.
#[derive(Debug, Default)]
pub struct Remedies {
    pub(super) repairs: BTreeMap<Code, Repair>,
    pub(super) appeals: BTreeMap<Code, Appeal>,
    changed: BTreeSet<Code>,
}

impl Remedies {
    /// Those that steps name, and of each firm in question all that was not withdrawn.
    pub fn new(
        repairs: impl IntoIterator<Item = Repair>,
        appeals: impl IntoIterator<Item = Appeal>,
    ) -> Remedies {
        let appeals = appeals.into_iter().map(|appeal| (appeal.id.clone(), appeal));
        Remedies {
            repairs: repairs
                .into_iter()
                .map(|repair| (repair.id.clone(), repair))
                .collect(),
            appeals: appeals.collect(),
            changed: BTreeSet::new(),
        }
    }

    /// Decides one step, flags included. A refusal changes nothing. `next`: the revision that the first changed
    /// flag takes in the log; the case follows the flags.
    pub fn decide(
        &mut self,
        ledger: &mut Ledger,
        remedy: &Remedy,
        now: Timestamp,
        next: Revision,
    ) -> Result<Done<Case>, Refusal> {
        let done = match remedy {
            Remedy::Apply(application, party) => {
                self.repaired(Done::alone(self.apply(ledger, application, party, now)?))
            }
            Remedy::Review(examination, actor) => {
                self.repaired(self.review(ledger, examination, actor, now, next)?)
            }
            Remedy::WithdrawRepair(name, party) => {
                self.repaired(Done::alone(self.withdraw_repair(name, party, now)?))
            }
            Remedy::File(filing, party) => self.appealed(self.file(ledger, filing, party, now)?),
            Remedy::Judge(judgement, actor) => self.appealed(self.judge(ledger, judgement, actor, now)?),
            Remedy::WithdrawAppeal(name, party) => {
                self.appealed(self.withdraw_appeal(ledger, name, party, now)?)
            }
        };
        Ok(done)
    }

    /// The repairs that steps changed, each as the last one left it.
    pub fn changed_repairs(&self) -> impl Iterator<Item = &Repair> {
        self.repairs
            .values()
            .filter(|repair| self.changed.contains(&repair.id))
    }

    /// The appeals that steps changed, each as the last one left it.
    pub fn changed_appeals(&self) -> impl Iterator<Item = &Appeal> {
        self.appeals
            .values()
            .filter(|appeal| self.changed.contains(&appeal.id))
    }

    fn repaired(&mut self, done: Done<Repair>) -> Done<Case> {
        self.changed.insert(done.case.id.clone());
        self.repairs.insert(done.case.id.clone(), done.case.clone());
        Done {
            case: Case::Repair(Box::new(done.case)),
            flags: done.flags,
        }
    }

    fn appealed(&mut self, done: Done<Appeal>) -> Done<Case> {
        self.changed.insert(done.case.id.clone());
        self.appeals.insert(done.case.id.clone(), done.case.clone());
        Done {
            case: Case::Appeal(Box::new(done.case)),
            flags: done.flags,
        }
    }

    pub(super) fn repairs_of(&self, enterprise: Uscc) -> impl Iterator<Item = &Repair> {
        self.repairs
            .values()
            .filter(move |repair| repair.enterprise == enterprise)
    }

    pub(super) fn appeals_of(&self, enterprise: Uscc) -> impl Iterator<Item = &Appeal> {
        self.appeals
            .values()
            .filter(move |appeal| appeal.enterprise == enterprise)
    }

    /// The appeal against this flag that waits for its decision.
    pub(super) fn open_appeal(&self, flag: &FlagName) -> Option<&Appeal> {
        self.appeals_of(flag.enterprise)
            .find(|appeal| appeal.flag == flag.id && appeal.state() == AppealState::Filed)
    }

    /// The application that covers this flag and waits for its review.
    pub(super) fn open_repair(&self, flag: &Flag) -> Option<&Repair> {
        let reach = Reach::of(flag.identity.site.as_ref());
        self.repairs_of(flag.identity.enterprise)
            .find(|repair| repair.is_open_on(&flag.identity.document, &reach, &flag.department))
    }
}

/// Whether it binds, or would but for an appeal.
pub fn stands(flag: &Flag, now: Timestamp) -> bool {
    match flag.state(now) {
        FlagState::InForce | FlagState::Suspended => true,
        FlagState::Proposed
        | FlagState::Lifted
        | FlagState::Lapsed
        | FlagState::Repaired
        | FlagState::Revoked => false,
    }
}

/// The last day of what ends at `end`: it ends at 00:00 of the day after.
pub fn last_day(end: Timestamp) -> Date {
    Timestamp::from_micros(end.micros().saturating_sub(1)).date()
}

#[cfg(test)]
mod tests;
