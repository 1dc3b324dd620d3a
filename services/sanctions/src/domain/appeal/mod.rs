//! An appeal (异议) against a flag: a full review of its merits, by staff of the same body who neither raised nor
//! confirmed it.

mod steps;

use std::fmt;

use greenstar_kernel::{Code, Department, Officer, Timestamp, Uscc, WorkingDays};
use serde::{Deserialize, Serialize};

use super::catalogue::Severity;
use super::evidence::Evidence;
use super::flag::FlagName;
use super::remedies::Party;

pub use steps::{Filing, Judgement, Verdict};

/// Within so many working days an appeal is decided.
pub const DECISION: WorkingDays = WorkingDays(15);

/// Names an appeal: `enterprises/{uscc}/appeals/{appeal}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AppealName {
    pub enterprise: Uscc,
    /// A UUID of version 7 where the service made it.
    pub id: Code,
}

impl fmt::Display for AppealName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "enterprises/{}/appeals/{}", self.enterprise, self.id)
    }
}

/// An appeal and what became of it, whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Appeal {
    pub id: Code,
    pub enterprise: Uscc,
    /// Id of the flag.
    pub flag: Code,
    /// Who recognised the fault; only its officers decide.
    pub department: Department,
    pub grounds: String,
    pub evidence: Vec<Evidence>,
    /// Whether the flag's effect is suspended until it is decided.
    pub suspends: bool,
    pub appellant: Party,
    pub filed_at: Timestamp,
    /// From here on its decision is late.
    pub due_at: Timestamp,
    pub stage: AppealStage,
}

/// What was done with an appeal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AppealStage {
    Filed,
    /// The flag stands.
    Dismissed {
        decision: Decision,
    },
    /// The flag is revoked, and with it what else its body had on the document and site.
    Annulled {
        decision: Decision,
    },
    /// The flag is less severe.
    Amended {
        decision: Decision,
        severity: Severity,
    },
    Withdrawn {
        by: Party,
        at: Timestamp,
    },
}

/// By whom, when and why it was decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    pub officer: Officer,
    pub at: Timestamp,
    /// Shown to the firm.
    pub opinion: String,
}

/// Where an appeal stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AppealState {
    Filed,
    Dismissed,
    Annulled,
    Amended,
    Withdrawn,
}

impl AppealState {
    /// As written in errors and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            AppealState::Filed => "FILED",
            AppealState::Dismissed => "DISMISSED",
            AppealState::Annulled => "ANNULLED",
            AppealState::Amended => "AMENDED",
            AppealState::Withdrawn => "WITHDRAWN",
        }
    }
}

impl Appeal {
    pub fn name(&self) -> AppealName {
        AppealName {
            enterprise: self.enterprise,
            id: self.id.clone(),
        }
    }

    pub fn flag_name(&self) -> FlagName {
        FlagName {
            enterprise: self.enterprise,
            id: self.flag.clone(),
        }
    }

    pub fn state(&self) -> AppealState {
        match &self.stage {
            AppealStage::Filed => AppealState::Filed,
            AppealStage::Dismissed { .. } => AppealState::Dismissed,
            AppealStage::Annulled { .. } => AppealState::Annulled,
            AppealStage::Amended { .. } => AppealState::Amended,
            AppealStage::Withdrawn { .. } => AppealState::Withdrawn,
        }
    }

    /// Whether its decision is late.
    pub fn overdue(&self, now: Timestamp) -> bool {
        self.state() == AppealState::Filed && self.due_at <= now
    }

    pub fn decision(&self) -> Option<&Decision> {
        match &self.stage {
            AppealStage::Dismissed { decision }
            | AppealStage::Annulled { decision }
            | AppealStage::Amended { decision, .. } => Some(decision),
            AppealStage::Filed | AppealStage::Withdrawn { .. } => None,
        }
    }
}
