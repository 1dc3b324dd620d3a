//! The four conditions of order 36: the least window has passed; the fault is corrected and all duties are met; a
//! public commitment; what other laws ask for.

use greenstar_kernel::{LocalizedText, Timestamp};

use super::Findings;

/// Which condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConditionKind {
    Window,
    Corrected,
    Commitment,
    Other,
}

impl ConditionKind {
    /// As written in errors and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            ConditionKind::Window => "WINDOW",
            ConditionKind::Corrected => "CORRECTED",
            ConditionKind::Commitment => "COMMITMENT",
            ConditionKind::Other => "OTHER",
        }
    }
}

/// One of them, and whether it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    pub kind: ConditionKind,
    pub holds: bool,
    pub text: LocalizedText,
}

impl Findings {
    /// The first condition that was not found to hold.
    pub fn missing(self) -> Option<ConditionKind> {
        if !self.corrected {
            Some(ConditionKind::Corrected)
        } else if !self.committed {
            Some(ConditionKind::Commitment)
        } else if !self.others_hold {
            Some(ConditionKind::Other)
        } else {
            None
        }
    }
}

/// All four, as far as they can be told. Before a review only the window can.
pub(super) fn of(earliest: Timestamp, findings: Option<Findings>, now: Timestamp) -> Vec<Condition> {
    let first = earliest.date();
    let window = Condition {
        kind: ConditionKind::Window,
        holds: earliest <= now,
        text: LocalizedText::new(
            format!("最短公示期已满，自 {first} 起可以申请修复"),
            format!("the least window of publicity has passed: from {first} on"),
        ),
    };
    let asked = [
        (
            ConditionKind::Corrected,
            findings.is_some_and(|found| found.corrected),
            "失信行为已经纠正，处罚决定规定的义务已经履行完毕，由认定部门核实",
            "the fault is corrected and all duties are met; the reviewing body checks the proof",
        ),
        (
            ConditionKind::Commitment,
            findings.is_some_and(|found| found.committed),
            "已经公开作出信用承诺",
            "the firm has committed itself in public",
        ),
        (
            ConditionKind::Other,
            findings.is_some_and(|found| found.others_hold),
            "符合法律、行政法规和部门规章规定的其他条件",
            "what other laws and rules ask for holds",
        ),
    ];
    let asked = asked.map(|(kind, holds, zh, en)| Condition {
        kind,
        holds,
        text: LocalizedText::new(zh, en),
    });
    std::iter::once(window).chain(asked).collect()
}
