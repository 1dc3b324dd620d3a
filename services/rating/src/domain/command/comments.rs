//! The public comment: what is proposed is shown, anybody may comment, and every comment is answered.

use greenstar_kernel::{Caller, Code, Timestamp, Uscc, WorkingDays};

use super::proceed::{open, store};
use super::verification::verified;
use super::{Answer, Notice, World};
use crate::domain::course::{Comment, CommentAnswer, CommentPeriod, StepKind};
use crate::domain::error::{Refusal, RoundRefusal};
use crate::domain::outcome;
use crate::domain::round::{Round, RoundState};
use crate::domain::scheme::{LEAST_COMMENT, Scheme, Span};

pub(super) fn open_comment(
    world: &mut World,
    by: &Caller,
    id: &Code,
    days: Option<u16>,
    at: Timestamp,
) -> Result<(Answer, Vec<Notice>), Refusal> {
    let mut round = open(world, id, &[RoundState::Verifying], "VERIFYING")?;
    let stored = world.scheme(&round.scheme)?;
    let procedure = &stored.scheme.procedure;
    let Some(span) = procedure.comment else {
        return Err(Refusal::Round(RoundRefusal::StepNotAsked));
    };
    verified(world, id, procedure.second_officer)?;
    if procedure.notice.is_some() {
        let noticed = round
            .course
            .noticed
            .as_ref()
            .ok_or(Refusal::Round(RoundRefusal::NoticesMissing))?;
        // Who answered need not be waited for.
        if noticed.open > 0 && at < noticed.answer_by {
            return Err(Refusal::Round(RoundRefusal::TooEarly {
                earliest: noticed.answer_by,
            }));
        }
    }
    let day = at.date();
    let least = span.deadline(day).max(day.deadline(LEAST_COMMENT));
    let asked = days.map(|days| Span::Working(WorkingDays(days)).deadline(day));
    if asked.is_some_and(|asked| asked < least) {
        return Err(Refusal::field(
            "working_days",
            (
                "不少于办法规定的公示天数（至少 10 个工作日）",
                "no fewer than the scheme asks for, and 10 at least",
            ),
        ));
    }
    let until = asked.unwrap_or(least);
    propose(world, &round, &stored.scheme, at)?;
    round.state = RoundState::PublicComment;
    round.course.comment = Some(CommentPeriod {
        from: at,
        until,
        comments: 0,
        unanswered: 0,
    });
    let basis = format!("public_comment until {until}");
    world.step(&mut round, StepKind::CommentOpened, by, None, basis, at);
    Ok(store(world, round))
}

/// Keeps what is proposed of everyone: what the public is shown, and what members may lower.
pub(super) fn propose(
    world: &mut World,
    round: &Round,
    scheme: &Scheme,
    at: Timestamp,
) -> Result<(), Refusal> {
    let cohort: Vec<Uscc> = world
        .enrolments
        .keys()
        .filter(|(id, _)| *id == round.id)
        .map(|(_, uscc)| *uscc)
        .collect();
    for uscc in cohort {
        let mut enrolment = super::rounds::enrolment(world, &round.id, &uscc)?;
        let (firm, _) = outcome::rated_anew(world.firm(&uscc)?, round, &enrolment, scheme, at)?;
        enrolment.proposed = Some(firm.standing());
        world.put_enrolment(&round.id, uscc, enrolment);
    }
    Ok(())
}

pub(super) fn comment(
    world: &mut World,
    by: &Caller,
    id: &Code,
    (comment, uscc, signed, text): (&Code, Option<&Uscc>, &str, &str),
    at: Timestamp,
) -> Result<(Answer, Vec<Notice>), Refusal> {
    // The public knows of a round from its proposal on.
    let known = world.round(id)?;
    if known.course.comment.is_none() {
        return Err(Refusal::RoundUnknown(format!("rounds/{id}")));
    }
    let mut round = open(world, id, &[RoundState::PublicComment], "PUBLIC_COMMENT")?;
    if let Some(uscc) = uscc {
        super::rounds::enrolment(world, id, uscc)?;
    }
    let Some(period) = &mut round.course.comment else {
        return Err(Refusal::RoundUnknown(format!("rounds/{id}")));
    };
    if at >= period.until {
        return Err(Refusal::Round(RoundRefusal::DeadlinePassed {
            deadline: period.until,
        }));
    }
    period.comments += 1;
    period.unanswered += 1;
    let comment = Comment {
        id: comment.clone(),
        on: uscc.map(|uscc| format!("enterprises/{uscc}")),
        by: by.principal(),
        signed: signed.to_owned(),
        text: text.to_owned(),
        at,
        answer: None,
    };
    let basis = format!("comments/{}", comment.id);
    world.step(&mut round, StepKind::Commented, by, uscc.copied(), basis, at);
    world.put_comment(id, comment.clone());
    world.put_round(round);
    Ok((Answer::Comment(id.clone(), Box::new(comment)), Vec::new()))
}

/// While the round is shown; also after the period, since all must be answered before members deliberate.
pub(super) fn answer(
    world: &mut World,
    by: &Caller,
    id: &Code,
    (comment, shown, text): (&Code, bool, &str),
    at: Timestamp,
) -> Result<(Answer, Vec<Notice>), Refusal> {
    let mut round = open(world, id, &[RoundState::PublicComment], "PUBLIC_COMMENT")?;
    let officer = by.officer().ok_or(Refusal::NotYours)?.clone();
    let found = world.comments.get(&(id.clone(), comment.clone()));
    let mut comment = found
        .cloned()
        .ok_or(Refusal::Round(RoundRefusal::CommentUnknown))?;
    if comment.by == officer.0 {
        return Err(Refusal::SameOfficer(officer));
    }
    let first = comment.answer.is_none();
    comment.answer = Some(CommentAnswer {
        shown,
        text: text.to_owned(),
        by: officer,
        at,
    });
    if let Some(period) = round.course.comment.as_mut().filter(|_| first) {
        period.unanswered = period.unanswered.saturating_sub(1);
    }
    let basis = format!("comments/{}", comment.id);
    world.step(&mut round, StepKind::CommentAnswered, by, None, basis, at);
    world.put_comment(id, comment.clone());
    world.put_round(round);
    Ok((Answer::Comment(id.clone(), Box::new(comment)), Vec::new()))
}

/// The period has ended, and every comment is answered.
pub(super) fn over(round: &Round, at: Timestamp) -> Result<(), Refusal> {
    let Some(period) = &round.course.comment else {
        return Err(Refusal::RoundState {
            state: round.state,
            needed: "PUBLIC_COMMENT",
        });
    };
    if at < period.until {
        return Err(Refusal::Round(RoundRefusal::CommentOpen { until: period.until }));
    }
    if period.unanswered > 0 {
        return Err(Refusal::Round(RoundRefusal::CommentsUnanswered(
            period.unanswered,
        )));
    }
    Ok(())
}
