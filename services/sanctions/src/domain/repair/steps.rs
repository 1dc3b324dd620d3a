//! What can be done with repairs. Each step looks at flags, repairs and appeals as those before it left them.

use std::collections::BTreeSet;

use greenstar_kernel::{Code, Department, Document, Revision, Timestamp, Uscc};

use super::options::longest_window;
use super::{Findings, REVIEW, Reach, Repair, RepairName, RepairStage, RepairState, Review};
use crate::domain::evidence::Evidence;
use crate::domain::flag::{Flag, FlagName};
use crate::domain::ledger::{Actor, Ledger};
use crate::domain::refusal::Refusal;
use crate::domain::remedies::{Done, Party, Remedies, RemedyRefusal, stands};
use crate::domain::stage::Ending;

/// An application.
#[derive(Clone, Debug)]
pub struct Application {
    /// Made by the caller of the domain; nothing else has it.
    pub id: Code,
    pub enterprise: Uscc,
    pub subject: Subject,
    pub commitment: String,
    pub evidence: Vec<Evidence>,
}

/// The document, by one of the two.
#[derive(Clone, Debug)]
pub enum Subject {
    /// A flag on it: with this one, those of the same body and the same site.
    Flag(FlagName),
    /// All flags on it. They must be of one body: who recognises, repairs.
    Document(Document),
}

/// What a reviewer says.
#[derive(Clone, Debug)]
pub struct Examination {
    pub name: RepairName,
    pub verdict: Verdict,
    pub findings: Findings,
    pub opinion: String,
}

/// What a review ends with.
#[derive(Clone, Debug)]
pub enum Verdict {
    Grant {
        /// Number that its certificate will have; random, nothing else has it.
        certificate: Code,
    },
    Refuse,
}

impl Repair {
    /// Whether it is being reviewed and covers flags of this body on this document within this reach.
    pub(in crate::domain) fn is_open_on(
        &self,
        document: &Document,
        reach: &Reach,
        department: &Department,
    ) -> bool {
        self.state() == RepairState::Applied && self.is_on(document, reach) && self.department == *department
    }

    fn is_on(&self, document: &Document, reach: &Reach) -> bool {
        self.document == *document && self.reach.overlaps(reach)
    }
}

impl Remedies {
    /// Applies for a repair.
    pub(in crate::domain) fn apply(
        &self,
        ledger: &Ledger,
        application: &Application,
        party: &Party,
        now: Timestamp,
    ) -> Result<Repair, Refusal> {
        let Application {
            id,
            enterprise,
            subject,
            commitment,
            evidence,
        } = application;
        let (document, reach, department) = match subject {
            Subject::Flag(name) => self.of_flag(ledger, name, party, now)?,
            Subject::Document(document) => self.of_document(ledger, *enterprise, document, party, now)?,
        };
        let covered = covered(ledger, *enterprise, &document, &reach, &department, now);
        let reviewed = self
            .repairs_of(*enterprise)
            .find(|repair| repair.is_open_on(&document, &reach, &department));
        if let Some(repair) = reviewed {
            return Err(exists(repair));
        }
        let earliest_at = self.repairable(ledger, &covered, now)?;
        Ok(Repair {
            id: id.clone(),
            enterprise: *enterprise,
            flags: covered.iter().map(|flag| flag.id.clone()).collect(),
            document,
            reach,
            department,
            earliest_at,
            applicant: party.clone(),
            commitment: commitment.clone(),
            evidence: evidence.clone(),
            applied_at: now,
            due_at: now.date().deadline(REVIEW),
            stage: RepairStage::Applied,
        })
    }

    /// Reviews one. Granted, it ends at once every flag that it covers, those raised since included.
    /// `next`: the revision that the first of them takes in the log; the repair's own entry follows them.
    pub(in crate::domain) fn review(
        &self,
        ledger: &mut Ledger,
        examination: &Examination,
        actor: &Actor,
        now: Timestamp,
        next: Revision,
    ) -> Result<Done<Repair>, Refusal> {
        let repair = self.repair(&examination.name)?;
        if repair.department != actor.department {
            let department = repair.department.clone();
            return Err(RemedyRefusal::NotTheRecognisingBody { department }.into());
        }
        needs_applied(repair)?;
        let covered = covered(
            ledger,
            repair.enterprise,
            &repair.document,
            &repair.reach,
            &repair.department,
            now,
        );
        let applied_for = repair.flag_names();
        let mut recognised = covered
            .iter()
            .copied()
            .chain(applied_for.filter_map(|name| ledger.flag(&name).ok()))
            .filter_map(Flag::confirmation);
        let confirmed = recognised.any(|confirmation| confirmation.officer == actor.officer);
        if confirmed || repair.applicant.is_officer(&actor.officer) {
            return Err(RemedyRefusal::ReviewsOwn {
                officer: actor.officer.clone(),
            }
            .into());
        }
        let review = Review {
            officer: actor.officer.clone(),
            at: now,
            findings: examination.findings,
            opinion: examination.opinion.clone(),
        };
        let certificate = match &examination.verdict {
            Verdict::Refuse => {
                let stage = RepairStage::Refused { review };
                return Ok(Done::alone(Repair {
                    stage,
                    ..repair.clone()
                }));
            }
            Verdict::Grant { certificate } => certificate.clone(),
        };
        if covered.is_empty() {
            return Err(RemedyRefusal::NothingInForce { state: None }.into());
        }
        let earliest_at = self.repairable(ledger, &covered, now)?;
        if let Some(condition) = examination.findings.missing() {
            return Err(RemedyRefusal::Condition { condition }.into());
        }
        let names: Vec<FlagName> = covered.into_iter().map(Flag::name).collect();
        let ending = Ending {
            officer: actor.officer.clone(),
            at: now,
            reason: examination.opinion.clone(),
        };
        let ended = ledger.repair(&names, &repair.name().to_string(), &ending)?;
        let revision = Revision(next.0 + u64::try_from(ended.len()).unwrap_or(0));
        Ok(Done {
            case: Repair {
                flags: names.into_iter().map(|name| name.id).collect(),
                earliest_at,
                stage: RepairStage::Granted {
                    review,
                    certificate,
                    revision,
                },
                ..repair.clone()
            },
            flags: ended,
        })
    }

    /// Takes one back. For other bodies it is not there.
    pub(in crate::domain) fn withdraw_repair(
        &self,
        name: &RepairName,
        party: &Party,
        now: Timestamp,
    ) -> Result<Repair, Refusal> {
        let repair = self.repair(name)?;
        if !party.is_of(&repair.enterprise, &repair.department) {
            return Err(RemedyRefusal::RepairUnknown {
                repair: name.clone(),
                hidden: true,
            }
            .into());
        }
        needs_applied(repair)?;
        Ok(Repair {
            stage: RepairStage::Withdrawn {
                by: party.clone(),
                at: now,
            },
            ..repair.clone()
        })
    }

    fn of_flag(
        &self,
        ledger: &Ledger,
        name: &FlagName,
        party: &Party,
        now: Timestamp,
    ) -> Result<(Document, Reach, Department), Refusal> {
        let flag = party.flag(ledger, name)?;
        if !stands(flag, now) {
            let ended = self
                .repairs_of(name.enterprise)
                .find(|repair| repair.state() == RepairState::Granted && repair.flags.contains(&flag.id));
            let state = Some(flag.state(now));
            return Err(ended.map_or_else(|| RemedyRefusal::NothingInForce { state }.into(), exists));
        }
        Ok((
            flag.identity.document.clone(),
            Reach::of(flag.identity.site.as_ref()),
            flag.department.clone(),
        ))
    }

    fn of_document(
        &self,
        ledger: &Ledger,
        enterprise: Uscc,
        document: &Document,
        party: &Party,
        now: Timestamp,
    ) -> Result<(Document, Reach, Department), Refusal> {
        let departments: BTreeSet<&Department> = ledger
            .flags()
            .filter(|flag| {
                flag.identity.enterprise == enterprise
                    && flag.identity.document == *document
                    && stands(flag, now)
            })
            .map(|flag| &flag.department)
            .collect();
        let is_of = |department: &Department| party.is_of(&enterprise, department);
        if let Some(body) = departments.first()
            && !departments.iter().any(|department| is_of(department))
        {
            let department = (*body).clone();
            return Err(RemedyRefusal::NotTheRecognisingBody { department }.into());
        }
        let mut departments = departments.into_iter();
        match (departments.next(), departments.len()) {
            (Some(department), 0) => Ok((document.clone(), Reach::Document, department.clone())),
            (Some(first), _) => {
                let departments = std::iter::once(first).chain(departments).cloned().collect();
                Err(RemedyRefusal::SeveralBodies { departments }.into())
            }
            (None, _) => {
                let ended = self.repairs_of(enterprise).find(|repair| {
                    repair.state() == RepairState::Granted
                        && repair.document == *document
                        && is_of(&repair.department)
                });
                let nothing = || RemedyRefusal::NothingInForce { state: None }.into();
                Err(ended.map_or_else(nothing, exists))
            }
        }
    }

    /// Whether the law lets these be repaired now, and since when.
    fn repairable(&self, ledger: &Ledger, covered: &[&Flag], now: Timestamp) -> Result<Timestamp, Refusal> {
        for flag in covered {
            if let Some(appeal) = self.open_appeal(&flag.name()) {
                let appeal = appeal.name();
                return Err(RemedyRefusal::UnderAppeal { appeal }.into());
            }
        }
        if let Some(flag) = covered.iter().find(|flag| !ledger.is_repairable(flag, now)) {
            return Err(RemedyRefusal::NotRepairable {
                kind: flag.identity.kind.clone(),
                ends_at: flag.ends_at,
            }
            .into());
        }
        match longest_window(ledger, covered, now) {
            Some(earliest) if earliest <= now => Ok(earliest),
            Some(earliest) => Err(RemedyRefusal::TooEarly { earliest }.into()),
            None => Err(RemedyRefusal::NothingInForce { state: None }.into()),
        }
    }

    fn repair(&self, name: &RepairName) -> Result<&Repair, Refusal> {
        self.repairs
            .get(&name.id)
            .filter(|repair| repair.enterprise == name.enterprise)
            .ok_or_else(|| {
                let repair = name.clone();
                RemedyRefusal::RepairUnknown {
                    repair,
                    hidden: false,
                }
                .into()
            })
    }
}

/// The flags of this body that stand on the document within the reach.
fn covered<'a>(
    ledger: &'a Ledger,
    enterprise: Uscc,
    document: &Document,
    reach: &Reach,
    department: &Department,
    now: Timestamp,
) -> Vec<&'a Flag> {
    ledger
        .flags()
        .filter(|flag| {
            flag.identity.enterprise == enterprise
                && flag.identity.document == *document
                && flag.department == *department
                && reach.covers(flag.identity.site.as_ref())
                && stands(flag, now)
        })
        .collect()
}

fn exists(repair: &Repair) -> Refusal {
    let (repair, state) = (repair.name(), repair.state());
    RemedyRefusal::RepairExists { repair, state }.into()
}

fn needs_applied(repair: &Repair) -> Result<(), Refusal> {
    match repair.state() {
        RepairState::Applied => Ok(()),
        state @ (RepairState::Granted | RepairState::Refused | RepairState::Withdrawn) => {
            Err(RemedyRefusal::RepairState { state }.into())
        }
    }
}
