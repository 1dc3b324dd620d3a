//! What can be done with appeals. Each step looks at flags, repairs and appeals as those before it left them.

use greenstar_kernel::{Code, Timestamp, Uscc};

use super::{Appeal, AppealName, AppealStage, AppealState, DECISION, Decision};
use crate::domain::catalogue::Severity;
use crate::domain::evidence::Evidence;
use crate::domain::flag::{Flag, FlagName};
use crate::domain::ledger::{Actor, Ledger};
use crate::domain::refusal::Refusal;
use crate::domain::remedies::{Done, Party, Remedies, RemedyRefusal, stands};
use crate::domain::stage::{Ending, FlagState, Review, Suspension};

/// An appeal to be filed.
#[derive(Clone, Debug)]
pub struct Filing {
    /// Made by the caller of the domain; nothing else has it.
    pub id: Code,
    pub enterprise: Uscc,
    pub flag: FlagName,
    pub grounds: String,
    pub evidence: Vec<Evidence>,
}

/// What is decided.
#[derive(Clone, Debug)]
pub struct Judgement {
    pub name: AppealName,
    pub verdict: Verdict,
    /// Shown to the firm.
    pub opinion: String,
}

/// What an appeal ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The flag stands.
    Dismiss,
    /// It never should have been: with it goes what else the body has on the same document and site.
    Annul,
    /// It is less severe.
    Amend(Severity),
}

impl Remedies {
    /// Files an appeal. Where the kind of flag says so, it suspends the flag's effect.
    pub(in crate::domain) fn file(
        &self,
        ledger: &mut Ledger,
        filing: &Filing,
        party: &Party,
        now: Timestamp,
    ) -> Result<Done<Appeal>, Refusal> {
        let flag = party.flag(ledger, &filing.flag)?;
        let before = self
            .appeals_of(filing.enterprise)
            .filter(|appeal| appeal.flag == filing.flag.id);
        let blocks = |appeal: &&Appeal| match appeal.state() {
            AppealState::Withdrawn => false,
            AppealState::Filed | AppealState::Dismissed | AppealState::Annulled | AppealState::Amended => {
                true
            }
        };
        if let Some(appeal) = { before }.find(blocks) {
            let (appeal, state) = (appeal.name(), appeal.state());
            return Err(RemedyRefusal::AppealExists { appeal, state }.into());
        }
        let Some(until) = flag.appeal_until().filter(|_| stands(flag, now)) else {
            let state = Some(flag.state(now));
            return Err(RemedyRefusal::NothingInForce { state }.into());
        };
        if until <= now {
            return Err(RemedyRefusal::AppealOutOfTime { until }.into());
        }
        if let Some(repair) = self.open_repair(flag) {
            let repair = repair.name();
            return Err(RemedyRefusal::UnderRepair { repair }.into());
        }
        let appeal = Appeal {
            id: filing.id.clone(),
            enterprise: filing.enterprise,
            flag: filing.flag.id.clone(),
            department: flag.department.clone(),
            grounds: filing.grounds.clone(),
            evidence: filing.evidence.clone(),
            suspends: flag.rules().appeal.suspends,
            appellant: party.clone(),
            filed_at: now,
            due_at: now.date().deadline(DECISION),
            stage: AppealStage::Filed,
        };
        let mut flags = Vec::new();
        if appeal.suspends {
            let suspension = Suspension {
                by: party.principal(),
                at: now,
                appeal: appeal.name().to_string(),
            };
            flags.push(ledger.suspend(&filing.flag, suspension)?);
        }
        Ok(Done { case: appeal, flags })
    }

    /// Decides one.
    pub(in crate::domain) fn judge(
        &self,
        ledger: &mut Ledger,
        judgement: &Judgement,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<Done<Appeal>, Refusal> {
        let appeal = self.appeal(&judgement.name)?;
        if appeal.department != actor.department {
            let department = appeal.department.clone();
            return Err(RemedyRefusal::NotTheRecognisingBody { department }.into());
        }
        needs_filed(appeal)?;
        let name = appeal.flag_name();
        let flag = ledger.flag(&name)?;
        let revoked = match judgement.verdict {
            Verdict::Annul => with_it(ledger, flag, now),
            Verdict::Dismiss | Verdict::Amend(_) => Vec::new(),
        };
        let touched = revoked.iter().filter_map(|name| ledger.flag(name).ok());
        let own = std::iter::once(flag).chain(touched).any(|flag| {
            let confirmed = flag.confirmation().map(|confirmation| &confirmation.officer);
            flag.proposer == actor.officer || confirmed == Some(&actor.officer)
        });
        if own || appeal.appellant.is_officer(&actor.officer) {
            return Err(RemedyRefusal::JudgesOwn {
                officer: actor.officer.clone(),
            }
            .into());
        }
        let decision = Decision {
            officer: actor.officer.clone(),
            at: now,
            opinion: judgement.opinion.clone(),
        };
        let by = appeal.name().to_string();
        let review = Review {
            by: actor.officer.0.clone(),
            at: now,
            reason: judgement.opinion.clone(),
            appeal: by.clone(),
            amended_from: None,
        };
        let (stage, flags) = match judgement.verdict {
            Verdict::Dismiss => (
                AppealStage::Dismissed { decision },
                resume(ledger, &name, review)?,
            ),
            Verdict::Annul => {
                let ending = Ending {
                    officer: actor.officer.clone(),
                    at: now,
                    reason: judgement.opinion.clone(),
                };
                let mut flags = Vec::new();
                // Each can be revoked, or it would not be among them: all fall or none.
                for name in &revoked {
                    flags.push(ledger.revoke(name, ending.clone(), Some(by.clone()))?);
                }
                (AppealStage::Annulled { decision }, flags)
            }
            Verdict::Amend(_) if !stands(flag, now) => {
                let state = Some(flag.state(now));
                return Err(RemedyRefusal::NothingInForce { state }.into());
            }
            Verdict::Amend(severity) => {
                let flag = ledger.amend(&name, severity, review)?;
                (AppealStage::Amended { decision, severity }, vec![flag])
            }
        };
        Ok(Done {
            case: Appeal {
                stage,
                ..appeal.clone()
            },
            flags,
        })
    }

    /// Takes one back; the flag binds again. For other bodies it is not there.
    pub(in crate::domain) fn withdraw_appeal(
        &self,
        ledger: &mut Ledger,
        name: &AppealName,
        party: &Party,
        now: Timestamp,
    ) -> Result<Done<Appeal>, Refusal> {
        let appeal = self.appeal(name)?;
        if !party.is_of(&appeal.enterprise, &appeal.department) {
            return Err(RemedyRefusal::AppealUnknown {
                appeal: name.clone(),
                hidden: true,
            }
            .into());
        }
        needs_filed(appeal)?;
        let review = Review {
            by: party.principal(),
            at: now,
            reason: String::new(),
            appeal: appeal.name().to_string(),
            amended_from: None,
        };
        let flags = resume(ledger, &appeal.flag_name(), review)?;
        let stage = AppealStage::Withdrawn {
            by: party.clone(),
            at: now,
        };
        Ok(Done {
            case: Appeal {
                stage,
                ..appeal.clone()
            },
            flags,
        })
    }

    fn appeal(&self, name: &AppealName) -> Result<&Appeal, Refusal> {
        self.appeals
            .get(&name.id)
            .filter(|appeal| appeal.enterprise == name.enterprise)
            .ok_or_else(|| {
                let appeal = name.clone();
                RemedyRefusal::AppealUnknown {
                    appeal,
                    hidden: false,
                }
                .into()
            })
    }
}

/// What an appeal suspended binds again, unless it has ended meanwhile.
fn resume(ledger: &mut Ledger, name: &FlagName, review: Review) -> Result<Vec<Flag>, Refusal> {
    match ledger.flag(name)?.state(review.at) {
        FlagState::Suspended => Ok(vec![ledger.resume(name, review)?]),
        FlagState::Proposed
        | FlagState::InForce
        | FlagState::Lifted
        | FlagState::Lapsed
        | FlagState::Repaired
        | FlagState::Revoked => Ok(Vec::new()),
    }
}

/// What is annulled with a flag: what still binds of the same body, document and site. The flag itself in any
/// case, though it may have ended, unless it is revoked already.
fn with_it(ledger: &Ledger, flag: &Flag, now: Timestamp) -> Vec<FlagName> {
    let same = |other: &&Flag| {
        other.id != flag.id
            && other.identity.enterprise == flag.identity.enterprise
            && other.department == flag.department
            && other.identity.document == flag.identity.document
            && other.identity.site == flag.identity.site
            && stands(other, now)
    };
    let own = (flag.state(now) != FlagState::Revoked).then_some(flag);
    let others = ledger.flags().filter(same);
    own.into_iter().chain(others).map(Flag::name).collect()
}

fn needs_filed(appeal: &Appeal) -> Result<(), Refusal> {
    match appeal.state() {
        AppealState::Filed => Ok(()),
        state @ (AppealState::Dismissed
        | AppealState::Annulled
        | AppealState::Amended
        | AppealState::Withdrawn) => Err(RemedyRefusal::AppealState { state }.into()),
    }
}
