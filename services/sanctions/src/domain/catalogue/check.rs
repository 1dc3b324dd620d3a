//! Whether the parts of an edition fit together. All defects are found at once, each with its place.

use std::collections::HashSet;
use std::fmt;

use greenstar_kernel::{Code, LocalizedText, Said};

use super::{LegalBasis, MeasureClass, Parts, Severity, Support};

/// Kinds in an edition: replicas of the view keep those of a firm in one word of 64 bits.
const MOST_KINDS: usize = 64;

/// Why an edition is none.
#[derive(Debug)]
pub struct CatalogueErrors(pub Vec<Defect>);

/// What is wrong, and where, e.g. `measures[3] (refuse-permit)`.
#[derive(Debug)]
pub struct Defect {
    pub place: String,
    pub fault: Fault,
}

/// What can be wrong with an edition.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("cannot be read: {0}")]
    Unreadable(#[source] serde_yaml_ng::Error),
    #[error("the code {0} stands twice")]
    Duplicate(Code),
    #[error("no legal basis has the code {0}")]
    BasisUnknown(Code),
    #[error("no kind of flag has the code {0}")]
    KindUnknown(Code),
    #[error("no other measure has the code {0}")]
    MeasureUnknown(Code),
    #[error("nothing stands without a legal basis")]
    NoBasis,
    #[error("a measure of class 1 needs a basis with an article")]
    NoArticle,
    #[error("a kind needs a severity with a term of at least one month")]
    NoTerm,
    #[error("severity {} has no ceiling of at least one month", .0.as_str())]
    NoCeiling(Severity),
    #[error("severity {} has no publicity window", .0.as_str())]
    NoWindow(Severity),
    #[error("a publicity window ends before it begins")]
    EmptyWindow,
    #[error("the window of severity {} is shorter than that of a milder one", .0.as_str())]
    ShorterWindow(Severity),
    #[error("one needs at least a day to appeal")]
    NoAppealDays,
    #[error("an appeal amends to a milder severity, not to {}, and to a term of at least one month", .0.as_str())]
    NoAmendment(Severity),
    #[error("a scope needs values to choose from")]
    NoScopeValue,
    #[error("nothing carries the measure")]
    NoSupport,
    #[error("a flag of kind {kind} is never as grave as {}", .least.as_str())]
    NeverAsGrave { kind: Code, least: Severity },
    #[error("the end lies before the beginning")]
    EndsBeforeItBegins,
    #[error("the least value lies above the greatest")]
    EmptyRange,
    #[error("{0} kinds of flag are too many, an edition has at most {MOST_KINDS}")]
    TooManyKinds(usize),
    #[error("a measure has at most one parameter, not {0}")]
    TooManyParameters(usize),
    #[error("a title or unit is empty in one language")]
    NoText,
}

impl CatalogueErrors {
    pub(super) fn unreadable(error: serde_yaml_ng::Error) -> CatalogueErrors {
        CatalogueErrors(vec![Defect {
            place: "catalogue".to_owned(),
            fault: Fault::Unreadable(error),
        }])
    }
}

impl fmt::Display for CatalogueErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the catalogue contradicts itself")?;
        for Defect { place, fault } in &self.0 {
            write!(f, "; {place}: {fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for CatalogueErrors {}

impl Said for CatalogueErrors {
    fn said(&self) -> LocalizedText {
        LocalizedText::new(
            format!("目录自相矛盾，请逐一更正：{self}"),
            format!("{self}; mend each of these"),
        )
    }
}

pub(super) fn check(parts: &Parts) -> Result<(), CatalogueErrors> {
    let mut found = Found(Vec::new());
    for severity in Severity::ALL {
        let months = parts.ceilings.get(&severity).map_or(0, |months| months.0);
        found.when(
            months == 0,
            || "ceilings".to_owned(),
            || Fault::NoCeiling(severity),
        );
    }
    windows(parts, &mut found);
    penalty_types(parts, &mut found);
    bases(parts, &mut found);
    flag_kinds(parts, &mut found);
    measures(parts, &mut found);
    if found.0.is_empty() {
        Ok(())
    } else {
        Err(CatalogueErrors(found.0))
    }
}

struct Found(Vec<Defect>);

impl Found {
    fn when(&mut self, wrong: bool, place: impl FnOnce() -> String, fault: impl FnOnce() -> Fault) {
        if wrong {
            self.0.push(Defect {
                place: place(),
                fault: fault(),
            });
        }
    }
}

fn windows(parts: &Parts, found: &mut Found) {
    let mut milder = None;
    for severity in Severity::ALL {
        let place = || "publicity_windows".to_owned();
        let Some(window) = parts.publicity_windows.get(&severity) else {
            found.when(true, place, || Fault::NoWindow(severity));
            continue;
        };
        found.when(window.max < window.min || window.max.0 == 0, place, || {
            Fault::EmptyWindow
        });
        // The gravest penalty of a document gives its window, and that has to be the longest.
        let shorter = milder.is_some_and(|(min, max)| window.min < min || window.max < max);
        found.when(shorter, place, || Fault::ShorterWindow(severity));
        milder = Some((window.min, window.max));
    }
}

fn penalty_types(parts: &Parts, found: &mut Found) {
    let mut seen = HashSet::new();
    for (at, penalty) in parts.penalty_types.iter().enumerate() {
        let place = || format!("penalty_types[{at}] ({})", penalty.code);
        found.when(!seen.insert(&penalty.code), place, || {
            Fault::Duplicate(penalty.code.clone())
        });
        found.when(is_empty(&penalty.title), place, || Fault::NoText);
    }
}

fn bases(parts: &Parts, found: &mut Found) {
    let mut seen = HashSet::new();
    for (at, basis) in parts.bases.iter().enumerate() {
        let place = || format!("bases[{at}] ({})", basis.code);
        found.when(!seen.insert(&basis.code), place, || {
            Fault::Duplicate(basis.code.clone())
        });
        found.when(basis.end.is_some_and(|end| end < basis.effective), place, || {
            Fault::EndsBeforeItBegins
        });
        let texts = [Some(&basis.title), basis.article.as_ref()];
        found.when(texts.into_iter().flatten().any(is_empty), place, || Fault::NoText);
    }
}

fn flag_kinds(parts: &Parts, found: &mut Found) {
    let many = parts.flag_kinds.len();
    let place = || "flag_kinds".to_owned();
    found.when(MOST_KINDS < many, place, || Fault::TooManyKinds(many));
    let mut seen = HashSet::new();
    for (at, kind) in parts.flag_kinds.iter().enumerate() {
        let place = || format!("flag_kinds[{at}] ({})", kind.code);
        found.when(!seen.insert(&kind.code), place, || {
            Fault::Duplicate(kind.code.clone())
        });
        let texts = [Some(&kind.title), kind.list.as_ref()];
        found.when(texts.into_iter().flatten().any(is_empty), place, || Fault::NoText);
        found.when(kind.appeal.days == 0, place, || Fault::NoAppealDays);
        let gravest = kind.terms.keys().next_back();
        for (severity, months) in &kind.appeal.amends {
            let none = months.0 == 0 || gravest.is_some_and(|gravest| gravest <= severity);
            found.when(none, place, || Fault::NoAmendment(*severity));
        }
        let no_term = kind.terms.is_empty() || kind.terms.values().any(|months| months.0 == 0);
        found.when(no_term, place, || Fault::NoTerm);
        if let Some(scope) = &kind.scope {
            found.when(scope.values().is_empty(), place, || Fault::NoScopeValue);
            let mut values = HashSet::new();
            for value in scope.values() {
                found.when(!values.insert(value), place, || Fault::Duplicate(value.clone()));
            }
        }
        named_bases(parts, &kind.bases, place, found);
    }
}

fn measures(parts: &Parts, found: &mut Found) {
    let mut seen = HashSet::new();
    for (at, measure) in parts.measures.iter().enumerate() {
        let place = || format!("measures[{at}] ({})", measure.code);
        found.when(!seen.insert(&measure.code), place, || {
            Fault::Duplicate(measure.code.clone())
        });
        found.when(is_empty(&measure.title), place, || Fault::NoText);
        let named = named_bases(parts, &measure.bases, place, found);
        let no_article = named.iter().all(|basis| basis.article.is_none());
        found.when(measure.class == MeasureClass::Rights && no_article, place, || {
            Fault::NoArticle
        });
        let backwards = matches!((measure.from, measure.until), (Some(from), Some(until)) if until < from);
        found.when(backwards, place, || Fault::EndsBeforeItBegins);
        found.when(measure.supports.is_empty(), place, || Fault::NoSupport);
        for support in &measure.supports {
            match support {
                Support::Flag { kind, least } => named_kind(parts, kind, *least, place, found),
                Support::State { .. } | Support::Star { .. } | Support::Always => {}
            }
        }
        for other in &measure.excludes {
            let others = parts.measures.iter().filter(|known| known.code != measure.code);
            let unknown = others.map(|known| &known.code).all(|known| known != other);
            found.when(unknown, place, || Fault::MeasureUnknown(other.clone()));
        }
        let many = measure.parameters.len();
        found.when(1 < many, place, || Fault::TooManyParameters(many));
        let mut codes = HashSet::new();
        for parameter in &measure.parameters {
            found.when(!codes.insert(&parameter.code), place, || {
                Fault::Duplicate(parameter.code.clone())
            });
            found.when(parameter.max < parameter.min, place, || Fault::EmptyRange);
            found.when(is_empty(&parameter.unit), place, || Fault::NoText);
        }
    }
}

/// The bases that `codes` name.
fn named_bases<'a>(
    parts: &'a Parts,
    codes: &[Code],
    place: impl Fn() -> String + Copy,
    found: &mut Found,
) -> Vec<&'a LegalBasis> {
    found.when(codes.is_empty(), place, || Fault::NoBasis);
    let mut named = Vec::new();
    for code in codes {
        match parts.bases.iter().find(|basis| basis.code == *code) {
            Some(basis) => named.push(basis),
            None => found.when(true, place, || Fault::BasisUnknown(code.clone())),
        }
    }
    named
}

fn named_kind(parts: &Parts, code: &Code, least: Severity, place: impl Fn() -> String, found: &mut Found) {
    match parts.flag_kinds.iter().find(|kind| kind.code == *code) {
        None => found.when(true, place, || Fault::KindUnknown(code.clone())),
        Some(kind) => {
            let gravest = kind.terms.keys().next_back();
            let never = gravest.is_some_and(|gravest| *gravest < least);
            found.when(never, place, || Fault::NeverAsGrave {
                kind: code.clone(),
                least,
            });
        }
    }
}

fn is_empty(text: &LocalizedText) -> bool {
    text.zh.trim().is_empty() || text.en.trim().is_empty()
}

#[cfg(test)]
mod tests {
    use super::super::{Catalogue, FlagKind, SHIPPED, Severity, Window};
    use super::{Code, MOST_KINDS};

    /// The shipped edition with one text replaced, and what is then wrong with it.
    fn broken(from: &str, to: &str) -> String {
        assert!(SHIPPED.contains(from), "{from}");
        Catalogue::from_yaml(&SHIPPED.replacen(from, to, 1))
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn the_shipped_edition_is_sound_and_survives_json() {
        let catalogue = Catalogue::from_yaml(SHIPPED).unwrap();
        let json = serde_json::to_string(&catalogue).unwrap();
        assert_eq!(serde_json::from_str::<Catalogue>(&json).unwrap(), catalogue);
    }

    #[test]
    fn an_edition_that_says_nothing_of_publicity_follows_order_36_and_allows_sixty_days_of_appeal() {
        let mut value: serde_json::Value =
            serde_json::to_value(Catalogue::from_yaml(SHIPPED).unwrap()).unwrap();
        let parts = value.as_object_mut().unwrap();
        parts.remove("publicity_windows");
        parts.remove("penalty_types");
        for kind in parts["flag_kinds"].as_array_mut().unwrap() {
            let kind = kind.as_object_mut().unwrap();
            kind.remove("appeal");
            kind.remove("list");
        }
        let older: Catalogue = serde_json::from_value(value).unwrap();
        for severity in Severity::ALL {
            assert_eq!(older.window(severity), Window::of_order_36(severity));
        }
        let appeal = &older.parts().flag_kinds[0].appeal;
        assert_eq!((appeal.days, appeal.suspends), (60, false));
    }

    #[test]
    fn a_code_that_nothing_defines_is_named_with_its_place() {
        let error = broken(
            "bases: [licensing-law-79]\n    repairable",
            "bases: [licensing-law-80]\n    repairable",
        );
        assert_eq!(
            error,
            "the catalogue contradicts itself; flag_kinds[2] (permit-by-deceit): no legal basis has the code licensing-law-80"
        );
        let error = broken("kind: permit-by-deceit, least", "kind: permit-by-guile, least");
        assert!(
            error.contains("(strict-review): no kind of flag has the code permit-by-guile"),
            "{error}"
        );
    }

    #[test]
    fn class_one_needs_a_named_article() {
        let error = broken("    article: { zh: 第七十九条, en: art. 79 } #", "    #");
        assert!(
            error.contains("measures[3] (refuse-permit): a measure of class 1 needs"),
            "{error}"
        );
    }

    #[test]
    fn codes_are_unique() {
        let error = broken("code: tolerant-acceptance", "code: fast-track");
        assert!(
            error.contains("measures[1] (fast-track): the code fast-track stands twice"),
            "{error}"
        );
        let error = broken("code: ordinary-penalty", "code: serious-penalty");
        assert!(
            error.contains("flag_kinds[1] (serious-penalty): the code serious-penalty stands twice"),
            "{error}"
        );
    }

    #[test]
    fn what_can_never_be_is_found() {
        for (from, to, fault) in [
            (
                "terms: { serious: 36 }",
                "terms: {}",
                "term of at least one month",
            ),
            (
                "terms: { serious: 36 }",
                "terms: { serious: 0 }",
                "term of at least one month",
            ),
            (
                "terms: { serious: 36 }",
                "terms: { minor: 3 }",
                "is never as grave as SERIOUS",
            ),
            (
                "ordinary: 12, serious: 36 }",
                "ordinary: 12 }",
                "severity SERIOUS has no ceiling",
            ),
            (
                "supports: [{ by: star, star: 5 }]",
                "supports: []",
                "nothing carries the measure",
            ),
            (
                "bases: [inspection-2024-54]",
                "bases: []",
                "nothing stands without a legal basis",
            ),
            (
                "min: 0, max: 12, stricter",
                "min: 0, max: -1, stricter",
                "least value lies above the greatest",
            ),
            (
                "    parameters:\n",
                "    parameters:\n      - { code: hours, unit: { zh: 小时, en: hours }, min: 0, max: 9, stricter: higher }\n",
                "(on-site-cap): a measure has at most one parameter, not 2",
            ),
            (
                "ordinary: { min: 3, max: 12",
                "ordinary: { min: 13, max: 12",
                "publicity_windows: a publicity window ends before it begins",
            ),
            (
                "serious: { min: 12, max: 36",
                "serious: { min: 2, max: 36",
                "the window of severity SERIOUS is shorter than that of a milder one",
            ),
            (
                "  minor: { min: 0, max: 3, published: false }\n",
                "",
                "severity MINOR has no publicity window",
            ),
            (
                "code: warning",
                "code: criticism",
                "the code criticism stands twice",
            ),
            ("days: 60", "days: 0", "one needs at least a day to appeal"),
            (
                "amends: { minor: 3, ordinary: 12 }",
                "amends: { serious: 12 }",
                "an appeal amends to a milder severity, not to SERIOUS",
            ),
            (
                "list: { zh: 严重失信主体名单",
                "list: { zh: \"\"",
                "is empty in one language",
            ),
            (
                "end: 2026-03-31",
                "end: 2023-04-30",
                "the end lies before the beginning",
            ),
            ("zh: 绿色通道", "zh: \" \"", "is empty in one language"),
        ] {
            let error = broken(from, to);
            assert!(error.contains(fault), "{from} -> {to}: {error}");
        }
    }

    #[test]
    fn an_edition_has_as_many_kinds_as_the_view_can_tell_apart() {
        let mut parts = Catalogue::from_yaml(SHIPPED).unwrap().parts().clone();
        let kind = parts.flag_kinds[0].clone();
        while parts.flag_kinds.len() < MOST_KINDS {
            let mut more = kind.clone();
            more.code = Code::parse(&format!("more-{}", parts.flag_kinds.len())).unwrap();
            parts.flag_kinds.push(more);
        }
        Catalogue::try_from(parts.clone()).unwrap();
        let code = Code::parse("one-more").unwrap();
        parts.flag_kinds.push(FlagKind { code, ..kind });
        assert_eq!(
            Catalogue::try_from(parts).unwrap_err().to_string(),
            "the catalogue contradicts itself; flag_kinds: 65 kinds of flag are too many, an edition has at most 64"
        );
    }

    #[test]
    fn what_is_no_edition_is_refused_with_its_place() {
        for (from, to, place) in [
            ("edition: 2026-2", "edition: newest", "edition"),
            ("class: rights", "class: capital", "measures[3].class"),
            ("star: 4 }", "star: 6 }", "measures[0].supports"),
            ("effective: 2004-07-01", "effective: 2004-02-30", "bases[0]"),
            ("repairable: true", "mendable: true", "flag_kinds[0]"),
        ] {
            let error = broken(from, to);
            assert!(
                error.contains("cannot be read") && error.contains(place),
                "{from} -> {to}: {error}"
            );
        }
    }
}
