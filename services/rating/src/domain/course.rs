//! What a round has gone through between its first day and its directory: who did what, when, on what basis, and by
//! when the next thing is due.

use std::collections::{BTreeMap, BTreeSet};

use greenstar_kernel::{
    Code, Date, Department, Document, LocalizedText, Officer, Points, Standing, Star, Timestamp, Uscc,
};
use serde::{Deserialize, Serialize};

use super::enterprise::uscc_text;
use super::round::{Round, RoundState};
use super::score::{Assessment, Gate};

/// The part of a round that its procedure fills in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Course {
    /// The round whose yearly review this one is.
    pub review_of: Option<Code>,
    /// Last day on which enterprises declare.
    pub declare_by: Option<Date>,
    /// How many have declared.
    pub declared: u32,
    /// When verification should be done.
    pub verify_by: Option<Timestamp>,
    /// Declarations that were sent back and are not in again.
    pub returned: Vec<Due>,
    /// Whoever awarded or confirmed something. They neither vote nor publish.
    pub verifiers: BTreeSet<Officer>,
    /// Who would lose was told, and may answer until then.
    pub noticed: Option<Noticed>,
    /// The public comment.
    pub comment: Option<CommentPeriod>,
    /// The joint deliberation.
    pub deliberation: Option<Deliberation>,
    /// The government's approval.
    pub approval: Option<Approval>,
    /// Why it was given up.
    pub withdrawn: Option<String>,
    /// Steps in its log so far.
    pub steps: u32,
}

/// Something that an enterprise owes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Due {
    /// Who.
    #[serde(with = "uscc_text")]
    pub uscc: Uscc,
    /// When it is late.
    pub at: Timestamp,
}

/// Notices were issued.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Noticed {
    /// When.
    pub at: Timestamp,
    /// Until when enterprises may answer.
    pub answer_by: Timestamp,
    /// Who has not answered yet.
    pub open: u32,
}

/// The public comments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommentPeriod {
    /// From when.
    pub from: Timestamp,
    /// Until when; from then on it is over.
    pub until: Timestamp,
    /// Comments so far.
    pub comments: u32,
    /// Comments that nobody has answered.
    pub unanswered: u32,
}

/// Members deliberate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deliberation {
    /// Departments that confirm everyone they do not name.
    pub ballots: BTreeMap<Department, Ballot>,
    /// Officers who take no part in some enterprises.
    pub recusals: Vec<Recusal>,
    /// What was said; there once it is closed.
    pub minutes: Option<String>,
}

/// A department confirms everyone it does not name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ballot {
    /// Who cast it.
    pub by: Officer,
    /// When.
    pub at: Timestamp,
}

/// An officer takes no part in an enterprise (回避).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recusal {
    /// Who.
    pub officer: Officer,
    /// In whose matter.
    #[serde(with = "uscc_text")]
    pub uscc: Uscc,
    /// Why.
    pub reason: String,
}

/// The government's approval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Its document.
    pub document: Document,
    /// The officer who recorded it.
    pub by: Officer,
    /// When it was recorded.
    pub at: Timestamp,
    /// When the directory should be out.
    pub publish_by: Timestamp,
}

/// A star that deliberation or an earlier version allows at most. It lowers, never raises.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// The most; without one, no star.
    pub star: Option<Star>,
    /// Why, as the members said it.
    pub reason: String,
}

impl Limit {
    /// A standing under this limit.
    pub fn on(&self, standing: Standing) -> Standing {
        match (standing, self.star) {
            (Standing::Rated(star), Some(most)) => Standing::Rated(star.min(most)),
            (Standing::Rated(_), None) => Standing::NotListed,
            (
                other @ (Standing::NotRated
                | Standing::NotListed
                | Standing::Vetoed
                | Standing::Suspended
                | Standing::Expired),
                _,
            ) => other,
        }
    }

    /// The last step of the score: what the points gave, lowered, and what blocks the next star.
    pub fn apply(&self, assessment: &mut Assessment) {
        let lowered = self.on(assessment.standing);
        if lowered != assessment.standing {
            assessment.standing = lowered;
            let reason = self.reason.clone();
            assessment.blocked.push(Gate::Deliberation {
                star: self.star,
                reason,
            });
        }
    }
}

/// What a department says of an enterprise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// Lower it to this; otherwise what is proposed is confirmed.
    pub lower: Option<Limit>,
    /// Who cast it.
    pub by: Officer,
    /// When.
    pub at: Timestamp,
}

/// A declaration was sent back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Returned {
    /// What is to be corrected.
    pub reason: String,
    /// By whom.
    pub by: Officer,
    /// When.
    pub at: Timestamp,
    /// Until when it is to be handed in again.
    pub due: Timestamp,
}

/// A written notice: what an enterprise would lose, and how it comes back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LossNotice {
    /// How it stands.
    pub from: Standing,
    /// How it would stand.
    pub to: Standing,
    /// The total that it would have.
    pub total: Points,
    /// What took or withheld points.
    pub lines: Vec<LossLine>,
    /// What keeps it from the next star.
    pub blocked: Vec<LocalizedText>,
    /// When it was issued.
    pub at: Timestamp,
    /// Until when it may be answered.
    pub answer_by: Timestamp,
    /// What the enterprise says to it.
    pub answer: Option<String>,
}

/// An item of a notice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LossLine {
    /// The item, or the veto.
    pub item: Code,
    /// What it took (negative), or withheld of what was claimed (negative).
    pub points: Points,
    /// How the points come back.
    pub way_back: LocalizedText,
}

/// A comment of the public.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comment {
    /// Its id.
    pub id: Code,
    /// On which enterprise; absent: on the round.
    pub on: Option<String>,
    /// Who made it: the caller's name, `public` for somebody unknown.
    pub by: String,
    /// What the author calls itself.
    pub signed: String,
    /// What it says.
    pub text: String,
    /// When.
    pub at: Timestamp,
    /// What an officer made of it.
    pub answer: Option<CommentAnswer>,
}

/// What an officer made of a comment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommentAnswer {
    /// Whether the public sees the comment with its answer.
    pub shown: bool,
    /// What it says; of one that is not shown, why not.
    pub text: String,
    /// By whom.
    pub by: Officer,
    /// When.
    pub at: Timestamp,
}

/// A step that was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Counts up within the round, from 1.
    pub number: u32,
    /// Which.
    pub kind: StepKind,
    /// When.
    pub at: Timestamp,
    /// Who: an officer's name, `enterprises/{uscc}`, or `public`.
    pub by: String,
    /// `enterprises/{uscc}` if it concerns one.
    pub on: Option<String>,
    /// On what it rests: the provision of the scheme, a document, a reason.
    pub basis: String,
}

/// Kinds of step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StepKind {
    /// The round was begun.
    Created,
    /// Enterprises were enrolled.
    Enrolled,
    /// One declared.
    Declared,
    /// A declaration was sent back.
    Returned,
    /// Items were awarded.
    Verified,
    /// Verdicts were confirmed.
    Confirmed,
    /// Notices were issued.
    Noticed,
    /// A notice was answered.
    NoticeAnswered,
    /// Public comment began.
    CommentOpened,
    /// Somebody commented.
    Commented,
    /// A comment was answered.
    CommentAnswered,
    /// Members began to deliberate.
    DeliberationOpened,
    /// An officer stands back.
    Recused,
    /// A department voted.
    Voted,
    /// Deliberation ended.
    DeliberationClosed,
    /// The government approved.
    Approved,
    /// The directory is out.
    Published,
    /// The round was given up.
    Withdrawn,
    /// An objection changed what was found.
    Objected,
}

impl StepKind {
    /// As it is told.
    pub fn as_str(self) -> &'static str {
        match self {
            StepKind::Created => "CREATED",
            StepKind::Enrolled => "ENROLLED",
            StepKind::Declared => "DECLARED",
            StepKind::Returned => "RETURNED",
            StepKind::Verified => "VERIFIED",
            StepKind::Confirmed => "CONFIRMED",
            StepKind::Noticed => "NOTICED",
            StepKind::NoticeAnswered => "NOTICE_ANSWERED",
            StepKind::CommentOpened => "COMMENT_OPENED",
            StepKind::Commented => "COMMENTED",
            StepKind::CommentAnswered => "COMMENT_ANSWERED",
            StepKind::DeliberationOpened => "DELIBERATION_OPENED",
            StepKind::Recused => "RECUSED",
            StepKind::Voted => "VOTED",
            StepKind::DeliberationClosed => "DELIBERATION_CLOSED",
            StepKind::Approved => "APPROVED",
            StepKind::Published => "PUBLISHED",
            StepKind::Withdrawn => "WITHDRAWN",
            StepKind::Objected => "OBJECTED",
        }
    }
}

/// Something that should have been done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overdue {
    /// The round.
    pub round: Code,
    /// What is late: the step that would end it.
    pub step: StepKind,
    /// The enterprise that owes it, if one does.
    pub uscc: Option<Uscc>,
    /// Since when.
    pub due: Timestamp,
}

impl Round {
    /// Whether it still goes on.
    pub fn is_open(&self) -> bool {
        match self.state {
            RoundState::Draft
            | RoundState::Declaring
            | RoundState::Verifying
            | RoundState::PublicComment
            | RoundState::Deliberation
            | RoundState::GovApproval => true,
            RoundState::Published | RoundState::Withdrawn => false,
        }
    }

    /// What is late at an instant, earliest first.
    pub fn overdue(&self, at: Timestamp) -> Vec<Overdue> {
        let course = &self.course;
        let declared_by = course.declare_by.map(|day| day.plus_days(1).start());
        let mut due: Vec<(StepKind, Option<Uscc>, Option<Timestamp>)> = Vec::new();
        match self.state {
            RoundState::Draft | RoundState::Declaring if course.declared < self.enrolled => {
                due.push((StepKind::Declared, None, declared_by));
            }
            RoundState::Draft | RoundState::Declaring => {}
            RoundState::Verifying => match &course.noticed {
                None => due.push((StepKind::Confirmed, None, course.verify_by)),
                Some(noticed) => due.push((StepKind::CommentOpened, None, Some(noticed.answer_by))),
            },
            RoundState::PublicComment => {
                let until = course.comment.as_ref().map(|comment| comment.until);
                due.push((StepKind::DeliberationOpened, None, until));
            }
            RoundState::Deliberation => {}
            RoundState::GovApproval => {
                let by = course.approval.as_ref().map(|approval| approval.publish_by);
                due.push((StepKind::Published, None, by));
            }
            RoundState::Published | RoundState::Withdrawn => return Vec::new(),
        }
        let returned = course.returned.iter();
        due.extend(returned.map(|due| (StepKind::Declared, Some(due.uscc), Some(due.at))));
        let mut late: Vec<Overdue> = due
            .into_iter()
            .filter_map(|(step, uscc, due)| {
                let due = due.filter(|due| *due <= at)?;
                let round = self.id.clone();
                Some(Overdue {
                    round,
                    step,
                    uscc,
                    due,
                })
            })
            .collect();
        late.sort_by_key(|late| (late.due, late.uscc));
        late
    }
}
