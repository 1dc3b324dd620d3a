//! Joint deliberation: each member department has one vote on each enterprise, and may only confirm what is proposed
//! or lower it with a reason.

use greenstar_kernel::{Caller, Code, Department, Officer, Standing, Star, Timestamp, Uscc};

use super::proceed::{open, store};
use super::{Answer, Notice, World, comments, rounds, verification};
use crate::domain::course::{Ballot, Deliberation, Limit, Recusal, StepKind, Vote};
use crate::domain::error::{Refusal, RoundRefusal};
use crate::domain::outcome;
use crate::domain::round::{Enrolment, RoundState};
use crate::domain::scheme::{Joint, Procedure};
use crate::domain::visibility;

/// What a department says of an enterprise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// As proposed.
    Confirm,
    /// No better than this.
    Lower(Limit),
}

const DELIBERATION: ([RoundState; 1], &str) = ([RoundState::Deliberation], "DELIBERATION");

fn joint(procedure: &Procedure) -> Result<&Joint, Refusal> {
    procedure
        .deliberation
        .as_ref()
        .ok_or(Refusal::Round(RoundRefusal::StepNotAsked))
}

pub(super) fn begin(
    world: &mut World,
    by: &Caller,
    id: &Code,
    at: Timestamp,
) -> Result<(Answer, Vec<Notice>), Refusal> {
    let stored = world.scheme(&world.round(id)?.scheme)?;
    let procedure = &stored.scheme.procedure;
    let mut round = if procedure.comment.is_some() {
        let round = open(world, id, &[RoundState::PublicComment], "PUBLIC_COMMENT")?;
        comments::over(&round, at)?;
        round
    } else {
        let round = open(world, id, &[RoundState::Verifying], "VERIFYING")?;
        verification::verified(world, id, procedure.second_officer)?;
        comments::propose(world, &round, &stored.scheme, at)?;
        round
    };
    // A method without members goes to the government at once.
    round.state = match &procedure.deliberation {
        Some(_) => {
            round.course.deliberation = Some(Deliberation::default());
            RoundState::Deliberation
        }
        None if procedure.approval.is_some() => RoundState::GovApproval,
        None => return Err(Refusal::Round(RoundRefusal::StepNotAsked)),
    };
    let basis = "all comments answered".to_owned();
    world.step(&mut round, StepKind::DeliberationOpened, by, None, basis, at);
    Ok(store(world, round))
}

fn member<'c>(by: &'c Caller, joint: &Joint) -> Result<(&'c Department, &'c Officer), Refusal> {
    match by {
        Caller::Department {
            department, officer, ..
        } if joint.members.contains(department) => Ok((department, officer)),
        Caller::Department { .. } | Caller::Enterprise(_) | Caller::Public => {
            Err(Refusal::Round(RoundRefusal::NotAMember))
        }
    }
}

fn recused(course: &Deliberation, officer: &Officer, uscc: &Uscc) -> bool {
    let mut recusals = course.recusals.iter();
    recusals.any(|recusal| recusal.officer == *officer && recusal.uscc == *uscc)
}

/// An officer stands back itself, or the rating department says that it must. A vote cast before is struck.
pub(super) fn recuse(
    world: &mut World,
    by: &Caller,
    id: &Code,
    (officer, enterprises, reason): (Option<&Officer>, &[Uscc], &str),
    at: Timestamp,
) -> Result<(Answer, Vec<Notice>), Refusal> {
    let mut round = open(world, id, &DELIBERATION.0, DELIBERATION.1)?;
    let stored = world.scheme(&round.scheme)?;
    let joint = joint(&stored.scheme.procedure)?;
    let officer = match officer {
        Some(officer) if by.officer() != Some(officer) && !visibility::is_rating(by) => {
            return Err(Refusal::NotYours);
        }
        Some(officer) => officer.clone(),
        None => member(by, joint)?.1.clone(),
    };
    let mut changed = Vec::new();
    for uscc in enterprises {
        let mut enrolment = rounds::enrolment(world, id, uscc)?;
        enrolment.votes.retain(|_, vote| vote.by != officer);
        changed.push((*uscc, enrolment));
    }
    let course = round.course.deliberation.get_or_insert_default();
    for (uscc, enrolment) in changed {
        if !recused(course, &officer, &uscc) {
            course.recusals.push(Recusal {
                officer: officer.clone(),
                uscc,
                reason: reason.to_owned(),
            });
        }
        world.put_enrolment(id, uscc, enrolment);
    }
    let basis = format!("{officer}: {reason}");
    world.step(&mut round, StepKind::Recused, by, None, basis, at);
    Ok(store(world, round))
}

/// One vote a department; a later one takes its place until the deliberation is closed.
pub(super) fn vote(
    world: &mut World,
    by: &Caller,
    id: &Code,
    votes: &[(Uscc, Said)],
    confirm_others: bool,
    at: Timestamp,
) -> Result<(Answer, Vec<Notice>), Refusal> {
    let mut round = open(world, id, &DELIBERATION.0, DELIBERATION.1)?;
    let stored = world.scheme(&round.scheme)?;
    let (department, officer) = member(by, joint(&stored.scheme.procedure)?)?;
    // Who found it does not also judge it (protocol.md §9).
    if round.course.verifiers.contains(officer) {
        return Err(Refusal::SameOfficer(officer.clone()));
    }
    let course = round.course.deliberation.get_or_insert_default();
    let mut changed: Vec<(Uscc, Enrolment)> = Vec::new();
    for (uscc, said) in votes {
        let mut enrolment = rounds::enrolment(world, id, uscc)?;
        if changed.iter().any(|(known, _)| known == uscc) {
            return Err(Refusal::field("votes.enterprise", ("每家企业一票", "named once")));
        }
        if recused(course, officer, uscc) {
            return Err(Refusal::Round(RoundRefusal::Recused {
                officer: officer.clone(),
                uscc: *uscc,
            }));
        }
        let lower = match said {
            Said::Confirm => None,
            Said::Lower(limit) => {
                let proposed = enrolment.proposed.and_then(Standing::star);
                if limit.star >= proposed {
                    return Err(Refusal::Round(RoundRefusal::VoteCannotRaise { uscc: *uscc }));
                }
                if limit.reason.trim().is_empty() {
                    return Err(Refusal::field(
                        "votes.reason",
                        ("降低须说明理由", "given: lowering takes a reason"),
                    ));
                }
                Some(limit.clone())
            }
        };
        let vote = Vote {
            lower,
            by: officer.clone(),
            at,
        };
        enrolment.votes.insert(department.clone(), vote);
        changed.push((*uscc, enrolment));
    }
    if confirm_others {
        let ballot = Ballot {
            by: officer.clone(),
            at,
        };
        course.ballots.insert(department.clone(), ballot);
    }
    let others = if confirm_others {
        ", all others confirmed"
    } else {
        ""
    };
    let basis = format!("{department}: {} named{others}", votes.len());
    let cast = u32::try_from(changed.len()).unwrap_or(u32::MAX);
    for (uscc, enrolment) in changed {
        world.put_enrolment(id, uscc, enrolment);
    }
    world.step(&mut round, StepKind::Voted, by, None, basis, at);
    world.put_round(round);
    Ok((Answer::Items(cast), Vec::new()))
}

/// The votes on an enterprise, a department each.
fn votes_on<'a>(
    joint: &'a Joint,
    course: &'a Deliberation,
    uscc: &'a Uscc,
    enrolment: &'a Enrolment,
) -> impl Iterator<Item = Option<&'a Limit>> {
    joint.members.iter().filter_map(move |department| {
        if let Some(vote) = enrolment.votes.get(department) {
            return Some(vote.lower.as_ref());
        }
        let ballot = course.ballots.get(department)?;
        (!recused(course, &ballot.by, uscc)).then_some(None)
    })
}

/// Ends the deliberation: every proposed star has its quorum, and what more than half lower is lowered.
pub(super) fn close(
    world: &mut World,
    by: &Caller,
    id: &Code,
    minutes: &str,
    at: Timestamp,
) -> Result<(Answer, Vec<Notice>), Refusal> {
    let mut round = open(world, id, &DELIBERATION.0, DELIBERATION.1)?;
    let stored = world.scheme(&round.scheme)?;
    let procedure = &stored.scheme.procedure;
    let joint = joint(procedure)?;
    let course = round.course.deliberation.get_or_insert_default();
    let mut lowered: Vec<(Uscc, Enrolment)> = Vec::new();
    for ((_, uscc), enrolment) in world.enrolments.iter().filter(|((round, _), _)| round == id) {
        // There is nothing to lower where nothing is proposed.
        let Some(proposed) = enrolment.proposed.and_then(Standing::star) else {
            continue;
        };
        let votes: Vec<Option<&Limit>> = votes_on(joint, course, uscc, enrolment).collect();
        if votes.len() < usize::from(joint.quorum) {
            return Err(Refusal::Round(RoundRefusal::QuorumMissing {
                uscc: *uscc,
                votes: votes.len(),
                quorum: joint.quorum,
            }));
        }
        let stars: Vec<Option<Option<Star>>> =
            votes.iter().map(|vote| vote.map(|limit| limit.star)).collect();
        if let Some(star) = outcome::lowered(proposed, &stars) {
            let reasons: Vec<&str> = votes
                .iter()
                .flatten()
                .map(|limit| limit.reason.as_str())
                .collect();
            let mut enrolment = enrolment.clone();
            enrolment.lowered = Some(Limit {
                star,
                reason: reasons.join("；"),
            });
            lowered.push((*uscc, enrolment));
        }
    }
    course.minutes = Some(minutes.to_owned());
    let basis = format!("minutes; {} lowered", lowered.len());
    for (uscc, enrolment) in lowered {
        world.put_enrolment(id, uscc, enrolment);
    }
    round.state = RoundState::GovApproval;
    world.step(&mut round, StepKind::DeliberationClosed, by, None, basis, at);
    Ok(store(world, round))
}
