//! The legal gate (P6): no measure without an entry in force, a basis in force, and something that
//! carries it; class 1 needs a named article.

use greenstar_kernel::Timestamp;

use super::catalogue::{Catalogue, MeasureClass, MeasureEntry, Support};
use super::columns::Reading;

/// What carries a measure.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ground {
    /// The star, the state or the ordinary regime carries it.
    pub(super) by_standing: bool,
    /// Positions in the facts' flags.
    pub(super) flags: Vec<usize>,
    /// When the last of the flags stops carrying it.
    pub(super) ends: Option<Timestamp>,
}

/// Why the law does not carry a measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Blocked {
    /// The catalogue's entry is not in force.
    EntryEnded,
    /// None of its legal bases is in force.
    NoBasis,
    /// It is of class 1 and no article in force names it.
    NoArticle,
    /// Neither a flag nor the star or state carries it.
    Unsupported,
    /// A flag would carry it, were it more severe.
    TooMild,
    /// A flag carried it, but not beyond its severity's ceiling.
    PastCeiling,
}

pub(super) fn gate(
    entry: &MeasureEntry,
    catalogue: &Catalogue,
    reading: &Reading<'_>,
) -> Result<Ground, Blocked> {
    if !entry.in_force(reading.today) {
        return Err(Blocked::EntryEnded);
    }
    if catalogue.bases_of(entry, reading.today).next().is_none() {
        return Err(Blocked::NoBasis);
    }
    let named = || {
        catalogue
            .bases_of(entry, reading.today)
            .any(|basis| basis.article.is_some())
    };
    if entry.class == MeasureClass::Rights && !named() {
        return Err(Blocked::NoArticle);
    }
    let mut ground = Ground {
        by_standing: entry
            .supports
            .iter()
            .any(|support| support.by_standing(reading.rating.standing)),
        ..Ground::default()
    };
    let mut blocked = Blocked::Unsupported;
    for active in reading.flags.iter().filter(|active| active.counts) {
        let Some(flag) = reading.facts.flags.get(active.index) else {
            continue;
        };
        let mut carries = false;
        for support in &entry.supports {
            let Support::Flag { kind, least } = support else {
                continue;
            };
            if *kind != flag.kind {
                continue;
            }
            if flag.severity < *least {
                blocked = blocked.max(Blocked::TooMild);
            } else if active.ceiling <= reading.as_of {
                blocked = blocked.max(Blocked::PastCeiling);
            } else {
                carries = true;
            }
        }
        if carries {
            let ends = flag.end.map_or(active.ceiling, |end| end.min(active.ceiling));
            ground.ends = ground.ends.max(Some(ends));
            ground.flags.push(active.index);
        }
    }
    if ground.by_standing || !ground.flags.is_empty() {
        Ok(ground)
    } else {
        Err(blocked)
    }
}
