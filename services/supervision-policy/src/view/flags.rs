//! The flags in force, by enterprise: a packed immutable base, an overlay of what came since, and folding the one into
//! the other. Readers never lock; writers take turns.

mod base;
mod packed;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::{ArcSwapOption, Guard};
use foldhash::fast::RandomState;
use greenstar_kernel::{Epoch, Position, Revision, Uscc};
use papaya::HashMap;

use self::base::{Base, Place};
use self::packed::Words;
use super::row::Unreadable;
use crate::domain::facts::Flag;

/// The overlay is folded when it is larger than this part of the base …
const FOLD_PART: usize = 20;
/// … and than this.
const FOLD_LEAST: usize = 256;

/// What a change says about one flag.
#[derive(Clone, Debug)]
pub(crate) struct FlagRow {
    pub(crate) uscc: Uscc,
    pub(crate) name: Arc<str>,
    /// `Ok(None)`: it binds no more.
    pub(crate) flag: Result<Option<Flag>, Unreadable>,
}

/// The flags that a source says are in force, to compare with.
#[derive(Debug, Default)]
pub(crate) struct Source(BTreeMap<Uscc, Flagged>);

impl Source {
    pub(crate) fn put(&mut self, row: &FlagRow) {
        let flagged = self.0.entry(row.uscc).or_default();
        *flagged = flagged.with(row);
    }
}

/// An enterprise and its flags. `Err`: some of them cannot be understood.
pub(super) type OfOne = (Uscc, Result<Arc<[Flag]>, Unreadable>);

/// All flags of one enterprise.
#[derive(Clone, Debug, Default)]
pub(super) struct Flagged {
    flags: Arc<[Flag]>,
    /// Names of flags in force that could not be understood.
    unreadable: Arc<[Arc<str>]>,
}

impl Flagged {
    fn with(&self, row: &FlagRow) -> Flagged {
        let mut flags: Vec<Flag> = self
            .flags
            .iter()
            .filter(|flag| flag.name != row.name)
            .cloned()
            .collect();
        let mut unreadable: Vec<Arc<str>> = self
            .unreadable
            .iter()
            .filter(|name| **name != row.name)
            .cloned()
            .collect();
        match &row.flag {
            Ok(Some(flag)) => flags.push(flag.clone()),
            Ok(None) => {}
            Err(Unreadable) => unreadable.push(row.name.clone()),
        }
        flags.sort_by(|a, b| a.name.cmp(&b.name));
        Flagged {
            flags: flags.into(),
            unreadable: unreadable.into(),
        }
    }

    /// The same, but for the start of flags whose start lay ahead of this replica's clock when they came.
    fn is(&self, source: &Flagged) -> bool {
        let same = |(here, there): (&Flag, &Flag)| {
            let moved = Flag {
                start: there.start,
                ..here.clone()
            };
            here == there || (here.start < there.start && moved == *there)
        };
        self.unreadable == source.unreadable
            && self.flags.len() == source.flags.len()
            && self.flags.iter().zip(source.flags.iter()).all(same)
    }

    fn is_empty(&self) -> bool {
        self.flags.is_empty() && self.unreadable.is_empty()
    }

    /// Its flags, if all of them can be read.
    fn readable(self) -> Result<Arc<[Flag]>, Unreadable> {
        self.unreadable.is_empty().then_some(self.flags).ok_or(Unreadable)
    }
}

/// What came since the base was built.
#[derive(Clone, Debug)]
struct Held {
    /// All of the enterprise's flags; none of them: they have all gone.
    flagged: Flagged,
    /// Number of the write, to tell what came while a fold ran.
    write: u64,
}

#[derive(Debug)]
pub(super) struct Generation {
    epoch: Epoch,
    applied: AtomicU64,
    base: Arc<Base>,
    overlay: HashMap<Uscc, Held, RandomState>,
    none: Arc<[Flag]>,
}

impl Generation {
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

    pub(super) fn get(&self, uscc: &Uscc) -> Result<Arc<[Flag]>, Unreadable> {
        if let Some(held) = self.overlay.pin().get(uscc) {
            return held.flagged.clone().readable();
        }
        match self.base.find(uscc) {
            Some(place) => self.base.get(uscc, place),
            None => Ok(self.none.clone()),
        }
    }

    pub(super) fn finds(&self, uscc: &Uscc) -> bool {
        let newer = self.overlay.pin().get(uscc).map(|held| !held.flagged.is_empty());
        newer.unwrap_or_else(|| self.base.find(uscc).is_some())
    }

    /// Enterprises whose flags are others here than there.
    pub(super) fn unlike(&self, source: &Source) -> Vec<Uscc> {
        let none = Flagged::default();
        let is = |uscc: &Uscc, there: &Flagged| self.flagged(uscc).is_ok_and(|here| here.is(there));
        let there = source.0.iter().filter(|(uscc, there)| !is(uscc, there));
        let mut unlike: Vec<Uscc> = there.map(|(uscc, _)| *uscc).collect();
        let here = self.everybody().places.into_iter().map(|(uscc, _)| uscc);
        unlike.extend(here.filter(|uscc| !source.0.contains_key(uscc) && !is(uscc, &none)));
        unlike
    }

    /// The flags of every enterprise that has some.
    pub(super) fn all(&self) -> Vec<OfOne> {
        let everybody = self.everybody();
        let places = everybody.places.iter();
        places
            .map(|(uscc, place)| (*uscc, everybody.flags(uscc, place)))
            .collect()
    }

    /// Every enterprise that has flags, as it is now.
    pub(super) fn everybody(&self) -> Everybody {
        let overlay = self.overlay.pin();
        let newer = overlay
            .iter()
            .filter(|(_, held)| !held.flagged.is_empty())
            .map(|(uscc, held)| (*uscc, Placed::Newer(held.flagged.clone())));
        let older = self.base.places().filter(|(uscc, _)| !overlay.contains_key(uscc));
        let older = older.map(|(uscc, place)| (uscc, Placed::Base(place)));
        Everybody {
            places: older.chain(newer).collect(),
            base: self.base.clone(),
        }
    }

    fn flagged(&self, uscc: &Uscc) -> Result<Flagged, Unreadable> {
        if let Some(held) = self.overlay.pin().get(uscc) {
            return Ok(held.flagged.clone());
        }
        match self.base.find(uscc) {
            Some(place) => self.base.unpack(uscc, place),
            None => Ok(Flagged::default()),
        }
    }

    fn put(&self, row: &FlagRow, write: u64) {
        // What cannot be read any more must not be forgotten by the next flag that can (P10).
        let known = self.flagged(&row.uscc).unwrap_or_else(|Unreadable| Flagged {
            unreadable: ["".into()].into(),
            ..Flagged::default()
        });
        let flagged = known.with(row);
        self.overlay.pin().insert(row.uscc, Held { flagged, write });
    }

    /// Bytes of the base.
    pub(super) fn bytes(&self) -> usize {
        self.base.bytes()
    }

    fn is_due_for_folding(&self) -> bool {
        self.overlay.len() > FOLD_LEAST.max(self.base.len() / FOLD_PART)
    }
}

/// Where an enterprise's flags are.
#[derive(Debug)]
pub(super) enum Placed {
    Base(Place),
    Newer(Flagged),
}

/// Flags that nobody changes any more.
#[derive(Debug)]
pub(super) struct Everybody {
    pub(super) places: Vec<(Uscc, Placed)>,
    base: Arc<Base>,
}

impl Everybody {
    pub(super) fn flags(&self, uscc: &Uscc, place: &Placed) -> Result<Arc<[Flag]>, Unreadable> {
        match place {
            Placed::Base(place) => self.base.unpack(uscc, *place)?.readable(),
            Placed::Newer(flagged) => flagged.clone().readable(),
        }
    }
}

/// Readers never lock; writers take turns.
#[derive(Debug)]
pub(super) struct Flags {
    generation: ArcSwapOption<Generation>,
    /// Number of the last write; held while writing.
    writing: Mutex<u64>,
    words: Arc<Words>,
}

impl Flags {
    pub(super) fn new() -> Flags {
        Flags {
            generation: ArcSwapOption::empty(),
            writing: Mutex::new(0),
            words: Arc::new(Words::new()),
        }
    }

    fn writing(&self) -> MutexGuard<'_, u64> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn read(&self) -> Guard<Option<Arc<Generation>>> {
        self.generation.load()
    }

    pub(super) fn replace(&self, at: Position, rows: Vec<FlagRow>) {
        let mut by_enterprise: BTreeMap<Uscc, Flagged> = BTreeMap::new();
        for row in rows {
            let flagged = by_enterprise.entry(row.uscc).or_default();
            *flagged = flagged.with(&row);
        }
        let base = Base::build(&by_enterprise, &Base::new(self.words.clone()), |_| false);
        let _writing = self.writing();
        self.install(at.epoch, at.revision, Arc::new(base), HashMap::default());
    }

    /// Rows first, the position last.
    pub(super) fn apply(&self, rows: &[FlagRow], to: Revision) {
        let mut writing = self.writing();
        let Some(generation) = self.generation.load_full() else {
            return;
        };
        for row in rows {
            *writing += 1;
            generation.put(row, *writing);
        }
        generation.applied.store(to.0, Ordering::Release);
    }

    /// Whether [`Flags::fold`] has enough to do.
    pub(super) fn is_due_for_folding(&self) -> bool {
        self.read()
            .as_ref()
            .is_some_and(|generation| generation.is_due_for_folding())
    }

    /// Builds a new base from base and overlay beside the running writes, and swaps.
    pub(super) fn fold(&self) {
        let (from, until) = {
            let writing = self.writing();
            (self.generation.load_full(), *writing)
        };
        let Some(from) = from else { return };
        let base = {
            let overlay = from.overlay.pin();
            // What is written meanwhile is in here or comes again below; it is the same either way.
            let newer: BTreeMap<Uscc, Flagged> = overlay
                .iter()
                .map(|(uscc, held)| (*uscc, held.flagged.clone()))
                .collect();
            Base::build(&newer, &from.base, |uscc| !newer.contains_key(uscc))
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
        self.install(from.epoch.clone(), from.revision(), Arc::new(base), rest);
    }

    fn install(
        &self,
        epoch: Epoch,
        revision: Revision,
        base: Arc<Base>,
        overlay: HashMap<Uscc, Held, RandomState>,
    ) {
        self.generation.store(Some(Arc::new(Generation {
            epoch,
            applied: AtomicU64::new(revision.0),
            base,
            overlay,
            none: Arc::default(),
        })));
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap as Model;

    use greenstar_kernel::{Code, Department, Document, Timestamp};
    use proptest::prelude::*;

    use super::*;
    use crate::domain::catalogue::Severity;

    pub(in crate::view) const FIRMS: [&str; 3] =
        ["91110115MAX000015J", "91110115MAX000023D", "91110115MAX0000318"];

    pub(in crate::view) fn flag(name: &str, start: i64) -> Flag {
        Flag {
            name: name.into(),
            kind: Code::parse("serious-penalty").unwrap(),
            severity: Severity::Serious,
            department: Department::parse("enforcement").unwrap(),
            scope: None,
            document: Document {
                issuer: "局".to_owned(),
                number: "1".to_owned(),
                date: "2026-05-08".parse().unwrap(),
            },
            bases: Arc::default(),
            start: Timestamp::from_micros(start),
            end: None,
        }
    }

    prop_compose! {
        pub(in crate::view) fn row()(firm in 0usize..3, name in 0u8..4, start in 1i64..100, kind in 0u8..5) -> FlagRow {
            let name = format!("enterprises/{}/flags/{name}", FIRMS[firm]);
            let flag = match kind {
                0 => Err(Unreadable),
                1 | 2 => Ok(None),
                _ => Ok(Some(flag(&name, start))),
            };
            FlagRow { uscc: FIRMS[firm].parse().unwrap(), name: name.into(), flag }
        }
    }

    fn at(revision: u64) -> Position {
        Position {
            epoch: Epoch::parse("e").unwrap(),
            revision: Revision(revision),
        }
    }

    proptest! {
        #[test]
        fn the_flags_are_what_a_naive_map_is(
            snapshot in prop::collection::vec(row(), 0..6),
            frames in prop::collection::vec(prop::collection::vec(row(), 0..4), 0..8),
            folds in any::<bool>(),
        ) {
            let mut model: Model<(Uscc, Arc<str>), Result<Option<Flag>, Unreadable>> = Model::new();
            let mut keep = |rows: &[FlagRow]| {
                for row in rows {
                    model.insert((row.uscc, row.name.clone()), row.flag.clone());
                }
            };
            let flags = Flags::new();
            keep(&snapshot);
            flags.replace(at(5), snapshot);
            for (revision, frame) in (6..).zip(&frames) {
                keep(frame);
                flags.apply(frame, Revision(revision));
                if folds {
                    flags.fold();
                }
            }
            let read = flags.read();
            let generation = read.as_ref().unwrap();
            prop_assert_eq!(generation.applied(), at(5 + frames.len() as u64));
            for firm in FIRMS {
                let uscc: Uscc = firm.parse().unwrap();
                let of_firm = model.iter().filter(|((owner, _), _)| *owner == uscc).map(|(_, flag)| flag.clone());
                let expected: Result<Vec<Option<Flag>>, Unreadable> = of_firm.collect();
                let expected = expected.map(|all| all.into_iter().flatten().collect::<Vec<Flag>>());
                // The second time from what was unpacked the first.
                for _ in 0..2 {
                    prop_assert_eq!(generation.get(&uscc).map(|flags| flags.to_vec()), expected.clone());
                }
                let all: Model<_, _> = generation.all().into_iter().collect();
                let listed = all.get(&uscc).map_or(Ok(Vec::new()), |flags| flags.clone().map(|flags| flags.to_vec()));
                prop_assert_eq!(listed, expected);
            }
        }
    }
}
