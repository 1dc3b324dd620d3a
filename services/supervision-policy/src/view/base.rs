//! The immutable part of the ratings: a hash index over packed rows.

use std::collections::HashMap;
use std::hash::BuildHasher as _;
use std::sync::Arc;

use foldhash::fast::RandomState;
use greenstar_kernel::Uscc;

use super::index::Index;
use super::row::{Packed, Side};

/// Rows, not columns: a decision reads the whole row, which is two cache lines this way and a dozen the other.
#[derive(Debug, Default)]
pub(super) struct Base {
    rows: Vec<Packed>,
    index: Index,
    /// By number of the row.
    sides: HashMap<u32, Arc<Side>, RandomState>,
    hasher: RandomState,
}

impl Base {
    /// Later rows of an enterprise replace earlier ones.
    pub(super) fn build(
        rows: impl IntoIterator<Item = (Packed, Option<Arc<Side>>)>,
        expected: usize,
    ) -> Base {
        let mut base = Base {
            rows: Vec::with_capacity(expected),
            index: Index::with_room(expected),
            ..Base::default()
        };
        for (row, side) in rows {
            base.put(row, side);
        }
        base.finish()
    }

    /// Gives back room that was taken while growing.
    pub(super) fn finish(mut self) -> Base {
        let Base {
            rows, index, hasher, ..
        } = &mut self;
        rows.shrink_to_fit();
        index.shrink(|at| hash_at(rows, hasher, at));
        self
    }

    pub(super) fn put(&mut self, row: Packed, side: Option<Arc<Side>>) {
        let Base {
            rows,
            index,
            sides,
            hasher,
        } = self;
        let hash = hasher.hash_one(row.uscc());
        let found = index.find(hash, |at| {
            rows.get(at as usize)
                .is_some_and(|other| other.uscc() == row.uscc())
        });
        let at = match found {
            Some(at) => at,
            None => {
                // 4,294,967,295 rows are more enterprises than there are.
                let at = u32::try_from(rows.len()).unwrap_or(u32::MAX);
                index.insert(hash, at, |at| hash_at(rows, hasher, at));
                rows.push(row);
                at
            }
        };
        if let Some(slot) = rows.get_mut(at as usize) {
            *slot = row;
        }
        match side {
            Some(side) => sides.insert(at, side),
            None => sides.remove(&at),
        };
    }

    pub(super) fn get(&self, uscc: &Uscc) -> Option<(&Packed, Option<&Arc<Side>>)> {
        self.row(self.find(uscc.as_bytes())?)
    }

    /// Number of an enterprise's row.
    pub(super) fn find(&self, code: &[u8; 18]) -> Option<u32> {
        let hash = self.hasher.hash_one(code);
        self.index.find(hash, |at| {
            self.rows.get(at as usize).is_some_and(|row| row.uscc() == code)
        })
    }

    /// The row of this number.
    pub(super) fn row(&self, at: u32) -> Option<(&Packed, Option<&Arc<Side>>)> {
        Some((self.rows.get(at as usize)?, self.side(at)))
    }

    fn side(&self, at: u32) -> Option<&Arc<Side>> {
        if self.sides.is_empty() {
            None
        } else {
            self.sides.get(&at)
        }
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Packed, Option<Arc<Side>>)> {
        (0u32..)
            .zip(&self.rows)
            .map(|(at, row)| (*row, self.side(at).cloned()))
    }

    /// Bytes of rows and index, and of sides with theirs.
    pub(super) fn bytes(&self) -> usize {
        // A map has room for seven entries in eight slots, each with a byte of its hash.
        let slot = size_of::<(u32, Arc<Side>)>() + 1;
        let sides = self.sides.values().map(|side| side.bytes());
        self.rows.capacity() * size_of::<Packed>()
            + self.index.bytes()
            + self.sides.capacity() * slot * 8 / 7
            + sides.sum::<usize>()
    }
}

fn hash_at(rows: &[Packed], hasher: &RandomState, at: u32) -> u64 {
    rows.get(at as usize).map_or(0, |row| hasher.hash_one(row.uscc()))
}
