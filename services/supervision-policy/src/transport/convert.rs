//! A decision of the domain as messages of the contract.

use std::collections::BTreeMap;

use greenstar_kernel::{Document, LocalizedText, RatingState, Verdict};
use greenstar_proto::common::v1 as common;
use greenstar_proto::sanctions::v1 as sanctions;
use greenstar_proto::supervision::v1 as pb;
use sha2::{Digest as _, Sha256};

use crate::domain::catalogue::{LegalBasis, MeasureClass, Severity};
use crate::domain::decide::{AppliedMeasure, Decision, NamedFlag};
use crate::domain::facts::Flag;
use crate::domain::matter::{Handling, Matter, OnStale};
use crate::domain::reason::ReasonKind;
use crate::domain::regime::InspectionRegime;
use crate::follow::wire;

pub(super) fn text(text: &LocalizedText) -> common::LocalizedText {
    common::LocalizedText {
        zh: text.zh.clone(),
        en: text.en.clone(),
    }
}

fn said(text: LocalizedText) -> common::LocalizedText {
    common::LocalizedText {
        zh: text.zh,
        en: text.en,
    }
}

pub(super) fn state(state: RatingState) -> common::RatingState {
    match state {
        RatingState::Rated => common::RatingState::Rated,
        RatingState::NotRated => common::RatingState::NotRated,
        RatingState::NotListed => common::RatingState::NotListed,
        RatingState::Vetoed => common::RatingState::Vetoed,
        RatingState::Suspended => common::RatingState::Suspended,
        RatingState::Expired => common::RatingState::Expired,
    }
}

pub(super) fn verdict(verdict: Verdict) -> common::UsccVerdict {
    match verdict {
        Verdict::Valid => common::UsccVerdict::Valid,
        Verdict::CheckFailedOrgOk => common::UsccVerdict::CheckFailedOrgOk,
        Verdict::UnknownArea => common::UsccVerdict::UnknownArea,
    }
}

pub(super) fn severity(severity: Severity) -> common::Severity {
    match severity {
        Severity::Minor => common::Severity::Minor,
        Severity::Ordinary => common::Severity::Ordinary,
        Severity::Serious => common::Severity::Serious,
    }
}

pub(super) fn class(class: MeasureClass) -> sanctions::MeasureClass {
    match class {
        MeasureClass::Favour => sanctions::MeasureClass::Favour,
        MeasureClass::Rights => sanctions::MeasureClass::Rights,
        MeasureClass::Management => sanctions::MeasureClass::Management,
        MeasureClass::Advice => sanctions::MeasureClass::Advice,
    }
}

fn basis(basis: &LegalBasis) -> sanctions::LegalBasis {
    let date = |date: Option<greenstar_kernel::Date>| date.map_or_else(String::new, |date| date.to_string());
    sanctions::LegalBasis {
        code: basis.code.to_string(),
        title: Some(text(&basis.title)),
        article: basis.article.as_ref().map(text),
        effective_date: date(basis.effective),
        end_date: date(basis.end),
    }
}

fn document(document: &Document) -> common::Document {
    common::Document {
        issuer: document.issuer.clone(),
        number: document.number.clone(),
        date: document.date.to_string(),
    }
}

/// What was decided; nothing of who asked, when, or by what.
pub(super) fn decided(decision: &Decision<'_>) -> pb::Decision {
    pb::Decision {
        outcome: decision.outcome.code.to_string(),
        measures: measures(decision),
        reasons: reasons(decision),
        star: decision.rating.standing.star().map(|star| i32::from(star.get())),
        state: state(decision.rating.standing.state()).into(),
        known: decision.facts.known,
        flags: flags(decision),
        ..pb::Decision::default()
    }
}

pub(super) fn measures(decision: &Decision<'_>) -> Vec<pb::Measure> {
    decision
        .measures
        .iter()
        .map(|applied| measure(decision, applied))
        .collect()
}

fn measure<'a>(decision: &Decision<'a>, applied: &AppliedMeasure<'a>) -> pb::Measure {
    let value = applied.entry.parameter().zip(applied.value);
    pb::Measure {
        code: applied.entry.code.to_string(),
        title: Some(text(&applied.entry.title)),
        measure_class: class(applied.entry.class).into(),
        parameters: value
            .map(|(parameter, value)| (parameter.code.to_string(), value.to_string()))
            .into_iter()
            .collect(),
        bases: decision.bases(applied).map(basis).collect(),
        flags: decision
            .carriers(applied)
            .map(|flag| flag.name.to_string())
            .collect(),
        end_time: applied.ends.map(wire::to_instant),
    }
}

pub(super) fn kind(kind: ReasonKind) -> pb::ReasonKind {
    match kind {
        ReasonKind::Row => pb::ReasonKind::Row,
        ReasonKind::Baseline => pb::ReasonKind::Baseline,
        ReasonKind::LegalGate => pb::ReasonKind::LegalGate,
        ReasonKind::Blocked => pb::ReasonKind::Blocked,
    }
}

pub(super) fn reasons(decision: &Decision<'_>) -> Vec<pb::Reason> {
    let reason = |reason: &crate::domain::reason::Reason<'_>| pb::Reason {
        text: Some(said(reason.text())),
        row: reason.row().unwrap_or_default(),
        kind: kind(reason.kind()).into(),
    };
    decision.reasons.iter().map(reason).collect()
}

pub(super) fn handling(handling: Handling) -> pb::Handling {
    match handling {
        Handling::Fresh => pb::Handling::Fresh,
        Handling::ManualReview => pb::Handling::ManualReview,
        Handling::Caveat => pb::Handling::Caveat,
    }
}

pub(super) fn staleness(reason: LocalizedText) -> pb::Reason {
    pb::Reason {
        text: Some(said(reason)),
        row: String::new(),
        kind: pb::ReasonKind::Staleness.into(),
    }
}

pub(super) fn flags(decision: &Decision<'_>) -> Vec<pb::DecidedFlag> {
    decision.flags.iter().map(flag).collect()
}

fn flag(NamedFlag { flag, kind, .. }: &NamedFlag<'_>) -> pb::DecidedFlag {
    in_force(flag, Some(&kind.title))
}

/// A flag; without a title where the catalogue in force does not know its kind.
pub(super) fn in_force(flag: &Flag, title: Option<&LocalizedText>) -> pb::DecidedFlag {
    pb::DecidedFlag {
        name: flag.name.to_string(),
        kind: flag.kind.to_string(),
        title: title.map(text),
        severity: severity(flag.severity).into(),
        department: flag.department.to_string(),
        document: Some(document(&flag.document)),
        bases: flag.bases.iter().map(basis).collect(),
        start_time: Some(wire::to_instant(flag.start)),
        end_time: flag.end.map(wire::to_instant),
        scope: flag.scope.as_ref().map_or_else(String::new, ToString::to_string),
    }
}

pub(super) fn regime(regime: &InspectionRegime<'_>) -> pb::InspectionRegime {
    // Figures of the catalogue's ranges, which are far smaller.
    let figure = |value: i64| i32::try_from(value).unwrap_or(i32::MAX);
    let trigger = |trigger: &crate::domain::regime::TriggerState<'_>| pb::InspectionTrigger {
        code: trigger.code.to_owned(),
        text: Some(text(trigger.text)),
        active: trigger.active,
    };
    pb::InspectionRegime {
        routine_on_site_exempt: regime.routine_on_site_exempt,
        on_site_cap_per_year: regime.on_site_cap_per_year.map(figure),
        sampling_per_mille: regime.sampling_per_mille.map_or(0, figure),
        off_site_per_year: regime.off_site_per_year.map_or(0, figure),
        always_on: regime.always_on.iter().map(trigger).collect(),
    }
}

pub(super) fn matter(matter: &Matter) -> pb::Matter {
    let outcome = |outcome: &crate::domain::matter::Outcome| pb::MatterOutcome {
        code: outcome.code.to_string(),
        title: Some(text(&outcome.title)),
    };
    let on_stale = match matter.on_stale() {
        OnStale::Refuse => pb::OnStale::Refuse,
        OnStale::ManualReview => pb::OnStale::ManualReview,
        OnStale::AllowWithCaveat => pb::OnStale::AllowWithCaveat,
    };
    pb::Matter {
        name: matter.name(),
        title: Some(text(matter.title())),
        outcomes: matter.outcomes().iter().map(outcome).collect(),
        on_stale: on_stale.into(),
    }
}

pub(super) type Arguments = BTreeMap<String, String>;

/// SHA-256 in hexadecimal.
pub(super) fn sha256(bytes: impl AsRef<[u8]>) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
