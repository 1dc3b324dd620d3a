//! Objections: an enterprise contests lines of its rating, events in it, or the version as a whole; other staff than
//! those who found them decide, point by point.

use greenstar_kernel::{Code, Officer, Timestamp};
use serde::{Deserialize, Serialize};

use super::event::Evidence;
use super::score::Grant;

/// An objection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Objection {
    /// Unique within the enterprise.
    pub id: Code,
    /// The version of the rating; 0 if it is against what a round that still goes on has found.
    pub version: u32,
    /// The round that made the version, or the one that goes on.
    pub round: Code,
    /// What is contested, point by point.
    pub points: Vec<Contested>,
    /// Who filed it.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// When its decision is late.
    pub due: Timestamp,
    /// What was decided.
    pub decision: Option<Decision>,
}

/// One thing that is contested.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contested {
    /// What.
    pub subject: Subject,
    /// Why it is wrong.
    pub grounds: String,
    /// What proves that.
    pub evidence: Vec<Evidence>,
}

/// What can be contested.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// What an item was awarded.
    Item(Code),
    /// That an event counts.
    Event(Code),
    /// The version as a whole: that deliberation lowered it.
    Version,
}

/// How an objection ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// One for each point that is contested, in its order.
    pub findings: Vec<Finding>,
    /// Who decided.
    pub by: Officer,
    /// When.
    pub at: Timestamp,
}

/// What was decided of one point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Of what.
    pub subject: Subject,
    /// How.
    pub verdict: Ruling,
    /// Why.
    pub reason: String,
}

/// How a point was decided. What a ruling needs is in it, so that an upheld item without points cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ruling {
    /// As the enterprise says: the item is worth this; without a grant the event never counted, or the version is no
    /// longer lowered.
    Upheld(Option<Grant>),
    /// Better than it was, not as far as the enterprise says: the item is worth this, or the event is of this kind.
    Partly(Milder),
    /// It stays.
    Rejected,
}

/// What is left of a point that was partly upheld.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Milder {
    /// What the item is worth.
    Worth(Grant),
    /// What the event is.
    Kind(Code),
}

impl Objection {
    /// Whether nobody has decided.
    pub fn is_open(&self) -> bool {
        self.decision.is_none()
    }

    /// Whether it contests a subject.
    pub fn contests(&self, subject: &Subject) -> bool {
        self.points.iter().any(|point| point.subject == *subject)
    }
}
