//! What a comparison found.

/// What a candidate would change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Impact {
    /// Enterprises, or recorded decisions, that were evaluated by both.
    pub evaluated: u64,
    /// Of them, with another outcome in some matter.
    pub outcome_changed: u64,
    /// Of the others, with other measures, or other values of them, in some matter.
    pub measures_changed: u64,
    /// They could not be evaluated.
    pub skipped: u64,
    /// By matter, outcome before and outcome after, each in the order of severity.
    pub moves: Vec<Move>,
    /// Those with another outcome.
    pub groups: Vec<InGroup>,
    pub conflicts: Vec<Conflict>,
    /// Of inspection regimes: expected routine visits a year over everybody, in thousandths.
    pub visits_before: i64,
    pub visits_after: i64,
}

/// How many went from one outcome to another, or stayed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// `departments/{department}/matters/{matter}`
    pub matter: String,
    /// Empty: there was no such matter.
    pub from: String,
    /// Empty: there is no such matter any more.
    pub to: String,
    pub count: u64,
    /// Positions of the first of those whose outcome or measures are others.
    pub sample: Vec<usize>,
}

/// Those in a group that went to another outcome. An enterprise that went both ways, in different matters, is in both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InGroup {
    pub grouping: Grouping,
    /// Empty: unknown.
    pub group: String,
    pub milder: u64,
    pub severer: u64,
}

/// What they are grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grouping {
    Department,
    District,
    /// By its first three characters.
    Sector,
    /// Star, or the state where there is none.
    Star,
}

/// Two measures that newly meet although they exclude one another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    pub measure: String,
    pub other: String,
    pub count: u64,
    pub sample: Vec<usize>,
}

impl Impact {
    /// Positions that are named in it, each once, in order.
    pub fn sampled(&self) -> Vec<usize> {
        let moves = self.moves.iter().flat_map(|moved| &moved.sample);
        let conflicts = self.conflicts.iter().flat_map(|conflict| &conflict.sample);
        let mut all: Vec<usize> = moves.chain(conflicts).copied().collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}
