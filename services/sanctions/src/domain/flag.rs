//! A trust-breaking record and where it stands.

use std::borrow::Cow;
use std::fmt;

use greenstar_kernel::{Code, Department, Document, LocalizedText, Officer, Timestamp, Uscc};
use serde::{Deserialize, Serialize};

use super::catalogue::{AppealRule, Edition, LegalBasis, Severity, Window};
use super::evidence::{Evidence, Penalty};
use super::gate::Claim;
use super::stage::{Confirmation, Ending, FlagState, Stage};

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
    /// What the document imposes; the gravest gives the severity.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub penalties: Vec<Penalty>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
    /// Why, for people; may be empty.
    pub reason: String,
    /// The kind's bases that were law when it was raised, and from its confirmation on, when it was confirmed.
    pub bases: Vec<LegalBasis>,
    pub reaches_all: bool,
    /// Edition by which it was raised; from its confirmation on, by which it was confirmed.
    pub catalogue: Edition,
    /// What that edition says of its publicity, repair and appeal; `None` in flags from before editions said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<Rules>,
    /// Who raised it; only officers of this department move it on.
    pub department: Department,
    pub proposer: Officer,
    pub raised_at: Timestamp,
    /// From this instant on it binds nobody.
    pub ends_at: Timestamp,
    /// The flag on a wrong enterprise in whose place it was proposed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corrects: Option<FlagName>,
    pub stage: Stage,
}

/// What an edition says of the publicity, repair and appeal of a flag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// Of its severity.
    pub window: Window,
    /// False: the law leaves no repair.
    pub repairable: bool,
    pub appeal: AppealRule,
}

impl Rules {
    /// For a flag from before editions said it.
    fn of_order_36(severity: Severity) -> Rules {
        Rules {
            window: Window::of_order_36(severity),
            repairable: true,
            appeal: AppealRule::default(),
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
        let over = self.ends_at <= at;
        match &self.stage {
            Stage::Proposed => FlagState::Proposed,
            Stage::InForce { .. } | Stage::Suspended { .. } if over => FlagState::Lapsed,
            Stage::InForce { .. } => FlagState::InForce,
            Stage::Suspended { .. } => FlagState::Suspended,
            Stage::Lapsed { .. } => FlagState::Lapsed,
            Stage::Withdrawn { .. } | Stage::Lifted { .. } => FlagState::Lifted,
            Stage::Repaired { .. } => FlagState::Repaired,
            Stage::Revoked { .. } => FlagState::Revoked,
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
            FlagState::InForce | FlagState::Suspended => true,
            FlagState::Lifted | FlagState::Lapsed | FlagState::Repaired | FlagState::Revoked => false,
        }
    }

    /// Whether a repair or an appeal has settled for good what `department` would flag so. A repair acts on the body's whole
    /// document, whatever the kind and scope; an appeal may have annulled the kind alone.
    pub fn settles(&self, other: &Identity, department: &Department) -> bool {
        let Identity {
            enterprise,
            document,
            site,
            kind: _,
            scope: _,
        } = &self.identity;
        match &self.stage {
            Stage::Repaired { .. } => {
                let same = (enterprise, document, site) == (&other.enterprise, &other.document, &other.site);
                same && (self.department == *department || self.identity == *other)
            }
            Stage::Revoked { appeal: Some(_), .. } => self.identity == *other,
            Stage::Proposed
            | Stage::Withdrawn { .. }
            | Stage::InForce { .. }
            | Stage::Suspended { .. }
            | Stage::Lapsed { .. }
            | Stage::Lifted { .. }
            | Stage::Revoked { appeal: None, .. } => false,
        }
    }

    pub fn confirmation(&self) -> Option<&Confirmation> {
        self.stage.confirmation()
    }

    pub fn ending(&self) -> Option<&Ending> {
        self.stage.ending()
    }

    /// What the gate is asked again.
    pub fn claim(&self) -> Claim<'_> {
        Claim {
            identity: &self.identity,
            severity: Some(self.severity),
            penalties: &self.penalties,
            department: &self.department,
        }
    }

    /// When it was last moved.
    pub fn moved_at(&self) -> Timestamp {
        match &self.stage {
            Stage::Proposed => self.raised_at,
            Stage::InForce { confirmation, review } => {
                review.as_ref().map_or(confirmation.at, |review| review.at)
            }
            Stage::Suspended { suspension, .. } => suspension.at,
            Stage::Lapsed { .. } => self.ends_at,
            Stage::Withdrawn { ending }
            | Stage::Lifted { ending, .. }
            | Stage::Repaired { ending, .. }
            | Stage::Revoked { ending, .. } => ending.at,
        }
    }

    /// What the law says of its publicity, repair and appeal.
    pub fn rules(&self) -> Cow<'_, Rules> {
        match &self.rules {
            Some(written) => Cow::Borrowed(written),
            None => Cow::Owned(Rules::of_order_36(self.severity)),
        }
    }

    /// From this instant on it can be repaired; `None`: the law leaves no repair.
    pub fn repair_from(&self) -> Option<Timestamp> {
        let rules = self.rules();
        rules
            .repairable
            .then(|| rules.window.repair_from(self.identity.document.date))
    }

    /// Until this instant it is shown to the public; `None`: not at all. What is repaired or revoked never is.
    pub fn published_until(&self) -> Option<Timestamp> {
        match self.stage {
            Stage::Repaired { .. } | Stage::Revoked { .. } => None,
            Stage::Proposed
            | Stage::Withdrawn { .. }
            | Stage::InForce { .. }
            | Stage::Suspended { .. }
            | Stage::Lapsed { .. }
            | Stage::Lifted { .. } => self.rules().window.published_until(self.identity.document.date),
        }
    }

    /// Whether the public may be shown it.
    pub fn is_published(&self, at: Timestamp) -> bool {
        let shown = match self.state(at) {
            FlagState::InForce | FlagState::Lapsed => true,
            FlagState::Proposed
            | FlagState::Suspended
            | FlagState::Lifted
            | FlagState::Repaired
            | FlagState::Revoked => false,
        };
        shown && self.published_until().is_some_and(|until| at < until)
    }

    /// From this instant on it is too late to appeal; `None` before its confirmation.
    pub fn appeal_until(&self) -> Option<Timestamp> {
        let confirmation = self.confirmation()?;
        Some(self.rules().appeal.until(confirmation.at))
    }
}
