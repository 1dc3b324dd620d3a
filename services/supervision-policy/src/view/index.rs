//! Finds the number of a row by the hash of its code.
//!
//! A look-up costs what memory is slow at: lines that are not in the cache. So a slot is four bytes, found at once and read on
//! from there, and carries as much of the hash as has room beside the number of the row: one line of slots, and the row
//! itself. A table of control bytes and numbers (hashbrown) takes one line more, and twice the room where the rows are a
//! little more than a power of two.

/// Of four slots one stays empty, so that a search ends soon.
const FULL: (usize, usize) = (3, 4);
const LEAST: usize = 16;

/// Numbers of rows by hash; who keeps the rows says which one is meant.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// 0: empty. Otherwise the number of the row and one, and above that the lowest bits of its hash.
    slots: Vec<u32>,
    held: usize,
}

impl Index {
    /// With room for this many rows.
    pub(super) fn with_room(rows: usize) -> Index {
        let mut index = Index::default();
        index.resize(rows, |_| 0);
        index
    }

    /// The row with this hash for which `is` says yes.
    pub(super) fn find(&self, hash: u64, is: impl Fn(u32) -> bool) -> Option<u32> {
        let (numbers, tag) = (self.numbers(), self.tag(hash));
        let mut at = self.home(hash);
        loop {
            let slot = *self.slots.get(at)?;
            let row = (slot & numbers).checked_sub(1)?;
            if slot & !numbers == tag && is(row) {
                return Some(row);
            }
            at = self.after(at);
        }
    }

    /// Adds a row that is not in it. `hash_of` tells the hashes of those that are.
    pub(super) fn insert(&mut self, hash: u64, row: u32, hash_of: impl Fn(u32) -> u64) {
        let (part, whole) = FULL;
        if (self.held + 1) * whole > self.slots.len() * part {
            self.resize((self.held + 1) * 2, hash_of);
        }
        self.put(hash, row);
    }

    /// Gives back room that was taken while growing.
    pub(super) fn shrink(&mut self, hash_of: impl Fn(u32) -> u64) {
        self.resize(self.held, hash_of);
    }

    pub(super) fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<u32>()
    }

    fn resize(&mut self, rows: usize, hash_of: impl Fn(u32) -> u64) {
        let (part, whole) = FULL;
        let numbers = self.numbers();
        let length = (rows * whole).div_ceil(part).max(LEAST);
        let old = std::mem::replace(&mut self.slots, vec![0; length]);
        self.held = 0;
        for slot in old {
            if let Some(row) = (slot & numbers).checked_sub(1) {
                self.put(hash_of(row), row);
            }
        }
    }

    fn put(&mut self, hash: u64, row: u32) {
        let filled = self.tag(hash) | (row + 1);
        let mut at = self.home(hash);
        while self.slots.get(at).is_some_and(|slot| *slot != 0) {
            at = self.after(at);
        }
        if let Some(slot) = self.slots.get_mut(at) {
            *slot = filled;
            self.held += 1;
        }
    }

    /// The highest bits of the hash say where to begin.
    fn home(&self, hash: u64) -> usize {
        let home = (u128::from(hash) * self.slots.len() as u128) >> 64;
        usize::try_from(home).unwrap_or(0)
    }

    fn after(&self, at: usize) -> usize {
        if at + 1 == self.slots.len() { 0 } else { at + 1 }
    }

    /// The bits of a slot that hold a number: there are fewer rows than slots.
    fn numbers(&self) -> u32 {
        let length = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        u32::MAX.checked_shr(length.leading_zeros()).unwrap_or(0)
    }

    fn tag(&self, hash: u64) -> u32 {
        let numbers = self.numbers();
        let bits = numbers.count_ones();
        let low = u32::try_from(hash & u64::from(u32::MAX)).unwrap_or(0);
        low.checked_shl(bits).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Few different hashes, so that many rows meet in a slot and tags are equal.
        #[test]
        fn it_finds_what_was_put_and_nothing_else(
            hashes in prop::collection::vec(prop_oneof![0u64..6, (0u64..6).prop_map(|high| high << 60), any::<u64>()], 0..300),
            shrink_at in 0usize..300,
        ) {
            let mut index = Index::default();
            let hash_of = |row: u32| hashes[row as usize];
            let mut model: HashMap<u64, Vec<u32>> = HashMap::new();
            for (row, hash) in (0u32..).zip(&hashes) {
                index.insert(*hash, row, hash_of);
                model.entry(*hash).or_default().push(row);
                if row as usize == shrink_at {
                    index.shrink(hash_of);
                }
            }
            index.shrink(hash_of);
            for (row, hash) in (0u32..).zip(&hashes) {
                prop_assert_eq!(index.find(*hash, |found| found == row), Some(row));
            }
            for hash in (0u64..8).chain((0..8).map(|high| high << 60)) {
                let found = index.find(hash, |row| hash_of(row) == hash);
                let expected = model.get(&hash).is_some_and(|rows| rows.contains(&found.unwrap_or(u32::MAX)));
                prop_assert_eq!(found.is_some(), expected);
            }
            prop_assert!(index.bytes() <= 4 * (hashes.len() * 4 / 3 + 1).max(LEAST));
        }
    }

    #[test]
    fn an_empty_one_finds_nothing() {
        assert_eq!(Index::default().find(7, |_| true), None);
        assert_eq!(Index::with_room(100).find(7, |_| true), None);
    }
}
