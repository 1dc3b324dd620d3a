//! A policy document as its author writes it: YAML, not yet checked.

use greenstar_kernel::{Code, Department, LocalizedText};
use greenstar_tables::{Pairs, TableSource};
use serde::Deserialize;

use super::matter::{ArgumentDecl, Level, OnStale, RecordMode};

/// The department that owns the jurisdiction's floor.
pub(super) const BASELINE: &str = "baseline";

/// One document: a department's matters with the table that answers them, or the baseline.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PolicySource {
    pub(super) policy: Code,
    /// Counted up.
    pub(super) version: u32,
    /// `baseline` for the jurisdiction's floor: it has a table, and neither matters nor outcomes.
    pub(super) department: Department,
    #[serde(default)]
    pub(super) outcomes: Vec<OutcomeSource>,
    #[serde(default)]
    pub(super) matters: Vec<MatterSource>,
    #[serde(default)]
    pub(super) arguments: Vec<ArgumentDecl>,
    #[serde(default)]
    pub(super) on_stale: OnStale,
    #[serde(default = "default_staleness")]
    pub(super) max_staleness_ms: u32,
    #[serde(default)]
    pub(super) record: RecordMode,
    /// True: it may only favour and advise, and gives no figures: a tier, never a rate.
    #[serde(default)]
    pub(super) advice_only: bool,
    #[serde(default)]
    pub(super) table: Option<TableSource>,
    /// Rows whose outcomes are the triggers' codes; only of an inspection regime.
    #[serde(default)]
    pub(super) triggers: Option<TableSource>,
}

/// protocol.md §4.
fn default_staleness() -> u32 {
    5000
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OutcomeSource {
    pub(super) code: Code,
    pub(super) title: LocalizedText,
    pub(super) level: Level,
    #[serde(default)]
    pub(super) carried_by: Option<Code>,
    /// Measures that go with it at least, with their parameters.
    #[serde(default)]
    pub(super) floor: Pairs<Option<i64>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MatterSource {
    pub(super) code: Code,
    pub(super) title: LocalizedText,
}
