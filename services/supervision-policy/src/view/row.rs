//! An enterprise's rating as the view holds it: 80 bytes, and a side for what few enterprises have.

use std::str::FromStr;
use std::sync::Arc;

use greenstar_kernel::{LocalizedText, Points, RatingState, Standing, Star, Timestamp, Uscc};
use serde::{Deserialize, Serialize};

use super::names::{ASIDE, NONE, Names};
use crate::domain::facts::{District, Event, Facts, Flag, PolluterClass, RatingFacts, Sector, Transition};

/// A row that could not be understood. It is known to be there, so nothing is clear (P10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a fact about the enterprise cannot be read")]
pub(crate) struct Unreadable;

/// What rows share.
#[derive(Debug)]
pub(super) struct Shared {
    /// Sectors, districts, schemes.
    pub(super) texts: Names<str>,
    pub(super) causes: Names<LocalizedText>,
}

impl Shared {
    pub(super) fn new() -> Shared {
        Shared {
            texts: Names::new(),
            causes: Names::new(),
        }
    }
}

/// Four-byte alignment throughout, so that nothing is padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Packed {
    total: i32,
    categories: [i32; 5],
    version: u32,
    rated_at: [u32; 2],
    valid_until: [u32; 2],
    next_at: [u32; 2],
    sector: u16,
    district: u16,
    scheme: u16,
    next_cause: u16,
    uscc: [u8; 18],
    /// Codes of the standing and, in the upper half, of the next one.
    standings: u8,
    marks: u8,
}

/// What does not fit the packed row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Side {
    /// In a box of its own: most sides are there for their events.
    next: Option<Box<Transition>>,
    events: Option<Arc<[Event]>>,
    sector: Option<Sector>,
    district: Option<District>,
    scheme: Option<Arc<str>>,
}

impl Side {
    fn is_empty(&self) -> bool {
        let Side {
            next,
            events,
            sector,
            district,
            scheme,
        } = self;
        next.is_none() && events.is_none() && sector.is_none() && district.is_none() && scheme.is_none()
    }

    /// With what it alone holds and the counts of its references; texts of events are counted, shared names are not.
    pub(super) fn bytes(&self) -> usize {
        const COUNTS: usize = 2 * size_of::<usize>();
        let next = self.next.as_ref().map_or(0, |_| size_of::<Transition>());
        let events = self.events.iter().flat_map(|events| events.iter());
        let events: usize = events
            .map(|event| size_of::<Event>() + event.kind.as_str().len())
            .sum();
        let list = self.events.as_ref().map_or(0, |_| COUNTS);
        COUNTS + size_of::<Side>() + next + list + events
    }
}

const NO_POINTS: i32 = i32::MIN;
const NO_TIME: i64 = i64::MIN;
const NO_STANDING: u8 = 0;
const UNREADABLE: u8 = 0b1111;
/// Standings have codes of four bits.
const HALF: u8 = 4;
const POLLUTER: u8 = 0b11;
const OPEN_RECTIFICATION: u8 = 0b100;
const OBJECTION_OPEN: u8 = 0b1000;

impl Packed {
    pub(super) fn uscc(&self) -> &[u8; 18] {
        &self.uscc
    }

    /// It stands for a row that could not be understood.
    pub(super) fn is_unreadable(&self) -> bool {
        self.standing() == UNREADABLE
    }

    fn standing(&self) -> u8 {
        self.standings & UNREADABLE
    }

    fn next_standing(&self) -> u8 {
        self.standings >> HALF
    }

    /// As a snapshot on disk has it; numbers of names stay numbers.
    pub(super) fn write_to(&self, out: &mut Vec<u8>) {
        let Packed {
            total,
            categories,
            version,
            rated_at,
            valid_until,
            next_at,
            sector,
            district,
            scheme,
            next_cause,
            uscc,
            standings,
            marks,
        } = self;
        out.extend(total.to_le_bytes());
        out.extend(categories.iter().flat_map(|points| points.to_le_bytes()));
        out.extend(version.to_le_bytes());
        for part in [rated_at, valid_until, next_at].into_iter().flatten() {
            out.extend(part.to_le_bytes());
        }
        for number in [sector, district, scheme, next_cause] {
            out.extend(number.to_le_bytes());
        }
        out.extend(uscc);
        out.extend([standings, marks]);
    }

    /// The row, and what follows it; `None` if it is too short.
    pub(super) fn read_from(mut bytes: &[u8]) -> Option<(Packed, &[u8])> {
        let from = &mut bytes;
        let total = i32::from_le_bytes(take(from)?);
        let mut categories = [0; 5];
        for points in &mut categories {
            *points = i32::from_le_bytes(take(from)?);
        }
        let version = u32::from_le_bytes(take(from)?);
        let mut parts = [0; 6];
        for part in &mut parts {
            *part = u32::from_le_bytes(take(from)?);
        }
        let [a, b, c, d, e, f] = parts;
        let mut numbers = [0; 4];
        for number in &mut numbers {
            *number = u16::from_le_bytes(take(from)?);
        }
        let [sector, district, scheme, next_cause] = numbers;
        let uscc = take(from)?;
        let [standings, marks] = take(from)?;
        let packed = Packed {
            total,
            categories,
            version,
            rated_at: [a, b],
            valid_until: [c, d],
            next_at: [e, f],
            sector,
            district,
            scheme,
            next_cause,
            uscc,
            standings,
            marks,
        };
        Some((packed, bytes))
    }

    /// Flags are kept elsewhere, so those of `facts` are not looked at.
    pub(super) fn pack(
        uscc: &Uscc,
        facts: &Result<Facts, Unreadable>,
        shared: &Shared,
    ) -> (Packed, Option<Arc<Side>>) {
        let unreadable = Packed {
            total: NO_POINTS,
            categories: [NO_POINTS; 5],
            version: 0,
            rated_at: split(None),
            valid_until: split(None),
            next_at: split(None),
            sector: NONE,
            district: NONE,
            scheme: NONE,
            next_cause: NONE,
            uscc: *uscc.as_bytes(),
            standings: UNREADABLE,
            marks: 0,
        };
        let Ok(facts) = facts else {
            return (unreadable, None);
        };
        match Packed::fill(unreadable, facts, shared) {
            Some((packed, side)) => (packed, (!side.is_empty()).then(|| Arc::new(side))),
            None => (unreadable, None),
        }
    }

    /// `None`: points that no scheme gives.
    fn fill(mut packed: Packed, facts: &Facts, shared: &Shared) -> Option<(Packed, Side)> {
        let rating = &facts.rating;
        let mut side = Side::default();
        packed.total = points(rating.total)?;
        for (to, from) in packed.categories.iter_mut().zip(rating.categories) {
            *to = points(from)?;
        }
        packed.version = rating.version;
        packed.rated_at = split(rating.rated_at);
        packed.valid_until = split(rating.valid_until);
        let number = |text: &str| shared.texts.number(&text.into());
        if let Some(sector) = facts.sector {
            packed.sector = number(sector.as_str()).unwrap_or(ASIDE);
            side.sector = (packed.sector == ASIDE).then_some(sector);
        }
        if let Some(district) = facts.district {
            packed.district = number(district.as_str()).unwrap_or(ASIDE);
            side.district = (packed.district == ASIDE).then_some(district);
        }
        packed.scheme = shared.texts.number(&rating.scheme).unwrap_or(ASIDE);
        side.scheme = (packed.scheme == ASIDE).then(|| rating.scheme.clone());
        packed.standings = standing_code(rating.standing);
        packed.marks = polluter_code(facts.polluter_class)
            | if facts.open_rectification {
                OPEN_RECTIFICATION
            } else {
                0
            }
            | if facts.objection_open { OBJECTION_OPEN } else { 0 };
        if let Some(next) = &rating.next {
            // The usual one, a validity that ends, changes no points.
            let same = next.total == rating.total && next.categories == rating.categories;
            match same.then(|| shared.causes.number(&next.cause)).flatten() {
                Some(cause) => {
                    packed.next_at = split(Some(next.at));
                    packed.standings |= standing_code(next.standing) << HALF;
                    packed.next_cause = cause;
                }
                None => side.next = Some(Box::new(next.clone())),
            }
        }
        side.events = (!facts.events.is_empty()).then(|| facts.events.clone());
        Some((packed, side))
    }

    /// The facts, with the enterprise's flags.
    pub(super) fn unpack(
        &self,
        side: Option<&Arc<Side>>,
        shared: &Shared,
        flags: Arc<[Flag]>,
    ) -> Result<Facts, Unreadable> {
        let total = unpoints(self.total);
        let categories = self.categories.map(unpoints);
        let next = match self.next_standing() {
            NO_STANDING => side.and_then(|side| side.next.as_deref().cloned()),
            code => Some(Transition {
                at: join(self.next_at).ok_or(Unreadable)?,
                standing: standing(code).ok_or(Unreadable)?,
                total,
                categories,
                cause: shared.causes.value(self.next_cause).ok_or(Unreadable)?.clone(),
            }),
        };
        let scheme = match self.scheme {
            ASIDE => side.and_then(|side| side.scheme.as_ref()),
            number => shared.texts.value(number),
        };
        let rating = RatingFacts {
            standing: standing(self.standing()).ok_or(Unreadable)?,
            total,
            categories,
            rated_at: join(self.rated_at),
            valid_until: join(self.valid_until),
            next,
            scheme: scheme.ok_or(Unreadable)?.clone(),
            version: self.version,
        };
        Ok(Facts {
            known: true,
            rating,
            sector: code(self.sector, side.and_then(|side| side.sector), shared)?,
            district: code(self.district, side.and_then(|side| side.district), shared)?,
            polluter_class: polluter(self.marks & POLLUTER).ok_or(Unreadable)?,
            open_rectification: self.marks & OPEN_RECTIFICATION != 0,
            objection_open: self.marks & OBJECTION_OPEN != 0,
            events: side.and_then(|side| side.events.clone()).unwrap_or_default(),
            flags,
        })
    }

    /// The same as [`Packed::unpack`] into facts that are used again and again, so that nothing is counted or copied
    /// for most enterprises: a transition that has come by `as_of` is applied, one to come is left out, and the scheme
    /// is not named. Flags are the caller's.
    pub(super) fn refill(
        &self,
        side: Option<&Arc<Side>>,
        words: &Places,
        as_of: Timestamp,
        facts: &mut Facts,
    ) -> Result<(), Unreadable> {
        let rating = &mut facts.rating;
        rating.standing = standing(self.standing()).ok_or(Unreadable)?;
        rating.total = unpoints(self.total);
        rating.categories = self.categories.map(unpoints);
        match self.next_standing() {
            NO_STANDING => {
                if let Some(next) = side.and_then(|side| side.next.as_deref())
                    && next.at <= as_of
                {
                    rating.standing = next.standing;
                    rating.total = next.total;
                    rating.categories = next.categories;
                }
            }
            code => {
                let next = standing(code).ok_or(Unreadable)?;
                if join(self.next_at).ok_or(Unreadable)? <= as_of {
                    rating.standing = next;
                }
            }
        }
        rating.rated_at = join(self.rated_at);
        rating.valid_until = join(self.valid_until);
        rating.version = self.version;
        facts.known = true;
        facts.sector = words.sector(self.sector, side)?;
        facts.district = words.district(self.district, side)?;
        facts.polluter_class = polluter(self.marks & POLLUTER).ok_or(Unreadable)?;
        facts.open_rectification = self.marks & OPEN_RECTIFICATION != 0;
        facts.objection_open = self.marks & OBJECTION_OPEN != 0;
        match side.and_then(|side| side.events.as_ref()) {
            Some(events) => facts.events = events.clone(),
            None if facts.events.is_empty() => {}
            None => facts.events = Arc::default(),
        }
        Ok(())
    }
}

/// The shared texts read as sectors and districts, once for all rows.
#[derive(Debug)]
pub(super) struct Places {
    sectors: Vec<Option<Sector>>,
    districts: Vec<Option<District>>,
}

impl Places {
    pub(super) fn of(shared: &Shared) -> Places {
        let texts = shared.texts.all();
        Places {
            sectors: texts.iter().map(|text| text.parse().ok()).collect(),
            districts: texts.iter().map(|text| text.parse().ok()).collect(),
        }
    }

    fn sector(&self, number: u16, side: Option<&Arc<Side>>) -> Result<Option<Sector>, Unreadable> {
        read(number, &self.sectors, side.and_then(|side| side.sector))
    }

    fn district(&self, number: u16, side: Option<&Arc<Side>>) -> Result<Option<District>, Unreadable> {
        read(number, &self.districts, side.and_then(|side| side.district))
    }
}

fn read<T: Copy>(number: u16, known: &[Option<T>], aside: Option<T>) -> Result<Option<T>, Unreadable> {
    match number {
        NONE => Ok(None),
        ASIDE => Ok(aside),
        number => match known.get(usize::from(number)) {
            Some(Some(read)) => Ok(Some(*read)),
            Some(None) | None => Err(Unreadable),
        },
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*taken)
}

fn code<T: FromStr>(number: u16, aside: Option<T>, shared: &Shared) -> Result<Option<T>, Unreadable> {
    match number {
        NONE => Ok(None),
        ASIDE => Ok(aside),
        number => {
            let text = shared.texts.value(number).ok_or(Unreadable)?;
            text.parse().map(Some).map_err(|_| Unreadable)
        }
    }
}

/// `None`: out of range.
fn points(points: Option<Points>) -> Option<i32> {
    match points {
        None => Some(NO_POINTS),
        Some(points) => i32::try_from(points.milli())
            .ok()
            .filter(|milli| *milli != NO_POINTS),
    }
}

fn unpoints(milli: i32) -> Option<Points> {
    (milli != NO_POINTS).then(|| Points::from_milli(i64::from(milli)))
}

fn split(at: Option<Timestamp>) -> [u32; 2] {
    let [a, b, c, d, e, f, g, h] = at.map_or(NO_TIME, Timestamp::micros).to_le_bytes();
    [u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h])]
}

fn join([low, high]: [u32; 2]) -> Option<Timestamp> {
    let micros = i64::from_le_bytes((u64::from(low) | u64::from(high) << 32).to_le_bytes());
    (micros != NO_TIME).then(|| Timestamp::from_micros(micros))
}

fn standing_code(standing: Standing) -> u8 {
    match standing {
        Standing::Rated(star) => star.get(),
        Standing::NotRated => 10,
        Standing::NotListed => 11,
        Standing::Vetoed => 12,
        Standing::Suspended => 13,
        Standing::Expired => 14,
    }
}

fn standing(code: u8) -> Option<Standing> {
    let state = match code {
        10 => RatingState::NotRated,
        11 => RatingState::NotListed,
        12 => RatingState::Vetoed,
        13 => RatingState::Suspended,
        14 => RatingState::Expired,
        rank => return Star::try_from(i64::from(rank)).ok().map(Standing::Rated),
    };
    Standing::from_parts(state, None)
}

fn polluter_code(class: PolluterClass) -> u8 {
    match class {
        PolluterClass::General => 0,
        PolluterClass::Key => 1,
        PolluterClass::HazardousWasteOperator => 2,
    }
}

/// `None`: one that nobody writes.
fn polluter(code: u8) -> Option<PolluterClass> {
    match code {
        0 => Some(PolluterClass::General),
        1 => Some(PolluterClass::Key),
        2 => Some(PolluterClass::HazardousWasteOperator),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_takes_80_bytes() {
        // With at most 11.4 bytes for its place in the index that leaves 4 for the sides of the few that have one
        // (protocol.md §10: 96).
        assert_eq!(size_of::<Packed>(), 80);
    }

    #[test]
    fn p10_a_class_that_nobody_writes_is_not_the_mildest() {
        let shared = Shared::new();
        let uscc: Uscc = "91110115MAX000015J".parse().unwrap();
        let (packed, side) = Packed::pack(&uscc, &Ok(Facts::unknown()), &shared);
        let unpacked = |marks| {
            let packed = Packed { marks, ..packed };
            let facts = packed.unpack(side.as_ref(), &shared, Arc::default());
            facts.map(|facts| facts.polluter_class)
        };
        for class in PolluterClass::ALL {
            assert_eq!(unpacked(polluter_code(class)), Ok(class));
        }
        assert_eq!(unpacked(POLLUTER), Err(Unreadable));
    }
}
