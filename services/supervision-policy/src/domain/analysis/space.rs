//! Everything but standing and flags: which rows can still hold together, each with facts that show it.

use std::collections::HashSet;

use greenstar_tables::RowSet;

use super::TooIntricate;
use super::axes::{Axis, Class, Rows, Sample};
use crate::domain::columns::FactColumn;

/// Steps of the search; a table beyond is refused as too intricate, never half analysed.
const MAX_STEPS: usize = 400_000;
/// Different sets of rows that are looked at.
const MAX_LEAVES: usize = 20_000;

/// What remains possible under facts that are neither standing nor flags.
#[derive(Clone, Debug)]
pub(super) struct Leaf {
    pub(super) rows: Rows,
    /// Months since the last serious event at the rating; flags make it newer.
    pub(super) serious: Option<i64>,
    /// Nobody registered the firm, so it is not rated.
    pub(super) unknown: bool,
    /// Its validity has ended, so it has no star.
    pub(super) ended: bool,
    /// Axis, and the value there.
    pub(super) point: Vec<(usize, Sample)>,
}

/// What a later axis needs to know of an earlier one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Kept {
    serious: Option<i64>,
    complaint: Option<i64>,
    exceedance: Option<i64>,
    unknown: bool,
    ended: bool,
    /// So many events at least lie in the next longer window.
    events: i64,
}

struct Search<'a> {
    axes: &'a [Axis],
    /// In the order of the search.
    order: Vec<usize>,
    today: i64,
    /// Whether counts and ages of events, or several counts, are tested: only then they bind one another.
    bound: bool,
    steps: usize,
    seen: HashSet<(usize, Rows, Kept)>,
    point: Vec<(usize, Sample)>,
    leaves: Vec<Leaf>,
}

/// Every leaf once. `today` in days since 1970.
pub(super) fn leaves(axes: &[Axis], today: i64) -> Result<Vec<Leaf>, TooIntricate> {
    let mut order: Vec<usize> = (0..axes.len())
        .filter(|at| axes.get(*at).is_some_and(is_free))
        .collect();
    order.sort_by_key(|at| axes.get(*at).map(rank));
    let counted = order
        .iter()
        .filter_map(|at| axes.get(*at))
        .filter(|axis| window(axis).is_some())
        .count();
    let mut search = Search {
        axes,
        order,
        today,
        bound: counted > 0,
        steps: 0,
        seen: HashSet::new(),
        point: Vec::new(),
        leaves: Vec::new(),
    };
    let all = RowSet::first_rows(256);
    search.from(0, [all, all], Kept::default())?;
    Ok(search.leaves)
}

/// Neither standing nor flags.
fn is_free(axis: &Axis) -> bool {
    match axis.fact {
        Some(
            FactColumn::Star
            | FactColumn::State
            | FactColumn::Flags
            | FactColumn::ReachesAll
            | FactColumn::WorstSeverity
            | FactColumn::FlagSeverities
            | FactColumn::FlagDepartments
            | FactColumn::FlagAgeMonths,
        ) => false,
        Some(_) | None => true,
    }
}

/// Ages of events before their counts, short windows before long ones.
fn rank(axis: &Axis) -> (u8, i64) {
    match axis.fact {
        Some(
            FactColumn::MonthsSinceSerious
            | FactColumn::MonthsSinceComplaint
            | FactColumn::MonthsSinceExceedance,
        ) => (0, 0),
        Some(_) | None => window(axis).map_or((2, 0), |months| (1, months)),
    }
}

/// Of a count of events, its months.
fn window(axis: &Axis) -> Option<i64> {
    match axis.fact {
        Some(FactColumn::Events3m) => Some(3),
        Some(FactColumn::Events6m) => Some(6),
        Some(FactColumn::Events12m) => Some(12),
        Some(FactColumn::Events24m) => Some(24),
        Some(FactColumn::Events36m) => Some(36),
        Some(_) | None => None,
    }
}

impl Search<'_> {
    fn from(&mut self, depth: usize, rows: Rows, kept: Kept) -> Result<(), TooIntricate> {
        self.steps += 1;
        if self.steps > MAX_STEPS || self.leaves.len() > MAX_LEAVES {
            return Err(TooIntricate);
        }
        if !self.seen.insert((depth, rows, kept)) {
            return Ok(());
        }
        let axes = self.axes;
        let Some((at, axis)) = self.order.get(depth).and_then(|at| Some((*at, axes.get(*at)?))) else {
            self.leaves.push(Leaf {
                rows,
                serious: kept.serious,
                unknown: kept.unknown,
                ended: kept.ended,
                point: self.point.clone(),
            });
            return Ok(());
        };
        for class in &axis.classes {
            let Some((kept, sample)) = self.step(axis, class, kept) else {
                continue;
            };
            // Flags may make it newer, so that its rows are looked up later.
            let rows = if axis.fact == Some(FactColumn::MonthsSinceSerious) {
                rows
            } else {
                [rows[0] & class.rows[0], rows[1] & class.rows[1]]
            };
            self.point.push((at, sample));
            let searched = self.from(depth + 1, rows, kept);
            self.point.pop();
            searched?;
        }
        Ok(())
    }

    /// `None`: no facts are so.
    fn step(&self, axis: &Axis, class: &Class, mut kept: Kept) -> Option<(Kept, Sample)> {
        let mut sample = class.sample.clone();
        let number = match class.sample {
            Sample::Ordered(number) => Some(number),
            Sample::Absent | Sample::Boolean(_) | Sample::Choice(_) | Sample::Code(_) => None,
        };
        match axis.fact {
            Some(FactColumn::MonthsSinceSerious) => kept.serious = number,
            Some(FactColumn::MonthsSinceComplaint) if self.bound => kept.complaint = number,
            Some(FactColumn::MonthsSinceExceedance) if self.bound => kept.exceedance = number,
            Some(FactColumn::Known) => kept.unknown = class.sample == Sample::Boolean(false),
            Some(FactColumn::ValidUntil) => kept.ended = number.is_some_and(|day| day <= self.today),
            Some(_) | None => {}
        }
        if let (Some(months), Some(number)) = (window(axis), number) {
            let within = |age: Option<i64>| age.is_some_and(|age| age < months);
            let named = i64::from(within(kept.complaint)) + i64::from(within(kept.exceedance));
            let least = kept.events.max(named.max(i64::from(within(kept.serious))));
            let count = number.max(least);
            if count > class.last {
                return None;
            }
            kept.events = count;
            sample = Sample::Ordered(count);
        }
        Some((kept, sample))
    }
}
