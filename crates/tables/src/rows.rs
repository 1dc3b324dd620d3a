//! Which rows of a table hold: a bit set of fixed size, so that evaluation needs no allocation.

use std::ops::{BitAnd, BitAndAssign, BitOr, BitOrAssign};

const WORDS: usize = 4;

/// Most rows a table may have; more than an officer can oversee.
pub const MAX_ROWS: usize = 240;

/// A set of row positions below 256, counted from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RowSet([u64; WORDS]);

impl RowSet {
    pub const EMPTY: RowSet = RowSet([0; WORDS]);

    pub(crate) const ALL: RowSet = RowSet([u64::MAX; WORDS]);

    /// The first `count` rows.
    #[inline]
    pub fn first_rows(count: usize) -> RowSet {
        let mut set = RowSet::EMPTY;
        for (index, word) in set.0.iter_mut().enumerate() {
            let below = count.saturating_sub(index * 64).min(64);
            *word = if below == 64 { u64::MAX } else { (1 << below) - 1 };
        }
        set
    }

    #[inline]
    pub fn of(row: usize) -> RowSet {
        let mut set = RowSet::EMPTY;
        set.insert(row);
        set
    }

    /// A row beyond 255 cannot be held and is left out; tables are limited to [`MAX_ROWS`].
    #[inline]
    pub fn insert(&mut self, row: usize) {
        if let Some(word) = self.0.get_mut(row / 64) {
            *word |= 1 << (row % 64);
        }
    }

    #[inline]
    pub fn contains(&self, row: usize) -> bool {
        self.0
            .get(row / 64)
            .is_some_and(|word| word >> (row % 64) & 1 == 1)
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0 == [0; WORDS]
    }

    #[inline]
    pub fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The lowest row.
    #[inline]
    pub fn first(&self) -> Option<usize> {
        let word = self.0.iter().position(|word| *word != 0)?;
        Some(word * 64 + self.0[word].trailing_zeros() as usize)
    }

    #[inline]
    pub fn holds_all(&self, other: RowSet) -> bool {
        *self & other == other
    }

    /// The rows of this set that are not in `other`.
    #[inline]
    #[must_use]
    pub fn without(self, other: RowSet) -> RowSet {
        RowSet(std::array::from_fn(|index| self.0[index] & !other.0[index]))
    }

    /// Row positions in ascending order.
    #[inline]
    pub fn iter(self) -> impl Iterator<Item = usize> {
        let mut rest = self;
        std::iter::from_fn(move || {
            let row = rest.first()?;
            rest = rest.without(RowSet::of(row));
            Some(row)
        })
    }
}

impl BitAnd for RowSet {
    type Output = RowSet;

    #[inline]
    fn bitand(self, other: RowSet) -> RowSet {
        RowSet(std::array::from_fn(|index| self.0[index] & other.0[index]))
    }
}

impl BitAndAssign for RowSet {
    #[inline]
    fn bitand_assign(&mut self, other: RowSet) {
        *self = *self & other;
    }
}

impl BitOr for RowSet {
    type Output = RowSet;

    #[inline]
    fn bitor(self, other: RowSet) -> RowSet {
        RowSet(std::array::from_fn(|index| self.0[index] | other.0[index]))
    }
}

impl BitOrAssign for RowSet {
    #[inline]
    fn bitor_assign(&mut self, other: RowSet) {
        *self = *self | other;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn a_row_set_behaves_as_a_set_of_numbers(
            left in prop::collection::btree_set(0usize..256, 0..40),
            right in prop::collection::btree_set(0usize..256, 0..40),
        ) {
            let set = |rows: &BTreeSet<usize>| {
                let mut set = RowSet::EMPTY;
                rows.iter().for_each(|row| set.insert(*row));
                set
            };
            let (a, b) = (set(&left), set(&right));
            prop_assert_eq!(a.iter().collect::<BTreeSet<_>>(), left.clone());
            prop_assert_eq!(a & b, set(&left.intersection(&right).copied().collect()));
            prop_assert_eq!(a | b, set(&left.union(&right).copied().collect()));
            prop_assert_eq!(a.without(b), set(&left.difference(&right).copied().collect()));
            prop_assert_eq!(a.first(), left.first().copied());
            prop_assert_eq!(a.len(), left.len());
            prop_assert_eq!(a.holds_all(b), right.is_subset(&left));
        }

        #[test]
        fn the_first_rows_are_those_below_the_count(count in 0usize..=256) {
            prop_assert_eq!(RowSet::first_rows(count).iter().collect::<Vec<_>>(), (0..count).collect::<Vec<_>>());
        }
    }
}
