//! A flag on the wrong enterprise.

use greenstar_kernel::{Code, Timestamp, Uscc};

use super::{Actor, Ledger, ending};
use crate::domain::flag::{Flag, FlagName, Identity};
use crate::domain::gate::Claim;
use crate::domain::refusal::Refusal;
use crate::domain::stage::{FlagState, Stage};

/// What is wrong, and what is right.
#[derive(Clone, Debug)]
pub struct Correction {
    /// The flag on the wrong enterprise.
    pub name: FlagName,
    /// Of the flag to be proposed; made by the caller of the domain, nothing else has it.
    pub id: Code,
    /// The right one.
    pub enterprise: Uscc,
    pub reason: String,
}

/// Both flags after a correction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corrected {
    pub revoked: Flag,
    pub proposed: Flag,
}

impl Ledger {
    /// Revokes a flag on the wrong enterprise at once and proposes it on the right one, where another officer has to
    /// confirm it as ever. A refusal changes nothing: a firm is not let go because the other cannot be flagged.
    pub fn correct(
        &mut self,
        correction: &Correction,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<Corrected, Refusal> {
        let Correction {
            name,
            id,
            enterprise,
            reason,
        } = correction;
        let wrong = self.own(name, actor)?;
        if *enterprise == name.enterprise {
            return Err(Refusal::CorrectionInvalid {
                enterprise: *enterprise,
            });
        }
        match wrong.state(now) {
            FlagState::InForce | FlagState::Suspended => {}
            state @ (FlagState::Proposed
            | FlagState::Lifted
            | FlagState::Lapsed
            | FlagState::Repaired
            | FlagState::Revoked) => {
                let needed = &[FlagState::InForce, FlagState::Suspended];
                return Err(Refusal::FlagState { state, needed });
            }
        }
        let identity = Identity {
            enterprise: *enterprise,
            ..wrong.identity.clone()
        };
        // One that an appeal has amended is proposed as it was raised.
        let law = self.law.at(now);
        let kind = law.and_then(|law| law.catalogue.kind(&identity.kind));
        let raised_so = kind.is_some_and(|kind| kind.terms.contains_key(&wrong.severity));
        let claim = Claim {
            identity: &identity,
            severity: (raised_so && wrong.penalties.is_empty()).then_some(wrong.severity),
            ..wrong.claim()
        };
        let admitted = self.admit(claim, now)?;
        let seen = |flag: &Flag| flag.is_known() || flag.department == actor.department;
        self.unflagged(&identity, &actor.department, |flag| {
            flag.is_open(now) && seen(flag)
        })?;
        let right = FlagName {
            enterprise: *enterprise,
            id: id.clone(),
        };
        let revoked = wrong.revoked(ending(actor, reason, now), None, Some(right))?;
        let proposed = Flag {
            id: id.clone(),
            identity,
            title: admitted.title,
            severity: admitted.severity,
            bases: admitted.bases,
            reaches_all: admitted.reaches_all,
            catalogue: admitted.catalogue,
            rules: Some(admitted.rules),
            proposer: actor.officer.clone(),
            raised_at: now,
            ends_at: admitted.ends_at,
            corrects: Some(name.clone()),
            stage: Stage::Proposed,
            ..wrong.clone()
        };
        Ok(Corrected {
            revoked: self.keep(revoked),
            proposed: self.keep(proposed),
        })
    }
}
