//! What can be done with flags. Commands are decided one after another, each seeing those before it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use greenstar_kernel::{Code, Department, Officer, Timestamp};

use super::catalogue::{Catalogue, InForce, Severity};
use super::flag::{Confirmation, Ending, Flag, FlagName, FlagState, Identity, Stage};
use super::gate::{self, Admitted};
use super::refusal::Refusal;

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
    /// May be left out where the kind has only one.
    pub severity: Option<Severity>,
    /// May be empty.
    pub reason: String,
}

/// One step.
#[derive(Clone, Debug)]
pub enum Step {
    Raise(Box<Proposal>),
    Confirm(FlagName),
    Lift { name: FlagName, reason: String },
}

/// The flags that a batch of commands looks at, and the law.
#[derive(Debug)]
pub struct Ledger {
    /// `None` before the first edition: then nothing can be flagged.
    law: Option<Arc<InForce>>,
    flags: BTreeMap<Code, Flag>,
    changed: BTreeSet<Code>,
}

impl Ledger {
    pub fn new(law: Option<Arc<InForce>>, flags: impl IntoIterator<Item = Flag>) -> Ledger {
        let flags = flags.into_iter().map(|flag| (flag.id.clone(), flag)).collect();
        Ledger {
            law,
            flags,
            changed: BTreeSet::new(),
        }
    }

    /// Brings an edition into force if it is newer than the one that is.
    pub fn enact(&mut self, catalogue: &Catalogue, now: Timestamp) -> Option<Arc<InForce>> {
        if self
            .law
            .as_ref()
            .is_some_and(|law| catalogue.edition() <= law.catalogue.edition())
        {
            return None;
        }
        let law = Arc::new(InForce {
            catalogue: catalogue.clone(),
            since: now,
        });
        self.law = Some(law.clone());
        Some(law)
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
        };
        self.flags.insert(flag.id.clone(), flag.clone());
        self.changed.insert(flag.id.clone());
        Ok(flag)
    }

    fn raise(&self, proposal: &Proposal, actor: &Actor, now: Timestamp) -> Result<Flag, Refusal> {
        let Proposal {
            id,
            identity,
            severity,
            reason,
        } = proposal;
        let admitted = self.admit(identity, *severity, &actor.department, now)?;
        // Another department's proposal is not for these eyes, so it is in nobody's way.
        let seen = |flag: &Flag| flag.is_known() || flag.department == actor.department;
        self.unflagged(identity, |flag| flag.is_open(now) && seen(flag))?;
        Ok(Flag {
            id: id.clone(),
            identity: identity.clone(),
            title: admitted.title,
            severity: admitted.severity,
            reason: reason.clone(),
            bases: admitted.bases,
            reaches_all: admitted.reaches_all,
            catalogue: admitted.catalogue,
            department: actor.department.clone(),
            proposer: actor.officer.clone(),
            raised_at: now,
            ends_at: admitted.ends_at,
            stage: Stage::Proposed,
        })
    }

    /// One document restricts once: none of the flags with this identity may be `in_the_way`.
    fn unflagged(&self, identity: &Identity, in_the_way: impl Fn(&Flag) -> bool) -> Result<(), Refusal> {
        let same = self
            .flags
            .values()
            .find(|flag| flag.identity == *identity && in_the_way(flag));
        match same {
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
        let admitted = self.admit(&flag.identity, Some(flag.severity), &flag.department, now)?;
        // Another department may have proposed the same, and was first to confirm it.
        self.unflagged(&flag.identity, |other| other.state(now) == FlagState::InForce)?;
        Ok(Flag {
            title: admitted.title,
            severity: admitted.severity,
            bases: admitted.bases,
            reaches_all: admitted.reaches_all,
            catalogue: admitted.catalogue,
            ends_at: admitted.ends_at,
            stage: Stage::InForce {
                confirmation: Confirmation {
                    officer: actor.officer.clone(),
                    at: now,
                },
            },
            ..flag.clone()
        })
    }

    fn lift(&self, name: &FlagName, reason: &str, actor: &Actor, now: Timestamp) -> Result<Flag, Refusal> {
        let flag = self.own(name, actor)?;
        let ending = Ending {
            officer: actor.officer.clone(),
            at: now,
            reason: reason.to_owned(),
        };
        let state = flag.state(now);
        let stage = match (state, &flag.stage) {
            (FlagState::Proposed, Stage::Proposed) => Stage::Withdrawn { ending },
            (FlagState::InForce, Stage::InForce { confirmation }) => Stage::Lifted {
                confirmation: confirmation.clone(),
                ending,
            },
            (FlagState::Proposed | FlagState::InForce | FlagState::Lifted | FlagState::Lapsed, _) => {
                let needed = &[FlagState::Proposed, FlagState::InForce];
                return Err(Refusal::FlagState { state, needed });
            }
        };
        Ok(Flag {
            stage,
            ..flag.clone()
        })
    }

    fn admit(
        &self,
        identity: &Identity,
        severity: Option<Severity>,
        department: &Department,
        now: Timestamp,
    ) -> Result<Admitted, Refusal> {
        match &self.law {
            Some(law) => gate::admit(&law.catalogue, identity, severity, department, now),
            None => Err(Refusal::KindUnknown {
                kind: identity.kind.clone(),
            }),
        }
    }

    fn own(&self, name: &FlagName, actor: &Actor) -> Result<&Flag, Refusal> {
        let flag = self
            .flags
            .get(&name.id)
            .filter(|flag| flag.identity.enterprise == name.enterprise);
        let flag = flag.ok_or_else(|| Refusal::FlagUnknown { flag: name.clone() })?;
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

#[cfg(test)]
mod tests;
