//! What repair, appeal and time do to flags. Who may ask for it is decided before: these steps guard the flag's own
//! state only. A refusal changes nothing.

use greenstar_kernel::{Code, Timestamp};

use super::Ledger;
use crate::domain::catalogue::{Severity, Window};
use crate::domain::flag::{Flag, FlagName, Rules};
use crate::domain::refusal::Refusal;
use crate::domain::stage::{Ending, FlagState, Review, Stage, Suspension};

/// Those that a document's repair ends.
const STANDING: &[FlagState] = &[FlagState::InForce, FlagState::Suspended];

impl Ledger {
    /// Ends all these flags by one repair, or none of them. Windows and conditions are the repair's to check.
    ///
    /// # Errors
    /// [`Refusal::FlagState`] if one is neither in force nor suspended at `ending.at`; [`Refusal::NotRepairable`] if
    /// the law leaves no repair for one.
    pub fn repair(
        &mut self,
        names: &[FlagName],
        repair: &str,
        ending: &Ending,
    ) -> Result<Vec<Flag>, Refusal> {
        let mut repaired = Vec::new();
        for name in names {
            let flag = self.flag(name)?;
            let state = flag.state(ending.at);
            let (FlagState::InForce | FlagState::Suspended, Some(confirmation)) =
                (state, flag.confirmation())
            else {
                let needed = STANDING;
                return Err(Refusal::FlagState { state, needed });
            };
            if !self.is_repairable(flag, ending.at) {
                let kind = flag.identity.kind.clone();
                return Err(Refusal::NotRepairable { kind });
            }
            repaired.push(Flag {
                stage: Stage::Repaired {
                    confirmation: confirmation.clone(),
                    ending: ending.clone(),
                    repair: repair.to_owned(),
                },
                ..flag.clone()
            });
        }
        Ok(repaired.into_iter().map(|flag| self.keep(flag)).collect())
    }

    /// Whether the law leaves a repair for this flag. A flag from before editions said so asks the edition of today.
    pub fn is_repairable(&self, flag: &Flag, now: Timestamp) -> bool {
        match &flag.rules {
            Some(rules) => rules.repairable,
            None => {
                let law = self.law.at(now);
                let kind = law.and_then(|law| law.catalogue.kind(&flag.identity.kind));
                kind.is_none_or(|kind| kind.repairable)
            }
        }
    }

    /// Annuls a flag that was in force at some time: it never should have been.
    ///
    /// # Errors
    /// [`Refusal::FlagState`] if it was never in force, or is revoked.
    pub fn revoke(
        &mut self,
        name: &FlagName,
        ending: Ending,
        appeal: Option<String>,
    ) -> Result<Flag, Refusal> {
        let revoked = self.flag(name)?.revoked(ending, appeal, None)?;
        Ok(self.keep(revoked))
    }

    /// Takes the effect of a flag in force away until an appeal is decided.
    ///
    /// # Errors
    /// [`Refusal::FlagState`] if it is not in force at `suspension.at`.
    pub fn suspend(&mut self, name: &FlagName, suspension: Suspension) -> Result<Flag, Refusal> {
        let flag = self.flag(name)?;
        let state = flag.state(suspension.at);
        let (FlagState::InForce, Some(confirmation)) = (state, flag.confirmation()) else {
            let needed = &[FlagState::InForce];
            return Err(Refusal::FlagState { state, needed });
        };
        let stage = Stage::Suspended {
            confirmation: confirmation.clone(),
            suspension,
        };
        let flag = Flag {
            stage,
            ..flag.clone()
        };
        Ok(self.keep(flag))
    }

    /// Lets a suspended flag bind again.
    ///
    /// # Errors
    /// [`Refusal::FlagState`] if it is not suspended at `review.at`; its term may have ended meanwhile.
    pub fn resume(&mut self, name: &FlagName, review: Review) -> Result<Flag, Refusal> {
        let flag = self.flag(name)?;
        let state = flag.state(review.at);
        let (FlagState::Suspended, Some(confirmation)) = (state, flag.confirmation()) else {
            let needed = &[FlagState::Suspended];
            return Err(Refusal::FlagState { state, needed });
        };
        let stage = Stage::InForce {
            confirmation: confirmation.clone(),
            review: Some(review),
        };
        let flag = Flag {
            stage,
            ..flag.clone()
        };
        Ok(self.keep(flag))
    }

    /// Makes a flag milder; its term and windows follow, so it may have lapsed by that. It binds from now on if it was
    /// suspended.
    ///
    /// # Errors
    /// [`Refusal::FlagState`] if it is neither in force nor suspended at `review.at`; [`Refusal::SeverityNotAllowed`]
    /// if its kind cannot be amended so, or it is not milder.
    pub fn amend(&mut self, name: &FlagName, severity: Severity, review: Review) -> Result<Flag, Refusal> {
        let flag = self.flag(name)?;
        let state = flag.state(review.at);
        let (FlagState::InForce | FlagState::Suspended, Some(confirmation)) = (state, flag.confirmation())
        else {
            let needed = STANDING;
            return Err(Refusal::FlagState { state, needed });
        };
        let rules = flag.rules();
        let milder = rules.appeal.amends.range(..flag.severity);
        let Some((_, months)) = milder.clone().find(|(allowed, _)| **allowed == severity) else {
            return Err(Refusal::SeverityNotAllowed {
                kind: flag.identity.kind.clone(),
                allowed: milder.map(|(severity, _)| *severity).collect(),
            });
        };
        let ends_at = flag.identity.document.date.term_end(*months);
        let law = self.law.at(review.at);
        let window = law.map(|law| law.catalogue.window(severity));
        let flag = Flag {
            severity,
            ends_at,
            rules: Some(Rules {
                window: window.unwrap_or_else(|| Window::of_order_36(severity)),
                ..rules.into_owned()
            }),
            stage: Stage::InForce {
                confirmation: confirmation.clone(),
                review: Some(Review {
                    amended_from: Some(flag.severity),
                    ..review
                }),
            },
            ..flag.clone()
        };
        Ok(self.keep(flag))
    }

    /// Writes down that a flag's term has ended. `None`: it has not, or that is written already, or something else
    /// ended the flag before.
    pub fn lapse(&mut self, id: &Code, now: Timestamp) -> Option<Flag> {
        let flag = self.flags.get(id)?;
        let confirmation = match &flag.stage {
            Stage::InForce { confirmation, .. } | Stage::Suspended { confirmation, .. } => confirmation,
            Stage::Proposed
            | Stage::Withdrawn { .. }
            | Stage::Lapsed { .. }
            | Stage::Lifted { .. }
            | Stage::Repaired { .. }
            | Stage::Revoked { .. } => return None,
        };
        if now < flag.ends_at {
            return None;
        }
        let stage = Stage::Lapsed {
            confirmation: confirmation.clone(),
        };
        let flag = Flag {
            stage,
            ..flag.clone()
        };
        Some(self.keep(flag))
    }
}

impl Flag {
    /// As [`Ledger::revoke`]; `superseded_by` names the flag in its place.
    pub(super) fn revoked(
        &self,
        ending: Ending,
        appeal: Option<String>,
        superseded_by: Option<FlagName>,
    ) -> Result<Flag, Refusal> {
        let confirmation = match &self.stage {
            Stage::InForce { confirmation, .. }
            | Stage::Suspended { confirmation, .. }
            | Stage::Lapsed { confirmation }
            | Stage::Lifted { confirmation, .. }
            | Stage::Repaired { confirmation, .. } => confirmation,
            Stage::Proposed | Stage::Withdrawn { .. } | Stage::Revoked { .. } => {
                return Err(Refusal::FlagState {
                    state: self.state(ending.at),
                    needed: &[
                        FlagState::InForce,
                        FlagState::Suspended,
                        FlagState::Lapsed,
                        FlagState::Lifted,
                        FlagState::Repaired,
                    ],
                });
            }
        };
        Ok(Flag {
            stage: Stage::Revoked {
                confirmation: confirmation.clone(),
                ending,
                appeal,
                superseded_by,
            },
            ..self.clone()
        })
    }
}
