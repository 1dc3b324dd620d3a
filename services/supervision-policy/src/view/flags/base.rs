//! The immutable part of the flags: one run of bytes, and a hash index into it.

use std::hash::BuildHasher as _;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use foldhash::fast::RandomState;
use greenstar_kernel::Uscc;
use hashbrown::HashTable;

use super::Flagged;
use super::packed::{Words, pack, unpack};
use crate::domain::facts::Flag;
use crate::view::row::Unreadable;

/// Enterprises whose flags are kept as they were last unpacked, at most: those that are asked for again and again
/// cost no more than a count. A power of two.
const RECENT: usize = 256;
/// Bytes of a code.
const CODE: usize = 18;
/// Bytes of a length.
const LENGTH: usize = 4;

/// Where an enterprise's flags stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::view) struct Place(usize);

#[derive(Debug)]
struct Recent {
    place: Place,
    flags: Result<Arc<[Flag]>, Unreadable>,
}

/// For each enterprise its code, a length and its packed flags.
#[derive(Debug)]
pub(super) struct Base {
    bytes: Vec<u8>,
    index: HashTable<usize>,
    hasher: RandomState,
    recent: Vec<ArcSwapOption<Recent>>,
    words: Arc<Words>,
}

impl Base {
    pub(super) fn new(words: Arc<Words>) -> Base {
        Base {
            bytes: Vec::new(),
            index: HashTable::new(),
            hasher: RandomState::default(),
            recent: (0..RECENT).map(|_| ArcSwapOption::empty()).collect(),
            words,
        }
    }

    /// Each enterprise comes once.
    pub(super) fn build<'a>(
        flagged: impl IntoIterator<Item = (&'a Uscc, &'a Flagged)>,
        kept: &Base,
        keeps: impl Fn(&Uscc) -> bool,
    ) -> Base {
        let mut base = Base::new(kept.words.clone());
        for (code, bytes) in kept.records() {
            if uscc(code).is_some_and(|uscc| keeps(&uscc)) {
                base.put(code, |out| out.extend(bytes));
            }
        }
        for (uscc, flagged) in flagged {
            if !flagged.is_empty() {
                let words = kept.words.clone();
                base.put(uscc.as_bytes(), |out| pack(uscc.as_str(), flagged, &words, out));
            }
        }
        let Base {
            bytes, index, hasher, ..
        } = &mut base;
        bytes.shrink_to_fit();
        index.shrink_to_fit(|at| hash(hasher, code_at(bytes, *at)));
        base
    }

    fn put(&mut self, code: &[u8; CODE], fill: impl FnOnce(&mut Vec<u8>)) {
        let Base {
            bytes, index, hasher, ..
        } = self;
        let at = bytes.len();
        bytes.extend(code);
        bytes.extend([0; LENGTH]);
        fill(bytes);
        let length = bytes.len() - at - CODE - LENGTH;
        // Nobody has four gigabytes of flags; what would be cut cannot be read, and is no clean record.
        let length = u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
        if let Some(slot) = bytes.get_mut(at + CODE..at + CODE + LENGTH) {
            slot.copy_from_slice(&length);
        }
        let found = hash(hasher, Some(code));
        index.insert_unique(found, at, |at| hash(hasher, code_at(bytes, *at)));
    }

    pub(super) fn find(&self, uscc: &Uscc) -> Option<Place> {
        let code = uscc.as_bytes();
        let hash = hash(&self.hasher, Some(code));
        let at = self
            .index
            .find(hash, |at| code_at(&self.bytes, *at) == Some(code))?;
        Some(Place(*at))
    }

    /// Unpacks, or gives what was unpacked before.
    pub(super) fn get(&self, uscc: &Uscc, place: Place) -> Result<Arc<[Flag]>, Unreadable> {
        let slot = self.recent.get(place.0 / CODE % RECENT);
        let known = slot.map(ArcSwapOption::load);
        if let Some(known) = known.as_ref().and_then(|known| known.as_ref())
            && known.place == place
        {
            return known.flags.clone();
        }
        let flags = self.unpack(uscc, place).and_then(Flagged::readable);
        if let Some(slot) = slot {
            let flags = flags.clone();
            slot.store(Some(Arc::new(Recent { place, flags })));
        }
        flags
    }

    pub(super) fn unpack(&self, uscc: &Uscc, place: Place) -> Result<Flagged, Unreadable> {
        let record = record_at(&self.bytes, place.0);
        let unpacked = record.and_then(|(_, bytes)| unpack(uscc.as_str(), bytes, &self.words));
        unpacked.ok_or(Unreadable)
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes.capacity() + self.index.allocation_size()
    }

    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// Everybody, in no order that means anything.
    pub(super) fn places(&self) -> impl Iterator<Item = (Uscc, Place)> {
        let mut at = 0;
        std::iter::from_fn(move || {
            loop {
                let (code, bytes) = record_at(&self.bytes, at)?;
                let place = Place(at);
                at += CODE + LENGTH + bytes.len();
                if let Some(uscc) = uscc(code) {
                    return Some((uscc, place));
                }
            }
        })
    }

    fn records(&self) -> impl Iterator<Item = (&[u8; CODE], &[u8])> {
        let mut at = 0;
        std::iter::from_fn(move || {
            let (code, bytes) = record_at(&self.bytes, at)?;
            at += CODE + LENGTH + bytes.len();
            Some((code, bytes))
        })
    }
}

fn hash(hasher: &RandomState, code: Option<&[u8; CODE]>) -> u64 {
    hasher.hash_one(code)
}

fn code_at(bytes: &[u8], at: usize) -> Option<&[u8; CODE]> {
    bytes.get(at..)?.first_chunk()
}

fn record_at(bytes: &[u8], at: usize) -> Option<(&[u8; CODE], &[u8])> {
    let (code, rest) = bytes.get(at..)?.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    Some((code, rest.get(..length)?))
}

/// Every code in here came from one.
fn uscc(code: &[u8; CODE]) -> Option<Uscc> {
    std::str::from_utf8(code).ok()?.parse().ok()
}
