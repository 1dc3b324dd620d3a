//! One edition of what the law allows, as decisions use it. The sanctions service owns the data.

use std::collections::BTreeSet;
use std::fmt;

use greenstar_kernel::{Code, Date, Department, LocalizedText, Month, RatingState, Said, Star, Timestamp};
use serde::{Deserialize, Serialize};

use super::gate::GateEntry;

/// Severity of a fault (NDRC order 36 of 2025).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Minor,
    Ordinary,
    Serious,
}

impl Severity {
    pub const ALL: [Severity; 3] = [Severity::Minor, Severity::Ordinary, Severity::Serious];

    /// As written in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Minor => "MINOR",
            Severity::Ordinary => "ORDINARY",
            Severity::Serious => "SERIOUS",
        }
    }
}

/// Class of a measure, after the national basic list of punishment measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MeasureClass {
    /// No punishment.
    Favour,
    /// Class 1: cuts a right or adds a duty; needs a named article.
    Rights,
    /// Class 2: management that cuts no right.
    Management,
    /// Class 3: advice to bodies that decide themselves.
    Advice,
}

/// A set column holds 64 values, and one of them stands for all other departments.
const MAX_DEPARTMENTS: usize = 63;

/// An edition as its source hands it over, as far as decisions need it, unchecked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogueParts {
    pub edition: String,
    pub ceilings: Ceilings,
    /// Absent in records of programs that did not ask for it.
    #[serde(default)]
    pub publicity_windows: PublicityWindows,
    pub bases: Vec<LegalBasis>,
    pub flag_kinds: Vec<FlagKind>,
    pub measures: Vec<MeasureEntry>,
}

/// Months from the document's date beyond which no measure rests on a flag of that severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ceilings {
    pub minor: Month,
    pub ordinary: Month,
    pub serious: Month,
}

/// How long a fault is published at least, by its severity: before, there is no repair.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicityWindows {
    pub minor: PublicityWindow,
    pub ordinary: PublicityWindow,
    pub serious: PublicityWindow,
}

/// Of one severity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicityWindow {
    /// Months from the document's date; `None`: nobody says.
    #[serde(default)]
    pub min: Option<Month>,
}

/// A law or document on which a flag or measure stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LegalBasis {
    pub code: Code,
    pub title: LocalizedText,
    /// `None`: the whole document is meant.
    #[serde(default)]
    pub article: Option<LocalizedText>,
    /// First day in force.
    #[serde(default)]
    pub effective: Option<Date>,
    /// Last day in force.
    #[serde(default)]
    pub end: Option<Date>,
}

/// A kind of flag, as far as decisions need it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlagKind {
    pub code: Code,
    pub title: LocalizedText,
    pub bases: Vec<Code>,
    /// Who may raise it; empty: every department.
    #[serde(default)]
    pub departments: Vec<Department>,
    /// A list entry whose basis names all departments.
    #[serde(default)]
    pub reaches_all: bool,
    /// False: the law leaves no repair.
    #[serde(default = "yes")]
    pub repairable: bool,
}

fn yes() -> bool {
    true
}

/// A measure that the law carries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeasureEntry {
    pub code: Code,
    pub title: LocalizedText,
    pub class: MeasureClass,
    /// Number in the national list; empty for favours.
    #[serde(default)]
    pub list_number: String,
    pub bases: Vec<Code>,
    /// Any one of these carries the measure.
    pub supports: Vec<Support>,
    /// At most one.
    #[serde(default)]
    pub parameters: Vec<Parameter>,
    /// First day of the entry.
    #[serde(default)]
    pub from: Option<Date>,
    /// Last day of the entry.
    #[serde(default)]
    pub until: Option<Date>,
    /// Measures that contradict it: an enterprise that is under both is told two things at once. It is enough that one
    /// of the two names the other.
    #[serde(default)]
    pub excludes: Vec<Code>,
}

/// What carries a measure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case", deny_unknown_fields)]
pub enum Support {
    /// A flag of this kind in force, of at least this severity.
    Flag {
        kind: Code,
        least: Severity,
    },
    State {
        state: RatingState,
    },
    Star {
        star: Star,
    },
    /// Part of the ordinary regime.
    Always,
}

/// A measure's parameter: a whole number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    pub code: Code,
    pub unit: LocalizedText,
    pub min: i64,
    pub max: i64,
    pub stricter: Stricter,
}

/// Which of two values binds more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stricter {
    Higher,
    Lower,
}

impl Stricter {
    pub fn of(self, left: i64, right: i64) -> i64 {
        match self {
            Stricter::Higher => left.max(right),
            Stricter::Lower => left.min(right),
        }
    }
}

/// A checked edition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalogue {
    parts: CatalogueParts,
    /// One for each measure.
    gates: Vec<GateEntry>,
    /// Those that kinds of flag name, in order.
    departments: Vec<Department>,
}

/// One fault of an edition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CatalogueDefect {
    #[error("the catalogue cannot be read: {0}")]
    Unreadable(String),
    #[error("{0} stands twice")]
    Twice(Code),
    #[error("{owner} names the basis {basis}, which the catalogue does not have")]
    BasisUnknown { owner: Code, basis: Code },
    #[error("measure {0} names no legal basis")]
    NoBasis(Code),
    #[error("measure {0} is of class 1 and names no article")]
    NoArticle(Code),
    #[error("measure {measure} is carried by the flag kind {kind}, which the catalogue does not have")]
    KindUnknown { measure: Code, kind: Code },
    #[error("measure {measure} excludes {other}, which the catalogue does not have")]
    ExcludedUnknown { measure: Code, other: Code },
    #[error("measure {0} has more than one parameter, or one with an empty range")]
    Parameter(Code),
    #[error("the catalogue has more than 64 kinds of flag")]
    TooManyKinds,
}

/// All faults of an edition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogueErrors(pub Vec<CatalogueDefect>);

impl std::error::Error for CatalogueErrors {}

impl fmt::Display for CatalogueErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&all.join("; "))
    }
}

impl Said for CatalogueErrors {
    fn said(&self) -> LocalizedText {
        LocalizedText::new(
            format!("措施目录有误，请由运维人员检查：{self}"),
            self.to_string(),
        )
    }
}

impl Catalogue {
    pub fn new(parts: CatalogueParts) -> Result<Catalogue, CatalogueErrors> {
        let defects = defects(&parts);
        if !defects.is_empty() {
            return Err(CatalogueErrors(defects));
        }
        let gates = parts
            .measures
            .iter()
            .map(|entry| GateEntry::of(entry, &parts))
            .collect();
        let named = parts
            .flag_kinds
            .iter()
            .flat_map(|kind| kind.departments.iter().cloned());
        let named: BTreeSet<Department> = named.collect();
        let departments = named.into_iter().take(MAX_DEPARTMENTS).collect();
        Ok(Catalogue {
            parts,
            gates,
            departments,
        })
    }

    /// Reads the form in which the sanctions service ships its data.
    pub fn from_yaml(text: &str) -> Result<Catalogue, CatalogueErrors> {
        let unreadable = |error: serde_yaml_ng::Error| {
            CatalogueErrors(vec![CatalogueDefect::Unreadable(error.to_string())])
        };
        Catalogue::new(serde_yaml_ng::from_str(text).map_err(unreadable)?)
    }

    pub fn edition(&self) -> &str {
        &self.parts.edition
    }

    pub fn parts(&self) -> &CatalogueParts {
        &self.parts
    }

    pub fn flag_kinds(&self) -> &[FlagKind] {
        &self.parts.flag_kinds
    }

    pub fn measures(&self) -> &[MeasureEntry] {
        &self.parts.measures
    }

    pub(super) fn kind_position(&self, code: &Code) -> Option<usize> {
        self.parts.flag_kinds.iter().position(|kind| kind.code == *code)
    }

    /// Departments that kinds of flag name as those who may raise them, in order.
    pub(super) fn departments(&self) -> &[Department] {
        &self.departments
    }

    /// Position in [`Catalogue::departments`]; one beyond the last for any other.
    pub(super) fn department_position(&self, department: &Department) -> usize {
        self.departments
            .binary_search(department)
            .unwrap_or(self.departments.len())
    }

    pub(super) fn measure_position(&self, code: &Code) -> Option<usize> {
        self.parts
            .measures
            .iter()
            .position(|measure| measure.code == *code)
    }

    pub fn basis(&self, code: &Code) -> Option<&LegalBasis> {
        self.parts.bases.iter().find(|basis| basis.code == *code)
    }

    /// A measure with its gate.
    pub(super) fn measure(&self, position: usize) -> Option<(&MeasureEntry, &GateEntry)> {
        Some((self.parts.measures.get(position)?, self.gates.get(position)?))
    }

    /// The bases of a measure that are in force.
    pub(super) fn bases_of(&self, position: usize, as_of: Timestamp) -> impl Iterator<Item = &LegalBasis> {
        let gate = self.gates.get(position).into_iter();
        gate.flat_map(move |gate| gate.bases(as_of))
            .filter_map(|basis| self.parts.bases.get(basis))
    }

    /// From when on a flag's repair can be granted: the least publicity of its document has passed. `None`: the law
    /// leaves no repair, or nobody says when.
    pub(super) fn repair_from(
        &self,
        kind: &FlagKind,
        severity: Severity,
        document: Date,
    ) -> Option<Timestamp> {
        let windows = &self.parts.publicity_windows;
        let window = match severity {
            Severity::Minor => windows.minor,
            Severity::Ordinary => windows.ordinary,
            Severity::Serious => windows.serious,
        };
        window.min.filter(|_| kind.repairable).map(|least| match least {
            Month(0) => document.start(),
            least => document.term_end(least),
        })
    }

    /// From here on no measure rests on a document of this date and severity.
    pub fn ceiling(&self, severity: Severity, document: Date) -> Timestamp {
        let ceilings = &self.parts.ceilings;
        document.term_end(match severity {
            Severity::Minor => ceilings.minor,
            Severity::Ordinary => ceilings.ordinary,
            Severity::Serious => ceilings.serious,
        })
    }
}

impl MeasureEntry {
    pub fn parameter(&self) -> Option<&Parameter> {
        self.parameters.first()
    }
}

fn defects(parts: &CatalogueParts) -> Vec<CatalogueDefect> {
    let mut defects = Vec::new();
    let groups: [Vec<&Code>; 3] = [
        parts.bases.iter().map(|basis| &basis.code).collect(),
        parts.flag_kinds.iter().map(|kind| &kind.code).collect(),
        parts.measures.iter().map(|measure| &measure.code).collect(),
    ];
    for codes in &groups {
        for (index, code) in codes.iter().enumerate() {
            if codes.iter().skip(index + 1).any(|other| other == code) {
                defects.push(CatalogueDefect::Twice((*code).clone()));
            }
        }
    }
    if parts.flag_kinds.len() > 64 {
        defects.push(CatalogueDefect::TooManyKinds);
    }
    let basis = |code: &Code| parts.bases.iter().find(|basis| basis.code == *code);
    let owners = parts.flag_kinds.iter().map(|kind| (&kind.code, &kind.bases));
    for (owner, codes) in owners.chain(
        parts
            .measures
            .iter()
            .map(|measure| (&measure.code, &measure.bases)),
    ) {
        for code in codes.iter().filter(|code| basis(code).is_none()) {
            defects.push(CatalogueDefect::BasisUnknown {
                owner: owner.clone(),
                basis: code.clone(),
            });
        }
    }
    for measure in &parts.measures {
        let named = measure
            .bases
            .iter()
            .filter_map(basis)
            .any(|basis| basis.article.is_some());
        if measure.bases.is_empty() {
            defects.push(CatalogueDefect::NoBasis(measure.code.clone()));
        } else if measure.class == MeasureClass::Rights && !named {
            defects.push(CatalogueDefect::NoArticle(measure.code.clone()));
        }
        if measure.parameters.len() > 1 || measure.parameters.iter().any(|p| p.min > p.max) {
            defects.push(CatalogueDefect::Parameter(measure.code.clone()));
        }
        for other in &measure.excludes {
            if !parts.measures.iter().any(|known| known.code == *other) {
                let (measure, other) = (measure.code.clone(), other.clone());
                defects.push(CatalogueDefect::ExcludedUnknown { measure, other });
            }
        }
        for support in &measure.supports {
            if let Support::Flag { kind, .. } = support
                && !parts.flag_kinds.iter().any(|known| known.code == *kind)
            {
                let (measure, kind) = (measure.code.clone(), kind.clone());
                defects.push(CatalogueDefect::KindUnknown { measure, kind });
            }
        }
    }
    defects
}
