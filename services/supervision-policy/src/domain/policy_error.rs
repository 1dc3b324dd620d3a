//! What can be wrong with a policy, and where.

use std::fmt;

use super::analysis::Finding;
use greenstar_kernel::{Code, LocalizedText, Said};
use greenstar_tables::{BadTree, TableError};

/// One fault of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyError {
    /// Name of the document; empty if the bundle as a whole is meant.
    pub policy: String,
    pub defect: PolicyDefect,
}

impl PolicyError {
    /// Whether it is a fault of this policy, and not of another of the bundle.
    pub fn is_of(&self, policy: &str) -> bool {
        let rest = self.policy.strip_prefix(policy);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyDefect {
    #[error("the text is not a policy: {0}")]
    Unreadable(String),
    #[error(transparent)]
    Table(TableError),
    /// A fault that the analysis found, with its counterexample.
    #[error("{}", .0.text.en)]
    Found(Box<Finding>),
    #[error("no document is the jurisdiction's baseline; one must have the department baseline")]
    NoBaseline,
    #[error("another document is the baseline already; a jurisdiction has one")]
    SecondBaseline,
    #[error("the baseline has a table and neither matters, outcomes, arguments nor triggers")]
    BaselineShape,
    #[error("another document is called {0}; give this one a name of its own")]
    PolicyTwice(Code),
    #[error("the document declares no matter; add one under matters")]
    NoMatter,
    #[error("the matter {0} is declared twice in its department")]
    MatterTwice(Code),
    #[error("the outcome {0} stands twice")]
    OutcomeTwice(Code),
    #[error("exactly one outcome has the level NEUTRAL, here {0} have")]
    NeutralCount(usize),
    #[error("outcome {0} is milder than the one before it; list them mildest first")]
    NotAscending(Code),
    #[error("outcome {0} is above NEUTRAL; name the measure that carries it under carried_by")]
    CarrierMissing(Code),
    #[error("outcome {0} is not above NEUTRAL and needs no measure to carry it")]
    CarrierNotNeeded(Code),
    #[error("outcome {outcome} names the measure {measure}, which the catalogue does not have")]
    MeasureUnknown { outcome: Code, measure: Code },
    #[error("outcome {outcome} gives the measure {measure} a parameter that the catalogue does not allow")]
    FloorParameter { outcome: Code, measure: Code },
    #[error("measure {0} is no advice and no favour, or gives a figure; this policy may only advise")]
    NotAdvice(Code),
    #[error("argument {0} stands twice, or has the name of a fact")]
    ArgumentTwice(Code),
    #[error("tree {tree}: {bad}")]
    Tree { tree: &'static str, bad: BadTree },
    #[error(
        "argument {0} is masked, so it is not recorded and no row may test it; test another, or do not mask it"
    )]
    MaskedTested(Code),
    #[error(
        "max_staleness_ms is {0}, at most 5000 is allowed; to go on with older data write on_stale: allow_with_caveat"
    )]
    TooPatient(u32),
}

/// All faults of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyErrors(pub Vec<PolicyError>);

impl std::error::Error for PolicyErrors {}

impl fmt::Display for PolicyErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&all.join("; "))
    }
}

impl Said for PolicyErrors {
    fn said(&self) -> LocalizedText {
        let zh: Vec<String> = self.0.iter().map(|error| error.said().zh).collect();
        LocalizedText::new(zh.join("；"), self.to_string())
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.defect {
            PolicyDefect::Table(error) => error.fmt(f),
            defect if self.policy.is_empty() => defect.fmt(f),
            defect => write!(f, "policy {}: {defect}", self.policy),
        }
    }
}

impl Said for PolicyError {
    fn said(&self) -> LocalizedText {
        let zh = match &self.defect {
            PolicyDefect::Table(error) => error.said().zh,
            defect if self.policy.is_empty() => defect.zh(),
            defect => format!("政策 {}：{}", self.policy, defect.zh()),
        };
        LocalizedText::new(zh, self.to_string())
    }
}

impl PolicyDefect {
    fn zh(&self) -> String {
        match self {
            PolicyDefect::Unreadable(why) => format!("文本不是有效的政策文件：{why}"),
            PolicyDefect::Table(error) => error.said().zh,
            PolicyDefect::Found(finding) => finding.text.zh.clone(),
            PolicyDefect::NoBaseline => "缺少本辖区的基准政策，须有一份文件的部门为 baseline".to_owned(),
            PolicyDefect::SecondBaseline => "已有基准政策，一个辖区只能有一份".to_owned(),
            PolicyDefect::BaselineShape => {
                "基准政策只有决策表，不设事项、处置结论、参数和触发条件".to_owned()
            }
            PolicyDefect::PolicyTwice(name) => format!("已有名为 {name} 的政策，请另取名称"),
            PolicyDefect::NoMatter => "文件没有声明事项，请在 matters 中补充".to_owned(),
            PolicyDefect::MatterTwice(matter) => format!("事项 {matter} 在本部门重复声明"),
            PolicyDefect::OutcomeTwice(outcome) => format!("处置结论 {outcome} 重复"),
            PolicyDefect::NeutralCount(count) => {
                format!("应当恰有一个级别为 NEUTRAL 的处置结论，现有 {count} 个")
            }
            PolicyDefect::NotAscending(outcome) => {
                format!("处置结论 {outcome} 轻于前一项，请由轻到重排列")
            }
            PolicyDefect::CarrierMissing(outcome) => {
                format!("处置结论 {outcome} 重于 NEUTRAL，请在 carried_by 中写明承载它的措施")
            }
            PolicyDefect::CarrierNotNeeded(outcome) => {
                format!("处置结论 {outcome} 不重于 NEUTRAL，不需要承载措施")
            }
            PolicyDefect::MeasureUnknown { outcome, measure } => {
                format!("处置结论 {outcome} 引用的措施 {measure} 不在措施目录中")
            }
            PolicyDefect::FloorParameter { outcome, measure } => {
                format!("处置结论 {outcome} 中措施 {measure} 的参数不符合措施目录")
            }
            PolicyDefect::NotAdvice(measure) => {
                format!("措施 {measure} 既不是建议也不是激励，或者带有数值；本政策只能提出建议")
            }
            PolicyDefect::Tree { tree, bad } => {
                let why = match bad {
                    BadTree::Cyclic(circle) => {
                        format!("存在循环引用：{}，请去掉其中一个上级", circle.join(" > "))
                    }
                    BadTree::TooLarge(links) => format!("最多 1000 项，现有 {links} 项"),
                    BadTree::UnknownParent { child, parent } => {
                        format!("{child} 的上级 {parent} 既不是标准代码，也不是本层级中的分组")
                    }
                    BadTree::UnknownChild(child) => {
                        format!("{child} 既不是标准代码，也不是含有下级的分组")
                    }
                };
                format!("代码层级 {tree}：{why}")
            }
            PolicyDefect::TooPatient(given) => format!(
                "max_staleness_ms 为 {given}，不得超过 5000；如可使用较旧数据，请写 on_stale: allow_with_caveat"
            ),
            PolicyDefect::MaskedTested(argument) => format!(
                "参数 {argument} 为掩码参数，不予记录，决策表不得据以判断；请改用其他参数或者取消掩码"
            ),
            PolicyDefect::ArgumentTwice(argument) => format!("参数 {argument} 重复，或者与事实列重名"),
        }
    }
}
