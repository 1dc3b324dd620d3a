//! Published versions of policies: counted by the log, never changed, each in force from its instant until a later
//! one's.

use std::time::Duration;

use greenstar_kernel::{Code, Department, Officer, Timestamp};
use serde::{Deserialize, Serialize};

/// So long before its instant a version is committed, so that every replica which is not stale has it by then
/// (protocol.md §3): the longest bound of staleness, and what the commit itself may take.
const NOTICE: Duration = Duration::from_millis(5_500);
/// Farther ahead nobody schedules on purpose.
const HORIZON: Duration = Duration::from_secs(10 * 366 * 86_400);

/// A version, with who made it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    pub name: Code,
    pub version: u32,
    pub department: Department,
    /// YAML, byte for byte as it was approved. What it says about its own version counts for nothing.
    pub source: String,
    pub effective_at: Timestamp,
    pub published_at: Timestamp,
    /// These three: nobody made a shipped one.
    pub author: Option<Officer>,
    pub approver: Option<Officer>,
    pub publisher: Option<Officer>,
    /// Why: the draft's note, or the reason of a rollback.
    pub note: String,
    /// The version whose text was brought back.
    pub rollback_of: Option<u32>,
    /// The rules of evaluation that it was checked by and is evaluated by.
    pub evaluator: String,
}

/// A version as it stands in its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    pub version: u32,
    pub department: Department,
    pub effective_at: Timestamp,
}

/// Where a version is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VersionState {
    Scheduled,
    InForce,
    /// Also one that was overtaken before its instant came.
    Superseded,
}

/// All versions of one policy, by number.
#[derive(Clone, Debug, Default)]
pub struct Line(Vec<Issued>);

impl Line {
    /// Of a policy that was never published.
    pub(super) const NEVER: Line = Line(Vec::new());

    /// `issued` in the order of their numbers.
    pub fn new(issued: Vec<Issued>) -> Line {
        Line(issued)
    }

    pub(super) fn push(&mut self, issued: Issued) {
        self.0.push(issued);
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn find(&self, version: u32) -> Option<&Issued> {
        self.0.iter().find(|issued| issued.version == version)
    }

    /// Whose policy it is; `None`: it has never been published.
    pub fn owner(&self) -> Option<&Department> {
        self.0.last().map(|issued| &issued.department)
    }

    /// The number of the version that is published next.
    pub fn next(&self) -> u32 {
        self.0.last().map_or(1, |last| last.version.saturating_add(1))
    }

    /// The version that decides at this instant: of those whose instant has come, the last.
    pub fn at(&self, instant: Timestamp) -> Option<u32> {
        let come = self.0.iter().rev().find(|issued| issued.effective_at <= instant);
        come.map(|issued| issued.version)
    }

    /// A version that a later one overtook before its instant is over before it began.
    pub fn state(&self, issued: &Issued, now: Timestamp) -> VersionState {
        let until = now.max(issued.effective_at);
        let after = |other: &Issued| other.version > issued.version && other.effective_at <= until;
        if self.0.iter().any(after) {
            VersionState::Superseded
        } else if issued.effective_at <= now {
            VersionState::InForce
        } else {
            VersionState::Scheduled
        }
    }

    /// Whether there was an instant at which it decided.
    pub fn was_in_force(&self, version: u32, now: Timestamp) -> bool {
        self.find(version)
            .is_some_and(|issued| issued.effective_at <= now && self.at(issued.effective_at) == Some(version))
    }

    /// The first instant at which a version that is committed now may take effect: with notice, and after the one
    /// that is scheduled last.
    pub fn earliest(&self, now: Timestamp) -> Timestamp {
        let last = self
            .0
            .last()
            .map(|last| last.effective_at.plus(Duration::from_micros(1)));
        noticed(now).max(last.unwrap_or(noticed(now)))
    }
}

/// The first instant at which what is committed now may take effect.
pub fn noticed(now: Timestamp) -> Timestamp {
    now.plus(NOTICE)
}

/// The last instant for which a version may be scheduled now.
pub fn horizon(now: Timestamp) -> Timestamp {
    now.plus(HORIZON)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_micros(0).plus(Duration::from_secs(seconds))
    }

    fn line(instants: &[u64]) -> Line {
        let issued = instants.iter().zip(1..).map(|(seconds, version)| Issued {
            version,
            department: Department::parse("finance").unwrap(),
            effective_at: at(*seconds),
        });
        Line::new(issued.collect())
    }

    fn states(line: &Line, now: u64) -> Vec<VersionState> {
        line.0.iter().map(|issued| line.state(issued, at(now))).collect()
    }

    #[test]
    fn a_version_is_in_force_from_its_instant_until_the_next_ones() {
        use VersionState::{InForce, Scheduled, Superseded};
        let line = line(&[0, 100]);
        assert_eq!((line.at(at(99)), line.at(at(100))), (Some(1), Some(2)));
        assert_eq!(states(&line, 99), [InForce, Scheduled]);
        assert_eq!(states(&line, 100), [Superseded, InForce]);
    }

    #[test]
    fn what_was_overtaken_before_its_instant_never_takes_effect() {
        use VersionState::{InForce, Scheduled, Superseded};
        // The third is a rollback that overtakes the second.
        let line = line(&[0, 1_000, 60]);
        assert_eq!(states(&line, 50), [InForce, Superseded, Scheduled]);
        assert_eq!(states(&line, 2_000), [Superseded, Superseded, InForce]);
        assert_eq!(line.at(at(2_000)), Some(3));
        assert!(line.was_in_force(1, at(50)) && !line.was_in_force(2, at(2_000)));
        assert!(!line.was_in_force(3, at(59)) && line.was_in_force(3, at(60)));
    }

    #[test]
    fn the_earliest_instant_gives_notice_and_comes_after_all_that_is_scheduled() {
        assert_eq!(line(&[0]).earliest(at(10)), at(10).plus(NOTICE));
        assert!(NOTICE >= Duration::from_secs(5));
        let scheduled = line(&[0, 1_000]);
        assert_eq!(scheduled.earliest(at(10)).micros(), at(1_000).micros() + 1);
        // What was overtaken is in nobody's way.
        assert_eq!(line(&[0, 1_000, 60]).earliest(at(100)), at(100).plus(NOTICE));
        assert_eq!((Line::default().next(), scheduled.next()), (1, 3));
    }
}
