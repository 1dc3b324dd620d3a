//! Events, rectifications, repairs, and what time changes. Each scores again at once.

use std::sync::Arc;

use greenstar_kernel::{Caller, Code, Month, Officer, Timestamp, Uscc};

use super::{Answer, NewEvent, Notice, StoredScheme, World, follow, rounds};
use crate::domain::error::Refusal;
use crate::domain::event::{Event, Meaning};
use crate::domain::firm::Firm;
use crate::domain::repeat::Repeats;
use crate::domain::scheme::Escalation;

pub(super) fn record(
    world: &mut World,
    by: &Caller,
    new: &NewEvent,
    at: Timestamp,
) -> Result<(Answer, Vec<Notice>), Refusal> {
    let mut firm = world.firm(&new.uscc)?.clone();
    let Caller::Department {
        department, officer, ..
    } = by
    else {
        return Err(Refusal::NotYours);
    };
    let stored = world.scheme_for(&firm, &new.kind)?;
    if new.document.date > at.date() {
        return Err(Refusal::DateInFuture {
            field: "document.date",
        });
    }
    let registered = |site: &String| {
        firm.enterprise
            .profile
            .sites
            .iter()
            .any(|known| known.code == *site)
    };
    if let Some(site) = new.site.as_ref().filter(|site| !registered(site)) {
        let sites = firm.enterprise.profile.sites.iter();
        return Err(Refusal::SiteUnknown {
            site: site.clone(),
            known: sites.map(|known| known.code.clone()).collect(),
        });
    }
    let meaning =
        Meaning::of(&stored.scheme, &new.kind).ok_or_else(|| Refusal::kind(&stored.scheme, &new.kind))?;
    rounds::accepted(std::iter::once(&new.evidence), meaning.evidence())?;
    let mut event = Event {
        id: new.id.clone(),
        kind: new.kind.clone(),
        severity: meaning.severity(),
        document: new.document.clone(),
        site: new.site.clone(),
        evidence: new.evidence.clone(),
        rectification_required: new.rectification_required || meaning.always_rectified(),
        rectified_at: None,
        repaired_at: None,
        repair_reason: None,
        revoked_at: None,
        cause: None,
        under_appeal: false,
        suspensions: Vec::new(),
        recorder: officer.clone(),
        department: department.clone(),
        recorded_at: at,
    };
    // A document that was repaired or annulled before anybody recorded it ends here as well: the order must not matter.
    if let Some(documents) = world.documents.get(&new.uscc) {
        documents.meet(&mut event, meaning.repairable(), at);
    }
    // The first and the repeated of a kind are one kind here: which of them a document is, its date decides.
    let one_kind = |escalation: &Escalation, known: &Event| {
        escalation.covers(&known.kind) && escalation.covers(&new.kind)
    };
    let same_matter = |known: &Event| {
        let mut escalations = stored.scheme.escalations.iter();
        // What was annulled is as if nobody had recorded it, unless this one is annulled as well.
        let annulled = known.revoked_at.is_some() && event.revoked_at.is_none();
        !annulled
            && known.same_document(&event)
            && (known.kind == new.kind || escalations.any(|escalation| one_kind(escalation, known)))
    };
    if let Some(known) = firm.events.iter().find(|known| same_matter(known)) {
        return Err(Refusal::EventExists {
            event: known.id.clone(),
        });
    }
    firm.events.push(event.clone());
    rescored(world, firm, &stored, &[event], at, "recorded")
}

pub(super) fn confirm(
    world: &mut World,
    by: &Caller,
    uscc: &Uscc,
    id: &Code,
    at: Timestamp,
) -> Result<(Answer, Vec<Notice>), Refusal> {
    let (mut firm, stored) = with_event(world, uscc, id)?;
    other_officer(by, &firm, id)?;
    let event = firm
        .events
        .iter_mut()
        .find(|event| event.id == *id)
        .ok_or(Refusal::EventUnknown)?;
    if !event.open() {
        return Err(Refusal::EventEnded);
    }
    event.rectified_at = Some(at);
    let event = event.clone();
    rescored(world, firm, &stored, &[event], at, "rectified")
}

/// A repair acts on the document (protocol.md §5): what was recorded of it in other items ends with it, unless no
/// repair ends that. While a flag stands on the document, the repair is asked for there.
pub(super) fn repair(
    world: &mut World,
    by: &Caller,
    uscc: &Uscc,
    id: &Code,
    reason: &str,
    at: Timestamp,
) -> Result<(Answer, Vec<Notice>), Refusal> {
    let (mut firm, stored) = with_event(world, uscc, id)?;
    other_officer(by, &firm, id)?;
    let named = firm.event(id).ok_or(Refusal::EventUnknown)?.clone();
    let repairable = |event: &Event| follow::repairable(world, &firm, event) && !event.is_struck();
    let meaning = Repeats::of(&stored.scheme, &firm.events)
        .meaning(&named)
        .ok_or_else(|| Refusal::kind(&stored.scheme, &named.kind))?;
    if !meaning.repairable() {
        return Err(Refusal::NotRepairable(named.kind));
    }
    if named.is_struck() || (!named.counts(meaning, at) && !named.open()) {
        return Err(Refusal::EventEnded);
    }
    // Who recognised the fault repairs it, and that repair reaches the events.
    let documents = world.documents.get(uscc);
    let standing =
        documents.and_then(|documents| documents.standing(&named.document, named.site.as_ref(), at));
    if let Some(flag) = standing {
        return Err(Refusal::RepairByDocument {
            flag: format!("enterprises/{uscc}/flags/{}", flag.flag),
        });
    }
    let ended: Vec<&Event> = firm
        .events
        .iter()
        .filter(|event| event.same_document(&named) && repairable(event))
        .collect();
    may_repair(by, &stored, &firm, &ended, at)?;
    let same: Vec<Code> = ended.into_iter().map(|event| event.id.clone()).collect();
    let mut repaired = Vec::new();
    for event in &mut firm.events {
        if same.contains(&event.id) {
            event.repaired_at = Some(at);
            event.repair_reason = Some(reason.to_owned());
            repaired.push(event.clone());
        }
    }
    // The named one is what is answered.
    repaired.sort_by_key(|event| event.id != *id);
    rescored(world, firm, &stored, &repaired, at, "repaired")
}

/// Order 36: who recognises, repairs, and not before the least window of publicity has passed. Of one document, whoever
/// recorded it first recognised it, and the gravest of its events says how long the window is.
fn may_repair(
    by: &Caller,
    stored: &StoredScheme,
    firm: &Firm,
    ended: &[&Event],
    at: Timestamp,
) -> Result<(), Refusal> {
    let first = ended.iter().min_by_key(|event| (event.recorded_at, &event.id));
    if let Some(first) = first
        && by.department() != Some(&first.department)
    {
        return Err(Refusal::NotTheRecognisingBody(first.department.clone()));
    }
    let repeats = Repeats::of(&stored.scheme, &firm.events);
    let windows = ended.iter().map(|event| {
        let counts_as = repeats.meaning(event).map(Meaning::severity);
        let severity = counts_as.map_or(event.severity, |severity| severity.max(event.severity));
        match stored.scheme.publicity(severity).min {
            // A window of no month does not begin.
            Month(0) => event.document.date.start(),
            min => event.document.date.term_end(min),
        }
    });
    match windows.max().filter(|earliest| at < *earliest) {
        Some(earliest) => Err(Refusal::RepairTooEarly {
            earliest: earliest.date(),
        }),
        None => Ok(()),
    }
}

pub(super) fn lapse(
    world: &mut World,
    uscc: &Uscc,
    due: Timestamp,
    at: Timestamp,
) -> Result<(Answer, Vec<Notice>), Refusal> {
    let firm = world.firm(uscc)?;
    let next = firm.rated.as_ref().and_then(|rated| rated.next.as_ref());
    let Some(next) = next.filter(|next| next.at == due && due <= at) else {
        return Ok((Answer::Lapsed { written: false }, Vec::new()));
    };
    let (mut firm, cause) = (firm.clone(), format!("time: {}", next.cause().en));
    let Some(rated) = &firm.rated else {
        return Ok((Answer::Lapsed { written: false }, Vec::new()));
    };
    let stored = world.scheme(&rated.scheme)?;
    // As of the instant itself, however late this runs: the row is the same whoever writes it.
    let assessment = firm.rate(&stored.scheme, due)?;
    world.append(&firm, assessment, cause);
    let notice = world.fact(&firm);
    world.put_firm(firm);
    Ok((Answer::Lapsed { written: true }, vec![notice]))
}

fn with_event(world: &World, uscc: &Uscc, id: &Code) -> Result<(Firm, Arc<StoredScheme>), Refusal> {
    // An event of an enterprise that is unknown is as unknown.
    let firm = world.firms.get(uscc).ok_or(Refusal::EventUnknown)?.clone();
    let event = firm.event(id).ok_or(Refusal::EventUnknown)?;
    let stored = world.scheme_for(&firm, &event.kind)?;
    Ok((firm, stored))
}

fn other_officer(by: &Caller, firm: &Firm, id: &Code) -> Result<(), Refusal> {
    let officer: &Officer = by.officer().ok_or(Refusal::NotYours)?;
    match firm.event(id) {
        Some(event) if event.recorder == *officer => Err(Refusal::SameOfficer(officer.clone())),
        Some(_) => Ok(()),
        None => Err(Refusal::EventUnknown),
    }
}

/// Scores the changed firm again, keeps it, and answers with the first of the changed events.
fn rescored(
    world: &mut World,
    mut firm: Firm,
    stored: &StoredScheme,
    changed: &[Event],
    at: Timestamp,
    verb: &str,
) -> Result<(Answer, Vec<Notice>), Refusal> {
    let Some(first) = changed.first() else {
        return Err(Refusal::EventUnknown);
    };
    let assessment = firm.rate(&stored.scheme, at)?;
    let view = firm.view(Some(&stored.scheme), at)?;
    let uscc = firm.enterprise.uscc;
    for event in changed {
        world.changed_event(uscc, event);
        if firm.rated.is_none() {
            world.tell_unrated(&firm, &stored.scheme, event, verb);
        }
    }
    world.append(&firm, assessment, format!("events/{} {verb}", first.id));
    let notice = world.fact(&firm);
    let shown = Repeats::of(&stored.scheme, &firm.events).shown(first);
    world.put_firm(firm);
    Ok((Answer::Event(Box::new((shown, view))), vec![notice]))
}
