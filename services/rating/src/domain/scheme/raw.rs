//! The scheme file as written, before anything of it is believed.

use greenstar_kernel::{Code, Department, LocalizedText, Month, Points, Star};
use serde::Deserialize;
use serde::de::{self, Deserializer};
use serde_yaml_ng::Value;

use super::{Issuer, Mode, Severity};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) scheme: Head,
    pub(super) evidence_kinds: Vec<EvidenceKind>,
    pub(super) categories: Vec<Category>,
    pub(super) items: Vec<Item>,
    #[serde(default)]
    pub(super) vetoes: Vec<Veto>,
    pub(super) stars: Vec<Grade>,
    pub(super) below_threshold: Below,
    /// Left out: the ones there are.
    #[serde(default)]
    pub(super) rating_states: Option<Vec<String>>,
    #[serde(default)]
    pub(super) round_states: Option<Vec<String>>,
    pub(super) process_days: Process,
    #[serde(default)]
    pub(super) procedure: Option<Procedure>,
    #[serde(default)]
    pub(super) calculation_order: Option<Vec<String>>,
    /// Read by tests, not by the scorer.
    #[serde(default)]
    #[expect(
        dead_code,
        reason = "named so that a misspelt key of the file is still refused"
    )]
    pub(super) test_vectors: de::IgnoredAny,
    #[serde(default)]
    #[expect(
        dead_code,
        reason = "named so that a misspelt key of the file is still refused"
    )]
    pub(super) cohort_fixture: de::IgnoredAny,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Head {
    pub(super) id: Code,
    pub(super) version: String,
    pub(super) jurisdiction: Jurisdiction,
    pub(super) evaluation_cycle_months: Month,
    pub(super) max_total: Number,
    pub(super) event_clock: String,
    pub(super) repaired_event: String,
    pub(super) severity_map: SeverityMap,
    /// Left out: `warning`, where there is one.
    #[serde(default)]
    pub(super) penalty_gate_excludes: Option<Vec<Code>>,
    #[serde(default)]
    pub(super) step: Option<Number>,
    #[serde(default)]
    pub(super) bonus_may_offset: Option<LocalizedText>,
    #[serde(default)]
    pub(super) suspended_while_rectifying: Vec<Code>,
    #[serde(default)]
    pub(super) always_rectify: Vec<Code>,
    #[serde(default)]
    pub(super) escalations: Vec<Escalation>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Jurisdiction {
    pub(super) gb2260: String,
    pub(super) zh: String,
    pub(super) en: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SeverityMap {
    pub(super) minor: Publicity,
    pub(super) ordinary: Publicity,
    pub(super) serious: Publicity,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Publicity {
    pub(super) zh: String,
    pub(super) publish: bool,
    pub(super) min_public: Month,
    pub(super) max_public: Month,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Escalation {
    pub(super) from: Code,
    pub(super) to: Code,
    pub(super) nth: usize,
    pub(super) within_months: Month,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EvidenceKind {
    pub(super) code: Code,
    pub(super) zh: String,
    pub(super) en: String,
    pub(super) issuer: Issuer,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Category {
    pub(super) code: Code,
    pub(super) zh: String,
    pub(super) en: String,
    pub(super) mode: Mode,
    pub(super) base: Number,
    #[serde(default)]
    pub(super) floor: Number,
    pub(super) cap: Number,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Item {
    pub(super) code: Code,
    pub(super) category: Code,
    pub(super) mode: Mode,
    pub(super) zh: String,
    pub(super) en: String,
    #[serde(default)]
    pub(super) seed: bool,
    pub(super) max: Number,
    /// Marked 0 to 100 and weighted with `max`.
    #[serde(default)]
    pub(super) marks: bool,
    pub(super) evidence: Vec<Code>,
    #[serde(default)]
    pub(super) veto: Vec<Code>,
    #[serde(default)]
    pub(super) rules: Vec<Rule>,
    #[serde(default)]
    pub(super) tiers: Vec<Tier>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    pub(super) event: Code,
    #[serde(default)]
    pub(super) zh: Option<String>,
    #[serde(default)]
    pub(super) en: Option<String>,
    pub(super) severity: Severity,
    pub(super) points: Number,
    #[serde(default)]
    pub(super) window_months: Option<Month>,
    #[serde(default)]
    pub(super) window: Option<NamedWindow>,
    #[serde(default)]
    pub(super) penalty: bool,
    #[serde(default)]
    pub(super) note: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum NamedWindow {
    CalendarYear,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tier {
    pub(super) when: Code,
    pub(super) points: Number,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Veto {
    pub(super) code: Code,
    pub(super) zh: String,
    pub(super) en: String,
    pub(super) effect: Effect,
    #[serde(default)]
    pub(super) stars: Option<u8>,
    #[serde(default)]
    pub(super) max_star: Option<Star>,
    pub(super) min_months: Month,
    #[serde(default = "yes")]
    pub(super) repairable: bool,
    pub(super) basis: String,
    pub(super) evidence: Vec<Code>,
    #[serde(default)]
    pub(super) note: Option<String>,
}

fn yes() -> bool {
    true
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Effect {
    Strip,
    Cap,
    Drop,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Grade {
    pub(super) star: Star,
    pub(super) zh: String,
    #[serde(default)]
    pub(super) en: Option<String>,
    #[serde(default)]
    pub(super) color: Option<Code>,
    pub(super) min_total: Number,
    #[serde(default, rename = "min_A")]
    pub(super) min_a: Option<Number>,
    #[serde(default)]
    pub(super) min_each: std::collections::BTreeMap<Code, Number>,
    #[serde(default)]
    pub(super) max_penalties_24m: Option<u32>,
    /// `false`: no open rectification is allowed; absent or `true`: it does not matter.
    #[serde(default = "yes")]
    pub(super) open_rectification: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Below {
    pub(super) state: String,
    pub(super) zh: String,
    #[serde(default)]
    pub(super) en: Option<String>,
    #[serde(default)]
    pub(super) note: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Procedure {
    #[serde(default)]
    pub(super) second_officer: bool,
    #[serde(default)]
    pub(super) notice_answer: Option<String>,
    #[serde(default)]
    pub(super) members: Vec<Department>,
    #[serde(default)]
    pub(super) quorum: Option<u16>,
    #[serde(default)]
    pub(super) self_evidence_percent: Option<u16>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Process {
    pub(super) rating_valid_months: Month,
    /// Days of the procedure as the authority writes them (`10WD`, `7D`).
    #[serde(flatten)]
    pub(super) days: std::collections::BTreeMap<String, String>,
}

/// Points as YAML has them, a number or its text; exact before anything is computed. A number with more places
/// than points have is refused, not rounded.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Number(pub(super) Points);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Number, D::Error> {
        let text = match Value::deserialize(deserializer)? {
            Value::Number(number) => number.to_string(),
            Value::String(text) => text,
            _ => return Err(de::Error::custom("expected a number of points")),
        };
        text.parse().map(Number).map_err(de::Error::custom)
    }
}

impl EvidenceKind {
    pub(super) fn name(&self) -> LocalizedText {
        LocalizedText::new(self.zh.clone(), self.en.clone())
    }
}
