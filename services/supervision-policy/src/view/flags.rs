//! The flags in force, by enterprise.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::{ArcSwapOption, Guard};
use foldhash::fast::RandomState;
use greenstar_kernel::{Epoch, Position, Revision, Uscc};
use papaya::HashMap;

use super::row::Unreadable;
use crate::domain::facts::Flag;

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
struct Flagged {
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
}

#[derive(Debug)]
pub(super) struct Generation {
    epoch: Epoch,
    applied: AtomicU64,
    map: HashMap<Uscc, Flagged, RandomState>,
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
        match self.map.pin().get(uscc) {
            None => Ok(self.none.clone()),
            Some(flagged) if flagged.unreadable.is_empty() => Ok(flagged.flags.clone()),
            Some(_) => Err(Unreadable),
        }
    }

    /// Enterprises whose flags are others here than there.
    pub(super) fn unlike(&self, source: &Source) -> Vec<Uscc> {
        let map = self.map.pin();
        let none = Flagged::default();
        let there = source
            .0
            .iter()
            .filter(|(uscc, there)| !map.get(*uscc).unwrap_or(&none).is(there));
        let here = map.keys().filter(|uscc| !source.0.contains_key(*uscc));
        there.map(|(uscc, _)| *uscc).chain(here.copied()).collect()
    }

    /// The flags of every enterprise that has some.
    pub(super) fn all(&self) -> Vec<OfOne> {
        let of_one = |(uscc, flagged): (&Uscc, &Flagged)| {
            let readable = flagged.unreadable.is_empty();
            let flags = readable.then(|| flagged.flags.clone()).ok_or(Unreadable);
            (*uscc, flags)
        };
        self.map.pin().iter().map(of_one).collect()
    }

    fn put(&self, row: &FlagRow) {
        let map = self.map.pin();
        let flagged = map.get(&row.uscc).cloned().unwrap_or_default().with(row);
        if flagged.is_empty() {
            map.remove(&row.uscc);
        } else {
            map.insert(row.uscc, flagged);
        }
    }
}

/// One task writes; readers never lock.
#[derive(Debug)]
pub(super) struct Flags {
    generation: ArcSwapOption<Generation>,
}

impl Flags {
    pub(super) fn new() -> Flags {
        Flags {
            generation: ArcSwapOption::empty(),
        }
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
        let map = HashMap::with_capacity_and_hasher(by_enterprise.len(), RandomState::default());
        for (uscc, flagged) in by_enterprise
            .into_iter()
            .filter(|(_, flagged)| !flagged.is_empty())
        {
            map.pin().insert(uscc, flagged);
        }
        self.generation.store(Some(Arc::new(Generation {
            epoch: at.epoch,
            applied: AtomicU64::new(at.revision.0),
            map,
            none: Arc::default(),
        })));
    }

    /// Rows first, the position last.
    pub(super) fn apply(&self, rows: &[FlagRow], to: Revision) {
        let read = self.read();
        let Some(generation) = read.as_ref() else { return };
        for row in rows {
            generation.put(row);
        }
        generation.applied.store(to.0, Ordering::Release);
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
            }
            let read = flags.read();
            let generation = read.as_ref().unwrap();
            prop_assert_eq!(generation.applied(), at(5 + frames.len() as u64));
            for firm in FIRMS {
                let uscc: Uscc = firm.parse().unwrap();
                let of_firm = model.iter().filter(|((owner, _), _)| *owner == uscc).map(|(_, flag)| flag.clone());
                let expected: Result<Vec<Option<Flag>>, Unreadable> = of_firm.collect();
                let expected = expected.map(|all| all.into_iter().flatten().collect::<Vec<Flag>>());
                prop_assert_eq!(generation.get(&uscc).map(|flags| flags.to_vec()), expected);
            }
        }
    }
}
