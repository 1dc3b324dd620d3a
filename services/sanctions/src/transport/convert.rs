//! The domain's words in the contract's.

use greenstar_kernel::{Code, Date, LocalizedText, RatingState, Timestamp};
use greenstar_proto::common::v1 as common;
use greenstar_proto::sanctions::v1 as pb;

use crate::domain::catalogue::{
    FlagKind, InForce, LegalBasis, Measure, MeasureClass, Parameter, Severity, Stricter, Support,
};
use crate::domain::flag::{Flag, FlagState};

/// `officers`: whether the reader may know their names.
pub(super) fn flag(flag: &Flag, state: FlagState, officers: bool) -> pb::Flag {
    let (confirmation, ending) = (flag.confirmation(), flag.ending());
    let named = |officer: Option<&greenstar_kernel::Officer>| {
        officer
            .filter(|_| officers)
            .map(|officer| officer.0.clone())
            .unwrap_or_default()
    };
    pb::Flag {
        name: flag.name().to_string(),
        kind: flag.identity.kind.to_string(),
        title: Some(text(&flag.title)),
        severity: severity(flag.severity).into(),
        state: flag_state(state).into(),
        department: flag.department.to_string(),
        document: Some(common::Document {
            issuer: flag.identity.document.issuer.clone(),
            number: flag.identity.document.number.clone(),
            date: flag.identity.document.date.to_string(),
        }),
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
        lifter: named(ending.map(|ending| &ending.officer)),
        lift_time: ending.map(|ending| timestamp(ending.at)),
        lift_reason: ending.map(|ending| ending.reason.clone()).unwrap_or_default(),
        catalogue: flag.catalogue.to_string(),
        reaches_all: flag.reaches_all,
        ..Default::default()
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
        ..Default::default()
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
        ..Default::default()
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

fn severity(severity: Severity) -> common::Severity {
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

fn text(text: &LocalizedText) -> common::LocalizedText {
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
