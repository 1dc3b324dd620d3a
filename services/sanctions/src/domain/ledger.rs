//! What can be done with flags. Commands are decided one after another, each seeing those before it.

mod correction;
mod edition;
mod outcome;

use std::collections::{BTreeMap, BTreeSet};

use greenstar_kernel::{Code, Department, Officer, Timestamp, Uscc};

use super::catalogue::{Law, Severity};
use super::evidence::{Evidence, Penalty};
use super::flag::{Flag, FlagName, Identity};
use super::gate::{self, Admitted, Claim};
use super::refusal::Refusal;
use super::stage::{Confirmation, Ending, FlagState, Stage};

pub use correction::{Corrected, Correction};

/// Who does something: always one officer of one department.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    pub department: Department,
    pub officer: Officer,
}

/// A flag to be proposed.
#[derive(Clone, Debug)]
pub struct Proposal {
    /// Made by the caller of the domain; nothing else has it.
    pub id: Code,
    pub identity: Identity,
    /// May be left out where the penalties say it, or the kind has only one.
    pub severity: Option<Severity>,
    /// May be empty.
    pub penalties: Vec<Penalty>,
    /// May be empty.
    pub evidence: Vec<Evidence>,
    /// May be empty.
    pub reason: String,
}

/// One step.
#[derive(Clone, Debug)]
pub enum Step {
    Raise(Box<Proposal>),
    Confirm(FlagName),
    Lift {
        name: FlagName,
        reason: String,
    },
    /// It never should have been, e.g. because its document was annulled.
    Revoke {
        name: FlagName,
        reason: String,
    },
}

impl Step {
    /// The flag that it moves on; `None`: it makes one.
    pub fn moves(&self) -> Option<&FlagName> {
        match self {
            Step::Raise(_) => None,
            Step::Confirm(name) | Step::Lift { name, .. } | Step::Revoke { name, .. } => Some(name),
        }
    }

    /// Whose flags it looks at.
    pub fn enterprise(&self) -> Uscc {
        match self {
            Step::Raise(proposal) => proposal.identity.enterprise,
            Step::Confirm(name) | Step::Lift { name, .. } | Step::Revoke { name, .. } => name.enterprise,
        }
    }
}

/// The flags that a batch of commands looks at, and the law.
#[derive(Debug)]
pub struct Ledger {
    law: Law,
    flags: BTreeMap<Code, Flag>,
    changed: BTreeSet<Code>,
}

impl Ledger {
    pub fn new(law: Law, flags: impl IntoIterator<Item = Flag>) -> Ledger {
        let flags = flags.into_iter().map(|flag| (flag.id.clone(), flag)).collect();
        Ledger {
            law,
            flags,
            changed: BTreeSet::new(),
        }
    }

    /// Of the flags that this batch looks at.
    pub fn flag(&self, name: &FlagName) -> Result<&Flag, Refusal> {
        let flag = self.flags.get(&name.id);
        flag.filter(|flag| flag.identity.enterprise == name.enterprise)
            .ok_or_else(|| Refusal::FlagUnknown { flag: name.clone() })
    }

    /// All of them, by id.
    pub fn flags(&self) -> impl Iterator<Item = &Flag> {
        self.flags.values()
    }

    /// The flags that steps changed, each as the last one left it.
    pub fn changed(&self) -> impl Iterator<Item = &Flag> {
        self.changed.iter().filter_map(|id| self.flags.get(id))
    }

    /// Decides one step. A refusal changes nothing.
    pub fn decide(&mut self, step: &Step, actor: &Actor, now: Timestamp) -> Result<Flag, Refusal> {
        let flag = match step {
            Step::Raise(proposal) => self.raise(proposal, actor, now)?,
            Step::Confirm(name) => self.confirm(name, actor, now)?,
            Step::Lift { name, reason } => self.lift(name, reason, actor, now)?,
            Step::Revoke { name, reason } => {
                let ending = ending(actor, reason, now);
                self.own(name, actor)?.revoked(ending, None, None)?
            }
        };
        Ok(self.keep(flag))
    }

    fn keep(&mut self, flag: Flag) -> Flag {
        self.flags.insert(flag.id.clone(), flag.clone());
        self.changed.insert(flag.id.clone());
        flag
    }

    fn raise(&self, proposal: &Proposal, actor: &Actor, now: Timestamp) -> Result<Flag, Refusal> {
        let Proposal {
            id,
            identity,
            severity,
            penalties,
            evidence,
            reason,
        } = proposal;
        let claim = Claim {
            identity,
            severity: *severity,
            penalties,
            department: &actor.department,
        };
        let admitted = self.admit(claim, now)?;
        // Another department's proposal is not for these eyes, so it is in nobody's way.
        let seen = |flag: &Flag| flag.is_known() || flag.department == actor.department;
        self.unflagged(identity, &actor.department, |flag| {
            flag.is_open(now) && seen(flag)
        })?;
        Ok(Flag {
            id: id.clone(),
            identity: identity.clone(),
            title: admitted.title,
            severity: admitted.severity,
            penalties: penalties.clone(),
            evidence: evidence.clone(),
            reason: reason.clone(),
            bases: admitted.bases,
            reaches_all: admitted.reaches_all,
            catalogue: admitted.catalogue,
            rules: Some(admitted.rules),
            department: actor.department.clone(),
            proposer: actor.officer.clone(),
            raised_at: now,
            ends_at: admitted.ends_at,
            corrects: None,
            stage: Stage::Proposed,
        })
    }

    /// One document restricts once: none of the flags with this identity may be `in_the_way`, or settled for good.
    fn unflagged(
        &self,
        identity: &Identity,
        department: &Department,
        in_the_way: impl Fn(&Flag) -> bool,
    ) -> Result<(), Refusal> {
        let mut flags = self.flags.values();
        if let Some(flag) = flags.find(|flag| flag.settles(identity, department)) {
            return Err(Refusal::Settled { flag: flag.name() });
        }
        let mut same = self.flags.values().filter(|flag| flag.identity == *identity);
        match same.find(|flag| in_the_way(flag)) {
            Some(flag) => Err(Refusal::FlagExists { flag: flag.name() }),
            None => Ok(()),
        }
    }

    /// The law may have changed since the proposal, so it passes the gate once more.
    fn confirm(&self, name: &FlagName, actor: &Actor, now: Timestamp) -> Result<Flag, Refusal> {
        let flag = self.own(name, actor)?;
        if flag.stage != Stage::Proposed {
            return Err(Refusal::FlagState {
                state: flag.state(now),
                needed: &[FlagState::Proposed],
            });
        }
        if flag.proposer == actor.officer {
            return Err(Refusal::SameOfficer {
                officer: actor.officer.clone(),
            });
        }
        let admitted = self.admit(flag.claim(), now)?;
        // Another department may have proposed the same, and was first to confirm it.
        self.unflagged(&flag.identity, &actor.department, |other| {
            other.is_known() && other.is_open(now)
        })?;
        Ok(Flag {
            title: admitted.title,
            severity: admitted.severity,
            bases: admitted.bases,
            reaches_all: admitted.reaches_all,
            catalogue: admitted.catalogue,
            rules: Some(admitted.rules),
            ends_at: admitted.ends_at,
            stage: Stage::InForce {
                confirmation: Confirmation {
                    officer: actor.officer.clone(),
                    at: now,
                },
                review: None,
            },
            ..flag.clone()
        })
    }

    fn lift(&self, name: &FlagName, reason: &str, actor: &Actor, now: Timestamp) -> Result<Flag, Refusal> {
        let flag = self.own(name, actor)?;
        let ending = ending(actor, reason, now);
        let stage = match (flag.state(now), flag.confirmation()) {
            (FlagState::Proposed, _) => Stage::Withdrawn { ending },
            (FlagState::InForce | FlagState::Suspended, Some(confirmation)) => Stage::Lifted {
                confirmation: confirmation.clone(),
                ending,
            },
            (
                state @ (FlagState::InForce
                | FlagState::Suspended
                | FlagState::Lifted
                | FlagState::Lapsed
                | FlagState::Repaired
                | FlagState::Revoked),
                _,
            ) => {
                let needed = &[FlagState::Proposed, FlagState::InForce, FlagState::Suspended];
                return Err(Refusal::FlagState { state, needed });
            }
        };
        Ok(Flag {
            stage,
            ..flag.clone()
        })
    }

    fn admit(&self, claim: Claim<'_>, now: Timestamp) -> Result<Admitted, Refusal> {
        match self.law.at(now) {
            Some(law) => gate::admit(&law.catalogue, claim, now),
            None => Err(Refusal::KindUnknown {
                kind: claim.identity.kind.clone(),
            }),
        }
    }

    fn own(&self, name: &FlagName, actor: &Actor) -> Result<&Flag, Refusal> {
        let flag = self.flag(name)?;
        if flag.department == actor.department {
            Ok(flag)
        } else if flag.is_known() {
            let department = actor.department.clone();
            Err(Refusal::DepartmentNotAllowed { department })
        } else {
            Err(Refusal::FlagHidden { flag: name.clone() })
        }
    }
}

fn ending(actor: &Actor, reason: &str, now: Timestamp) -> Ending {
    Ending {
        officer: actor.officer.clone(),
        at: now,
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod states;
#[cfg(test)]
mod tests;
