//! The domain's words in the contract's.

use greenstar_kernel::{Code, Date, Document, LocalizedText, RatingState, Timestamp};
use greenstar_proto::common::v1 as common;
use greenstar_proto::sanctions::v1 as pb;

use crate::domain::catalogue::{
    FlagKind, InForce, LegalBasis, Measure, MeasureClass, Parameter, PenaltyType, Severity, Stricter,
    Support, Window,
};
use crate::domain::evidence::{Evidence, Penalty};
use crate::domain::flag::{Flag, FlagName};
use crate::domain::stage::{Ending, FlagState, Stage};
use crate::domain::viewer::Sight;

/// As a reader that close may see it at the instant `at`.
pub(super) fn flag(flag: &Flag, at: Timestamp, sight: Sight) -> pb::Flag {
    // Officers, and the other end of a correction.
    let inside = sight == Sight::Body;
    let appeal = match sight {
        Sight::Body | Sight::Firm => appeal_of(&flag.stage),
        Sight::Other => String::new(),
    };
    let confirmation = flag.confirmation();
    let Ended {
        lifted,
        repaired,
        revoked,
    } = Ended::of(&flag.stage);
    let named = |officer: Option<&greenstar_kernel::Officer>| {
        officer
            .filter(|_| inside)
            .map(|officer| officer.0.clone())
            .unwrap_or_default()
    };
    let when = |ending: Option<&Ending>| ending.map(|ending| timestamp(ending.at));
    let why = |ending: Option<&Ending>| ending.map(|ending| ending.reason.clone()).unwrap_or_default();
    pb::Flag {
        name: flag.name().to_string(),
        kind: flag.identity.kind.to_string(),
        title: Some(text(&flag.title)),
        severity: severity(flag.severity).into(),
        state: flag_state(flag.state(at)).into(),
        department: flag.department.to_string(),
        document: Some(document(&flag.identity.document)),
        scope: optional(flag.identity.scope.as_ref()),
        site: flag
            .identity
            .site
            .as_ref()
            .map(|site| site.as_str().to_owned())
            .unwrap_or_default(),
        reason: flag.reason.clone(),
        bases: flag.bases.iter().map(basis).collect(),
        start_time: confirmation.map(|confirmation| timestamp(confirmation.at)),
        end_time: Some(timestamp(flag.ends_at)),
        proposer: named(Some(&flag.proposer)),
        raise_time: Some(timestamp(flag.raised_at)),
        confirmer: named(confirmation.map(|confirmation| &confirmation.officer)),
        lifter: named(lifted.map(|ending| &ending.officer)),
        lift_time: when(lifted),
        lift_reason: why(lifted),
        catalogue: flag.catalogue.to_string(),
        reaches_all: flag.reaches_all,
        penalties: flag.penalties.iter().map(penalty).collect(),
        evidence: flag.evidence.iter().map(evidence).collect(),
        earliest_repair_time: flag.repair_from().map(timestamp),
        publish_until_time: flag.published_until().map(timestamp),
        published: flag.is_published(at),
        repair: repair_of(&flag.stage),
        repair_time: when(repaired),
        revoke_time: when(revoked),
        revoke_reason: why(revoked),
        appeal,
        superseded_by: superseded_by(&flag.stage)
            .filter(|_| inside)
            .map(ToString::to_string)
            .unwrap_or_default(),
        corrects: flag
            .corrects
            .as_ref()
            .filter(|_| inside)
            .map(ToString::to_string)
            .unwrap_or_default(),
        repairable: flag.rules().repairable,
        appeal_until_time: flag.appeal_until().map(timestamp),
    }
}

pub(super) fn document(document: &Document) -> common::Document {
    common::Document {
        issuer: document.issuer.clone(),
        number: document.number.clone(),
        date: document.date.to_string(),
    }
}

/// How somebody ended it; at most one of them.
#[derive(Debug, Default)]
struct Ended<'a> {
    lifted: Option<&'a Ending>,
    repaired: Option<&'a Ending>,
    revoked: Option<&'a Ending>,
}

impl Ended<'_> {
    fn of(stage: &Stage) -> Ended<'_> {
        let mut ended = Ended::default();
        match stage {
            Stage::Proposed | Stage::InForce { .. } | Stage::Suspended { .. } | Stage::Lapsed { .. } => {}
            Stage::Withdrawn { ending } | Stage::Lifted { ending, .. } => ended.lifted = Some(ending),
            Stage::Repaired { ending, .. } => ended.repaired = Some(ending),
            Stage::Revoked { ending, .. } => ended.revoked = Some(ending),
        }
        ended
    }
}

fn repair_of(stage: &Stage) -> String {
    match stage {
        Stage::Repaired { repair, .. } => repair.clone(),
        Stage::Proposed
        | Stage::Withdrawn { .. }
        | Stage::InForce { .. }
        | Stage::Suspended { .. }
        | Stage::Lapsed { .. }
        | Stage::Lifted { .. }
        | Stage::Revoked { .. } => String::new(),
    }
}

/// The appeal that suspends, revoked or last left it.
fn appeal_of(stage: &Stage) -> String {
    match stage {
        Stage::Suspended { suspension, .. } => suspension.appeal.clone(),
        Stage::Revoked { appeal, .. } => appeal.clone().unwrap_or_default(),
        Stage::InForce { review, .. } => review
            .as_ref()
            .map(|review| review.appeal.clone())
            .unwrap_or_default(),
        Stage::Proposed
        | Stage::Withdrawn { .. }
        | Stage::Lapsed { .. }
        | Stage::Lifted { .. }
        | Stage::Repaired { .. } => String::new(),
    }
}

fn superseded_by(stage: &Stage) -> Option<&FlagName> {
    match stage {
        Stage::Revoked { superseded_by, .. } => superseded_by.as_ref(),
        Stage::Proposed
        | Stage::Withdrawn { .. }
        | Stage::InForce { .. }
        | Stage::Suspended { .. }
        | Stage::Lapsed { .. }
        | Stage::Lifted { .. }
        | Stage::Repaired { .. } => None,
    }
}

fn penalty(penalty: &Penalty) -> pb::Penalty {
    pb::Penalty {
        r#type: penalty.of_type.to_string(),
        amount: penalty
            .amount
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
    }
}

pub(super) fn evidence(evidence: &Evidence) -> pb::EvidenceDocument {
    pb::EvidenceDocument {
        title: evidence.title.clone(),
        sha256: evidence.sha256.as_str().to_owned(),
        reference: evidence.reference.clone(),
    }
}

pub(super) fn catalogue(law: &InForce) -> pb::Catalogue {
    let parts = law.catalogue.parts();
    pb::Catalogue {
        name: format!("catalogues/{}", parts.edition),
        effective_time: Some(timestamp(law.since)),
        flag_kinds: parts.flag_kinds.iter().map(flag_kind).collect(),
        measures: parts.measures.iter().map(measure).collect(),
        bases: parts.bases.iter().map(basis).collect(),
        ceilings: terms(&parts.ceilings),
        publicity_windows: parts.publicity_windows.iter().map(window).collect(),
        penalty_types: parts.penalty_types.iter().map(penalty_type).collect(),
    }
}

fn flag_kind(kind: &FlagKind) -> pb::FlagKind {
    pb::FlagKind {
        code: kind.code.to_string(),
        title: Some(text(&kind.title)),
        terms: terms(&kind.terms),
        departments: kind.departments.iter().map(ToString::to_string).collect(),
        scope: kind
            .scope
            .as_ref()
            .map(|scope| scope.as_str().to_owned())
            .unwrap_or_default(),
        scope_values: kind
            .scope
            .as_ref()
            .map(|scope| codes(scope.values()))
            .unwrap_or_default(),
        bases: codes(&kind.bases),
        reaches_all: kind.reaches_all,
        repairable: kind.repairable,
        appeal: Some(pb::AppealRule {
            days: kind.appeal.days.into(),
            suspends: kind.appeal.suspends,
            amends: terms(&kind.appeal.amends),
        }),
        list: kind.list.as_ref().map(text),
    }
}

fn window((one, window): (&Severity, &Window)) -> pb::PublicityWindow {
    pb::PublicityWindow {
        severity: severity(*one).into(),
        min_months: window.min.0.into(),
        max_months: window.max.0.into(),
        published: window.published,
    }
}

fn penalty_type(penalty: &PenaltyType) -> pb::PenaltyType {
    pb::PenaltyType {
        code: penalty.code.to_string(),
        title: Some(text(&penalty.title)),
        severity: severity(penalty.severity).into(),
    }
}

fn measure(measure: &Measure) -> pb::MeasureEntry {
    pb::MeasureEntry {
        code: measure.code.to_string(),
        title: Some(text(&measure.title)),
        measure_class: match measure.class {
            MeasureClass::Favour => pb::MeasureClass::Favour,
            MeasureClass::Rights => pb::MeasureClass::Rights,
            MeasureClass::Management => pb::MeasureClass::Management,
            MeasureClass::Advice => pb::MeasureClass::Advice,
        }
        .into(),
        bases: codes(&measure.bases),
        supports: measure.supports.iter().map(support).collect(),
        parameters: measure.parameters.iter().map(parameter).collect(),
        list_number: measure.list_number.clone().unwrap_or_default(),
        target: measure.target.as_str().to_owned(),
        from_date: date(measure.from),
        until_date: date(measure.until),
        excludes: codes(&measure.excludes),
    }
}

fn support(support: &Support) -> pb::Support {
    use pb::support::By;
    let (by, least) = match support {
        Support::Flag { kind, least } => (By::FlagKind(kind.to_string()), severity(*least)),
        Support::State { state } => (
            By::State(rating_state(*state).into()),
            common::Severity::Unspecified,
        ),
        Support::Star { star } => (By::Star(i32::from(star.get())), common::Severity::Unspecified),
        Support::Always => (By::Always(true), common::Severity::Unspecified),
    };
    pb::Support {
        by: Some(by),
        least_severity: least.into(),
    }
}

fn parameter(parameter: &Parameter) -> pb::MeasureParameter {
    pb::MeasureParameter {
        code: parameter.code.to_string(),
        stricter_is_higher: match parameter.stricter {
            Stricter::Higher => true,
            Stricter::Lower => false,
        },
        unit: Some(text(&parameter.unit)),
        min: parameter.min,
        max: parameter.max,
    }
}

fn basis(basis: &LegalBasis) -> pb::LegalBasis {
    pb::LegalBasis {
        code: basis.code.to_string(),
        title: Some(text(&basis.title)),
        article: basis.article.as_ref().map(text),
        effective_date: basis.effective.to_string(),
        end_date: date(basis.end),
    }
}

fn terms<'a>(
    terms: impl IntoIterator<Item = (&'a Severity, &'a greenstar_kernel::Month)>,
) -> Vec<pb::SeverityTerm> {
    let term = |(one, months): (&Severity, &greenstar_kernel::Month)| pb::SeverityTerm {
        severity: severity(*one).into(),
        months: months.0.into(),
    };
    terms.into_iter().map(term).collect()
}

pub(super) fn severity(severity: Severity) -> common::Severity {
    match severity {
        Severity::Minor => common::Severity::Minor,
        Severity::Ordinary => common::Severity::Ordinary,
        Severity::Serious => common::Severity::Serious,
    }
}

fn flag_state(state: FlagState) -> pb::FlagState {
    match state {
        FlagState::Proposed => pb::FlagState::Proposed,
        FlagState::InForce => pb::FlagState::InForce,
        FlagState::Lifted => pb::FlagState::Lifted,
        FlagState::Lapsed => pb::FlagState::Lapsed,
        FlagState::Repaired => pb::FlagState::Repaired,
        FlagState::Revoked => pb::FlagState::Revoked,
        FlagState::Suspended => pb::FlagState::Suspended,
    }
}

fn rating_state(state: RatingState) -> common::RatingState {
    match state {
        RatingState::Rated => common::RatingState::Rated,
        RatingState::NotRated => common::RatingState::NotRated,
        RatingState::NotListed => common::RatingState::NotListed,
        RatingState::Vetoed => common::RatingState::Vetoed,
        RatingState::Suspended => common::RatingState::Suspended,
        RatingState::Expired => common::RatingState::Expired,
    }
}

pub(super) fn text(text: &LocalizedText) -> common::LocalizedText {
    common::LocalizedText {
        zh: text.zh.clone(),
        en: text.en.clone(),
    }
}

fn codes(codes: &[Code]) -> Vec<String> {
    codes.iter().map(ToString::to_string).collect()
}

fn optional(code: Option<&Code>) -> String {
    code.map(ToString::to_string).unwrap_or_default()
}

fn date(date: Option<Date>) -> String {
    date.map(|date| date.to_string()).unwrap_or_default()
}

pub(super) fn timestamp(at: Timestamp) -> pbjson_types::Timestamp {
    let micros = at.micros();
    pbjson_types::Timestamp {
        seconds: micros.div_euclid(1_000_000),
        // Less than a billion.
        nanos: i32::try_from(micros.rem_euclid(1_000_000) * 1000).unwrap_or(0),
    }
}
