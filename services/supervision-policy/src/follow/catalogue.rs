//! An edition of the catalogue as the domain checks it.

use std::sync::Arc;

use greenstar_kernel::{Code, Department, Month, Star, Timestamp};
use greenstar_proto::sanctions::v1 as pb;
use greenstar_proto::sanctions::v1::support;
use prost::Message as _;

use super::wire;
use crate::domain::catalogue::{
    Catalogue, CatalogueParts, Ceilings, FlagKind, LegalBasis, MeasureClass, MeasureEntry, Parameter,
    PublicityWindow, PublicityWindows, Severity, Stricter, Support,
};
use crate::view::{Edition, Unreadable};

/// One that cannot be understood, which is logged, is kept as that.
pub(crate) fn read(edition: pb::Catalogue) -> Edition {
    Edition {
        name: edition.name.as_str().into(),
        from: wire::optional_instant(edition.effective_time.as_ref())
            .unwrap_or(Timestamp::from_micros(i64::MIN)),
        source: edition.encode_to_vec().into(),
        catalogue: understood(edition),
    }
}

/// As [`Edition::source`] keeps it. `None`: it is no edition.
pub(crate) fn again(source: &[u8]) -> Option<Edition> {
    pb::Catalogue::decode(source).ok().map(read)
}

fn understood(edition: pb::Catalogue) -> Option<Arc<Catalogue>> {
    let name = edition.name.clone();
    let Ok(parts) = parts(edition) else {
        tracing::error!(
            catalogue = name,
            "the catalogue cannot be read; decisions under it go to manual review"
        );
        return None;
    };
    match Catalogue::new(parts) {
        Ok(catalogue) => Some(Arc::new(catalogue)),
        Err(errors) => {
            tracing::error!(catalogue = name, %errors, "the catalogue contradicts itself; decisions under it go to manual review");
            None
        }
    }
}

fn parts(edition: pb::Catalogue) -> Result<CatalogueParts, Unreadable> {
    let ceiling = |severity: Severity| {
        let found = edition
            .ceilings
            .iter()
            .find(|term| wire::severity(term.severity) == Ok(severity));
        month(found.ok_or(Unreadable)?.months)
    };
    let window = |severity: Severity| -> Result<PublicityWindow, Unreadable> {
        let mut windows = edition.publicity_windows.iter();
        let found = windows.find(|window| wire::severity(window.severity) == Ok(severity));
        let min = found.map(|window| month(window.min_months)).transpose()?;
        Ok(PublicityWindow { min })
    };
    Ok(CatalogueParts {
        publicity_windows: PublicityWindows {
            minor: window(Severity::Minor)?,
            ordinary: window(Severity::Ordinary)?,
            serious: window(Severity::Serious)?,
        },
        edition: edition
            .name
            .strip_prefix("catalogues/")
            .ok_or(Unreadable)?
            .to_owned(),
        ceilings: Ceilings {
            minor: ceiling(Severity::Minor)?,
            ordinary: ceiling(Severity::Ordinary)?,
            serious: ceiling(Severity::Serious)?,
        },
        bases: edition.bases.into_iter().map(basis).collect::<Result<_, _>>()?,
        flag_kinds: edition
            .flag_kinds
            .into_iter()
            .map(flag_kind)
            .collect::<Result<_, _>>()?,
        measures: edition
            .measures
            .into_iter()
            .map(measure)
            .collect::<Result<_, _>>()?,
    })
}

pub(super) fn basis(basis: pb::LegalBasis) -> Result<LegalBasis, Unreadable> {
    Ok(LegalBasis {
        code: code(&basis.code)?,
        title: wire::text(basis.title)?,
        article: basis
            .article
            .map(|article| wire::text(Some(article)))
            .transpose()?,
        effective: wire::date(&basis.effective_date)?,
        end: wire::date(&basis.end_date)?,
    })
}

fn flag_kind(kind: pb::FlagKind) -> Result<FlagKind, Unreadable> {
    Ok(FlagKind {
        code: code(&kind.code)?,
        title: wire::text(kind.title)?,
        bases: codes(&kind.bases)?,
        departments: kind
            .departments
            .iter()
            .map(|raw| Department::parse(raw).map_err(|_| Unreadable))
            .collect::<Result<_, _>>()?,
        reaches_all: kind.reaches_all,
        repairable: kind.repairable,
    })
}

fn measure(entry: pb::MeasureEntry) -> Result<MeasureEntry, Unreadable> {
    Ok(MeasureEntry {
        code: code(&entry.code)?,
        title: wire::text(entry.title)?,
        class: match pb::MeasureClass::try_from(entry.measure_class) {
            Ok(pb::MeasureClass::Favour) => MeasureClass::Favour,
            Ok(pb::MeasureClass::Rights) => MeasureClass::Rights,
            Ok(pb::MeasureClass::Management) => MeasureClass::Management,
            Ok(pb::MeasureClass::Advice) => MeasureClass::Advice,
            Ok(pb::MeasureClass::Unspecified) | Err(_) => return Err(Unreadable),
        },
        list_number: entry.list_number,
        bases: codes(&entry.bases)?,
        supports: entry
            .supports
            .into_iter()
            .map(support)
            .collect::<Result<_, _>>()?,
        parameters: entry
            .parameters
            .into_iter()
            .map(parameter)
            .collect::<Result<_, _>>()?,
        from: wire::date(&entry.from_date)?,
        until: wire::date(&entry.until_date)?,
        excludes: codes(&entry.excludes)?,
    })
}

fn support(support: pb::Support) -> Result<Support, Unreadable> {
    Ok(match support.by.ok_or(Unreadable)? {
        support::By::FlagKind(kind) => Support::Flag {
            kind: code(&kind)?,
            least: wire::severity(support.least_severity)?,
        },
        support::By::State(state) => Support::State {
            state: wire::state(state)?,
        },
        support::By::Star(rank) => Support::Star {
            star: Star::try_from(i64::from(rank)).map_err(|_| Unreadable)?,
        },
        support::By::Always(true) => Support::Always,
        support::By::Always(false) => return Err(Unreadable),
    })
}

fn parameter(parameter: pb::MeasureParameter) -> Result<Parameter, Unreadable> {
    Ok(Parameter {
        code: code(&parameter.code)?,
        unit: wire::text(parameter.unit)?,
        min: parameter.min,
        max: parameter.max,
        stricter: if parameter.stricter_is_higher {
            Stricter::Higher
        } else {
            Stricter::Lower
        },
    })
}

fn code(raw: &str) -> Result<Code, Unreadable> {
    Code::parse(raw).map_err(|_| Unreadable)
}

fn codes(raw: &[String]) -> Result<Vec<Code>, Unreadable> {
    raw.iter().map(|raw| code(raw)).collect()
}

fn month(months: u32) -> Result<Month, Unreadable> {
    u16::try_from(months).map(Month).map_err(|_| Unreadable)
}
