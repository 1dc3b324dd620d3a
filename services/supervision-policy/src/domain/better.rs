//! What stands in the way of a better outcome. It is told at the counter, so nothing is guessed from how rows are
//! written: the matter is decided again without what may be in the way, and what changes nothing is not named.

mod text;

use greenstar_kernel::{Standing, Star};
use greenstar_tables::{Cell, Column, Table, Value, parse_cell};

use super::catalogue::FlagKind;
use super::columns::{ActiveFlag, FactColumn, Reading};
use super::compose::{Verdict, judge};
use super::decide::DecideError;
use super::facts::{Event, Flag};
use super::matter::{Matter, Outcome};
use super::policy::Policy;

/// A better outcome, and everything that has to change together for it.
#[derive(Clone, Debug)]
pub struct Better<'a> {
    pub outcome: &'a Outcome,
    /// The row that would give it, with its table's name; 0 is the default row. `None`: the baseline or the law would.
    pub row: Option<(&'a str, usize)>,
    /// Flags in the way.
    pub flags: Vec<(&'a Flag, &'a FlagKind)>,
    /// Whether a one-vote veto is in the way.
    pub veto: bool,
    /// The least star that would do, where the one there is does not.
    pub star: Option<Star>,
    /// Whether recent events at the rating are in the way.
    pub events: bool,
    /// What the row wants of the columns that count events.
    failed: Vec<FailedTest<'a>>,
    standing: Standing,
}

/// A test that does not hold.
#[derive(Clone, Debug)]
struct FailedTest<'a> {
    fact: FactColumn,
    column: Column,
    wanted: Cell,
    found: Value<'a>,
}

/// The question once more, with other facts.
#[derive(Debug)]
struct Again<'a, 'r> {
    policy: &'a Policy,
    matter: &'a Matter,
    reading: &'r Reading<'a>,
    /// To be beaten.
    outcome: usize,
}

/// What is left of the facts.
#[derive(Clone, Debug)]
struct Left<'a> {
    standing: Standing,
    events: &'a [Event],
    flags: Vec<ActiveFlag>,
}

/// Costs nothing where no outcome is better. `None`: neither flags, a veto, events nor the star are in the way.
pub(super) fn better<'a>(
    policy: &'a Policy,
    matter: &'a Matter,
    reading: &Reading<'a>,
    outcome: usize,
) -> Result<Option<Better<'a>>, DecideError> {
    if outcome == 0 {
        return Ok(None);
    }
    let again = Again {
        policy,
        matter,
        reading,
        outcome,
    };
    match again.cleared()? {
        Some((left, verdict)) => again.put_back(left, verdict).map(Some),
        None => Ok(None),
    }
}

impl<'a> Again<'a, '_> {
    /// The verdict on what is left, if it is milder.
    fn judge(&self, left: &Left<'a>) -> Result<Option<Verdict<'a>>, DecideError> {
        let catalogue = &self.policy.catalogue;
        let reading = self
            .reading
            .assuming(left.standing, left.events, left.flags.clone(), catalogue);
        let verdict = judge(self.policy, self.matter, &reading)?;
        Ok(Some(verdict).filter(|verdict| verdict.outcome < self.outcome))
    }

    /// The least that has to go for a better outcome: flags and veto, then events too, then with a higher star.
    fn cleared(&self) -> Result<Option<(Left<'a>, Verdict<'a>)>, DecideError> {
        let standing = self.reading.rating.standing;
        let mut left = Left {
            standing: without_veto(standing),
            events: self.reading.events,
            flags: Vec::new(),
        };
        let counting = self.reading.flags.iter().any(|flag| flag.counts);
        if (counting || left.standing != standing)
            && let Some(verdict) = self.judge(&left)?
        {
            return Ok(Some((left, verdict)));
        }
        if !left.events.is_empty() {
            left.events = &[];
            if let Some(verdict) = self.judge(&left)? {
                return Ok(Some((left, verdict)));
            }
        }
        let higher = Star::ALL.get(standing.star().map_or(0, |star| usize::from(star.get()))..);
        let Some((highest, mut higher)) = higher.and_then(<[Star]>::split_last) else {
            return Ok(None);
        };
        left.standing = Standing::Rated(*highest);
        let Some(mut verdict) = self.judge(&left)? else {
            return Ok(None);
        };
        // A higher star never hurts (P8), so that halving finds the least.
        while let Some(middle) = higher.get(higher.len() / 2) {
            let (below, above) = higher.split_at(higher.len() / 2);
            let with = Left {
                standing: Standing::Rated(*middle),
                ..left.clone()
            };
            match self.judge(&with)? {
                Some(better) => (left, verdict, higher) = (with, better, below),
                None => higher = above.get(1..).unwrap_or_default(),
            }
        }
        Ok(Some((left, verdict)))
    }

    /// Gives back, one by one, what the better outcome can live with. The rest is in its way.
    fn put_back(&self, mut left: Left<'a>, mut verdict: Verdict<'a>) -> Result<Better<'a>, DecideError> {
        let standing = self.reading.rating.standing;
        if left.events.len() < self.reading.events.len() {
            let with = Left {
                events: self.reading.events,
                ..left.clone()
            };
            if let Some(still) = self.judge(&with)? {
                (left, verdict) = (with, still);
            }
        }
        let mut flags = Vec::new();
        for active in self.reading.flags.iter().filter(|flag| flag.counts) {
            left.flags.push(*active);
            match self.judge(&left)? {
                Some(still) => verdict = still,
                None => {
                    left.flags.pop();
                    let flag = self.reading.facts.flags.get(active.index);
                    flags.extend(flag.zip(self.policy.catalogue.flag_kinds().get(active.kind)));
                }
            }
        }
        let star = left.standing.star().filter(|_| left.standing != standing);
        let mut veto = star.is_none() && left.standing != standing;
        if veto {
            let with = Left {
                standing,
                ..left.clone()
            };
            if let Some(still) = self.judge(&with)? {
                (verdict, veto) = (still, false);
            }
        }
        let events = left.events.len() < self.reading.events.len();
        let row = verdict.table.filter(|_| verdict.outcome == verdict.department);
        let row = row.map(|(table, answer)| (table, answer.deciding.first()));
        let failed = match row {
            Some((table, Some(row))) if events => self.failed(table, row),
            Some(_) | None => Vec::new(),
        };
        Ok(Better {
            outcome: self.matter.outcome(verdict.outcome),
            row: row.map(|(table, row)| (table.name(), row.map_or(0, |row| row + 1))),
            flags,
            veto,
            star,
            events,
            failed,
            standing,
        })
    }

    /// The cells of a row about events that do not hold.
    fn failed(&self, table: &Table, row: usize) -> Vec<FailedTest<'a>> {
        let facts = FactColumn::ALL.iter().enumerate();
        let failed = facts
            .filter(|(_, fact)| fact.counts_events())
            .filter_map(|(at, fact)| {
                let column = fact.declare(&self.policy.catalogue);
                // It was read when the policy was.
                let wanted = parse_cell(table.cell_text(row, at)?, &column).ok()?;
                let found = self.reading.value(at);
                (!wanted.holds(found)).then_some(FailedTest {
                    fact: *fact,
                    column,
                    wanted,
                    found,
                })
            });
        failed.collect()
    }
}

fn without_veto(standing: Standing) -> Standing {
    match standing {
        Standing::Vetoed => Standing::NotRated,
        Standing::Rated(_)
        | Standing::NotRated
        | Standing::NotListed
        | Standing::Suspended
        | Standing::Expired => standing,
    }
}
