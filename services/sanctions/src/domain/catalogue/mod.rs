//! What the law allows, one edition of it. Nothing outside the catalogue can be flagged or applied (P6).

mod check;
mod edition;
mod publicity;

use std::collections::BTreeMap;
use std::sync::Arc;

use greenstar_kernel::{Code, Date, Department, LocalizedText, Month, RatingState, Star, Timestamp};
use serde::{Deserialize, Serialize};

pub use check::{CatalogueErrors, Defect, Fault};
pub use edition::{Edition, MalformedEdition};
pub use publicity::{AppealRule, PenaltyType, Window};

/// The edition that this program ships.
pub const SHIPPED: &str = include_str!("../../../data/catalogue.yaml");

/// How grave a fault is (NDRC order 36 of 2025).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// 轻微
    Minor,
    /// 一般
    Ordinary,
    /// 严重
    Serious,
}

impl Severity {
    pub const ALL: [Severity; 3] = [Severity::Minor, Severity::Ordinary, Severity::Serious];

    /// As written in stores and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Minor => "MINOR",
            Severity::Ordinary => "ORDINARY",
            Severity::Serious => "SERIOUS",
        }
    }
}

/// A law or a document of government, or one article of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LegalBasis {
    pub code: Code,
    /// With its number.
    pub title: LocalizedText,
    /// `None`: the whole document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub article: Option<LocalizedText>,
    /// First day in force.
    pub effective: Date,
    /// Last day in force; `None` while it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<Date>,
}

impl LegalBasis {
    /// Whether it is law on that day.
    pub fn in_force(&self, day: Date) -> bool {
        self.effective <= day && self.end.is_none_or(|end| day <= end)
    }
}

/// What narrows the flags of a kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "snake_case", deny_unknown_fields)]
pub enum Scope {
    /// One kind of permit out of these.
    PermitKind { values: Vec<Code> },
}

impl Scope {
    pub fn values(&self) -> &[Code] {
        match self {
            Scope::PermitKind { values } => values,
        }
    }

    /// As written on the wire.
    pub fn as_str(&self) -> &'static str {
        match self {
            Scope::PermitKind { .. } => "permit_kind",
        }
    }
}

/// A kind of flag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlagKind {
    pub code: Code,
    pub title: LocalizedText,
    /// Severities that it can have; months from the document's date for which it binds. Not empty.
    pub terms: BTreeMap<Severity, Month>,
    /// Who may raise it; empty: every department.
    #[serde(default)]
    pub departments: Vec<Department>,
    /// `None`: it reaches the whole enterprise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
    /// On what it stands; on each day that counts one of them must be in force. Not empty.
    pub bases: Vec<Code>,
    /// A list entry whose basis names all departments.
    #[serde(default)]
    pub reaches_all: bool,
    /// False: the law leaves no repair.
    pub repairable: bool,
    /// How one appeals against it.
    #[serde(default)]
    pub appeal: AppealRule,
    /// For a list entry: the list's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<LocalizedText>,
}

impl FlagKind {
    pub fn may_be_raised_by(&self, department: &Department) -> bool {
        self.departments.is_empty() || self.departments.contains(department)
    }
}

/// Classes of the basic list of punishment measures, and what is no punishment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MeasureClass {
    /// No punishment.
    Favour,
    /// Class 1: cuts a right or adds a duty; needs a basis with an article.
    Rights,
    /// Class 2: management that cuts no right.
    Management,
    /// Class 3: advice to bodies that decide themselves.
    Advice,
}

/// Whom a measure may reach. A person is no target: no law of the catalogue names one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    #[default]
    Enterprise,
}

impl Target {
    /// As written on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Target::Enterprise => "enterprise",
        }
    }
}

/// What carries a measure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case", deny_unknown_fields)]
pub enum Support {
    /// A flag in force of this kind and at least this severity.
    Flag { kind: Code, least: Severity },
    /// The rating's state.
    State { state: RatingState },
    /// A star of exactly this rank.
    Star { star: Star },
    /// Anything: the measure is part of the ordinary regime.
    Always,
}

/// Which of two values is the stricter one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stricter {
    Higher,
    Lower,
}

/// A parameter of a measure: an integer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    pub code: Code,
    /// What it counts.
    pub unit: LocalizedText,
    pub min: i64,
    pub max: i64,
    /// Two values of one measure join to the stricter one.
    pub stricter: Stricter,
}

/// A measure that the law carries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measure {
    pub code: Code,
    pub title: LocalizedText,
    pub class: MeasureClass,
    /// Number in the national basic list, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list_number: Option<String>,
    #[serde(default)]
    pub target: Target,
    /// Not empty.
    pub bases: Vec<Code>,
    /// Any one suffices. Not empty.
    pub supports: Vec<Support>,
    #[serde(default)]
    pub parameters: Vec<Parameter>,
    /// First day of the entry; `None`: always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Date>,
    /// Last day of the entry; `None`: open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Date>,
    /// Measures that contradict it. It is enough that one of the two names the other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub excludes: Vec<Code>,
}

/// An edition as it is written down, before anybody has checked that it means something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parts {
    pub edition: Edition,
    /// No measure rests on a flag for longer than this, whatever the flag's own end says.
    pub ceilings: BTreeMap<Severity, Month>,
    /// How long faults are published. Every severity has one; a graver one never has the shorter window.
    #[serde(default = "publicity::order_36")]
    pub publicity_windows: BTreeMap<Severity, Window>,
    /// What documents impose.
    #[serde(default)]
    pub penalty_types: Vec<PenaltyType>,
    pub bases: Vec<LegalBasis>,
    pub flag_kinds: Vec<FlagKind>,
    pub measures: Vec<Measure>,
}

/// One edition, whole and without contradiction: every code that a kind or a measure names exists,
/// codes are unique, a class 1 measure has a basis with an article.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Parts", into = "Parts")]
pub struct Catalogue(Parts);

impl Catalogue {
    /// Reads an edition.
    ///
    /// # Errors
    /// [`CatalogueErrors`] with the place of each defect; one defect only where the text is no edition at all.
    pub fn from_yaml(text: &str) -> Result<Catalogue, CatalogueErrors> {
        let parts: Parts = serde_yaml_ng::from_str(text).map_err(CatalogueErrors::unreadable)?;
        Catalogue::try_from(parts)
    }

    pub fn edition(&self) -> &Edition {
        &self.0.edition
    }

    pub fn parts(&self) -> &Parts {
        &self.0
    }

    pub fn kind(&self, code: &Code) -> Option<&FlagKind> {
        self.0.flag_kinds.iter().find(|kind| kind.code == *code)
    }

    /// How long a fault of that severity is published.
    pub fn window(&self, severity: Severity) -> Window {
        let written = self.0.publicity_windows.get(&severity).copied();
        written.unwrap_or_else(|| Window::of_order_36(severity))
    }

    pub fn penalty(&self, code: &Code) -> Option<&PenaltyType> {
        self.0.penalty_types.iter().find(|penalty| penalty.code == *code)
    }

    /// Codes of all types of penalty.
    pub fn penalty_codes(&self) -> Vec<Code> {
        let codes = self.0.penalty_types.iter().map(|penalty| &penalty.code);
        codes.cloned().collect()
    }

    /// The bases that these codes name; a catalogue has them all.
    pub fn bases<'a>(&'a self, codes: &'a [Code]) -> impl Iterator<Item = &'a LegalBasis> {
        codes
            .iter()
            .filter_map(|code| self.0.bases.iter().find(|basis| basis.code == *code))
    }
}

impl TryFrom<Parts> for Catalogue {
    type Error = CatalogueErrors;

    fn try_from(parts: Parts) -> Result<Self, CatalogueErrors> {
        check::check(&parts)?;
        Ok(Catalogue(parts))
    }
}

impl From<Catalogue> for Parts {
    fn from(catalogue: Catalogue) -> Parts {
        catalogue.0
    }
}

/// An edition and from which instant on it is in force, which may lie ahead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InForce {
    pub catalogue: Catalogue,
    pub since: Timestamp,
}

/// All editions, in the order of their numbers, which is that of the instants from which on they are in force.
#[derive(Clone, Debug, Default)]
pub struct Law(Vec<Arc<InForce>>);

impl Law {
    /// `editions` in their order.
    pub fn new(editions: Vec<Arc<InForce>>) -> Law {
        Law(editions)
    }

    /// The edition in force at an instant. What lies before the first has nothing but it: a clock that is a little
    /// late must not find itself without law. `None` only without any edition.
    pub fn at(&self, now: Timestamp) -> Option<&Arc<InForce>> {
        let current = self.0.iter().rev().find(|edition| edition.since <= now);
        current.or(self.0.first())
    }

    /// The one with the highest number; it may be one to come.
    pub fn newest(&self) -> Option<&Arc<InForce>> {
        self.0.last()
    }

    /// In their order.
    pub fn editions(&self) -> &[Arc<InForce>] {
        &self.0
    }

    /// Puts one behind the newest.
    pub(super) fn append(&mut self, edition: Arc<InForce>) {
        self.0.push(edition);
    }
}
