//! What the sanctions log tells, taken in the order of its revisions.

use std::collections::BTreeMap;

use greenstar_kernel::{Code, Epoch, Position, Revision, Timestamp, Uscc};
use serde::{Deserialize, Serialize};

use super::{Answer, Notice, World};
use crate::domain::error::Refusal;
use crate::domain::event::{Event, Meaning};
use crate::domain::firm::Firm;
use crate::domain::flagged::{Documents, FlagState, Told, cause_of};

/// The changes `(after, to]` of a log.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The log's epoch.
    pub epoch: Epoch,
    /// Everything up to here was told before.
    pub after: Revision,
    /// Everything up to here is told from now on.
    pub to: Revision,
    /// The log's head when it was last asked for: once all up to there is told, what another epoch had told and this
    /// one did not tell is no more.
    pub head: Revision,
    /// Of flags.
    pub told: Vec<Told>,
}

/// Up to where the sanctions log was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Everything up to here.
    pub at: Position,
    /// What earlier epochs told is kept until here.
    pub settles_at: Option<Revision>,
}

impl Frame {
    /// Until where what earlier epochs told is kept; `None`: there was none.
    fn settles_at(&self, cursor: Option<&Cursor>) -> Option<Revision> {
        let cursor = cursor?;
        if cursor.at.epoch == self.epoch {
            cursor.settles_at
        } else {
            Some(self.head)
        }
    }

    /// Whether what earlier epochs told, and this one did not, is over with it.
    pub fn settles(&self, cursor: Option<&Cursor>) -> bool {
        self.settles_at(cursor)
            .is_some_and(|settles_at| settles_at <= self.to)
    }
}

/// What came of a frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Followed {
    /// Everything up to here is taken, by whoever was first. Below the frame's end: a frame before it is missing,
    /// and nothing was done.
    pub applied: Revision,
    /// Names of events that no repair ends, of documents that were repaired.
    pub kept: Vec<String>,
}

/// What a frame changes of an enterprise.
struct Touched {
    documents: Documents,
    /// Absent if nobody registered it; what its documents are is kept for the day on which somebody does.
    firm: Option<Firm>,
    events: Vec<Event>,
}

/// Takes a frame, or nothing of it. What was taken before is skipped, so replicas may race and repeat.
pub(super) fn follow(
    world: &mut World,
    frame: &Frame,
    at: Timestamp,
) -> Result<(Answer, Vec<Notice>), Refusal> {
    let cursor = world.cursor.as_ref();
    let same = cursor.filter(|cursor| cursor.at.epoch == frame.epoch);
    let have = same.map_or(Revision::ZERO, |cursor| cursor.at.revision);
    if have < frame.after || have >= frame.to {
        let followed = Followed {
            applied: have,
            kept: Vec::new(),
        };
        return Ok((Answer::Followed(followed), Vec::new()));
    }
    let settles_at = frame.settles_at(cursor);
    let settled = frame.settles(cursor);
    let gone: Vec<Told> = if settled {
        leftovers(world, frame)
    } else {
        Vec::new()
    };

    let mut touched: BTreeMap<Uscc, Touched> = BTreeMap::new();
    let (mut versions, mut notices, mut kept) = (Vec::new(), Vec::new(), Vec::new());
    let news = frame.told.iter().filter(|told| told.revision > have);
    for told in news.chain(&gone) {
        let entry = touched.entry(told.uscc).or_insert_with(|| Touched {
            documents: world.documents.get(&told.uscc).cloned().unwrap_or_default(),
            firm: world.firms.get(&told.uscc).cloned(),
            events: Vec::new(),
        });
        let Some(firm) = &mut entry.firm else {
            entry.documents.take(told, &frame.epoch, &mut [], |_| false, at);
            continue;
        };
        let mut events = std::mem::take(&mut firm.events);
        let repairable = |event: &Event| repairable(world, firm, event);
        let outcome = entry
            .documents
            .take(told, &frame.epoch, &mut events, repairable, at);
        firm.events = events;
        kept.extend(
            outcome
                .kept
                .iter()
                .map(|id| format!("enterprises/{}/events/{id}", told.uscc)),
        );
        if outcome.changed.is_empty() {
            continue;
        }
        let changed = firm
            .events
            .iter()
            .filter(|event| outcome.changed.contains(&event.id));
        entry.events.extend(changed.cloned());
        let scheme = firm
            .rated
            .as_ref()
            .map(|rated| world.scheme(&rated.scheme))
            .transpose()?;
        let cause = cause_of(told.revision);
        if let Some(stored) = scheme {
            let assessment = firm.rate(&stored.scheme, at)?;
            versions.push((firm.clone(), assessment, cause.clone()));
        }
        notices.push(world.caused(firm, cause));
    }

    for (firm, assessment, cause) in versions {
        world.append(&firm, assessment, cause);
    }
    for (
        uscc,
        Touched {
            documents,
            firm,
            events,
        },
    ) in touched
    {
        world.put_documents(uscc, documents);
        for event in &events {
            world.changed_event(uscc, event);
        }
        if let Some(firm) = firm.filter(|_| !events.is_empty()) {
            world.put_firm(firm);
        }
    }
    world.put_cursor(Cursor {
        at: Position {
            epoch: frame.epoch.clone(),
            revision: frame.to,
        },
        settles_at: settles_at.filter(|_| !settled),
    });
    let followed = Followed {
        applied: frame.to,
        kept,
    };
    Ok((Answer::Followed(followed), notices))
}

/// What another epoch told and this one did not: the log no longer has it.
fn leftovers(world: &World, frame: &Frame) -> Vec<Told> {
    let told_again = |uscc: &Uscc, flag: &Code| {
        let mut told = frame.told.iter();
        told.any(|told| told.uscc == *uscc && told.flag == *flag)
    };
    let mut gone = Vec::new();
    for (uscc, documents) in &world.documents {
        for flagged in documents
            .flags
            .iter()
            .filter(|flagged| flagged.epoch != frame.epoch)
        {
            if !told_again(uscc, &flagged.flag) {
                gone.push(Told {
                    revision: frame.to,
                    uscc: *uscc,
                    flag: flagged.flag.clone(),
                    document: flagged.document.clone(),
                    site: flagged.site.clone(),
                    state: FlagState::Over,
                    ends_at: None,
                });
            }
        }
    }
    gone
}

/// Whether a repair ends an event, by the scheme of its enterprise.
pub(super) fn repairable(world: &World, firm: &Firm, event: &Event) -> bool {
    let stored = world.scheme_for(firm, &event.kind);
    stored.is_ok_and(|stored| Meaning::of(&stored.scheme, &event.kind).is_some_and(Meaning::repairable))
}
