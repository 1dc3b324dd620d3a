//! A policy document as its author writes it: YAML, not yet checked.

use greenstar_kernel::{Code, Date, Department, LocalizedText};
use greenstar_tables::{CellText, Pairs, TableSource};
use serde::{Deserialize, Serialize};

use super::catalogue::Severity;
use super::matter::{ArgumentDecl, Level, OnStale, RecordMode, is_false};

/// The department that owns the jurisdiction's floor.
pub(super) const BASELINE: &str = "baseline";

/// One document: a department's matters with the table that answers them, or the baseline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PolicySource {
    pub(crate) policy: Code,
    /// Counted up.
    pub(crate) version: u32,
    /// `baseline` for the jurisdiction's floor: it has a table, and neither matters nor outcomes.
    pub(crate) department: Department,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) outcomes: Vec<OutcomeSource>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) matters: Vec<MatterSource>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) arguments: Vec<ArgumentDecl>,
    #[serde(default)]
    pub(crate) on_stale: OnStale,
    #[serde(default = "default_staleness")]
    pub(crate) max_staleness_ms: u32,
    #[serde(default)]
    pub(crate) record: RecordMode,
    /// For how many days a decision's record is kept in full; absent: for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) retention_days: Option<u32>,
    /// True: it may only favour and advise, and gives no figures: a tier, never a rate.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) advice_only: bool,
    /// Codes that lie under another than their prefix says.
    #[serde(default, skip_serializing_if = "TreesSource::is_empty")]
    pub(crate) trees: TreesSource,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) table: Option<TableSource>,
    /// Rows whose outcomes are the triggers' codes; only of an inspection regime.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) triggers: Option<TableSource>,
    /// Where a better standing gets a worse answer on purpose, or a further flag a better one, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) unfair: Vec<UnfairSource>,
    /// What the policy must answer; run whenever it is checked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) cases: Vec<CaseSource>,
}

fn default_staleness() -> u32 {
    PolicySource::DEFAULT_STALENESS_MS
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OutcomeSource {
    pub(crate) code: Code,
    pub(crate) title: LocalizedText,
    pub(crate) level: Level,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) carried_by: Option<Code>,
    /// Measures that go with it at least, with their parameters.
    #[serde(default, skip_serializing_if = "Pairs::is_empty")]
    pub(crate) floor: Pairs<Option<i64>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MatterSource {
    pub(crate) code: Code,
    pub(crate) title: LocalizedText,
}

/// Child → parent, on top of the codes' own beginnings. A parent is a code of the standard or a group of the same tree;
/// a group that lies under nothing has the parent `-`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TreesSource {
    #[serde(default, skip_serializing_if = "Pairs::is_empty")]
    pub(crate) sector: Pairs<CellText>,
    #[serde(default, skip_serializing_if = "Pairs::is_empty")]
    pub(crate) district: Pairs<CellText>,
}

impl TreesSource {
    pub(crate) fn is_empty(&self) -> bool {
        self.sector.is_empty() && self.district.is_empty()
    }
}

/// Rows that may break P8 (design.md §4), with the reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UnfairSource {
    /// From 1; 0 is the default row.
    pub(crate) rows: Vec<u32>,
    pub(crate) reason: LocalizedText,
}

/// A case with the answer that it must have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CaseSource {
    pub(crate) name: String,
    /// The clock of the case: RFC 3339 with an offset, or a day, which begins at 00:00 in Beijing.
    pub(crate) at: String,
    /// One of the document's matters; left out, its first. Of the baseline `departments/{department}/matters/{matter}`;
    /// left out there, the baseline is asked alone and answers a level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) matter: Option<String>,
    /// Column → value; what is left out is as of a firm that nobody rated or flagged.
    #[serde(default, skip_serializing_if = "Pairs::is_empty")]
    pub(crate) facts: Pairs<FactSource>,
    #[serde(default, skip_serializing_if = "Pairs::is_empty")]
    pub(crate) arguments: Pairs<CellText>,
    pub(crate) expect: ExpectSource,
}

/// One fact of a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum FactSource {
    Value(CellText),
    /// Flags or events.
    List(Vec<PaperSource>),
}

/// A flag or an event: its kind, or more of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum PaperSource {
    /// Serious, with a document of the day before.
    Kind(Code),
    Full(PaperFields),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PaperFields {
    pub(crate) kind: Code,
    /// Left out: a flag is serious, an event ordinary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) severity: Option<Severity>,
    /// Of the document; left out: the day before the case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) date: Option<Date>,
    /// Whole months since the document, instead of its date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) age_months: Option<u16>,
    /// Of a flag: who raised it; left out, a department that may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) department: Option<Department>,
    /// Of a flag: the only matter it counts in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) matter: Option<Code>,
}

/// What must come out; what is left out is not looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExpectSource {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) outcome: Option<Code>,
    /// All measures: `fast-track`, or with its parameter `on-site-cap=1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) measures: Option<Vec<String>>,
    /// The rows that decide, from 1; 0 is the default row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rows: Option<Vec<u32>>,
}

impl PolicySource {
    /// protocol.md §4.
    pub(crate) const DEFAULT_STALENESS_MS: u32 = 5000;

    /// A document with nothing but its head.
    pub(crate) fn new(policy: Code, version: u32, department: Department) -> PolicySource {
        PolicySource {
            policy,
            version,
            department,
            outcomes: Vec::new(),
            matters: Vec::new(),
            arguments: Vec::new(),
            on_stale: OnStale::default(),
            max_staleness_ms: PolicySource::DEFAULT_STALENESS_MS,
            record: RecordMode::default(),
            retention_days: None,
            advice_only: false,
            trees: TreesSource::default(),
            table: None,
            triggers: None,
            unfair: Vec::new(),
            cases: Vec::new(),
        }
    }

    /// Whether it is the jurisdiction's floor, whose rows answer levels.
    pub(crate) fn is_baseline(&self) -> bool {
        self.department.as_str() == BASELINE
    }

    /// # Errors
    /// What is wrong, with line and column.
    pub(crate) fn from_yaml(text: &str) -> Result<PolicySource, String> {
        serde_yaml_ng::from_str(text).map_err(|error| error.to_string())
    }

    /// # Errors
    /// None that a document of ours has.
    pub(crate) fn to_yaml(&self) -> Result<String, String> {
        serde_yaml_ng::to_string(self).map_err(|error| error.to_string())
    }
}
