//! Objections are filed at any time and decided by other staff; what is upheld counts at once, in the rating and in a
//! round that still goes on.

use std::collections::BTreeSet;

use greenstar_kernel::{Caller, Code, Officer, Timestamp, Uscc};

use super::{Answer, Notice, World};
use crate::domain::course::StepKind;
use crate::domain::error::{Refusal, RoundRefusal};
use crate::domain::event::Meaning;
use crate::domain::firm::{Firm, RatingView};
use crate::domain::objection::{Contested, Decision, Finding, Milder, Objection, Ruling, Subject};
use crate::domain::outcome;
use crate::domain::repeat::Repeats;
use crate::domain::round::{Enrolment, Round, Verdict};
use crate::domain::scheme::Scheme;
use crate::domain::score::{Award, Grant};
use crate::domain::visibility;

/// What is done with an objection.
#[derive(Clone, Debug)]
pub enum Objecting {
    /// File one.
    File {
        /// The version of the rating; `None`: the one in force.
        version: Option<u32>,
        /// Instead of a version, a round that still goes on.
        round: Option<Code>,
        /// What is contested.
        points: Vec<Contested>,
    },
    /// Decide one.
    Decide {
        /// One for each point.
        findings: Vec<Finding>,
    },
}

pub(super) fn file(
    world: &mut World,
    by: &Caller,
    uscc: &Uscc,
    id: &Code,
    what: (Option<u32>, Option<&Code>, &[Contested]),
    at: Timestamp,
) -> Result<(Answer, Vec<Notice>), Refusal> {
    let (version, round, points) = what;
    let mut firm = world.firm(uscc)?.clone();
    let (version, round, scheme) = match round {
        Some(round) => {
            let found = world.round(round)?;
            if !found.is_open() {
                return Err(Refusal::RoundState {
                    state: found.state,
                    needed: "DECLARING, VERIFYING, PUBLIC_COMMENT, DELIBERATION or GOV_APPROVAL",
                });
            }
            (0, found.id.clone(), found.scheme.clone())
        }
        None => {
            let rated = firm.rated.as_ref().ok_or(Refusal::AssessmentUnknown(*uscc))?;
            let version = version.unwrap_or(rated.version);
            if version == 0 || version > rated.version {
                return Err(Refusal::Round(RoundRefusal::VersionUnknown {
                    version,
                    newest: rated.version,
                }));
            }
            (version, rated.round.clone(), rated.scheme.clone())
        }
    };
    let stored = world.scheme(&scheme)?;
    let scheme = &stored.scheme;
    let mut seen = BTreeSet::new();
    for point in points {
        if !seen.insert(&point.subject) {
            return Err(Refusal::field(
                "points",
                ("每个事项一次", "each subject named once"),
            ));
        }
        contestable(world, &firm, scheme, point, (version, &round), at)?;
        let known = world.objections.iter().filter(|((owner, _), _)| owner == uscc);
        for ((_, known), objection) in known {
            // Once per version and subject; and while one is open it is not contested again in another version.
            let same = objection.version == version && objection.round == round;
            if objection.contests(&point.subject) && (same || objection.is_open()) {
                return Err(Refusal::Round(RoundRefusal::ObjectionExists {
                    objection: known.clone(),
                }));
            }
        }
    }
    let objection = Objection {
        id: id.clone(),
        version,
        round,
        points: points.to_vec(),
        by: by.principal(),
        at,
        due: scheme.procedure.objection.deadline(at.date()),
        decision: None,
    };
    world.put_objection(*uscc, objection.clone());
    let mut notices = Vec::new();
    if let Some(rated) = firm.rated.as_mut().filter(|_| version > 0) {
        rated.objections.insert(id.clone());
        notices.push(world.fact(&firm));
        world.put_firm(firm.clone());
    }
    let view = view(world, &firm, at)?;
    Ok((Answer::Objection(Box::new((objection, view))), notices))
}

/// There is such a thing in the rating, or in what the round found.
fn contestable(
    world: &World,
    firm: &Firm,
    scheme: &Scheme,
    point: &Contested,
    (version, round): (u32, &Code),
    at: Timestamp,
) -> Result<(), Refusal> {
    let uscc = firm.enterprise.uscc;
    match &point.subject {
        Subject::Item(item) => {
            let found = scheme.item(item).filter(|_| outcome::declared(scheme, item));
            let found = found.ok_or_else(|| crate::domain::score::GrantError::ItemUnknown(item.clone()))?;
            super::rounds::accepted(point.evidence.iter(), &found.evidence)?;
            if version == 0 {
                let key = (round.clone(), uscc);
                let enrolment = world.enrolments.get(&key).ok_or(Refusal::NotEnrolled(uscc))?;
                let declared = enrolment.declaration.as_ref();
                let verdict = declared.is_some_and(|declaration| declaration.verdicts.contains_key(item));
                if !verdict {
                    return Err(Refusal::NotClaimed(item.clone()));
                }
            }
            Ok(())
        }
        Subject::Event(event) => {
            let event = firm.event(event).ok_or(Refusal::EventUnknown)?;
            if event.is_struck() {
                return Err(Refusal::EventEnded);
            }
            // While a flag stands on the document, whoever recognised it decides whether it holds.
            let documents = world.documents.get(&uscc);
            let flag = documents.and_then(|known| known.standing(&event.document, event.site.as_ref(), at));
            match flag {
                Some(flag) => Err(Refusal::Round(RoundRefusal::ObjectionByDocument {
                    flag: format!("enterprises/{uscc}/flags/{}", flag.flag),
                })),
                None => Ok(()),
            }
        }
        Subject::Version => Ok(()),
    }
}

pub(super) fn decide(
    world: &mut World,
    by: &Caller,
    uscc: &Uscc,
    id: &Code,
    findings: &[Finding],
    at: Timestamp,
) -> Result<(Answer, Vec<Notice>), Refusal> {
    let officer = by
        .officer()
        .filter(|_| visibility::is_rating(by))
        .ok_or(Refusal::NotYours)?;
    let mut objection = world
        .objections
        .get(&(*uscc, id.clone()))
        .cloned()
        .ok_or(Refusal::Round(RoundRefusal::ObjectionUnknown))?;
    if !objection.is_open() {
        return Err(Refusal::Round(RoundRefusal::ObjectionDecided));
    }
    let decided: BTreeSet<&Subject> = findings.iter().map(|finding| &finding.subject).collect();
    let contested: BTreeSet<&Subject> = objection.points.iter().map(|point| &point.subject).collect();
    if decided != contested || findings.len() != contested.len() {
        return Err(Refusal::Round(RoundRefusal::FindingsIncomplete));
    }
    let mut firm = world.firm(uscc)?.clone();
    others_found_it(world, &firm, &objection, officer)?;
    let mut running = running(world, uscc);
    let mut events = Vec::new();
    for finding in findings {
        if finding.verdict == Ruling::Rejected {
            continue;
        }
        match &finding.subject {
            Subject::Item(item) => {
                let grant = granted(finding)?;
                if objection.version > 0 {
                    award(world, &mut firm, &objection, item, grant, &finding.reason)?;
                }
                if let Some((round, enrolment)) = &mut running {
                    award_in_round(world, round, enrolment, item, grant, (officer, &finding.reason))?;
                }
            }
            Subject::Event(event) => events.push(amended(world, &mut firm, event, finding, at)?),
            Subject::Version => {
                if let Some(rated) = &mut firm.rated {
                    rated.limit = None;
                }
                if let Some((_, enrolment)) = running.as_mut().filter(|_| objection.version == 0) {
                    enrolment.lowered = None;
                }
            }
        }
    }
    objection.decision = Some(Decision {
        findings: findings.to_vec(),
        by: officer.clone(),
        at,
    });
    let mut notices = Vec::new();
    if let Some(rated) = &mut firm.rated {
        rated.objections.remove(id);
        let scheme = rated.scheme.clone();
        let stored = world.scheme(&scheme)?;
        let cause = format!("objections/{id}");
        let assessment = firm.rate(&stored.scheme, at)?;
        world.append(&firm, assessment, cause.clone());
        notices.push(world.caused(&firm, cause));
    } else if !events.is_empty() {
        notices.push(world.fact(&firm));
    }
    if let Some((mut round, mut enrolment)) = running {
        let stored = world.scheme(&round.scheme)?;
        if enrolment.proposed.is_some() {
            let (anew, _) = outcome::rated_anew(&firm, &round, &enrolment, &stored.scheme, at)?;
            enrolment.proposed = Some(anew.standing());
        }
        let on = Some(*uscc);
        world.step(
            &mut round,
            StepKind::Objected,
            by,
            on,
            format!("objections/{id}"),
            at,
        );
        notices.push(Notice::Declaration(round.id.clone(), *uscc));
        world.put_enrolment(&round.id, *uscc, enrolment);
        world.put_round(round);
    }
    for event in &events {
        if let Some(event) = firm.event(event) {
            world.changes.events.insert((*uscc, event.id.clone()));
        }
    }
    world.put_firm(firm.clone());
    world.put_objection(*uscc, objection.clone());
    let view = view(world, &firm, at)?;
    Ok((Answer::Objection(Box::new((objection, view))), notices))
}

/// Neither who verified, confirmed or recorded what is contested, nor who filed the objection for the enterprise.
fn others_found_it(
    world: &World,
    firm: &Firm,
    objection: &Objection,
    officer: &Officer,
) -> Result<(), Refusal> {
    let same = || Err(Refusal::SameOfficer(officer.clone()));
    if objection.by == officer.0 {
        return same();
    }
    for point in &objection.points {
        match &point.subject {
            Subject::Item(item) => {
                let mine = |verdict: &Verdict| {
                    verdict.by == *officer || verdict.confirmed_by.as_ref() == Some(officer)
                };
                let parts = world.enrolments.iter();
                let mut parts = parts.filter(|((_, uscc), _)| *uscc == firm.enterprise.uscc);
                let found = |enrolment: &Enrolment| {
                    let declared = enrolment.declaration.as_ref();
                    declared.is_some_and(|known| known.verdicts.get(item).is_some_and(mine))
                };
                if parts.any(|(_, enrolment)| found(enrolment)) {
                    return same();
                }
            }
            Subject::Event(event) => {
                if firm.event(event).is_some_and(|event| event.recorder == *officer) {
                    return same();
                }
            }
            Subject::Version => {}
        }
    }
    Ok(())
}

/// The round that goes on with an enterprise; there is one at most.
fn running(world: &World, uscc: &Uscc) -> Option<(Round, Enrolment)> {
    let mut parts = world.enrolments.iter().filter(|((_, owner), _)| owner == uscc);
    parts.find_map(|((round, _), enrolment)| {
        let round = world.rounds.get(round).filter(|round| round.is_open())?;
        Some((round.clone(), enrolment.clone()))
    })
}

fn granted(finding: &Finding) -> Result<&Grant, Refusal> {
    match &finding.verdict {
        Ruling::Upheld(Some(grant)) | Ruling::Partly(Milder::Worth(grant)) => Ok(grant),
        Ruling::Upheld(None) | Ruling::Partly(Milder::Kind(_)) | Ruling::Rejected => Err(Refusal::field(
            "findings.points",
            (
                "该小项核定的分值或档次",
                "the points or tiers that the item is worth",
            ),
        )),
    }
}

/// An objection never makes things worse.
fn not_worse(scheme: &Scheme, item: &Code, before: Option<&Grant>, after: &Grant) -> Result<(), Refusal> {
    let worth = after.worth(scheme, item)?;
    let had = before
        .map(|grant| grant.worth(scheme, item))
        .transpose()?
        .unwrap_or_default();
    if worth < had {
        return Err(Refusal::field(
            "findings.points",
            (
                "不低于原核定分值（异议不得加重）",
                "no less than before: an objection does not make it worse",
            ),
        ));
    }
    Ok(())
}

fn award(
    world: &World,
    firm: &mut Firm,
    objection: &Objection,
    item: &Code,
    grant: &Grant,
    reason: &str,
) -> Result<(), Refusal> {
    let Some(rated) = &mut firm.rated else {
        return Ok(());
    };
    let stored = world.scheme(&rated.scheme)?;
    let known = rated.awards.iter_mut().find(|award| award.item == *item);
    not_worse(
        &stored.scheme,
        item,
        known.as_ref().map(|award| &award.grant),
        grant,
    )?;
    match known {
        Some(award) => {
            award.grant = grant.clone();
            award.note = reason.to_owned();
        }
        None => {
            let contested = objection
                .points
                .iter()
                .find(|point| point.subject == Subject::Item(item.clone()));
            rated.awards.push(Award {
                item: item.clone(),
                grant: grant.clone(),
                claimed: grant.clone(),
                evidence: contested.map(|point| point.evidence.clone()).unwrap_or_default(),
                note: reason.to_owned(),
            });
        }
    }
    Ok(())
}

/// The same item in a round that still goes on follows, if it was claimed there and would gain.
fn award_in_round(
    world: &World,
    round: &Round,
    enrolment: &mut Enrolment,
    item: &Code,
    grant: &Grant,
    (officer, reason): (&Officer, &str),
) -> Result<(), Refusal> {
    let stored = world.scheme(&round.scheme)?;
    let Some(declaration) = &mut enrolment.declaration else {
        return Ok(());
    };
    let Some(verdict) = declaration.verdicts.get_mut(item) else {
        return Ok(());
    };
    let better = not_worse(&stored.scheme, item, Some(&verdict.grant), grant).is_ok();
    if better {
        // Decided by other staff than those who found it, so it stands without a further officer.
        *verdict = Verdict {
            grant: grant.clone(),
            note: reason.to_owned(),
            by: verdict.by.clone(),
            confirmed_by: Some(officer.clone()),
        };
    }
    Ok(())
}

/// An event that never counted, or is of a milder kind.
fn amended(
    world: &World,
    firm: &mut Firm,
    id: &Code,
    finding: &Finding,
    at: Timestamp,
) -> Result<Code, Refusal> {
    let event = firm.event(id).ok_or(Refusal::EventUnknown)?.clone();
    if event.is_struck() {
        return Err(Refusal::EventEnded);
    }
    let stored = world.scheme_for(firm, &event.kind)?;
    let said = || {
        Refusal::field(
            "findings.kind",
            (
                "比原情形轻的事件情形",
                "a kind of event that deducts less than before",
            ),
        )
    };
    let changed = match &finding.verdict {
        Ruling::Upheld(_) => {
            let mut changed = event.clone();
            changed.revoked_at = Some(at);
            changed
        }
        Ruling::Partly(Milder::Kind(kind)) => {
            let meaning = Meaning::of(&stored.scheme, kind).ok_or_else(|| Refusal::KindUnknown {
                kind: kind.clone(),
                known: stored.scheme.kinds(),
            })?;
            let before = Repeats::of(&stored.scheme, &firm.events)
                .meaning(&event)
                .ok_or_else(said)?;
            let milder = match (before, meaning) {
                (Meaning::Rule(_, before), Meaning::Rule(_, after)) => after.points < before.points,
                (Meaning::Veto(_), Meaning::Rule(..)) => true,
                (Meaning::Rule(..) | Meaning::Veto(_), Meaning::Veto(_)) => false,
            };
            if !milder {
                return Err(said());
            }
            let mut changed = event.clone();
            changed.kind = kind.clone();
            changed.severity = meaning.severity();
            changed
        }
        Ruling::Partly(Milder::Worth(_)) | Ruling::Rejected => return Err(said()),
    };
    for known in &mut firm.events {
        if known.id == *id {
            *known = changed.clone();
        }
    }
    Ok(event.id)
}

fn view(world: &World, firm: &Firm, at: Timestamp) -> Result<RatingView, Refusal> {
    let scheme = firm
        .rated
        .as_ref()
        .map(|rated| world.scheme(&rated.scheme))
        .transpose()?;
    Ok(firm.view(scheme.as_ref().map(|stored| &stored.scheme), at)?)
}
