//! Why a step of a repair or an appeal was not taken: for people in both languages, and what to do next.

use greenstar_kernel::{Code, Department, LocalizedText, Officer, Said, Timestamp};

use super::last_day;
use crate::domain::appeal::{AppealName, AppealState};
use crate::domain::repair::{ConditionKind, RepairName, RepairState};
use crate::domain::stage::FlagState;

/// Why a step was not taken. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RemedyRefusal {
    #[error("{}", nothing_en(.state.as_ref()))]
    NothingInForce {
        /// Of the flag that was named; `None`: of the whole document nothing binds.
        state: Option<FlagState>,
    },
    #[error("the law leaves no repair for {kind}; it ends by itself after {}, and if it is wrong, appeal", last_day(*.ends_at))]
    NotRepairable { kind: Code, ends_at: Timestamp },
    #[error("the least window runs until {}; apply from {} on", last_day(*.earliest), .earliest.date())]
    TooEarly { earliest: Timestamp },
    #[error("{}", exists_en(.repair, *.state))]
    RepairExists { repair: RepairName, state: RepairState },
    #[error("{repair} asks for the flag's repair; withdraw it first if the flag is wrong")]
    UnderRepair { repair: RepairName },
    #[error("{appeal} is open against the flag; wait for its decision, or withdraw it first")]
    UnderAppeal { appeal: AppealName },
    #[error("flags of {} stand on the document, and who recognises, repairs; name one of the flags", list(.departments))]
    SeveralBodies { departments: Vec<Department> },
    #[error("no repair is named {repair}; check the name")]
    RepairUnknown {
        repair: RepairName,
        /// There is one, but it is not for the caller, who is told the same.
        hidden: bool,
    },
    #[error("the repair is {}, this step needs APPLIED; read it again", .state.as_str())]
    RepairState { state: RepairState },
    #[error("the condition {} is not confirmed; confirm it if it holds, or refuse", .condition.as_str())]
    Condition { condition: ConditionKind },
    #[error("{department} recognised the fault; only its officers can do this")]
    NotTheRecognisingBody { department: Department },
    #[error(
        "{officer} applied for this repair or confirmed a flag on the document; another officer of the department reviews"
    )]
    ReviewsOwn { officer: Officer },
    #[error(
        "{officer} filed this appeal, or raised or confirmed a flag that the decision touches; another officer of the department decides"
    )]
    JudgesOwn { officer: Officer },
    #[error("{appeal} against this flag is {}; there is one appeal against a flag", .state.as_str())]
    AppealExists { appeal: AppealName, state: AppealState },
    #[error("the time to appeal ended with {}; once its least window has passed, apply for a repair", last_day(*.until))]
    AppealOutOfTime { until: Timestamp },
    #[error("no appeal is named {appeal}; check the name")]
    AppealUnknown {
        appeal: AppealName,
        /// As with repairs.
        hidden: bool,
    },
    #[error("the appeal is {}, this step needs FILED; read it again", .state.as_str())]
    AppealState { state: AppealState },
}

impl Said for RemedyRefusal {
    fn said(&self) -> LocalizedText {
        let zh = match self {
            RemedyRefusal::NothingInForce { state: Some(state) } => {
                format!(
                    "该标记当前状态为 {}，不产生约束，无需修复或者异议",
                    state.as_str()
                )
            }
            RemedyRefusal::NothingInForce { state: None } => {
                "该文书上没有生效的失信标记，请核对发文机关、文号和日期".to_owned()
            }
            RemedyRefusal::NotRepairable { kind, ends_at } => format!(
                "{kind} 依法不适用信用修复，至 {} 届满自动终止；认为认定有误的，请提出异议",
                last_day(*ends_at)
            ),
            RemedyRefusal::TooEarly { earliest } => format!(
                "最短公示期至 {} 届满，请自 {} 起申请",
                last_day(*earliest),
                earliest.date()
            ),
            RemedyRefusal::RepairExists { repair, state } => match state {
                RepairState::Applied => format!("修复申请 {repair} 正在审核，请等待结果"),
                RepairState::Granted => format!("该文书已经修复（{repair}），请出示修复证明"),
                RepairState::Refused | RepairState::Withdrawn => {
                    format!("修复申请 {repair} 已存在，请重新读取")
                }
            },
            RemedyRefusal::UnderRepair { repair } => {
                format!("该标记正在办理修复（{repair}）：认为认定有误的，请先撤回修复申请")
            }
            RemedyRefusal::UnderAppeal { appeal } => {
                format!("该标记的异议 {appeal} 尚未办结：请等待决定，或者先撤回异议")
            }
            RemedyRefusal::SeveralBodies { departments } => format!(
                "该文书上有 {} 等部门的标记，谁认定、谁修复：请按标记分别申请",
                list(departments)
            ),
            RemedyRefusal::RepairUnknown { repair, .. } => {
                format!("没有名为 {repair} 的修复申请，请核对名称")
            }
            RemedyRefusal::RepairState { state } => format!(
                "修复申请当前状态为 {}，此步骤要求 APPLIED，请重新读取",
                state.as_str()
            ),
            RemedyRefusal::Condition { condition } => format!(
                "修复条件 {} 未经确认：符合的请确认，不符合的请作出不予修复决定",
                condition.as_str()
            ),
            RemedyRefusal::NotTheRecognisingBody { department } => {
                format!("该失信行为由 {department} 认定，只能由其工作人员办理")
            }
            RemedyRefusal::ReviewsOwn { officer } => {
                format!("{officer} 代为申请过本次修复或者确认过该文书的标记，须由本部门另一名工作人员审核")
            }
            RemedyRefusal::JudgesOwn { officer } => {
                format!(
                    "{officer} 代为提出过本异议，或者提出、确认过决定所涉的标记，须由本部门其他工作人员决定"
                )
            }
            RemedyRefusal::AppealExists { appeal, state } => format!(
                "该标记已有异议 {appeal}（{}），同一标记只能提出一次异议",
                state.as_str()
            ),
            RemedyRefusal::AppealOutOfTime { until } => format!(
                "异议期限已于 {} 届满；最短公示期满后可以申请修复",
                last_day(*until)
            ),
            RemedyRefusal::AppealUnknown { appeal, .. } => format!("没有名为 {appeal} 的异议，请核对名称"),
            RemedyRefusal::AppealState { state } => {
                format!("异议当前状态为 {}，此步骤要求 FILED，请重新读取", state.as_str())
            }
        };
        LocalizedText::new(zh, self.to_string())
    }
}

fn nothing_en(state: Option<&FlagState>) -> String {
    match state {
        Some(state) => format!(
            "the flag is {} and binds nobody; there is nothing to repair or to appeal",
            state.as_str()
        ),
        None => "no flag in force stands on the document; check issuer, number and date".to_owned(),
    }
}

fn exists_en(repair: &RepairName, state: RepairState) -> String {
    match state {
        RepairState::Applied => format!("{repair} is being reviewed; wait for its outcome"),
        RepairState::Granted => format!("the document was repaired by {repair}; show its certificate"),
        RepairState::Refused | RepairState::Withdrawn => format!("{repair} exists; read it again"),
    }
}

fn list(departments: &[Department]) -> String {
    let names: Vec<&str> = departments.iter().map(Department::as_str).collect();
    names.join(", ")
}
