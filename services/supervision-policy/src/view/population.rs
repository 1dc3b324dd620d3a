//! Everybody the view knows, as of one look, for those who go through all of them.

use std::ops::Range;
use std::sync::Arc;

use greenstar_kernel::{Timestamp, Uscc};

use super::base::Base;
use super::flags::{self, Everybody};
use super::ratings;
use super::row::{Packed, Places, Side, Unreadable};
use crate::domain::facts::{Facts, Flag};

/// Positions are rows of the base, then rows that are newer, then enterprises of which nothing is known but flags. The
/// base's rows that have a newer one are passed over.
#[derive(Debug)]
pub(crate) struct Population {
    base: Arc<Base>,
    newer: Vec<ratings::Row>,
    /// A bit for each row of the base: there is a newer one.
    superseded: Vec<u64>,
    places: Places,
    /// Whose position has flags, in order; by number in `flags.places`.
    flagged: Vec<(usize, usize)>,
    strangers: usize,
    flags: Everybody,
    count: usize,
}

impl Population {
    pub(super) fn of(ratings: &ratings::Generation, flags: &flags::Generation) -> Population {
        let flags = flags.everybody();
        let (base, newer) = ratings.parts();
        let mut superseded = vec![0u64; base.len().div_ceil(64)];
        let mut replaced = 0;
        for (row, _) in &newer {
            if let Some(at) = base.find(row.uscc()).map(|at| at as usize)
                && let Some(word) = superseded.get_mut(at / 64)
            {
                *word |= 1 << (at % 64);
                replaced += 1;
            }
        }
        let by_code = |at: usize| newer.get(at).map(|(row, _)| *row.uscc());
        let mut newest: Vec<usize> = (0..newer.len()).collect();
        newest.sort_unstable_by_key(|at| by_code(*at));
        let rows = base.len() + newer.len();
        let mut strangers = 0;
        let mut flagged: Vec<(usize, usize)> = Vec::with_capacity(flags.places.len());
        for (number, (uscc, _)) in flags.places.iter().enumerate() {
            let code = Some(*uscc.as_bytes());
            let newer = newest.binary_search_by_key(&code, |at| by_code(*at));
            let newer = newer.ok().and_then(|found| newest.get(found));
            let position = match (newer, base.find(uscc.as_bytes())) {
                (Some(at), _) => base.len() + at,
                (None, Some(at)) => at as usize,
                (None, None) => {
                    strangers += 1;
                    rows + strangers - 1
                }
            };
            flagged.push((position, number));
        }
        flagged.sort_unstable();
        Population {
            count: rows - replaced + strangers,
            places: Places::of(ratings.shared()),
            base,
            newer,
            superseded,
            flagged,
            strangers,
            flags,
        }
    }

    /// Number of enterprises.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Positions end before this one.
    pub(crate) fn end(&self) -> usize {
        self.base.len() + self.newer.len() + self.strangers
    }

    /// Who is at a position.
    pub(crate) fn uscc(&self, position: usize) -> Option<Uscc> {
        match self.row(position) {
            Some((row, _)) => std::str::from_utf8(row.uscc()).ok()?.parse().ok(),
            None => {
                let at = self.flagged.binary_search_by_key(&position, |(at, _)| *at).ok()?;
                let (_, number) = self.flagged.get(at)?;
                self.flags.places.get(*number).map(|(uscc, _)| *uscc)
            }
        }
    }

    fn row(&self, position: usize) -> Option<(&Packed, Option<&Arc<Side>>)> {
        match position.checked_sub(self.base.len()) {
            None => self.base.row(u32::try_from(position).ok()?),
            Some(newer) => self.newer.get(newer).map(|(row, side)| (row, side.as_ref())),
        }
    }

    /// Shows the facts of those at these positions, each as it is at `as_of`: a transition to come is not in them, nor
    /// the name of the scheme.
    pub(crate) fn each(
        &self,
        positions: Range<usize>,
        as_of: Timestamp,
        mut visit: impl FnMut(usize, Result<&Facts, Unreadable>),
    ) {
        let mut facts = Facts::unknown();
        let none: Arc<[Flag]> = Arc::default();
        let from = self.flagged.partition_point(|(at, _)| *at < positions.start);
        let mut flagged = self.flagged.get(from..).unwrap_or_default().iter().peekable();
        for position in positions {
            if self.is_superseded(position) {
                continue;
            }
            let filled = match self.row(position) {
                Some((row, side)) => row.refill(side, &self.places, as_of, &mut facts),
                None => {
                    facts = Facts::unknown();
                    Ok(())
                }
            };
            let flags = flagged.next_if(|(at, _)| *at == position);
            let flags = flags.and_then(|(_, number)| self.flags.places.get(*number));
            let found = match flags {
                Some((uscc, place)) => self.flags.flags(uscc, place).map(|flags| facts.flags = flags),
                None => {
                    if !facts.flags.is_empty() {
                        facts.flags = none.clone();
                    }
                    Ok(())
                }
            };
            visit(position, filled.and(found).map(|()| &facts));
        }
    }

    fn is_superseded(&self, position: usize) -> bool {
        let word = self.superseded.get(position / 64);
        position < self.base.len() && word.is_some_and(|word| word >> (position % 64) & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use greenstar_kernel::{Epoch, Position, Revision};
    use proptest::prelude::*;

    use super::*;
    use crate::view::ratings::tests::{facts, uscc};
    use crate::view::ratings::{RatingRow, Ratings};

    fn at(revision: u64) -> Position {
        Position {
            epoch: Epoch::parse("e").unwrap(),
            revision: Revision(revision),
        }
    }

    proptest! {
        #[test]
        fn everybody_is_seen_once_with_the_facts_that_a_decision_sees(
            older in prop::collection::vec((0u32..60, prop::option::weighted(0.9, facts())), 0..90),
            newer in prop::collection::vec((0u32..80, prop::option::weighted(0.9, facts())), 0..20),
            flagged in prop::collection::vec((0u32..100, 1i64..100, any::<bool>()), 0..30),
            as_of in 1i64..i64::MAX,
            cut in 0usize..100,
        ) {
            let as_of = Timestamp::from_micros(as_of);
            let coded = |rows: Vec<(u32, Option<Facts>)>| -> Vec<RatingRow> {
                rows.into_iter().map(|(number, facts)| (uscc(number), facts.ok_or(Unreadable))).collect()
            };
            let ratings = Ratings::new();
            let mut snapshot = ratings.begin();
            coded(older).iter().for_each(|row| snapshot.put(row));
            ratings.replace(at(1), snapshot);
            ratings.apply(&coded(newer), Revision(2));
            let flags = flags::Flags::new();
            let rows: Vec<flags::FlagRow> = flagged.iter().map(|(number, start, reads)| {
                let name = format!("enterprises/{}/flags/{start}", uscc(*number));
                let flag = flags::tests::flag(&name, *start);
                flags::FlagRow {
                    uscc: uscc(*number),
                    name: name.into(),
                    flag: if *reads { Ok(Some(flag)) } else { Err(Unreadable) },
                }
            }).collect();
            let (first, later) = rows.split_at(rows.len() / 2);
            flags.replace(at(1), first.to_vec());
            flags.apply(later, Revision(2));

            let (ratings, flags) = (ratings.read(), flags.read());
            let (ratings, flags) = (ratings.as_ref().unwrap(), flags.as_ref().unwrap());
            let population = Population::of(ratings, flags);
            let mut seen: BTreeMap<Uscc, Result<Facts, Unreadable>> = BTreeMap::new();
            let cut = cut.min(population.end());
            for part in [0..cut, cut..population.end()] {
                population.each(part, as_of, |position, facts| {
                    let before = seen.insert(population.uscc(position).unwrap(), facts.cloned());
                    assert!(before.is_none());
                });
            }
            prop_assert_eq!(seen.len(), population.count());
            for (uscc, seen) in &seen {
                let known = flags.get(uscc).and_then(|flags| ratings.facts(uscc, flags));
                let known = known.map(|mut facts| {
                    // A validity that has ended stays to be seen in `valid_until`.
                    if let Some(next) = facts.rating.next.take().filter(|next| next.at <= as_of) {
                        facts.rating.standing = next.standing;
                        facts.rating.total = next.total;
                        facts.rating.categories = next.categories;
                    }
                    facts.rating.scheme = "".into();
                    facts
                });
                prop_assert_eq!(seen, &known);
            }
            let everybody = (0..100).map(uscc).filter(|uscc| {
                ratings.facts(uscc, Arc::default()) != Ok(Facts::unknown()) || flags.get(uscc) != Ok(Arc::default())
            });
            prop_assert_eq!(seen.len(), everybody.count());
        }
    }
}
