//! What was true and what was known: two times of one history, and what changed from one version to the next.
//!
//! Valid time is when something holds: an event from its document's date, a repair from the day it was granted.
//! Recorded time is since when we know it. An annulment is known from its day on, and says that the event never held.

use greenstar_kernel::{Code, Document, LocalizedText, Points, Star, Timestamp};
use serde::{Deserialize, Serialize};

use super::event::{Event, Meaning};
use super::firm::Rated;
use super::repeat::Repeats;
use super::scheme::Scheme;
use super::score::{ActiveVeto, Assessment, Gate, ItemLine};

/// What of an assessment is neither in the rating nor in its lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explained {
    /// Vetoes that were active.
    pub vetoes: Vec<ActiveVeto>,
    /// Lost its last star to drops.
    pub dropped: bool,
    /// Documents with a penalty that the gate counted.
    pub penalties: u32,
    /// Something had to be put right.
    pub open_rectification: bool,
    /// Every gate of every star, highest star first.
    pub gates: Vec<(Star, Vec<(Gate, bool)>)>,
    /// What kept the standing from being one better.
    pub blocked: Vec<Gate>,
}

impl Explained {
    /// Of an assessment.
    pub fn of(assessment: &Assessment) -> Explained {
        Explained {
            vetoes: assessment.vetoes.clone(),
            dropped: assessment.dropped,
            penalties: assessment.penalties,
            open_rectification: assessment.open_rectification,
            gates: assessment.gates.clone(),
            blocked: assessment.blocked.clone(),
        }
    }

    /// The assessment of a version, whole again. `lines` are those that gave or took something.
    pub fn assessment(self, rated: &Rated, lines: &[ItemLine], scheme: &Scheme) -> Assessment {
        let whole = scheme.items.iter().map(|item| {
            let line = lines.iter().find(|line| line.item == item.code);
            line.cloned().unwrap_or_else(|| ItemLine {
                item: item.code.clone(),
                points: Points::ZERO,
                deductions: Vec::new(),
            })
        });
        Assessment {
            standing: rated.standing,
            dropped: self.dropped,
            total: rated.total,
            categories: rated.categories.clone(),
            lines: whole.collect(),
            vetoes: self.vetoes,
            penalties: self.penalties,
            open_rectification: self.open_rectification,
            gates: self.gates,
            blocked: self.blocked,
        }
    }
}

/// The events as they were at `valid`, by what was known at `known`.
pub fn events_at(events: &[Event], valid: Timestamp, known: Timestamp) -> Vec<Event> {
    let heard = |event: &&Event| event.recorded_at <= known && event.document.date.start() <= valid;
    let by_then = |at: Option<Timestamp>| at.filter(|at| *at <= valid && *at <= known);
    let mut then: Vec<Event> = events.iter().filter(heard).cloned().collect();
    for event in &mut then {
        event.rectified_at = by_then(event.rectified_at);
        event.repaired_at = by_then(event.repaired_at);
        event.revoked_at = event.revoked_at.filter(|at| *at <= known);
        // A marker of today.
        event.under_appeal &= event.recorded_at <= valid;
    }
    then
}

/// What changed in one item or veto.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineChange {
    /// Item or veto code.
    pub item: Code,
    /// Its title.
    pub title: LocalizedText,
    /// Points of the item before and after; `None` of a veto.
    pub points: Option<(Points, Points)>,
    /// What deducts, or is active, and did not before.
    pub added: Vec<Ground>,
    /// What did before and does no more.
    pub removed: Vec<Ground>,
}

/// An event behind a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ground {
    /// The event.
    pub event: Code,
    /// The kind that it counts as.
    pub kind: Code,
    /// What it takes by rule; `None` of a veto.
    pub points: Option<Points>,
    /// Until when; of a veto the earliest end.
    pub until: Timestamp,
    /// The document behind it.
    pub document: Document,
    /// Code of the site.
    pub site: Option<String>,
}

/// What two versions are compared by.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// Items; those that are missing gave and took nothing.
    pub lines: &'a [ItemLine],
    /// Active vetoes.
    pub vetoes: &'a [ActiveVeto],
}

impl<'a> Side<'a> {
    /// Of an assessment.
    pub fn of(assessment: &'a Assessment) -> Side<'a> {
        Side {
            lines: &assessment.lines,
            vetoes: &assessment.vetoes,
        }
    }

    fn line(&self, item: &Code) -> (Points, Vec<(&'a Code, &'a Code, Points, Timestamp)>) {
        let line = self.lines.iter().find(|line| line.item == *item);
        line.map_or((Points::ZERO, Vec::new()), |line| {
            let taken = line.deductions.iter();
            let taken = taken.map(|taken| (&taken.event, &taken.kind, taken.points, taken.until));
            (line.points, taken.collect())
        })
    }
}

/// What changed from one version to another, items in the scheme's order, then vetoes. `events` are the firm's, all
/// that were ever recorded.
pub fn changes(scheme: &Scheme, events: &[Event], before: Side<'_>, after: Side<'_>) -> Vec<LineChange> {
    let ground = |id: &Code, kind: &Code, points: Option<Points>, until: Timestamp| {
        let event = events.iter().find(|event| event.id == *id)?;
        Some(Ground {
            event: id.clone(),
            kind: kind.clone(),
            points,
            until,
            document: event.document.clone(),
            site: event.site.clone(),
        })
    };
    let mut changes = Vec::new();
    for item in &scheme.items {
        let ((old, was), (new, is)) = (before.line(&item.code), after.line(&item.code));
        let beyond = |these: &[(&Code, &Code, Points, Timestamp)],
                      those: &[(&Code, &Code, Points, Timestamp)]| {
            let fresh = these
                .iter()
                .filter(|one| !those.iter().any(|other| (other.0, other.1) == (one.0, one.1)));
            fresh
                .filter_map(|(event, kind, points, until)| ground(event, kind, Some(*points), *until))
                .collect::<Vec<_>>()
        };
        let (added, removed) = (beyond(&is, &was), beyond(&was, &is));
        if old != new || !added.is_empty() || !removed.is_empty() {
            changes.push(LineChange {
                item: item.code.clone(),
                title: item.name.clone(),
                points: Some((old, new)),
                added,
                removed,
            });
        }
    }
    for veto in &scheme.vetoes {
        let beyond = |these: &[ActiveVeto], those: &[ActiveVeto]| {
            let own = these.iter().filter(|one| one.veto == veto.code);
            let fresh = own.filter(|one| !those.iter().any(|other| other.event == one.event));
            fresh
                .filter_map(|one| ground(&one.event, &veto.code, None, one.earliest_end))
                .collect::<Vec<_>>()
        };
        let added = beyond(after.vetoes, before.vetoes);
        let removed = beyond(before.vetoes, after.vetoes);
        if !added.is_empty() || !removed.is_empty() {
            changes.push(LineChange {
                item: veto.code.clone(),
                title: veto.name.clone(),
                points: None,
                added,
                removed,
            });
        }
    }
    changes
}

/// An event by id with what it counts as.
pub(super) fn meaning<'a>(
    scheme: &'a Scheme,
    events: &'a [Event],
    id: &Code,
) -> Option<(&'a Event, Meaning<'a>)> {
    let event = events.iter().find(|event| event.id == *id)?;
    Some((event, Repeats::of(scheme, events).meaning(event)?))
}
