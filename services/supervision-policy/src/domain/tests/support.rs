//! Facts and questions in few words.

use std::sync::{Arc, LazyLock};

use greenstar_kernel::{Code, Date, Department, Document, Month, Standing, Star, Timestamp};

use crate::domain::catalogue::{Catalogue, Severity};
use crate::domain::decide::{Decision, decide};
use crate::domain::facts::{Event, Facts, Flag};
use crate::domain::matter::Arguments;
use crate::domain::policy::Policy;
use crate::domain::shipped;

pub(super) const NO_ARGUMENTS: &Arguments = &Arguments::NONE;

/// The sanctions service's own data: what ships together must fit together.
pub(super) fn catalogue() -> Arc<Catalogue> {
    static READ: LazyLock<Arc<Catalogue>> = LazyLock::new(|| {
        let text = include_str!("../../../../sanctions/data/catalogue.yaml");
        Arc::new(Catalogue::from_yaml(text).unwrap())
    });
    Arc::clone(&READ)
}

pub(super) fn policy() -> Policy {
    Policy::load(&shipped::documents(), catalogue()).unwrap_or_else(|errors| panic!("{errors}"))
}

pub(super) fn date(raw: &str) -> Date {
    raw.parse().unwrap()
}

/// The day on which most tests ask.
pub(super) fn today() -> Timestamp {
    date("2026-11-24").start()
}

pub(super) fn star(rank: i64) -> Standing {
    Standing::Rated(Star::try_from(rank).unwrap())
}

pub(super) fn firm(standing: Standing) -> Facts {
    let mut facts = Facts::unknown();
    facts.known = true;
    facts.rating.standing = standing;
    facts
}

pub(super) fn with(mut facts: Facts, flag: Flag) -> Facts {
    facts.flags = facts.flags.iter().cloned().chain([flag]).collect();
    facts
}

/// A flag of a document of this date, in force for so many months.
pub(super) fn flag(kind: &str, severity: Severity, document: &str, months: u16) -> Flag {
    let document = Document {
        issuer: "北京市大兴区生态环境局".to_owned(),
        number: "京兴环罚〔2026〕12号".to_owned(),
        date: date(document),
    };
    let catalogue = catalogue();
    let kind = Code::parse(kind).unwrap();
    let known = catalogue
        .flag_kinds()
        .iter()
        .find(|known| known.code == kind)
        .unwrap();
    Flag {
        name: "enterprises/91110115MAX000015J/flags/f1".into(),
        bases: known
            .bases
            .iter()
            .filter_map(|code| catalogue.basis(code))
            .cloned()
            .collect(),
        severity,
        department: Department::parse("enforcement").unwrap(),
        scope: None,
        start: document.date.start(),
        end: Some(document.date.term_end(Month(months))),
        document,
        kind,
    }
}

/// An event at the rating, by the date of its document.
pub(super) fn event(kind: &str, severity: Severity, document: &str) -> Event {
    Event {
        kind: Code::parse(kind).unwrap(),
        severity,
        date: date(document),
    }
}

pub(super) fn serious_penalty() -> Flag {
    flag("serious-penalty", Severity::Serious, "2026-10-08", 36)
}

pub(super) fn scoped(mut flag: Flag, scope: &str) -> Flag {
    flag.scope = Some(Code::parse(scope).unwrap());
    flag
}

pub(super) fn ask<'a>(policy: &'a Policy, matter: &str, facts: &'a Facts, as_of: Timestamp) -> Decision<'a> {
    let (department, code) = matter.split_once('/').unwrap();
    let matter = policy.matter(department, code).unwrap();
    decide(policy, matter, facts, NO_ARGUMENTS, as_of).unwrap()
}

/// Outcome and measures, e.g. `REDUCED on-site-cap=1 sampling-ratio=50`.
pub(super) fn answer(decision: &Decision<'_>) -> String {
    let mut measures: Vec<String> = decision
        .measures
        .iter()
        .map(|measure| match measure.value {
            Some(value) => format!(" {}={value}", measure.entry.code),
            None => format!(" {}", measure.entry.code),
        })
        .collect();
    measures.sort();
    format!("{}{}", decision.outcome.code, measures.concat())
}

pub(super) fn texts(decision: &Decision<'_>) -> Vec<String> {
    decision.reasons.iter().map(|reason| reason.text().en).collect()
}
