//! Sources that say how far they are, and claims against data.

use greenstar_kernel::{Caller, Code, Timestamp, Uscc};

use super::{Answer, Command, Notice, Recorded, World};
use crate::domain::error::Refusal;
use crate::domain::quality::{ANSWER_DAYS, ClaimState, DataError, Datum, SourceCutoff, SourceId, promise};
use crate::domain::visibility;

/// A claim to be tracked.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// Whose datum.
    pub uscc: Uscc,
    /// Its id, made at the edge.
    pub id: Code,
    /// What is claimed to be wrong.
    pub datum: Datum,
    /// What is wrong, and what would be right.
    pub claim: String,
    /// What proves it.
    pub evidence: String,
}

/// A department speaks for its own events; rating for everything but the log that it follows itself.
pub(super) fn set_cutoff(
    world: &mut World,
    by: &Caller,
    source: &SourceId,
    cutoff: Timestamp,
    promise_days: u16,
    at: Timestamp,
) -> Result<(Answer, Vec<Notice>), Refusal> {
    let officer = by.officer().ok_or(Refusal::NotYours)?;
    let own = match source {
        SourceId::Sanctions => false,
        SourceId::Events(department) => by.department() == Some(department) || visibility::is_rating(by),
        SourceId::Register | SourceId::Declarations => visibility::is_rating(by),
    };
    if !own {
        return Err(Refusal::NotYours);
    }
    let before = world.sources.get(source);
    if before.is_some_and(|before| cutoff < before.cutoff) {
        return Err(Refusal::Instant { field: "cutoff" });
    }
    let said = SourceCutoff {
        id: source.clone(),
        cutoff,
        promise_days: promise(promise_days, before),
        by: officer.clone(),
        at,
    };
    world.changes.sources.insert(source.clone());
    world.sources.insert(source.clone(), said.clone());
    Ok((Answer::Cutoff(said), vec![Notice::Source(source.to_string())]))
}

pub(super) fn report(
    world: &mut World,
    by: &Caller,
    claimed: &Claimed,
    at: Timestamp,
) -> Result<(Answer, Vec<Notice>), Refusal> {
    visibility::rating(by, &claimed.uscc)?;
    let firm = world.firm(&claimed.uscc)?;
    let key = firm.rated.as_ref().map(|rated| &rated.scheme);
    let scheme = key.and_then(|key| world.scheme(key).ok());
    // Whoever may not list events cannot find out by claims which there are.
    if matches!(claimed.datum, Datum::Event(_)) {
        visibility::events(by, &claimed.uscc)?;
    }
    let source = claimed
        .datum
        .source(firm, scheme.as_ref().map(|stored| &stored.scheme))?;
    let reporter = by.principal();
    let mut open = world.data_errors.values();
    let same = open.find(|error| {
        error.uscc == claimed.uscc
            && error.state == ClaimState::Open
            && error.datum == claimed.datum
            && error.reporter == reporter
    });
    if let Some(same) = same {
        return Err(Refusal::DataErrorExists(same.id.clone()));
    }
    let error = DataError {
        uscc: claimed.uscc,
        id: claimed.id.clone(),
        datum: claimed.datum.clone(),
        source,
        claim: claimed.claim.clone(),
        evidence: claimed.evidence.clone(),
        reporter,
        reported_at: at,
        due: at.date().plus_working_days(ANSWER_DAYS),
        state: ClaimState::Open,
        answer: String::new(),
        decider: None,
        decided_at: None,
    };
    Ok(put(world, error))
}

/// By other staff: neither who claims, nor who recorded the event, says whether the datum was wrong.
pub(super) fn decide_claim(
    world: &mut World,
    by: &Caller,
    (uscc, id): (&Uscc, &Code),
    accepted: bool,
    answer: &str,
    at: Timestamp,
) -> Result<(Answer, Vec<Notice>), Refusal> {
    let officer = by.officer().ok_or(Refusal::NotYours)?;
    let found = world.data_errors.get(&(*uscc, id.clone()));
    let mut error = found.cloned().ok_or(Refusal::DataErrorUnknown)?;
    if error.state != ClaimState::Open {
        return Err(Refusal::DataErrorState(error.state));
    }
    let recorded = match &error.datum {
        Datum::Event(event) => {
            let firm = world.firms.get(uscc);
            let event = firm.and_then(|firm| firm.event(event));
            event.is_some_and(|event| event.recorder == *officer)
        }
        Datum::Item(_) | Datum::Register(_) => false,
    };
    if recorded || error.reporter == by.principal() {
        return Err(Refusal::SameOfficer(officer.clone()));
    }
    error.state = if accepted {
        ClaimState::Accepted
    } else {
        ClaimState::Rejected
    };
    error.answer = answer.to_owned();
    error.decider = Some(officer.clone());
    error.decided_at = Some(at);
    Ok(put(world, error))
}

fn put(world: &mut World, error: DataError) -> (Answer, Vec<Notice>) {
    let key = (error.uscc, error.id.clone());
    let notice = Notice::DataError(error.uscc, error.id.clone());
    world.changes.data_errors.insert(key.clone());
    world.data_errors.insert(key, error.clone());
    (Answer::DataError(Box::new(error)), vec![notice])
}

/// Counts what came in, by source: accuracy is measured against it.
pub(super) fn received(world: &mut World, by: &Caller, command: &Command, answer: &Answer) {
    if let Some((source, count)) = came(by, command, answer)
        && count > 0
    {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        *world.changes.received.entry(source).or_default() += count;
    }
}

fn came(by: &Caller, command: &Command, answer: &Answer) -> Option<(SourceId, usize)> {
    if let Command::CreateEnterprise { .. } | Command::UpdateEnterprise { .. } = command {
        return Some((SourceId::Register, 1));
    }
    if let Command::Declare { claims, .. } = command {
        return Some((SourceId::Declarations, claims.len()));
    }
    if let (Command::Follow(frame), Answer::Followed(followed)) = (command, answer) {
        let taken = followed.applied == frame.to;
        return taken.then_some((SourceId::Sanctions, frame.told.len()));
    }
    let recorded = if let Answer::Events(all) = answer {
        all.iter().filter(|one| matches!(one, Recorded::Event(_))).count()
    } else {
        usize::from(matches!(command, Command::RecordEvent(_)))
    };
    let department = by.department()?;
    Some((SourceId::Events(department.clone()), recorded))
}
