//! Why an outcome is what it is, for people.

use greenstar_kernel::LocalizedText;

pub use super::better::Better;
use super::catalogue::MeasureEntry;
pub use super::gate::Blocked;
use super::matter::Outcome;

/// A row that decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleRow<'a> {
    pub table: &'a str,
    /// From 1; 0 is the default row.
    pub number: usize,
    pub text: &'a LocalizedText,
    pub basis: &'a [LocalizedText],
}

/// One reason of a decision.
#[derive(Clone, Debug)]
pub enum Reason<'a> {
    /// A row of the department's table decided.
    Row(RuleRow<'a>),
    /// The department has no table for the matter.
    NoTable,
    /// The jurisdiction's baseline raised the department's answer.
    Baseline {
        row: RuleRow<'a>,
        from: &'a Outcome,
        to: &'a Outcome,
    },
    /// The law does not carry a more severe outcome.
    OutcomeGate {
        outcome: &'a Outcome,
        measure: &'a MeasureEntry,
        blocked: Blocked,
    },
    /// The law does not carry a measure that the table asks for.
    MeasureGate {
        measure: &'a MeasureEntry,
        blocked: Blocked,
    },
    /// What is in the way of a better outcome.
    Better(Better<'a>),
}

/// What kind of reason it is, as the contract groups them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReasonKind {
    Row,
    Baseline,
    LegalGate,
    Blocked,
}

impl Reason<'_> {
    pub fn kind(&self) -> ReasonKind {
        match self {
            Reason::Row(_) | Reason::NoTable => ReasonKind::Row,
            Reason::Baseline { .. } => ReasonKind::Baseline,
            Reason::OutcomeGate { .. } | Reason::MeasureGate { .. } => ReasonKind::LegalGate,
            Reason::Better(_) => ReasonKind::Blocked,
        }
    }

    /// `{table}/{row}`, where the default row is `default`.
    pub fn row(&self) -> Option<String> {
        let (table, number) = match self {
            Reason::Row(row) | Reason::Baseline { row, .. } => (row.table, row.number),
            Reason::Better(better) => better.row?,
            Reason::NoTable | Reason::OutcomeGate { .. } | Reason::MeasureGate { .. } => return None,
        };
        Some(if number == 0 {
            format!("{table}/default")
        } else {
            format!("{table}/{number}")
        })
    }

    /// In both languages, with the basis of the rule.
    pub fn text(&self) -> LocalizedText {
        match self {
            Reason::Row(row) => row.said(),
            Reason::NoTable => LocalizedText::new(
                "本部门尚未就该事项发布政策，按一般情形办理",
                "The department has published no policy for this matter; it is handled as any other",
            ),
            Reason::Baseline { row, from, to } => {
                let rule = row.said();
                LocalizedText::new(
                    format!(
                        "本辖区基准要求将“{}”提高为“{}”：{}",
                        from.title.zh, to.title.zh, rule.zh
                    ),
                    format!(
                        "The jurisdiction's baseline raises \"{}\" to \"{}\": {}",
                        from.title.en, to.title.en, rule.en
                    ),
                )
            }
            Reason::OutcomeGate {
                outcome,
                measure,
                blocked,
            } => {
                let why = blocked.said();
                LocalizedText::new(
                    format!(
                        "不适用“{}”：该结论须由措施“{}”承载，而{}",
                        outcome.title.zh, measure.title.zh, why.zh
                    ),
                    format!(
                        "\"{}\" is not applied: the measure \"{}\" would have to carry it, but {}",
                        outcome.title.en, measure.title.en, why.en
                    ),
                )
            }
            Reason::MeasureGate { measure, blocked } => {
                let why = blocked.said();
                LocalizedText::new(
                    format!("不采取措施“{}”：{}", measure.title.zh, why.zh),
                    format!("The measure \"{}\" is not taken: {}", measure.title.en, why.en),
                )
            }
            Reason::Better(better) => better.said(),
        }
    }
}

impl RuleRow<'_> {
    fn said(&self) -> LocalizedText {
        let zh = self.basis.iter().map(|basis| basis.zh.as_str());
        let en = self.basis.iter().map(|basis| basis.en.as_str());
        LocalizedText::new(
            with_basis(&self.text.zh, zh, ["（依据：", "；", "）"]),
            with_basis(&self.text.en, en, [" (basis: ", "; ", ")"]),
        )
    }
}

/// In one allocation: every answer has such a text.
fn with_basis<'a>(text: &str, basis: impl Iterator<Item = &'a str> + Clone, marks: [&str; 3]) -> String {
    let [open, between, close] = marks;
    let room: usize = basis.clone().map(|basis| basis.len() + open.len()).sum();
    let mut said = String::with_capacity(text.len() + room + close.len());
    said.push_str(text);
    for (at, basis) in basis.enumerate() {
        said.push_str(if at == 0 { open } else { between });
        said.push_str(basis);
    }
    if said.len() > text.len() {
        said.push_str(close);
    }
    said
}

impl Blocked {
    fn said(self) -> LocalizedText {
        let (zh, en) = match self {
            Blocked::EntryEnded => (
                "该措施目前不在措施目录的有效期内",
                "its entry in the catalogue is not in force",
            ),
            Blocked::NoBasis => ("其法律依据目前无一有效", "none of its legal bases is in force"),
            Blocked::NoArticle => (
                "减损权益的措施须有明确的法律条文",
                "a measure that cuts a right needs a named article",
            ),
            Blocked::Unsupported => (
                "没有任何有效标记、星级或状态支持该措施",
                "no flag in force, star or state carries it",
            ),
            Blocked::TooMild => (
                "有关标记的严重程度不足以支持该措施",
                "the flag is not severe enough to carry it",
            ),
            Blocked::PastCeiling => (
                "有关标记虽在有效期内，但已超过其严重程度对应的最长期限，不得再据以采取措施",
                "the flag, though in force, is older than its severity allows, so no measure rests on it any more",
            ),
            Blocked::FlagWithoutBasis => (
                "有关标记种类的法律依据目前无一有效，不得再据以采取措施",
                "none of the legal bases of the flag's kind is in force, so no measure rests on it",
            ),
        };
        LocalizedText::new(zh, en)
    }
}
