//! Declarations that are sent back, verdicts that a second officer confirms, and notices to who would lose.

use greenstar_kernel::{Caller, Code, Timestamp, Uscc};

use super::proceed::{open, store};
use super::{Answer, Notice, World, rounds};
use crate::domain::course::{Due, Noticed, Returned, StepKind};
use crate::domain::error::{Refusal, RoundRefusal};
use crate::domain::outcome;
use crate::domain::round::{Enrolment, RoundState};

const VERIFIED: [RoundState; 2] = [RoundState::Declaring, RoundState::Verifying];

pub(super) fn give_back(
    world: &mut World,
    by: &Caller,
    id: &Code,
    uscc: &Uscc,
    reason: &str,
    at: Timestamp,
) -> Result<(Answer, Vec<Notice>), Refusal> {
    let mut round = open(world, id, &VERIFIED, "DECLARING or VERIFYING")?;
    let mut enrolment = rounds::enrolment(world, id, uscc)?;
    let officer = by.officer().ok_or(Refusal::NotYours)?.clone();
    let Some(declaration) = &mut enrolment.declaration else {
        return Err(Refusal::Round(RoundRefusal::NotDeclared(*uscc)));
    };
    // What was awarded so far is looked at again with the new declaration.
    declaration.verdicts.clear();
    let stored = world.scheme(&round.scheme)?;
    let due = stored.scheme.procedure.correction.deadline(at.date());
    enrolment.returned = Some(Returned {
        reason: reason.to_owned(),
        by: officer,
        at,
        due,
    });
    round.course.returned.retain(|known| known.uscc != *uscc);
    round.course.returned.push(Due { uscc: *uscc, at: due });
    round.course.noticed = None;
    world.step(
        &mut round,
        StepKind::Returned,
        by,
        Some(*uscc),
        reason.to_owned(),
        at,
    );
    world.put_enrolment(id, *uscc, enrolment);
    let (answer, _) = store(world, round);
    Ok((answer, vec![Notice::Declaration(id.clone(), *uscc)]))
}

pub(super) fn confirm(
    world: &mut World,
    by: &Caller,
    id: &Code,
    uscc: &Uscc,
    items: &[Code],
    at: Timestamp,
) -> Result<(Answer, Vec<Notice>), Refusal> {
    let mut round = open(world, id, &[RoundState::Verifying], "VERIFYING")?;
    let mut enrolment = rounds::enrolment(world, id, uscc)?;
    let officer = by.officer().ok_or(Refusal::NotYours)?.clone();
    let Some(declaration) = &mut enrolment.declaration else {
        return Err(Refusal::Round(RoundRefusal::NotDeclared(*uscc)));
    };
    if let Some(missing) = items
        .iter()
        .find(|item| !declaration.verdicts.contains_key(*item))
    {
        return Err(Refusal::Round(RoundRefusal::NotVerified(missing.clone())));
    }
    if declaration.verdicts.is_empty() && !declaration.claims.is_empty() {
        let items = u32::try_from(declaration.claims.len()).unwrap_or(u32::MAX);
        return Err(Refusal::Round(RoundRefusal::VerificationOpen {
            uscc: *uscc,
            items,
        }));
    }
    // Who handed the declaration in, or awarded any of what is confirmed, is not a second officer.
    let named = |item: &Code| items.is_empty() || items.contains(item);
    let mut verdicts = declaration.verdicts.iter().filter(|(item, _)| named(item));
    if declaration.by == officer.0 || verdicts.any(|(_, verdict)| verdict.by == officer) {
        return Err(Refusal::SameOfficer(officer));
    }
    let mut confirmed = 0_u32;
    for (item, verdict) in &mut declaration.verdicts {
        if named(item) {
            confirmed += 1;
            verdict.confirmed_by.get_or_insert_with(|| officer.clone());
        }
    }
    round.course.verifiers.insert(officer);
    let basis = format!("{confirmed} items");
    world.step(&mut round, StepKind::Confirmed, by, Some(*uscc), basis, at);
    world.put_enrolment(id, *uscc, enrolment);
    world.put_round(round);
    Ok((
        Answer::Items(confirmed),
        vec![Notice::Declaration(id.clone(), *uscc)],
    ))
}

/// Everything declared has been looked at, and by two officers where the scheme asks for that.
pub(super) fn verified(world: &World, id: &Code, second_officer: bool) -> Result<(), Refusal> {
    for ((_, uscc), enrolment) in world.enrolments.iter().filter(|((round, _), _)| round == id) {
        let declared = enrolment.declaration.iter();
        let open = declared
            .flat_map(|declaration| {
                declaration
                    .claims
                    .iter()
                    .map(move |claim| (declaration, &claim.item))
            })
            .filter(|(declaration, item)| match declaration.verdicts.get(*item) {
                Some(verdict) => second_officer && verdict.confirmed_by.is_none(),
                None => true,
            });
        let open = u32::try_from(open.count()).unwrap_or(u32::MAX);
        if open > 0 {
            return Err(Refusal::Round(RoundRefusal::VerificationOpen {
                uscc: *uscc,
                items: open,
            }));
        }
    }
    Ok(())
}

/// Tells everyone who would lose what, why, and how it comes back. Whoever was told the same before is not told again.
pub(super) fn issue_notices(
    world: &mut World,
    by: &Caller,
    id: &Code,
    at: Timestamp,
) -> Result<(Answer, Vec<Notice>), Refusal> {
    let mut round = open(world, id, &[RoundState::Verifying], "VERIFYING")?;
    let stored = world.scheme(&round.scheme)?;
    let procedure = &stored.scheme.procedure;
    let Some(days) = procedure.notice else {
        return Err(Refusal::Round(RoundRefusal::StepNotAsked));
    };
    verified(world, id, procedure.second_officer)?;
    let answer_by = days.deadline(at.date());
    let cohort: Vec<(Uscc, Enrolment)> = world
        .enrolments
        .iter()
        .filter(|((round, _), _)| round == id)
        .map(|((_, uscc), enrolment)| (*uscc, enrolment.clone()))
        .collect();
    let (mut open, mut until, mut changed) = (0_u32, at, Vec::new());
    for (uscc, mut enrolment) in cohort {
        let firm = world.firm(&uscc)?;
        let before = match &firm.rated {
            Some(rated) => {
                let own = world.scheme(&rated.scheme)?;
                firm.view(Some(&own.scheme), at)?.standing
            }
            None => firm.standing(),
        };
        let (_, assessment) = outcome::rated_anew(firm, &round, &enrolment, &stored.scheme, at)?;
        let Some(assessment) = assessment else { continue };
        let told = enrolment.notice.take();
        if outcome::loses(before, assessment.standing) {
            let fresh = outcome::loss(
                firm,
                before,
                &assessment,
                &enrolment,
                &stored.scheme,
                (at, answer_by),
            );
            let notice = match &told {
                Some(known) if (known.from, known.to, known.total) == (fresh.from, fresh.to, fresh.total) => {
                    known.clone()
                }
                Some(_) | None => fresh,
            };
            if notice.answer.is_none() {
                open += 1;
                until = until.max(notice.answer_by);
            }
            enrolment.notice = Some(notice);
        }
        if enrolment.notice != told {
            changed.push((uscc, enrolment));
        }
    }
    let mut notices = Vec::new();
    for (uscc, enrolment) in changed {
        notices.push(Notice::Declaration(id.clone(), uscc));
        world.put_enrolment(id, uscc, enrolment);
    }
    round.course.noticed = Some(Noticed {
        at,
        answer_by: until,
        open,
    });
    let basis = format!("notice_before_publication_if_adverse; {open} to answer");
    world.step(&mut round, StepKind::Noticed, by, None, basis, at);
    let (answer, _) = store(world, round);
    Ok((answer, notices))
}

pub(super) fn answer_notice(
    world: &mut World,
    by: &Caller,
    id: &Code,
    uscc: &Uscc,
    text: &str,
    at: Timestamp,
) -> Result<(Answer, Vec<Notice>), Refusal> {
    let mut round = open(world, id, &[RoundState::Verifying], "VERIFYING")?;
    let mut enrolment = rounds::enrolment(world, id, uscc)?;
    let Some(notice) = &mut enrolment.notice else {
        return Err(Refusal::Round(RoundRefusal::NoticeUnknown(*uscc)));
    };
    if at >= notice.answer_by {
        return Err(Refusal::Round(RoundRefusal::DeadlinePassed {
            deadline: notice.answer_by,
        }));
    }
    let first = notice.answer.replace(text.to_owned()).is_none();
    if let Some(noticed) = round.course.noticed.as_mut().filter(|_| first) {
        noticed.open = noticed.open.saturating_sub(1);
    }
    world.step(
        &mut round,
        StepKind::NoticeAnswered,
        by,
        Some(*uscc),
        text.to_owned(),
        at,
    );
    world.put_enrolment(id, *uscc, enrolment);
    let (answer, _) = store(world, round);
    Ok((answer, vec![Notice::Declaration(id.clone(), *uscc)]))
}
