//! The sanctions service's own catalogue as its contract carries it.

use greenstar_kernel::{Date, RatingState};
use greenstar_proto::common::v1 as common;
use greenstar_proto::sanctions::v1 as pb;
use greenstar_proto::sanctions::v1::support::By;
use greenstar_supervision_policy::domain::catalogue::{
    Catalogue, LegalBasis, MeasureClass, Severity, Stricter, Support,
};

fn text(text: &greenstar_kernel::LocalizedText) -> common::LocalizedText {
    common::LocalizedText {
        zh: text.zh.clone(),
        en: text.en.clone(),
    }
}

fn day(date: Option<Date>) -> String {
    date.map_or_else(String::new, |date| date.to_string())
}

fn codes(codes: &[greenstar_kernel::Code]) -> Vec<String> {
    codes.iter().map(ToString::to_string).collect()
}

fn severity(severity: Severity) -> i32 {
    match severity {
        Severity::Minor => common::Severity::Minor,
        Severity::Ordinary => common::Severity::Ordinary,
        Severity::Serious => common::Severity::Serious,
    }
    .into()
}

pub(crate) fn basis(basis: &LegalBasis) -> pb::LegalBasis {
    pb::LegalBasis {
        code: basis.code.to_string(),
        title: Some(text(&basis.title)),
        article: basis.article.as_ref().map(text),
        effective_date: day(basis.effective),
        end_date: day(basis.end),
    }
}

fn support(support: &Support) -> pb::Support {
    let (by, least) = match support {
        Support::Flag { kind, least } => (By::FlagKind(kind.to_string()), severity(*least)),
        Support::State { state } => {
            assert_eq!(*state, RatingState::Vetoed, "no other state carries a measure");
            (By::State(common::RatingState::Vetoed.into()), 0)
        }
        Support::Star { star } => (By::Star(star.get().into()), 0),
        Support::Always => (By::Always(true), 0),
    };
    pb::Support {
        by: Some(by),
        least_severity: least,
    }
}

/// What ships, under this edition.
pub(crate) fn catalogue(edition: &str) -> pb::Catalogue {
    let shipped = Catalogue::from_yaml(include_str!("../../../sanctions/data/catalogue.yaml")).unwrap();
    let parts = shipped.parts();
    let ceilings = [
        (Severity::Minor, parts.ceilings.minor),
        (Severity::Ordinary, parts.ceilings.ordinary),
        (Severity::Serious, parts.ceilings.serious),
    ];
    let windows = [
        (Severity::Minor, parts.publicity_windows.minor),
        (Severity::Ordinary, parts.publicity_windows.ordinary),
        (Severity::Serious, parts.publicity_windows.serious),
    ];
    pb::Catalogue {
        name: format!("catalogues/{edition}"),
        effective_time: None,
        publicity_windows: windows
            .map(|(of, window)| pb::PublicityWindow {
                severity: self::severity(of),
                min_months: window.min.map_or(0, |min| u32::from(min.0)),
                ..pb::PublicityWindow::default()
            })
            .into(),
        flag_kinds: parts
            .flag_kinds
            .iter()
            .map(|kind| pb::FlagKind {
                code: kind.code.to_string(),
                title: Some(text(&kind.title)),
                bases: codes(&kind.bases),
                reaches_all: kind.reaches_all,
                repairable: kind.repairable,
                ..pb::FlagKind::default()
            })
            .collect(),
        measures: parts
            .measures
            .iter()
            .map(|entry| pb::MeasureEntry {
                code: entry.code.to_string(),
                title: Some(text(&entry.title)),
                measure_class: match entry.class {
                    MeasureClass::Favour => pb::MeasureClass::Favour,
                    MeasureClass::Rights => pb::MeasureClass::Rights,
                    MeasureClass::Management => pb::MeasureClass::Management,
                    MeasureClass::Advice => pb::MeasureClass::Advice,
                }
                .into(),
                bases: codes(&entry.bases),
                supports: entry.supports.iter().map(support).collect(),
                parameters: entry
                    .parameters
                    .iter()
                    .map(|parameter| pb::MeasureParameter {
                        code: parameter.code.to_string(),
                        stricter_is_higher: parameter.stricter == Stricter::Higher,
                        unit: Some(text(&parameter.unit)),
                        min: parameter.min,
                        max: parameter.max,
                    })
                    .collect(),
                list_number: entry.list_number.clone(),
                target: "enterprise".to_owned(),
                from_date: day(entry.from),
                until_date: day(entry.until),
                excludes: codes(&entry.excludes),
            })
            .collect(),
        bases: parts.bases.iter().map(basis).collect(),
        ceilings: ceilings
            .map(|(of, months)| pb::SeverityTerm {
                severity: severity(of),
                months: months.0.into(),
            })
            .into(),
        ..pb::Catalogue::default()
    }
}

/// The bases of a kind, as a flag carries them.
pub(crate) fn bases_of(kind: &str) -> Vec<pb::LegalBasis> {
    let all = catalogue("any");
    let kind = all.flag_kinds.iter().find(|one| one.code == kind).unwrap();
    all.bases
        .iter()
        .filter(|basis| kind.bases.contains(&basis.code))
        .cloned()
        .collect()
}
