//! Which events count as a repeat: the scheme's "a third verified complaint instead of a minor one".
//!
//! Decided from the documents' dates whenever it is asked, never when an event is recorded: papers reach the
//! recorder in any order, and the order must not move a star.

use std::collections::BTreeSet;

use greenstar_kernel::{Code, Document};

use super::event::{Event, Meaning};
use super::scheme::{Escalation, Scheme};
use super::score::ScoreError;

/// A document at a site, of an escalation: one matter, in however many items it was recorded.
type Matter<'a> = (&'a Code, &'a Document, &'a Option<String>);

/// What the repeating events of an enterprise count as.
#[derive(Debug)]
pub struct Repeats<'a> {
    scheme: &'a Scheme,
    matters: BTreeSet<Matter<'a>>,
}

impl<'a> Repeats<'a> {
    /// Of all events of an enterprise. In the order of their documents' dates, each that has n - 1 others before
    /// it within the months up to its own date is a repeat. What was repaired or annulled does not count here either. Of one
    /// date the document decides, which does not depend on who typed first.
    pub fn of(scheme: &'a Scheme, events: &'a [Event]) -> Repeats<'a> {
        let mut matters = BTreeSet::new();
        for escalation in &scheme.escalations {
            let ordered: BTreeSet<_> = events
                .iter()
                .filter(|event| escalation.covers(&event.kind) && !event.is_struck())
                .map(|event| (event.document.date, &event.document, &event.site))
                .collect();
            let later = ordered.iter().skip(escalation.nth.saturating_sub(1));
            for ((first, ..), (date, document, site)) in ordered.iter().zip(later) {
                if date.start() < first.term_end(escalation.within) {
                    matters.insert((&escalation.to, *document, *site));
                }
            }
        }
        Repeats { scheme, matters }
    }

    /// The kind that an event counts as; that of a repaired or annulled one is what was recorded.
    pub fn kind<'e>(&self, event: &'e Event) -> &'e Code
    where
        'a: 'e,
    {
        let covers = |escalation: &&Escalation| escalation.covers(&event.kind);
        match self.scheme.escalations.iter().find(covers) {
            Some(escalation) if !event.is_struck() => {
                let matter = (&escalation.to, &event.document, &event.site);
                if self.matters.contains(&matter) {
                    &escalation.to
                } else {
                    &escalation.from
                }
            }
            Some(_) | None => &event.kind,
        }
    }

    /// What an event means by the kind that it counts as; `None`: the scheme does not know it.
    pub fn meaning(&self, event: &Event) -> Option<Meaning<'a>> {
        Meaning::of(self.scheme, self.kind(event))
    }

    /// The event as it is shown: with the kind that it counts as, and that kind's severity.
    pub fn shown(&self, event: &Event) -> Event {
        let kind = self.kind(event);
        let mut shown = event.clone();
        if *kind != event.kind {
            shown.kind = kind.clone();
            shown.severity = self.meaning(event).map_or(event.severity, Meaning::severity);
        }
        shown
    }
}

/// Every event with what it counts as. What was annulled is not there, as if it had never been recorded.
///
/// # Errors
/// [`ScoreError::KindUnknown`]
pub(super) fn meant<'a>(
    scheme: &'a Scheme,
    events: &'a [Event],
) -> Result<Vec<(&'a Event, Meaning<'a>)>, ScoreError> {
    let repeats = Repeats::of(scheme, events);
    let standing = events.iter().filter(|event| event.revoked_at.is_none());
    let meant = standing.map(|event| {
        let meaning = repeats.meaning(event);
        Ok((
            event,
            meaning.ok_or_else(|| ScoreError::KindUnknown(event.kind.clone()))?,
        ))
    });
    meant.collect()
}
