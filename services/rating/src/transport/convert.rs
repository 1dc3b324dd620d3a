//! From the domain's words to messages.

use greenstar_kernel::{
    Code, Document, LocalizedText, Points, Position, RatingState, Standing, Star, Timestamp, Uscc, Verdict,
};
use greenstar_proto::common::v1 as common;
use greenstar_proto::rating::v1 as pb;

use crate::domain::enterprise::{Enterprise, PolluterClass};
use crate::domain::event::{Event, Evidence, Meaning};
use crate::domain::firm::{Fact, FactRating, Rated, RatingView};
use crate::domain::flagged;
use crate::domain::next_star::NextStar;
use crate::domain::round::{DirectoryLine, Round, RoundState};
use crate::domain::scheme::{Effect, Scheme, SchemeKey, Severity};
use crate::domain::score::{Assessment, Award, CategoryPoints, Deduction, Grant, ItemLine};
use crate::domain::transition::Transition;

pub(super) fn time(at: Timestamp) -> pbjson_types::Timestamp {
    let (seconds, micros) = (
        at.micros().div_euclid(1_000_000),
        at.micros().rem_euclid(1_000_000),
    );
    pbjson_types::Timestamp {
        seconds,
        nanos: i32::try_from(micros * 1000).unwrap_or(0),
    }
}

pub(super) fn text(text: LocalizedText) -> common::LocalizedText {
    common::LocalizedText {
        zh: text.zh,
        en: text.en,
    }
}

pub(super) fn position(position: &Position) -> common::Position {
    common::Position {
        epoch: position.epoch.to_string(),
        revision: position.revision.0,
    }
}

pub(super) fn enterprise_name(uscc: &Uscc) -> String {
    format!("enterprises/{uscc}")
}

pub(super) fn scheme_name(key: &SchemeKey) -> String {
    format!("schemes/{}/versions/{}", key.id, key.version)
}

pub(super) fn rank(star: Star) -> i32 {
    i32::from(star.get())
}

fn state(state: RatingState) -> i32 {
    let state = match state {
        RatingState::Rated => common::RatingState::Rated,
        RatingState::NotRated => common::RatingState::NotRated,
        RatingState::NotListed => common::RatingState::NotListed,
        RatingState::Vetoed => common::RatingState::Vetoed,
        RatingState::Suspended => common::RatingState::Suspended,
        RatingState::Expired => common::RatingState::Expired,
    };
    state.into()
}

pub(super) fn standing(standing: Standing) -> (Option<i32>, i32) {
    (standing.star().map(rank), state(standing.state()))
}

fn verdict(uscc: &Uscc) -> i32 {
    let verdict = match uscc.verdict() {
        Verdict::Valid => common::UsccVerdict::Valid,
        Verdict::CheckFailedOrgOk => common::UsccVerdict::CheckFailedOrgOk,
        Verdict::UnknownArea => common::UsccVerdict::UnknownArea,
    };
    verdict.into()
}

fn severity(severity: Severity) -> i32 {
    let severity = match severity {
        Severity::Minor => common::Severity::Minor,
        Severity::Ordinary => common::Severity::Ordinary,
        Severity::Serious => common::Severity::Serious,
    };
    severity.into()
}

fn polluter_class(class: PolluterClass) -> i32 {
    let class = match class {
        PolluterClass::General => pb::PolluterClass::General,
        PolluterClass::Key => pb::PolluterClass::Key,
        PolluterClass::HazardousWasteOperator => pb::PolluterClass::HazardousWasteOperator,
    };
    class.into()
}

pub(super) fn enterprise(enterprise: Enterprise) -> pb::Enterprise {
    let Enterprise { uscc, profile, etag } = enterprise;
    let sites = profile.sites.into_iter().map(|site| pb::Site {
        code: site.code,
        display_name: Some(text(site.name)),
        permit: site.permit.unwrap_or_default(),
        address: site.address,
    });
    pb::Enterprise {
        name: enterprise_name(&uscc),
        display_name: Some(text(profile.name)),
        district: profile.district.as_str().to_owned(),
        sector: profile.sector.as_str().to_owned(),
        polluter_class: polluter_class(profile.polluter_class),
        sites: sites.collect(),
        uscc_verdict: verdict(&uscc),
        etag: etag.to_string(),
    }
}

pub(super) fn categories(categories: Vec<CategoryPoints>) -> Vec<pb::CategoryPoints> {
    let one = |category: CategoryPoints| pb::CategoryPoints {
        category: category.category.to_string(),
        points: category.points.to_string(),
    };
    categories.into_iter().map(one).collect()
}

fn transition(next: Transition, explained: bool) -> pb::Transition {
    let (star, state) = standing(next.standing);
    let cause = if explained {
        next.cause()
    } else {
        next.cause_for_others()
    };
    let cause = Some(text(cause));
    pb::Transition {
        time: Some(time(next.at)),
        star,
        state,
        points: next.total.to_string(),
        categories: categories(next.categories),
        cause,
    }
}

/// `explained`: whether the reader may know why there is no star or no better one. Others are told of a firm
/// without a star its state alone: points and what time will change would say why (design.md §8); of one with a
/// star, not what was recorded.
pub(super) fn rating(view: RatingView, explained: bool) -> pb::Rating {
    let (star, state) = standing(view.standing);
    let mut rating = pb::Rating {
        name: format!("enterprises/{}/rating", view.uscc),
        star,
        state,
        star_title: view.rank.as_ref().map(|rank| text(rank.title.clone())),
        star_color: view
            .rank
            .and_then(|rank| rank.color)
            .map(|color| color.to_string())
            .unwrap_or_default(),
        known: view.name.is_some(),
        uscc_verdict: verdict(&view.uscc),
        display_name: view.name.map(text),
        as_of: Some(time(view.as_of)),
        ..pb::Rating::default()
    };
    if let Some(rated) = view.rating {
        if explained || view.standing.star().is_some() {
            rating.points = rated.total.to_string();
            rating.categories = categories(rated.categories);
            rating.next_transition = rated.next.map(|next| transition(next, explained));
            rating.objection_open = view.objection_open;
        }
        rating.scheme = scheme_name(&rated.scheme);
        rating.round = format!("rounds/{}", rated.round);
        rating.version = rated.version;
        rating.rate_time = Some(time(rated.rated_at));
        rating.valid_until_time = Some(time(rated.valid_until));
    }
    if explained && view.standing == Standing::NotListed {
        let reason = if view.dropped {
            "DROPPED"
        } else {
            "BELOW_THRESHOLD"
        };
        rating.state_reason = reason.to_owned();
    }
    if explained && !view.blocked.is_empty() {
        let join = |separator: &str, part: fn(&LocalizedText) -> &str| {
            view.blocked.iter().map(part).collect::<Vec<_>>().join(separator)
        };
        let (zh, en) = (join("；", |gate| &gate.zh), join("; ", |gate| &gate.en));
        rating.blocked_by = Some(common::LocalizedText { zh, en });
    }
    rating
}

/// `explained`: as of [`rating`].
pub(super) fn fact(fact: Fact, explained: bool) -> pb::RatingFact {
    let (star, state) = standing(fact.standing);
    let mut row = pb::RatingFact {
        enterprise: enterprise_name(&fact.uscc),
        star,
        state,
        district: fact.district.as_str().to_owned(),
        sector: fact.sector.as_str().to_owned(),
        polluter_class: polluter_class(fact.polluter_class),
        open_rectification: fact.open_rectification,
        objection_open: fact.objection_open,
        recent_events: fact
            .recent_events
            .into_iter()
            .map(|event| pb::RecentEvent {
                kind: event.kind.to_string(),
                severity: severity(event.severity),
                date: event.date.to_string(),
            })
            .collect(),
        ..pb::RatingFact::default()
    };
    if let Some(FactRating {
        total,
        categories: by_category,
        scheme,
        round,
        version,
        rated_at,
        valid_until,
        next,
    }) = fact.rating
    {
        if explained || fact.standing.star().is_some() {
            row.points = total.to_string();
            row.categories = categories(by_category);
            row.next_transition = next.map(|next| transition(next, explained));
        }
        row.scheme = scheme_name(&scheme);
        row.round = format!("rounds/{round}");
        row.version = version;
        row.rate_time = Some(time(rated_at));
        row.valid_until_time = Some(time(valid_until));
    }
    row
}

pub(super) fn document(document: Document) -> common::Document {
    common::Document {
        issuer: document.issuer,
        number: document.number,
        date: document.date.to_string(),
    }
}

pub(super) fn evidence(evidence: Evidence) -> pb::Evidence {
    pb::Evidence {
        kind: evidence.kind.to_string(),
        reference: evidence.reference,
        sha256: evidence.sha256.unwrap_or_default(),
    }
}

pub(super) fn event_name(uscc: &Uscc, id: &Code) -> String {
    format!("enterprises/{uscc}/events/{id}")
}

/// As of an instant. `None` where the scheme does not know the event: it is another scheme's.
pub(super) fn event(uscc: &Uscc, event: Event, scheme: &Scheme, at: Timestamp) -> Option<pb::Event> {
    let meaning = Meaning::of(scheme, &event.kind)?;
    let (item, points, suspendable) = match meaning {
        Meaning::Rule(item, rule) => (item.code.to_string(), rule.points.to_string(), rule.suspendable),
        Meaning::Veto(_) => (String::new(), String::new(), false),
    };
    let suspended = event.suspended_until(at).filter(|_| suspendable);
    Some(pb::Event {
        name: event_name(uscc, &event.id),
        kind: event.kind.to_string(),
        title: Some(text(meaning.title().clone())),
        severity: severity(event.severity),
        item,
        points,
        end_time: Some(time(event.end(meaning))),
        document: Some(document(event.document)),
        evidence: Some(evidence(event.evidence)),
        site: event.site.unwrap_or_default(),
        rectification_required: event.rectification_required,
        rectify_time: event.rectified_at.map(time),
        repair_time: event.repaired_at.map(time),
        revoke_time: event.revoked_at.map(time),
        cause: event.cause.map(flagged::cause_of).unwrap_or_default(),
        suspended_until_time: suspended.map(time),
        recorder: event.recorder.0,
        record_time: Some(time(event.recorded_at)),
    })
}

fn round_state(state: RoundState) -> i32 {
    let state = match state {
        RoundState::Draft => pb::RoundState::Draft,
        RoundState::Declaring => pb::RoundState::Declaring,
        RoundState::Verifying => pb::RoundState::Verifying,
        RoundState::PublicComment => pb::RoundState::PublicComment,
        RoundState::Deliberation => pb::RoundState::Deliberation,
        RoundState::GovApproval => pb::RoundState::GovApproval,
        RoundState::Published => pb::RoundState::Published,
        RoundState::Withdrawn => pb::RoundState::Withdrawn,
    };
    state.into()
}

pub(super) fn star_count((star, count): (Star, u32)) -> pb::StarCount {
    pb::StarCount {
        star: rank(star),
        count: i32::try_from(count).unwrap_or(i32::MAX),
    }
}

/// `whole`: whether the reader may know how many took part.
pub(super) fn round(round: Round, whole: bool) -> pb::Round {
    let mut out = pb::Round {
        name: format!("rounds/{}", round.id),
        display_name: Some(text(round.title)),
        scheme: scheme_name(&round.scheme),
        state: round_state(round.state),
        enrolled: whole.then(|| i32::try_from(round.enrolled).unwrap_or(i32::MAX)),
        ..pb::Round::default()
    };
    if let Some(publication) = round.publication {
        out.listed = publication.listed.into_iter().map(star_count).collect();
        out.publish_time = Some(time(publication.at));
        out.valid_until_time = Some(time(publication.valid_until));
        out.approval = publication.approval;
    }
    let course = *round.course;
    out.review_of = course
        .review_of
        .map(|id| format!("rounds/{id}"))
        .unwrap_or_default();
    out.declare_by_date = course.declare_by.map(|day| day.to_string()).unwrap_or_default();
    out.withdraw_reason = course.withdrawn.unwrap_or_default();
    if let Some(period) = course.comment {
        out.comment_until_time = Some(time(period.until));
        out.unanswered_comments = whole.then(|| i32::try_from(period.unanswered).unwrap_or(i32::MAX));
    }
    if let Some(approval) = course.approval {
        out.approval.clone_from(&approval.document.number);
        out.approval_document = Some(document(approval.document));
        out.publish_by_time = Some(time(approval.publish_by));
    }
    if whole {
        let deliberated = course.deliberation;
        out.minutes = deliberated.and_then(|known| known.minutes).unwrap_or_default();
        out.answer_notices_by_time = course.noticed.map(|noticed| time(noticed.answer_by));
    }
    out
}

/// What a round would do to an enterprise.
pub(super) fn dry_run_line(uscc: &Uscc, from: Standing, to: &Assessment, loses: bool) -> pb::DryRunLine {
    let ((from_star, from_state), (to_star, to_state)) = (standing(from), standing(to.standing));
    pb::DryRunLine {
        enterprise: enterprise_name(uscc),
        from_star,
        from_state,
        to_star,
        to_state,
        points: to.total.to_string(),
        loses,
        blocked_by: to.blocked.iter().map(|gate| text(gate.text())).collect(),
    }
}

pub(super) fn directory_entry(line: DirectoryLine) -> pb::DirectoryEntry {
    pb::DirectoryEntry {
        enterprise: enterprise_name(&line.uscc),
        display_name: Some(text(line.name)),
        star: rank(line.star),
        district: line.district.as_str().to_owned(),
        sector: line.sector.as_str().to_owned(),
    }
}

/// How a rating came about. `events` are the firm's.
pub(super) fn assessment(
    view: RatingView,
    assessed: Assessment,
    rated: &Rated,
    events: &[Event],
    scheme: &Scheme,
    next: Option<NextStar>,
) -> pb::Assessment {
    let uscc = view.uscc;
    let items = assessed.lines.into_iter().filter_map(|line| {
        let award = rated.awards.iter().find(|award| award.item == line.item);
        item_line(&uscc, line, award, events, scheme)
    });
    let vetoes = assessed.vetoes.into_iter().filter_map(|active| {
        let veto = scheme.veto(&active.veto)?;
        let effect = match veto.effect {
            Effect::Strip => "strip",
            Effect::Cap(_) => "cap",
            Effect::Drop(_) => "drop",
        };
        Some(pb::VetoLine {
            veto: active.veto.to_string(),
            title: Some(text(veto.name.clone())),
            effect: effect.to_owned(),
            event: event_name(&uscc, &active.event),
            earliest_end_time: Some(time(active.earliest_end)),
            rectification_confirmed: active.rectified,
            repairable: veto.repairable,
        })
    });
    let gates = assessed.gates.into_iter().map(|(star, gates)| pb::StarGates {
        star: rank(star),
        gates: gates
            .into_iter()
            .map(|(gate, holds)| pb::Gate {
                text: Some(text(gate.text())),
                holds,
            })
            .collect(),
    });
    pb::Assessment {
        next_star: next.map(|next| super::next_star::said(&uscc, next, scheme)),
        items: items.collect(),
        vetoes: vetoes.collect(),
        gates: gates.collect(),
        rating: Some(rating(view, true)),
    }
}

fn item_line(
    uscc: &Uscc,
    line: ItemLine,
    award: Option<&Award>,
    events: &[Event],
    scheme: &Scheme,
) -> Option<pb::ItemLine> {
    let item = scheme.item(&line.item)?;
    let claimed = |award: &Award| award.claimed.worth(scheme, &award.item).ok();
    let deductions = line.deductions.into_iter().filter_map(|deduction| {
        let event = events.iter().find(|event| event.id == deduction.event)?;
        Some(self::deduction(uscc, deduction, event))
    });
    Some(pb::ItemLine {
        item: line.item.to_string(),
        title: Some(text(item.name.clone())),
        points: line.points.to_string(),
        max: item.max.to_string(),
        claimed: award
            .and_then(claimed)
            .as_ref()
            .map(Points::to_string)
            .unwrap_or_default(),
        tiers: match award.map(|award| &award.grant) {
            Some(Grant::Conditions(ticked)) => ticked.iter().map(Code::to_string).collect(),
            Some(Grant::Points(_)) | None => Vec::new(),
        },
        evidence: award
            .map(|award| award.evidence.iter().cloned().map(evidence).collect())
            .unwrap_or_default(),
        deductions: deductions.collect(),
        note: award.map(|award| award.note.clone()).unwrap_or_default(),
    })
}

fn deduction(uscc: &Uscc, deduction: Deduction, event: &Event) -> pb::Deduction {
    pb::Deduction {
        event: event_name(uscc, &deduction.event),
        kind: deduction.kind.to_string(),
        points: deduction.points.to_string(),
        document: Some(document(event.document.clone())),
        end_time: Some(time(deduction.until)),
        site: event.site.clone().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::enterprise::{District, Sector};
    use crate::domain::firm::RecentEvent;
    use crate::domain::round::MAX_ENROLLED;
    use crate::domain::transition::Cause;
    use prost::Message as _;

    /// Followers take messages of 64 MiB. A round is published in one frame.
    #[test]
    fn the_frame_of_the_largest_round_is_far_below_what_a_follower_takes() {
        let code = |text: &str| Code::parse(text).unwrap();
        let at = Timestamp::from_micros(i64::MAX / 2);
        let categories: Vec<_> = ["A", "B", "C", "D", "E"]
            .map(|id| CategoryPoints {
                category: code(id),
                points: Points::from_milli(-12_500),
            })
            .into();
        let fact = Fact {
            uscc: "91110115MAX000015J".parse().unwrap(),
            standing: Standing::Vetoed,
            rating: Some(FactRating {
                total: Points::from_milli(-12_500),
                categories: categories.clone(),
                scheme: SchemeKey::new(code("daxing-green-credit"), "2021.1-proposal").unwrap(),
                round: code(&"r".repeat(64)),
                version: u32::MAX,
                rated_at: at,
                valid_until: at,
                next: Some(Transition {
                    at,
                    standing: Standing::Vetoed,
                    total: Points::from_milli(-12_500),
                    categories,
                    causes: vec![Cause::Validity],
                }),
            }),
            district: District::parse("110115").unwrap(),
            moved_from: None,
            sector: Sector::parse("C2319").unwrap(),
            polluter_class: PolluterClass::HazardousWasteOperator,
            open_rectification: true,
            objection_open: true,
            // A firm with a hundred open faults is one in a district; here all are.
            recent_events: vec![
                RecentEvent {
                    kind: code("complaint_verified_repeat"),
                    severity: Severity::Serious,
                    date: "2026-03-02".parse().unwrap(),
                };
                100
            ],
        };
        let change = pb::RatingChange {
            revision: u64::MAX,
            cause: format!("rounds/{}", "r".repeat(64)),
            fact: Some(super::fact(fact, true)),
        };
        let frame = pb::RatingFrame {
            after: u64::MAX,
            to: u64::MAX,
            changes: vec![change; MAX_ENROLLED as usize],
            left: Vec::new(),
        };
        assert!(frame.encoded_len() < 16 << 20, "{} bytes", frame.encoded_len());
    }
}
