//! Why a step of assistance is refused: what is wrong, and what to do next.

use greenstar_kernel::{Code, LocalizedText, Said, Uscc};
use greenstar_tables::TableErrors;

use super::plan::{MeasureState, PlanState};

/// A refusal. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssistanceRefusal {
    /// No such cohort.
    #[error("no cohort has the name {0}")]
    CohortUnknown(String),
    /// The id is taken.
    #[error("cohort {0} exists already")]
    CohortExists(Code),
    /// Nobody is on the list.
    #[error("no registered enterprise is on the list and satisfies the filter")]
    CohortEmpty,
    /// Not a member.
    #[error("enterprise {0} is not in the cohort")]
    NotInCohort(Uscc),
    /// No such finding.
    #[error("the enterprise has no finding {0}")]
    FindingUnknown(Code),
    /// No such request.
    #[error("the enterprise has no such request for help")]
    RequestUnknown,
    /// It has its answer.
    #[error("the request for help is answered already")]
    RequestAnswered,
    /// No such version.
    #[error("there are no service rules {0}")]
    RulesUnknown(String),
    /// The rules cannot be read: place and problem.
    #[error("the service rules cannot be read: {place}: {problem}")]
    RulesUnreadable {
        /// Line and column, or the list.
        place: String,
        /// What is wrong.
        problem: String,
    },
    /// Their table has faults.
    #[error(transparent)]
    RulesTable(#[from] TableErrors),
    /// The rules have no such term.
    #[error("the rules know no {list} {code}")]
    TermUnknown {
        /// `facts.processes`, `facts.treatments` or `facts.pollutants`.
        list: &'static str,
        /// The code.
        code: Code,
        /// What they know.
        known: Vec<Code>,
    },
    /// No such plan.
    #[error("the enterprise has no such plan")]
    PlanUnknown,
    /// In another state.
    #[error("the plan is {}; this step needs {needed}", state.as_str())]
    PlanState {
        /// The state it is in.
        state: PlanState,
        /// The state that the step needs.
        needed: &'static str,
    },
    /// Another plan is not over.
    #[error("plan {0} of the enterprise is not over")]
    PlanExists(Code),
    /// No such measure.
    #[error("the plan has no such measure")]
    MeasureUnknown,
    /// In another state.
    #[error("the measure is {}; this step needs {}", state.as_str(), needed.as_str())]
    MeasureState {
        /// The state it is in.
        state: MeasureState,
        /// The state that the step needs.
        needed: MeasureState,
    },
    /// Not all is done.
    #[error("measures are not done: {0:?}")]
    MeasuresOpen(Vec<Code>),
}

fn list(codes: &[Code]) -> String {
    codes.iter().map(Code::as_str).collect::<Vec<_>>().join(", ")
}

impl Said for AssistanceRefusal {
    fn said(&self) -> LocalizedText {
        let both = |zh: &str, en: &str| LocalizedText::new(zh, en);
        match self {
            AssistanceRefusal::CohortUnknown(name) => LocalizedText::new(
                format!("没有名为 {name} 的帮扶名单，请核对名称。"),
                format!("No cohort has the name {name}. Check it."),
            ),
            AssistanceRefusal::CohortExists(id) => LocalizedText::new(
                format!("帮扶名单 {id} 已存在，请换一个编号。"),
                format!("Cohort {id} exists already. Choose another id."),
            ),
            AssistanceRefusal::CohortEmpty => both(
                "名录中没有符合条件的已登记企业，请先登记企业或更换筛选条件。",
                "No registered enterprise is on the list and satisfies the filter. Register them first, or take another filter.",
            ),
            AssistanceRefusal::NotInCohort(uscc) => LocalizedText::new(
                format!("企业 {uscc} 不在该帮扶名单中，请核对。"),
                format!("Enterprise {uscc} is not in the cohort. Check the code."),
            ),
            AssistanceRefusal::FindingUnknown(id) => LocalizedText::new(
                format!("该企业没有编号为 {id} 的排查问题，请核对。"),
                format!("The enterprise has no finding {id}. Check the name."),
            ),
            AssistanceRefusal::RequestUnknown => both(
                "该企业没有该编号的帮扶诉求，请核对。",
                "The enterprise has no such request for help. Check the name.",
            ),
            AssistanceRefusal::RequestAnswered => both(
                "该诉求已经答复。企业如还有需要，请另提诉求。",
                "The request is answered already. If the firm needs more, it makes another request.",
            ),
            AssistanceRefusal::RulesUnknown(name) => LocalizedText::new(
                format!("没有服务清单规则 {name}，请核对版本，或者使用 serviceRules/latest。"),
                format!("There are no service rules {name}. Check the version, or take serviceRules/latest."),
            ),
            AssistanceRefusal::RulesUnreadable { place, problem } => LocalizedText::new(
                format!("服务清单规则有误，位置 {place}：{problem}。请更正后重新提交。"),
                format!(
                    "The service rules are wrong at {place}: {problem}. Correct them and send them again."
                ),
            ),
            AssistanceRefusal::RulesTable(errors) => errors.said(),
            AssistanceRefusal::TermUnknown {
                list: of,
                code,
                known,
            } => LocalizedText::new(
                format!("服务清单规则中没有 {of} 代码 {code}，可用：{}。", list(known)),
                format!(
                    "The service rules know no {of} {code}. They know: {}.",
                    list(known)
                ),
            ),
            AssistanceRefusal::PlanUnknown => both(
                "该企业没有该编号的整改方案，请核对。",
                "The enterprise has no such plan. Check the name.",
            ),
            AssistanceRefusal::PlanState { state, needed } => LocalizedText::new(
                format!(
                    "方案当前状态为 {}，本步骤需要 {needed}。请先完成前面的步骤。",
                    state.as_str()
                ),
                format!(
                    "The plan is {}; this step needs {needed}. Do the steps before it first.",
                    state.as_str()
                ),
            ),
            AssistanceRefusal::PlanExists(id) => LocalizedText::new(
                format!("该企业的整改方案 {id} 尚未结束，请先办结或者终止。"),
                format!("Plan {id} of the enterprise is not over. Close or fail it first."),
            ),
            AssistanceRefusal::MeasureUnknown => both(
                "方案中没有该编号的措施，请核对。",
                "The plan has no such measure. Check the code.",
            ),
            AssistanceRefusal::MeasureState { state, needed } => LocalizedText::new(
                format!(
                    "措施当前状态为 {}，本步骤需要 {}。",
                    state.as_str(),
                    needed.as_str()
                ),
                format!(
                    "The measure is {}; this step needs {}.",
                    state.as_str(),
                    needed.as_str()
                ),
            ),
            AssistanceRefusal::MeasuresOpen(open) => LocalizedText::new(
                format!(
                    "下列措施尚未复核完成：{}。请完成后再结案，或者说明原因终止方案。",
                    list(open)
                ),
                format!(
                    "These measures are not done: {}. Finish and re-check them, or fail the plan with the reason.",
                    list(open)
                ),
            ),
        }
    }
}
