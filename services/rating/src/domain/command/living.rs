//! What keeps ratings living beside single events: many events at once, suspension, notices that firms read, and
//! frozen lists.

use greenstar_kernel::{Caller, Code, Timestamp, Uscc};
use serde::{Deserialize, Serialize};

use super::{Answer, NewEvent, Notice, World, assess};
use crate::domain::error::Refusal;
use crate::domain::event::Event;
use crate::domain::firm::{Firm, RatingView, Suspension};
use crate::domain::snapshot::{Snapshot, StagedEntry};

/// What became of one event of several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recorded {
    /// It was recorded, and scored.
    Event(Box<(Event, RatingView)>),
    /// It was not; nothing was changed by it. No request id is bound to several events, so this is never stored.
    #[serde(skip)]
    Refused(Refusal),
}

/// Each for itself, in order; all that are taken are written together.
pub(super) fn record_all(
    world: &mut World,
    by: &Caller,
    new: &[NewEvent],
    at: Timestamp,
) -> Result<(Answer, Vec<Notice>), Refusal> {
    let (mut recorded, mut notices) = (Vec::with_capacity(new.len()), Vec::new());
    for event in new {
        recorded.push(match assess::record(world, by, event, at) {
            Ok((Answer::Event(changed), told)) => {
                notices.extend(told);
                Recorded::Event(changed)
            }
            // Recording answers with an event and nothing else.
            Ok(_) => Recorded::Refused(Refusal::EventUnknown),
            Err(refusal) => Recorded::Refused(refusal),
        });
    }
    Ok((Answer::Events(recorded), notices))
}

pub(super) fn suspend(
    world: &mut World,
    by: &Caller,
    uscc: &Uscc,
    reason: &str,
    at: Timestamp,
) -> Result<(Answer, Vec<Notice>), Refusal> {
    let officer = by.officer().ok_or(Refusal::NotYours)?;
    let mut firm = rated(world, uscc)?;
    let Some(rated) = &mut firm.rated else {
        return Err(Refusal::AssessmentUnknown(*uscc));
    };
    if rated.suspended.is_some() {
        return Err(Refusal::SuspensionState { suspended: true });
    }
    rated.suspended = Some(Suspension {
        at,
        reason: reason.to_owned(),
        by: officer.clone(),
    });
    rescored(world, firm, at, format!("suspended: {reason}"))
}

pub(super) fn resume(
    world: &mut World,
    by: &Caller,
    uscc: &Uscc,
    reason: &str,
    at: Timestamp,
) -> Result<(Answer, Vec<Notice>), Refusal> {
    let officer = by.officer().ok_or(Refusal::NotYours)?;
    let mut firm = rated(world, uscc)?;
    let Some(suspension) = firm.rated.as_mut().and_then(|rated| rated.suspended.take()) else {
        return Err(Refusal::SuspensionState { suspended: false });
    };
    if suspension.by == *officer {
        return Err(Refusal::SameOfficer(officer.clone()));
    }
    rescored(world, firm, at, format!("resumed: {reason}"))
}

fn rated(world: &World, uscc: &Uscc) -> Result<Firm, Refusal> {
    let firm = world.firms.get(uscc).filter(|firm| firm.rated.is_some());
    firm.cloned().ok_or(Refusal::AssessmentUnknown(*uscc))
}

fn rescored(
    world: &mut World,
    mut firm: Firm,
    at: Timestamp,
    cause: String,
) -> Result<(Answer, Vec<Notice>), Refusal> {
    let uscc = firm.enterprise.uscc;
    let key = firm.rated.as_ref().map(|rated| rated.scheme.clone());
    let stored = world.scheme(&key.ok_or(Refusal::AssessmentUnknown(uscc))?)?;
    let assessment = firm.rate(&stored.scheme, at)?;
    let view = firm.view(Some(&stored.scheme), at)?;
    world.append(&firm, assessment, cause);
    let notice = world.fact(&firm);
    world.put_firm(firm);
    Ok((Answer::Rating(Box::new(view)), vec![notice]))
}

/// The firm itself, and nobody for it. Again, it changes nothing.
pub(super) fn acknowledge(
    world: &mut World,
    by: &Caller,
    uscc: &Uscc,
    id: &str,
    at: Timestamp,
) -> Result<(Answer, Vec<Notice>), Refusal> {
    if *by != Caller::Enterprise(*uscc) {
        return Err(Refusal::NotYours);
    }
    let found = world.notices.get(&(*uscc, id.to_owned()));
    let mut notice = found.cloned().ok_or(Refusal::NoticeUnknown)?;
    let mut told = Vec::new();
    if notice.acknowledged_at.is_none() {
        notice.acknowledged_at = Some(at);
        told.push(Notice::Acknowledged(*uscc, notice.id.clone()));
        world.put_notice(notice.clone());
    }
    Ok((Answer::Notice(Box::new(notice)), told))
}

/// Entries of a snapshot to come. Run twice they are the same rows.
pub(super) fn stage(
    world: &mut World,
    id: &Code,
    entries: &[StagedEntry],
) -> Result<(Answer, Vec<Notice>), Refusal> {
    if world.snapshots.contains_key(id) {
        return Err(Refusal::SnapshotExists(id.clone()));
    }
    world.changes.staged.extend_from_slice(entries);
    let staged = u32::try_from(entries.len()).unwrap_or(u32::MAX);
    Ok((Answer::Items(staged), vec![Notice::Staged(id.clone(), staged)]))
}

pub(super) fn freeze(
    world: &mut World,
    snapshot: &Snapshot,
    at: Timestamp,
) -> Result<(Answer, Vec<Notice>), Refusal> {
    if world.snapshots.contains_key(&snapshot.id) {
        return Err(Refusal::SnapshotExists(snapshot.id.clone()));
    }
    let frozen = Snapshot {
        created_at: at,
        ..snapshot.clone()
    };
    world.changes.snapshots.insert(frozen.id.clone());
    world.snapshots.insert(frozen.id.clone(), frozen.clone());
    let notice = Notice::Snapshot(frozen.id.clone(), frozen.digest.clone());
    Ok((Answer::Snapshot(Box::new(frozen)), vec![notice]))
}
