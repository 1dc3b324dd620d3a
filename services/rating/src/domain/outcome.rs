//! What a round would make of an enterprise: the same for a dry run, a notice, the proposed list and publication.

use std::collections::BTreeSet;

use greenstar_kernel::{Code, LocalizedText, Points, Standing, Star, Timestamp};

use super::course::{LossLine, LossNotice};
use super::event::Evidence;
use super::firm::{Firm, Rated};
use super::round::{Claim, Enrolment, Round};
use super::scheme::{Issuer, Scheme, Scoring};
use super::score::{Assessment, Award, Grant, ScoreError};

/// The enterprise as publishing at an instant would leave it, and how that comes about. What was lowered by
/// deliberation stays lowered, open objections stay open.
///
/// # Errors
/// As the score.
pub fn rated_anew(
    firm: &Firm,
    round: &Round,
    enrolment: &Enrolment,
    scheme: &Scheme,
    at: Timestamp,
) -> Result<(Firm, Option<Assessment>), ScoreError> {
    let mut firm = firm.clone();
    let (before, objections) = firm.rated.as_ref().map_or((0, BTreeSet::new()), |rated| {
        (rated.version, rated.objections.clone())
    });
    let declared = enrolment.declaration.as_ref();
    firm.rated = Some(Rated {
        version: before,
        round: round.id.clone(),
        scheme: round.scheme.clone(),
        awards: declared
            .map(|declaration| declaration.awards(scheme.procedure.second_officer))
            .unwrap_or_default(),
        valid_until: at.date().term_end(scheme.valid),
        rated_at: at,
        standing: Standing::NotRated,
        total: Points::ZERO,
        categories: Vec::new(),
        next: None,
        // An authority that has not decided yet is not overtaken by a round.
        suspended: firm.rated.as_ref().and_then(|rated| rated.suspended.clone()),
        limit: enrolment.lowered.clone(),
        objections,
    });
    let assessment = firm.rate(scheme, at)?;
    Ok((firm, assessment))
}

/// A rank of standings to say who loses: a star above none; no star because of a veto below none at all.
fn rank(standing: Standing) -> u8 {
    match standing {
        Standing::Rated(star) => star.get() + 2,
        Standing::NotRated | Standing::NotListed | Standing::Suspended | Standing::Expired => 1,
        Standing::Vetoed => 0,
    }
}

/// Whether an enterprise that stands so would lose by it: a star fewer, or none where it took part for one.
pub fn loses(from: Standing, to: Standing) -> bool {
    rank(to) < rank(from) || to.star().is_none()
}

/// The written notice to who would lose.
pub fn loss(
    firm: &Firm,
    from: Standing,
    assessment: &Assessment,
    enrolment: &Enrolment,
    scheme: &Scheme,
    (at, answer_by): (Timestamp, Timestamp),
) -> LossNotice {
    let mut lines = Vec::new();
    for line in &assessment.lines {
        for deduction in &line.deductions {
            let day = deduction.until.date();
            let event = format!("enterprises/{}/events/{}", firm.enterprise.uscc, deduction.event);
            lines.push(LossLine {
                item: line.item.clone(),
                points: -deduction.points,
                way_back: LocalizedText::new(
                    format!("{event}：完成整改后申请信用修复；否则自 {day} 起不再扣分。对事实有异议可提出异议。"),
                    format!(
                        "{event}: correct the fault and apply for its repair; otherwise it deducts no more from {day} on. \
                         Object if it is wrong."
                    ),
                ),
            });
        }
    }
    for veto in &assessment.vetoes {
        let day = veto.earliest_end.date();
        lines.push(LossLine {
            item: veto.veto.clone(),
            points: Points::ZERO,
            way_back: LocalizedText::new(
                format!("完成整改并经确认；否决情形最早于 {day} 终止。"),
                format!("Put it right and have that confirmed; the veto ends on {day} at the earliest."),
            ),
        });
    }
    let declared = enrolment.declaration.iter();
    for claim in declared.flat_map(|declaration| &declaration.claims) {
        let worth = |grant: &Grant| grant.worth(scheme, &claim.item).unwrap_or(Points::ZERO);
        let given = assessment.lines.iter().find(|line| line.item == claim.item);
        let withheld = worth(&claim.grant) - given.map_or(Points::ZERO, |line| line.points);
        if withheld > Points::ZERO {
            lines.push(LossLine {
                item: claim.item.clone(),
                points: -withheld,
                way_back: LocalizedText::new(
                    "补充符合要求的证据，答复本通知或提出异议；下一批次亦可重新申报。",
                    "Give evidence of a kind that the item takes: answer this notice, object, or declare it anew in the \
                     next round.",
                ),
            });
        }
    }
    LossNotice {
        from,
        to: assessment.standing,
        total: assessment.total,
        lines,
        blocked: assessment.blocked.iter().map(super::score::Gate::text).collect(),
        at,
        answer_by,
        answer: None,
    }
}

/// Who stands behind a claim: the strongest issuer of its evidence (authority > court > system > third party > the
/// firm itself). Evidence of a kind that the scheme does not know proves nothing.
pub fn strength(scheme: &Scheme, evidence: &[Evidence]) -> Option<Issuer> {
    evidence
        .iter()
        .filter_map(|piece| scheme.issuer(&piece.kind))
        .min()
}

/// The most that a claim can be awarded. On the firm's own word alone the scheme may allow less than the item's max.
pub fn most(scheme: &Scheme, claim: &Claim) -> Option<Points> {
    let max = scheme.item(&claim.item)?.max;
    match strength(scheme, &claim.evidence) {
        Some(Issuer::Enterprise) | None => {
            let percent = i64::from(scheme.procedure.self_evidence_percent);
            Some(Points::from_milli(max.milli() * percent / 100))
        }
        Some(Issuer::Authority | Issuer::Court | Issuer::System | Issuer::ThirdParty) => Some(max),
    }
}

/// A claim that authorities can already make for the enterprise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefilled {
    /// What it would claim.
    pub claim: Claim,
    /// `rounds/{round}`: where it was found.
    pub source: String,
}

/// What is known before the enterprise says anything: what the round before awarded on evidence that an authority, a
/// court or a system issued, where the scheme of this round still takes it.
pub fn prefilled(firm: &Firm, scheme: &Scheme) -> Vec<Prefilled> {
    let Some(rated) = &firm.rated else {
        return Vec::new();
    };
    let known = |award: &Award| -> Option<Prefilled> {
        let item = scheme.item(&award.item)?;
        let worth = award.grant.worth(scheme, &award.item).ok()?;
        let official = |piece: &&Evidence| match scheme.issuer(&piece.kind) {
            Some(Issuer::Authority | Issuer::Court | Issuer::System) => item.evidence.contains(&piece.kind),
            Some(Issuer::ThirdParty | Issuer::Enterprise) | None => false,
        };
        let evidence: Vec<Evidence> = award.evidence.iter().filter(official).cloned().collect();
        (!evidence.is_empty() && worth > Points::ZERO).then(|| Prefilled {
            claim: Claim {
                item: award.item.clone(),
                grant: award.grant.clone(),
                evidence,
            },
            source: format!("rounds/{}", rated.round),
        })
    };
    rated.awards.iter().filter_map(known).collect()
}

/// Whether an item is one that enterprises declare.
pub fn declared(scheme: &Scheme, item: &Code) -> bool {
    scheme.item(item).is_some_and(|item| match item.scoring {
        Scoring::Steps | Scoring::Tiers(_) | Scoring::Marks => true,
        Scoring::Deduction { .. } => false,
    })
}

/// The star that more than half of the votes leave: the lowest on which so many agree that it is at most that.
/// `None`: what is proposed stands. Each vote says at most what is proposed.
pub fn lowered(proposed: Star, votes: &[Option<Option<Star>>]) -> Option<Option<Star>> {
    let at_most = |limit: Option<Star>| {
        let low = |vote: &&Option<Option<Star>>| vote.is_some_and(|to| to <= limit);
        votes.iter().filter(low).count() * 2 > votes.len()
    };
    // `None` (no star) is lower than every star.
    let below = std::iter::once(None).chain(Star::ALL.map(Some));
    below
        .filter(|limit| *limit < Some(proposed))
        .find(|limit| at_most(*limit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn star(rank: i64) -> Star {
        Star::try_from(rank).unwrap()
    }

    #[test]
    fn more_than_half_lower_and_only_as_far_as_more_than_half_agree() {
        let (five, four, three) = (star(5), star(4), star(3));
        let to = |star| Some(Some(star));
        assert_eq!(lowered(five, &[None, None, to(three)]), None);
        assert_eq!(lowered(five, &[None, to(four)]), None);
        assert_eq!(lowered(five, &[None, to(four), to(three)]), to(four));
        assert_eq!(lowered(five, &[to(four), to(three), to(three)]), to(three));
        assert_eq!(lowered(five, &[Some(None), Some(None), None]), Some(None));
        assert_eq!(lowered(five, &[]), None);
    }

    #[test]
    fn fewer_stars_or_none_is_a_loss_and_more_is_not() {
        let rated = |rank| Standing::Rated(star(rank));
        assert!(loses(rated(5), rated(4)) && loses(Standing::NotRated, Standing::NotListed));
        assert!(loses(rated(3), Standing::Vetoed));
        assert!(!loses(rated(4), rated(4)) && !loses(Standing::NotRated, rated(3)));
    }

    proptest! {
        #[test]
        fn deliberation_never_raises(proposed in 1_i64..=5, votes in proptest::collection::vec(0_i64..=6, 0..6)) {
            let proposed = star(proposed);
            let vote = |raw: i64| match raw {
                0 => Some(None),
                6 => None,
                rank => Some(Some(star(rank).min(proposed))),
            };
            let votes: Vec<_> = votes.into_iter().map(vote).collect();
            if let Some(limit) = lowered(proposed, &votes) {
                prop_assert!(limit < Some(proposed));
            }
        }
    }
}
