//! The steps that a scheme asks of a round beyond declaring and verifying, and their days. What its data does not
//! name is no step: a method without a public comment goes from verification to the directory.

use std::collections::BTreeMap;

use greenstar_kernel::{Date, Department, Timestamp, WorkingDays};

use super::SchemeProblem;
use super::check::within;
use super::fault::Faults;
use super::raw;

/// The public has at least so long, whatever a scheme says (issue D; Shaanxi's measures as read in the sources).
pub const LEAST_COMMENT: WorkingDays = WorkingDays(10);
/// Days of the scheme's defaults where a step is asked for and its days are not said.
const ANSWER: Span = Span::Working(WorkingDays(5));
const OBJECTION: Span = Span::Working(WorkingDays(15));
const CORRECTION: Span = Span::Working(WorkingDays(5));
const VERIFICATION: Span = Span::Working(WorkingDays(20));

/// A number of days, as a scheme writes them: `10WD` or `7D`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// By the holiday table.
    Working(WorkingDays),
    /// Every day counts.
    Calendar(u16),
}

/// What a scheme asks of its rounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Procedure {
    /// Each verdict takes a second officer.
    pub second_officer: bool,
    /// In which a declaration that was sent back is handed in again.
    pub correction: Span,
    /// In which declarations are verified, from the end of their own time or the first verdict.
    pub verification: Span,
    /// Who would lose is told first, and has so long to answer.
    pub notice: Option<Span>,
    /// How long the public may comment.
    pub comment: Option<Span>,
    /// Who deliberates.
    pub deliberation: Option<Joint>,
    /// The government approves, and the directory is published so soon after.
    pub approval: Option<Span>,
    /// In which objections are decided.
    pub objection: Span,
    /// The most, in hundredths of an item's max, that is awarded on the firm's own word alone.
    pub self_evidence_percent: u16,
}

/// Joint deliberation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joint {
    /// Departments with a vote each.
    pub members: Vec<Department>,
    /// So many votes decide on an enterprise.
    pub quorum: u16,
}

impl Span {
    fn parse(raw: &str) -> Option<Span> {
        if let Some(days) = raw.strip_suffix("WD") {
            return Some(Span::Working(WorkingDays(days.parse().ok()?)));
        }
        Some(Span::Calendar(raw.strip_suffix('D')?.parse().ok()?))
    }

    /// When so many days from something of `from` have passed; the last day still counts.
    pub fn deadline(self, from: Date) -> Timestamp {
        match self {
            Span::Working(days) => from.deadline(days),
            Span::Calendar(days) => from.plus_days(i32::from(days) + 1).start(),
        }
    }
}

/// Days that a file writes; a fault if they cannot be counted.
fn days(faults: &mut Faults, place: &str, raw: &str) -> Option<Span> {
    let none = |span: &Span| match span {
        Span::Working(days) => days.0 == 0,
        Span::Calendar(days) => *days == 0,
    };
    let span = Span::parse(raw).filter(|span| !none(span));
    if span.is_none() {
        let problem = SchemeProblem::Unsupported("a number of days such as 10WD or 7D");
        faults.add(place, problem);
    }
    span
}

pub(super) fn procedure(
    faults: &mut Faults,
    written: &BTreeMap<String, String>,
    file: Option<&raw::Procedure>,
) -> Procedure {
    let mut of = |step: &str| {
        let raw = written.get(step)?;
        days(faults, &format!("process_days.{step}"), raw)
    };
    let (comment, approval) = (of("public_comment"), of("publication_after_approval"));
    let correction = of("correction_of_declaration").unwrap_or(CORRECTION);
    let verification = of("verification").unwrap_or(VERIFICATION);
    let objection = of("objection_decision").unwrap_or(OBJECTION);
    if let Some(Span::Working(days)) = comment {
        within(
            faults,
            "process_days.public_comment",
            days.0,
            LEAST_COMMENT.0,
            250,
        );
    }
    let noticed = written.contains_key("notice_before_publication_if_adverse");
    let answer = file.and_then(|file| file.notice_answer.as_deref());
    let answer = answer.and_then(|raw| days(faults, "procedure.notice_answer", raw));
    let members = file.map(|file| file.members.as_slice()).unwrap_or_default();
    for (at, member) in members.iter().enumerate() {
        let place = format!("procedure.members[{at}]");
        let once = !members.iter().take(at).any(|before| before == member);
        faults.check(once, place, || SchemeProblem::Unsupported("each department once"));
    }
    let most = u16::try_from(members.len()).unwrap_or(u16::MAX);
    let quorum = file.and_then(|file| file.quorum).unwrap_or(most / 2 + 1);
    let deliberation = (most > 0).then(|| {
        within(faults, "procedure.quorum", quorum, 1, most);
        Joint {
            members: members.to_vec(),
            quorum,
        }
    });
    let percent = file.and_then(|file| file.self_evidence_percent).unwrap_or(100);
    within(faults, "procedure.self_evidence_percent", percent, 0, 100);
    Procedure {
        second_officer: file.is_some_and(|file| file.second_officer),
        correction,
        verification,
        notice: noticed.then_some(answer.unwrap_or(ANSWER)),
        comment,
        deliberation,
        approval,
        objection,
        self_evidence_percent: percent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::scheme::Scheme;

    const FILE: &str = include_str!("../../../data/schemes/daxing-green-credit.yaml");

    #[test]
    fn the_district_asks_for_every_step() {
        let procedure = Scheme::parse(FILE).unwrap().procedure;
        assert!(procedure.second_officer && procedure.notice.is_some());
        assert_eq!(procedure.comment, Some(Span::Working(WorkingDays(10))));
        assert_eq!(procedure.approval, Some(Span::Working(WorkingDays(5))));
        assert_eq!(procedure.objection, Span::Working(WorkingDays(15)));
        let joint = procedure.deliberation.unwrap();
        assert_eq!((joint.members.len(), joint.quorum), (4, 3));
    }

    #[test]
    fn days_that_cannot_be_counted_are_refused_with_their_place() {
        for (from, to, place) in [
            (
                "public_comment: 10WD",
                "public_comment: soon",
                "process_days.public_comment",
            ),
            (
                "public_comment: 10WD",
                "public_comment: 9WD",
                "process_days.public_comment",
            ),
            ("quorum: 3", "quorum: 5", "procedure.quorum"),
            ("quorum: 3", "quorum: 0", "procedure.quorum"),
        ] {
            assert!(FILE.contains(from), "{from}");
            let error = Scheme::parse(&FILE.replace(from, to)).unwrap_err();
            assert_eq!(error.0[0].place, place, "{to}");
        }
    }

    #[test]
    fn the_last_day_of_a_span_still_counts() {
        let friday: Date = "2026-11-27".parse().unwrap();
        let due = |span: Span| span.deadline(friday).date().to_string();
        assert_eq!(due(Span::Working(WorkingDays(1))), "2026-12-01");
        assert_eq!(due(Span::Calendar(1)), "2026-11-29");
    }
}
