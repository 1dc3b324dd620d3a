//! From rounds' steps and objections to messages.

use greenstar_kernel::{Code, Points, Standing, Star, Uscc};
use greenstar_proto::rating::v1 as pb;

use super::convert::{enterprise_name, event_name, evidence, rank, standing, text, time};
use crate::domain::course::{Comment, Limit, LossNotice, Overdue, Step, Vote};
use crate::domain::firm::Firm;
use crate::domain::objection::{Contested, Finding, Milder, Objection, Ruling, Subject};
use crate::domain::outcome;
use crate::domain::round::{Claim, Enrolment, Round, Verdict};
use crate::domain::scheme::{Issuer, Scheme};
use crate::domain::score::Grant;

/// Points or conditions, as the contract writes them.
fn grant(grant: &Grant) -> (String, Vec<String>) {
    match grant {
        Grant::Points(points) => (points.to_string(), Vec::new()),
        Grant::Conditions(ticked) => (String::new(), ticked.iter().map(Code::to_string).collect()),
    }
}

fn claim(claim: Claim) -> pb::ItemClaim {
    let (points, tiers) = grant(&claim.grant);
    pb::ItemClaim {
        item: claim.item.to_string(),
        points,
        tiers,
        evidence: claim.evidence.into_iter().map(evidence).collect(),
    }
}

fn strength(issuer: Option<Issuer>) -> i32 {
    let strength = match issuer {
        Some(Issuer::Authority) => pb::EvidenceStrength::Authority,
        Some(Issuer::Court) => pb::EvidenceStrength::Court,
        Some(Issuer::System) => pb::EvidenceStrength::System,
        Some(Issuer::ThirdParty) => pb::EvidenceStrength::ThirdParty,
        Some(Issuer::Enterprise) => pb::EvidenceStrength::Enterprise,
        None => pb::EvidenceStrength::Unspecified,
    };
    strength.into()
}

fn item(said: Claim, verdict: Option<&Verdict>, scheme: &Scheme, official: bool) -> pb::DeclaredItem {
    let name = said.item.to_string();
    let who = |officer: Option<String>| officer.filter(|_| official).unwrap_or_default();
    pb::DeclaredItem {
        strength: strength(outcome::strength(scheme, &said.evidence)),
        most_points: outcome::most(scheme, &said)
            .as_ref()
            .map(Points::to_string)
            .unwrap_or_default(),
        verifier: who(verdict.map(|verdict| verdict.by.to_string())),
        confirmer: who(verdict.and_then(|verdict| Some(verdict.confirmed_by.as_ref()?.to_string()))),
        confirmed: verdict.is_some_and(|verdict| verdict.confirmed_by.is_some()),
        verdict: verdict.map(|verdict| {
            let (points, tiers) = grant(&verdict.grant);
            pb::ItemVerdict {
                item: name,
                points,
                tiers,
                note: verdict.note.clone(),
            }
        }),
        claim: Some(claim(said)),
    }
}

/// `official`: whether a department reads; the enterprise itself is not told which officer did what.
pub(super) fn declaration(
    round: &Round,
    firm: &Firm,
    part: Enrolment,
    scheme: &Scheme,
    official: bool,
) -> pb::Declaration {
    let uscc = firm.enterprise.uscc;
    let prefilled = outcome::prefilled(firm, scheme).into_iter();
    let events = firm.events.iter().filter(|event| !event.is_struck());
    let mut out = pb::Declaration {
        round: format!("rounds/{}", round.id),
        enterprise: enterprise_name(&uscc),
        notice: part.notice.map(notice),
        prefilled: prefilled
            .map(|known| pb::PrefilledClaim {
                claim: Some(claim(known.claim)),
                source: known.source,
            })
            .collect(),
        known_events: events.map(|event| event_name(&uscc, &event.id)).collect(),
        lowered_reason: part.lowered.map(|limit| limit.reason).unwrap_or_default(),
        ..pb::Declaration::default()
    };
    if let Some(proposed) = part.proposed {
        (out.proposed_star, out.proposed_state) = standing(proposed);
    }
    if let Some(returned) = part.returned {
        out.return_reason = returned.reason;
        out.correct_by_time = Some(time(returned.due));
    }
    if official {
        let votes = part.votes.into_iter();
        out.votes = votes
            .map(|(department, cast)| vote(department.to_string(), cast))
            .collect();
    }
    if let Some(declared) = part.declaration {
        let verdicts = &declared.verdicts;
        let items = declared.claims.into_iter();
        out.items = items
            .map(|claim| {
                let verdict = verdicts.get(&claim.item);
                item(claim, verdict, scheme, official)
            })
            .collect();
        out.declarer = declared.by;
        out.declare_time = Some(time(declared.at));
    }
    out
}

fn vote(department: String, vote: Vote) -> pb::CastVoteRecord {
    let (lowers, limit) = (vote.lower.is_some(), vote.lower);
    let star = limit.as_ref().and_then(|limit| limit.star).map(rank);
    pb::CastVoteRecord {
        department,
        officer: vote.by.0,
        lowers,
        star,
        reason: limit.map(|Limit { reason, .. }| reason).unwrap_or_default(),
        cast_time: Some(time(vote.at)),
    }
}

fn notice(notice: LossNotice) -> pb::LossNotice {
    let ((from_star, from_state), (to_star, to_state)) = (standing(notice.from), standing(notice.to));
    let lines = notice.lines.into_iter().map(|line| pb::LossLine {
        item: line.item.to_string(),
        points: line.points.to_string(),
        way_back: Some(text(line.way_back)),
    });
    pb::LossNotice {
        from_star,
        from_state,
        to_star,
        to_state,
        points: notice.total.to_string(),
        lines: lines.collect(),
        blocked_by: notice.blocked.into_iter().map(text).collect(),
        issue_time: Some(time(notice.at)),
        answer_by_time: Some(time(notice.answer_by)),
        answer: notice.answer.unwrap_or_default(),
    }
}

pub(super) fn proposal(firm: &Firm, star: Star) -> pb::Proposal {
    pb::Proposal {
        enterprise: enterprise_name(&firm.enterprise.uscc),
        display_name: Some(text(firm.enterprise.profile.name.clone())),
        star: rank(star),
    }
}

/// `whole`: whether the rating department reads, which is told who called and who answered.
pub(super) fn comment(round: &Code, comment: Comment, whole: bool) -> pb::Comment {
    let mut out = pb::Comment {
        name: format!("rounds/{round}/comments/{}", comment.id),
        enterprise: comment.on.unwrap_or_default(),
        author: comment.signed,
        text: comment.text,
        create_time: Some(time(comment.at)),
        ..pb::Comment::default()
    };
    if whole {
        out.caller = comment.by;
    }
    if let Some(answer) = comment.answer {
        out.answer = answer.text;
        out.shown = answer.shown;
        out.answer_time = Some(time(answer.at));
        if whole {
            out.answerer = answer.by.0;
        }
    }
    out
}

fn number(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

pub(super) fn step(step: Step) -> pb::RoundStep {
    pb::RoundStep {
        number: number(step.number),
        step: step.kind.as_str().to_owned(),
        time: Some(time(step.at)),
        actor: step.by,
        enterprise: step.on.unwrap_or_default(),
        basis: step.basis,
    }
}

pub(super) fn overdue(late: Overdue) -> pb::OverdueStep {
    pb::OverdueStep {
        round: format!("rounds/{}", late.round),
        step: late.step.as_str().to_owned(),
        enterprise: late.uscc.as_ref().map(enterprise_name).unwrap_or_default(),
        due_time: Some(time(late.due)),
    }
}

pub(super) fn moved(from: Standing, to: Standing, count: u32) -> pb::DryRunMove {
    let ((from_star, from_state), (to_star, to_state)) = (standing(from), standing(to));
    pb::DryRunMove {
        from_star,
        from_state,
        to_star,
        to_state,
        count: number(count),
    }
}

fn subject(uscc: &Uscc, subject: &Subject) -> (String, String) {
    match subject {
        Subject::Item(item) => (item.to_string(), String::new()),
        Subject::Event(event) => (String::new(), event_name(uscc, event)),
        Subject::Version => (String::new(), String::new()),
    }
}

/// `whole`: whether the rating department reads, which is told who decided.
pub(super) fn objection(uscc: &Uscc, objection: Objection, whole: bool) -> pb::Objection {
    let open = objection.is_open();
    let points = objection.points.into_iter().map(|point: Contested| {
        let (item, event) = subject(uscc, &point.subject);
        pb::ObjectionPoint {
            item,
            event,
            grounds: point.grounds,
            evidence: point.evidence.into_iter().map(evidence).collect(),
        }
    });
    let mut out = pb::Objection {
        name: format!("enterprises/{uscc}/objections/{}", objection.id),
        version: objection.version,
        round: format!("rounds/{}", objection.round),
        points: points.collect(),
        filer: objection.by,
        create_time: Some(time(objection.at)),
        due_time: Some(time(objection.due)),
        open,
        ..pb::Objection::default()
    };
    if let Some(decision) = objection.decision {
        out.findings = decision
            .findings
            .into_iter()
            .map(|finding| self::finding(uscc, finding))
            .collect();
        out.decide_time = Some(time(decision.at));
        if whole {
            out.decider = decision.by.0;
        }
    }
    out
}

fn finding(uscc: &Uscc, finding: Finding) -> pb::ObjectionFinding {
    let (item, event) = subject(uscc, &finding.subject);
    let (verdict, worth, kind) = match finding.verdict {
        Ruling::Upheld(grant) => (pb::ObjectionVerdict::Upheld, grant, None),
        Ruling::Partly(Milder::Worth(grant)) => (pb::ObjectionVerdict::Partly, Some(grant), None),
        Ruling::Partly(Milder::Kind(kind)) => (pb::ObjectionVerdict::Partly, None, Some(kind)),
        Ruling::Rejected => (pb::ObjectionVerdict::Rejected, None, None),
    };
    let (points, tiers) = worth.as_ref().map(grant).unwrap_or_default();
    pb::ObjectionFinding {
        item,
        event,
        verdict: verdict.into(),
        reason: finding.reason,
        points,
        tiers,
        kind: kind.as_ref().map(Code::to_string).unwrap_or_default(),
    }
}
