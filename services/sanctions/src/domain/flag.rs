//! A trust-breaking record and where it stands.

use std::fmt;

use greenstar_kernel::{Code, Department, Document, LocalizedText, Officer, Timestamp, Uscc};
use serde::{Deserialize, Serialize};

use super::catalogue::{Edition, LegalBasis, Severity};

/// Names a flag: `enterprises/{uscc}/flags/{flag}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FlagName {
    pub enterprise: Uscc,
    /// A UUID of version 7 where the service made it.
    pub id: Code,
}

impl fmt::Display for FlagName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "enterprises/{}/flags/{}", self.enterprise, self.id)
    }
}

/// Code of one site of an enterprise: `001` to `999`, as in its pollutant permit (HJ 608).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Site(String);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a site is written with three digits, 001 to 999: {0:?}")]
pub struct MalformedSite(pub String);

impl Site {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Site {
    type Error = MalformedSite;

    fn try_from(raw: String) -> Result<Self, MalformedSite> {
        let fits = raw.len() == 3 && raw.bytes().all(|byte| byte.is_ascii_digit()) && raw != "000";
        if fits {
            Ok(Site(raw))
        } else {
            Err(MalformedSite(raw.chars().take(16).collect()))
        }
    }
}

impl From<Site> for String {
    fn from(site: Site) -> String {
        site.0
    }
}

/// What makes two flags the same one (protocol.md §5): the document, its site, the kind and the scope.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Identity {
    pub enterprise: Uscc,
    pub document: Document,
    pub site: Option<Site>,
    pub kind: Code,
    pub scope: Option<Code>,
}

/// A flag, whole. It is what the store keeps, the change log carries and an answer shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flag {
    pub id: Code,
    #[serde(flatten)]
    pub identity: Identity,
    pub title: LocalizedText,
    pub severity: Severity,
    /// Why, for people; may be empty.
    pub reason: String,
    /// The kind's bases that were law when it was raised, and from its confirmation on, when it was confirmed.
    pub bases: Vec<LegalBasis>,
    pub reaches_all: bool,
    /// Edition by which it was raised; from its confirmation on, by which it was confirmed.
    pub catalogue: Edition,
    /// Who raised it; only officers of this department move it on.
    pub department: Department,
    pub proposer: Officer,
    pub raised_at: Timestamp,
    /// From this instant on it binds nobody.
    pub ends_at: Timestamp,
    pub stage: Stage,
}

/// What was done with a flag. Time ends one without a step of its own: see [`Flag::state`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Restricts nothing.
    Proposed,
    /// A proposal that was taken back: nobody but its department ever saw it.
    Withdrawn {
        ending: Ending,
    },
    InForce {
        confirmation: Confirmation,
    },
    Lifted {
        confirmation: Confirmation,
        ending: Ending,
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

/// Where a flag stands at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FlagState {
    Proposed,
    InForce,
    /// Lifted, or a proposal withdrawn.
    Lifted,
    /// Its term has ended.
    Lapsed,
}

impl FlagState {
    /// As written in errors and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            FlagState::Proposed => "PROPOSED",
            FlagState::InForce => "IN_FORCE",
            FlagState::Lifted => "LIFTED",
            FlagState::Lapsed => "LAPSED",
        }
    }
}

impl Flag {
    pub fn name(&self) -> FlagName {
        FlagName {
            enterprise: self.identity.enterprise,
            id: self.id.clone(),
        }
    }

    /// Only what was in force can lapse: a proposal past its term stays one that nobody can confirm.
    pub fn state(&self, at: Timestamp) -> FlagState {
        match &self.stage {
            Stage::Proposed => FlagState::Proposed,
            Stage::InForce { .. } if at < self.ends_at => FlagState::InForce,
            Stage::InForce { .. } => FlagState::Lapsed,
            Stage::Withdrawn { .. } | Stage::Lifted { .. } => FlagState::Lifted,
        }
    }

    /// Whether it was ever confirmed, so that others than its department may know of it.
    pub fn is_known(&self) -> bool {
        self.confirmation().is_some()
    }

    /// Whether the same document may not be flagged once more.
    pub fn is_open(&self, at: Timestamp) -> bool {
        match self.state(at) {
            FlagState::Proposed => at < self.ends_at,
            FlagState::InForce => true,
            FlagState::Lifted | FlagState::Lapsed => false,
        }
    }

    pub fn confirmation(&self) -> Option<&Confirmation> {
        match &self.stage {
            Stage::Proposed | Stage::Withdrawn { .. } => None,
            Stage::InForce { confirmation } | Stage::Lifted { confirmation, .. } => Some(confirmation),
        }
    }

    pub fn ending(&self) -> Option<&Ending> {
        match &self.stage {
            Stage::Proposed | Stage::InForce { .. } => None,
            Stage::Withdrawn { ending } | Stage::Lifted { ending, .. } => Some(ending),
        }
    }

    /// When it was last moved.
    pub fn moved_at(&self) -> Timestamp {
        let ended = self.ending().map(|ending| ending.at);
        let confirmed = self.confirmation().map(|confirmation| confirmation.at);
        ended.or(confirmed).unwrap_or(self.raised_at)
    }
}
