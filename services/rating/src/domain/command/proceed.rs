//! The steps of a round between verification and publication, each guarded by the state that it needs.

use greenstar_kernel::{Caller, Code, Document, Officer, Timestamp, Uscc};

use super::{Answer, Notice, World, comments, deliberation, verification};
use crate::domain::course::{Approval, StepKind};
use crate::domain::error::{Refusal, RoundRefusal};
use crate::domain::round::{Round, RoundState};
use crate::domain::scheme::Procedure;

pub use deliberation::Said;

/// A step.
#[derive(Clone, Debug)]
pub enum Step {
    /// Send a declaration back.
    Return {
        /// Whose.
        uscc: Uscc,
        /// What is to be corrected.
        reason: String,
    },
    /// Confirm verdicts as a second officer.
    Confirm {
        /// Whose.
        uscc: Uscc,
        /// Of which items; none named: of all.
        items: Vec<Code>,
    },
    /// Tell who would lose.
    IssueNotices,
    /// Answer a notice.
    AnswerNotice {
        /// Whose.
        uscc: Uscc,
        /// What it says.
        text: String,
    },
    /// Show the public what is proposed.
    OpenComment {
        /// Working days, where it is to last longer than the scheme says.
        days: Option<u16>,
    },
    /// Comment.
    Comment {
        /// Its id, made at the edge.
        id: Code,
        /// On which enterprise.
        uscc: Option<Uscc>,
        /// What the author calls itself.
        signed: String,
        /// What it says.
        text: String,
    },
    /// Answer a comment.
    AnswerComment {
        /// Which.
        id: Code,
        /// Whether the public sees it.
        shown: bool,
        /// The answer, or why it is not shown.
        text: String,
    },
    /// Hand the proposal to the members.
    OpenDeliberation,
    /// An officer stands back.
    Recuse {
        /// Who; absent: the caller.
        officer: Option<Officer>,
        /// In whose matters.
        enterprises: Vec<Uscc>,
        /// Why.
        reason: String,
    },
    /// A department votes.
    Vote {
        /// What it says of whom.
        votes: Vec<(Uscc, Said)>,
        /// It confirms everyone whom it names in no vote.
        confirm_others: bool,
    },
    /// End the deliberation.
    CloseDeliberation {
        /// What was said.
        minutes: String,
    },
    /// Record the government's approval.
    Approve {
        /// Its document.
        document: Document,
    },
    /// Give the round up.
    Withdraw {
        /// Why.
        reason: String,
    },
}

pub(super) fn proceed(
    world: &mut World,
    by: &Caller,
    id: &Code,
    step: &Step,
    at: Timestamp,
) -> Result<(Answer, Vec<Notice>), Refusal> {
    match step {
        Step::Return { uscc, reason } => verification::give_back(world, by, id, uscc, reason, at),
        Step::Confirm { uscc, items } => verification::confirm(world, by, id, uscc, items, at),
        Step::IssueNotices => verification::issue_notices(world, by, id, at),
        Step::AnswerNotice { uscc, text } => verification::answer_notice(world, by, id, uscc, text, at),
        Step::OpenComment { days } => comments::open_comment(world, by, id, *days, at),
        Step::Comment {
            id: comment,
            uscc,
            signed,
            text,
        } => {
            let said = (comment, uscc.as_ref(), signed.as_str(), text.as_str());
            comments::comment(world, by, id, said, at)
        }
        Step::AnswerComment {
            id: comment,
            shown,
            text,
        } => comments::answer(world, by, id, (comment, *shown, text), at),
        Step::OpenDeliberation => deliberation::begin(world, by, id, at),
        Step::Recuse {
            officer,
            enterprises,
            reason,
        } => deliberation::recuse(world, by, id, (officer.as_ref(), enterprises, reason), at),
        Step::Vote {
            votes,
            confirm_others,
        } => deliberation::vote(world, by, id, votes, *confirm_others, at),
        Step::CloseDeliberation { minutes } => deliberation::close(world, by, id, minutes, at),
        Step::Approve { document } => approve(world, by, id, document, at),
        Step::Withdraw { reason } => withdraw(world, by, id, reason, at),
    }
}

/// A round in one of some states.
pub(super) fn open(
    world: &World,
    id: &Code,
    states: &[RoundState],
    needed: &'static str,
) -> Result<Round, Refusal> {
    let round = world.round(id)?;
    if states.contains(&round.state) {
        Ok(round.clone())
    } else {
        Err(Refusal::RoundState {
            state: round.state,
            needed,
        })
    }
}

/// Keeps a round that moved, and tells followers.
pub(super) fn store(world: &mut World, round: Round) -> (Answer, Vec<Notice>) {
    let answer = Answer::Round(round.clone());
    let notice = Notice::Round(round.id.clone(), round.state);
    world.put_round(round);
    (answer, vec![notice])
}

/// The step that follows the last one that a scheme asks for. What it does not ask for is not waited for.
pub(super) fn state_before_publishing(procedure: &Procedure) -> (RoundState, &'static str) {
    if procedure.approval.is_some() || procedure.deliberation.is_some() {
        (RoundState::GovApproval, "GOV_APPROVAL")
    } else if procedure.comment.is_some() {
        (RoundState::PublicComment, "PUBLIC_COMMENT")
    } else {
        (RoundState::Verifying, "VERIFYING")
    }
}

/// Whether a round has gone through all that its scheme asks for, and an officer may publish it: one who neither
/// awarded nor confirmed anything in it, nor recorded the approval (protocol.md §9).
///
/// # Errors
/// Why not yet, or not by this officer.
pub(super) fn may_publish(
    round: &Round,
    procedure: &Procedure,
    by: &Caller,
    approval: &str,
    at: Timestamp,
) -> Result<(), Refusal> {
    let officer = by.officer().ok_or(Refusal::NotYours)?;
    // The reason that helps most comes first: the public still may comment.
    if round.state == RoundState::PublicComment {
        comments::over(round, at)?;
    }
    let (state, needed) = state_before_publishing(procedure);
    if round.state != state {
        return Err(Refusal::RoundState {
            state: round.state,
            needed,
        });
    }
    let course = &round.course;
    if course.verifiers.contains(officer) {
        return Err(Refusal::SameOfficer(officer.clone()));
    }
    match (&course.approval, procedure.approval) {
        (Some(recorded), _) if recorded.by == *officer => Err(Refusal::SameOfficer(officer.clone())),
        (Some(recorded), _) if approval.is_empty() || approval == recorded.document.number => Ok(()),
        (Some(_), _) => Err(Refusal::field(
            "approval",
            (
                "已登记的批准文号，或留空",
                "the number of the recorded approval, or left out",
            ),
        )),
        (None, Some(_)) => Err(Refusal::Round(RoundRefusal::ApprovalMissing)),
        (None, None) if approval.is_empty() => Err(Refusal::field(
            "approval",
            ("批准文号", "the record of the approval"),
        )),
        (None, None) => Ok(()),
    }
}

fn approve(
    world: &mut World,
    by: &Caller,
    id: &Code,
    document: &Document,
    at: Timestamp,
) -> Result<(Answer, Vec<Notice>), Refusal> {
    let mut round = open(world, id, &[RoundState::GovApproval], "GOV_APPROVAL")?;
    let officer = by.officer().ok_or(Refusal::NotYours)?;
    let stored = world.scheme(&round.scheme)?;
    let Some(publish) = stored.scheme.procedure.approval else {
        return Err(Refusal::Round(RoundRefusal::StepNotAsked));
    };
    if document.date > at.date() {
        return Err(Refusal::DateInFuture {
            field: "document.date",
        });
    }
    if round.course.approval.is_some() {
        return Err(Refusal::Round(RoundRefusal::ApprovalExists));
    }
    round.course.approval = Some(Approval {
        document: document.clone(),
        by: officer.clone(),
        at,
        publish_by: publish.deadline(document.date),
    });
    let basis = format!("{} {}", document.issuer, document.number);
    world.step(&mut round, StepKind::Approved, by, None, basis, at);
    Ok(store(world, round))
}

fn withdraw(
    world: &mut World,
    by: &Caller,
    id: &Code,
    reason: &str,
    at: Timestamp,
) -> Result<(Answer, Vec<Notice>), Refusal> {
    let mut round = world.round(id)?.clone();
    if !round.is_open() {
        return Err(Refusal::RoundState {
            state: round.state,
            needed: "DRAFT to GOV_APPROVAL",
        });
    }
    round.state = RoundState::Withdrawn;
    round.course.withdrawn = Some(reason.to_owned());
    world.step(&mut round, StepKind::Withdrawn, by, None, reason.to_owned(), at);
    Ok(store(world, round))
}
