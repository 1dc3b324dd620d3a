//! The legal gate (P6): no measure without an entry in force, a basis in force, and something that
//! carries it; class 1 needs a named article.

use greenstar_kernel::{Date, RatingState, Standing, Timestamp};

use super::catalogue::{CatalogueParts, MeasureClass, MeasureEntry, Severity, Support};
use super::columns::Reading;

/// What carries a measure.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ground {
    /// Positions in the facts' flags; the star, the state or the ordinary regime may carry it too.
    pub(super) flags: Vec<usize>,
    /// When it ends, as far as that is known: the entry, its bases, or the last flag that carries it, whichever is
    /// first. `None`: open.
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
    /// A flag would carry it, but none of the bases of its own kind is in force.
    FlagWithoutBasis,
}

/// An entry of the catalogue, prepared so that the gate compares numbers only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GateEntry {
    class: MeasureClass,
    window: Window,
    bases: Vec<BasisWindow>,
    always: bool,
    /// Stars that carry it, by rank - 1.
    stars: [bool; 5],
    states: Vec<RatingState>,
    flags: Vec<Carrier>,
}

/// A kind of flag that carries a measure.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Carrier {
    /// Position in the catalogue's kinds.
    kind: usize,
    least: Severity,
    /// Of the kind's own bases: one whose bases have all ended stays a fact and carries nothing.
    bases: Vec<Window>,
}

/// From an instant until before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Window {
    from: Timestamp,
    until: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct BasisWindow {
    /// Position in the catalogue's bases.
    position: usize,
    window: Window,
    article: bool,
}

/// Never.
const OPEN: Timestamp = Timestamp::from_micros(i64::MAX);

impl Window {
    /// Both days included; an absent day is open.
    fn of(first: Option<Date>, last: Option<Date>) -> Window {
        Window {
            from: first.map_or(Timestamp::from_micros(i64::MIN), Date::start),
            until: last.map_or(OPEN, |last| last.plus_days(1).start()),
        }
    }

    fn holds(self, as_of: Timestamp) -> bool {
        self.from <= as_of && as_of < self.until
    }

    /// From `as_of` on, how long one of these holds without a gap; `as_of` itself: none does.
    fn lasts(windows: impl Iterator<Item = Window> + Clone, as_of: Timestamp) -> Timestamp {
        let mut end = as_of;
        while let Some(window) = windows.clone().find(|window| window.holds(end)) {
            end = window.until;
        }
        end
    }
}

impl GateEntry {
    pub(super) fn of(entry: &MeasureEntry, parts: &CatalogueParts) -> GateEntry {
        let mut gate = GateEntry {
            class: entry.class,
            window: Window::of(entry.from, entry.until),
            bases: Vec::new(),
            always: false,
            stars: [false; 5],
            states: Vec::new(),
            flags: Vec::new(),
        };
        for code in &entry.bases {
            let known = parts
                .bases
                .iter()
                .enumerate()
                .find(|(_, basis)| basis.code == *code);
            gate.bases.extend(known.map(|(position, basis)| BasisWindow {
                position,
                window: Window::of(basis.effective, basis.end),
                article: basis.article.is_some(),
            }));
        }
        for support in &entry.supports {
            match support {
                Support::Always => gate.always = true,
                Support::State { state } => gate.states.push(*state),
                Support::Star { star } => {
                    if let Some(slot) = gate.stars.get_mut(usize::from(star.get()) - 1) {
                        *slot = true;
                    }
                }
                Support::Flag { kind, least } => {
                    let position = parts.flag_kinds.iter().position(|known| known.code == *kind);
                    gate.flags.extend(position.map(|position| Carrier {
                        kind: position,
                        least: *least,
                        bases: windows_of(parts, position),
                    }));
                }
            }
        }
        gate
    }

    /// Positions of the bases that are in force.
    pub(super) fn bases(&self, as_of: Timestamp) -> impl Iterator<Item = usize> {
        let in_force = self.bases.iter().filter(move |basis| basis.window.holds(as_of));
        in_force.map(|basis| basis.position)
    }

    pub(super) fn pass(&self, reading: &Reading<'_>) -> Result<Ground, Blocked> {
        let as_of = reading.as_of;
        if !self.window.holds(as_of) {
            return Err(Blocked::EntryEnded);
        }
        if !self.bases.iter().any(|basis| basis.window.holds(as_of)) {
            return Err(Blocked::NoBasis);
        }
        let rights = self.class == MeasureClass::Rights;
        let carrying = self.bases.iter().filter(|basis| basis.article || !rights);
        let based = Window::lasts(carrying.map(|basis| basis.window), as_of);
        if based <= as_of {
            return Err(Blocked::NoArticle);
        }
        let by_standing = self.by_standing(reading.rating.standing);
        let mut flags = Vec::new();
        // While anything carries it.
        let mut carried = if by_standing { OPEN } else { as_of };
        let mut blocked = Blocked::Unsupported;
        for active in reading.flags.iter().filter(|active| active.counts) {
            let Some(flag) = reading.facts.flags.get(active.index) else {
                continue;
            };
            let within = flag.end.map_or(active.ceiling, |end| end.min(active.ceiling));
            let mut carries = false;
            for carrier in self.flags.iter().filter(|carrier| carrier.kind == active.kind) {
                let known = Window::lasts(carrier.bases.iter().copied(), as_of);
                if flag.severity < carrier.least {
                    blocked = blocked.max(Blocked::TooMild);
                } else if known <= as_of {
                    blocked = blocked.max(Blocked::FlagWithoutBasis);
                } else if active.ceiling <= as_of {
                    blocked = blocked.max(Blocked::PastCeiling);
                } else {
                    carries = true;
                    carried = carried.max(within.min(known));
                }
            }
            if carries {
                flags.push(active.index);
            }
        }
        if !by_standing && flags.is_empty() {
            return Err(blocked);
        }
        let ends = carried.min(based).min(self.window.until);
        Ok(Ground {
            flags,
            ends: Some(ends).filter(|ends| *ends != OPEN),
        })
    }

    /// Whether the entry, its bases and their articles are in force, whatever carries it there.
    pub(super) fn stands(&self, as_of: Timestamp) -> bool {
        let rights = self.class == MeasureClass::Rights;
        let mut in_force = self.bases.iter().filter(|basis| basis.window.holds(as_of));
        self.window.holds(as_of) && in_force.any(|basis| basis.article || !rights)
    }

    /// Whether a flag of this kind and severity carries it, until the severity's ceiling.
    pub(super) fn by_flag(&self, kind: usize, severity: Severity, as_of: Timestamp) -> bool {
        self.flags.iter().any(|carrier| {
            carrier.kind == kind
                && severity >= carrier.least
                && carrier.bases.iter().any(|basis| basis.holds(as_of))
        })
    }

    pub(super) fn by_standing(&self, standing: Standing) -> bool {
        let by_star = standing
            .star()
            .and_then(|star| self.stars.get(usize::from(star.get()) - 1).copied());
        self.always || by_star == Some(true) || self.states.contains(&standing.state())
    }
}

/// When the bases of a kind are in force.
fn windows_of(parts: &CatalogueParts, kind: usize) -> Vec<Window> {
    let codes = parts.flag_kinds.get(kind).map_or(&[][..], |kind| &kind.bases);
    let bases = parts.bases.iter().filter(|basis| codes.contains(&basis.code));
    bases
        .map(|basis| Window::of(basis.effective, basis.end))
        .collect()
}
