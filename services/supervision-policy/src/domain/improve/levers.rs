//! What the firm or time can change, and to which values: those at which a cell begins or ends to hold.

use std::collections::BTreeSet;

use greenstar_kernel::{Month, Points, Standing, Star};
use greenstar_tables::{Cell, Table, Test};

use super::Question;
use crate::domain::columns::{FactColumn, MAX_POINTS};
use crate::domain::facts::Facts;

/// Points come in halves.
const HALF: i64 = 500;

/// One thing that can be changed, with the ways to change it.
#[derive(Clone, Debug)]
pub(super) struct Lever {
    pub(super) ways: Vec<Way>,
}

/// One way to change one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Rated with this star.
    Star(Star),
    /// The veto ends, and no star comes of it.
    Veto,
    /// A category has so many points; the total grows with it.
    Category(usize, Points),
    /// A category gets as many as the total lacks of this.
    CategoryFills(usize, Points),
    /// Any category gets as many as the total lacks of this.
    Fills(Points),
    /// The flag at this position is gone.
    Flag(usize),
    /// Nothing must be put right any more.
    Rectification,
    /// The event at this position no longer counts.
    Event(usize),
}

impl Way {
    pub(super) fn fills(&self) -> bool {
        match self {
            Way::CategoryFills(..) | Way::Fills(_) => true,
            Way::Star(_)
            | Way::Veto
            | Way::Category(..)
            | Way::Flag(_)
            | Way::Rectification
            | Way::Event(_) => false,
        }
    }
}

/// Sector, district, class and register are nobody's to change for a better outcome. What no cell and no law reads is
/// left alone.
pub(super) fn of(question: &Question<'_>, facts: &Facts) -> Vec<Lever> {
    let tests = Tests(question);
    let now = facts.rating.at(question.as_of);
    let mut levers = Vec::new();
    let mut lever = |ways: Vec<Way>| {
        if !ways.is_empty() {
            levers.push(Lever { ways });
        }
    };

    let above = now.standing.star().map_or(0, |star| usize::from(star.get()));
    let veto = (now.standing == Standing::Vetoed).then_some(Way::Veto);
    let higher = Star::ALL.iter().skip(above).map(|star| Way::Star(*star));
    lever(veto.into_iter().chain(higher).collect());

    let total = now.total.unwrap_or_default();
    let totals = tests.values(FactColumn::Points, total);
    lever(totals.iter().map(|to| Way::Fills(*to)).collect());
    let columns = [
        FactColumn::PointsA,
        FactColumn::PointsB,
        FactColumn::PointsC,
        FactColumn::PointsD,
        FactColumn::PointsE,
    ];
    for (category, (column, points)) in columns.into_iter().zip(now.categories).enumerate() {
        let own = tests.values(column, points.unwrap_or_default());
        let own = own.into_iter().map(|to| Way::Category(category, to));
        let fills = totals.iter().map(|to| Way::CategoryFills(category, *to));
        // A category that no cell names has nothing before "any category".
        let fills = fills.filter(|_| tests.reads(column));
        lever(own.chain(fills).collect());
    }

    if facts.open_rectification && tests.reads(FactColumn::OpenRectification) {
        lever(vec![Way::Rectification]);
    }
    for (position, flag) in facts.flags.iter().enumerate() {
        if flag.in_force(question.as_of) && flag.counts_in(question.matter.code()) {
            lever(vec![Way::Flag(position)]);
        }
    }
    if FactColumn::ALL
        .iter()
        .any(|fact| fact.counts_events() && tests.reads(*fact))
    {
        for position in 0..facts.events.len() {
            lever(vec![Way::Event(position)]);
        }
    }
    levers
}

/// What the department's table and the baseline ask of a column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tests<'a, 'q>(pub(super) &'q Question<'a>);

impl<'a> Tests<'a, '_> {
    fn cells(self, fact: FactColumn) -> impl Iterator<Item = &'a Cell> {
        let at = FactColumn::ALL.iter().position(|column| *column == fact);
        let tables: [Option<&'a Table>; 2] = [self.0.matter.table.as_ref(), Some(&self.0.policy.baseline)];
        tables.into_iter().flatten().flat_map(move |table| {
            let rows = 0..table.rows().len();
            rows.filter_map(move |row| table.cell(row, at?))
        })
    }

    pub(super) fn reads(self, fact: FactColumn) -> bool {
        self.cells(fact).any(|cell| matches!(cell, Cell::Tests { .. }))
    }

    /// Where one of the cells begins or ends to hold: the first value behind each bound.
    pub(super) fn cuts(self, fact: FactColumn) -> BTreeSet<i64> {
        let mut cuts = BTreeSet::new();
        for cell in self.cells(fact) {
            let Cell::Tests { tests, .. } = cell else { continue };
            for test in tests {
                match test {
                    Test::Between { low, high } => cuts.extend([*low, high.saturating_add(1)]),
                    Test::Absent
                    | Test::Boolean(_)
                    | Test::Choice(_)
                    | Test::Under(_)
                    | Test::ContainsAny(_)
                    | Test::EmptySet => {}
                }
            }
        }
        cuts
    }

    /// Points above these, in halves: the first of each class of values that the cells tell apart, and the last, which
    /// is where a category ends that gives the total what another may not.
    fn values(self, column: FactColumn, above: Points) -> Vec<Points> {
        let most = MAX_POINTS * 1000;
        let first = |cut: i64| (cut + HALF - 1).div_euclid(HALF) * HALF;
        let cuts = self.cuts(column);
        let ends = cuts.iter().map(|cut| first(*cut) - HALF);
        let ends = ends.filter(|_| column != FactColumn::Points && self.reads(FactColumn::Points));
        let mut values: BTreeSet<i64> = cuts.iter().map(|cut| first(*cut)).chain(ends).collect();
        values.retain(|value| *value > above.milli() && *value <= most);
        values.into_iter().map(Points::from_milli).collect()
    }

    /// Months of the windows in which events are counted, of those that a cell reads.
    pub(super) fn event_windows(self) -> impl Iterator<Item = Month> {
        let windows = [
            (FactColumn::Events3m, 3),
            (FactColumn::Events6m, 6),
            (FactColumn::Events12m, 12),
            (FactColumn::Events24m, 24),
            (FactColumn::Events36m, 36),
        ];
        let read = windows.into_iter().filter(move |(fact, _)| self.reads(*fact));
        read.map(|(_, months)| Month(months))
    }

    /// Months at which a count of whole months begins another class of values.
    pub(super) fn month_cuts(self, fact: FactColumn) -> impl Iterator<Item = Month> {
        let cuts = self.cuts(fact).into_iter();
        cuts.filter_map(|cut| u16::try_from(cut).ok())
            .filter(|cut| *cut > 0)
            .map(Month)
    }
}
