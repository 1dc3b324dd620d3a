//! The legal gate at the flag (P6): what the catalogue does not carry is refused, and the rule is named.

use greenstar_kernel::{Code, Department, LocalizedText, Timestamp};

use super::catalogue::{Catalogue, Edition, FlagKind, LegalBasis, Severity};
use super::flag::Identity;
use super::refusal::Refusal;

/// What the catalogue adds to a flag that it lets through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admitted {
    pub title: LocalizedText,
    pub severity: Severity,
    pub bases: Vec<LegalBasis>,
    pub reaches_all: bool,
    pub catalogue: Edition,
    pub ends_at: Timestamp,
}

/// Lets a flag of `department` through, or names the first rule that stops it.
///
/// `severity` may be left out where the kind has only one.
pub fn admit(
    catalogue: &Catalogue,
    identity: &Identity,
    severity: Option<Severity>,
    department: &Department,
    now: Timestamp,
) -> Result<Admitted, Refusal> {
    let kind = catalogue
        .kind(&identity.kind)
        .ok_or_else(|| Refusal::KindUnknown {
            kind: identity.kind.clone(),
        })?;
    if !kind.may_be_raised_by(department) {
        let (kind, departments) = (kind.code.clone(), kind.departments.clone());
        return Err(Refusal::KindNotYours { kind, departments });
    }
    let (severity, months) = severity_of(kind, severity)?;
    scope_fits(kind, identity.scope.as_ref())?;
    let date = identity.document.date;
    let today = now.date();
    if today < date {
        return Err(Refusal::DateInFuture { date, today });
    }
    for day in [date, today] {
        if !catalogue.bases(&kind.bases).any(|basis| basis.in_force(day)) {
            let (kind, bases) = (kind.code.clone(), kind.bases.clone());
            return Err(Refusal::BasisMissing { kind, bases, day });
        }
    }
    let ends_at = date.term_end(months);
    if ends_at <= now {
        return Err(Refusal::TermEnded { end: ends_at });
    }
    Ok(Admitted {
        title: kind.title.clone(),
        severity,
        bases: catalogue
            .bases(&kind.bases)
            .filter(|basis| basis.in_force(today))
            .cloned()
            .collect(),
        reaches_all: kind.reaches_all,
        catalogue: *catalogue.edition(),
        ends_at,
    })
}

fn severity_of(
    kind: &FlagKind,
    asked: Option<Severity>,
) -> Result<(Severity, greenstar_kernel::Month), Refusal> {
    let chosen = match asked {
        Some(severity) => kind.terms.get_key_value(&severity),
        None if kind.terms.len() == 1 => kind.terms.first_key_value(),
        None => None,
    };
    match chosen {
        Some((severity, months)) => Ok((*severity, *months)),
        None => Err(Refusal::SeverityNotAllowed {
            kind: kind.code.clone(),
            allowed: kind.terms.keys().copied().collect(),
        }),
    }
}

fn scope_fits(kind: &FlagKind, scope: Option<&Code>) -> Result<(), Refusal> {
    let allowed = kind.scope.as_ref().map_or(&[][..], |scope| scope.values());
    let fits = match scope {
        None => kind.scope.is_none(),
        Some(value) => allowed.contains(value),
    };
    if fits {
        Ok(())
    } else {
        Err(Refusal::ScopeInvalid {
            kind: kind.code.clone(),
            allowed: allowed.to_vec(),
        })
    }
}
