//! The ratings: an immutable base, a concurrent overlay of whole rows, and folding the one into the other.
//! Readers never lock; writers take turns.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::{ArcSwapOption, Guard};
use foldhash::fast::RandomState;
use greenstar_kernel::{Epoch, LocalizedText, Position, Revision, Uscc};
use papaya::HashMap;

use super::base::Base;
use super::row::{Packed, Shared, Side, Unreadable};
use crate::domain::facts::{Facts, Flag};

/// The overlay is folded when it is larger than this part of the base …
const FOLD_PART: usize = 20;
/// … and than this.
const FOLD_LEAST: usize = 1_024;

/// What a source says about an enterprise, or that it cannot be read. Its flags come from another source.
pub(crate) type RatingRow = (Uscc, Result<Facts, Unreadable>);

/// A row as it is kept.
pub(super) type Row = (Packed, Option<Arc<Side>>);

#[derive(Clone, Debug)]
struct Held {
    packed: Packed,
    side: Option<Arc<Side>>,
    /// Number of the write, to tell what came while a fold ran.
    write: u64,
}

/// One arc-swapped generation.
#[derive(Debug)]
pub(super) struct Generation {
    epoch: Epoch,
    applied: AtomicU64,
    base: Arc<Base>,
    overlay: HashMap<Uscc, Held, RandomState>,
    /// Whether anything ever came into the overlay: without it nobody looks there.
    changed: AtomicBool,
    shared: Arc<Shared>,
}

impl Generation {
    /// What is applied. Read it before the rows: they are at least that new.
    pub(super) fn applied(&self) -> Position {
        Position {
            epoch: self.epoch.clone(),
            revision: self.revision(),
        }
    }

    pub(super) fn revision(&self) -> Revision {
        Revision(self.applied.load(Ordering::Acquire))
    }

    pub(super) fn epoch(&self) -> &Epoch {
        &self.epoch
    }

    /// The enterprise's facts with these flags.
    pub(super) fn facts(&self, uscc: &Uscc, flags: Arc<[Flag]>) -> Result<Facts, Unreadable> {
        let overlay = self.is_changed().then(|| self.overlay.pin());
        let newer = overlay.as_ref().and_then(|overlay| overlay.get(uscc));
        let (packed, side) = match newer {
            Some(held) => (&held.packed, held.side.as_ref()),
            None => match self.base.get(uscc) {
                Some(found) => found,
                None => {
                    return Ok(Facts {
                        flags,
                        ..Facts::unknown()
                    });
                }
            },
        };
        packed.unpack(side, &self.shared, flags)
    }

    pub(super) fn finds(&self, uscc: &Uscc) -> bool {
        (self.is_changed() && self.overlay.pin().contains_key(uscc))
            || self.base.find(uscc.as_bytes()).is_some()
    }

    fn is_changed(&self) -> bool {
        self.changed.load(Ordering::Acquire)
    }

    /// All rows as they are now.
    pub(super) fn rows(&self) -> Rows {
        Rows {
            base: self.base.clone(),
            newer: self.overlay.pin().values().cloned().collect(),
        }
    }

    /// The base, and what is newer than it.
    pub(super) fn parts(&self) -> (Arc<Base>, Vec<Row>) {
        let Rows { base, newer } = self.rows();
        let newer = newer.into_iter().map(|held| (held.packed, held.side));
        (base, newer.collect())
    }

    fn held(&self, uscc: &Uscc) -> Option<(Packed, Option<Arc<Side>>)> {
        let overlay = self.overlay.pin();
        let newer = overlay.get(uscc).map(|held| (held.packed, held.side.clone()));
        let older = || self.base.get(uscc).map(|(packed, side)| (*packed, side.cloned()));
        newer.or_else(older)
    }

    pub(super) fn count(&self) -> usize {
        let overlay = self.overlay.pin();
        let new = overlay.keys().filter(|uscc| self.base.get(uscc).is_none());
        self.base.len() + new.count()
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Bytes of the base.
    pub(super) fn bytes(&self) -> usize {
        self.base.bytes()
    }

    fn is_due_for_folding(&self) -> bool {
        self.overlay.len() > FOLD_LEAST.max(self.base.len() / FOLD_PART)
    }
}

/// Rows that nobody changes any more.
#[derive(Debug)]
pub(super) struct Rows {
    base: Arc<Base>,
    newer: Vec<Held>,
}

impl Rows {
    /// The later row of an enterprise counts.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Packed, Option<Arc<Side>>)> {
        let newer = self.newer.iter().map(|held| (held.packed, held.side.clone()));
        self.base.iter().chain(newer)
    }
}

/// Rows of a snapshot that is still coming.
#[derive(Debug)]
pub(crate) struct Snapshot {
    base: Base,
    shared: Arc<Shared>,
}

impl Snapshot {
    pub(crate) fn put(&mut self, (uscc, facts): &RatingRow) {
        let (packed, side) = Packed::pack(uscc, facts, &self.shared);
        self.base.put(packed, side);
    }

    pub(super) fn put_packed(&mut self, packed: Packed, side: Option<Arc<Side>>) {
        self.base.put(packed, side);
    }

    /// The next name that rows refer to by number. `None`: it had a number.
    pub(super) fn name(&self, text: &str) -> Option<()> {
        self.shared.texts.add(&text.into()).map(drop)
    }

    pub(super) fn cause(&self, cause: LocalizedText) -> Option<()> {
        self.shared.causes.add(&cause.into()).map(drop)
    }
}

#[derive(Debug)]
pub(super) struct Ratings {
    generation: ArcSwapOption<Generation>,
    /// Number of the last write; held while writing.
    writing: Mutex<u64>,
    shared: Arc<Shared>,
}

impl Ratings {
    pub(super) fn new() -> Ratings {
        Ratings {
            generation: ArcSwapOption::empty(),
            writing: Mutex::new(0),
            shared: Arc::new(Shared::new()),
        }
    }

    /// `None` before the first snapshot.
    pub(super) fn read(&self) -> Guard<Option<Arc<Generation>>> {
        self.generation.load()
    }

    fn writing(&self) -> MutexGuard<'_, u64> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this row is held, exactly.
    pub(super) fn has(&self, (uscc, facts): &RatingRow) -> bool {
        let row = Packed::pack(uscc, facts, &self.shared);
        let read = self.read();
        read.as_ref().and_then(|generation| generation.held(uscc)) == Some(row)
    }

    /// A snapshot that is filled while the old generation serves.
    pub(super) fn begin(&self) -> Snapshot {
        Snapshot {
            base: Base::default(),
            shared: self.shared.clone(),
        }
    }

    /// Puts a whole snapshot in the place of all that was.
    pub(super) fn replace(&self, at: Position, snapshot: Snapshot) {
        let base = Arc::new(snapshot.base.finish());
        let _writing = self.writing();
        self.install(at.epoch, at.revision, base, HashMap::default());
    }

    /// Applies the changes of a frame up to and with `to`: rows first, the position last.
    pub(super) fn apply(&self, rows: &[RatingRow], to: Revision) {
        let mut writing = self.writing();
        let Some(generation) = self.generation.load_full() else {
            return;
        };
        let overlay = generation.overlay.pin();
        if !rows.is_empty() {
            generation.changed.store(true, Ordering::Release);
        }
        for (uscc, facts) in rows {
            *writing += 1;
            let (packed, side) = Packed::pack(uscc, facts, &self.shared);
            overlay.insert(
                *uscc,
                Held {
                    packed,
                    side,
                    write: *writing,
                },
            );
        }
        generation.applied.store(to.0, Ordering::Release);
    }

    /// Whether [`Ratings::fold`] has enough to do.
    pub(super) fn is_due_for_folding(&self) -> bool {
        self.read()
            .as_ref()
            .is_some_and(|generation| generation.is_due_for_folding())
    }

    /// Builds a new base from base and overlay beside the running writes, and swaps. Takes memory for both
    /// bases while it runs.
    pub(super) fn fold(&self) {
        let (from, until) = {
            let writing = self.writing();
            (self.generation.load_full(), *writing)
        };
        let Some(from) = from else { return };
        let base = {
            let overlay = from.overlay.pin();
            let held = overlay.values().map(|held| (held.packed, held.side.clone()));
            Arc::new(Base::build(
                from.base.iter().chain(held),
                from.base.len() + from.overlay.len(),
            ))
        };
        let _writing = self.writing();
        let now = self.generation.load_full();
        if !now.is_some_and(|now| Arc::ptr_eq(&now, &from)) {
            // A snapshot came in between; what was built shows an older state.
            return;
        }
        let rest = HashMap::default();
        for (uscc, held) in from.overlay.pin().iter().filter(|(_, held)| held.write > until) {
            rest.pin().insert(*uscc, held.clone());
        }
        let revision = from.revision();
        self.install(from.epoch.clone(), revision, base, rest);
    }

    fn install(
        &self,
        epoch: Epoch,
        revision: Revision,
        base: Arc<Base>,
        overlay: HashMap<Uscc, Held, RandomState>,
    ) {
        let applied = AtomicU64::new(revision.0);
        let shared = self.shared.clone();
        let changed = AtomicBool::new(!overlay.is_empty());
        self.generation.store(Some(Arc::new(Generation {
            epoch,
            applied,
            base,
            overlay,
            changed,
            shared,
        })));
    }
}

#[cfg(test)]
pub(super) mod tests;
