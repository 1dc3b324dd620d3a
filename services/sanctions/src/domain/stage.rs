//! What was done with a flag, by whom, when and why.

use greenstar_kernel::{Officer, Timestamp};
use serde::{Deserialize, Serialize};

use super::catalogue::Severity;
use super::flag::FlagName;

/// What was done with a flag. Time ends one without a step of its own: see [`super::flag::Flag::state`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Restricts nothing.
    Proposed,
    /// A proposal that was taken back: nobody but its department ever saw it.
    Withdrawn { ending: Ending },
    /// Binds everybody.
    InForce {
        confirmation: Confirmation,
        /// The last appeal that left it in force.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        review: Option<Review>,
    },
    /// Binds nobody until an appeal is decided.
    Suspended {
        confirmation: Confirmation,
        suspension: Suspension,
    },
    /// Its term has ended, and that was written down.
    Lapsed { confirmation: Confirmation },
    /// An officer took it back.
    Lifted {
        confirmation: Confirmation,
        ending: Ending,
    },
    /// Its document was repaired.
    Repaired {
        confirmation: Confirmation,
        ending: Ending,
        /// `enterprises/{uscc}/repairs/{repair}`.
        repair: String,
    },
    /// It never should have been.
    Revoked {
        confirmation: Confirmation,
        ending: Ending,
        /// The appeal that annulled it: `enterprises/{uscc}/appeals/{appeal}`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        appeal: Option<String>,
        /// The flag on the right enterprise that was proposed in its place.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        superseded_by: Option<FlagName>,
    },
}

/// By whom and when a flag became binding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmation {
    pub officer: Officer,
    pub at: Timestamp,
}

/// By whom, when and why a flag ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    pub officer: Officer,
    pub at: Timestamp,
    pub reason: String,
}

/// By whom, when and by which appeal a flag's effect was suspended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspension {
    /// Principal: an officer, or `enterprises/{uscc}`.
    pub by: String,
    pub at: Timestamp,
    /// `enterprises/{uscc}/appeals/{appeal}`.
    pub appeal: String,
}

/// How an appeal ended that left the flag in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// Principal: the officer who decided, or who took the appeal back.
    pub by: String,
    pub at: Timestamp,
    /// May be empty where it was taken back.
    pub reason: String,
    /// `enterprises/{uscc}/appeals/{appeal}`.
    pub appeal: String,
    /// The severity before it was amended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amended_from: Option<Severity>,
}

/// Where a flag stands at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FlagState {
    Proposed,
    InForce,
    /// Lifted, or a proposal withdrawn.
    Lifted,
    /// Its term has ended.
    Lapsed,
    Repaired,
    /// It never should have been.
    Revoked,
    /// An appeal suspends its effect.
    Suspended,
}

impl FlagState {
    /// As written in errors and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            FlagState::Proposed => "PROPOSED",
            FlagState::InForce => "IN_FORCE",
            FlagState::Lifted => "LIFTED",
            FlagState::Lapsed => "LAPSED",
            FlagState::Repaired => "REPAIRED",
            FlagState::Revoked => "REVOKED",
            FlagState::Suspended => "SUSPENDED",
        }
    }
}

impl Stage {
    /// `None`: it was never confirmed.
    pub fn confirmation(&self) -> Option<&Confirmation> {
        match self {
            Stage::Proposed | Stage::Withdrawn { .. } => None,
            Stage::InForce { confirmation, .. }
            | Stage::Suspended { confirmation, .. }
            | Stage::Lapsed { confirmation }
            | Stage::Lifted { confirmation, .. }
            | Stage::Repaired { confirmation, .. }
            | Stage::Revoked { confirmation, .. } => Some(confirmation),
        }
    }

    /// What somebody ended it with.
    pub fn ending(&self) -> Option<&Ending> {
        match self {
            Stage::Proposed | Stage::InForce { .. } | Stage::Suspended { .. } | Stage::Lapsed { .. } => None,
            Stage::Withdrawn { ending }
            | Stage::Lifted { ending, .. }
            | Stage::Repaired { ending, .. }
            | Stage::Revoked { ending, .. } => Some(ending),
        }
    }
}
