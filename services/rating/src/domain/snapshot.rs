//! Lists that are frozen once: who stood how at an instant, under a name.

use greenstar_kernel::{Code, LocalizedText, Officer, Points, Standing, Timestamp, Uscc};
use serde::{Deserialize, Serialize};

use super::enterprise::District;

/// A frozen list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Its id.
    pub id: Code,
    /// Its title.
    pub title: LocalizedText,
    /// The instant whose standings it holds.
    pub as_of: Timestamp,
    /// Only these districts; empty for all.
    pub districts: Vec<District>,
    /// How many entries it has.
    pub entries: u32,
    /// SHA-256 over [`SnapshotEntry::line`] of all, in hexadecimal.
    pub digest: String,
    /// When it was frozen.
    pub created_at: Timestamp,
    /// Who froze it.
    pub creator: Officer,
    /// Whose prepared entries are its own.
    pub staging: String,
}

/// One enterprise in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotEntry {
    /// The enterprise.
    pub uscc: Uscc,
    /// Its name.
    pub name: LocalizedText,
    /// How it stood.
    pub standing: Standing,
    /// Its total; only with a star.
    pub points: Option<Points>,
    /// The version of its rating.
    pub version: u32,
}

/// An entry that is prepared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StagedEntry {
    /// Of which snapshot.
    pub snapshot: Code,
    /// By which attempt.
    pub staging: String,
    /// The entry.
    pub entry: SnapshotEntry,
}

impl SnapshotEntry {
    /// `None`: who was not rated, or not listed, is in no list (docs/adr/0003-who-sees-a-missing-star.md).
    pub fn of(
        uscc: Uscc,
        name: LocalizedText,
        standing: Standing,
        total: Points,
        version: u32,
    ) -> Option<SnapshotEntry> {
        match standing {
            Standing::NotRated | Standing::NotListed => None,
            Standing::Rated(_) | Standing::Vetoed | Standing::Suspended | Standing::Expired => {
                Some(SnapshotEntry {
                    uscc,
                    name,
                    standing,
                    points: standing.star().map(|_| total),
                    version,
                })
            }
        }
    }

    /// What the digest is made over: one line an entry.
    pub fn line(&self) -> String {
        let star = self
            .standing
            .star()
            .map(|star| star.to_string())
            .unwrap_or_default();
        let points = self.points.map(|points| points.to_string()).unwrap_or_default();
        let state = self.standing.state().as_str();
        format!("{}\t{state}\t{star}\t{points}\t{}\n", self.uscc, self.version)
    }
}
