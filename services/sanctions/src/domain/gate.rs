//! The legal gate at the flag (P6): what the catalogue does not carry is refused, and the rule is named.

use greenstar_kernel::{Code, Department, LocalizedText, Timestamp};

use super::catalogue::{Catalogue, Edition, FlagKind, LegalBasis, Severity};
use super::evidence::Penalty;
use super::flag::{Identity, Rules};
use super::refusal::Refusal;

/// What the catalogue adds to a flag that it lets through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admitted {
    pub title: LocalizedText,
    pub severity: Severity,
    pub bases: Vec<LegalBasis>,
    pub reaches_all: bool,
    pub catalogue: Edition,
    pub rules: Rules,
    pub ends_at: Timestamp,
}

/// What somebody wants to flag.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    pub identity: &'a Identity,
    /// May be left out where the penalties say it, or the kind has only one.
    pub severity: Option<Severity>,
    pub penalties: &'a [Penalty],
    pub department: &'a Department,
}

/// Lets a flag through, or names the first rule that stops it.
pub fn admit(catalogue: &Catalogue, claim: Claim<'_>, now: Timestamp) -> Result<Admitted, Refusal> {
    let Claim {
        identity,
        severity,
        penalties,
        department,
    } = claim;
    let kind = catalogue
        .kind(&identity.kind)
        .ok_or_else(|| Refusal::KindUnknown {
            kind: identity.kind.clone(),
        })?;
    if !kind.may_be_raised_by(department) {
        let (kind, departments) = (kind.code.clone(), kind.departments.clone());
        return Err(Refusal::KindNotYours { kind, departments });
    }
    let severity = agreed(catalogue, kind, severity, penalties)?;
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
        rules: Rules {
            window: catalogue.window(severity),
            repairable: kind.repairable,
            appeal: kind.appeal.clone(),
        },
        ends_at,
    })
}

/// The gravest penalty gives the severity, so that the longest window holds; what was said beside it must agree.
fn agreed(
    catalogue: &Catalogue,
    kind: &FlagKind,
    asked: Option<Severity>,
    penalties: &[Penalty],
) -> Result<Option<Severity>, Refusal> {
    let mut gravest = None;
    for Penalty { of_type, .. } in penalties {
        let known = catalogue
            .penalty(of_type)
            .ok_or_else(|| Refusal::PenaltyUnknown {
                penalty: of_type.clone(),
                known: catalogue.penalty_codes(),
            })?;
        gravest = gravest.max(Some(known.severity));
    }
    match (asked, gravest) {
        (Some(asked), Some(gravest)) if asked != gravest => Err(Refusal::SeverityNotAllowed {
            kind: kind.code.clone(),
            allowed: vec![gravest],
        }),
        (asked, gravest) => Ok(gravest.or(asked)),
    }
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
