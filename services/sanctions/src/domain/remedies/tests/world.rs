//! A ledger, its repairs and appeals, and a clock that tests move.

use greenstar_kernel::{Code, Date, Department, Document, Officer, Revision, Timestamp, Uscc};

use crate::domain::appeal::{self, Appeal, Filing, Judgement};
use crate::domain::catalogue::{Catalogue, Law, SHIPPED};
use crate::domain::flag::{Flag, FlagName, Identity, Site};
use crate::domain::ledger::{Actor, Ledger, Proposal, Step};
use crate::domain::refusal::Refusal;
use crate::domain::remedies::{Case, Done, Party, Remedies, Remedy, RemedyRefusal};
use crate::domain::repair::{self, Application, Examination, Findings, Repair, Subject, options};
use crate::domain::stage::FlagState;

pub(super) const FIRM: &str = "91110115MAX000015J";
/// The third officer: neither proposer nor confirmer.
pub(super) const THIRD: &str = "enforcement/3";

pub(super) fn code(raw: &str) -> Code {
    Code::parse(raw).unwrap()
}

pub(super) fn firm() -> Uscc {
    FIRM.parse().unwrap()
}

/// Noon of a day.
pub(super) fn at(day: &str) -> Timestamp {
    let day: Date = day.parse().unwrap();
    day.start().plus(std::time::Duration::from_secs(12 * 3600))
}

pub(super) fn actor(officer: &str) -> Actor {
    Actor {
        department: Department::parse(officer.split('/').next().unwrap()).unwrap(),
        officer: Officer(officer.to_owned()),
    }
}

/// An officer who acts on the firm's behalf.
pub(super) fn on_behalf(officer: &str) -> Party {
    let Actor { department, officer } = actor(officer);
    Party::Officer { department, officer }
}

pub(super) fn document(number: &str) -> Document {
    Document {
        issuer: "局".into(),
        number: number.into(),
        date: "2026-04-01".parse().unwrap(),
    }
}

pub(super) fn name(id: &str) -> FlagName {
    FlagName {
        enterprise: firm(),
        id: code(id),
    }
}

/// A ledger, its remedies, and a clock.
pub(super) struct World {
    pub(super) ledger: Ledger,
    pub(super) remedies: Remedies,
    pub(super) now: Timestamp,
    made: u64,
}

impl World {
    pub(super) fn on(day: &str) -> World {
        let mut ledger = Ledger::new(Law::default(), []);
        ledger
            .enact(&Catalogue::from_yaml(SHIPPED).unwrap(), at("2026-01-01"))
            .unwrap();
        World {
            ledger,
            remedies: Remedies::default(),
            now: at(day),
            made: 0,
        }
    }

    pub(super) fn raise(
        &mut self,
        id: &str,
        kind: &str,
        number: &str,
        site: Option<&str>,
        officer: &str,
    ) -> Result<(), Refusal> {
        let proposal = Proposal {
            id: code(id),
            identity: Identity {
                enterprise: firm(),
                document: document(number),
                site: site.map(|site| Site::try_from(site.to_owned()).unwrap()),
                kind: code(kind),
                scope: (kind == "permit-by-deceit").then(|| code("hazardous-waste-permit")),
            },
            severity: None,
            penalties: Vec::new(),
            evidence: Vec::new(),
            reason: String::new(),
        };
        let step = Step::Raise(Box::new(proposal));
        self.ledger.decide(&step, &actor(officer), self.now)?;
        let second = format!("{officer}/2");
        self.ledger
            .decide(&Step::Confirm(name(id)), &actor(&second), self.now)
            .map(drop)
    }

    pub(super) fn flagged(&mut self, id: &str, kind: &str, number: &str, site: Option<&str>) {
        self.raise(id, kind, number, site, "enforcement").unwrap();
    }

    pub(super) fn decide(&mut self, remedy: &Remedy) -> Result<Done<Case>, Refusal> {
        self.remedies
            .decide(&mut self.ledger, remedy, self.now, Revision(100))
    }

    pub(super) fn id(&mut self, what: &str) -> Code {
        self.made += 1;
        code(&format!("{what}-{}", self.made))
    }

    pub(super) fn apply(&mut self, subject: Subject) -> Result<Repair, Refusal> {
        self.apply_as(subject, Party::Enterprise(firm()))
    }

    pub(super) fn apply_as(&mut self, subject: Subject, party: Party) -> Result<Repair, Refusal> {
        let application = Application {
            id: self.id("r"),
            enterprise: firm(),
            subject,
            commitment: "we have corrected it".into(),
            evidence: Vec::new(),
        };
        let done = self.decide(&Remedy::Apply(Box::new(application), party))?;
        Ok(repair_of(done.case))
    }

    pub(super) fn apply_by(&mut self, flag: &str) -> Result<Repair, Refusal> {
        self.apply(Subject::Flag(name(flag)))
    }

    pub(super) fn review(
        &mut self,
        repair: &Repair,
        officer: &str,
        grant: bool,
    ) -> Result<Done<Case>, Refusal> {
        let verdict = if grant {
            repair::Verdict::Grant {
                certificate: self.id("c"),
            }
        } else {
            repair::Verdict::Refuse
        };
        let examination = Examination {
            name: repair.name(),
            verdict,
            findings: Findings {
                corrected: true,
                committed: true,
                others_hold: true,
            },
            opinion: "checked on site".into(),
        };
        self.decide(&Remedy::Review(Box::new(examination), actor(officer)))
    }

    pub(super) fn file(&mut self, flag: &str) -> Result<Appeal, Refusal> {
        self.file_as(flag, Party::Enterprise(firm()))
    }

    pub(super) fn file_as(&mut self, flag: &str, party: Party) -> Result<Appeal, Refusal> {
        let filing = Filing {
            id: self.id("a"),
            enterprise: firm(),
            flag: name(flag),
            grounds: "it was not us".into(),
            evidence: Vec::new(),
        };
        let done = self.decide(&Remedy::File(Box::new(filing), party))?;
        Ok(appeal_of(done.case))
    }

    pub(super) fn judge(
        &mut self,
        appeal: &Appeal,
        verdict: appeal::Verdict,
        officer: &str,
    ) -> Result<Done<Case>, Refusal> {
        let judgement = Judgement {
            name: appeal.name(),
            verdict,
            opinion: "measured again".into(),
        };
        self.decide(&Remedy::Judge(Box::new(judgement), actor(officer)))
    }

    pub(super) fn state(&self, flag: &str) -> FlagState {
        self.ledger.flag(&name(flag)).unwrap().state(self.now)
    }

    pub(super) fn options(&self) -> Vec<repair::RepairOption> {
        options(&self.ledger, &self.remedies, firm(), self.now)
    }

    pub(super) fn shown(&self) -> String {
        let flags: Vec<&Flag> = self.ledger.flags().collect();
        format!(
            "{flags:?} {:?} {:?}",
            self.remedies.repairs, self.remedies.appeals
        )
    }
}

pub(super) fn repair_of(case: Case) -> Repair {
    match case {
        Case::Repair(repair) => *repair,
        Case::Appeal(appeal) => panic!("{appeal:?}"),
    }
}

pub(super) fn appeal_of(case: Case) -> Appeal {
    match case {
        Case::Appeal(appeal) => *appeal,
        Case::Repair(repair) => panic!("{repair:?}"),
    }
}

#[track_caller]
pub(super) fn remedy<T: std::fmt::Debug>(outcome: Result<T, Refusal>) -> RemedyRefusal {
    match outcome {
        Err(Refusal::Remedy(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}
