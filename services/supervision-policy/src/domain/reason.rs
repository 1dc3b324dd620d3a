//! Why an outcome is what it is, for people.

use greenstar_kernel::LocalizedText;
use greenstar_tables::{Column, Value};

use super::catalogue::MeasureEntry;
use super::columns::FactColumn;
use super::decide::column_title;
pub use super::gate::Blocked;
use super::matter::{Matter, Outcome};
use super::policy::Policy;

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
    /// What the next better outcome would have taken.
    Better {
        policy: &'a Policy,
        matter: &'a Matter,
        outcome: &'a Outcome,
        table: &'a str,
        number: usize,
        failed: Vec<FailedTest<'a>>,
    },
}

/// A test that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedTest<'a> {
    pub(super) column: usize,
    pub(super) wanted: &'a str,
    pub(super) found: Value<'a>,
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
            Reason::Better { .. } => ReasonKind::Blocked,
        }
    }

    /// `{table}/{row}`, where the default row is `default`.
    pub fn row(&self) -> Option<String> {
        let (table, number) = match self {
            Reason::Row(row) | Reason::Baseline { row, .. } => (row.table, row.number),
            Reason::Better { table, number, .. } => (*table, *number),
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
                        "“{}”须由措施“{}”承载，但{}",
                        outcome.title.zh, measure.title.zh, why.zh
                    ),
                    format!(
                        "\"{}\" has to be carried by the measure \"{}\", but {}",
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
            Reason::Better {
                policy,
                matter,
                outcome,
                failed,
                ..
            } => better(policy, matter, outcome, failed),
        }
    }
}

impl RuleRow<'_> {
    fn said(&self) -> LocalizedText {
        let mut said = self.text.clone();
        if !self.basis.is_empty() {
            let zh: Vec<&str> = self.basis.iter().map(|basis| basis.zh.as_str()).collect();
            let en: Vec<&str> = self.basis.iter().map(|basis| basis.en.as_str()).collect();
            said.zh = format!("{}（依据：{}）", said.zh, zh.join("；"));
            said.en = format!("{} (basis: {})", said.en, en.join("; "));
        }
        said
    }
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
                "有关标记已超过其严重程度对应的最长期限",
                "the flag is older than its severity allows",
            ),
        };
        LocalizedText::new(zh, en)
    }
}

fn better(policy: &Policy, matter: &Matter, outcome: &Outcome, failed: &[FailedTest<'_>]) -> LocalizedText {
    let mut zh = Vec::new();
    let mut en = Vec::new();
    for test in failed {
        let found = show(policy, matter, test.column, test.found);
        let said = match FactColumn::ALL.get(test.column) {
            Some(FactColumn::Flags) => flags_in_the_way(policy, test.found),
            Some(FactColumn::Star) => star_wanted(test.wanted, test.found),
            Some(_) | None => {
                let title = column_title(matter, test.column);
                LocalizedText::new(
                    format!("{}应为 {}，现为 {found}", title.zh, test.wanted),
                    format!("{} should be {}, is {found}", title.en, test.wanted),
                )
            }
        };
        zh.push(said.zh);
        en.push(said.en);
    }
    LocalizedText::new(
        format!("未能适用“{}”：{}", outcome.title.zh, zh.join("；")),
        format!("\"{}\" does not apply: {}", outcome.title.en, en.join("; ")),
    )
}

fn flags_in_the_way(policy: &Policy, found: Value<'_>) -> LocalizedText {
    let Value::Set(bits) = found else {
        return LocalizedText::new("失信标记不符合条件", "the flags do not fit");
    };
    let kinds = policy.catalogue().flag_kinds().iter().enumerate();
    let named: Vec<&LocalizedText> = kinds
        .filter(|(bit, _)| bits >> bit & 1 == 1)
        .map(|(_, kind)| &kind.title)
        .collect();
    let zh: Vec<&str> = named.iter().map(|name| name.zh.as_str()).collect();
    let en: Vec<&str> = named.iter().map(|name| name.en.as_str()).collect();
    LocalizedText::new(
        format!(
            "失信标记（{}）仍在有效期内；期满、解除或者修复后可以重新查询",
            zh.join("、")
        ),
        format!(
            "a flag is in force ({}); ask again once it has ended, was lifted or repaired",
            en.join(", ")
        ),
    )
}

fn star_wanted(wanted: &str, found: Value<'_>) -> LocalizedText {
    let (zh, en) = match wanted.strip_prefix(">=") {
        Some(least) => (
            format!("需要 {least} 星及以上"),
            format!("it takes {least} stars or more"),
        ),
        None => (format!("需要 {wanted} 星"), format!("it takes {wanted} stars")),
    };
    if let Value::Ordered(star) = found {
        return LocalizedText::new(format!("{zh}，现为 {star} 星"), format!("{en}, it has {star}"));
    }
    LocalizedText::new(format!("{zh}，目前没有星级"), format!("{en}, it has none now"))
}

fn show(policy: &Policy, matter: &Matter, column: usize, value: Value<'_>) -> String {
    let declared: Option<Column> = match FactColumn::ALL.get(column) {
        Some(fact) => Some(fact.declare(policy.catalogue())),
        None => matter
            .arguments
            .get(column - FactColumn::ALL.len())
            .map(|argument| argument.column()),
    };
    declared.map_or_else(String::new, |column| column.show(value))
}
