//! A credit repair (信用修复, NDRC order 36 of 2025): who recognised a fault repairs it, once it is corrected, its
//! least window has passed and the firm has committed itself. It acts on a document, so on every flag that the
//! body has on it.

mod conditions;
mod options;
mod steps;

use std::fmt;

use greenstar_kernel::{Code, Department, Document, Officer, Revision, Timestamp, Uscc, WorkingDays};
use serde::{Deserialize, Serialize};

use super::evidence::Evidence;
use super::flag::{FlagName, Site};
use super::remedies::Party;

pub use conditions::{Condition, ConditionKind};
pub use options::{RepairOption, options};
pub use steps::{Application, Examination, Subject, Verdict};

/// Within so many working days an application is reviewed (State Council Office 2025 No. 22, RECALL).
pub const REVIEW: WorkingDays = WorkingDays(10);

/// Names a repair: `enterprises/{uscc}/repairs/{repair}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RepairName {
    pub enterprise: Uscc,
    /// A UUID of version 7 where the service made it.
    pub id: Code,
}

impl fmt::Display for RepairName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "enterprises/{}/repairs/{}", self.enterprise, self.id)
    }
}

/// Which of a document's flags a repair covers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// All of them, of whatever site.
    Document,
    /// Those on the whole enterprise.
    Enterprise,
    /// Those on one site.
    Site(Site),
}

impl Reach {
    /// That of a flag.
    pub fn of(site: Option<&Site>) -> Reach {
        site.map_or(Reach::Enterprise, |site| Reach::Site(site.clone()))
    }

    /// Whether a flag on `site` is within it.
    pub fn covers(&self, site: Option<&Site>) -> bool {
        match self {
            Reach::Document => true,
            Reach::Enterprise => site.is_none(),
            Reach::Site(own) => site == Some(own),
        }
    }

    /// Whether a flag can be within both.
    pub fn overlaps(&self, other: &Reach) -> bool {
        match (self, other) {
            (Reach::Document, Reach::Document | Reach::Enterprise | Reach::Site(_))
            | (Reach::Enterprise | Reach::Site(_), Reach::Document) => true,
            (Reach::Enterprise | Reach::Site(_), Reach::Enterprise | Reach::Site(_)) => self == other,
        }
    }

    pub fn site(&self) -> Option<&Site> {
        match self {
            Reach::Document | Reach::Enterprise => None,
            Reach::Site(site) => Some(site),
        }
    }
}

/// An application and what became of it, whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repair {
    pub id: Code,
    pub enterprise: Uscc,
    pub document: Document,
    pub reach: Reach,
    /// Who recognised the fault; only its officers review.
    pub department: Department,
    /// Ids of the flags that stood when it was applied for; from its grant on, of those that it ended.
    pub flags: Vec<Code>,
    /// From here on the law allows a repair: the longest of its flags' least windows.
    pub earliest_at: Timestamp,
    pub applicant: Party,
    pub commitment: String,
    pub evidence: Vec<Evidence>,
    pub applied_at: Timestamp,
    /// From here on its review is late.
    pub due_at: Timestamp,
    pub stage: RepairStage,
}

/// What was done with an application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RepairStage {
    Applied,
    Granted {
        review: Review,
        /// Number of its certificate. Random, so that only who was shown it can ask for it.
        certificate: Code,
        /// From this revision on none of its flags binds.
        revision: Revision,
    },
    Refused {
        review: Review,
    },
    Withdrawn {
        by: Party,
        at: Timestamp,
    },
}

/// By whom, when and how it was reviewed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    pub officer: Officer,
    pub at: Timestamp,
    pub findings: Findings,
    /// Shown to the firm.
    pub opinion: String,
}

/// What a reviewer finds of the conditions that no record can tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Findings {
    /// The fault is corrected and all duties are met.
    pub corrected: bool,
    /// The commitment was made public.
    pub committed: bool,
    /// What other laws ask for holds.
    pub others_hold: bool,
}

/// Where a repair stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RepairState {
    Applied,
    Granted,
    Refused,
    Withdrawn,
}

impl RepairState {
    /// As written in errors and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            RepairState::Applied => "APPLIED",
            RepairState::Granted => "GRANTED",
            RepairState::Refused => "REFUSED",
            RepairState::Withdrawn => "WITHDRAWN",
        }
    }
}

impl Repair {
    pub fn name(&self) -> RepairName {
        RepairName {
            enterprise: self.enterprise,
            id: self.id.clone(),
        }
    }

    pub fn state(&self) -> RepairState {
        match &self.stage {
            RepairStage::Applied => RepairState::Applied,
            RepairStage::Granted { .. } => RepairState::Granted,
            RepairStage::Refused { .. } => RepairState::Refused,
            RepairStage::Withdrawn { .. } => RepairState::Withdrawn,
        }
    }

    /// Whether its review is late.
    pub fn overdue(&self, now: Timestamp) -> bool {
        self.state() == RepairState::Applied && self.due_at <= now
    }

    pub fn review(&self) -> Option<&Review> {
        match &self.stage {
            RepairStage::Granted { review, .. } | RepairStage::Refused { review } => Some(review),
            RepairStage::Applied | RepairStage::Withdrawn { .. } => None,
        }
    }

    /// Number of its certificate, and the revision from which on it holds.
    pub fn certificate(&self) -> Option<(&Code, Revision)> {
        match &self.stage {
            RepairStage::Granted {
                certificate,
                revision,
                ..
            } => Some((certificate, *revision)),
            RepairStage::Applied | RepairStage::Refused { .. } | RepairStage::Withdrawn { .. } => None,
        }
    }

    pub fn flag_names(&self) -> impl Iterator<Item = FlagName> {
        self.flags.iter().map(|id| FlagName {
            enterprise: self.enterprise,
            id: id.clone(),
        })
    }

    /// What is known of the four conditions.
    pub fn conditions(&self, now: Timestamp) -> Vec<Condition> {
        conditions::of(self.earliest_at, self.review().map(|review| review.findings), now)
    }
}
